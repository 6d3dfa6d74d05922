//! What use cases return: the facts that a card shows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::trouble::Trouble;
use crate::domain::{
    Account, AccountBill, AccountEstimate, AccountId, AlertKind, AlertRecord, Approval,
    Authorisation, BillPeriod, Change, Condition, DayChart, Forecast, Freshness, Hidden,
    LedgerEntry, Money, MonitorState, Month, Offer, PathReports, PendingAccess, ProjectInfo,
    ProjectLink, ProjectName, Proof, RememberedAccess, Sharing, Situation, Temporary, Thresholds,
    Unbilled, User, UserKey,
};

/// Which users a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserFilter {
    /// Everybody.
    #[default]
    All,
    /// Close to what they may spend, or over it: [`Condition::is_warning`].
    Warning,
    /// Access is cut.
    Disabled,
    /// 未划拨: neither quota nor month limit.
    Unallocated,
    /// 已移除: no longer in the cloud.
    Gone,
    /// Without an owner.
    NoOwner,
    /// Without a linked project.
    NoProject,
}

impl UserFilter {
    /// All filters, in the order cards show them: [`UserFilter::TABS`] of them as buttons, the others in a select.
    pub const ALL: [UserFilter; 7] = [
        UserFilter::All,
        UserFilter::Warning,
        UserFilter::Disabled,
        UserFilter::Unallocated,
        UserFilter::Gone,
        UserFilter::NoOwner,
        UserFilter::NoProject,
    ];

    /// How many filters are buttons.
    pub const TABS: usize = 4;

    /// Returns the word for it in card values (docs/behaviour.md §3).
    pub fn word(self) -> &'static str {
        match self {
            UserFilter::All => "all",
            UserFilter::Warning => "warning",
            UserFilter::Disabled => "disabled",
            UserFilter::Unallocated => "unallocated",
            UserFilter::Gone => "gone",
            UserFilter::NoOwner => "no_owner",
            UserFilter::NoProject => "no_project",
        }
    }

    /// Returns the filter that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.word() == word)
    }
}

/// In which order a list shows users. Users who are gone come last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserSort {
    /// The highest usage of quota or month limit first; those with neither who spend all the same follow after those who
    /// are over.
    #[default]
    Usage,
    /// The largest spending of the current month first.
    Month,
    /// By account and name.
    Name,
}

impl UserSort {
    /// All orders, as cards show them.
    pub const ALL: [UserSort; 3] = [UserSort::Usage, UserSort::Month, UserSort::Name];

    /// Returns the word for it in card values (docs/behaviour.md §3).
    pub fn word(self) -> &'static str {
        match self {
            UserSort::Usage => "usage",
            UserSort::Month => "month",
            UserSort::Name => "name",
        }
    }

    /// Returns the order that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.word() == word)
    }
}

/// A place in the users list. Callback values carry it as `back`, so that the back button returns to where the person
/// came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlace {
    /// The page, from 1.
    #[serde(default)]
    pub page: usize,
    /// The current filter.
    #[serde(default)]
    pub filter: UserFilter,
    /// The current search text; empty = none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// The current order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sort: UserSort,
    /// Only users of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

impl ListPlace {
    /// Returns the place in a callback value, if there is one.
    pub fn of_value(value: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(value.get("back")?.clone()).ok()
    }

    /// Returns whether it is short enough to be repeated in every callback value of a card.
    pub fn is_small(&self) -> bool {
        let account = self.account.as_ref().map_or(0, |account| account.as_str().len());
        self.query.chars().count().saturating_add(account) <= 24
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One row of the users list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The user.
    pub user: User,
    /// Whether another account has a user of the same name, so that the account must be shown.
    pub ambiguous: bool,
    /// How it stands with quota and month limit.
    pub condition: Condition,
    /// What the current month counts against the limit; `None` without one.
    pub month: Option<Month>,
    /// What was spent in the current month over all projects, where the list is ordered by it.
    pub spent: Option<Money>,
    /// A pending change of access.
    pub pending: Option<PendingAccess>,
    /// All links: labels of the projects, monitored ones first, with whether each is monitored.
    pub projects: Vec<(String, bool)>,
    /// See [`crate::domain::oldest_stale`].
    pub stale: Option<Option<Timestamp>>,
}

/// One page of the users list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersPage {
    /// The rows of this page.
    pub rows: Vec<UserRow>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// The number of users that match filter and query.
    pub matching: usize,
    /// How many users with the account and the search text each filter has, in the order of [`UserFilter::ALL`].
    pub counts: [usize; UserFilter::ALL.len()],
    /// What is shown; its page is `page`.
    pub place: ListPlace,
    /// The accounts to choose from, with their names, if there is more than one.
    pub accounts: Vec<(AccountId, String)>,
    /// Sum of the quotas of the matching users.
    pub total_quota: Money,
}

