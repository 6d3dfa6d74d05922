//! `/report`, `report.open`, and the digests that are sent when they are due.

use airgate::app::settings::{self, NewSettings};
use airgate::domain::{OpenId, SavedSettings};
use airgate::sandbox::feishu::Message;
use airgate::sandbox::world::World;
use jiff::civil::{Date, date};
use serde_json::json;

use crate::bed::{
    ADMIN, ADMIN_2, Bed, GROUP, STRANGER, VIEWER, labs, one_account, phrase, text, text_of,
    toast_of,
};

/// The Monday on which tests begin.
const MONDAY_MORNING: &str = "2026-11-23T01:00:00Z";
const MONDAY_HALF_PAST_NINE: &str = "2026-11-23T01:30:00Z";

fn day(n: i8) -> Date {
    date(2026, 11, n)
}

/// Two users with a project each, one without an owner and a quota; a project that nobody has.
fn cloud() -> World {
    let mut cloud = one_account();
    let main = cloud.account_mut("main").unwrap();
    for (name, project) in [("alice", "team-a"), ("bob", "team-b")] {
        main.add_user(name);
        main.add_project(project, project);
    }
    main.add_project("stray", "stray");
    for (project, n, amount) in [
        ("team-a", 9, "10"),
        ("team-b", 10, "4"),
        ("team-a", 16, "30"),
        ("team-b", 17, "2"),
        ("team-b", 18, "0.126"),
        ("stray", 18, "8"),
        ("team-a", 22, "5"),
    ] {
        main.spend_on(project, amount.parse().unwrap(), day(n));
    }
    // What makes the bill hold the last days.
    main.spend_on("team-b", "1".parse().unwrap(), day(23));
    cloud
}

async fn bed_with(cloud: World, further: &[(&str, &str)]) -> Bed {
    let bed = Bed::with(cloud, further).await;
    bed.at(MONDAY_MORNING);
    bed.sync().await;
    for (user, project) in [("main/alice", "team-a"), ("main/bob", "team-b")] {
        bed.link(user, project, "2026-11");
    }
    bed.allocate("main/alice", "1000");
    bed.change("main/alice", |user| user.owner = Some(OpenId::new(STRANGER).unwrap()));
    bed.cycle().await;
    bed
}

async fn bed() -> Bed {
    bed_with(cloud(), &[]).await
}

fn switch_on(bed: &Bed) {
    let (now, base) = (bed.clock.now(), &bed.config.feishu.base_url);
    let configured = bed.config.initial_settings();
    let new = NewSettings { digest: "week".to_owned(), ..NewSettings::default() };
    bed.store.write(|tx| settings::save(tx, &configured, base, &new, now)).unwrap();
}

/// The digests in a chat.
fn digests(bed: &Bed, chat: &str, title: &str) -> Vec<Message> {
    let title = phrase(title);
    bed.by_the_bot(chat).into_iter().filter(|it| text_of(it).contains(&title)).collect()
}

