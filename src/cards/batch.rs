//! Changes of many users: the form, the preview and what became of it, and the explanation of files.

use std::collections::BTreeMap;

use super::engine::template;
use super::facts::{Choice, Tag};
use super::{Card, CardContext, Cards, ListPlace};
use crate::app::sheet::MAX_BYTES;
use crate::domain::batch::MAX_ROWS;
use crate::domain::{Batch, BatchSource, BatchState, LeftOut, OpenId, ProjectInfo};

/// How many rows and reasons are shown where the card would be too large with all of them.
const FEW: usize = 6;

/// How many projects the form offers; the first number that fits is used. Other names can be typed.
const OPTIONS: [usize; 4] = [40, 20, 8, 0];

/// The facts of the form.
struct BulkFacts<'a> {
    count: usize,
    too_many: Option<String>,
    filter: &'static str,
    query: Option<&'a str>,
    account: Option<&'a str>,
    sort: Option<&'static str>,
    among: String,
    options: Vec<Choice<'a>>,
    chosen: Option<&'a str>,
    unlisted: usize,
}

template!("bulk");

/// The facts of a batch.
struct BatchFacts<'a> {
    id: u64,
    title: String,
    template: &'static str,
    subtitle: String,
    tag: Tag,
    by: String,
    file: Option<&'a str>,
    change: Option<String>,
    rows: usize,
    total: Option<String>,
    second: Option<String>,
    frees: Option<String>,
    shown: Vec<RowLine>,
    more_rows: usize,
    left_out: Vec<Reason<'a>>,
    left_out_count: usize,
    more_left_out: usize,
    reasons: Vec<Reason<'a>>,
    more_reasons: usize,
    state: Option<String>,
    colour: &'static str,
    preview: bool,
    is_file: bool,
    waits: bool,
}

/// A user and what changes.
struct RowLine {
    name: String,
    text: String,
}

/// Whom it is about, if not all of it, and why it is refused.
struct Reason<'a> {
    what: Option<String>,
    reason: &'a str,
}

template!("batch");

/// The facts of the explanation.
struct ImportFacts {
    rows: usize,
    megabytes: usize,
}

template!("import");

/// Which users a form is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkView {
    /// Where in the list.
    pub place: ListPlace,
    /// How many they are.
    pub count: usize,
    /// Projects of their accounts, to choose one that is linked.
    pub projects: Vec<ProjectInfo>,
    /// How many more there are.
    pub more_projects: usize,
}

/// A batch, and the names of people in it as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchView {
    /// The batch.
    pub batch: Batch,
    /// Names by open_id.
    pub people: BTreeMap<OpenId, String>,
}

impl Cards {
    /// The form that changes many users: `users.bulk`.
    pub fn bulk(&self, view: &BulkView, ctx: &CardContext) -> Card {
        let [most, less @ ..] = OPTIONS;
        less.into_iter().fold(self.bulk_with(view, ctx, most), |card, options| {
            if card.fits() { card } else { self.bulk_with(view, ctx, options) }
        })
    }

    fn bulk_with(&self, view: &BulkView, ctx: &CardContext, most: usize) -> Card {
        let (words, place) = (self.words, &view.place);
        let options = view.projects.get(..most).unwrap_or(&view.projects);
        let chosen = ctx.form.values.get("project").map(String::as_str);
        let chosen = chosen.filter(|name| options.iter().any(|it| it.name.as_str() == *name));
        let mut among = vec![super::users::filter_label(words, place.filter)];
        among.extend(place.account.as_ref().map(|account| account.to_string()));
        if !place.query.is_empty() {
            let query = super::text::clip(&place.query, 40);
            among.push(words.t("bulk.found", &[("query", &query)]));
        }
        let facts = BulkFacts {
            count: view.count,
            too_many: (view.count > MAX_ROWS)
                .then(|| words.t("batch.too_many", &[("found", &view.count), ("most", &MAX_ROWS)])),
            filter: place.filter.word(),
            query: Some(place.query.as_str()).filter(|query| !query.is_empty()),
            account: place.account.as_ref().map(crate::domain::AccountId::as_str),
            sort: super::users::sort_word(place.sort),
            among: among.join(" · "),
            options: options
                .iter()
                .map(|it| Choice { value: it.name.as_str(), text: super::projects::label(it) })
                .collect(),
            chosen,
            unlisted: view
                .more_projects
                .saturating_add(view.projects.len().saturating_sub(options.len())),
        };
        self.card(ctx, &facts)
    }

    /// A change of many users: what it would do, and what became of it.
    pub fn batch(&self, view: &BatchView, ctx: &CardContext) -> Card {
        let card = self.batch_of(view, crate::domain::batch::SHOWN, ctx);
        if card.fits() { card } else { self.batch_of(view, FEW, ctx) }
    }

