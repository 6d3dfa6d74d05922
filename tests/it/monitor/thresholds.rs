//! Warnings: at which thresholds, and how often.

use airgate::domain::{AlertBody, Switch, Thresholds, UserStatus};

use super::{alice, once, reads, spend};
use crate::bed::{ADMIN, Bed, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_total_is_below_every_threshold() {
    let bed = alice(&[]).await;
    spend(&bed, "team-a", "-500.25", "2026-11");
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 0));
    assert_eq!(bed.consumed("main/alice"), "-¥500.25");
    let card = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(card.contains("-¥500.25"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_warns_once_until_a_top_up_leaves_less_usage() {
    let bed = alice(&[]).await;
    bed.change("main/alice", |user| user.auto_disable = Switch::Off);
    let warned = |bed: &Bed| -> Vec<u16> {
        let threshold_of = |body: &AlertBody| match body {
            AlertBody::Warning { threshold, .. } => Some(*threshold),
            _ => None,
        };
        bed.alert_records().iter().filter_map(|alert| threshold_of(&alert.body)).collect()
    };
    let triggered = |bed: &Bed| Vec::from_iter(bed.user("main/alice").triggered);

    spend(&bed, "team-a", "49.99", "2026-11");
    bed.cycle().await;
    assert!(warned(&bed).is_empty());
    // Two at once: one warning, for the higher; both are triggered.
    spend(&bed, "team-a", "35", "2026-11");
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(warned(&bed), [80]);
    assert_eq!(triggered(&bed), [50, 80]);
    // A refund does not reset a threshold, so passing it again does not warn again.
    spend(&bed, "team-a", "-50", "2026-11");
    bed.cycle().await;
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    assert_eq!(warned(&bed), [80]);

    // 84.99 of 150 is 56.7 %: only what lies above can warn again. The top-up itself warns of nothing.
    bed.allocate("main/alice", "50");
    assert_eq!(triggered(&bed), [50]);
    bed.cycle().await;
    assert_eq!(warned(&bed), [80]);
    spend(&bed, "team-a", "40", "2026-11");
    bed.cycle().await;
    assert_eq!(warned(&bed), [80, 80]);
    spend(&bed, "team-a", "-40", "2026-11");
    // A deduction resets nothing.
    bed.allocate("main/alice", "-10");
    assert_eq!(triggered(&bed), [50, 80]);
    bed.cycle().await;
    assert_eq!(warned(&bed), [80, 80]);

    // Thresholds of the user: 60 is new, 61 is not reached.
    bed.change("main/alice", |user| user.thresholds = Some(Thresholds::new([60, 61]).unwrap()));
    bed.cycle().await;
    assert_eq!(warned(&bed), [80, 80, 60]);
    assert_eq!(bed.alerts().len(), 3);
    assert!(text_of(&bed.alerts()[2]).contains("60%"));
}

#[tokio::test(flavor = "multi_thread")]
async fn spending_of_a_project_that_two_users_share_counts_for_both() {
    let bed = alice(&[]).await;
    bed.add_users(&["main/bob"]);
    bed.link("main/bob", "team-a", "");
    bed.allocate("main/bob", "1000");
    spend(&bed, "team-a", "120", "2026-11");
    let report = bed.cycle().await;
    // One event, one card: no warning beside the cut.
    assert_eq!((report.warnings, report.disables), (0, 1));
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
    assert_eq!(bed.consumed("main/bob"), "¥120.00");
    assert_eq!(reads(&bed), once(&["2026-11"]));
}