/// Everything about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDetail {
    /// The user.
    pub user: User,
    /// The account's name.
    pub account_name: String,
    /// All links, monitored first, most expensive first.
    pub links: Vec<ProjectLink>,
    /// Which of these projects others pay for, too.
    pub shared: Vec<Sharing>,
    /// What is estimated beyond the bill; `None` if nothing is.
    pub unbilled: Option<Unbilled>,
    /// What the account has spent in no project that is known yet: it may be the user's.
    pub hidden: Option<Hidden>,
    /// Thresholds in force.
    pub thresholds: Thresholds,
    /// How it stands with quota and month limit.
    pub condition: Condition,
    /// A pending change of access.
    pub pending: Option<PendingAccess>,
    /// What a restore would put back.
    pub remembered: Option<RememberedAccess>,
    /// How the paths stood when they were last read; empty if they never were.
    pub paths: PathReports,
    /// What the usage after the cut says; `None` if it is not watched.
    pub proof: Option<Proof>,
    /// What the current month counts against the limit; `None` without one.
    pub month: Option<Month>,
    /// What was spent in the current month over all projects, as the billing card says it; `None` where it is not shown.
    pub spent: Option<Money>,
    /// What the spending leads to; `None` if too little is known.
    pub forecast: Option<Forecast>,
    /// The newest ledger entry, if it can be undone now.
    pub undoable: Option<LedgerEntry>,
    /// Name of the owner, if it is known.
    pub owner_name: Option<String>,
    /// The last 30 days of the monitored projects; empty where no chart is shown.
    pub days: DayChart,
}

impl UserDetail {
    /// Returns what decides how an alert about the user stands.
    pub fn situation(&self) -> Situation<'_> {
        Situation {
            user: &self.user,
            pending: self.pending.as_ref(),
            unbilled: self.unbilled.as_ref(),
            month: self.month.as_ref(),
        }
    }
}

/// The question before access is cut or restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessView {
    /// The user.
    pub detail: UserDetail,
    /// The linked projects that others of the account are linked to as well, and who.
    pub sharers: BTreeMap<ProjectName, Vec<UserKey>>,
}

/// The projects card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectsView {
    /// The user.
    pub user: User,
    /// The links of this page.
    pub links: Vec<ProjectLink>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// The number of all links.
    pub total: usize,
    /// The number of monitored links.
    pub monitored: usize,
    /// The account's projects that are not linked yet, by label, at most 100.
    pub candidates: Vec<ProjectInfo>,
    /// How many more there are than `candidates` holds.
    pub more_candidates: usize,
    /// When the account's projects were last listed; `None` = never yet.
    pub listed_at: Option<Timestamp>,
    /// The current bill period, the default of "since".
    pub current: BillPeriod,
    /// Policies that airgate attached, or has yet to attach, within this page's projects, and those to detach within
    /// projects that are no longer linked.
    pub authorisations: Vec<Authorisation>,
    /// Whether a cut detached policies of the user that stay detached until access is restored.
    pub suspended: bool,
    /// Which of the user's projects others pay for, too.
    pub shared: Vec<Sharing>,
    /// Who pays for the candidates, by project; those that nobody pays for are left out.
    pub taken: BTreeMap<ProjectName, Vec<UserKey>>,
}