    fn batch_of(&self, view: &BatchView, most: usize, ctx: &CardContext) -> Card {
        let (words, batch) = (self.words, &view.batch);
        let state = match &batch.state {
            _ if batch.lapses(ctx.now) => BatchState::Lapsed { at: ctx.now },
            state => state.clone(),
        };
        let (template, colour) = colours(&state);
        let plan = batch.plan.as_ref();
        let kind = match (&batch.source, plan) {
            (_, Some(plan)) => Some(plan.kind),
            (BatchSource::List { change, .. }, None) => Some(change.kind()),
            (BatchSource::File { .. }, None) => None,
        };
        let kind = kind.map(|kind| words.batch_kind(kind));
        let file = match &batch.source {
            BatchSource::File { name, .. } => Some(name.as_str()),
            BatchSource::List { .. } => None,
        };
        let name = |id: &str| {
            let known = OpenId::new(id).ok().and_then(|id| view.people.get(&id).cloned());
            super::text::clip(&known.unwrap_or_else(|| id.to_owned()), 40)
        };
        let lines: &[LeftOut] = match &batch.state {
            BatchState::Unusable { reasons, .. } | BatchState::Stopped { reasons, .. } => reasons,
            _ => &[],
        };
        let count = match &batch.state {
            BatchState::Unusable { count, .. } | BatchState::Stopped { count, .. } => *count,
            _ => 0,
        };
        let shown = plan.map_or(&[][..], |plan| &plan.shown);
        let left_out = plan.map_or(&[][..], |plan| &plan.left_out);
        let left_out_count = plan.map_or(0, |plan| plan.left_out_count);
        let second = plan.filter(|plan| plan.second > 0 && !state.is_final());
        let facts = BatchFacts {
            id: batch.id,
            title: match (&kind, file) {
                (Some(kind), Some(_)) => words.t("batch.title_file", &[("kind", kind)]),
                (Some(kind), None) => words.t("batch.title_list", &[("kind", kind)]),
                (None, _) => words.t("batch.title", &[]),
            },
            template,
            subtitle: words.time(batch.at),
            tag: Tag {
                text: words.batch_word(&state),
                colour: if colour == "grey" { "neutral" } else { colour },
            },
            by: words.operator(&batch.by),
            file,
            change: match &batch.source {
                BatchSource::List { change, .. } => Some(words.list_change(change)),
                BatchSource::File { .. } => None,
            },
            rows: plan.map_or(0, |plan| plan.rows),
            total: plan
                .filter(|plan| plan.kind == crate::domain::BatchKind::Quota)
                .map(|plan| plan.total.to_string()),
            frees: plan.and_then(|plan| self.run_free(plan.run_free, &state)),
            second: second.map(|plan| words.t("batch.second", &[("count", &plan.second)])),
            shown: shown
                .iter()
                .take(most)
                .map(|it| RowLine {
                    name: it.row.user.to_string(),
                    text: words.row_change(it, name),
                })
                .collect(),
            more_rows: plan.map_or(0, |plan| plan.rows.saturating_sub(shown.len().min(most))),
            left_out: left_out.iter().take(most).map(|it| self.reason(it)).collect(),
            left_out_count,
            more_left_out: left_out_count.saturating_sub(left_out.len().min(most)),
            reasons: lines.iter().take(most).map(|it| self.reason(it)).collect(),
            more_reasons: count.saturating_sub(lines.len().min(most)),
            state: (!matches!(state, BatchState::Previewed { .. }))
                .then(|| words.batch_state(&state)),
            colour,
            preview: matches!(state, BatchState::Previewed { .. }),
            is_file: file.is_some(),
            waits: matches!(state, BatchState::WaitsForSecond { .. }),
        };
        self.card(ctx, &facts)
    }

    /// Whom the quota limits no more.
    fn run_free(&self, count: usize, state: &BatchState) -> Option<String> {
        let key = match state {
            _ if count == 0 => return None,
            BatchState::Applied { .. } => "batch.run_free_now",
            state if state.is_final() => return None,
            _ => "batch.run_free",
        };
        Some(self.words.t(key, &[("count", &count)]))
    }

    fn reason<'a>(&self, it: &'a LeftOut) -> Reason<'a> {
        let what = match it.what.parse::<u64>() {
            Ok(line) => Some(self.words.t("batch.line", &[("line", &line)])),
            Err(_) => Some(it.what.clone()).filter(|what| !what.is_empty()),
        };
        Reason { what, reason: &it.reason }
    }

    /// What files can be dropped into the direct chat: `/import`.
    pub fn import(&self, ctx: &CardContext) -> Card {
        self.card(ctx, &ImportFacts { rows: MAX_ROWS, megabytes: MAX_BYTES / (1024 * 1024) })
    }
}

/// The colours of the header and of a box.
fn colours(state: &BatchState) -> (&'static str, &'static str) {
    match state {
        BatchState::Preparing | BatchState::Checking { .. } | BatchState::Applying { .. } => {
            ("wathet", "blue")
        }
        BatchState::Previewed { .. } => ("blue", "blue"),
        BatchState::WaitsForSecond { .. } => ("orange", "orange"),
        BatchState::Applied { .. } => ("green", "green"),
        BatchState::Unusable { .. } | BatchState::Stopped { .. } | BatchState::Refused { .. } => {
            ("red", "red")
        }
        BatchState::Lapsed { .. } => ("grey", "grey"),
    }
}
