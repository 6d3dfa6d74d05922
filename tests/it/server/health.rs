//! `/healthz`, `/readyz` and `/metrics`.

use airgate::sandbox::feishu::{Fault, FaultRule, State};
use jiff::SignedDuration;

use crate::bed::{Bed, STRANGER, eventually_some, one_account};
use crate::shared::environment::{APP_SECRET, ENCRYPT_KEY, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics() {
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
