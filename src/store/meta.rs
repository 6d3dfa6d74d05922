//! Single values: schema version, key check, saved settings, the monitor's memory, the bot's own id, names of people.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::ReadableTable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::seal::Sealer;
use super::tables::{DIRECT_CHATS, META, PEOPLE, WELCOMED};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{
    BackupPlace, ChatId, DigestLog, GroupRoles, MonitorState, OpenId, SavedSettings,
};

const SCHEMA: &str = "schema_version";
const KEY_CHECK: &str = "key_check";
const SETTINGS: &str = "settings";
const MONITOR: &str = "monitor";
const BOT: &str = "bot_open_id";
const HEARD: &str = "heard_until";
const UNDELIVERED_TOLD: &str = "undelivered_told_at";
const TOLD_TOGETHER: &str = "told_together";
const REFUSED_PEOPLE: &str = "refused_people";
const FAILING_BACKUPS: &str = "failing_backups";
const SLASH_COMMANDS: &str = "slash_commands";
const GROUP_ROLES: &str = "group_roles";
const DIGESTS: &str = "digests";
const OWN_TENANT: &str = "own_tenant";
const LEFT_PEOPLE: &str = "left_people";

/// Sealed under the master key when the store is created; opening it proves that a key is the right one.
const KEY_CHECK_TEXT: &[u8] = b"airgate";

impl<S: Source> View<S> {
    fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.get(META.holding(), name)
    }

    /// Returns a value that is learned again if it is missing, so one that cannot be read counts as missing.
    fn remembered<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.get_or_skip(META.holding(), name)
    }

    /// Returns the layout version of the file; `None` if it has none: the file is new, or not airgate's.
    pub(super) fn schema_version(&self) -> Result<Option<u64>, StoreError> {
        self.meta(SCHEMA)
    }

    /// Returns whether `sealer` has the key of the store; also `false` if the store holds no proof of a key.
    pub(super) fn is_key_of(&self, sealer: &Sealer) -> Result<bool, StoreError> {
        let sealed = self.open(META)?.get(KEY_CHECK)?.map(|sealed| sealed.value().to_vec());
        Ok(sealed.is_some_and(|sealed| sealer.open(KEY_CHECK, &sealed).is_ok()))
    }

    /// Returns the settings saved by `/config`.
    pub fn saved_settings(&self) -> Result<SavedSettings, StoreError> {
        Ok(self.meta(SETTINGS)?.unwrap_or_default())
    }

    /// Returns what the monitor remembers between cycles.
    pub fn monitor_state(&self) -> Result<MonitorState, StoreError> {
        Ok(self.remembered(MONITOR)?.unwrap_or_default())
    }

    /// Returns the bot's own open_id, once it was looked up.
    pub fn bot_open_id(&self) -> Result<Option<OpenId>, StoreError> {
        self.remembered(BOT)
    }

    /// Returns the time up to which every message is known to have reached the bot over the long connection; `None`
    /// before the first connection.
    pub fn heard_until(&self) -> Result<Option<Timestamp>, StoreError> {
        self.remembered(HEARD)
    }

    /// Returns the members of the groups that give roles, as they were last read.
    pub fn group_roles(&self) -> Result<GroupRoles, StoreError> {
        Ok(self.remembered(GROUP_ROLES)?.unwrap_or_default())
    }

    /// Returns the tenant that this app belongs to, once an event has said it.
    pub fn own_tenant(&self, app_id: &str) -> Result<Option<String>, StoreError> {
        let known: Option<(String, String)> = self.remembered(OWN_TENANT)?;
        Ok(known.filter(|(app, _)| app == app_id).map(|(_, tenant)| tenant))
    }

    /// Returns the people who have left the company, as far as administrators were told.
    pub fn left_people(&self) -> Result<BTreeSet<OpenId>, StoreError> {
        Ok(self.remembered(LEFT_PEOPLE)?.unwrap_or_default())
    }

    /// Returns which digests were sent.
    pub fn digest_log(&self) -> Result<DigestLog, StoreError> {
        Ok(self.meta(DIGESTS)?.unwrap_or_default())
    }

    /// Returns when administrators were last told of a message whose delivery was given up.
    pub fn undelivered_told_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.remembered(UNDELIVERED_TOLD)
    }

    /// Returns the warnings that are recorded and wait to be told together.
    pub fn told_together(&self) -> Result<Vec<u64>, StoreError> {
        Ok(self.remembered(TOLD_TOGETHER)?.unwrap_or_default())
    }

    /// Returns the places where backups fail, which administrators were told.
    pub fn failing_backups(&self) -> Result<BTreeSet<BackupPlace>, StoreError> {
        Ok(self.remembered(FAILING_BACKUPS)?.unwrap_or_default())
    }

    /// Returns a person's name, once it was looked up.
    pub fn person_name(&self, person: &OpenId) -> Result<Option<String>, StoreError> {
        self.get_or_skip(PEOPLE, person.as_str())
    }

    /// Returns everybody whose name was looked up or who has a direct chat with the bot, by id, except people that
    /// Feishu refuses in cards, because one of them is enough for a whole card to be refused.
    pub fn known_people(&self) -> Result<BTreeMap<OpenId, Option<String>>, StoreError> {
        let mut people = BTreeMap::new();
        for row in self.open(DIRECT_CHATS)?.iter()? {
            if let Ok(person) = OpenId::new(row?.0.value()) {
                people.insert(person, None);
            }
        }
        self.scan_readable::<_, _, &str, _>(PEOPLE, .., Order::Ascending, |id, name| {
            if let Ok(person) = OpenId::new(id) {
                people.insert(person, Some(name));
            }
            ControlFlow::Continue(())
        })?;
        for refused in self.refused_people()? {
            people.remove(&refused);
        }
        Ok(people)
    }

    /// Returns the people that Feishu refused in a card and who have not written since.
    fn refused_people(&self) -> Result<BTreeSet<OpenId>, StoreError> {
        Ok(self.remembered(REFUSED_PEOPLE)?.unwrap_or_default())
    }

    /// Returns the names of the slash commands that airgate itself has added to the app.
    pub fn own_slash_commands(&self) -> Result<BTreeSet<String>, StoreError> {
        Ok(self.remembered(SLASH_COMMANDS)?.unwrap_or_default())
    }

    /// Returns the direct chat with a person, once it was seen.
    pub fn direct_chat(&self, person: &OpenId) -> Result<Option<ChatId>, StoreError> {
        let chat = self.open(DIRECT_CHATS)?.get(person.as_str())?.map(|c| c.value().to_owned());
        Ok(chat.and_then(|chat| ChatId::new(chat).ok()))
    }
}

