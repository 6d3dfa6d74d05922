//! What clients were told, or caused, and check at the end.

use std::collections::BTreeMap;

use airgate::domain::{AccessGoal, AlertKind, Money};

/// An alert that must have been raised: its kind, threshold, and the amount consumed.
pub type Expected = (AlertKind, u16, Money);

/// The clients' records.
#[derive(Debug, Default)]
pub struct Books {
    /// Acknowledged allocations by user and note. No note is used twice.
    pub ledger: BTreeMap<(String, String), Money>,
    /// Messages to the bot, each with the number of replies expected.
    pub said: BTreeMap<String, usize>,
    /// The links of a user, and whether they are monitored.
    pub links: BTreeMap<String, BTreeMap<String, bool>>,
    /// Acknowledged changes of access by hand, in order.
    pub access: BTreeMap<String, Vec<AccessGoal>>,
    /// Alerts expected by users who know exactly what they spend, in order.
    pub alerts: BTreeMap<String, Vec<Expected>>,
    /// Created users, each with the first quota.
    pub made: BTreeMap<String, Money>,
    /// Remarks as last saved.
    pub remarks: BTreeMap<String, String>,
}

impl Books {
    pub fn booked(&mut self, user: &str, note: &str, amount: Money) {
        let before = self.ledger.insert((user.to_owned(), note.to_owned()), amount);
        assert_eq!(before, None, "{user} {note}");
    }

    pub fn changed(&mut self, user: &str, goal: AccessGoal) {
        self.access.entry(user.to_owned()).or_default().push(goal);
    }

    pub fn expect(&mut self, user: &str, alert: Expected) {
        self.alerts.entry(user.to_owned()).or_default().push(alert);
    }
}
