//! The listener from the moment the process starts: while the store is being opened, which takes a while after a kill,
//! `/healthz` answers 200 and everything else 503, so that no supervisor considers the process dead, and Feishu pushes
//! events again.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::request_id::identify;
use super::{health, listen};
use crate::store::opening::{Opening, Stage};

/// An open listener that leads to the service once there is one. Dropping it closes it.
pub struct Door {
    address: SocketAddr,
    service: Arc<OnceLock<Router>>,
    opening: Opening,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Door {
    /// Starts to serve the listener.
    pub fn open(listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        listen::raise_file_limit();
        let (service, stop) = (Arc::new(OnceLock::new()), CancellationToken::new());
        let opening = Opening::default();
        let router = router(Arc::clone(&service), opening.clone());
        let limit = listen::connection_limit();
        let serving = tokio::spawn(listen::serve(listener, router, limit, stop.clone()));
        Ok(Self { address, service, opening, stop, serving: Some(serving) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `/readyz` says until there is a service, for whoever opens the store.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// From now on, requests go to this router. The second one is ignored.
    pub(super) fn lead_to(&self, router: Router) {
        let _ = self.service.set(router);
    }

    /// Serves until `stop`; returns when requests in flight are answered.
    pub(super) async fn serve(mut self, stop: CancellationToken) {
        let Some(mut serving) = self.serving.take() else { return };
        tokio::select! {
            _ = &mut serving => return,
            () = stop.cancelled() => self.stop.cancel(),
        }
        // An Err means that it panicked.
        let _ = serving.await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn router(service: Arc<OnceLock<Router>>, opening: Opening) -> Router {
    let opening = Router::new()
        .route("/healthz", get(health::opening))
        .fallback(move || {
            let stage = opening.stage();
            async move { still_opening(stage) }
        })
        .layer(axum::middleware::from_fn(identify));
    Router::new().fallback(move |request: Request| {
        let router = service.get().unwrap_or(&opening).clone();
        async move {
            match TowerToHyperService::new(router).call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
}

/// The answer of `/readyz`, and of everything that needs the store.
fn still_opening(stage: Stage) -> Response {
    let body = Json(json!({ "status": "not ready", "reason": stage.to_string() }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
