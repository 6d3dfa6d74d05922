//! Every card with small, large and hostile data, in both languages and for every role: validated by the strict card
//! checker, searched for markup from outside text, and compared with snapshots. What its controls carry is compared with
//! the table of actions in `bot/actions/tests.rs`.

mod admin;
mod asking;
mod batch;
mod creating;
mod digests;
mod estimates;
mod incident;
mod paths;
mod requests;
mod rest;
pub(crate) mod samples;
mod watch;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::app::me::MeView;
use crate::app::outcome::{UserFilter, UserSort};
use crate::domain::AccessGoal;
use crate::sandbox::feishu::cards::{Via, check_card};
use samples::Size;

thread_local! {
    /// The templates that this test has rendered.
    pub(crate) static RENDERED: RefCell<BTreeSet<String>> = RefCell::default();
}

/// One card to check: its name, the card, and how it is sent.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) card: Card,
    via: Via,
}

fn context_for(role: Role, size: Size) -> CardContext {
    let ctx = CardContext::new(role, samples::now());
    match size {
        Size::Small => ctx,
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
                "month_limit",
                "display_name",
                "email",
                "phone",
                "account",
                "name",
                "monitor",
                "username",
                "user",
                "reason",
                "until",
                "digest",
                "value",
                "people",
            ]
            .map(|name| (name.to_owned(), samples::text(size, 600)));
            let back = ListPlace {
                page: 3,
                filter: UserFilter::Unallocated,
                query: samples::text(size, 24),
                sort: UserSort::Month,
                account: Some("account-2".parse().unwrap()),
            };
            ctx.with_banner(Tone::Error, text).with_form(values.into()).with_back(Some(back))
        }
    }
}

