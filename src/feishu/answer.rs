//! The answer to a card callback.

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallbackAnswer {
    /// Shown to the person who clicked.
    pub toast: Option<CallbackToast>,
    /// Card JSON 2.0 that replaces the card: valid JSON text, which goes into the response as it is.
    pub card: Option<String>,
}

impl CallbackAnswer {
    /// Creates an answer that only shows a toast.
    pub fn toast(kind: ToastKind, content: impl Into<String>) -> Self {
        Self { toast: Some(CallbackToast { kind, content: content.into() }), card: None }
    }

    /// Creates an answer that only replaces the card.
    pub fn card(card: impl Into<String>) -> Self {
        Self { toast: None, card: Some(card.into()) }
    }

    /// Adds a card to the answer.
    pub fn with_card(self, card: impl Into<String>) -> Self {
        Self { card: Some(card.into()), ..self }
    }

    /// Returns the body of the HTTP response, JSON text.
    pub fn into_json(self) -> String {
        let mut body = String::from("{");
        if let Some(toast) = &self.toast {
            body.push_str("\"toast\":{\"type\":\"");
            body.push_str(toast.kind.word());
            body.push_str("\",\"content\":");
            body.push_str(&serde_json::Value::from(toast.content.as_str()).to_string());
            body.push('}');
        }
        if let Some(card) = &self.card {
            if self.toast.is_some() {
                body.push(',');
            }
            body.reserve(card.len().saturating_add(32));
            body.push_str("\"card\":{\"type\":\"raw\",\"data\":");
            body.push_str(card);
            body.push('}');
        }
        body.push('}');
        body
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn answers_have_the_platforms_shape() {
        let card = json!({"schema": "2.0", "body": {"elements": []}});
        for (answer, body) in [
            (CallbackAnswer::default(), json!({})),
            (
                CallbackAnswer::toast(ToastKind::Success, "\"完成\"\n"),
                json!({"toast": {"type": "success", "content": "\"完成\"\n"}}),
            ),
            (
                CallbackAnswer::toast(ToastKind::Error, "no").with_card(card.to_string()),
                json!({"toast": {"type": "error", "content": "no"},
                       "card": {"type": "raw", "data": card.clone()}}),
            ),
            (
                CallbackAnswer::card(card.to_string()),
                json!({"card": {"type": "raw", "data": card}}),
            ),
            (
                CallbackAnswer::toast(ToastKind::Info, "i"),
                json!({"toast": {"type": "info", "content": "i"}}),
            ),
            (
                CallbackAnswer::toast(ToastKind::Warning, "w"),
                json!({"toast": {"type": "warning", "content": "w"}}),
            ),
        ] {
            let written: Value = serde_json::from_str(&answer.into_json()).unwrap();
            assert_eq!(written, body);
        }
    }
}
