//! What a change leads to, in words.

use super::text::clip;
use super::wording::{Tone, Wording};
use crate::app::consequence::{Consequence, Next};
use crate::cards::Banner;
use crate::domain::{Limit, Usage, UserKey};

/// How much of another user's name is shown.
const NAME_CHARS: usize = 40;

impl Wording {
    /// Says what a change leads to; `None` if there is nothing to say: nothing was moved, and nothing follows.
    pub fn consequence(&self, told: &Consequence) -> Option<Banner> {
        if told.before.is_none() && told.next == Next::Nothing {
            return None;
        }
        let state = self.state(told);
        let when = match told.at {
            Some(at) => self.t("consequence.when", &[("time", &self.time(at))]),
            None => String::new(),
        };
        let values: [(&str, &dyn std::fmt::Display); 2] = [("state", &state), ("when", &when)];
        let text = match told.next {
            Next::Nothing => self.t("consequence.nothing", &[("state", &state)]),
            Next::Warn(threshold) => self.t(
                "consequence.warn",
                &[("state", &state), ("when", &when), ("threshold", &threshold)],
            ),
            Next::Cut(Limit::Month) => self.t("consequence.cut_month", &values),
            Next::Cut(Limit::Quota | Limit::Both) => self.t("consequence.cut", &values),
            Next::LetGo => self.t("consequence.let_go", &[("state", &state)]),
            Next::StaysCut => self.t("consequence.stays_cut", &[("state", &state)]),
            Next::NotMonitored => self.t("consequence.not_monitored", &[("state", &state)]),
            Next::RunsFree => self.t("consequence.runs_free", &[("state", &state)]),
            Next::RunsFreeOnceRestored => {
                self.t("consequence.runs_free_once_restored", &[("state", &state)])
            }
            Next::MonthLimitOnly(limit) => self.t(
                "consequence.month_limit_only",
                &[("state", &state), ("limit", &limit.amount())],
            ),
        };
        let tone = match told.next {
            Next::Nothing => Tone::Info,
            _ => Tone::Warning,
        };
        Some(Banner { tone, text })
    }

    /// What is said of a user other than the card's.
    pub fn about_user(&self, user: &UserKey, text: &str) -> String {
        let name = clip(user.username.as_str(), NAME_CHARS);
        self.t("consequence.about", &[("user", &name), ("text", &text)])
    }

    /// The usage, and what it was before if it was moved.
    fn state(&self, told: &Consequence) -> String {
        let percent = |usage: Option<Usage>| match usage {
            Some(usage) => format!("{}%", usage.percent()),
            None => self.t("usage.unallocated", &[]),
        };
        let after = percent(told.usage);
        match told.before {
            Some((from, before)) => self.t(
                "consequence.moved",
                &[
                    ("from", &from),
                    ("to", &told.consumed),
                    ("before", &percent(before)),
                    ("after", &after),
                ],
            ),
            None if told.usage.is_none() => after,
            None => self.t("consequence.usage", &[("percent", &after)]),
        }
    }
}