fn all(cards: &Cards, role: Role, size: Size) -> Vec<Sample> {
    let ctx = context_for(role, size);
    let mut out = Vec::new();
    let mut push = |name: &str, card: Card| {
        out.push(Sample { name: name.to_owned(), card, via: Via::Send });
    };
    push("users", cards.users(&samples::users(size), &ctx));
    push("users_none", cards.users(&samples::no_users(), &ctx));
    push("user", cards.user(&samples::detail(size), &ctx));
    push("user_disabled", cards.user(&paths::disabled(size), &ctx));
    push("user_stuck", cards.user(&paths::stuck(size), &ctx));
    push("user_spending", cards.user(&paths::spending(size), &ctx));
    push("user_pending", cards.user(&samples::pending_detail(size), &ctx));
    push("user_gone", cards.user(&samples::gone_detail(size), &ctx));
    push("projects", cards.projects(&samples::projects(size), &ctx));
    push("projects_none", cards.projects(&samples::no_projects(), &ctx));
    push("quota", cards.quota(&samples::quota(size), &ctx));
    push("quota_none", cards.quota(&samples::no_quota(), &ctx));
    push("billing", cards.billing(&samples::billing(size), &ctx));
    push("billing_user", cards.billing(&samples::billing_of_user(size), &ctx));
    push("billing_none", cards.billing(&samples::no_billing(), &ctx));
    push("alerts", cards.alerts(&watch::alerts(size), &ctx));
    push("alerts_none", cards.alerts(&watch::no_alerts(), &ctx));
    push("monitor", cards.monitor(&watch::monitor(size), &ctx));
    push("monitor_never", cards.monitor(&watch::new_monitor(), &ctx));
    creating::all(cards, &ctx, size, &mut push);
    push("settings", cards.settings(&admin::settings(size), &ctx));
    push("settings_none", cards.settings(&admin::no_settings(), &ctx));
    push("configure", cards.configure(&samples::detail(size), &samples::people(size), &ctx));
    push("configure_gone", cards.configure(&samples::gone_detail(size), &[], &ctx));
    push("accounts", cards.accounts(&admin::accounts(size, false), &ctx));
    push("accounts_replace", cards.accounts(&admin::accounts(size, true), &ctx));
    push("accounts_none", cards.accounts(&admin::no_accounts(), &ctx));
    push("me", cards.me(&admin::me(size), &ctx));
    push("me_nobody", cards.me(&MeView { users: vec![], ..admin::me(size) }, &ctx));
    push("help", cards.help(&watch::help(size), &ctx));
    push("candidates", cards.candidates(&watch::candidates(size), &ctx));
    push("candidates_nobody", cards.candidates(&watch::nobody(size), &ctx));
    for goal in [AccessGoal::Cut, AccessGoal::Restored] {
        let word = if goal == AccessGoal::Cut { "cut" } else { "restore" };
        for (kind, detail) in [
            ("", samples::detail(size)),
            ("_disabled", samples::disabled_detail(size)),
            ("_pending", samples::pending_detail(size)),
            ("_gone", samples::gone_detail(size)),
        ] {
            let name = format!("access_{word}{kind}");
            push(&name, cards.access_confirm(&samples::access(size, detail), goal, &ctx));
        }
    }
    let profile = Processing::Profile(samples::key(size, 0));
    push("processing_profile", cards.processing(&profile, &ctx));
    let account = Processing::Account("main".parse().unwrap());
    push("processing_account", cards.processing(&account, &ctx));
    push("processing_sync", cards.processing(&Processing::Sync, &ctx));
    push("processing_monitor", cards.processing(&Processing::Monitor, &ctx));
    push("sync", cards.sync_report(&watch::syncs(size), &ctx));
    push("sync_none", cards.sync_report(&[], &ctx));
    push("cycle", cards.cycle_report(&watch::cycle(size), &watch::monitor(size).accounts, &ctx));
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
    let shared = cards.user(&paths::shared(size), &ctx);
    out.push(Sample { name: "user_shared".to_owned(), card: shared, via: Via::Send });
    for (name, card) in [
        ("user_days", cards.user(&rest::user_with_days(size, false), &ctx)),
        ("user_estimated", cards.user(&rest::user_with_days(size, true), &ctx)),
        ("billing_account", cards.billing(&rest::billing_with_shares(size, 1), &ctx)),
        ("billing_accounts", cards.billing(&rest::billing_with_shares(size, 2), &ctx)),
        ("rest", cards.rest(&rest::rest(size), &ctx)),
        ("rest_none", cards.rest(&rest::no_rest(), &ctx)),
        ("rest_link", cards.rest(&rest::linking(size), &ctx)),
    ] {
        out.push(Sample { name: name.to_owned(), card, via: Via::Send });
    }
    let chosen = [
        (
            "allocate",
            Chosen::Allocate { amount: samples::amount(size, "100"), note: "补".to_owned() },
        ),
        ("disable", Chosen::Access(AccessGoal::Cut)),
    ];
    for (name, chosen) in chosen {
        let view = CandidatesView { chosen, ..watch::candidates(size) };
        let card = cards.candidates(&view, &ctx);
        out.push(Sample { name: format!("candidates_{name}"), card, via: Via::Send });
    }
    let limited = samples::limited_detail(size);
    let card = cards.user(&limited, &ctx);
    out.push(Sample { name: "user_limited".to_owned(), card, via: Via::Send });
    let card = cards.configure(&limited, &[], &ctx);
    out.push(Sample { name: "configure_limited".to_owned(), card, via: Via::Send });
    out.extend(estimates::all(cards, &ctx, size));
    out.extend(incident::all(cards, &ctx, size));
    for (kind, alert) in watch::backup_alerts(size) {
        for (via, word) in [(AlertVia::Chat, "chat"), (AlertVia::Webhook, "webhook")] {
            let card = cards.alert(&alert, None, via, None);
            let via = if via == AlertVia::Chat { Via::Patch } else { Via::Webhook };
            out.push(Sample { name: format!("alert_{kind}_{word}"), card, via });
        }
    }
    out.extend(requests::all(cards, &ctx, size));
    out.extend(asking::all(cards, &ctx, size));
    out.extend(digests::all(cards, &ctx, size));
    out.extend(batch::all(cards, &ctx, size));
    for (name, accounts) in [("billing_projects", 2), ("billing_projects_account", 1)] {
        let (view, projects) =
            (rest::billing_with_shares(size, accounts), rest::billed_projects(size, accounts));
        let card = cards.billing_by_project(&view, &projects, &ctx);
        out.push(Sample { name: name.to_owned(), card, via: Via::Send });
    }
    out.extend(asking::ending_limits(cards, &ctx, size));
    out.extend(batch::ending_limits(cards, &ctx, size));
    out
}

