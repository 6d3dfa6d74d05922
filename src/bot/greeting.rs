//! Events that are no commands: the bot's menu, a chat that is opened for the first time, a group that takes the bot in.

use super::{Bot, Destination, Place, Reaction};
use crate::cards::{Card, Role, Tone};
use crate::domain::{ChatId, Dispatch, OpenId};
use crate::outbox::{chat_lane, person_lane};
use crate::store::{NewMessage, StoreError};

impl Bot {
    /// A menu item was pressed: its key is a command, answered in the person's direct chat (the event names no chat).
    pub(super) async fn menu(
        &self,
        event_id: String,
        operator: String,
        key: &str,
    ) -> Result<Reaction, StoreError> {
        let Ok(person) = OpenId::new(operator) else { return Ok(Reaction::Ignored) };
        let place = Place {
            lane: person_lane(&person),
            destination: Destination::Person(person.clone()),
            direct: true,
            heard: None,
            keys: keys(&event_id),
        };
        let _turn = self.chats.turn(&place.lane).await;
        self.answer(person, key, place).await
    }

    /// Somebody opened the direct chat. The event comes every time; the welcome once.
    pub(super) async fn chat_entered(
        &self,
        event_id: String,
        chat: String,
        operator: String,
    ) -> Result<Reaction, StoreError> {
        let (Ok(person), Ok(chat)) = (OpenId::new(operator), ChatId::new(chat)) else {
            return Ok(Reaction::Ignored);
        };
        let role = self.roles.of(&person);
        let card = self.reader.welcome(role, "welcome.person", &[]);
        let known = (person.clone(), chat.clone());
        self.welcome(event_id, person.to_string(), chat, Some(known), card).await
    }

    /// A group took the bot in.
    pub(super) async fn bot_added(
        &self,
        event_id: String,
        chat: String,
        operator: Option<String>,
        name: String,
    ) -> Result<Reaction, StoreError> {
        let Ok(chat) = ChatId::new(chat) else { return Ok(Reaction::Ignored) };
        let operator = operator.and_then(|id| OpenId::new(id).ok());
        let role = operator.map_or(Role::Stranger, |id| self.roles.of(&id));
        let name = crate::cards::text::clip(&name, 60);
        let card = self.reader.welcome(role, "welcome.group", &[("name", &name), ("chat", &chat)]);
        self.welcome(event_id, chat.to_string(), chat, None, card).await
    }

    /// A group put the bot out, or is no more: should it take the bot in again, it is welcomed again.
    pub(super) async fn bot_removed(
        &self,
        event_id: String,
        chat: String,
    ) -> Result<Reaction, StoreError> {
        let now = self.reader.clock.now();
        let first = self
            .store
            .writing(move |tx| {
                // Told again later, it may have been taken in again since.
                if !tx.claim(&keys(&event_id), now)? {
                    return Ok::<_, StoreError>(false);
                }
                tx.forget_welcome(&chat)?;
                tx.forget_chat(&chat)?;
                Ok(true)
            })
            .await?;
        Ok(if first { Reaction::Handled } else { Reaction::Duplicate })
    }

    async fn welcome(
        &self,
        event_id: String,
        whom: String,
        chat: ChatId,
        direct: Option<(OpenId, ChatId)>,
        card: Card,
    ) -> Result<Reaction, StoreError> {
        let now = self.reader.clock.now();
        let first = self
            .store
            .writing(move |tx| {
                if !tx.claim(&keys(&event_id), now)? {
                    return Ok::<_, StoreError>(false);
                }
                if let Some((person, chat)) = &direct {
                    tx.put_direct_chat(person, chat)?;
                }
                if tx.welcome(&whom, now)? {
                    let lane = chat_lane(chat.as_str());
                    let dispatch = Dispatch::ToChat { chat, card: card.into_string() };
                    let message = NewMessage::new(&lane, dispatch, now);
                    tx.owe(message, now)?;
                }
                Ok(true)
            })
            .await?;
        self.wakers.outbox.notify_one();
        Ok(if first { Reaction::Handled } else { Reaction::Duplicate })
    }
}

impl super::Reader {
    /// The help card with a greeting on top.
    fn welcome(
        &self,
        role: Role,
        text: &str,
        arguments: &[(&str, &dyn std::fmt::Display)],
    ) -> Card {
        let text = self.cards.words().t(text, arguments);
        self.help_with(role, None, None, Some((Tone::Info, text)))
    }
}

fn keys(event_id: &str) -> Vec<String> {
    (!event_id.is_empty()).then(|| format!("e:{event_id}")).into_iter().collect()
}
