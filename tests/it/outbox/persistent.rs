//! Messages that fail again and again: content that the platform cannot handle, a person that it refuses, a permission
//! that is missing for a while, a message that is gone.

use airgate::cards::{Cards, Locale, OpIds, Tone};
use airgate::domain::{Dispatch, MessageId, Notice, SavedSettings, UpdateTarget};
use airgate::sandbox::feishu::{Fault, FaultRule, Sender};
use airgate::store::NewMessage;
use jiff::SignedDuration;

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, VIEWER, one_account, phrase, text_of};
use crate::monitor::{alice, save, spend};

fn card(title: &str) -> String {
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    cards.message(Tone::Warning, title, "words").into_string()
}

fn owe(bed: &Bed, lane: &str, dispatch: Dispatch) -> u64 {
    let now = bed.clock.now();
    let id = bed.store.write(|tx| tx.owe(NewMessage::new(lane, dispatch, now), now)).unwrap();
    bed.service().wakers().outbox.notify_one();
    id
}

fn owe_to_group(bed: &Bed, title: &str) -> u64 {
    let dispatch = Dispatch::ToChat { chat: GROUP.parse().unwrap(), card: card(title) };
    owe(bed, &format!("chat:{GROUP}"), dispatch)
}

fn refusal(http: u16, code: i64) -> Fault {
    Fault::Code { http, code, msg: "a made-up answer".to_owned() }
}

/// Lets time pass in steps of the longest back-off, with an attempt at the group's first message after each.
async fn pass(bed: &Bed, minutes: i64) {
    let lane = format!("chat:{GROUP}");
    let head = |bed: &Bed| {
        let heads = bed.store.read(|tx| tx.lane_heads()).unwrap();
        heads.into_iter().find(|head| head.lane == lane).map(|head| (head.id, head.attempts))
    };
    for _ in 0..minutes / 6 {
        let before = head(bed);
        bed.clock.advance(SignedDuration::from_mins(6));
        bed.service().wakers().outbox.notify_one();
        bed.eventually("an attempt", |bed| before.is_none() || head(bed) != before).await;
    }
}

