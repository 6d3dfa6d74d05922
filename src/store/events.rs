//! Exactly-once handling: events and messages already seen, and forms already applied.

use jiff::{SignedDuration, Timestamp};
use redb::ReadableTable;

use super::tables::{OPS, OPS_BY_TIME, SEEN, SEEN_BY_TIME};
use super::values::OpOutcome;
use super::view::{Source, View};
use super::{StoreError, WriteTx};
use crate::domain::{EVENT_WINDOW, OpId};

/// How long rows of seen events are kept: somewhat longer than the event window.
const SEEN_KEPT: SignedDuration = SignedDuration::from_hours(EVENT_WINDOW.as_hours() + 1);
/// How long outcomes are kept. A card can be clicked for 14 days after it was sent (卡片 JSON 2.0 版本更新说明).
const OPS_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);
/// The most old rows removed with each new one.
const PRUNED_AT_ONCE: usize = 20;

impl<S: Source> View<S> {
    /// Returns how a form was answered when it was first submitted.
    pub fn op_outcome(&self, op: &OpId) -> Result<Option<OpOutcome>, StoreError> {
        self.get(OPS, op.as_str())
    }

    /// Returns whether any of `keys` was claimed within [`EVENT_WINDOW`].
    pub fn is_seen(&self, keys: &[String], now: Timestamp) -> Result<bool, StoreError> {
        let seen = self.open(SEEN)?;
        for key in keys {
            let at = seen.get(key.as_str())?.map(|at| at.value());
            if at.is_some_and(|at| at > millis_before(now, EVENT_WINDOW)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl WriteTx {
    /// Claims an event by all its keys (event id, message id). Returns false, and changes nothing, if one of them was
    /// claimed within [`EVENT_WINDOW`]: the event has already been handled.
    pub fn claim(&self, keys: &[String], now: Timestamp) -> Result<bool, StoreError> {
        if self.is_seen(keys, now)? {
            return Ok(false);
        }
        let mut seen = self.open(SEEN)?;
        let mut by_time = self.open(SEEN_BY_TIME)?;
        for key in keys {
            seen.insert(key.as_str(), now.as_millisecond())?;
            by_time.insert((now.as_millisecond(), key.as_str()), ())?;
        }
        let old: Vec<(i64, String)> = by_time
            .range(..(millis_before(now, SEEN_KEPT), ""))?
            .take(PRUNED_AT_ONCE)
            .map(|row| row.map(|(key, _)| (key.value().0, key.value().1.to_owned())))
            .collect::<Result<_, _>>()?;
        for (at, key) in old {
            by_time.remove((at, key.as_str()))?;
            // A key may have been claimed again since.
            let still = seen.get(key.as_str())?.map(|seen_at| seen_at.value());
            if still == Some(at) {
                seen.remove(key.as_str())?;
            }
        }
        Ok(true)
    }

    /// Stores how a form was answered.
    pub fn put_op_outcome(&self, op: &OpId, outcome: &OpOutcome) -> Result<(), StoreError> {
        self.put(OPS, op.as_str(), outcome)?;
        let mut by_time = self.open(OPS_BY_TIME)?;
        by_time.insert((outcome.at.as_millisecond(), op.as_str()), ())?;
        let old: Vec<(i64, String)> = by_time
            .range(..(millis_before(outcome.at, OPS_KEPT), ""))?
            .take(PRUNED_AT_ONCE)
            .map(|row| row.map(|(key, _)| (key.value().0, key.value().1.to_owned())))
            .collect::<Result<_, _>>()?;
        let mut ops = self.open(OPS)?;
        for (at, op) in old {
            by_time.remove((at, op.as_str()))?;
            ops.remove(op.as_str())?;
        }
        Ok(())
    }
}

fn millis_before(now: Timestamp, span: SignedDuration) -> i64 {
    now.as_millisecond().saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}
