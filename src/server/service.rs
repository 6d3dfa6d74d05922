//! The composition of the service: from a configuration, an open store, a listener and a clock to a running whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::callbacks::{App, LARGE_BODIES, receive};
use super::{health, listen, long_connection};
use crate::app::cloud::Cloud;
use crate::bot::{self, Bot, Roles};
use crate::cards::{Cards, Locale, OpSource};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::domain::EVENT_WINDOW;
use crate::feishu::connection::Connection;
use crate::feishu::{self, CallbackKeys, CallbackVerifier};
use crate::monitor::{Enforcer, EnforcerParts, Monitor, MonitorParts, Policies, PoliciesParts};
use crate::outbox::{Alerts, Outbox, OutboxParts};
use crate::owed::{InFlight, Wakers};
use crate::store::Store;
use crate::store::backup::{BackupError, BackupFolder};
use crate::volcengine;
use crate::work::{Worker, WorkerParts};

/// A request to us that takes longer, its body included, is given up: a slow sender must not hold a place.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// What is in flight has so long to end after a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// The token is asked for again so often, so that readiness tells the truth even when nothing is sent.
const TOKEN_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// And so soon after it failed.
const TOKEN_RETRY: Duration = Duration::from_secs(10);
/// Names of people who came to be known are asked for so often.
const NAMES_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// And so soon where Feishu did not answer.
const NAMES_RETRY: Duration = Duration::from_secs(60);
/// Observations are folded into buckets so often.
const METRICS_INTERVAL: Duration = Duration::from_secs(30);

/// How long remote calls may take and how they are tried again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest call to Feishu.
    pub feishu_timeout: Duration,
    /// The longest upload to Feishu.
    pub upload_timeout: Duration,
    /// The longest call to Volcengine.
    pub cloud_timeout: Duration,
    /// How a call to Volcengine is tried again.
    pub cloud_retry: volcengine::RetryPolicy,
}

