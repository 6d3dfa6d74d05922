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

/// The endpoint by its name in [`super::Request::endpoint`], or any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint(Option<String>);

/// Which requests a fault hits.
pub type FaultRule = fault::FaultRule<Endpoint, Spoiling>;

/// The rules in force.
pub type Faults = fault::Faults<Endpoint, Spoiling>;

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
        Self::hitting(Endpoint::default(), Spoiling { fault, applied })
    }

    /// Only requests to this endpoint.
    #[must_use]
    pub fn on(self, endpoint: &str) -> Self {
        self.narrowed(|target| target.0 = Some(endpoint.to_owned()))
    }

    /// Whether the request takes effect before its answer is spoilt.
    #[must_use]
    pub fn applied(mut self, applied: bool) -> Self {
        self.fault.applied = applied;
        self
    }
}

impl Endpoint {
    /// Whether a request to this endpoint matches.
    pub(super) fn is(&self, endpoint: &str) -> bool {
        self.0.as_deref().is_none_or(|name| name == endpoint)
    }
}
