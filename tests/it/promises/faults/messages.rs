//! Feishu's API and the webhook: what people see while a call fails, and afterwards.

use airgate::domain::{CycleOutcome, Notice, SavedSettings, User};
use airgate::sandbox::feishu::{FaultRule, Sender};
use airgate::sandbox::world::KeyStatus;

use super::{
    FAULTS, Fault, a_click_is_answered, all_of, cell, chat_answers, heal, is_for_people, settled,
    timeouts, within_a_second,
};
use crate::bed::{ADMIN, ADMIN_2, Bed, VIEWER, eventually, one_account, phrase, text_of};
use crate::monitor::save;

/// What is seen while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// Nothing: the message stays owed and is retried until it arrives.
    Nothing,
    /// The message: the answer was lost or late, but the call was carried out. The retry changes nothing.
    It,
    /// The message, without what the failed call would have added.
    Bare,
    /// That the message was given up: administrators are told, and get the alert elsewhere.
    GivenUp,
}

const N: Sees = Sees::Nothing;
const I: Sees = Sees::It;
const B: Sees = Sees::Bare;
const G: Sees = Sees::GivenUp;

#[rustfmt::skip]
static TABLE: [(&str, [Sees; 13]); 7] = [
    // Feishu is      refused, timeout, reset, 429, 429+, 500, half, shape, page, 403 page, credentials, hangs, late
    ("users.by_contact", [N, B, B, B, B, B, B, B, B, B, B, B, I]),
    ("token",            [N, N, N, N, N, N, N, N, N, N, N, N, I]),
    ("reply",            [N, N, I, N, N, N, I, I, N, N, N, I, I]),
    ("send",             [N, N, I, N, N, N, I, I, N, N, N, I, I]),
    ("patch",            [N, N, I, N, N, N, I, I, N, N, N, I, I]),
    ("file",             [N, N, N, N, N, N, N, N, N, N, N, N, I]),
    ("hook", [N, N, I, N, N, N, I, I, N, G, N, I, I]),
];

/// The chat of the custom bot.
const HOOK: &str = "oc_hook";
const ALICE: &str = "main/alice";

/// A user at more than half of the quota, every way of alerting, and a mobile to mention.
async fn bed() -> (Bed, String) {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().add_user("alice").add_key(KeyStatus::Active);
    world.account_mut("main").unwrap().spend("team-a", 600.into(), "2026-11".parse().unwrap());
    let further =
        [("FEISHU__ALERT_WEBHOOK_SECRET", "hook-secret"), ("FEISHU__ALERT_MOBILES", "13800000002")];
    let bed = Bed::with_timeouts(world, &further, timeouts()).await;
    bed.introduced().await;
    bed.feishu.add_group(HOOK, "机器人群");
    let url = bed.feishu.add_hook("hook-1", Some("hook-secret"), HOOK);
    save(&bed, &SavedSettings { webhook_url: Some(Some(url)), ..SavedSettings::default() });
    bed.add_users(&[ALICE]);
    bed.link(ALICE, "team-a", "");
    bed.allocate(ALICE, "1000");
    let card = bed.ask(VIEWER, "/users").await.message_id;
    (bed, card)
}

/// What the person in a row waits for.
struct Watch<'a> {
    bed: &'a Bed,
    call: &'static str,
    alerts: usize,
    hooked: usize,
    files: usize,
    /// The message that is answered, or the card that is updated.
    message: String,
}

impl Watch<'_> {
    fn replies(&self) -> usize {
        self.bed.feishu.read(|state| {
            let messages = state.all_messages().iter();
            let bot = messages.filter(|message| message.sender == Sender::Bot);
            bot.filter(|message| message.reply_to.as_deref() == Some(&*self.message)).count()
        })
    }

    /// How many times it has arrived.
    fn count(&self) -> usize {
        match self.call {
            "token" | "reply" => self.replies(),
            "patch" => usize::from(self.bed.texts(&self.message).contains(&phrase("sync.title"))),
            "file" => files(self.bed) - self.files,
            "hook" => self.bed.feishu.messages(HOOK).len() - self.hooked,
            _ => self.bed.alerts().len() - self.alerts,
        }
    }
}

