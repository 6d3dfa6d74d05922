//! Sends that may or may not have arrived, retried for longer than the hour in which the platform recognises a repeated
//! send: exactly one message, and none lost.

use std::time::Duration;

use airgate::cards::{Cards, Locale, OpIds, Tone};
use airgate::domain::{Dispatch, MessageId, OwedMessage};
use airgate::feishu;
use airgate::sandbox::feishu::{Fault, FaultRule};
use airgate::store::NewMessage;
use jiff::SignedDuration;

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, VIEWER, one_account};
use crate::shared::environment::{APP_ID, APP_SECRET};

/// Without cycles, so that nothing else is sent. Waits until the outbox runs: when it starts, it treats every owed message
/// as possibly sent.
async fn bed() -> Bed {
    let bed = Bed::with(one_account(), &[("MONITOR__ENABLED", "false")]).await;
    owe(&bed, to_person(VIEWER));
    bed.settled().await;
    bed
}

/// A connection that breaks after the request was carried out, or before.
fn lost(endpoint: &str, applied: bool) -> FaultRule {
    FaultRule::new(Fault::ResetConnection).on(endpoint).applied(applied)
}

fn card(title: &str) -> String {
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    cards.message(Tone::Warning, title, "words").into_string()
}

fn to_group(title: &str) -> Dispatch {
    Dispatch::ToChat { chat: GROUP.parse().unwrap(), card: card(title) }
}

fn to_person(person: &str) -> Dispatch {
    Dispatch::ToPerson { person: person.parse().unwrap(), card: card("告警") }
}

/// Enqueues a message in the lane of its recipient.
fn owe(bed: &Bed, dispatch: Dispatch) -> u64 {
    let lane = match &dispatch {
        Dispatch::ToPerson { person, .. } => format!("person:{person}"),
        _ => format!("chat:{GROUP}"),
    };
    let now = bed.clock.now();
    let id = bed.store.write(|tx| tx.owe(NewMessage::new(&lane, dispatch, now), now)).unwrap();
    wake(bed);
    id
}

fn wake(bed: &Bed) {
    bed.service().wakers().outbox.notify_one();
}

fn heads(bed: &Bed) -> Vec<OwedMessage> {
    bed.store.read(|tx| tx.lane_heads()).unwrap()
}

/// Waits for an attempt at the first lane's message, or at the next message once that one is delivered.
async fn one_more_attempt(bed: &Bed) {
    let first = |bed: &Bed| heads(bed).first().map(|head| (head.id, head.attempts));
    let before = first(bed);
    wake(bed);
    bed.eventually("an attempt", |bed| {
        let now = first(bed);
        now != before && now.is_none_or(|(_, attempts)| attempts > 0)
    })
    .await;
}

/// Advances the clock, in steps of the longest back-off.
async fn pass(bed: &Bed, minutes: i64) {
    for _ in 0..minutes / 6 {
        if heads(bed).is_empty() {
            return;
        }
        bed.clock.advance(SignedDuration::from_mins(6));
        one_more_attempt(bed).await;
    }
}

