//! One try to deliver one owed message, and what follows from how it went.

use jiff::Timestamp;

use super::alerts::Audience;
use super::file;
use super::substitute::in_place_of;
use super::{Outbox, reason, secrets};
use crate::address;
use crate::app::export::{self, ExportError, Form, Table};
use crate::domain::{
    AlertRecord, ChatId, Dispatch, FilePlace, MessageId, OpenId, OwedMessage, UpdateTarget,
};
use crate::feishu::{Content, CustomBot, Disposition, Error, Recipient};
use crate::store::StoreError;

/// Why a try failed, in the words of the log; [`reason::in_words`] has those for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The platform's error.
    #[error(transparent)]
    Feishu(#[from] Error),
    /// It can never be delivered as it is; the key of the text that says why.
    #[error("{0}")]
    Impossible(&'static str),
    /// The store's error: try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outbox {
    /// Tries to deliver; the message that it became, where it made one.
    pub(super) async fn deliver(&self, owed: &OwedMessage) -> Result<Option<MessageId>, Failure> {
        let people = self.people.behind(&owed.mention_mobiles).await;
        let card = mentioning(owed.dispatch.card(), &people);
        let sent = match &owed.dispatch {
            Dispatch::ToChat { chat, .. } => {
                let to = Recipient::Chat(chat.as_str());
                self.feishu.send(&to, &Content::Card(card), &owed.uuid).await?
            }
            Dispatch::ToPerson { person, .. } => {
                let to = Recipient::OpenId(person.as_str());
                let sent = self.feishu.send(&to, &Content::Card(card), &owed.uuid).await?;
                self.learn_direct_chat(person, &sent.chat_id).await;
                sent
            }
            Dispatch::File { place, table, name } => {
                let content = Content::File(self.upload(table, name).await?);
                match place {
                    FilePlace::Message { id } => {
                        self.feishu.reply(id.as_str(), &content, &owed.uuid).await?
                    }
                    FilePlace::Person { id } => {
                        let to = Recipient::OpenId(id.as_str());
                        self.feishu.send(&to, &content, &owed.uuid).await?
                    }
                }
            }
            Dispatch::Secret { person, sealed, .. } => {
                let card = secrets::opened(&self.store, person, sealed).await?;
                let to = Recipient::OpenId(person.as_str());
                self.feishu.send(&to, &Content::SecretCard(card), &owed.uuid).await?
            }
            Dispatch::Reply { to, .. } => {
                self.feishu.reply(to.as_str(), &Content::Card(card), &owed.uuid).await?
            }
            Dispatch::Update { target, .. } => {
                self.feishu.update_card(self.message_of(target).await?.as_str(), &card).await?;
                return Ok(None);
            }
            Dispatch::Webhook { .. } => {
                self.post_webhook(&card).await?;
                return Ok(None);
            }
        };
        Ok(MessageId::new(sent.message_id).ok())
    }

    /// Makes the file of a table and uploads it. Returns its key.
    async fn upload(&self, table: &str, name: &str) -> Result<String, Failure> {
        let table = Table::from_word(table).ok_or(Failure::Impossible("delivery.no_table"))?;
        let words = self.cards.words();
        let file = self.store.reading(move |tx| {
            let mut file = file::Bounded::default();
            let title = |alert: &AlertRecord| words.alert_title(alert);
            match export::write_csv(tx, table, Form::Spreadsheet, title, &mut file) {
                Ok(()) => Ok(Some(file.into_bytes())),
                // Only its size stops a file in memory.
                Err(ExportError::Write(_)) => Ok(None),
                Err(ExportError::Store(error)) => Err(error),
            }
        });
        let file = file.await?.ok_or(Failure::Impossible("delivery.too_large"))?;
        Ok(self.feishu.upload_file(name, file).await?)
    }

    /// A message to a person tells which chat is the direct one.
    async fn learn_direct_chat(&self, person: &OpenId, chat: &str) {
        let (person, Ok(chat)) = (person.clone(), ChatId::new(chat)) else { return };
        let kept = self.store.writing(move |tx| tx.put_direct_chat(&person, &chat)).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "a direct chat could not be kept");
        }
    }

    async fn message_of(&self, target: &UpdateTarget) -> Result<MessageId, Failure> {
        match target {
            UpdateTarget::Message { id } => Ok(id.clone()),
            UpdateTarget::SentBy { owed } => {
                let owed = *owed;
                let sent = self.store.reading(move |tx| tx.sent_as(owed)).await?;
                sent.ok_or(Failure::Impossible("delivery.never_sent"))
            }
        }
    }

    async fn post_webhook(&self, card: &str) -> Result<(), Failure> {
        let configured = self.settings.clone();
        let settings = self
            .store
            .reading(move |tx| Ok::<_, StoreError>(tx.saved_settings()?.over(&configured)))
            .await?;
        let url = settings.webhook_url.ok_or(Failure::Impossible("delivery.webhook_removed"))?;
        let url = address::webhook_url(&url, &self.base_url)
            .map_err(|_| Failure::Impossible("delivery.webhook_refused"))?;
        let card =
            serde_json::from_str(card).map_err(|_| Failure::Impossible("delivery.refused"))?;
        let bot = CustomBot::new(url, self.webhook_secret.clone(), self.webhook_timeout)?;
        Ok(bot.send_card(&card, self.clock.now()).await?)
    }

    /// Notes a failed try that began at `began`: later again, somewhere else, or given up.
    pub(super) async fn note_failure(
        &self,
        mut owed: OwedMessage,
        failure: Failure,
        began: Timestamp,
    ) -> Result<(), StoreError> {
        let disposition = match &failure {
            Failure::Feishu(error) => error.disposition(),
            Failure::Impossible(_) => Disposition::MessageGone,
            Failure::Store(_) => Disposition::RetryLater,
        };
        let reason = reason::in_words(self.cards.words(), &failure);
        let again_at = match disposition {
            Disposition::RetryAfter(pause) => Some(self.retry_at(owed.attempts, Some(pause))),
            Disposition::RetryLater | Disposition::Unclear | Disposition::Credentials => {
                Some(self.retry_at(owed.attempts, None))
            }
            Disposition::ChatGone
            | Disposition::RecipientUnreachable
            | Disposition::MessageGone
            | Disposition::TooOldToUpdate
            | Disposition::Refused => None,
        };
        if let (Failure::Feishu(error), Some(again_at)) = (&failure, again_at)
            && let Some(endpoint) = error.endpoint().filter(|_| error.is_limit_of_app())
        {
            let mut limited = self.limited.lock();
            let until = limited.entry(endpoint).or_insert(again_at);
            *until = again_at.max(*until);
        }
        let now = self.clock.now();
        owed.attempts = owed.attempts.saturating_add(1);
        if matches!(&failure, Failure::Feishu(error) if error.may_have_sent()) {
            owed.first_tried.get_or_insert(began);
            owed.last_tried = Some(now);
        }
        owed.last_error = Some(reason.clone());
        if let Some(again_at) = again_at {
            tracing::warn!(
                owed = owed.id,
                lane = owed.lane,
                attempts = owed.attempts,
                %failure,
                "not delivered yet"
            );
            owed.not_before = again_at;
            return self.store.writing(move |tx| tx.note_try(&owed)).await;
        }
        tracing::error!(owed = owed.id, lane = owed.lane, %failure, "a message was given up");
        let (configured, admins) = (self.settings.clone(), self.admins.clone());
        let cards = std::sync::Arc::clone(&self.cards);
        self.store
            .writing(move |tx| {
                // Its card may have been refused; the newer one is still to be tried.
                if tx.was_renewed(&owed)? {
                    return Ok(());
                }
                let settings = tx.saved_settings()?.over(&configured);
                let audience = Audience { cards: &cards, settings: &settings, admins: &admins };
                // What takes its place is owed before it is given up, so that an alert never counts as lost in between.
                secrets::lost(tx, &cards, &mut owed, &reason, now)?;
                in_place_of(tx, audience, &owed, disposition, &reason, now)?;
                tx.give_up(&owed, &reason, now)
            })
            .await?;
        self.bell.notify_one();
        Ok(())
    }
}

/// The card with a line on top that mentions `people`: where the alert's own template has them.
fn mentioning(card: &str, people: &[String]) -> String {
    if people.is_empty() {
        return card.to_owned();
    }
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(card) else {
        return card.to_owned();
    };
    let mentions: Vec<String> = people.iter().map(|id| format!("<at id={id}></at>")).collect();
    let line = serde_json::json!({ "tag": "markdown", "content": mentions.join(" ") });
    match value.pointer_mut("/body/elements").and_then(serde_json::Value::as_array_mut) {
        Some(elements) => elements.insert(0, line),
        None => return card.to_owned(),
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_come_first_and_only_where_there_are_people() {
        let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"hr"}]}}"#;
        assert_eq!(mentioning(card, &[]), card);
        let people = ["ou_a".to_owned(), "ou_b".to_owned()];
        let value: serde_json::Value = serde_json::from_str(&mentioning(card, &people)).unwrap();
        assert_eq!(value["body"]["elements"][0]["content"], "<at id=ou_a></at> <at id=ou_b></at>");
    }
}
