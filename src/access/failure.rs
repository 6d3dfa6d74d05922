//! Why a path could not be read or changed.

use crate::app::cloud::CloudError;
use crate::app::trouble::{Cause, Trouble};
use crate::cards::Wording;
use crate::domain::AccountId;
use crate::store::StoreError;
use crate::volcengine::{self, ErrorKind};

/// Why a path, or one thing on it, could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PathError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("the cloud does not show the change yet")]
    NotYet,
    #[error("the cloud accepted the change and does not show it")]
    NotApplied,
    /// Cutting it would lock airgate out, and nothing could ever be restored.
    #[error(
        "airgate itself works with an access key of this user; give the account a key of another user"
    )]
    OwnKey,
    #[error("the access keys are not known, so the user may be airgate's own")]
    KeysUnread,
    #[error("every name of airgate's policy is taken in {0}")]
    PolicyNamesTaken(AccountId),
}

impl PathError {
    /// Returns the error of the cloud, if it is one.
    fn cloud(&self) -> Option<&volcengine::Error> {
        match self {
            PathError::Cloud(CloudError::Cloud(error)) => Some(error),
            _ => None,
        }
    }

    /// Returns whether the thing, or its user, does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        self.cloud().is_some_and(volcengine::Error::is_not_found)
    }

    /// Returns whether the account does not have the action.
    pub(super) fn is_no_such_action(&self) -> bool {
        self.cloud().is_some_and(volcengine::Error::is_no_such_action)
    }

    /// Returns whether the cloud refused it in its current state.
    pub(super) fn is_denied_now(&self) -> bool {
        self.cloud().is_some_and(|error| {
            matches!(error.kind(), ErrorKind::OperationDenied | ErrorKind::Conflict)
        })
    }

    /// Returns whether the cloud refused a value.
    pub(super) fn is_bad_input(&self) -> bool {
        self.cloud().is_some_and(|error| *error.kind() == ErrorKind::BadInput)
    }
}

impl From<StoreError> for PathError {
    fn from(error: StoreError) -> Self {
        PathError::Cloud(error.into())
    }
}

impl From<volcengine::Error> for PathError {
    fn from(error: volcengine::Error) -> Self {
        PathError::Cloud(error.into())
    }
}

impl From<PathError> for Trouble {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Cloud(error) => error.into(),
            PathError::NotYet => Cause::NotShownYet.into(),
            PathError::NotApplied => Cause::NotApplied.into(),
            PathError::OwnKey => Cause::OwnKey.into(),
            PathError::KeysUnread => Cause::KeysUnread.into(),
            PathError::PolicyNamesTaken(_) => Cause::PolicyNamesTaken.into(),
        }
    }
}

/// Returns every reason once, in words for people.
pub(super) fn in_words(errors: Vec<PathError>, words: Wording) -> String {
    let texts = errors.into_iter().map(|error| words.trouble(&error.into()));
    joined(texts, words)
}

/// Joins reasons, each once.
pub(super) fn joined(reasons: impl IntoIterator<Item = String>, words: Wording) -> String {
    let mut known: Vec<String> = Vec::new();
    for reason in reasons {
        if !known.contains(&reason) {
            known.push(reason);
        }
    }
    known.join(&words.t("trouble.separator", &[]))
}
