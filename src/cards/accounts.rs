//! Main accounts.

use minijinja::{Value, context};

use super::{Card, CardContext, Cards};
use crate::app::accounts::{AccountRow, AccountsView};

impl Cards {
    /// Main accounts: `/accounts`, `accounts.open`, `account.save`, `account.toggle`.
    pub fn accounts(&self, view: &AccountsView, ctx: &CardContext) -> Card {
        let rows: Vec<Value> = view.accounts.iter().map(|row| self.account_row(row)).collect();
        let facts = context! {
            rows => rows,
            total => view.total,
            page => view.page,
            pages => view.pages,
            replacing => view.replacing.as_ref().map(|account| context! {
                id => account.id.as_str(),
                name => account.name.as_str(),
                hint => account.hint.as_str(),
            }),
        };
        self.card("accounts.json.j2", ctx, facts)
    }

    fn account_row(&self, row: &AccountRow) -> Value {
        let words = self.words;
        let account = &row.account;
        let balance = row.balance.as_ref();
        context! {
            id => account.id.as_str(),
            name => account.name.as_str(),
            hint => account.hint.as_str(),
            active => account.active.is_on(),
            users => row.users,
            balance => balance.and_then(|read| read.available).map(|amount| amount.to_string()),
            low => balance.and_then(|read| read.available).is_some_and(|amount| !amount.is_positive()),
            error => balance.and_then(|read| read.error.clone()),
            read => balance.map(|read| words.time(read.at)),
        }
    }
}
