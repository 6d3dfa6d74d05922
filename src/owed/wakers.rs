//! Wake-up signals between the service's loops.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the loops that carry out what is owed. Every loop also polls, so a lost wake-up only costs time.
#[derive(Clone, Default)]
pub struct Wakers {
    /// The outbox: a message was enqueued.
    pub outbox: Arc<Notify>,
    /// The enforcer: a change of access was enqueued.
    pub access: Arc<Notify>,
    /// The worker: a task was added.
    pub tasks: Arc<Notify>,
    /// The policies of linked projects: one was enqueued, or may be attached again.
    pub policies: Arc<Notify>,
    /// The monitor: a cycle was requested, or is due by schedule.
    pub monitor: Arc<Notify>,
    /// The schedule: settings were saved.
    pub settings: Arc<Notify>,
    /// The name look-up: there may be a person whose name is unknown.
    pub names: Arc<Notify>,
    /// The digests: a cycle has ended, and what it read may be what one waits for.
    pub digests: Arc<Notify>,
    /// The reading of groups: the members of one that gives roles have changed.
    pub groups: Arc<Notify>,
}
