//! A monitor that has stopped says so.

use jiff::SignedDuration;

use super::{alice, bills};
use crate::bed::{ADMIN, eventually, fragment, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_begins_no_cycle_is_reported_on_its_card_and_by_healthz() {
    let bed = alice(&[("MONITOR__INTERVAL_SECONDS", "600")]).await;
    let late = fragment("monitor.late");
    bed.clock.advance(SignedDuration::from_secs(3 * 600 + 300 - 30));
    assert_eq!(bed.get("/healthz").await.0, 200);
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(!card.contains(&late), "{card}");
    bed.clock.advance(SignedDuration::from_secs(31));
    let (status, body) = bed.get("/healthz").await;
    assert_eq!(status, 503);
    assert!(body.contains("monitor"), "{body}");
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(card.contains(&late), "{card}");
    bed.cycle().await;
    assert_eq!(bed.get("/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cycles_continue_after_the_clock_was_set_back_and_forward() {
    let bed = alice(&[("MONITOR__INTERVAL_SECONDS", "1")]).await;
    for hours in [-24, 48, -24] {
        bed.clock.advance(SignedDuration::from_hours(hours));
        let before = bills(&bed).len();
        eventually("two more cycles", || bills(&bed).len() >= before + 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_is_switched_off_is_never_late() {
    let bed = alice(&[("MONITOR__ENABLED", "false"), ("MONITOR__INTERVAL_SECONDS", "1")]).await;
    bed.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(bed.get("/healthz").await.0, 200);
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(!card.contains(&fragment("monitor.late")), "{card}");
}
