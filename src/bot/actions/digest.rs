//! `report.open`: the digest of a week or month.

use jiff::civil::Date;

use super::action::Action;
use super::fields::Fields;
use crate::app::{Error, Refusal, digest};
use crate::bot::handlers::Handlers;
use crate::cards::{Card, CardContext};
use crate::domain::{DigestKind, DigestSpan};
use crate::store::{Source, View};

/// `report.open`
#[derive(Debug, PartialEq, Eq)]
pub struct ReportOpen {
    /// A week or a month.
    pub kind: DigestKind,
    /// The one that this day belongs to, if it is over; `None` = the last one that is.
    pub at: Option<Date>,
}

impl Action for ReportOpen {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let kind = fields.text("kind").as_deref().and_then(DigestKind::from_word);
        let at = match fields.text("at") {
            Some(text) => Some(day(&text).ok_or(Refusal::BadField("at"))?),
            None => None,
        };
        Ok(Self { kind: kind.ok_or(Refusal::BadField("kind"))?, at })
    }

    fn show<S: Source>(
        &self,
        handlers: &Handlers,
        tx: &View<S>,
        ctx: &CardContext,
    ) -> Result<Card, Error> {
        let last = DigestSpan::last_full(self.kind, ctx.now);
        let span = self.at.map_or(last, |day| DigestSpan::of(self.kind, day).min(last));
        let settings = handlers.settings(tx)?;
        let view = digest::view(tx, &settings, span, None, ctx.now)?;
        Ok(handlers.cards.digest(&view, ctx))
    }
}

/// Reads a day, or the first one of a month.
fn day(text: &str) -> Option<Date> {
    let text = text.trim();
    text.parse().ok().or_else(|| format!("{text}-01").parse().ok())
}
