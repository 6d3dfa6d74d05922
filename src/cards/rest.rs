//! What no user pays for, and making a user pay for it.

use std::borrow::Cow;

use super::engine::{always, template};
use super::text::clip;
use super::{Banner, Card, CardContext, Cards, Tone, days, facts};
use crate::app::outcome::{RestLinking, RestPart, RestRow, RestView};
use crate::domain::{Money, ProjectLink, User, UserKey};

/// How much the card shows; the first size that fits is used.
const SIZES: [Shown; 4] = [
    Shown { options: 60, label: 48 },
    Shown { options: 40, label: 48 },
    Shown { options: 20, label: 24 },
    Shown { options: 0, label: 12 },
];
/// Max users that a row names, and offers a button for.
const USERS: usize = 2;
/// Max length of an option's label, in characters.
const OPTION_CHARS: usize = 40;

/// How much of what no user pays for the card shows.
#[derive(Clone, Copy)]
struct Shown {
    /// Max users to choose from; other names can be typed. Each option counts as an element (R5).
    options: usize,
    /// Max length of a project's display name, in characters.
    label: usize,
}

/// The facts of the card of what no user pays for.
struct RestFacts<'a> {
    account: &'a str,
    account_name: String,
    period: String,
    unattributed: String,
    parts: Option<String>,
    stale: Option<String>,
    rows: Vec<Row<'a>>,
    page: usize,
    pages: usize,
    label_chars: usize,
    linking: Option<Linking<'a>>,
}

/// A project that nobody pays for, or usage without a project.
struct Row<'a> {
    label: Cow<'a, str>,
    id: Option<&'a str>,
    project: Option<&'a str>,
    amount: String,
    why: String,
    unlinked: bool,
    off: Vec<Payer<'a>>,
}

/// A user whose link to the project is off.
struct Payer<'a> {
    key: String,
    name: &'a str,
}

/// The form that makes a user pay for a project.
struct Linking<'a> {
    project: &'a str,
    label: &'a str,
    id: Option<&'a str>,
    cost: String,
    options: Vec<Candidate>,
    chosen: Option<&'a str>,
    more: usize,
    typed: bool,
}

/// A user to choose.
struct Candidate {
    value: String,
    text: String,
}

always!(Linking<'_>);
template!("rest");

impl Cards {
    /// What no user pays for in a month of an account: `billing.rest`.
    pub fn rest(&self, view: &RestView, ctx: &CardContext) -> Card {
        let [most, less @ ..] = SIZES;
        less.into_iter().fold(self.rest_with(view, ctx, most), |card, shown| {
            if card.fits() { card } else { self.rest_with(view, ctx, shown) }
        })
    }

    fn rest_with(&self, view: &RestView, ctx: &CardContext, shown: Shown) -> Card {
        let words = self.words;
        let share = view.share.as_ref();
        let unattributed = share.map_or(Money::ZERO, |share| share.bill.unattributed);
        let parts = share.map(|share| {
            let mut parts = vec![words.t(
                "rest.parts",
                &[("bill", &share.bill.total), ("users", &share.bill.of_users())],
            )];
            parts.extend(
                share.bill_to.map(|day| words.t("billing.bill_to", &[("date", &days::short(day))])),
            );
            if share.uncounted > 0 {
                parts.push(words.t("billing.uncounted", &[("count", &share.uncounted)]));
            }
            parts.join(" · ")
        });
        let linking = view.linking.as_ref().filter(|_| ctx.role.may_change());
        let facts = RestFacts {
            account: view.account.as_str(),
            account_name: facts::account(&view.account_name, &view.account),
            period: view.period.to_string(),
            unattributed: unattributed.to_string(),
            parts,
            stale: share.and_then(|share| facts::stale(words, share.stale)),
            rows: view.rows.iter().map(|row| self.rest_row(row)).collect(),
            page: view.page,
            pages: view.pages,
            label_chars: shown.label,
            linking: linking.map(|linking| rest_form(linking, ctx, shown)),
        };
        self.card(ctx, &facts)
    }

    fn rest_row<'a>(&self, row: &'a RestRow) -> Row<'a> {
        let words = self.words;
        let amount = row.amount.to_string();
        let RestPart::Project { project, label, off, later } = &row.part else {
            return Row {
                label: words.t("rest.no_project", &[]).into(),
                id: None,
                project: None,
                amount,
                why: words.t("rest.no_project_why", &[]),
                unlinked: false,
                off: Vec::new(),
            };
        };
        let why = match later.first() {
            Some((user, since)) => {
                let user = clip(user.username.as_str(), OPTION_CHARS);
                words.t("rest.later", &[("user", &user), ("since", since)])
            }
            None if off.is_empty() => words.t("rest.unlinked", &[]),
            None => words.t("rest.off", &[("users", &self.some_names(off))]),
        };
        let off = off
            .iter()
            .take(USERS)
            .map(|user| Payer { key: user.to_string(), name: user.username.as_str() });
        Row {
            label: label.into(),
            id: (label != project.as_str()).then(|| project.as_str()),
            project: Some(project.as_str()),
            amount,
            why,
            unlinked: row.part.unlinked().is_some(),
            // Somebody who pays from a later month on is the one to ask.
            off: if later.is_empty() { off.collect() } else { Vec::new() },
        }
    }

    /// The first users of a list, and how many more there are.
    fn some_names(&self, users: &[UserKey]) -> String {
        let mut names: Vec<String> = users
            .iter()
            .take(USERS)
            .map(|user| clip(user.username.as_str(), OPTION_CHARS))
            .collect();
        if let Some(more) = users.len().checked_sub(USERS).filter(|more| *more > 0) {
            names.push(format!("+{more}"));
        }
        names.join(&self.words.t("list.separator", &[]))
    }

    /// Says that a user pays for a project from now on, and the usage.
    pub fn now_paid(&self, link: &ProjectLink, user: &User) -> Banner {
        let usage = user.usage();
        let key = match user.quota.is_positive() {
            false => "rest.done_unallocated",
            true => "rest.done",
        };
        let project = clip(link.label(), OPTION_CHARS);
        let name = clip(user.key.username.as_str(), OPTION_CHARS);
        let (since, percent) = (link.since, usage.percent());
        let text = self.words.t(
            key,
            &[("project", &project), ("since", &since), ("user", &name), ("percent", &percent)],
        );
        Banner { tone: Tone::Success, text }
    }
}

fn rest_form<'a>(linking: &'a RestLinking, ctx: &'a CardContext, shown: Shown) -> Linking<'a> {
    let listed = linking.candidates.get(..shown.options).unwrap_or(&linking.candidates);
    let options = listed.iter().map(|(user, display_name)| Candidate {
        value: user.to_string(),
        text: label(user, display_name),
    });
    let more = linking.more.saturating_add(linking.candidates.len().saturating_sub(listed.len()));
    let chosen = ctx.form.values.get("user").map(String::as_str);
    let chosen = chosen.filter(|chosen| listed.iter().any(|(user, _)| user.to_string() == *chosen));
    Linking {
        project: linking.project.as_str(),
        label: linking.label.as_str(),
        id: (linking.label != linking.project.as_str()).then(|| linking.project.as_str()),
        cost: linking.cost.to_string(),
        options: options.collect(),
        chosen,
        more,
        typed: more > 0,
    }
}

fn label(user: &UserKey, display_name: &str) -> String {
    let (name, display) = (user.username.as_str(), display_name.trim());
    if display.is_empty() || display == name {
        return clip(name, OPTION_CHARS);
    }
    format!("{} ({})", clip(display, OPTION_CHARS), clip(name, OPTION_CHARS))
}
