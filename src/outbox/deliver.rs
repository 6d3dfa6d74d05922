//! One try to deliver one message, and what follows from its outcome.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::failure::Failure;
use super::file;
use super::mentions::{Whom, mentioning, named_in, with_note, without};
use super::substitute::{substitute, tell_admins};
use super::{BACKOFF, BACKOFF_UNDER_A_LIMIT, Outbox, poison, secrets};
use crate::address;
use crate::app::export::{self, Export, ExportError, Form};
use crate::clock::{Moment, is_recent};
use crate::domain::{
    AlertBody, AlertRecord, ChatId, Dispatch, FilePlace, MessageId, OpenId, OwedMessage, Problem,
    UpdateTarget,
};
use crate::feishu::{Content, CustomBot, Disposition, Recipient};
use crate::store::StoreError;

/// How long a message waits for a permission before administrators are told.
const TELL_AFTER: SignedDuration = SignedDuration::from_mins(1);

impl Outbox {
    /// Tries to deliver. Returns the id of the message that this created in the chat, if it created one.
    pub(super) async fn deliver(&self, owed: &OwedMessage) -> Result<Option<MessageId>, Failure> {
        let mut people = self.people.behind(&owed.mention_mobiles).await;
        people.extend(self.people.not_refused(&owed.mention_people));
        let mut seen = HashSet::new();
        people.retain(|person| seen.insert(person.clone()));
        let mut card = mentioning(owed.dispatch.card(), &people);
        if let Some(left_out) = self.left_out_of_test(owed).await? {
            card = with_note(&card, &left_out);
        }
        let mut sent = self.send(owed, card.clone()).await;
        // Feishu refuses a card that has one person it does not know. It is sent first without those that the refusal
        // names, then without anybody: the figures matter more.
        for attempt in 0..2 {
            let Err(Failure::Feishu(error)) = &sent else { break };
            if !error.is_about_person_in_card() {
                break;
            }
            let named = named_in(error);
            let whom = if attempt == 0 { Whom::Only(&named) } else { Whom::Everybody };
            if let Some(fewer) = without(&card, whom) {
                tracing::warn!(
                    owed = owed.id,
                    ?named,
                    "Feishu refuses a card because of a person in it"
                );
                self.refused(&named).await;
                card = fewer;
                sent = self.send(owed, card.clone()).await;
            }
        }
        sent
    }

    /// Says whom a test alert does not mention, if there is somebody: other alerts are about something else.
    async fn left_out_of_test(&self, owed: &OwedMessage) -> Result<Option<String>, Failure> {
        let left_out = self.people.not_found(&owed.mention_mobiles);
        let (Some(id), false) = (owed.alert, left_out.is_empty()) else { return Ok(None) };
        let alert = self.parts.store.reading(move |tx| tx.alert(id)).await?;
        let is_test = alert.is_some_and(|alert| {
            matches!(alert.body, AlertBody::Error { problem: Problem::Test { .. } })
        });
        let words = self.parts.cards.words();
        let list = left_out.join(&words.t("list.separator", &[]));
        Ok(is_test.then(|| words.t("config.mobiles_left_out", &[("mobiles", &list)])))
    }

