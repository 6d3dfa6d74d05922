//! The contents of the stand-in cloud: main accounts with their users, keys, projects and bills, and the rules by which it
//! answers. Plain data with builder-like methods, so that a test describes the cloud it needs in a few lines.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::BillPeriod;

mod ark;
mod bills;
mod lag;
mod policies;
mod sample;
mod users;

pub(crate) use ark::masked;
pub use ark::{
    Ark, ArkBilling, ArkKey, ArkRules, Bot, ContentLimits, Creator, Endpoint, EndpointStatus, Job,
    JobKind, KeySwitchForm, Limits, Model, ModelKind, ModelRefusal, ModelRoute, Phase, Preset,
    RateLimit, RateLimitRule, ResourceType, TemporaryKey, Usage, UsageShape,
};
pub use bills::{BillRow, BillingMode, Category, ChargeItem, Measure, Product, ShownIn};
pub use lag::Lagging;
pub use policies::{CustomPolicies, CustomPolicy};
pub(crate) use policies::{Document, Effect};
pub use sample::{Language, sample, sample_in};
pub use users::{
    AccessKey, AttachedPolicy, IamApiKey, KeyStatus, Login, LoginProfile, MissingLogin, PolicyKind,
    PolicyScope, User,
};

/// The creation time of everything that a builder method adds.
pub(crate) const LONG_AGO: Timestamp = Timestamp::constant(1_767_578_584, 0);

/// The whole cloud.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The main accounts.
    pub accounts: Vec<FakeAccount>,
    /// How the cloud behaves where the documentation leaves it open.
    pub rules: Rules,
    /// Which user spends in which project, for setting up airgate on this world.
    pub suggested: Vec<SuggestedLink>,
    /// Each user's quota entries, in the order of the ledger.
    pub suggested_quota: Vec<SuggestedQuota>,
}

/// A named account or user does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// No account with that slug.
    #[error("no account {0:?} in the stand-in cloud")]
    NoSuchAccount(String),
    /// No user with that name in that account.
    #[error("no user {1:?} in account {0:?} of the stand-in cloud")]
    NoSuchUser(String, String),
}

/// How the cloud behaves where the documentation leaves it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Calls per second per account; `None`: unlimited. 5 by default.
    pub calls_per_second: Option<u32>,
    /// HTTP status of `AccountFlowLimitExceeded`: 429, 400 and 200 have been observed. 429 by default.
    pub throttle_status: u16,
    /// Effect of a `Project` filter on the bill lists, on which the sources disagree.
    pub project_filter: ProjectFilter,
    /// Effect of `ExpenseDate` on the bill lists, on which the sources disagree.
    pub day_filter: DayFilter,
    /// `Result` of an action that returns nothing.
    pub empty_result: EmptyResult,
    /// Whether attaching twice, and detaching what is not attached, is an error.
    pub repeated_attachment_is_an_error: bool,
    /// Whether the bill lists show the rows of all owners although `OwnerID` asks for some.
    pub owner_filter_is_ignored: bool,
    /// Whether the split bill of an account without 分账账单 is plainly empty, without a warning.
    pub missing_split_bill_is_silent: bool,
    /// The largest page of the bill lists, whatever `Limit` asks for.
    pub rows_per_page: Option<usize>,
    /// Whether the bill lists send other types than documented: text for `Total`, a list for `Warning`, a number for
    /// `InstanceNo`, null for `Product`.
    pub bills_have_odd_types: bool,
    /// How many reads of a key's status, of a login profile or of a state in 方舟 still show the old one after a change. 0 by
    /// default.
    pub lag: u32,
    /// Whether the account has API keys of IAM; if not, their actions answer `InvalidActionOrVersion`
    /// (`docs/platforms/ark.md` §B.1).
    pub has_iam_api_keys: bool,
    /// Whether a policy whose `Action` is `*` is refused as invalid (`docs/platforms/ark.md` §B.2).
    pub action_star_is_refused: bool,
    /// How long an attached policy takes to have an effect (`docs/platforms/ark.md` §B.2).
    pub policies_bite_after: SignedDuration,
    /// 方舟.
    pub ark: ArkRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            calls_per_second: Some(5),
            throttle_status: 429,
            project_filter: ProjectFilter::default(),
            day_filter: DayFilter::default(),
            empty_result: EmptyResult::default(),
            repeated_attachment_is_an_error: true,
            owner_filter_is_ignored: false,
            missing_split_bill_is_silent: false,
            rows_per_page: None,
            bills_have_odd_types: false,
            lag: 0,
            has_iam_api_keys: true,
            action_star_is_refused: false,
            policies_bite_after: SignedDuration::ZERO,
            ark: ArkRules::default(),
        }
    }
}

/// Effect of a `Project` filter on the bill lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProjectFilter {
    /// As in the published description, which lacks the filter: rows of all projects.
    #[default]
    Ignored,
    /// As in the newest SDK models: only rows of these projects.
    Honoured,
    /// `RequestInvalid`.
    Refused,
}

