//! What an attempt writes to the store: how a path stands, and whether the change is confirmed, withdrawn, failed, late.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::engine::Outcome;
use super::failure::joined;
use super::paths::{Reading, Standing};
use super::permit::withdraw;
use super::{BACKOFF, Enforcer};
use crate::app::access::{Tie, linked_projects};
use crate::app::cloud::CloudError;
use crate::app::people::OwnerNotice;
use crate::app::trouble::{Cause, Trouble};
use crate::app::{sync, users};
use crate::cards::{CardContext, Cards};
use crate::clock::Clock;
use crate::domain::{
    AccessCause, AccessGoal, AccessKeyInfo, AccessPath, Act, AlertBody, BillPeriod, Deed, Figures,
    Limit, Models, MonthFigures, Operator, PathItems, PathProgress, PathReport, PathReports,
    PathState, PendingAccess, Problem, ProjectName, Proof, ProofState, Reach, RememberedAccess,
    Report, Role, Switch, User, UserKey, UserStatus, is_still_demanded, must_be_cut,
};
use crate::outbox::{Alerts, is_group};
use crate::store::{StoreError, WriteTx};

impl Enforcer {
    /// Records how an attempt on one path ended. Returns how far the path is now; `None` if the change is no longer the one
    /// that was tried.
    pub(super) async fn note_path(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
        path: AccessPath,
        outcome: Outcome,
        reach: BTreeMap<ProjectName, Reach>,
    ) -> Result<Option<PathProgress>, StoreError> {
        let (key, tried, now) = (user.clone(), tried.clone(), self.parts.clock.now());
        self.parts
            .store
            .writing(move |tx| {
                let Some(mut pending) = tx.access_pending(&key)? else { return Ok(None) };
                if !pending.is_same_change(&tried) {
                    return Ok(None);
                }
                let Outcome { report, done, reading, taken, gone } = outcome;
                let known = pending.paths.remove(&path).unwrap_or_else(|| PathProgress::new(now));
                let attempts = if done { 0 } else { known.attempts.saturating_add(1) };
                let error = match &report.state {
                    PathState::Failing { reason } => Some(reason.clone()),
                    _ => None,
                };
                let progress = PathProgress {
                    done: done.then_some(now),
                    attempts,
                    next_at: BACKOFF.retry_at(known.attempts, now),
                    error,
                    taken,
                    gone,
                };
                pending.paths.insert(path, progress.clone());
                tx.put_access_pending(&key, &pending)?;
                let is_closed = report.state.is_what_a_cut_left();
                tx.put_access_paths(&key, PathReports::from([(path, report)]))?;
                if let Some(reading) = reading {
                    note_access(tx, &key, path, &reading, now)?;
                }
                if done
                    && pending.goal == AccessGoal::Cut
                    && is_closed
                    && let Some(mut memory) = tx.access_remembered(&key)?
                {
                    let known = memory.clone();
                    memory.closed.insert(path);
                    if path.is_ark() {
                        memory.reach.insert(path, reach);
                    }
                    if memory != known {
                        tx.put_access_remembered(&key, &memory)?;
                    }
                }
                Ok(Some(progress))
            })
            .await
    }

    /// Ends an attempt: confirms the change if every path stands as wanted, and sets when the next attempt is due otherwise.
    pub(super) async fn conclude(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
    ) -> Result<(), StoreError> {
        let (key, tried, now) = (user.clone(), tried.clone(), self.parts.clock.now());
        let (cards, alerts) = (Arc::clone(&self.parts.cards), self.parts.alerts.clone());
        let watches = self.parts.rules.models != Models::Off;
        let clock = self.parts.clock.clone();
        self.parts
            .store
            .writing(move |tx| {
                let Some(mut pending) = tx.access_pending(&key)? else { return Ok(()) };
                if !pending.is_same_change(&tried) {
                    // A newer request replaced this one; it is tried next.
                    return Ok(());
                }
                let of = |path: &AccessPath| pending.paths.get(path);
                let open = AccessPath::ALL.iter().filter(|path| of(path).is_none_or(not_done));
                if let Some(next_at) =
                    open.map(|path| of(path).map_or(now, |path| path.next_at)).min()
                {
                    let errors = pending.paths.values().filter_map(|path| path.error.clone());
                    let error = joined(errors, cards.words());
                    tracing::warn!(user = %key, goal = ?pending.goal, error, "access not changed yet");
                    pending.attempts = pending.attempts.saturating_add(1);
                    pending.next_at = next_at;
                    pending.last_error = Some(error);
                    return tx.put_access_pending(&key, &pending);
                }
                confirm(tx, &Confirms { cards: &cards, alerts: &alerts, clock: &clock, watches }, &key, pending)
            })
            .await
    }

