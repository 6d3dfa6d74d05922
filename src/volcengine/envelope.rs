//! The envelope of every response: `ResponseMetadata` (with the error, if there is one) and `Result`
//! (docs/platforms/volcengine.md §4).

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;

use super::error::{Details, Error, ErrorKind, TransportFault, bounded};

/// A successful response.
#[derive(Debug)]
pub struct ApiResponse {
    action: &'static str,
    request_id: Option<String>,
    /// Absent and `null` are the same.
    result: Option<Box<RawValue>>,
}

impl ApiResponse {
    /// Returns the text of `Result`; `None` if it is absent or `null`, as for actions that return nothing.
    pub fn result(&self) -> Option<&str> {
        self.result.as_deref().map(RawValue::get)
    }

    /// Parses `Result` as a `T`.
    ///
    /// # Errors
    /// [`ErrorKind::Unexpected`] if it is absent or malformed: an absent list is not an empty list.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.result().ok_or_else(|| self.unexpected("the response has no Result"))?;
        serde_json::from_str(text).map_err(|error| {
            self.unexpected(format!("the response cannot be read: {error}")).with_source(error)
        })
    }

    /// Returns the request id, for logs and the vendor's support.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub(super) fn unexpected(&self, message: impl AsRef<str>) -> Error {
        self.error(ErrorKind::Unexpected, message)
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl AsRef<str>) -> Error {
        Error::new(self.action, kind, message).with_request_id(self.request_id.clone())
    }
}

/// The body of a response. Every field is optional: the vendor's own examples lack some, and gateways use a second shape
/// (`HTTPCode`, `errorcode`, `message`).
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "ResponseMetadata")]
    metadata: Option<Metadata>,
    #[serde(rename = "Result")]
    result: Option<Box<RawValue>>,
    #[serde(rename = "HTTPCode")]
    http_code: Option<Value>,
    errorcode: Option<Value>,
    message: Option<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
    #[serde(rename = "Error")]
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "CodeN")]
    code_n: Option<Value>,
    #[serde(rename = "Code")]
    code: Option<Value>,
    #[serde(rename = "Message")]
    message: Option<Value>,
}

/// Opens a response to `action`. An error in the envelope counts whatever the HTTP status; `now` turns a date in
/// `Retry-After` into a delay.
///
/// # Errors
/// The API's error, or [`ErrorKind::Unexpected`] if the response is not the API's.
pub fn open(
    action: &'static str,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<ApiResponse, Error> {
    let header_id = || {
        let id = headers.get("x-tt-logid")?.to_str().ok()?;
        Some(bounded(id))
    };
    let failure = |kind, code: Option<String>, code_n, message: &str, request_id| {
        Error::from_details(Details {
            action,
            api: None,
            kind,
            code,
            code_n,
            message: bounded(message),
            request_id,
            status: Some(status),
            retry_after: retry_after(headers, now),
            source: None,
        })
    };
    let success = (200..300).contains(&status);
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let cut = error.is_eof() && (success || body.starts_with(b"{"));
            let kind = match ErrorKind::of("", status) {
                ErrorKind::Throttled => ErrorKind::Throttled,
                ErrorKind::Server => ErrorKind::Server,
                // Truncated JSON was cut in transit: worth a retry.
                _ if cut => ErrorKind::Transport(TransportFault::Broken),
                kind if success => kind,
                // A page of a proxy in between says nothing about keys or permissions.
                _ => ErrorKind::Unexpected,
            };
            let start = body.get(..body.len().min(1200)).unwrap_or_default();
            let message = match String::from_utf8_lossy(start) {
                // A truncated body may be long and is useless.
                _ if success => format!("not the API's JSON: {error}"),
                text => format!("not the API's JSON: {text}"),
            };
            return Err(failure(kind, None, None, &message, header_id()).with_source(error));
        }
    };
    let request_id = match &envelope.metadata {
        Some(Metadata { request_id: Some(id), .. }) if !id.is_empty() => Some(bounded(id)),
        _ => header_id(),
    };
    if let Some(error) = envelope.metadata.as_ref().and_then(|m| m.error.as_ref()) {
        let code = text(error.code.as_ref());
        let message = text(error.message.as_ref());
        let code_n = text(error.code_n.as_ref()).parse().ok().filter(|n| *n != 0);
        // Go services send an empty object for "no error".
        if !success || code_n.is_some() || !code.is_empty() || !message.is_empty() {
            let kind = ErrorKind::of(&code, status);
            let code = Some(code).filter(|code| !code.is_empty());
            return Err(failure(kind, code, code_n, &message, request_id));
        }
    }
    let gateway_code = text(envelope.errorcode.as_ref());
    if envelope.http_code.is_some() || !gateway_code.is_empty() {
        // If the gateway wraps a failure in a 200, the status that counts is in the body.
        let inner = text(envelope.http_code.as_ref()).parse().unwrap_or(status);
        let kind = ErrorKind::of(&gateway_code, if success { inner } else { status });
        let code = Some(gateway_code).filter(|code| !code.is_empty());
        let message = text(envelope.message.as_ref());
        return Err(failure(kind, code, None, &message, request_id));
    }
    if !success {
        let message = text(envelope.message.as_ref());
        return Err(failure(ErrorKind::of("", status), None, None, &message, request_id));
    }
    if envelope.metadata.is_none() {
        return Err(failure(
            ErrorKind::Unexpected,
            None,
            None,
            "the response has no ResponseMetadata: this is not the cloud's API",
            request_id,
        ));
    }
    Ok(ApiResponse { action, request_id, result: envelope.result })
}

