//! Who people are: the bot's own id, and the names of those whom cards show. All of it is read aside, and kept: no answer
//! waits for it. Without it the bot works, less well: while its id is unknown any bot's mention counts as its own, and an unknown
//! name shows as an id.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::Bot;
use crate::domain::OpenId;
use crate::feishu::{self, Disposition};
use crate::store::{Source, StoreError, View};

/// Names that are asked for in one round: one call each.
const ROUND: usize = 100;
/// Somebody whose name may not be read is asked for again after so long: the app's contact range may have grown.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// When those were last asked for whose names could not be read.
pub(super) type Asked = Mutex<HashMap<OpenId, Timestamp>>;

impl Bot {
    /// Learns the bot's own id.
    ///
    /// # Errors
    /// The platform's.
    pub async fn learn_own_id(&self) -> Result<(), feishu::Error> {
        let info = self.feishu.bot_info().await?;
        if let Ok(id) = OpenId::new(info.open_id) {
            *self.own_id.lock() = Some(id.clone());
            if let Err(error) = self.store.writing(move |tx| tx.put_bot_open_id(&id)).await {
                tracing::warn!(%error, "the bot's own id could not be kept");
            }
        }
        Ok(())
    }

    /// Reads names that are not known: those of administrators, viewers, owners of users, and people who wrote to the bot.
    /// Returns whether nothing is left that can be asked for now.
    pub async fn learn_names(&self) -> bool {
        let mut wanted = self.roles.people();
        let unnamed = self.store.reading(|tx| {
            let mut people = owners(tx)?;
            let known = tx.known_people()?;
            people.extend(known.keys().cloned());
            Ok::<_, StoreError>((people, known))
        });
        let (people, known) = match unnamed.await {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "whose names are unknown could not be read");
                return false;
            }
        };
        wanted.extend(people);
        let now = self.reader.clock.now();
        {
            let mut asked = self.names.lock();
            asked.retain(|_, at| now.duration_since(*at) < AGAIN);
            let mut seen = BTreeSet::new();
            wanted.retain(|person| {
                !matches!(known.get(person), Some(Some(_)))
                    && !asked.contains_key(person)
                    && seen.insert(person.clone())
            });
        }
        let all = wanted.len() <= ROUND;
        for person in wanted.into_iter().take(ROUND) {
            match self.feishu.person_name(person.as_str()).await {
                Ok(Some(name)) => {
                    let kept =
                        self.store.writing(move |tx| tx.put_person_name(&person, &name)).await;
                    if let Err(error) = kept {
                        tracing::warn!(%error, "a name could not be kept");
                        return false;
                    }
                }
                Ok(None) => {
                    self.names.lock().insert(person, now);
                }
                // Where Feishu itself does not answer, neither would it for the others.
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
                        self.names.lock().insert(person, now);
                    }
                },
            }
        }
        all
    }
}

/// Everybody who owns a user.
fn owners<S: Source>(tx: &View<S>) -> Result<BTreeSet<OpenId>, StoreError> {
    Ok(tx.users()?.into_iter().filter_map(|user| user.owner).collect())
}
