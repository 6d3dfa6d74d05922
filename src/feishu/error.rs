//! Why a call to the platform failed, and how a caller can react.

use std::sync::Arc;
use std::time::Duration;

/// [`Error::endpoint`] of the token endpoint. A call that failed to get its token was itself never sent.
pub(super) const TOKEN_ENDPOINT: &str = "token";
/// [`Error::endpoint`] of a custom bot's webhook.
pub(super) const WEBHOOK_ENDPOINT: &str = "webhook";
/// [`Error::endpoint`] of [`super::Client::send`].
pub const SEND_ENDPOINT: &str = "message_send";
/// [`Error::endpoint`] of [`super::Client::reply`].
pub const REPLY_ENDPOINT: &str = "message_reply";
/// [`Error::endpoint`] of [`super::Client::update_card`].
pub const UPDATE_ENDPOINT: &str = "message_update";
/// [`Error::endpoint`] of [`super::Client::recall`].
pub const RECALL_ENDPOINT: &str = "message_recall";
/// [`Error::endpoint`] of [`super::Client::upload_file`].
pub const UPLOAD_ENDPOINT: &str = "file_upload";
/// [`Error::endpoint`] of [`super::Client::download`].
pub const DOWNLOAD_ENDPOINT: &str = "file_download";

/// Why a call failed. No variant holds a secret or a URL.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client could not be built, e.g. because there are no root certificates.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] Arc<reqwest::Error>),
    /// The request was not sent because the platform would certainly have refused it.
    #[error("{endpoint}: {what}")]
    Unsendable {
        /// The call that failed.
        endpoint: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There was no connection, so the request was not sent.
    #[error("{endpoint}: no connection to the platform")]
    NotSent {
        /// The call that failed.
        endpoint: &'static str,
        /// The transport's error.
        source: Arc<reqwest::Error>,
    },
    /// The request was sent, at least in part, but no complete response arrived.
    #[error("{endpoint}: no complete answer from the platform")]
    Interrupted {
        /// The call that failed.
        endpoint: &'static str,
        /// The transport's error.
        source: Arc<reqwest::Error>,
    },
    /// The response is not the platform's: not JSON, too large, or without a required field.
    #[error("{endpoint}: HTTP {status}, {what} (log id {})", .log_id.as_deref().unwrap_or("-"))]
    Unreadable {
        /// The call that failed.
        endpoint: &'static str,
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        what: &'static str,
        /// The platform's id of the request, for Feishu's support.
        log_id: Option<String>,
        /// How long the response says to wait.
        retry_after: Option<Duration>,
    },
    /// The platform refused the call.
    #[error(transparent)]
    Platform(#[from] Box<PlatformError>),
}

/// The platform's own error response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: {code} {msg} (HTTP {status}, log id {})", .log_id.as_deref().unwrap_or("-"))]
pub struct PlatformError {
    /// The call that failed.
    pub endpoint: &'static str,
    /// HTTP status; less specific than the code.
    pub status: u16,
    /// The platform's code, never 0.
    pub code: i64,
    /// The platform's message, cut to 400 characters.
    pub msg: String,
    /// The `ErrCode` inside the message of 230099 or 11246 ("card refused"), which wrap another error.
    pub inner_code: Option<i64>,
    /// `X-Tt-Logid`: the platform's id of the request, for Feishu's support.
    pub log_id: Option<String>,
    /// `x-ogw-ratelimit-reset`: how long the gateway says to wait.
    pub retry_after: Option<Duration>,
}

/// How a delivery loop should react to a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// A rate limit was hit: retry no earlier than after this duration.
    RetryAfter(Duration),
    /// The platform is down or unreachable and did not apply the call: retry with back-off.
    RetryLater,
    /// The call may have been applied. Retry a message only with the same uuid, and only within the hour for which the
    /// platform remembers it.
    Unclear,
    /// The app's id, secret, token or address is not accepted: nothing works until an administrator fixes it.
    Credentials,
    /// The app lacks a scope, or its bot is switched off, which passes: an administrator grants it, or a new version of
    /// the app is being released. Retry with back-off, and tell administrators.
    NotPermitted,
    /// The chat is dissolved or unknown, or the bot is no longer in it.
    ChatGone,
    /// The bot cannot reach this person, who is outside its availability, has resigned or has blocked its messages.
    RecipientUnreachable,
    /// The message to update or reply to was recalled or deleted, or the bot cannot see it.
    MessageGone,
    /// The card is older than 14 days and cannot be updated: send a new one.
    TooOldToUpdate,
    /// Refused for good: the request is wrong, or a policy forbids it.
    Refused,
}

