//! What people see last is the newest; limits of the platform are kept by everybody.

use airgate::cards::{Cards, Locale, OpIds, Tone};
use airgate::domain::{Dispatch, OwedMessage, UpdateTarget};
use airgate::sandbox::feishu::{Fault, FaultRule};
use airgate::store::NewMessage;
use jiff::SignedDuration;
use serde_json::json;

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, one_account};

fn card(title: &str) -> String {
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    cards.message(Tone::Info, title, "words").into_string()
}

fn owe(bed: &Bed, lane: &str, dispatch: Dispatch) -> u64 {
    let now = bed.clock.now();
    let id = bed.store.write(|tx| tx.owe(NewMessage::new(lane, dispatch, now), now)).unwrap();
    bed.service().wakers().outbox.notify_one();
    id
}

fn row(bed: &Bed, lane: &str, id: u64) -> Option<OwedMessage> {
    bed.store.read(|tx| tx.owed(lane, id)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_was_held_up_does_not_replace_a_newer_card() {
    let bed = Bed::with(one_account(), &[("MONITOR__ENABLED", "false")]).await;
    bed.know(&["main/alice"]);
    let shown = bed.ask(ADMIN, "/user alice").await.message_id;
    bed.settled().await;
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(503)).on("patch"));
    let lane = format!("chat:{}", bed.feishu.direct_chat(ADMIN));
    let target = UpdateTarget::Message { id: shown.parse().unwrap() };
    let id = owe(&bed, &lane, Dispatch::Update { target, card: card("older") });
    bed.until("a try", |bed| row(bed, &lane, id).is_some_and(|row| row.attempts > 0)).await;
    // One click that only reads and one that changes something.
    bed.press(ADMIN, &shown, json!({"action": "quota.open"})).await;
    assert!(row(&bed, &lane, id).unwrap().dispatch.card().contains("main/alice"));
    let fields = json!({"amount": "12.50"});
    bed.submit(ADMIN, &shown, "quota.allocate", fields).await;
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_mins(6));
    bed.service().wakers().outbox.notify_one();
    bed.settled().await;
    let text = bed.texts(&shown);
    assert!(text.contains("¥12.50") && !text.contains("older"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_gateway_holds_for_every_chat() {
    let bed = Bed::with(one_account(), &[("MONITOR__ENABLED", "false")]).await;
    let limited = FaultRule::new(Fault::RateLimited { reset_seconds: 30.0 });
    bed.feishu.faults().inject(limited.on("send"));
    let group = format!("chat:{GROUP}");
    let first =
        owe(&bed, &group, Dispatch::ToChat { chat: GROUP.parse().unwrap(), card: card("1") });
    bed.until("a try", |bed| row(bed, &group, first).is_some_and(|row| row.attempts > 0)).await;
    let lane = format!("person:{ADMIN_2}");
    let person = Dispatch::ToPerson { person: ADMIN_2.parse().unwrap(), card: card("2") };
    let second = owe(&bed, &lane, person);
    // Replies have a limit of their own. Once this one is there, the rows were looked at.
    for _ in 0..3 {
        bed.ask(ADMIN, "/help").await;
    }
    assert_eq!(row(&bed, &lane, second).unwrap().attempts, 0);
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_secs(31));
    bed.service().wakers().outbox.notify_one();
    bed.settled().await;
    let sends = bed.feishu.requests().iter().filter(|request| request.endpoint == "send").count();
    assert_eq!(sends, 3);
}
