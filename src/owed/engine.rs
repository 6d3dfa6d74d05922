//! The loop itself; see the [module](super) for the states of a row.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// One kind of owed rows, and how an attempt at one of them is made.
pub trait Owed: Send + Sync + 'static {
    /// What is owed, for the log.
    const WHAT: &'static str;
    /// Max attempts in flight per group.
    const PER_GROUP: usize;
    /// How long a row rests after an attempt that could not record its outcome; also the pause after a failed read.
    const REST: Duration;

    /// What one attempt is made for.
    type Row: Send + 'static;
    /// What an attempt holds exclusively while it runs.
    type Key: Clone + fmt::Debug + Eq + Hash + Send + 'static;
    /// Which keys share [`Owed::PER_GROUP`].
    type Group: Eq + Send;
    /// Why rows could not be read, or an outcome could not be recorded.
    type Error: fmt::Display + Send;

    /// Reads the rows that are due.
    fn due(&self) -> impl Future<Output = Result<Due<Self::Row>, Self::Error>> + Send;

    /// Returns the key of a row.
    fn key(row: &Self::Row) -> Self::Key;

    /// Returns the group of a key.
    fn group(key: &Self::Key) -> Self::Group;

    /// Makes one attempt and writes its outcome to the store. Remote failures are outcomes: an error means that
    /// nothing was written.
    fn attempt(&self, row: Self::Row) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// What [`Owed::due`] found.
pub struct Due<R> {
    /// Rows that may be attempted now, in the order in which they should start.
    pub rows: Vec<R>,
    /// When to read again if there is no wake-up and no attempt ends.
    pub poll_after: Duration,
}

/// The keys whose attempts are in flight. Loops that share a set (clones) never work on the same key at the same time.
///
/// Another loop may free a key after this one has read the rows and before it starts an attempt, so in a loop that
/// shares its set, an attempt reads its row again before it acts.
#[derive(Debug)]
pub struct InFlight<K>(Arc<Mutex<HashSet<K>>>);

impl<K> Clone for InFlight<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for InFlight<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Decides which rows may start. Belongs to one loop.
pub(crate) struct Starts<O: Owed> {
    /// The keys of this loop's own attempts, with their groups.
    own: HashMap<O::Key, O::Group>,
    in_flight: InFlight<O::Key>,
}

impl<O: Owed> Starts<O> {
    pub(crate) fn new(in_flight: InFlight<O::Key>) -> Self {
        Self { own: HashMap::new(), in_flight }
    }

    /// Takes the key of a row if the key is free and its group has room.
    pub(crate) fn start(&mut self, row: &O::Row) -> Option<O::Key> {
        let key = O::key(row);
        let group = O::group(&key);
        let served = self.own.values().filter(|other| **other == group).count();
        if served >= O::PER_GROUP || !self.in_flight.0.lock().insert(key.clone()) {
            return None;
        }
        self.own.insert(key.clone(), group);
        Some(key)
    }

    /// Frees the key of an attempt that has ended.
    pub(crate) fn end(&mut self, key: &O::Key) {
        self.own.remove(key);
        self.in_flight.0.lock().remove(key);
    }
}

/// Attempts what is due until `stop`, then waits for the attempts in flight. Reads the rows when `wake` is notified, when
/// an attempt has ended, and at the poll interval.
pub async fn run<O: Owed>(
    owed: Arc<O>,
    wake: Arc<Notify>,
    in_flight: InFlight<O::Key>,
    stop: CancellationToken,
) {
    let mut attempts = JoinSet::new();
    let mut starts = Starts::<O>::new(in_flight);
    loop {
        let pause = match owed.due().await {
            Ok(due) => {
                for row in due.rows {
                    if let Some(key) = starts.start(&row) {
                        attempts.spawn(attempt(Arc::clone(&owed), row, key, stop.clone()));
                    }
                }
                due.poll_after
            }
            Err(error) => {
                tracing::error!(owed = O::WHAT, %error, "the rows cannot be read");
                O::REST
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = attempts.join_next() => match ended {
                Ok(key) => starts.end(&key),
                Err(error) => tracing::error!(owed = O::WHAT, %error, "an attempt was aborted"),
            },
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    while attempts.join_next().await.is_some() {}
}

/// Makes one attempt, and rests after it if nothing was recorded. Returns the key, for the loop to free.
async fn attempt<O: Owed>(
    owed: Arc<O>,
    row: O::Row,
    key: O::Key,
    stop: CancellationToken,
) -> O::Key {
    match AssertUnwindSafe(owed.attempt(row)).catch_unwind().await {
        Ok(Ok(())) => return key,
        Ok(Err(error)) => {
            tracing::error!(owed = O::WHAT, ?key, %error, "the outcome of an attempt was not recorded");
        }
        Err(_) => tracing::error!(owed = O::WHAT, ?key, "an attempt panicked"),
    }
    stop.run_until_cancelled(tokio::time::sleep(O::REST)).await;
    key
}
