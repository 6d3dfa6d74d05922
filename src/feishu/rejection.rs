//! Why an incoming request or payload is refused.

/// Why a request does not count as coming from the platform; answer HTTP 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// An Encrypt Key is set and there is no signature.
    #[error("the signature is missing")]
    SignatureMissing,
    /// The signature does not match the body: the Encrypt Key differs from the console's.
    #[error("the signature is wrong")]
    SignatureWrong,
    /// An Encrypt Key is set and the body is not encrypted.
    #[error("the body is not encrypted though an Encrypt Key is set")]
    NotEncrypted,
    /// The body is encrypted, and no Encrypt Key is set, or a different one. With the right key, there would be JSON
    /// inside.
    #[error("the body cannot be decrypted")]
    Undecryptable,
    /// Missing or not ours: the Verification Token differs from the console's.
    #[error("the verification token is wrong")]
    Token,
    /// Meant for another app.
    #[error("the event is for another app")]
    App,
}

/// Why a request cannot be understood; answer HTTP 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON, but neither an event nor a url_verification. This includes old-style callbacks
    /// (card.action.trigger_v1), which have no envelope and no verification token: subscribe to
    /// card.action.trigger instead.
    #[error("the body is not an event")]
    NotAnEvent,
}

/// Why a request or payload was refused without any effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Answer 401.
    #[error(transparent)]
    Unauthorized(#[from] Unauthorized),
    /// Answer 400.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}
