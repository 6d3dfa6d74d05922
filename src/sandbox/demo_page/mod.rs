//! The chat page of `airgate demo`: its static files, and the HTTP interface through which a browser acts as the
//! stand-in's people. Controls beyond chatting (add spending, jump in time) are passed in by the caller.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Json, Path, Query, State as Shared};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, stream};
use parking_lot::Mutex;
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::feishu::{Change, ChatKind, ClickAction, FakeFeishu, Message, Sender, State};

#[cfg(test)]
mod tests;

/// The page's files, embedded in the binary.
#[derive(RustEmbed)]
#[folder = "src/sandbox/page/"]
struct Files;

/// How many notices are buffered for a slow browser.
const NOTICES: usize = 256;
/// Max size of a request from the page, in bytes.
const BODY_LIMIT: usize = 256 * 1024;
/// Max size of a file that is sent from the page, in bytes: more than airgate imports, so that its own limit shows.
const DROP_LIMIT: usize = 8 * 1024 * 1024;
/// The page loads nothing from other hosts, whatever a card contains.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How a control is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlKind {
    /// A button.
    Button,
    /// A switch.
    Toggle,
    /// A choice among its options.
    Select,
    /// A number.
    Number,
    /// Fields, and a button that sends them together as an object.
    Form,
    /// Not drawn: the page's own code uses it.
    Hidden,
}

/// A select within a [`ControlKind::Form`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ControlField {
    name: String,
    label: String,
    options: Vec<ControlOption>,
}

impl ControlField {
    /// A field sent as `name` and labelled `label`.
    pub fn new(name: &str, label: &str, options: Vec<ControlOption>) -> Self {
        Self { name: name.to_owned(), label: label.to_owned(), options }
    }
}

/// One choice of a [`ControlKind::Select`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ControlOption {
    /// The value that is sent.
    pub value: Value,
    /// The label that is shown.
    pub label: String,
}

type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;
type Reading = Arc<dyn Fn() -> Value + Send + Sync>;

/// Something that the page can do beyond chatting.
#[derive(Clone)]
pub struct Control {
    name: String,
    label: String,
    kind: ControlKind,
    options: Vec<ControlOption>,
    fields: Vec<ControlField>,
    reading: Option<Reading>,
    handler: Handler,
}

impl Control {
    /// A control with this name (sent by the page) and label (shown). `handler` gets the page's whole request
    /// (`{"name", "value"}`) and returns an object, whose `message` is shown, or the reason why it failed.
    pub fn new<F, R>(name: &str, label: &str, kind: ControlKind, handler: F) -> Self
    where
        F: Fn(Value) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, String>> + Send + 'static,
    {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            options: Vec::new(),
            fields: Vec::new(),
            reading: None,
            handler: Arc::new(move |request| handler(request).boxed()),
        }
    }

    /// The choices of a select.
    pub fn options(mut self, options: Vec<ControlOption>) -> Self {
        self.options = options;
        self
    }

    /// One more field of a form.
    pub fn field(mut self, field: ControlField) -> Self {
        self.fields.push(field);
        self
    }

    /// Reads the current value, each time the page draws the control.
    pub fn reading(mut self, reading: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        self.reading = Some(Arc::new(reading));
        self
    }
}

/// The page. Clones share its state.
#[derive(Clone)]
pub struct DemoPage {
    parts: Arc<Parts>,
}

struct Parts {
    feishu: FakeFeishu,
    /// The language that the page opens in: `zh_cn` or `en_us`.
    locale: String,
    /// People in the order the page shows them, with their role's label.
    people: Vec<(String, String)>,
    controls: Vec<Control>,
    notices: broadcast::Sender<(&'static str, Value)>,
    /// The latest monitor data, for a page that is opened later.
    monitor: Mutex<Value>,
    stop: CancellationToken,
}

impl DemoPage {
    /// A page over `feishu` that opens in the language of `locale` (`zh_cn` or `en_us`). `people` are (open_id, role
    /// label) in the order they are shown; the stand-in's other people come last, without a role.
    pub fn new(
        feishu: FakeFeishu,
        locale: &str,
        people: Vec<(String, String)>,
        controls: Vec<Control>,
    ) -> Self {
        Self {
            parts: Arc::new(Parts {
                feishu,
                locale: locale.to_owned(),
                people,
                controls,
                notices: broadcast::channel(NOTICES).0,
                monitor: Mutex::new(Value::Null),
                stop: CancellationToken::new(),
            }),
        }
    }

