//! The pictures of `docs/cards`: every card with the demo's data, in both languages, as the demo's page draws them.
//!
//! `cargo test --test pictures -- --ignored` retakes them. Needs Chromium, chromedriver, a font for Chinese
//! (fonts-noto-cjk) and, for small files, pngquant. Look at them before committing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

#[allow(dead_code)] // The browser tests use more of it.
#[path = "../browser/bed/mod.rs"]
mod bed;
#[path = "../shared/mod.rs"]
mod shared;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airgate::cards::{Locale, Wording};
use bed::{Bed, Browser, ENGLISH, card_shows, choose, last, run};
use serde_json::json;

/// A card that answers a command: its name, the command.
const ANSWERS: [(&str, &str); 21] = [
    ("help", "/help"),
    ("users", "/users"),
    ("user", "/user wang.fang"),
    ("user_disabled", "/user train-runner"),
    ("candidates", "/user zhang.wei"),
    ("not_found", "/user wang.fan"),
    ("projects", "/projects wang.fang"),
    ("quota", "/quota li.bowen"),
    ("large", "/quota li.bowen 5000000 新项目"),
    ("billing", "/billing"),
    ("billing_user", "/billing wang.fang"),
    ("alerts", "/alerts"),
    ("monitor", "/monitor"),
    ("enable", "/enable train-runner"),
    ("sync", "/sync"),
    ("config", "/config"),
    ("accounts", "/accounts"),
    ("report", "/report week"),
    ("report_month", "/report month"),
    ("create", "/create"),
    ("import", "/import"),
];

/// The others, in the order of the index.
const FURTHER: [&str; 28] = [
    "created_partly",
    "created",
    "secrets",
    "configure",
    "accounts_replace",
    "rest",
    "disable",
    "me",
    "welcome",
    "export",
    "processing",
    "cycle",
    "refused",
    "alert_warning",
    "alert_disable",
    "alert_error",
    "alert_recovered",
    "alert_test",
    "me_pending",
    "request",
    "request_granted",
    "notice",
    "requests",
    "approval",
    "steps",
    "bulk",
    "batch",
    "billing_projects",
];

/// A picture for each template.
const TEMPLATES: [(&str, &str); 32] = [
    ("access", "disable"),
    ("accounts", "accounts"),
    ("alert", "alert_warning"),
    ("alerts", "alerts"),
    ("approval", "approval"),
    ("batch", "batch"),
    ("billing", "billing"),
    ("bulk", "bulk"),
    ("candidates", "candidates"),
    ("configure", "configure"),
    ("create", "create"),
    ("creation", "created"),
    ("cycle", "cycle"),
    ("digest", "report"),
    ("help", "help"),
    ("large", "large"),
    ("import", "import"),
    ("me", "me"),
    ("message", "not_found"),
    ("monitor", "monitor"),
    ("notice", "notice"),
    ("processing", "processing"),
    ("projects", "projects"),
    ("quota", "quota"),
    ("request", "request"),
    ("requests", "requests"),
    ("rest", "rest"),
    ("settings", "config"),
    ("steps", "steps"),
    ("sync", "sync"),
    ("user", "user"),
    ("users", "users"),
];

fn names() -> impl Iterator<Item = &'static str> {
    ANSWERS.iter().map(|(name, _)| *name).chain(FURTHER)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cards")
}

async fn take(bed: &Bed, name: &str) {
    // A card that has changed is highlighted for a moment.
    bed.until(
        "![...document.querySelectorAll('.is-updated, .updated-flag, .toast')].some((node) => node.checkVisibility())",
    )
    .await;
    // Alone in the thread it is neither scrolled nor cut off.
    bed.js(
        "(() => { document.activeElement?.blur(); const rows = [...document.querySelectorAll('.message')]; \
           const last = rows.filter((row) => row.matches('.is-card') && row.checkVisibility()).at(-1); \
           for (const row of rows) if (row !== last) row.style.display = 'none'; return true; })()",
    )
    .await;
    bed.until(
        "(() => { const box = [...document.querySelectorAll('.card')].find((card) => card.checkVisibility()) \
           .getBoundingClientRect(); const room = document.querySelector('#thread').getBoundingClientRect(); \
           return box.top >= room.top && box.bottom <= room.bottom; })()",
    )
    .await;
    let card = bed.find("#thread article.card").await.unwrap();
    let png = card.screenshot().await.unwrap();
    let locale = bed.browser.locale;
    std::fs::write(folder().join(format!("{name}.{locale}.png")), png).unwrap();
}

/// Hides all cards of the conversation but the last that matches.
async fn only(bed: &Bed, card: &str) {
    let wanted = format!(
        "[...document.querySelectorAll('.message.is-card')].filter((row) => {{ \
           const card = row.querySelector('.card'); return {card}; }}).at(-1)"
    );
    bed.until(&wanted).await;
    bed.js(&format!(
        "(() => {{ const wanted = {wanted}; for (const row of document.querySelectorAll('.message')) \
           row.style.display = row === wanted ? '' : 'none'; return true; }})()"
    ))
    .await;
}

