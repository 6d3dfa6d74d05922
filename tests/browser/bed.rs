//! A demo, a chromedriver and a browser of their own for each test, and short ways to act and look. Everything is waited
//! for as a condition in the page.

use std::io::{BufRead, BufReader};
use std::panic::AssertUnwindSafe;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use axum::http::Method;
use fantoccini::elements::{Element, ElementRef};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use futures::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Nothing that is waited for takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks at the page.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How the browser is.
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

/// A process of this test; ended when dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> (Self, BufReader<ChildStdout>) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = BufReader::new(child.stdout.take().unwrap());
        (Self(child), out)
    }

    /// Asks it to end, as a terminal does.
    fn stop(mut self) -> ExitStatus {
        let id = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line that contains this; `None` where the process ends without one.
fn line_with(out: &mut BufReader<ChildStdout>, wanted: &str) -> Option<String> {
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        if out.read_line(&mut line).unwrap() == 0 {
            return None;
        }
    }
    Some(line.trim().to_owned())
}

/// A chromedriver and its port. It chooses a free port of one address family and gives up where the other family's is
/// taken, so it may need another try.
fn driver() -> (Process, u16) {
    for _ in 0..10 {
        let (driver, mut out) =
            Process::start(Command::new("chromedriver").arg("--port=0").stderr(Stdio::null()));
        if let Some(started) = line_with(&mut out, "started successfully on port") {
            let port = started.rsplit(' ').next().unwrap().trim_end_matches('.');
            return (driver, port.parse().unwrap());
        }
    }
    panic!("chromedriver finds no port");
}

/// Requests that WebDriver itself does not have.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(
        &self,
        base_url: &Url,
        session_id: Option<&str>,
    ) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

pub struct Bed {
    pub client: Client,
    pub url: String,
    #[allow(dead_code)] // The pictures' test uses it.
    pub browser: Browser,
}

/// Runs a test in a browser, ends everything, and holds that the demo stopped cleanly and the console stayed silent.
pub async fn run(browser: Browser, test: impl AsyncFnOnce(&Bed)) {
    let (demo, mut demo_out) = Process::start(Command::new(env!("CARGO_BIN_EXE_airgate")).args([
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--seed",
        "7",
        "--locale",
        browser.locale,
    ]));
    let url = line_with(&mut demo_out, "http://").expect("the demo prints its address");
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
    let stopped = demo.stop();
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
    assert_eq!(console, Vec::<String>::new(), "the console");
    assert_eq!(stopped.code(), Some(0), "SIGTERM ends the demo cleanly");
}

async fn open_browser(port: u16, profile: &TempDir, browser: Browser) -> Client {
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([
        format!("--user-data-dir={}", profile.path().display()),
        format!("--window-size={},{}", browser.width, browser.height),
        format!("--lang={}", browser.language),
        format!("--accept-lang={}", browser.language),
    ])
    .collect::<Vec<_>>();
    let wanted = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {
            "args": flags,
            "prefs": {"intl.accept_languages": browser.language},
        },
    });
    let Value::Object(capabilities) = wanted else { unreachable!() };
    ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("chromedriver starts Chromium")
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

    /// Warnings and errors that the console has shown since this was last asked.
    pub async fn console(&self) -> Vec<String> {
        let log = self.vendor("se/log", json!({"type": "browser"})).await;
        log.as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG")
            .map(|entry| format!("{}: {}", entry["level"], entry["message"]))
            .collect()
    }

    /// Opens the page and waits until it is filled.
    pub async fn open(&self) {
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
            // Whoever comes for the first time is greeted.
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
            assert!(begun.elapsed() < PATIENCE, "never true: {expression}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The last visible element that matches the selector and, where a text is given, shows exactly that.
    async fn look(&self, selector: &str, text: &str) -> Option<Element> {
        let script = "const [selector, text] = arguments; \
            return [...document.querySelectorAll(selector)].filter((node) => (node.tagName === 'OPTION' || node.checkVisibility()) \
              && (text === '' || node.textContent.trim() === text)).at(-1) ?? null;";
        let found = self.client.execute(script, vec![selector.into(), text.into()]).await.unwrap();
        let id = found.get(ELEMENT)?.as_str()?.to_owned();
        Some(Element::from_element_id(self.client.clone(), ElementRef::from(id)))
    }

    /// The last visible element that matches.
    #[allow(dead_code)] // The pictures' test uses it.
    pub async fn find(&self, selector: &str) -> Option<Element> {
        self.look(selector, "").await
    }

    /// Presses what is found, as a hand does: it must be there, visible, and not covered.
    pub async fn click(&self, selector: &str, text: &str) {
        let begun = Instant::now();
        let mut why = "it is not there".to_owned();
        while begun.elapsed() < PATIENCE {
            if let Some(element) = self.look(selector, text).await {
                // What scrolls in smoothly, or is redrawn just now, is pressed at the next try.
                match element.click().await {
                    Ok(()) => return,
                    Err(error) => why = error.to_string(),
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        panic!("cannot press {selector} {text:?}: {why}");
    }

    /// Replaces what stands in a field, by typing.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.until(&format!("document.querySelector({})", json!(selector))).await;
        let field = self.look(selector, "").await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Says something in the open conversation, and waits for what comes back.
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

    /// Presses a button of the last card, confirms what it asks, and waits for the answer.
    pub async fn press(&self, label: &str) {
        self.watch_clicks().await;
        let before = self.js("window.answered.length").await.as_u64().unwrap();
        self.click(&last("button.btn"), label).await;
        self.answered(before).await;
    }

    /// Presses the last visible button of this label, on whatever card it is, and waits for the answer.
    pub async fn press_anywhere(&self, label: &str) {
        self.watch_clicks().await;
        let before = self.js("window.answered.length").await.as_u64().unwrap();
        self.click("#thread button.btn", label).await;
        self.answered(before).await;
    }

    /// Presses the first element of the last card that matches, and waits for the answer.
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

    /// Confirms where something is asked, until one more click is answered.
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

    /// Keeps the names of the actions that were answered in `window.answered`.
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

    /// What the last click was answered with.
    pub async fn last_answer(&self) -> Map<String, Value> {
        self.js("window.answered.at(-1)").await.as_object().unwrap().clone()
    }
}

/// Chooses an option of a control, and waits until it is in force.
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
