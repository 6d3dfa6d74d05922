//! Commands that need the store: without one, and while the service has it open.

use super::{PAIR, offline, with_account};
use crate::promises::Outside;

#[test]
fn without_a_store_no_command_creates_one() {
    let home = offline();
    for arguments in
        [&["backup", "x.redb"][..], &["export", "users"], &["rekey"], &["account", "enable", "a"]]
    {
        home.run(arguments).refused(1, "there is no store at");
    }
    assert!(!home.store_path().exists());
}

#[test]
fn while_the_service_runs_each_command_names_what_to_do_instead() {
    let home = with_account();
    let new_key = home.path("new.key");
    std::fs::write(&new_key, "22".repeat(32)).unwrap();
    let _running = home.store();
    for (arguments, instead) in [
        (&["account", "add", "b"][..], "/accounts"),
        (&["account", "list"], "/accounts"),
        (&["account", "rotate", "main"], "/accounts"),
        (&["account", "enable", "main"], "/accounts"),
        (&["account", "disable", "main"], "/accounts"),
        (&["backup", "x.redb"], "store.backup_dir"),
        (&["export", "users"], "/export"),
        (&["rekey"], "stop it first"),
        (&["restore", "new.key", "--force"], "stop it first"),
        (&["serve"], "only one airgate may run on a store"),
    ] {
        let refused = home.feed(arguments, PAIR);
        refused.refused(1, instead);
        assert!(refused.err.contains("in use"), "{}", refused.err);
    }
    assert!(!home.path("x.redb").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_store_has_one_process() {
    let outside = Outside::start(0).await;
    let process = outside.serve("info");
    for arguments in [&["serve"][..], &["account", "list"], &["account", "add", "other"]] {
        let refused = outside.home.feed(arguments, "AKLTother00000001\nother-secret\n");
        refused.refused(1, "in use");
        if arguments[0] == "account" {
            assert!(refused.err.contains("/accounts"), "{}", refused.err);
        }
    }
    // The running process was not disturbed.
    let sent = outside.say("/quota alice 1").await;
    outside.reply(&sent).await;
    process.kill();
}
