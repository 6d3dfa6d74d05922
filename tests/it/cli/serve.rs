//! `airgate serve`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use airgate::domain::AccountId;
use serde_json::Value;

use super::online;
use crate::shared::process::address_in;

#[tokio::test(flavor = "multi_thread")]
async fn the_service_logs_request_ids_makes_a_backup_and_stops_when_told() {
    let environment = online().await;
    let home = &environment.home;
    let process = environment.serve("debug");
    let parse = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    };
    let backup = process.find_line(|line| {
        let fields = &parse(line)["fields"];
        if fields["message"] != "backup made" {
            return None;
        }
        fields["path"].as_str().map(PathBuf::from)
    });
    let url = format!("http://{}/healthz", process.listening());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let answer = client.get(&url).header("x-request-id", "proxy-1.a_B").send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "proxy-1.a_B");
    let logged = process.find_line(|line| {
        let span = &parse(line)["span"];
        (span["request_id"] == "proxy-1.a_B" && span["path"] == "/healthz").then_some(())
    });
    assert!(logged.is_some(), "{}", process.log());
    for hostile in ["a b", "x\u{1b}[31m", &"x".repeat(65), ""] {
        let answer = client.get(&url).header("x-request-id", hostile.as_bytes()).send().await;
        let Ok(answer) = answer else { continue };
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    home.run(&["serve"]).refused(1, "only one airgate may run on a store");
    let stopped = process.terminate();
    assert_eq!(stopped.status.code(), Some(0));
    stopped.log.lines().for_each(|line| drop(parse(line)));

    let backup = home.path("").join(backup.unwrap());
    assert_eq!(backup.parent().unwrap().file_name().unwrap(), "backups");
    let copy = home.open_store(&backup);
    assert!(copy.account_secrets(&AccountId::new("main").unwrap()).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_loses_lines_and_does_not_stop_the_service() {
    let environment = online().await;
    let mut command = environment.home.command(&["serve"]);
    command.env("RUST_LOG", "debug").env("AIRGATE_LOG_FORMAT", "json");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
        if let Some(address) = address_in(&line) {
            break address;
        }
    };
    // From here on nobody reads, and every request is logged: more than the pipe and the queue can hold.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let get = |path: &str| client.get(format!("http://{address}{path}")).send();
    let dropped = async || {
        let text = get("/metrics").await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("airgate_log_dropped_total "));
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let mut requests = 0;
    while dropped().await == 0 {
        for _ in 0..100 {
            assert_eq!(get("/healthz").await.unwrap().status(), 200);
        }
        requests += 100;
        assert!(requests < 20_000, "no line was dropped");
    }
    // The reader is back.
    let told = std::thread::spawn(move || {
        log.lines().map_while(Result::ok).any(|line| line.contains("lines of the log were dropped"))
    });
    assert!(told.join().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
}
