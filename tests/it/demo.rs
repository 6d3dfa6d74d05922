//! `airgate demo`, through the real binary: its address, its data, how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

/// A running demo; ended when dropped.
struct Demo {
    child: Child,
    url: String,
    /// What stood before the address.
    greeting: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_airgate"))
            .arg("demo")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = String::new();
        let url = loop {
            let line = lines.next().expect("the demo prints its address").unwrap();
            if let Some(address) = line.trim().strip_prefix("http://") {
                break format!("http://{address}");
            }
            greeting.push_str(&line);
        };
        // Whatever follows is read, so that nobody writes into a closed pipe.
        std::thread::spawn(move || lines.count());
        Self { child, url, greeting }
    }

    async fn get(&self, path: &str) -> Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Every bar, amount and title of the alert group's cards: what the bills decide, without times and ids.
    async fn alerts(&self) -> Vec<String> {
        loop {
            let messages = self.get("/api/messages?chat=oc_demo_alerts").await;
            let mut texts: Vec<String> = messages
                .as_array()
                .unwrap()
                .iter()
                .map(|message| amounts(&message["card"]))
                .collect();
            // Four warnings and a disable: the first cycle's.
            if texts.len() >= 5 {
                texts.sort();
                return texts;
            }
            tokio::task::yield_now().await;
        }
    }

    fn interrupt(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
async fn it_says_where_it_is_and_ctrl_c_stops_it() {
    let demo = Demo::start(&["--listen", "127.0.0.1:0"]);
    assert!(demo.greeting.contains("browser"), "{}", demo.greeting);
    let state = demo.get("/api/state").await;
    assert_eq!(state["people"].as_array().unwrap().len(), 4, "{state}");
    assert_eq!(demo.interrupt().code(), Some(0));
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_airgate"))
        .args(["demo", "--listen", &address])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_makes_the_same_data_every_time() {
    let of = |seed: &str| Demo::start(&["--listen", "127.0.0.1:0", "--seed", seed]);
    let (one, same) = (of("7"), of("7"));
    let alerts = one.alerts().await;
    assert!(alerts.iter().any(|alert| alert.contains("¥80,000.00")), "{alerts:?}");
    assert_eq!(alerts, same.alerts().await);
}
