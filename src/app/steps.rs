//! The first steps of a new installation, and which of them are done.

use crate::store::{Source, StoreError, View};

/// A step. Each needs those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FirstStep {
    /// A main account is added.
    Account,
    /// Its users are read.
    Sync,
    /// A project is linked to a user.
    Link,
    /// A user has quota.
    Quota,
    /// A cycle has read bills.
    Cycle,
}

impl FirstStep {
    /// Every step, in their order.
    pub const ALL: [FirstStep; 5] =
        [FirstStep::Account, FirstStep::Sync, FirstStep::Link, FirstStep::Quota, FirstStep::Cycle];
}

/// Which steps are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstSteps {
    done: Vec<FirstStep>,
}

impl FirstSteps {
    /// Returns these steps as done.
    pub fn of(done: &[FirstStep]) -> Self {
        Self { done: done.to_vec() }
    }

    /// Returns whether this step is done.
    pub fn is_done(&self, step: FirstStep) -> bool {
        self.done.contains(&step)
    }

    /// Returns how many steps are done.
    pub fn count(&self) -> usize {
        self.done.len()
    }

    /// Returns the step to do next; `None` once all are done.
    pub fn next(&self) -> Option<FirstStep> {
        FirstStep::ALL.into_iter().find(|step| !self.is_done(*step))
    }
}

/// Reads which steps are done.
pub fn view<S: Source>(tx: &View<S>) -> Result<FirstSteps, StoreError> {
    let has_account = tx.accounts()?.iter().any(|account| account.active.is_on());
    let directory = tx.directory();
    let any = |is: fn(&crate::store::Entry) -> bool| directory.iter().any(|(_, it)| is(it));
    let done = FirstStep::ALL.into_iter().filter_map(|step| {
        let done = match step {
            FirstStep::Account => has_account,
            FirstStep::Sync => directory.iter().next().is_some(),
            FirstStep::Link => any(|user| user.links > 0),
            FirstStep::Quota => any(|user| user.quota.is_positive()),
            FirstStep::Cycle => match tx.monitor_state() {
                Ok(state) => state.last_success.is_some(),
                Err(error) => return Some(Err(error)),
            },
        };
        done.then_some(Ok(step))
    });
    Ok(FirstSteps { done: done.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_not_done_is_next() {
        let done = FirstSteps::of;
        assert_eq!(done(&[]).next(), Some(FirstStep::Account));
        assert_eq!(done(&[FirstStep::Account, FirstStep::Link]).next(), Some(FirstStep::Sync));
        assert_eq!(done(&FirstStep::ALL).next(), None);
    }
}