/// The quota card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaView {
    /// The user.
    pub user: User,
    /// The thresholds in force for the user.
    pub thresholds: Thresholds,
    /// As in [`UserRow::condition`].
    pub condition: Condition,
    /// The last 10 ledger entries, newest first.
    pub entries: Vec<LedgerEntry>,
    /// How many entries there are in all.
    pub total_entries: u64,
    /// Temporary allocations that run, those that end first in front.
    pub temporary: Vec<Temporary>,
    /// Allocations that wait for a second administrator.
    pub approvals: Vec<Approval>,
    /// As in [`UserRow::stale`].
    pub stale: Option<Option<Timestamp>>,
    /// Amounts to offer for a top-up.
    pub offers: Vec<Offer>,
    /// The entry that can be undone now: [`LedgerEntry::seq`].
    pub undoable: Option<u64>,
    /// A pending change of access.
    pub pending: Option<PendingAccess>,
    /// Whether access is cut and can be restored.
    pub can_restore: bool,
}

/// A project's spending in the shown period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingProject {
    /// The project's key.
    pub project: ProjectName,
    /// The name shown to people.
    pub label: String,
    /// The exact amount.
    pub amount: Money,
    /// With whom the user shares it now.
    pub shared: Option<Sharing>,
    /// How current it is; `None` if the project is no longer linked (the record stays).
    pub freshness: Option<Freshness>,
}

/// A user's spending in the shown period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingUser {
    /// The user.
    pub key: UserKey,
    /// Display name.
    pub display_name: String,
    /// Whether another account has a user of the same name.
    pub ambiguous: bool,
    /// The period's total, exact.
    pub total: Money,
    /// Most expensive first.
    pub projects: Vec<BillingProject>,
    /// As in [`UserRow::stale`].
    pub stale: Option<Option<Timestamp>>,
}

/// The billing card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingView {
    /// The shown period.
    pub period: BillPeriod,
    /// Periods to choose from, newest first; includes `period`.
    pub periods: Vec<BillPeriod>,
    /// Users of this page, most expensive first; on one user's card, that user with the projects of this page.
    pub users: Vec<BillingUser>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// The number of users with spending in the period.
    pub total_users: usize,
    /// Sum over all of them.
    pub total: Money,
    /// The last months, oldest first: totals of everybody, or of the one user.
    pub recent: Vec<(BillPeriod, Money)>,
    /// The one user the card is about, with the totals of their months (newest first).
    pub of_user: Option<UserMonths>,
    /// How the bills divide into what users pay for and the rest; on everybody's card.
    pub shares: Vec<AccountShare>,
    /// Names of active accounts whose bill of the period is not known; none if no account's is.
    pub unread: Vec<String>,
    /// The month beside the month before, if the bills of all shown accounts hold the same days of both.
    pub change: Option<Change>,
    /// What the current month will have cost in the end, if every account's last days are known; on everybody's card.
    pub month_end: Option<Money>,
    /// The last 30 days; of an earlier month, its days.
    pub days: DayChart,
    /// What is estimated beyond the bills, by account; empty for months that are over and on one user's card.
    pub estimates: Vec<EstimatedAccount>,
}

/// How an account's bill of a period divides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountShare {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// The bill, to the 分.
    pub bill: AccountBill,
    /// Whether anything is unattributed, be it less than a 分.
    pub has_rest: bool,
    /// 账单截至: the last day that the bill holds completely, if the period has later ones.
    pub bill_to: Option<Date>,
    /// The last reading of the period failed: as in [`UserRow::stale`].
    pub stale: Option<Option<Timestamp>>,
    /// How many projects have rows that cannot be counted: their amounts are not in the bill.
    pub uncounted: usize,
}

/// What no user pays for in one period of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestView {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub account_name: String,
    /// The period.
    pub period: BillPeriod,
    /// The account's bill; `None` if it is not known.
    pub share: Option<AccountShare>,
    /// The rows of this page, largest amount first.
    pub rows: Vec<RestRow>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// The number of rows on all pages.
    pub total: usize,
    /// The project that is about to be linked.
    pub linking: Option<RestLinking>,
}

/// A part of what no user pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRow {
    /// The exact amount.
    pub amount: Money,
    /// Of which project, and why nobody pays for it.
    pub part: RestPart,
}

/// Of which project an unattributed amount is, and why nobody pays for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestPart {
    /// Rows without a project.
    NoProject,
    /// A project.
    Project {
        /// The project's key.
        project: ProjectName,
        /// The name shown to people.
        label: String,
        /// Users with a link that is not monitored, by name.
        off: Vec<UserKey>,
        /// Users with a monitored link that counts only from a later month on.
        later: Vec<(UserKey, BillPeriod)>,
    },
}

