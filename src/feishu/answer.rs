//! The answer to a card callback.

use serde_json::{Map, Value, json};

/// The colour and icon of a toast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToastKind {
    /// Neutral.
    Info,
    /// It worked.
    Success,
    /// It did not work.
    Error,
    /// It worked in part, or needs attention.
    Warning,
}

impl ToastKind {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A short notice that is shown briefly to the person who clicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackToast {
    /// Colour and icon.
    pub kind: ToastKind,
    /// The text, exactly as shown.
    pub content: String,
}

/// The answer to a card callback: HTTP 200 within 3 s with a JSON object (docs/platforms/feishu.md §9.2). The
/// default, `{}`, changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallbackAnswer {
    /// Shown to the person who clicked.
    pub toast: Option<CallbackToast>,
    /// Card JSON 2.0 that replaces the card.
    pub card: Option<Value>,
}

impl CallbackAnswer {
    /// Creates an answer that only shows a toast.
    pub fn toast(kind: ToastKind, content: impl Into<String>) -> Self {
        Self { toast: Some(CallbackToast { kind, content: content.into() }), card: None }
    }

    /// Creates an answer that only replaces the card.
    pub fn card(card: Value) -> Self {
        Self { toast: None, card: Some(card) }
    }

    /// Adds a card to the answer.
    pub fn with_card(self, card: Value) -> Self {
        Self { card: Some(card), ..self }
    }

    /// Returns the body of the HTTP response.
    pub fn to_json(&self) -> Value {
        let mut body = Map::new();
        if let Some(toast) = &self.toast {
            body.insert(
                "toast".into(),
                json!({"type": toast.kind.word(), "content": toast.content}),
            );
        }
        if let Some(card) = &self.card {
            body.insert("card".into(), json!({"type": "raw", "data": card}));
        }
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_platforms_shape() {
        let card = json!({"schema": "2.0", "body": {"elements": []}});
        for (answer, body) in [
            (CallbackAnswer::default(), json!({})),
            (
                CallbackAnswer::toast(ToastKind::Success, "完成"),
                json!({"toast": {"type": "success", "content": "完成"}}),
            ),
            (
                CallbackAnswer::toast(ToastKind::Error, "no").with_card(card.clone()),
                json!({"toast": {"type": "error", "content": "no"},
                       "card": {"type": "raw", "data": card.clone()}}),
            ),
            (CallbackAnswer::card(card.clone()), json!({"card": {"type": "raw", "data": card}})),
            (
                CallbackAnswer::toast(ToastKind::Info, "i"),
                json!({"toast": {"type": "info", "content": "i"}}),
            ),
            (
                CallbackAnswer::toast(ToastKind::Warning, "w"),
                json!({"toast": {"type": "warning", "content": "w"}}),
            ),
        ] {
            assert_eq!(answer.to_json(), body);
        }
    }
}
