//! Main accounts.

use super::engine::{always, template};
use super::{Card, CardContext, Cards};
use crate::app::accounts::{AccountRow, AccountsView};

/// The facts of the accounts card.
struct AccountsFacts<'a> {
    rows: Vec<Row<'a>>,
    total: usize,
    page: usize,
    pages: usize,
    replacing: Option<Replaced<'a>>,
}

/// An account.
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    hint: &'a str,
    active: bool,
    users: usize,
    balance: Option<String>,
    low: bool,
    error: Option<&'a str>,
    read: Option<String>,
}

/// The account whose key pair is replaced.
struct Replaced<'a> {
    id: &'a str,
    name: &'a str,
    hint: &'a str,
}

always!(Replaced<'_>);
template!("accounts");

impl Cards {
    /// Main accounts: `/accounts`, `accounts.open`, `account.save`, `account.toggle`.
    pub fn accounts(&self, view: &AccountsView, ctx: &CardContext) -> Card {
        let facts = AccountsFacts {
            rows: view.accounts.iter().map(|row| self.account_row(row)).collect(),
            total: view.total,
            page: view.page,
            pages: view.pages,
            replacing: view.replacing.as_ref().map(|account| Replaced {
                id: account.id.as_str(),
                name: account.name.as_str(),
                hint: account.hint.as_str(),
            }),
        };
        self.card(ctx, &facts)
    }

    fn account_row<'a>(&self, row: &'a AccountRow) -> Row<'a> {
        let words = self.words;
        let account = &row.account;
        let balance = row.balance.as_ref();
        let available = balance.and_then(|read| read.available);
        Row {
            id: account.id.as_str(),
            name: account.name.as_str(),
            hint: account.hint.as_str(),
            active: account.active.is_on(),
            users: row.users,
            balance: available.map(|amount| amount.to_string()),
            low: available.is_some_and(|amount| !amount.is_positive()),
            error: balance.and_then(|read| read.error.as_deref()),
            read: balance.map(|read| words.time(read.at)),
        }
    }
}
