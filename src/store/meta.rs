//! Single values: schema version, key check, saved settings, the monitor's memory, the bot's own id, names of people.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::seal::Sealer;
use super::tables::{DIRECT_CHATS, META, Order, PEOPLE, Source, View, WELCOMED};
use super::{SCHEMA_VERSION, StoreError, WriteTx};
use crate::domain::{ChatId, MonitorState, OpenId, SavedSettings};

const SCHEMA: &str = "schema_version";
const KEY_CHECK: &str = "key_check";
const SETTINGS: &str = "settings";
const MONITOR: &str = "monitor";
const BOT: &str = "bot_open_id";
const HEARD: &str = "heard_until";
const UNDELIVERED_TOLD: &str = "undelivered_told_at";

/// Sealed under the master key when the store is made; opening it proves the key.
const KEY_CHECK_TEXT: &[u8] = b"airgate";

impl<S: Source> View<S> {
    fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.get(META, "meta", name)
    }

    /// The layout version of the file; `None` where it has none, so that it is not airgate's.
    pub(super) fn schema_version(&self) -> Result<Option<u64>, StoreError> {
        self.meta(SCHEMA)
    }

    /// Whether `sealer` has the key of the store; `false` also where the store holds no proof of one.
    pub(super) fn is_key_of(&self, sealer: &Sealer) -> Result<bool, StoreError> {
        let sealed = self.0.table(META)?.get(KEY_CHECK)?.map(|sealed| sealed.value().to_vec());
        Ok(sealed.is_some_and(|sealed| sealer.open(KEY_CHECK, &sealed).is_ok()))
    }

    /// What `/config` saved.
    ///
    /// # Errors
    /// The store's.
    pub fn saved_settings(&self) -> Result<SavedSettings, StoreError> {
        Ok(self.meta(SETTINGS)?.unwrap_or_default())
    }

    /// What the monitor keeps between cycles.
    ///
    /// # Errors
    /// The store's.
    pub fn monitor_state(&self) -> Result<MonitorState, StoreError> {
        Ok(self.meta(MONITOR)?.unwrap_or_default())
    }

    /// The bot's own open_id, once it was learned.
    ///
    /// # Errors
    /// The store's.
    pub fn bot_open_id(&self) -> Result<Option<OpenId>, StoreError> {
        self.meta(BOT)
    }

    /// Until when everything that was said is known to have reached the bot over the long connection; none before the
    /// first one.
    ///
    /// # Errors
    /// The store's.
    pub fn heard_until(&self) -> Result<Option<Timestamp>, StoreError> {
        self.meta(HEARD)
    }

    /// When administrators were last told of a message that was given up.
    ///
    /// # Errors
    /// The store's.
    pub fn undelivered_told_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.meta(UNDELIVERED_TOLD)
    }

    /// A person's name, where it was read before.
    ///
    /// # Errors
    /// The store's.
    pub fn person_name(&self, person: &OpenId) -> Result<Option<String>, StoreError> {
        self.get(PEOPLE, "people", person.as_str())
    }

    /// Everybody whose name was read, or who has a direct chat with the bot, by id.
    ///
    /// # Errors
    /// The store's.
    pub fn known_people(&self) -> Result<BTreeMap<OpenId, Option<String>>, StoreError> {
        let mut people = BTreeMap::new();
        for row in self.0.table(DIRECT_CHATS)?.iter()? {
            if let Ok(person) = OpenId::new(row?.0.value()) {
                people.insert(person, None);
            }
        }
        let all = ..;
        self.scan::<_, String, &str, _>(PEOPLE, "people", all, Order::Ascending, |id, name| {
            if let Ok(person) = OpenId::new(id) {
                people.insert(person, Some(name));
            }
            ControlFlow::Continue(())
        })?;
        Ok(people)
    }

    /// The direct chat with a person, once it was seen.
    ///
    /// # Errors
    /// The store's.
    pub fn direct_chat(&self, person: &OpenId) -> Result<Option<ChatId>, StoreError> {
        let chat = self.0.table(DIRECT_CHATS)?.get(person.as_str())?.map(|c| c.value().to_owned());
        Ok(chat.and_then(|chat| ChatId::new(chat).ok()))
    }
}

