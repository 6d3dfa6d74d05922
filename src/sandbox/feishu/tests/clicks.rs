//! Clicks: what the client allows, and how the platform judges the answers.

use futures::FutureExt;
use jiff::SignedDuration;
use serde_json::Map;

use super::*;

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn wanted(action: &'static str) -> impl Fn(&Value) -> bool {
    move |value| value["action"] == action
}

#[tokio::test]
async fn a_click_is_sent_and_its_answer_replaces_the_card() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let id = platform.send("interactive", card(json!([button("go")]))).await;
    let new = card(json!([{"tag": "hr"}]));
    bot.answer(
        200,
        &json!({"toast": {"type": "success", "content": "done"},
        "card": {"type": "raw", "data": new}}),
    );
    let click = platform.feishu.find_button(&id, wanted("go")).unwrap();
    let result = platform.feishu.click(ALICE, &id, click.clone()).await;
    assert_eq!(result.status, Some(200));
    assert_eq!(result.error, None);
    let toast = result.toast.unwrap();
    assert_eq!((toast.kind.as_str(), toast.content.as_str()), ("success", "done"));
    assert!(result.card_updated);
    let message = platform.feishu.message(&id).unwrap();
    assert_eq!((message.json(), message.revisions), (new, 1));

    let (path, envelope) = bot.last();
    assert_eq!(path, "/feishu/card");
    assert_eq!(envelope["header"]["event_type"], "card.action.trigger");
    assert_eq!(envelope["header"]["create_time"].as_str().unwrap().len(), 16);
    let event = &envelope["event"];
    assert_eq!(event["operator"]["open_id"], ALICE);
    assert_eq!(
        event["action"],
        json!({"tag": "button", "value": {"action": "go"},
        "timezone": "Asia/Shanghai"})
    );
    assert_eq!(event["context"], json!({"open_message_id": id, "open_chat_id": GROUP}));
    assert!(event["token"].as_str().unwrap().starts_with("c-"));

    // The button is gone with the old card; only a forged click can still send it.
    let gone = platform.feishu.click(ALICE, &id, click.clone()).await;
    assert_eq!(gone.status, None);
    assert!(gone.error.is_some());
    let forged = platform.feishu.click_raw(ALICE, &id, click).await;
    assert_eq!(forged.status, Some(200));
}

#[tokio::test]
async fn a_bad_answer_shows_its_code_and_leaves_the_card_unchanged() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let id = platform.send("interactive", card(json!([button("go")]))).await;
    let raw = |data: Value| json!({"card": {"type": "raw", "data": data}});
    let cases = [
        (500, json!({}), "200671"),
        (302, json!({}), "200671"),
        (200, json!([]), "200672"),
        (200, json!({"code": 0}), "200672"),
        (200, json!({"toast": {"type": "ok"}}), "200672"),
        (200, raw(json!({"elements": []})), "200830"),
        (200, raw(card(json!([{"tag": "note"}]))), "200673"),
        (200, raw(card(json!([button("x"), {"tag": "input", "required": true}]))), "200673"),
        (200, json!({"card": {"type": "template", "data": {"template_id": "A"}}}), "200673"),
    ];
    for (status, body, number) in cases {
        bot.answer(status, &body);
        let click = platform.feishu.find_button(&id, wanted("go")).unwrap();
        let result = platform.feishu.click(ALICE, &id, click).await;
        let error = result.error.unwrap();
        assert!(error.starts_with(number), "{body}: {error}");
        assert!(!result.card_updated);
    }
    assert_eq!(platform.feishu.message(&id).unwrap().revisions, 0);
    // An empty answer changes nothing and is no error.
    bot.answer(200, &json!({}));
    let click = platform.feishu.find_button(&id, wanted("go")).unwrap();
    let result = platform.feishu.click(ALICE, &id, click).await;
    assert_eq!((result.error, result.toast, result.card_updated), (None, None, false));
}

#[tokio::test]
async fn silence_shows_200341_and_no_address_200340() {
    let platform = platform_with(|config| config.reply_timeout = Duration::from_millis(50)).await;
    let id = platform.send("interactive", card(json!([button("go")]))).await;
    let click = platform.feishu.find_button(&id, wanted("go")).unwrap();
    let result = platform.feishu.click(ALICE, &id, click.clone()).await;
    assert!(result.error.unwrap().starts_with("200340"));
    let bot = Bot::start(&platform.feishu).await;
    bot.react(Box::new(|_, _| std::future::pending().boxed()));
    let result = platform.feishu.click(ALICE, &id, click).await;
    assert!(result.error.unwrap().starts_with("200341"));
}

