//! A message that the platform answers with an error every time, although others could be sent: it must not keep its lane
//! waiting forever.
//!
//! After [`POISON_AFTER`] of such answers, the plain form of the message follows each failed try at once. If the platform
//! accepts the plain form, the content was at fault, and the plain form takes the message's place; otherwise the platform
//! or the chat is at fault, and the message keeps waiting with its content. So an outage costs no content, however long
//! it lasts.

use jiff::{SignedDuration, Timestamp};

use super::failure::Failure;
use super::substitute::plain_form;
use super::{Outbox, secrets};
use crate::domain::OwedMessage;
use crate::feishu::{Disposition, Error};
use crate::store::StoreError;

/// How long the platform may answer a message with errors before its plain form is tried.
const POISON_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Since when the platform has answered this message with errors, given that the last try, which began at `began`, ended
/// with `failure`. No connection, no answer and no permission say nothing about the message; a rate limit changes nothing.
pub(super) fn failing_since(
    owed: &OwedMessage,
    failure: &Failure,
    began: Timestamp,
) -> Option<Timestamp> {
    let Failure::Feishu(error) = failure else { return None };
    let is_answer = matches!(error, Error::Platform(_) | Error::Unreadable { .. });
    match error.disposition() {
        Disposition::RetryLater | Disposition::Unclear if is_answer => {
            Some(owed.failing_since.unwrap_or(began))
        }
        Disposition::RetryAfter(_) => owed.failing_since,
        _ => None,
    }
}

impl Outbox {
    /// Tries the plain form of a message that has failed for too long. Returns whether the message is settled.
    pub(super) async fn settle_poison(
        &self,
        owed: &OwedMessage,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let now = self.parts.clock.now();
        if owed.failing_since.is_none_or(|since| now.duration_since(since) < POISON_AFTER) {
            return Ok(false);
        }
        // An error does not prove that the message was not sent.
        if let Some(first) = owed.first_tried.filter(|_| owed.dispatch.makes_a_message())
            && let Ok(Some(message)) = self.look_up(owed, first).await
        {
            tracing::info!(owed = owed.id, %message, "found in the chat: it was delivered earlier");
            let owed = owed.clone();
            self.parts.store.writing(move |tx| tx.delivered(&owed, Some(&message))).await?;
            return Ok(true);
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
