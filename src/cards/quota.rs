//! A user's quota and its ledger.

use jiff::Timestamp;

use super::engine::template;
use super::facts::{self, Figures, Tag};
use super::{Card, CardContext, Cards};
use crate::app::outcome::QuotaView;
use crate::domain::LedgerEntry;

/// The facts of the quota card.
struct QuotaFacts<'a> {
    key: String,
    name: &'a str,
    display: &'a str,
    template: &'static str,
    status: Tag,
    figures: Figures,
    stale: Option<String>,
    entries: Vec<Entry<'a>>,
    total_entries: u64,
}

/// An entry of the ledger.
struct Entry<'a> {
    time: String,
    amount: String,
    added: bool,
    total: String,
    note: &'a str,
    operator: String,
}

template!("quota");

impl Cards {
    /// The quota card: `/quota`, `quota.open`, `quota.allocate`.
    pub fn quota(&self, view: &QuotaView, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &view.user;
        let entries = view.entries.iter().map(|entry| self.quota_entry(entry, ctx.now));
        let facts = QuotaFacts {
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            template: facts::user_template(user, view.level),
            status: facts::status(words, user, None),
            figures: facts::user_figures(words, user, view.level),
            stale: facts::stale(words, view.stale),
            entries: entries.collect(),
            total_entries: view.total_entries,
        };
        self.card(ctx, &facts)
    }

    fn quota_entry<'a>(&self, entry: &'a LedgerEntry, now: Timestamp) -> Entry<'a> {
        let sign = if entry.amount.is_negative() { "" } else { "+" };
        Entry {
            time: self.words.time_seen(entry.at, now),
            amount: format!("{sign}{}", entry.amount),
            added: !entry.amount.is_negative(),
            total: entry.total_after.to_string(),
            note: entry.note.as_str(),
            operator: self.words.operator(&entry.operator),
        }
    }
}
