//! Calls of the API and of models, with what may be said about their answers.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Failure, failed};
use super::transcript::plain;
use crate::address::{self, Url};
use crate::volcengine::{AccountClient, Api, Call, Error, ErrorKind, Retry};

/// What a call of the API answered.
pub(super) struct Answer {
    action: String,
    request_id: String,
    /// `Result`; null if there was none.
    pub(super) result: Result<Value, Error>,
}

impl Answer {
    /// Says the answer without a word of its content: `StopEndpoint: HTTP 200, RequestId 2026…`.
    pub(super) fn line(&self) -> String {
        let Self { action, request_id, result } = self;
        let error = match result {
            Ok(_) => return format!("{action}: HTTP 200, RequestId {request_id}"),
            Err(error) => error,
        };
        let mut parts = vec![match error.status() {
            Some(status) => format!("HTTP {status}"),
            None => format!("no answer ({:?})", error.kind()),
        }];
        parts.extend(error.code().map(plain));
        if *error.kind() == ErrorKind::Unexpected && error.code().is_none() {
            parts.push("not understood".to_owned());
        }
        if !request_id.is_empty() {
            parts.push(format!("RequestId {request_id}"));
        }
        format!("{action}: {}", parts.join(", "))
    }

    /// Returns whether the cloud or the access key's rights rule the call out, so that only the console can do it.
    pub(super) fn is_console_only(&self) -> bool {
        let kind = self.result.as_ref().err().map(Error::kind);
        matches!(kind, Some(ErrorKind::NoSuchAction | ErrorKind::Permission))
    }

    pub(super) fn is(&self, kind: &ErrorKind) -> bool {
        self.result.as_ref().is_err_and(|error| error.kind() == kind)
    }

    /// Returns whether another attempt may work, so that this one proves nothing.
    pub(super) fn may_come(&self) -> bool {
        self.result.as_ref().is_err_and(|error| error.is_transient() || error.is_unclear())
    }

    pub(super) fn worked(&self) -> bool {
        self.result.is_ok()
    }

    /// Returns the code of the refusal, or the words for success.
    pub(super) fn code(&self) -> String {
        match &self.result {
            Ok(_) => "success".to_owned(),
            Err(error) => error.code().map_or_else(|| "no code".to_owned(), plain),
        }
    }

    /// Returns a field of the result.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.result.as_ref().ok()?.get(name)
    }

    /// Returns a list in the result.
    pub(super) fn list(&self, name: &str) -> Option<&Vec<Value>> {
        self.field(name)?.as_array()
    }
}

/// Makes a call of 方舟. No answer is quoted, because it may hold a secret.
pub(super) async fn ark(api: &AccountClient, action: &'static str, body: Value) -> Answer {
    let call = Call {
        retry: Retry::IfNotApplied,
        secret_answer: true,
        ..Call::post(Api::Ark, action, body)
    };
    ask(api, &call).await
}

/// Makes a call of IAM.
pub(super) async fn iam<const N: usize>(
    api: &AccountClient,
    action: &'static str,
    query: [(&'static str, &str); N],
) -> Answer {
    let query = query.map(|(name, value)| (name, value.to_owned()));
    let call = Call {
        retry: Retry::IfNotApplied,
        secret_answer: true,
        ..Call::get(Api::Iam, action, query)
    };
    ask(api, &call).await
}

/// Makes a read of billing.
pub(super) async fn billing(api: &AccountClient, action: &'static str, body: Value) -> Answer {
    ask(api, &Call::post(Api::Billing, action, body)).await
}

/// Makes a call.
pub(super) async fn ask(api: &AccountClient, call: &Call) -> Answer {
    let (request_id, result) = match api.call(call).await {
        Ok(answer) => {
            let value = serde_json::from_str(answer.result().unwrap_or("null"));
            (answer.request_id().map(plain), Ok(value.unwrap_or(Value::Null)))
        }
        Err(error) => (error.request_id().map(plain), Err(error)),
    };
    Answer { action: call.action.to_owned(), request_id: request_id.unwrap_or_default(), result }
}

/// The data plane: calls of models with an API key.
pub(super) struct Models {
    http: reqwest::Client,
    url: Url,
}

/// What a call of a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ModelAnswer {
    Works,
    /// HTTP status and code.
    Refused(u16, String),
    /// It says nothing about the key: no answer, or a failure of the server.
    Unclear(String),
}

impl ModelAnswer {
    pub(super) fn works(&self) -> bool {
        *self == Self::Works
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(..))
    }

    /// Says the answer.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Works => "works (HTTP 200)".to_owned(),
            Self::Refused(status, code) => format!("is refused (HTTP {status} {code})"),
            Self::Unclear(why) => format!("gives no clear answer ({why})"),
        }
    }
}

impl Models {
    /// Calls models at this address: https, or http on this machine.
    pub(super) fn new(address: &str) -> Result<Self, Failure> {
        let url = address::base_url(address)
            .map_err(|error| Failure::Configuration(format!("--ark-data-url {error}")))?;
        let mut builder = reqwest::Client::builder()
            // A redirect would carry the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .user_agent(concat!("airgate/", env!("CARGO_PKG_VERSION")));
        if address::is_loopback(&url) {
            builder = builder.no_proxy();
        }
        Ok(Self { http: builder.build().map_err(failed)?, url })
    }

    /// Makes the smallest call that a text model takes; `model` is an endpoint's id or a Model ID.
    pub(super) async fn call(&self, key: &SecretString, model: &str) -> ModelAnswer {
        let body = json!({
            "model": model,
            "messages": [{"role": "user", "content": "1"}],
            "max_tokens": 1,
        });
        let request = self
            .http
            .post(format!("{}/chat/completions", self.url))
            .bearer_auth(key.expose_secret())
            .json(&body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return ModelAnswer::Unclear("timeout".into()),
            Err(_) => return ModelAnswer::Unclear("no connection".into()),
        };
        let status = response.status().as_u16();
        if response.status().is_success() {
            return ModelAnswer::Works;
        }
        let body: Value = response.json().await.unwrap_or_default();
        let code = body.pointer("/error/code").and_then(Value::as_str).map(plain);
        match code {
            Some(code) if status < 500 => ModelAnswer::Refused(status, code),
            _ => ModelAnswer::Unclear(format!("HTTP {status}")),
        }
    }
}

/// How long to wait for something to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For what is expected.
    pub(super) long: Duration,
    /// For what probably never comes.
    pub(super) short: Duration,
    /// Between two looks.
    pub(super) pause: Duration,
}

impl Patience {
    pub(super) fn of(long: Duration) -> Self {
        let pause = (long / 120).clamp(Duration::from_millis(20), Duration::from_secs(1));
        Self { long, short: long / 10, pause }
    }

    /// Asks until `wanted` or for `most`. Returns how long it took, if it came, and the last answer.
    pub(super) async fn until<T>(
        &self,
        most: Duration,
        mut ask: impl AsyncFnMut() -> T,
        wanted: impl Fn(&T) -> bool,
    ) -> (Option<Duration>, T) {
        let start = Instant::now();
        loop {
            let answer = ask().await;
            let took = start.elapsed();
            if wanted(&answer) {
                return (Some(took), answer);
            }
            if took >= most {
                return (None, answer);
            }
            tokio::time::sleep(self.pause).await;
        }
    }
}

/// Says how long something took.
pub(super) fn after(took: Option<Duration>, most: Duration) -> String {
    match took {
        Some(took) => format!("after {}.{} s", took.as_secs(), took.subsec_millis() / 100),
        None => format!("not within {} s", most.as_secs()),
    }
}
