//! Alert records. They hold facts, not sentences: the wording is chosen when a card or a file is generated.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    AccessGoal, AccountId, Act, BillPeriod, Freshness, Limit, Money, Month, OpenId, Operator,
    PathItems, PathReports, ProjectLink, ProjectName, Rate, RunsOut, Sharing, Spender, Spike,
    Unbilled, Usage, User, UserKey,
};

/// The types of alerts (docs/behaviour.md §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A threshold was reached.
    Warning,
    /// Access was cut because the quota is used up.
    Disable,
    /// Something does not work.
    Error,
    /// A person cut or restored access, or a new month has restored it.
    Manual,
    /// Something will run out soon, or costs far more than usual.
    Forecast,
}

impl AlertKind {
    /// All types, in the order filters show them.
    pub const ALL: [AlertKind; 5] = [
        AlertKind::Warning,
        AlertKind::Disable,
        AlertKind::Error,
        AlertKind::Manual,
        AlertKind::Forecast,
    ];

    /// Returns the word for it in metrics, CSV and card values (docs/behaviour.md §1).
    pub fn word(self) -> &'static str {
        match self {
            AlertKind::Warning => "warning",
            AlertKind::Disable => "disable",
            AlertKind::Error => "error",
            AlertKind::Manual => "manual",
            AlertKind::Forecast => "forecast",
        }
    }

    /// Returns the type that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One project's part of a user's spending when the alert was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakdownRow {
    /// The project's key.
    pub project: ProjectName,
    /// The name shown to people.
    pub label: String,
    /// Cumulative spending since the link's first period, exact.
    pub spending: Money,
    /// How current it was.
    pub freshness: Freshness,
    /// With whom the user shared the project; `None` in older records.
    #[serde(default)]
    pub shared: Option<Sharing>,
}

/// What was spent of a month limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthFigures {
    /// The month.
    pub period: BillPeriod,
    /// The exact amount that counted.
    pub spent: Money,
    /// The limit.
    pub limit: Money,
}

impl MonthFigures {
    /// Returns the numbers of a user's month; `None` without a limit.
    pub fn of(user: &User, month: Option<&Month>) -> Option<Self> {
        let (month, limit) = (month?, user.month_limit?);
        Some(Self { period: month.period, spent: month.spent, limit: limit.amount() })
    }
}

/// The numbers of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The allocated total.
    pub quota: Money,
    /// Consumed when the alert was made, by the bill.
    pub consumed: Money,
    /// What counted beside it, by an estimate; `None` in older records.
    #[serde(default)]
    pub unbilled: Option<Unbilled>,
    /// The monitored projects, most expensive first. In an alert about the month limit alone, with what they cost in that
    /// month.
    pub breakdown: Vec<BreakdownRow>,
    /// The month, if there is a limit for it.
    #[serde(default)]
    pub month: Option<MonthFigures>,
}

impl Figures {
    /// Returns the user's numbers, broken down by the monitored links among `links`.
    pub fn of(user: &User, links: &[ProjectLink], shared: &[Sharing]) -> Self {
        let mut breakdown: Vec<BreakdownRow> = links
            .iter()
            .filter(|link| link.monitored.is_on())
            .map(|link| BreakdownRow {
                project: link.project.clone(),
                label: link.label().to_owned(),
                spending: link.spending,
                freshness: link.freshness,
                shared: shared.iter().find(|known| known.project == link.project).cloned(),
            })
            .collect();
        breakdown
            .sort_by(|a, b| b.spending.cmp(&a.spending).then_with(|| a.project.cmp(&b.project)));
        Self { quota: user.quota, consumed: user.consumed, unbilled: None, breakdown, month: None }
    }

    /// Adds the numbers of a month. If the alert is about its limit alone, the breakdown becomes that of the month:
    /// `amounts`, by project.
    #[must_use]
    pub fn with_month(
        mut self,
        month: Option<MonthFigures>,
        of: Limit,
        amounts: &[(ProjectName, Money)],
    ) -> Self {
        self.month = month;
        if of == Limit::Month {
            for row in &mut self.breakdown {
                let amount = amounts.iter().find(|(project, _)| *project == row.project);
                row.spending = amount.map_or(Money::ZERO, |(_, amount)| *amount);
            }
            self.breakdown.sort_by(|a, b| {
                b.spending.cmp(&a.spending).then_with(|| a.project.cmp(&b.project))
            });
        }
        self
    }

    /// Returns what was spent, and of how much, as the alert's limit counts it.
    pub fn spent_of(&self, of: Limit) -> (Money, Money) {
        match (&self.month, of) {
            (Some(month), Limit::Month) => (month.spent, month.limit),
            _ => (self.consumed, self.quota),
        }
    }

