//! Why an attempt failed: one reason for each part of the access that could not be read or changed.

use crate::app::cloud::CloudError;
use crate::app::trouble::{Cause, Trouble};
use crate::cards::Wording;
use crate::store::StoreError;
use crate::volcengine;

/// Why one part of the access could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnforceError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("the cloud does not show the change yet")]
    NotYet,
    /// Cutting it would lock airgate out, and nothing could ever be restored.
    #[error(
        "airgate itself works with an access key of this user; give the account a key of another user"
    )]
    OwnKey,
}

impl From<StoreError> for EnforceError {
    fn from(error: StoreError) -> Self {
        EnforceError::Cloud(error.into())
    }
}

impl From<volcengine::Error> for EnforceError {
    fn from(error: volcengine::Error) -> Self {
        EnforceError::Cloud(error.into())
    }
}

impl From<EnforceError> for Trouble {
    fn from(error: EnforceError) -> Self {
        match error {
            EnforceError::Cloud(error) => error.into(),
            EnforceError::NotYet => Cause::NotShownYet.into(),
            EnforceError::OwnKey => Cause::OwnKey.into(),
        }
    }
}

/// What failed in one attempt, in the order in which it was tried.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<EnforceError>);

impl Failures {
    /// Returns the value of a success, or records the reason of a failure.
    pub(super) fn keep<T, E: Into<EnforceError>>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(error.into());
                None
            }
        }
    }

    /// Fails if anything failed.
    pub(super) fn into_result(self) -> Result<(), Failures> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Returns every reason once, in words for people.
    pub(super) fn in_words(self, words: Wording) -> String {
        let mut reasons: Vec<String> = Vec::new();
        for error in self.0 {
            let reason = words.trouble(&error.into());
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons.join(&words.t("trouble.separator", &[]))
    }
}

impl<E: Into<EnforceError>> From<E> for Failures {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}
