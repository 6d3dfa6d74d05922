//! Refusals and the envelope around every answer (`docs/platforms/volcengine.md` §4).

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(super) struct Refusal {
    pub(super) http: u16,
    pub(super) code: String,
    /// The number that gateway errors carry.
    pub(super) code_n: Option<u32>,
    pub(super) message: String,
}

impl Refusal {
    /// A refusal of a service: no number.
    pub(super) fn new(http: u16, code: &str, message: impl Into<String>) -> Self {
        Self { http, code: code.to_owned(), code_n: None, message: message.into() }
    }

    /// A refusal of the gateway; the code determines HTTP status and number.
    pub(super) fn gateway(code: GatewayCode, message: impl Into<String>) -> Self {
        let (name, number, http) = code.row();
        Self { http, code: name.to_owned(), code_n: Some(number), message: message.into() }
    }
}

/// Error codes of the gateway, for any action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayCode {
    MissingParameter,
    MissingAuthenticationToken,
    MissingRequestInfo,
    MissingSignature,
    InvalidTimestamp,
    ServiceNotFound,
    InvalidActionOrVersion,
    InvalidAccessKey,
    SignatureDoesNotMatch,
    AccessDenied,
    MethodNotAllowed,
    InvalidAuthorization,
    InvalidCredential,
    InvalidSecretToken,
    AccountFlowLimitExceeded,
}

impl GatewayCode {
    const fn row(self) -> (&'static str, u32, u16) {
        match self {
            Self::MissingParameter => ("MissingParameter", 100_002, 400),
            Self::MissingAuthenticationToken => ("MissingAuthenticationToken", 100_003, 401),
            Self::MissingRequestInfo => ("MissingRequestInfo", 100_004, 400),
            Self::MissingSignature => ("MissingSignature", 100_005, 401),
            Self::InvalidTimestamp => ("InvalidTimestamp", 100_006, 403),
            Self::ServiceNotFound => ("ServiceNotFound", 100_007, 404),
            Self::InvalidActionOrVersion => ("InvalidActionOrVersion", 100_008, 404),
            Self::InvalidAccessKey => ("InvalidAccessKey", 100_009, 401),
            Self::SignatureDoesNotMatch => ("SignatureDoesNotMatch", 100_010, 401),
            Self::AccessDenied => ("AccessDenied", 100_013, 403),
            Self::MethodNotAllowed => ("MethodNotAllowed", 100_020, 405),
            Self::InvalidAuthorization => ("InvalidAuthorization", 100_024, 400),
            Self::InvalidCredential => ("InvalidCredential", 100_025, 400),
            Self::InvalidSecretToken => ("InvalidSecretToken", 100_026, 401),
            Self::AccountFlowLimitExceeded => ("AccountFlowLimitExceeded", 100_027, 429),
        }
    }
}

/// The content of `Result`, or nothing.
pub(super) type Reply = Option<Box<RawValue>>;

/// A `Result` from its wire type.
pub(super) fn reply<T: Serialize>(result: &T) -> Result<Reply, Refusal> {
    serde_json::value::to_raw_value(result)
        .map(Some)
        .map_err(|error| Refusal::new(500, "InternalError", error.to_string()))
}

/// `ResponseMetadata`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metadata {
    pub(super) request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    code_n: Option<u32>,
    code: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    response_metadata: &'a Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
}

/// HTTP status and body of an answer.
pub(super) fn envelope(
    mut metadata: Metadata,
    outcome: &Result<Reply, Refusal>,
) -> (StatusCode, String) {
    let (status, result) = match outcome {
        Ok(result) => (StatusCode::OK, result.as_deref()),
        Err(refusal) => {
            metadata.error = Some(ErrorBody {
                code_n: refusal.code_n,
                code: refusal.code.clone(),
                message: refusal.message.clone(),
            });
            let status = StatusCode::from_u16(refusal.http);
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), None)
        }
    };
    let body = serde_json::to_string(&Envelope { response_metadata: &metadata, result });
    (status, body.unwrap_or_default())
}
