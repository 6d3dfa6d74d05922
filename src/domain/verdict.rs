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
    /// Only API keys of 方舟 are left to a person, and everything that they open is closed. By this time nothing had been
    /// used since, if the usage was read.
    Keys(Option<Timestamp>),
    /// Keys and login are off; the other paths have not been read.
    Unread,
    /// Everything is closed, but the usage since cannot be read.
    Unproven(&'a str),
    /// Everything is closed; the usage since has not been read.
    Closed,
    /// Everything is closed, and by this time nothing had been used since.
    Proven(Timestamp),
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
        let keys = left == [AccessPath::ModelKeys] && keys_open_nothing(paths);
        let proof = proof.filter(|_| !cutting);
        Some(match proof.map(|proof| (&proof.state, proof)) {
            Some((ProofState::Spending, proof)) => Verdict::Spending(&proof.spenders),
            _ if !open.is_empty() => Verdict::Open(open),
            _ if cutting => Verdict::Closing,
            _ if paths.is_empty() => Verdict::Unread,
            _ if !left.is_empty() && !keys => Verdict::Left(left),
            Some((ProofState::Unproven { reason }, _)) => Verdict::Unproven(reason),
            Some((ProofState::Nothing { until }, _)) if keys => Verdict::Keys(Some(*until)),
            Some((ProofState::Waiting, _)) | None if keys => Verdict::Keys(None),
            Some((ProofState::Nothing { until }, _)) => Verdict::Proven(*until),
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

/// Returns whether listed keys of 方舟 have nothing left to call: every endpoint and every preset endpoint of the user's
/// projects is closed. In a shared project, the preset endpoints are never reported as closed.
fn keys_open_nothing(paths: &PathReports) -> bool {
    let state = |path| paths.get(&path).map(|report| &report.state);
    let reason = NotCovered::LeftToPerson;
    state(AccessPath::ModelKeys) == Some(&PathState::NotCovered { reason })
        && state(AccessPath::Endpoints) == Some(&PathState::Closed)
        && state(AccessPath::PresetEndpoints) == Some(&PathState::Closed)
}

/// Returns whether nobody has looked for running jobs of 方舟, so that a cut may have left some running.
pub fn jobs_unchecked(paths: &PathReports) -> bool {
    paths.get(&AccessPath::Jobs).is_some_and(|report| {
        use NotCovered::{NoSuchAction, SwitchedOff};
        matches!(report.state, PathState::NotCovered { reason: SwitchedOff | NoSuchAction })
    })
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
        let nothing = proof(ProofState::Nothing { until: at() });
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
        assert_eq!(of(&[closed()], Some(&nothing)), Some(Verdict::Proven(at())));

        let under_way = PathReports::from([closed()]);
        let verdict = Verdict::of(UserStatus::Active, Some(&cut()), &under_way, Some(&nothing));
        assert_eq!(verdict, Some(Verdict::Closing), "a part is not the whole");
        let stuck = PathReports::from([closed(), failing]);
        let verdict = Verdict::of(UserStatus::Active, Some(&cut()), &stuck, None);
        assert_eq!(verdict, Some(Verdict::Open(vec![AccessPath::Login])));
    }

    #[test]
    fn a_listed_key_is_harmless_only_if_everything_that_it_opens_is_closed() {
        use AccessPath::{Endpoints, Jobs, ModelKeys, PresetEndpoints};
        let closed = || report(PathState::Closed, &[]);
        let listed = || not_covered(NotCovered::LeftToPerson, &["1"]);
        let shared = || not_covered(NotCovered::Shared, &["shared"]);
        let by_default = [
            (Endpoints, closed()),
            (ModelKeys, listed()),
            (PresetEndpoints, closed()),
            (Jobs, not_covered(NotCovered::SwitchedOff, &[])),
        ];
        let of = |changed: Option<(AccessPath, Option<PathReport>)>, proof| {
            let mut paths = PathReports::from(by_default.clone());
            match changed {
                Some((path, Some(report))) => drop(paths.insert(path, report)),
                Some((path, None)) => drop(paths.remove(&path)),
                None => {}
            }
            Verdict::of(UserStatus::Disabled, None, &paths, proof)
        };
        let left = |paths: &[AccessPath]| Some(Verdict::Left(paths.to_vec()));
        for (changed, said) in [
            (None, Some(Verdict::Keys(None))),
            (Some((Endpoints, Some(shared()))), left(&[Endpoints, ModelKeys])),
            (Some((PresetEndpoints, Some(shared()))), left(&[ModelKeys, PresetEndpoints])),
            (Some((PresetEndpoints, None)), left(&[ModelKeys])),
            (Some((Endpoints, None)), left(&[ModelKeys])),
            (
                Some((Jobs, Some(not_covered(NotCovered::CannotStop, &["cm-1"])))),
                left(&[ModelKeys, Jobs]),
            ),
            (
                Some((ModelKeys, Some(not_covered(NotCovered::NoSuchAction, &[])))),
                left(&[ModelKeys]),
            ),
            (Some((ModelKeys, Some(closed()))), Some(Verdict::Closed)),
        ] {
            let shown = format!("{changed:?}");
            assert_eq!(of(changed, None), said, "{shown}");
        }
        let waiting = proof(ProofState::Waiting);
        let nothing = proof(ProofState::Nothing { until: at() });
        let unproven = proof(ProofState::Unproven { reason: "HTTP 500".to_owned() });
        let spending = proof(ProofState::Spending);
        assert_eq!(of(None, Some(&waiting)), Some(Verdict::Keys(None)));
        assert_eq!(of(None, Some(&nothing)), Some(Verdict::Keys(Some(at()))));
        assert_eq!(of(None, Some(&unproven)), Some(Verdict::Unproven("HTTP 500")));
        assert_eq!(of(None, Some(&spending)), Some(Verdict::Spending(&[])));
    }

    #[test]
    fn jobs_that_nobody_looked_for_are_unchecked() {
        use NotCovered::*;
        for (state, unchecked) in [
            (PathState::Closed, false),
            (PathState::NotCovered { reason: SwitchedOff }, true),
            (PathState::NotCovered { reason: NoSuchAction }, true),
            (PathState::NotCovered { reason: CannotStop }, false),
        ] {
            let paths = PathReports::from([(AccessPath::Jobs, report(state.clone(), &[]))]);
            assert_eq!(jobs_unchecked(&paths), unchecked, "{state:?}");
        }
        assert!(!jobs_unchecked(&PathReports::new()));
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
