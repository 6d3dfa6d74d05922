//! Events that are not commands: the bot's menu, a chat that somebody opens, a group that adds or removes the bot.

use std::sync::Arc;

use super::origin::{Destination, Origin};
use super::reaction::Reaction;
use super::state::Bot;
use crate::app::steps;
use crate::cards::text::clip;
use crate::cards::{Card, CardContext, Tone};
use crate::domain::{ChatId, Dispatch, OpenId, Role};
use crate::feishu::Piece;
use crate::outbox::{chat_lane, person_lane};
use crate::store::{NewMessage, Source, StoreError, View};

impl Bot {
    /// Handles a menu item. Its key is a command; the reply goes to the person's direct chat, since the event names no
    /// chat.
    pub(super) async fn menu(
        &self,
        event_id: String,
        operator: String,
        key: &str,
    ) -> Result<Reaction, StoreError> {
        let Ok(person) = OpenId::new(operator) else { return Ok(Reaction::Ignored) };
        let origin = Origin {
            lane: person_lane(&person),
            destination: Destination::Person(person.clone()),
            direct: true,
            chat: None,
            keys: keys(&event_id),
        };
        let _turn = self.chats.turn(&origin.lane).await;
        self.answer(person, &[Piece::Words(key.to_owned())], origin).await
    }

    /// Welcomes somebody who opened the direct chat. The event arrives every time; the welcome is sent once.
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
        let handlers = Arc::clone(&self.handlers);
        let asker = person.clone();
        let card = self.store.looking(move |tx| handlers.welcome_person(tx, role, asker)).await?;
        let direct = (person.clone(), chat.clone());
        self.welcome(event_id, person.to_string(), chat, Some(direct), card).await
    }

    /// Welcomes a group that added the bot.
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
        let name = clip(&name, 60);
        let text = self.handlers.cards.words().t("welcome.group", &[("name", &name)]);
        let card = self.handlers.help_for_group(role, Some((Tone::Info, text)));
        self.welcome(event_id, chat.to_string(), chat, None, card).await
    }

    /// Forgets a group that removed the bot or was disbanded. If it adds the bot again, it is welcomed again.
    pub(super) async fn bot_removed(
        &self,
        event_id: String,
        chat: String,
    ) -> Result<Reaction, StoreError> {
        let now = self.handlers.clock.now();
        let first = self
            .store
            .writing(move |tx| {
                // If the event arrives again later, the group may have added the bot again.
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
        welcomed: String,
        chat: ChatId,
        direct: Option<(OpenId, ChatId)>,
        card: Card,
    ) -> Result<Reaction, StoreError> {
        let now = self.handlers.clock.now();
        let first = self
            .store
            .writing(move |tx| {
                if !tx.claim(&keys(&event_id), now)? {
                    return Ok::<_, StoreError>(false);
                }
                if let Some((person, chat)) = &direct {
                    tx.put_direct_chat(person, chat)?;
                }
                if tx.welcome(&welcomed, now)? {
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

impl super::handlers::Handlers {
    /// The greeting of a person: the first steps for an administrator while one is left, else the commands.
    fn welcome_person<S: Source>(
        &self,
        tx: &View<S>,
        role: Role,
        person: OpenId,
    ) -> Result<Card, StoreError> {
        let left = steps::view(tx)?;
        if !role.may_change() || left.next().is_none() {
            return Ok(self.welcome(role, "welcome.person", &[]));
        }
        let text = self.cards.words().t("welcome.admin", &[]);
        let ctx = CardContext::new(role, self.clock.now())
            .for_person(person)
            .with_banner(Tone::Info, text);
        Ok(self.cards.first_steps(&left, &ctx))
    }

    /// The help card with a greeting on top.
    fn welcome(
        &self,
        role: Role,
        text: &str,
        arguments: &[(&str, &dyn std::fmt::Display)],
    ) -> Card {
        let text = self.cards.words().t(text, arguments);
        self.help(role, None, None, Some((Tone::Info, text)))
    }
}

fn keys(event_id: &str) -> Vec<String> {
    (!event_id.is_empty()).then(|| format!("e:{event_id}")).into_iter().collect()
}
