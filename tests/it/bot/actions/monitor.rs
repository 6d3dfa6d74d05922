//! The monitor card: a cycle started from it.

use std::time::Duration;

use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;

use super::bed;
use crate::bed::{ADMIN, ADMIN_2, answered, phrase, toast_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_started_from_the_card_reports_to_it_once() {
    let bed = bed().await;
    bed.cycle().await;
    let card = bed.ask(ADMIN, "/monitor").await.message_id;
    let run = bed.feishu.find_button(&card, |v| v["action"] == "monitor.run").unwrap();
    let before = bed.cloud.count("ListSplitBillDetail");
    let link = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &link, "project.add", json!({"project": ["team-a"]})).await;
    bed.cloud
        .faults()
        .inject(FaultRule::new(Fault::Slow(Duration::from_millis(500))).on("ListSplitBillDetail"));
    let done = answered(bed.feishu.click(ADMIN, &card, run.clone()).await);
    assert_eq!(toast_of(&done), format!("info: {}", phrase("toast.cycle_started")));
    assert!(bed.texts(&card).contains(&phrase("processing.monitor")), "{}", bed.texts(&card));
    // The same press again does not start another cycle.
    let again = answered(bed.feishu.click_raw(ADMIN_2, &card, run).await);
    assert_eq!(toast_of(&again), format!("info: {}", phrase("toast.cycle_started")));
    bed.shows(&card, &phrase("cycle.title_ok")).await;
    bed.settled().await;
    assert!(bed.texts(&card).contains(&phrase("cycle.title_ok")), "{}", bed.texts(&card));
    assert_eq!(bed.cloud.count("ListSplitBillDetail"), before + 1);
    assert_eq!(bed.consumed("main/alice"), "¥25.00");
}
