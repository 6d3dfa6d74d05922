//! Alert records.

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};

use super::tables::{ALERTS, KIND_ALERTS, USER_ALERTS};
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{AlertBody, AlertKind, AlertRecord, Notice, UserKey};

impl<S: Source> View<S> {
    /// Returns one alert.
    pub fn alert(&self, id: u64) -> Result<Option<AlertRecord>, StoreError> {
        self.get(ALERTS, id)
    }

    /// Returns alerts, newest first: `count` of them after skipping `skip`, and how many match in all.
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
            // Filtering by user and kind reads every alert of the user; otherwise only the page is read.
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
                let range = keys::of_numbered(user, 0)..=keys::of_numbered(user, u64::MAX);
                for row in self.open(USER_ALERTS)?.range(range)?.rev() {
                    take(row?.0.value().2, kind)?;
                }
            }
            (None, Some(kind)) => {
                let index = self.open(KIND_ALERTS)?;
                for row in index.range((kind.word(), 0)..=(kind.word(), u64::MAX))?.rev() {
                    take(row?.0.value().1, None)?;
                }
            }
            (None, None) => {
                let all = self.open(ALERTS)?;
                for row in all.iter()?.rev().skip(skip).take(count) {
                    page.push(ALERTS.decode(row?.1.value())?);
                }
                matching = usize::try_from(all.len()?).unwrap_or(usize::MAX);
            }
        }
        Ok((page, matching))
    }
}

impl WriteTx {
    /// Adds an alert.
    pub fn add_alert(
        &self,
        user: Option<&UserKey>,
        body: AlertBody,
        at: Timestamp,
    ) -> Result<AlertRecord, StoreError> {
        let id = self.next_number("alerts")?;
        let alert = AlertRecord { id, user: user.cloned(), body, notice: Notice::NotOwed, at };
        self.put(ALERTS, id, &alert)?;
        self.open(KIND_ALERTS)?.insert((alert.body.kind().word(), id), ())?;
        if let Some(user) = user {
            self.open(USER_ALERTS)?.insert(keys::of_numbered(user, id), ())?;
        }
        Ok(alert)
    }

    /// Sets the state of an alert's delivery.
    pub fn set_alert_notice(&self, id: u64, notice: Notice) -> Result<(), StoreError> {
        match self.alert(id)? {
            Some(alert) => self.put(ALERTS, id, &AlertRecord { notice, ..alert }),
            None => Ok(()),
        }
    }
}