#[tokio::test]
async fn a_card_is_locked_while_its_click_is_handled() {
    let platform = Arc::new(platform().await);
    let bot = Bot::start(&platform.feishu).await;
    let id = platform.send("interactive", card(json!([button("go")]))).await;
    let (patching, message) = (Arc::clone(&platform), id.clone());
    bot.react(Box::new(move |_, _| {
        let (platform, message) = (Arc::clone(&patching), message.clone());
        Box::pin(async move {
            let refused = platform.patch(&message, card(json!([]))).await;
            assert_eq!(refused, (400, 230_099));
            (200, "{}".to_owned())
        })
    }));
    let click = platform.feishu.find_button(&id, wanted("go")).unwrap();
    let result = platform.feishu.click(ALICE, &id, click).await;
    assert_eq!(result.status, Some(200));
    assert_eq!(platform.patch(&id, card(json!([]))).await, (200, 0));
}

fn form() -> Value {
    let text = |content: &str| json!({"tag": "plain_text", "content": content});
    let options = json!([{"text": text("One"), "value": "1"}, {"text": text("Two"), "value": "2"}]);
    card(json!([{"tag": "form", "name": "f", "elements": [
        {"tag": "input", "name": "amount", "required": true, "max_length": 5},
        {"tag": "input", "name": "note", "default_value": "as before"},
        {"tag": "input", "name": "fixed", "default_value": "x", "disabled": true},
        {"tag": "select_static", "name": "project", "options": options, "initial_option": "Two"},
        {"tag": "multi_select_static", "name": "tags", "options": options, "selected_values": ["1"]},
        {"tag": "select_person", "name": "owner", "options": []},
        {"tag": "checker", "name": "monitor", "checked": true,
            "behaviors": [{"type": "callback", "value": {"field": "monitor"}}]},
        {"tag": "date_picker", "name": "since", "initial_date": "2026-11-01"},
        {"tag": "button", "text": text("ok"), "name": "ok", "form_action_type": "submit",
            "behaviors": [{"type": "callback", "value": {"action": "save"}}]},
        {"tag": "button", "text": text("no"), "name": "no", "form_action_type": "submit", "disabled": true,
            "behaviors": [{"type": "callback", "value": {"action": "no"}}]}]}]))
}

#[tokio::test]
async fn a_form_sends_initial_and_typed_values() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let id = platform.send("interactive", form()).await;
    let typed = fields(json!({"amount": "+100", "monitor": false}));
    let result = platform.feishu.form_click(ALICE, &id, wanted("save"), typed).await;
    assert_eq!(result.status, Some(200), "{result:?}");
    let (_, envelope) = bot.last();
    assert_eq!(
        envelope["event"]["action"],
        json!({
            "tag": "button", "name": "ok", "value": {"action": "save"}, "timezone": "Asia/Shanghai",
            "form_value": {"amount": "+100", "note": "as before", "fixed": "x", "project": "2", "tags": ["1"],
                "monitor": false, "since": "2026-11-01 +0800"},
        })
    );
}

