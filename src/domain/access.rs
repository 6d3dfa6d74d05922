//! Cutting and restoring a user's access: the goal, and what must be put back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::path::add_items;
use super::{
    AccessItem, AccessKeyInfo, AccessPath, BillPeriod, HeldPolicy, Money, Month, MonthSpent,
    Operator, PathItems, ProjectName, Report, Switch, Unbilled, User, UserStatus,
};

/// The end state that enforcement works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessGoal {
    /// Every configured [`AccessPath`] is closed.
    Cut,
    /// Exactly what was open before the cut is open again.
    Restored,
}

impl AccessGoal {
    /// Returns its name in callback values.
    pub fn word(self) -> &'static str {
        match self {
            AccessGoal::Cut => "cut",
            AccessGoal::Restored => "restored",
        }
    }

    /// Returns the goal with that name.
    pub fn from_word(word: &str) -> Option<Self> {
        [AccessGoal::Cut, AccessGoal::Restored].into_iter().find(|goal| goal.word() == word)
    }

    /// Returns whether confirming the goal uses up the remembered access: a restore has put all of it back, a cut still
    /// needs it.
    pub fn uses_up_memory(self) -> bool {
        self == AccessGoal::Restored
    }
}

/// A user's keys and login as the cloud has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// Ids and states.
    pub keys: Vec<AccessKeyInfo>,
    /// `None` if there is no login profile.
    pub login: Option<Switch>,
}

impl UserAccess {
    /// Returns whether neither a key nor the login works.
    pub fn is_cut(&self) -> bool {
        self.login != Some(Switch::On) && !self.keys.iter().any(|key| key.active.is_on())
    }

    /// Returns the keys and the login that work.
    pub fn open_items(&self) -> PathItems {
        let keys = self.keys.iter().filter(|key| key.active.is_on());
        let keys: Vec<_> = keys.map(|key| AccessItem::new(&key.id)).collect();
        let mut open = PathItems::new();
        add_items(&mut open, AccessPath::AccessKeys, &keys);
        if self.login == Some(Switch::On) {
            add_items(&mut open, AccessPath::Login, &[AccessItem::new(AccessItem::LOGIN)]);
        }
        open
    }

    /// Returns the status that this access implies, given the status `before`.
    ///
    /// A user without keys and login has nothing to switch off: they count as disabled only if airgate disabled them.
    pub fn status(&self, before: UserStatus) -> UserStatus {
        let has_nothing = self.keys.is_empty() && self.login.is_none();
        match (self.is_cut(), has_nothing) {
            (true, false) => UserStatus::Disabled,
            (true, true) if before == UserStatus::Disabled => UserStatus::Disabled,
            (true, true) | (false, _) => UserStatus::Active,
        }
    }
}

impl User {
    /// Takes over keys and login as the cloud had them at `at`, and the status that they imply.
    pub fn take_access(&mut self, access: &UserAccess, at: Timestamp) {
        self.status = access.status(self.status);
        self.access_keys.clone_from(&access.keys);
        self.login = access.login;
        self.access_read_at = Some(at);
        self.updated = at;
    }
}

/// Why access changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum AccessCause {
    /// The monitor found the quota used up. A top-up before the cut is confirmed withdraws it.
    QuotaUsedUp,
    /// The monitor found the month limit reached, and the quota not used up. A higher limit before the cut is confirmed
    /// withdraws it.
    MonthLimit {
        /// The month.
        period: BillPeriod,
    },
    /// Another month has begun: access that the month limit alone had cut is restored.
    MonthTurned,
    /// A person decided.
    Manual {
        /// The person who did it.
        operator: Operator,
    },
    /// Access that airgate had cut was opened again outside airgate.
    Reopened {
        /// What was found open; older records do not say.
        #[serde(default)]
        items: PathItems,
    },
}

impl AccessCause {
    /// Returns whether the monitor cuts because something is used up, so that the cut ends once it no longer is.
    pub fn is_limit(&self) -> bool {
        matches!(self, AccessCause::QuotaUsedUp | AccessCause::MonthLimit { .. })
    }
}

