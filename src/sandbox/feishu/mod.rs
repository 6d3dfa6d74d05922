//! A stand-in for the Feishu open platform: a real HTTP server on loopback, as strict as the documents say the real one
//! is, and the people who chat through it. `airgate demo` and the integration tests run against it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

mod api;
pub mod cards;
mod click;
pub mod connection;
mod fault;
mod form;
mod people;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use click::{ClickAction, ClickResult, Toast};
pub use fault::{Fault, FaultRule, Faults};
pub use form::NoSuchComponent;
pub use people::{Sealed, SentEvent};
pub use state::{Chat, ChatKind, Message, Person, Request, Sender, State, UploadedFile};

use super::door::{Door, DoorKeeper};
use crate::clock::Clock;
use connection::Connections;
use state::Hook;

/// The tenant that everything belongs to.
const TENANT: &str = "2ed263bf32cf1651";
/// How many changes a slow listener may lag behind before it loses some.
const CHANGES: usize = 4096;

/// What the stand-in is told about the app. Holds secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct FeishuConfig {
    /// `cli_…`.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: String,
    /// Encrypts and signs events where set.
    pub encrypt_key: Option<String>,
    /// Comes with every event.
    pub verification_token: String,
    /// Where the service under test listens, e.g. `http://127.0.0.1:8080`; [`Feishu::set_service_url`] sets it later.
    pub service_url: Option<String>,
    /// The bot's name in mentions and messages.
    pub bot_name: String,
    /// Whether 5 messages a second and chat, 5 updates a second and message, and the custom bot's rates are enforced.
    pub rate_limits: bool,
    /// How long the service may take to answer an event or a click; 3 s on the real platform.
    pub patience: Duration,
}

impl FeishuConfig {
    /// An app without encryption, named airgate, with rate limits.
    pub fn new(app_id: &str, app_secret: &str, verification_token: &str) -> Self {
        Self {
            app_id: app_id.to_owned(),
            app_secret: app_secret.to_owned(),
            encrypt_key: None,
            verification_token: verification_token.to_owned(),
            service_url: None,
            bot_name: "airgate".to_owned(),
            rate_limits: true,
            patience: Duration::from_secs(3),
        }
    }
}

/// Something happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new message, by id.
    Message(String),
    /// A message's content was replaced.
    Updated(String),
    /// A message was taken back.
    Recalled(String),
}

/// The running stand-in. Clones are the same one; the server stops when the last is dropped.
#[derive(Clone)]
pub struct Feishu {
    core: Arc<Core>,
    _running: Arc<DropGuard>,
}

/// What the handle and the server share.
pub(crate) struct Core {
    config: FeishuConfig,
    url: String,
    bot_open_id: String,
    clock: Clock,
    client: reqwest::Client,
    service_url: Mutex<Option<String>>,
    rate_limits: AtomicBool,
    state: Mutex<State>,
    undelivered: Mutex<VecDeque<SentEvent>>,
    faults: Faults,
    connections: Connections,
    door: DoorKeeper,
    changes: broadcast::Sender<Change>,
    /// Bumped with every change of the state, for those who wait.
    version: watch::Sender<u64>,
    stop: CancellationToken,
}

impl Feishu {
    /// Serves the platform on `listener` until the last clone is dropped. Called within a tokio runtime.
    ///
    /// # Errors
    /// The listener has no address, or no HTTP client can be built.
    pub fn start(listener: TcpListener, config: FeishuConfig, clock: Clock) -> io::Result<Self> {
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(io::Error::other)?;
        let stop = CancellationToken::new();
        let url = format!("http://{}", listener.local_addr()?);
        let (door, keeper) = Door::new(listener);
        let core = Arc::new(Core {
            url,
            door: keeper,
            bot_open_id: wire::derived_id("ou_", &config.app_id),
            service_url: Mutex::new(config.service_url.clone()),
            rate_limits: AtomicBool::new(config.rate_limits),
            config,
            clock,
            client,
            state: Mutex::default(),
            undelivered: Mutex::default(),
            faults: Faults::default(),
            connections: Connections::default(),
            changes: broadcast::channel(CHANGES).0,
            version: watch::channel(0).0,
            stop: stop.clone(),
        });
        server::spawn(door, Arc::clone(&core));
        Ok(Self { core, _running: Arc::new(stop.drop_guard()) })
    }

    /// The base address, for `feishu.base_url`.
    pub fn url(&self) -> &str {
        &self.core.url
    }

    /// The bot's open_id.
    pub fn bot_open_id(&self) -> &str {
        &self.core.bot_open_id
    }

    /// The bot's name.
    pub fn bot_name(&self) -> &str {
        &self.core.config.bot_name
    }

    /// The clock that the platform lives by.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    /// Nothing listens any more: open connections are reset, new ones refused, until [`Feishu::open`].
    pub async fn shut(&self) {
        self.core.door.shut().await;
    }

