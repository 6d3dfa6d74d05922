//! `/sync`: what the report says, and what the store holds afterwards.

use airgate::sandbox::volcengine::{Fault, FaultRule};

use super::{bed, says};
use crate::bed::{ADMIN, fragment, phrase, text, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_reports_what_is_new_changed_and_gone() {
    let bed = bed().await;
    says(&bed, ADMIN, "/quota main/alice 100", &[]).await;
    bed.cloud.update(|cloud| {
        let main = cloud.account_mut("main").unwrap();
        main.users.remove("alice");
        main.add_user("erin").display_name = "艾琳".to_owned();
        cloud.user_mut("main", "bob").unwrap().display_name = "小鲍".to_owned();
    });
    let report = text_of(&bed.sync().await);
    let one = |key: &str| text(key, &[("count", &1)]);
    for wanted in [
        one("sync.added"),
        one("sync.changed"),
        one("sync.gone"),
        "erin".to_owned(),
        "bob".to_owned(),
        "alice".to_owned(),
    ] {
        assert!(report.contains(&wanted), "{wanted} is not in\n{report}");
    }
    says(
        &bed,
        ADMIN,
        "/users 小鲍",
        &[&text("users.found", &[("count", &1), ("query", &"小鲍")]), "bob"],
    )
    .await;
    // A user who is gone keeps the quota, is listed last, and can no longer be changed.
    let list = text_of(&bed.ask(ADMIN, "/users").await);
    let (gone, others) = (list.find("main/alice").unwrap(), ["bob", "lab/alice", "erin"]);
    assert!(others.iter().all(|name| list.find(name).unwrap() < gone), "{list}");
    says(&bed, ADMIN, "/user main/alice", &[&phrase("status.gone"), "¥100.00"]).await;
    let gone = text("refusal.user_gone", &[("user", &"main/alice")]);
    for command in ["/quota main/alice 5", "/disable main/alice", "/enable main/alice"] {
        says(&bed, ADMIN, command, &[&gone]).await;
    }
    let unchanged = text_of(&bed.sync().await);
    let subtitle =
        text("sync.subtitle", &[("users", &5), ("added", &0), ("changed", &0), ("gone", &0)]);
    assert!(unchanged.contains(&subtitle), "{unchanged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_takes_long_says_what_it_waits_for() {
    let bed = bed().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Timeout).on("ListUsers").of("lab"));
    let report = bed.ask(ADMIN, "/sync").await;
    let message = bed.shows(&report.message_id, &fragment("processing.sync_progress")).await;
    assert!(text_of(&message).contains("1/2"), "{}", text_of(&message));
    bed.cloud.faults().clear();
    bed.no_longer_shows(&report.message_id, &phrase("processing.sync")).await;
}
