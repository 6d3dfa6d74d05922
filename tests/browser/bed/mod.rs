//! A demo, a chromedriver and a browser for each test, and what a person does and sees in the page. Every wait is for a
//! condition in the page.

mod chrome;

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use fantoccini::Client;
use fantoccini::elements::{Element, ElementRef};
use futures::FutureExt;
use serde_json::{Map, Value, json};

use crate::shared::process::{Process, airgate};
use chrome::{Vendor, driver, open_browser};

/// Nothing that a test waits for takes this long unless it is broken.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Poll interval for conditions in the page.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long a click may take to show its effect before it is repeated.
const AGAIN: Duration = Duration::from_secs(4);
/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The browser's settings.
#[derive(Clone, Copy, Debug)]
pub struct Browser {
    pub language: &'static str,
    pub width: u32,
    pub height: u32,
    pub phone: bool,
    pub dark: bool,
    /// The language of the cards.
    pub locale: &'static str,
}

pub const ENGLISH: Browser = Browser {
    language: "en-US",
    width: 1400,
    height: 1000,
    phone: false,
    dark: false,
    locale: "en_us",
};

pub struct Bed {
    pub client: Client,
    pub url: String,
    #[allow(dead_code)] // Used by the pictures.
    pub browser: Browser,
}

/// Runs a test in a browser, then ends everything. The demo must stop cleanly, and the console must stay silent.
pub async fn run(browser: Browser, test: impl AsyncFnOnce(&Bed)) {
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--seed", "7", "--locale", browser.locale];
    let demo = Process::start(airgate(&arguments));
    let address = |line: &str| line.contains("http://").then(|| line.trim().to_owned());
    let url = demo.find_line(address).expect("the demo prints its address");
    let (driver, port) = driver();
    let profile = tempfile::tempdir().unwrap();
    let client = open_browser(port, &profile, browser).await;
    let bed = Bed { client: client.clone(), url, browser };
    bed.dress(browser).await;
    let done = AssertUnwindSafe(test(&bed)).catch_unwind().await;
    let console = bed.console().await;
    if done.is_err() {
        let shot = std::env::temp_dir().join("airgate-browser-test.png");
        if let Ok(png) = client.screenshot().await {
            std::fs::write(&shot, png).unwrap();
            eprintln!("the page at the end: {}", shot.display());
        }
        eprintln!("console: {console:#?}");
    }
    client.close().await.unwrap();
    drop(driver);
    let stopped = demo.terminate();
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
    assert_eq!(console, Vec::<String>::new(), "the console");
    assert_eq!(stopped.status.code(), Some(0), "SIGTERM ends the demo cleanly");
}

