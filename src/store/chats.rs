//! The chats that the bot knows, and until when it has heard of everything said in them. Over the long connection the
//! platform pushes to whoever is connected; what was said while nobody was is read from these chats' histories.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tables::{CHATS, Order, Source, View};
use super::{StoreError, WriteTx};

/// A chat that the bot knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownChat {
    /// Between one person and the bot; else a group.
    pub direct: bool,
    /// When the bot was last spoken to there, or met the chat.
    pub last_message: Timestamp,
}

impl<S: Source> View<S> {
    /// The chats by id, those with the latest messages first.
    ///
    /// # Errors
    /// The store's.
    pub fn known_chats(&self) -> Result<Vec<(String, KnownChat)>, StoreError> {
        let mut chats = Vec::new();
        let all = ..;
        self.scan::<_, KnownChat, &str, _>(CHATS, "chats", all, Order::Ascending, |id, chat| {
            chats.push((id.to_owned(), chat));
            ControlFlow::Continue(())
        })?;
        chats.sort_by_key(|(_, chat)| std::cmp::Reverse(chat.last_message));
        Ok(chats)
    }

    /// One chat.
    ///
    /// # Errors
    /// The store's.
    pub fn known_chat(&self, chat_id: &str) -> Result<Option<KnownChat>, StoreError> {
        self.get(CHATS, "chats", chat_id)
    }
}

impl WriteTx {
    /// Remembers a chat.
    ///
    /// # Errors
    /// The store's.
    pub fn know_chat(&self, chat_id: &str, direct: bool, at: Timestamp) -> Result<(), StoreError> {
        let known = self.known_chat(chat_id)?;
        if known.is_some_and(|known| known.last_message >= at && known.direct == direct) {
            return Ok(());
        }
        self.put(CHATS, "chats", chat_id, &KnownChat { direct, last_message: at })
    }

    /// Forgets a chat that the bot is no longer in.
    ///
    /// # Errors
    /// The store's.
    pub fn forget_chat(&self, chat_id: &str) -> Result<(), StoreError> {
        self.0.open_table(CHATS)?.remove(chat_id)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn chats_are_known_by_their_latest_message() {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new(), &[1; 32]).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        store
            .write(|tx| {
                tx.know_chat("oc_a", true, at(10))?;
                tx.know_chat("oc_b", false, at(20))?;
                tx.know_chat("oc_c", false, at(5))?;
                tx.know_chat("oc_a", true, at(30))?;
                tx.know_chat("oc_b", false, at(15))?;
                tx.forget_chat("oc_c")?;
                tx.forget_chat("oc_d")
            })
            .unwrap();
        let known = |direct, second| KnownChat { direct, last_message: at(second) };
        assert_eq!(
            store.read(|tx| tx.known_chats()).unwrap(),
            [("oc_a".to_owned(), known(true, 30)), ("oc_b".to_owned(), known(false, 20))]
        );
    }

    #[test]
    fn the_mark_is_kept() {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new(), &[1; 32]).unwrap();
        assert_eq!(store.read(|tx| tx.heard_until()).unwrap(), None);
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        store.write(|tx| tx.put_heard_until(at)).unwrap();
        assert_eq!(store.read(|tx| tx.heard_until()).unwrap(), Some(at));
    }
}
