//! What was read from bills, and the monthly snapshots made of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BillPeriod, Money, ProjectName, UserKey};

/// A project's spending in one bill period, as last read completely. The ground truth that links and records follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectBill {
    /// The exact sum of the period's rows, refunds included.
    pub amount: Money,
    /// When the reading was complete.
    pub read_at: Timestamp,
}

impl ProjectBill {
    /// Whether the period is closed for the project: it was read completely at or after the 6th of the following month,
    /// 10:00 Beijing time, and need not be read again.
    pub fn is_final(&self, period: BillPeriod) -> bool {
        self.read_at >= period.settles_at()
    }
}

/// The monthly snapshot: (user, project or total, bill period) -> amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingRecord {
    /// Whose spending.
    pub user: UserKey,
    /// The project; `None` is the user's total (总计) of the period.
    pub project: Option<ProjectName>,
    /// The month.
    pub period: BillPeriod,
    /// Exact.
    pub amount: Money,
    /// When it was last written.
    pub updated: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_closes_only_by_a_reading_after_it_settled() {
        let period: BillPeriod = "2026-09".parse().unwrap();
        let bill = |at: &str| ProjectBill { amount: Money::ZERO, read_at: at.parse().unwrap() };
        assert!(!bill("2026-09-30T23:00:00Z").is_final(period));
        assert!(!bill("2026-10-06T01:59:59Z").is_final(period));
        assert!(bill("2026-10-06T02:00:00Z").is_final(period));
    }
}