impl Bed {
    async fn vendor(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Vendor { path, body }).await.unwrap()
    }

    /// A command of the Chrome DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.vendor("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    async fn dress(&self, browser: Browser) {
        let (width, height) = (browser.width, browser.height);
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1.5,
            "mobile": browser.phone});
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": browser.phone}))
            .await;
        self.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": "Asia/Shanghai"}))
            .await;
        let scheme = if browser.dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Warnings and errors in the console since the last call.
    pub async fn console(&self) -> Vec<String> {
        let log = self.vendor("se/log", json!({"type": "browser"})).await;
        log.as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG")
            .map(|entry| format!("{}: {}", entry["level"], entry["message"]))
            .collect()
    }

    /// Opens the page as somebody does who has closed the guide.
    pub async fn open(&self) {
        self.open_guided().await;
        self.click(".guide-close", "").await;
        self.until("document.querySelector('#guide').hidden").await;
    }

    /// Opens the page for the first time, and waits until it is complete.
    pub async fn open_guided(&self) {
        self.client.goto(&self.url).await.unwrap();
        self.until(
            "document.querySelector('.chat-row') && !document.querySelector('#guide').hidden",
        )
        .await;
    }

    /// Opens the conversation of this kind: `direct` with the bot, or the alert `group`.
    pub async fn converse(&self, with: &str) {
        let row = if with == "group" {
            ".chat-row:has(.avatar-group)"
        } else {
            ".chat-row:has(.avatar-bot)"
        };
        if self.js("document.querySelector('.chat-row').checkVisibility()").await == false {
            self.click("#back", "").await;
        }
        self.click(row, "").await;
        let wanted = if with == "group" { "Group" } else { "Direct chat" };
        self.until(&format!(
            "['{wanted}', '{}'].includes(document.querySelector('#subtitle').textContent)",
            if with == "group" { "群组" } else { "单聊" }
        ))
        .await;
        if with == "direct" {
            // A person who opens the chat for the first time is welcomed.
            self.until("document.querySelector('#thread article.card')").await;
        }
    }

    /// The value of an expression in the page.
    pub async fn js(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression})"), Vec::new()).await.unwrap()
    }

    /// Waits until an expression is true in the page.
    pub async fn until(&self, expression: &str) {
        let begun = Instant::now();
        while !truthy(&self.js(expression).await) {
            assert!(begun.elapsed() < TIMEOUT, "not true within {TIMEOUT:?}: {expression}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The last visible element that matches the selector and, if a text is given, shows exactly that text.
    async fn look(&self, selector: &str, text: &str) -> Option<Element> {
        let script = "const [selector, text] = arguments; \
            return [...document.querySelectorAll(selector)].filter((node) => (node.tagName === 'OPTION' || node.checkVisibility()) \
              && (text === '' || node.textContent.trim() === text)).at(-1) ?? null;";
        let found = self.client.execute(script, vec![selector.into(), text.into()]).await.unwrap();
        let id = found.get(ELEMENT)?.as_str()?.to_owned();
        Some(Element::from_element_id(self.client.clone(), ElementRef::from(id)))
    }

    /// The last visible element that matches.
    #[allow(dead_code)] // Used by the pictures.
    pub async fn find(&self, selector: &str) -> Option<Element> {
        self.look(selector, "").await
    }

    /// Clicks an element, which must exist, be visible, and not be covered.
    pub async fn click(&self, selector: &str, text: &str) {
        let begun = Instant::now();
        let mut why = "it does not exist".to_owned();
        while begun.elapsed() < TIMEOUT {
            if let Some(element) = self.look(selector, text).await {
                // An element that is still scrolling or being redrawn is clicked on the next attempt.
                match element.click().await {
                    Ok(()) => return,
                    Err(error) => why = error.to_string(),
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("cannot click {selector} {text:?}: {why}");
    }

    /// Clicks until an expression holds: a card that is drawn again closes what a click has opened.
    #[allow(dead_code)] // Not used by the pictures.
    pub async fn click_until(&self, selector: &str, text: &str, expression: &str) {
        let begun = Instant::now();
        while begun.elapsed() < TIMEOUT {
            self.click(selector, text).await;
            let clicked = Instant::now();
            while clicked.elapsed() < AGAIN {
                if truthy(&self.js(expression).await) {
                    return;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        panic!("clicking {selector} {text:?} does not lead to: {expression}");
    }

    /// Replaces the text of a field, by typing.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.until(&format!("document.querySelector({})", json!(selector))).await;
        let field = self.look(selector, "").await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Says something in the open conversation, and waits for another card.
    pub async fn ask(&self, text: &str) {
        let before = self.cards().await;
        self.type_into("#composer textarea", text).await;
        self.click("#composer .send", "").await;
        self.until(&format!("document.querySelectorAll('#thread article.card').length > {before}"))
            .await;
    }

    /// Cards in the open conversation.
    pub async fn cards(&self) -> u64 {
        self.js("document.querySelectorAll('#thread article.card').length").await.as_u64().unwrap()
    }

    /// Clicks a button of the last card, confirms if asked, and waits for the answer.
    pub async fn press(&self, label: &str) {
        self.watch_clicks().await;
        let before = self.js("window.answered.length").await.as_u64().unwrap();
        self.click(&last("button.btn"), label).await;
        self.answered(before).await;
    }

    /// Clicks the last visible button with this label on any card, and waits for the answer.
    pub async fn press_anywhere(&self, label: &str) {
        self.watch_clicks().await;
        let before = self.js("window.answered.length").await.as_u64().unwrap();
        self.click("#thread button.btn", label).await;
        self.answered(before).await;
    }

    /// Clicks the first matching element of the last card, and waits for the answer.
    pub async fn press_first(&self, selector: &str) {
        self.watch_clicks().await;
        let before = self.js("window.answered.length").await.as_u64().unwrap();
        self.js(&format!(
            "(document.querySelector({}).id = 'to-press', true)",
            json!(last(selector))
        ))
        .await;
        self.click("#to-press", "").await;
        self.answered(before).await;
    }

    /// Confirms if asked, and waits until one more click is answered.
    async fn answered(&self, before: u64) {
        let more = format!("window.answered.length > {before}");
        let asked = "document.querySelector('dialog.confirm[open]')";
        self.until(&format!("{asked} || {more}")).await;
        if !truthy(&self.js(&more).await) {
            self.click("dialog.confirm .btn-primary_filled", "").await;
        }
        self.until(&more).await;
        self.until("!document.querySelector('.card.is-locked')").await;
    }

    /// Makes the page collect answered clicks in `window.answered`.
    async fn watch_clicks(&self) {
        self.client
            .execute(
                "if (window.answered) return; window.answered = []; const real = window.fetch; \
                 window.fetch = async (...asked) => { const answer = await real(...asked); \
                   if (asked[0] === '/api/click') { const copy = await answer.clone().json(); \
                     window.answered.push({ action: JSON.parse(asked[1].body).action.value?.action, \
                       error: copy.error, toast: copy.toast }); } \
                   return answer; };",
                Vec::new(),
            )
            .await
            .unwrap();
    }

    /// The answer to the last click.
    pub async fn last_answer(&self) -> Map<String, Value> {
        self.js("window.answered.at(-1)").await.as_object().unwrap().clone()
    }
}

/// Selects an option of a control, and waits until it takes effect.
pub async fn choose(bed: &Bed, control: &str, value: &str) {
    bed.click(&format!("[data-name={control}] option[value={value}]"), "").await;
    bed.until(&format!(
        "document.querySelector('[data-name={control}] select').value === '{value}' \
          && !document.querySelector('[data-name={control}].is-busy')"
    ))
    .await;
}

/// Whether the last card shows this text.
pub fn card_shows(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('#thread .card')].at(-1)?.textContent.includes({})",
        json!(text)
    )
}

/// The selector of something in the last card.
pub fn last(selector: &str) -> String {
    format!("#thread .message:nth-last-child(1 of .is-card) {selector}")
}

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}
