//! Alert records.

use std::ops::ControlFlow;

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};

use super::tables::{ALERTS, Order, Source, USER_ALERTS, View};
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
        let mut page = Vec::new();
        let mut matching = 0;
        let mut take = |alert: AlertRecord| {
            if kind.is_none_or(|kind| alert.body.kind() == kind) {
                if (skip..skip.saturating_add(count)).contains(&matching) {
                    page.push(alert);
                }
                matching += 1;
            }
        };
        match user {
            Some(user) => {
                let (account, username) = (user.account.as_str(), user.username.as_str());
                let index = self.0.table(USER_ALERTS)?;
                let rows = index.range((account, username, 0)..=(account, username, u64::MAX))?;
                for row in rows.rev() {
                    let (key, ()) = row.map(|(key, value)| (key.value().2, value.value()))?;
                    if let Some(alert) = self.alert(key)? {
                        take(alert);
                    }
                }
            }
            None => {
                // Without a filter the number is known; only the page has to be read.
                let all = self.0.table(ALERTS)?.len()?;
                let mut read = 0;
                self.scan::<_, AlertRecord, u64, _>(
                    ALERTS,
                    "alerts",
                    ..,
                    Order::Descending,
                    |_, alert| {
                        take(alert);
                        read += 1;
                        if kind.is_none() && read >= skip.saturating_add(count) {
                            return ControlFlow::Break(());
                        }
                        ControlFlow::Continue(())
                    },
                )?;
                if kind.is_none() {
                    matching = usize::try_from(all).unwrap_or(usize::MAX);
                }
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
        if let Some(user) = user {
            let key = (user.account.as_str(), user.username.as_str(), id);
            self.0.open_table(USER_ALERTS)?.insert(key, ())?;
        }
        Ok(alert)
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
