//! `users.list` and `user.open`: the list of users, and a single user.

use super::action::Action;
use super::fields::Fields;
use crate::app::outcome::{UserFilter, UserSort};
use crate::app::{Error, Refusal, listing, users};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext, EVERY_ACCOUNT, ListPlace};
use crate::domain::{AccountId, UserKey};
use crate::store::{Source, View};

/// `users.list`
#[derive(Debug, PartialEq, Eq)]
pub struct UsersList(pub ListPlace);

impl Action for UsersList {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        place_of(fields).map(Self)
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let Self(place) = self;
        let settings = handlers.settings(tx)?;
        let page = listing::list(tx, &settings, place, ctx.now)?;
        Ok(handlers.cards.users(&page, ctx))
    }
}

/// Reads a place in the list: which users are meant, and in which order.
pub(super) fn place_of(fields: &Fields<'_>) -> Result<ListPlace, Refusal> {
    // A select's value says what its option chooses.
    let (chosen, option) = (fields.text("choose"), fields.option());
    let word = |name: &str| match &chosen {
        Some(chosen) if chosen == name => option.clone(),
        _ => fields.text(name),
    };
    let filter = match word("filter") {
        Some(word) => UserFilter::from_word(&word).ok_or(Refusal::BadField("filter"))?,
        None => UserFilter::All,
    };
    let sort = match word("sort") {
        Some(word) => UserSort::from_word(&word).ok_or(Refusal::BadField("sort"))?,
        None => UserSort::Usage,
    };
    let account = match word("account").filter(|account| account != EVERY_ACCOUNT) {
        Some(id) => Some(AccountId::new(id).map_err(|_| Refusal::BadField("account"))?),
        None => None,
    };
    let (page, query) = (fields.page(), fields.search());
    Ok(ListPlace { page, filter, query, sort, account })
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