async fn quiet() -> Bed {
    Bed::with(one_account(), &[("MONITOR__ENABLED", "false")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_the_platform_fails_on_gives_way_to_a_plain_card_after_a_quarter_of_an_hour()
{
    let bed = quiet().await;
    bed.feishu.faults().inject(FaultRule::new(refusal(500, 2200)).on("send").holding("毒"));
    let first = owe_to_group(&bed, "毒");
    owe_to_group(&bed, "下一条");
    bed.eventually("an attempt", |bed| bed.requests("send") > 0).await;
    pass(&bed, 12).await;
    assert!(bed.by_the_bot(GROUP).is_empty(), "it may still pass");
    pass(&bed, 12).await;
    bed.settled().await;
    let sent = bed.by_the_bot(GROUP);
    let shown: Vec<String> = sent.iter().map(text_of).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].contains(&phrase("undelivered.plain")), "{shown:?}");
    assert!(shown[1].contains("下一条"), "{shown:?}");
    // Later updates of the card find the one that took its place.
    let stands_in = bed.store.read(|tx| tx.sent_as(first)).unwrap();
    assert_eq!(stands_in.as_ref().map(MessageId::as_str), Some(sent[0].message_id.as_str()));
    let monitor = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(monitor.contains(&phrase("monitor.failed")), "{monitor}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_costs_no_content_however_long_it_lasts() {
    let bed = quiet().await;
    bed.feishu.faults().inject(FaultRule::new(refusal(500, 2200)).on("send"));
    owe_to_group(&bed, "第一条");
    bed.eventually("an attempt", |bed| bed.requests("send") > 0).await;
    pass(&bed, 60).await;
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_mins(6));
    bed.service().wakers().outbox.notify_one();
    bed.settled().await;
    let shown: Vec<String> = bed.by_the_bot(GROUP).iter().map(text_of).collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("第一条"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_left_costs_an_alert_its_mention_and_nothing_else() {
    let bed = alice(&[
        ("FEISHU__ALERT_MOBILES", "13800000002,13800000003"),
        ("FEISHU__ALERT_WEBHOOK_SECRET", "hook-secret"),
    ])
    .await;
    bed.feishu.add_group("oc_hook", "机器人群");
    let url = bed.feishu.add_hook("hook-1", Some("hook-secret"), "oc_hook");
    save(&bed, &SavedSettings { webhook_url: Some(Some(url)), ..SavedSettings::default() });
    // The mention is known by its number before the person leaves.
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    let before = bed.alerts().pop().unwrap();
    assert!(text_of(&before).contains(ADMIN_2) && text_of(&before).contains(VIEWER));
    bed.feishu.remove_person(ADMIN_2);
    spend(&bed, "team-a", "34", "2026-11");
    bed.cycle().await;
    let after = bed.alerts().pop().unwrap();
    let hooked = bed.feishu.messages("oc_hook").pop().unwrap();
    assert_eq!(hooked.sender, Sender::Hook("hook-1".to_owned()));
    for card in [&after, &hooked] {
        let shown = text_of(card);
        assert!(shown.contains("¥84.00") && shown.contains("team-a"), "{shown}");
        assert!(!shown.contains(ADMIN_2) && shown.contains(VIEWER), "{shown}");
    }
    assert!(
        bed.feishu
            .find_button(&after.message_id, |value| value["action"] == "quota.open")
            .is_some(),
        "its buttons are there"
    );
    assert_eq!(bed.alert_records()[0].notice, Notice::Delivered);
    let refused: airgate::domain::OpenId = ADMIN_2.parse().unwrap();
    let offered = bed.store.read(|tx| tx.known_people()).unwrap();
    assert!(!offered.contains_key(&refused), "and is not offered any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_for_a_missing_permission_and_administrators_are_told() {
    for (http, code) in [(400, 99_991_672), (400, 230_006), (400, 230_027)] {
        let bed = alice(&[]).await;
        let missing = FaultRule::new(refusal(http, code)).on("send").holding("alice");
        bed.feishu.faults().inject(missing);
        spend(&bed, "team-a", "100", "2026-11");
        bed.service().monitor().cycle().await.unwrap();
        bed.eventually("an attempt", |bed| bed.requests("send") > 0).await;
        pass(&bed, 12).await;
        let waiting = text_of(&bed.ask(ADMIN, "/monitor").await);
        assert!(waiting.contains(&phrase("delivery.not_permitted")), "{code}: {waiting}");
        let told = bed.by_the_bot(&bed.feishu.direct_chat(ADMIN));
        assert!(
            told.iter().any(|card| text_of(card).contains(&phrase("delivery.not_permitted"))),
            "{code}: administrators are told"
        );
        assert!(bed.alerts().is_empty());
        bed.feishu.faults().clear();
        bed.clock.advance(SignedDuration::from_mins(6));
        bed.service().wakers().outbox.notify_one();
        bed.settled().await;
        let alert = text_of(&bed.alerts()[0]);
        assert!(alert.contains("alice") && alert.contains("¥100.00"), "{code}: {alert}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_a_message_that_is_gone() {
    for code in [230_011, 230_019, 231_003, 99_992_354] {
        let bed = quiet().await;
        let shown = bed.ask(ADMIN, "/help").await.message_id;
        bed.settled().await;
        let sent = bed.sent_count();
        for endpoint in ["patch", "reply"] {
            bed.feishu.faults().inject(FaultRule::new(refusal(400, code)).on(endpoint));
        }
        let lane = format!("chat:{}", bed.feishu.direct_chat(ADMIN));
        let message: MessageId = shown.parse().unwrap();
        let target = UpdateTarget::Message { id: message.clone() };
        owe(&bed, &lane, Dispatch::Update { target, card: card("neu") });
        owe(&bed, &lane, Dispatch::Reply { to: message.clone(), card: card("neu") });
        let place = airgate::domain::FilePlace::Message { id: message };
        let (table, name) = ("users".to_owned(), "users.csv".to_owned());
        owe(&bed, &format!("file:{lane}"), Dispatch::File { place, table, name });
        bed.settled().await;
        assert_eq!(
            bed.sent_count(),
            sent,
            "{code}: neither a plain card nor a word to administrators"
        );
        assert_eq!(bed.requests("patch"), 1, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unclear_card_whose_title_the_history_hides_is_not_sent_twice() {
    let bed = quiet().await;
    bed.feishu.set_quirks(|quirks| quirks.history_hides_titles = true);
    owe_to_group(&bed, "告警");
    bed.settled().await;
    bed.feishu.faults().inject(FaultRule::new(Fault::ResetConnection).on("send").applied(true));
    owe_to_group(&bed, "告警二");
    bed.eventually("an attempt", |bed| bed.by_the_bot(GROUP).len() == 2).await;
    pass(&bed, 60).await;
    bed.feishu.faults().clear();
    bed.clock.advance(SignedDuration::from_mins(6));
    bed.service().wakers().outbox.notify_one();
    bed.settled().await;
    assert_eq!(bed.by_the_bot(GROUP).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_is_never_answered_gives_way_to_a_plain_card_as_well() {
    let bed = quiet().await;
    let silent = FaultRule::new(Fault::ResetConnection).on("send").holding("毒").applied(false);
    bed.feishu.faults().inject(silent);
    owe_to_group(&bed, "毒");
    owe_to_group(&bed, "下一条");
    bed.eventually("an attempt", |bed| bed.requests("send") > 0).await;
    pass(&bed, 12).await;
    assert!(bed.by_the_bot(GROUP).is_empty(), "it may still pass");
    pass(&bed, 12).await;
    bed.settled().await;
    let shown: Vec<String> = bed.by_the_bot(GROUP).iter().map(text_of).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].contains(&phrase("undelivered.plain")), "{shown:?}");
    assert!(shown[1].contains("下一条"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_without_answers_costs_no_content_even_if_it_ends_during_an_attempt() {
    let bed = quiet().await;
    let silent = || FaultRule::new(Fault::ResetConnection).on("send").applied(false);
    bed.feishu.faults().inject(silent());
    owe_to_group(&bed, "第一条");
    bed.eventually("an attempt", |bed| bed.requests("send") > 0).await;
    pass(&bed, 60).await;
    bed.feishu.faults().clear();
    bed.feishu.faults().inject(silent().times(1));
    bed.clock.advance(SignedDuration::from_mins(6));
    bed.service().wakers().outbox.notify_one();
    bed.settled().await;
    let shown: Vec<String> = bed.by_the_bot(GROUP).iter().map(text_of).collect();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("第一条"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_does_not_lengthen_the_quarter_of_an_hour() {
    let bed = quiet().await;
    bed.feishu.faults().inject(FaultRule::new(refusal(500, 2200)).on("send").holding("毒"));
    owe_to_group(&bed, "毒");
    bed.eventually("an attempt", |bed| bed.requests("send") > 0).await;
    bed.clock.advance(SignedDuration::from_hours(-24));
    pass(&bed, 30).await;
    bed.settled().await;
    let shown: Vec<String> = bed.by_the_bot(GROUP).iter().map(text_of).collect();
    assert!(shown.len() == 1 && shown[0].contains(&phrase("undelivered.plain")), "{shown:?}");
}
