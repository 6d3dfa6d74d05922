//! The real binary, killed at the worst moments: nothing that was acknowledged is lost or done twice, and everything owed
//! is delivered once.

use std::sync::Arc;
use std::time::Duration;

use airgate::domain::Notice;
use airgate::sandbox::world::KeyStatus;
use airgate::sandbox::{feishu, volcengine};
use futures::future::join_all;
use parking_lot::Mutex;

use super::outside::Outside;
use crate::bed::{ADMIN, eventually, phrase, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_was_owed_when_the_process_died_arrives_once() {
    use feishu::{Fault, FaultRule};
    // Not delivered; delivered, though the process cannot know; no answer at all.
    for (fault, applied) in [
        (Fault::Status(500), false),
        (Fault::ResetConnection, true),
        (Fault::CutBody, true),
        (Fault::Timeout, false),
    ] {
        let outside = Outside::start(0).await;
        let process = outside.serve("info");
        outside.feishu.faults().inject(FaultRule::new(fault.clone()).on("reply").applied(applied));
        let sent = outside.say("/quota alice 50 追加").await;
        assert_eq!(sent.status, Some(200));
        if fault != Fault::Timeout {
            eventually("an attempt", || outside.requests("reply") > 0).await;
        }
        process.kill();
        outside.feishu.faults().clear();

        let process = outside.serve("info");
        let reply = outside.reply(&sent).await;
        assert!(text_of(&reply).contains("¥150.00"), "{}", text_of(&reply));
        // The platform sends the event again, as after a lost acknowledgement.
        let again = outside.feishu.redeliver(&sent).await;
        assert_eq!(again.status, Some(200));
        outside.quiet().await;
        assert_eq!(outside.replies(&sent).len(), 1, "{fault:?}");
        process.kill();
        assert_eq!(outside.ledger(), (2, "¥150.00".to_owned()), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_was_owed_when_the_process_died_arrives_once() {
    use feishu::{Fault, FaultRule};
    for (fault, applied) in [(Fault::Status(503), false), (Fault::ResetConnection, true)] {
        let outside = Outside::start(60).await;
        let process = outside.serve("info");
        outside.feishu.faults().inject(FaultRule::new(fault).on("send").applied(applied));
        let run = outside.say("/monitor run").await;
        eventually("an attempt to send", || outside.requests("send") > 0).await;
        process.kill();
        outside.feishu.faults().clear();
        let process = outside.serve("info");
        eventually("the alert", || !outside.alerts().is_empty()).await;
        // The report of the cycle arrives as well.
        eventually("the report", || {
            outside
                .replies(&run)
                .iter()
                .any(|reply| reply.content.contains(&phrase("cycle.title_ok")))
        })
        .await;
        outside.quiet().await;
        let alerts = outside.alerts();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert!(alerts[0].contains("50%"), "{alerts:?}");
        assert!(process.terminate().status.success());
        let (records, _) = outside.home.store().read(|tx| tx.alerts(None, None, 0, 10)).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].notice, Notice::Delivered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disable_completes_after_the_process_died_halfway() {
    use volcengine::{Fault, FaultRule};
    // Between the keys and the login; and after everything, before it was read back.
    for rule in [
        FaultRule::new(Fault::Timeout).on("UpdateLoginProfile"),
        FaultRule::new(Fault::Timeout).on("GetLoginProfile").after(1),
    ] {
        let outside = Outside::start(120).await;
        let process = outside.serve("info");
        outside.cloud.faults().inject(rule.clone());
        outside.say("/monitor run").await;
        eventually("the keys are off", || {
            outside.cloud.read(|world| {
                let user = world.user("main", "alice").unwrap();
                user.keys.iter().all(|key| key.status == KeyStatus::Inactive)
            })
        })
        .await;
        process.kill();
        outside.cloud.faults().clear();

        let process = outside.serve("info");
        eventually("the alert", || outside.disables() > 0).await;
        assert!(outside.cloud.read(|world| world.user("main", "alice").unwrap().is_cut_off()));
        let card = outside.say("/enable alice").await;
        let card = outside.reply(&card).await.message_id;
        let button = outside.feishu.find_button(&card, |v| v["action"] == "user.enable").unwrap();
        assert_eq!(outside.feishu.click(ADMIN, &card, button).await.error, None);
        eventually("access is back", || {
            outside.cloud.read(|world| {
                let user = world.user("main", "alice").unwrap();
                user.login.allowed() && user.keys.iter().all(|key| key.status == KeyStatus::Active)
            })
        })
        .await;
        assert_eq!(outside.disables(), 1, "{rule:?}");
        process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_allocation_is_booked_once_wherever_the_process_dies() {
    const ROUNDS: usize = 6;
    const EACH: usize = 8;
    let outside = Outside::start(0).await;
    let mut said = Vec::new();
    for round in 0..ROUNDS {
        let process = outside.serve("info");
        // The platform resends what was not acknowledged.
        outside.feishu.redeliver_pending().await;
        let acknowledged = Arc::new(Mutex::new(0));
        let killer = async {
            // A little later each round.
            eventually("acknowledgements", || *acknowledged.lock() >= round).await;
            process.kill();
        };
        let messages = join_all((0..EACH).map(|_| async {
            let sent = outside.say("/quota alice 1").await;
            if sent.status == Some(200) {
                *acknowledged.lock() += 1;
            }
            sent
        }));
        let (sent, ()) = tokio::join!(messages, killer);
        said.extend(sent);
    }
    let process = outside.serve("info");
    outside.feishu.redeliver_pending().await;
    // Everything is sent once more, acknowledged or not.
    for sent in &said {
        assert_eq!(outside.feishu.redeliver(sent).await.status, Some(200));
    }
    for sent in &said {
        outside.reply(sent).await;
    }
    outside.quiet().await;
    for sent in &said {
        assert_eq!(outside.replies(sent).len(), 1);
    }
    process.kill();
    let quota = 100 + ROUNDS * EACH;
    assert_eq!(outside.ledger(), (1 + ROUNDS * EACH, format!("¥{quota}.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_process_with_exit_code_0_in_time_whatever_is_in_flight() {
    let outside = Outside::start(120).await;
    let process = outside.serve("info");
    let sent = outside.say("/quota alice 1").await;
    outside.reply(&sent).await;
    let stopped = process.terminate();
    assert_eq!(stopped.status.code(), Some(0));
    assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);

    // Neither platform answers.
    let process = outside.serve("info");
    let rule = volcengine::FaultRule::new(volcengine::Fault::Timeout);
    outside.cloud.faults().inject(rule);
    let rule = feishu::FaultRule::new(feishu::Fault::Timeout);
    outside.feishu.faults().inject(rule);
    let sent = outside.say("/monitor run").await;
    assert_eq!(sent.status, Some(200));
    // Which call the cycle makes first depends on whether the number of the main account is known already.
    let calls = ["QueryBalanceAcct", "ListSplitBillDetail"];
    let hangs = || calls.iter().any(|action| outside.cloud.count(action) > 0);
    eventually("a call that hangs", hangs).await;
    let stopped = process.terminate();
    assert_eq!(stopped.status.code(), Some(0));
    assert!(stopped.took < Duration::from_secs(15), "{:?}", stopped.took);

    // The requested cycle runs after the next start.
    outside.cloud.faults().clear();
    outside.feishu.faults().clear();
    let process = outside.serve("info");
    eventually("the disable", || outside.disables() > 0).await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_after_a_kill_says_that_the_store_is_checked() {
    const LINE: &str = "the store was not closed properly";
    let outside = Outside::start(0).await;
    let first = outside.serve("info").kill();
    assert!(!first.contains(LINE), "{first}");
    let after_a_kill = outside.serve("info").terminate().log;
    assert!(after_a_kill.contains(LINE), "{after_a_kill}");
    let after_a_stop = outside.serve("info").terminate().log;
    assert!(!after_a_stop.contains(LINE), "{after_a_stop}");
}
