//! Files that people send: a CSV file of an administrator in the direct chat is imported; everything else is answered why not.

use std::sync::Arc;

use super::messages::origin_of;
use super::origin::Reply;
use super::reaction::Reaction;
use super::roles::Allowed;
use super::state::Bot;
use crate::app::batches;
use crate::cards::{BatchView, CardContext, Tone};
use crate::domain::{BatchSource, MessageId, Needs, OpenId};
use crate::feishu::{CallbackAnswer, ChatKind, MessageReceived, SentFile};
use crate::store::StoreError;

/// Longest name of a file that is kept, in characters.
const NAME_CHARS: usize = 100;

impl Bot {
    /// Answers a file. It is downloaded later, by a task that reports to the answer: the platform may be slow.
    pub(super) async fn file(
        &self,
        event_id: String,
        sender: OpenId,
        message_id: MessageId,
        message: MessageReceived,
        file: SentFile,
    ) -> Result<Reaction, StoreError> {
        let is_csv = file.name.to_lowercase().ends_with(".csv");
        let allowed = Allowed::check(self.roles.of(&sender), Needs::Admin);
        // A group sees files that are not meant for the bot: only those that it could have imported are answered.
        if message.chat_kind == ChatKind::Group && (!is_csv || allowed.is_none()) {
            return Ok(Reaction::Ignored);
        }
        let origin = origin_of(&message, message_id.clone(), event_id);
        let (handlers, now) = (Arc::clone(&self.handlers), self.handlers.clock.now());
        let denied = allowed.is_none();
        let answered = self.store.writing(move |tx| {
            if !origin.claim(tx, &sender, now)? {
                return Ok::<_, StoreError>(None);
            }
            let words = handlers.cards.words();
            let name: String = file.name.chars().take(NAME_CHARS).collect();
            let no = |tone: Tone, text: String| {
                Reply::card(handlers.cards.message(tone, &words.t("import.title", &[]), &text))
            };
            let reply = match allowed {
                None => no(Tone::Error, words.t("import.not_admin", &[])),
                Some(_) if !origin.direct => no(Tone::Info, words.t("import.not_direct", &[])),
                Some(_) if !is_csv => no(Tone::Info, words.t("import.not_csv", &[("name", &name)])),
                Some(allowed) => {
                    let source = BatchSource::File {
                        message: message_id,
                        key: file.key,
                        name,
                        digest: String::new(),
                    };
                    let by = handlers.operator(tx, &sender)?;
                    let batch = batches::ask(tx, source, &by, None, now)?;
                    let task = batches::task(&batch);
                    let view = BatchView { batch, people: Default::default() };
                    let ctx = CardContext::new(allowed.role(), now).for_person(sender.clone());
                    Reply::card(handlers.cards.batch(&view, &ctx)).with_task(task)
                }
            };
            origin.enqueue(tx, &handlers.alerts, &reply, now)?;
            Ok(Some(reply))
        });
        let Some(reply) = answered.await? else { return Ok(Reaction::Duplicate) };
        self.wakers.outbox.notify_one();
        if let Some(task) = &reply.task {
            self.wake_for_task(task);
        }
        Ok(if denied { Reaction::Denied(CallbackAnswer::default()) } else { Reaction::Handled })
    }
}
