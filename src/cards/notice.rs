//! What a user's owner is told in the direct chat.

use super::engine::template;
use super::facts::{self, Figures, Tag};
use super::text::clip;
use super::{Card, CardContext, Cards, Tone};
use crate::app::outcome::UserDetail;
use crate::app::people::OwnerNotice;
use crate::domain::{AccessGoal, LedgerEntry, RequestState, UserStatus};

/// Max users that a notice of many lists.
const LISTED: usize = 20;

/// The facts of the card.
struct NoticeFacts<'a> {
    key: String,
    title: String,
    template: &'static str,
    subtitle: &'a str,
    status: Tag,
    text: String,
    note: Option<&'a str>,
    figures: Figures,
    unbilled: Option<String>,
    month: Option<String>,
    forecast: Option<String>,
    can_ask: bool,
}

template!("notice");

impl Cards {
    /// What happened to a person's user, how it stands, and the way to ask for more.
    pub fn notice(&self, notice: &OwnerNotice, detail: &UserDetail, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &detail.user;
        let (title, text, tone) = self.notice_text(notice, detail);
        let facts = NoticeFacts {
            key: user.key.to_string(),
            title,
            template: match tone {
                Tone::Info => "blue",
                Tone::Success => "green",
                Tone::Warning => "orange",
                Tone::Error => "red",
            },
            subtitle: detail.account_name.as_str(),
            status: words.standing(user, detail.condition, detail.pending.as_ref()),
            text,
            note: match notice {
                OwnerNotice::Request(request) => super::request::decided(&request.state)
                    .map(|decided| decided.note.as_str())
                    .filter(|note| !note.is_empty()),
                OwnerNotice::Quota(entry) => {
                    Some(entry.note.as_str()).filter(|note| !note.is_empty())
                }
                _ => None,
            },
            figures: facts::figures(words, user.quota, user.consumed, Some(&detail.thresholds)),
            unbilled: facts::unbilled(words, detail.unbilled.as_ref(), detail.hidden.as_ref()),
            month: detail.month.and_then(|month| facts::month(words, user, &month)),
            forecast: detail.forecast.and_then(|it| facts::forecast(words, &it)),
            can_ask: user.status != UserStatus::Gone,
        };
        self.card(ctx, &facts)
    }

    /// What one person booked for several of an owner's users: the title, and the card.
    pub fn notice_of_many(&self, booked: &[LedgerEntry]) -> (String, Card) {
        let words = self.words;
        let title = words.t("owner.quotas", &[("count", &booked.len())]);
        let by = booked.first().map(|entry| {
            let mut text =
                words.t("owner.quotas_by", &[("person", &words.operator(&entry.operator))]);
            // Of a file, each row has its own.
            if !entry.note.is_empty() && booked.iter().all(|other| other.note == entry.note) {
                text = format!("{text} · {}", clip(&entry.note, 200));
            }
            text
        });
        let line = |entry: &LedgerEntry| {
            let name = clip(entry.user.username.as_str(), 40);
            let sign = if entry.amount.is_negative() { "" } else { "+" };
            let amount = format!("{sign}{}", entry.amount);
            let args: [(&str, &dyn std::fmt::Display); 3] =
                [("user", &name), ("amount", &amount), ("total", &entry.total_after)];
            let mut text = words.t("owner.quotas_line", &args);
            if let Some(day) = entry.parties.until {
                text.push_str(&words.until(day));
            }
            text
        };
        let more = booked.len().saturating_sub(LISTED);
        let more = (more > 0).then(|| words.t("batch.more_rows", &[("count", &more)]));
        let lines = booked.iter().take(LISTED).map(line);
        let text: Vec<String> = by.into_iter().chain(lines).chain(more).collect();
        let card = self.message(Tone::Info, &title, &text.join("\n"));
        (title, card)
    }

    /// The title of that card.
    pub fn notice_title(&self, notice: &OwnerNotice, detail: &UserDetail) -> String {
        self.notice_text(notice, detail).0
    }

    fn notice_text(&self, notice: &OwnerNotice, detail: &UserDetail) -> (String, String, Tone) {
        let words = self.words;
        let name = detail.user.key.username.as_str();
        match notice {
            OwnerNotice::Alert(alert) => {
                let tone = match alert.body {
                    crate::domain::AlertBody::Disable { .. } => Tone::Error,
                    _ => Tone::Warning,
                };
                (words.alert_title(alert), words.t("owner.alert", &[]), tone)
            }
            OwnerNotice::Quota(entry) => {
                let operator = words.operator(&entry.operator);
                let args: [(&str, &dyn std::fmt::Display); 3] = [
                    ("person", &operator),
                    ("amount", &entry.amount),
                    ("total", &entry.total_after),
                ];
                let mut text = words.t("owner.quota_text", &args);
                if let Some(day) = entry.parties.until {
                    text.push_str(&words.until(day));
                }
                (words.t("owner.quota", &[("user", &name)]), text, Tone::Info)
            }
            OwnerNotice::Access(goal) => {
                let (key, tone) = match goal {
                    AccessGoal::Cut => ("owner.cut", Tone::Error),
                    AccessGoal::Restored => ("owner.restored", Tone::Success),
                };
                (words.t(key, &[("user", &name)]), words.t("owner.access", &[]), tone)
            }
            OwnerNotice::Request(request) => {
                let tone = match request.state {
                    RequestState::Granted { .. } => Tone::Success,
                    RequestState::Refused { .. } => Tone::Error,
                    _ => Tone::Info,
                };
                let title = words.t("owner.request", &[("user", &name)]);
                (title, words.request_state(&request.state), tone)
            }
        }
    }
}
