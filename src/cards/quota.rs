//! A user's quota and its ledger.

use std::borrow::Cow;

use jiff::Timestamp;

use super::condition::user_template;
use super::engine::template;
use super::facts::{self, Figures, Pending, Tag};
use super::{Card, CardContext, Cards};
use crate::app::outcome::QuotaView;
use crate::domain::{LedgerEntry, Offer, Preset, UserCard};

/// Max lines about temporary quota and second approvals.
const WAITING: usize = 5;

/// The facts of the quota card.
struct QuotaFacts<'a> {
    key: String,
    name: &'a str,
    display: &'a str,
    template: &'static str,
    status: Tag,
    figures: Figures,
    stale: Option<String>,
    /// Temporary quota that runs, and what waits for a second administrator.
    waiting: Vec<String>,
    entries: Vec<Entry<'a>>,
    total_entries: u64,
    offers: Vec<OfferFacts>,
    undo: Option<u64>,
    undo_of: String,
    pending: Option<Pending<'a>>,
    /// Whether access is cut and can be restored.
    restores: bool,
    last_day: Option<String>,
}

/// An amount on offer.
struct OfferFacts {
    text: String,
    amount: String,
    leads_to: String,
}

/// An entry of the ledger.
struct Entry<'a> {
    time: String,
    amount: String,
    added: bool,
    total: String,
    note: Cow<'a, str>,
    operator: String,
}

template!("quota");

impl Cards {
    /// The quota card: `/quota`, `quota.open`, `quota.allocate`, `quota.allocate_enable`, `quota.undo`.
    pub fn quota(&self, view: &QuotaView, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &view.user;
        let pending = view.pending.as_ref();
        let undoable = view.entries.iter().find(|entry| Some(entry.seq) == view.undoable);
        let entries = view.entries.iter().map(|entry| self.quota_entry(entry, ctx.now));
        let facts = QuotaFacts {
            last_day: facts::picked_day(ctx),
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            template: user_template(user, view.condition, pending),
            status: words.standing(user, view.condition, pending),
            figures: facts::figures(words, user.quota, user.consumed, Some(&view.thresholds)),
            stale: facts::stale(words, view.stale),
            waiting: self.waiting_quota(view),
            entries: entries.collect(),
            total_entries: view.total_entries,
            offers: view.offers.iter().map(|offer| self.offer(offer)).collect(),
            undo: undoable.map(|entry| entry.seq),
            undo_of: undoable.map(|entry| self.undo_of(entry)).unwrap_or_default(),
            pending: pending.map(|pending| facts::pending(words, pending)),
            restores: view.can_restore,
        };
        self.card(ctx, &facts).of_user(&user.key, UserCard::Quota, ctx)
    }

    fn waiting_quota(&self, view: &QuotaView) -> Vec<String> {
        let words = self.words;
        let running = view
            .temporary
            .iter()
            .map(|it| words.t("quota.running", &[("amount", &it.amount), ("day", &it.last_day)]));
        let second = view.approvals.iter().map(|it| {
            let by = words.operator(&it.by);
            words.t("quota.second", &[("amount", &it.amount), ("person", &by)])
        });
        running.chain(second).take(WAITING).collect()
    }

    fn offer(&self, offer: &Offer) -> OfferFacts {
        let words = self.words;
        let amount = offer.amount.to_string();
        OfferFacts {
            text: match offer.preset {
                Preset::Fixed => amount,
                Preset::Fifth => words.t("quota.offer_fifth", &[("amount", &amount)]),
                Preset::HalfFree => words.t("quota.offer_half_free", &[("amount", &amount)]),
            },
            amount: offer.amount.plain(),
            leads_to: words.t("quota.leads_to", &[("percent", &offer.usage.percent())]),
        }
    }

    /// What the button for undoing undoes.
    pub(super) fn undo_of(&self, entry: &LedgerEntry) -> String {
        let words = self.words;
        let (time, operator) = (words.time(entry.at), words.operator(&entry.operator));
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("amount", &self.signed(entry)), ("operator", &operator), ("time", &time)];
        words.t("quota.undo_of", &values)
    }

    fn signed(&self, entry: &LedgerEntry) -> String {
        let sign = if entry.amount.is_negative() { "" } else { "+" };
        format!("{sign}{}", entry.amount)
    }

    /// The note of an entry; what it did besides, if it has none.
    fn note<'a>(&self, entry: &'a LedgerEntry) -> Cow<'a, str> {
        match entry.undoes {
            Some(_) => self.words.t("quota.undone", &[]).into(),
            None if entry.note.is_empty() && entry.with_access => {
                self.words.t("quota.with_access", &[]).into()
            }
            None => entry.note.as_str().into(),
        }
    }

    fn quota_entry<'a>(&self, entry: &'a LedgerEntry, now: Timestamp) -> Entry<'a> {
        Entry {
            time: self.words.time_seen(entry.at, now),
            amount: self.signed(entry),
            added: !entry.amount.is_negative(),
            total: entry.total_after.to_string(),
            note: self.note(entry),
            operator: self.parties(entry),
        }
    }

    /// Who had a part in an entry.
    fn parties(&self, entry: &LedgerEntry) -> String {
        let others = [&entry.parties.requested_by, &entry.parties.confirmed_by];
        let everybody = std::iter::once(&entry.operator).chain(others.into_iter().flatten());
        let names: Vec<String> = everybody.map(|it| self.words.operator(it)).collect();
        names.join(" + ")
    }
}
