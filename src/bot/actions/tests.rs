//! Checks the table against what every control of every card carries, and how clicks are read.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::configure::{Configure, ConfigureOpen};
use super::projects::ProjectToggle;
use super::quota::Allocate;
use super::table::{Changing, Does, find};
use super::*;
use crate::app::Refusal;
use crate::app::configure::PersonalData;
use crate::app::outcome::{UserFilter, UserSort};
use crate::app::settings::NewSettings;
use crate::cards::ListPlace;
use crate::cards::tests::samples::Size;
use crate::cards::tests::{everything, objects};
use crate::domain::{Needs, Role, Switch, UserKey};
use crate::feishu::CardAction;

#[test]
fn every_control_of_every_card_carries_what_its_row_says() {
    let mut ops = BTreeSet::new();
    let mut unseen: BTreeSet<String> = ACTIONS.iter().map(described).collect();
    everything(|locale, role, size, sample| {
        let name = format!("{} {locale} {role:?} {size:?}", sample.name);
        let card = sample.card.value();
        let mut all = Vec::new();
        objects(&card, &mut all);
        for object in all {
            let tag = object.get("tag").and_then(Value::as_str).unwrap_or("");
            let calls_back = matches!(tag, "button" | "select_static" | "interactive_container")
                && !(tag == "select_static" && object.contains_key("name"));
            if !calls_back {
                continue;
            }
            let value = &object["behaviors"][0]["value"];
            let word = value["action"].as_str().unwrap_or_else(|| panic!("{name}: no action"));
            let row = find(ACTIONS, word, object.contains_key("form_action_type"))
                .unwrap_or_else(|| panic!("{name}: `{word}` is not in the table"));
            assert_eq!(row.word, word, "{name}: a card uses a former word");
            unseen.remove(&described(row));
            if row.op == Op::None {
                assert!(value.get("op").is_none(), "{name}: {word} has an op");
            } else {
                let op = value["op"].as_str().unwrap_or_else(|| panic!("{name}: {word} lacks op"));
                assert!(ops.insert(format!("{locale} {op}")), "{name}: op {op} occurs twice");
            }
            // `accounts.open` only opens a card; it counts as a change because it also drops pending updates of the card.
            // An alert's card in a group is the same for everyone; the others are made for the person who sees them.
            // So is the greeting of a group; and secrets are sent to an administrator alone.
            let for_all = ["accounts.open", "config.alert_here", "secrets.recall"];
            if !for_all.contains(&word) && !sample.name.starts_with("alert_") {
                assert!(!row.changes || role.meets(row.needs), "{name}: {word} for {role:?}");
            }
            if let Some(user) = value.get("user") {
                user.as_str().unwrap().parse::<UserKey>().unwrap();
            }
        }
    });
    assert!(unseen.is_empty(), "on no card: {unseen:?}");
}

/// What distinguishes a row from the others.
fn described(row: &Row) -> String {
    format!("{} {:?}", row.word, row.form)
}

#[test]
fn only_administrators_change_anything_but_owners_requests() {
    // A file is owed, so it takes a transaction; it changes nothing. What anybody may do concerns their own users; the use
    // case checks whose they are.
    const OTHERS: [&str; 3] = ["billing.export", "quota.request", "request.withdraw"];
    for row in ACTIONS.iter().filter(|row| row.changes && !OTHERS.contains(&row.word)) {
        assert_eq!(row.needs, Needs::Admin, "{}", row.word);
        assert!(!Role::Viewer.meets(row.needs), "{}", row.word);
    }
}

fn action(value: Value, form: Value) -> CardAction {
    CardAction {
        operator_open_id: "ou_1".to_owned(),
        message_id: None,
        chat_id: None,
        value: value.as_object().cloned().unwrap_or_default(),
        name: None,
        form: form.as_object().cloned().unwrap_or_default(),
        option: None,
        input: None,
    }
}

fn submitted(action: &CardAction) -> Result<Does, Refusal> {
    Request::of(action).map(|request| request.does)
}

