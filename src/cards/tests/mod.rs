//! Every card with small, large and hostile data, in both languages and for every role: checked by the strict card
//! checker, looked at for markup that came from outside, and snapshotted.

mod admin;
mod creating;
mod samples;
mod watch;

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::app::me::MeView;
use crate::domain::{AccessGoal, HeldPolicy, PolicyKind, PolicyScope};
use crate::sandbox::feishu::cards::{Via, check_card};
use samples::Size;

/// One card to be checked: its name, the card, and how it travels.
struct Sample {
    name: String,
    card: Card,
    via: Via,
}

fn look(role: Role, size: Size) -> Look {
    let look = Look::new(role, samples::now());
    match size {
        Size::Small => look,
        Size::Large | Size::Hostile => {
            let text = samples::text(size, 400);
            let values = [
                "amount",
                "note",
                "project",
                "project_name",
                "since",
                "query",
                "thresholds",
                "interval_seconds",
                "webhook_url",
                "mobiles",
                "alert_chat_id",
                "remark",
                "display_name",
                "email",
                "phone",
                "account",
                "name",
                "monitor",
                "username",
            ]
            .map(|name| (name.to_owned(), samples::text(size, 600)));
            let back = ListPlace {
                page: 3,
                filter: UserFilter::Unallocated,
                query: samples::text(size, 24),
            };
            look.with_banner(Tone::Error, text).with_form(values.into()).with_back(Some(back))
        }
    }
}

fn all(cards: &Cards, role: Role, size: Size) -> Vec<Sample> {
    let look = look(role, size);
    let mut out = Vec::new();
    let mut push = |name: &str, card: Card| {
        out.push(Sample { name: name.to_owned(), card, via: Via::Send });
    };
    push("users", cards.users(&samples::users(size), &look));
    push("users_none", cards.users(&samples::no_users(), &look));
    push("user", cards.user(&samples::detail(size), &look));
    push("user_pending", cards.user(&samples::pending_detail(size), &look));
    push("user_gone", cards.user(&samples::gone_detail(size), &look));
    push("projects", cards.projects(&samples::projects(size), &look));
    push("projects_none", cards.projects(&samples::no_projects(), &look));
    push("quota", cards.quota(&samples::quota(size), &look));
    push("quota_none", cards.quota(&samples::no_quota(), &look));
    push("billing", cards.billing(&samples::billing(size), &look));
    push("billing_user", cards.billing(&samples::billing_of_user(size), &look));
    push("billing_none", cards.billing(&samples::no_billing(), &look));
    push("alerts", cards.alerts(&watch::alerts(size), &look));
    push("alerts_none", cards.alerts(&watch::no_alerts(), &look));
    push("monitor", cards.monitor(&watch::monitor(size), &look));
    push("monitor_never", cards.monitor(&watch::new_monitor(), &look));
    creating::all(cards, &look, size, &mut push);
    push("settings", cards.settings(&admin::settings(size), &look));
    push("settings_none", cards.settings(&admin::no_settings(), &look));
    push("configure", cards.configure(&samples::detail(size), &samples::people(size), &look));
    push("configure_gone", cards.configure(&samples::gone_detail(size), &[], &look));
    push("accounts", cards.accounts(&admin::accounts(size, false), &look));
    push("accounts_replace", cards.accounts(&admin::accounts(size, true), &look));
    push("accounts_none", cards.accounts(&admin::no_accounts(), &look));
    push("me", cards.me(&admin::me(size), &look));
    push("me_nobody", cards.me(&MeView { users: vec![], ..admin::me(size) }, &look));
    push("help", cards.help(&watch::help(size), &look));
    push("candidates", cards.candidates(&watch::candidates(size), &look));
    push("candidates_nobody", cards.candidates(&watch::nobody(size), &look));
    for goal in [AccessGoal::Cut, AccessGoal::Restored] {
        let word = if goal == AccessGoal::Cut { "cut" } else { "restore" };
        for (kind, detail) in [
            ("", samples::detail(size)),
            ("_disabled", samples::disabled_detail(size)),
            ("_pending", samples::pending_detail(size)),
            ("_gone", samples::gone_detail(size)),
        ] {
            let name = format!("access_{word}{kind}");
            push(&name, cards.access_confirm(&detail, goal, &look));
        }
        let access = Processing::Access(samples::key(size, 0), goal);
        push(&format!("processing_{word}"), cards.processing(&access, &look));
    }
    let profile = Processing::Profile(samples::key(size, 0));
    push("processing_profile", cards.processing(&profile, &look));
    let account = Processing::Account("main".parse().unwrap());
    push("processing_account", cards.processing(&account, &look));
    push("processing_sync", cards.processing(&Processing::Sync, &look));
    push("processing_monitor", cards.processing(&Processing::Monitor, &look));
    push("sync", cards.sync_report(&watch::syncs(size), &look));
    push("sync_none", cards.sync_report(&[], &look));
    push("cycle", cards.cycle_report(&watch::cycle(size), &watch::monitor(size).accounts, &look));
    for tone in [Tone::Info, Tone::Success, Tone::Warning, Tone::Error] {
        let text = samples::text(size, 600);
        push(&format!("message_{}", tone.word()), cards.message(tone, &text, &text));
    }
    let people: Vec<_> = (0..3).map(|i| format!("ou_{i:032}").parse().unwrap()).collect();
    let reason = samples::text(size, 300);
    for (kind, alert) in watch::alert_records(size) {
        let detail = samples::disabled_detail(size);
        for (via, word) in [(AlertVia::Chat, "chat"), (AlertVia::Webhook, "webhook")] {
            let detail = (alert.user.is_some() && word == "chat").then_some(&detail);
            let card = cards.alert_mentioning(&alert, detail, via, Some(&reason), &people);
            let via = if via == AlertVia::Chat { Via::Patch } else { Via::Webhook };
            out.push(Sample { name: format!("alert_{kind}_{word}"), card, via });
        }
    }
    out
}

