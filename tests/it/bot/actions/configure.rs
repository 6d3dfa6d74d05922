//! A user's settings: those kept here, those written to the cloud, and the owner, who is looked up in Feishu.

use airgate::sandbox::feishu::Unticked;
use airgate::sandbox::volcengine::{Fault, FaultRule};
use serde_json::json;

use crate::bed::{
    ADMIN, ADMIN_2, Bed, GROUP, STRANGER, VIEWER, fragment, one_account, phrase, text, text_of,
    toast_of,
};

async fn bed() -> Bed {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_user("alice");
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    // People who have written to the bot can be chosen as owner.
    bed.ask(STRANGER, "/me").await;
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

    // Empty thresholds mean the global ones; the owner is removed.
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
    bed.shows(&card, &phrase("configure.cloud_saved")).await;
    let there = bed.cloud.read(|cloud| cloud.user("main", "alice").unwrap().clone());
    assert_eq!((&*there.display_name, &*there.email), ("爱丽丝", "a@example.cn"));
    assert_eq!(there.mobile_phone, "+8613800000009");
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
    let shown = bed.shows(&card, &fragment("configure.cloud_failed")).await;
    assert!(text_of(&shown).contains("AccessDenied"), "{}", text_of(&shown));
    // The form keeps what was not saved.
    assert!(shown.content.contains("\"default_value\":\"爱丽丝\""), "{}", shown.content);
    let user = bed.user("main/alice");
    assert_eq!((user.remark.as_str(), user.display_name.as_str()), ("kept", "alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_and_only_administrators_save() {
    let bed = bed().await;
    let card = opened(&bed).await;
    for (name, value) in [
        ("thresholds", "501"),
        ("month_limit", "-5"),
        ("month_limit", "0"),
        ("month_limit", "1,00"),
        ("email", "not an address"),
        ("phone", "12"),
        ("other_owner", "alice"),
    ] {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_month_limit_is_saved_and_emptied_and_a_refused_one_keeps_what_was_typed() {
    let bed = bed().await;
    let limit = |bed: &Bed| {
        let limit = bed.user("main/alice").month_limit;
        limit.map(|limit| limit.amount().to_string())
    };
    let card = opened(&bed).await;
    let fields = json!({"month_limit": "1,00", "remark": "typed", "auto_disable": true});
    bed.submit(ADMIN, &card, "user.configure", fields).await;
    assert_eq!(limit(&bed), None);
    assert_eq!(bed.field(&card, "month_limit"), "1,00");
    assert_eq!(bed.field(&card, "remark"), "typed");
    bed.submit(ADMIN, &card, "user.configure", json!({"month_limit": "１，000.5"})).await;
    assert_eq!(limit(&bed).as_deref(), Some("¥1,000.50"));
    assert!(bed.texts(&card).contains("¥1,000.50"), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    assert_eq!(bed.field(&card, "month_limit"), "1000.50");
    // A form of an older card does not show it: it stays.
    let older = json!({"action": "user.configure", "user": "main/alice"});
    bed.forged(ADMIN, &card, older, Some(json!({"remark": "older"}))).await;
    assert_eq!(limit(&bed).as_deref(), Some("¥1,000.50"));
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    bed.submit(ADMIN, &card, "user.configure", json!({"month_limit": ""})).await;
    assert_eq!(limit(&bed), None);
}

/// The people offered as owner, in order.
fn offered(bed: &Bed, card: &str) -> Vec<String> {
    let json = bed.message(card).json();
    let form = json["body"]["elements"].as_array().unwrap().iter().find(|e| e["tag"] == "form");
    let fields = form.unwrap()["elements"].as_array().unwrap();
    let select = fields.iter().find(|field| field["name"] == "owner").unwrap();
    let options = select["options"].as_array().cloned().unwrap_or_default();
    options.iter().map(|option| option["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_direct_chat_an_owner_is_chosen_from_the_people_the_bot_knows() {
    let bed = bed().await;
    let known = |bed: &Bed| {
        let names = bed.store.read(|tx| tx.known_people()).unwrap();
        names.values().filter(|name| name.is_some()).count() >= 3
    };
    bed.eventually("names of administrators and viewers", known).await;
    let card = opened(&bed).await;
    let people = offered(&bed, &card);
    for person in [ADMIN, ADMIN_2, VIEWER, STRANGER] {
        assert!(people.iter().any(|id| id == person), "{person}: {people:?}");
    }
    bed.submit(ADMIN, &card, "user.configure", json!({"owner": STRANGER})).await;
    assert_eq!(bed.user("main/alice").owner.unwrap().as_str(), STRANGER);
    // The name is looked up in the background.
    let named = |bed: &Bed| {
        bed.store.read(|tx| tx.person_name(&STRANGER.parse().unwrap())).unwrap().is_some()
    };
    bed.eventually("the owner's name", named).await;
    let shown = text_of(&bed.ask(VIEWER, "/user alice").await);
    assert!(shown.contains("路人甲") && !shown.contains(STRANGER), "{shown}");
    // The current owner comes first.
    let card = opened(&bed).await;
    assert_eq!(offered(&bed, &card)[0], STRANGER);

    // In a group the client offers the members instead.
    let there = bed.ask_in(ADMIN, GROUP, "/user alice", true).await.message_id;
    bed.press(ADMIN, &there, json!({"action": "user.configure"})).await;
    assert_eq!(offered(&bed, &there), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_nobody_knows_is_named_by_mobile_number_or_id() {
    let bed = bed().await;
    let card = opened(&bed).await;
    let fields = json!({"other_owner": " 13800000004 ", "remark": "r"});
    let saving = bed.submit(ADMIN, &card, "user.configure", fields).await;
    assert!(toast_of(&saving).starts_with("info"), "{saving:?}");
    bed.shows(&card, &text("toast.user_saved", &[("user", &"alice")])).await;
    let user = bed.user("main/alice");
    assert_eq!((user.owner.unwrap().as_str(), user.remark.as_str()), (STRANGER, "r"));

    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    bed.submit(ADMIN, &card, "user.configure", json!({"other_owner": VIEWER})).await;
    assert_eq!(bed.user("main/alice").owner.unwrap().as_str(), VIEWER);

    // An unknown number changes no owner, and stays in the form with the reason.
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    let fields = json!({"other_owner": "13900000009", "display_name": "爱丽丝"});
    bed.submit(ADMIN, &card, "user.configure", fields).await;
    let shown =
        bed.shows(&card, &text("configure.owner_unknown", &[("mobile", &"13900000009")])).await;
    assert!(shown.content.contains("\"default_value\":\"13900000009\""), "{}", shown.content);
    let user = bed.user("main/alice");
    assert_eq!((user.owner.unwrap().as_str(), user.display_name.as_str()), (VIEWER, "爱丽丝"));
    for neither in ["alice", "ou 1", "12"] {
        let fields = json!({"other_owner": neither});
        let refused = bed.submit(ADMIN, &card, "user.configure", fields).await;
        assert!(toast_of(&refused).starts_with("error"), "{neither}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remark_keeps_its_lines() {
    let bed = bed().await;
    let card = opened(&bed).await;
    let fields = json!({"remark": "第一行\r\n  第二行\n\n\n\n第三行 <at id=all></at>\n"});
    bed.submit(ADMIN, &card, "user.configure", fields).await;
    let shown = bed.texts(&card);
    assert!(shown.contains("第一行\n第二行\n\n第三行 <at id=all></at>"), "{shown}");
    // Saving another field keeps the remark.
    bed.press(ADMIN, &card, json!({"action": "user.configure"})).await;
    bed.submit(ADMIN, &card, "user.configure", json!({"thresholds": "60"})).await;
    let remark = bed.user("main/alice").remark;
    assert_eq!(remark, "第一行\n第二行\n\n第三行 <at id=all></at>");
}

/// Clients differ in what they send of a form.
#[tokio::test(flavor = "multi_thread")]
async fn emptied_fields_are_cleared_whatever_the_client_omits() {
    let bed = bed().await;
    let filled = json!({"thresholds": "30,70", "remark": "临时", "display_name": "爱丽丝",
        "email": "a@example.cn", "phone": "13800000009", "owner": STRANGER});
    for (unticked, left_out, no_value) in [
        (Unticked::False, false, false),
        (Unticked::Missing, true, true),
        (Unticked::Empty, true, false),
    ] {
        bed.feishu.set_quirks(|quirks| {
            quirks.unticked = unticked;
            quirks.empty_fields_are_left_out = left_out;
            quirks.submits_lack_value = no_value;
        });
        let card = opened(&bed).await;
        let mut fields = filled.clone();
        fields["monitor"] = json!(true);
        bed.submit(ADMIN, &card, "user.configure", fields).await;
        bed.shows(&card, &phrase("configure.cloud_saved")).await;
        let user = bed.user("main/alice");
        assert_eq!((user.remark.as_str(), user.monitored.is_on()), ("临时", true));
        assert_eq!(user.email, "a@example.cn");

        let card = opened(&bed).await;
        let emptied = json!({"thresholds": "", "remark": "", "email": "", "monitor": false});
        bed.submit(ADMIN, &card, "user.configure", emptied).await;
        bed.shows(&card, &phrase("configure.cloud_saved")).await;
        let user = bed.user("main/alice");
        assert_eq!((user.thresholds, user.remark.as_str()), (None, ""), "{unticked:?}");
        assert!(!user.monitored.is_on(), "{unticked:?}");
        assert_eq!((user.email.as_str(), user.phone.as_str()), ("", "+8613800000009"));
        assert_eq!(user.owner.unwrap().as_str(), STRANGER);
    }
}

/// Feishu refuses a whole card because of one person unknown to the app.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_unknown_to_the_bot_is_not_offered_and_stays() {
    let bed = bed().await;
    bed.change("main/alice", |user| user.owner = "ou_left_the_company".parse().ok());
    let card = opened(&bed).await;
    assert!(!bed.message(&card).content.contains("\"ou_left_the_company\""));
    bed.submit(ADMIN, &card, "user.configure", json!({"remark": "kept"})).await;
    let user = bed.user("main/alice");
    assert_eq!(
        (user.remark.as_str(), user.owner.unwrap().as_str()),
        ("kept", "ou_left_the_company")
    );
}