    /// Remembers people that Feishu refuses: they are neither mentioned nor offered again.
    async fn refused(&self, people: &[String]) {
        self.people.forget(people);
        let people: Vec<OpenId> = people.iter().filter_map(|id| OpenId::new(id).ok()).collect();
        let noted = self.parts.store.writing(move |tx| tx.refuse_people(&people)).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "a refused person could not be recorded");
        }
    }

    /// Sends the message with this card.
    pub(super) async fn send(
        &self,
        owed: &OwedMessage,
        card: String,
    ) -> Result<Option<MessageId>, Failure> {
        let sent = match &owed.dispatch {
            Dispatch::ToChat { chat, .. } => {
                let to = Recipient::Chat(chat.as_str());
                self.parts.feishu.send(&to, &Content::Card(card), &owed.uuid).await?
            }
            Dispatch::ToPerson { person, .. } => {
                let to = Recipient::OpenId(person.as_str());
                let sent = self.parts.feishu.send(&to, &Content::Card(card), &owed.uuid).await?;
                self.learn_direct_chat(person, &sent.chat_id).await;
                sent
            }
            Dispatch::File { place, table, name } => {
                let content = Content::File(self.upload(table, name).await?);
                match place {
                    FilePlace::Message { id } => {
                        self.parts.feishu.reply(id.as_str(), &content, &owed.uuid).await?
                    }
                    FilePlace::Person { id } => {
                        let to = Recipient::OpenId(id.as_str());
                        self.parts.feishu.send(&to, &content, &owed.uuid).await?
                    }
                }
            }
            Dispatch::Secret { person, sealed, .. } => {
                let card = secrets::opened(&self.parts.store, person, sealed).await?;
                let to = Recipient::OpenId(person.as_str());
                self.parts.feishu.send(&to, &Content::SecretCard(card), &owed.uuid).await?
            }
            Dispatch::Reply { to, .. } => {
                self.parts.feishu.reply(to.as_str(), &Content::Card(card), &owed.uuid).await?
            }
            Dispatch::Update { target, .. } => {
                self.parts
                    .feishu
                    .update_card(self.message_of(target).await?.as_str(), &card)
                    .await?;
                return Ok(None);
            }
            Dispatch::Recall { message } => {
                match self.parts.feishu.recall(message.as_str()).await {
                    Err(error) if error.disposition() != Disposition::MessageGone => {
                        return Err(error.into());
                    }
                    // Somebody was faster.
                    Ok(()) | Err(_) => return Ok(None),
                }
            }
            Dispatch::Webhook { .. } => {
                self.post_webhook(&card).await?;
                return Ok(None);
            }
        };
        Ok(MessageId::new(sent.message_id).ok())
    }

    /// Writes a table to a file and uploads it. Returns the file's key.
    async fn upload(&self, table: &str, name: &str) -> Result<String, Failure> {
        let table = Export::from_word(table).ok_or(Failure::Impossible("delivery.no_table"))?;
        let words = self.parts.cards.words();
        let file = self.parts.store.reading(move |tx| {
            let mut file = file::Bounded::default();
            let title = |alert: &AlertRecord| words.alert_title(alert);
            match export::write_csv(tx, table, Form::Spreadsheet, title, &mut file) {
                Ok(()) => Ok(Some(file.into_bytes())),
                // A file in memory only fails when it grows too large.
                Err(ExportError::Write(_)) => Ok(None),
                Err(ExportError::Store(error)) => Err(error),
            }
        });
        let file = file.await?.ok_or(Failure::Impossible("delivery.too_large"))?;
        Ok(self.parts.feishu.upload_file(name, file).await?)
    }

    /// Stores which chat is the direct one with a person. Feishu names it in its answer to a message to that person.
    async fn learn_direct_chat(&self, person: &OpenId, chat: &str) {
        let (person, Ok(chat)) = (person.clone(), ChatId::new(chat)) else { return };
        let kept = self.parts.store.writing(move |tx| tx.put_direct_chat(&person, &chat)).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "a direct chat could not be stored");
        }
    }

    async fn message_of(&self, target: &UpdateTarget) -> Result<MessageId, Failure> {
        match target {
            UpdateTarget::Message { id } => Ok(id.clone()),
            UpdateTarget::SentBy { owed } => {
                let owed = *owed;
                let sent = self.parts.store.reading(move |tx| tx.sent_as(owed)).await?;
                sent.ok_or(Failure::Impossible("delivery.never_sent"))
            }
        }
    }

    async fn post_webhook(&self, card: &str) -> Result<(), Failure> {
        let alerts = self.parts.alerts.clone();
        let settings = self.parts.store.reading(move |tx| alerts.settings_in_force(tx)).await?;
        let url = settings.webhook_url.ok_or(Failure::Impossible("delivery.webhook_removed"))?;
        let url = address::webhook_url(&url, &self.parts.base_url)
            .map_err(|_| Failure::Impossible("delivery.webhook_refused"))?;
        let card =
            serde_json::from_str(card).map_err(|_| Failure::Impossible("delivery.refused"))?;
        let bot =
            CustomBot::new(url, self.parts.webhook_secret.clone(), self.parts.webhook_timeout)?;
        Ok(bot.send_card(&card, self.parts.clock.now()).await?)
    }

    /// Keeps a message until an administrator has granted what the app lacks, and tells them.
    async fn wait_for_permission(
        &self,
        owed: OwedMessage,
        reason: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_told = !is_recent(owed.created, TELL_AFTER, now);
        let (cards, alerts) = (std::sync::Arc::clone(&self.parts.cards), self.parts.alerts.clone());
        self.parts
            .store
            .writing(move |tx| {
                tx.note_try(&owed)?;
                if is_told {
                    let text = "undelivered.waiting";
                    tell_admins(tx, &cards, &alerts, &owed, text, &reason, now)?;
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        if is_told {
            self.parts.wakers.outbox.notify_one();
        }
        Ok(())
    }

    /// Records the failure of a try that began at `began`: the message is retried later, or given up and replaced by a
    /// substitute.
    pub(super) async fn note_failure(
        &self,
        mut owed: OwedMessage,
        failure: Failure,
        began: Moment,
    ) -> Result<(), StoreError> {
        let disposition = match &failure {
            Failure::Feishu(error) => error.disposition(),
            // The person is still waiting for the table.
            Failure::Impossible(_) if matches!(owed.dispatch, Dispatch::File { .. }) => {
                Disposition::Refused
            }
            Failure::Impossible(_) => Disposition::MessageGone,
            Failure::Store(_) => Disposition::RetryLater,
        };
        let reason = failure.in_words(self.parts.cards.words());
        let now = self.parts.clock.now();
        let retry_at = match disposition {
            Disposition::RetryAfter(pause) => {
                let pause = pause.min(BACKOFF.longest);
                Some(BACKOFF_UNDER_A_LIMIT.retry_no_sooner(pause, owed.attempts, now))
            }
            Disposition::RetryLater
            | Disposition::Unclear
            | Disposition::Credentials
            | Disposition::NotPermitted => Some(BACKOFF.retry_at(owed.attempts, now)),
            Disposition::ChatGone
            | Disposition::RecipientUnreachable
            | Disposition::MessageGone
            | Disposition::TooOldToUpdate
            | Disposition::Refused => None,
        };
        if let (Failure::Feishu(error), Some(retry_at)) = (&failure, retry_at)
            && let Some(endpoint) = error.endpoint().filter(|_| error.is_limit_of_app())
        {
            let mut limited = self.limited.lock();
            let until = limited.entry(endpoint).or_insert(retry_at);
            *until = retry_at.max(*until);
        }
        owed.attempts = owed.attempts.saturating_add(1);
        if matches!(&failure, Failure::Feishu(error) if error.may_have_sent()) {
            owed.first_tried.get_or_insert(began.at());
            self.first_tries.lock().entry(owed.id).or_insert(began);
            owed.last_tried = Some(now);
        }
        owed.last_error = Some(reason.clone());
        owed.failing_since = poison::failing_since(&owed, &failure, began.at());
        if let Some(retry_at) = retry_at {
            if self.settle_poison(&owed, &failure, &reason).await? {
                self.first_tries.lock().remove(&owed.id);
                return Ok(());
            }
            tracing::warn!(
                owed = owed.id,
                lane = owed.lane,
                attempts = owed.attempts,
                %failure,
                "not delivered yet"
            );
            owed.not_before = retry_at;
            if disposition == Disposition::NotPermitted {
                return self.wait_for_permission(owed, reason, now).await;
            }
            return self.parts.store.writing(move |tx| tx.note_try(&owed)).await;
        }
        tracing::error!(owed = owed.id, lane = owed.lane, %failure, "message given up");
        let has_left = matches!(&failure, Failure::Feishu(error) if error.is_about_leaver());
        self.first_tries.lock().remove(&owed.id);
        let (cards, alerts) = (std::sync::Arc::clone(&self.parts.cards), self.parts.alerts.clone());
        self.parts
            .store
            .writing(move |tx| {
                // The refused card may be the older one: the newer one has not been tried yet.
                if tx.was_renewed(&owed)? {
                    return Ok(());
                }
                // The substitute is enqueued first, so that an alert never counts as lost in between.
                secrets::lost(tx, &cards, &mut owed, &reason, now)?;
                substitute(tx, &cards, &alerts, &owed, disposition, &reason, now)?;
                if let (true, Dispatch::ToPerson { person, .. }) = (has_left, &owed.dispatch) {
                    alerts.owner_left(tx, person, "", now)?;
                }
                tx.give_up(&owed, &reason, now)
            })
            .await?;
        self.parts.wakers.outbox.notify_one();
        Ok(())
    }
}
