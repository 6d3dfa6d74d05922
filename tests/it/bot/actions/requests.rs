//! Requests, second approvals and temporary quota, from the first tap to the last card.

use airgate::domain::{ApprovalState, OpenId, Operator, RequestState, UserStatus};
use airgate::sandbox::feishu::{Fault, FaultRule, Message, Sender};
use serde_json::{Value, json};

use super::{bed, small_cloud};
use crate::bed::{
    ADMIN, ADMIN_2, Bed, GROUP, STRANGER, TIMEOUT, VIEWER, answered, fragment, phrase, text,
    text_of, toast_of, user_key,
};

/// Somebody without a role, who owns main/alice.
const OWNER: &str = STRANGER;

async fn owned() -> Bed {
    owned_with(&[]).await
}

async fn owned_with(further: &[(&str, &str)]) -> Bed {
    let bed = Bed::with(small_cloud(), further).await;
    bed.sync().await;
    bed.change("main/alice", |user| user.owner = Some(OpenId::new(OWNER).unwrap()));
    bed.allocate("main/alice", "1000");
    bed
}

/// The newest card of the bot in a chat that shows a text.
async fn card_in(bed: &Bed, chat: &str, shown: &str) -> Message {
    let (chat, shown) = (chat.to_owned(), shown.to_owned());
    let found = bed.feishu.wait_for(
        move |state| {
            let all = state.all_messages();
            all.iter()
                .rev()
                .find(|message| {
                    message.chat_id == chat
                        && message.sender == Sender::Bot
                        && text_of(message).contains(&shown)
                })
                .cloned()
        },
        TIMEOUT,
    );
    found.await.expect("a card")
}

async fn asks(bed: &Bed, command: &str) -> Message {
    bed.ask(OWNER, command).await;
    card_in(bed, GROUP, &phrase("request.grant")).await
}

fn decide(decision: &str) -> impl Fn(&Value) -> bool {
    move |value| value["action"] == "request.decide" && value["decision"] == decision
}

async fn decided(bed: &Bed, person: &str, card: &str, decision: &str, fields: Value) -> String {
    let fields = fields.as_object().unwrap().clone();
    toast_of(&answered(bed.feishu.form_click(person, card, decide(decision), fields).await))
}