impl Default for Patience {
    /// 10 s for Feishu, 2 min for a file; 30 s for Volcengine: the official SDK waits as long.
    fn default() -> Self {
        Self {
            feishu_timeout: Duration::from_secs(10),
            upload_timeout: Duration::from_secs(120),
            cloud_timeout: Duration::from_secs(30),
            cloud_retry: volcengine::RetryPolicy::default(),
        }
    }
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Feishu's client.
    #[error("the Feishu client cannot be set up: {0}")]
    Feishu(#[from] feishu::Error),
    /// The address.
    #[error("feishu.base_url: {0}")]
    BaseUrl(String),
    /// Volcengine's client.
    #[error("the Volcengine client cannot be set up: {0}")]
    Cloud(#[from] volcengine::Error),
    /// The listener.
    #[error("server.listen: {0}")]
    Listen(#[from] std::io::Error),
}

fn base_url(config: &Config) -> Result<reqwest::Url, ServiceError> {
    feishu::validate_base_url(&config.feishu.base_url)
        .map_err(|error| ServiceError::BaseUrl(error.to_string()))
}

/// Feishu as the configuration names it.
///
/// # Errors
/// Where the client cannot be set up.
pub fn feishu_client(
    config: &Config,
    patience: &Patience,
    clock: Clock,
) -> Result<feishu::Client, ServiceError> {
    Ok(feishu::Client::new(chat_config(config, patience)?, clock)?)
}

fn chat_config(config: &Config, patience: &Patience) -> Result<feishu::ClientConfig, ServiceError> {
    Ok(feishu::ClientConfig {
        base_url: base_url(config)?,
        app_id: config.feishu.app_id.clone(),
        app_secret: config.feishu.app_secret.clone(),
        timeout: patience.feishu_timeout,
        upload_timeout: patience.upload_timeout,
    })
}

/// Volcengine as the configuration names it.
///
/// # Errors
/// Where the client cannot be set up.
pub fn cloud_client(
    config: &Config,
    patience: &Patience,
    clock: Clock,
) -> Result<volcengine::Client, ServiceError> {
    let client = volcengine::ClientConfig {
        iam_endpoint: config.volcengine.iam_endpoint.clone(),
        billing_endpoint: config.volcengine.billing_endpoint.clone(),
        region: config.volcengine.region.clone(),
        qps: config.volcengine.qps,
        timeout: patience.cloud_timeout,
    };
    Ok(volcengine::Client::new(client, clock)?.with_retry(patience.cloud_retry))
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    monitor: Arc<Monitor>,
    wakers: Wakers,
}

impl Service {
    /// Starts everything.
    ///
    /// # Errors
    /// Where a client cannot be set up.
    pub fn start(
        config: &Config,
        store: Store,
        listener: TcpListener,
        clock: Clock,
    ) -> Result<Self, ServiceError> {
        Self::start_with(config, store, listener, clock, Patience::default())
    }

    /// [`Service::start`] with another patience: tests do not wait as long as an operator does.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub fn start_with(
        config: &Config,
        store: Store,
        listener: TcpListener,
        clock: Clock,
        patience: Patience,
    ) -> Result<Self, ServiceError> {
        super::metrics::recorder();
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let wakers = Wakers::default();
        let settings = config.initial_settings();
        let locale = match config.locale {
            config::Locale::ZhCn => Locale::ZhCn,
            config::Locale::EnUs => Locale::EnUs,
        };
        let cards = Cards::new(locale, OpSource::Random);
        let cards = Arc::new(cards.with_detach_policies(config.access.detach_policies));
        let base_url = base_url(config)?;
        let chat = feishu_client(config, &patience, clock.clone())?;
        let connection = match config.feishu.mode {
            config::Mode::Webhook => None,
            config::Mode::Websocket => {
                let config = chat_config(config, &patience)?;
                Some(Connection::new(config, EVENT_WINDOW, clock.clone())?)
            }
        };
        let client = cloud_client(config, &patience, clock.clone())?;
        let cloud = Cloud::new(store.clone(), client);
        let admins = config.feishu.admins.clone();

        let alerts = Alerts::new(Arc::clone(&cards), settings.clone(), admins.clone());
        let outbox = Outbox::new(OutboxParts {
            store: store.clone(),
            feishu: chat.clone(),
            base_url,
            cards: Arc::clone(&cards),
            alerts: alerts.clone(),
            webhook_secret: config.feishu.alert_webhook_secret.clone(),
            webhook_timeout: patience.feishu_timeout,
            clock: clock.clone(),
            wakers: wakers.clone(),
        });
        let users_in_flight = InFlight::default();
        let enforcer = Enforcer::new(EnforcerParts {
            store: store.clone(),
            cloud: cloud.clone(),
            cards: Arc::clone(&cards),
            alerts: alerts.clone(),
            clock: clock.clone(),
            wakers: wakers.clone(),
            in_flight: users_in_flight.clone(),
            detach_policies: config.access.detach_policies,
        });
        let policies = Policies::new(PoliciesParts {
            store: store.clone(),
            cloud: cloud.clone(),
            cards: Arc::clone(&cards),
            clock: clock.clone(),
            wakers: wakers.clone(),
            in_flight: users_in_flight,
            detach_policies: config.access.detach_policies,
        });
        let worker = Worker::new(WorkerParts {
            store: store.clone(),
            cloud: cloud.clone(),
            feishu: chat.clone(),
            cards: Arc::clone(&cards),
            alerts: alerts.clone(),
            clock: clock.clone(),
            project_policies: config.access.project_policies.clone(),
            wakers: wakers.clone(),
        });
        let monitor = Monitor::new(MonitorParts {
            store: store.clone(),
            cloud,
            cards: Arc::clone(&cards),
            alerts: alerts.clone(),
            enabled: config.monitor.enabled,
            bill_source: config.monitor.bill_source,
            amount_field: config.monitor.amount_field,
            concurrency: config.monitor.concurrency.get(),
            clock: clock.clone(),
            wakers: wakers.clone(),
        });
        let bot = Bot::new(bot::Parts {
            store: store.clone(),
            cards: Arc::clone(&cards),
            roles: Roles::new(admins, config.feishu.viewers.clone()),
            settings,
            alerts,
            project_policies: config.access.project_policies.clone(),
            base_url: config.feishu.base_url.clone(),
            monitor: Arc::clone(&monitor),
            feishu: chat.clone(),
            clock: clock.clone(),
            wakers: wakers.clone(),
        });
        let backups = config.store.backup_dir.as_ref().map(|folder| Backups {
            folder: BackupFolder::new(folder, &config.store.path, config.store.backup_keep.get()),
            interval: config.store.backup_interval,
            store: store.clone(),
            clock: clock.clone(),
        });
        let app = Arc::new(App {
            bot: Arc::clone(&bot),
            monitor: Arc::clone(&monitor),
            verifier: CallbackVerifier::new(
                CallbackKeys {
                    app_id: config.feishu.app_id.clone(),
                    encrypt_key: config.feishu.encrypt_key.clone(),
                    verification_token: config.feishu.verification_token.clone(),
                },
                EVENT_WINDOW,
            ),
            words: cards.words(),
            store,
            feishu: chat.clone(),
            clock,
            connection: connection.as_ref().map(|(_, status)| status.clone()),
            large_bodies: Semaphore::new(LARGE_BODIES),
            counting: Mutex::default(),
        });

        let mut tasks = JoinSet::new();
        if let Some(backups) = backups {
            tasks.spawn(run_backups(backups, stop.clone()));
        }
        tasks.spawn(outbox.run(stop.clone()));
        tasks.spawn(enforcer.run(stop.clone()));
        tasks.spawn(policies.run(stop.clone()));
        tasks.spawn(worker.run(stop.clone()));
        tasks.spawn(run_monitor(Arc::clone(&monitor), stop.clone()));
        tasks.spawn(keep_in_touch(chat, Arc::clone(&bot), stop.clone()));
        tasks.spawn(learn_names(bot, Arc::clone(&wakers.names), stop.clone()));
        if let Some((connection, status)) = connection {
            let (settled, in_order) = watch::channel(false);
            let app = Arc::clone(&app);
            tasks.spawn(long_connection::follow(Arc::clone(&app), status, settled, stop.clone()));
            tasks.spawn(long_connection::run(connection, app, in_order, stop.clone()));
        }
        tasks.spawn(serve(listener, app, stop.clone()));
        tasks.spawn(fold_metrics(stop.clone()));
        Ok(Self { address, stop, tasks, monitor, wakers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The monitor.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }

    /// Whom to tell of changes made from outside the service.
    pub fn wakers(&self) -> &Wakers {
        &self.wakers
    }

    /// Stops accepting, lets what is in flight end (10 s), and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP_TIMEOUT, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!("some work did not end in 10 s; it goes on after the next start");
            self.tasks.shutdown().await;
        }
    }
}

async fn serve(listener: TcpListener, app: Arc<App>, stop: CancellationToken) {
    let callbacks =
        Router::new().route("/feishu/event", post(receive)).route("/feishu/card", post(receive));
    // Nobody calls where there is a long connection.
    let router = if app.connection.is_some() { Router::new() } else { callbacks };
    let router = router
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(app)
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(axum::middleware::from_fn(super::request_id::identify));
    listen::raise_file_limit();
    listen::serve(listener, router, listen::places(), stop).await;
}

/// What the scheduled backups need.
struct Backups {
    folder: BackupFolder,
    interval: Duration,
    store: Store,
    clock: Clock,
}

/// Makes a backup at the start and one every interval. One that fails is told in the log and tried again an interval
/// later.
async fn run_backups(backups: Backups, stop: CancellationToken) {
    loop {
        let (folder, store) = (backups.folder.clone(), backups.store.clone());
        let (now, told) = (backups.clock.now(), stop.clone());
        let made =
            tokio::task::spawn_blocking(move || folder.add(&store, now, &|| !told.is_cancelled()));
        match made.await {
            Ok(Ok((path, removed))) => {
                tracing::info!(path = %path.display(), removed, "backup made");
            }
            Ok(Err(BackupError::Stopped)) => return,
            Ok(Err(error)) => tracing::error!(%error, "no backup was made"),
            Err(error) => tracing::error!(%error, "no backup was made"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backups.interval) => {}
        }
    }
}

/// Folds what histograms observed into their buckets, which otherwise only a scrape does: without one they would grow.
async fn fold_metrics(stop: CancellationToken) {
    let Some(recorder) = super::metrics::recorder() else { return };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(METRICS_INTERVAL) => recorder.run_upkeep(),
        }
    }
}

