//! The entry point: passes an event to the file that handles its kind.

use super::reaction::{HandleError, Reaction};
use super::state::Bot;
use crate::feishu::{Event, EventKind};

impl Bot {
    /// Handles an event once, however often it arrives.
    ///
    /// # Errors
    /// The event was not handled; the platform should send it again.
    pub async fn handle(&self, event: Event) -> Result<Reaction, HandleError> {
        if let Some(tenant) = &event.tenant_key {
            self.learn_tenant(tenant).await?;
        }
        Ok(match event.kind {
            EventKind::Message(message) => self.message(event.event_id, message).await?,
            EventKind::CardAction(action) => self.click(event.event_id, action).await?,
            EventKind::BotMenu { operator_open_id, event_key } => {
                self.menu(event.event_id, operator_open_id, &event_key).await?
            }
            EventKind::ChatEntered { chat_id, operator_open_id } => {
                self.remember_chat(chat_id.clone(), true, event.created_at).await?;
                self.chat_entered(event.event_id, chat_id, operator_open_id).await?
            }
            EventKind::BotAdded { chat_id, operator_open_id, name } => {
                self.remember_chat(chat_id.clone(), false, event.created_at).await?;
                self.bot_added(event.event_id, chat_id, operator_open_id, name).await?
            }
            EventKind::BotRemoved { chat_id } | EventKind::ChatDisbanded { chat_id } => {
                self.bot_removed(event.event_id, chat_id).await?
            }
            EventKind::MembersChanged { chat_id } => self.members_left(chat_id, &[]).await?,
            EventKind::MembersLeft { chat_id, open_ids } => {
                self.members_left(chat_id, &open_ids).await?
            }
            EventKind::PersonLeft { open_id, name } => {
                self.person_left(event.event_id, open_id, name).await?
            }
        })
    }
}