/// A change of access, pending until the cloud is read back and confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAccess {
    /// The end state to reach.
    pub goal: AccessGoal,
    /// Why access changes.
    pub cause: AccessCause,
    /// When it became pending.
    pub since: Timestamp,
    /// How many attempts were made.
    #[serde(default)]
    pub attempts: u32,
    /// When the next attempt is due: that of the path that is due first.
    pub next_at: Timestamp,
    /// Why the last attempt failed, in words for people.
    #[serde(default)]
    pub last_error: Option<String>,
    /// How far it is on each path. Paths that no attempt has ended on are missing.
    #[serde(default)]
    pub paths: BTreeMap<AccessPath, PathProgress>,
    /// Whether the delay was alerted.
    #[serde(default)]
    pub delay_alerted: bool,
    /// The card that shows it in progress, updated at the end.
    #[serde(default)]
    pub report: Option<Report>,
    /// What the monitor counted beside the bill when it ordered a cut.
    #[serde(default)]
    pub counted: Option<Counted>,
}

/// What a cut was ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What was billed.
    pub consumed: Money,
    /// What was estimated beyond that.
    pub unbilled: Unbilled,
    /// What was billed of the month, for users with a month limit.
    #[serde(default)]
    pub month: Option<MonthSpent>,
}

impl PendingAccess {
    /// Creates a change requested at `now`, due at once.
    pub fn new(goal: AccessGoal, cause: AccessCause, now: Timestamp) -> Self {
        Self {
            goal,
            cause,
            since: now,
            attempts: 0,
            next_at: now,
            last_error: None,
            paths: BTreeMap::new(),
            delay_alerted: false,
            report: None,
            counted: None,
        }
    }

    /// Returns what counts beside the bill now, when `consumed` is billed, and `month` of the month. An estimate that has ended
    /// since the cut was ordered counts for what the bill has not shown: a cut is not withdrawn because the money is in neither.
    /// A correction of an estimate that goes on is one, unless the estimate could not be read.
    pub fn beside_bill(
        &self,
        now: Option<Unbilled>,
        consumed: Money,
        month: Option<&Month>,
    ) -> Option<Unbilled> {
        let Some(Counted { consumed: before, unbilled, month: of_month }) = self.counted else {
            return now;
        };
        if now.is_some_and(|now| now.since <= unbilled.since && !now.is_old) {
            return now;
        }
        let still = |before: Money, estimated: Money, billed: Money, now: Option<Money>| {
            let left = (before + estimated - billed).max(Money::ZERO);
            now.map_or(left, |now| now.max(left))
        };
        let amount = still(before, unbilled.amount, consumed, now.map(|now| now.amount));
        let in_month = match (month, of_month) {
            (Some(Month { period, spent, .. }), Some(before)) if *period == before.period => {
                let estimated = |unbilled: Unbilled| unbilled.of_month(*period);
                let spent = still(before.spent, estimated(unbilled), *spent, now.map(estimated));
                Some(MonthSpent { period: *period, spent })
            }
            _ => now.and_then(|now| now.in_month),
        };
        Some(Unbilled { amount, in_month, ..now.unwrap_or(unbilled) })
    }

    /// Sets the card that shows the change once it is confirmed.
    #[must_use]
    pub fn reporting_to(self, report: Option<Report>) -> Self {
        Self { report, ..self }
    }

    /// Returns whether it is a cut that closed some paths and failed on others.
    pub fn is_partial(&self) -> bool {
        let mut paths = self.paths.values();
        let mut others = self.paths.values();
        self.goal == AccessGoal::Cut
            && paths.any(|path| path.done.is_some())
            && others.any(|path| path.done.is_none() && path.error.is_some())
    }

    /// Returns whether this is the same change as `other`, regardless of attempts made in between.
    pub fn is_same_change(&self, other: &PendingAccess) -> bool {
        (self.goal, self.since) == (other.goal, other.since)
    }
}