/// Wait without a header from the gateway: long enough for limits per second.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// Wait for system-wide throttling (11232), which lasts longer.
const PRESSURE_WAIT: Duration = Duration::from_secs(5);

impl Error {
    /// Returns which call failed; `None` if the client itself could not be set up.
    pub fn endpoint(&self) -> Option<&'static str> {
        match self {
            Self::Setup(_) => None,
            Self::Unsendable { endpoint, .. }
            | Self::NotSent { endpoint, .. }
            | Self::Interrupted { endpoint, .. }
            | Self::Unreadable { endpoint, .. } => Some(endpoint),
            Self::Platform(error) => Some(error.endpoint),
        }
    }

    /// Returns the platform's code, if it sent one.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Platform(error) => Some(error.code),
            _ => None,
        }
    }

    /// Returns how to react.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Setup(_) | Self::NotSent { .. } => Disposition::RetryLater,
            Self::Unsendable { .. } => Disposition::Refused,
            Self::Interrupted { endpoint, .. } => unclear(endpoint),
            Self::Unreadable { endpoint, status, retry_after, .. } => match status {
                429 => Disposition::RetryAfter(retry_after.unwrap_or(DEFAULT_WAIT)),
                // The gateway lost its backend and cannot know whether the call was applied.
                502 | 504 => unclear(endpoint),
                408 | 500.. => Disposition::RetryLater,
                // A success with an unreadable body may still be a success.
                200..=299 => unclear(endpoint),
                // Too large for a proxy in between: the message itself is the problem.
                413 => Disposition::Refused,
                // People type this address in, and its messages can be delivered another way.
                _ if *endpoint == WEBHOOK_ENDPOINT => Disposition::Refused,
                // A proxy's page, or a host other than the platform's: keep the message.
                _ => Disposition::Credentials,
            },
            Self::Platform(error) => error.disposition(),
        }
    }

    /// Returns whether a message may have been sent although the call failed: the request went out, and the response does
    /// not prove that it was refused. Always false for calls that send no message.
    pub fn may_have_sent(&self) -> bool {
        if !matches!(self.endpoint(), Some(SEND_ENDPOINT | REPLY_ENDPOINT)) {
            return false;
        }
        match self {
            Self::Setup(_) | Self::Unsendable { .. } | Self::NotSent { .. } => false,
            Self::Interrupted { .. } => true,
            Self::Unreadable { status, .. } => matches!(status, 200..=299 | 408 | 500..),
            // Still being sent with the same uuid ("Send message", error codes).
            Self::Platform(error) if error.code == 230049 => true,
            Self::Platform(error) => {
                error.status >= 500 && error.disposition() == Disposition::RetryLater
            }
        }
    }

    /// Returns whether the gateway's rate limit was hit, which counts per API and app regardless of the recipient
    /// (docs/platforms/feishu.md §3). Limits of a single chat, person or message are not included.
    pub fn is_limit_of_app(&self) -> bool {
        match self {
            Self::Platform(error) => error.code == 99991400,
            Self::Unreadable { status, .. } => *status == 429,
            _ => false,
        }
    }

    /// Returns whether the recipient of a message has left the company (docs/platforms/feishu.md §4.11).
    pub fn is_about_leaver(&self) -> bool {
        self.code() == Some(230_029)
    }

    /// Returns whether the platform has no such API for this app or tenant, so that only a person can do it, in the
    /// console: on Lark the paths of version 7 answer 404 with a text, and apps made elsewhere are refused by code
    /// (docs/platforms/feishu.md §12.3).
    pub fn is_not_here(&self) -> bool {
        match self {
            Self::Unreadable { status, .. } => *status == 404,
            Self::Platform(error) => {
                matches!(error.code, 210_001 | 210_021 | 210_034 | 210_035 | 210_043 | 99_991_404)
            }
            _ => false,
        }
    }

    /// Returns whether a card was refused because of a person that it mentions or offers: one who left, or was never
    /// known to the app, makes Feishu refuse the whole card (docs/platforms/feishu.md §4.7).
    pub fn is_about_person_in_card(&self) -> bool {
        matches!(self, Self::Platform(error) if error.inner_code == Some(100290))
    }

    /// Returns whether the tenant token was refused, so that a fresh one may help.
    pub(super) fn is_token_invalid(&self) -> bool {
        matches!(self.code(), Some(99991663 | 99991664 | 99991671))
    }

    /// Returns the `outcome` label of the call in metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self.disposition() {
            Disposition::RetryAfter(_) => "throttled",
            Disposition::RetryLater | Disposition::Unclear => "error",
            Disposition::Credentials
            | Disposition::NotPermitted
            | Disposition::ChatGone
            | Disposition::RecipientUnreachable
            | Disposition::MessageGone
            | Disposition::TooOldToUpdate
            | Disposition::Refused => "denied",
        }
    }
}