#[tokio::test]
async fn the_client_does_not_send_what_its_card_does_not_allow() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let id = platform.send("interactive", form()).await;
    for (action, typed) in [
        ("save", json!({})),
        ("save", json!({"amount": ""})),
        ("save", json!({"amount": "123456"})),
        ("save", json!({"amount": "1", "project": "3"})),
        ("save", json!({"amount": "1", "monitor": "yes"})),
        ("save", json!({"amount": "1", "fixed": "y"})),
        ("save", json!({"amount": "1", "colour": "red"})),
        ("no", json!({"amount": "1"})),
        ("other", json!({"amount": "1"})),
    ] {
        let result = platform.feishu.form_click(ALICE, &id, wanted(action), fields(typed)).await;
        assert!(result.error.is_some() && result.status.is_none(), "{result:?}");
    }
    let select = json!({"tag": "select_static", "options": [
        {"text": {"tag": "plain_text", "content": "a"}, "value": "a"}],
        "behaviors": [{"type": "callback", "value": {"action": "pick"}}]});
    let id = platform.send("interactive", card(json!([button("go"), select]))).await;
    let act = |action: Value| serde_json::from_value::<ClickAction>(action).unwrap();
    for action in [
        json!({"tag": "button", "value": {"action": "gone"}}),
        json!({"tag": "button"}),
        json!({"tag": "overflow", "value": {"action": "go"}}),
        json!({"tag": "button", "value": {"action": "go"}, "name": "x"}),
        json!({"tag": "button", "value": {"action": "go"}, "form_value": {}}),
        json!({"tag": "select_static", "value": {"action": "pick"}}),
        json!({"tag": "select_static", "value": {"action": "pick"}, "option": "b"}),
    ] {
        let result = platform.feishu.click(ALICE, &id, act(action)).await;
        assert!(result.error.is_some() && result.status.is_none(), "{result:?}");
    }
    assert!(bot.0.seen.lock().is_empty());
    let pick = json!({"tag": "select_static", "value": {"action": "pick"}, "option": "a"});
    let result = platform.feishu.click(ALICE, &id, act(pick)).await;
    assert_eq!(result.status, Some(200), "{result:?}");
    platform.clock.advance(SignedDuration::from_hours(14 * 24 + 1));
    assert!(platform.feishu.find_button(&id, wanted("go")).is_none());
}

#[tokio::test]
async fn a_click_may_arrive_in_other_shapes() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    bot.answer(200, &json!({}));
    let id = platform.send("interactive", card(json!([button("go")]))).await;
    platform.feishu.set_quirks(|quirks| {
        quirks.operators_are_nested = true;
        quirks.values_are_text = true;
    });
    let click = platform.feishu.find_button(&id, wanted("go")).unwrap();
    platform.feishu.click(ALICE, &id, click.clone()).await;
    let event = bot.last().1["event"].clone();
    assert_eq!(event["operator"]["open_id"], Value::Null);
    assert_eq!(event["operator"]["user_id"]["open_id"], ALICE);
    assert_eq!(event["action"]["value"], r#"{"action":"go"}"#);

    platform.feishu.set_quirks(|quirks| quirks.submits_lack_value = true);
    let submit = ClickAction { form_value: Some(Map::new()), ..click };
    platform.feishu.click_raw(ALICE, &id, submit).await;
    let event = bot.last().1["event"].clone();
    assert_eq!(event["action"]["value"], Value::Null);
    assert_eq!(event["action"]["form_value"], json!({}));
}

#[tokio::test]
async fn a_form_with_a_bare_checker_is_not_submitted() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let mut bare = form();
    let fields_of_form = bare.pointer_mut("/body/elements/0/elements").unwrap();
    for field in fields_of_form.as_array_mut().unwrap() {
        if field["tag"] == "checker" {
            field.as_object_mut().unwrap().remove("behaviors");
        }
    }
    let id = platform.send("interactive", bare).await;
    let typed = || fields(json!({"amount": "5"}));
    let refused = platform.feishu.form_click(ALICE, &id, wanted("save"), typed()).await;
    assert_eq!(refused.status, None);
    assert!(refused.error.unwrap().starts_with("200340"));
    platform.feishu.set_quirks(|quirks| quirks.bare_checkers_submit = true);
    let sent = platform.feishu.form_click(ALICE, &id, wanted("save"), typed()).await;
    assert_eq!(sent.status, Some(200));
    bot.last();
}

#[tokio::test]
async fn fields_that_are_empty_or_not_ticked_may_be_omitted() {
    let platform = platform().await;
    let bot = Bot::start(&platform.feishu).await;
    let id = platform.send("interactive", form()).await;
    let sent = async |unticked: Unticked, left_out: bool| {
        platform.feishu.set_quirks(|quirks| {
            quirks.unticked = unticked;
            quirks.empty_fields_are_left_out = left_out;
        });
        let typed = fields(json!({"amount": "5", "note": "", "monitor": false}));
        platform.feishu.form_click(ALICE, &id, wanted("save"), typed).await;
        let form = &bot.last().1["event"]["action"]["form_value"];
        (form.get("monitor").cloned(), form.get("note").cloned())
    };
    let empty = || Some(json!(""));
    assert_eq!(sent(Unticked::False, false).await, (Some(json!(false)), empty()));
    assert_eq!(sent(Unticked::Missing, false).await, (None, empty()));
    assert_eq!(sent(Unticked::Empty, true).await, (empty(), None));
}