impl WriteTx {
    fn put_meta<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        self.put(META.holding(), name, value)
    }

    /// Returns whether it was called with this name for the first time: what is told once, is told once.
    pub fn tell_once(&self, what: &str) -> Result<bool, StoreError> {
        let name = format!("told:{what}");
        let first = self.meta::<bool>(&name)?.is_none();
        if first {
            self.put_meta(&name, &true)?;
        }
        Ok(first)
    }

    /// Saves settings.
    pub fn put_saved_settings(&self, settings: &SavedSettings) -> Result<(), StoreError> {
        self.put_meta(SETTINGS, settings)
    }

    /// Stores what the monitor remembers between cycles.
    pub fn put_monitor_state(&self, state: &MonitorState) -> Result<(), StoreError> {
        self.put_meta(MONITOR, state)
    }

    /// Stores the members of the groups that give roles.
    pub fn put_group_roles(&self, roles: &GroupRoles) -> Result<(), StoreError> {
        self.put_meta(GROUP_ROLES, roles)
    }

    /// Stores the tenant that an app belongs to.
    pub fn put_own_tenant(&self, app_id: &str, tenant: &str) -> Result<(), StoreError> {
        self.put_meta(OWN_TENANT, &(app_id, tenant))
    }

    /// Notes that administrators were told that a person has left. Returns false if they had been told before.
    pub fn note_left(&self, person: &OpenId) -> Result<bool, StoreError> {
        let mut left = self.left_people()?;
        let first = left.insert(person.clone());
        if first {
            self.put_meta(LEFT_PEOPLE, &left)?;
        }
        Ok(first)
    }

    /// Stores which digests were sent.
    pub fn put_digest_log(&self, log: &DigestLog) -> Result<(), StoreError> {
        self.put_meta(DIGESTS, log)
    }

    /// Stores the bot's own open_id.
    pub fn put_bot_open_id(&self, bot: &OpenId) -> Result<(), StoreError> {
        self.put_meta(BOT, bot)
    }

    /// Stores the time up to which every message has reached the bot.
    pub fn put_heard_until(&self, at: Timestamp) -> Result<(), StoreError> {
        self.put_meta(HEARD, &at)
    }

    /// Stores when administrators were last told of a message whose delivery was given up.
    pub fn put_undelivered_told_at(&self, at: Timestamp) -> Result<(), StoreError> {
        self.put_meta(UNDELIVERED_TOLD, &at)
    }

    /// Stores the warnings that wait to be told together.
    pub fn put_told_together(&self, alerts: &[u64]) -> Result<(), StoreError> {
        self.put_meta(TOLD_TOGETHER, &alerts)
    }

    /// Records that administrators were told that backups in a place fail, or work again.
    pub fn put_failing_backup(&self, place: BackupPlace, failing: bool) -> Result<(), StoreError> {
        let mut places = self.failing_backups()?;
        let changed = if failing { places.insert(place) } else { places.remove(&place) };
        if changed { self.put_meta(FAILING_BACKUPS, &places) } else { Ok(()) }
    }

    /// Stores the names of the slash commands that airgate itself has added to the app.
    pub fn put_own_slash_commands(&self, names: &BTreeSet<String>) -> Result<(), StoreError> {
        self.put_meta(SLASH_COMMANDS, names)
    }

    /// Stores a person's name.
    pub fn put_person_name(&self, person: &OpenId, name: &str) -> Result<(), StoreError> {
        self.put(PEOPLE, person.as_str(), &name.to_owned())
    }

    /// Records that Feishu refuses these people in cards.
    pub fn refuse_people(&self, people: &[OpenId]) -> Result<(), StoreError> {
        let before = self.refused_people()?;
        let mut refused = before.clone();
        refused.extend(people.iter().cloned());
        if refused == before { Ok(()) } else { self.put_meta(REFUSED_PEOPLE, &refused) }
    }

    /// Stores the direct chat with a person, who no longer counts as refused.
    pub fn put_direct_chat(&self, person: &OpenId, chat: &ChatId) -> Result<(), StoreError> {
        let mut refused = self.refused_people()?;
        if refused.remove(person) {
            self.put_meta(REFUSED_PEOPLE, &refused)?;
        }
        // Whoever is written to, or writes, has come back.
        let mut left = self.left_people()?;
        if left.remove(person) {
            self.put_meta(LEFT_PEOPLE, &left)?;
        }
        if self.direct_chat(person)?.as_ref() != Some(chat) {
            self.open(DIRECT_CHATS)?.insert(person.as_str(), chat.as_str())?;
        }
        Ok(())
    }

    /// Records that a person or a group was welcomed. Returns false if they had been welcomed before.
    pub fn welcome(&self, person_or_chat: &str, now: Timestamp) -> Result<bool, StoreError> {
        let before = self.open(WELCOMED)?.insert(person_or_chat, now.as_millisecond())?.is_some();
        Ok(!before)
    }

    /// Forgets a welcome: a group that the bot left is welcomed again when the bot comes back.
    pub fn forget_welcome(&self, person_or_chat: &str) -> Result<(), StoreError> {
        self.open(WELCOMED)?.remove(person_or_chat)?;
        Ok(())
    }

    pub(super) fn put_schema_version(&self, version: u64) -> Result<(), StoreError> {
        self.put_meta(SCHEMA, &version)
    }

    /// Makes `sealer`'s key the key of the store.
    pub(super) fn put_key_check(&self, sealer: &Sealer) -> Result<(), StoreError> {
        let sealed = sealer.seal(KEY_CHECK, KEY_CHECK_TEXT)?;
        self.open(META)?.insert(KEY_CHECK, sealed.as_slice())?;
        Ok(())
    }

    /// Checks that `sealer` has the key of the store; a new store takes it.
    pub(super) fn check_key(&self, sealer: &Sealer) -> Result<(), StoreError> {
        let known = self.open(META)?.get(KEY_CHECK)?.map(|sealed| sealed.value().to_vec());
        match known {
            None => self.put_key_check(sealer),
            Some(sealed) => match sealer.open(KEY_CHECK, &sealed) {
                Ok(_) => Ok(()),
                Err(_) => Err(StoreError::WrongKey),
            },
        }
    }
}
