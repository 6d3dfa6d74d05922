//! A call of the API: the part it belongs to, its parameters, and when it may be retried.

use std::borrow::Cow;
use std::fmt;

use secrecy::SecretString;
use serde_json::Value;

/// A part of the API: version, service name in the signature, endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Users, keys, login profiles, policies (2018-01-01).
    Iam,
    /// Projects (IAM 2021-08-01).
    Projects,
    /// Bills and balance (2022-01-01).
    Billing,
    /// 方舟 (Ark), the model service (2024-01-01; docs/platforms/ark.md §A.1).
    Ark,
}

impl Api {
    /// Returns the `Version` of its actions.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Iam => "2018-01-01",
            Self::Projects => "2021-08-01",
            Self::Billing => "2022-01-01",
            Self::Ark => "2024-01-01",
        }
    }

    /// Returns the service in the signature's scope.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Iam | Self::Projects => "iam",
            Self::Billing => "billing",
            Self::Ark => "ark",
        }
    }
}

/// The parameters of a query.
pub type Query = Vec<(Cow<'static, str>, String)>;

/// How a call sends its parameters, which also determines the HTTP method.
#[derive(Clone, Debug)]
pub enum Input {
    /// GET with all parameters in the query. IAM ignores a JSON body for these actions.
    Query(Query),
    /// POST with a JSON object, which keeps secrets out of URLs and proxy logs.
    Json(Value),
    /// POST with a JSON object and parameters in the query.
    JsonAndQuery(Value, Query),
}

/// When a call may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After any transient failure: reads, and writes that state the desired end state.
    Always,
    /// Only if the API certainly did not apply the call: writes that create something (CreateUser, CreateAccessKey).
    /// After an unclear failure the caller must check before it retries.
    IfNotApplied,
}

/// One call of the API.
#[derive(Clone)]
pub struct Call {
    /// The part of the API it belongs to.
    pub api: Api,
    /// The action (`ListUsers`), also in metrics, logs and errors.
    pub action: &'static str,
    /// The action to send instead, if an operator configures it. `action` still stands for it in metrics, so that their
    /// labels are a closed set.
    pub configured: Option<String>,
    /// Its parameters.
    pub input: Input,
    /// When it may be retried.
    pub retry: Retry,
    /// A secret among the parameters, which is redacted from the API's messages.
    pub secret: Option<SecretString>,
    /// Whether a response may hold a secret, so that an error must not quote one.
    pub secret_answer: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters may hold a password.
        f.debug_struct("Call")
            .field("api", &self.api)
            .field("action", &self.action)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// Creates a GET that may be retried.
    pub fn get<const N: usize>(
        api: Api,
        action: &'static str,
        query: [(&'static str, String); N],
    ) -> Self {
        let query = query.map(|(key, value)| (Cow::Borrowed(key), value)).into();
        Self::new(api, action, Input::Query(query))
    }

    /// Creates a POST that may be retried.
    pub fn post(api: Api, action: &'static str, body: Value) -> Self {
        Self::new(api, action, Input::Json(body))
    }

    fn new(api: Api, action: &'static str, input: Input) -> Self {
        Self {
            api,
            action,
            configured: None,
            input,
            retry: Retry::Always,
            secret: None,
            secret_answer: false,
        }
    }
}
