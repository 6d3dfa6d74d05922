//! Registration of an app by QR code (应用注册, RFC 8628): the device flow of the accounts host, and what the person who scans
//! does on the page. docs/platforms/feishu.md §12.4, §12.8.
//!
//! The accounts host of Lark is the same listener under the name `localhost`.

use std::collections::HashMap;
use std::io::Read;

use axum::http::{Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::console::{Console, Grants, TenantRules, is_callback, is_event, is_scope};
use super::core::Core;
use super::http::{ApiResponse, Call};
use super::wire;

/// Largest unpacked `addons`, in bytes.
const ADDONS_LIMIT: u64 = 64 * 1024;

/// What is open, or was seen to differ, in the registration of an app.
#[derive(Clone, Debug)]
pub struct RegistrationRules {
    /// Seconds between polls.
    pub interval: u64,
    /// Seconds that a code lives.
    pub lifetime: u32,
    /// The answer names the lifetime `expire_in`.
    pub expire_in: bool,
    /// The tenant is Lark's: the secret comes from the other host.
    pub lark: bool,
    /// Of a Lark tenant, the first answer already has the client_id.
    pub lark_names_client: bool,
    /// The answer does not say who scanned.
    pub lacks_user_info: bool,
    /// Whether the tenant has the grey-scale of `addons`; otherwise they are ignored.
    pub addons_work: bool,
    /// How many polls are answered with `{}` before the next proper answer.
    pub empty_answers: u32,
    /// The rules of the tenant that the app is made in.
    pub tenant: TenantRules,
}

impl Default for RegistrationRules {
    fn default() -> Self {
        Self {
            interval: 5,
            lifetime: 600,
            expire_in: false,
            lark: false,
            lark_names_client: true,
            lacks_user_info: false,
            addons_work: true,
            empty_answers: 0,
            tenant: TenantRules::default(),
        }
    }
}

/// What the person on the page decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Makes the app, under this name if the person changed it.
    Approve {
        /// Another name.
        name: Option<String>,
    },
    /// Refuses.
    Refuse,
}

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The code of the link.
    pub user_code: String,
    /// The suggested name.
    pub name: String,
    /// The scopes that the link adds and the platform knows.
    pub scopes: Vec<String>,
    /// The events likewise.
    pub events: Vec<String>,
    /// The callbacks likewise.
    pub callbacks: Vec<String>,
}

/// The codes, and the apps that were made.
#[derive(Default)]
pub struct Registration {
    pub(super) rules: RegistrationRules,
    /// Whether the app still has to be made: until then its credentials do not work.
    pub(super) is_open: bool,
    codes: HashMap<String, Code>,
    apps: Vec<String>,
}

impl Registration {
    /// An app that still has to be made, under these rules.
    pub(super) fn under(rules: RegistrationRules) -> Self {
        Self { rules, is_open: true, ..Self::default() }
    }

    /// The names of the apps that were made.
    pub fn apps(&self) -> &[String] {
        &self.apps
    }

    /// How many codes were asked for.
    pub fn codes(&self) -> usize {
        self.codes.len()
    }
}

struct Code {
    user_code: String,
    expires_at: Timestamp,
    interval: u64,
    polled_at: Option<Timestamp>,
    /// Whether the brand was told, so that only the other host answers.
    moved: bool,
    phase: Phase,
}

enum Phase {
    Waiting,
    Refused,
    /// Made by this person.
    Approved(String),
    /// The secret was given.
    Done,
}

fn given<'q>(query: &'q [(String, String)], name: &str) -> Result<Option<&'q str>, String> {
    let mut found = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(format!("{name} is given twice")),
        (first, None) => Ok(first),
    }
}

/// What the page behind the link shows.
pub(super) fn launcher(core: &Core, query: &[(String, String)]) -> Result<Launcher, String> {
    let user_code = given(query, "user_code")?.ok_or("the link has no user_code")?.to_owned();
    let state = core.state.lock();
    let code = state.registration.codes.values().find(|code| code.user_code == user_code);
    let code = code.ok_or("the code is not known")?;
    if code.expires_at <= core.now() {
        return Err("the link has expired".to_owned());
    }
    if !matches!(code.phase, Phase::Waiting) {
        return Err("the code was used".to_owned());
    }
    let works = state.registration.rules.addons_work;
    let addons = given(query, "addons")?.filter(|_| works).and_then(|text| unpack(text).ok());
    let (scopes, events, callbacks) = addons.unwrap_or_default();
    let known = |names: Vec<String>, is_known: fn(&str) -> bool| {
        names.into_iter().filter(|name| is_known(name)).collect()
    };
    Ok(Launcher {
        user_code,
        name: given(query, "name")?.unwrap_or("My agent").to_owned(),
        scopes: known(scopes, is_scope),
        events: known(events, is_event),
        callbacks: known(callbacks, is_callback),
    })
}

