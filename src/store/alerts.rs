//! Alert records.

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};

use super::tables::{ALERT_POSTS, ALERTS, KIND_ALERTS, USER_ALERTS};
use super::values::AlertPost;
use super::view::{Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{AlertBody, AlertKind, AlertRecord, Notice, UserKey};

/// Of how many alerts is kept where they were posted.
const POSTS_KEPT: u64 = 5_000;

impl<S: Source> View<S> {
    /// Returns where an alert was posted, with the ids of the owed messages.
    pub fn alert_posts(&self, alert: u64) -> Result<Vec<(u64, AlertPost)>, StoreError> {
        let mut posts = Vec::new();
        for row in self.open(ALERT_POSTS)?.range((alert, 0)..=(alert, u64::MAX))? {
            let (key, value) = row?;
            let key = key.value();
            posts.extend(ALERT_POSTS.decode_or_skip(key, value.value()).map(|post| (key.1, post)));
        }
        Ok(posts)
    }

    /// Returns one alert.
    pub fn alert(&self, id: u64) -> Result<Option<AlertRecord>, StoreError> {
        self.get(ALERTS, id)
    }

    /// Returns how many alerts there are of each type, in the order of [`AlertKind::ALL`], counting up to `most`.
    pub fn alert_counts(
        &self,
        user: Option<&UserKey>,
        most: usize,
    ) -> Result<[usize; AlertKind::ALL.len()], StoreError> {
        let mut counts = [0; AlertKind::ALL.len()];
        let Some(user) = user else {
            let index = self.open(KIND_ALERTS)?;
            for (count, kind) in counts.iter_mut().zip(AlertKind::ALL) {
                let of_kind = index.range((kind.word(), 0)..=(kind.word(), u64::MAX))?;
                *count = of_kind.take(most).count();
            }
            return Ok(counts);
        };
        let range = keys::of_numbered(user, 0)..=keys::of_numbered(user, u64::MAX);
        for row in self.open(USER_ALERTS)?.range(range)?.rev().take(most) {
            let Some(alert) = self.alert(row?.0.value().2)? else { continue };
            for (count, kind) in counts.iter_mut().zip(AlertKind::ALL) {
                *count += usize::from(alert.body.kind() == kind);
            }
        }
        Ok(counts)
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
        let alert = AlertRecord {
            id,
            user: user.cloned(),
            body,
            notice: Notice::NotOwed,
            at,
            steps: Vec::new(),
            closed: None,
        };
        self.put(ALERTS, id, &alert)?;
        self.open(KIND_ALERTS)?.insert((alert.body.kind().word(), id), ())?;
        if let Some(user) = user {
            self.open(USER_ALERTS)?.insert(keys::of_numbered(user, id), ())?;
        }
        Ok(alert)
    }

    /// Records where an alert is posted.
    pub fn put_alert_post(
        &self,
        alert: u64,
        owed: u64,
        post: &AlertPost,
    ) -> Result<(), StoreError> {
        self.put(ALERT_POSTS, (alert, owed), post)?;
        let oldest = (alert.saturating_sub(POSTS_KEPT), 0);
        self.open(ALERT_POSTS)?.retain_in::<(u64, u64), _>(..oldest, |_, _| false)?;
        Ok(())
    }

    /// Stores what has changed of an alert.
    pub fn put_alert(&self, alert: &AlertRecord) -> Result<(), StoreError> {
        self.put(ALERTS, alert.id, alert)
    }

    /// Sets the state of an alert's delivery; of one that tells of several, also theirs.
    pub fn set_alert_notice(&self, id: u64, notice: Notice) -> Result<(), StoreError> {
        let Some(alert) = self.alert(id)? else { return Ok(()) };
        if let AlertBody::Warnings { alerts, .. } = &alert.body {
            for member in alerts {
                if let Some(member) = self.alert(*member)? {
                    self.put_alert(&AlertRecord { notice, ..member })?;
                }
            }
        }
        self.put_alert(&AlertRecord { notice, ..alert })
    }
}
