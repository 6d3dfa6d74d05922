//! Whether a row can be applied, and what it changes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::app::people::PeopleRefusal;
use crate::app::quota::{self, Allocation};
use crate::app::{Error, Refusal, approvals, users};
use crate::domain::approval::needs_second;
use crate::domain::{
    AccountId, ApprovalRules, BatchRow, Operator, ProjectName, RowChange, UserKey, UserStatus, Was,
    temporary,
};
use crate::store::{Source, View};

/// What is known of a row that can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How the user stands.
    pub was: Was,
    /// Whether a second administrator is needed.
    pub second: bool,
}

/// Checks the rows of a batch, one after the other.
pub struct Checker<'a> {
    rules: &'a ApprovalRules,
    by: &'a Operator,
    now: Timestamp,
    /// Projects that earlier rows link, and the first user who gets each.
    linked: BTreeMap<(AccountId, ProjectName), UserKey>,
}

impl<'a> Checker<'a> {
    /// For rows that `by` enters.
    pub fn new(rules: &'a ApprovalRules, by: &'a Operator, now: Timestamp) -> Self {
        Self { rules, by, now, linked: BTreeMap::new() }
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
        let mut second = false;
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
                Was::Quota(user.quota)
            }
            RowChange::MonthLimit { .. } => Was::Limit(user.month_limit),
            RowChange::Thresholds { .. } => Was::Thresholds(user.thresholds),
            RowChange::AutoDisable { .. } => Was::AutoDisable(user.auto_disable),
            RowChange::Owner { .. } => Was::Owner(user.owner),
            RowChange::Link { project, joining, .. } => {
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
                self.linked.entry(place).or_insert_with(|| row.user.clone());
                Was::Payers(payers.len())
            }
        };
        Ok(Checked { was, second })
    }
}
