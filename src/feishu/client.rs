//! The REST API: messages, people, chats. One method per call, one request per call.
//!
//! The client retries only a call whose token was refused, once, with a fresh token: such a call was not applied. All
//! other retries are up to the caller, which knows what is still undelivered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::error::{
    DOWNLOAD_ENDPOINT, Error, RECALL_ENDPOINT, REPLY_ENDPOINT, SEND_ENDPOINT, UPDATE_ENDPOINT,
    UPLOAD_ENDPOINT,
};
use super::fields::string;
use super::http::{self, Envelope, Redaction};
use super::message::{ChatKind, MessageReceived, OwnMessage};
use super::token::{Credentials, TokenSource};
use crate::clock::Clock;

/// Mobile numbers per request ("Obtain user ID via email or mobile number").
const MOBILES_PER_CALL: usize = 50;
/// The platform's largest page ("Get chat history").
const MESSAGES_PER_CALL: &str = "50";
/// The platform's limit on the length of `uuid`, in characters ("Send message").
const UUID_LIMIT: usize = 50;

const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The platform's address and the app's credentials.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// E.g. `https://open.feishu.cn`; checked by [`crate::address::api_url`].
    pub base_url: Url,
    /// `cli_…`
    pub app_id: String,
    /// The App Secret of the developer console.
    pub app_secret: SecretString,
    /// Timeout of one request, response included.
    pub timeout: Duration,
    /// Timeout of one upload: 30 MB over a slow line take longer.
    pub upload_timeout: Duration,
}

/// The recipient of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// A chat, `oc_…`.
    Chat(&'a str),
    /// A person, `ou_…`, in their direct chat with the bot.
    OpenId(&'a str),
}

/// The content of a message.
#[derive(Clone, Debug)]
pub enum Content {
    /// Card JSON; at most 30 KB including the request body around it.
    Card(String),
    /// Card JSON that contains secrets.
    SecretCard(SecretString),
    /// An uploaded file, by its key: [`Client::upload_file`].
    File(String),
}

impl Content {
    fn msg_type(&self) -> &'static str {
        match self {
            Self::Card(_) | Self::SecretCard(_) => "interactive",
            Self::File(_) => "file",
        }
    }

    /// Returns the `content` field: a string that holds JSON.
    fn content(&self) -> String {
        match self {
            Self::Card(card) => card.clone(),
            Self::SecretCard(card) => card.expose_secret().to_owned(),
            Self::File(key) => json!({ "file_key": key }).to_string(),
        }
    }
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// `om_…`
    pub message_id: String,
    /// `oc_…`; for a message to a person, their direct chat with the bot.
    pub chat_id: String,
}

/// The bot itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotInfo {
    /// Mentions of the bot carry this id.
    pub open_id: String,
    /// The app's name.
    pub name: String,
}

/// A scope that the app's published version asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppScope {
    /// Its name.
    pub name: String,
    /// Whether it is granted; otherwise it waits for an administrator of the tenant.
    pub is_granted: bool,
}

/// Whether a chat still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatStatus {
    /// It exists.
    Normal,
    /// It was dissolved, with or without its history.
    Dissolved,
}

/// A chat that the bot is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatInfo {
    /// The chat's name; empty if it has none.
    pub name: String,
    /// Whether it still exists.
    pub status: ChatStatus,
}

/// A page of a chat's history.
#[derive(Clone, Debug, PartialEq)]
pub struct MessagePage {
    /// Messages by people and bots, oldest first, without recalled ones.
    pub messages: Vec<MessageReceived>,
    /// The token of the next page; `None` on the last.
    pub next: Option<String>,
}

/// A page of this app's own messages in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMessagePage {
    /// This app's messages on the page, oldest first, without recalled ones.
    pub messages: Vec<OwnMessage>,
    /// The token of the next page; `None` on the last.
    pub next: Option<String>,
}

