//! A user's quota and its ledger.

use jiff::Timestamp;
use minijinja::{Value, context};

use super::facts;
use super::{Card, CardContext, Cards};
use crate::app::outcome::QuotaView;
use crate::domain::LedgerEntry;

impl Cards {
    /// The quota card: `/quota`, `quota.open`, `quota.allocate`.
    pub fn quota(&self, view: &QuotaView, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &view.user;
        let entries: Vec<Value> =
            view.entries.iter().map(|entry| self.quota_entry(entry, ctx.now)).collect();
        let facts = context! {
            key => user.key.to_string(),
            name => user.key.username.as_str(),
            display => user.display_name.as_str(),
            template => facts::user_template(user, view.level),
            status => facts::status(words, user, None),
            figures => facts::user_figures(words, user, view.level),
            stale => facts::stale(words, view.stale),
            entries => entries,
            total_entries => view.total_entries,
        };
        self.card("quota.json.j2", ctx, facts)
    }

    fn quota_entry(&self, entry: &LedgerEntry, now: Timestamp) -> Value {
        let sign = if entry.amount.is_negative() { "" } else { "+" };
        context! {
            time => self.words.time_seen(entry.at, now),
            amount => format!("{sign}{}", entry.amount),
            added => !entry.amount.is_negative(),
            total => entry.total_after.to_string(),
            note => entry.note.as_str(),
            operator => self.words.operator(&entry.operator),
        }
    }
}
