//! A user with a quota, what she spends, and the real binary that watches her.

use std::ops::Deref;
use std::time::Duration;

use airgate::clock::Clock;
use airgate::domain::BillPeriod;
use airgate::sandbox::feishu::{Message, Sender, SentEvent};
use airgate::sandbox::world::{KeyStatus, World};

use crate::bed::{ADMIN, GROUP, eventually, one_account, text, text_of, user_key};
use crate::shared::environment::{Environment, Options};
use crate::shared::samples;

const ALICE: &str = "main/alice";
pub const HOOK_SECRET: &str = "hook-signing-secret";
pub const HOOK: &str = "hook-id-0001";

/// Everything but the process.
pub struct Outside(Environment);

impl Deref for Outside {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.0
    }
}

/// One user with two keys and login, whose project costs `spent`.
fn world(spent: i64) -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_user("alice");
    for _ in 0..2 {
        world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
    }
    let period = BillPeriod::of(Clock::system().now());
    world.account_mut("main").unwrap().spend("team-a", spent.into(), period);
    world
}

impl Outside {
    /// With alerts to the group and to a webhook, and a store that has the account, the user, a link and a quota of 100.
    pub async fn start(spent: i64) -> Self {
        let options =
            Options { feishu_timeout: Some(Duration::from_secs(20)), ..Options::default() };
        let environment = Environment::with(world(spent), options).await;
        let hook = environment.feishu.add_hook(HOOK, Some(HOOK_SECRET), GROUP);
        let configuration = environment
            .configuration()
            .set("feishu.alert_webhook_url", hook)
            .set("feishu.alert_webhook_secret", HOOK_SECRET);
        environment.home.configure(&configuration);
        let (store, now) = (environment.home.store(), environment.clock.now());
        environment.register_accounts(&store);
        samples::add_users(&store, &[ALICE], now);
        samples::link(&store, ALICE, "team-a", "", now);
        samples::allocate(&store, ALICE, "100", "", now);
        Self(environment)
    }

    pub async fn say(&self, text: &str) -> SentEvent {
        let chat = self.feishu.direct_chat(ADMIN);
        self.feishu.say(ADMIN, &chat, text, false).await
    }

    pub fn replies(&self, sent: &SentEvent) -> Vec<Message> {
        let chat = self.feishu.direct_chat(ADMIN);
        let mut messages = self.feishu.messages(&chat);
        messages.retain(|message| message.reply_to == sent.message_id);
        messages
    }

    pub async fn reply(&self, sent: &SentEvent) -> Message {
        eventually("a reply", || !self.replies(sent).is_empty()).await;
        self.replies(sent).remove(0)
    }

    /// Messages of the app itself in the alert group, without those of the webhook.
    pub fn alerts(&self) -> Vec<String> {
        let messages = self.feishu.messages(GROUP);
        messages.iter().filter(|message| message.sender == Sender::Bot).map(text_of).collect()
    }

    /// How many of them say that alice is disabled.
    pub fn disables(&self) -> usize {
        let title = text("alert.disable", &[("user", &"alice")]);
        self.alerts().iter().filter(|card| card.contains(&title)).count()
    }

    /// How many requests Feishu has received at an endpoint.
    pub fn requests(&self, endpoint: &str) -> usize {
        self.feishu.requests().iter().filter(|request| request.endpoint == endpoint).count()
    }

    /// Waits until everything owed to the direct chat so far has been sent: replies keep their order.
    pub async fn quiet(&self) {
        let sent = self.say("/monitor").await;
        self.reply(&sent).await;
    }

    /// How many entries the ledger has, and the quota, after checking that they agree. No process may run.
    pub fn ledger(&self) -> (usize, String) {
        let store = self.home.store();
        let (entries, _) = store.read(|tx| tx.ledger(&user_key(ALICE), 10_000)).unwrap();
        let quota = store.read(|tx| tx.user(&user_key(ALICE))).unwrap().unwrap().quota;
        assert_eq!(entries.iter().map(|entry| entry.amount).sum::<airgate::domain::Money>(), quota);
        (entries.len(), quota.to_string())
    }
}
