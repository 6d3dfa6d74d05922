//! Why a message could not be delivered: for the log, and in the language of the cards.

use crate::cards::Wording;
use crate::feishu::{Disposition, Error};
use crate::store::StoreError;

/// Why a try failed, as the log says it; [`Failure::in_words`] says it for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Feishu failed or refused.
    #[error(transparent)]
    Feishu(#[from] Error),
    /// It can never be delivered as it is. Holds the key of the text that says why.
    #[error("{0}")]
    Impossible(&'static str),
    /// The store failed: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    /// Says what failed and, in brackets, what Feishu itself said.
    pub(super) fn in_words(&self, words: Wording) -> String {
        match self {
            Failure::Feishu(error) => {
                let text = words.t(key(error.disposition()), &[]);
                match said(error) {
                    Some(said) => {
                        words.t("trouble.with_words", &[("text", &text), ("said", &said)])
                    }
                    None => text,
                }
            }
            Failure::Impossible(key) => words.t(key, &[]),
            Failure::Store(_) => words.t("trouble.store", &[]),
        }
    }
}

fn key(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::RetryAfter(_) => "delivery.limited",
        Disposition::RetryLater => "delivery.down",
        Disposition::Unclear => "delivery.unclear",
        Disposition::Credentials => "delivery.credentials",
        Disposition::NotPermitted => "delivery.not_permitted",
        Disposition::ChatGone => "delivery.chat_gone",
        Disposition::RecipientUnreachable => "delivery.unreachable",
        Disposition::MessageGone => "delivery.message_gone",
        Disposition::TooOldToUpdate => "delivery.too_old",
        Disposition::Refused => "delivery.refused",
    }
}

/// What Feishu said, if anything: its documents are searched by error code, and its support asks for the log id. Messages
/// of the transport or of this client go to the log only.
fn said(error: &Error) -> Option<String> {
    match error {
        Error::Platform(_) => Some(error.to_string()),
        Error::Unreadable { status, .. } => Some(format!("HTTP {status}")),
        _ => None,
    }
}