    /// Listens again, at the same address.
    pub async fn open(&self) {
        self.core.door.open().await;
    }

    /// Where the service listens: its base address, without `/feishu/event`.
    pub fn set_service_url(&self, url: &str) {
        *self.core.service_url.lock() = Some(url.trim_end_matches('/').to_owned());
    }

    /// Whether the rate limits are enforced.
    pub fn set_rate_limits(&self, enforced: bool) {
        self.core.rate_limits.store(enforced, Ordering::Relaxed);
    }

    /// Adds a person and the direct chat with the bot.
    pub fn add_person(&self, open_id: &str, name: &str, mobile: &str) {
        let chat = Chat {
            chat_id: wire::derived_id("oc_", open_id),
            name: name.to_owned(),
            kind: ChatKind::Direct(open_id.to_owned()),
            has_bot: true,
            dissolved: false,
        };
        self.core.change(|state| {
            let person = Person::new(open_id, name, mobile);
            state.people.insert(open_id.to_owned(), person);
            state.chats.insert(chat.chat_id.clone(), chat);
        });
    }

    /// The id of the direct chat between the bot and this person.
    pub fn direct_chat(&self, open_id: &str) -> String {
        wire::derived_id("oc_", open_id)
    }

    /// Adds a group with everybody and the bot in it.
    pub fn add_group(&self, chat_id: &str, name: &str) {
        let chat = Chat {
            chat_id: chat_id.to_owned(),
            name: name.to_owned(),
            kind: ChatKind::Group,
            has_bot: true,
            dissolved: false,
        };
        self.core.change(|state| {
            state.chats.insert(chat_id.to_owned(), chat);
        });
    }

    /// Puts the bot into a chat, or throws it out. No event is sent; [`Feishu::push_event`] sends one.
    pub fn set_bot_in_chat(&self, chat_id: &str, has_bot: bool) {
        self.core.change(|state| {
            if let Some(chat) = state.chats.get_mut(chat_id) {
                chat.has_bot = has_bot;
            }
        });
    }

    /// Dissolves a group.
    pub fn dissolve(&self, chat_id: &str) {
        self.core.change(|state| {
            if let Some(chat) = state.chats.get_mut(chat_id) {
                chat.dissolved = true;
            }
        });
    }

    /// Adds a custom bot to a group; with a secret it demands signatures. Answers its address.
    pub fn add_hook(&self, id: &str, secret: Option<&str>, chat_id: &str) -> String {
        self.core.change(|state| {
            let hook = Hook { secret: secret.map(str::to_owned), chat_id: chat_id.to_owned() };
            state.hooks.insert(id.to_owned(), hook);
        });
        format!("{}/open-apis/bot/v2/hook/{id}", self.core.url)
    }

    /// Makes every token invalid at once, as a new secret does.
    pub fn revoke_tokens(&self) {
        self.core.change(State::forget_tokens);
    }

    /// The long connections that clients opened. Once there was one, people's doings are told over them alone.
    pub fn connections(&self) -> &Connections {
        &self.core.connections
    }

    /// What goes wrong on demand.
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// The chat's messages as they stand now, in the order they were sent, recalled ones included.
    pub fn messages(&self, chat_id: &str) -> Vec<Message> {
        self.read(|state| state.messages(chat_id).cloned().collect())
    }

    /// One message as it stands now.
    pub fn message(&self, message_id: &str) -> Option<Message> {
        self.read(|state| state.message(message_id).cloned())
    }

    /// The requests answered so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.read(|state| state.requests().cloned().collect())
    }

    /// An uploaded file.
    pub fn file(&self, file_key: &str) -> Option<UploadedFile> {
        self.read(|state| state.file(file_key).cloned())
    }

    /// Looks at the whole state under its lock; `look` is quick and asks this handle nothing, or it waits for itself.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.core.state.lock())
    }

    /// Changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.core.changes.subscribe()
    }

    /// Waits until `look` (as in [`Feishu::read`]) finds something, looking again after every change of the state.
    /// `None` after `timeout`.
    pub async fn wait_for<T>(
        &self,
        mut look: impl FnMut(&State) -> Option<T>,
        timeout: Duration,
    ) -> Option<T> {
        let mut version = self.core.version.subscribe();
        let waiting = async {
            loop {
                version.mark_unchanged();
                if let Some(found) = self.read(&mut look) {
                    return Some(found);
                }
                if version.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(timeout, waiting).await.unwrap_or(None)
    }
}

impl Core {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Changes the state and wakes those who wait.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = change(&mut self.state.lock());
        self.version.send_modify(|v| *v = v.wrapping_add(1));
        out
    }

    /// Tells the listeners. Nobody listening is no fault.
    fn tell(&self, change: Change) {
        let _ = self.changes.send(change);
    }

    fn limited(&self) -> bool {
        self.rate_limits.load(Ordering::Relaxed)
    }
}