fn unclear(endpoint: &str) -> Disposition {
    if endpoint == TOKEN_ENDPOINT { Disposition::RetryLater } else { Disposition::Unclear }
}

impl PlatformError {
    /// See [`Error::disposition`]. The codes are listed in docs/platforms/feishu.md §4.7.
    fn disposition(&self) -> Disposition {
        let wait = |least: Duration| {
            Disposition::RetryAfter(self.retry_after.map_or(least, |wait| wait.max(least)))
        };
        // 230099 and 11246 wrap the card service's error, which is the actual reason.
        match self.inner_code.unwrap_or(self.code) {
            // Somebody is using this JSON 2.0 card right now. 11310 has other meanings too, which only the
            // message tells apart.
            200810 => return wait(DEFAULT_WAIT),
            11310 if self.msg.contains("card action is lock") => return wait(DEFAULT_WAIT),
            // The custom bot's own words for a failure on its side (docs/platforms/feishu.md §4.7).
            11246 if self.msg.contains("Service Internal Error") => return Disposition::RetryLater,
            _ => {}
        }
        match self.code {
            99991400 => Disposition::RetryAfter(self.retry_after.unwrap_or(DEFAULT_WAIT)),
            230020 | 230049 => wait(DEFAULT_WAIT),
            11232 | 11233 => wait(PRESSURE_WAIT),
            // Daily and monthly quotas: they reset, but not soon.
            11247 | 99991403 => Disposition::RetryLater,
            10003
            | 10012
            | 10013
            | 10014
            | 10015
            | 20005
            | 20013
            | 99991401
            | 99991543
            | 99991661..=99991665
            | 99991668
            | 99991671
            | 99991673
            | 99991677
            | 99991679
            | 234002
            | 19021 => Disposition::Credentials,
            99991672 | 230006 | 230027 | 232025 | 232034 | 234007 => Disposition::NotPermitted,
            230002 | 232006 | 232009 | 232010 | 232011 | 99992355 | 99992356 | 19001 => {
                Disposition::ChatGone
            }
            230013 | 230029 | 230038 | 230053 | 99992351 | 99992361 => {
                Disposition::RecipientUnreachable
            }
            230011 | 230019 | 230050 | 230110 | 231003 => Disposition::MessageGone,
            // Unknown. Of a new message, the same words can only be about the recipient.
            99992354 if self.endpoint != SEND_ENDPOINT => Disposition::MessageGone,
            230031 => Disposition::TooOldToUpdate,
            _ => match self.status {
                429 => wait(DEFAULT_WAIT),
                500.. => Disposition::RetryLater,
                _ => Disposition::Refused,
            },
        }
    }
}