    /// Shows a line on every open page.
    pub fn notice(&self, text: &str) {
        // Fails only if no page is open.
        let _ = self.parts.notices.send(("notice", json!({"text": text})));
    }

    /// Sends the monitor data to every open page, and to those opened later.
    pub fn monitor(&self, data: Value) {
        *self.parts.monitor.lock() = data.clone();
        let _ = self.parts.notices.send(("monitor", data));
    }

    /// Ends the open event streams, which would otherwise delay a graceful shutdown.
    pub fn close(&self) {
        self.parts.stop.cancel();
    }

    /// The people in the page's order.
    fn people(&self, state: &State) -> Vec<Value> {
        let named = self.parts.people.iter().filter_map(|(id, role)| {
            Some((state.people().find(|p| p.open_id == *id)?, role.as_str()))
        });
        let others = state
            .people()
            .filter(|person| !self.parts.people.iter().any(|(id, _)| *id == person.open_id))
            .map(|person| (person, ""));
        named
            .chain(others)
            .map(|(person, role)| json!({"id": person.open_id, "name": person.name, "role": role}))
            .collect()
    }

    /// A message as the page shows it.
    fn shown(&self, state: &State, message: &Message) -> Value {
        let feishu = &self.parts.feishu;
        let (sender_kind, sender_id, sender_name) = match &message.sender {
            Sender::Bot => ("bot", feishu.bot_open_id(), feishu.bot_name()),
            Sender::Hook(id) => ("hook", id.as_str(), ""),
            Sender::Person(id) => {
                let person = state.people().find(|person| person.open_id == *id);
                ("person", id.as_str(), person.map_or(id.as_str(), |p| p.name.as_str()))
            }
        };
        let content = message.json();
        let mut shown = json!({
            "id": message.message_id,
            "chat": message.chat_id,
            "sender": {"kind": sender_kind, "id": sender_id, "name": sender_name},
            "at": message.created_at.as_millisecond(),
            "updated_at": message.updated_at.as_millisecond(),
            // A recall changes what is shown.
            "revision": message.revisions.saturating_add(u32::from(message.recalled)),
        });
        if let Some(members) = shown.as_object_mut() {
            let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
            if message.recalled {
                set("kind", "recalled".into());
            } else if message.is_card() {
                set("kind", "card".into());
                set("card", content);
            } else if message.kind == "file" {
                let key = content.get("file_key").and_then(Value::as_str).unwrap_or("");
                let name = file_name(state, key);
                set("kind", "file".into());
                set("text", name.into());
                set("url", format!("/api/file/{key}").into());
            } else {
                let text = content.get("text").and_then(Value::as_str);
                set("kind", "text".into());
                set("text", text.unwrap_or(&message.content).into());
            }
        }
        shown
    }
}

fn file_name(state: &State, key: &str) -> String {
    state.file(key).map_or_else(|| key.to_owned(), |file| file.name.clone())
}

/// The page's paths: `/` and its files, and `/api/…`.
pub fn router(state: DemoPage) -> Router {
    Router::new()
        .route("/api/state", get(overview))
        .route("/api/messages", get(messages))
        .route("/api/file/{key}", get(file))
        .route("/api/stream", get(events))
        .route("/api/enter", post(enter))
        .route("/api/say", post(say))
        .route("/api/drop", post(drop_file).layer(DefaultBodyLimit::max(DROP_LIMIT)))
        .route("/api/click", post(click))
        .route("/api/controls", get(controls))
        .route("/api/control", post(control))
        .fallback(static_file)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(state)
}

/// An error, answered as `{"error": …}`.
struct PageError(StatusCode, String);

impl PageError {
    fn bad(reason: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.into())
    }

