//! A user's settings, and what of them goes to the cloud.

use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;

use crate::bed::{ADMIN, Bed, STRANGER, VIEWER, one_account, text_of, toast_of};

async fn bed() -> Bed {
    let mut cloud = one_account();
    cloud.add_user("main", "alice").unwrap();
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    bed
}

/// Opens the form from the user's card.
async fn opened(bed: &Bed) -> String {
    let card = bed.ask(ADMIN, "/user alice").await;
    bed.press(ADMIN, &card.message_id, json!({"action": "user.configure"})).await;
    card.message_id
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_saved_and_shown() {
    let bed = bed().await;
    let card = opened(&bed).await;
    let fields = json!({"thresholds": "30,70", "monitor": false, "auto_disable": false,
        "remark": "临时 <b>", "owner": STRANGER});
    let saved = bed.submit(ADMIN, &card, "user.configure", fields).await;
    assert!(toast_of(&saved).starts_with("success"), "{saved:?}");
    let user = bed.user("main/alice");
    assert_eq!(user.thresholds.as_ref().unwrap().percents(), [30, 70]);
    assert!(!user.monitored.is_on() && !user.auto_disable.is_on());
    assert_eq!((user.remark.as_str(), user.owner.unwrap().as_str()), ("临时 <b>", STRANGER));
    let shown = bed.texts(&card);
    assert!(shown.contains("30% / 70%") && shown.contains("临时 <b>"), "{shown}");

    // Emptied thresholds are the global ones again; nobody owns the user any more.
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    let fields = json!({"thresholds": "", "monitor": true, "no_owner": true});
    bed.submit(ADMIN, &card, "user.configure", fields).await;
    let user = bed.user("main/alice");
    assert_eq!((user.thresholds, user.owner), (None, None));
    assert!(user.monitored.is_on() && !user.auto_disable.is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_goes_to_the_cloud() {
    let bed = bed().await;
    let card = opened(&bed).await;
    let fields = json!({"display_name": "爱丽丝", "email": "a@example.cn", "phone": "13800000009"});
    let saving = bed.submit(ADMIN, &card, "user.configure", fields).await;
    assert!(toast_of(&saving).starts_with("info"), "{saving:?}");
    bed.card_becomes(&card, |content| content.contains("云端资料也已更新")).await;
    let there = bed.cloud.read(|cloud| cloud.user("main", "alice").unwrap().clone());
    assert_eq!((&*there.display_name, &*there.email), ("爱丽丝", "a@example.cn"));
    assert_eq!(there.mobile_phone, "13800000009");
    assert_eq!(bed.user("main/alice").display_name, "爱丽丝");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_cloud_says_what_was_saved_and_what_was_not() {
    let bed = bed().await;
    bed.cloud.faults().inject(
        FaultRule::new(Fault::Code {
            http: 403,
            code: "AccessDenied".to_owned(),
            message: "no permission".to_owned(),
        })
        .on("UpdateUser"),
    );
    let card = opened(&bed).await;
    let fields = json!({"remark": "kept", "display_name": "爱丽丝"});
    bed.submit(ADMIN, &card, "user.configure", fields).await;
    let shown = bed.card_becomes(&card, |content| content.contains("云端资料没有保存")).await;
    assert!(text_of(&shown).contains("AccessDenied"), "{}", text_of(&shown));
    // What was not saved is still in the form.
    assert!(shown.content.contains("\"default_value\":\"爱丽丝\""), "{}", shown.content);
    let user = bed.user("main/alice");
    assert_eq!((user.remark.as_str(), user.display_name.as_str()), ("kept", "alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_and_only_administrators_save() {
    let bed = bed().await;
    let card = opened(&bed).await;
    for (name, value) in
        [("thresholds", "501"), ("email", "not an address"), ("phone", "12"), ("owner", "alice")]
    {
        let refused = bed.submit(ADMIN, &card, "user.configure", json!({name: value})).await;
        assert!(toast_of(&refused).starts_with("error"), "{name} {value}: {refused:?}");
    }
    let value = json!({"action": "user.configure", "user": "main/alice"});
    for person in [VIEWER, STRANGER] {
        let form = Some(json!({"remark": "mine"}));
        let denied = bed.forged(person, &card, value.clone(), form).await;
        assert!(toast_of(&denied).starts_with("error"), "{denied:?}");
    }
    let long = "x".repeat(501);
    let refused = bed.forged(ADMIN, &card, value, Some(json!({"remark": long}))).await;
    assert!(toast_of(&refused).contains("500"), "{refused:?}");
    let user = bed.user("main/alice");
    assert_eq!((user.remark.as_str(), user.thresholds, user.owner), ("", None, None));
}