/// Returns the reason inside 230099 or 11246: `… ext=ErrCode: 11310; ErrPath: …; ErrMsg: …`.
pub(super) fn inner_code(code: i64, msg: &str) -> Option<i64> {
    if !matches!(code, 230099 | 11246) {
        return None;
    }
    let (_, after) = msg.split_once("ErrCode:")?;
    let after = after.trim_start();
    let digits = after
        .find(|next: char| !next.is_ascii_digit())
        .map_or(Some(after), |end| after.get(..end))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(status: u16, code: i64, msg: &str) -> Error {
        Error::from(Box::new(PlatformError {
            endpoint: "message_send",
            status,
            code,
            msg: msg.to_owned(),
            inner_code: inner_code(code, msg),
            log_id: None,
            retry_after: None,
        }))
    }

    #[test]
    fn each_code_has_its_disposition() {
        use Disposition::*;
        let second = RetryAfter(Duration::from_secs(1));
        let pressure = RetryAfter(Duration::from_secs(5));
        for (status, code, msg, disposition) in [
            (429, 99991400, "request trigger frequency limit", second),
            (400, 99991400, "", second),
            (400, 230020, "", second),
            (400, 230049, "", second),
            (200, 11232, "", pressure),
            (429, 1, "", second),
            (400, 99991403, "", RetryLater),
            (500, 1, "", RetryLater),
            (200, 10003, "", Credentials),
            (200, 10014, "", Credentials),
            (400, 10015, "", Credentials),
            (400, 99991543, "", Credentials),
            (400, 99991661, "", Credentials),
            (400, 99991663, "", Credentials),
            (200, 19021, "", Credentials),
            (400, 230002, "", ChatGone),
            (400, 232009, "", ChatGone),
            (400, 232011, "", ChatGone),
            (400, 232006, "", ChatGone),
            (400, 99992355, "", ChatGone),
            (400, 99992356, "", ChatGone),
            (400, 99992351, "", RecipientUnreachable),
            (400, 99992361, "", RecipientUnreachable),
            (400, 230013, "", RecipientUnreachable),
            (400, 230029, "", RecipientUnreachable),
            (400, 230053, "", RecipientUnreachable),
            (400, 230011, "", MessageGone),
            (400, 230050, "", MessageGone),
            (400, 230110, "", MessageGone),
            (400, 230031, "", TooOldToUpdate),
            (400, 230001, "ext=receive_id", Refused),
            (400, 230025, "", Refused),
            (400, 230018, "", Refused),
            (400, 230035, "", Refused),
            // Granted a minute later.
            (400, 99991672, "scope", NotPermitted),
            (400, 230006, "", NotPermitted),
            (400, 230027, "", NotPermitted),
            (400, 232025, "", NotPermitted),
            (400, 232034, "", NotPermitted),
            (400, 234007, "", NotPermitted),
            (401, 234002, "", Credentials),
            (200, 11246, "ErrCode: 200410; ErrMsg: action components are not allowed", Refused),
            (200, 11246, "Service Internal Error", RetryLater),
            (
                400,
                230099,
                "Failed to create card content, ext=ErrCode: 200861; ErrPath: x",
                Refused,
            ),
            (400, 230099, "ext=ErrCode: 11310; ErrMsg: card action is lock; ", second),
            (400, 230099, "ext=ErrCode: 11310; ErrMsg: element exceeds the limit; ", Refused),
            (400, 230099, "ext=ErrCode: 200810; ErrMsg: x", second),
            (400, 11310, "card action is lock", second),
            (200, 9499, "Bad Request", Refused),
        ] {
            let error = platform(status, code, msg);
            assert_eq!(error.disposition(), disposition, "{error}");
        }
    }

    #[test]
    fn a_message_may_be_gone_in_many_words() {
        for code in [230011, 230019, 230050, 230110, 231003, 99992354] {
            for endpoint in [REPLY_ENDPOINT, UPDATE_ENDPOINT] {
                let Error::Platform(mut error) = platform(400, code, "") else { panic!() };
                error.endpoint = endpoint;
                assert_eq!(error.disposition(), Disposition::MessageGone, "{code} {endpoint}");
            }
        }
        // A new message replies to nothing that could be gone.
        assert_eq!(platform(400, 99992354, "").disposition(), Disposition::Refused);
    }

    #[test]
    fn a_card_refused_for_a_person_is_recognised_in_both_envelopes() {
        let msg = "Failed to create card content, ext=ErrCode: 100290; ErrMsg: invalid user; ";
        for (code, found) in [(230099, true), (11246, true), (230001, false)] {
            assert_eq!(platform(400, code, msg).is_about_person_in_card(), found, "{code}");
        }
        assert!(!platform(400, 230099, "ErrCode: 11310; ").is_about_person_in_card());
    }

    #[test]
    fn responses_without_a_code_are_judged_by_the_status() {
        use Disposition::*;
        for (endpoint, status, disposition) in [
            ("message_send", 200, Unclear),
            ("message_send", 502, Unclear),
            ("message_send", 504, Unclear),
            ("message_send", 500, RetryLater),
            ("message_send", 503, RetryLater),
            ("message_send", 302, Credentials),
            ("message_send", 403, Credentials),
            ("message_send", 404, Credentials),
            ("message_send", 413, Refused),
            (WEBHOOK_ENDPOINT, 404, Refused),
            ("message_send", 429, RetryAfter(Duration::from_millis(2500))),
            (TOKEN_ENDPOINT, 200, RetryLater),
            (TOKEN_ENDPOINT, 504, RetryLater),
        ] {
            let error = Error::Unreadable {
                endpoint,
                status,
                what: "x",
                log_id: None,
                retry_after: Some(Duration::from_millis(2500)),
            };
            assert_eq!(error.disposition(), disposition, "{error}");
        }
    }

    #[test]
    fn the_reason_for_a_refused_card_is_read_from_the_message() {
        for (code, msg, inner) in [
            (
                230099,
                "Failed to create card content, ext=ErrCode: 200621; ErrPath: ROOT",
                Some(200621),
            ),
            (230099, "ext=ErrCode:11310", Some(11310)),
            (230099, "ext=ErrCode: x", None),
            (230099, "", None),
            (230001, "ext=ErrCode: 200621;", None),
        ] {
            assert_eq!(inner_code(code, msg), inner, "{msg}");
        }
    }
}