fn clicked(value: Value) -> Result<Does, Refusal> {
    submitted(&action(value, json!({})))
}

#[test]
fn fields_are_read_from_value_form_and_option() {
    let user: UserKey = "main/alice".parse().unwrap();
    let value = json!({
        "action": "project.toggle", "user": "main/alice", "project": "p", "enabled": false
    });
    let toggle = ProjectToggle {
        user: user.clone(),
        project: "p".parse().unwrap(),
        monitored: Switch::Off,
        page: 1,
    };
    assert_eq!(clicked(value), Ok(toggle.into()));

    let form = action(
        json!({"action": "quota.allocate", "user": "main/alice", "op": "o1"}),
        json!({"amount": "100", "note": "x"}),
    );
    let allocate = Allocate {
        user,
        amount: "100".to_owned(),
        note: "x".to_owned(),
        until: String::new(),
        sure: false,
    };
    let request = Request::of(&form).unwrap();
    assert_eq!((request.op, request.does), ("o1".parse().ok(), allocate.into()));

    let mut chosen = action(json!({"action": "billing.open", "period": "2026-10"}), json!({}));
    chosen.option = Some("2026-09".to_owned());
    let september =
        BillingOpen { period: "2026-09".parse().ok(), user: None, by_project: false, page: 1 };
    assert_eq!(submitted(&chosen), Ok(september.into()));
}

#[test]
fn secrets_are_never_shown_again() {
    let form = json!({"name": "x", "access_key": "AKLT", "secret_key": "s", "monitor": false,
        "webhook_url": "https://open.feishu.cn/hook"});
    let submitted = action(json!({"action": "account.save", "account": "main"}), form);
    let shown = form_values(&submitted);
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["monitor", "name"]);
    assert_eq!(shown["monitor"], "false");
    let request = format!("{:?}", Request::of(&submitted).unwrap());
    assert!(request.contains("main") && !request.contains("AKLT"), "{request}");

    let ticked = action(json!({"action": "user.create"}), json!({"access_key": true}));
    assert_eq!(form_values(&ticked)["access_key"], "true");
}

#[test]
fn the_settings_of_a_user_are_opened_and_saved_by_the_same_word() {
    let value = json!({"action": "user.configure", "user": "main/alice"});
    let user = "main/alice".parse().unwrap();
    assert_eq!(clicked(value.clone()), Ok(ConfigureOpen { user }.into()));
    let form = json!({"thresholds": "", "monitor": "false", "owner": "ou_1"});
    let saved = Request::of(&action(value, form)).unwrap();
    assert_eq!(saved.op, None);
    let Does::Changes(Changing::Configure(Configure { settings, .. })) = saved.does else {
        panic!("{saved:?}");
    };
    assert_eq!((&*settings.thresholds, &*settings.owner), ("", "ou_1"));
}

/// Clients omit fields that were cleared, and checkers that are not ticked.
#[test]
fn a_field_that_the_form_shows_and_the_submission_omits_is_empty() {
    let configured = |value: Value, form: Value| {
        let mut submit = action(value, form);
        submit.name = Some("user.configure".to_owned());
        match submitted(&submit) {
            Ok(Does::Changes(Changing::Configure(Configure { settings, .. }))) => settings,
            other => panic!("{other:?}"),
        }
    };
    let user = json!({"action": "user.configure", "user": "main/alice"});
    let left_out = configured(user.clone(), json!({"owner": "ou_1"}));
    let emptied = configured(
        user.clone(),
        json!({"thresholds": "", "monitor": "", "auto_disable": false, "remark": "",
            "owner": "ou_1", "other_owner": "", "no_owner": ""}),
    );
    assert_eq!(left_out, emptied);
    assert_eq!((left_out.monitor, left_out.personal), (false, None));

    // The form shows personal data if the card says so; cards from before say nothing.
    let mut personal = user.clone();
    personal["personal"] = json!(true);
    assert_eq!(configured(personal, json!({})).personal, Some(PersonalData::default()));
    let from_before = configured(user, json!({"email": "a@b.cn", "phone": "", "display_name": ""}));
    assert_eq!(from_before.personal.map(|personal| personal.email), Some("a@b.cn".to_owned()));

    let saved = action(json!({"action": "config.save"}), json!({"interval_seconds": "60"}));
    let Ok(Does::Changes(Changing::ConfigSave(saved))) = submitted(&saved) else { panic!() };
    let wanted = NewSettings { interval_seconds: "60".to_owned(), ..NewSettings::default() };
    assert_eq!(saved.settings, wanted);
}

