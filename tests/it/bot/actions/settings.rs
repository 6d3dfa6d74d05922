//! Global settings: `/config`, by real clicks.

use airgate::sandbox::feishu::{Fault, FaultRule};
use serde_json::json;

use crate::bed::{
    ADMIN, Bed, GROUP, VIEWER, fragment, one_account, phrase, text, text_of, toast_of,
};

const OTHER: &str = "oc_other";

#[tokio::test(flavor = "multi_thread")]
async fn saved_values_override_the_file_and_survive_a_restart() {
    let mut bed = Bed::start(one_account()).await;
    bed.feishu.add_group(OTHER, "另一个群");
    let card = bed.ask(ADMIN, "/config").await;
    let shown = text_of(&card);
    assert!(shown.contains("50% / 80% / 90%"), "{shown}");
    assert!(!shown.contains(&phrase("config.from_chat")), "{shown}");

    let hook = bed.feishu.add_hook("s3cret-hook", None, GROUP);
    let fields = json!({"thresholds": "60，95", "interval_seconds": "1800", "webhook_url": hook,
        "mobiles": "13800000001", "alert_chat_id": OTHER});
    let saved = bed.submit(ADMIN, &card.message_id, "config.save", fields).await;
    assert!(toast_of(&saved).starts_with("success"), "{saved:?}");
    let shown = bed.texts(&card.message_id);
    assert!(
        shown.contains("60% / 95%") && shown.contains(&text("time.minutes", &[("count", &30)])),
        "{shown}"
    );
    assert_eq!(shown.matches(&phrase("config.from_chat")).count(), 5, "{shown}");
    let content = bed.message(&card.message_id).content;
    assert!(!content.contains("s3cret-hook"), "the address of a webhook is a secret");

    bed.restart().await;
    let settings = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(settings.interval_seconds, Some(1800));
    assert!(
        text_of(&bed.ask(ADMIN, "/monitor").await)
            .contains(&text("time.minutes", &[("count", &30)]))
    );

    // The test alert goes to the new group and the webhook, and mentions a person.
    let card = bed.ask(ADMIN, "/config").await;
    bed.press(ADMIN, &card.message_id, json!({"action": "config.test"})).await;
    bed.settled().await;
    let sent = bed.feishu.messages(OTHER);
    assert!(sent.iter().any(|message| message.content.contains(&phrase("alert.test"))), "{sent:?}");
    assert!(sent.iter().any(|message| message.content.contains("<at id=")), "{sent:?}");
    let hooked = bed.alerts();
    assert_eq!(
        hooked.iter().filter(|m| m.content.contains(&phrase("alert.test"))).count(),
        1,
        "{hooked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_group_is_shown_by_its_name_and_without_one_by_its_id() {
    let bed = Bed::start(one_account()).await;
    let facts = async || text_of(&bed.ask(ADMIN, "/config").await);
    bed.feishu.add_group(OTHER, "另一个群");
    let card = bed.ask(ADMIN, "/config").await;
    let fields = json!({"alert_chat_id": OTHER});
    bed.submit(ADMIN, &card.message_id, "config.save", fields).await;
    // It is read in the background.
    crate::bed::eventually("the group's name", || {
        bed.store.read(|tx| tx.chat_name(&OTHER.parse().unwrap())).unwrap().is_some()
    })
    .await;
    let shown = facts().await;
    assert!(shown.contains("另一个群") && !shown.contains(OTHER), "{shown}");
    let card = bed.ask(ADMIN, "/config").await;
    assert_eq!(bed.field(&card.message_id, "alert_chat_id"), OTHER);
    // A group whose name cannot be read.
    let fields = json!({"alert_chat_id": "oc_unknown"});
    bed.submit(ADMIN, &card.message_id, "config.save", fields).await;
    assert!(facts().await.contains("oc_unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_chosen_on_the_card_are_mentioned_and_can_be_taken_out_again() {
    let bed = Bed::start(one_account()).await;
    // They have written to the bot, so they are on offer.
    bed.ask(VIEWER, "/help").await;
    let card = bed.ask(ADMIN, "/config").await.message_id;
    let saved = bed.submit(ADMIN, &card, "config.save", json!({"people": [VIEWER]})).await;
    assert!(toast_of(&saved).starts_with("success"), "{saved:?}");
    bed.press(ADMIN, &card, json!({"action": "config.test"})).await;
    bed.settled().await;
    let sent = bed.feishu.messages(GROUP).pop().unwrap();
    assert!(sent.content.contains(&format!("<at id={VIEWER}></at>")), "{}", sent.content);
    // A form without the field, as earlier versions had it, leaves them.
    let value = json!({"action": "config.save", "op": "earlier"});
    bed.forged(ADMIN, &card, value, Some(json!({"thresholds": "50"}))).await;
    let people = || bed.store.read(|tx| tx.saved_settings()).unwrap().people;
    assert_eq!(people(), [VIEWER.parse().unwrap()]);
    let card = bed.ask(ADMIN, "/config").await.message_id;
    let saved = bed.submit(ADMIN, &card, "config.save", json!({"people": []})).await;
    assert!(toast_of(&saved).starts_with("success"), "{saved:?}");
    assert_eq!(people(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_that_is_none_of_those_on_offer_stays_an_option() {
    let bed = Bed::with(one_account(), &[("MONITOR__INTERVAL_SECONDS", "7")]).await;
    let card = bed.ask(ADMIN, "/config").await;
    assert!(text_of(&card).contains(&text("time.seconds", &[("count", &7)])));
    let typed = json!({"interval_seconds": "5400", "thresholds": "0"});
    let value = json!({"action": "config.save", "op": "typed"});
    let refused = bed.forged(ADMIN, &card.message_id, value, Some(typed)).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
    let saved =
        bed.submit(ADMIN, &card.message_id, "config.save", json!({"thresholds": "50"})).await;
    assert!(toast_of(&saved).starts_with("success"), "{saved:?}");
    let settings = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(settings.interval_seconds, Some(5400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_back_untouched_changes_nothing() {
    let bed = Bed::with(one_account(), &[("MONITOR__INTERVAL_SECONDS", "7")]).await;
    let card = bed.ask(ADMIN, "/config").await;
    let saved = bed.submit(ADMIN, &card.message_id, "config.save", json!({})).await;
    assert!(toast_of(&saved).starts_with("success"), "{saved:?}");
    let settings = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!((settings.interval_seconds, settings.thresholds), (None, None));
    assert_eq!((settings.alert_chat, settings.mobiles), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_field_restores_the_value_of_the_configuration_and_a_dash_means_none() {
    let bed = Bed::with(one_account(), &[("FEISHU__ALERT_CHAT_ID", OTHER)]).await;
    let card = bed.ask(ADMIN, "/config").await;
    for (typed, saved) in [("-", Some(None)), ("", None)] {
        let form = json!({"alert_chat_id": typed, "mobiles": typed});
        let done = bed.submit(ADMIN, &card.message_id, "config.save", form).await;
        assert!(toast_of(&done).starts_with("success"), "{done:?}");
        let settings = bed.store.read(|tx| tx.saved_settings()).unwrap();
        assert_eq!(settings.alert_chat, saved, "typed {typed:?}");
        assert_eq!(settings.mobiles, None, "nobody was mentioned before either");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_values_are_refused_and_stay_in_the_form() {
    let bed = Bed::start(one_account()).await;
    let card = bed.ask(ADMIN, "/config").await;
    for (name, value) in [
        ("thresholds", "0"),
        ("thresholds", "50,x"),
        ("webhook_url", "http://open.feishu.cn/hook/x"),
        ("webhook_url", "https://evil.example/hook/x"),
        ("mobiles", "138-0000"),
        ("alert_chat_id", "告警群"),
    ] {
        let refused =
            bed.submit(ADMIN, &card.message_id, "config.save", json!({name: value})).await;
        assert!(toast_of(&refused).starts_with("error"), "{name} {value}: {refused:?}");
        // The form keeps what was typed, except the address of a webhook, which is a secret.
        let shown = if name == "webhook_url" { "" } else { value };
        assert_eq!(bed.field(&card.message_id, name).as_str().unwrap_or_default(), shown, "{name}");
    }
    // A select offers no such interval, but cards of earlier versions have a field for it.
    for typed in ["59", "1h"] {
        let value = json!({"action": "config.save", "op": format!("typed-{typed}")});
        let form = json!({"interval_seconds": typed});
        let refused = bed.forged(ADMIN, &card.message_id, value, Some(form)).await;
        assert!(toast_of(&refused).starts_with("error"), "{typed}: {refused:?}");
    }
    let saved = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(saved, airgate::domain::SavedSettings::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_see_and_change_settings_and_a_form_applies_once() {
    let bed = Bed::start(one_account()).await;
    let card = bed.ask(ADMIN, "/config").await;
    assert!(!text_of(&bed.ask(VIEWER, "/config").await).contains(GROUP));
    let form = json!({"thresholds": "70"});
    let value = json!({"action": "config.save", "op": "once-1"});
    let denied = bed.forged(VIEWER, &card.message_id, value.clone(), Some(form.clone())).await;
    assert!(toast_of(&denied).starts_with("error"), "{denied:?}");
    bed.forged(ADMIN, &card.message_id, value.clone(), Some(form)).await;
    bed.forged(ADMIN, &card.message_id, value, Some(json!({"thresholds": "75"}))).await;
    let saved = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(saved.thresholds.unwrap().percents(), [70]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_belongs_to_nobody_is_refused_with_the_reason_and_the_others_stay() {
    let bed = Bed::start(one_account()).await;
    let card = bed.ask(ADMIN, "/config").await.message_id;
    bed.submit(ADMIN, &card, "config.save", json!({"mobiles": "13800000001"})).await;
    bed.settled().await;
    let form = json!({"mobiles": "13800000001, 13900000000", "thresholds": "70"});
    let done = bed.submit(ADMIN, &card, "config.save", form).await;
    assert_eq!(toast_of(&done), format!("success: {}", phrase("toast.settings_checking")));
    let reason = text("config.mobiles_unknown", &[("mobiles", &"13900000000")]);
    bed.shows(&card, &reason).await;
    // What was typed can be corrected.
    assert_eq!(bed.field(&card, "mobiles"), "13800000001, 13900000000");
    let saved = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(saved.mobiles, Some(vec!["13800000001".to_owned()]));
    assert_eq!(saved.thresholds.unwrap().percents(), [70]);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_cannot_be_checked_stay_and_the_card_says_so() {
    let bed = Bed::start(one_account()).await;
    let card = bed.ask(ADMIN, "/config").await.message_id;
    bed.settled().await;
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(503)).on("users.by_contact"));
    bed.submit(ADMIN, &card, "config.save", json!({"mobiles": "13900000000"})).await;
    bed.shows(&card, &fragment("config.mobiles_unread")).await;
    let saved = bed.store.read(|tx| tx.saved_settings()).unwrap();
    assert_eq!(saved.mobiles, Some(vec!["13900000000".to_owned()]));
    bed.feishu.faults().clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_alert_says_whom_it_does_not_mention() {
    let mobiles = "13800000001,13900000000";
    let bed = Bed::with(one_account(), &[("FEISHU__ALERT_MOBILES", mobiles)]).await;
    let card = bed.ask(ADMIN, "/config").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "config.test"})).await;
    bed.settled().await;
    let left_out = text("config.mobiles_left_out", &[("mobiles", &"13900000000")]);
    let sent = bed.feishu.messages(GROUP);
    let test = sent.iter().find(|message| message.content.contains(&phrase("alert.test"))).unwrap();
    assert!(text_of(test).contains(&left_out), "{}", text_of(test));
}
