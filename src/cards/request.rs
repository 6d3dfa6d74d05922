//! Requests for quota, second approvals, and the list of both.

use std::borrow::Cow;

use jiff::civil::Date;

use super::engine::template;
use super::facts::{self, Figures, Tag};
use super::wording::Wording;
use super::{Card, CardContext, Cards};
use crate::app::approvals::ApprovalView;
use crate::app::requests::{RequestView, WaitingView};
use crate::domain::{
    Approval, ApprovalState, Batch, BatchSource, Decided, LedgerEntry, Money, QuotaRequest,
    RequestState,
};

/// Rows on one page of the list.
const LISTED: usize = 10;

/// The facts of the card of a request.
struct RequestFacts<'a> {
    id: u64,
    key: String,
    name: &'a str,
    template: &'static str,
    subtitle: String,
    tag: Tag,
    asker: String,
    amount: String,
    /// The same as a default of the form.
    asked: String,
    until: Option<String>,
    reason: &'a str,
    state: Option<String>,
    colour: &'static str,
    decision_note: Option<&'a str>,
    figures: Figures,
    unbilled: Option<String>,
    month: Option<String>,
    forecast: Option<String>,
    earlier: Vec<Line>,
    entries: Vec<Line>,
    open: bool,
}

/// An earlier request, or an entry of the ledger.
struct Line {
    time: String,
    text: String,
    amount: String,
}

template!("request");

/// The facts of the card of a second approval.
struct ApprovalFacts<'a> {
    id: u64,
    key: String,
    name: &'a str,
    template: &'static str,
    subtitle: String,
    tag: Tag,
    by: String,
    asker: Option<String>,
    amount: String,
    until: Option<String>,
    note: Option<&'a str>,
    state: Option<String>,
    colour: &'static str,
    lately: String,
    figures: Figures,
    open: bool,
}

template!("approval");

/// The facts of the list of what waits.
struct RequestsFacts<'a> {
    total: usize,
    requests: Vec<Waiting<'a>>,
    approvals: Vec<Waiting<'a>>,
    batches: Vec<Waiting<'a>>,
    page: usize,
    pages: usize,
}

/// Something that waits for a decision.
struct Waiting<'a> {
    id: u64,
    name: Cow<'a, str>,
    who: String,
    amount: String,
    time: String,
    text: Option<Cow<'a, str>>,
}

template!("requests");

impl Cards {
    /// What an administrator needs to decide about a request, and how it was decided: `request.open`, `request.decide`.
    pub fn request(&self, view: &RequestView, ctx: &CardContext) -> Card {
        let words = self.words;
        let (request, user) = (&view.request, &view.user);
        let open = request.state == RequestState::Open && !request.lapses(ctx.now);
        let state = match &request.state {
            RequestState::Open if !open => RequestState::Lapsed { at: ctx.now },
            state => state.clone(),
        };
        let (template, colour) = request_colours(&state);
        let facts = RequestFacts {
            id: request.id,
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            template,
            subtitle: words.t(
                "request.subtitle",
                &[("account", &view.account_name), ("time", &words.time(request.at))],
            ),
            tag: Tag { text: request_word(words, &state), colour: tag_colour(colour) },
            asker: words.operator(&request.by),
            amount: request.amount.to_string(),
            asked: request.amount.plain(),
            until: request.until.map(|day| words.until(day)),
            reason: &request.reason,
            state: (!open).then(|| words.request_state(&state)),
            colour,
            decision_note: decided(&request.state)
                .map(|decided| decided.note.as_str())
                .filter(|note| !note.is_empty()),
            figures: facts::user_figures(words, user),
            unbilled: facts::unbilled(words, view.unbilled.as_ref(), None),
            month: view.month.as_ref().and_then(|month| facts::month(words, user, month)),
            forecast: view.forecast.as_ref().and_then(|it| facts::forecast(words, it)),
            earlier: view.earlier.iter().map(|it| self.earlier(it, ctx)).collect(),
            entries: view.entries.iter().map(|it| self.entry_line(it, ctx)).collect(),
            open,
        };
        self.card(ctx, &facts)
    }

    fn earlier(&self, request: &QuotaRequest, ctx: &CardContext) -> Line {
        Line {
            time: self.words.time_seen(request.at, ctx.now),
            text: request_word(self.words, &request.state),
            amount: request.amount.to_string(),
        }
    }

    fn entry_line(&self, entry: &LedgerEntry, ctx: &CardContext) -> Line {
        let sign = if entry.amount.is_negative() { "" } else { "+" };
        Line {
            time: self.words.time_seen(entry.at, ctx.now),
            text: if entry.note.is_empty() {
                self.words.operator(&entry.operator)
            } else {
                entry.note.clone()
            },
            amount: format!("{sign}{}", entry.amount),
        }
    }

    /// An allocation that needs a second administrator, and how it was decided: `approval.open`, `approval.decide`.
    pub fn approval(&self, view: &ApprovalView, ctx: &CardContext) -> Card {
        let words = self.words;
        let (approval, user) = (&view.approval, &view.user);
        let open = approval.state == ApprovalState::Waiting && !approval.lapses(ctx.now);
        let state = match &approval.state {
            ApprovalState::Waiting if !open => ApprovalState::Lapsed { at: ctx.now },
            state => state.clone(),
        };
        let (template, colour) = match state {
            ApprovalState::Waiting => ("orange", "orange"),
            ApprovalState::Confirmed { .. } => ("green", "green"),
            ApprovalState::Refused { .. } => ("red", "red"),
            ApprovalState::Lapsed { .. } | ApprovalState::Void { .. } => ("grey", "grey"),
        };
        let facts = ApprovalFacts {
            id: approval.id,
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            template,
            subtitle: words.time(approval.at),
            tag: Tag { text: approval_word(words, &state), colour: tag_colour(colour) },
            by: words.operator(&approval.by),
            asker: approval.request.as_ref().map(|(_, asker)| words.operator(asker)),
            amount: approval.amount.to_string(),
            until: approval.until.map(|day| words.until(day)),
            note: Some(approval.note.as_str()).filter(|note| !note.is_empty()),
            state: (!open).then(|| words.approval_state(&state)),
            colour,
            lately: view.lately.to_string(),
            figures: facts::user_figures(words, user),
            open,
        };
        self.card(ctx, &facts)
    }