impl WriteTx {
    fn put_meta<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        self.put(META, "meta", name, value)
    }

    /// Saves settings.
    ///
    /// # Errors
    /// The store's.
    pub fn put_saved_settings(&self, settings: &SavedSettings) -> Result<(), StoreError> {
        self.put_meta(SETTINGS, settings)
    }

    /// Keeps the monitor's memory.
    ///
    /// # Errors
    /// The store's.
    pub fn put_monitor_state(&self, state: &MonitorState) -> Result<(), StoreError> {
        self.put_meta(MONITOR, state)
    }

    /// Keeps the bot's own open_id.
    ///
    /// # Errors
    /// The store's.
    pub fn put_bot_open_id(&self, bot: &OpenId) -> Result<(), StoreError> {
        self.put_meta(BOT, bot)
    }

    /// Keeps until when everything that was said has reached the bot.
    ///
    /// # Errors
    /// The store's.
    pub fn put_heard_until(&self, at: Timestamp) -> Result<(), StoreError> {
        self.put_meta(HEARD, &at)
    }

    /// Keeps when administrators were told of a message that was given up.
    ///
    /// # Errors
    /// The store's.
    pub fn put_undelivered_told_at(&self, at: Timestamp) -> Result<(), StoreError> {
        self.put_meta(UNDELIVERED_TOLD, &at)
    }

    /// Keeps a person's name.
    ///
    /// # Errors
    /// The store's.
    pub fn put_person_name(&self, person: &OpenId, name: &str) -> Result<(), StoreError> {
        self.put(PEOPLE, "people", person.as_str(), &name)
    }

    /// Keeps which chat is the direct one with a person.
    ///
    /// # Errors
    /// The store's.
    pub fn put_direct_chat(&self, person: &OpenId, chat: &ChatId) -> Result<(), StoreError> {
        if self.direct_chat(person)?.as_ref() != Some(chat) {
            self.0.open_table(DIRECT_CHATS)?.insert(person.as_str(), chat.as_str())?;
        }
        Ok(())
    }

    /// Notes that a person or a group was welcomed. Returns false where they were before.
    ///
    /// # Errors
    /// The store's.
    pub fn welcome(&self, whom: &str, now: Timestamp) -> Result<bool, StoreError> {
        let before = self.0.open_table(WELCOMED)?.insert(whom, now.as_millisecond())?.is_some();
        Ok(!before)
    }

    /// A group that the bot left is welcomed again when it comes back.
    ///
    /// # Errors
    /// The store's.
    pub fn unwelcome(&self, whom: &str) -> Result<(), StoreError> {
        self.0.open_table(WELCOMED)?.remove(whom)?;
        Ok(())
    }

    /// Refuses the layout of a newer airgate, whose tables may have these names and other types.
    pub(super) fn check_schema(&self) -> Result<(), StoreError> {
        match self.meta::<u64>(SCHEMA)? {
            Some(found) if found > SCHEMA_VERSION => Err(StoreError::NewerSchema { found }),
            Some(_) | None => Ok(()),
        }
    }

    /// Brings an older layout, whose tables are there, up to this one.
    pub(super) fn migrate(&self) -> Result<(), StoreError> {
        let found = self.meta::<u64>(SCHEMA)?;
        if let Some(1) = found {
            self.rank_all()?;
            self.sort_alerts()?;
        }
        match found {
            Some(SCHEMA_VERSION) => Ok(()),
            Some(_) | None => self.put_meta(SCHEMA, &SCHEMA_VERSION),
        }
    }

    #[cfg(test)]
    pub(super) fn put_schema_version(&self, version: u64) -> Result<(), StoreError> {
        self.put_meta(SCHEMA, &version)
    }

    /// Makes `sealer`'s key the one that opens the store.
    pub(super) fn put_key_check(&self, sealer: &Sealer) -> Result<(), StoreError> {
        let sealed = sealer.seal(KEY_CHECK, KEY_CHECK_TEXT)?;
        insert_raw(&self.0, KEY_CHECK, &sealed)
    }

    pub(super) fn check_key(&self, sealer: &Sealer) -> Result<(), StoreError> {
        let table = self.0.open_table(META)?;
        let known = table.get(KEY_CHECK)?.map(|sealed| sealed.value().to_vec());
        drop(table);
        match known {
            None => self.put_key_check(sealer),
            Some(sealed) => match sealer.open(KEY_CHECK, &sealed) {
                Ok(_) => Ok(()),
                Err(_) => Err(StoreError::WrongKey),
            },
        }
    }
}

fn insert_raw(tx: &WriteTransaction, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    tx.open_table(META)?.insert(name, bytes)?;
    Ok(())
}
