//! Registration of an app by QR code: a device flow in the manner of RFC 8628 (docs/platforms/feishu.md §12.4).
//!
//! [`Registrar::begin`] asks for a code, [`Registration::link`] is what a person scans, and [`Registrar::poll`] is repeated
//! until they have decided. The secret comes once: whoever receives [`Poll::Made`] stores it before anything else.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::error::Error;
use super::fields::string;
use super::http;

const ENDPOINT: &str = "registration";
/// The life of a code if the answer does not say, in seconds.
const LIFETIME: u64 = 600;
/// No code is waited for longer than this, in seconds. A server was seen to send 3600.
const LONGEST_LIFETIME: u64 = 3600;
/// The time between polls if the answer does not say, in seconds.
const INTERVAL: u64 = 5;
const LONGEST_INTERVAL: u64 = 60;

/// The accounts host of one brand.
#[derive(Clone, Debug)]
pub struct Registrar {
    http: reqwest::Client,
    url: Url,
}

/// A code that waits for a person.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What [`Registrar::poll`] asks with.
    pub device_code: SecretString,
    /// What the person's page shows.
    pub user_code: String,
    /// The page, with the code.
    pub page: String,
    /// How long the code lives.
    pub lifetime: Duration,
    /// The least time between polls.
    pub interval: Duration,
}

/// An app that was just made.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// `cli_…`
    pub app_id: String,
    /// Given once.
    pub app_secret: SecretString,
    /// The open_id of the person who scanned, if the answer says.
    pub scanner: Option<String>,
    /// Whether the tenant is Lark's, if the answer says.
    pub is_lark: Option<bool>,
}

/// The answer to a poll.
#[derive(Clone, Debug)]
pub enum Poll {
    /// Nobody has decided yet.
    Pending,
    /// The same, and polls come too fast.
    SlowDown,
    /// The tenant is Lark's: ask the accounts host of Lark, at once and from now on.
    AskLark,
    /// The app exists.
    Made(NewApp),
    /// The person refused.
    Refused,
    /// The code has expired, or is not known any more.
    Expired,
    /// The platform refuses, in its own words.
    Failed(String),
    /// Not an answer of the platform: a proxy's page, an empty object. Polling goes on.
    Unreadable,
}

impl Registrar {
    /// Creates a client for the accounts host at `base`, without sending anything. Fails only with [`Error::Setup`].
    pub fn new(base: &Url, timeout: Duration) -> Result<Self, Error> {
        let mut url = base.clone();
        // Fails only for URLs without a host, which cannot be base URLs.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["oauth", "v1", "app", "registration"]);
        }
        Ok(Self { http: http::client(base, timeout)?, url })
    }

    /// Asks for a code.
    ///
    /// # Errors
    /// [`Error::Unreadable`] also if the platform refuses: why is not documented.
    pub async fn begin(&self) -> Result<Registration, Error> {
        let fields = [
            ("action", "begin"),
            ("archetype", "PersonalAgent"),
            ("auth_method", "client_secret"),
            ("request_user_info", "open_id tenant_brand"),
        ];
        let (status, body) = self.post(&fields).await?;
        let unreadable = |what| Error::Unreadable {
            endpoint: ENDPOINT,
            status,
            what,
            log_id: None,
            retry_after: None,
        };
        let body = body.ok_or_else(|| unreadable("the answer is not JSON"))?;
        if body.get("error").is_some() {
            return Err(unreadable("the platform gives no code"));
        }
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let lifetime = number("expires_in").or_else(|| number("expire_in")).unwrap_or(LIFETIME);
        let interval = number("interval").unwrap_or(INTERVAL).min(LONGEST_INTERVAL);
        let text = |name, what| string(&body, name).ok_or_else(|| unreadable(what));
        Ok(Registration {
            device_code: text("device_code", "the answer has no code")?.into(),
            user_code: text("user_code", "the answer has no code for people")?,
            page: text("verification_uri_complete", "the answer has no link")?,
            lifetime: Duration::from_secs(lifetime.min(LONGEST_LIFETIME)),
            interval: Duration::from_secs(interval),
        })
    }

    /// Asks once whether the person has decided. Never fails: without a proper answer, the code still lives.
    pub async fn poll(&self, device_code: &SecretString) -> Poll {
        let fields = [("action", "poll"), ("device_code", device_code.expose_secret())];
        match self.post(&fields).await {
            Ok((_, Some(body))) => read_poll(&body),
            Ok((_, None)) | Err(_) => Poll::Unreadable,
        }
    }

    /// Sends a form. The body is `None` if it is not JSON.
    async fn post(&self, fields: &[(&str, &str)]) -> Result<(u16, Option<Value>), Error> {
        let mut form = self.url.clone();
        form.query_pairs_mut().clear().extend_pairs(fields);
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned());
        http::exchange_raw(ENDPOINT, request).await
    }
}

