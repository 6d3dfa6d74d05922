//! How alerts reach people, and which incidents of the monitor raise one.

use airgate::domain::{AlertBody, AlertKind, Notice, Problem, SavedSettings};
use airgate::sandbox::feishu::Sender;
use airgate::sandbox::volcengine::{Fault, FaultRule};

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, VIEWER, eventually, fragment, phrase, text, text_of};
use crate::monitor::{alice, save, spend, two_accounts};

fn problems(bed: &Bed) -> Vec<&'static str> {
    let of = |body: &AlertBody| match body {
        AlertBody::Error { problem } => Some(match problem {
            Problem::CyclesFailing { .. } => "failing",
            Problem::CyclesRecovered { .. } => "recovered",
            Problem::CredentialsRefused { .. } => "refused",
            Problem::CredentialsRecovered { .. } => "accepted",
            Problem::AccessDelayed { .. } => "delayed",
            Problem::AccessReopened { .. } => "reopened",
            Problem::StillSpending { .. } => "spending",
            Problem::PolicyTaken { .. } => "taken",
            Problem::EstimateOff { .. } => "off",
            Problem::EstimateRecovered { .. } => "agrees",
            Problem::BackupFailing { .. } => "no backup",
            Problem::BackupRecovered { .. } => "backup",
            Problem::OwnerLeft { .. } => "leaver",
            Problem::Test { .. } => "test",
        }),
        _ => None,
    };
    bed.alert_records().iter().filter_map(|alert| of(&alert.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_alerted_once_and_their_recovery_once() {
    let bed = two_accounts().await;
    for _ in 0..2 {
        bed.cloud.faults().inject(FaultRule::new(Fault::CredentialsRefused).of("main"));
        bed.cycle().await;
        bed.cycle().await;
        bed.cloud.faults().clear();
        // Another failure in between is not a recovery.
        bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).of("main"));
        bed.cycle().await;
        bed.cloud.faults().clear();
        bed.cycle().await;
        bed.cycle().await;
    }
    let one = ["refused", "accepted"];
    assert_eq!(problems(&bed), [one, one].concat(), "one cause, one alert, one recovery");
    let cards: Vec<String> = bed.alerts().iter().map(text_of).collect();
    assert!(
        cards[0].contains(&text("alert.credentials_refused", &[("account", &"main")])),
        "{cards:?}"
    );
    assert_eq!(cards.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_that_reads_nothing_is_not_a_recovery() {
    let bed = two_accounts().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::CredentialsRefused).of("main"));
    bed.cycle().await;
    bed.toggle("main/alice", "team-a", false);
    bed.cycle().await;
    assert_eq!(problems(&bed), ["refused"]);
    bed.toggle("main/alice", "team-a", true);
    bed.cycle().await;
    assert_eq!(problems(&bed), ["refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_failed_cycles_are_alerted_once_even_across_a_restart() {
    let mut bed = two_accounts().await;
    bed.cloud.faults().inject(FaultRule::new(Fault::NotJson).of("labs"));
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(problems(&bed), [""; 0]);
    bed.restart().await;
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(problems(&bed), ["failing"]);
    let card = text_of(&bed.alerts()[0]);
    assert!(card.contains(&text("alert.cycles_failing", &[("failures", &3)])), "{card}");
    assert!(card.contains("labs"), "{card}");
    bed.cloud.faults().clear();
    bed.cycle().await;
    bed.cycle().await;
    assert_eq!(problems(&bed), ["failing", "recovered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_shows_its_projects_and_its_buttons_work() {
    let bed = alice(&[("FEISHU__ALERT_MOBILES", "13800000002,13900000000")]).await;
    bed.link("main/alice", "team-b", "");
    bed.link("main/alice", "team-c", "");
    bed.toggle("main/alice", "team-c", false);
    spend(&bed, "team-a", "33.333333", "2026-11");
    spend(&bed, "team-b", "51.006", "2026-11");
    bed.cycle().await;
    let alert = bed.alerts().pop().unwrap();
    let card = text_of(&alert);
    for part in ["alice", "84.3%", "80%", "¥84.34", "¥100.00", "team-a", "¥33.33", "¥51.01"] {
        assert!(card.contains(part), "{part} is not on {card}");
    }
    assert!(!card.contains("team-c"), "{card}");
    assert!(card.find("team-b") < card.find("team-a"), "most expensive first: {card}");
    // One number is a person's; the other is nobody's.
    assert!(card.contains(&format!("<at id={ADMIN_2}></at>")), "{card}");

    for (action, shows) in
        [("quota.open", phrase("quota.allocate")), ("user.open", "alice".to_owned())]
    {
        let button = bed.feishu.find_button(&alert.message_id, |v| v["action"] == action).unwrap();
        let clicked = bed.feishu.click_raw(ADMIN, &alert.message_id, button).await;
        assert_eq!(clicked.error, None);
        // The alert stays where it is; what it opens is a reply.
        assert!(!clicked.card_updated, "{action}: {clicked:?}");
        bed.settled().await;
        let reply = bed.alerts().pop().unwrap();
        assert_eq!(reply.reply_to.as_deref(), Some(alert.message_id.as_str()), "{action}");
        assert!(text_of(&reply).contains(&shows), "{action}");
        assert!(bed.texts(&alert.message_id).contains("84.3%"), "{action}");
    }

    spend(&bed, "team-a", "6", "2026-11");
    bed.cycle().await;
    let alert = bed.alerts().pop().unwrap();
    let ask = bed.feishu.find_button(&alert.message_id, |v| v["action"] == "access.ask").unwrap();
    let asked = bed.feishu.click(ADMIN, &alert.message_id, ask).await;
    assert_eq!(asked.error, None);
    bed.settled().await;
    let alert = bed.alerts().pop().unwrap();
    let disable =
        bed.feishu.find_button(&alert.message_id, |v| v["action"] == "user.disable").unwrap();
    let refused = bed.feishu.click(VIEWER, &alert.message_id, disable.clone()).await;
    assert_eq!(refused.toast.unwrap().kind, "error");
    bed.settled().await;
    assert!(!bed.is_cut_off("alice"));
    let clicked = bed.feishu.click(ADMIN, &alert.message_id, disable).await;
    assert_eq!(clicked.error, None);
    bed.settled().await;
    assert!(bed.is_cut_off("alice"));
    assert_eq!(bed.alert_kinds(), [AlertKind::Warning, AlertKind::Warning, AlertKind::Manual]);
}

/// Saves a webhook to a separate group, and the alert chat.
fn hook(bed: &Bed, chat: Option<&str>) {
    bed.feishu.add_group("oc_hook", "机器人群");
    let url = bed.feishu.add_hook("hook-1", Some("hook-secret"), "oc_hook");
    let mut saved = SavedSettings { webhook_url: Some(Some(url)), ..SavedSettings::default() };
    saved.alert_chat = Some(chat.map(|chat| chat.parse().unwrap()));
    save(bed, &saved);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_gets_a_signed_card_without_buttons() {
    let bed = alice(&[
        ("FEISHU__ALERT_WEBHOOK_SECRET", "hook-secret"),
        ("FEISHU__ALERT_MOBILES", "13800000001"),
    ])
    .await;
    hook(&bed, Some(GROUP));
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    let [card] = &bed.feishu.messages("oc_hook")[..] else { panic!("one message") };
    assert_eq!(card.sender, Sender::Hook("hook-1".to_owned()));
    let shown = text_of(card);
    assert!(shown.contains("50.0%") && shown.contains("team-a"), "{shown}");
    assert!(shown.contains(&format!("<at id={ADMIN}></at>")), "{shown}");
    assert!(!card.content.contains("\"button\"") && !card.content.contains("callback"));
    assert_eq!(bed.alerts().len(), 1);
    assert_eq!(bed.alert_records()[0].notice, Notice::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_counts_as_delivered_once_every_channel_has_it() {
    use airgate::sandbox::feishu;
    let bed = alice(&[("FEISHU__ALERT_WEBHOOK_SECRET", "hook-secret")]).await;
    hook(&bed, Some(GROUP));
    bed.feishu.faults().inject(feishu::FaultRule::new(feishu::Fault::Status(503)).on("send"));
    spend(&bed, "team-a", "50", "2026-11");
    bed.service().monitor().cycle().await.unwrap();
    eventually("the webhook", || bed.feishu.messages("oc_hook").len() == 1).await;
    eventually("two attempts", || bed.requests("send") >= 2).await;
    assert_eq!(bed.alert_records()[0].notice, Notice::Owed);
    bed.feishu.faults().clear();
    bed.settled().await;
    assert_eq!(bed.alert_records()[0].notice, Notice::Delivered);
    assert_eq!((bed.alerts().len(), bed.feishu.messages("oc_hook").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn incessant_wake_ups_send_nothing_twice() {
    use airgate::domain::Dispatch;
    use airgate::outbox::HOOK_LANE;
    use airgate::store::NewMessage;
    const MESSAGES: usize = 60;
    let bed = alice(&[("FEISHU__ALERT_WEBHOOK_SECRET", "hook-secret")]).await;
    hook(&bed, None);
    let wakers = bed.service().wakers().clone();
    let waking = tokio::spawn(async move {
        loop {
            wakers.outbox.notify_one();
            tokio::task::yield_now().await;
        }
    });
    // Only a webhook would show duplicates: other sends carry an idempotency key.
    let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":"once"}]}}"#;
    bed.store
        .write(|tx| {
            for _ in 0..MESSAGES {
                let dispatch = Dispatch::Webhook { card: card.to_owned() };
                tx.owe(NewMessage::new(HOOK_LANE, dispatch, bed.clock.now()), bed.clock.now())?;
            }
            Ok::<_, airgate::store::StoreError>(())
        })
        .unwrap();
    bed.settled().await;
    waking.abort();
    assert_eq!(bed.feishu.messages("oc_hook").len(), MESSAGES);
}

/// The bot's cards in a direct chat that are not replies.
fn told(bed: &Bed, person: &str) -> Vec<String> {
    let chat = bed.feishu.direct_chat(person);
    bed.by_the_bot(&chat).iter().filter(|m| m.reply_to.is_none()).map(text_of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_alert_chat_each_administrator_is_told() {
    let bed = alice(&[]).await;
    save(&bed, &SavedSettings { alert_chat: Some(None), ..SavedSettings::default() });
    spend(&bed, "team-a", "50", "2026-11");
    bed.cycle().await;
    for admin in [ADMIN, ADMIN_2] {
        let [card] = &told(&bed, admin)[..] else { panic!("{admin}") };
        assert!(card.contains("50%") && !card.contains(&fragment("alert.fallback")), "{card}");
    }
    assert!(told(&bed, VIEWER).is_empty());
    assert!(bed.alerts().is_empty());
    assert_eq!(bed.alert_records()[0].notice, Notice::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_chat_is_gone_reaches_the_administrators_with_the_reason() {
    type Spoil = fn(&Bed);
    let spoils: [Spoil; 4] = [
        |bed| bed.feishu.dissolve(GROUP),
        |bed| bed.feishu.set_bot_in_chat(GROUP, false),
        // A webhook alone, whose group is dissolved.
        |bed| {
            hook(bed, None);
            bed.feishu.dissolve("oc_hook");
        },
        // A chat that never existed.
        |bed| {
            let chat = Some(Some("oc_nowhere".parse().unwrap()));
            save(bed, &SavedSettings { alert_chat: chat, ..SavedSettings::default() });
        },
    ];
    for (n, spoil) in spoils.into_iter().enumerate() {
        let bed = alice(&[("FEISHU__ALERT_WEBHOOK_SECRET", "hook-secret")]).await;
        spoil(&bed);
        spend(&bed, "team-a", "50", "2026-11");
        bed.cycle().await;
        for admin in [ADMIN, ADMIN_2] {
            let [card] = &told(&bed, admin)[..] else { panic!("{n} {admin}") };
            assert!(card.contains("50%") && card.contains(&fragment("alert.fallback")), "{card}");
        }
        assert_eq!(bed.alert_records()[0].notice, Notice::Delivered, "{n}");
        assert!(bed.alerts().is_empty());
        // The service keeps working, and the monitor card shows the failed message.
        let card = text_of(&bed.ask(ADMIN, "/monitor").await);
        assert!(card.contains(&phrase("monitor.failed")), "{card}");
    }
}