/// How far a change of access is on one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathProgress {
    /// When the cloud was last read back as wanted; `None` while it is not.
    #[serde(default)]
    pub done: Option<Timestamp>,
    /// How many attempts were made since it was last done.
    #[serde(default)]
    pub attempts: u32,
    /// When the next attempt is due.
    pub next_at: Timestamp,
    /// Why the last attempt failed, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The ids of the things whose change the cloud accepted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub taken: BTreeSet<String>,
    /// What a restore could not open, because it no longer exists or does not come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<AccessItem>,
}

impl PathProgress {
    /// Creates the progress of a path that no attempt has ended on.
    pub fn new(now: Timestamp) -> Self {
        Self {
            done: None,
            attempts: 0,
            next_at: now,
            error: None,
            taken: BTreeSet::new(),
            gone: Vec::new(),
        }
    }
}

/// What was open when access was cut. Committed before the first write to the cloud; enabling restores exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RememberedRecord")]
pub struct RememberedAccess {
    /// Which cut it belongs to: its [`PendingAccess::since`].
    pub cut: Timestamp,
    /// What was open when this cut read it.
    pub paths: PathItems,
    /// What an older cut remembered and nobody restored. It counts for paths on which this cut found nothing open.
    #[serde(skip_serializing_if = "PathItems::is_empty")]
    pub earlier: PathItems,
    /// What was opened after the cut, outside airgate, and closed again: a restore leaves it closed.
    #[serde(skip_serializing_if = "PathItems::is_empty")]
    pub reopened: PathItems,
    /// The paths that this cut has closed: what is open on them later was opened since.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub closed: BTreeSet<AccessPath>,
    /// How much of each project it had closed by then. What is open outside that was open all along.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reach: BTreeMap<AccessPath, BTreeMap<ProjectName, Reach>>,
    /// Policies that a cut by an older airgate detached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<HeldPolicy>,
    /// The month whose limit alone demanded the cut: it ends with that month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<BillPeriod>,
    /// Why the cut was ordered; `None` for cuts by an older airgate, and until the cut is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<AccessCause>,
}

/// How much of a project of 方舟 a cut closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// What the user made.
    Mine,
    /// Everything.
    All,
}

/// [`RememberedAccess`] as stored: also as older versions wrote it, which knew two paths.
#[derive(Deserialize)]
struct RememberedRecord {
    cut: Timestamp,
    paths: Option<PathItems>,
    #[serde(default)]
    earlier: PathItems,
    #[serde(default)]
    reopened: PathItems,
    /// Missing in older rows, which were written for two paths.
    closed: Option<BTreeSet<AccessPath>>,
    #[serde(default)]
    reach: BTreeMap<AccessPath, BTreeMap<ProjectName, Reach>>,
    #[serde(default)]
    policies: Vec<HeldPolicy>,
    #[serde(default)]
    month: Option<BillPeriod>,
    #[serde(default)]
    cause: Option<AccessCause>,
    #[serde(default)]
    active_keys: Vec<String>,
    #[serde(default)]
    login_allowed: bool,
}

impl From<RememberedRecord> for RememberedAccess {
    fn from(record: RememberedRecord) -> Self {
        let is_older = record.paths.is_none();
        let RememberedRecord { cut, earlier, reopened, policies, month, cause, reach, .. } = record;
        let mut paths = record.paths.unwrap_or_default();
        let keys: Vec<_> = record.active_keys.into_iter().map(AccessItem::new).collect();
        add_items(&mut paths, AccessPath::AccessKeys, &keys);
        if record.login_allowed {
            add_items(&mut paths, AccessPath::Login, &[AccessItem::new(AccessItem::LOGIN)]);
        }
        let closed = record.closed.unwrap_or(match is_older {
            true => [AccessPath::AccessKeys, AccessPath::Login].into(),
            false => BTreeSet::new(),
        });
        Self { cut, paths, earlier, reopened, closed, reach, policies, month, cause }
    }
}

impl RememberedAccess {
    /// Creates the memory of a cut that has read nothing yet.
    pub fn new(cut: Timestamp) -> Self {
        let (paths, earlier, reopened, closed, reach) = Default::default();
        let (policies, month, cause) = (Vec::new(), None, None);
        Self { cut, paths, earlier, reopened, closed, reach, policies, month, cause }
    }

