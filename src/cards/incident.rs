//! What was done about an alert, how it stands, and the users of a card that tells of many.

use jiff::Timestamp;

use super::Cards;
use super::facts::Tag;
use super::paths::PathLine;
use super::text::{clip, md};
use crate::domain::{Act, Limit, Operator, Standing, Warned};

/// Max users that the card which tells of many names.
const WARNED: usize = 20;
/// Max steps that an alert shows.
const STEPS: usize = 8;

impl Cards {
    /// How the alert stands, as a tag in place of its type; `None` while it is open.
    pub(super) fn standing_tag(&self, standing: Standing) -> Option<Tag> {
        let (text, colour) = match standing {
            Standing::Open => return None,
            Standing::UnderWay => (self.words.t("incident.under_way", &[]), "blue"),
            Standing::DealtWith => (self.words.t("incident.dealt_with", &[]), "green"),
            Standing::Overtaken => (self.words.t("incident.overtaken", &[]), "neutral"),
        };
        Some(Tag { text, colour })
    }

    /// What was done about an alert: the last steps, a line for each person in a row, as markdown.
    pub(super) fn steps(&self, steps: &[Act], raised: Timestamp) -> Vec<String> {
        let words = self.words;
        let shown = steps.get(steps.len().saturating_sub(STEPS)..).unwrap_or(steps);
        let mut lines: Vec<(&Operator, Vec<String>)> = Vec::new();
        for step in shown {
            let (time, deed) = (words.time_after(step.at, raised), md(&words.deed(step)));
            match lines.last_mut() {
                Some((by, deeds)) if **by == step.by => deeds.push(format!("{time} {deed}")),
                _ => {
                    let by = md(&words.operator(&step.by));
                    lines.push((&step.by, vec![format!("{time} **{by}** {deed}")]));
                }
            }
        }
        lines.into_iter().map(|(_, deeds)| deeds.join(" · ")).collect()
    }

    /// The first users of the card that tells of many, a line each.
    pub(super) fn warned_users(&self, users: &[Warned]) -> Vec<PathLine> {
        users.iter().take(WARNED).map(|user| self.warned(user)).collect()
    }

    /// A user on the card that tells of many.
    fn warned(&self, user: &Warned) -> PathLine {
        let percent = user.usage().percent();
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("percent", &percent), ("spent", &user.spent), ("limit", &user.limit)];
        PathLine {
            label: md(&clip(user.user.username.as_str(), 40)),
            colour: if user.threshold >= 90 { "red" } else { "orange" },
            text: match user.of {
                Limit::Month => self.words.t("alert.warned_month", &values),
                Limit::Quota | Limit::Both => self.words.t("alert.warned", &values),
            },
        }
    }

    /// How many users the card does not name.
    pub(super) fn more_warned(&self, users: &[Warned]) -> Option<String> {
        let more = users.len().checked_sub(WARNED).filter(|more| *more > 0)?;
        Some(self.words.t("alert.more_warned", &[("count", &more)]))
    }
}

/// The header colour of an alert that is no longer open.
pub(super) fn standing_template(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Open => None,
        Standing::UnderWay => Some("blue"),
        Standing::DealtWith => Some("green"),
        Standing::Overtaken => Some("grey"),
    }
}