fn files(bed: &Bed) -> usize {
    let chat = bed.feishu.direct_chat(ADMIN);
    bed.feishu.messages(&chat).iter().filter(|message| message.kind == "file").count()
}

fn entries(bed: &Bed) -> u64 {
    bed.store.read(|tx| tx.ledger(&ALICE.parse().unwrap(), 1)).unwrap().1
}

/// Whether an attempt at an owed message has failed.
fn failed_once(bed: &Bed) -> bool {
    bed.store.read(|tx| tx.lane_heads()).unwrap().iter().any(|owed| owed.attempts > 0)
}

/// Raises a new warning, as if none had been raised before.
async fn warn(bed: &Bed, cell: &str) {
    bed.allocate(ALICE, "1");
    bed.store
        .write(|tx| {
            let user = tx.user(&ALICE.parse().unwrap())?.unwrap();
            tx.put_user(&User { triggered: Default::default(), ..user })
        })
        .unwrap();
    let report = bed.service().monitor().cycle().await.unwrap();
    assert_eq!((report.outcome, report.warnings), (CycleOutcome::Ok, 1), "{cell}");
}

async fn row(bed: &Bed, card: &str, call: &'static str, fault: Fault, sees: Sees) {
    let cell = format!("{call}, {fault:?}");
    let (entries_before, booked) = (entries(bed), bed.user(ALICE).quota);
    let (alerts, hooked) = (bed.alerts().len(), bed.feishu.messages(HOOK).len());
    let mut watch = Watch { bed, call, alerts, hooked, files: files(bed), message: String::new() };
    if call == "token" {
        bed.feishu.revoke_tokens();
    }
    if fault == Fault::Refused && call != "token" {
        bed.feishu.shut().await;
    } else {
        bed.feishu.faults().inject(FaultRule::new(fault.of_chat(call)).on(call));
    }
    let direct = bed.feishu.direct_chat(ADMIN);
    let mut said = None;
    match call {
        "token" | "reply" => {
            said = Some((
                "/quota alice 5",
                bed.feishu.say(ADMIN, &direct, "/quota alice 5", false).await,
            ))
        }
        // In a chat with older cards of users, whose updates fail as well and hold nothing back.
        "patch" => said = Some(("/sync", bed.feishu.say(ADMIN, &direct, "/sync", false).await)),
        "file" => {
            said = Some(("/export", bed.feishu.say(ADMIN, &direct, "/export users", false).await))
        }
        _ => warn(bed, &cell).await,
    }
    if let Some((text, sent)) = &said {
        // It was committed before it was acknowledged: nothing that Feishu does now can undo it.
        assert_eq!(sent.status, Some(200), "{cell}: {text}");
        watch.message = sent.message_id.clone().unwrap();
        if *text == "/quota alice 5" {
            assert_eq!(entries(bed), entries_before + 1, "{cell}");
        } else if fault != Fault::Refused {
            watch_reply(bed, &mut watch, sent, &cell).await;
        }
    }
    match sees {
        Sees::Nothing => {
            eventually(&format!("{cell}: a failed attempt"), || failed_once(bed)).await;
            if fault != Fault::Refused || call != "patch" {
                assert_eq!(watch.count(), 0, "{cell}: arrived before the fault was over");
            }
        }
        Sees::GivenUp => {
            let direct = bed.feishu.direct_chat(ADMIN);
            eventually(&format!("{cell}: administrators are told"), || {
                let told = bed.feishu.messages(&direct);
                told.iter().any(|message| text_of(message).contains(&phrase("undelivered.title")))
            })
            .await;
        }
        Sees::It | Sees::Bare => {
            eventually(&format!("{cell}: arrived at once"), || watch.count() > 0).await;
        }
    }
    if call == "token" {
        let (status, text) = bed.get("/readyz").await;
        assert_eq!(status, if sees == Sees::Nothing { 503 } else { 200 }, "{cell}: {text}");
    }
    if matches!(call, "send" | "users.by_contact") && sees == Sees::Nothing {
        assert_eq!(bed.alert_records().last().unwrap().notice, Notice::Owed, "{cell}");
    }
    a_click_is_answered(bed, card, &cell).await;
    if fault != Fault::Refused && !matches!(call, "token" | "reply") {
        // People in other chats are answered. Where a file is owed, so are people in the same chat.
        chat_answers(bed, &cell).await;
        if call == "file" {
            within_a_second(&cell, async || bed.ask(ADMIN, "/user alice").await).await;
        }
    }

    heal(bed).await;
    settled(bed, &cell).await;
    if let (Some((_, sent)), true) = (&said, fault == Fault::Refused && call == "patch") {
        watch_reply(bed, &mut watch, sent, &cell).await;
    }
    match call {
        _ if sees == Sees::GivenUp => assert_eq!(watch.count(), 0, "{cell}"),
        "hook" => assert!((1..=4).contains(&watch.count()), "{cell}: {} times", watch.count()),
        _ => assert_eq!(watch.count(), 1, "{cell}"),
    }
    if matches!(call, "token" | "reply") {
        let (_, sent) = said.unwrap();
        // Feishu pushes an event again if it thinks that it was lost.
        assert_eq!(bed.feishu.redeliver(&sent).await.status, Some(200), "{cell}");
        settled(bed, &cell).await;
        assert_eq!((watch.replies(), entries(bed)), (1, entries_before + 1), "{cell}");
        let quota = bed.user(ALICE).quota;
        assert_eq!(quota.decimal(), booked.decimal() + rust_decimal::Decimal::from(5), "{cell}");
        let reply = text_of(&bed.reply_to(&sent).await.unwrap());
        assert!(reply.contains(&quota.to_string()), "{cell}: {reply}");
        assert_eq!(bed.get("/readyz").await.0, 200, "{cell}");
    }
    if matches!(call, "send" | "hook" | "users.by_contact") {
        assert_eq!(bed.alerts().len(), alerts + 1, "{cell}: alerts in the group");
        if sees != Sees::GivenUp {
            assert!(bed.feishu.messages(HOOK).len() > hooked, "{cell}: alerts by webhook");
            assert_eq!(bed.alert_records().last().unwrap().notice, Notice::Delivered, "{cell}");
        }
        let mention = format!("<at id={ADMIN_2}></at>");
        let alert = text_of(bed.alerts().last().unwrap());
        assert_eq!(alert.contains(&mention), sees != Sees::Bare, "{cell}: {alert}");
    }
    let given_up = bed.store.read(|tx| tx.failed_messages(5)).unwrap();
    assert_eq!(given_up.len(), usize::from(sees == Sees::GivenUp), "{cell}: {given_up:?}");
}

/// Waits for the reply to a command whose follow-up fails. An update goes to that card.
async fn watch_reply(
    bed: &Bed,
    watch: &mut Watch<'_>,
    sent: &airgate::sandbox::feishu::SentEvent,
    cell: &str,
) {
    let reply = bed.reply_to(sent).await.unwrap_or_else(|| panic!("{cell}: no answer"));
    if watch.call == "patch" {
        watch.message = reply.message_id;
    }
}

async fn each_call(fault: Fault) {
    let (bed, card) = bed().await;
    for (call, cells) in &TABLE {
        row(&bed, &card, call, fault, cell(cells, fault)).await;
    }
    let messages = bed.feishu.read(|state| state.all_messages().to_vec());
    for message in messages.iter().filter(|message| message.kind == "interactive") {
        is_for_people(&text_of(message), &format!("{fault:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_to_feishu_survives_every_fault() {
    all_of(FAULTS.map(each_call)).await;
}
