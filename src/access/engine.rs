//! What all paths have in common: read, remember, close or open, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::deny_all::DenyAll;
use super::failure::{PathError, in_words};
use super::own_key::{Guard, OwnKey};
use super::paths::{self, Opened, Path, Reading, Standing, Target};
use super::permit::{Found, Permit, cut_of, permit};
use crate::app::access::TiedProject;
use crate::cards::Wording;
use crate::clock::Clock;
use crate::domain::{
    AccessGoal, AccessItem, AccessPath, AccessRules, Models, NotCovered, PathReport, PathState,
    PendingAccess, ProjectName, Reach, RememberedAccess, User, UserStatus,
};
use crate::store::{Store, StoreError};
use crate::volcengine::AccountClient;

/// Pauses before each read after a write. Reads may show the old state for seconds ("UpdateAccessKey"), and writing again
/// instead of waiting may restart that delay.
const READ_BACK_PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// One change of access, as it stood when the attempt began.
pub(super) struct Scene<'a> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a Clock,
    pub(super) words: Wording,
    pub(super) api: &'a AccountClient,
    pub(super) rules: &'a AccessRules,
    pub(super) policies: &'a DenyAll,
    pub(super) user: &'a User,
    pub(super) projects: &'a [TiedProject],
    pub(super) pending: &'a PendingAccess,
    pub(super) guard: &'a Guard,
}

/// How an attempt on one path ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was read back, as far as it could be.
    Read(Outcome),
    /// The cut is no longer wanted.
    Withdrawn,
    /// The cloud has no user of that name.
    NoSuchUser,
}

/// What an attempt on one path left behind.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How the path stands.
    pub(super) report: PathReport,
    /// Whether it stands as wanted.
    pub(super) done: bool,
    /// What was read last; nothing if it could not be read.
    pub(super) reading: Option<Reading>,
    /// The ids of the things whose change the cloud accepted.
    pub(super) taken: BTreeSet<String>,
    /// What a restore could not open, because it no longer exists or does not come back.
    pub(super) gone: Vec<AccessItem>,
}

/// Returns whether a change of access works on a path at all. What is left to a person is read, to be listed.
pub(super) fn is_read(rules: &AccessRules, path: AccessPath) -> bool {
    rules.closes(path) || (path == AccessPath::ModelKeys && rules.models != Models::Off)
}

