//! Names of the people, and of the alert group, that cards show. They are looked up in the background and stored, so that no
//! answer waits for them; an unknown name shows as an id.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use crate::clock::is_recent;
use crate::domain::{ChatId, OpenId};
use crate::feishu::{self, Disposition};
use crate::store::{Source, Store, StoreError, View};

/// Max names looked up per round, with one call each.
const PER_ROUND: usize = 100;
/// Retry delay after a name could not be read. The app's contact range may have grown by then.
const RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The age from which a group's name is read again.
const CHAT_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Looks up names.
pub(super) struct Names {
    store: Store,
    feishu: feishu::Client,
    /// When a look-up last failed for a person.
    failed: Mutex<HashMap<OpenId, Timestamp>>,
    /// The group whose name was last asked for, and when.
    chat: Mutex<Option<(ChatId, Timestamp)>>,
}

impl Names {
    /// Nothing has been looked up yet.
    pub(super) fn new(store: Store, feishu: feishu::Client) -> Self {
        Self { store, feishu, failed: Mutex::default(), chat: Mutex::default() }
    }

    /// Looks up the unknown names of `people`, of users' owners, and of those who wrote to the bot. Returns whether none
    /// is left that can be looked up now.
    pub(super) async fn look_up(&self, people: Vec<OpenId>, now: Timestamp) -> bool {
        let Some(mut wanted) = self.unknown(people, now).await else { return false };
        let all = wanted.len() <= PER_ROUND;
        wanted.truncate(PER_ROUND);
        for person in wanted {
            match self.feishu.person_name(person.as_str()).await {
                Ok(Some(name)) => {
                    let stored =
                        self.store.writing(move |tx| tx.put_person_name(&person, &name)).await;
                    if let Err(error) = stored {
                        tracing::warn!(%error, "a name could not be stored");
                        return false;
                    }
                }
                Ok(None) => {
                    self.failed.lock().insert(person, now);
                }
                // If Feishu itself does not answer, the other look-ups would fail as well.
                Err(error) => match error.disposition() {
                    Disposition::RetryLater
                    | Disposition::RetryAfter(_)
                    | Disposition::Unclear
                    | Disposition::Credentials => {
                        tracing::info!(%error, "names could not be read");
                        return false;
                    }
                    _ => {
                        tracing::info!(%error, "a name could not be read");
                        self.failed.lock().insert(person, now);
                    }
                },
            }
        }
        all
    }

    /// Reads what a group is called. Returns false if Feishu does not answer now.
    pub(super) async fn look_up_chat(&self, chat: ChatId, now: Timestamp) -> bool {
        let is_known = self
            .chat
            .lock()
            .as_ref()
            .is_some_and(|(known, at)| *known == chat && is_recent(*at, CHAT_AGE, now));
        if is_known {
            return true;
        }
        let read = self.feishu.chat(chat.as_str()).await;
        if let Err(error) = &read {
            tracing::info!(%error, "the name of the alert group could not be read");
            if matches!(
                error.disposition(),
                Disposition::RetryLater
                    | Disposition::RetryAfter(_)
                    | Disposition::Unclear
                    | Disposition::Credentials
            ) {
                return false;
            }
        }
        *self.chat.lock() = Some((chat.clone(), now));
        let Some(name) = read.ok().map(|info| info.name).filter(|name| !name.trim().is_empty())
        else {
            return true;
        };
        let stored = self.store.writing(move |tx| match tx.chat_name(&chat)? {
            Some(known) if known == name => Ok::<_, StoreError>(()),
            _ => tx.put_chat_name(&chat, &name),
        });
        if let Err(error) = stored.await {
            tracing::warn!(%error, "a group's name could not be stored");
        }
        true
    }

    /// Everyone whose name is unknown and may be looked up now; `None` if the store fails.
    async fn unknown(&self, mut wanted: Vec<OpenId>, now: Timestamp) -> Option<Vec<OpenId>> {
        let read = self.store.reading(|tx| {
            let mut people = owners(tx)?;
            let known = tx.known_people()?;
            people.extend(known.keys().cloned());
            Ok::<_, StoreError>((people, known))
        });
        let (people, known) = match read.await {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "the list of unknown names could not be read");
                return None;
            }
        };
        wanted.extend(people);
        let mut failed = self.failed.lock();
        failed.retain(|_, at| is_recent(*at, RETRY_AFTER, now));
        let mut seen = BTreeSet::new();
        wanted.retain(|person| {
            !matches!(known.get(person), Some(Some(_)))
                && !failed.contains_key(person)
                && seen.insert(person.clone())
        });
        Some(wanted)
    }
}

/// Everyone who owns a user.
fn owners<S: Source>(tx: &View<S>) -> Result<BTreeSet<OpenId>, StoreError> {
    Ok(tx.users()?.into_iter().filter_map(|user| user.owner).collect())
}
