//! The log of calls.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

/// How many calls are kept.
const KEPT_CALLS: usize = 20_000;

/// A received call, answered or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `Action`; empty if it was missing. For the data plane of 方舟: the path after `/api/v3/`.
    pub action: String,
    /// The service that was called; empty if the call did not say. `ListApiKeys` and `UpdateApiKey` exist in two.
    pub service: String,
    /// The account's slug; `None` if the call did not get past authentication.
    pub account: Option<String>,
    /// The parameters, passwords left out. Lists are kept as received: numbered, or as JSON text.
    pub params: BTreeMap<String, String>,
    /// When it was received, by the cloud's clock.
    pub at: Timestamp,
    /// HTTP status; `None` if no answer was given.
    pub status: Option<u16>,
    /// `Error.Code` if the call was refused.
    pub outcome_code: Option<String>,
    /// The fault that hit it ([`super::Fault`]'s variant).
    pub fault: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Calls {
    log: Mutex<VecDeque<Call>>,
    counts: watch::Sender<BTreeMap<String, usize>>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { log: Mutex::default(), counts: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Calls {
    pub(super) fn record(&self, call: Call) {
        let (action, operation) =
            (call.action.clone(), format!("{}:{}", call.service, call.action));
        let mut log = self.log.lock();
        if log.len() == KEPT_CALLS {
            log.pop_front();
        }
        log.push_back(call);
        self.counts.send_modify(|counts| {
            *counts.entry(action).or_default() += 1;
            *counts.entry(operation).or_default() += 1;
        });
    }

    pub(super) fn list(&self) -> Vec<Call> {
        self.log.lock().iter().cloned().collect()
    }

    pub(super) fn last(&self, count: usize) -> Vec<Call> {
        self.log.lock().iter().rev().take(count).cloned().collect()
    }

    pub(super) fn count(&self, action: &str) -> usize {
        self.counts.borrow().get(action).copied().unwrap_or(0)
    }

    pub(super) async fn wait(&self, action: &str, calls: usize) {
        let enough =
            |counts: &BTreeMap<String, usize>| counts.get(action).copied().unwrap_or(0) >= calls;
        // The sender lives as long as `self`: the wait cannot fail.
        let _ = self.counts.subscribe().wait_for(enough).await;
    }

    pub(super) fn clear(&self) {
        self.log.lock().clear();
        self.counts.send_modify(BTreeMap::clear);
    }
}
