//! `users.list` and `user.open`: the list of users, and a single user.

use super::action::Action;
use super::fields::Fields;
use crate::app::outcome::UserFilter;
use crate::app::{Error, Refusal, listing, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, ListPlace};
use crate::domain::UserKey;
use crate::store::{Source, View};

/// `users.list`
#[derive(Debug, PartialEq, Eq)]
pub struct UsersList(pub ListPlace);

impl Action for UsersList {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self(ListPlace {
            page: fields.page(),
            filter: match fields.text("filter") {
                Some(word) => UserFilter::from_word(&word).ok_or(Refusal::BadField("filter"))?,
                None => UserFilter::All,
            },
            query: fields.search(),
        }))
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let Self(place) = self;
        let settings = handlers.settings(tx)?;
        let page = listing::list(tx, &settings, place.filter, &place.query, place.page)?;
        Ok(handlers.cards.users(&page, ctx))
    }
}

/// `user.open`
#[derive(Debug, PartialEq, Eq)]
pub struct UserOpen {
    /// The user.
    pub user: UserKey,
}

impl Action for UserOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { user: fields.user()? })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        user_card(handlers, tx, &self.user, ctx)
    }
}

/// A user's card.
pub fn user_card<S: Source>(
    handlers: &Handlers,
    tx: &View<S>,
    user: &UserKey,
    ctx: &CardContext,
) -> Result<Card, Error> {
    let settings = handlers.settings(tx)?;
    Ok(handlers.cards.user(&users::card(tx, &settings, users::get(tx, user)?, ctx.now)?, ctx))
}