fn sent_as(bed: &Bed, owed: u64) -> Option<MessageId> {
    bed.store.read(|tx| tx.sent_as(owed)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_arrives_once_however_often_its_answer_is_lost() {
    for applied in [true, false] {
        let bed = bed().await;
        bed.feishu.faults().inject(lost("send", applied));
        let id = owe(&bed, to_group("告警"));
        one_more_attempt(&bed).await;
        pass(&bed, 72).await;
        // The history was searched: an alert that arrived is settled although every answer was lost, one that did not is
        // still retried.
        assert!(bed.requests("messages") > 0);
        assert_eq!(heads(&bed).is_empty(), applied);
        // The hour of the new uuid ends as well.
        pass(&bed, 72).await;
        bed.feishu.faults().clear();
        bed.clock.advance(SignedDuration::from_mins(6));
        wake(&bed);
        bed.settled().await;
        let messages = bed.by_the_bot(GROUP);
        assert_eq!(messages.len(), 1, "applied: {applied}");
        assert_eq!(sent_as(&bed, id).unwrap().as_str(), messages[0].message_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_alert_with_the_same_title_is_not_mistaken_for_it() {
    for applied in [true, false] {
        let bed = bed().await;
        let first = owe(&bed, to_group("告警"));
        bed.settled().await;
        bed.feishu.faults().inject(lost("send", applied));
        let second = owe(&bed, to_group("告警"));
        one_more_attempt(&bed).await;
        pass(&bed, 60).await;
        bed.feishu.faults().clear();
        bed.clock.advance(SignedDuration::from_mins(6));
        wake(&bed);
        bed.settled().await;
        let ids: Vec<_> = bed.by_the_bot(GROUP).into_iter().map(|m| m.message_id).collect();
        let noted = [first, second].map(|id| sent_as(&bed, id).unwrap().to_string());
        assert_eq!(ids, noted, "applied: {applied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_a_file_and_a_card_for_a_person_arrive_once() {
    for applied in [true, false] {
        let bed = bed().await;
        let chat = bed.feishu.direct_chat(ADMIN);
        bed.feishu.faults().inject(lost("reply", applied));
        bed.feishu.faults().inject(lost("send", applied));
        // The same question twice: two replies of one title, which differ only in the message that they answer.
        bed.feishu.say(ADMIN, &chat, "/help", false).await;
        bed.feishu.say(ADMIN, &chat, "/help", false).await;
        bed.feishu.say(ADMIN, &chat, "/export users", false).await;
        owe(&bed, to_person(ADMIN));
        for _ in 0..6 {
            // One after the other they are retried for over an hour without an answer.
            pass(&bed, 72).await;
            if !applied {
                bed.feishu.faults().clear();
            }
        }
        bed.feishu.faults().clear();
        bed.settled().await;
        let mut kinds: Vec<_> = bed
            .by_the_bot(&chat)
            .into_iter()
            .map(|message| (message.kind, message.reply_to.is_some()))
            .collect();
        kinds.sort();
        let card = |reply| ("interactive".to_owned(), reply);
        let wanted = [("file".to_owned(), true), card(false), card(true), card(true), card(true)];
        assert_eq!(kinds.len(), wanted.len(), "applied: {applied}, {kinds:?}");
        let mut wanted = wanted.to_vec();
        wanted.sort();
        assert_eq!(kinds, wanted, "applied: {applied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_answers_something_else_is_not_mistaken_for_a_reply() {
    let bed = bed().await;
    let chat = bed.feishu.direct_chat(ADMIN);
    let asked = bed.ask(ADMIN, "/help").await.reply_to.unwrap();
    bed.settled().await;
    bed.feishu.faults().inject(lost("reply", false));
    bed.feishu.faults().inject(lost("send", true));
    let now = bed.clock.now();
    let reply = Dispatch::Reply { to: asked.parse().unwrap(), card: card("同名") };
    let reply = NewMessage::new(&format!("chat:{chat}"), reply, now);
    bed.store.write(|tx| tx.owe(reply, now)).unwrap();
    one_more_attempt(&bed).await;
    pass(&bed, 12).await;
    // Same title, same chat, and not known to be delivered when the history is searched for the reply.
    owe(&bed, Dispatch::ToPerson { person: ADMIN.parse().unwrap(), card: card("同名") });
    pass(&bed, 60).await;
    bed.feishu.faults().clear();
    pass(&bed, 66).await;
    bed.settled().await;
    let mut messages = bed.by_the_bot(&chat);
    messages.retain(|message| message.content.contains("同名"));
    let mut replies: Vec<_> = messages.into_iter().map(|message| message.reply_to).collect();
    replies.sort();
    assert_eq!(replies, [None, Some(asked)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_was_clearly_refused_is_not_searched_for() {
    let bed = bed().await;
    bed.feishu
        .faults()
        .inject(FaultRule::new(Fault::RateLimited { reset_seconds: 60.0 }).on("send"));
    owe(&bed, to_group("告警"));
    one_more_attempt(&bed).await;
    pass(&bed, 72).await;
    assert_eq!((heads(&bed)[0].first_tried, heads(&bed)[0].last_tried), (None, None));
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_mins(6));
    wake(&bed);
    bed.settled().await;
    assert_eq!((bed.by_the_bot(GROUP).len(), bed.requests("messages")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_again_if_the_history_cannot_be_read() {
    let no_scope = Fault::Code { http: 400, code: 99_991_672, msg: "Access denied".to_owned() };
    for (failure, may_pass) in [(no_scope, false), (Fault::Status(500), true)] {
        let bed = bed().await;
        bed.feishu.faults().inject(lost("send", false));
        bed.feishu.faults().inject(FaultRule::new(failure).on("messages"));
        owe(&bed, to_group("告警"));
        one_more_attempt(&bed).await;
        let uuid = heads(&bed)[0].uuid.clone();
        pass(&bed, 60).await;
        // A transient failure is waited out, but not forever.
        assert_eq!(heads(&bed)[0].uuid == uuid, may_pass);
        pass(&bed, 66).await;
        assert_ne!(heads(&bed)[0].uuid, uuid);
        bed.feishu.faults().clear();
        bed.clock.advance(SignedDuration::from_mins(6));
        wake(&bed);
        bed.settled().await;
        assert_eq!(bed.by_the_bot(GROUP).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_to_a_person_whose_chat_is_unknown_is_not_lost() {
    let bed = bed().await;
    bed.feishu.faults().inject(lost("send", false));
    owe(&bed, to_person(ADMIN_2));
    one_more_attempt(&bed).await;
    pass(&bed, 66).await;
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_mins(6));
    wake(&bed);
    bed.settled().await;
    assert_eq!(bed.by_the_bot(&bed.feishu.direct_chat(ADMIN_2)).len(), 1);
}

/// The process died after the platform accepted a message and before it recorded that.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_just_before_the_process_died_is_found_hours_later() {
    for arrived in [true, false] {
        let mut bed = bed().await;
        bed.stop().await;
        let now = bed.clock.now();
        let message = NewMessage::new(&format!("chat:{GROUP}"), to_group("告警"), now);
        let id = bed.store.write(|tx| tx.owe(message.clone(), now)).unwrap();
        let row = heads(&bed).remove(0);
        assert_eq!((row.id, row.first_tried), (id, None));
        if arrived {
            let config = feishu::ClientConfig {
                base_url: bed.feishu.url().parse().unwrap(),
                app_id: APP_ID.to_owned(),
                app_secret: APP_SECRET.to_owned().into(),
                timeout: Duration::from_secs(10),
                upload_timeout: Duration::from_secs(10),
            };
            let client = feishu::Client::new(config, bed.clock.clone()).unwrap();
            let content = feishu::Content::Card(row.dispatch.card().to_owned());
            client.send(&feishu::Recipient::Chat(GROUP), &content, &row.uuid).await.unwrap();
        }
        bed.clock.advance(SignedDuration::from_hours(5));
        bed.start_service().await;
        bed.settled().await;
        assert_eq!(bed.by_the_bot(GROUP).len(), 1, "arrived: {arrived}");
        assert!(sent_as(&bed, id).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_while_the_process_was_down_makes_the_next_one_look_before_it_sends() {
    for applied in [true, false] {
        let mut bed = bed().await;
        bed.feishu.faults().inject(lost("send", applied));
        let id = owe(&bed, to_group("告警"));
        one_more_attempt(&bed).await;
        let uuid = heads(&bed)[0].uuid.clone();
        bed.stop().await;
        bed.clock.advance(SignedDuration::from_hours(-10));
        bed.start_service().await;
        bed.eventually("the search", |bed| heads(bed).first().is_none_or(|head| head.uuid != uuid))
            .await;
        bed.feishu.faults().clear();
        bed.clock.advance(SignedDuration::from_mins(6));
        wake(&bed);
        bed.settled().await;
        assert!(bed.requests("messages") > 0);
        let messages = bed.by_the_bot(GROUP);
        assert_eq!(messages.len(), 1, "applied: {applied}");
        assert_eq!(sent_as(&bed, id).unwrap().as_str(), messages[0].message_id);
    }
}
