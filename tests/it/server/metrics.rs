//! Every metric of `docs/metrics.md`, and no other.

use std::collections::BTreeSet;

use crate::bed::one_account;
use crate::shared::environment::Environment;

#[tokio::test(flavor = "multi_thread")]
async fn metrics_match_the_manual() {
    // In a separate process: services in one process share their metrics.
    let environment = Environment::start(one_account()).await;
    // Some metrics are by account.
    environment.register_accounts(&environment.home.store());
    let process = environment.serve("info");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = format!("http://{}/metrics", process.listening());
    let text = reqwest::get(address).await.unwrap().text().await.unwrap();
    let manual =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let mut wanted: Vec<[String; 3]> = manual
        .lines()
        .filter(|line| line.starts_with("| `airgate_"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            [cells[0].trim_matches('`').to_owned(), cells[1].to_owned(), cells[3].to_owned()]
        })
        .collect();
    let help = |name: &str| {
        let start = format!("# HELP {name} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or("no help").to_owned()
    };
    let mut given: Vec<[String; 3]> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            [name.to_owned(), kind.to_owned(), help(name)]
        })
        .collect();
    // This service is in webhook mode.
    let only_websocket = |[_, _, help]: &[String; 3]| help.contains("Only in websocket mode.");
    assert_eq!(wanted.iter().filter(|metric| only_websocket(metric)).count(), 2);
    wanted.retain(|metric| !only_websocket(metric));
    wanted.sort();
    given.sort();
    assert_eq!(given, wanted);
    let relied_on = relied_on();
    let names: Vec<&str> = wanted.iter().map(|[name, _, _]| name.as_str()).collect();
    assert_eq!(
        names,
        relied_on.iter().collect::<Vec<_>>(),
        "docs/metrics.md; docs/behaviour.md §4"
    );

    let outcomes = ["ok", "error", "denied", "duplicate", "stale", "invalid", "throttled"];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((_, rest)) = line.split_once("outcome=\"") {
            let outcome = rest.split('"').next().unwrap();
            assert!(outcomes.contains(&outcome), "{line}");
        }
    }
    for status in ["active", "disabled", "unknown", "gone"] {
        assert!(text.contains(&format!("airgate_users{{status=\"{status}\"}}")), "{text}");
    }
}

/// The metrics that docs/behaviour.md §4 promises, sorted.
fn relied_on() -> BTreeSet<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/behaviour.md")).unwrap();
    let (_, rest) = page.split_once("Metrics that dashboards can rely on:").unwrap();
    let (paragraph, _) = rest.split_once("\n\n").unwrap();
    let names = paragraph.split('`').filter(|word| word.starts_with("airgate_"));
    names.map(|name| name.split('{').next().unwrap().to_owned()).collect()
}