async fn run_monitor(monitor: Arc<Monitor>, stop: CancellationToken) {
    if let Err(error) = monitor.run(stop).await {
        tracing::error!(%error, "the schedule of the monitor ended");
    }
}

/// Reads names that are not known: at the start, when told of new people, and from time to time.
async fn learn_names(bot: Arc<Bot>, bell: Arc<Notify>, stop: CancellationToken) {
    loop {
        let pause = tokio::select! {
            () = stop.cancelled() => return,
            all = bot.learn_names() => if all { NAMES_INTERVAL } else { NAMES_RETRY },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = bell.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Keeps a token at hand, and learns the bot's own id once Feishu answers.
async fn keep_in_touch(feishu: feishu::Client, bot: Arc<Bot>, stop: CancellationToken) {
    let mut named = false;
    loop {
        let touched = async {
            feishu.refresh_token().await?;
            if !named {
                bot.learn_own_id().await?;
            }
            Ok::<_, feishu::Error>(())
        };
        let pause = tokio::select! {
            () = stop.cancelled() => return,
            touched = touched => match touched {
                Ok(()) => {
                    named = true;
                    TOKEN_INTERVAL
                }
                Err(error) => {
                    tracing::warn!(%error, "Feishu cannot be reached");
                    TOKEN_RETRY
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
