//! Order and pace: replies keep the order of the questions, an update never replaces a newer card, and every chat keeps to
//! the platform's rate limits.

use airgate::cards::{Cards, Locale, OpIds, Tone};
use airgate::domain::{Dispatch, OwedMessage, UpdateTarget};
use airgate::sandbox::feishu::{Fault, FaultRule};
use airgate::store::NewMessage;
use jiff::SignedDuration;
use serde_json::json;

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, one_account, text_of};

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
async fn a_delayed_update_does_not_replace_a_newer_card() {
    let bed = Bed::with(one_account(), &[("MONITOR__ENABLED", "false")]).await;
    bed.add_users(&["main/alice"]);
    let shown = bed.ask(ADMIN, "/user alice").await.message_id;
    bed.settled().await;
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(503)).on("patch"));
    let lane = format!("chat:{}", bed.feishu.direct_chat(ADMIN));
    let target = UpdateTarget::Message { id: shown.parse().unwrap() };
    let id = owe(&bed, &lane, Dispatch::Update { target, card: card("older") });
    bed.eventually("an attempt", |bed| row(bed, &lane, id).is_some_and(|row| row.attempts > 0))
        .await;
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
async fn a_rate_limit_of_the_gateway_applies_to_every_chat() {
    let bed = Bed::with(one_account(), &[("MONITOR__ENABLED", "false")]).await;
    let limited = FaultRule::new(Fault::RateLimited { reset_seconds: 30.0 });
    bed.feishu.faults().inject(limited.on("send"));
    let group = format!("chat:{GROUP}");
    let first =
        owe(&bed, &group, Dispatch::ToChat { chat: GROUP.parse().unwrap(), card: card("1") });
    bed.eventually("an attempt", |bed| row(bed, &group, first).is_some_and(|row| row.attempts > 0))
        .await;
    let lane = format!("person:{ADMIN_2}");
    let person = Dispatch::ToPerson { person: ADMIN_2.parse().unwrap(), card: card("2") };
    let second = owe(&bed, &lane, person);
    // Replies have a rate limit of their own. Once these have arrived, the outbox has polled its rows.
    for _ in 0..3 {
        bed.ask(ADMIN, "/help").await;
    }
    assert_eq!(row(&bed, &lane, second).unwrap().attempts, 0);
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_secs(31));
    bed.service().wakers().outbox.notify_one();
    bed.settled().await;
    assert_eq!(bed.requests("send"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_chat_are_answered_in_their_order() {
    let bed = Bed::start(one_account()).await;
    bed.add_users(&["main/bob"]);
    let chat = bed.feishu.direct_chat(ADMIN);
    let mut said = Vec::new();
    for at in 0..20 {
        // Commands that write and commands that read take different paths.
        let text =
            if at % 2 == 0 { format!("/quota bob {}", at + 1) } else { "/quota bob".to_owned() };
        said.push(bed.feishu.say(ADMIN, &chat, &text, false).await);
    }
    for one in &said {
        assert_eq!(one.status, Some(200));
        assert!(bed.reply_to(one).await.is_some());
    }
    let replied: Vec<String> =
        bed.feishu.messages(&chat).into_iter().filter_map(|message| message.reply_to).collect();
    let wanted: Vec<String> = said.iter().filter_map(|one| one.message_id.clone()).collect();
    assert_eq!(replied[replied.len() - 20..], wanted);
    assert_eq!(bed.quota("main/bob"), "¥100.00");
    // A read after an allocation shows it.
    let last = bed.reply_to(said.last().unwrap()).await.unwrap();
    assert!(text_of(&last).contains("¥100.00"), "{}", text_of(&last));
}