/// The person decides on the page.
pub(super) fn decide(
    core: &Core,
    query: &[(String, String)],
    person: &str,
    decision: Decision,
) -> Result<Launcher, String> {
    let launcher = launcher(core, query)?;
    core.change(|state| {
        let rules = state.registration.rules.clone();
        let codes = &mut state.registration.codes;
        let code = codes.values_mut().find(|code| code.user_code == launcher.user_code);
        let code = code.ok_or("the code is not known")?;
        let name = match decision {
            Decision::Refuse => {
                code.phase = Phase::Refused;
                return Ok(());
            }
            Decision::Approve { name } => name.unwrap_or_else(|| launcher.name.clone()),
        };
        code.phase = Phase::Approved(person.to_owned());
        let first = state.registration.apps.is_empty();
        state.registration.apps.push(name);
        if first {
            let mut console = Console::fresh(rules.tenant, person);
            let granted = rules.tenant.grants == Grants::AtOnce;
            for scope in &launcher.scopes {
                console.scopes.entry(scope.clone()).or_insert(granted);
            }
            console.events.get_or_insert_default().extend(launcher.events.iter().cloned());
            console.callbacks.extend(launcher.callbacks.iter().cloned());
            console.callbacks.dedup();
            state.console = console;
            state.registration.is_open = false;
        }
        Ok::<_, String>(())
    })?;
    Ok(launcher)
}

type Addons = (Vec<String>, Vec<String>, Vec<String>);

/// Unpacks `addons`; any member or type that is not documented drops the whole.
fn unpack(text: &str) -> Result<Addons, String> {
    let packed = URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())?;
    let mut json = String::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .take(ADDONS_LIMIT)
        .read_to_string(&mut json)
        .map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let root = members(&value, &["preset", "scopes", "events", "callbacks"])?;
    let preset = match root.get("preset") {
        None => true,
        Some(Value::Bool(preset)) => *preset,
        Some(_) => return Err("preset is not a boolean".to_owned()),
    };
    let list = |object: Option<&Map<String, Value>>, name: &str| -> Result<Vec<String>, String> {
        let Some(value) = object.and_then(|object| object.get(name)) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or("not a list")?;
        let text = |item: &Value| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        items.iter().map(|item| text(item).ok_or_else(|| "not a text".to_owned())).collect()
    };
    let sub = |name: &str, known: &[&str]| -> Result<Option<Map<String, Value>>, String> {
        root.get(name).map(|value| members(value, known)).transpose()
    };
    let scopes = sub("scopes", &["tenant", "user"])?;
    list(scopes.as_ref(), "user")?;
    let scopes = list(scopes.as_ref(), "tenant")?;
    let events = sub("events", &["items"])?;
    let items = events.as_ref().and_then(|events| events.get("items"));
    let items = items.map(|items| members(items, &["tenant", "user"])).transpose()?;
    list(items.as_ref(), "user")?;
    let events = list(items.as_ref(), "tenant")?;
    let callbacks = list(sub("callbacks", &["items"])?.as_ref(), "items")?;
    if preset && scopes.is_empty() && events.is_empty() && callbacks.is_empty() {
        return Err("nothing is added".to_owned());
    }
    Ok((scopes, events, callbacks))
}

fn members(value: &Value, known: &[&str]) -> Result<Map<String, Value>, String> {
    let object = value.as_object().ok_or("not an object")?;
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name} is foreign")),
        None => Ok(object.clone()),
    }
}

fn error(error: &str, description: &str, code: Option<i64>) -> ApiResponse {
    let mut body = json!({"error": error, "error_description": description});
    if let (Some(code), Some(body)) = (code, body.as_object_mut()) {
        body.insert("code".to_owned(), code.into());
    }
    ApiResponse { status: 400, body }
}