/// Visits every card, in both languages, for every role, with data of every size.
pub(crate) fn everything(mut visit: impl FnMut(Locale, Role, Size, &Sample)) {
    for locale in Locale::ALL {
        let cards = Cards::new(locale, OpIds::Counter);
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

/// Includes the smallest size of every card: whatever names people choose, a message can carry the card, with the margin
/// that [`Card::fits`] leaves for what is added on the way.
#[test]
fn every_card_fits_into_a_message() {
    let mut large = Vec::new();
    everything(|locale, role, size, sample| {
        if !sample.card.fits() {
            let bytes = sample.card.escaped_len();
            large.push(format!("{} {locale} {role:?} {size:?}: {bytes}", sample.name));
        }
    });
    assert!(large.is_empty(), "{}", large.join("\n"));
}

#[test]
fn every_template_has_a_sample() {
    everything(|_, _, _, _| {});
    let expected: BTreeSet<String> =
        engine::TEMPLATES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        RENDERED.take(),
        expected,
        "left: templates that the samples render; right: all templates"
    );
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

/// Every object within a card.
pub(crate) fn objects<'a>(value: &'a Value, out: &mut Vec<&'a serde_json::Map<String, Value>>) {
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

/// What remains of markdown without the markup that templates use.
fn without_own_markup(text: &str) -> String {
    // Code that holds nothing but the characters of keys and passwords.
    let code = text.strip_prefix("```\n").and_then(|code| code.strip_suffix("\n```"));
    if code.is_some_and(|code| !code.contains(['`', '<', '>', '*', '[', '$', '\n'])) {
        return String::new();
    }
    let mut text = text.replace("</font>", "").replace("</text_tag>", "").replace("**", "");
    for colour in [
        "green", "grey", "grey-200", "yellow", "orange", "red", "blue", "carmine", "violet",
        "neutral",
    ] {
        text = text
            .replace(&format!("<font color='{colour}'>"), "")
            .replace(&format!("<text_tag color='{colour}'>"), "");
    }
    for (link, page) in [
        ("到方舟控制台停用", "apiKey"),
        ("到方舟控制台查看", "endpoint"),
        ("Switch off in the Ark console", "apiKey"),
        ("See the Ark console", "endpoint"),
    ] {
        let console = "https://console.volcengine.com/ark/region:ark+cn-beijing";
        text = text.replace(&format!("[{link}]({console}/{page})"), link);
    }
    for i in 0..3 {
        text = text.replace(&format!("<at id=ou_{i:032}></at>"), "");
    }
    text
}

#[test]
fn outside_text_stays_plain_text() {
    everything(|locale, role, size, sample| {
        let name = format!("{} {locale} {role:?} {size:?}", sample.name);
        let card = sample.card.value();
        for text in markdown(&card) {
            let rest = without_own_markup(&text);
            // Our own texts use none of these marks (brackets are full-width), so they can come only from outside text.
            for mark in ['<', '>', '*', '~', '[', ']', '_', '$', '`', '|', '@', '\\'] {
                assert!(!rest.contains(mark), "{name}: `{mark}` in {text:?}");
            }
        }
        let mut all = Vec::new();
        strings(&card, "", &mut all);
        for (member, text) in all {
            // Keys must come back unchanged; text for people must hold nothing invisible.
            if matches!(member, "user" | "project" | "value" | "query" | "initial_option") {
                continue;
            }
            let invisible =
                |c: char| (c.is_control() && c != '\n') || ('\u{202A}'..='\u{202E}').contains(&c);
            assert!(!text.contains(invisible), "{name}: {member} holds {text:?}");
            // Template syntax is not evaluated: 7*7 stays.
            assert!(!text.contains("X49X"), "{name}: {text:?}");
        }
    });
}

#[test]
fn callback_values_carry_the_way_back_unless_its_query_is_long() {
    let place = ListPlace {
        page: 2,
        filter: UserFilter::Disabled,
        query: "web".to_owned(),
        ..ListPlace::default()
    };
    let cards = Cards::new(Locale::ZhCn, OpIds::Counter);
    let ctx = CardContext::new(Role::Admin, samples::now()).with_back(Some(place.clone()));
    let card = cards.user(&samples::detail(Size::Small), &ctx).value();
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
    let card = cards.user(&samples::detail(Size::Small), &ctx.with_back(Some(long)));
    assert!(!card.as_str().contains("\"back\""));
}

#[test]
fn a_refused_form_is_shown_again_with_its_values() {
    let cards = Cards::new(Locale::ZhCn, OpIds::Counter);
    let values =
        [("amount", "1,00"), ("note", "Q4 \"预算\"")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let ctx = CardContext::new(Role::Admin, samples::now())
        .with_banner(Tone::Error, "逗号位置不对")
        .with_form(values.into());
    let card = cards.quota(&samples::quota(Size::Small), &ctx).value();
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
fn cards_match_their_snapshots() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        let zh = Cards::new(Locale::ZhCn, OpIds::Counter);
        for sample in all(&zh, Role::Admin, Size::Small) {
            insta::assert_json_snapshot!(sample.name, sample.card.value());
        }
        let viewer = Cards::new(Locale::ZhCn, OpIds::Counter);
        for sample in all(&viewer, Role::Viewer, Size::Small) {
            if ["user", "projects", "quota", "help", "rest"].contains(&sample.name.as_str()) {
                let name = format!("{}_viewer", sample.name);
                insta::assert_json_snapshot!(name, sample.card.value());
            }
        }
        let en = Cards::new(Locale::EnUs, OpIds::Counter);
        for sample in all(&en, Role::Admin, Size::Small) {
            let shown = [
                "users",
                "user",
                "user_stuck",
                "access_cut",
                "alert_disable_chat",
                "alert_disable_month_chat",
                "alert_warning_month_chat",
                "alert_runs_out_chat",
                "alert_spikes_chat",
                "alert_balance_low_chat",
                "user_limited",
                "quota",
                "alert_warning_chat",
                "settings",
                "configure",
                "accounts",
                "me",
                "create",
                "creation_half",
                "secrets",
                "billing_account",
                "billing_accounts",
                "billing_projects",
                "requests",
                "rest",
                "rest_link",
                "digest_week",
                "digest_own",
                "digest_unread",
                "alert_owner_left_chat",
                "bulk",
                "batch_quota",
                "batch_unusable",
                "import",
            ];
            if shown.contains(&sample.name.as_str()) {
                let name = format!("{}_en_us", sample.name);
                insta::assert_json_snapshot!(name, sample.card.value());
            }
        }
        let hostile = Cards::new(Locale::ZhCn, OpIds::Counter);
        for sample in all(&hostile, Role::Admin, Size::Hostile) {
            if [
                "users",
                "projects",
                "billing",
                "alert_warning_chat",
                "rest",
                "rest_link",
                "digest_week",
                "bulk",
                "billing_projects",
            ]
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
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    let ctx = CardContext::new(Role::Admin, samples::now());
    let op = || {
        let card = cards.quota(&samples::quota(Size::Small), &ctx).value();
        let mut all = Vec::new();
        objects(&card, &mut all);
        let value = all.iter().find_map(|o| o.get("op")).unwrap();
        value.as_str().unwrap().parse::<crate::domain::OpId>().unwrap()
    };
    assert_ne!(op(), op());
    let rendered = samples::now().as_millisecond();
    assert_eq!(op().rendered_at().unwrap().as_millisecond(), rendered);
}
