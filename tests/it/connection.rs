//! The long connection: the real service and the stand-in's WebSocket, through everything that happens to such a line.

use std::time::Duration;

use airgate::sandbox::feishu::connection::{Overview, UpgradeRefusal};
use airgate::sandbox::feishu::{Fault, FaultRule, Sender};
use airgate::sandbox::world::World;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::bed::{ADMIN, Bed, GROUP, PATIENCE, STRANGER, VIEWER, one_account, text_of};

const ENDPOINT: &str = "connection.endpoint";

async fn start(world: World) -> Bed {
    let bed = Bed::with(world, &[("FEISHU__MODE", "websocket")]).await;
    ready(&bed).await;
    bed
}

/// The status of `/readyz`, and the reason.
async fn readyz(bed: &Bed) -> (u16, String) {
    let response = reqwest::get(bed.url("/readyz")).await.unwrap();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    (status, body["reason"].as_str().unwrap_or_default().to_owned())
}

async fn readyz_becomes(bed: &Bed, wanted: impl Fn(u16, &str) -> bool) {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (status, reason) = readyz(bed).await;
        if wanted(status, &reason) {
            return;
        }
        assert!(tokio::time::Instant::now() < until, "{status} {reason}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn ready(bed: &Bed) {
    readyz_becomes(bed, |status, _| status == 200).await;
}

async fn seen(bed: &Bed, wanted: impl Fn(&Overview) -> bool) -> Overview {
    let found = bed.feishu.connections().wait_for(wanted, PATIENCE).await;
    found.unwrap_or_else(|| panic!("{:?}", bed.feishu.connections().overview()))
}

fn rules_kept(bed: &Bed) {
    assert_eq!(bed.feishu.connections().overview().violations, Vec::<String>::new());
}

/// Nobody can connect until [`Faults::clear`], and whoever was is not any more.
async fn outage(bed: &Bed) {
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(503)).on(ENDPOINT));
    bed.feishu.connections().drop_all();
    seen(bed, |overview| overview.open == 0).await;
}

