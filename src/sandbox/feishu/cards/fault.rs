//! Violated rules and the limits behind them. Rule numbers are those of `docs/platforms/card-rules.md`.

/// Largest card, and largest request that carries one, in bytes (R6). 1 KB is taken as 1024 bytes.
pub const CARD_LIMIT: usize = 30 * 1024;
/// Largest request of a custom bot, in bytes (自定义机器人使用指南).
pub const WEBHOOK_LIMIT: usize = 20 * 1024;
/// Max components and elements in a card (R5).
pub const ELEMENT_LIMIT: usize = 200;

/// How a card reaches the platform; some rules depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Sent or replied with by the app (发送消息, 回复消息).
    Send,
    /// The new content of a sent card (更新已发送的消息卡片).
    Patch,
    /// The card in the answer to a click (卡片回传交互回调).
    CallbackAnswer,
    /// Sent through a custom bot's address (自定义机器人使用指南).
    Webhook,
}

/// A violated rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} at {path}: {message}")]
pub struct CardFault {
    /// The rule's number (`R14`), or `schema`.
    pub rule: &'static str,
    /// JSON pointer into the card, empty for the card as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl CardFault {
    pub(crate) fn new(
        rule: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { rule, path: path.into(), message: message.into() }
    }

    /// The platform's error number for the rule (发送消息, "ErrCode" inside 230099), if known.
    pub fn code(&self) -> u32 {
        match self.rule {
            "R5" | "R38" => 11310,
            "R6" => 200860,
            "R7" => 300301,
            "R4" => 300302,
            "R14" | "R15" => 200530,
            "R16" => 300123,
            "R31" => 200915,
            "R32" => 200914,
            "R33" => 300220,
            "R34" => 300230,
            "R35" => 200570,
            _ => 200621,
        }
    }
}
