//! When cycles run: on schedule, on request, one at a time.

use std::time::Duration;

use airgate::domain::{AlertKind, SavedSettings};
use airgate::sandbox::feishu;
use airgate::sandbox::volcengine::{Fault, FaultRule};

use super::{alice, bills, save, spend};
use crate::bed::{ADMIN, ADMIN_2, Bed, VIEWER, eventually, phrase, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn cycles_requested_together_run_one_after_the_other_and_each_request_is_answered() {
    let slow = Duration::from_millis(300);
    let bed = alice(&[]).await;
    bed.cloud.faults().inject(FaultRule::new(Fault::Slow(slow)).on("ListSplitBillDetail"));
    let mut replies = Vec::new();
    for person in [ADMIN, ADMIN_2, ADMIN, ADMIN_2, ADMIN] {
        replies.push(bed.ask(person, "/monitor run").await);
    }
    // Two more, not from chat.
    let monitor = bed.service().monitor();
    let (first, second) = tokio::join!(monitor.cycle(), monitor.cycle());
    first.unwrap();
    second.unwrap();
    for reply in replies {
        bed.shows(&reply.message_id, &phrase("cycle.title_ok")).await;
    }
    bed.settled().await;
    let calls = bills(&bed);
    for pair in calls.windows(2) {
        let apart = pair[1].at.duration_since(pair[0].at);
        assert!(apart.unsigned_abs() >= slow, "two cycles at once: {apart}");
    }
    // A viewer may not start one.
    let before = calls.len();
    let refused = text_of(&bed.ask(VIEWER, "/monitor run").await);
    assert!(refused.contains(&phrase("denied.title")), "{refused}");
    assert_eq!(bills(&bed).len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_cycles_run_by_themselves_and_never_overlap() {
    let bed = alice(&[("MONITOR__INTERVAL_SECONDS", "1")]).await;
    let slow = Duration::from_millis(1200);
    bed.cloud.faults().inject(FaultRule::new(Fault::Slow(slow)).on("ListSplitBillDetail").times(3));
    eventually("five scheduled cycles", || bills(&bed).len() >= 5).await;
    for pair in bills(&bed).windows(2).take(3) {
        let apart = pair[1].at.duration_since(pair[0].at);
        assert!(apart.unsigned_abs() >= slow, "two cycles at once: {apart}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_interval_takes_effect_at_once() {
    let bed = alice(&[]).await;
    let due_in = |bed: &Bed| {
        let next = bed.service().monitor().progress().next_at;
        next.map_or(0, |at| at.duration_since(bed.clock.now()).as_secs())
    };
    eventually("the schedule", || due_in(&bed) > 3000).await;
    assert_eq!(bills(&bed).len(), 0);
    save(&bed, &SavedSettings { interval_seconds: Some(1), ..SavedSettings::default() });
    eventually("two scheduled cycles", || bills(&bed).len() >= 2).await;
    save(&bed, &SavedSettings { interval_seconds: Some(7200), ..SavedSettings::default() });
    eventually("the new schedule", || due_in(&bed) > 7000).await;
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(card.contains(&phrase("monitor.on")), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_is_switched_off_still_runs_on_request() {
    let bed = alice(&[("MONITOR__ENABLED", "false"), ("MONITOR__INTERVAL_SECONDS", "1")]).await;
    spend(&bed, "team-a", "60", "2026-11");
    let reply = bed.ask(ADMIN, "/monitor run").await;
    bed.shows(&reply.message_id, &phrase("cycle.title_ok")).await;
    bed.settled().await;
    assert_eq!(bed.alert_kinds(), [AlertKind::Warning]);
    assert_eq!(bed.service().monitor().progress().next_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_starts_even_if_its_reply_cannot_be_delivered() {
    let bed = alice(&[]).await;
    bed.feishu.faults().inject(feishu::FaultRule::new(feishu::Fault::Status(500)).on("reply"));
    spend(&bed, "team-a", "60", "2026-11");
    let direct = bed.feishu.direct_chat(ADMIN);
    let sent = bed.feishu.say(ADMIN, &direct, "/monitor run", false).await;
    assert_eq!(sent.status, Some(200));
    eventually("the cycle", || bed.alert_kinds() == [AlertKind::Warning]).await;
    bed.feishu.faults().clear();
    let reply = bed.reply_to(&sent).await.unwrap();
    bed.shows(&reply.message_id, &phrase("cycle.title_ok")).await;
}
