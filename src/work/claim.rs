//! What a task holds exclusively.

use crate::domain::{AccountId, TaskKind, UserKey};

/// What a task holds exclusively while it runs. Tasks with the same claim run in the order they were requested; others
/// do not wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// Reading the users of all accounts. Anything written by others in the meantime is newer than this reading, and is
    /// kept.
    Users,
    Balances,
    Projects(AccountId),
    KeyPair(AccountId),
    Creation(u64),
    Profile(UserKey),
    Access(UserKey),
    Mobiles,
    Batch(u64),
    File(u64),
}

impl Claim {
    /// Returns `None` for a task that the worker leaves alone: the monitor runs the cycles.
    pub(super) fn of(kind: &TaskKind) -> Option<Self> {
        Some(match kind {
            TaskKind::Sync => Self::Users,
            TaskKind::MonitorRun => return None,
            TaskKind::CreateUser { creation } => Self::Creation(*creation),
            TaskKind::RefreshProjects { account, .. } => Self::Projects(account.clone()),
            TaskKind::UpdateProfile { user, .. } => Self::Profile(user.clone()),
            TaskKind::CheckAccount { account, .. } => Self::KeyPair(account.clone()),
            TaskKind::ReadBalances => Self::Balances,
            TaskKind::LookAtAccess { user } => Self::Access(user.clone()),
            TaskKind::CheckMobiles { .. } => Self::Mobiles,
            TaskKind::Batch { batch, downloads: true } => Self::File(*batch),
            TaskKind::Batch { batch, downloads: false } => Self::Batch(*batch),
        })
    }
}
