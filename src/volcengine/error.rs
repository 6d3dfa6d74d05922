//! Why a call to the API failed, classified by what a caller can do about it.

use std::fmt;
use std::time::Duration;

use super::call::Api;

/// Longest part of the API's message that is kept, in characters.
const MESSAGE_CHARS: usize = 300;

/// Why a call failed for good, after any retries. Never holds a secret: the account's own keys are redacted from the API's
/// messages.
pub struct Error {
    details: Box<Details>,
}

/// The fields of an [`Error`].
#[derive(Debug)]
pub(super) struct Details {
    pub(super) action: &'static str,
    /// Unknown until the call that failed is.
    pub(super) api: Option<Api>,
    pub(super) kind: ErrorKind,
    pub(super) code: Option<String>,
    pub(super) code_n: Option<i64>,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
    pub(super) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of a failure, which callers branch on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The rate limit was exceeded (`FlowLimitExceeded`, `AccountFlowLimitExceeded`, HTTP 429).
    Throttled,
    /// A failure on the API's side (5xx, `InternalService…`, `ServiceUnavailableTemp`, `ServiceFailure`, `InternalError`).
    Server,
    /// No complete response arrived.
    Transport(TransportFault),
    /// The access key or its signature was refused.
    Credentials,
    /// The host's clock is more than 15 minutes off (`InvalidTimestamp`).
    ClockSkew,
    /// The access key lacks the permission.
    Permission,
    /// The user, key, profile, … does not exist.
    NotFound,
    /// Something of that name exists already.
    AlreadyExists,
    /// Refused because other things depend on it (`UserDeleteConflict…`).
    Conflict,
    /// Refused in the current state (`OperationDenied.…` of 方舟; docs/platforms/ark.md §A.1): for instance because it is
    /// stopped already. Read the state back: it may be the one that was wanted.
    OperationDenied,
    /// The cloud does not have this action (`InvalidActionOrVersion`): the account lacks that part of the API, or the action
    /// is undocumented and gone.
    NoSuchAction,
    /// A service limit of Volcengine is reached (`AccessKeyLimitExceeded`).
    Limit,
    /// A parameter was refused.
    BadInput,
    /// This client is misconfigured: an invalid endpoint, or a region or key that cannot be sent.
    Configuration,
    /// Anything else: a response that is not the API's, an unknown code.
    Unexpected,
    /// The bill list is empty and has this warning, or other lists show that it cannot be: split bills are not switched on.
    /// Must not be read as zero.
    SplitBillNotEnabled(String),
    /// A row of a wanted project is not in CNY.
    ForeignCurrency {
        /// The currency as the row has it.
        currency: String,
        /// The row.
        row: String,
    },
    /// A row of a wanted project, or the balance, has no usable amount. Must not be read as zero.
    EmptyAmount {
        /// The API's name of the amount.
        field: &'static str,
        /// The value found instead.
        found: String,
        /// The row.
        row: String,
    },
    /// The pages of a bill were not one complete list, twice; holds the reason.
    UnsettledBill(String),
}

/// Why no complete response arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportFault {
    /// No connection: the request was never sent.
    Connect,
    /// The response did not arrive in time.
    Timeout,
    /// The connection broke, or the response was truncated.
    Broken,
}

