//! A person in chat. What was not acknowledged is repeated: messages by the platform, as the same event; clicks by the
//! person, on the same card and so with the same `op`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use airgate::domain::AccessGoal;
use airgate::sandbox::feishu::{ClickAction, Message, Sender};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::stage::{Stage, count};

/// Pause between two attempts.
const RETRY_DELAY: Duration = Duration::from_millis(15);

pub struct Person {
    pub stage: Arc<Stage>,
    pub id: String,
    pub rng: StdRng,
}

impl Person {
    pub fn new(stage: &Arc<Stage>, id: &str) -> Self {
        let digest = Sha256::digest(format!("{} {id}", stage.seed));
        let seed = digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Self { stage: Arc::clone(stage), id: id.to_owned(), rng: StdRng::seed_from_u64(seed) }
    }

    /// Waits for a random time, at most this many milliseconds.
    pub async fn pause(&mut self, at_most: u64) {
        let pause = self.rng.random_range(0..=at_most);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    fn reached(&self, status: Option<u16>, what: &str) -> bool {
        count(&self.stage.tally.requests);
        match status {
            Some(200) => true,
            // Another test's stand-in may be listening on the port of the killed process.
            None | Some(404) => false,
            Some(status) => panic!("seed {}: {what}: HTTP {status}", self.stage.seed),
        }
    }

    /// Writes to the bot in the direct chat, repeated until acknowledged. Returns the message's id.
    pub async fn say(&mut self, text: &str) -> String {
        let chat = self.stage.feishu.direct_chat(&self.id);
        self.say_in(&chat, text, false, 1).await
    }

    /// The same in any chat, for a command with this many replies.
    pub async fn say_in(&mut self, chat: &str, text: &str, mention: bool, due: usize) -> String {
        let (stage, start) = (Arc::clone(&self.stage), Instant::now());
        let mut sent = stage.feishu.say(&self.id, chat, text, mention).await;
        while !self.reached(sent.status, text) {
            if start.elapsed() > stage.timeout {
                stage.give_up(text);
            }
            tokio::time::sleep(RETRY_DELAY).await;
            sent = stage.feishu.redeliver(&sent).await;
        }
        count(&stage.tally.acknowledged);
        let id = sent.message_id.clone().unwrap();
        stage.books.lock().said.insert(id.clone(), due);
        // The acknowledgement may be lost as well.
        if self.rng.random_ratio(1, 5) {
            count(&stage.tally.repeated);
            self.pause(40).await;
            let again = stage.feishu.redeliver(&sent).await;
            self.reached(again.status, text);
        }
        id
    }

    /// Writes, and waits for the reply.
    pub async fn ask(&mut self, text: &str) -> Message {
        let id = self.say(text).await;
        self.reply(&id, text).await
    }

    pub async fn reply(&self, id: &str, what: &str) -> Message {
        self.stage
            .until(&format!("a reply to {what}"), || {
                self.stage.feishu.read(|state| {
                    // Replies follow the message that they answer.
                    let later =
                        state.all_messages().iter().rev().take_while(|m| m.message_id != id);
                    let reply = |m: &&Message| m.reply_to.as_deref() == Some(id);
                    later.filter(|m| m.sender == Sender::Bot).find(reply).cloned()
                })
            })
            .await
    }

    /// Clicks, repeated until answered. Returns the toast, as `error: …`.
    pub async fn press(&mut self, card: &str, action: ClickAction) -> String {
        let (stage, start) = (Arc::clone(&self.stage), Instant::now());
        let what = format!("{:?}", action.value);
        loop {
            let result = stage.feishu.click_raw(&self.id, card, action.clone()).await;
            if self.reached(result.status, &what) {
                assert_eq!(result.error, None, "seed {}: {what}", stage.seed);
                count(&stage.tally.acknowledged);
                // Sometimes people click twice.
                if self.rng.random_ratio(1, 6) && action.value.as_ref().unwrap().get("op").is_some()
                {
                    count(&stage.tally.repeated);
                    let again = stage.feishu.click_raw(&self.id, card, action).await;
                    self.reached(again.status, &what);
                }
                return result
                    .toast
                    .map(|toast| format!("{}: {}", toast.kind, toast.content))
                    .unwrap_or_default();
            }
            if start.elapsed() > stage.timeout {
                stage.give_up(&what);
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// The same for a click that must not be refused.
    pub async fn do_press(&mut self, card: &str, action: ClickAction) {
        let what = format!("{:?}", action.value);
        let toast = self.press(card, action).await;
        assert!(!toast.starts_with("error"), "seed {}: {what}: {toast}", self.stage.seed);
    }

    /// A button with this action that is on a card now.
    pub fn button(&self, card: &str, action: &str) -> Option<ClickAction> {
        self.button_with(card, action, |_| true)
    }

    pub fn button_with(
        &self,
        card: &str,
        action: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<ClickAction> {
        self.stage.feishu.find_button(card, |value| value["action"] == action && fits(value))
    }

    /// The click that sends the form of this action, filled in.
    pub fn form(&self, card: &str, action: &str, fields: Value) -> Option<ClickAction> {
        let fields = fields.as_object().unwrap().clone();
        self.stage.feishu.fill_form(card, |value| value["action"] == action, fields).ok()
    }

    /// The button of a user's card that asks before this change of access.
    pub fn asks(&self, card: &str, goal: AccessGoal) -> Option<ClickAction> {
        self.button_with(card, "access.ask", |value| value["goal"] == goal.word())
    }

    /// Waits until the card offers this change of access.
    pub async fn offers(&self, card: &str, goal: AccessGoal) -> ClickAction {
        let what = format!("{goal:?} on {card} of {}", self.id);
        self.stage.until(&what, || self.asks(card, goal)).await
    }
}
