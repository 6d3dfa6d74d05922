//! Looks at users whose access is cut: what was opened again outside airgate is closed by another cut.
//!
//! The cycles look in turns: a few users each, with at most [`CALLS`] calls for each of them; a path is one turn, at 方舟 one
//! of its projects. One list of the account answers for the policy of all users at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Enforcer;
use super::engine::{is_read, report};
use super::failure::PathError;
use super::paths::{self, Path, Reading, Target};
use super::settle::{keys_of, login_of, note_access};
use crate::app::access::{TiedProject, linked_projects};
use crate::app::cloud::CloudError;
use crate::app::sync;
use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessPath, AccessRules, AccountId, ModelKeys, NotCovered,
    PathItems, PathReport, PathReports, PathState, PendingAccess, Reach, RememberedAccess, User,
    UserAccess, UserKey, UserStatus, add_items,
};
use crate::store::{StoreError, WriteTx};
use crate::volcengine::AccountClient;

/// Calls a user and cycle.
const CALLS: usize = 2;
/// How many users of an account are looked at in one cycle; the others follow in the next ones.
const USERS_A_CYCLE: usize = 50;
/// How many of them in a row may be unreadable before the rest waits for the next cycle.
const FAILURES_IN_A_ROW: u32 = 3;
/// The part of the time between two cycles that looks may take: bills must not wait for them.
const SHARE: u32 = 10;

/// One turn: a path, at 方舟 in one project.
type Turn = (AccessPath, Option<TiedProject>);

/// A turn of a user: a path, and the project.
type TurnOf = (UserKey, AccessPath, Option<String>);

/// When the turns of each user last came, as a number that grows.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<TurnOf, u64>>, Mutex<HashSet<UserKey>>);

impl Turns {
    /// Chooses the turns that are longest overdue and fit into `calls`, and notes that they came.
    fn take(&self, user: &UserKey, mut turns: Vec<Turn>, mut calls: usize) -> Vec<Turn> {
        let mut last = self.0.lock();
        let now = last.values().max().map_or(1, |last| last + 1);
        let id = |(path, project): &Turn| {
            let project = project.as_ref().map(|project| project.name.to_string());
            (user.clone(), *path, project)
        };
        turns.sort_by_key(|turn| last.get(&id(turn)).copied().unwrap_or_default());
        let mut taken = Vec::new();
        for turn in turns {
            let cost = cost(turn.0);
            if cost <= calls {
                calls -= cost;
                last.insert(id(&turn), now);
                taken.push(turn);
            }
        }
        taken
    }

    /// Returns whether it is the turn of the policies of a user who may not hold airgate's. It is every other time: a list
    /// that never names the user must not keep the paths that take two calls from their turn.
    fn suspects(&self, user: &UserKey, unsigned: &BTreeSet<UserKey>) -> bool {
        let mut last_time = self.1.lock();
        !last_time.remove(user) && unsigned.contains(user) && last_time.insert(user.clone())
    }

    /// Returns when the last turn of a user came.
    fn last_of(&self, user: &UserKey) -> u64 {
        let last = self.0.lock();
        let of_user = last.iter().filter(|((key, ..), _)| key == user);
        of_user.map(|(_, at)| *at).max().unwrap_or_default()
    }
}

/// How many calls a turn takes.
fn cost(path: AccessPath) -> usize {
    match path {
        AccessPath::Signed
        | AccessPath::AccessKeys
        | AccessPath::Login
        | AccessPath::ApiKeys
        | AccessPath::Endpoints
        | AccessPath::ModelKeys => 1,
        // The list and the limits of one, or two kinds of jobs.
        AccessPath::PresetEndpoints | AccessPath::Jobs => 2,
    }
}

/// What a look needs to know about a user.
struct Looked {
    user: User,
    memory: Option<RememberedAccess>,
    projects: Vec<TiedProject>,
}

/// What a look has read of a path.
struct Seen {
    path: AccessPath,
    report: PathReport,
    reading: Reading,
    /// Whether all of the path was read.
    whole: bool,
}