    /// What waits for a decision: `/requests`, `requests.list`.
    pub fn requests(&self, view: &WaitingView, page: usize, ctx: &CardContext) -> Card {
        let words = self.words;
        let requests = view.requests.iter().map(|request: &QuotaRequest| Waiting {
            id: request.id,
            name: request.user.username.as_str().into(),
            who: words.operator(&request.by),
            amount: request.amount.to_string(),
            time: words.time_seen(request.at, ctx.now),
            text: Some(request.reason.as_str().into()),
        });
        let approvals = view.approvals.iter().map(|approval: &Approval| Waiting {
            id: approval.id,
            name: approval.user.username.as_str().into(),
            who: words.operator(&approval.by),
            amount: approval.amount.to_string(),
            time: words.time_seen(approval.at, ctx.now),
            text: Some(approval.note.as_str().into())
                .filter(|note: &Cow<'_, str>| !note.is_empty()),
        });
        let batches = view.batches.iter().map(|batch| self.waiting_batch(batch, ctx));
        let total = view.requests.len() + view.approvals.len() + view.batches.len();
        let pages = total.div_ceil(LISTED).max(1);
        let page = page.clamp(1, pages);
        // One list of all three: each kind has what it takes up of the page.
        let first = (page - 1).saturating_mul(LISTED);
        let part = |before: usize| {
            (first.saturating_sub(before), first.saturating_add(LISTED).saturating_sub(before))
        };
        let (skip, until) = part(0);
        let requests = requests.take(until).skip(skip).collect();
        let (skip, until) = part(view.requests.len());
        let approvals = approvals.take(until).skip(skip).collect();
        let (skip, until) = part(view.requests.len() + view.approvals.len());
        let batches = batches.take(until).skip(skip).collect();
        self.card(ctx, &RequestsFacts { total, requests, approvals, batches, page, pages })
    }

    fn waiting_batch<'a>(&self, batch: &'a Batch, ctx: &CardContext) -> Waiting<'a> {
        let words = self.words;
        let plan = batch.plan.as_ref();
        let count = plan.map_or(0, |plan| plan.rows);
        Waiting {
            id: batch.id,
            name: words.t("requests.users", &[("count", &count)]).into(),
            who: words.operator(&batch.by),
            amount: plan.map_or(Money::ZERO, |plan| plan.total).to_string(),
            time: words.time_seen(batch.at, ctx.now),
            text: Some(match &batch.source {
                BatchSource::List { change, .. } => words.list_change(change).into(),
                BatchSource::File { name, .. } => name.as_str().into(),
            }),
        }
    }
}

impl Wording {
    /// The last day of temporary quota.
    pub(super) fn until(self, day: Date) -> String {
        self.t("quota.until_day", &[("day", &day)])
    }
}

pub(super) fn decided(state: &RequestState) -> Option<&Decided> {
    match state {
        RequestState::WaitsForSecond { decided, .. }
        | RequestState::Granted { decided, .. }
        | RequestState::Refused { decided } => Some(decided),
        RequestState::Open | RequestState::Withdrawn { .. } | RequestState::Lapsed { .. } => None,
    }
}

/// The colours of the header and of a box.
fn request_colours(state: &RequestState) -> (&'static str, &'static str) {
    match state {
        RequestState::Open => ("blue", "blue"),
        RequestState::WaitsForSecond { .. } => ("orange", "orange"),
        RequestState::Granted { .. } => ("green", "green"),
        RequestState::Refused { .. } => ("red", "red"),
        RequestState::Withdrawn { .. } | RequestState::Lapsed { .. } => ("grey", "grey"),
    }
}

/// The colour of a tag in the header, where grey has another name.
fn tag_colour(colour: &'static str) -> &'static str {
    if colour == "grey" { "neutral" } else { colour }
}

/// How a request stands, in a word.
fn request_word(words: Wording, state: &RequestState) -> String {
    match state {
        RequestState::Open => words.t("request.open", &[]),
        RequestState::WaitsForSecond { .. } => words.t("request.word_waits", &[]),
        RequestState::Granted { .. } => words.t("request.word_granted", &[]),
        RequestState::Refused { .. } => words.t("request.word_refused", &[]),
        RequestState::Withdrawn { .. } => words.t("request.word_withdrawn", &[]),
        RequestState::Lapsed { .. } => words.t("request.word_lapsed", &[]),
    }
}

fn approval_word(words: Wording, state: &ApprovalState) -> String {
    match state {
        ApprovalState::Waiting => words.t("approval.word_waiting", &[]),
        ApprovalState::Confirmed { .. } => words.t("approval.word_confirmed", &[]),
        ApprovalState::Refused { .. } => words.t("request.word_refused", &[]),
        ApprovalState::Lapsed { .. } | ApprovalState::Void { .. } => {
            words.t("request.word_lapsed", &[])
        }
    }
}