impl Error {
    pub(super) fn new(action: &'static str, kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self::from_details(Details {
            action,
            api: None,
            kind,
            code: None,
            code_n: None,
            message: bounded(message.as_ref()),
            request_id: None,
            status: None,
            retry_after: None,
            source: None,
        })
    }

    pub(super) fn from_details(details: Details) -> Self {
        Self { details: Box::new(details) }
    }

    pub(super) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.details.source = Some(source.into());
        self
    }

    pub(super) fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.details.request_id = request_id;
        self
    }

    pub(super) fn of_api(mut self, api: Api) -> Self {
        self.details.api = Some(api);
        self
    }

    /// Drops the words and the cause, which may quote the response.
    pub(super) fn without_words(mut self) -> Self {
        self.details.message = "the response is not shown because it may hold a secret".into();
        self.details.source = None;
        self
    }

    /// Passes every text of the API's through `redact`.
    pub(super) fn redact(mut self, redact: impl Fn(&str) -> String) -> Self {
        let details = &mut *self.details;
        details.message = redact(&details.message);
        for text in [&mut details.code, &mut details.request_id] {
            *text = text.as_deref().map(&redact);
        }
        self
    }

    /// Returns the action that failed (`ListUsers`), or `Client` for an error of the setup.
    pub fn action(&self) -> &'static str {
        self.details.action
    }

    /// Returns the kind, which callers branch on.
    pub fn kind(&self) -> &ErrorKind {
        &self.details.kind
    }

    /// Returns what failed and, after a semicolon, how to fix it if that is known; without the API's own message.
    pub fn explanation(&self) -> String {
        self.details.explanation().to_string()
    }

    /// Returns the API's code (`InvalidAccessKey`), if it sent one.
    pub fn code(&self) -> Option<&str> {
        self.details.code.as_deref()
    }

    /// Returns the API's numeric code, which gateway errors have.
    pub fn code_n(&self) -> Option<i64> {
        self.details.code_n
    }

    /// Returns the message of the API or the transport, at most 300 characters on one line.
    pub fn message(&self) -> &str {
        &self.details.message
    }

    /// Returns the request id, which the vendor's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.details.request_id.as_deref()
    }

    /// Returns the HTTP status, if a response arrived.
    pub fn status(&self) -> Option<u16> {
        self.details.status
    }

    /// Returns whether the kind is [`ErrorKind::NotFound`].
    pub fn is_not_found(&self) -> bool {
        self.details.kind == ErrorKind::NotFound
    }

    /// Returns whether a retry may succeed soon: throttled, a failure on the API's side, a transport failure.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.details.kind,
            ErrorKind::Throttled | ErrorKind::Server | ErrorKind::Transport(_)
        ) || self.details.status.is_some_and(|status| status == 429 || status >= 500)
    }

    /// Returns whether the API certainly did not apply the request, and a retry may succeed.
    pub fn was_not_applied(&self) -> bool {
        matches!(
            self.details.kind,
            ErrorKind::Throttled | ErrorKind::Transport(TransportFault::Connect)
        )
    }

    /// Returns whether the API may have applied the call although it failed: no complete or readable response arrived.
    pub fn is_unclear(&self) -> bool {
        match self.kind() {
            ErrorKind::Server | ErrorKind::Unexpected => true,
            ErrorKind::Transport(fault) => *fault != TransportFault::Connect,
            _ => false,
        }
    }

    /// Returns whether the kind is [`ErrorKind::AlreadyExists`].
    pub fn is_already_exists(&self) -> bool {
        *self.kind() == ErrorKind::AlreadyExists
    }

    /// Returns whether the call was about bills or the balance, which need a different permission than users.
    pub fn is_about_bills(&self) -> bool {
        BILLING_ACTIONS.contains(&self.details.action)
    }

    /// Returns whether the call was about 方舟, which needs a permission of its own.
    pub fn is_about_models(&self) -> bool {
        self.details.api == Some(Api::Ark)
    }

    /// Returns whether the kind is [`ErrorKind::NoSuchAction`].
    pub fn is_no_such_action(&self) -> bool {
        *self.kind() == ErrorKind::NoSuchAction
    }

    /// Returns how long the API asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.retry_after
    }
}

impl ErrorKind {
    /// Classifies a failure by its code first and its HTTP status second: the status of throttling is unreliable.
    pub(super) fn of(code: &str, status: u16) -> Self {
        Self::of_code(code).unwrap_or_else(|| Self::of_status(status))
    }

    fn of_code(code: &str) -> Option<Self> {
        // The codes of 方舟 begin with their kind; what follows is an open set (docs/platforms/ark.md §A.1).
        match code.split('.').next() {
            Some("OperationDenied") if code.contains("PermissionDenied") => {
                return Some(Self::Permission);
            }
            Some("OperationDenied") => return Some(Self::OperationDenied),
            Some("NotFound") => return Some(Self::NotFound),
            Some("InvalidParameter" | "MissingParameter") => return Some(Self::BadInput),
            Some(kind) if kind.starts_with("InvalidAction") => return Some(Self::NoSuchAction),
            _ => {}
        }
        // Match exact names before parts: `ServiceNotFound` must not look like a deleted user.
        let kind = match code {
            "InvalidAccessKey"
            | "SignatureDoesNotMatch"
            | "InvalidSecretToken"
            | "InvalidAuthorization"
            | "InvalidCredential"
            | "SessionTokenInvalid"
            | "AccessKeyIsExpire"
            // About the main account, so that no user counts as gone.
            | "AccountNotExist"
            | "MissingAuthenticationToken"
            | "MissingSignature" => Self::Credentials,
            "InvalidTimestamp" => Self::ClockSkew,
            "LackPolicy" | "LoginNotAllowed" => Self::Permission,
            "ServiceUnavailableTemp" | "ServiceFailure" | "InternalError" => Self::Server,
            "ParameterNotFound" | "RequestInvalid" | "ErrorCreateAccessKey" => Self::BadInput,
            "ServiceNotFound" | "MethodNotAllowed" | "MissingRequestInfo" => Self::Unexpected,
            "RecordNoFound" => Self::NotFound,
            // Attached already.
            "PolicyAttachConflict" => Self::AlreadyExists,
            // The key is still active.
            "AccessKeyCanNotDelete" => Self::Conflict,
            _ if code.contains("FlowLimitExceeded") => Self::Throttled,
            _ if code.starts_with("InternalService") => Self::Server,
            _ if code.contains("AccessDenied") => Self::Permission,
            _ if ["NotExist", "NotFound", "NoFound"].iter().any(|part| code.contains(part)) => {
                Self::NotFound
            }
            _ if code.contains("AlreadyExist") => Self::AlreadyExists,
            _ if code.contains("Conflict") => Self::Conflict,
            _ if code.contains("LimitExceeded") => Self::Limit,
            _ if code.starts_with("Invalid") || code.starts_with("Missing") => Self::BadInput,
            _ => return None,
        };
        Some(kind)
    }

