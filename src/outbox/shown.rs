//! What the cards in chats show now. A message is remembered in the store when it is sent. What a click then opens in it is
//! remembered here only: a click that only reads writes nothing. After a start, a message counts as showing what was sent.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::cards::Shows;
use crate::domain::{MessageId, UserKey};

/// How many messages are remembered.
const REMEMBERED: usize = 4_096;

/// What a message shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The lane of its updates.
    pub(super) lane: String,
    /// The card, if it is one of a user's.
    pub(super) shows: Option<Box<Shows>>,
    /// The last change of cards that it shows.
    pub(super) seen: u64,
    pub(super) at: Timestamp,
}

/// Messages that were clicked since the start. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownCards(Arc<Mutex<HashMap<MessageId, Shown>>>);

impl ShownCards {
    pub(super) fn put(&self, message: MessageId, shown: Shown) {
        let mut known = self.0.lock();
        known.insert(message, shown);
        if known.len() > REMEMBERED {
            // A quarter at once: it is looked for among all.
            let mut times: Vec<Timestamp> = known.values().map(|shown| shown.at).collect();
            times.sort_unstable();
            if let Some(oldest) = times.get(REMEMBERED / 4).copied() {
                known.retain(|_, shown| shown.at > oldest);
            }
        }
    }

    pub(super) fn of(&self, message: &MessageId) -> Option<Shown> {
        self.0.lock().get(message).cloned()
    }

    /// The messages that show a card of this user.
    pub(super) fn of_user(&self, user: &UserKey) -> Vec<(MessageId, Shown)> {
        let known = self.0.lock();
        let of_user = |shown: &Shown| shown.shows.as_ref().is_some_and(|shows| shows.user == *user);
        let found = known.iter().filter(|(_, shown)| of_user(shown));
        found.map(|(message, shown)| (message.clone(), shown.clone())).collect()
    }

    /// Notes that an update is on its way.
    pub(super) fn seen(&self, message: &MessageId, seen: u64) {
        if let Some(shown) = self.0.lock().get_mut(message) {
            shown.seen = shown.seen.max(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_messages_are_remembered() {
        let cards = ShownCards::default();
        let count = i64::try_from(REMEMBERED).unwrap() + 1;
        for second in 0..count {
            let at = Timestamp::from_second(second).unwrap();
            let shown = Shown { lane: String::new(), shows: None, seen: 0, at };
            cards.put(format!("om_{second}").parse().unwrap(), shown);
        }
        assert!(cards.of(&"om_0".parse().unwrap()).is_none());
        assert!(cards.of(&format!("om_{}", count - 1).parse().unwrap()).is_some());
        assert!(cards.0.lock().len() > REMEMBERED / 2);
    }
}