fn everything(mut visit: impl FnMut(Locale, Role, Size, &Sample)) {
    for locale in Locale::ALL {
        let cards = Cards::new(locale, OpSource::Counter);
        for role in [Role::Admin, Role::Viewer, Role::Stranger] {
            for size in [Size::Small, Size::Large, Size::Hostile] {
                for sample in all(&cards, role, size) {
                    visit(locale, role, size, &sample);
                }
            }
        }
    }
}

#[test]
fn every_card_keeps_the_platforms_rules() {
    let mut broken = Vec::new();
    everything(|locale, role, size, sample| {
        if let Err(faults) = check_card(sample.card.as_str(), sample.via) {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            broken.push(format!("{} {locale} {role:?} {size:?}: {faults:?}", sample.name));
        }
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Every string of a card with the name of the member that holds it.
fn strings<'a>(value: &'a Value, name: &'a str, out: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => out.push((name, text)),
        Value::Array(items) => items.iter().for_each(|item| strings(item, name, out)),
        Value::Object(members) => {
            for (name, member) in members {
                strings(member, name, out);
            }
        }
        _ => {}
    }
}

fn objects<'a>(value: &'a Value, out: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| objects(item, out)),
        Value::Object(members) => {
            out.push(members);
            members.values().for_each(|member| objects(member, out));
        }
        _ => {}
    }
}

/// All markdown of a card, cells of tables included.
fn markdown(card: &Value) -> Vec<String> {
    let mut all = Vec::new();
    objects(card, &mut all);
    let mut out = Vec::new();
    for object in all {
        let tag = object.get("tag").and_then(Value::as_str).unwrap_or("");
        if matches!(tag, "markdown" | "lark_md") {
            out.push(object["content"].as_str().unwrap().to_owned());
        }
        if tag == "table" {
            for row in object["rows"].as_array().unwrap() {
                out.push(row["amount"].as_str().unwrap().to_owned());
            }
        }
    }
    out
}

/// What remains of markdown when the markup that templates use is taken out.
fn without_own_markup(text: &str) -> String {
    let mut text = text.replace("</font>", "").replace("</text_tag>", "").replace("**", "");
    for colour in
        ["green", "grey", "grey-200", "orange", "red", "blue", "carmine", "violet", "neutral"]
    {
        text = text
            .replace(&format!("<font color='{colour}'>"), "")
            .replace(&format!("<text_tag color='{colour}'>"), "");
    }
    for i in 0..3 {
        text = text.replace(&format!("<at id=ou_{i:032}></at>"), "");
    }
    text
}