    /// Adds what counted beside the bill.
    #[must_use]
    pub fn with_unbilled(mut self, unbilled: Option<Unbilled>) -> Self {
        self.unbilled = unbilled;
        self
    }
}

/// Where backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupPlace {
    /// `store.backup_dir`.
    Folder,
    /// `store.backup_url`.
    Bucket,
}

impl BackupPlace {
    /// Both.
    pub const ALL: [BackupPlace; 2] = [BackupPlace::Folder, BackupPlace::Bucket];

    /// Returns the word for it in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            BackupPlace::Folder => "folder",
            BackupPlace::Bucket => "bucket",
        }
    }
}

/// What an error alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "problem")]
pub enum Problem {
    /// Accounts could not be read in three cycles in a row.
    CyclesFailing {
        /// How many so far.
        failures: u32,
        /// The last reason.
        reason: String,
        /// Which ones; empty in older records.
        #[serde(default)]
        accounts: Vec<AccountId>,
    },
    /// They can be read again.
    CyclesRecovered {
        /// Which ones; empty in older records.
        #[serde(default)]
        accounts: Vec<AccountId>,
    },
    /// An account's access key pair was refused.
    CredentialsRefused {
        /// Which account.
        account: AccountId,
        /// The cloud's reason.
        reason: String,
    },
    /// The account's key pair is accepted again.
    CredentialsRecovered {
        /// Which account.
        account: AccountId,
    },
    /// A cut or restore of access was not confirmed within a minute.
    AccessDelayed {
        /// The end state to reach.
        goal: AccessGoal,
        /// The last reason.
        reason: String,
        /// How every path stood; empty in older records.
        #[serde(default)]
        paths: PathReports,
    },
    /// Access that airgate had cut was opened again by somebody else, and is cut again.
    AccessReopened {
        /// What was opened; empty in older records.
        #[serde(default)]
        items: PathItems,
    },
    /// After a confirmed cut, a project of the user still spends.
    StillSpending {
        /// What spends.
        spender: Spender,
    },
    /// A policy has the name of airgate's own, and another document: another name is used.
    PolicyTaken {
        /// Which account.
        account: AccountId,
        /// The name that is taken.
        policy: String,
        /// The name in its place; empty if all of them are taken.
        instead: String,
    },
    /// The estimate of an account differed from its bill by more than a third on three days in a row.
    EstimateOff {
        /// Which account.
        account: AccountId,
    },
    /// It agrees with the bill again.
    EstimateRecovered {
        /// Which account.
        account: AccountId,
    },
    /// No backup could be made, or none could be copied to the bucket.
    BackupFailing {
        /// Where to.
        place: BackupPlace,
        /// What the system or the bucket's service said last, in its own words, if anything.
        reason: Option<String>,
    },
    /// Backups work again.
    BackupRecovered {
        /// Where to.
        place: BackupPlace,
    },
    /// The owner of users has left the company. The users keep running.
    OwnerLeft {
        /// Who left.
        person: OpenId,
        /// The person's name, where it is known.
        #[serde(default)]
        name: Option<String>,
        /// Some of the users.
        users: Vec<UserKey>,
        /// How many others there are.
        #[serde(default)]
        more: usize,
    },
    /// Not a problem: a person is checking that alerts arrive.
    Test {
        /// The person who did it.
        operator: Operator,
    },
}

/// What an alert of type `forecast` is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outlook")]
pub enum Outlook {
    /// A user's quota or month limit will soon be used up.
    RunsOut {
        /// When, and what.
        runs_out: RunsOut,
        /// What it is based on.
        rate: Rate,
        /// What the current month will have cost.
        month_end: Money,
        /// The numbers at that time.
        figures: Figures,
    },
    /// Projects cost far more on a day than before.
    Spikes {
        /// Which account.
        account: AccountId,
        /// Which day.
        day: Date,
        /// The projects, most expensive first.
        projects: Vec<Spike>,
    },
    /// An account's balance will soon be used up.
    BalanceLow {
        /// Which account.
        account: AccountId,
        /// 可用余额.
        available: Money,
        /// What it is based on.
        rate: Rate,
        /// It lasts less than this many days.
        within: u32,
    },
    /// It lasts again.
    BalanceRecovered {
        /// Which account.
        account: AccountId,
        /// 可用余额.
        available: Money,
    },
}

/// A user who reached a threshold together with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// The user.
    pub user: UserKey,
    /// The threshold, in percent.
    pub threshold: u16,
    /// Of what.
    pub of: Limit,
    /// What counted.
    pub spent: Money,
    /// Of how much.
    pub limit: Money,
}

