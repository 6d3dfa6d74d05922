//! Faults on demand: which calls a fault hits, and how many of them. Each platform defines its own faults.

use parking_lot::Mutex;

/// A fault of type `F` and the calls that it hits: those that match `target`, except the first `skip`, at most `times` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule<T, F> {
    target: T,
    skip: u32,
    times: Option<u32>,
    pub(super) fault: F,
}

impl<T, F> FaultRule<T, F> {
    /// A rule that hits every matching call until it is cleared.
    pub(super) fn hitting(target: T, fault: F) -> Self {
        Self { target, skip: 0, times: None, fault }
    }

    /// The same rule with a narrower target.
    pub(super) fn narrowed(mut self, narrow: impl FnOnce(&mut T)) -> Self {
        narrow(&mut self.target);
        self
    }

    /// Lets `calls` matching calls pass first (1: from the second bill page on).
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

/// The rules in force.
#[derive(Debug)]
pub struct Faults<T, F> {
    rules: Mutex<Vec<FaultRule<T, F>>>,
}

impl<T, F> Default for Faults<T, F> {
    fn default() -> Self {
        Self { rules: Mutex::default() }
    }
}

impl<T, F> Faults<T, F> {
    /// Adds a rule. If several match a call, the one added first hits.
    pub fn inject(&self, rule: FaultRule<T, F>) {
        self.rules.lock().push(rule);
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// Rules that can still hit, including those that still let calls pass.
    pub fn pending(&self) -> usize {
        self.rules.lock().len()
    }
}

impl<T, F: Clone> Faults<T, F> {
    /// The fault that hits this call, if any. Every matching rule that still lets calls pass counts the call.
    pub(super) fn hit(&self, matches: impl Fn(&T) -> bool) -> Option<F> {
        let mut rules = self.rules.lock();
        let mut hit = None;
        for rule in rules.iter_mut() {
            if rule.times == Some(0) || !matches(&rule.target) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip = rule.skip.saturating_sub(1);
            } else if hit.is_none() {
                rule.times = rule.times.map(|times| times.saturating_sub(1));
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

    type Rule = FaultRule<Option<&'static str>, u16>;

    fn rule(target: Option<&'static str>, fault: u16) -> Rule {
        FaultRule::hitting(target, fault)
    }

    fn hit(faults: &Faults<Option<&'static str>, u16>, call: &str) -> Option<u16> {
        faults.hit(|target| target.is_none_or(|target| target == call))
    }

    #[test]
    fn a_rule_lets_calls_pass_then_hits_then_is_gone() {
        let faults = Faults::default();
        faults.inject(rule(Some("send"), 500).after(1).times(2));
        assert_eq!(hit(&faults, "patch"), None);
        let hits: Vec<_> = (0..4).map(|_| hit(&faults, "send")).collect();
        assert_eq!(hits, [None, Some(500), Some(500), None]);
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn a_rule_without_limit_hits_until_it_is_cleared() {
        let faults = Faults::default();
        faults.inject(rule(None, 502));
        assert_eq!(faults.pending(), 1);
        assert_eq!((hit(&faults, "send"), hit(&faults, "patch")), (Some(502), Some(502)));
        faults.clear();
        assert_eq!(hit(&faults, "send"), None);
    }

    #[test]
    fn the_rule_added_first_hits_first() {
        let faults = Faults::default();
        faults.inject(rule(None, 502).times(1));
        faults.inject(rule(None, 503).times(1));
        let hits: Vec<_> = (0..3).map(|_| hit(&faults, "send")).collect();
        assert_eq!(hits, [Some(502), Some(503), None]);
    }

    #[test]
    fn a_rule_counts_calls_that_another_one_hits() {
        let faults = Faults::default();
        faults.inject(rule(None, 502).times(1));
        faults.inject(rule(None, 503).after(1));
        assert_eq!((hit(&faults, "send"), hit(&faults, "send")), (Some(502), Some(503)));
    }
}