    /// Handles that the cloud has no user with that name: reads the account's users, so that the change follows a user
    /// who was renamed. What a user who is gone left at 方舟 is closed by the next attempt.
    pub(super) async fn settle_missing(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
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
                if let Some(mut pending) = pending.filter(|it| it.is_same_change(&change)) {
                    let gone = tx.user(&key)?.is_some_and(|user| user.status == UserStatus::Gone);
                    if gone {
                        pending.next_at = now;
                        tx.put_access_pending(&key, &pending)?;
                    }
                    return Ok(gone);
                }
                let now_called = moved.into_iter().find(|(from, _)| *from == key);
                let key = now_called.map_or(key, |(_, to)| to);
                // The change of a renamed user continues, and so does its report.
                if let (Some(to), Some(record)) = (&change.report, tx.user(&key)?)
                    && record.status == UserStatus::Gone
                {
                    report(tx, &cards, &alerts, record, to, change.since, now)?;
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

    /// Records an attempt that did not reach any path: it is retried after a back-off.
    pub(super) async fn note_failure(
        &self,
        user: &UserKey,
        tried: &PendingAccess,
        reason: String,
    ) -> Result<(), StoreError> {
        let next_at = BACKOFF.retry_at(tried.attempts, self.parts.clock.now());
        let (key, tried) = (user.clone(), tried.clone());
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

    /// Raises the alert that a change is late, once per change, with how every path stands at that moment.
    pub(super) async fn alert_delay(&self, user: &UserKey, late: &PendingAccess) {
        let (key, late, now) = (user.clone(), late.clone(), self.parts.clock.now());
        let (cards, alerts) = (Arc::clone(&self.parts.cards), self.parts.alerts.clone());
        let noted: Result<(), StoreError> = self
            .parts
            .store
            .writing(move |tx| {
                let Some(mut pending) = tx.access_pending(&key)? else { return Ok(()) };
                if pending.delay_alerted || !pending.is_same_change(&late) {
                    return Ok(());
                }
                pending.delay_alerted = true;
                tx.put_access_pending(&key, &pending)?;
                let mut paths = tx.access_paths(&key)?;
                paths.retain(|path, _| pending.paths.contains_key(path));
                let words = cards.words();
                for path in AccessPath::ALL {
                    // No attempt on it has ended.
                    paths
                        .entry(path)
                        .or_insert_with(|| unanswered(words.trouble(&Cause::NoAnswer.into()), now));
                }
                let failing = paths.values().filter_map(|report| match &report.state {
                    PathState::Failing { reason } => Some(reason.clone()),
                    _ => None,
                });
                let reason = match &pending.last_error {
                    Some(error) => error.clone(),
                    None => joined(failing, words),
                };
                let problem = Problem::AccessDelayed { goal: pending.goal, reason, paths };
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

fn not_done(progress: &PathProgress) -> bool {
    progress.done.is_none()
}

fn unanswered(reason: String, now: jiff::Timestamp) -> PathReport {
    PathReport { state: PathState::Failing { reason }, open: Vec::new(), closed: 0, at: now }
}

/// What confirming a change needs beside the transaction.
struct Confirms<'a> {
    cards: &'a Cards,
    alerts: &'a Alerts,
    clock: &'a Clock,
    /// Whether the usage after a cut is watched.
    watches: bool,
}

/// Tells the owner of a change of access that no alert tells about.
fn tell_owner(
    tx: &WriteTx,
    key: &UserKey,
    pending: &PendingAccess,
    with: &Confirms<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (&pending.cause, pending.goal) {
        (AccessCause::Manual { .. }, goal)
        | (AccessCause::MonthTurned, goal @ AccessGoal::Restored) => {
            with.alerts.tell_owner(tx, key, &OwnerNotice::Access(goal), now)
        }
        _ => Ok(()),
    }
}

/// Records a change that was read back as done: updates the user, and notifies those concerned.
fn confirm(
    tx: &WriteTx,
    with: &Confirms<'_>,
    key: &UserKey,
    pending: PendingAccess,
) -> Result<(), StoreError> {
    let now = with.clock.now();
    let Some(record) = tx.user(key)? else { return tx.clear_access_pending(key).map(drop) };
    if record.status == UserStatus::Gone {
        // What the user left at 方舟 is closed, and there is nobody to be disabled.
        tx.clear_access_pending(key)?;
        tracing::info!(user = %key, "what a user who is gone has left is closed");
        if let Some(to) = &pending.report {
            report(tx, with.cards, with.alerts, record, to, pending.since, now)?;
        }
        return Ok(());
    }
    let month = tx.month(&record, now)?;
    let unbilled = pending.beside_bill(tx.unbilled(&record)?, record.consumed, month.as_ref());
    let is_cut = pending.goal == AccessGoal::Cut;
    if is_cut && !is_still_demanded(&pending.cause, &record, month.as_ref(), unbilled.as_ref()) {
        // Topped up during the cut: restore everything.
        return withdraw(tx, key, pending, now);
    }
    let left = tx.access_remembered(key)?.map(|memory| memory.reopened).unwrap_or_default();
    let Some(record) = tx.confirm_access(key, pending.goal, now)? else { return Ok(()) };
    if pending.goal == AccessGoal::Cut {
        note_cause(tx, key, &pending.cause)?;
        let took = now.duration_since(pending.since);
        metrics::histogram!("airgate_cut_seconds")
            .record(std::time::Duration::try_from(took).unwrap_or_default());
        if with.watches {
            watch(tx, key, now)?;
        }
    }
    match (&pending.cause, pending.goal) {
        (AccessCause::QuotaUsedUp | AccessCause::MonthLimit { .. }, AccessGoal::Cut) => {
            // What demanded the cut may have changed since it was ordered.
            let of = must_be_cut(&record, month.as_ref(), unbilled.as_ref()).unwrap_or(
                match pending.cause {
                    AccessCause::MonthLimit { .. } => Limit::Month,
                    _ => Limit::Quota,
                },
            );
            let period = match (&pending.cause, &month) {
                (_, Some(month)) if month.is_read => month.period,
                (AccessCause::MonthLimit { period }, _) => *period,
                _ => BillPeriod::of(now),
            };
            tx.set_month_cut(key, (of == Limit::Month).then_some(period))?;
            let amounts = tx.month_amounts(key, period)?;
            let in_month = MonthFigures::of(&record, month.as_ref());
            let links = tx.links_of(key)?;
            let figures = Figures::of(&record, &links, &tx.sharing_among(&links)?);
            let unbilled = unbilled.filter(|unbilled| unbilled.for_cuts().is_positive());
            let figures = figures.with_month(in_month, of, &amounts).with_unbilled(unbilled);
            let body = AlertBody::Disable { of, figures, paths: tx.access_paths(key)? };
            with.alerts.raise(tx, Some(key), body, now)?;
        }
        // Undoes a cut that was withdrawn before anyone was told about it.
        (AccessCause::QuotaUsedUp | AccessCause::MonthLimit { .. }, AccessGoal::Restored) => {}
        (AccessCause::MonthTurned, AccessGoal::Cut) => {}
        (AccessCause::MonthTurned, goal @ AccessGoal::Restored) => {
            let body =
                AlertBody::Manual { goal, operator: Operator::System, left, gone: gone(&pending) };
            with.alerts.raise(tx, Some(key), body, now)?;
        }
        (AccessCause::Reopened { items }, AccessGoal::Cut) if !items.is_empty() => {
            let problem = Problem::AccessReopened { items: items.clone() };
            with.alerts.raise(tx, Some(key), AlertBody::Error { problem }, now)?;
        }
        (AccessCause::Reopened { .. }, _) => {}
        (AccessCause::Manual { operator }, AccessGoal::Cut) => {
            // What a person has cut stays cut when a month begins.
            tx.set_month_cut(key, None)?;
            let body = AlertBody::manual(AccessGoal::Cut, operator.clone());
            with.alerts.note(tx, key, body, now)?;
        }
        (AccessCause::Manual { operator }, goal @ AccessGoal::Restored) => {
            let gone = gone(&pending);
            let body = AlertBody::Manual { goal, operator: operator.clone(), left, gone };
            with.alerts.note(tx, key, body, now)?;
        }
    }
    tell_owner(tx, key, &pending, with, now)?;
    match (&pending.cause, pending.delay_alerted) {
        (AccessCause::MonthTurned, _) => {
            let deed = Deed::Access { goal: pending.goal };
            with.alerts.follow_up(tx, key, &Act { deed, by: Operator::System, at: now }, now)?;
        }
        (_, true) => {
            let deed = Deed::Confirmed { goal: pending.goal };
            with.alerts.follow_up(tx, key, &Act { deed, by: Operator::System, at: now }, now)?;
        }
        (_, false) => with.alerts.refresh(tx, key, now)?,
    }
    if let Some(to) = &pending.report {
        report(tx, with.cards, with.alerts, record, to, pending.since, now)?;
    }
    tracing::info!(user = %key, goal = ?pending.goal, "access changed and read back");
    Ok(())
}

/// Keeps why access is cut, for as long as it is. What opens again is closed by the same cut.
fn note_cause(tx: &WriteTx, key: &UserKey, cause: &AccessCause) -> Result<(), StoreError> {
    if let AccessCause::Reopened { .. } = cause {
        return Ok(());
    }
    let Some(memory) = tx.access_remembered(key)? else { return Ok(()) };
    tx.put_access_remembered(key, &RememberedAccess { cause: Some(cause.clone()), ..memory })
}

/// Returns what a restore could not open, because it no longer exists.
fn gone(pending: &PendingAccess) -> PathItems {
    let gone = pending.paths.iter().filter(|(_, progress)| !progress.gone.is_empty());
    gone.map(|(path, progress)| (*path, progress.gone.clone())).collect()
}

/// Begins to watch the usage of the user's own projects, or goes on after another cut.
fn watch(tx: &WriteTx, key: &UserKey, now: jiff::Timestamp) -> Result<(), StoreError> {
    let projects: Vec<_> = linked_projects(tx, key)?
        .into_iter()
        .filter(|project| project.tie == Tie::Own)
        .map(|project| project.name)
        .collect();
    if projects.is_empty() {
        return tx.clear_access_proof(key);
    }
    let spenders = tx.access_proof(key)?.map(|proof| proof.spenders).unwrap_or_default();
    let state = ProofState::Waiting;
    tx.put_access_proof(key, &Proof { cut: now, projects, state, read_at: None, spenders })
}

/// Updates the card of the person who requested the change.
fn report(
    tx: &WriteTx,
    cards: &Cards,
    alerts: &Alerts,
    record: User,
    to: &Report,
    since: jiff::Timestamp,
    now: jiff::Timestamp,
) -> Result<(), StoreError> {
    let detail = users::card(tx, &alerts.settings_in_force(tx)?, record, now)?;
    let mut ctx = CardContext::new(Role::Admin, now);
    ctx.in_group = is_group(tx, to)?;
    let card = cards.user(&detail, &ctx);
    alerts.will_show(tx, to, &card, tx.card_changes()?, now)?;
    tx.owe_report(to, card.into_string(), since, now)?;
    Ok(())
}

/// Takes over keys or login as just read, and not the status: that follows once every path is read back.
pub(super) fn note_access(
    tx: &WriteTx,
    key: &UserKey,
    path: AccessPath,
    reading: &Reading,
    now: jiff::Timestamp,
) -> Result<(), StoreError> {
    if !matches!(path, AccessPath::AccessKeys | AccessPath::Login) {
        return Ok(());
    }
    let Some(mut user) = tx.user(key)? else { return Ok(()) };
    if path == AccessPath::AccessKeys {
        user.access_keys = keys_of(reading);
        // Only this: whether airgate itself works with a key of this user is judged by how old its keys are.
        user.access_read_at = Some(now);
    } else {
        user.login = login_of(reading);
    }
    user.updated = now;
    tx.put_user(&user)
}

/// Returns the access keys of a reading.
pub(super) fn keys_of(reading: &Reading) -> Vec<AccessKeyInfo> {
    let key = |(item, standing): &(crate::domain::AccessItem, Standing)| AccessKeyInfo {
        id: item.id.clone(),
        active: Switch::from(*standing == Standing::Open),
    };
    reading.items.iter().map(key).collect()
}

/// Returns the login of a reading.
pub(super) fn login_of(reading: &Reading) -> Option<Switch> {
    reading.items.first().map(|(_, standing)| Switch::from(*standing == Standing::Open))
}
