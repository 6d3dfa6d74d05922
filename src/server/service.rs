//! Composes the service: turns a configuration, an open store, a listener and a clock into a running whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::callbacks::{App, Inbound, LARGE_BODIES};
use super::clients::{Timeouts, cloud_client, feishu_client, feishu_config};
use super::door::Door;
use super::error::ServiceError;
use super::{chores, long_connection, routes};
use crate::access::{Enforcer, EnforcerParts};
use crate::app::cloud::Cloud;
use crate::app::group_roles::RoleGroups;
use crate::bot::{self, Bot, Roles};
use crate::cards::{Cards, OpIds};
use crate::clock::Clock;
use crate::config::{Config, Events};
use crate::domain::{EVENT_WINDOW, Settings, UserKey};
use crate::feishu::connection::Connection;
use crate::feishu::{self, CallbackKeys, CallbackVerifier};
use crate::monitor::{Monitor, MonitorParts, Policies, PoliciesParts, WarnDays};
use crate::outbox::{Alerts, Outbox, OutboxParts};
use crate::owed::{InFlight, Wakers};
use crate::store::{Store, View};
use crate::work::{Worker, WorkerParts};

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
        Self::start_behind(config, store, Door::open(listener)?, clock, timeouts)
    }

    /// Like [`Service::start_with`], behind a listener that is open already.
    pub fn start_behind(
        config: &Config,
        store: Store,
        door: Door,
        clock: Clock,
        timeouts: Timeouts,
    ) -> Result<Self, ServiceError> {
        super::metrics::recorder();
        let address = door.address();
        let (inbound, connection) = match &config.feishu.events {
            Events::Webhook(secrets) => {
                let keys = CallbackKeys {
                    app_id: config.feishu.app_id.clone(),
                    encrypt_key: secrets.encrypt_key.clone(),
                    verification_token: secrets.verification_token.clone(),
                };
                (Inbound::Callbacks(CallbackVerifier::new(keys, EVENT_WINDOW)), None)
            }
            Events::Websocket => {
                let config = feishu_config(config, &timeouts);
                let (connection, status) = Connection::new(config, EVENT_WINDOW, clock.clone())?;
                (Inbound::LongConnection(status.clone()), Some((connection, status)))
            }
        };
        let plan = Plan::new(config, store, clock, timeouts)?;
        let (outbox, enforcer) = (plan.outbox(), plan.enforcer());
        let (worker, policies) = (plan.worker(&enforcer), plan.policies());
        let monitor = plan.monitor(&enforcer);
        let bot = plan.bot(&monitor);
        let app = plan.app(&bot, &monitor, inbound);

        let chores = plan.chores(&bot)?;

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(outbox.run(stop.clone()));
        tasks.spawn(enforcer.run(stop.clone()));
        tasks.spawn(policies.run(stop.clone()));
        tasks.spawn(worker.run(stop.clone()));
        tasks.spawn(Arc::clone(&monitor).run(stop.clone()));
        for chore in chores {
            tasks.spawn(chores::run(chore, plan.clock.clone(), stop.clone()));
        }
        if let Some((connection, status)) = connection {
            let (settled, in_order) = watch::channel(false);
            let app = Arc::clone(&app);
            tasks.spawn(long_connection::follow(Arc::clone(&app), status, settled, stop.clone()));
            tasks.spawn(long_connection::run(connection, app, in_order, stop.clone()));
        }
        door.lead_to(routes::router(app));
        tasks.spawn(door.serve(stop.clone()));
        Ok(Self { address, stop, tasks, monitor, wakers: plan.wakers })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the monitor.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }

    /// Returns the wake-up signals, for changes made from outside the service.
    pub fn wakers(&self) -> &Wakers {
        &self.wakers
    }

    /// Stops accepting requests and gives work in flight 10 s to finish.
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
    alerts: Alerts,
    groups: RoleGroups,
    wakers: Wakers,
    /// Users that the enforcer or the policies loop is working on; never both at once.
    users_in_flight: InFlight<UserKey>,
}

