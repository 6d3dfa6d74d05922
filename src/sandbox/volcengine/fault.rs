//! The faults of a cloud.

use std::time::Duration;

use crate::sandbox::fault;

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This HTTP status with a proxy's HTML page. The action is not carried out.
    Status(u16),
    /// An error envelope with this HTTP status, code and message. The action is not carried out.
    Code {
        /// HTTP status.
        http: u16,
        /// `Error.Code`.
        code: String,
        /// `Error.Message`.
        message: String,
    },
    /// No answer until the client gives up. The action is not carried out.
    Timeout,
    /// The action is carried out; half of the answer arrives, then the connection ends.
    CutBody,
    /// The action is carried out; a complete answer arrives, but its JSON ends halfway.
    CutJson,
    /// The action is carried out; the answer is an envelope whose `Result` has a shape that no action returns.
    WrongJson,
    /// The action is carried out; the answer is 200 with text that is not JSON.
    NotJson,
    /// The action is carried out; its answer arrives after this delay.
    Slow(Duration),
    /// `InvalidAccessKey`, as if the key had been deleted. The action is not carried out.
    CredentialsRefused,
    /// The connection is reset. The action is not carried out.
    ResetConnection,
    /// The action is carried out, then the connection is reset: the client cannot know the outcome.
    LostAnswer,
    /// The connection is reset, the action is not carried out, and from now on nothing listens until
    /// [`super::FakeCloud::open`].
    Shut,
    /// HTTP 429, `AccountFlowLimitExceeded`. The action is not carried out.
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

/// The calls that a rule names; `None`: any. Only calls that the gateway would let through count: correctly signed and
/// not throttled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    action: Option<String>,
    /// The account's slug.
    account: Option<String>,
    /// The parameter `UserName` or `PrincipalName`.
    user: Option<String>,
}

/// Which calls a fault hits.
pub type FaultRule = fault::FaultRule<Target, Fault>;

/// The rules in force.
pub type Faults = fault::Faults<Target, Fault>;

impl FaultRule {
    /// Every call of every account, until cleared.
    pub fn new(fault: Fault) -> Self {
        Self::hitting(Target::default(), fault)
    }

    /// Only calls of this action.
    #[must_use]
    pub fn on(self, action: &str) -> Self {
        self.narrowed(|target| target.action = Some(action.to_owned()))
    }

    /// Only calls of the account of this slug.
    #[must_use]
    pub fn of(self, account: &str) -> Self {
        self.narrowed(|target| target.account = Some(account.to_owned()))
    }

    /// Only calls about this user.
    #[must_use]
    pub fn about(self, user: &str) -> Self {
        self.narrowed(|target| target.user = Some(user.to_owned()))
    }
}

impl Target {
    /// Whether a call of this action, account and user matches.
    pub(super) fn is(&self, action: &str, account: &str, user: &str) -> bool {
        let fits = |wanted: &Option<String>, name| wanted.as_deref().is_none_or(|w| w == name);
        fits(&self.action, action) && fits(&self.account, account) && fits(&self.user, user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_hits_only_the_calls_that_it_names() {
        let faults = Faults::default();
        faults.inject(FaultRule::new(Fault::Timeout).on("ListUsers").of("main").about("bob"));
        let hit = |action, account, user| faults.hit(|t| t.is(action, account, user)).is_some();
        assert!(!hit("GetUser", "main", "bob"));
        assert!(!hit("ListUsers", "labs", "bob"));
        assert!(!hit("ListUsers", "main", "alice"));
        assert!(hit("ListUsers", "main", "bob"));
        faults.clear();
        faults.inject(FaultRule::new(Fault::NotJson));
        assert!(hit("ListUsers", "main", "alice") && hit("GetUser", "labs", ""));
    }
}
