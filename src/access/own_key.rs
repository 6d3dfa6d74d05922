//! Whether airgate itself works with a key of the user: cutting it would lock airgate out, and nothing could ever be
//! restored.

use std::time::Duration;

use tokio::sync::watch;

use super::paths::Reading;
use crate::domain::{AccessPath, Account, User};
use crate::volcengine::AccountClient;

/// How long the other paths wait for the keys to be read.
const WAIT: Duration = Duration::from_secs(3);

/// What the keys show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnKey {
    /// It is another user's.
    No,
    /// It is this user's.
    Yes,
    /// The keys are not known.
    Unknown,
}

/// Lets the paths of one user wait until its keys are read.
pub(super) struct Guard {
    told: watch::Sender<Option<OwnKey>>,
    stored: OwnKey,
}

impl Guard {
    /// Creates the guard of a user. `reads_keys` is whether this attempt reads the keys.
    pub(super) fn new(
        api: &AccountClient,
        account: Option<&Account>,
        user: &User,
        reads_keys: bool,
    ) -> Self {
        // Keys that were read since the account's own key was set.
        let current = account
            .zip(user.access_read_at)
            .is_some_and(|(account, read_at)| read_at > account.updated);
        let stored = match user.access_keys.iter().any(|key| api.uses_key(&key.id)) {
            true => OwnKey::Yes,
            false if current => OwnKey::No,
            false => OwnKey::Unknown,
        };
        Self { told: watch::Sender::new((!reads_keys).then_some(stored)), stored }
    }

    /// Takes over what the keys show; `None` if they could not be read.
    pub(super) fn tell(&self, api: &AccountClient, keys: Option<&Reading>) {
        let own = match keys {
            Some(keys) if keys.items.iter().any(|(key, _)| api.uses_key(&key.id)) => OwnKey::Yes,
            Some(_) => OwnKey::No,
            None => self.stored,
        };
        self.told.send_replace(Some(own));
    }

    /// Returns what the keys show, before something is closed on `path`. Only the policy waits for as long as it takes:
    /// it would shut airgate out at once.
    pub(super) async fn ask(&self, path: AccessPath) -> OwnKey {
        let mut told = self.told.subscribe();
        let answer = async {
            let answer = told.wait_for(Option::is_some).await;
            answer.ok().and_then(|answer| *answer).unwrap_or(self.stored)
        };
        if path == AccessPath::Signed {
            return answer.await;
        }
        tokio::time::timeout(WAIT, answer).await.unwrap_or(self.stored)
    }
}