async fn only_headed(bed: &Bed, template: &str) {
    only(bed, &format!("card.querySelector('.card-header')?.dataset.template === '{template}'"))
        .await;
}

async fn only_showing(bed: &Bed, text: &str) {
    only(bed, &format!("card.textContent.includes({})", json!(text))).await;
}

/// A text of the service in the language of the pictures.
fn word(bed: &Bed, key: &str, arguments: &[(&str, &dyn std::fmt::Display)]) -> String {
    let english = bed.browser.locale == "en_us";
    Wording::new(if english { Locale::EnUs } else { Locale::ZhCn }).t(key, arguments)
}

async fn switch_to(bed: &Bed, english: &str, chinese: &str) {
    let role = if bed.browser.language == "en-US" { english } else { chinese };
    bed.click(".person-card-role", role).await;
    bed.converse("direct").await;
}

const CHANGED: &str = "document.querySelectorAll('.message-time .changed').length";

/// A user is created, in a cloud that refuses the access key at first.
async fn take_creation(bed: &Bed) {
    bed.ask("/create").await;
    bed.click(&last("button.select"), &word(bed, "create.choose_account", &[])).await;
    bed.click(".popup [role=option]", "").await;
    bed.type_into(&last("[data-path$='.2'] input"), "deng.chao").await;
    bed.type_into(&last("[data-path$='.3'] input"), "邓超").await;
    bed.type_into(&last("[data-path$='.8'] input"), "500").await;
    bed.click(&last("[data-tag=checker] input"), "").await;
    choose(bed, "volcengine", "denied").await;
    bed.press(&word(bed, "create.submit", &[])).await;
    let password = word(bed, "create.password_title", &[("user", &"deng.chao")]);
    bed.until(&card_shows(&password)).await;
    only_showing(bed, &word(bed, "create.made_partly", &[("user", &"deng.chao")])).await;
    take(bed, "created_partly").await;
    choose(bed, "volcengine", "none").await;
    bed.press_anywhere(&word(bed, "create.continue", &[])).await;
    bed.until(&card_shows(&word(bed, "create.key_title", &[("user", &"deng.chao")]))).await;
    only_showing(bed, &password).await;
    take(bed, "secrets").await;
    only_showing(bed, &word(bed, "create.made", &[("user", &"deng.chao")])).await;
    take(bed, "created").await;
}

/// The owner asks for quota, an administrator grants less of it; another allocation needs a second administrator.
async fn take_request(bed: &Bed) {
    let english = bed.browser.locale == "en_us";
    let reason = if english { "load test for the launch" } else { "上线前压测" };
    bed.ask(&format!("/request 500 {reason}")).await;
    take(bed, "me_pending").await;
    switch_to(bed, "admin", "管理员").await;
    bed.ask("/quota wang.fang 120000").await;
    bed.ask("/requests").await;
    take(bed, "requests").await;
    bed.converse("group").await;
    only_showing(bed, &word(bed, "approval.confirm", &[])).await;
    take(bed, "approval").await;
    only_showing(bed, reason).await;
    take(bed, "request").await;
    bed.press_anywhere(&word(bed, "request.grant", &[])).await;
    only_showing(bed, &word(bed, "request.word_granted", &[])).await;
    take(bed, "request_granted").await;
    switch_to(bed, "owner", "本人").await;
    only_showing(bed, &word(bed, "request.word_granted", &[])).await;
    take(bed, "notice").await;
}

/// Many users at once: the form, and the preview.
async fn take_bulk(bed: &Bed) {
    bed.ask("/users wang").await;
    bed.press(&word(bed, "bulk.button", &[])).await;
    take(bed, "bulk").await;
    bed.type_into(&last("[data-path$='.0'] input"), "100").await;
    bed.press(&word(bed, "bulk.allocate", &[])).await;
    bed.until(&card_shows(&word(bed, "batch.terms", &[]))).await;
    take(bed, "batch").await;
}

