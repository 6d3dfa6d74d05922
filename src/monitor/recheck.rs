//! Rechecks users whose access airgate has cut: access that was opened again outside airgate is cut again.

use futures::StreamExt;

use super::Monitor;
use crate::app::cloud::CloudError;
use crate::app::sync::{self, user_access};
use crate::domain::{AccountId, User, UserKey, UserStatus};
use crate::store::StoreError;

/// How many users of an account are checked in one cycle, two calls each; the others follow in the next ones.
const USERS_A_CYCLE: usize = 50;
/// How many of them in a row may be unreadable before the rest waits for the next cycle.
const FAILURES_IN_A_ROW: u32 = 3;

impl Monitor {
    /// Reads keys and login of disabled users, longest unread first. What cannot be read is read in the next cycle.
    pub(super) async fn recheck_disabled(&self) -> Result<(), StoreError> {
        let accounts = self.parts.store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let checks = futures::stream::iter(active.map(|account| self.recheck_account(account.id)));
        let concurrency = self.parts.concurrency.max(1);
        let outcomes: Vec<_> = checks.buffer_unordered(concurrency).collect().await;
        for outcome in outcomes {
            match outcome {
                Ok(()) => {}
                Err(CloudError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(%error, "disabled users were not checked"),
            }
        }
        Ok(())
    }

    async fn recheck_account(&self, id: AccountId) -> Result<(), CloudError> {
        let (store, clock) = (&self.parts.store, &self.parts.clock);
        let account = id.clone();
        let mut users: Vec<User> = store
            .reading(move |tx| {
                let mut cut = Vec::new();
                for (key, entry) in tx.directory().iter() {
                    if key.account == account
                        && entry.status == UserStatus::Disabled
                        && tx.access_remembered(key)?.is_some()
                        && tx.access_pending(key)?.is_none()
                    {
                        cut.extend(tx.user(key)?);
                    }
                }
                Ok::<_, StoreError>(cut)
            })
            .await?;
        if users.is_empty() {
            return Ok(());
        }
        users.sort_by_key(|user| user.access_read_at);
        let api = self.parts.cloud.account(&id).await?;
        let (mut in_a_row, mut missing) = (0, false);
        for user in users.into_iter().take(USERS_A_CYCLE) {
            let began = clock.now();
            match user_access(&api, &user.key).await {
                Ok(access) => {
                    in_a_row = 0;
                    let (key, now): (UserKey, _) = (user.key, clock.now());
                    store
                        .writing(move |tx| tx.record_access_read(&key, &access, began, now))
                        .await?;
                }
                Err(error) if error.is_not_found() => missing = true,
                Err(error) => {
                    tracing::warn!(user = %user.key, %error, "access of a disabled user not read");
                    in_a_row += 1;
                    if in_a_row >= FAILURES_IN_A_ROW {
                        break;
                    }
                }
            }
        }
        if missing {
            // Renamed, or gone.
            sync::users(store, &self.parts.cloud, clock, &id).await?;
        }
        Ok(())
    }
}