/// The REST client of one app. Clones share the token and the connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    base_url: Url,
    app_id: String,
    upload_timeout: Duration,
    tokens: TokenSource,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.shared.base_url.as_str())
            .field("app_id", &self.shared.app_id)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client without sending anything. Fails only with [`Error::Setup`].
    pub fn new(config: ClientConfig, clock: Clock) -> Result<Self, Error> {
        let http = http::client(&config.base_url, config.timeout)?;
        let path = ["auth", "v3", "tenant_access_token", "internal"];
        let credentials = Credentials {
            url: api_url(&config.base_url, &path),
            app_id: config.app_id.clone(),
            app_secret: config.app_secret,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                tokens: TokenSource::new(http.clone(), credentials, clock),
                http,
                base_url: config.base_url,
                app_id: config.app_id,
                upload_timeout: config.upload_timeout,
            }),
        })
    }

    /// Returns when the current tenant token was obtained; `None` before the first one and after a refused one.
    pub fn token_obtained_at(&self) -> Option<Timestamp> {
        self.shared.tokens.obtained_at()
    }

    /// Returns why the last request for a tenant token failed, unless it succeeded.
    pub fn token_failure(&self) -> Option<Error> {
        self.shared.tokens.failure()
    }

    /// Fetches a new tenant token now, which also checks the credentials and the connection to the platform.
    pub async fn refresh_token(&self) -> Result<(), Error> {
        self.shared.tokens.refresh().await
    }

    /// Sends a message ("Send message"). `uuid` (at most 50 characters) is the idempotency key: the platform sends at
    /// most one message for it within an hour.
    pub async fn send(
        &self,
        to: &Recipient<'_>,
        content: &Content,
        uuid: &str,
    ) -> Result<SentMessage, Error> {
        let endpoint = SEND_ENDPOINT;
        check_uuid(endpoint, uuid)?;
        let (id_type, id) = match to {
            Recipient::Chat(id) => ("chat_id", id),
            Recipient::OpenId(id) => ("open_id", id),
        };
        let mut url = self.url(&["im", "v1", "messages"]);
        url.query_pairs_mut().append_pair("receive_id_type", id_type);
        let body = json!({
            "receive_id": id,
            "msg_type": content.msg_type(),
            "content": content.content(),
            "uuid": uuid,
        });
        let secret = matches!(content, Content::SecretCard(_));
        sent_message(&self.call_with(endpoint, Method::POST, url, Some(body), secret).await?)
    }

    /// Replies to a message ("Reply message"). `uuid` as in [`Client::send`].
    pub async fn reply(
        &self,
        message_id: &str,
        content: &Content,
        uuid: &str,
    ) -> Result<SentMessage, Error> {
        let endpoint = REPLY_ENDPOINT;
        check_uuid(endpoint, uuid)?;
        check_id(endpoint, message_id)?;
        let url = self.url(&["im", "v1", "messages", message_id, "reply"]);
        let body = json!({
            "msg_type": content.msg_type(),
            "content": content.content(),
            "uuid": uuid,
        });
        sent_message(&self.call(endpoint, Method::POST, url, Some(body)).await?)
    }

    /// Replaces the card of one of this app's messages ("Update message card"). The message must not be recalled or older
    /// than 14 days; the platform allows 5 updates per second.
    pub async fn update_card(&self, message_id: &str, card_json: &str) -> Result<(), Error> {
        let endpoint = UPDATE_ENDPOINT;
        check_id(endpoint, message_id)?;
        let url = self.url(&["im", "v1", "messages", message_id]);
        let body = json!({ "content": card_json });
        self.call(endpoint, Method::PATCH, url, Some(body)).await.map(drop)
    }

    /// Recalls one of this app's messages ("Recall message"). A message that is gone already answers an error of
    /// [`Disposition::MessageGone`](super::Disposition::MessageGone).
    pub async fn recall(&self, message_id: &str) -> Result<(), Error> {
        let endpoint = RECALL_ENDPOINT;
        check_id(endpoint, message_id)?;
        let url = self.url(&["im", "v1", "messages", message_id]);
        self.call(endpoint, Method::DELETE, url, None).await.map(drop)
    }

    /// Uploads a file of 1 byte to 30 MB ("Upload file") and returns its key for [`Content::File`]. `name` needs an
    /// extension and must not contain quotes, backslashes or control characters.
    pub async fn upload_file(&self, name: &str, bytes: Vec<u8>) -> Result<String, Error> {
        let endpoint = UPLOAD_ENDPOINT;
        if bytes.is_empty() || name.chars().any(|c| c.is_control() || matches!(c, '"' | '\\')) {
            return Err(Error::Unsendable { endpoint, what: "the file is empty or badly named" });
        }
        let boundary = format!("airgate-{}", uuid::Uuid::new_v4().simple());
        let body = multipart(&boundary, name, &bytes);
        let url = self.url(&["im", "v1", "files"]);
        let attempt = async |token: &SecretString| {
            let request = self
                .shared
                .http
                .post(url.clone())
                .timeout(self.shared.upload_timeout)
                .bearer_auth(token.expose_secret())
                .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
                .body(body.clone());
            http::exchange(endpoint, request, Redaction::Secrets(&[token.expose_secret()])).await
        };
        let tokens = &self.shared.tokens;
        let token = tokens.get().await?;
        let answer = match attempt(&token).await {
            Err(error) if error.is_token_invalid() => {
                tokens.discard(&token);
                attempt(&tokens.get().await?).await?
            }
            result => result?,
        };
        string(answer.data(), "file_key").ok_or_else(|| answer.lacks("the answer has no file key"))
    }

    /// Downloads a file that somebody sent (docs/platforms/feishu.md §4.10); `None` if it has more than `most` bytes.
    pub async fn download(
        &self,
        message_id: &str,
        file_key: &str,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let endpoint = DOWNLOAD_ENDPOINT;
        check_id(endpoint, message_id)?;
        check_id(endpoint, file_key)?;
        let mut url = self.url(&["im", "v1", "messages", message_id, "resources", file_key]);
        url.query_pairs_mut().append_pair("type", "file");
        let attempt = async |token: &SecretString| {
            let request = self
                .shared
                .http
                .get(url.clone())
                .timeout(self.shared.upload_timeout)
                .bearer_auth(token.expose_secret());
            let secrets = [token.expose_secret()];
            http::download(endpoint, request, Redaction::Secrets(&secrets), most).await
        };
        let tokens = &self.shared.tokens;
        let token = tokens.get().await?;
        match attempt(&token).await {
            Err(error) if error.is_token_invalid() => {
                tokens.discard(&token);
                attempt(&tokens.get().await?).await
            }
            result => result,
        }
    }

    /// Looks up people by mobile number ("Obtain user ID via email or mobile number"). Returns every number with its
    /// open_id, in the given order; `None` for a number that nobody in the app's contact range has.
    pub async fn open_ids_by_mobile(
        &self,
        mobiles: &[String],
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let mut found = HashMap::new();
        for batch in mobiles.chunks(MOBILES_PER_CALL) {
            let mut url = self.url(&["contact", "v3", "users", "batch_get_id"]);
            url.query_pairs_mut().append_pair("user_id_type", "open_id");
            let body = json!({ "mobiles": batch });
            let answer = self.call("user_batch_get_id", Method::POST, url, Some(body)).await?;
            let people = answer.data().get("user_list").and_then(Value::as_array);
            for person in people.into_iter().flatten() {
                // `user_id` holds the open_id. An entry without a match has none.
                if let (Some(mobile), Some(id)) =
                    (string(person, "mobile"), string(person, "user_id"))
                {
                    found.insert(bare_mobile(&mobile), id);
                }
            }
        }
        Ok(mobiles
            .iter()
            .map(|mobile| (mobile.clone(), found.get(&bare_mobile(mobile)).cloned()))
            .collect())
    }

    /// Returns a person's name ("Obtain user information"); `None` if the app may not read it.
    pub async fn person_name(&self, open_id: &str) -> Result<Option<String>, Error> {
        let endpoint = "user_get";
        check_id(endpoint, open_id)?;
        let mut url = self.url(&["contact", "v3", "users", open_id]);
        url.query_pairs_mut().append_pair("user_id_type", "open_id");
        match self.call(endpoint, Method::GET, url, None).await {
            Ok(answer) => Ok(answer.data().get("user").and_then(|user| string(user, "name"))),
            // Outside the app's contact range.
            Err(error) if error.code() == Some(41050) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the bot's own open_id and name ("Obtain bot information").
    pub async fn bot_info(&self) -> Result<BotInfo, Error> {
        let url = self.url(&["bot", "v3", "info"]);
        let answer = self.call("bot_info", Method::GET, url, None).await?;
        // At top level, not under `data`.
        let bot = answer.body.get("bot").unwrap_or(&Value::Null);
        Ok(BotInfo {
            open_id: string(bot, "open_id")
                .ok_or_else(|| answer.lacks("the answer does not name the bot"))?,
            name: string(bot, "app_name").unwrap_or_default(),
        })
    }

    /// Returns the scopes that the app's published version asks for (docs/platforms/feishu.md §12.7). Needs no scope itself.
    pub async fn scopes(&self) -> Result<Vec<AppScope>, Error> {
        let url = self.url(&["application", "v6", "scopes"]);
        let answer = self.call("app_scopes", Method::GET, url, None).await?;
        let scopes = answer.data().get("scopes").and_then(Value::as_array);
        let scopes = scopes.ok_or_else(|| answer.lacks("the answer lists no scopes"))?;
        // The list also has scopes of users' tokens.
        let of_app = scopes.iter().filter(|scope| {
            string(scope, "scope_type").is_none_or(|kind| kind.is_empty() || kind == "tenant")
        });
        Ok(of_app
            .filter_map(|scope| {
                let is_granted = scope.get("grant_status").and_then(Value::as_i64) == Some(1);
                Some(AppScope { name: string(scope, "scope_name")?, is_granted })
            })
            .collect())
    }

    /// Returns a chat's name and status ("Obtain group information").
    pub async fn chat(&self, chat_id: &str) -> Result<ChatInfo, Error> {
        let endpoint = "chat_get";
        check_id(endpoint, chat_id)?;
        let url = self.url(&["im", "v1", "chats", chat_id]);
        let answer = self.call(endpoint, Method::GET, url, None).await?;
        let data = answer.data();
        Ok(ChatInfo {
            name: string(data, "name").unwrap_or_default(),
            status: match string(data, "chat_status").as_deref() {
                Some("dissolved" | "dissolved_save") => ChatStatus::Dissolved,
                _ => ChatStatus::Normal,
            },
        })
    }

    /// Reads a page of the messages in a chat since a time (in whole seconds), oldest first ("Get chat history").
    /// `page` is [`MessagePage::next`] of the previous page. The platform does not say here what kind of chat it is.
    ///
    /// Needs the scope im:message:readonly (or im:message), and for groups im:message.group_msg as well. Of a thread in a
    /// group, only the first message is returned.
    pub async fn chat_messages(
        &self,
        chat_id: &str,
        kind: ChatKind,
        since: Timestamp,
        page: Option<&str>,
    ) -> Result<MessagePage, Error> {
        let (items, next) = self.history(chat_id, since, None, page).await?;
        let read = |item| MessageReceived::from_history(item, kind);
        Ok(MessagePage { messages: items.iter().filter_map(read).collect(), next })
    }

    /// Reads a page of this app's own messages in a chat between two times (in whole seconds), oldest first ("Get chat
    /// history"). Scopes and `page` as in [`Client::chat_messages`].
    pub async fn own_messages(
        &self,
        chat_id: &str,
        since: Timestamp,
        until: Timestamp,
        page: Option<&str>,
    ) -> Result<OwnMessagePage, Error> {
        let (items, next) = self.history(chat_id, since, Some(until), page).await?;
        let read = |item| OwnMessage::from_history(item, &self.shared.app_id);
        Ok(OwnMessagePage { messages: items.iter().filter_map(read).collect(), next })
    }

    async fn history(
        &self,
        chat_id: &str,
        since: Timestamp,
        until: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let mut url = self.url(&["im", "v1", "messages"]);
        let until = until.map(|until| until.as_second().saturating_add(1).to_string());
        url.query_pairs_mut()
            .append_pair("container_id_type", "chat")
            .append_pair("container_id", chat_id)
            .append_pair("start_time", &since.as_second().to_string())
            .extend_pairs(until.map(|until| ("end_time", until)))
            .append_pair("sort_type", "ByCreateTimeAsc")
            // Without it, JSON 2.0 cards come flattened, and some without their title.
            .append_pair("card_msg_content_type", "raw_card_content")
            .append_pair("page_size", MESSAGES_PER_CALL)
            .extend_pairs(page.map(|page| ("page_token", page)));
        let answer = self.call("chat_messages", Method::GET, url, None).await?;
        let data = answer.data();
        let items = data.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let has_more = data.get("has_more").and_then(Value::as_bool).unwrap_or(false);
        Ok((items, string(data, "page_token").filter(|_| has_more)))
    }

    pub(super) fn app_id(&self) -> &str {
        &self.shared.app_id
    }

    pub(super) fn url(&self, path: &[&str]) -> Url {
        api_url(&self.shared.base_url, path)
    }

    pub(super) async fn call(
        &self,
        endpoint: &'static str,
        method: Method,
        url: Url,
        body: Option<Value>,
    ) -> Result<Envelope, Error> {
        self.call_with(endpoint, method, url, body, false).await
    }

    /// Like [`Client::call`]. If the body is `secret`, the platform's message is not kept: it may repeat the body.
    async fn call_with(
        &self,
        endpoint: &'static str,
        method: Method,
        url: Url,
        body: Option<Value>,
        secret: bool,
    ) -> Result<Envelope, Error> {
        let attempt = async |token: &SecretString| {
            let mut request = self
                .shared
                .http
                .request(method.clone(), url.clone())
                .bearer_auth(token.expose_secret())
                .header(CONTENT_TYPE, JSON_UTF8);
            if let Some(body) = &body {
                request = request.json(body);
            }
            let known = [token.expose_secret()];
            let redaction = if secret { Redaction::Everything } else { Redaction::Secrets(&known) };
            http::exchange(endpoint, request, redaction).await
        };
        let tokens = &self.shared.tokens;
        let token = tokens.get().await?;
        match attempt(&token).await {
            Err(error) if error.is_token_invalid() => {
                tokens.discard(&token);
                attempt(&tokens.get().await?).await
            }
            result => result,
        }
    }
}

/// `base/open-apis/…`, each segment escaped.
fn api_url(base_url: &Url, path: &[&str]) -> Url {
    let mut url = base_url.clone();
    // Fails only for URLs without a host, which cannot be base URLs.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("open-apis").extend(path);
    }
    url
}