/// The credentials are looked for before the brand: a Lark tenant's second answer has both.
fn read_poll(body: &Value) -> Poll {
    let user = body.get("user_info").unwrap_or(&Value::Null);
    let brand = string(user, "tenant_brand");
    if let (Some(app_id), Some(secret)) = (string(body, "client_id"), string(body, "client_secret"))
    {
        return Poll::Made(NewApp {
            app_id,
            app_secret: secret.into(),
            scanner: string(user, "open_id"),
            is_lark: brand.map(|brand| brand == "lark"),
        });
    }
    match string(body, "error").as_deref() {
        Some("authorization_pending") => Poll::Pending,
        Some("slow_down") => Poll::SlowDown,
        Some("access_denied") => Poll::Refused,
        Some("expired_token" | "invalid_grant") => Poll::Expired,
        Some(error) => {
            let said = string(body, "error_description").unwrap_or_else(|| error.to_owned());
            Poll::Failed(said.chars().filter(|c| !c.is_control()).take(200).collect())
        }
        None if brand.as_deref() == Some("lark") => Poll::AskLark,
        None => Poll::Unreadable,
    }
}

/// What the app asks for beyond the platform's template for agents, packed for the link. An unknown name is dropped by
/// the page without a word, so what was granted has to be read afterwards.
pub fn addons(scopes: &[&str], events: &[&str], callbacks: &[&str]) -> String {
    let mut wanted = json!({ "preset": true });
    let parts = [
        ("scopes", !scopes.is_empty(), json!({ "tenant": scopes })),
        ("events", !events.is_empty(), json!({ "items": { "tenant": events } })),
        ("callbacks", !callbacks.is_empty(), json!({ "items": callbacks })),
    ];
    for (name, is_there, part) in parts {
        if let (true, Some(wanted)) = (is_there, wanted.as_object_mut()) {
            wanted.insert(name.to_owned(), part);
        }
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail.
    let packed = packer.write_all(wanted.to_string().as_bytes()).and_then(|()| packer.finish());
    URL_SAFE_NO_PAD.encode(packed.unwrap_or_default())
}

impl Registration {
    /// Returns the link to scan. It always makes a new app: one that exists may send its events elsewhere.
    pub fn link(&self, name: &str, addons: &str) -> String {
        let members = [
            ("from", "sdk"),
            ("tp", "sdk"),
            ("source", "airgate"),
            ("name", name),
            ("createOnly", "true"),
            ("addons", addons),
        ];
        let Ok(mut url) = Url::parse(&self.page) else { return self.page.clone() };
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| !members.iter().any(|(name, _)| name == key))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(members);
        url.into()
    }

    /// Returns the link for a Lark tenant, on the open platform at `base`: its launcher says that codes have expired.
    pub fn lark_link(&self, base: &Url) -> String {
        let mut url = base.clone();
        url.set_path("/page/cli");
        url.query_pairs_mut()
            .clear()
            .append_pair("user_code", &self.user_code)
            .append_pair("from", "cli");
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(page: &str) -> Registration {
        Registration {
            device_code: "v1:x".to_owned().into(),
            user_code: "K7QX-M3PD".to_owned(),
            page: page.to_owned(),
            lifetime: Duration::from_secs(600),
            interval: Duration::from_secs(5),
        }
    }

    #[test]
    fn members_of_the_link_are_set_and_not_doubled() {
        let page = "https://open.feishu.cn/page/launcher?user_code=K7QX-M3PD&from=page";
        let link = registration(page).link("airgate", "H4sI");
        assert_eq!(
            link,
            "https://open.feishu.cn/page/launcher?user_code=K7QX-M3PD&from=sdk&tp=sdk&source=airgate&name=airgate&\
             createOnly=true&addons=H4sI"
        );
        let lark = registration(page).lark_link(&Url::parse("https://open.larksuite.com").unwrap());
        assert_eq!(lark, "https://open.larksuite.com/page/cli?user_code=K7QX-M3PD&from=cli");
    }

    #[test]
    fn each_answer_to_a_poll_is_told_apart() {
        let word = |body: Value| match read_poll(&body) {
            Poll::Pending => "pending".to_owned(),
            Poll::SlowDown => "slow".to_owned(),
            Poll::AskLark => "lark".to_owned(),
            Poll::Made(app) => format!("made {} {:?} {:?}", app.app_id, app.scanner, app.is_lark),
            Poll::Refused => "refused".to_owned(),
            Poll::Expired => "expired".to_owned(),
            Poll::Failed(said) => format!("failed {said}"),
            Poll::Unreadable => "unreadable".to_owned(),
        };
        for (body, expected) in [
            (json!({"error": "authorization_pending", "code": 20094}), "pending"),
            (json!({"error": "slow_down"}), "slow"),
            (json!({"error": "access_denied"}), "refused"),
            (json!({"error": "expired_token"}), "expired"),
            (json!({"error": "invalid_grant"}), "expired"),
            (json!({"error": "server_error", "error_description": "no\napps"}), "failed noapps"),
            (json!({"error": "odd"}), "failed odd"),
            (json!({"user_info": {"tenant_brand": "lark"}}), "lark"),
            (json!({"client_id": "cli_1", "user_info": {"tenant_brand": "lark"}}), "lark"),
            (json!({"client_id": "cli_1", "client_secret": "s"}), "made cli_1 None None"),
            (
                json!({"client_id": "cli_1", "client_secret": "s", "user_info": {"open_id": "ou_1", "tenant_brand": "lark"}}),
                "made cli_1 Some(\"ou_1\") Some(true)",
            ),
            (json!({"client_id": "cli_1", "client_secret": ""}), "unreadable"),
            (json!({}), "unreadable"),
            (json!([]), "unreadable"),
        ] {
            assert_eq!(word(body.clone()), expected, "{body}");
        }
    }
}
