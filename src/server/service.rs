//! The composition of the service: from a configuration, an open store, a listener and a clock to a running whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::callbacks::{App, LARGE_BODIES};
use super::clients::{Timeouts, cloud_client, feishu_client, feishu_config};
use super::error::ServiceError;
use super::{chores, listen, long_connection, routes};
use crate::app::cloud::Cloud;
use crate::bot::{self, Bot, Roles};
use crate::cards::{Cards, OpSource};
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::domain::Settings;
use crate::feishu::connection::{Connection, ConnectionStatus};
use crate::feishu::{self, CallbackKeys, CallbackVerifier};
use crate::monitor::{self, Enforcer, Monitor};
use crate::outbox::{self, Outbox};
use crate::owed::Wakers;
use crate::store::Store;
use crate::work::{Authoriser, AuthoriserParts, Worker};

/// Grace period for work in flight after a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A running service.
pub struct Service {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    monitor: Arc<Monitor>,
    wakers: Wakers,
}

impl Service {
    /// Starts the service.
    pub fn start(
        config: &Config,
        store: Store,
        listener: TcpListener,
        clock: Clock,
    ) -> Result<Self, ServiceError> {
        Self::start_with(config, store, listener, clock, Timeouts::default())
    }

    /// Like [`Service::start`], with other timeouts: tests use shorter ones.
    pub fn start_with(
        config: &Config,
        store: Store,
        listener: TcpListener,
        clock: Clock,
        timeouts: Timeouts,
    ) -> Result<Self, ServiceError> {
        super::metrics::recorder();
        let address = listener.local_addr()?;
        let connection = match config.feishu.mode {
            Mode::Webhook => None,
            Mode::Websocket => {
                Some(Connection::new(feishu_config(config, &timeouts), clock.clone())?)
            }
        };
        let plan = Plan::new(config, store, clock, timeouts)?;
        let (outbox, enforcer, worker) = (plan.outbox(), plan.enforcer(), plan.worker());
        let authoriser = plan.authoriser(&enforcer);
        let monitor = plan.monitor();
        let bot = plan.bot(&monitor);
        let app = plan.app(&bot, connection.as_ref().map(|(_, status)| status.clone()));

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(outbox.run(stop.clone()));
        tasks.spawn(Arc::new(enforcer).run(stop.clone()));
        tasks.spawn(authoriser.run(stop.clone()));
        tasks.spawn(worker.run(stop.clone()));
        tasks.spawn(run_monitor(Arc::clone(&monitor), stop.clone()));
        for chore in plan.chores(&bot) {
            tasks.spawn(chores::run(chore, stop.clone()));
        }
        if let Some((connection, status)) = connection {
            let (settled, in_order) = watch::channel(false);
            let app = Arc::clone(&app);
            tasks.spawn(long_connection::follow(Arc::clone(&app), status, settled, stop.clone()));
            tasks.spawn(long_connection::run(connection, app, in_order, stop.clone()));
        }
        tasks.spawn(serve(listener, app, stop.clone()));
        Ok(Self { address, stop, tasks, monitor, wakers: plan.wakers })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The monitor.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }

    /// What to wake after changes made from outside the service.
    pub fn wakers(&self) -> &Wakers {
        &self.wakers
    }

    /// Stops accepting requests and gives work in flight 10 s to end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP_TIMEOUT, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("some work did not end within 10 s; it resumes after the next start");
            self.tasks.shutdown().await;
        }
    }
}

/// What the parts of the service share, and a method for each part.
struct Plan<'a> {
    config: &'a Config,
    timeouts: Timeouts,
    store: Store,
    clock: Clock,
    feishu: feishu::Client,
    cloud: Cloud,
    cards: Arc<Cards>,
    /// The configured settings, which saved ones override.
    settings: Settings,
    wakers: Wakers,
}

impl<'a> Plan<'a> {
    fn new(
        config: &'a Config,
        store: Store,
        clock: Clock,
        timeouts: Timeouts,
    ) -> Result<Self, ServiceError> {
        let cards = Cards::new(config.locale, OpSource::Random)
            .taking_policies(config.access.detach_policies);
        let client = cloud_client(config, &timeouts, clock.clone())?;
        Ok(Self {
            config,
            timeouts,
            feishu: feishu_client(config, &timeouts, clock.clone())?,
            cloud: Cloud::new(store.clone(), client),
            store,
            clock,
            cards: Arc::new(cards),
            settings: config.initial_settings(),
            wakers: Wakers::default(),
        })
    }

