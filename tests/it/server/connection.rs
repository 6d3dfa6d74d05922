//! The long connection: breaks, outages, refusals and garbage.

use std::time::Duration;

use airgate::sandbox::feishu::connection::{Overview, UpgradeRefusal};
use airgate::sandbox::feishu::{Fault, FaultRule};
use airgate::sandbox::world::World;
use jiff::SignedDuration;
use serde_json::json;

use crate::bed::{ADMIN, Bed, GROUP, STRANGER, TIMEOUT, VIEWER, one_account, text_of};

const ENDPOINT: &str = "connection.endpoint";

async fn start(world: World) -> Bed {
    let bed = Bed::with(world, &[("FEISHU__MODE", "websocket")]).await;
    bed.readyz_becomes(200).await;
    bed
}

async fn seen(bed: &Bed, wanted: impl Fn(&Overview) -> bool) -> Overview {
    let found = bed.feishu.connections().wait_for(wanted, TIMEOUT).await;
    found.unwrap_or_else(|| panic!("{:?}", bed.feishu.connections().overview()))
}

fn rules_kept(bed: &Bed) {
    assert_eq!(bed.feishu.connections().overview().violations, Vec::<String>::new());
}

/// Ends every connection, and refuses new ones until the faults are cleared.
async fn outage(bed: &Bed) {
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(503)).on(ENDPOINT));
    bed.feishu.connections().drop_all();
    seen(bed, |overview| overview.open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_clicks_arrive_over_the_connection_whole_and_in_parts() {
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
        // A person without a role is refused, with data in the answer.
        let button = bed.feishu.find_button(&quota.message_id, |value| value.is_object());
        let denied = bed.feishu.click_raw(STRANGER, &quota.message_id, button.unwrap()).await;
        assert_eq!(denied.error, None);
        // An event that is not handled is acknowledged, so that it is not sent again.
        let unknown = bed.feishu.push_event("im.message.reaction.created_v1", json!({})).await;
        assert_eq!(unknown.status, Some(200));
    }
    // Callbacks over HTTP are not accepted in this mode.
    let response = reqwest::Client::new().post(bed.url("/feishu/event")).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 404);
    let metrics = reqwest::get(bed.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("airgate_feishu_connection_up"), "{metrics}");
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_closes_or_goes_dead_is_replaced() {
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
        assert!(bed.readyz_becomes(503).await.contains("connection"));
        // With a ping every second, a dead connection is noticed within two, however open it looks.
        assert!(start.elapsed() < Duration::from_secs(6), "{end}: {:?}", start.elapsed());
        let after = seen(&bed, |now| now.opened > before.opened && now.open == 1).await;
        assert!(after.endpoints > before.endpoints, "{end}: a fresh endpoint for each attempt");
        bed.readyz_becomes(200).await;
        assert!(text_of(&bed.ask(ADMIN, "/help").await).contains("/users"), "{end}");
    }
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_reconnects_after_every_kind_of_refusal() {
    let bed = start(one_account()).await;
    let connections = bed.feishu.connections();
    let code = |code| Fault::Code { http: 200, code, msg: "no".to_owned() };
    for fault in [code(403), Fault::ResetConnection] {
        let opened = connections.overview().opened;
        bed.feishu.faults().inject(FaultRule::new(fault).on(ENDPOINT).times(1));
        connections.drop_all();
        seen(&bed, |now| now.opened > opened).await;
        bed.readyz_becomes(200).await;
    }
    for (status, auth_code) in [(403, None), (514, Some(1))] {
        let before = connections.overview();
        let msg = "not now".to_owned();
        connections.refuse_upgrade(UpgradeRefusal { status, auth_code, msg });
        connections.drop_all();
        let after = seen(&bed, |now| now.opened > before.opened).await;
        assert!(after.endpoints >= before.endpoints + 2, "{before:?} {after:?}");
        bed.readyz_becomes(200).await;
    }
    assert!(text_of(&bed.ask(ADMIN, "/help").await).contains("/users"));
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_the_platform_is_ignored() {
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
async fn messages_sent_during_an_outage_are_answered_when_it_ends() {
    let mut bed = start(one_account()).await;
    // From now on the bot knows these chats.
    bed.ask(ADMIN, "/help").await;
    bed.ask_in(VIEWER, GROUP, "/help", true).await;
    outage(&bed).await;
    let direct = bed.feishu.direct_chat(ADMIN);
    let first = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    let second = bed.feishu.say(ADMIN, &direct, "帮助", false).await;
    let mentioned = bed.feishu.say(VIEWER, GROUP, "/users", true).await;
    let ignored = bed.feishu.say(VIEWER, GROUP, "/users", false).await;
    assert_eq!([first.status, mentioned.status], [None, None]);
    assert!(bed.readyz_becomes(503).await.contains("connection"));
    // The first attempt to read the history fails.
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(500)).on("messages").times(1));
    // So does the first one after a restart.
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
    // Events that the platform sends again have been handled by then.
    assert_eq!(bed.feishu.redeliver_pending().await, 4);
    bed.settled().await;
    for sent in answered {
        assert_eq!(bed.replies_to(sent.message_id.as_deref().unwrap()), 1);
    }
    assert_eq!(bed.replies_to(ignored.message_id.as_deref().unwrap()), 0);
    // In the order in which they were written.
    let order: Vec<String> =
        bed.feishu.messages(&direct).into_iter().filter_map(|message| message.reply_to).collect();
    let position = |id: &Option<String>| order.iter().position(|other| Some(other) == id.as_ref());
    assert!(position(&first.message_id) < position(&second.message_id));
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_whose_history_cannot_be_read_keeps_no_other_waiting() {
    let bed = start(one_account()).await;
    bed.ask(ADMIN, "/help").await;
    // The chat with the newest message is read first.
    bed.clock.advance(SignedDuration::from_secs(1));
    bed.ask_in(VIEWER, GROUP, "/help", true).await;
    outage(&bed).await;
    let direct = bed.feishu.direct_chat(ADMIN);
    let other = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    let first = bed.feishu.say(VIEWER, GROUP, "/users", true).await;
    assert!(bed.readyz_becomes(503).await.contains("connection"));
    // The second history can be read, and no other.
    let unread = || FaultRule::new(Fault::Status(500)).on("messages");
    bed.feishu.faults().clear();
    bed.feishu.faults().inject(unread().times(1));
    bed.feishu.faults().inject(unread().after(2));
    assert!(bed.reply_to(&other).await.is_some(), "the other chat");
    bed.feishu.faults().clear();
    assert!(bed.reply_to(&first).await.is_some(), "once it can be read");
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_during_a_gap_hides_no_message() {
    let bed = start(one_account()).await;
    bed.ask(ADMIN, "/help").await;
    outage(&bed).await;
    bed.clock.advance(SignedDuration::from_hours(-1));
    let direct = bed.feishu.direct_chat(ADMIN);
    let written = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    assert_eq!(written.status, None);
    bed.feishu.faults().clear();
    assert!(bed.reply_to(&written).await.is_some());
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_older_than_eight_hours_are_not_acted_on() {
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
    assert_eq!(bed.replies_to(old.message_id.as_deref().unwrap()), 0);
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_pushed_again_is_handled_once() {
    let bed = start(one_account()).await;
    let direct = bed.feishu.direct_chat(ADMIN);
    let sent = bed.feishu.say(ADMIN, &direct, "/help", false).await;
    for _ in 0..3 {
        assert_eq!(bed.feishu.redeliver(&sent).await.status, Some(200));
    }
    bed.feishu.connections().drop_all();
    seen(&bed, |now| now.opened > 1).await;
    bed.readyz_becomes(200).await;
    assert_eq!(bed.feishu.redeliver(&sent).await.status, Some(200));
    bed.settled().await;
    assert_eq!(bed.replies_to(sent.message_id.as_deref().unwrap()), 1);
    rules_kept(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_the_connection_at_once() {
    let mut bed = start(one_account()).await;
    bed.restart().await;
    let overview = seen(&bed, |now| now.opened == 2 && now.open == 1).await;
    assert_eq!(overview.farewells, [1000]);
    bed.readyz_becomes(200).await;
    rules_kept(&bed);
}