/// POST /oauth/v1/app/registration.
pub(super) fn register(core: &Core, call: &Call) -> ApiResponse {
    let text = |name: header::HeaderName| {
        call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let bad = |what: &str| error("invalid_request", what, None);
    if call.method != Method::POST
        || !text(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded")
    {
        return bad("a form is expected");
    }
    if !text(header::AUTHORIZATION).is_empty() || !call.query.is_empty() {
        return bad("neither a token nor a query is expected");
    }
    let Ok(form) = std::str::from_utf8(&call.body) else { return bad("not UTF-8") };
    let Ok(form) = reqwest::Url::parse(&format!("http://form/?{form}")) else {
        return bad("not a form");
    };
    let fields: HashMap<String, String> = form.query_pairs().into_owned().collect();
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let on_lark = text(header::HOST).starts_with("localhost");
    match field("action") {
        "init" => ApiResponse {
            status: 200,
            body: json!({"nonce": wire::fresh_id(""), "supported_auth_methods": ["client_secret"]}),
        },
        "begin" => {
            let wants = field("request_user_info").split(' ').any(|word| word == "open_id");
            if field("archetype") != "PersonalAgent"
                || field("auth_method") != "client_secret"
                || !wants
            {
                return bad("archetype, auth_method and request_user_info are required");
            }
            begin(core)
        }
        "poll" => poll(core, field("device_code"), on_lark),
        _ => bad("unknown action"),
    }
}

fn begin(core: &Core) -> ApiResponse {
    let now = core.now();
    let (device_code, random) = (format!("v1:{}", wire::fresh_id("")), wire::fresh_id(""));
    let part =
        |from: usize, to: usize| random.get(from..to).unwrap_or_default().to_ascii_uppercase();
    let user_code = format!("{}-{}", part(0, 4), part(4, 8));
    let page = format!("{}/page/launcher", core.url);
    core.change(|state| {
        let rules = state.registration.rules.clone();
        let lifetime = SignedDuration::from_secs(i64::from(rules.lifetime));
        let code = Code {
            user_code: user_code.clone(),
            expires_at: now.checked_add(lifetime).unwrap_or(now),
            interval: rules.interval,
            polled_at: None,
            moved: false,
            phase: Phase::Waiting,
        };
        state.registration.codes.insert(device_code.clone(), code);
        let complete = format!("{page}?user_code={user_code}");
        let mut body = json!({"device_code": device_code, "user_code": user_code, "verification_uri": page,
                              "verification_uri_complete": complete, "interval": rules.interval});
        let name = if rules.expire_in { "expire_in" } else { "expires_in" };
        if let Some(body) = body.as_object_mut() {
            body.insert(name.to_owned(), rules.lifetime.into());
        }
        ApiResponse { status: 200, body }
    })
}

fn poll(core: &Core, device_code: &str, on_lark: bool) -> ApiResponse {
    let now = core.now();
    core.change(|state| {
        let rules = &mut state.registration.rules;
        if rules.empty_answers > 0 {
            rules.empty_answers -= 1;
            return ApiResponse { status: 200, body: json!({}) };
        }
        let rules = rules.clone();
        let made = state.registration.apps.len();
        let Some(code) = state.registration.codes.get_mut(device_code) else {
            return error("invalid_grant", "the device_code is not known", None);
        };
        let earliest = earliest_poll(code.interval);
        let too_early = code.polled_at.is_some_and(|at| now.duration_since(at) < earliest);
        // A poll that was sent on to the other host comes at once.
        let too_early = too_early && !(code.moved && on_lark);
        code.polled_at = Some(now);
        if too_early {
            code.interval = code.interval.saturating_add(5);
            return error("slow_down", "", Some(20095));
        }
        if code.expires_at <= now {
            return error("expired_token", "the code has expired", None);
        }
        match &code.phase {
            Phase::Waiting => error("authorization_pending", "", Some(20094)),
            Phase::Refused => error("access_denied", "The user denied the request", None),
            Phase::Done => error("invalid_grant", "the code was used", None),
            Phase::Approved(person) => {
                let brand = if rules.lark { "lark" } else { "feishu" };
                let id = match made {
                    0 | 1 => core.config.app_id.clone(),
                    other => format!("cli_other_{other}"),
                };
                let mut user = json!({"open_id": person, "tenant_brand": brand});
                if rules.lacks_user_info {
                    user = Value::Null;
                }
                if rules.lark && !on_lark {
                    code.moved = true;
                    let id = rules.lark_names_client.then_some(id);
                    return ApiResponse {
                        status: 200,
                        body: json!({"client_id": id, "user_info": {"open_id": person, "tenant_brand": brand}}),
                    };
                }
                code.phase = Phase::Done;
                let mut body = json!({"client_id": id, "client_secret": core.config.app_secret});
                if let (false, Some(body)) = (user.is_null(), body.as_object_mut()) {
                    body.insert("user_info".to_owned(), user);
                }
                ApiResponse { status: 200, body }
            }
        }
    })
}

/// The pause that a poll has to keep. A tenth less is in time: the request's way here takes longer or shorter.
fn earliest_poll(interval: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(interval.saturating_mul(900)).unwrap_or(i64::MAX))
}