impl Enforcer {
    /// Reads every path of a user now, and stores how they stand. Changes nothing; what is open although access is cut is
    /// closed by another cut.
    ///
    /// # Errors
    /// [`CloudError::NoSuchAccount`], [`CloudError::Store`]. A path that cannot be read is failing, in the result.
    pub async fn look(&self, user: &UserKey) -> Result<PathReports, CloudError> {
        let api = self.parts.cloud.account(&user.account).await?;
        let key = user.clone();
        let looked = self.parts.store.reading(move |tx| {
            let Some(user) = tx.user(&key)? else { return Ok(None) };
            let (memory, projects) = (tx.access_remembered(&key)?, linked_projects(tx, &key)?);
            Ok::<_, StoreError>(Some(Looked { user, memory, projects }))
        });
        let Some(looked) = looked.await? else { return Ok(PathReports::new()) };
        let (began, words) = (self.parts.clock.now(), self.parts.cards.words());
        let here = looked.user.status != UserStatus::Gone;
        let reads = AccessPath::ALL.map(|path| {
            let (api, looked) = (&api, &looked);
            async move {
                let clock = &self.parts.clock;
                let nothing =
                    |state| PathReport { state, open: Vec::new(), closed: 0, at: clock.now() };
                if !is_read(&self.parts.rules, path) {
                    let reason = NotCovered::SwitchedOff;
                    return (path, nothing(PathState::NotCovered { reason }), None);
                }
                if !here && !path.is_ark() {
                    return (path, nothing(PathState::Closed), None);
                }
                match self.glance(api, looked, path, &looked.projects).await {
                    Ok(mut reading) => {
                        let failures = std::mem::take(&mut reading.failures);
                        (path, report(&reading, failures, words, clock), Some(reading))
                    }
                    Err(error) => {
                        let reason = words.trouble(&error.into());
                        (path, nothing(PathState::Failing { reason }), None)
                    }
                }
            }
        });
        let read = join_all(reads).await;
        let mut reports = PathReports::new();
        let mut seen = Vec::new();
        for (path, report, reading) in read {
            reports.insert(path, report.clone());
            seen.extend(reading.map(|reading| Seen { path, report, reading, whole: true }));
        }
        let (key, now, shown) = (user.clone(), self.parts.clock.now(), reports.clone());
        let rules = self.parts.rules.clone();
        let opened = self.parts.store.writing(move |tx| {
            if tx.access_pending(&key)?.is_some() {
                // Enforcement knows better.
                return Ok(false);
            }
            tx.put_access_paths(&key, shown)?;
            record(tx, &rules, &key, &seen, began, now)
        });
        if opened.await? {
            self.parts.wakers.access.notify_one();
        }
        Ok(reports)
    }

    /// Looks after what has been cut, for a small part of the time between two cycles: at disabled users whose turn it is,
    /// and at what is spent since. What cannot be read is read in a later cycle.
    pub async fn look_after_cuts(
        &self,
        between_cycles: Duration,
        concurrency: usize,
    ) -> Result<(), StoreError> {
        // Calls that hang end with their half of the time, so that neither part starves the other.
        let half = between_cycles / SHARE / 2;
        let deadline = Instant::now() + half;
        let looks = self.look_at_disabled(deadline, concurrency);
        let looks = tokio::time::timeout_at(deadline, looks).await;
        self.parts.wakers.access.notify_one();
        looks.unwrap_or_else(|_| {
            tracing::warn!("no more time to look at disabled users in this cycle");
            Ok(())
        })?;
        let deadline = Instant::now() + half;
        let proofs = tokio::time::timeout_at(deadline, self.prove(deadline)).await;
        proofs.unwrap_or_else(|_| {
            tracing::warn!("no more time to read the usage after cuts in this cycle");
            Ok(())
        })
    }

