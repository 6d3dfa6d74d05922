//! `/healthz`, `/readyz` and `/metrics`.

use airgate::sandbox::feishu::{Fault, FaultRule, State};
use jiff::SignedDuration;

use airgate::server::{Door, Service};
use airgate::store::Store;
use tokio::net::TcpListener;

use crate::bed::{Bed, STRANGER, eventually_some, one_account};
use crate::shared::environment::{APP_SECRET, ENCRYPT_KEY, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_follow_the_services_state() {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    let mut bed = Bed::start(world).await;
    bed.sync().await;
    assert_eq!(bed.get("/healthz").await.0, 200);
    bed.introduced().await;
    assert_eq!(bed.get("/readyz").await.0, 200);

    // A Feishu that refuses the secret.
    let wrong = Bed::with(one_account(), &[("FEISHU__APP_SECRET", "wrong")]).await;
    let code = |state: &State| {
        state.requests().find(|request| request.endpoint == "token").map(|request| request.code)
    };
    let code = eventually_some("a request for a token", || wrong.feishu.read(code)).await;
    assert_ne!(code, 0);
    assert!(wrong.readyz_becomes(503).await.contains("Feishu"));
    assert_eq!(wrong.get("/healthz").await.0, 200);

    // A token that has not been refreshed for more than 2 h.
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(500)).on("token"));
    bed.clock.advance(SignedDuration::from_secs(2 * 3600 + 60));
    assert_eq!(bed.get("/readyz").await.0, 503);
    bed.feishu.faults().clear();
    bed.restart().await;
    bed.readyz_becomes(200).await;

    bed.ask(STRANGER, "/users").await;
    bed.cycle().await;
    let (status, text) = bed.get("/metrics").await;
    assert_eq!(status, 200);
    for wanted in [
        "airgate_events_total{type=\"im.message.receive_v1\",outcome=\"ok\"}",
        "airgate_events_total{type=\"im.message.receive_v1\",outcome=\"denied\"}",
        "airgate_event_seconds_bucket",
        "airgate_monitor_runs_total{outcome=\"ok\"}",
        "airgate_monitor_run_seconds_bucket",
        "airgate_monitor_last_success_timestamp_seconds ",
        "airgate_cloud_requests_total{action=\"ListUsers\",outcome=\"ok\"}",
        "airgate_feishu_requests_total{endpoint=\"token\",outcome=\"ok\"}",
        "airgate_outbox_pending ",
        "airgate_users{status=\"active\"} 1",
        "airgate_users{status=\"gone\"} 0",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    for secret in ["main-secret", APP_SECRET, TOKEN, ENCRYPT_KEY] {
        assert!(!text.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_opened_the_process_is_healthy_and_not_ready() {
    let bed = Bed::start(one_account()).await;
    let door = Door::open(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    let url = format!("http://{}", door.address());
    let client = reqwest::Client::new();
    let status = async |path: &str| {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(status("/healthz").await.0, 200);
    let (code, text) = status("/readyz").await;
    assert!(code == 503 && text.contains("opening the store"), "{code} {text}");
    // It says how far it has come.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.redb");
    Store::open_followed(&path, &[7; 32], door.opening()).unwrap();
    let told = status("/readyz").await.1;
    assert!(told.contains("opening the store: reading the users"), "{told}");
    // Feishu pushes the event again.
    let event = client.post(format!("{url}/feishu/event")).body("{}").send().await.unwrap();
    assert_eq!(event.status(), 503);
    let service = Service::start_behind(
        &bed.config,
        bed.store.clone(),
        door,
        bed.clock.clone(),
        bed.timeouts,
    )
    .unwrap();
    assert_eq!(status("/healthz").await.0, 200);
    eventually_some("readiness", || bed.feishu.read(|state| state.requests().next().map(drop)))
        .await;
    assert!(!status("/readyz").await.1.contains("opening the store"));
    let event = client.post(format!("{url}/feishu/event")).body("{}").send().await.unwrap();
    assert_eq!(event.status(), 401, "the service judges it now");
    service.stop().await;
    assert!(client.get(format!("{url}/healthz")).send().await.is_err());
}
