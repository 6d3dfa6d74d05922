//! Faults on demand: what a platform, or the line to it, does on a bad day.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This HTTP status with a page that is no JSON, as a gateway answers.
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
    /// No answer for as long as the client waits.
    Timeout,
    /// The answer's head and half of its body, then the end of the connection.
    CutBody,
    /// The connection is reset before a byte of the answer.
    ResetConnection,
    /// HTTP 200 with a body that is no JSON.
    NotJson,
    /// A complete answer whose JSON ends halfway.
    CutJson,
    /// HTTP 200, `code` 0, and none of what the answer has to tell.
    WrongJson,
    /// The connection is reset, and from now on nothing listens: [`super::Feishu::open`] mends it.
    Shut,
    /// The right answer, after this long.
    Slow(Duration),
}

/// When a fault strikes. Rules are asked in the order they were injected; the first that fits strikes alone.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// The endpoint's name as in [`super::Request::endpoint`]; `None`: every one.
    pub endpoint: Option<String>,
    /// How many fitting requests pass first.
    pub skip: u32,
    /// How many requests are struck then; `None`: all.
    pub times: Option<u32>,
    /// Whether the request takes effect before its answer is spoilt.
    pub applied: bool,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// Strikes every request, for ever. [`Fault::CutBody`], [`Fault::CutJson`], [`Fault::WrongJson`],
    /// [`Fault::ResetConnection`] and [`Fault::Slow`] take effect first, the others do not; [`FaultRule::applied`] changes that.
    pub fn new(fault: Fault) -> Self {
        let applied = matches!(
            fault,
            Fault::CutBody
                | Fault::CutJson
                | Fault::WrongJson
                | Fault::ResetConnection
                | Fault::Slow(_)
        );
        Self { endpoint: None, skip: 0, times: None, applied, fault }
    }

    /// Only requests to this endpoint.
    pub fn on(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Lets this many fitting requests pass first.
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Strikes this many requests, then no more.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Whether the request takes effect before its answer is spoilt.
    pub fn applied(mut self, applied: bool) -> Self {
        self.applied = applied;
        self
    }
}

/// The rules in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<FaultRule>>>,
}

impl Faults {
    /// Adds a rule after those already there.
    pub fn inject(&self, rule: FaultRule) {
        self.rules.lock().push(rule);
    }

    /// Everything works again.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// Rules that can still strike.
    pub fn pending(&self) -> usize {
        self.rules.lock().iter().filter(|rule| rule.times != Some(0)).count()
    }

    /// The fault that strikes this request, if any, and whether the request takes effect first. Uses up a turn.
    pub(super) fn strike(&self, endpoint: &str) -> Option<(Fault, bool)> {
        let mut rules = self.rules.lock();
        let fits = |rule: &FaultRule| rule.endpoint.as_deref().is_none_or(|name| name == endpoint);
        for rule in rules.iter_mut().filter(|rule| fits(rule)) {
            if rule.skip > 0 {
                rule.skip = rule.skip.saturating_sub(1);
                continue;
            }
            match &mut rule.times {
                Some(0) => continue,
                Some(left) => *left = left.saturating_sub(1),
                None => {}
            }
            return Some((rule.fault.clone(), rule.applied));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_then_strikes_then_rests() {
        let faults = Faults::default();
        let rule = FaultRule::new(Fault::Timeout).on("send").skip(1).times(2);
        faults.inject(rule);
        assert_eq!(faults.strike("patch"), None);
        assert_eq!(faults.strike("send"), None);
        assert_eq!(faults.strike("send"), Some((Fault::Timeout, false)));
        assert_eq!(faults.strike("send"), Some((Fault::Timeout, false)));
        assert_eq!((faults.strike("send"), faults.pending()), (None, 0));
        faults.inject(FaultRule::new(Fault::CutBody));
        assert_eq!(faults.pending(), 1);
        assert_eq!(faults.strike("any"), Some((Fault::CutBody, true)));
        faults.clear();
        assert_eq!(faults.strike("any"), None);
    }
}