impl RestPart {
    /// Returns the project, if nobody is linked to it.
    pub fn unlinked(&self) -> Option<&ProjectName> {
        match self {
            RestPart::Project { project, off, later, .. } if off.is_empty() && later.is_empty() => {
                Some(project)
            }
            _ => None,
        }
    }
}

/// A project that is about to be linked to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestLinking {
    /// The project.
    pub project: ProjectName,
    /// The name shown to people.
    pub label: String,
    /// What it has cost since the period, exact: the user's consumed amount grows by it.
    pub cost: Money,
    /// Users to choose from, by name, with their display names.
    pub candidates: Vec<(UserKey, String)>,
    /// How many more there are.
    pub more: usize,
}

/// What is estimated of an account beyond its bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EstimatedAccount {
    /// The account's name.
    pub name: String,
    /// The estimate.
    pub estimate: AccountEstimate,
}

/// A user's months.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMonths {
    /// The user.
    pub user: User,
    /// Totals, newest first.
    pub months: Vec<(BillPeriod, Money)>,
}

/// The alerts card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsView {
    /// The alerts of this page, newest first.
    pub alerts: Vec<AlertRecord>,
    /// The number of this page, from 1.
    pub page: usize,
    /// The number of pages, at least 1.
    pub pages: usize,
    /// How many match in all.
    pub total: usize,
    /// Only of this user.
    pub user: Option<UserKey>,
    /// Only of this type.
    pub kind: Option<AlertKind>,
    /// How many there are of each type, in the order of [`AlertKind::ALL`]; counting ends at [`AlertsView::COUNTED`].
    pub counts: [usize; AlertKind::ALL.len()],
}

impl AlertsView {
    /// Where counting ends.
    pub const COUNTED: usize = 1_000;

    /// Returns how many there are of a type.
    pub fn count_of(&self, kind: AlertKind) -> usize {
        let counts = AlertKind::ALL.iter().zip(self.counts);
        counts.filter(|(known, _)| **known == kind).map(|(_, count)| count).sum()
    }

    /// Returns how many there are in all.
    pub fn count(&self) -> usize {
        self.counts.iter().sum::<usize>().min(Self::COUNTED)
    }
}

/// The monitor card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorView {
    /// Whether cycles are scheduled.
    pub enabled: bool,
    /// Seconds between cycles.
    pub interval_seconds: u64,
    /// When the running cycle began, if there is one.
    pub running_since: Option<Timestamp>,
    /// When the next scheduled cycle is due.
    pub next_at: Option<Timestamp>,
    /// If the monitor is late: when its last cycle ended, or the service started.
    pub late_since: Option<Timestamp>,
    /// What the monitor remembers between cycles.
    pub state: MonitorState,
    /// Accounts, to name those that were not read.
    pub accounts: Vec<Account>,
    /// How many messages are owed.
    pub owed: usize,
    /// Messages whose delivery was given up, newest first, at most 5.
    pub failed: Vec<FailedDelivery>,
    /// Pending changes of access.
    pub access_pending: Vec<(UserKey, PendingAccess)>,
}

/// A message whose delivery was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDelivery {
    /// Where it should have gone.
    pub target: String,
    /// Why, in the platform's words.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// What a sync found in one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSync {
    /// Which account.
    pub account: AccountId,
    /// The name shown to people.
    #[serde(default)]
    pub name: String,
    /// The number of users read.
    pub users: usize,
    /// User names that are new.
    pub added: Vec<String>,
    /// User names whose data changed.
    pub changed: Vec<String>,
    /// User names that are no longer in the cloud.
    pub gone: Vec<String>,
    /// Why the account could not be read; nothing was changed then.
    pub error: Option<Trouble>,
    /// What could not be read although the users could be; it stays as it was.
    pub unread: Vec<(Unread, Trouble)>,
}

/// What a sync reads of an account besides its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// The list of projects.
    Projects,
    /// Keys and login of users.
    Access,
}

/// What undoing an allocation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The entry that was undone.
    pub of: LedgerEntry,
    /// The new entry.
    pub entry: LedgerEntry,
    /// The quota card afterwards.
    pub quota: QuotaView,
}
