//! What the Feishu app has, what it lacks, and what can be added by API: for `airgate setup` and `airgate check`.

mod fix;
mod gaps;
mod line;
mod survey;

pub(super) use self::fix::{Fixed, fix, look_again, patiently};
pub(super) use self::gaps::{Gap, console, gaps, mode_word};
pub(super) use self::line::Line;
pub(super) use self::survey::Survey;

/// Commands for a bot menu, which only a person can make.
pub(super) const MENU_KEYS: &str = "users, billing, alerts, monitor, help";
