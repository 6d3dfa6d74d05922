//! The path of a call: parsing, authentication, rate limit, faults, the action itself, the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::actions::{Action, find};
use super::ark::data_plane;
use super::calls::{Call, Calls};
use super::context::Context;
use super::fault::{Fault, Faults};
use super::params::Params;
use super::permissions::{self, Caller};
use super::refusal::{GatewayCode, Metadata, Refusal, Reply, envelope};
use super::signature::{Authorization, Signed, decode_pairs};
use super::throttle::Throttle;
use crate::clock::Clock;
use crate::sandbox::listener::{ListenerSwitch, Reset};
use crate::sandbox::world::{EmptyResult, KeyStatus, World};

/// Largest request body.
const BODY_LIMIT: usize = 1 << 20;

/// The state shared by all calls.
pub(super) struct Gateway {
    pub(super) world: Mutex<World>,
    pub(super) faults: Faults,
    pub(super) calls: Calls,
    throttle: Mutex<Throttle>,
    pub(super) clock: Clock,
    served: Mutex<u64>,
    listener: ListenerSwitch,
    stop: CancellationToken,
}

/// The part of a call that has been parsed so far.
#[derive(Default)]
struct Incoming {
    metadata: Metadata,
    query: Vec<(String, String)>,
}

/// A call that passed every check.
struct Admitted {
    action: &'static Action,
    caller: Caller,
    params: Params,
}

/// Answers a call, whatever its path.
pub(super) async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(connection): ConnectInfo<Reset>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(body) => gateway.serve(&parts, &body, &connection).await,
        Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "too large"),
    }
}

impl Gateway {
    pub(super) fn new(
        world: World,
        clock: Clock,
        listener: ListenerSwitch,
        stop: CancellationToken,
    ) -> Self {
        Self {
            world: Mutex::new(world),
            faults: Faults::default(),
            calls: Calls::default(),
            throttle: Mutex::default(),
            clock,
            served: Mutex::new(0),
            listener,
            stop,
        }
    }

