//! The ways in which a user can spend, one file each: what there is on it, how one thing is closed, and how it is opened
//! again. What they have in common is done by the [engine](super::engine).
//!
//! A new path is a word of [`AccessPath`](crate::domain::AccessPath), a file here, and the rows that the compiler then asks for.

mod access_keys;
mod api_keys;
mod endpoints;
mod jobs;
mod login;
mod mine;
mod model_keys;
mod preset_endpoints;
mod signed;

use std::collections::BTreeSet;
use std::future::Future;

pub(super) use access_keys::AccessKeys;
pub(super) use api_keys::ApiKeys;
pub(super) use endpoints::Endpoints;
pub(super) use jobs::Jobs;
pub(super) use login::Login;
pub(super) use mine::reaches;
pub(super) use model_keys::ModelKeys;
pub(super) use preset_endpoints::PresetEndpoints;
pub(super) use signed::{Signed, attach_again};

use super::deny_all::DenyAll;
use super::failure::PathError;
use crate::app::access::{Tie, TiedProject};
use crate::domain::{AccessGoal, AccessItem, AccessRules, NotCovered, User};
use crate::volcengine;

/// Whose access it is, and what is known about it on one path.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) api: &'a volcengine::AccountClient,
    pub(super) user: &'a User,
    pub(super) goal: AccessGoal,
    /// Whether nothing may be changed, not even what belongs to no user.
    pub(super) only_reads: bool,
    pub(super) rules: &'a AccessRules,
    pub(super) projects: &'a [TiedProject],
    pub(super) policies: &'a DenyAll,
    /// What is remembered on this path.
    pub(super) known: &'a [AccessItem],
    /// The ids of the things whose change the cloud has accepted.
    pub(super) taken: &'a BTreeSet<String>,
}

impl Target<'_> {
    fn username(&self) -> &str {
        self.user.key.username.as_str()
    }

    fn knows(&self, item: &AccessItem) -> bool {
        self.known.iter().any(|known| known.is_same(item))
    }
}

/// How one thing on a path stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It works.
    Open,
    /// It does not work.
    Closed,
    /// It works, or costs money, and airgate does not close it.
    NotCovered(NotCovered),
}

/// What was read of a path.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Everything on it.
    pub(super) items: Vec<(AccessItem, Standing)>,
    /// Why nothing on it is closed.
    pub(super) not_covered: Option<NotCovered>,
    /// Why parts of it could not be read: projects, mostly.
    pub(super) failures: Vec<PathError>,
}

impl Reading {
    /// Returns what works.
    pub(super) fn open(&self) -> Vec<AccessItem> {
        self.of(|standing| standing == Standing::Open)
    }

    /// Returns what works and is not closed.
    pub(super) fn uncovered(&self) -> Vec<AccessItem> {
        self.of(|standing| matches!(standing, Standing::NotCovered(_)))
    }

    /// Returns what does not work.
    pub(super) fn off(&self) -> Vec<AccessItem> {
        self.of(|standing| standing == Standing::Closed)
    }

    /// Returns how many things do not work.
    pub(super) fn closed(&self) -> usize {
        self.items.iter().filter(|(_, standing)| *standing == Standing::Closed).count()
    }

    /// Returns why something on it is not closed. That others use a project too hides no other reason.
    pub(super) fn why_not_covered(&self) -> Option<NotCovered> {
        let of_items = self.items.iter().filter_map(|(_, standing)| match standing {
            Standing::NotCovered(reason) => Some(*reason),
            _ => None,
        });
        self.not_covered.or(of_items.min_by_key(|reason| *reason == NotCovered::Shared))
    }

    /// Returns how a thing stands; `None` if it is not there.
    pub(super) fn standing(&self, item: &AccessItem) -> Option<Standing> {
        self.items.iter().find(|(found, _)| found.is_same(item)).map(|(_, standing)| *standing)
    }

    fn of(&self, wanted: impl Fn(Standing) -> bool) -> Vec<AccessItem> {
        let items = self.items.iter().filter(|(_, standing)| wanted(*standing));
        items.map(|(item, _)| item.clone()).collect()
    }

    fn add(&mut self, item: AccessItem, standing: Standing) {
        self.items.push((item, standing));
    }

    /// Adds a project in which others' things go on. Those of a project that is no longer linked are not the user's.
    fn add_shared(&mut self, project: &TiedProject) {
        if project.tie == Tie::Former {
            return;
        }
        let item = AccessItem::new(project.name.as_str()).within(&project.name);
        self.add(item, Standing::NotCovered(NotCovered::Shared));
    }

    /// Returns what was read of one part. A part that does not exist has nothing on it; one that cannot be read keeps none
    /// of the others open.
    fn keep<T>(&mut self, read: Result<T, volcengine::Error>) -> Option<T> {
        match read {
            Ok(read) => return Some(read),
            Err(error) if error.is_no_such_action() => {
                self.not_covered = Some(NotCovered::NoSuchAction);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => self.failures.push(error.into()),
        }
        None
    }
}

impl FromIterator<(AccessItem, Standing)> for Reading {
    fn from_iter<I: IntoIterator<Item = (AccessItem, Standing)>>(items: I) -> Self {
        Self { items: items.into_iter().collect(), ..Self::default() }
    }
}

/// Returns whether something works as a standing.
fn standing(works: bool) -> Standing {
    if works { Standing::Open } else { Standing::Closed }
}

/// What became of a thing that a restore opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// The cloud accepted it.
    Accepted,
    /// It cannot be opened any more.
    Gone,
}

/// A way in which a user can spend.
pub(super) trait Path {
    /// Whether a cut also closes what is remembered although it reads as closed: a read may be stale.
    const CLOSES_AGAIN: bool = true;

    /// Reads everything on it.
    fn read(target: Target<'_>) -> impl Future<Output = Result<Reading, PathError>> + Send;

    /// Closes one thing.
    fn close(
        target: Target<'_>,
        item: &AccessItem,
    ) -> impl Future<Output = Result<(), PathError>> + Send;

    /// Opens one thing that is remembered.
    fn open(
        target: Target<'_>,
        item: &AccessItem,
    ) -> impl Future<Output = Result<Opened, PathError>> + Send;
}
