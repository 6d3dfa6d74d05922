//! What an attempt writes to the store: confirmed, withdrawn, failed, late.

use std::sync::Arc;

use super::{BACKOFF, Enforcer};
use crate::app::cloud::CloudError;
use crate::app::trouble::{Cause, Trouble};
use crate::app::{sync, users};
use crate::cards::CardContext;
use crate::domain::{
    AccessCause, AccessGoal, AlertBody, Figures, PendingAccess, Problem, Role, UserAccess, UserKey,
    UserStatus, must_be_cut,
};
use crate::store::{StoreError, WriteTx};

impl Enforcer {
    /// Records a change that was read back as done: updates the user, and notifies those concerned.
    pub(super) async fn confirm(
        &self,
        user: &UserKey,
        tried: PendingAccess,
        access: UserAccess,
    ) -> Result<(), StoreError> {
        let (key, now) = (user.clone(), self.parts.clock.now());
        let (cards, alerts) = (Arc::clone(&self.parts.cards), self.parts.alerts.clone());
        self.parts
            .store
            .writing(move |tx| {
                let Some(pending) = tx.access_pending(&key)? else { return Ok(()) };
                if !pending.is_same_change(&tried) {
                    // A newer request replaced this one; it is tried next.
                    return Ok(());
                }
                let Some(record) = tx.user(&key)? else { return Ok(()) };
                let quota_cut =
                    pending.goal == AccessGoal::Cut && pending.cause == AccessCause::QuotaUsedUp;
                if quota_cut && !must_be_cut(&record) {
                    // Topped up during the cut: restore everything.
                    return withdraw(tx, &key, pending);
                }
                let Some(record) = tx.confirm_access(&key, pending.goal, &access, now)? else {
                    return Ok(());
                };
                match (&pending.cause, pending.goal) {
                    (AccessCause::QuotaUsedUp, AccessGoal::Cut) => {
                        let figures = Figures::of(&record, &tx.links_of(&key)?);
                        alerts.raise(
                            tx,
                            Some(&key),
                            AlertBody::Disable { figures, paths: tx.access_paths(&key)? },
                            now,
                        )?;
                    }
                    // Undoes a cut that was withdrawn before anyone was told about it.
                    (AccessCause::QuotaUsedUp, AccessGoal::Restored) => {}
                    (AccessCause::Reopened { items }, AccessGoal::Cut) => {
                        let problem = Problem::AccessReopened { items: items.clone() };
                        alerts.raise(tx, Some(&key), AlertBody::Error { problem }, now)?;
                    }
                    (AccessCause::Reopened { .. }, AccessGoal::Restored) => {}
                    (AccessCause::Manual { operator }, goal) => {
                        let body = AlertBody::manual(goal, operator.clone());
                        alerts.note(tx, &key, body, now)?;
                    }
                }
                if let Some(report) = &pending.report {
                    let detail = users::detail(tx, &alerts.settings_in_force(tx)?, record)?;
                    let card =
                        cards.user(&detail, &CardContext::new(Role::Admin, now)).into_string();
                    tx.owe_report(report, card, pending.since, now)?;
                }
                tracing::info!(user = %key, goal = ?pending.goal, "access changed and read back");
                Ok(())
            })
            .await
    }

    /// Handles that the cloud has no user with that name: reads the account's users, so that the change follows a user
    /// who was renamed, or ends if the user is gone.
    pub(super) async fn settle_missing(
        &self,
        user: &UserKey,
        tried: PendingAccess,
    ) -> Result<(), StoreError> {
        let (store, now) = (&self.parts.store, self.parts.clock.now());
        let read = sync::users(store, &self.parts.cloud, &self.parts.clock, &user.account).await;
        let (trouble, moved): (Trouble, _) = match read {
            Ok(changes) => {
                tracing::info!(%user, ?changes, "a user with a pending change of access was not found");
                (Cause::NotFound.into(), changes.moved)
            }
            Err(CloudError::Store(error)) => return Err(error),
            Err(error) => (error.into(), Vec::new()),
        };
        let (key, change) = (user.clone(), tried.clone());
        let (cards, alerts) = (Arc::clone(&self.parts.cards), self.parts.alerts.clone());
        let ended = store
            .writing(move |tx| {
                let pending = tx.access_pending(&key)?;
                if pending.is_some_and(|pending| pending.is_same_change(&change)) {
                    return Ok(false);
                }
                let now_called = moved.into_iter().find(|(from, _)| *from == key);
                let key = now_called.map_or(key, |(_, to)| to);
                // The change of a renamed user continues, and so does its report.
                if let (Some(report), Some(record)) = (&change.report, tx.user(&key)?)
                    && record.status == UserStatus::Gone
                {
                    let detail = users::detail(tx, &alerts.settings_in_force(tx)?, record)?;
                    let card =
                        cards.user(&detail, &CardContext::new(Role::Admin, now)).into_string();
                    tx.owe_report(report, card, change.since, now)?;
                }
                Ok::<_, StoreError>(true)
            })
            .await?;
        if ended {
            // A renamed user is tried next.
            self.parts.wakers.access.notify_one();
            return Ok(());
        }
        self.note_failure(user, tried, self.parts.cards.words().trouble(&trouble)).await
    }

    /// Records a failed attempt: it is retried after a back-off.
    pub(super) async fn note_failure(
        &self,
        user: &UserKey,
        tried: PendingAccess,
        reason: String,
    ) -> Result<(), StoreError> {
        let next_at = BACKOFF.retry_at(tried.attempts, self.parts.clock.now());
        let key = user.clone();
        self.parts
            .store
            .writing(move |tx| {
                if let Some(mut pending) = tx.access_pending(&key)?
                    && pending.is_same_change(&tried)
                {
                    pending.attempts = pending.attempts.saturating_add(1);
                    pending.next_at = next_at;
                    pending.last_error = Some(reason);
                    tx.put_access_pending(&key, &pending)?;
                }
                Ok(())
            })
            .await
    }

    /// Raises the alert that a change is late, once per change.
    pub(super) async fn alert_delay(&self, user: &UserKey) {
        let (key, now) = (user.clone(), self.parts.clock.now());
        let alerts = self.parts.alerts.clone();
        let noted: Result<(), StoreError> = self
            .parts
            .store
            .writing(move |tx| {
                let Some(mut pending) = tx.access_pending(&key)? else { return Ok(()) };
                if pending.delay_alerted {
                    return Ok(());
                }
                pending.delay_alerted = true;
                tx.put_access_pending(&key, &pending)?;
                let reason = pending.last_error.clone().unwrap_or_default();
                let problem = Problem::AccessDelayed {
                    goal: pending.goal,
                    reason,
                    paths: tx.access_paths(&key)?,
                };
                alerts.raise(tx, Some(&key), AlertBody::Error { problem }, now)?;
                Ok(())
            })
            .await;
        if let Err(error) = noted {
            tracing::error!(%user, %error, "the alert about a late access change was not stored");
        }
        self.parts.wakers.outbox.notify_one();
    }
}

/// Withdraws a cut that the quota no longer demands. If an attempt has begun to switch things off, they are restored.
pub(super) fn withdraw(
    tx: &WriteTx,
    user: &UserKey,
    pending: PendingAccess,
) -> Result<(), StoreError> {
    let remembered = tx.access_remembered(user)?;
    if remembered.is_some_and(|remembered| remembered.cut == pending.since) {
        let back = PendingAccess { goal: AccessGoal::Restored, attempts: 0, ..pending };
        tx.put_access_pending(user, &back)
    } else {
        tx.clear_access_pending(user).map(drop)
    }
}
