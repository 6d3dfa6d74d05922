//! chromedriver and Chromium.

use std::process::Command;

use axum::http::Method;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Browser;
use crate::shared::process::Process;

/// A chromedriver and its port. It picks a free port of one address family and gives up if the other family's is taken, so
/// it may need another attempt.
pub fn driver() -> (Process, u16) {
    let port = |line: &str| {
        let (_, rest) = line.split_once("started successfully on port ")?;
        rest.trim_end_matches('.').parse().ok()
    };
    for _ in 0..10 {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let driver = Process::start(command);
        if let Some(port) = driver.find_line(port) {
            return (driver, port);
        }
    }
    panic!("chromedriver finds no port");
}

/// A request that is not part of WebDriver itself.
#[derive(Debug)]
pub struct Vendor {
    pub path: &'static str,
    pub body: Value,
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

/// Starts Chromium.
pub async fn open_browser(port: u16, profile: &TempDir, browser: Browser) -> Client {
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
