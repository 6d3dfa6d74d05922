//! `airgate backup`, `airgate restore`, and the scheduled backups.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use airgate::domain::AccountId;

use super::with_account;
use crate::bed::{Bed, eventually_ok, one_account};
use crate::shared::process::run;

#[test]
fn backup_and_restore() {
    let home = with_account();
    let made = home.run(&["backup", "b.redb"]);
    assert_eq!(made.good(), "backup written to b.redb\n");
    let backup = home.path("b.redb");
    assert_eq!(backup.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    home.run(&["backup", "b.redb"]).refused(1, "exists already");
    home.run(&["backup", "no/such/folder/b.redb"]).refused(1, "make it first");

    home.run(&["account", "disable", "main"]).good();
    home.run(&["restore", "b.redb"]).refused(1, "--force");
    home.run(&["restore", "none.redb", "--force"]).refused(1, "cannot read");
    std::fs::write(home.path("rubbish"), "x".repeat(5000)).unwrap();
    home.run(&["restore", "rubbish", "--force"]).refused(1, "damaged");
    let bytes = std::fs::read(&backup).unwrap();
    std::fs::write(home.path("short"), &bytes[..bytes.len() / 2]).unwrap();
    home.run(&["restore", "short", "--force"]).refused(1, "damaged");
    let mut other = home.command(&["restore", "b.redb", "--force"]);
    other.env("AIRGATE__SECURITY__MASTER_KEY", "33".repeat(32));
    run(other, "").refused(1, "another master key");
    assert!(home.run(&["account", "list"]).good().contains("  off  "), "nothing was changed");

    let restored = home.run(&["restore", "b.redb", "--force"]);
    assert!(restored.good().contains("before-restore-"), "{}", restored.out);
    assert!(home.run(&["account", "list"]).good().contains("  on  "));
    assert_eq!(home.store_path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<String> = names_in(&home.path("data"));
    assert_eq!(names.len(), 2, "{names:?}");
    let aside = names.iter().find(|name| name.contains(".before-restore-")).unwrap();
    let kept = home.open_store(&home.path("data").join(aside));
    let account = kept.read(|tx| tx.account(&AccountId::new("main").unwrap())).unwrap().unwrap();
    assert!(!account.active.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_backups_are_kept_up_to_the_configured_number() {
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("new/backups");
    let further = [("STORE__BACKUP_DIR", backups.to_str().unwrap()), ("STORE__BACKUP_KEEP", "2")];
    let mut bed = Bed::with(one_account(), &further).await;
    let mut seen = std::collections::BTreeSet::new();
    for starts in 1..=4 {
        // A new complete one, and no more files than configured.
        let names = eventually_ok("another backup", async || {
            let names = if backups.exists() { names_in(&backups) } else { Vec::new() };
            let complete = |name: &&String| name.ends_with(".redb");
            let is_new = names.iter().filter(complete).any(|name| !seen.contains(name));
            if is_new && names.len() == starts.min(2) { Ok(names) } else { Err(names) }
        })
        .await;
        seen.extend(names);
        // Within the interval a restart makes none, so that a service that restarts again and again keeps its old ones.
        let before = names_in(&backups);
        bed.clock.advance(jiff::SignedDuration::from_secs(60));
        bed.restart().await;
        bed.readyz_becomes(200).await;
        assert_eq!(names_in(&backups), before);
        bed.clock.advance(jiff::SignedDuration::from_hours(24));
        bed.restart().await;
    }
    assert!(names_in(&backups).len() <= 3);
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