    /// Returns what to remember before the first write of the cut that began at `cut` on `path`, where `open` is open now.
    ///
    /// A retry of the same cut adds to what the first attempt remembered, which may already have been closed. A new cut
    /// starts afresh, except on paths where nothing is open: there, the older memory is all there is to restore.
    pub fn before_cut(
        known: Option<RememberedAccess>,
        path: AccessPath,
        open: &[AccessItem],
        cut: Timestamp,
    ) -> Self {
        let mut memory = match known {
            Some(known) if known.cut == cut => known,
            Some(known) => Self {
                earlier: AccessPath::ALL
                    .into_iter()
                    .filter_map(|path| Some((path, known.items(path)?.to_vec())))
                    .collect(),
                policies: known.policies,
                ..Self::new(cut)
            },
            None => Self::new(cut),
        };
        add_items(&mut memory.paths, path, open);
        memory
    }

    /// Returns what a restore opens on a path; `None` if nothing.
    fn items(&self, path: AccessPath) -> Option<&[AccessItem]> {
        let known = [&self.paths, &self.earlier];
        known.into_iter().filter_map(|paths| paths.get(&path)).map(Vec::as_slice).next()
    }

    /// Returns what a restore opens on a path.
    pub fn on(&self, path: AccessPath) -> &[AccessItem] {
        self.items(path).unwrap_or_default()
    }

    /// Returns what a restore opens on a path, and what was opened on it after the cut and closed again.
    pub fn touched_on(&self, path: AccessPath) -> Vec<AccessItem> {
        let later = self.reopened.get(&path).into_iter().flatten();
        self.on(path).iter().chain(later).cloned().collect()
    }

    /// Returns whether this cut had closed `item`, or would have if it had existed: if it is open now, it was opened since.
    /// `reach` is how much of the item's project a cut closes now.
    pub fn had_closed(&self, path: AccessPath, item: &AccessItem, reach: Reach) -> bool {
        let Some(project) = &item.project else { return self.closed.contains(&path) };
        let then = self.reach.get(&path).and_then(|reach| reach.get(project));
        self.closed.contains(&path)
            && (then.is_some_and(|then| *then >= reach)
                || self.touched_on(path).iter().any(|known| known.is_same(item)))
    }

    /// Takes over what is open on a path before it is closed again by the same cut. A restore gives back what was open
    /// before the cut, not what has been opened since. A policy that airgate attaches is always detached by it.
    pub fn open_again(
        &mut self,
        path: AccessPath,
        open: &[AccessItem],
        reach: impl Fn(&AccessItem) -> Reach,
    ) {
        let since = |item: &&AccessItem| {
            path != AccessPath::Signed && self.had_closed(path, item, reach(item))
        };
        let (since, before): (Vec<&AccessItem>, Vec<&AccessItem>) = open.iter().partition(since);
        let is_new = |item: &&AccessItem| !self.on(path).iter().any(|known| known.is_same(item));
        let since: Vec<AccessItem> = since.into_iter().filter(is_new).cloned().collect();
        let before: Vec<AccessItem> = before.into_iter().cloned().collect();
        add_items(&mut self.reopened, path, &since);
        if !before.is_empty() {
            // Otherwise these would hide what an older cut remembered.
            let known = self.on(path).to_vec();
            add_items(&mut self.paths, path, &known);
            add_items(&mut self.paths, path, &before);
        }
    }

    /// Returns the projects of everything that it remembers; some more than once.
    pub fn projects(&self) -> impl Iterator<Item = &ProjectName> {
        let items = AccessPath::ALL.into_iter().flat_map(|path| self.on(path));
        items.filter_map(|item| item.project.as_ref())
    }

    /// Returns the ids of the access keys that a restore switches on.
    pub fn keys(&self) -> Vec<&str> {
        self.on(AccessPath::AccessKeys).iter().map(|key| key.id.as_str()).collect()
    }

