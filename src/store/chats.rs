//! The chats that the bot knows. Over the long connection, Feishu pushes a message only while the bot is connected;
//! messages it missed are read from the histories of these chats.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::tables::{CHAT_NAMES, CHATS};
use super::values::KnownChat;
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::ChatId;

impl<S: Source> View<S> {
    /// Returns all chats with their ids, most recently active first.
    pub fn known_chats(&self) -> Result<Vec<(String, KnownChat)>, StoreError> {
        let mut chats = Vec::new();
        self.scan_readable::<_, _, &str, _>(CHATS, .., Order::Ascending, |id, chat| {
            chats.push((id.to_owned(), chat));
            ControlFlow::Continue(())
        })?;
        chats.sort_by_key(|(_, chat)| std::cmp::Reverse(chat.last_message));
        Ok(chats)
    }

    /// Returns one chat. A row that cannot be read counts as missing: the chat's next message replaces it.
    pub fn known_chat(&self, chat_id: &str) -> Result<Option<KnownChat>, StoreError> {
        self.get_or_skip(CHATS, chat_id)
    }

    /// Returns what a group is called, as last read.
    pub fn chat_name(&self, chat: &ChatId) -> Result<Option<String>, StoreError> {
        self.get_or_skip(CHAT_NAMES, chat.as_str())
    }
}

impl WriteTx {
    /// Remembers a chat.
    pub fn know_chat(&self, chat_id: &str, direct: bool, at: Timestamp) -> Result<(), StoreError> {
        let known = self.known_chat(chat_id)?;
        if known.is_some_and(|known| known.last_message >= at && known.direct == direct) {
            return Ok(());
        }
        self.put(CHATS, chat_id, &KnownChat { direct, last_message: at })
    }

    /// Stores what a group is called.
    pub fn put_chat_name(&self, chat: &ChatId, name: &str) -> Result<(), StoreError> {
        self.put(CHAT_NAMES, chat.as_str(), &name.to_owned())
    }

    /// Forgets a chat that the bot is no longer in.
    pub fn forget_chat(&self, chat_id: &str) -> Result<(), StoreError> {
        self.open(CHATS)?.remove(chat_id)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn chats_are_kept_with_their_latest_message() {
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
    fn heard_until_is_kept() {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new(), &[1; 32]).unwrap();
        assert_eq!(store.read(|tx| tx.heard_until()).unwrap(), None);
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        store.write(|tx| tx.put_heard_until(at)).unwrap();
        assert_eq!(store.read(|tx| tx.heard_until()).unwrap(), Some(at));
    }
}
