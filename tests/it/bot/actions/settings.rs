//! Global settings: `/config`, by real clicks.

use serde_json::json;

use crate::bed::{ADMIN, Bed, GROUP, VIEWER, one_account, phrase, text, text_of, toast_of};

const OTHER: &str = "oc_other";

#[tokio::test(flavor = "multi_thread")]
async fn saved_values_override_the_file_and_survive_a_restart() {
    let mut bed = Bed::start(one_account()).await;
    bed.feishu.add_group(OTHER, "另一个群");
    let card = bed.ask(ADMIN, "/config").await;
    let shown = text_of(&card);
    assert!(shown.contains("50% / 80% / 90%") && shown.contains(GROUP), "{shown}");
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
        ("interval_seconds", "59"),
        ("interval_seconds", "1h"),
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