impl Scene<'_> {
    /// Makes one attempt on a path. Failures of the cloud are part of the outcome.
    pub(super) async fn attempt(
        &self,
        path: AccessPath,
        taken: BTreeSet<String>,
    ) -> Result<Ended, StoreError> {
        use AccessPath as P;
        match path {
            P::Signed => self.change::<paths::Signed>(path, taken).await,
            P::AccessKeys => self.change::<paths::AccessKeys>(path, taken).await,
            P::Login => self.change::<paths::Login>(path, taken).await,
            P::ApiKeys => self.change::<paths::ApiKeys>(path, taken).await,
            P::Endpoints => self.change::<paths::Endpoints>(path, taken).await,
            P::ModelKeys => self.change::<paths::ModelKeys>(path, taken).await,
            P::PresetEndpoints => self.change::<paths::PresetEndpoints>(path, taken).await,
            P::Jobs => self.change::<paths::Jobs>(path, taken).await,
        }
    }

    async fn change<P: Path>(
        &self,
        path: AccessPath,
        mut taken: BTreeSet<String>,
    ) -> Result<Ended, StoreError> {
        let user = self.user.key.clone();
        let goal = self.pending.goal;
        let (memory, held) = self
            .store
            .reading(move |tx| {
                let held = match goal {
                    AccessGoal::Cut => Vec::new(),
                    // Their cut keeps it closed, and their restore opens it.
                    AccessGoal::Restored => tx.held_by_others(&user, path, true)?,
                };
                Ok::<_, StoreError>((tx.access_remembered(&user)?, held))
            })
            .await?;
        let memory = memory.as_ref();
        let ended = match self.pending.goal {
            AccessGoal::Cut if self.user.status == UserStatus::Gone && !path.is_ark() => {
                Ok(Ended::Read(self.nothing(PathState::Closed)))
            }
            AccessGoal::Cut if !is_read(self.rules, path) => {
                let reason = NotCovered::SwitchedOff;
                Ok(Ended::Read(self.nothing(PathState::NotCovered { reason })))
            }
            AccessGoal::Cut => self.cut::<P>(path, memory, &mut taken).await,
            AccessGoal::Restored => self.restore::<P>(path, memory, &held).await,
        };
        match ended {
            Ok(ended) => Ok(ended),
            Err(Failed::Store(error)) => Err(error),
            Err(Failed::Path(error)) => {
                if error.is_not_found() && !path.is_ark() {
                    match self.api.get_user(self.user.key.username.as_str()).await {
                        Ok(None) => return Ok(Ended::NoSuchUser),
                        Ok(Some(_)) => {}
                        Err(other) => {
                            return Ok(Ended::Read(self.unread(vec![other.into()], taken)));
                        }
                    }
                }
                Ok(Ended::Read(self.unread(vec![error], taken)))
            }
        }
    }

    async fn cut<P: Path>(
        &self,
        path: AccessPath,
        memory: Option<&RememberedAccess>,
        taken: &mut BTreeSet<String>,
    ) -> Result<Ended, Failed> {
        let cut = cut_of(self.pending, memory);
        let memory = memory.filter(|memory| memory.cut == cut);
        let mut known = memory.map_or_else(Vec::new, |memory| memory.touched_on(path));
        if let Some(memory) = memory
            && memory.closed.contains(&path)
        {
            taken.extend(known.iter().map(|item| item.id.clone()));
        }
        let read = P::read(self.target(&known, taken)).await;
        if path == AccessPath::AccessKeys {
            self.guard.tell(self.api, read.as_ref().ok());
        }
        let mut reading = read?;
        match self.guard.ask(path).await {
            OwnKey::Yes => return Err(PathError::OwnKey.into()),
            OwnKey::Unknown if path == AccessPath::Signed => {
                return Err(PathError::KeysUnread.into());
            }
            OwnKey::Unknown | OwnKey::No => {}
        }
        let mut wanted = reading.open();
        known = match self.permit(path, wanted.clone(), reading.off()).await? {
            Permit::Go(known) => known,
            Permit::Withdrawn => return Ok(Ended::Withdrawn),
        };
        if P::CLOSES_AGAIN {
            let stale = |item: &&AccessItem| reading.standing(item) == Some(Standing::Closed);
            let again: Vec<_> = match memory {
                Some(memory) if !memory.closed.contains(&path) => {
                    memory.on(path).iter().filter(stale).cloned().collect()
                }
                _ => Vec::new(),
            };
            wanted.extend(again);
        }
        let mut refused: Vec<(AccessItem, PathError)> = Vec::new();
        let mut uncovered: Vec<AccessItem> = Vec::new();
        for item in &wanted {
            match P::close(self.target(&known, taken), item).await {
                Ok(()) => drop(taken.insert(item.id.clone())),
                Err(error) if error.is_no_such_action() => uncovered.push(item.clone()),
                Err(error) => refused.push((item.clone(), error)),
            }
        }
        let is_in = |items: &[AccessItem], item: &AccessItem| items.iter().any(|i| i.is_same(item));
        if !wanted.is_empty() {
            let failed: Vec<AccessItem> = refused.iter().map(|(item, _)| item.clone()).collect();
            for pause in READ_BACK_PAUSES {
                tokio::time::sleep(pause).await;
                reading = P::read(self.target(&known, taken)).await?;
                let open = reading.open();
                let waits = |item| !is_in(&uncovered, item) && !is_in(&failed, item);
                if !open.iter().any(waits) {
                    break;
                }
            }
        }
        for (item, standing) in &mut reading.items {
            if *standing == Standing::Open && is_in(&uncovered, item) {
                *standing = Standing::NotCovered(NotCovered::NoSuchAction);
            }
        }
        let mut failures = std::mem::take(&mut reading.failures);
        for item in reading.open() {
            let why = refused.iter().position(|(refused, _)| refused.is_same(&item));
            failures.push(why.map_or(PathError::NotYet, |at| refused.swap_remove(at).1));
        }
        Ok(Ended::Read(self.outcome(reading, failures, taken.clone())))
    }

    async fn restore<P: Path>(
        &self,
        path: AccessPath,
        memory: Option<&RememberedAccess>,
        held: &[AccessItem],
    ) -> Result<Ended, Failed> {
        let known = memory.map(|memory| memory.on(path)).unwrap_or_default();
        let is_held = |item: &AccessItem| held.iter().any(|held| held.is_same(item));
        let known: Vec<_> = known.iter().filter(|item| !is_held(item)).cloned().collect();
        let known = known.as_slice();
        let again = memory.map(|memory| memory.policies.as_slice()).unwrap_or_default();
        let again = if path == AccessPath::Signed { again } else { Default::default() };
        let shows = matches!(path, AccessPath::AccessKeys | AccessPath::Login);
        if known.is_empty() && again.is_empty() && !shows {
            return Ok(Ended::Read(self.nothing(PathState::Open)));
        }
        let mut taken = BTreeSet::new();
        let mut reading = P::read(self.target(known, &taken)).await?;
        let (mut gone, mut refused) = (Vec::new(), Vec::new());
        let mut missing: Vec<AccessItem> = Vec::new();
        for item in known.iter().rev() {
            // Everything that is there is opened, whatever was read: a read may still show the state before the cut.
            if reading.standing(item).is_none() {
                missing.push(item.clone());
                continue;
            }
            match P::open(self.target(known, &taken), item).await {
                Ok(Opened::Accepted) => drop(taken.insert(item.id.clone())),
                Ok(Opened::Gone) => gone.push(item.clone()),
                Err(error) if error.is_not_found() => gone.push(item.clone()),
                Err(error) => refused.push((item.clone(), error)),
            }
        }
        let is_in = |items: &[AccessItem], item: &AccessItem| items.iter().any(|i| i.is_same(item));
        let closed = |reading: &Reading, gone: &[AccessItem]| -> Vec<AccessItem> {
            let there = known.iter().filter(|item| !is_in(gone, item));
            there
                .filter(|item| {
                    reading.standing(item).is_some_and(|standing| standing != Standing::Open)
                })
                .cloned()
                .collect()
        };
        if !taken.is_empty() || !refused.is_empty() {
            for pause in READ_BACK_PAUSES {
                tokio::time::sleep(pause).await;
                reading = P::read(self.target(known, &taken)).await?;
                let waits = |item: &AccessItem| !refused.iter().any(|(r, _)| r.is_same(item));
                if !closed(&reading, &gone).iter().any(waits) {
                    break;
                }
            }
        }
        let mut failures = std::mem::take(&mut reading.failures);
        for item in closed(&reading, &gone) {
            let why = refused.iter().position(|(refused, _)| refused.is_same(&item));
            failures.push(why.map_or(PathError::NotYet, |at| refused.swap_remove(at).1));
        }
        failures
            .extend(paths::attach_again(self.api, self.user.key.username.as_str(), again).await);
        if reading.not_covered.is_some() && !missing.is_empty() {
            failures.push(PathError::NotApplied);
        }
        // Where a part could not be read, what is missing may still be there.
        if failures.is_empty() {
            gone.extend(missing);
        }
        let done = failures.is_empty();
        let state = match done {
            true => PathState::Open,
            false => PathState::Failing { reason: in_words(failures, self.words) },
        };
        let (open, closed) = (reading.open(), reading.closed());
        let report = PathReport { state, open, closed, at: self.clock.now() };
        Ok(Ended::Read(Outcome { report, done, reading: Some(reading), taken, gone }))
    }

    async fn permit(
        &self,
        path: AccessPath,
        open: Vec<AccessItem>,
        closed: Vec<AccessItem>,
    ) -> Result<Permit, StoreError> {
        let (user, pending) = (self.user.key.clone(), self.pending.clone());
        let (now, reach) = (self.clock.now(), self.reach());
        self.store
            .writing(move |tx| {
                let found = Found { open: &open, closed: &closed, reach: &reach };
                permit(tx, &user, &pending, path, &found, now)
            })
            .await
    }

    /// Returns how much of each project the cut closes.
    pub(super) fn reach(&self) -> BTreeMap<ProjectName, Reach> {
        paths::reaches(self.rules, self.projects)
    }

    fn target<'t>(&'t self, known: &'t [AccessItem], taken: &'t BTreeSet<String>) -> Target<'t> {
        Target {
            api: self.api,
            user: self.user,
            goal: self.pending.goal,
            only_reads: false,
            rules: self.rules,
            projects: self.projects,
            policies: self.policies,
            known,
            taken,
        }
    }

    /// Returns the outcome on a path on which nothing was read.
    fn nothing(&self, state: PathState) -> Outcome {
        let report = PathReport { state, open: Vec::new(), closed: 0, at: self.clock.now() };
        let (taken, gone) = Default::default();
        Outcome { report, done: true, reading: None, taken, gone }
    }

    /// Returns the outcome on a path that could not be read. What the cloud has accepted is not forgotten.
    fn unread(&self, errors: Vec<PathError>, taken: BTreeSet<String>) -> Outcome {
        tracing::warn!(user = %self.user.key, ?errors, "a path cannot be read");
        let state = PathState::Failing { reason: in_words(errors, self.words) };
        Outcome { done: false, taken, ..self.nothing(state) }
    }

    fn outcome(
        &self,
        reading: Reading,
        failures: Vec<PathError>,
        taken: BTreeSet<String>,
    ) -> Outcome {
        let done = failures.is_empty();
        let report = report(&reading, failures, self.words, self.clock);
        Outcome { report, done, reading: Some(reading), taken, gone: Vec::new() }
    }
}

/// Says how a path stands, as it was read.
pub(super) fn report(
    reading: &Reading,
    failures: Vec<PathError>,
    words: Wording,
    clock: &Clock,
) -> PathReport {
    let open = [reading.open(), reading.uncovered()].concat();
    let state = match reading.why_not_covered() {
        _ if !failures.is_empty() => PathState::Failing { reason: in_words(failures, words) },
        _ if !reading.open().is_empty() => PathState::Open,
        Some(reason) => PathState::NotCovered { reason },
        None => PathState::Closed,
    };
    PathReport { state, open, closed: reading.closed(), at: clock.now() }
}

/// Why an attempt on a path ended early.
enum Failed {
    Store(StoreError),
    Path(PathError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed::Store(error)
    }
}

impl From<PathError> for Failed {
    fn from(error: PathError) -> Self {
        Failed::Path(error)
    }
}
