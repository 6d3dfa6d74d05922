//! A message: whether it is for the bot, and the pieces of the command in it.

use super::origin::{Destination, Origin};
use super::reaction::{HandleError, Reaction};
use super::state::Bot;
use crate::domain::{MessageId, OpenId};
use crate::feishu::{ChatKind, MessageReceived};
use crate::outbox::chat_lane;

impl Bot {
    /// Handles a message: one in a direct chat, or one in a group that mentions the bot.
    pub(super) async fn message(
        &self,
        event_id: String,
        message: MessageReceived,
    ) -> Result<Reaction, HandleError> {
        if !message.sender_is_user {
            return Ok(Reaction::Ignored);
        }
        let (Ok(sender), Ok(message_id)) = (
            OpenId::new(message.sender_open_id.clone()),
            MessageId::new(message.message_id.clone()),
        ) else {
            return Ok(Reaction::Ignored);
        };
        let _turn = self.chats.turn(&message.chat_id).await;
        if let Some(file) = message.file.clone() {
            return Ok(self.file(event_id, sender, message_id, message, file).await?);
        }
        let own_id = self.own_id.for_message(&message).await?;
        let read = message.text_for_bot(own_id.as_ref().map(OpenId::as_str));
        let pieces = match (message.chat_kind, read) {
            (ChatKind::Direct, read) => read.map(|read| read.pieces).unwrap_or_default(),
            (ChatKind::Group, Some(read)) if read.mentioned => read.pieces,
            (ChatKind::Group, _) => return Ok(Reaction::Ignored),
        };
        let origin = origin_of(&message, message_id, event_id);
        Ok(self.answer(sender, &pieces, origin).await?)
    }
}

/// Where a message came from.
pub(super) fn origin_of(
    message: &MessageReceived,
    message_id: MessageId,
    event_id: String,
) -> Origin {
    let mut keys = vec![format!("m:{message_id}")];
    keys.extend((!event_id.is_empty()).then(|| format!("e:{event_id}")));
    Origin {
        lane: chat_lane(&message.chat_id),
        destination: Destination::Reply(message_id),
        direct: message.chat_kind == ChatKind::Direct,
        chat: Some((message.chat_id.clone(), message.created_at)),
        keys,
    }
}
