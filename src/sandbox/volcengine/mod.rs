//! A strict stand-in for the Volcengine OpenAPI on loopback. It checks signatures, parameters and limits as the real
//! gateway does (`docs/platforms/volcengine.md` §3, §4), answers from a
//! [`World`], and can inject faults ([`Faults`]).
//!
//! Invariant: nothing here uses `crate::volcengine`. A stand-in that shares the client's code cannot catch its mistakes.

mod actions;
mod api_keys;
mod ark;
mod bill_rows;
mod billing;
mod calls;
mod context;
mod custom_policies;
mod fault;
mod gateway;
mod keys;
mod login;
mod overview;
mod params;
mod permissions;
mod policies;
mod projects;
mod refusal;
mod signature;
mod throttle;
mod users;

#[cfg(test)]
mod tests;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::gateway::Gateway;
use crate::clock::Clock;
use crate::sandbox::listener::{ClosableListener, ListenerSwitch, Reset};
use crate::sandbox::world::{ModelRefusal, Usage, World};

pub use self::calls::Call;
pub use self::fault::{Fault, FaultRule, Faults};

/// A running stand-in. Clones share one server, which ends with [`FakeCloud::stop`] or when the last clone is dropped.
#[derive(Clone)]
pub struct FakeCloud {
    gateway: Arc<Gateway>,
    server: Arc<Server>,
}

/// The serving task, which ends with the last handle.
struct Server {
    address: SocketAddr,
    listener: ListenerSwitch,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
    _stop_on_drop: DropGuard,
}

impl std::fmt::Debug for FakeCloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeCloud").field("address", &self.server.address).finish_non_exhaustive()
    }
}

impl FakeCloud {
    /// Serves `world` on `listener`; the cloud takes its time from `clock`.
    pub async fn start(listener: TcpListener, world: World, clock: Clock) -> FakeCloud {
        let (listener, switch) = ClosableListener::new(listener);
        let address = listener.address();
        let stop = CancellationToken::new();
        let gateway = Arc::new(Gateway::new(world, clock, switch.clone(), stop.clone()));
        let router = Router::new()
            .fallback(gateway::handle)
            .with_state(gateway.clone())
            .into_make_service_with_connect_info::<Reset>();
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(stop.clone().cancelled_owned())
            .into_future();
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::warn!(%error, "the stand-in cloud stopped serving");
            }
        });
        FakeCloud {
            gateway,
            server: Arc::new(Server {
                address,
                listener: switch,
                _stop_on_drop: stop.clone().drop_guard(),
                stop,
                task: Mutex::new(Some(task)),
            }),
        }
    }

    /// `http://127.0.0.1:PORT`, the endpoint of every service.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Stops listening until [`FakeCloud::open`]: resets open connections and refuses new ones.
    pub async fn shut(&self) {
        self.server.listener.shut().await;
    }

    /// Listens again, at the same address.
    pub async fn open(&self) {
        self.server.listener.open().await;
    }

    /// Stops accepting connections, ends the open ones, and waits until they have ended.
    pub async fn stop(&self) {
        self.server.stop.cancel();
        let task = self.server.task.lock().take();
        if let Some(task) = task {
            // The runtime has already reported a panic of the task.
            let _ = task.await;
        }
    }

    /// The calls so far, oldest first; at most the last 20,000.
    pub fn calls(&self) -> Vec<Call> {
        self.gateway.calls.list()
    }

    /// The last calls, newest first.
    pub fn last_calls(&self, count: usize) -> Vec<Call> {
        self.gateway.calls.last(count)
    }

    /// How many times an action was called since the start or [`FakeCloud::clear_calls`], including refused calls.
    pub fn count(&self, action: &str) -> usize {
        self.gateway.calls.count(action)
    }

    /// Waits until [`FakeCloud::count`] of the action is at least `calls`. Wrap it in a timeout.
    pub async fn called(&self, action: &str, calls: usize) {
        self.gateway.calls.wait(action, calls).await;
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.gateway.calls.clear();
    }

    /// Changes the world between two calls.
    pub fn update<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.gateway.world.lock())
    }

    /// Reads the world between two calls.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.gateway.world.lock())
    }

    /// Calls a model as a program with this key does, without HTTP: `model` is an endpoint's id, a preset endpoint's id, a
    /// bot's id or a Model ID. A call that works becomes usage.
    ///
    /// # Errors
    /// [`ModelRefusal`] with the data plane's HTTP status and code.
    pub fn call_model(&self, key: &str, model: &str) -> Result<Usage, ModelRefusal> {
        let now = self.gateway.clock.now();
        self.gateway.world.lock().call_model(key, model, None, now)
    }

    /// The faults to inject.
    pub fn faults(&self) -> &Faults {
        &self.gateway.faults
    }
}
