//! A message on which the platform fails every time, with an error or without an answer, although others could be sent: it
//! must not keep its lane waiting forever.
//!
//! After [`POISON_AFTER`] of such failures, the plain form of the message follows each failed try at once. If the platform
//! accepts the plain form, the content was at fault, and the plain form takes the message's place; otherwise the platform
//! or the chat is at fault, and the message keeps waiting with its content. So an outage costs no content, however long
//! it lasts.

use jiff::{SignedDuration, Timestamp};

use super::failure::Failure;
use super::substitute::plain_form;
use super::{Outbox, secrets};
use crate::domain::{Dispatch, MessageId, OwedMessage, updated_lane};
use crate::feishu::{Disposition, Error};
use crate::store::StoreError;

/// How long the platform may fail on a message before its plain form is tried.
const POISON_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Since when the platform has failed on this message, given that the last try, which began at `began`, ended with
/// `failure`: it answered with an error, or it took the request and never answered. No connection and no permission say
/// nothing about the message; a rate limit changes nothing.
pub(super) fn failing_since(
    owed: &OwedMessage,
    failure: &Failure,
    began: Timestamp,
) -> Option<Timestamp> {
    let Failure::Feishu(error) = failure else { return None };
    let took_it = match error {
        Error::Platform(_) | Error::Unreadable { .. } => true,
        // Nothing recognises a repeated post to a webhook, so a plain one would only come on top.
        Error::Interrupted { .. } => !matches!(owed.dispatch, Dispatch::Webhook { .. }),
        _ => false,
    };
    match error.disposition() {
        Disposition::RetryLater | Disposition::Unclear if took_it => {
            // One in the future was written before the clock was set back.
            Some(owed.failing_since.filter(|since| *since <= began).unwrap_or(began))
        }
        Disposition::RetryAfter(_) => owed.failing_since,
        _ => None,
    }
}

impl Outbox {
    /// Records that the message itself was delivered after all.
    async fn settled(
        &self,
        owed: &OwedMessage,
        message: Option<MessageId>,
    ) -> Result<bool, StoreError> {
        let owed = owed.clone();
        self.parts.store.writing(move |tx| tx.delivered(&owed, message.as_ref())).await?;
        self.parts.wakers.outbox.notify_one();
        Ok(true)
    }

    /// Tries the plain form of a message that has failed for too long. Returns whether the message is settled.
    pub(super) async fn settle_poison(
        &self,
        owed: &OwedMessage,
        failure: &Failure,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let now = self.parts.clock.now();
        if owed.failing_since.is_none_or(|since| now.duration_since(since) < POISON_AFTER) {
            return Ok(false);
        }
        // The card that is there is better than a plain one.
        if updated_lane(&owed.lane).is_some() {
            return self.settled(owed, None).await;
        }
        // An error does not prove that the message was not sent.
        if let Some(first) = owed.first_tried.filter(|_| owed.dispatch.makes_a_message())
            && let Ok(Some(message)) = self.look_up(owed, first).await
        {
            tracing::info!(owed = owed.id, %message, "found in the chat: it was delivered earlier");
            return self.settled(owed, Some(message)).await;
        }
        // A request without an answer may have waited for the end of an outage: the content gets one more chance.
        if matches!(failure, Failure::Feishu(Error::Interrupted { .. }))
            && let Ok(message) = self.deliver(owed).await
        {
            return self.settled(owed, message).await;
        }
        let (cards, row) = (self.parts.cards.clone(), owed.clone());
        let why = reason.to_owned();
        let dispatch =
            self.parts.store.reading(move |tx| plain_form(tx, &cards, &row, &why)).await?;
        let plain = OwedMessage {
            dispatch,
            // The same for every try, so that the platform recognises a message that it has sent already.
            uuid: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, owed.uuid.as_bytes()).to_string(),
            mention_mobiles: Vec::new(),
            mention_people: Vec::new(),
            ..owed.clone()
        };
        let sent = match self.send(&plain, plain.dispatch.card().to_owned()).await {
            Ok(sent) => sent,
            Err(failure) => {
                tracing::warn!(owed = owed.id, lane = owed.lane, %failure, "its plain form fails as well");
                return Ok(false);
            }
        };
        tracing::error!(
            owed = owed.id,
            lane = owed.lane,
            reason,
            "Feishu fails on a message's content; the plain form was sent instead"
        );
        let (cards, mut owed, reason) = (self.parts.cards.clone(), owed.clone(), reason.to_owned());
        self.parts
            .store
            .writing(move |tx| {
                // The newer card has not been tried yet.
                if tx.was_renewed(&owed)? {
                    return Ok(());
                }
                secrets::lost(tx, &cards, &mut owed, &reason, now)?;
                tx.replaced(&owed, sent.as_ref(), &reason, now)
            })
            .await?;
        self.parts.wakers.outbox.notify_one();
        Ok(true)
    }
}