/// Returns a code or message of any JSON type as bounded text.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => bounded(text),
        Some(other) => bounded(&other.to_string()),
    }
}

/// Reads `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open_text(status: u16, body: &str) -> Result<ApiResponse, Error> {
        open("ListUsers", status, &HeaderMap::new(), body.as_bytes(), Timestamp::UNIX_EPOCH)
    }

    proptest! {
        #[test]
        fn any_response_is_opened_or_gives_a_bounded_error(
            status in 100_u16..600,
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "\\PC{0,3000}".prop_map(String::into_bytes),
                ("[A-Za-z.]{0,40}", "\\PC{0,2000}", any::<i64>(), "null|\\[\\]|\\{\\}|7|\"x\"").prop_map(|(code, message, n, result)| {
                    serde_json::json!({
                        "ResponseMetadata": {"RequestId": message, "Error": {"Code": code, "CodeN": n, "Message": message}},
                    }).to_string().replace('}', &format!(",\"Result\":{result}}}")).into_bytes()
                }),
            ],
            wait in "[0-9]{1,30}|\\PC{0,20}",
        ) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = wait.parse() {
                headers.insert(RETRY_AFTER, value);
            }
            if let Err(error) = open("ListUsers", status, &headers, &body, Timestamp::UNIX_EPOCH) {
                prop_assert!(error.to_string().chars().count() < 2000, "{error}");
            }
        }
    }

    #[test]
    fn a_result_may_be_absent_null_or_empty() {
        for body in [
            r#"{"ResponseMetadata":{"RequestId":"r1"}}"#,
            r#"{"ResponseMetadata":{"RequestId":"r1"},"Result":null}"#,
            r#"{"ResponseMetadata":{"RequestId":"r1","Error":{}},"Result":null}"#,
            r#"{"ResponseMetadata":{"RequestId":"r1","Error":null,"New":[1]},"New":{},"Result":null}"#,
        ] {
            let answer = open_text(200, body).unwrap();
            assert_eq!(answer.result(), None, "{body}");
            assert_eq!(answer.request_id(), Some("r1"));
            assert!(answer.parse::<Value>().is_err(), "{body}");
        }
        let answer = open_text(200, r#"{"ResponseMetadata":{},"Result":{}}"#).unwrap();
        assert_eq!(answer.result(), Some("{}"));
    }

    #[test]
    fn failures_are_read_in_every_shape() {
        use ErrorKind::*;
        let broken = Transport(TransportFault::Broken);
        for (status, body, kind, code) in [
            (
                200,
                r#"{"ResponseMetadata":{"Error":{"CodeN":100013,"Code":"AccessDenied","Message":"no"}}}"#,
                Permission,
                Some("AccessDenied"),
            ),
            (
                400,
                r#"{"ResponseMetadata":{"Error":{"Code":"AccountFlowLimitExceeded"}},"Result":{}}"#,
                Throttled,
                Some("AccountFlowLimitExceeded"),
            ),
            (
                200,
                r#"{"HTTPCode":403,"errorcode":"AccessDenied","message":"no"}"#,
                Permission,
                Some("AccessDenied"),
            ),
            (200, r#"{"HTTPCode":"503","errorcode":11,"message":"x"}"#, Server, Some("11")),
            (404, r#"{"message":"no route"}"#, Unexpected, None),
            (502, "<html>bad gateway</html>", Server, None),
            (429, "slow down", Throttled, None),
            (403, "<html>blocked</html>", Unexpected, None),
            (302, "", Unexpected, None),
            (200, "<html>login</html>", Unexpected, None),
            (200, "", broken.clone(), None),
            (200, r#"{"ResponseMetadata":{"RequestId":"r"},"Result":{"Li"#, broken, None),
            (200, "{}", Unexpected, None),
            (200, "[]", Unexpected, None),
            (200, r#"{"ResponseMetadata":"x","Result":{}}"#, Unexpected, None),
            (503, r#"{"ResponseMetadata":{}}"#, Server, None),
        ] {
            let error = open_text(status, body).unwrap_err();
            assert_eq!(*error.kind(), kind, "{status} {body}");
            assert_eq!(error.code(), code, "{status} {body}");
            assert_eq!(error.status(), Some(status));
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("7", Some(Duration::from_secs(7))),
            ("Mon, 23 Nov 2026 10:00:09 GMT", Some(Duration::from_secs(9))),
            ("Mon, 23 Nov 2026 09:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
    }

    #[test]
    fn the_request_id_of_a_failure_may_be_in_a_header() {
        let mut headers = HeaderMap::new();
        headers.insert("X-Tt-Logid", "log-1".parse().unwrap());
        let error = open("GetUser", 500, &headers, b"oops", Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.request_id(), Some("log-1"));
    }
}
