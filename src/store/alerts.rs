//! Alert records.

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};

use super::tables::{ALERTS, KIND_ALERTS, Source, USER_ALERTS, View, decode};
use super::{StoreError, WriteTx};
use crate::domain::{AlertBody, AlertKind, AlertRecord, Notice, UserKey};

impl<S: Source> View<S> {
    /// One alert.
    ///
    /// # Errors
    /// The store's.
    pub fn alert(&self, id: u64) -> Result<Option<AlertRecord>, StoreError> {
        self.get(ALERTS, "alerts", id)
    }

    /// Alerts newest first: `count` of them after skipping `skip`, and how many match in all.
    ///
    /// # Errors
    /// The store's.
    pub fn alerts(
        &self,
        user: Option<&UserKey>,
        kind: Option<AlertKind>,
        skip: usize,
        count: usize,
    ) -> Result<(Vec<AlertRecord>, usize), StoreError> {
        let wanted = skip..skip.saturating_add(count);
        let mut page = Vec::new();
        let mut matching = 0;
        let mut take = |id: u64, kind: Option<AlertKind>| {
            // A filter by user and kind has to look at each; else only the page is read.
            if kind.is_some() || wanted.contains(&matching) {
                let Some(alert) = self.alert(id)? else { return Ok(()) };
                if kind.is_some_and(|kind| alert.body.kind() != kind) {
                    return Ok(());
                }
                if wanted.contains(&matching) {
                    page.push(alert);
                }
            }
            matching += 1;
            Ok::<_, StoreError>(())
        };
        match (user, kind) {
            (Some(user), kind) => {
                let (account, username) = (user.account.as_str(), user.username.as_str());
                let index = self.0.table(USER_ALERTS)?;
                for row in
                    index.range((account, username, 0)..=(account, username, u64::MAX))?.rev()
                {
                    take(row?.0.value().2, kind)?;
                }
            }
            (None, Some(kind)) => {
                let index = self.0.table(KIND_ALERTS)?;
                for row in index.range((kind.word(), 0)..=(kind.word(), u64::MAX))?.rev() {
                    take(row?.0.value().1, None)?;
                }
            }
            (None, None) => {
                let all = self.0.table(ALERTS)?;
                for row in all.iter()?.rev().skip(skip).take(count) {
                    page.push(decode("alerts", row?.1.value())?);
                }
                matching = usize::try_from(all.len()?).unwrap_or(usize::MAX);
            }
        }
        Ok((page, matching))
    }
}

impl WriteTx {
    /// Adds an alert.
    ///
    /// # Errors
    /// The store's.
    pub fn add_alert(
        &self,
        user: Option<&UserKey>,
        body: AlertBody,
        at: Timestamp,
    ) -> Result<AlertRecord, StoreError> {
        let id = self.next_number("alerts")?;
        let alert = AlertRecord { id, user: user.cloned(), body, notice: Notice::NotOwed, at };
        self.put(ALERTS, "alerts", id, &alert)?;
        self.0.open_table(KIND_ALERTS)?.insert((alert.body.kind().word(), id), ())?;
        if let Some(user) = user {
            let key = (user.account.as_str(), user.username.as_str(), id);
            self.0.open_table(USER_ALERTS)?.insert(key, ())?;
        }
        Ok(alert)
    }

    /// Sorts the alerts that are there by kind: of a store from before they were.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn sort_alerts(&self) -> Result<(), StoreError> {
        let alerts = self.0.open_table(ALERTS)?;
        let mut kinds = self.0.open_table(KIND_ALERTS)?;
        for row in alerts.iter()? {
            let (id, value) = row?;
            let alert: AlertRecord = decode("alerts", value.value())?;
            kinds.insert((alert.body.kind().word(), id.value()), ())?;
        }
        Ok(())
    }

    /// Sets how far an alert's delivery is.
    ///
    /// # Errors
    /// The store's.
    pub fn set_alert_notice(&self, id: u64, notice: Notice) -> Result<(), StoreError> {
        match self.alert(id)? {
            Some(alert) => self.put(ALERTS, "alerts", id, &AlertRecord { notice, ..alert }),
            None => Ok(()),
        }
    }
}