/// Effect of `ExpenseDate` on the bill lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayFilter {
    /// As in the newer document: only rows of that day.
    #[default]
    Honoured,
    /// `RequestInvalid` for detail rows, as in the older document.
    Refused,
    /// Rows of all days.
    Ignored,
}

/// `Result` of an action that returns nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyResult {
    /// No `Result` at all.
    #[default]
    Absent,
    /// `"Result": null`.
    Null,
    /// `"Result": {}`.
    Object,
}

/// A main account.
#[derive(Clone, Debug)]
pub struct FakeAccount {
    /// airgate's id of the account.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Volcengine's account number.
    pub id: i64,
    /// The account's own access keys; airgate uses the first.
    pub keys: Vec<AccessKey>,
    /// Whether 分账账单 is switched on.
    pub split_bills_enabled: bool,
    /// IAM users by name.
    pub users: BTreeMap<String, User>,
    /// Projects by name.
    pub projects: BTreeMap<String, Project>,
    /// Policies that exist in addition to the system policies.
    pub custom_policies: CustomPolicies,
    /// The account's balance.
    pub balance: Balance,
    /// 方舟.
    pub ark: Ark,
    bills: BTreeMap<BillPeriod, Vec<BillRow>>,
    users_made: i64,
    rows_made: u64,
}

/// A project of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The name used in bills.
    pub name: String,
    /// The display name.
    pub display_name: String,
    /// A remark.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
}

/// The amounts of QueryBalanceAcct, in 元.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// 现金余额.
    pub cash: Decimal,
    /// 冻结金额.
    pub frozen: Decimal,
    /// 信控额度.
    pub credit_limit: Decimal,
    /// 欠费金额.
    pub arrears: Decimal,
}

/// A link between a user and a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedLink {
    /// [`FakeAccount::slug`].
    pub account_slug: String,
    /// [`User::name`].
    pub username: String,
    /// [`Project::name`].
    pub project: String,
    /// The first bill period that counts.
    pub since: BillPeriod,
}

/// An entry of a user's quota ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedQuota {
    /// [`FakeAccount::slug`].
    pub account_slug: String,
    /// [`User::name`].
    pub username: String,
    /// In 元, at most 2 decimals; negative deducts.
    pub amount: Decimal,
    /// Why it was allocated.
    pub note: String,
}

impl World {
    /// A cloud with no account.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A cloud with one account.
    pub fn with_account(account: FakeAccount) -> Self {
        Self { accounts: vec![account], ..Self::default() }
    }

    /// The account with that slug.
    pub fn account(&self, slug: &str) -> Option<&FakeAccount> {
        self.accounts.iter().find(|account| account.slug == slug)
    }

    /// The account with that slug, mutably.
    ///
    /// # Errors
    /// [`WorldError::NoSuchAccount`].
    pub fn account_mut(&mut self, slug: &str) -> Result<&mut FakeAccount, WorldError> {
        self.accounts
            .iter_mut()
            .find(|account| account.slug == slug)
            .ok_or_else(|| WorldError::NoSuchAccount(slug.to_owned()))
    }

    /// The user with that name.
    pub fn user(&self, slug: &str, name: &str) -> Option<&User> {
        self.account(slug)?.users.get(name)
    }

    /// The user with that name, mutably.
    ///
    /// # Errors
    /// [`WorldError`] if the account or the user does not exist.
    pub fn user_mut(&mut self, slug: &str, name: &str) -> Result<&mut User, WorldError> {
        self.account_mut(slug)?
            .users
            .get_mut(name)
            .ok_or_else(|| WorldError::NoSuchUser(slug.to_owned(), name.to_owned()))
    }
}

impl FakeAccount {
    /// An account with one access key, split bills switched on, the project `default`, and nothing else.
    pub fn new(slug: &str, name: &str, id: i64, access_key_id: &str, secret_key: &str) -> Self {
        let mut account = Self {
            slug: slug.to_owned(),
            name: name.to_owned(),
            id,
            keys: vec![AccessKey::new(
                access_key_id.to_owned(),
                SecretString::from(secret_key),
                KeyStatus::Active,
                LONG_AGO,
            )],
            split_bills_enabled: true,
            users: BTreeMap::new(),
            projects: BTreeMap::new(),
            custom_policies: CustomPolicies::default(),
            balance: Balance {
                cash: Decimal::new(120_050, 2),
                frozen: Decimal::new(2_000, 2),
                credit_limit: Decimal::new(0, 2),
                arrears: Decimal::new(0, 2),
            },
            ark: Ark::default(),
            bills: BTreeMap::new(),
            users_made: 0,
            rows_made: 0,
        };
        account.add_project("default", "默认项目");
        account
    }

    /// The access key id that airgate uses.
    pub fn access_key_id(&self) -> &str {
        self.keys.first().map_or("", |key| key.id.as_str())
    }

    /// The secret of [`FakeAccount::access_key_id`].
    pub fn secret_key(&self) -> &str {
        self.keys.first().map_or("", |key| key.secret.expose_secret())
    }

