//! The stand-in over real HTTP, with a minimal bot as the service.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::clock::Clock;

mod api;
mod application;
mod clicks;
mod events;
mod refusals;
mod registration;

const KEY: &str = "kZ3vQm8Xw1Lr5Tn0Yb7Hc2Jd9Fg4Sa6P";
const TOKEN: &str = "v7Rk2Mx9Qp4Ln8Td1Ws6Yb3Hc5Jf0Gz";
const ALICE: &str = "ou_alice";
const GROUP: &str = "oc_group";

/// A platform with Alice and a group, and a client that holds a token.
struct Platform {
    feishu: FakeFeishu,
    clock: Clock,
    client: reqwest::Client,
    token: String,
}

async fn platform() -> Platform {
    platform_with(|_| {}).await
}

async fn platform_with(configure: impl FnOnce(&mut FeishuConfig)) -> Platform {
    let clock = Clock::manual("2026-11-23T02:00:00Z".parse::<Timestamp>().unwrap());
    let mut config = FeishuConfig::new("cli_app", "app-secret", TOKEN);
    config.encrypt_key = Some(KEY.to_owned());
    config.rate_limits = false;
    configure(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let feishu = FakeFeishu::start(listener, config, clock.clone()).unwrap();
    feishu.add_person(ALICE, "Alice", "13800000001");
    feishu.add_group(GROUP, "Ops");
    let mut platform = Platform {
        feishu,
        clock,
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        token: String::new(),
    };
    platform.login().await;
    platform
}

impl Platform {
    async fn login(&mut self) {
        let answer = self.ask_token("cli_app", "app-secret").await;
        self.token = answer["tenant_access_token"].as_str().unwrap().to_owned();
    }

    async fn ask_token(&self, id: &str, secret: &str) -> Value {
        let url = "/auth/v3/tenant_access_token/internal";
        let body = json!({"app_id": id, "app_secret": secret});
        let (status, answer) = self.call("POST", url, Some(body)).await;
        assert_eq!(status, 200);
        answer
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, text) = self.text(method, path, body).await.unwrap();
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn text(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<(u16, String)> {
        let url = format!("{}/open-apis{path}", self.feishu.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Sends into the group and returns the message's id.
    async fn send(&self, kind: &str, content: Value) -> String {
        let body = json!({"receive_id": GROUP, "msg_type": kind, "content": content.to_string()});
        let path = "/im/v1/messages?receive_id_type=chat_id";
        let (status, answer) = self.call("POST", path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["message_id"].as_str().unwrap().to_owned()
    }

    async fn patch(&self, id: &str, card: Value) -> (u16, i64) {
        let body = json!({"content": card.to_string()});
        let path = format!("/im/v1/messages/{id}");
        let (status, answer) = self.call("PATCH", &path, Some(body)).await;
        (status, answer["code"].as_i64().unwrap())
    }
}

fn card(elements: Value) -> Value {
    json!({"schema": "2.0", "config": {"update_multi": true}, "body": {"elements": elements}})
}

fn button(action: &str) -> Value {
    json!({"tag": "button", "text": {"tag": "plain_text", "content": action},
        "behaviors": [{"type": "callback", "value": {"action": action}}]})
}

type Reaction = Box<dyn Fn(String, Value) -> BoxFuture<'static, (u16, String)> + Send + Sync>;

/// A bot that verifies and records what it receives and answers as configured.
#[derive(Clone)]
struct Bot(Arc<BotParts>);

struct BotParts {
    seen: Mutex<Vec<(String, Value)>>,
    bodies: Mutex<Vec<String>>,
    reaction: Mutex<Arc<Reaction>>,
}

impl Bot {
    async fn start(feishu: &FakeFeishu) -> Self {
        let bot = Self(Arc::new(BotParts {
            seen: Mutex::default(),
            bodies: Mutex::default(),
            reaction: Mutex::new(Arc::new(answering(200, "{}"))),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        feishu.set_service_url(&format!("http://{}/", listener.local_addr().unwrap()));
        let router = Router::new().fallback(receive).with_state(bot.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        bot
    }

    fn react(&self, reaction: Reaction) {
        *self.0.reaction.lock() = Arc::new(reaction);
    }

    fn answer(&self, status: u16, body: &Value) {
        self.react(answering(status, &body.to_string()));
    }

    fn last(&self) -> (String, Value) {
        self.0.seen.lock().last().unwrap().clone()
    }
}

fn answering(status: u16, body: &str) -> Reaction {
    let body = body.to_owned();
    Box::new(move |_, _| {
        let body = body.clone();
        Box::pin(async move { (status, body) })
    })
}

async fn receive(
    Shared(bot): Shared<Bot>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let envelope = open(&headers, &body);
    let path = uri.path().to_owned();
    bot.0.bodies.lock().push(body);
    bot.0.seen.lock().push((path.clone(), envelope.clone()));
    let reaction = Arc::clone(&bot.0.reaction.lock());
    let (status, body) = reaction(path, envelope).await;
    (StatusCode::from_u16(status).unwrap(), body)
}

/// Verifies (if signed) and decrypts, as documented for receivers.
fn open(headers: &HeaderMap, body: &str) -> Value {
    use aes::cipher::block_padding::Pkcs7;
    use aes::cipher::{BlockModeDecrypt, KeyIvInit};
    use sha2::{Digest, Sha256};

    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    if let Some(signature) = header("x-lark-signature") {
        let timestamp = header("x-lark-request-timestamp").unwrap();
        let nonce = header("x-lark-request-nonce").unwrap();
        let hash = Sha256::digest(format!("{timestamp}{nonce}{KEY}{body}").as_bytes());
        assert_eq!(signature, hex::encode(hash));
    }
    let outer: Value = serde_json::from_str(body).unwrap();
    let mut text = STANDARD.decode(outer["encrypt"].as_str().unwrap()).unwrap();
    let mut cipher = text.split_off(16);
    let key: [u8; 32] = Sha256::digest(KEY.as_bytes()).into();
    let iv: [u8; 16] = text.try_into().unwrap();
    let plain = cbc::Decryptor::<aes::Aes256>::new(&key.into(), &iv.into())
        .decrypt_padded::<Pkcs7>(&mut cipher)
        .unwrap();
    serde_json::from_slice(plain).unwrap()
}
