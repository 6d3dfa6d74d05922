//! Changes of many users from the list: previewed, then applied to exactly those users, all or none, once.

use airgate::domain::{BatchState, OpenId, Operator, Switch, UserStatus};
use airgate::sandbox::feishu::{ClickAction, Message};
use airgate::sandbox::world::World;
use serde_json::{Value, json};

use super::{bed, small_cloud};
use crate::bed::{
    ADMIN, ADMIN_2, Bed, GROUP, VIEWER, answered, fragment, one_account, phrase, text, text_of,
    toast_of, user_key,
};

fn many(users: usize) -> World {
    let mut cloud = one_account();
    for at in 0..users {
        cloud.account_mut("main").unwrap().add_user(&format!("user-{at:03}"));
    }
    cloud
}

/// Members that the button of a change carries.
const SAID: [&str; 3] = ["do", "counts", "switch"];

/// Opens the form on everybody, fills it in, and presses the button of what is to be done. `switch` is its `value`.
async fn ask_for(
    bed: &Bed,
    person: &str,
    query: &str,
    fields: Value,
) -> (String, airgate::sandbox::feishu::ClickResult) {
    let card = bed.ask(person, format!("/users {query}").trim()).await.message_id;
    bed.press(person, &card, json!({"action": "users.bulk"})).await;
    let (said, typed): (serde_json::Map<_, _>, serde_json::Map<_, _>) = fields
        .as_object()
        .unwrap()
        .clone()
        .into_iter()
        .partition(|(it, _)| SAID.contains(&it.as_str()));
    let wanted = |value: &Value| {
        said.iter().all(|(name, member)| {
            value[if name == "switch" { "value" } else { name.as_str() }] == *member
        })
    };
    let done = answered(bed.feishu.form_click(person, &card, wanted, typed).await);
    (card, done)
}

/// The same, and waits for the preview.
pub async fn preview(bed: &Bed, person: &str, query: &str, fields: Value) -> Message {
    let (card, done) = ask_for(bed, person, query, fields).await;
    let toast = format!("info: {}", phrase("toast.batch_preparing"));
    assert_eq!(toast_of(&done), toast, "{}", bed.texts(&card));
    bed.no_longer_shows(&card, &phrase("batch.preparing")).await;
    bed.settled().await;
    bed.message(&card)
}

fn apply(bed: &Bed, card: &str) -> ClickAction {
    let wanted = |value: &Value| value["apply"] == true;
    bed.feishu.fill_form(card, wanted, Default::default()).expect("the preview can be applied")
}

async fn applied(bed: &Bed, person: &str, card: &str) -> String {
    let click = apply(bed, card);
    toast_of(&answered(bed.feishu.click_raw(person, card, click).await))
}