fn state(bed: &Bed, id: u64) -> RequestState {
    bed.store.read(|tx| tx.request(id)).unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_asks_by_form_an_administrator_grants_less_and_the_owner_is_told() {
    let bed = owned().await;
    let mine = bed.ask(OWNER, "/me").await.message_id;
    let fields = json!({"amount": "500", "reason": " ", "until": "2026-12-31"});
    let refused = bed.submit(OWNER, &mine, "quota.request", fields).await;
    assert_eq!(toast_of(&refused), format!("error: {}", phrase("people.no_reason")));
    assert_eq!(bed.field(&mine, "amount"), "500");
    let fields = json!({"amount": "500", "reason": "双十一压测", "until": "2026-12-31"});
    let done = bed.submit(OWNER, &mine, "quota.request", fields).await;
    assert_eq!(toast_of(&done), format!("success: {}", phrase("toast.request_made")));
    assert!(bed.texts(&mine).contains(&phrase("request.open")), "{}", bed.texts(&mine));
    let card = card_in(&bed, GROUP, "双十一压测").await;
    for shown in ["alice", "¥500.00", "¥1,000.00", "2026-12-31"] {
        assert!(text_of(&card).contains(shown), "{shown}: {}", text_of(&card));
    }
    // Strangers and viewers decide nothing.
    for person in [OWNER, VIEWER] {
        let toast = decided(&bed, person, &card.message_id, "grant", json!({})).await;
        assert_eq!(toast, format!("error: {}", phrase("refusal.not_allowed")));
    }
    let fields = json!({"amount": "300", "note": "先给一半"});
    let toast = decided(&bed, ADMIN, &card.message_id, "grant", fields).await;
    let granted = text("toast.request_granted", &[("amount", &"¥300.00")]);
    assert_eq!(toast, format!("success: {granted}"));
    assert_eq!(bed.quota("main/alice"), "¥1,300.00");
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user_key("main/alice"), 1)).unwrap();
    let asked = entries[0].parties.requested_by.clone().unwrap();
    assert!(asked.is(&OpenId::new(OWNER).unwrap()) && entries[0].note == "双十一压测");
    let direct = bed.feishu.direct_chat(OWNER);
    let told = card_in(&bed, &direct, "先给一半").await;
    assert!(text_of(&told).contains("¥300.00"), "{}", text_of(&told));
    // Its last day is over: the amount is booked back, once, also after a restart.
    bed.settled().await;
    let mut bed = bed;
    bed.at("2027-01-02T00:00:00Z");
    bed.restart().await;
    bed.eventually("the amount to be booked back", |bed| bed.quota("main/alice") == "¥1,000.00")
        .await;
    bed.restart().await;
    bed.settled().await;
    assert_eq!(bed.ledger_entries("main/alice"), 3);
    let back = text("quota.book_back", &[("day", &"2026-12-31")]);
    card_in(&bed, &direct, &back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_taps_by_five_people_decide_once_and_every_copy_shows_the_outcome() {
    let people = [ADMIN, ADMIN_2, "ou_admin_3", "ou_admin_4", "ou_admin_5"];
    // Without an alert chat, each administrator has a copy of their own.
    let admins = people.join(",");
    let further = [("FEISHU__ADMINS", admins.as_str()), ("FEISHU__ALERT_CHAT_ID", "")];
    let bed = Bed::with(small_cloud(), &further).await;
    for (n, person) in people.iter().enumerate().skip(2) {
        bed.feishu.add_person(person, &format!("管理员{n}"), &format!("1380000900{n}"));
    }
    bed.sync().await;
    bed.change("main/alice", |user| user.owner = Some(OpenId::new(OWNER).unwrap()));
    bed.ask(OWNER, "/request 500 双十一").await;
    let mut copies = Vec::new();
    for person in people {
        let chat = bed.feishu.direct_chat(person);
        copies.push((person, card_in(&bed, &chat, "双十一").await.message_id));
    }
    let mut taps = Vec::new();
    for n in 0..50 {
        let (person, card) = &copies[n % people.len()];
        let decision = if n % 3 == 0 { "refuse" } else { "grant" };
        let press = bed.feishu.fill_form(card, decide(decision), Default::default()).unwrap();
        taps.push(bed.feishu.click_raw(person, card, press));
    }
    let toasts: Vec<String> = futures::future::join_all(taps).await.iter().map(toast_of).collect();
    let outcome = state(&bed, 1);
    let granted = matches!(outcome, RequestState::Granted { .. });
    assert!(granted || matches!(outcome, RequestState::Refused { .. }), "{outcome:?}");
    assert_eq!(bed.ledger_entries("main/alice"), usize::from(granted), "{toasts:?}");
    bed.settled().await;
    let word = phrase(if granted { "request.word_granted" } else { "request.word_refused" });
    for (person, card) in copies {
        let shown = bed.texts(&card);
        assert!(shown.contains(&word), "{person}: {shown}");
        // The word for the outcome holds the word on the button.
        let values = bed.values(&card);
        assert!(!values.iter().any(|value| value["action"] == "request.decide"), "{person}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_about_their_own_request_and_the_button_stays_for_others() {
    let bed = bed().await;
    bed.change("main/alice", |user| user.owner = Some(OpenId::new(ADMIN).unwrap()));
    bed.ask(ADMIN, "/request 500 自己用").await;
    let card = card_in(&bed, GROUP, "自己用").await.message_id;
    let press = bed.feishu.fill_form(&card, decide("grant"), Default::default()).unwrap();
    let own = answered(bed.feishu.click_raw(ADMIN, &card, press.clone()).await);
    assert_eq!(toast_of(&own), format!("error: {}", phrase("people.own_request")));
    assert!(!own.card_updated);
    let done = answered(bed.feishu.click_raw(ADMIN_2, &card, press).await);
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥500.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_by_command_is_refused_with_the_reason_and_withdrawn_by_who_asked() {
    let bed = owned().await;
    for (command, refusal) in [
        ("/request 500", "people.no_reason"),
        ("/request bob 500 借用", "people.not_owner"),
        ("/request nobody 500 借用", "people.not_owner"),
        ("/request -500 退回", "people.not_above_zero"),
        ("/request 500 到 12月40日 压测", "people.not_a_day"),
        ("/request 500 until 2026-11-01 load", "people.day_past"),
    ] {
        let read = text_of(&bed.ask(OWNER, command).await);
        assert!(read.contains(&phrase(refusal)), "{command}: {read}");
    }
    let read = text_of(&bed.ask(VIEWER, "/request 500 借用").await);
    assert!(read.contains(&phrase("me.nobody")), "{read}");
    let card = asks(&bed, "申请 alice 500 双十一").await.message_id;
    let read = text_of(&bed.ask(OWNER, "/request 5 再来").await);
    assert!(read.contains(&phrase("people.pending")), "{read}");
    let list = text_of(&bed.ask(VIEWER, "/requests").await);
    assert!(list.contains("双十一") && list.contains("¥500.00"), "{list}");
    let mine = bed.ask(OWNER, "/me").await.message_id;
    let done = bed.press(OWNER, &mine, json!({"action": "request.withdraw"})).await;
    assert_eq!(toast_of(&done), format!("success: {}", phrase("toast.request_withdrawn")));
    bed.shows(&card, &phrase("request.word_withdrawn")).await;
    let list = text_of(&bed.ask(VIEWER, "审批").await);
    assert!(list.contains(&phrase("requests.none")), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_by_command_may_have_a_last_day() {
    let bed = owned().await;
    let card = asks(&bed, "申请 500 到12月31日 双十二压测").await;
    let read = text_of(&card);
    assert!(read.contains("2026-12-31") && read.contains("双十二压测"), "{read}");
    let request = bed.store.read(|tx| tx.request(1)).unwrap().unwrap();
    assert_eq!(request.until, Some(jiff::civil::date(2026, 12, 31)));
    assert_eq!(request.reason, "双十二压测");
    decided(&bed, ADMIN, &card.message_id, "grant", json!({})).await;
    let card = text_of(&bed.ask(ADMIN, "/quota alice").await);
    assert!(card.contains("2026-12-31"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_waits_is_listed_page_by_page_and_opened_from_there() {
    let mut cloud = crate::bed::one_account();
    for at in 0..13 {
        cloud.account_mut("main").unwrap().add_user(&format!("user-{at:02}"));
    }
    let bed = Bed::with(cloud, &[("APPROVAL__SECOND_FROM", "1000")]).await;
    bed.sync().await;
    for at in 0..9 {
        let user = format!("main/user-{at:02}");
        bed.change(&user, |user| user.owner = Some(OpenId::new(OWNER).unwrap()));
        bed.ask(OWNER, &format!("/request {user} 50 r{at:02}")).await;
    }
    for at in 9..12 {
        bed.ask(ADMIN, &format!("/quota user-{at:02} 5000 a{at:02}")).await;
    }
    let fields = json!({"do": "allocate", "amount": "2000", "note": "everybody"});
    let batch = super::bulk::preview(&bed, ADMIN, "", fields).await.message_id;
    let apply = |value: &Value| value["apply"] == true;
    let apply = bed.feishu.fill_form(&batch, apply, Default::default()).unwrap();
    answered(bed.feishu.click_raw(ADMIN, &batch, apply).await);
    bed.shows(&batch, &phrase("batch.word_waits")).await;
    bed.settled().await;

    let list = bed.ask(ADMIN_2, "/requests").await;
    let read = text_of(&list);
    assert!(read.contains(&text("requests.subtitle", &[("count", &13)])), "{read}");
    let shown = |read: &str| {
        let marks =
            (0..9).map(|at| format!("r{at:02}")).chain((9..12).map(|at| format!("a{at:02}")));
        marks.chain(["everybody".to_owned()]).filter(|mark| read.contains(mark.as_str())).count()
    };
    assert_eq!(shown(&read), 10, "{read}");
    bed.press(ADMIN_2, &list.message_id, json!({"action": "requests.list", "page": 2})).await;
    let read = bed.texts(&list.message_id);
    assert_eq!(shown(&read), 3, "{read}");
    // The batch is decided from there, and the card shows what became of it.
    bed.press(ADMIN_2, &list.message_id, json!({"action": "batch.open"})).await;
    let confirm = json!({"action": "batch.decide", "decision": "confirm"});
    bed.press(ADMIN_2, &list.message_id, confirm).await;
    bed.shows(&list.message_id, &phrase("batch.word_applied")).await;
    bed.settled().await;
    assert_eq!(bed.quota("main/user-12"), "¥2,000.00");
    let list = text_of(&bed.ask(ADMIN_2, "/requests").await);
    assert!(list.contains(&text("requests.subtitle", &[("count", &12)])), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_lapses_after_seven_days_and_the_owner_is_told() {
    let mut bed = owned().await;
    let card = asks(&bed, "/request 500 双十一").await.message_id;
    bed.settled().await;
    bed.at("2026-11-30T03:00:00Z");
    bed.restart().await;
    bed.shows(&card, &phrase("request.word_lapsed")).await;
    let direct = bed.feishu.direct_chat(OWNER);
    card_in(&bed, &direct, &fragment("request.lapsed")).await;
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_allocation_waits_for_another_administrator() {
    let bed = owned_with(&[("APPROVAL__SECOND_FROM", "5000")]).await;
    let quota = bed.ask(ADMIN, "/quota alice").await.message_id;
    let done = bed.submit(ADMIN, &quota, "quota.allocate", json!({"amount": "4000"})).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    // The sum of a day reaches the limit, by another way.
    let read = text_of(&bed.ask(ADMIN, "/quota alice 1000 补").await);
    assert!(read.contains(&text("toast.second_needed", &[("amount", &"¥1,000.00")])), "{read}");
    assert_eq!(bed.quota("main/alice"), "¥5,000.00");
    let card = card_in(&bed, GROUP, &phrase("approval.confirm")).await.message_id;
    let confirm = json!({"action": "approval.decide", "decision": "confirm"});
    let own = bed.press(ADMIN, &card, confirm.clone()).await;
    assert_eq!(toast_of(&own), format!("error: {}", phrase("people.own_approval")));
    let done = bed.press(ADMIN_2, &card, confirm).await;
    let confirmed = text("toast.second_confirmed", &[("amount", &"¥1,000.00")]);
    assert_eq!(toast_of(&done), format!("success: {confirmed}"));
    assert_eq!(bed.quota("main/alice"), "¥6,000.00");
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user_key("main/alice"), 1)).unwrap();
    let Some(Operator::Person { open_id, .. }) = &entries[0].parties.confirmed_by else {
        panic!("{entries:?}")
    };
    assert_eq!(open_id.as_str(), ADMIN_2);
    let read = text_of(&bed.ask(ADMIN, "/quota alice").await);
    assert!(read.contains("¥6,000.00"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_grant_needs_a_second_administrator_and_lapses_without_one() {
    let mut bed = owned_with(&[("APPROVAL__SECOND_FROM", "5000")]).await;
    let card = asks(&bed, "/request 8000 双十一").await.message_id;
    let toast = decided(&bed, ADMIN, &card, "grant", json!({})).await;
    let waits = text("toast.second_needed", &[("amount", &"¥8,000.00")]);
    assert_eq!(toast, format!("info: {waits}"));
    assert!(matches!(state(&bed, 1), RequestState::WaitsForSecond { .. }));
    let second = card_in(&bed, GROUP, &phrase("approval.confirm")).await.message_id;
    bed.settled().await;
    bed.at("2026-11-24T03:00:00Z");
    bed.restart().await;
    bed.shows(&second, &phrase("request.word_lapsed")).await;
    // The request is open again, and a new decision is possible.
    bed.settled().await;
    bed.shows(&card, &phrase("request.grant")).await;
    bed.settled().await;
    assert_eq!(state(&bed, 1), RequestState::Open);
    let toast = decided(&bed, ADMIN_2, &card, "grant", json!({"amount": "100"})).await;
    assert!(toast.starts_with("success"), "{toast}");
    assert_eq!(bed.quota("main/alice"), "¥1,100.00");
    let lapsed = bed.store.read(|tx| tx.approval(1)).unwrap().unwrap().state;
    assert!(matches!(lapsed, ApprovalState::Lapsed { .. }), "{lapsed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn access_comes_with_what_is_booked_and_an_undo_ends_temporary_quota() {
    let mut bed = owned_with(&[("APPROVAL__SECOND_FROM", "5000")]).await;
    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "user.disable"})).await;
    bed.settled().await;
    let form = bed.ask(ADMIN, "/quota alice").await.message_id;
    let large = json!({"amount": "6000"});
    let done = bed.submit(ADMIN, &form, "quota.allocate_enable", large).await;
    let waits = text("toast.second_needed", &[("amount", &"¥6,000.00")]);
    assert_eq!(toast_of(&done), format!("info: {waits}"));
    card_in(&bed, GROUP, &phrase("approval.confirm")).await;
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
    let temporary = json!({"amount": "100", "until": "11-30"});
    let done = bed.submit(ADMIN_2, &form, "quota.allocate_enable", temporary).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert_eq!(bed.quota("main/alice"), "¥1,100.00");
    bed.press(ADMIN, &form, json!({"action": "quota.undo"})).await;
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
    // It is not deducted again after its last day.
    let entries = bed.ledger_entries("main/alice");
    bed.at("2026-12-02T00:00:00Z");
    bed.restart().await;
    bed.settled().await;
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
    assert_eq!(bed.ledger_entries("main/alice"), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_quota_that_is_too_large_waits_too() {
    let bed = owned_with(&[("APPROVAL__SECOND_FROM", "5000")]).await;
    let form = bed.ask(ADMIN, "/create").await.message_id;
    bed.submit(ADMIN, &form, "user.create", json!({"username": "dave", "quota": "9000"})).await;
    let card = card_in(&bed, GROUP, "dave").await.message_id;
    bed.shows(&form, &phrase("create.second")).await;
    assert_eq!(bed.quota("main/dave"), "¥0.00");
    let confirm = json!({"action": "approval.decide", "decision": "confirm"});
    bed.press(ADMIN_2, &card, confirm).await;
    assert_eq!(bed.quota("main/dave"), "¥9,000.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_quota_is_shown_and_refused_in_the_past() {
    let bed = owned().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let fields = json!({"amount": "500", "until": "2026-11-22"});
    let done = bed.submit(ADMIN, &card, "quota.allocate", fields).await;
    assert_eq!(toast_of(&done), format!("error: {}", phrase("people.day_past")));
    let fields = json!({"amount": "500", "until": "11-30"});
    let done = bed.submit(ADMIN, &card, "quota.allocate", fields).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    let running = text("quota.running", &[("amount", &"¥500.00"), ("day", &"2026-11-30")]);
    assert!(bed.texts(&card).contains(&running), "{}", bed.texts(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_told_of_warnings_and_of_changes_and_can_ask_from_there() {
    let bed = owned().await;
    let direct = bed.feishu.direct_chat(OWNER);
    bed.ask(ADMIN, "/quota alice 100 补").await;
    card_in(&bed, &direct, &text("owner.quota", &[("user", &"alice")])).await;
    bed.change("main/alice", |user| user.quota = "30".parse().unwrap());
    bed.link("main/alice", "team-a", "2026-11");
    bed.cycle().await;
    let warned = card_in(&bed, &direct, &phrase("owner.alert")).await;
    let done = bed.press(OWNER, &warned.message_id, json!({"action": "me.open"})).await;
    assert!(done.card_updated);
    let fields = json!({"amount": "500", "reason": "不够用"});
    bed.submit(OWNER, &warned.message_id, "quota.request", fields).await;
    card_in(&bed, GROUP, "不够用").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_with_the_ownership_of_who_asked() {
    let bed = owned().await;
    bed.ask(OWNER, "/request 500 双十一").await;
    let card = card_in(&bed, GROUP, "双十一").await;
    bed.change("main/alice", |user| user.owner = Some(OpenId::new(VIEWER).unwrap()));
    let toast = decided(&bed, ADMIN, &card.message_id, "grant", json!({"amount": "500"})).await;
    assert!(toast.starts_with("error"), "{toast}");
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
    // The new owner can ask at once.
    bed.ask(VIEWER, "/request 300 压测").await;
    card_in(&bed, GROUP, "压测").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_op_that_somebody_without_a_role_sends_stands_for_nothing_else() {
    let bed = owned().await;
    let form = bed.ask(ADMIN, "/quota alice").await.message_id;
    let value = bed.values(&form).into_iter().find(|it| it["action"] == "quota.allocate").unwrap();
    let asks = json!({"action": "quota.request", "user": "main/alice", "op": value["op"]});
    let fields = json!({"amount": "5", "reason": "x"});
    let mine = bed.ask(OWNER, "/me").await.message_id;
    bed.forged(OWNER, &mine, asks.clone(), Some(fields.clone())).await;
    let done = bed.submit(ADMIN, &form, "quota.allocate", json!({"amount": "200"})).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥1,200.00");
    // And tells nothing of what was done with it.
    let told = toast_of(&bed.forged(OWNER, &mine, asks, Some(fields)).await);
    assert!(!told.contains("1,200"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_day_that_is_no_text_is_refused_and_not_for_good() {
    let bed = owned().await;
    let form = bed.ask(ADMIN, "/quota alice").await.message_id;
    let value = bed.values(&form).into_iter().find(|it| it["action"] == "quota.allocate").unwrap();
    let odd = json!({"amount": "5", "until": ["2026-12-01"]});
    let done = bed.forged(ADMIN, &form, value, Some(odd)).await;
    assert!(toast_of(&done).starts_with("error"), "{done:?}");
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_given_quota_for_some_days_only_is_cut_once_they_are_over() {
    let mut bed = owned().await;
    bed.allocate("main/alice", "-1000");
    bed.link("main/alice", "team-a", "2026-11");
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let fields = json!({"amount": "500", "until": "11-30"});
    bed.submit(ADMIN, &card, "quota.allocate", fields).await;
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    bed.at("2026-12-01T02:00:00Z");
    bed.restart().await;
    bed.eventually("the end of the quota", |bed| bed.quota("main/alice") == "¥0.00").await;
    assert_eq!(bed.ledger_entries("main/alice"), 4);
    bed.cycle().await;
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);
    // More quota ends that, as for any other user.
    bed.ask(ADMIN, "/quota alice 500").await;
    bed.ask(ADMIN, "/enable alice").await;
    assert_eq!(bed.user("main/alice").quota_ended, None);
}

/// docs/platforms/feishu.md §4.11
#[tokio::test(flavor = "multi_thread")]
async fn the_alert_chat_learns_why_an_owner_was_not_reached() {
    for code in [230013, 230029, 230053, 230035, 230038, 99992361, 99992351, 230034, 230022] {
        let bed = owned().await;
        let fault = Fault::Code { http: 400, code, msg: "no".to_owned() };
        bed.feishu.faults().inject(FaultRule::new(fault).on("send").holding(OWNER));
        bed.change("main/alice", |user| user.quota = "30".parse().unwrap());
        bed.link("main/alice", "team-a", "2026-11");
        bed.cycle().await;
        let said = card_in(&bed, GROUP, &phrase("owner.unreached")).await;
        assert!(text_of(&said).contains(&code.to_string()), "{code}: {}", text_of(&said));
        bed.settled().await;
        let alerts = bed.alert_records();
        // Whoever has resigned has users without an owner now: that is told as well.
        let count = if code == 230_029 { 2 } else { 1 };
        assert_eq!(alerts.len(), count, "{alerts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_not_told_if_that_is_switched_off() {
    let bed = owned_with(&[("FEISHU__NOTIFY_OWNERS", "false")]).await;
    bed.ask(ADMIN, "/quota alice 100 补").await;
    bed.settled().await;
    assert!(bed.feishu.messages(&bed.feishu.direct_chat(OWNER)).is_empty());
}

/// The role of who entered it is looked up when somebody confirms it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_former_administrator_entered_is_void_when_somebody_confirms_it() {
    let mut bed = owned_with(&[("APPROVAL__SECOND_FROM", "5000")]).await;
    bed.ask(ADMIN, "/quota alice 6000 大促").await;
    let second = card_in(&bed, GROUP, &phrase("approval.confirm")).await.message_id;
    let card = asks(&bed, "/request 8000 双十一").await.message_id;
    decided(&bed, ADMIN, &card, "grant", json!({})).await;
    bed.settled().await;
    bed.stop().await;
    bed.config.feishu.admins.retain(|person| person.as_str() != ADMIN);
    bed.start_service().await;
    let confirm = json!({"action": "approval.decide", "decision": "confirm", "approval": 1});
    let done = bed.press(ADMIN_2, &second, confirm).await;
    assert!(toast_of(&done).starts_with("error: "), "{done:?}");
    assert!(toast_of(&done).contains(&fragment("people.author_left")), "{done:?}");
    assert!(bed.texts(&second).contains(&fragment("approval.void")), "{}", bed.texts(&second));
    let state_of = |id| bed.store.read(|tx| tx.approval(id)).unwrap().unwrap().state;
    assert!(matches!(state_of(1), ApprovalState::Void { .. }), "{:?}", state_of(1));
    // The request that one was to grant is open again.
    let done = bed.forged(
        ADMIN_2,
        &second,
        json!({"action": "approval.decide", "decision": "confirm", "approval": 2, "op": "void-2"}),
        None,
    );
    assert!(toast_of(&done.await).starts_with("error: "));
    bed.settled().await;
    assert_eq!(state(&bed, 1), RequestState::Open);
    assert_eq!(bed.quota("main/alice"), "¥1,000.00");
    // Entered by somebody who is one, and confirmed by another, it is booked as ever.
    assert_eq!(bed.ledger_entries("main/alice"), 1);
}
