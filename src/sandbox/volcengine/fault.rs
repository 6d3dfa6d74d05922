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
    /// `ACTION` or `SERVICE:ACTION`.
    action: Option<String>,
    /// The account's slug.
    account: Option<String>,
    /// The parameter `UserName`, `PrincipalName`, `Id` or `ProjectName`.
    subject: Option<String>,
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

    /// Only calls of this action: `StopEndpoint`, or `ark:UpdateApiKey` where two services have it.
    #[must_use]
    pub fn on(self, action: &str) -> Self {
        self.narrowed(|target| target.action = Some(action.to_owned()))
    }

    /// Only calls of the account of this slug.
    #[must_use]
    pub fn of(self, account: &str) -> Self {
        self.narrowed(|target| target.account = Some(account.to_owned()))
    }

    /// Only calls about this user, or about this thing (`Id`) or project of 方舟.
    #[must_use]
    pub fn about(self, subject: &str) -> Self {
        self.narrowed(|target| target.subject = Some(subject.to_owned()))
    }
}

impl Target {
    /// Whether a call of this operation (`SERVICE:ACTION`) and account about these subjects matches.
    pub(super) fn is(&self, operation: &str, account: &str, subjects: &[&str]) -> bool {
        let action = self.action.as_deref().is_none_or(|wanted| {
            let bare = operation.split_once(':').map_or(operation, |(_, action)| action);
            wanted == operation || wanted == bare
        });
        action
            && self.account.as_deref().is_none_or(|wanted| wanted == account)
            && self.subject.as_deref().is_none_or(|wanted| subjects.contains(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_hits_only_the_calls_that_it_names() {
        let faults = Faults::default();
        faults.inject(FaultRule::new(Fault::Timeout).on("ListUsers").of("main").about("bob"));
        let hit = |action, account, user| faults.hit(|t| t.is(action, account, &[user])).is_some();
        assert!(!hit("iam:GetUser", "main", "bob"));
        assert!(!hit("iam:ListUsers", "labs", "bob"));
        assert!(!hit("iam:ListUsers", "main", "alice"));
        assert!(hit("iam:ListUsers", "main", "bob"));
        faults.clear();
        faults.inject(FaultRule::new(Fault::NotJson).on("ark:ListApiKeys"));
        assert!(!hit("iam:ListApiKeys", "main", "bob") && hit("ark:ListApiKeys", "main", "bob"));
        faults.clear();
        faults.inject(FaultRule::new(Fault::NotJson));
        assert!(hit("iam:ListUsers", "main", "alice") && hit("iam:GetUser", "labs", ""));
    }
}