    /// Returns whether a restore allows console login.
    pub fn login(&self) -> bool {
        !self.on(AccessPath::Login).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_counts_what_was_estimated_until_the_bill_or_a_correction_says_otherwise() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let at: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let estimate = |since: i8, amount: &str| Unbilled {
            in_month: None,
            amount: money(amount),
            since: jiff::civil::date(2026, 11, since),
            read_at: at,
            counts: crate::domain::EstimateUse::Cut,
            is_old: false,
        };
        let cut = PendingAccess::new(AccessGoal::Cut, AccessCause::QuotaUsedUp, at);
        assert_eq!(
            cut.beside_bill(Some(estimate(22, "3")), money("9"), None),
            Some(estimate(22, "3"))
        );
        let counted = Counted { consumed: money("5"), unbilled: estimate(21, "95"), month: None };
        let cut = PendingAccess { counted: Some(counted), ..cut };
        for (now, consumed, counts) in [
            (Some(estimate(21, "95")), "5", Some("95")),
            // The estimate of these days was corrected.
            (Some(estimate(21, "60")), "5", Some("60")),
            // The first day has ended, and its money is not in the bill.
            (Some(estimate(22, "35")), "5", Some("95")),
            (Some(estimate(22, "35")), "65", Some("35")),
            (Some(estimate(22, "35")), "45", Some("55")),
            (None, "5", Some("95")),
            (None, "120", Some("0")),
        ] {
            let found = cut.beside_bill(now, money(consumed), None).map(|unbilled| unbilled.amount);
            assert_eq!(found, counts.map(money), "{now:?} {consumed}");
        }
        // An estimate that could not be read corrects nothing.
        let old = Unbilled { is_old: true, ..estimate(21, "0") };
        let found = cut.beside_bill(Some(old), money("5"), None).map(|unbilled| unbilled.amount);
        assert_eq!(found, Some(money("95")));
    }