    /// Adds or replaces a user without keys, with a login profile that allows login.
    pub fn add_user(&mut self, name: &str) -> &mut User {
        let user = User::new(self.next_user_id(), name, LONG_AGO);
        let entry = self.users.entry(name.to_owned());
        match entry {
            std::collections::btree_map::Entry::Occupied(mut slot) => {
                slot.insert(user);
                slot.into_mut()
            }
            std::collections::btree_map::Entry::Vacant(slot) => slot.insert(user),
        }
    }

    /// A user id that is new in this account.
    pub(crate) fn next_user_id(&mut self) -> i64 {
        self.users_made = self.users_made.saturating_add(1);
        self.id.wrapping_mul(1_000_000).wrapping_add(self.users_made)
    }

    /// Adds or replaces a project.
    pub fn add_project(&mut self, name: &str, display_name: &str) {
        self.projects.insert(
            name.to_owned(),
            Project {
                name: name.to_owned(),
                display_name: display_name.to_owned(),
                description: String::new(),
                created: LONG_AGO,
            },
        );
    }

    /// Appends a bill row and gives it an id.
    pub fn add_bill_row(&mut self, mut row: BillRow) {
        self.rows_made = self.rows_made.saturating_add(1);
        row.id = self.rows_made;
        self.bills.entry(row.period).or_default().push(row);
    }

    /// Appends a row for a model call that costs `amount` 元 (negative: a refund), dated like the last row of
    /// that period.
    pub fn spend(&mut self, project: &str, amount: Decimal, period: BillPeriod) {
        let last = self.bill_rows(period).last().map(|row| row.expense_date);
        let mut row = BillRow::new(period, project, Product::Ark, amount);
        if let Some(date) = last {
            row.expense_date = date;
        }
        self.add_bill_row(row);
    }

    /// Appends a row for a model call on that day that costs `amount` 元.
    pub fn spend_on(&mut self, project: &str, amount: Decimal, day: Date) {
        let Ok(period) = BillPeriod::new(day.year(), day.month()) else { return };
        let mut row = BillRow::new(period, project, Product::Ark, amount);
        row.expense_date = day;
        self.add_bill_row(row);
    }

    /// Adds `amount` 元 to the project's running model call of that day: one row of the day grows, as the bill of a running
    /// endpoint does, so that a demo does not collect rows for hours.
    pub fn accrue(&mut self, project: &str, amount: Decimal, day: Date) {
        let Ok(period) = BillPeriod::new(day.year(), day.month()) else { return };
        let instance = format!("ep-running-{project}");
        let is_running = |row: &&mut BillRow| row.instance == instance && row.expense_date == day;
        if let Some(row) = self.bill_rows_mut(period).iter_mut().find(is_running) {
            row.payable += amount;
            row.fit(row.coupon, row.round);
            return;
        }
        let mut row = BillRow::new(period, project, Product::Ark, amount);
        row.expense_date = day;
        row.instance = instance;
        self.add_bill_row(row);
    }

    /// The rows of a bill period, in the order they arrived.
    pub fn bill_rows(&self, period: BillPeriod) -> &[BillRow] {
        self.bills.get(&period).map_or(&[], Vec::as_slice)
    }

    /// The rows of a bill period, mutably.
    pub fn bill_rows_mut(&mut self, period: BillPeriod) -> &mut Vec<BillRow> {
        self.bills.entry(period).or_default()
    }

    /// The exact 应付金额 of a project in a period.
    pub fn payable(&self, project: &str, period: BillPeriod) -> Decimal {
        self.bill_rows(period)
            .iter()
            .filter(|row| row.project == project)
            .map(|row| row.payable)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let mut account = FakeAccount::new("a", "甲", 1, "AKLTaaaa", "very-secret-key");
        let user = account.add_user("alice");
        user.add_key(KeyStatus::Active);
        let secret = user.keys[0].secret.expose_secret().to_owned();
        let printed = format!("{:?}", World::with_account(account));
        assert!(!printed.contains("very-secret-key"));
        assert!(!printed.contains(&secret));
    }

    #[test]
    fn spending_adds_up_and_refunds_are_negative_rows() {
        let mut account = FakeAccount::new("a", "甲", 1, "AKLTaaaa", "s");
        let period: BillPeriod = "2026-11".parse().unwrap();
        account.spend("default", "10.000001".parse().unwrap(), period);
        account.spend("default", "-12.5".parse().unwrap(), period);
        account.spend("other", "7".parse().unwrap(), period);
        assert_eq!(account.payable("default", period).to_string(), "-2.499999");
        let refund = &account.bill_rows(period)[1];
        assert_eq!(refund.category, Category::RefundTerminate);
        assert!(refund.original.is_sign_negative() && refund.discount.is_sign_negative());
        assert_ne!(refund.id, account.bill_rows(period)[0].id);
    }

    #[test]
    fn an_error_names_the_missing_account_or_user() {
        let mut world = World::with_account(FakeAccount::new("a", "甲", 1, "AKLTaaaa", "s"));
        assert_eq!(world.account_mut("b").unwrap_err(), WorldError::NoSuchAccount("b".to_owned()));
        assert_eq!(
            world.user_mut("a", "bob").unwrap_err(),
            WorldError::NoSuchUser("a".to_owned(), "bob".to_owned())
        );
    }
}