/// Seen with several clients: `action.name` and `form_value` only.
#[test]
fn a_submission_without_its_value_is_read_from_the_name_of_the_button() {
    everything(|locale, role, size, sample| {
        let card = sample.card.value();
        let mut all = Vec::new();
        objects(&card, &mut all);
        for button in all.iter().filter(|object| object.contains_key("form_action_type")) {
            let name = button["name"].as_str().unwrap();
            let mut with_value = action(button["behaviors"][0]["value"].clone(), json!({"a": "b"}));
            with_value.name = Some(name.to_owned());
            let without = CardAction { value: Map::new(), ..with_value.clone() };
            let (with_value, without) = (Request::of(&with_value), Request::of(&without));
            let described = format!("{} {locale} {role:?} {size:?}: {name}", sample.name);
            match without {
                Ok(without) => {
                    let with_value = with_value.unwrap();
                    assert_eq!(without.does, with_value.does, "{described}");
                    assert_eq!(without.op, with_value.op, "{described}");
                }
                // A value that does not fit into the name is refused, never guessed.
                Err(refusal) => {
                    assert_ne!(size, Size::Small, "{described}: {refusal}");
                    assert!(matches!(refusal, Refusal::BadField(_)), "{described}: {refusal}");
                }
            }
        }
    });
    let guessed = CardAction { name: Some("submit".to_owned()), ..action(json!({}), json!({})) };
    assert_eq!(submitted(&guessed), Err(Refusal::UnknownAction("submit".to_owned())));
}

/// Clients have been seen to refuse a form with a checker that has no behavior (200340).
#[test]
fn every_checker_has_a_behavior_that_does_nothing() {
    everything(|_, _, _, sample| {
        let card = sample.card.value();
        let mut all = Vec::new();
        objects(&card, &mut all);
        for checker in all.iter().filter(|object| object.get("tag") == Some(&json!("checker"))) {
            let value = &checker["behaviors"][0]["value"];
            assert_eq!(value, &json!({"field": checker["name"]}), "{}", sample.name);
            assert!(matches!(clicked(value.clone()), Err(Refusal::UnknownAction(_))));
        }
    });
}

#[test]
fn invisible_characters_in_a_field_that_is_parsed_are_dropped() {
    let form = action(
        json!({"action": "quota.allocate", "user": "main/alice", "op": "o1"}),
        json!({"amount": "1\u{200B}00\u{FEFF}", "note": "ok 👩\u{200D}💻\u{2060}"}),
    );
    let user = "main/alice".parse().unwrap();
    let note = "ok 👩\u{200D}💻".to_owned();
    assert_eq!(
        submitted(&form),
        Ok(Allocate { user, amount: "100".to_owned(), note, until: String::new(), sure: false }
            .into())
    );

    let mut search =
        action(json!({"action": "users.list"}), json!({"query": "\u{2060}web\u{202E}"}));
    search.name = Some("users.list".to_owned());
    let place = ListPlace { page: 1, query: "web".to_owned(), ..ListPlace::default() };
    assert_eq!(submitted(&search), Ok(UsersList(place).into()));
}