async fn take_all(bed: &Bed) {
    bed.open().await;
    bed.converse("direct").await;
    take(bed, "welcome").await;
    for (name, command) in ANSWERS {
        let changed = bed.js(CHANGED).await;
        bed.ask(command).await;
        // The balances on the card of the accounts are those of the last cycle.
        if name == "sync" {
            bed.until(&format!("{CHANGED} > {changed}")).await;
        }
        take(bed, name).await;
        if name == "accounts" {
            bed.press(&word(bed, "accounts.replace", &[])).await;
            take(bed, "accounts_replace").await;
        }
        if name == "billing" {
            bed.press(&word(bed, "billing.list_projects", &[])).await;
            bed.until(&card_shows("shop-web")).await;
            take(bed, "billing_projects").await;
            bed.press(&word(bed, "billing.list_users", &[])).await;
            bed.press(&word(bed, "billing.open_rest", &[])).await;
            bed.until(&card_shows(&word(bed, "rest.no_project", &[]))).await;
            take(bed, "rest").await;
        }
    }
    take_creation(bed).await;
    take_bulk(bed).await;
    bed.ask("/user wang.fang").await;
    bed.press(&word(bed, "button.settings", &[])).await;
    take(bed, "configure").await;
    bed.ask("/disable sun.xiao").await;
    take(bed, "disable").await;
    let changed = bed.js(CHANGED).await;
    bed.ask("/monitor run").await;
    bed.until(&format!("{CHANGED} > {changed}")).await;
    take(bed, "cycle").await;
    bed.ask("/export users").await;
    bed.until("document.querySelector('a.file')").await;
    take(bed, "export").await;
    bed.ask("/help").await;
    bed.press(&word(bed, "steps.button", &[])).await;
    take(bed, "steps").await;
    bed.ask("/config").await;
    bed.press(&word(bed, "config.test", &[])).await;

    bed.converse("group").await;
    for (name, template) in [("alert_warning", "orange"), ("alert_disable", "red")] {
        only_headed(bed, template).await;
        take(bed, name).await;
    }
    only_showing(bed, &word(bed, "alert.test", &[])).await;
    take(bed, "alert_test").await;
    choose(bed, "volcengine", "refused").await;
    bed.converse("direct").await;
    bed.ask("/monitor run").await;
    bed.until("document.querySelector('#panel').textContent.includes('InvalidAccessKey')").await;
    bed.converse("group").await;
    only_showing(bed, "InvalidAccessKey").await;
    take(bed, "alert_error").await;
    choose(bed, "volcengine", "none").await;
    bed.converse("direct").await;
    bed.ask("/monitor run").await;
    bed.converse("group").await;
    only_headed(bed, "green").await;
    take(bed, "alert_recovered").await;

    switch_to(bed, "owner", "本人").await;
    bed.ask("/me").await;
    take(bed, "me").await;
    take_request(bed).await;
    switch_to(bed, "stranger", "陌生人").await;
    bed.ask("/users").await;
    take(bed, "refused").await;
    // A command in progress: the cloud does not answer.
    switch_to(bed, "admin", "管理员").await;
    choose(bed, "volcengine", "timeout").await;
    bed.ask("/sync").await;
    take(bed, "processing").await;
    choose(bed, "volcengine", "none").await;
}

/// Shrinks the pictures if pngquant is installed, and writes the index.
fn finish() {
    let names: Vec<&str> = names().collect();
    let files: Vec<PathBuf> = names
        .iter()
        .flat_map(|name| {
            ["zh_cn", "en_us"].map(|locale| folder().join(format!("{name}.{locale}.png")))
        })
        .collect();
    let shrunk = Command::new("pngquant")
        .args([
            "--force",
            "--ext",
            ".png",
            "--skip-if-larger",
            "--speed",
            "1",
            "--quality",
            "50-90",
        ])
        .args(&files)
        .status();
    if shrunk.is_err() {
        eprintln!("pngquant is not installed: the pictures are larger than necessary");
    }
    let mut index = String::from(
        "# The cards\n\nAs the demo's page draws them; `cargo test --test pictures -- --ignored` retakes them.\n\n\
         | card | zh_cn | en_us |\n| --- | --- | --- |\n",
    );
    for name in names {
        writeln!(index, "| {name} | ![{name}]({name}.zh_cn.png) | ![{name}]({name}.en_us.png) |")
            .unwrap();
    }
    std::fs::write(folder().join("README.md"), index).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/cards; needs Chromium, chromedriver, fonts-noto-cjk, pngquant"]
async fn pictures_of_every_card() {
    let english = Browser { width: 1400, height: 2600, ..ENGLISH };
    let chinese = Browser { language: "zh-CN", locale: "zh_cn", ..english };
    for browser in [english, chinese] {
        run(browser, async |bed: &Bed| take_all(bed).await).await;
    }
    finish();
}

#[test]
fn every_template_has_a_picture_in_both_languages() {
    let files = |folder: &str, ending: &str| -> BTreeSet<String> {
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .unwrap()
            .filter_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.strip_suffix(ending).map(str::to_owned)
            })
            .collect()
    };
    let wanted = |name: &'static str| ["zh_cn", "en_us"].map(|locale| format!("{name}.{locale}"));
    assert_eq!(files("docs/cards", ".png"), names().flat_map(wanted).collect());
    let mut templates = files("cards", ".json.j2");
    assert!(templates.remove("parts"), "the macros that templates share are not a card");
    assert_eq!(templates, TEMPLATES.iter().map(|(template, _)| (*template).to_owned()).collect());
    for (template, picture) in TEMPLATES {
        assert!(names().any(|name| name == picture), "{template} is not shown");
    }
}