    #[test]
    fn a_cut_by_the_month_limit_counts_what_was_estimated_of_its_month() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let at: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let period = "2026-11".parse().unwrap();
        let estimate = |since: i8, amount: &str| Unbilled {
            amount: money(amount),
            in_month: Some(MonthSpent { period, spent: money(amount) }),
            since: jiff::civil::date(2026, 11, since),
            read_at: at,
            counts: crate::domain::EstimateUse::Cut,
            is_old: false,
        };
        let month = |period: &str, spent: &str| Month {
            period: period.parse().unwrap(),
            spent: money(spent),
            is_read: true,
        };
        let cause = AccessCause::MonthLimit { period };
        let counted = Counted {
            consumed: money("500"),
            unbilled: estimate(21, "95"),
            month: Some(MonthSpent { period, spent: money("5") }),
        };
        let cut = PendingAccess {
            counted: Some(counted),
            ..PendingAccess::new(AccessGoal::Cut, cause, at)
        };
        for (now, of, spent, counts) in [
            (Some(estimate(21, "60")), "2026-11", "5", "60"),
            // The first day has ended, and its money is not in the bill.
            (Some(estimate(22, "35")), "2026-11", "5", "95"),
            (Some(estimate(22, "35")), "2026-11", "65", "35"),
            (None, "2026-11", "60", "40"),
            // Another month has begun.
            (None, "2026-12", "0", "0"),
        ] {
            let month = month(of, spent);
            let found = cut.beside_bill(now, money("500"), Some(&month)).unwrap();
            assert_eq!(found.for_cuts_in(month.period), money(counts), "{now:?} {of} {spent}");
        }
    }

    #[test]
    fn the_status_follows_from_keys_and_login() {
        use Switch::{Off, On};
        use UserStatus::{Active, Disabled, Unknown};
        for (keys, login, before, status) in [
            // Anything that works counts as access.
            (&[On][..], None, Disabled, Active),
            (&[Off, On][..], Some(Off), Disabled, Active),
            (&[][..], Some(On), Disabled, Active),
            (&[Off][..], Some(On), Unknown, Active),
            // Something exists, but none of it works.
            (&[Off][..], None, Active, Disabled),
            (&[Off, Off][..], Some(Off), Unknown, Disabled),
            (&[][..], Some(Off), Active, Disabled),
            // Nothing exists.
            (&[][..], None, Unknown, Active),
            (&[][..], None, Active, Active),
            (&[][..], None, Disabled, Disabled),
        ] {
            let keys: Vec<_> = keys
                .iter()
                .map(|active| AccessKeyInfo { id: "AKLT1".to_owned(), active: *active })
                .collect();
            let access = UserAccess { keys, login };
            assert_eq!(access.status(before), status, "{access:?} after {before:?}");
        }
    }

    const CUT: &str = "2026-11-01T00:00:00Z";

    fn items(ids: &[&str]) -> Vec<AccessItem> {
        ids.iter().map(|id| AccessItem::new(*id)).collect()
    }

    fn before(known: Option<RememberedAccess>, path: AccessPath, ids: &[&str]) -> RememberedAccess {
        RememberedAccess::before_cut(known, path, &items(ids), CUT.parse().unwrap())
    }

    fn older() -> RememberedAccess {
        RememberedAccess {
            cut: "2026-10-01T00:00:00Z".parse().unwrap(),
            ..before(
                Some(before(None, AccessPath::AccessKeys, &["x"])),
                AccessPath::Login,
                &["login"],
            )
        }
    }

    #[test]
    fn a_retry_forgets_nothing() {
        let first = before(None, AccessPath::AccessKeys, &["a", "b"]);
        assert_eq!(first.keys(), ["a", "b"]);
        // Second attempt: `a` is off already, and a new key `c` has appeared.
        let second = before(Some(first), AccessPath::AccessKeys, &["b", "c"]);
        assert_eq!(second.keys(), ["a", "b", "c"]);
        assert!(!second.login());
    }

    #[test]
    fn a_new_cut_remembers_what_is_open_now_and_otherwise_what_nobody_restored() {
        let new = before(Some(older()), AccessPath::AccessKeys, &["y"]);
        assert_eq!((new.keys(), new.login()), (vec!["y"], true));
        let nothing_open = before(Some(older()), AccessPath::AccessKeys, &[]);
        assert_eq!((nothing_open.keys(), nothing_open.login()), (vec!["x"], true));
        let third =
            RememberedAccess { cut: "2026-10-02T00:00:00Z".parse().unwrap(), ..nothing_open };
        assert_eq!(before(Some(third), AccessPath::Login, &[]).keys(), ["x"]);
    }

    #[test]
    fn what_an_older_version_remembered_is_restored() {
        let old: RememberedAccess = serde_json::from_str(
            r#"{"active_keys":["a"],"login_allowed":true,"cut":"2026-11-01T00:00:00Z",
                "policies":[{"name":"P","kind":"system","scope":"global"}]}"#,
        )
        .unwrap();
        assert_eq!((old.keys(), old.login(), old.policies.len()), (vec!["a"], true, 1));
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<RememberedAccess>(&text).unwrap(), old);
        let nothing: RememberedAccess =
            serde_json::from_str(r#"{"cut":"2026-11-01T00:00:00Z"}"#).unwrap();
        let closed = [AccessPath::AccessKeys, AccessPath::Login].into();
        assert_eq!(
            nothing,
            RememberedAccess { closed, ..RememberedAccess::new(CUT.parse().unwrap()) }
        );
        let kept =
            before(Some(RememberedAccess { cut: older().cut, ..old }), AccessPath::Login, &[]);
        assert_eq!(kept.policies.len(), 1, "a new cut does not lose them");
    }

    #[test]
    fn a_change_recorded_by_an_older_version_is_read() {
        let old: PendingAccess = serde_json::from_str(
            r#"{"goal":"cut","cause":{"cause":"reopened"},"since":"2026-11-01T00:00:00Z","next_at":"2026-11-01T00:00:00Z"}"#,
        )
        .unwrap();
        assert_eq!(old.cause, AccessCause::Reopened { items: PathItems::new() });
        assert!(old.paths.is_empty());
    }
}