#[test]
fn text_from_outside_is_only_text() {
    everything(|locale, role, size, sample| {
        let name = format!("{} {locale} {role:?} {size:?}", sample.name);
        let card = sample.card.value();
        for text in markdown(&card) {
            let rest = without_own_markup(&text);
            // Brackets of our own texts are full-width or none; these marks have no other source than outside text.
            for mark in ['<', '>', '*', '~', '[', ']', '_', '$', '`', '|', '@', '\\'] {
                assert!(!rest.contains(mark), "{name}: `{mark}` in {text:?}");
            }
        }
        let mut all = Vec::new();
        strings(&card, "", &mut all);
        for (member, text) in all {
            // Keys must come back as they are; what is read must hold nothing invisible.
            if matches!(member, "user" | "project" | "value" | "query" | "initial_option") {
                continue;
            }
            let invisible =
                |c: char| (c.is_control() && c != '\n') || ('\u{202A}'..='\u{202E}').contains(&c);
            assert!(!text.contains(invisible), "{name}: {member} holds {text:?}");
            // Template syntax is not run: 7*7 stays.
            assert!(!text.contains("X49X"), "{name}: {text:?}");
        }
    });
}

#[test]
fn every_control_calls_back_and_mutating_ones_have_an_op_of_their_own() {
    const KNOWN: [&str; 22] = [
        "user.configure",
        "config.open",
        "config.save",
        "config.test",
        "accounts.open",
        "account.save",
        "account.toggle",
        "user.create",
        "users.list",
        "user.open",
        "user.enable",
        "user.disable",
        "projects.open",
        "project.add",
        "project.toggle",
        "project.remove",
        "projects.toggle_all",
        "quota.open",
        "quota.allocate",
        "billing.open",
        "alerts.list",
        "monitor.run",
    ];
    const WITH_OP: [&str; 10] = [
        "config.save",
        "config.test",
        "account.save",
        "user.create",
        "user.enable",
        "user.disable",
        "project.add",
        "project.remove",
        "quota.allocate",
        "monitor.run",
    ];
    const MUTATING: [&str; 14] = [
        "user.configure",
        "config.save",
        "config.test",
        "account.save",
        "account.toggle",
        "user.create",
        "user.enable",
        "user.disable",
        "project.add",
        "project.remove",
        "quota.allocate",
        "monitor.run",
        "project.toggle",
        "projects.toggle_all",
    ];
    let mut ops = BTreeSet::new();
    let mut seen = BTreeSet::new();
    everything(|locale, role, size, sample| {
        let name = format!("{} {locale} {role:?} {size:?}", sample.name);
        let card = sample.card.value();
        let mut all = Vec::new();
        objects(&card, &mut all);
        for object in all {
            let tag = object.get("tag").and_then(Value::as_str).unwrap_or("");
            let acts = matches!(tag, "button" | "select_static" | "interactive_container")
                && !(tag == "select_static" && object.contains_key("name"));
            if !acts {
                continue;
            }
            let value = &object["behaviors"][0]["value"];
            let action = value["action"].as_str().unwrap_or_else(|| panic!("{name}: no action"));
            assert!(KNOWN.contains(&action), "{name}: {action}");
            seen.insert(action.to_owned());
            // It opens the form, and saves it.
            let saves = action == "user.configure" && object.contains_key("form_action_type");
            if WITH_OP.contains(&action) || saves {
                let op =
                    value["op"].as_str().unwrap_or_else(|| panic!("{name}: {action} lacks op"));
                assert!(ops.insert(format!("{locale} {op}")), "{name}: op {op} stands twice");
            } else {
                assert!(value.get("op").is_none(), "{name}: {action} has an op");
            }
            // Alert cards in a group are one for all; the others are made for who looks.
            if role != Role::Admin && !sample.name.starts_with("alert_") {
                assert!(!MUTATING.contains(&action), "{name}: {action} for {role:?}");
            }
            if let Some(user) = value.get("user") {
                user.as_str().unwrap().parse::<UserKey>().unwrap();
            }
        }
    });
    assert_eq!(seen.len(), KNOWN.len(), "only {seen:?} occur");
}

#[test]
fn the_way_back_survives_and_a_long_query_does_not_travel() {
    let place = ListPlace { page: 2, filter: UserFilter::Disabled, query: "web".to_owned() };
    let cards = Cards::new(Locale::ZhCn, OpSource::Counter);
    let look = Look::new(Role::Admin, samples::now()).with_back(Some(place.clone()));
    let card = cards.user(&samples::detail(Size::Small), &look).value();
    let mut all = Vec::new();
    objects(&card, &mut all);
    let values: Vec<&Value> =
        all.iter().filter_map(|object| object.get("behaviors")?.get(0)?.get("value")).collect();
    assert!(values.len() > 4);
    for value in &values {
        assert_eq!(ListPlace::of_value(value), Some(place.clone()));
    }
    let list = values.iter().find(|value| value["action"] == "users.list").unwrap();
    assert_eq!(
        (&list["page"], &list["filter"], &list["query"]),
        (&2.into(), &"disabled".into(), &"web".into())
    );

    let long = ListPlace { query: "x".repeat(100), ..place };
    let card = cards.user(&samples::detail(Size::Small), &look.with_back(Some(long)));
    assert!(!card.as_str().contains("\"back\""));
}

