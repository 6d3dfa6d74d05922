//! The month limit: what it warns about and cuts, and how access comes back with the next month.

use airgate::app::access;
use airgate::domain::{
    AccessGoal, AlertBody, AlertKind, Limit, Money, MonthLimit, Operator, UserStatus,
};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::KeyStatus;

use super::{alice, spend};
use crate::bed::{ADMIN, Bed, eventually, phrase, text_of, user_key};

const ALICE: &str = "main/alice";
/// 00:30 in Beijing on the first of the month.
const DECEMBER: &str = "2026-11-30T16:30:00Z";

fn limited(bed: &Bed, limit: &str) {
    let limit: MonthLimit = limit.parse::<Money>().unwrap().try_into().unwrap();
    bed.change(ALICE, |user| user.month_limit = Some(limit));
}

/// Alice with a quota of 1,000 and a month limit of 100, of which `spent` is spent.
async fn spent(spent: &str) -> Bed {
    let bed = alice(&[]).await;
    bed.allocate(ALICE, "900");
    limited(&bed, "100");
    spend(&bed, "team-a", spent, "2026-11");
    bed
}

/// The same, cut by the month limit.
async fn cut() -> Bed {
    let bed = spent("100").await;
    assert_eq!(bed.cycle().await.disables, 1);
    assert_eq!((status(&bed), bed.is_cut_off("alice")), (UserStatus::Disabled, true));
    bed
}

fn status(bed: &Bed) -> UserStatus {
    bed.user(ALICE).status
}

fn want(bed: &Bed, goal: AccessGoal) {
    let operator = Operator::Person { open_id: ADMIN.parse().unwrap(), name: None };
    let now = bed.clock.now();
    bed.store.write(|tx| access::request(tx, &user_key(ALICE), goal, operator, None, now)).unwrap();
    bed.service().wakers().access.notify_one();
}

/// What alerts are about, oldest first.
fn limits(bed: &Bed) -> Vec<(AlertKind, Limit)> {
    let of = |body: &AlertBody| match body {
        AlertBody::Warning { of, .. } | AlertBody::Disable { of, .. } => Some(*of),
        _ => None,
    };
    let alerts = bed.alert_records();
    alerts.iter().filter_map(|alert| Some((alert.body.kind(), of(&alert.body)?))).collect()
}