    async fn serve(&self, parts: &Parts, body: &Bytes, connection: &Reset) -> Response {
        let mut incoming = Incoming::default();
        incoming.metadata.request_id = self.request_id();
        if let Some(action) = data_plane::action(parts.uri.path()) {
            return self.call_model(action, parts, body, incoming.metadata);
        }
        let admitted = self.admit(parts, body, &mut incoming);
        let metadata = incoming.metadata;
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err((refusal, account)) => {
                let outcome = Err(refusal);
                self.record(&metadata, account, None, &outcome, None);
                return answer(metadata, &outcome);
            }
        };
        let operation = admitted.action.operation();
        let params = admitted.params.shown();
        let subjects = ["UserName", "PrincipalName", "Id", "ProjectName"];
        let subjects: Vec<&str> =
            subjects.iter().filter_map(|name| params.get(*name)).map(String::as_str).collect();
        let account = &admitted.caller.account;
        let fault = self.faults.hit(|target| target.is(&operation, account, &subjects));
        match fault {
            None => {
                let outcome = self.run(&admitted);
                self.record_admitted(&metadata, &admitted, &outcome, None);
                answer(metadata, &outcome)
            }
            Some(fault) => self.spoil(fault, metadata, &admitted, connection).await,
        }
    }

    /// Answers as the fault demands, running the action or not.
    async fn spoil(
        &self,
        fault: Fault,
        metadata: Metadata,
        admitted: &Admitted,
        connection: &Reset,
    ) -> Response {
        let name = Some(fault.name());
        let unanswered = |gateway: &Self| {
            let params = Some(&admitted.params);
            let account = Some(admitted.caller.account.clone());
            gateway.write_down(&metadata, account, params, None, None, name);
        };
        let refused = |refusal| {
            let outcome = Err(refusal);
            self.record_admitted(&metadata, admitted, &outcome, name);
            answer(metadata.clone(), &outcome)
        };
        let done = || {
            let outcome = self.run(admitted);
            self.record_admitted(&metadata, admitted, &outcome, name);
            answer(metadata.clone(), &outcome)
        };
        match fault {
            Fault::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                let params = Some(&admitted.params);
                let account = Some(admitted.caller.account.clone());
                self.write_down(&metadata, account, params, Some(status), None, name);
                plain(status, "text/html", HTML)
            }
            Fault::Code { http, code, message } => refused(Refusal::new(http, &code, message)),
            Fault::CredentialsRefused => refused(unknown_key()),
            Fault::Timeout => {
                unanswered(self);
                self.stop.cancelled().await;
                reset(connection)
            }
            Fault::ResetConnection => {
                unanswered(self);
                reset(connection)
            }
            Fault::LostAnswer => {
                let _ = done();
                reset(connection)
            }
            Fault::Shut => {
                unanswered(self);
                self.listener.shut().await;
                reset(connection)
            }
            Fault::Throttled { retry_after } => {
                let refusal = Refusal {
                    http: 429,
                    ..Refusal::gateway(GatewayCode::AccountFlowLimitExceeded, "Too fast.")
                };
                let mut response = refused(refusal);
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                response
            }
            Fault::Slow(delay) => {
                let response = done();
                self.wait(delay).await;
                response
            }
            Fault::NotJson => {
                let _ = done();
                plain(StatusCode::OK, "text/html", HTML)
            }
            Fault::WrongJson => {
                let _ = done();
                let result = serde_json::value::to_raw_value(&[42]).ok();
                answer(metadata.clone(), &Ok(result))
            }
            Fault::CutJson => {
                let (parts, body) = done().into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
                Response::from_parts(parts, Body::from(body.slice(..body.len() / 2)))
            }
            Fault::CutBody => {
                let (parts, body) = done().into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await;
                halve(Response::from_parts(parts, body.unwrap_or_default()))
            }
        }
    }

    /// Waits, but no longer than until the server stops.
    async fn wait(&self, delay: Duration) {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Checks everything that the gateway checks before the action. A refusal comes with the account if it is known.
    fn admit(
        &self,
        parts: &Parts,
        body: &[u8],
        incoming: &mut Incoming,
    ) -> Result<Admitted, (Refusal, Option<String>)> {
        let authorization = self.parse(parts, incoming).map_err(|refusal| (refusal, None))?;
        let caller = self
            .authenticate(parts, body, incoming, &authorization)
            .map_err(|refusal| (refusal, None))?;
        let read = || {
            let name = incoming.metadata.action.as_deref().unwrap_or_default();
            let version = incoming.metadata.version.as_deref().unwrap_or_default();
            let action = find(&authorization.service, version, name)?;
            if let Some(region) = action.region()
                && authorization.region != region
            {
                return Err(Refusal::gateway(
                    GatewayCode::InvalidCredential,
                    format!("Credential should be scoped to the region {region}."),
                ));
            }
            {
                let world = self.world.lock();
                let account = world.account(&caller.account).ok_or_else(unknown_key)?;
                let now = self.clock.now();
                permissions::check(account, &caller, action, body, &world.rules, now)?;
            }
            self.throttle(&caller.account, action)?;
            let method = parts.method.as_str();
            let params = action.params(method, &incoming.query, &parts.headers, body)?;
            Ok((action, params))
        };
        match read() {
            Ok((action, params)) => Ok(Admitted { action, caller, params }),
            Err(refusal) => Err((refusal, Some(caller.account))),
        }
    }

    /// Parses which action is called, and which caller the `Authorization` header claims.
    fn parse(&self, parts: &Parts, incoming: &mut Incoming) -> Result<Authorization, Refusal> {
        incoming.query = decode_pairs(parts.uri.query().unwrap_or_default()).ok_or_else(|| {
            Refusal::gateway(GatewayCode::MissingRequestInfo, "The query is malformed.")
        })?;
        let find = |name: &str| {
            let pair = incoming.query.iter().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        incoming.metadata.action = find("Action");
        incoming.metadata.version = find("Version");
        for (name, value) in
            [("Action", &incoming.metadata.action), ("Version", &incoming.metadata.version)]
        {
            if value.is_none() {
                return Err(Refusal::gateway(
                    GatewayCode::MissingParameter,
                    format!("The request is missing the parameter {name}."),
                ));
            }
        }
        let authorization = Authorization::read(&parts.headers)?;
        incoming.metadata.service = Some(authorization.service.clone());
        incoming.metadata.region = Some(authorization.region.clone());
        if parts.uri.path() != "/" {
            return Err(Refusal::gateway(
                GatewayCode::InvalidActionOrVersion,
                "The path must be /.",
            ));
        }
        Ok(authorization)
    }

    /// The caller.
    fn authenticate(
        &self,
        parts: &Parts,
        body: &[u8],
        incoming: &Incoming,
        authorization: &Authorization,
    ) -> Result<Caller, Refusal> {
        authorization.check_date(&parts.headers, self.clock.now())?;
        if parts.headers.contains_key("x-security-token") {
            return Err(Refusal::gateway(
                GatewayCode::InvalidSecretToken,
                "The security token is not valid.",
            ));
        }
        let (caller, secret) = {
            let world = self.world.lock();
            let found = world.accounts.iter().find_map(|account| {
                let own = account.keys.iter().map(|key| (key, None));
                let users = account.users.values();
                let users =
                    users.flat_map(|user| user.keys.iter().map(move |key| (key, Some(user))));
                own.chain(users)
                    .find(|(key, _)| key.id == authorization.access_key_id)
                    .map(|(key, user)| (account, key, user))
            });
            let (account, key, user) = found
                .filter(|(_, key, _)| key.status == KeyStatus::Active)
                .ok_or_else(unknown_key)?;
            let caller = Caller {
                account: account.slug.clone(),
                user: user.map(|user| user.name.clone()),
                access_key_id: key.id.clone(),
            };
            (caller, key.secret.clone())
        };
        let signed = Signed {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: &incoming.query,
            headers: &parts.headers,
            body,
        };
        authorization.check_signature(&signed, secret.expose_secret())?;
        Ok(caller)
    }

    /// 方舟 counts its calls apart from the other services.
    fn throttle(&self, account: &str, action: &Action) -> Result<(), Refusal> {
        let rules = self.world.lock().rules.clone();
        let (counted, limit) = match action.is_ark() {
            true => (format!("{account}/ark"), rules.ark.calls_per_second),
            false => (account.to_owned(), rules.calls_per_second),
        };
        let Some(limit) = limit else {
            return Ok(());
        };
        if self.throttle.lock().admit(&counted, limit, Instant::now()) {
            return Ok(());
        }
        Err(Refusal {
            http: rules.throttle_status,
            ..Refusal::gateway(
                GatewayCode::AccountFlowLimitExceeded,
                "Request was rejected because the request speed of this account is beyond the limit.",
            )
        })
    }

    /// Runs the action.
    fn run(&self, admitted: &Admitted) -> Result<Reply, Refusal> {
        let now = self.clock.now();
        let mut world = self.world.lock();
        let rules = world.rules.clone();
        let caller = &admitted.caller;
        let account = world.account_mut(&caller.account).map_err(|_| unknown_key())?;
        let mut context = Context { account, caller, rules: &rules, now };
        let result = (admitted.action.run)(&mut context, &admitted.params)?;
        Ok(result.or_else(|| match rules.empty_result {
            EmptyResult::Absent => None,
            EmptyResult::Null => serde_json::value::to_raw_value(&()).ok(),
            EmptyResult::Object => serde_json::value::to_raw_value(&serde_json::Map::new()).ok(),
        }))
    }

    /// Answers a call of the data plane of 方舟.
    fn call_model(
        &self,
        action: &str,
        parts: &Parts,
        body: &[u8],
        mut metadata: Metadata,
    ) -> Response {
        let now = self.clock.now();
        let outcome = data_plane::call(&mut self.world.lock(), action, parts, body, now);
        metadata.action = Some(action.to_owned());
        metadata.service = Some("ark_data".to_owned());
        let (status, code) = match &outcome {
            Ok(_) => (StatusCode::OK.as_u16(), None),
            Err(refused) => (refused.http, Some(refused.code.to_owned())),
        };
        let status = StatusCode::from_u16(status).ok();
        self.write_down(&metadata, None, None, status, code, None);
        data_plane::answer(&metadata.request_id, &outcome)
    }

    /// The time of the call and a unique number.
    fn request_id(&self) -> String {
        let mut served = self.served.lock();
        *served = served.wrapping_add(1);
        let mixed = served.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let at = self.clock.now().strftime("%Y%m%d%H%M%S").to_string();
        format!("{at}{mixed:016X}{:04X}", *served % 0x1_0000)
    }

    fn record_admitted(
        &self,
        metadata: &Metadata,
        admitted: &Admitted,
        outcome: &Result<Reply, Refusal>,
        fault: Option<&'static str>,
    ) {
        let account = Some(admitted.caller.account.clone());
        self.record(metadata, account, Some(&admitted.params), outcome, fault);
    }

    fn record(
        &self,
        metadata: &Metadata,
        account: Option<String>,
        params: Option<&Params>,
        outcome: &Result<Reply, Refusal>,
        fault: Option<&'static str>,
    ) {
        let (status, code) = match outcome {
            Ok(_) => (StatusCode::OK, None),
            Err(refusal) => (
                StatusCode::from_u16(refusal.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                Some(refusal.code.clone()),
            ),
        };
        self.write_down(metadata, account, params, Some(status), code, fault);
    }

    fn write_down(
        &self,
        metadata: &Metadata,
        account: Option<String>,
        params: Option<&Params>,
        status: Option<StatusCode>,
        outcome_code: Option<String>,
        fault: Option<&'static str>,
    ) {
        let call = Call {
            action: metadata.action.clone().unwrap_or_default(),
            service: metadata.service.clone().unwrap_or_default(),
            account,
            params: params.map(Params::shown).unwrap_or_default(),
            at: self.clock.now(),
            status: status.map(|status| status.as_u16()),
            outcome_code,
            fault,
        };
        tracing::debug!(
            action = call.action,
            account = call.account,
            status = call.status,
            code = call.outcome_code,
            fault = call.fault,
            "stand-in cloud call"
        );
        self.calls.record(call);
    }
}

/// A proxy's error page.
const HTML: &str = "<html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>";

fn unknown_key() -> Refusal {
    Refusal::gateway(
        GatewayCode::InvalidAccessKey,
        "The AccessKey you provided does not exist or is disabled.",
    )
}

fn plain(status: StatusCode, kind: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The answer in its envelope. ListBillDetail repeats the version without dashes and leaves out the region, as the
/// vendor's own examples do.
fn answer(mut metadata: Metadata, outcome: &Result<Reply, Refusal>) -> Response {
    if metadata.action.as_deref() == Some("ListBillDetail") {
        metadata.version = metadata.version.map(|version| version.replace('-', ""));
        metadata.region = None;
    }
    let request_id = HeaderValue::from_str(&metadata.request_id);
    let (status, body) = envelope(metadata, outcome);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    if let Ok(request_id) = request_id {
        headers.insert("x-tt-logid", request_id);
    }
    response
}

/// Resets the connection; the returned response is never written.
fn reset(connection: &Reset) -> Response {
    connection.now();
    Response::new(Body::empty())
}

/// Announces the whole body, sends half of it, and ends the connection.
fn halve(response: Response<Bytes>) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let half = body.slice(..body.len() / 2);
    let first = stream::once(async move { Ok::<_, std::io::Error>(half) });
    let rest = stream::once(async {
        // Lets the first half go out before the error ends the connection.
        tokio::task::yield_now().await;
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    Response::from_parts(parts, Body::from_stream(first.chain(rest)))
}
