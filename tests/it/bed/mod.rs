//! The test bed: the service in this process, between the stand-ins, with a clock that the test moves.
//!
//! [`act`] talks to it as people and platforms do, [`look`] reads what the store and the chats hold.

mod act;
mod look;

use std::collections::HashMap;
use std::ops::Deref;

use airgate::clock::Clock;
use airgate::config::Config;
use airgate::sandbox::feishu::connection::Times;
use airgate::sandbox::world::World;
use airgate::server::{Service, Timeouts};
use airgate::store::Store;
use airgate::volcengine::RetryPolicy;
use tokio::net::TcpListener;

pub use act::{answered, has, toast_of};

pub use crate::shared::cards::{markdown_of, text_of};
pub use crate::shared::environment::{ADMIN, ADMIN_2, GROUP, STRANGER, VIEWER};
use crate::shared::environment::{APP_ID, App, ENCRYPT_KEY, Environment, Options, TOKEN};
pub use crate::shared::samples::{labs, one_account, user_key};
pub use crate::shared::text::{fragment, phrase, text};
pub use crate::shared::wait::{TIMEOUT, eventually, eventually_ok, eventually_some};

/// When tests begin: 2026-11-23, 10:00 in Beijing.
pub const NOW: &str = "2026-11-23T02:00:00Z";

pub struct Bed {
    environment: Environment,
    pub store: Store,
    pub config: Config,
    pub timeouts: Timeouts,
    service: Option<Service>,
}

impl Deref for Bed {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.environment
    }
}

impl Bed {
    pub async fn start(world: World) -> Self {
        Self::with(world, &[]).await
    }

    /// With further configuration, as `("MONITOR__BILL_SOURCE", "detail")`; an empty value unsets. The stand-in for Feishu
    /// takes over what concerns the app, except a secret.
    pub async fn with(world: World, further: &[(&str, &str)]) -> Self {
        Self::with_timeouts(world, further, quick()).await
    }

    /// With other timeouts and retries for remote calls.
    pub async fn with_timeouts(world: World, further: &[(&str, &str)], timeouts: Timeouts) -> Self {
        let further: HashMap<&str, &str> = further.iter().copied().collect();
        let app = App {
            id: (*further.get("FEISHU__APP_ID").unwrap_or(&APP_ID)).to_owned(),
            token: (*further.get("FEISHU__VERIFICATION_TOKEN").unwrap_or(&TOKEN)).to_owned(),
            encrypt_key: (*further.get("FEISHU__ENCRYPT_KEY").unwrap_or(&ENCRYPT_KEY)).to_owned(),
            ..App::default()
        };
        let clock = Clock::system();
        clock.set(NOW.parse().unwrap());
        let options = Options { app, clock, ..Options::default() };
        let environment = Environment::with(world, options).await;
        // A dead connection is noticed, and replaced, within seconds.
        environment.feishu.connections().set_times(Times { ping: 1, reconnect: 1, nonce: 1 });
        let variables =
            further.iter().map(|(name, value)| (format!("AIRGATE__{name}"), (*value).to_owned()));
        let store_path = environment.home.store_path().to_str().unwrap().to_owned();
        let variables = variables.chain([("AIRGATE__STORE__PATH".to_owned(), store_path)]);
        let config = Config::load(Some(&environment.home.config_path()), variables).unwrap();
        std::fs::create_dir_all(config.store.path.parent().unwrap()).unwrap();
        let store = Store::open(&config.store.path, config.security.master_key.expose()).unwrap();
        environment.register_accounts(&store);
        let mut bed = Self { environment, store, config, timeouts, service: None };
        bed.start_service().await;
        bed
    }

    pub async fn start_service(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::start_with(
            &self.config,
            self.store.clone(),
            listener,
            self.clock.clone(),
            self.timeouts,
        )
        .unwrap();
        self.feishu.set_service_url(&format!("http://{}", service.address()));
        self.service = Some(service);
    }

    pub fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service().address())
    }

    /// A graceful stop.
    pub async fn stop(&mut self) {
        self.service.take().unwrap().stop().await;
    }

    /// A graceful stop, then a start on the same store.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_service().await;
    }

    /// Sets the clock.
    pub fn at(&self, instant: &str) {
        self.clock.set(instant.parse().unwrap());
    }
}

/// As many retries of calls to the cloud as in service, without the delays between them.
pub fn quick() -> Timeouts {
    Timeouts { cloud_retry: RetryPolicy::quick(), ..Timeouts::default() }
}
