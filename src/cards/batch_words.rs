//! Changes of many users in words: what is done, how it stands, why it is refused.

use super::text::clip;
use super::wording::{QUOTED, Wording};
use crate::app::batch_refusal::BatchRefusal;
use crate::app::sheet::{Column, MAX_BYTES, SheetError};
use crate::domain::batch::MAX_ROWS;
use crate::domain::{BatchKind, BatchState, Joining, Money, RowChange, ShownRow, Switch, Was};

impl Wording {
    pub(super) fn batch_refusal(&self, refusal: &BatchRefusal) -> String {
        let t = |key: &str| self.t(key, &[]);
        match refusal {
            BatchRefusal::Busy => t("batch.busy"),
            BatchRefusal::LinksBusy => t("batch.links_busy"),
            BatchRefusal::NothingToChange => t("batch.nothing_to_change"),
            BatchRefusal::Unknown => t("batch.unknown"),
            BatchRefusal::NotTheirs => t("batch.not_theirs"),
            BatchRefusal::Own => t("batch.own"),
            BatchRefusal::AuthorLeft(author) => {
                self.t("batch.author_left", &[("person", &self.operator(author))])
            }
            BatchRefusal::Closed(state) => {
                self.t("batch.closed", &[("state", &self.batch_state(state))])
            }
            BatchRefusal::TooMany { found, most } => {
                self.t("batch.too_many", &[("found", found), ("most", most)])
            }
            BatchRefusal::NoChange => t("batch.no_change"),
            BatchRefusal::BadSwitch(text) => {
                self.t("batch.bad_switch", &[("text", &clip(text, QUOTED))])
            }
            BatchRefusal::Sheet(error) => self.sheet_error(error),
            BatchRefusal::BadCell { column, text } if text.is_empty() => {
                self.t("sheet.empty_cell", &[("column", &column.name())])
            }
            BatchRefusal::BadCell { column, text } => {
                let text = clip(text, QUOTED);
                self.t("sheet.bad_cell", &[("column", &column.name()), ("text", &text)])
            }
            BatchRefusal::SplitAmount(text) => {
                let first = text.split(',').next().unwrap_or_default();
                self.t("sheet.split_amount", &[("text", &clip(text, QUOTED)), ("first", &first)])
            }
            BatchRefusal::MoreRunFree { told, found } => {
                self.t("batch.more_run_free", &[("told", told), ("found", found)])
            }
            BatchRefusal::TooManySharers { project, found, most } => {
                let project = clip(project.as_str(), QUOTED);
                self.t(
                    "batch.too_many_sharers",
                    &[("project", &project), ("found", found), ("most", most)],
                )
            }
            BatchRefusal::Repeats(line) => self.t("sheet.repeats", &[("line", line)]),
            BatchRefusal::NobodyWithMobile(mobile) => {
                self.t("sheet.nobody", &[("mobile", &clip(mobile, QUOTED))])
            }
            BatchRefusal::AppliedBefore { at, by } => self.t(
                "sheet.applied_before",
                &[("time", &self.time(*at)), ("person", &self.operator(by))],
            ),
        }
    }

    fn sheet_error(&self, error: &SheetError) -> String {
        let t = |key: &str| self.t(key, &[]);
        let names = |columns: &[Column]| {
            let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
            names.join(&t("list.separator"))
        };
        match error {
            SheetError::TooLarge => {
                self.t("sheet.too_large", &[("most", &(MAX_BYTES / (1024 * 1024)))])
            }
            SheetError::NotText => t("sheet.not_text"),
            SheetError::NoRows => t("sheet.no_rows"),
            SheetError::TooManyRows => self.t("sheet.too_many_rows", &[("most", &MAX_ROWS)]),
            SheetError::Lacks(columns) => self.t("sheet.lacks", &[("columns", &names(columns))]),
            SheetError::NoKind => t("sheet.no_kind"),
            SheetError::SeveralKinds(columns) => {
                self.t("sheet.several_kinds", &[("columns", &names(columns))])
            }
            SheetError::Twice(column) => self.t("sheet.twice", &[("column", &column.name())]),
            SheetError::History(column) => self.t("sheet.history", &[("column", column)]),
            SheetError::TooManyCells { line, cells, header } => self
                .t("sheet.too_many_cells", &[("line", line), ("cells", cells), ("header", header)]),
        }
    }

    /// How a batch stands, in a sentence. Plain text.
    pub(super) fn batch_state(&self, state: &BatchState) -> String {
        let at = |key: &str, at: &jiff::Timestamp| self.t(key, &[("time", &self.time(*at))]);
        match state {
            BatchState::Preparing => self.t("batch.preparing", &[]),
            BatchState::Unusable { .. } => self.t("batch.unusable", &[]),
            BatchState::Previewed { .. } => self.t("batch.previewed", &[]),
            BatchState::WaitsForSecond { .. } => self.t("batch.waits", &[]),
            BatchState::Checking { .. } => self.t("batch.checking", &[]),
            BatchState::Applying { .. } => self.t("batch.applying", &[]),
            BatchState::Applied { at, confirmed_by: Some(by) } => self.t(
                "batch.applied_confirmed",
                &[("time", &self.time(*at)), ("person", &self.operator(by))],
            ),
            BatchState::Applied { at: when, confirmed_by: None } => at("batch.applied", when),
            BatchState::Stopped { at: when, .. } => at("batch.stopped", when),
            BatchState::Refused { by, at } => self
                .t("batch.refused", &[("time", &self.time(*at)), ("person", &self.operator(by))]),
            BatchState::Lapsed { at: when } => at("batch.lapsed", when),
        }
    }

