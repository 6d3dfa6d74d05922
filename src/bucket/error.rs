//! What can go wrong with a bucket, in one line without secrets.

use std::error::Error;
use std::path::PathBuf;

/// The longest text of somebody else's that is passed on, in characters.
const LONGEST: usize = 200;

/// Why a call failed. Nothing in it is secret: of an answer of the service, only status and error code are kept.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The service refused the key pair, or what was asked with it.
    #[error("the bucket refuses the key pair, or the call: {0}")]
    Denied(String),
    /// There is no such bucket or object.
    #[error("no such bucket or object: {0}")]
    NotFound(String),
    /// Anything else: the service is down, slow or throttles. Was retried.
    #[error("the bucket cannot be reached, or answers with an error: {0}")]
    Failed(String),
    /// An object has another size than it should have: the transfer was cut off.
    #[error("{name} has {found} bytes in the bucket instead of {expected}")]
    Size {
        /// Which object.
        name: String,
        /// Its size in bytes, as found.
        found: u64,
        /// Its size in bytes, as it should be.
        expected: u64,
    },
    /// The local file.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The client cannot be set up.
    #[error("the client of the bucket cannot be set up: {0}")]
    Setup(String),
    /// The service is shutting down.
    #[error("the transfer was cancelled")]
    Stopped,
}

impl BucketError {
    /// Returns what the service or the system says about it, in no words of airgate's: for people whose language is not known here.
    pub fn said(&self) -> Option<String> {
        match self {
            BucketError::Denied(words)
            | BucketError::NotFound(words)
            | BucketError::Failed(words) => Some(words.clone()),
            BucketError::Io { source, .. } => Some(source.to_string()),
            BucketError::Size { .. } | BucketError::Setup(_) | BucketError::Stopped => None,
        }
    }
}

impl From<object_store::Error> for BucketError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as E;
        let words = words(&error);
        // Some calls, such as a list, come with the status alone.
        match error {
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => Self::Denied(words),
            E::NotFound { .. } => Self::NotFound(words),
            _ if words.starts_with("401") || words.starts_with("403") => Self::Denied(words),
            _ if words.starts_with("404") => Self::NotFound(words),
            _ => Self::Failed(words),
        }
    }
}

/// Returns status and code of the service's answer or, if there was none, the innermost cause. The whole answer is not shown: it
/// can hold the signed request.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let innermost = innermost.to_string();
    let whole = error.to_string();
    let code = whole
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code)
        .filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
    let status = whole
        .split_once("status code: ")
        .map(|(_, rest)| rest.split([':', '<']).next().unwrap_or_default().trim());
    match (status, code) {
        (Some(status), Some(code)) => format!("{status}, {code}"),
        (Some(status), None) => status.to_owned(),
        (None, Some(code)) => code.to_owned(),
        (None, None) => {
            let line = innermost.split(['\n', '\r', '<']).next().unwrap_or_default();
            line.chars().take(LONGEST).collect()
        }
    }
}
