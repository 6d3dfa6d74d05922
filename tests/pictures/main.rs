//! The pictures of `docs/cards`: every card with the demo's data, in both languages, as the demo's page draws them.
//!
//! `cargo test --test pictures -- --ignored` takes them anew. Needs Chromium, chromedriver, a font for Chinese
//! (fonts-noto-cjk) and, for small files, pngquant. Look at them before committing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

#[allow(dead_code)] // The browser tests use more of it.
#[path = "../browser/bed.rs"]
mod bed;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bed::{Bed, Browser, ENGLISH, run};
use serde_json::json;

/// A card that answers a command: its name, the command, and what the card shows when it is finished.
const ANSWERS: [(&str, &str); 15] = [
    ("help", "/help"),
    ("users", "/users"),
    ("user", "/user wang.fang"),
    ("user_disabled", "/user train-runner"),
    ("candidates", "/user zhang.wei"),
    ("not_found", "/user wang.fan"),
    ("projects", "/projects wang.fang"),
    ("quota", "/quota li.bowen"),
    ("billing", "/billing"),
    ("billing_user", "/billing wang.fang"),
    ("alerts", "/alerts"),
    ("monitor", "/monitor"),
    ("disable", "/disable sun.xiao"),
    ("enable", "/enable train-runner"),
    ("sync", "/sync"),
];

/// The others, in the order they are taken.
const FURTHER: [&str; 6] =
    ["cycle", "refused", "alert_warning", "alert_disable", "alert_error", "alert_recovered"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cards")
}

async fn take(bed: &Bed, name: &str) {
    // A card that changed says so for a moment.
    bed.until("!document.querySelector('.is-updated, .updated-flag, .toast')").await;
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

async fn choose(bed: &Bed, control: &str, value: &str) {
    bed.click(&format!("[data-name={control}] option[value={value}]"), "").await;
    bed.until(&format!(
        "document.querySelector('[data-name={control}] select').value === '{value}' \
          && !document.querySelector('[data-name={control}].is-busy')"
    ))
    .await;
}

fn headed(template: &str) -> String {
    format!(
        "[...document.querySelectorAll('.card')].at(-1)?.querySelector('.card-header').dataset.template === '{template}'"
    )
}

/// Leaves one card of the group, the last with a header of this colour.
async fn only(bed: &Bed, template: &str) {
    bed.js(&format!(
        "(() => {{ const rows = [...document.querySelectorAll('.message')]; \
           const wanted = rows.filter((row) => row.querySelector('.card-header')?.dataset.template === '{template}').at(-1); \
           for (const row of rows) row.style.display = row === wanted ? '' : 'none'; return true; }})()"
    ))
    .await;
}

async fn take_all(bed: &Bed) {
    bed.open().await;
    bed.converse("direct").await;
    for (name, command) in ANSWERS {
        bed.ask(command).await;
        if name == "sync" {
            bed.until("document.querySelectorAll('.message-time .changed').length > 0").await;
        }
        take(bed, name).await;
    }
    let changed = bed.js("document.querySelectorAll('.message-time .changed').length").await;
    bed.ask("/monitor run").await;
    bed.until(&format!("document.querySelectorAll('.message-time .changed').length > {changed}"))
        .await;
    take(bed, "cycle").await;

    bed.converse("group").await;
    only(bed, "orange").await;
    take(bed, "alert_warning").await;
    only(bed, "red").await;
    take(bed, "alert_disable").await;
    choose(bed, "volcengine", "refused").await;
    bed.converse("direct").await;
    bed.ask("/monitor run").await;
    bed.until("document.querySelector('#panel').textContent.includes('InvalidAccessKey')").await;
    bed.converse("group").await;
    bed.until("document.querySelectorAll('.message').length > 6").await;
    take(bed, "alert_error").await;
    choose(bed, "volcengine", "none").await;
    bed.converse("direct").await;
    bed.ask("/monitor run").await;
    bed.converse("group").await;
    bed.until(&headed("green")).await;
    take(bed, "alert_recovered").await;

    let stranger = json!(if bed.browser.language == "en-US" { "stranger" } else { "陌生人" });
    bed.click(".person-card-role", stranger.as_str().unwrap()).await;
    bed.converse("direct").await;
    bed.ask("/users").await;
    take(bed, "refused").await;
}

/// Shrinks the pictures where pngquant is there, and lists them for readers.
fn finish() {
    let names: Vec<&str> = ANSWERS.iter().map(|(name, _)| *name).chain(FURTHER).collect();
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
        eprintln!("pngquant is not there: the pictures are larger than they need be");
    }
    let mut index = String::from(
        "# The cards\n\nAs the demo's page draws them; `cargo test --test pictures -- --ignored` takes them anew.\n\n\
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
