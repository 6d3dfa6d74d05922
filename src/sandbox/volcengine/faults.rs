//! Faults on demand: what a real cloud does on a bad day, applied to the calls that a rule names.

use std::time::Duration;

use parking_lot::Mutex;

/// What happens to a call instead of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This HTTP status with a proxy's HTML page. The action is not done.
    Status(u16),
    /// An error envelope with this HTTP status, code and message. The action is not done.
    Code {
        /// HTTP status.
        http: u16,
        /// `Error.Code`.
        code: String,
        /// `Error.Message`.
        message: String,
    },
    /// No answer until the client gives up. The action is not done.
    Timeout,
    /// The action is done, half of the answer comes, then the connection ends.
    CutBody,
    /// The action is done; a complete answer comes whose JSON ends halfway.
    CutJson,
    /// The action is done; the answer is an envelope whose `Result` has another shape than any action's.
    WrongJson,
    /// The action is done; the answer is 200 with text that is not JSON.
    NotJson,
    /// The action is done, its answer comes after this long.
    Slow(Duration),
    /// `InvalidAccessKey`, as if the key had been deleted. The action is not done.
    CredentialsRefused,
    /// The connection is reset. The action is not done.
    ResetConnection,
    /// The action is done, then the connection is reset: the client cannot know.
    LostAnswer,
    /// The connection is reset, the action is not done, and from now on nothing listens: [`super::Cloud::open`] mends it.
    Shut,
    /// HTTP 429, `AccountFlowLimitExceeded`. The action is not done.
    Throttled {
        /// The header `Retry-After`, seconds.
        retry_after: Option<u64>,
    },
}

impl Fault {
    /// The variant's name, for the call log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "Status",
            Self::Code { .. } => "Code",
            Self::Timeout => "Timeout",
            Self::CutBody => "CutBody",
            Self::CutJson => "CutJson",
            Self::WrongJson => "WrongJson",
            Self::NotJson => "NotJson",
            Self::Slow(_) => "Slow",
            Self::CredentialsRefused => "CredentialsRefused",
            Self::ResetConnection => "ResetConnection",
            Self::LostAnswer => "LostAnswer",
            Self::Shut => "Shut",
            Self::Throttled { .. } => "Throttled",
        }
    }
}

/// Which calls a fault applies to. Only calls that the gateway would let through count: correctly signed, not throttled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// The action, or any.
    pub action: Option<String>,
    /// The account's slug, or any.
    pub account: Option<String>,
    /// The parameter `UserName` or `PrincipalName`, or any.
    pub user: Option<String>,
    /// Matching calls that pass before the first one that is hit (1: from the second bill page on).
    pub skip: u32,
    /// Calls that are hit, or all until [`Faults::clear`].
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// Every call of every account, until cleared.
    pub fn new(fault: Fault) -> Self {
        Self { action: None, account: None, user: None, skip: 0, times: None, fault }
    }

    /// Only calls of this action.
    #[must_use]
    pub fn on(mut self, action: &str) -> Self {
        self.action = Some(action.to_owned());
        self
    }

    /// Only calls of the account of this slug.
    #[must_use]
    pub fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Only calls about this user.
    #[must_use]
    pub fn about(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Lets `calls` matching calls pass first.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// Hits `calls` calls, then no more.
    #[must_use]
    pub fn times(mut self, calls: u32) -> Self {
        self.times = Some(calls);
        self
    }
}

/// The faults that are waiting for their calls.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<FaultRule>>,
}

impl Faults {
    /// Adds a rule. Where several match a call, the one that was added first hits.
    pub fn inject(&self, rule: FaultRule) {
        self.rules.lock().push(rule);
    }

    /// Back to a good day.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// Rules that can still hit, those that wait for [`FaultRule::skip`] among them.
    pub fn pending(&self) -> usize {
        self.rules.lock().len()
    }

    /// The fault that hits this call, if any. Every matching rule that still skips counts the call.
    pub(super) fn take(&self, action: &str, account: &str, user: &str) -> Option<Fault> {
        let mut rules = self.rules.lock();
        let mut hit = None;
        for rule in rules.iter_mut() {
            let matches = rule.action.as_deref().is_none_or(|a| a == action)
                && rule.account.as_deref().is_none_or(|a| a == account)
                && rule.user.as_deref().is_none_or(|u| u == user);
            if !matches || rule.times == Some(0) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if hit.is_none() {
                rule.times = rule.times.map(|times| times - 1);
                hit = Some(rule.fault.clone());
            }
        }
        rules.retain(|rule| rule.times != Some(0));
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_skip_hit_and_run_out() {
        let faults = Faults::default();
        faults.inject(
            FaultRule::new(Fault::Timeout).on("ListSplitBillDetail").of("main").after(1).times(2),
        );
        let take = |action, account| faults.take(action, account, "alice").is_some();
        assert!(!take("ListUsers", "main"));
        assert!(!take("ListSplitBillDetail", "labs"));
        let hits: Vec<bool> = (0..5).map(|_| take("ListSplitBillDetail", "main")).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(faults.pending(), 0);

        faults.inject(FaultRule::new(Fault::NotJson));
        assert!(take("ListUsers", "main") && take("GetUser", "labs"));
        faults.clear();
        assert!(!take("ListUsers", "main"));
        faults.inject(FaultRule::new(Fault::NotJson).about("bob"));
        assert!(!take("GetUser", "main"));
        assert_eq!(faults.take("GetUser", "main", "bob"), Some(Fault::NotJson));
    }

    #[test]
    fn the_first_rule_hits_first() {
        let faults = Faults::default();
        faults.inject(FaultRule::new(Fault::Status(503)).times(1));
        faults.inject(FaultRule::new(Fault::NotJson).times(1));
        assert_eq!(faults.take("A", "x", ""), Some(Fault::Status(503)));
        assert_eq!(faults.take("A", "x", ""), Some(Fault::NotJson));
        assert_eq!(faults.take("A", "x", ""), None);
    }
}