    fn missing(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("no such {what}"))
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<JsonRejection> for PageError {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

type JsonResult = Result<Json<Value>, PageError>;

async fn overview(Shared(page): Shared<DemoPage>) -> Json<Value> {
    let feishu = &page.parts.feishu;
    feishu.read(|state| {
        let chats: Vec<Value> = state
            .chats()
            .map(|chat| match &chat.kind {
                // A person's direct chat is shown under the other side's name.
                ChatKind::Direct(person) => json!({"id": chat.chat_id, "name": feishu.bot_name(),
                    "kind": "direct", "person": person}),
                ChatKind::Group => {
                    json!({"id": chat.chat_id, "name": chat.name, "kind": "group"})
                }
            })
            .collect();
        Json(json!({
            "people": page.people(state),
            "chats": chats,
            "bot": {"name": feishu.bot_name()},
            "monitor": *page.parts.monitor.lock(),
        }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    chat: String,
}

async fn messages(
    Shared(page): Shared<DemoPage>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> JsonResult {
    let Query(wanted) = wanted.map_err(|error| PageError::bad(error.body_text()))?;
    page.parts.feishu.read(|state| {
        if !state.chats().any(|chat| chat.chat_id == wanted.chat) {
            return Err(PageError::missing("chat"));
        }
        let list: Vec<Value> =
            state.messages(&wanted.chat).map(|message| page.shown(state, message)).collect();
        Ok(Json(Value::Array(list)))
    })
}

async fn file(
    Shared(page): Shared<DemoPage>,
    Path(key): Path<String>,
) -> Result<Response, PageError> {
    let file = page.parts.feishu.file(&key).ok_or_else(|| PageError::missing("file"))?;
    // Characters that a header cannot hold, or that would end the quotes, are replaced.
    let name: String = file
        .name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
            _ => '_',
        })
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, file.bytes).into_response())
}

async fn events(
    Shared(page): Shared<DemoPage>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = page.parts.feishu.subscribe();
    let notices = page.parts.notices.subscribe();
    let stream =
        stream::unfold((page, changes, notices), |(page, mut changes, mut notices)| async move {
            // A page that lagged has lost events: the stream ends, and the browser reconnects and reloads.
            let event = loop {
                let event = tokio::select! {
                    () = page.parts.stop.cancelled() => return None,
                    change = changes.recv() => page.event(&change.ok()?),
                    notice = notices.recv() => {
                        let (name, data) = notice.ok()?;
                        Some(Event::default().event(name).data(data.to_string()))
                    }
                };
                if let Some(event) = event {
                    break event;
                }
            };
            Some((Ok(event), (page, changes, notices)))
        });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

impl DemoPage {
    fn event(&self, change: &Change) -> Option<Event> {
        let (name, id) = match change {
            Change::Message(id) => ("message", id),
            Change::Updated(id) | Change::Recalled(id) => ("updated", id),
        };
        let shown = self.parts.feishu.read(|state| Some(self.shown(state, state.message(id)?)))?;
        Some(Event::default().event(name).data(shown.to_string()))
    }

    /// The kind of the chat, if this person is in it.
    fn chat_of(&self, person: &str, chat_id: &str) -> Result<ChatKind, PageError> {
        self.parts.feishu.read(|state| {
            if !state.people().any(|known| known.open_id == person) {
                return Err(PageError::missing("person"));
            }
            let chat = state
                .chats()
                .find(|chat| chat.chat_id == chat_id)
                .ok_or_else(|| PageError::missing("chat"))?;
            match &chat.kind {
                ChatKind::Direct(owner) if owner != person => Err(PageError(
                    StatusCode::FORBIDDEN,
                    "this chat belongs to somebody else".to_owned(),
                )),
                _ if chat.dissolved => Err(PageError::bad("this chat was dissolved")),
                kind => Ok(kind.clone()),
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    #[serde(rename = "as")]
    person: String,
    chat: String,
    text: String,
    #[serde(default)]
    mention: bool,
}

async fn say(Shared(page): Shared<DemoPage>, said: Result<Json<Say>, JsonRejection>) -> JsonResult {
    let Json(said) = said?;
    let kind = page.chat_of(&said.person, &said.chat)?;
    let feishu = &page.parts.feishu;
    let text = said.text.trim();
    let (text, mention) = match (kind, text.strip_prefix('@')) {
        (ChatKind::Direct(_), _) => (text, false),
        (ChatKind::Group, None) => (text, said.mention),
        (ChatKind::Group, Some(rest)) => {
            // A mention typed by hand means the bot, whatever the name; it is not part of the text.
            let bare = match rest.strip_prefix(feishu.bot_name()) {
                Some(bare) => bare,
                None => rest.split_once(char::is_whitespace).map_or("", |(_, bare)| bare),
            };
            (bare.trim(), true)
        }
    };
    if text.is_empty() {
        return Err(PageError::bad("the message is empty"));
    }
    let sent = feishu.say(&said.person, &said.chat, text, mention).await;
    Ok(Json(json!({"status": sent.status})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dropped {
    #[serde(rename = "as")]
    person: String,
    chat: String,
    name: String,
}

/// A person sends a file, whose bytes are the request's body.
async fn drop_file(
    Shared(page): Shared<DemoPage>,
    Query(dropped): Query<Dropped>,
    bytes: axum::body::Bytes,
) -> JsonResult {
    page.chat_of(&dropped.person, &dropped.chat)?;
    let name = dropped.name.trim();
    if name.is_empty() || bytes.is_empty() {
        return Err(PageError::bad("the file is empty or has no name"));
    }
    let feishu = &page.parts.feishu;
    let sent = feishu.say_file(&dropped.person, &dropped.chat, name, bytes).await;
    Ok(Json(json!({"status": sent.status})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enter {
    #[serde(rename = "as")]
    person: String,
}

/// A person opens their direct chat; the platform notifies the bot.
async fn enter(
    Shared(page): Shared<DemoPage>,
    entered: Result<Json<Enter>, JsonRejection>,
) -> JsonResult {
    let Json(entered) = entered?;
    let feishu = &page.parts.feishu;
    page.chat_of(&entered.person, &feishu.direct_chat(&entered.person))?;
    let sent = feishu.enter(&entered.person).await;
    Ok(Json(json!({"status": sent.status})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Click {
    #[serde(rename = "as")]
    person: String,
    message: String,
    action: ClickAction,
}

async fn click(
    Shared(page): Shared<DemoPage>,
    clicked: Result<Json<Click>, JsonRejection>,
) -> JsonResult {
    let Json(clicked) = clicked?;
    let feishu = &page.parts.feishu;
    let message = feishu.message(&clicked.message).ok_or_else(|| PageError::missing("message"))?;
    page.chat_of(&clicked.person, &message.chat_id)?;
    let result = feishu.click(&clicked.person, &clicked.message, clicked.action).await;
    let toast = result.toast.map(|toast| json!({"type": toast.kind, "content": toast.content}));
    Ok(Json(json!({
        "toast": toast,
        "error": result.error,
        "updated": result.card_updated,
        "ms": u64::try_from(result.elapsed.as_millis()).unwrap_or(u64::MAX),
    })))
}

async fn controls(Shared(page): Shared<DemoPage>) -> Json<Value> {
    let list = page.parts.controls.iter().map(|control| {
        json!({
            "name": control.name,
            "label": control.label,
            "kind": control.kind,
            "options": control.options,
            "fields": control.fields,
            "value": control.reading.as_ref().map(|reading| reading()),
        })
    });
    Json(Value::Array(list.collect()))
}

async fn control(
    Shared(page): Shared<DemoPage>,
    request: Result<Json<Value>, JsonRejection>,
) -> JsonResult {
    let Json(request) = request?;
    let name = request.get("name").and_then(Value::as_str);
    let control = page
        .parts
        .controls
        .iter()
        .find(|control| Some(control.name.as_str()) == name)
        .ok_or_else(|| PageError::missing("control"))?;
    match (control.handler)(request).await {
        Ok(answer) => Ok(Json(answer)),
        Err(reason) => Err(PageError(StatusCode::UNPROCESSABLE_ENTITY, reason)),
    }
}

async fn static_file(Shared(page): Shared<DemoPage>, uri: Uri) -> Result<Response, PageError> {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let file = Files::get(path).ok_or_else(|| PageError::missing("page"))?;
    let kind = match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    };
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    let mut data = file.data.into_owned();
    if path == "index.html" {
        let locale = format!("data-locale=\"{}\"", page.parts.locale);
        data = String::from_utf8_lossy(&data).replacen("data-locale=\"\"", &locale, 1).into_bytes();
    }
    Ok((headers, data).into_response())
}
