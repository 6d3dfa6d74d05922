//! The composition of the service: from a configuration, an open store, a listener and a clock to a running whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::callbacks::{App, receive};
use super::health;
use crate::app::cloud::Cloud;
use crate::bot::{self, Bot, Roles};
use crate::cards::{Cards, Locale, OpSource};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::feishu::{self, CallbackKeys, CallbackVerifier};
use crate::monitor::{self, Bells, Enforcer, Monitor};
use crate::outbox::{self, Outbox};
use crate::store::Store;
use crate::volcengine;
use crate::work::{Authoriser, AuthoriserParts, Worker};

/// A request to us that takes longer is given up: a slow sender must not hold a place.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A call to Feishu.
const FEISHU_TIMEOUT: Duration = Duration::from_secs(10);
/// A call to Volcengine; the official SDK waits as long.
const CLOUD_TIMEOUT: Duration = Duration::from_secs(30);
/// What is in flight has so long to end after a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// The token is asked for again so often, so that readiness tells the truth even when nothing is sent.
const TOKEN_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// And so soon after it failed.
const TOKEN_RETRY: Duration = Duration::from_secs(10);

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

/// A running service.
pub struct Service {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    monitor: Arc<Monitor>,
    bells: Bells,
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
        super::metrics::recorder();
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let bells = Bells::default();
        let settings = config.initial_settings();
        let locale = match config.locale {
            config::Locale::ZhCn => Locale::ZhCn,
            config::Locale::EnUs => Locale::EnUs,
        };
        let cards = Arc::new(Cards::new(locale, OpSource::Random));
        let base_url = feishu::validate_base_url(&config.feishu.base_url)
            .map_err(|error| ServiceError::BaseUrl(error.to_string()))?;
        let chat = feishu::Client::new(
            feishu::ClientConfig {
                base_url: base_url.clone(),
                app_id: config.feishu.app_id.clone(),
                app_secret: config.feishu.app_secret.clone(),
                timeout: FEISHU_TIMEOUT,
            },
            clock.clone(),
        )?;
        let client = volcengine::Client::new(
            volcengine::ClientConfig {
                iam_endpoint: config.volcengine.iam_endpoint.clone(),
                billing_endpoint: config.volcengine.billing_endpoint.clone(),
                region: config.volcengine.region.clone(),
                qps: config.volcengine.qps,
                timeout: CLOUD_TIMEOUT,
            },
            clock.clone(),
        )?;
        let cloud = Cloud::new(store.clone(), client);
        let admins = config.feishu.admins.clone();

        let outbox = Outbox::new(outbox::Parts {
            store: store.clone(),
            feishu: chat.clone(),
            base_url,
            cards: Arc::clone(&cards),
            settings: settings.clone(),
            webhook_secret: config.feishu.alert_webhook_secret.clone(),
            admins: admins.clone(),
            clock: clock.clone(),
            bell: Arc::clone(&bells.outbox),
        });
        let enforcer = Enforcer::new(
            store.clone(),
            cloud.clone(),
            Arc::clone(&cards),
            settings.clone(),
            admins.clone(),
            clock.clone(),
            bells.clone(),
        )
        .taking_policies(config.access.detach_policies);
        let authoriser = Authoriser::new(AuthoriserParts {
            store: store.clone(),
            cloud: cloud.clone(),
            cards: Arc::clone(&cards),
            clock: clock.clone(),
            cut_takes_policies: config.access.detach_policies,
            in_flight: enforcer.in_flight(),
            bell: Arc::clone(&bells.policies),
            outbox_bell: Arc::clone(&bells.outbox),
        });
        let worker = Worker {
            store: store.clone(),
            cloud: cloud.clone(),
            cards: Arc::clone(&cards),
            clock: clock.clone(),
            project_policies: config.access.project_policies.clone(),
            policies_bell: Arc::clone(&bells.policies),
            bell: Arc::clone(&bells.tasks),
            outbox_bell: Arc::clone(&bells.outbox),
        };
        let monitor = Monitor::new(monitor::Parts {
            store: store.clone(),
            cloud,
            cards: Arc::clone(&cards),
            settings: settings.clone(),
            admins: admins.clone(),
            enabled: config.monitor.enabled,
            bill_source: config.monitor.bill_source,
            amount_field: config.monitor.amount_field,
            concurrency: config.monitor.concurrency.get(),
            clock: clock.clone(),
            bells: bells.clone(),
        });
        let bot = Bot::new(bot::Parts {
            store: store.clone(),
            cards: Arc::clone(&cards),
            roles: Roles::new(admins, config.feishu.viewers.clone()),
            settings,
            project_policies: config.access.project_policies.clone(),
            monitor: Arc::clone(&monitor),
            feishu: chat.clone(),
            clock: clock.clone(),
            bells: bells.clone(),
        });
        let app = Arc::new(App {
            bot: Arc::clone(&bot),
            verifier: CallbackVerifier::new(CallbackKeys {
                app_id: config.feishu.app_id.clone(),
                encrypt_key: config.feishu.encrypt_key.clone(),
                verification_token: config.feishu.verification_token.clone(),
            }),
            words: cards.words(),
            store,
            feishu: chat.clone(),
            clock,
        });

        let mut tasks = JoinSet::new();
        tasks.spawn(outbox.run(stop.clone()));
        tasks.spawn(Arc::new(enforcer).run(stop.clone()));
        tasks.spawn(authoriser.run(stop.clone()));
        tasks.spawn(worker.run(stop.clone()));
        tasks.spawn(run_monitor(Arc::clone(&monitor), stop.clone()));
        tasks.spawn(keep_in_touch(chat, bot, stop.clone()));
        tasks.spawn(serve(listener, app, stop.clone()));
        Ok(Self { address, stop, tasks, monitor, bells })
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
    pub fn bells(&self) -> &Bells {
        &self.bells
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
    let router = Router::new()
        .route("/feishu/event", post(receive))
        .route("/feishu/card", post(receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(app)
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT));
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP server ended");
    }
}

async fn run_monitor(monitor: Arc<Monitor>, stop: CancellationToken) {
    if let Err(error) = monitor.run(stop).await {
        tracing::error!(%error, "the schedule of the monitor ended");
    }
}

/// Keeps a token at hand, and learns names once Feishu answers.
async fn keep_in_touch(feishu: feishu::Client, bot: Arc<Bot>, stop: CancellationToken) {
    let mut named = false;
    loop {
        let touched = async {
            feishu.refresh_token().await?;
            if !named {
                bot.learn_names().await?;
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