impl Warned {
    /// Returns what a warning says in short; `None` for other records.
    pub fn of(alert: &AlertRecord) -> Option<Self> {
        let (Some(user), AlertBody::Warning { threshold, of, figures }) =
            (&alert.user, &alert.body)
        else {
            return None;
        };
        let (mut spent, limit) = figures.spent_of(*of);
        if *of != Limit::Month {
            spent += figures.unbilled.map_or(Money::ZERO, |unbilled| unbilled.for_warnings());
        }
        Some(Self { user: user.clone(), threshold: *threshold, of: *of, spent, limit })
    }

    /// Returns how much of the limit was used.
    pub fn usage(&self) -> Usage {
        Usage::new(self.spent, self.limit)
    }
}

/// What an alert says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "alert")]
pub enum AlertBody {
    /// A threshold was reached.
    Warning {
        /// The threshold, in percent.
        threshold: u16,
        /// Of what; the quota in older records.
        #[serde(default)]
        of: Limit,
        /// The numbers at that time.
        figures: Figures,
    },
    /// Many users reached a threshold in one cycle. Each has a record of its own; this one is told in their place.
    Warnings {
        /// The records of the users: [`AlertRecord::id`].
        alerts: Vec<u64>,
        /// The users, highest usage first.
        users: Vec<Warned>,
    },
    /// Access was cut, and reading it back confirmed the cut.
    Disable {
        /// What is used up; the quota in older records.
        #[serde(default)]
        of: Limit,
        /// The numbers at that time.
        figures: Figures,
        /// How every path stands; empty in older records.
        #[serde(default)]
        paths: PathReports,
    },
    /// Something does not work, or works again.
    Error {
        /// The problem.
        problem: Problem,
    },
    /// A person cut or restored access.
    Manual {
        /// What was done.
        goal: AccessGoal,
        /// The person who did it.
        operator: Operator,
        /// What a restore left closed, because it was not open before the cut.
        #[serde(default)]
        left: PathItems,
        /// What a restore could not open, because it no longer exists.
        #[serde(default)]
        gone: PathItems,
    },
    /// Something will run out soon, or costs far more than usual.
    Forecast {
        /// What.
        outlook: Outlook,
    },
}

impl AlertBody {
    /// Creates the record of a change by a person that left nothing behind.
    pub fn manual(goal: AccessGoal, operator: Operator) -> Self {
        AlertBody::Manual { goal, operator, left: PathItems::new(), gone: PathItems::new() }
    }

    /// Returns its type.
    pub fn kind(&self) -> AlertKind {
        match self {
            AlertBody::Warning { .. } | AlertBody::Warnings { .. } => AlertKind::Warning,
            AlertBody::Disable { .. } => AlertKind::Disable,
            AlertBody::Error { .. } => AlertKind::Error,
            AlertBody::Manual { .. } => AlertKind::Manual,
            AlertBody::Forecast { .. } => AlertKind::Forecast,
        }
    }

    /// Returns the amount of the record: what was consumed, or spent in the month if it is about the month limit alone;
    /// the largest day, or the balance, if it is about that.
    pub fn amount(&self) -> Option<Money> {
        match self {
            AlertBody::Warning { of, figures, .. } | AlertBody::Disable { of, figures, .. } => {
                Some(figures.spent_of(*of).0)
            }
            AlertBody::Forecast { outlook } => match outlook {
                Outlook::RunsOut { runs_out, figures, .. } => Some(figures.spent_of(runs_out.of).0),
                Outlook::Spikes { projects, .. } => projects.first().map(|spike| spike.amount),
                Outlook::BalanceLow { available, .. }
                | Outlook::BalanceRecovered { available, .. } => Some(*available),
            },
            AlertBody::Warnings { .. } | AlertBody::Error { .. } | AlertBody::Manual { .. } => None,
        }
    }

    /// Returns the threshold of the record, in percent: 100 for an automatic disable.
    pub fn threshold(&self) -> Option<u16> {
        match self {
            AlertBody::Warning { threshold, .. } => Some(*threshold),
            AlertBody::Disable { .. } => Some(100),
            AlertBody::Warnings { .. }
            | AlertBody::Error { .. }
            | AlertBody::Manual { .. }
            | AlertBody::Forecast { .. } => None,
        }
    }
}

/// The state of an alert's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Nothing to deliver: it is only recorded, or neither an alert chat nor a webhook is set.
    NotOwed,
    /// Enqueued.
    Owed,
    /// Delivered.
    Delivered,
    /// Given up, with a clear reason in the log and on the monitor card.
    Failed,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// Ascending in time.
    pub id: u64,
    /// The user it is about, if any.
    pub user: Option<UserKey>,
    /// What it says.
    pub body: AlertBody,
    /// The `notified` of docs/behaviour.md §1, in more detail.
    pub notice: Notice,
    /// When it was raised.
    pub at: Timestamp,
    /// What was done about it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Act>,
    /// When it was seen to need nothing more; `None` while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}