    /// The same in a word.
    pub(super) fn batch_word(&self, state: &BatchState) -> String {
        let key = match state {
            BatchState::Preparing => "batch.word_preparing",
            BatchState::Unusable { .. } | BatchState::Stopped { .. } => "batch.word_nothing",
            BatchState::Previewed { .. } => "batch.word_preview",
            BatchState::WaitsForSecond { .. } => "batch.word_waits",
            BatchState::Checking { .. } | BatchState::Applying { .. } => "batch.word_applying",
            BatchState::Applied { .. } => "batch.word_applied",
            BatchState::Refused { .. } => "batch.word_refused",
            BatchState::Lapsed { .. } => "batch.word_lapsed",
        };
        self.t(key, &[])
    }

    /// What kind of change it is.
    pub(super) fn batch_kind(&self, kind: BatchKind) -> String {
        let key = match kind {
            BatchKind::Quota => "batch.quota",
            BatchKind::Limits => "batch.limits",
            BatchKind::Thresholds => "batch.thresholds",
            BatchKind::AutoDisable => "batch.auto_disable",
            BatchKind::Links => "batch.links",
            BatchKind::Owners => "batch.owners",
        };
        self.t(key, &[])
    }

    fn limit_or_none(&self, limit: Option<crate::domain::MonthLimit>) -> String {
        match limit {
            Some(limit) => limit.amount().to_string(),
            None => self.t("batch.no_limit", &[]),
        }
    }

    fn thresholds_or_global(&self, thresholds: Option<&crate::domain::Thresholds>) -> String {
        match thresholds {
            Some(own) => own.to_string(),
            None => self.t("batch.global", &[]),
        }
    }

    fn on_or_off(&self, switch: Switch) -> String {
        self.t(if switch.is_on() { "batch.on" } else { "batch.off" }, &[])
    }

    /// What a row changes: from and to. Plain text.
    pub(super) fn row_change(&self, shown: &ShownRow, name: impl Fn(&str) -> String) -> String {
        let from_to =
            |from: &str, to: &str| self.t("batch.from_to", &[("from", &from), ("to", &to)]);
        match (&shown.row.change, &shown.was) {
            (RowChange::Allocate { amount, until, .. }, Was::Quota(before)) => {
                let after: Money = *before + *amount;
                let text = from_to(&before.to_string(), &after.to_string());
                match until {
                    Some(day) => format!("{text}{}", self.until(*day)),
                    None => text,
                }
            }
            (RowChange::MonthLimit { limit }, Was::Limit(before)) => {
                from_to(&self.limit_or_none(*before), &self.limit_or_none(*limit))
            }
            (RowChange::Thresholds { thresholds }, Was::Thresholds(before)) => from_to(
                &self.thresholds_or_global(before.as_ref()),
                &self.thresholds_or_global(thresholds.as_ref()),
            ),
            (RowChange::AutoDisable { to }, Was::AutoDisable(before)) => {
                from_to(&self.on_or_off(*before), &self.on_or_off(*to))
            }
            (RowChange::Owner { person }, Was::Owner(before)) => {
                let before = before.as_ref().map(|id| name(id.as_str()));
                let before = before.unwrap_or_else(|| self.t("batch.nobody", &[]));
                from_to(&before, &name(person.as_str()))
            }
            (RowChange::Link { project, since, joining }, Was::Payers(payers)) => {
                let mut text = self.t(
                    "batch.link",
                    &[("project", &clip(project.as_str(), 40)), ("period", since)],
                );
                if *payers > 0 {
                    text += &self.t("batch.payers", &[("count", payers)]);
                }
                match joining {
                    Some(Joining::Part) => text + &self.t("batch.part", &[]),
                    _ => text,
                }
            }
            // A file of another version.
            _ => String::new(),
        }
    }

    /// What is done to every user of a list. Plain text.
    pub(super) fn list_change(&self, change: &RowChange) -> String {
        match change {
            RowChange::Allocate { amount, note, .. } => {
                let key = if amount.is_negative() { "batch.deducts" } else { "batch.allocates" };
                let amount = if amount.is_negative() { -*amount } else { *amount };
                let text = self.t(key, &[("amount", &amount)]);
                if note.is_empty() { text } else { format!("{text} · {}", clip(note, 200)) }
            }
            RowChange::MonthLimit { limit } => {
                self.t("batch.sets_limit", &[("to", &self.limit_or_none(*limit))])
            }
            RowChange::Thresholds { thresholds } => {
                let to = self.thresholds_or_global(thresholds.as_ref());
                self.t("batch.sets_thresholds", &[("to", &to)])
            }
            RowChange::AutoDisable { to } => {
                self.t("batch.sets_auto_disable", &[("to", &self.on_or_off(*to))])
            }
            RowChange::Link { project, joining, .. } => {
                let text =
                    self.t("batch.links_project", &[("project", &clip(project.as_str(), 60))]);
                match joining {
                    Some(Joining::Part) => text + &self.t("batch.part", &[]),
                    _ => text,
                }
            }
            RowChange::Owner { .. } => self.t("batch.owners", &[]),
        }
    }
}
