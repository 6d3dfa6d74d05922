//! The handle through which tests and the demo set up, break and inspect a running stand-in.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::hub::Connections;
use super::console::Console;
use super::core::{Change, Core, FeishuConfig, TENANT};
use super::fault::Faults;
use super::quirks::Quirks;
use super::state::{Chat, ChatKind, Hook, Message, Person, Request, State, UploadedFile};
use super::{server, wire};
use crate::clock::Clock;
use crate::sandbox::listener::ClosableListener;

/// How many changes are buffered for a slow subscriber.
const CHANGES: usize = 4096;

/// A running stand-in. Clones share one server, which stops when the last is dropped.
#[derive(Clone)]
pub struct FakeFeishu {
    pub(super) core: Arc<Core>,
    _running: Arc<DropGuard>,
}

impl FakeFeishu {
    /// Serves the platform on `listener` until the last clone is dropped. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The listener has no address, or no HTTP client can be built.
    pub fn start(listener: TcpListener, config: FeishuConfig, clock: Clock) -> io::Result<Self> {
        // Fails only if it is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(io::Error::other)?;
        let stop = CancellationToken::new();
        let url = format!("http://{}", listener.local_addr()?);
        let (listener, switch) = ClosableListener::new(listener);
        let core = Arc::new(Core {
            url,
            listener: switch,
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
        server::spawn(listener, Arc::clone(&core));
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

    /// The platform's clock.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    /// Stops listening until [`FakeFeishu::open`]: resets open connections and refuses new ones.
    pub async fn shut(&self) {
        self.core.listener.shut().await;
    }

    /// Listens again, at the same address.
    pub async fn open(&self) {
        self.core.listener.open().await;
    }

    /// Sets the service's base address, without `/feishu/event`.
    pub fn set_service_url(&self, url: &str) {
        *self.core.service_url.lock() = Some(url.trim_end_matches('/').to_owned());
    }

    /// Enables or disables the rate limits.
    pub fn set_rate_limits(&self, enforced: bool) {
        self.core.rate_limits.store(enforced, Ordering::Relaxed);
    }

    /// Adds a person and their direct chat with the bot.
    pub fn add_person(&self, open_id: &str, name: &str, mobile: &str) {
        let chat = Chat {
            chat_id: wire::derived_id("oc_", open_id),
            name: name.to_owned(),
            kind: ChatKind::Direct(open_id.to_owned()),
            has_bot: true,
            dissolved: false,
            public: false,
            members: None,
        };
        self.core.change(|state| {
            let person = Person::new(open_id, name, mobile);
            state.people.insert(open_id.to_owned(), person);
            state.chats.insert(chat.chat_id.clone(), chat);
        });
    }

    /// A person leaves the company: cards that mention them are refused from now on. Their chats and messages stay.
    pub fn remove_person(&self, open_id: &str) {
        self.core.change(|state| state.people.remove(open_id));
    }

    /// Changes what the app is granted and subscribed to.
    pub fn set_console(&self, change: impl FnOnce(&mut Console)) {
        self.core.change(|state| change(&mut state.console));
    }

    /// Changes the platform's behaviour where its documents leave it open.
    pub fn set_quirks(&self, change: impl FnOnce(&mut Quirks)) {
        self.core.change(|state| change(&mut state.quirks));
    }

    /// The id of the direct chat between the bot and this person.
    pub fn direct_chat(&self, open_id: &str) -> String {
        wire::derived_id("oc_", open_id)
    }

    /// Adds a group with everyone and the bot in it.
    pub fn add_group(&self, chat_id: &str, name: &str) {
        let chat = Chat {
            chat_id: chat_id.to_owned(),
            name: name.to_owned(),
            kind: ChatKind::Group,
            has_bot: true,
            dissolved: false,
            public: false,
            members: None,
        };
        self.core.change(|state| {
            state.chats.insert(chat_id.to_owned(), chat);
        });
    }

    /// Adds a group that everybody, the bot included, can find and join. The bot is not in it.
    pub fn add_public_group(&self, chat_id: &str, name: &str) {
        self.add_group(chat_id, name);
        self.core.change(|state| {
            if let Some(chat) = state.chats.get_mut(chat_id) {
                chat.public = true;
                chat.has_bot = false;
            }
        });
    }

    /// Sets who is in a group, all of the app's tenant.
    pub fn set_members(&self, chat_id: &str, people: &[&str]) {
        self.set_members_of(chat_id, people.iter().map(|id| (*id, TENANT)));
    }

    /// Sets who is in a group, with the tenant of each.
    pub fn set_members_of<'a>(
        &self,
        chat_id: &str,
        people: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let members = people.into_iter().map(|(id, tenant)| (id.to_owned(), tenant.to_owned()));
        let members: Vec<_> = members.collect();
        self.core.change(|state| {
            if let Some(chat) = state.chats.get_mut(chat_id) {
                chat.members = Some(members);
            }
        });
    }

    /// Adds the bot to a chat or removes it. Sends no event; [`FakeFeishu::push_event`] does.
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

    /// Adds a custom bot to a group and returns its address. With a secret it demands signatures.
    pub fn add_hook(&self, id: &str, secret: Option<&str>, chat_id: &str) -> String {
        self.core.change(|state| {
            let hook = Hook { secret: secret.map(str::to_owned), chat_id: chat_id.to_owned() };
            state.hooks.insert(id.to_owned(), hook);
        });
        format!("{}/open-apis/bot/v2/hook/{id}", self.core.url)
    }

    /// Invalidates every token, as a new secret does.
    pub fn revoke_tokens(&self) {
        self.core.change(State::forget_tokens);
    }

    /// The long connections. Once a client has opened one, events are sent over them only.
    pub fn connections(&self) -> &Connections {
        &self.core.connections
    }

    /// The faults to inject.
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// The chat's messages in their current state, in the order they were sent, including recalled ones.
    pub fn messages(&self, chat_id: &str) -> Vec<Message> {
        self.read(|state| state.messages(chat_id).cloned().collect())
    }

    /// One message in its current state.
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

    /// Reads the whole state under its lock. `look` must be quick and must not use this handle, or it deadlocks.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.core.state.lock())
    }

    /// Changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.core.changes.subscribe()
    }

    /// Waits until `look` (as in [`FakeFeishu::read`]) finds something; calls it after every change of the state.
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
