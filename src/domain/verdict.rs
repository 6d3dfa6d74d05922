//! Whether a cut has stopped the money, as far as it is known.

use jiff::Timestamp;

use super::{
    AccessGoal, AccessPath, NotCovered, PathReport, PathReports, PathState, PendingAccess, Proof,
    ProofState, Spender, UserStatus,
};

/// What is known about a cut, the worst first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Something was billed after the cut.
    Spending(&'a [Spender]),
    /// These paths are open, or could not be read or closed.
    Open(Vec<AccessPath>),
    /// The cut is under way, and nothing has failed so far.
    Closing,
    /// Everything that airgate closes is closed. On these paths money can still go.
    Left(Vec<AccessPath>),
    /// Keys and login are off; the other paths have not been read.
    Unread,
    /// Everything is closed, but the usage since cannot be read.
    Unproven(&'a str),
    /// Everything is closed; the usage since has not been read.
    Closed,
    /// Everything is closed, and by this time nothing had been used since.
    Proven(Option<Timestamp>),
}

impl<'a> Verdict<'a> {
    /// Returns the verdict over a user; `None` if access is neither cut nor being cut.
    pub fn of(
        status: UserStatus,
        pending: Option<&PendingAccess>,
        paths: &PathReports,
        proof: Option<&'a Proof>,
    ) -> Option<Self> {
        let cutting = match pending.map(|pending| pending.goal) {
            Some(AccessGoal::Restored) => return None,
            Some(AccessGoal::Cut) => true,
            None if status == UserStatus::Disabled => false,
            None => return None,
        };
        let those = |wanted: fn(AccessPath, &PathReport) -> bool| -> Vec<AccessPath> {
            paths.iter().filter(|(path, report)| wanted(**path, report)).map(|(p, _)| *p).collect()
        };
        let open = those(|_, report| report.is_open());
        let left = those(lets_money_go);
        let proof = proof.filter(|_| !cutting);
        Some(match proof.map(|proof| (&proof.state, proof)) {
            Some((ProofState::Spending, proof)) => Verdict::Spending(&proof.spenders),
            _ if !open.is_empty() => Verdict::Open(open),
            _ if cutting => Verdict::Closing,
            _ if paths.is_empty() => Verdict::Unread,
            _ if !left.is_empty() => Verdict::Left(left),
            Some((ProofState::Unproven { reason }, _)) => Verdict::Unproven(reason),
            Some((ProofState::Nothing, proof)) => Verdict::Proven(proof.read_at),
            Some((ProofState::Waiting, _)) | None => Verdict::Closed,
        })
    }
}

/// Returns whether money can go on a path that airgate does not close. What is not read at 方舟 counts as works.
pub fn lets_money_go(path: AccessPath, report: &PathReport) -> bool {
    let PathState::NotCovered { reason } = &report.state else { return false };
    let models = path.is_ark() && path != AccessPath::Jobs;
    match reason {
        NotCovered::LimitsIgnored => true,
        NotCovered::SwitchedOff | NotCovered::NoSuchAction => models || !report.open.is_empty(),
        NotCovered::LeftToPerson | NotCovered::Shared | NotCovered::CannotStop => {
            !report.open.is_empty()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccessCause, AccessItem};

    fn at() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    fn report(state: PathState, open: &[&str]) -> PathReport {
        let open = open.iter().map(|id| AccessItem::new(*id)).collect();
        PathReport { state, open, closed: 1, at: at() }
    }

    fn not_covered(reason: NotCovered, open: &[&str]) -> PathReport {
        report(PathState::NotCovered { reason }, open)
    }

    fn proof(state: ProofState) -> Proof {
        let (cut, projects, spenders) = (at(), vec![], vec![]);
        Proof { cut, projects, state, read_at: Some(at()), spenders }
    }

    fn cut() -> PendingAccess {
        PendingAccess::new(AccessGoal::Cut, AccessCause::QuotaUsedUp, at())
    }

    #[test]
    fn nothing_is_said_about_access_that_is_not_cut() {
        use UserStatus::{Active, Disabled, Gone, Unknown};
        let paths = PathReports::from([(AccessPath::Signed, report(PathState::Open, &["x"]))]);
        for status in [Active, Unknown, Gone] {
            assert_eq!(Verdict::of(status, None, &paths, None), None);
        }
        let restore = PendingAccess { goal: AccessGoal::Restored, ..cut() };
        assert_eq!(Verdict::of(Disabled, Some(&restore), &paths, None), None);
    }

    #[test]
    fn the_worst_that_is_known_is_said() {
        use UserStatus::Disabled;
        let closed = || (AccessPath::Signed, report(PathState::Closed, &[]));
        let failing =
            (AccessPath::Login, report(PathState::Failing { reason: "HTTP 500".to_owned() }, &[]));
        let key = (AccessPath::ModelKeys, not_covered(NotCovered::LeftToPerson, &["1"]));
        let nothing = proof(ProofState::Nothing);
        let spending = proof(ProofState::Spending);
        let unproven = proof(ProofState::Unproven { reason: "HTTP 500".to_owned() });
        let waiting = proof(ProofState::Waiting);
        let of = |paths: &[(AccessPath, PathReport)], proof| {
            Verdict::of(Disabled, None, &PathReports::from_iter(paths.iter().cloned()), proof)
        };
        let login = Verdict::Open(vec![AccessPath::Login]);
        let left = Verdict::Left(vec![AccessPath::ModelKeys]);
        assert_eq!(of(&[closed()], Some(&spending)), Some(Verdict::Spending(&[])));
        assert_eq!(of(&[closed(), failing.clone(), key.clone()], Some(&nothing)), Some(login));
        assert_eq!(of(&[closed(), key], Some(&nothing)), Some(left));
        assert_eq!(of(&[], Some(&nothing)), Some(Verdict::Unread));
        assert_eq!(of(&[closed()], Some(&unproven)), Some(Verdict::Unproven("HTTP 500")));
        assert_eq!(of(&[closed()], Some(&waiting)), Some(Verdict::Closed));
        assert_eq!(of(&[closed()], None), Some(Verdict::Closed));
        assert_eq!(of(&[closed()], Some(&nothing)), Some(Verdict::Proven(Some(at()))));

        let under_way = PathReports::from([closed()]);
        let verdict = Verdict::of(UserStatus::Active, Some(&cut()), &under_way, Some(&nothing));
        assert_eq!(verdict, Some(Verdict::Closing), "a part is not the whole");
        let stuck = PathReports::from([closed(), failing]);
        let verdict = Verdict::of(UserStatus::Active, Some(&cut()), &stuck, None);
        assert_eq!(verdict, Some(Verdict::Open(vec![AccessPath::Login])));
    }

    #[test]
    fn what_is_not_covered_matters_where_money_can_go() {
        use NotCovered::*;
        for (path, reason, open, matters) in [
            (AccessPath::Jobs, SwitchedOff, &[][..], false),
            (AccessPath::Jobs, SwitchedOff, &["bi-1"], true),
            (AccessPath::Jobs, CannotStop, &[], false),
            (AccessPath::Jobs, CannotStop, &["cm-1"], true),
            (AccessPath::Signed, SwitchedOff, &[], false),
            (AccessPath::ApiKeys, NoSuchAction, &[], false),
            (AccessPath::Endpoints, SwitchedOff, &[], true),
            (AccessPath::Endpoints, Shared, &[], false),
            (AccessPath::Endpoints, Shared, &["ep-1"], true),
            (AccessPath::PresetEndpoints, NoSuchAction, &[], true),
            (AccessPath::PresetEndpoints, LimitsIgnored, &[], true),
            (AccessPath::ModelKeys, LeftToPerson, &[], false),
            (AccessPath::ModelKeys, LeftToPerson, &["1"], true),
        ] {
            let report = not_covered(reason, open);
            assert_eq!(lets_money_go(path, &report), matters, "{path:?} {reason:?} {open:?}");
        }
    }
}
