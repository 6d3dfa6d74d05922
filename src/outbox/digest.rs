//! Sends digests: to those who decide, and to each owner their own part. Cards are made on a snapshot, so that writers do not
//! wait; the transaction that owes them also notes that they were sent, so that none is sent twice however often the process
//! ends in between.

use jiff::{SignedDuration, Timestamp};

use super::alerts::Alerts;
use super::lanes::person_lane;
use crate::app::digest::{has_anything, owned, owners, view};
use crate::cards::{Card, CardContext};
use crate::domain::{
    DigestLog, DigestSpan, Dispatch, OpenId, Role, Settings, Switch, Telling, UserKey,
};
use crate::store::{NewMessage, Source, Store, StoreError, View, WriteTx};

/// How many owners are told in one transaction. For each such step, all users are looked through once.
const OWNERS_AT_ONCE: usize = 25;

/// What the next transaction does.
enum Step {
    /// Sends a digest, or leaves it out because there is nothing to say.
    Send(DigestSpan, Option<Card>),
    /// Tells some owners; then whether others are left.
    Tell(Telling, Vec<(OpenId, Card)>, bool),
}

/// How late a cycle may begin.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Returns whether a cycle has ended about when the digest fell due, or later.
fn is_read_for<S: Source>(
    tx: &View<S>,
    span: DigestSpan,
    settings: &Settings,
) -> Result<bool, StoreError> {
    let interval = SignedDuration::try_from(settings.interval).unwrap_or(SignedDuration::MAX);
    let last = tx.monitor_state()?.last.map(|report| report.ended);
    Ok(last
        .is_some_and(|ended| span.due_at().duration_since(ended) <= interval.saturating_add(LATE)))
}

impl Alerts {
    /// Sends what is due, to everybody who gets it. Returns whether anything was enqueued. Where bills are read (`monitored`),
    /// a digest waits for the cycle that belongs to its time: after a start it would be made of what was read before.
    ///
    /// # Errors
    /// A [`StoreError`]. What was enqueued stays, and the next call goes on.
    pub async fn send_digests(
        &self,
        store: &Store,
        monitored: Switch,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut any = false;
        loop {
            let alerts = self.clone();
            let Some(step) = store.reading(move |tx| alerts.next_step(tx, monitored, now)).await?
            else {
                return Ok(any);
            };
            let alerts = self.clone();
            any |= store.writing(move |tx| alerts.take_step(tx, step, now)).await?;
        }
    }

    fn next_step<S: Source>(
        &self,
        tx: &View<S>,
        monitored: Switch,
        now: Timestamp,
    ) -> Result<Option<Step>, StoreError> {
        let (log, settings) = (tx.digest_log()?, self.settings_in_force(tx)?);
        if let Some(telling) = log.telling {
            return self.owners_to_tell(tx, &settings, telling, now).map(Some);
        }
        let Some(span) = settings.digest.and_then(|kind| log.due(kind, now)) else {
            return Ok(None);
        };
        if monitored.is_on() && !is_read_for(tx, span, &settings)? {
            return Ok(None);
        }
        let card = match has_anything(tx)? {
            true => Some(self.digest_card(tx, &settings, span, None, now)?),
            false => None,
        };
        Ok(Some(Step::Send(span, card)))
    }

    fn owners_to_tell<S: Source>(
        &self,
        tx: &View<S>,
        settings: &Settings,
        telling: Telling,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let is_left = |owner: &OpenId| telling.after.as_ref().is_none_or(|after| owner > after);
        let mut left: Vec<OpenId> = owners(tx).into_iter().filter(is_left).collect();
        if !settings.notify_owners {
            left.clear();
        }
        let more = left.len() > OWNERS_AT_ONCE;
        left.truncate(OWNERS_AT_ONCE);
        let mut cards = Vec::with_capacity(left.len());
        let mut owned = match left.is_empty() {
            true => Default::default(),
            false => owned(tx),
        };
        for owner in left {
            let own = owned.remove(&owner).unwrap_or_default();
            let card = self.digest_card(tx, settings, telling.span, Some(own), now)?;
            cards.push((owner, card));
        }
        Ok(Step::Tell(telling, cards, more))
    }

    fn digest_card<S: Source>(
        &self,
        tx: &View<S>,
        settings: &Settings,
        span: DigestSpan,
        own: Option<Vec<UserKey>>,
        now: Timestamp,
    ) -> Result<Card, StoreError> {
        let is_own = own.is_some();
        let view = view(tx, settings, span, own, now)?;
        let ctx = match is_own {
            true => CardContext::new(Role::Stranger, now),
            false => {
                let in_group = settings.alert_chat.is_some();
                CardContext { in_group, ..CardContext::new(Role::Admin, now) }
            }
        };
        Ok(self.cards().digest(&view, &ctx))
    }

    /// Carries out a step, unless another one came first. Returns whether it enqueued anything.
    fn take_step(&self, tx: &WriteTx, step: Step, now: Timestamp) -> Result<bool, StoreError> {
        let mut log = tx.digest_log()?;
        match step {
            Step::Send(span, card) => {
                if log.telling.is_some() || log.due(span.kind(), now) != Some(span) {
                    return Ok(false);
                }
                log.note(span);
                if let Some(card) = &card {
                    self.to_deciders(tx, card, now)?;
                    log.telling = Some(Telling { span, after: None });
                }
                tx.put_digest_log(&log)?;
                Ok(card.is_some())
            }
            Step::Tell(telling, cards, more) => {
                if log.telling.as_ref() != Some(&telling) {
                    return Ok(false);
                }
                let last = cards.last().map(|(owner, _)| owner.clone());
                let any = last.is_some();
                let title = self.cards().digest_title(telling.span);
                for (person, card) in cards {
                    let lane = person_lane(&person);
                    let dispatch = Dispatch::ToPerson { person, card: card.into_string() };
                    let message = NewMessage::new(&lane, dispatch, now);
                    tx.owe(message.telling_owner(Some(title.clone())), now)?;
                }
                let telling = more.then_some(Telling { after: last, ..telling });
                tx.put_digest_log(&DigestLog { telling, ..log })?;
                Ok(any)
            }
        }
    }
}
