//! Whether a row can be applied, and what it changes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::app::batch_refusal::BatchRefusal;
use crate::app::people::PeopleRefusal;
use crate::app::quota::{self, Allocation};
use crate::app::{Error, Refusal, approvals, projects, users};
use crate::domain::approval::needs_second;
use crate::domain::batch::MAX_SHARERS;
use crate::domain::{
    AccountId, ApprovalRules, BatchRow, BillPeriod, Joining, Operator, ProjectName, RowChange,
    UserKey, UserStatus, Was, temporary,
};
use crate::store::{Source, View};

/// What is known of a row that can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How the user stands.
    pub was: Was,
    /// Whether a second administrator is needed.
    pub second: bool,
    /// Whether it ends the limit of the user's quota.
    pub runs_free: bool,
}

/// Checks the rows of a batch, one after the other.
pub struct Checker<'a> {
    rules: &'a ApprovalRules,
    by: &'a Operator,
    now: Timestamp,
    /// Projects that earlier rows link, and the first user who gets each.
    linked: BTreeMap<(AccountId, ProjectName), UserKey>,
    /// How many rows make a user divide a project.
    dividing: BTreeMap<(AccountId, ProjectName), usize>,
}

impl<'a> Checker<'a> {
    /// For these rows, which `by` enters.
    pub fn new<'r>(
        rules: &'a ApprovalRules,
        by: &'a Operator,
        rows: impl IntoIterator<Item = &'r BatchRow>,
        now: Timestamp,
    ) -> Self {
        let mut dividing: BTreeMap<(AccountId, ProjectName), usize> = BTreeMap::new();
        for row in rows {
            if let RowChange::Link { project, joining: Some(Joining::Part), .. } = &row.change {
                let place = (row.user.account.clone(), project.clone());
                let count = dividing.entry(place).or_default();
                *count = count.saturating_add(1);
            }
        }
        Self { rules, by, now, linked: BTreeMap::new(), dividing }
    }

    /// Checks a row. No two rows are about the same user or, where projects are linked, about the same project of a user.
    ///
    /// # Errors
    /// [`Refusal::NoSuchUser`], [`Refusal::UserGone`], and what the same change of one user is refused for.
    pub fn check<S: Source>(&mut self, tx: &View<S>, row: &BatchRow) -> Result<Checked, Error> {
        let user = users::get(tx, &row.user)?;
        users::not_in_batch(tx, &row.user)?;
        let may_be_gone = match &row.change {
            RowChange::Allocate { amount, .. } => amount.is_negative(),
            // Exported lists hold those who are gone.
            RowChange::Owner { .. } => true,
            _ => false,
        };
        if user.status == UserStatus::Gone && !may_be_gone {
            return Err(Refusal::UserGone(row.user.clone()).into());
        }
        let (mut second, mut runs_free) = (false, false);
        let was = match &row.change {
            RowChange::Allocate { amount, note, until } => {
                if let Some(day) = until {
                    temporary::check(*day, self.now).map_err(PeopleRefusal::LastDay)?;
                    if !amount.is_positive() {
                        return Err(PeopleRefusal::NotAboveZero.into());
                    }
                }
                let new = Allocation { user: &row.user, amount: *amount, note, operator: self.by };
                quota::prepare(tx, &new, self.now)?;
                if self.rules.second_from.is_some() && amount.is_positive() {
                    let lately = approvals::lately(tx, &row.user, self.by, self.now)?;
                    second = needs_second(self.rules, lately, *amount);
                }
                runs_free = user.would_run_free(*amount);
                Was::Quota(user.quota)
            }
            RowChange::MonthLimit { .. } => Was::Limit(user.month_limit),
            RowChange::Thresholds { .. } => Was::Thresholds(user.thresholds),
            RowChange::AutoDisable { .. } => Was::AutoDisable(user.auto_disable),
            RowChange::Owner { .. } => Was::Owner(user.owner),
            RowChange::Link { project, since, joining } => {
                projects::within_reach(*since, BillPeriod::of(self.now))?;
                if tx.link(&row.user, project)?.is_some() {
                    return Err(Refusal::AlreadyLinked(project.clone()).into());
                }
                let payers = tx.payers(&row.user.account, project.as_str())?;
                let place = (row.user.account.clone(), project.clone());
                let earlier = self.linked.get(&place);
                if joining.is_none() && (!payers.is_empty() || earlier.is_some()) {
                    let payers = payers.into_iter().map(|payer| payer.user);
                    let payers = payers.chain(earlier.cloned()).collect();
                    return Err(Refusal::ProjectTaken([(project.clone(), payers)].into()).into());
                }
                let dividing = self.dividing.get(&place).copied().unwrap_or_default();
                let found = payers.len().saturating_add(dividing);
                if dividing > 0 && found > MAX_SHARERS {
                    let (project, most) = (project.clone(), MAX_SHARERS);
                    return Err(BatchRefusal::TooManySharers { project, found, most }.into());
                }
                self.linked.entry(place).or_insert_with(|| row.user.clone());
                Was::Payers(payers.len())
            }
        };
        Ok(Checked { was, second, runs_free })
    }
}
