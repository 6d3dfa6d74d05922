//! Chat while the cloud does not answer.

use std::time::Duration;

use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;
use tokio::time::Instant;

use super::{bed, says};
use crate::bed::{ADMIN, phrase};

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_answer_does_not_delay_chat() {
    for fault in [Fault::Timeout, Fault::Slow(Duration::from_secs(5))] {
        let bed = bed().await;
        says(&bed, ADMIN, "/quota bob 10", &[]).await;
        bed.clock.advance(jiff::SignedDuration::from_mins(30));
        bed.cloud.faults().inject(FaultRule::new(fault.clone()));
        for command in [
            "/sync",
            "/monitor run",
            "/projects bob",
            "/users",
            "/user bob",
            "/quota bob 1",
            "/billing",
            "/alerts",
            "/monitor",
            "/disable bob",
            "/monitor run",
            "/help",
        ] {
            let start = Instant::now();
            bed.ask(ADMIN, command).await;
            let took = start.elapsed();
            assert!(took < Duration::from_secs(1), "{fault:?} {command}: {took:?}");
        }
        // Clicks are answered as fast, even one that needs the cloud.
        let card = bed.ask(ADMIN, "/disable bob").await;
        bed.press(ADMIN, &card.message_id, json!({"action": "user.disable"})).await;
        assert!(
            bed.texts(&card.message_id).contains(&phrase("status.cutting")),
            "{}",
            bed.texts(&card.message_id)
        );
        bed.press(ADMIN, &card.message_id, json!({"action": "projects.open"})).await;
        assert_eq!(bed.quota("main/bob"), "¥11.00");
    }
}