fn restored(bed: &Bed) -> usize {
    let is = |body: &AlertBody| {
        matches!(
            body,
            AlertBody::Manual { goal: AccessGoal::Restored, operator: Operator::System, .. }
        )
    };
    bed.alert_records().iter().filter(|alert| is(&alert.body)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_month_limit_warns_once_a_month_and_cuts_with_one_alert() {
    let bed = spent("85").await;
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(limits(&bed), [(AlertKind::Warning, Limit::Month)]);
    let card = text_of(&bed.alerts()[0]);
    for part in ["alice", "80%", "¥85.00", "¥100.00"] {
        assert!(card.contains(part), "{card}");
    }
    // Not a hundredth of a fen too early.
    spend(&bed, "team-a", "14.999999", "2026-11");
    bed.cycle().await;
    assert_eq!((status(&bed), limits(&bed).len()), (UserStatus::Active, 2));
    spend(&bed, "team-a", "0.000001", "2026-11");
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 1));
    assert_eq!((status(&bed), bed.is_cut_off("alice")), (UserStatus::Disabled, true));
    assert_eq!(limits(&bed)[2..], [(AlertKind::Disable, Limit::Month)]);
    let card = text_of(bed.alerts().last().unwrap());
    assert!(card.contains(&phrase("alert.disable_month_then")), "{card}");
    let card = text_of(&bed.ask(ADMIN, "/user alice").await);
    assert!(card.contains("¥100.00") && card.contains("2026-11"), "{card}");
    // In the next month, the same thresholds warn again.
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Active);
    spend(&bed, "team-a", "50", "2026-12");
    bed.cycle().await;
    assert_eq!(limits(&bed)[3..], [(AlertKind::Warning, Limit::Month)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_quota_is_held_to_the_month_limit() {
    let bed = spent("100").await;
    bed.allocate(ALICE, "-1000");
    assert_eq!(bed.cycle().await.disables, 1);
    assert_eq!(status(&bed), UserStatus::Disabled);
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_limit_before_the_cut_wins() {
    let bed = spent("100").await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateAccessKey"));
    assert_eq!(bed.service().monitor().cycle().await.unwrap().disables, 1);
    eventually("an attempt", || bed.cloud.count("UpdateAccessKey") > 0).await;
    limited(&bed, "100.01");
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((status(&bed), bed.is_cut_off("alice")), (UserStatus::Active, false));
    assert!(limits(&bed).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn access_comes_back_once_with_the_next_month_and_late_rows_do_not_count() {
    let mut bed = cut().await;
    bed.at("2026-11-30T15:59:00Z");
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Disabled, "the month has not ended");
    // The process ends between the decision and the restore, and only starts again later.
    bed.at(DECEMBER);
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("UpdateAccessKey"));
    bed.service().monitor().cycle().await.unwrap();
    eventually("an attempt", || bed.cloud.count("UpdateAccessKey") > 1).await;
    bed.restart().await;
    bed.cloud.faults().clear();
    bed.settled().await;
    assert_eq!((status(&bed), bed.is_cut_off("alice")), (UserStatus::Active, false));
    assert_eq!(restored(&bed), 1);
    let card = text_of(bed.alerts().last().unwrap());
    assert!(card.contains(&phrase("alert.month_restored_text")), "{card}");
    // Rows of November that come late count for the quota, and not for December.
    spend(&bed, "team-a", "300", "2026-11");
    let report = bed.cycle().await;
    assert_eq!((report.disables, status(&bed)), (0, UserStatus::Active));
    assert_eq!(bed.consumed(ALICE), "¥400.00");
    assert_eq!(restored(&bed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_began_while_the_service_was_down_restores_at_the_start() {
    let mut bed = cut().await;
    bed.at("2027-01-20T00:00:00Z");
    bed.restart().await;
    bed.eventually("the restore", |bed| status(bed) == UserStatus::Active).await;
    bed.settled().await;
    bed.cycle().await;
    assert_eq!(restored(&bed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_read_yet_restores_nobody() {
    let bed = cut().await;
    bed.at(DECEMBER);
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(403)).on("ListSplitBillDetail"));
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Disabled);
    bed.cloud.faults().clear();
    bed.cycle().await;
    assert_eq!((status(&bed), restored(&bed)), (UserStatus::Active, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_leaves_nobody_above_the_limit_with_access() {
    let bed = cut().await;
    let today = bed.clock.now();
    bed.at("2026-12-03T00:00:00Z");
    bed.cycle().await;
    bed.at(&today.to_string());
    bed.cycle().await;
    assert_eq!((status(&bed), bed.is_cut_off("alice")), (UserStatus::Disabled, true));
    // And the true turn of the month restores as ever.
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!((status(&bed), bed.is_cut_off("alice")), (UserStatus::Active, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_too_keeps_the_cut() {
    let bed = cut().await;
    bed.allocate(ALICE, "-900");
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Disabled);
    // It is a cut of the quota now: a top-up alone restores nothing.
    bed.allocate(ALICE, "900");
    bed.cycle().await;
    assert_eq!((status(&bed), restored(&bed)), (UserStatus::Disabled, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_used_up_at_once_is_one_cut_with_one_alert() {
    let bed = spent("100").await;
    bed.allocate(ALICE, "-900");
    let report = bed.cycle().await;
    assert_eq!((report.warnings, report.disables), (0, 1));
    assert_eq!(limits(&bed), [(AlertKind::Disable, Limit::Both)]);
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!(status(&bed), UserStatus::Disabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_cut_stays_cut() {
    // Restored and cut again by hand.
    let bed = cut().await;
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    want(&bed, AccessGoal::Cut);
    bed.settled().await;
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!((status(&bed), restored(&bed)), (UserStatus::Disabled, 0));
    // Cut by hand on top of the cut of the limit.
    let bed = cut().await;
    want(&bed, AccessGoal::Cut);
    bed.settled().await;
    bed.at(DECEMBER);
    bed.cycle().await;
    assert_eq!((status(&bed), restored(&bed)), (UserStatus::Disabled, 0));
    want(&bed, AccessGoal::Restored);
    bed.settled().await;
    assert!(!bed.is_cut_off("alice"), "nothing is forgotten");
    let is_active = |status| status == KeyStatus::Active;
    assert!(bed.cloud.read(|world| is_active(world.user("main", "alice").unwrap().keys[0].status)));
}