#[test]
fn a_cut_that_detaches_policies_says_so_before() {
    let cards = Cards::new(Locale::ZhCn, OpSource::Counter).with_detach_policies(true);
    let look = Look::new(Role::Admin, samples::now());
    let mut detail = samples::detail(Size::Small);
    let question = cards.access_confirm(&detail, AccessGoal::Cut, &look);
    assert!(question.as_str().contains("全部权限策略将被解除"), "{}", question.as_str());
    assert!(question.as_str().contains("全部解除"), "{}", question.as_str());
    assert!(cards.user(&detail, &look).as_str().contains("全部权限策略将被解除"));

    detail = samples::disabled_detail(Size::Small);
    let held =
        HeldPolicy { name: "Ark".into(), kind: PolicyKind::System, scope: PolicyScope::Global };
    detail.remembered.as_mut().unwrap().policies = vec![held];
    let question = cards.access_confirm(&detail, AccessGoal::Restored, &look);
    assert!(question.as_str().contains("恢复 1 个"), "{}", question.as_str());
    assert!(cards.user(&detail, &look).as_str().contains("1 个权限策略"));
}

#[test]
fn a_refused_input_comes_back_with_its_values() {
    let cards = Cards::new(Locale::ZhCn, OpSource::Counter);
    let values =
        [("amount", "1,00"), ("note", "Q4 \"预算\"")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let look = Look::new(Role::Admin, samples::now())
        .with_banner(Tone::Error, "逗号位置不对")
        .with_form(values.into());
    let card = cards.quota(&samples::quota(Size::Small), &look).value();
    let mut all = Vec::new();
    objects(&card, &mut all);
    let field = |name: &str| {
        all.iter().find(|o| o.get("name") == Some(&name.into())).unwrap()["default_value"].clone()
    };
    assert_eq!(field("amount"), "1,00");
    assert_eq!(field("note"), "Q4 \"预算\"");
    assert!(markdown(&card)[0].contains("逗号位置不对"));
}

#[test]
fn snapshots() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        let zh = Cards::new(Locale::ZhCn, OpSource::Counter);
        for sample in all(&zh, Role::Admin, Size::Small) {
            insta::assert_json_snapshot!(sample.name, sample.card.value());
        }
        let viewer = Cards::new(Locale::ZhCn, OpSource::Counter);
        for sample in all(&viewer, Role::Viewer, Size::Small) {
            if ["user", "projects", "quota", "help"].contains(&sample.name.as_str()) {
                let name = format!("{}_viewer", sample.name);
                insta::assert_json_snapshot!(name, sample.card.value());
            }
        }
        let en = Cards::new(Locale::EnUs, OpSource::Counter);
        for sample in all(&en, Role::Admin, Size::Small) {
            let shown = [
                "users",
                "user",
                "quota",
                "alert_warning_chat",
                "settings",
                "configure",
                "accounts",
                "me",
                "create",
                "creation_half",
                "secrets",
            ];
            if shown.contains(&sample.name.as_str()) {
                let name = format!("{}_en_us", sample.name);
                insta::assert_json_snapshot!(name, sample.card.value());
            }
        }
        let hostile = Cards::new(Locale::ZhCn, OpSource::Counter);
        for sample in all(&hostile, Role::Admin, Size::Hostile) {
            if ["users", "projects", "billing", "alert_warning_chat"]
                .contains(&sample.name.as_str())
            {
                let name = format!("{}_hostile", sample.name);
                insta::assert_json_snapshot!(name, sample.card.value());
            }
        }
    });
}

#[test]
fn a_random_op_is_new_each_time_and_an_op_id() {
    let cards = Cards::new(Locale::ZhCn, OpSource::Random);
    let look = Look::new(Role::Admin, samples::now());
    let op = || {
        let card = cards.quota(&samples::quota(Size::Small), &look).value();
        let mut all = Vec::new();
        objects(&card, &mut all);
        let value = all.iter().find_map(|o| o.get("op")).unwrap();
        value.as_str().unwrap().parse::<crate::domain::OpId>().unwrap()
    };
    assert_ne!(op(), op());
}
