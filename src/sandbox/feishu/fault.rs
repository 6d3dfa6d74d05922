//! The faults of Feishu and of the connection to it.

use std::time::Duration;

use crate::sandbox::fault;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This HTTP status with an HTML page, as a gateway answers.
    Status(u16),
    /// A refusal in the platform's own form.
    Code {
        /// HTTP status.
        http: u16,
        /// The platform's code.
        code: i64,
        /// Its text.
        msg: String,
    },
    /// HTTP 429 with code 99991400 and the gateway's headers.
    RateLimited {
        /// `x-ogw-ratelimit-reset`, seconds, may be fractional.
        reset_seconds: f64,
    },
    /// No answer until the client gives up.
    Timeout,
    /// The answer's head and half of its body, then the end of the connection.
    CutBody,
    /// The connection is reset before a byte of the answer.
    ResetConnection,
    /// HTTP 200 with a body that is not JSON.
    NotJson,
    /// A complete answer whose JSON ends halfway.
    CutJson,
    /// HTTP 200 and `code` 0, but `data` has a shape that no endpoint returns.
    WrongJson,
    /// The connection is reset, and from now on nothing listens until [`super::FakeFeishu::open`].
    Shut,
    /// The right answer, after this delay.
    Slow(Duration),
}

/// A fault, and whether the request takes effect before its answer is spoilt.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoiling {
    pub(super) fault: Fault,
    pub(super) applied: bool,
}

/// Requests to an endpoint by its name in [`super::Request::endpoint`], and with a text in their body; by default, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    endpoint: Option<String>,
    text: Option<String>,
}

/// Which requests a fault hits.
pub type FaultRule = fault::FaultRule<Target, Spoiling>;

/// The rules in force.
pub type Faults = fault::Faults<Target, Spoiling>;

impl FaultRule {
    /// Hits every request until cleared. [`Fault::CutBody`], [`Fault::CutJson`], [`Fault::WrongJson`],
    /// [`Fault::ResetConnection`] and [`Fault::Slow`] take effect first, the others do not; [`FaultRule::applied`]
    /// changes that.
    pub fn new(fault: Fault) -> Self {
        let applied = matches!(
            fault,
            Fault::CutBody
                | Fault::CutJson
                | Fault::WrongJson
                | Fault::ResetConnection
                | Fault::Slow(_)
        );
        Self::hitting(Target::default(), Spoiling { fault, applied })
    }

    /// Only requests to this endpoint.
    #[must_use]
    pub fn on(self, endpoint: &str) -> Self {
        self.narrowed(|target| target.endpoint = Some(endpoint.to_owned()))
    }

    /// Only requests whose body holds this text: a content on which the platform fails.
    #[must_use]
    pub fn holding(self, text: &str) -> Self {
        self.narrowed(|target| target.text = Some(text.to_owned()))
    }

    /// Whether the request takes effect before its answer is spoilt.
    #[must_use]
    pub fn applied(mut self, applied: bool) -> Self {
        self.fault.applied = applied;
        self
    }
}

impl Target {
    /// Whether a request to this endpoint with this body matches.
    pub(super) fn is(&self, endpoint: &str, body: &[u8]) -> bool {
        self.endpoint.as_deref().is_none_or(|name| name == endpoint)
            && self.text.as_deref().is_none_or(|text| {
                let text = text.as_bytes();
                body.windows(text.len().max(1)).any(|part| part == text)
            })
    }
}