fn state(bed: &Bed, id: u64) -> BatchState {
    bed.store.read(|tx| tx.batch(id)).unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_is_previewed_and_applied_to_exactly_the_users_of_the_preview() {
    let bed = Bed::start(many(25)).await;
    bed.sync().await;
    // The search does not find this one.
    bed.add_users(&["main/other"]);
    bed.allocate("main/user-003", "50");
    let fields = json!({"do": "allocate", "amount": "100", "note": "Q4"});
    let card = preview(&bed, ADMIN, "user-", fields).await;
    let read = text_of(&card);
    let total = text("batch.total", &[("amount", &"¥2,500.00")]);
    let more = text("batch.more_rows", &[("count", &5)]);
    for shown in ["user-003", "¥50.00 → ¥150.00", "Q4", &total, &more] {
        assert!(read.contains(shown), "{shown}: {read}");
    }
    assert!(!read.contains("user-024"), "the first 20: {read}");
    // Who comes later is not in it, whatever the filter says by then.
    bed.add_users(&["main/user-late"]);
    let applying = format!("info: {}", phrase("toast.batch_applying"));
    assert_eq!(applied(&bed, ADMIN, &card.message_id).await, applying);
    bed.settled().await;
    for at in 0..25 {
        let expected = if at == 3 { "¥150.00" } else { "¥100.00" };
        assert_eq!(bed.quota(&format!("main/user-{at:03}")), expected);
    }
    for not_in_it in ["main/user-late", "main/other"] {
        assert_eq!(bed.quota(not_in_it), "¥0.00");
    }
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user_key("main/user-001"), 2)).unwrap();
    assert_eq!((entries.len(), entries[0].note.as_str()), (1, "Q4"));
    assert!(entries[0].operator.is(&OpenId::new(ADMIN).unwrap()));
    let read = bed.texts(&card.message_id);
    assert!(read.contains(&phrase("batch.word_applied")), "{read}");
    assert!(bed.feishu.find_button(&card.message_id, |value| value["apply"] == true).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_taps_and_a_restart_apply_it_once() {
    let mut bed = Bed::start(many(12)).await;
    bed.sync().await;
    let fields = json!({"do": "allocate", "amount": "10"});
    let card = preview(&bed, ADMIN, "", fields).await.message_id;
    let click = apply(&bed, &card);
    let taps = (0..10).map(|_| bed.feishu.click_raw(ADMIN, &card, click.clone()));
    let results = futures::future::join_all(taps).await;
    let applying = format!("info: {}", phrase("toast.batch_applying"));
    assert!(results.iter().all(|result| toast_of(result) == applying), "{results:?}");
    bed.restart().await;
    bed.settled().await;
    // The same tap, and a forged one under a new op.
    let again = answered(bed.feishu.click_raw(ADMIN, &card, click.clone()).await);
    assert!(!toast_of(&again).starts_with("success"), "{again:?}");
    let value = json!({"action": "users.bulk", "apply": true, "batch": 1, "op": "other"});
    let forged = bed.forged(ADMIN, &card, value, Some(json!({}))).await;
    assert!(toast_of(&forged).contains(&fragment("batch.closed")), "{forged:?}");
    bed.settled().await;
    for at in 0..12 {
        assert_eq!(bed.ledger_entries(&format!("main/user-{at:03}")), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_if_one_user_has_changed_so_that_it_would_be_refused() {
    let bed = bed().await;
    for user in ["main/alice", "main/bob"] {
        bed.allocate(user, "100");
    }
    let card = preview(&bed, ADMIN, "", json!({"do": "allocate", "amount": "-80"})).await;
    bed.ask(ADMIN_2, "/quota bob -50").await;
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    assert_eq!(
        (bed.quota("main/alice"), bed.quota("main/bob")),
        ("¥100.00".into(), "¥50.00".into())
    );
    let read = bed.texts(&card.message_id);
    assert!(read.contains(&phrase("batch.word_nothing")), "{read}");
    assert!(read.contains("main/bob") && read.contains(&fragment("refusal.below_zero")), "{read}");
    assert!(matches!(state(&bed, 1), BatchState::Stopped { .. }));
    // A change that refuses nothing does not matter.
    let card = preview(&bed, ADMIN, "", json!({"do": "allocate", "amount": "-30"})).await;
    bed.ask(ADMIN_2, "/quota bob 5").await;
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    assert_eq!(
        (bed.quota("main/alice"), bed.quota("main/bob")),
        ("¥70.00".into(), "¥25.00".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_cannot_be_changed_are_left_out_with_the_reason() {
    let bed = bed().await;
    bed.allocate("main/alice", "100");
    bed.change("main/bob", |user| user.status = UserStatus::Gone);
    let card = preview(&bed, ADMIN, "", json!({"do": "allocate", "amount": "10"})).await;
    let read = text_of(&card);
    assert!(read.contains(&text("batch.left_out", &[("count", &1)])), "{read}");
    assert!(read.contains(&fragment("refusal.user_gone")), "{read}");
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    assert_eq!(
        (bed.quota("main/alice"), bed.quota("main/bob")),
        ("¥110.00".into(), "¥0.00".into())
    );
    // If nobody is left, there is nothing to apply.
    let card = preview(&bed, ADMIN, "", json!({"do": "allocate", "amount": "-500"})).await;
    assert!(text_of(&card).contains(&phrase("batch.unusable")), "{}", text_of(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_applied() {
    let bed = bed().await;
    for (fields, shown) in [
        (json!({"do": "month_limit", "amount": "500"}), "¥500.00"),
        (json!({"do": "thresholds", "value": "60,70"}), "60"),
        (json!({"do": "auto_disable", "switch": "off"}), "→"),
        (json!({"do": "link", "project": "team-a", "counts": "part"}), "team-a"),
    ] {
        let card = preview(&bed, ADMIN, "", fields.clone()).await;
        assert!(text_of(&card).contains(shown), "{fields}: {}", text_of(&card));
        applied(&bed, ADMIN, &card.message_id).await;
        bed.settled().await;
        let read = bed.texts(&card.message_id);
        assert!(read.contains(&phrase("batch.word_applied")), "{fields}: {read}");
    }
    for name in ["main/alice", "main/bob"] {
        let user = bed.user(name);
        assert_eq!(user.month_limit.unwrap().amount().to_string(), "¥500.00");
        assert_eq!(user.thresholds.unwrap().percents(), [60, 70]);
        assert_eq!(user.auto_disable, Switch::Off);
    }
    // Both count half of it, once it is read.
    bed.cycle().await;
    assert_eq!(
        (bed.consumed("main/alice"), bed.consumed("main/bob")),
        ("¥12.50".into(), "¥12.50".into())
    );
    // What is typed takes precedence over what is chosen, and thresholds that were typed beside it do not matter.
    let fields = json!({"do": "link", "project": "team-a", "project_name": "team-b", "value": "50", "counts": "whole"});
    let card = preview(&bed, ADMIN, "", fields).await;
    assert!(text_of(&card).contains("team-b"), "{}", text_of(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_earlier_versions_is_understood() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/users").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "users.bulk"})).await;
    for (op, fields, shown) in [
        ("old-1", json!({"do": "auto_disable", "value": "关"}), "→"),
        ("old-2", json!({"do": "link", "value": "team-a", "counts": "part"}), "team-a"),
        ("old-3", json!({"do": "thresholds", "value": "60,70"}), "60"),
        ("old-4", json!({"do": "month_limit", "amount": "500"}), "¥500.00"),
        // A project that several get needs the choice.
        (
            "old-5",
            json!({"do": "link", "value": "team-b"}),
            &text("batch.left_out", &[("count", &1)]),
        ),
    ] {
        let value = json!({"action": "users.bulk", "op": op});
        let done = bed.forged(ADMIN, &card, value, Some(fields.clone())).await;
        let toast = format!("info: {}", phrase("toast.batch_preparing"));
        assert_eq!(toast_of(&done), toast, "{fields}");
        bed.no_longer_shows(&card, &phrase("batch.preparing")).await;
        bed.settled().await;
        let read = bed.texts(&card);
        assert!(read.contains(shown), "{fields}: {read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_a_part_needs_a_second_administrator_all_of_it_waits() {
    let mut bed = Bed::with(small_cloud(), &[("APPROVAL__SECOND_FROM", "1000")]).await;
    bed.sync().await;
    bed.ask(ADMIN, "/quota alice 600").await;
    let fields = json!({"do": "allocate", "amount": "400", "note": "Q4"});
    let card = preview(&bed, ADMIN, "", fields).await;
    let second = text("batch.second", &[("count", &1)]);
    assert!(text_of(&card).contains(&second), "{}", text_of(&card));
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    // bob alone would not need it; nothing is booked for either.
    assert_eq!(
        (bed.quota("main/alice"), bed.quota("main/bob")),
        ("¥600.00".into(), "¥0.00".into())
    );
    let asked = bed.by_the_bot(GROUP).pop().unwrap().message_id;
    let confirm = json!({"action": "batch.decide", "decision": "confirm"});
    let own = bed.press(ADMIN, &asked, confirm.clone()).await;
    assert_eq!(toast_of(&own), format!("error: {}", phrase("batch.own")));
    let by_viewer = bed.press(VIEWER, &asked, confirm.clone()).await;
    assert_eq!(toast_of(&by_viewer), format!("error: {}", phrase("refusal.not_allowed")));
    bed.restart().await;
    bed.press(ADMIN_2, &asked, confirm).await;
    bed.settled().await;
    assert_eq!(
        (bed.quota("main/alice"), bed.quota("main/bob")),
        ("¥1,000.00".into(), "¥400.00".into())
    );
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user_key("main/bob"), 1)).unwrap();
    let Some(Operator::Person { open_id, .. }) = &entries[0].parties.confirmed_by else {
        panic!("{entries:?}")
    };
    assert_eq!(open_id.as_str(), ADMIN_2);
    for shown in [&card.message_id, &asked] {
        let read = bed.texts(shown);
        assert!(read.contains(&phrase("batch.word_applied")), "{read}");
    }
    // What was booked counts from now on; a refusal books nothing.
    let fields = json!({"do": "allocate", "amount": "700"});
    let card = preview(&bed, ADMIN, "bob", fields).await;
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    let asked = bed.by_the_bot(GROUP).pop().unwrap().message_id;
    bed.press(ADMIN_2, &asked, json!({"action": "batch.decide", "decision": "refuse"})).await;
    bed.settled().await;
    assert_eq!(bed.quota("main/bob"), "¥400.00");
    assert!(bed.texts(&card.message_id).contains(&phrase("batch.word_refused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_made_the_preview_applies_it_and_within_a_day() {
    let mut bed = bed().await;
    let card = preview(&bed, ADMIN, "", json!({"do": "allocate", "amount": "10"})).await.message_id;
    let click = apply(&bed, &card);
    for (person, refusal) in [(ADMIN_2, "batch.not_theirs"), (VIEWER, "refusal.not_allowed")] {
        let refused = answered(bed.feishu.click_raw(person, &card, click.clone()).await);
        assert_eq!(toast_of(&refused), format!("error: {}", phrase(refusal)));
    }
    // Theirs is still there.
    bed.at("2026-11-24T03:00:00Z");
    bed.restart().await;
    bed.shows(&card, &phrase("batch.word_lapsed")).await;
    let late = answered(bed.feishu.click_raw(ADMIN, &card, click).await);
    assert!(toast_of(&late).contains(&fragment("batch.closed")), "{late:?}");
    bed.settled().await;
    assert_eq!(bed.ledger_entries("main/alice"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_change_is_refused_and_the_form_keeps_what_was_typed() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/users").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "users.bulk"})).await;
    for (op, fields, refusal) in [
        ("bad-1", json!({"note": "x"}), "batch.no_change"),
        ("bad-2", json!({"do": "everything"}), "batch.no_change"),
        ("bad-3", json!({"do": "link"}), "refusal.no_project"),
    ] {
        let value = json!({"action": "users.bulk", "op": op});
        let refused = bed.forged(ADMIN, &card, value, Some(fields.clone())).await;
        assert_eq!(toast_of(&refused), format!("error: {}", phrase(refusal)), "{fields}");
    }
    for (fields, refusal) in [
        // Thresholds are no project.
        (json!({"do": "link", "counts": "part", "value": "50"}), "refusal.no_project"),
        (json!({"do": "month_limit", "amount": "-5"}), "refusal.month_limit_negative"),
    ] {
        let (_, refused) = ask_for(&bed, ADMIN, "", fields.clone()).await;
        assert_eq!(toast_of(&refused), format!("error: {}", phrase(refusal)), "{fields}");
    }
    let fields = json!({"do": "allocate", "amount": "1,00", "project_name": "team-a"});
    let (card, refused) = ask_for(&bed, ADMIN, "", fields).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
    assert_eq!(bed.field(&card, "amount"), "1,00");
    assert_eq!(bed.field(&card, "project_name"), "team-a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_those_whom_no_quota_limits_afterwards() {
    let bed = bed().await;
    bed.allocate("main/alice", "100");
    bed.allocate("main/bob", "150");
    let card = preview(&bed, ADMIN, "", json!({"do": "allocate", "amount": "-100"})).await;
    let before = text("batch.run_free", &[("count", &1)]);
    assert!(text_of(&card).contains(&before), "{}", text_of(&card));
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    let after = text("batch.run_free_now", &[("count", &1)]);
    let read = bed.texts(&card.message_id);
    assert!(read.contains(&after) && !read.contains(&before), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_former_administrator_made_is_void_when_somebody_confirms_it() {
    let mut bed = Bed::with(small_cloud(), &[("APPROVAL__SECOND_FROM", "1000")]).await;
    bed.sync().await;
    let fields = json!({"do": "allocate", "amount": "1000"});
    let card = preview(&bed, ADMIN, "", fields).await;
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    let asked = bed.by_the_bot(GROUP).pop().unwrap().message_id;
    bed.stop().await;
    bed.config.feishu.admins.retain(|person| person.as_str() != ADMIN);
    bed.start_service().await;
    let confirm = json!({"action": "batch.decide", "decision": "confirm"});
    let done = bed.press(ADMIN_2, &asked, confirm).await;
    assert!(toast_of(&done).starts_with("error: "), "{done:?}");
    assert!(toast_of(&done).contains(&fragment("batch.author_left")), "{done:?}");
    bed.settled().await;
    assert!(matches!(state(&bed, 1), BatchState::Stopped { .. }), "{:?}", state(&bed, 1));
    assert_eq!(bed.ledger_entries("main/alice"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_many_users_gets_one_message_about_all_of_them() {
    let bed = bed().await;
    for user in ["main/alice", "main/bob"] {
        bed.change(user, |user| user.owner = Some(OpenId::new(VIEWER).unwrap()));
    }
    let owner = bed.feishu.direct_chat(VIEWER);
    bed.settled().await;
    let before = bed.by_the_bot(&owner).len();
    let fields = json!({"do": "allocate", "amount": "50", "note": "Q4"});
    let card = preview(&bed, ADMIN, "", fields).await;
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    let told = bed.by_the_bot(&owner).split_off(before);
    assert_eq!(told.len(), 1, "{:#?}", told.iter().map(text_of).collect::<Vec<_>>());
    let read = text_of(&told[0]);
    for shown in ["alice", "bob", "+¥50.00", "Q4", &text("owner.quotas", &[("count", &2)])] {
        assert!(read.contains(shown), "{shown} is not in\n{read}");
    }
    // Who does it sees it.
    let card = preview(&bed, ADMIN, "bob", json!({"do": "allocate", "amount": "7"})).await;
    bed.change("main/bob", |user| user.owner = Some(OpenId::new(ADMIN).unwrap()));
    applied(&bed, ADMIN, &card.message_id).await;
    bed.settled().await;
    assert_eq!(bed.by_the_bot(&owner).len(), before + 1);
}