/// How many messages of the bot answer this one.
fn replies_to(bed: &Bed, message_id: &str) -> usize {
    bed.feishu.read(|state| {
        let messages = state.all_messages().iter();
        messages
            .filter(|message| message.sender == Sender::Bot)
            .filter(|message| message.reply_to.as_deref() == Some(message_id))
            .count()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_clicks_come_over_the_connection_also_in_parts() {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_project("team-a", "甲组");
    cloud.account_mut("main").unwrap().add_user("alice");
    let bed = start(cloud).await;
    // Clicks come as events; frames of the type `card` exist too.
    for (part_size, card_frames) in [(None, false), (Some(100), false), (Some(100), true)] {
        bed.feishu.connections().set_part_size(part_size);
        bed.feishu.set_quirks(|quirks| quirks.clicks_are_card_frames = card_frames);
        bed.sync().await;
        let quota = bed.ask(ADMIN, "/quota alice 100 第一笔").await;
        assert!(text_of(&quota).contains("¥100.00"), "{}", text_of(&quota));
        let allocated = bed
            .feishu
            .form_click(
                ADMIN,
                &quota.message_id,
                |value| value["action"] == "quota.allocate",
                json!({"amount": "-100"}).as_object().unwrap().clone(),
            )
            .await;
        assert_eq!(allocated.error, None);
        assert!(allocated.card_updated, "{allocated:?}");
        assert!(allocated.elapsed < Duration::from_secs(3));
        // Refused for want of a role: still an answer with data.
        let button = bed.feishu.find_button(&quota.message_id, |value| value.is_object());
        let denied = bed.feishu.click_raw(STRANGER, &quota.message_id, button.unwrap()).await;
        assert_eq!(denied.error, None);
        // Nothing to do about this one; it must not come again.
        let unknown = bed.feishu.push_event("im.message.reaction.created_v1", json!({})).await;
        assert_eq!(unknown.status, Some(200));
    }
    // Nobody else can call in.
    let response = reqwest::Client::new().post(bed.url("/feishu/event")).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 404);
    let metrics = reqwest::get(bed.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("airgate_feishu_connection_up"), "{metrics}");
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_closes_or_goes_dead_is_replaced() {
    let bed = start(one_account()).await;
    let connections = bed.feishu.connections();
    for end in ["drop", "close", "silence"] {
        let before = connections.overview();
        match end {
            "drop" => connections.drop_all(),
            "close" => connections.close_all(1011, "going down"),
            _ => connections.silence_all(),
        }
        let start = tokio::time::Instant::now();
        readyz_becomes(&bed, |status, reason| status == 503 && reason.contains("connection")).await;
        // Pings every second: dead within two, however open the line looks.
        assert!(start.elapsed() < Duration::from_secs(6), "{end}: {:?}", start.elapsed());
        let after = seen(&bed, |now| now.opened > before.opened && now.open == 1).await;
        assert!(after.endpoints > before.endpoints, "{end}: a fresh endpoint for each attempt");
        ready(&bed).await;
        assert!(text_of(&bed.ask(ADMIN, "/help").await).contains("/users"), "{end}");
    }
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_platform_refuses_with_it_is_asked_again() {
    let bed = start(one_account()).await;
    let connections = bed.feishu.connections();
    let code = |code| Fault::Code { http: 200, code, msg: "no".to_owned() };
    for fault in [code(403), Fault::ResetConnection] {
        let opened = connections.overview().opened;
        bed.feishu.faults().inject(FaultRule::new(fault).on(ENDPOINT).times(1));
        connections.drop_all();
        seen(&bed, |now| now.opened > opened).await;
        ready(&bed).await;
    }
    for (status, auth_code) in [(403, None), (514, Some(1))] {
        let before = connections.overview();
        let msg = "not now".to_owned();
        connections.refuse_upgrade(UpgradeRefusal { status, auth_code, msg });
        connections.drop_all();
        let after = seen(&bed, |now| now.opened > before.opened).await;
        assert!(after.endpoints >= before.endpoints + 2, "{before:?} {after:?}");
        ready(&bed).await;
    }
    assert!(text_of(&bed.ask(ADMIN, "/help").await).contains("/users"));
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_the_platform_is_left_alone() {
    let bed = start(one_account()).await;
    let opened = bed.feishu.connections().overview().opened;
    for garbage in [&b"\xff\xff\xff\xff\xff"[..], b"", b"{\"code\":0}", &[0x2a; 70_000]] {
        bed.feishu.connections().send_raw(garbage);
    }
    assert!(text_of(&bed.ask(ADMIN, "/help").await).contains("/users"));
    assert_eq!(bed.feishu.connections().overview().opened, opened);
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_during_an_outage_is_answered_when_it_ends() {
    let mut bed = start(one_account()).await;
    // These chats the bot knows from now on.
    bed.ask(ADMIN, "/help").await;
    bed.ask_in(VIEWER, GROUP, "/help", true).await;
    outage(&bed).await;
    let direct = bed.feishu.direct_chat(ADMIN);
    let first = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    let second = bed.feishu.say(ADMIN, &direct, "帮助", false).await;
    let mentioned = bed.feishu.say(VIEWER, GROUP, "/users", true).await;
    let ignored = bed.feishu.say(VIEWER, GROUP, "/users", false).await;
    assert_eq!([first.status, mentioned.status], [None, None]);
    readyz_becomes(&bed, |status, reason| status == 503 && reason.contains("connection")).await;
    // The first attempt to read up fails.
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(500)).on("messages").times(1));
    // A restart in the middle changes nothing.
    bed.restart().await;
    let opened = bed.feishu.connections().overview().opened;
    bed.feishu.faults().clear();
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(500)).on("messages").times(1));
    seen(&bed, |now| now.opened > opened).await;

    let answered = [&first, &second, &mentioned];
    for sent in answered {
        let reply = bed.reply_to(sent).await;
        assert!(reply.is_some(), "{:?}", sent.envelope);
    }
    bed.settled().await;
    // The platform's own repetition finds everything done.
    assert_eq!(bed.feishu.redeliver_pending().await, 4);
    bed.settled().await;
    for sent in answered {
        assert_eq!(replies_to(&bed, sent.message_id.as_deref().unwrap()), 1);
    }
    assert_eq!(replies_to(&bed, ignored.message_id.as_deref().unwrap()), 0);
    // In the order they were written.
    let order: Vec<String> =
        bed.feishu.messages(&direct).into_iter().filter_map(|message| message.reply_to).collect();
    let place = |id: &Option<String>| order.iter().position(|other| Some(other) == id.as_ref());
    assert!(place(&first.message_id) < place(&second.message_id));
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_eight_hours_is_not_acted_on() {
    let bed = start(one_account()).await;
    bed.ask(ADMIN, "/help").await;
    outage(&bed).await;
    let direct = bed.feishu.direct_chat(ADMIN);
    let old = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    bed.clock.advance(SignedDuration::from_mins(8 * 60 + 1));
    let fresh = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    bed.feishu.faults().clear();
    assert!(bed.reply_to(&fresh).await.is_some());
    bed.settled().await;
    assert_eq!(replies_to(&bed, old.message_id.as_deref().unwrap()), 0);
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_comes_again_is_handled_once() {
    let bed = start(one_account()).await;
    let direct = bed.feishu.direct_chat(ADMIN);
    let sent = bed.feishu.say(ADMIN, &direct, "/help", false).await;
    for _ in 0..3 {
        assert_eq!(bed.feishu.redeliver(&sent).await.status, Some(200));
    }
    bed.feishu.connections().drop_all();
    seen(&bed, |now| now.opened > 1).await;
    ready(&bed).await;
    assert_eq!(bed.feishu.redeliver(&sent).await.status, Some(200));
    bed.settled().await;
    assert_eq!(replies_to(&bed, sent.message_id.as_deref().unwrap()), 1);
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_the_connection_at_once() {
    let mut bed = start(one_account()).await;
    bed.restart().await;
    let overview = seen(&bed, |now| now.opened == 2 && now.open == 1).await;
    assert_eq!(overview.farewells, [1000]);
    ready(&bed).await;
    rules_kept(&bed);
}
