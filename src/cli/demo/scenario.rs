//! What the person at the demo's controls has chosen.

use jiff::SignedDuration;

/// What is broken on purpose, how far the clock was moved, and how fast spending grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    /// The fault of the Feishu stand-in; `none` if it works.
    pub feishu: &'static str,
    /// The fault of the Volcengine stand-in; `none` if it works.
    pub volcengine: &'static str,
    /// From the host's time to the demo's.
    pub shift: SignedDuration,
    /// How fast spending grows on its own.
    pub speed: Speed,
}

impl Default for Scenario {
    /// A good day: everything works, and nothing changes on its own.
    fn default() -> Self {
        Self { feishu: "none", volcengine: "none", shift: SignedDuration::ZERO, speed: Speed::Off }
    }
}

/// How fast everyone spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Speed {
    /// Spending does not grow on its own.
    #[default]
    Off,
    Slow,
    Fast,
}

impl Speed {
    /// The page's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Slow => "slow",
            Self::Fast => "fast",
        }
    }

    /// The speed with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Off, Self::Slow, Self::Fast].into_iter().find(|speed| speed.word() == word)
    }

    /// What each purchase costs, in percent of the quota.
    pub const fn percent(self) -> i64 {
        match self {
            Self::Off => 0,
            Self::Slow => 1,
            Self::Fast => 5,
        }
    }
}