/// Lets the chore look, which it does once a minute.
async fn at(bed: &mut Bed, instant: &str) {
    bed.at(instant);
    bed.restart().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_adds_up_the_last_full_week_and_leads_to_the_one_before() {
    let bed = bed().await;
    for command in ["/report", "/report week", "汇总 周"] {
        let card = bed.ask(VIEWER, command).await;
        let shown = text_of(&card);
        // 30 + 5 + 2 + 0.126 + 8, of which 8 are nobody's.
        for wanted in ["2026-11-16", "11-22", "¥45.13", "¥37.13", "¥8.00", "alice", "bob", "stray"]
        {
            assert!(shown.contains(wanted), "{wanted}: {shown}");
        }
    }
    let card = bed.ask(ADMIN, "/report").await.message_id;
    let value = json!({"action": "report.open", "kind": "week", "at": "2026-11-09"});
    let before = bed.press(ADMIN, &card, value).await;
    assert!(before.card_updated);
    let shown = bed.texts(&card);
    assert!(shown.contains("¥14.00") && shown.contains("2026-11-09"), "{shown}");
    let value = json!({"action": "report.open", "kind": "week", "at": "2026-11-16"});
    bed.press(ADMIN, &card, value).await;
    bed.press(ADMIN, &card, json!({"action": "report.open", "kind": "month"})).await;
    let shown = bed.texts(&card);
    assert!(shown.contains("2026-10") && shown.contains(&phrase("digest.nothing_read")), "{shown}");
    for value in [
        json!({"action": "report.open", "kind": "year"}),
        json!({"action": "report.open", "kind": "week", "at": "soon"}),
    ] {
        let refused = bed.forged(ADMIN, &card, value.clone(), None).await;
        assert!(toast_of(&refused).starts_with("error"), "{value}");
    }
    // A day to come is the last full week, and one of long ago has no bills.
    for (at, wanted) in [("2099-01-01", "2026-11-16"), ("1900-01-01", "1900-01-01")] {
        let value = json!({"action": "report.open", "kind": "week", "at": at});
        assert_eq!(toast_of(&bed.forged(ADMIN, &card, value, None).await), "");
        assert!(bed.texts(&card).contains(wanted), "{}", bed.texts(&card));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_names_who_has_no_owner_and_no_quota() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/report").await;
    let shown = text_of(&card);
    for key in ["digest.no_owner", "digest.no_quota"] {
        let line = text(key, &[("count", &1), ("users", &"bob")]);
        assert!(shown.contains(&line), "{line}: {shown}");
    }
    let list = json!({"action": "users.list", "filter": "no_owner"});
    bed.press(ADMIN, &card.message_id, list).await;
    assert!(bed.texts(&card.message_id).contains("bob"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_that_was_not_read_is_named_and_never_zero() {
    let bed = bed().await;
    // Another account is registered; its bills have not been read yet.
    crate::shared::samples::register(&bed.store, &[labs()], bed.clock.now());
    let shown = text_of(&bed.ask(ADMIN, "/report").await);
    assert!(shown.contains(&text("digest.unread", &[("accounts", &"实验室")])), "{shown}");
    assert!(shown.contains("¥45.13"), "{shown}");
    let nothing = Bed::start(cloud()).await;
    let shown = text_of(&nothing.ask(ADMIN, "/report").await);
    assert!(shown.contains(&phrase("digest.nothing_read")) && !shown.contains("¥0.00"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_monday_at_half_past_nine_everybody_gets_their_digest_once() {
    let mut bed = bed().await;
    switch_on(&bed);
    bed.restart().await;
    bed.settled().await;
    let direct = bed.feishu.direct_chat(STRANGER);
    assert!(digests(&bed, GROUP, "digest.week").is_empty(), "before its time");
    at(&mut bed, MONDAY_HALF_PAST_NINE).await;
    bed.eventually("the owner's digest", |bed| digests(bed, &direct, "digest.own_week").len() == 1)
        .await;
    bed.settled().await;
    let whole = digests(&bed, GROUP, "digest.week");
    assert_eq!(whole.len(), 1);
    assert!(text_of(&whole[0]).contains("¥45.13"), "{}", text_of(&whole[0]));
    let own = digests(&bed, &direct, "digest.own_week").remove(0);
    let shown = text_of(&own);
    assert!(shown.contains("¥35.00") && shown.contains("alice"), "{shown}");
    for hidden in ["bob", "stray", "45.13"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    let done = bed.press(STRANGER, &own.message_id, json!({"action": "me.open"})).await;
    assert!(done.card_updated);
    // Neither a restart, nor a later look, nor a clock that steps back sends any of it again.
    for instant in [
        "2026-11-23T01:31:00Z",
        "2026-11-24T00:00:00Z",
        "2026-11-23T01:00:00Z",
        "2026-11-16T02:00:00Z",
        MONDAY_HALF_PAST_NINE,
    ] {
        at(&mut bed, instant).await;
        bed.settled().await;
    }
    assert_eq!(digests(&bed, GROUP, "digest.week").len(), 1);
    at(&mut bed, "2026-11-30T01:30:00Z").await;
    bed.eventually("the next one", |bed| digests(bed, &direct, "digest.own_week").len() == 1).await;
    bed.settled().await;
    assert_eq!(digests(&bed, GROUP, "digest.week").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fell_due_while_the_service_was_down_comes_once_the_bills_are_read() {
    let mut cloud = cloud();
    let main = cloud.account_mut("main").unwrap();
    for (project, day, amount) in
        [("team-a", date(2026, 12, 2), "7"), ("team-b", date(2026, 12, 8), "1")]
    {
        main.spend_on(project, amount.parse().unwrap(), day);
    }
    let mut bed = bed_with(cloud, &[]).await;
    switch_on(&bed);
    bed.settled().await;
    bed.stop().await;
    bed.at("2026-12-09T10:00:00Z");
    bed.start_service().await;
    bed.eventually("the digest", |bed| digests(bed, GROUP, "digest.week").len() == 1).await;
    bed.settled().await;
    bed.restart().await;
    bed.settled().await;
    let sent = digests(&bed, GROUP, "digest.week");
    assert_eq!(sent.len(), 1);
    // The last full week only.
    let shown = text_of(&sent[0]);
    assert!(shown.contains("2026-11-30") && shown.contains("¥7.00"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_alert_chat_each_administrator_gets_it_and_an_owner_among_them_both() {
    let admins = [ADMIN, ADMIN_2].join(",");
    let further = [("FEISHU__ADMINS", admins.as_str()), ("FEISHU__ALERT_CHAT_ID", "")];
    let mut bed = bed_with(cloud(), &further).await;
    bed.change("main/alice", |user| user.owner = Some(OpenId::new(ADMIN).unwrap()));
    switch_on(&bed);
    at(&mut bed, MONDAY_HALF_PAST_NINE).await;
    let chat = bed.feishu.direct_chat(ADMIN);
    bed.eventually("both", |bed| digests(bed, &chat, "digest.own_week").len() == 1).await;
    bed.settled().await;
    for (person, own) in [(ADMIN, 1), (ADMIN_2, 0)] {
        let chat = bed.feishu.direct_chat(person);
        assert_eq!(digests(&bed, &chat, "digest.own_week").len(), own, "{person}");
        assert_eq!(digests(&bed, &chat, "digest.week").len(), 1, "{person}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_left_alone_if_told_so_and_nothing_is_sent_without_spending() {
    let mut bed = bed_with(cloud(), &[("FEISHU__NOTIFY_OWNERS", "false")]).await;
    switch_on(&bed);
    at(&mut bed, MONDAY_HALF_PAST_NINE).await;
    bed.eventually("the digest", |bed| digests(bed, GROUP, "digest.week").len() == 1).await;
    bed.eventually("its end", |bed| {
        bed.store.read(|tx| tx.digest_log()).unwrap().telling.is_none()
    })
    .await;
    bed.settled().await;
    assert!(bed.by_the_bot(&bed.feishu.direct_chat(STRANGER)).is_empty());

    let mut empty = Bed::start(one_account()).await;
    empty.at(MONDAY_MORNING);
    switch_on(&empty);
    at(&mut empty, MONDAY_HALF_PAST_NINE).await;
    // A digest waits for the cycle of its time.
    empty.cycle().await;
    empty
        .eventually("it to be left out", |bed| {
            !bed.store.read(|tx| tx.digest_log()).unwrap().sent.is_empty()
        })
        .await;
    empty.settled().await;
    assert!(digests(&empty, GROUP, "digest.week").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_before_it_was_switched_on_is_not_sent() {
    let bed = bed().await;
    bed.at("2026-11-25T02:00:00Z");
    let card = bed.ask(ADMIN, "/config").await.message_id;
    assert!(bed.texts(&card).contains(&phrase("config.digest_off")));
    bed.submit(ADMIN, &card, "config.save", json!({"digest": "week"})).await;
    assert!(bed.texts(&card).contains(&phrase("config.digest_week")), "{}", bed.texts(&card));
    let saved: SavedSettings = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(saved.digest.map(|kind| kind.word()), Some("week"));
    let mut bed = bed;
    bed.restart().await;
    bed.settled().await;
    assert!(digests(&bed, GROUP, "digest.week").is_empty());
    assert!(bed.store.read(|tx| tx.digest_log()).unwrap().sent.is_empty());
    // Saved again with other settings, it stays; "off" ends it.
    bed.submit(ADMIN, &card, "config.save", json!({"mobiles": "13800000001"})).await;
    assert!(bed.texts(&card).contains(&phrase("config.digest_week")), "{}", bed.texts(&card));
    bed.submit(ADMIN, &card, "config.save", json!({"digest": "off"})).await;
    assert!(bed.texts(&card).contains(&phrase("config.digest_off")), "{}", bed.texts(&card));
}
