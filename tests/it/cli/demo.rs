//! `airgate demo`: its address, its data, its end.

use std::net::TcpListener;

use serde_json::Value;

use crate::bed::eventually_ok;
use crate::shared::process::{Process, airgate, run};

struct Demo {
    process: Process,
    url: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let process = Process::start(airgate(&[&["demo"], arguments].concat()));
        let address =
            |line: &str| line.trim().starts_with("http://").then(|| line.trim().to_owned());
        let url = process.find_line(address).expect("the demo prints its address");
        Self { process, url }
    }

    async fn get(&self, path: &str) -> Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// The title and amounts of each card in the alert group: what follows from the bills, without times and ids.
    async fn alerts(&self) -> Vec<String> {
        // Three warnings and a disable: the first cycle's.
        eventually_ok("the alerts of the first cycle", async || {
            let messages = self.get("/api/messages?chat=oc_demo_alerts").await;
            let messages = messages.as_array().unwrap().iter();
            let mut texts: Vec<String> =
                messages.map(|message| amounts(&message["card"])).collect();
            // What is foretold depends on today.
            texts.retain(|text| !text.starts_with("主账号"));
            texts.sort();
            if texts.len() >= 4 { Ok(texts) } else { Err(texts) }
        })
        .await
    }
}

fn amounts(card: &Value) -> String {
    let mut found = vec![card["header"]["title"]["content"].as_str().unwrap().to_owned()];
    collect(card, &mut found);
    found.join(" ")
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            found.extend(
                text.split(['>', '<', '\n']).filter(|part| part.contains('¥')).map(str::to_owned),
            );
        }
        Value::Array(list) => list.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_its_address_and_ctrl_c_stops_it() {
    let demo = Demo::start(&["--listen", "127.0.0.1:0"]);
    let log = demo.process.log();
    let (greeting, _) = log.split_once("http://").unwrap();
    assert!(greeting.contains("browser"), "{log}");
    let state = demo.get("/api/state").await;
    assert_eq!(state["people"].as_array().unwrap().len(), 5, "{state}");
    assert_eq!(demo.process.interrupt().status.code(), Some(0));
}

#[test]
fn a_port_in_use_is_named_with_the_option_to_change_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(airgate(&["demo", "--listen", &address]), "");
    ended.refused(1, &address);
    ended.refused(1, "--listen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_produces_the_same_data_every_time() {
    let of = |seed: &str| Demo::start(&["--listen", "127.0.0.1:0", "--seed", seed]);
    let (one, same) = (of("7"), of("7"));
    let alerts = one.alerts().await;
    assert!(alerts.iter().any(|alert| alert.contains("¥80,000.00")), "{alerts:?}");
    assert_eq!(alerts, same.alerts().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_can_be_tried_with_the_browser_as_the_phone() {
    let demo = airgate(&["demo", "--setup", "--locale", "en_us", "--listen", "127.0.0.1:0"]);
    // No account, and the first group.
    let process = Process::start_with(demo, "\n1\n");
    let link =
        process.find_line(|line| line.contains("user_code=").then(|| line.trim().to_owned()));
    let link = link.unwrap_or_else(|| panic!("{}", process.log()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = client.get(&link).send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("value=\"airgate\"") && page.contains("application:application:patch"),
        "{page}"
    );
    let decided = client
        .post(&link)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("name=ours&decision=approve")
        .send();
    assert!(decided.await.unwrap().text().await.unwrap().contains("Created"));
    let running = process.find_line(|line| line.contains("The service runs").then_some(()));
    assert!(running.is_some(), "{}", process.log());
    let log = process.interrupt().log;
    assert!(log.contains("The first card is in your chat"), "{log}");
}