    fn of_status(status: u16) -> Self {
        match status {
            429 => Self::Throttled,
            500.. => Self::Server,
            401 => Self::Credentials,
            403 => Self::Permission,
            409 => Self::Conflict,
            _ => Self::Unexpected,
        }
    }

    /// Returns the `outcome` label of `airgate_cloud_requests_total`.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Credentials | Self::Permission => "denied",
            _ => "error",
        }
    }
}

impl fmt::Display for Error {
    /// One line: what failed, how to fix it if that is known, and the API's own message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { action, code, message, request_id, status, .. } = &*self.details;
        write!(f, "{action}: {}", self.details.explanation())?;
        let mut said = Vec::new();
        match (code, message.is_empty()) {
            (Some(code), true) => said.push(code.clone()),
            (Some(code), false) => said.push(format!("{code}: {message}")),
            (None, false) => said.push(message.clone()),
            (None, true) => {}
        }
        said.extend(status.map(|status| format!("HTTP {status}")));
        said.extend(request_id.as_ref().map(|id| format!("request id {id}")));
        if said.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", said.join("; "))
    }
}

impl Details {
    fn explanation(&self) -> Explanation<'_> {
        Explanation { action: self.action, api: self.api, kind: &self.kind }
    }
}

/// Explains a failure and how to fix it.
struct Explanation<'a> {
    action: &'a str,
    api: Option<Api>,
    kind: &'a ErrorKind,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Throttled if self.api == Some(Api::Ark) => {
                "the cloud's rate limit was reached; airgate will retry, lower volcengine.ark_qps if this persists"
            }
            ErrorKind::Throttled => {
                "the cloud's rate limit was reached; airgate will retry, lower volcengine.qps if this persists"
            }
            ErrorKind::Server => "the cloud failed on its side; airgate will retry",
            ErrorKind::Transport(TransportFault::Connect) => {
                "the cloud cannot be reached; check the network, any proxy and the endpoints in [volcengine]"
            }
            ErrorKind::Transport(TransportFault::Timeout) => "the cloud did not answer in time",
            ErrorKind::Transport(TransportFault::Broken) => "the cloud's response was cut short",
            ErrorKind::Credentials => {
                "the access key was refused; check in the console that it is active, then replace the key pair"
            }
            ErrorKind::ClockSkew => {
                "the host's clock is more than 15 minutes off; set it (time synchronisation)"
            }
            ErrorKind::Permission if BILLING_ACTIONS.contains(&self.action) => {
                "the access key lacks the permission; attach BillingCenterReadOnlyAccess to its user"
            }
            ErrorKind::Permission if self.api == Some(Api::Ark) => {
                "the access key lacks the permission; attach ArkFullAccess to its user"
            }
            ErrorKind::Permission => {
                "the access key lacks the permission; attach IAMFullAccess to its user"
            }
            ErrorKind::NotFound => "it does not exist in the cloud",
            ErrorKind::AlreadyExists => "it already exists in the cloud",
            ErrorKind::Conflict | ErrorKind::OperationDenied => {
                "the cloud does not allow this in its current state"
            }
            ErrorKind::NoSuchAction => "the cloud does not offer this action to this account",
            ErrorKind::Limit => "a service limit of the cloud has been reached",
            ErrorKind::BadInput => "the cloud refused a value",
            ErrorKind::Configuration => "the client is misconfigured",
            ErrorKind::Unexpected => "the cloud sent an unexpected response",
            ErrorKind::SplitBillNotEnabled(warning) if self.action == "ListSplitBillDetail" => {
                return write!(
                    f,
                    "there is no split bill ({warning}); switch on 分账账单 in the console, or set \
                     monitor.bill_source = \"detail\""
                );
            }
            ErrorKind::SplitBillNotEnabled(warning) => {
                return write!(f, "the bill is empty and the cloud warns: {warning}");
            }
            ErrorKind::ForeignCurrency { currency, row } => {
                return write!(
                    f,
                    "{row} is in {currency}, only CNY can be counted; stop monitoring its project"
                );
            }
            ErrorKind::EmptyAmount { field, found, row } => {
                return write!(
                    f,
                    "{row} has {found:?} as its {field}, which is not an amount; wait for the bill to be completed, or \
                     set monitor.amount_field to another one"
                );
            }
            ErrorKind::UnsettledBill(why) => {
                return write!(
                    f,
                    "the bill could not be read completely ({why}); airgate will read it again in the next cycle"
                );
            }
        })
    }
}