    fn outbox(&self) -> Arc<Outbox> {
        Outbox::new(outbox::Parts {
            store: self.store.clone(),
            feishu: self.feishu.clone(),
            base_url: self.config.feishu.base_url.clone(),
            cards: Arc::clone(&self.cards),
            settings: self.settings.clone(),
            webhook_secret: self.config.feishu.alert_webhook_secret.clone(),
            webhook_timeout: self.timeouts.feishu,
            admins: self.config.feishu.admins.clone(),
            clock: self.clock.clone(),
            bell: Arc::clone(&self.wakers.outbox),
        })
    }

    fn enforcer(&self) -> Enforcer {
        Enforcer::new(
            self.store.clone(),
            self.cloud.clone(),
            Arc::clone(&self.cards),
            self.settings.clone(),
            self.config.feishu.admins.clone(),
            self.clock.clone(),
            self.wakers.clone(),
        )
        .taking_policies(self.config.access.detach_policies)
    }

    fn authoriser(&self, enforcer: &Enforcer) -> Arc<Authoriser> {
        Authoriser::new(AuthoriserParts {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            cards: Arc::clone(&self.cards),
            clock: self.clock.clone(),
            cut_takes_policies: self.config.access.detach_policies,
            in_flight: enforcer.in_flight(),
            bell: Arc::clone(&self.wakers.policies),
            outbox_bell: Arc::clone(&self.wakers.outbox),
        })
    }

    fn worker(&self) -> Worker {
        Worker {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            feishu: self.feishu.clone(),
            cards: Arc::clone(&self.cards),
            settings: self.settings.clone(),
            clock: self.clock.clone(),
            project_policies: self.config.access.project_policies.clone(),
            policies_bell: Arc::clone(&self.wakers.policies),
            bell: Arc::clone(&self.wakers.tasks),
            outbox_bell: Arc::clone(&self.wakers.outbox),
            names_bell: Arc::clone(&self.wakers.names),
        }
    }

    fn monitor(&self) -> Arc<Monitor> {
        Monitor::new(monitor::Parts {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            cards: Arc::clone(&self.cards),
            settings: self.settings.clone(),
            admins: self.config.feishu.admins.clone(),
            enabled: self.config.monitor.enabled,
            bill_source: self.config.monitor.bill_source,
            amount_field: self.config.monitor.amount_field,
            concurrency: self.config.monitor.concurrency.get(),
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
        })
    }

    fn bot(&self, monitor: &Arc<Monitor>) -> Arc<Bot> {
        let feishu = &self.config.feishu;
        Bot::new(bot::Parts {
            store: self.store.clone(),
            cards: Arc::clone(&self.cards),
            roles: Roles::new(feishu.admins.clone(), feishu.viewers.clone()),
            settings: self.settings.clone(),
            project_policies: self.config.access.project_policies.clone(),
            base_url: feishu.base_url.clone(),
            monitor: Arc::clone(monitor),
            feishu: self.feishu.clone(),
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
        })
    }

    /// What the handlers of requests and events need.
    fn app(&self, bot: &Arc<Bot>, connection: Option<ConnectionStatus>) -> Arc<App> {
        let feishu = &self.config.feishu;
        Arc::new(App {
            bot: Arc::clone(bot),
            verifier: CallbackVerifier::new(CallbackKeys {
                app_id: feishu.app_id.clone(),
                encrypt_key: feishu.encrypt_key.clone(),
                verification_token: feishu.verification_token.clone(),
            }),
            words: self.cards.words(),
            store: self.store.clone(),
            feishu: self.feishu.clone(),
            clock: self.clock.clone(),
            connection,
            large_bodies: Semaphore::new(LARGE_BODIES),
            counting: Mutex::default(),
        })
    }

    fn chores(&self, bot: &Arc<Bot>) -> Vec<Box<dyn chores::Chore>> {
        chores::all(&chores::Needs {
            config: self.config,
            store: &self.store,
            feishu: &self.feishu,
            bot,
            wakers: &self.wakers,
            clock: &self.clock,
        })
    }
}

async fn serve(listener: TcpListener, app: Arc<App>, stop: CancellationToken) {
    listen::raise_file_limit();
    listen::serve(listener, routes::router(app), listen::connection_limit(), stop).await;
}

async fn run_monitor(monitor: Arc<Monitor>, stop: CancellationToken) {
    if let Err(error) = monitor.run(stop).await {
        tracing::error!(%error, "the monitor's schedule ended");
    }
}