impl<'a> Plan<'a> {
    fn new(
        config: &'a Config,
        store: Store,
        clock: Clock,
        timeouts: Timeouts,
    ) -> Result<Self, ServiceError> {
        let cards =
            Cards::new(config.locale, OpIds::Random).with_rules(config.access.rules.clone());
        let cards = Arc::new(cards);
        let settings = config.initial_settings();
        let admins = config.feishu.admins.clone();
        let client = cloud_client(config, &timeouts, clock.clone())?;
        let (admin_chat, viewer_chat) =
            (config.feishu.admin_chat.clone(), config.feishu.viewer_chat.clone());
        let known = store.read(View::group_roles).unwrap_or_default();
        let app_id = config.feishu.app_id.as_str();
        let tenant = store.read(|tx| tx.own_tenant(app_id)).unwrap_or_default();
        let groups = RoleGroups::new(admin_chat, viewer_chat, known, tenant);
        Ok(Self {
            config,
            timeouts,
            feishu: feishu_client(config, &timeouts, clock.clone())?,
            cloud: Cloud::new(store.clone(), client),
            store,
            clock,
            alerts: Alerts::new(Arc::clone(&cards), settings.clone(), admins)
                .with_viewers(config.feishu.viewers.clone())
                .with_groups(groups.clone()),
            groups,
            cards,
            settings,
            wakers: Wakers::default(),
            users_in_flight: InFlight::default(),
        })
    }

    fn outbox(&self) -> Arc<Outbox> {
        Outbox::new(OutboxParts {
            store: self.store.clone(),
            feishu: self.feishu.clone(),
            base_url: self.config.feishu.base_url.clone(),
            cards: Arc::clone(&self.cards),
            alerts: self.alerts.clone(),
            webhook_secret: self.config.feishu.alert_webhook_secret.clone(),
            webhook_timeout: self.timeouts.feishu,
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
        })
    }

    fn enforcer(&self) -> Arc<Enforcer> {
        Enforcer::new(EnforcerParts {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            cards: Arc::clone(&self.cards),
            alerts: self.alerts.clone(),
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
            in_flight: self.users_in_flight.clone(),
            rules: self.config.access.rules.clone(),
        })
    }

    fn policies(&self) -> Arc<Policies> {
        Policies::new(PoliciesParts {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            cards: Arc::clone(&self.cards),
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
            in_flight: self.users_in_flight.clone(),
        })
    }

    fn worker(&self, access: &Arc<Enforcer>) -> Arc<Worker> {
        Worker::new(WorkerParts {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            feishu: self.feishu.clone(),
            cards: Arc::clone(&self.cards),
            alerts: self.alerts.clone(),
            clock: self.clock.clone(),
            link_policies: self.config.access.link_policies.clone(),
            wakers: self.wakers.clone(),
            access: Arc::clone(access),
        })
    }

    fn monitor(&self, access: &Arc<Enforcer>) -> Arc<Monitor> {
        Monitor::new(MonitorParts {
            store: self.store.clone(),
            cloud: self.cloud.clone(),
            cards: Arc::clone(&self.cards),
            alerts: self.alerts.clone(),
            enabled: self.config.monitor.enabled,
            bill_source: self.config.monitor.bill_source,
            amount_field: self.config.monitor.amount_field,
            estimate: self.config.monitor.estimate,
            warn_days: WarnDays {
                forecast: self.config.monitor.forecast_days,
                balance: self.config.monitor.balance_days,
            },
            concurrency: self.config.monitor.concurrency.get(),
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
            access: Arc::clone(access),
        })
    }

    fn bot(&self, monitor: &Arc<Monitor>) -> Arc<Bot> {
        let feishu = &self.config.feishu;
        Bot::new(bot::Parts {
            store: self.store.clone(),
            cards: Arc::clone(&self.cards),
            roles: Roles::new(
                feishu.admins.clone(),
                feishu.viewers.clone(),
                self.groups.clone(),
                self.clock.clone(),
            ),
            app_id: feishu.app_id.clone(),
            groups: self.groups.clone(),
            settings: self.settings.clone(),
            alerts: self.alerts.clone(),
            link_policies: self.config.access.link_policies.clone(),
            base_url: feishu.base_url.clone(),
            monitor: Arc::clone(monitor),
            feishu: self.feishu.clone(),
            clock: self.clock.clone(),
            wakers: self.wakers.clone(),
        })
    }

    /// Returns what the handlers of requests and events need.
    fn app(&self, bot: &Arc<Bot>, monitor: &Arc<Monitor>, inbound: Inbound) -> Arc<App> {
        Arc::new(App {
            bot: Arc::clone(bot),
            monitor: Arc::clone(monitor),
            inbound,
            words: self.cards.words(),
            store: self.store.clone(),
            feishu: self.feishu.clone(),
            clock: self.clock.clone(),
            large_bodies: Semaphore::new(LARGE_BODIES),
            counting: Mutex::default(),
        })
    }

    fn chores(&self, bot: &Arc<Bot>) -> Result<Vec<Box<dyn chores::Chore>>, ServiceError> {
        chores::all(&chores::Needs {
            config: self.config,
            store: &self.store,
            feishu: &self.feishu,
            bot,
            alerts: &self.alerts,
            groups: &self.groups,
            wakers: &self.wakers,
            timeouts: &self.timeouts,
            clock: &self.clock,
        })
    }
}