/// Refuses ids that, as a segment, would change the path.
pub(super) fn check_id(endpoint: &'static str, id: &str) -> Result<(), Error> {
    if id.is_empty() || id == "." || id == ".." {
        return Err(Error::Unsendable { endpoint, what: "the id is empty" });
    }
    Ok(())
}

fn check_uuid(endpoint: &'static str, uuid: &str) -> Result<(), Error> {
    if uuid.is_empty() || uuid.chars().count() > UUID_LIMIT {
        return Err(Error::Unsendable { endpoint, what: "the uuid must have 1 to 50 characters" });
    }
    Ok(())
}

/// Builds the multipart form of an upload (RFC 7578).
fn multipart(boundary: &str, name: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(file.len().saturating_add(1024));
    for (field, value) in [("file_type", "stream"), ("file_name", name)] {
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

fn sent_message(answer: &Envelope) -> Result<SentMessage, Error> {
    let data = answer.data();
    Ok(SentMessage {
        message_id: string(data, "message_id")
            .ok_or_else(|| answer.lacks("the answer has no message id"))?,
        chat_id: string(data, "chat_id").unwrap_or_default(),
    })
}

/// Keeps the digits, without China's country code, so that `+86 138…` and `138…` are the same number.
fn bare_mobile(mobile: &str) -> String {
    let digits: String = mobile.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("86") {
        Some(local) if local.len() == 11 => local.to_owned(),
        _ => digits,
    }
}