#[test]
fn an_emptied_search_field_clears_the_search() {
    let value = json!({"action": "users.list", "filter": "warning", "query": "old", "page": 3});
    let list = |page: usize, query: &str| {
        let (filter, query) = (UserFilter::Warning, query.to_owned());
        Ok(UsersList(ListPlace { page, filter, query, ..ListPlace::default() }).into())
    };
    assert_eq!(clicked(value.clone()), list(3, "old"));
    let mut search = action(value, json!({}));
    search.name = Some("search".to_owned());
    assert_eq!(submitted(&search), list(3, ""));
}

#[test]
fn an_option_of_the_users_list_chooses_what_its_select_is_for() {
    let chosen = |choose: &str, option: &str| {
        let value = json!({"action": "users.list", "filter": "warning", "query": "web",
            "sort": "name", "account": "main", "choose": choose});
        let mut click = action(value, json!({}));
        click.option = Some(option.to_owned());
        Request::of(&click).map(|request| request.does)
    };
    let place = ListPlace {
        page: 1,
        filter: UserFilter::Warning,
        query: "web".to_owned(),
        sort: UserSort::Name,
        account: Some("main".parse().unwrap()),
    };
    let list = |place| Ok(UsersList(place).into());
    let sort = UserSort::Month;
    assert_eq!(chosen("sort", "month"), list(ListPlace { sort, ..place.clone() }));
    let filter = UserFilter::NoOwner;
    assert_eq!(chosen("filter", "no_owner"), list(ListPlace { filter, ..place.clone() }));
    let account = Some("labs".parse().unwrap());
    assert_eq!(chosen("account", "labs"), list(ListPlace { account, ..place.clone() }));
    assert_eq!(chosen("account", "*"), list(ListPlace { account: None, ..place }));
    assert_eq!(chosen("sort", "size"), Err(Refusal::BadField("sort")));
}

#[test]
fn a_missing_or_malformed_field_is_named() {
    for (value, refusal) in [
        (json!({}), Refusal::UnknownAction(String::new())),
        (json!({"action": 5}), Refusal::UnknownAction(String::new())),
        (json!({"action": "user.drop"}), Refusal::UnknownAction("user.drop".to_owned())),
        (json!({"action": "user.open"}), Refusal::BadField("user")),
        (json!({"action": "user.open", "user": "alice"}), Refusal::BadField("user")),
        (json!({"action": "user.disable", "user": "main/alice"}), Refusal::BadField("op")),
        (
            json!({"action": "user.disable", "user": "main/alice", "op": "a b"}),
            Refusal::BadField("op"),
        ),
        (
            json!({"action": "project.toggle", "user": "main/alice", "project": "p"}),
            Refusal::BadField("enabled"),
        ),
        (
            json!({"action": "project.toggle", "user": "main/alice", "project": "p", "enabled": "yes"}),
            Refusal::BadField("enabled"),
        ),
        (json!({"action": "users.list", "filter": "x"}), Refusal::BadField("filter")),
        (json!({"action": "alerts.list", "type": "x"}), Refusal::BadField("type")),
        (json!({"action": "billing.open", "period": "x"}), Refusal::BadPeriod("x".to_owned())),
        (json!({"action": "access.recheck"}), Refusal::BadField("user")),
        (json!({"action": "monitor.run"}), Refusal::BadField("op")),
        (json!({"action": "config.test"}), Refusal::BadField("op")),
        (json!({"action": "config.save", "op": "a b"}), Refusal::BadField("op")),
        (json!({"action": "user.configure"}), Refusal::BadField("user")),
        (json!({"action": "account.toggle", "enabled": true}), Refusal::BadField("account")),
        (json!({"action": "account.save", "account": "A B"}), Refusal::BadField("account")),
    ] {
        assert_eq!(clicked(value.clone()), Err(refusal), "{value}");
    }
}

proptest! {
    #[test]
    fn hostile_values_never_panic(
        action in "[a-z.]{0,20}", field in "[a-z_]{1,8}", text in "\\PC{0,40}", number in any::<i64>(),
    ) {
        let _ = clicked(json!({"action": action, field.clone(): text, "page": number}));
        let _ = clicked(json!({"action": action, field: number, "page": text}));
    }
}