const BILLING_ACTIONS: [&str; 3] = ["ListSplitBillDetail", "ListBillDetail", "QueryBalanceAcct"];

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.details.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.details.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// Returns one line of at most 300 characters, so that outside text can neither flood a log nor forge a line in it.
pub(super) fn bounded(text: &str) -> String {
    let mut line = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == MESSAGE_CHARS {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_the_status() {
        use ErrorKind::*;
        for (code, status, kind) in [
            ("FlowLimitExceeded", 200, Throttled),
            ("AccountFlowLimitExceeded", 400, Throttled),
            ("", 429, Throttled),
            ("", 502, Server),
            ("InternalServiceTimeout", 200, Server),
            ("ServiceUnavailableTemp", 503, Server),
            ("ServiceFailure", 500, Server),
            ("InternalError", 500, Server),
            ("InvalidAccessKey", 401, Credentials),
            ("SignatureDoesNotMatch", 401, Credentials),
            ("InvalidTimestamp", 403, ClockSkew),
            ("InvalidTimestamp", 400, ClockSkew),
            ("AccessDenied", 403, Permission),
            ("AccessDeniedException", 400, Permission),
            ("LackPolicy", 403, Permission),
            ("UserNotExist", 404, NotFound),
            ("AccessKeyNotExist", 403, NotFound),
            ("RecordNotFound", 404, NotFound),
            ("RecordNoFound", 400, NotFound),
            ("UserAlreadyExists", 409, AlreadyExists),
            ("LoginProfileAlreadyExist", 409, AlreadyExists),
            ("UserDeleteConflictWithPolicy", 409, Conflict),
            ("PolicyAttachConflict", 409, AlreadyExists),
            ("PolicyDetachConflict", 409, Conflict),
            ("AccessKeyCanNotDelete", 400, Conflict),
            ("SessionTokenInvalid", 400, Credentials),
            ("AccessKeyIsExpire", 400, Credentials),
            ("AccessKeyLimitExceeded", 409, Limit),
            ("InvalidAccessKeyStatus", 400, BadInput),
            ("InvalidAccessKeyId", 400, BadInput),
            ("MissingParameter", 400, BadInput),
            ("ParameterNotFound", 400, BadInput),
            // None of them means that a user is gone.
            ("AccountNotExist", 404, Credentials),
            ("ServiceNotFound", 404, Unexpected),
            ("", 404, Unexpected),
            ("SomethingNew", 400, Unexpected),
            ("SomethingNew", 403, Permission),
            ("OperationDenied.EndpointStatus", 403, OperationDenied),
            ("OperationDenied.InvalidState", 403, OperationDenied),
            ("OperationDenied.JobNotFound", 403, OperationDenied),
            ("OperationDenied", 403, OperationDenied),
            ("OperationDenied.PermissionDenied", 403, Permission),
            ("NotFound.Endpoint", 404, NotFound),
            ("NotFound", 404, NotFound),
            ("InvalidParameter.Id", 400, BadInput),
            ("InvalidParameter.ProjectNotExist", 400, BadInput),
            ("MissingParameter.Id", 400, BadInput),
            ("InvalidActionOrVersion", 404, NoSuchAction),
            ("InvalidAction", 404, NoSuchAction),
            ("InvalidAction.NotFound", 404, NoSuchAction),
        ] {
            assert_eq!(ErrorKind::of(code, status), kind, "{code} {status}");
        }
    }

    #[test]
    fn the_message_is_one_bounded_line() {
        let error =
            Error::new("ListUsers", ErrorKind::Unexpected, format!("a\nb{}", "x".repeat(1000)));
        assert_eq!(error.message().chars().count(), MESSAGE_CHARS + 1);
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn the_text_says_how_to_fix_it() {
        let kind = ErrorKind::SplitBillNotEnabled("当前账号未开通分账能力，无数据".into());
        let text = Error::new("ListSplitBillDetail", kind, "").to_string();
        assert!(
            text.contains("分账账单") && text.contains("monitor.bill_source = \"detail\""),
            "{text}"
        );
        let text = Error::new("ListBillDetail", ErrorKind::Permission, "").to_string();
        assert!(text.contains("BillingCenterReadOnlyAccess"), "{text}");
    }
}