    /// Looks at disabled users of all accounts, whose turn it is.
    async fn look_at_disabled(
        &self,
        deadline: Instant,
        concurrency: usize,
    ) -> Result<(), StoreError> {
        let accounts = self.parts.store.reading(|tx| tx.accounts()).await?;
        let active = accounts.into_iter().filter(|account| account.active.is_on());
        let looks = active.map(|account| self.look_at_account(account.id, deadline));
        let looks = futures::stream::iter(looks).buffer_unordered(concurrency.max(1));
        for outcome in looks.collect::<Vec<_>>().await {
            match outcome {
                Ok(()) => {}
                Err(CloudError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(%error, "disabled users were not looked at"),
            }
        }
        Ok(())
    }

    async fn look_at_account(&self, id: AccountId, deadline: Instant) -> Result<(), CloudError> {
        let mut users = self.disabled(&id).await?;
        if users.is_empty() {
            return Ok(());
        }
        users.sort_by_key(|looked| {
            (self.turns.last_of(&looked.user.key), looked.user.access_read_at)
        });
        let api = self.parts.cloud.account(&id).await?;
        // What the list does not say in time is looked at in turn.
        let third = deadline.saturating_duration_since(Instant::now()) / 3;
        let unsigned = tokio::time::timeout(third, self.unsigned(&api, &id, &users)).await;
        let unsigned = unsigned.unwrap_or_else(|_| Ok(BTreeSet::new()))?;
        let (mut in_a_row, mut missing) = (0, false);
        for (n, looked) in users.into_iter().take(USERS_A_CYCLE).enumerate() {
            if n > 0 && Instant::now() > deadline {
                break;
            }
            let suspect = self.turns.suspects(&looked.user.key, &unsigned);
            match self.look_in_turn(&api, looked, suspect).await {
                Ok(()) => in_a_row = 0,
                Err(PathError::Cloud(CloudError::Store(error))) => return Err(error.into()),
                Err(error) if error.is_not_found() => missing = true,
                Err(error) => {
                    tracing::warn!(account = %id, %error, "a disabled user was not looked at");
                    in_a_row += 1;
                    if in_a_row >= FAILURES_IN_A_ROW {
                        break;
                    }
                }
            }
        }
        if missing {
            // Renamed, or gone.
            sync::users(&self.parts.store, &self.parts.cloud, &self.parts.clock, &id).await?;
        }
        Ok(())
    }

    /// Returns the users of an account whose access airgate has cut.
    async fn disabled(&self, id: &AccountId) -> Result<Vec<Looked>, StoreError> {
        let account = id.clone();
        self.parts
            .store
            .reading(move |tx| {
                let mut cut = Vec::new();
                for (key, entry) in tx.directory().iter() {
                    if key.account != account
                        || entry.status != UserStatus::Disabled
                        || tx.access_pending(key)?.is_some()
                    {
                        continue;
                    }
                    if let (Some(memory), Some(user)) = (tx.access_remembered(key)?, tx.user(key)?)
                    {
                        let projects = linked_projects(tx, key)?;
                        cut.push(Looked { user, memory: Some(memory), projects });
                    }
                }
                Ok(cut)
            })
            .await
    }

    /// Returns those users who do not hold the policy that denies everything, as far as one list of the account says.
    async fn unsigned(
        &self,
        api: &AccountClient,
        id: &AccountId,
        users: &[Looked],
    ) -> Result<BTreeSet<UserKey>, CloudError> {
        if !self.parts.rules.deny_all {
            return Ok(BTreeSet::new());
        }
        // Somebody may have changed its document.
        self.policies.forget(id);
        let listed = async {
            Ok::<_, PathError>(match self.policies.find(api, id).await? {
                Some(name) => api.users_with_policy(name).await?,
                None => Vec::new(),
            })
        };
        let holders = match listed.await {
            Ok(holders) => holders,
            Err(PathError::Cloud(CloudError::Store(error))) => return Err(error.into()),
            Err(error) if error.is_not_found() => {
                // Deleted with everything it was attached to.
                self.policies.forget(id);
                Vec::new()
            }
            Err(error) => {
                tracing::warn!(account = %id, %error, "who holds airgate's policy cannot be read");
                return Ok(BTreeSet::new());
            }
        };
        let holds = |user: &UserKey| holders.iter().any(|name| name == user.username.as_str());
        let (with, without): (Vec<_>, Vec<_>) =
            users.iter().map(|looked| looked.user.key.clone()).partition(|user| holds(user));
        let now = self.parts.clock.now();
        self.parts
            .store
            .writing(move |tx| {
                for user in with {
                    touch(tx, &user, AccessPath::Signed, now)?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        Ok(without.into_iter().collect())
    }

    async fn look_in_turn(
        &self,
        api: &AccountClient,
        looked: Looked,
        suspect: bool,
    ) -> Result<(), PathError> {
        let key = &looked.user.key;
        let mut turns = Vec::new();
        // The list may be stale or incomplete: the user's own policies decide.
        let calls = if suspect { CALLS - 1 } else { CALLS };
        if suspect {
            turns.push((AccessPath::Signed, None));
        }
        turns.extend(self.turns.take(key, self.turns_of(&looked), calls));
        let (began, words) = (self.parts.clock.now(), self.parts.cards.words());
        let mut seen = Vec::new();
        let mut failed = None;
        for (path, project) in turns {
            let projects: Vec<_> = project.into_iter().collect();
            let whole = !path.is_ark() || looked.projects.len() <= 1;
            match self.glance_in_turn(api, &looked, path, &projects).await {
                Ok(mut reading) if reading.failures.is_empty() => {
                    reading.failures.clear();
                    let report = report(&reading, Vec::new(), words, &self.parts.clock);
                    seen.push(Seen { path, report, reading, whole });
                }
                Ok(mut reading) => failed = reading.failures.pop(),
                Err(error) => failed = Some(error),
            }
        }
        let (key, now) = (key.clone(), self.parts.clock.now());
        let rules = self.parts.rules.clone();
        self.parts
            .store
            .writing(move |tx| {
                if tx.access_pending(&key)?.is_none() {
                    for seen in &seen {
                        // A part of a path says nothing about the rest, unless it is open.
                        if seen.whole || seen.report.is_open() {
                            let report = (seen.path, seen.report.clone());
                            tx.put_access_paths(&key, PathReports::from([report]))?;
                        } else {
                            touch(tx, &key, seen.path, now)?;
                        }
                    }
                    record(tx, &rules, &key, &seen, began, now)?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        failed.map_or(Ok(()), Err)
    }

    /// Returns all turns of a user. The policy is not among them: it is looked at for all users at once.
    fn turns_of(&self, looked: &Looked) -> Vec<Turn> {
        let rules = &self.parts.rules;
        let mut turns = Vec::new();
        for path in AccessPath::ALL {
            let left = path == AccessPath::ModelKeys && rules.model_keys == ModelKeys::Report;
            if path == AccessPath::Signed || !rules.closes(path) || left {
                continue;
            }
            match path.is_ark() {
                true => turns.extend(looked.projects.iter().map(|it| (path, Some(it.clone())))),
                false => turns.push((path, None)),
            }
        }
        turns
    }

    async fn glance_in_turn(
        &self,
        api: &AccountClient,
        looked: &Looked,
        path: AccessPath,
        projects: &[TiedProject],
    ) -> Result<Reading, PathError> {
        if path != AccessPath::PresetEndpoints {
            return self.glance(api, looked, path, projects).await;
        }
        let turn = usize::try_from(self.turns.last_of(&looked.user.key)).unwrap_or_default();
        let (known, taken) = known(looked, path);
        let target = self.target(api, looked, projects, &known, &taken);
        paths::PresetEndpoints::read_one(target, turn).await
    }

    async fn glance(
        &self,
        api: &AccountClient,
        looked: &Looked,
        path: AccessPath,
        projects: &[TiedProject],
    ) -> Result<Reading, PathError> {
        use AccessPath as P;
        let (known, taken) = known(looked, path);
        let target = self.target(api, looked, projects, &known, &taken);
        match path {
            P::Signed => paths::Signed::read(target).await,
            P::AccessKeys => paths::AccessKeys::read(target).await,
            P::Login => paths::Login::read(target).await,
            P::ApiKeys => paths::ApiKeys::read(target).await,
            P::Endpoints => paths::Endpoints::read(target).await,
            P::ModelKeys => paths::ModelKeys::read(target).await,
            P::PresetEndpoints => paths::PresetEndpoints::read(target).await,
            P::Jobs => paths::Jobs::read(target).await,
        }
    }

    fn target<'t>(
        &'t self,
        api: &'t AccountClient,
        looked: &'t Looked,
        projects: &'t [TiedProject],
        known: &'t [AccessItem],
        taken: &'t BTreeSet<String>,
    ) -> Target<'t> {
        Target {
            api,
            user: &looked.user,
            goal: AccessGoal::Cut,
            only_reads: true,
            rules: &self.parts.rules,
            projects,
            policies: &self.policies,
            known,
            taken,
        }
    }
}

/// Returns what a cut remembers on a path, and the ids of what it has closed.
fn known(looked: &Looked, path: AccessPath) -> (Vec<AccessItem>, BTreeSet<String>) {
    let Some(memory) = &looked.memory else { return Default::default() };
    let items = memory.touched_on(path);
    if !memory.closed.contains(&path) {
        return (items, BTreeSet::new());
    }
    let taken = items.iter().map(|item| item.id.clone()).collect();
    (items, taken)
}

/// Notes that a path was looked at and stands as before.
fn touch(tx: &WriteTx, user: &UserKey, path: AccessPath, now: Timestamp) -> Result<(), StoreError> {
    match tx.access_paths(user)?.remove(&path) {
        Some(report) => {
            let report = (path, PathReport { at: now, ..report });
            tx.put_access_paths(user, PathReports::from([report]))
        }
        None => Ok(()),
    }
}

/// Takes over what a look has read. If it shows that access cut by airgate is open, another cut becomes pending, and the
/// user stays disabled. Returns whether it does.
fn record(
    tx: &WriteTx,
    rules: &AccessRules,
    key: &UserKey,
    seen: &[Seen],
    began: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(user) = tx.user(key)? else { return Ok(false) };
    let memory = tx.access_remembered(key)?;
    let of = |path| seen.iter().find(|seen| seen.path == path).map(|seen| &seen.reading);
    let Some(memory) = memory.filter(|_| user.status == UserStatus::Disabled) else {
        if let (Some(keys), Some(login)) = (of(AccessPath::AccessKeys), of(AccessPath::Login)) {
            let access = UserAccess { keys: keys_of(keys), login: login_of(login) };
            tx.record_access_read(key, &access, began, now)?;
        }
        return Ok(false);
    };
    // Anything read back after this look began is newer. A time ahead of now was written before the clock was set back.
    if user.access_read_at.is_some_and(|at| (began..=now).contains(&at)) && user.updated >= began {
        return Ok(false);
    }
    let mut open = PathItems::new();
    for seen in seen {
        note_access(tx, key, seen.path, &seen.reading, now)?;
        add_items(&mut open, seen.path, &seen.reading.open());
    }
    if open.is_empty() {
        return Ok(false);
    }
    // What the cut did not close, because the configuration or the links were others, is not what somebody opened.
    let linked = linked_projects(tx, key)?;
    let reaches = paths::reaches(rules, &linked);
    let reach = |item: &AccessItem| {
        let project = item.project.as_ref();
        project.and_then(|project| reaches.get(project)).copied().unwrap_or(Reach::Mine)
    };
    let mut items = PathItems::new();
    for (path, open) in open {
        let opened = open.iter().filter(|item| memory.had_closed(path, item, reach(item)));
        add_items(&mut items, path, &opened.cloned().collect::<Vec<_>>());
    }
    let cause = AccessCause::Reopened { items };
    tx.put_access_pending(key, &PendingAccess::new(AccessGoal::Cut, cause, now))?;
    Ok(true)
}
