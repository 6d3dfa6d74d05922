//! The stand-in over real HTTP, called with hand-signed requests.

mod ark;
mod authentication;
mod billing;
mod fault;
mod iam;
mod models;
mod policies;
mod refusals;

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::domain::BillPeriod;
use crate::sandbox::world::{FakeAccount, KeyStatus, PolicyKind, PolicyScope, World, sample};

const KEY: &str = "AKLTtestkey";
const SECRET: &str = "dGVzdC1zZWNyZXQ=";
const IAM: &str = "2018-01-01";
const PROJECTS: &str = "2021-08-01";
const BILLING: &str = "2022-01-01";

fn now() -> Timestamp {
    "2026-11-23T01:30:00Z".parse().unwrap()
}

fn period(text: &str) -> BillPeriod {
    text.parse().unwrap()
}

/// An account `main` without a rate limit.
fn world() -> World {
    let mut world =
        World::with_account(FakeAccount::new("main", "主体", 2_100_000_001, KEY, SECRET));
    world.rules.calls_per_second = None;
    world
}

/// The sample cloud without a rate limit.
fn sample_world() -> World {
    let mut world = sample(now(), 7);
    world.rules.calls_per_second = None;
    world
}

/// A cloud and a client.
struct Fixture {
    cloud: FakeCloud,
    clock: Clock,
    http: reqwest::Client,
}

impl Fixture {
    async fn new(world: World) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clock = Clock::manual(now());
        Self {
            cloud: FakeCloud::start(listener, world, clock.clone()).await,
            clock,
            http: reqwest::Client::new(),
        }
    }

    fn host(&self) -> String {
        self.cloud.url().replace("http://", "")
    }

    /// A GET of IAM or of its project actions.
    async fn iam(&self, version: &str, action: &str, params: &[(&str, &str)]) -> Answer {
        let mut request = Request::new(Method::GET, "iam", version, action);
        request.add(params);
        self.send(&request).await
    }

    /// A POST with a JSON body.
    async fn post(&self, service: &str, version: &str, action: &str, body: Value) -> Answer {
        let mut request = Request::new(Method::POST, service, version, action);
        request.body = body.to_string();
        request.content_type = Some("application/json");
        self.send(&request).await
    }

    async fn bills(&self, action: &str, body: Value) -> Answer {
        self.post("billing", BILLING, action, body).await
    }

    async fn send(&self, request: &Request) -> Answer {
        self.send_raw(&request.sign(&self.host())).await
    }

    async fn try_send(&self, signed: &SignedRequest) -> reqwest::Result<reqwest::Response> {
        let mut builder = self
            .http
            .request(signed.method.clone(), format!("{}/?{}", self.cloud.url(), signed.query))
            .body(signed.body.clone());
        for (name, value) in &signed.headers {
            builder = builder.header(name, value);
        }
        builder.send().await
    }

    async fn send_raw(&self, signed: &SignedRequest) -> Answer {
        let response = self.try_send(signed).await.unwrap();
        Answer {
            status: response.status().as_u16(),
            log_id: response.headers().get("x-tt-logid").map(|id| id.to_str().unwrap().to_owned()),
            text: response.text().await.unwrap(),
        }
    }
}

/// A received answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    log_id: Option<String>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// `Result` of an answer that must be successful.
    fn result(&self) -> Value {
        let json = self.json();
        assert_eq!(self.status, 200, "{self:?}");
        assert!(json["ResponseMetadata"].get("Error").is_none(), "{self:?}");
        json["Result"].clone()
    }

    /// HTTP status and `Error.Code`.
    fn refusal(&self) -> (u16, String) {
        let json = self.json();
        let code = &json["ResponseMetadata"]["Error"]["Code"];
        (self.status, code.as_str().unwrap_or("none").to_owned())
    }
}

/// A request before it is signed.
#[derive(Clone)]
struct Request {
    method: Method,
    query: Vec<(String, String)>,
    body: String,
    content_type: Option<&'static str>,
    service: String,
    region: &'static str,
    date: String,
    access_key: String,
    secret: String,
}

/// A request as it goes out; tests tamper with it.
#[derive(Clone)]
struct SignedRequest {
    method: Method,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn new(method: Method, service: &str, version: &str, action: &str) -> Self {
        let mut request = Self {
            method,
            query: Vec::new(),
            body: String::new(),
            content_type: None,
            service: service.to_owned(),
            region: "cn-beijing",
            date: "20261123T013000Z".to_owned(),
            access_key: KEY.to_owned(),
            secret: SECRET.to_owned(),
        };
        request.add(&[("Action", action), ("Version", version)]);
        request
    }

    fn add(&mut self, params: &[(&str, &str)]) {
        for (name, value) in params {
            self.query.push(((*name).to_owned(), (*value).to_owned()));
        }
    }

    /// Signs by hand, following the document.
    fn sign(&self, host: &str) -> SignedRequest {
        let escape = |text: &str| {
            text.bytes().fold(String::new(), |mut out, b| {
                if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
                    out.push(char::from(b));
                } else {
                    write!(out, "%{b:02X}").unwrap();
                }
                out
            })
        };
        let mut query = self.query.clone();
        query.sort();
        let query: Vec<String> =
            query.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        let query = query.join("&");
        let hash = hex::encode(Sha256::digest(&self.body));
        let mut headers: Vec<(String, String)> = Vec::new();
        if let Some(kind) = self.content_type {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        headers.push(("host".to_owned(), host.to_owned()));
        headers.push(("x-content-sha256".to_owned(), hash.clone()));
        headers.push(("x-date".to_owned(), self.date.clone()));
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("{}\n/\n{query}\n{lines}\n{names}\n{hash}", self.method);
        let day = &self.date[..8];
        let scope = format!("{day}/{}/{}/request", self.region, self.service);
        let text = format!(
            "HMAC-SHA256\n{}\n{scope}\n{}",
            self.date,
            hex::encode(Sha256::digest(canonical))
        );
        let hmac = |key: &[u8], text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        let key = [day, self.region, &self.service, "request"]
            .iter()
            .fold(self.secret.clone().into_bytes(), |key, part| hmac(&key, part));
        let signature = hex::encode(hmac(&key, &text));
        headers.push((
            "authorization".to_owned(),
            format!(
                "HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                self.access_key
            ),
        ));
        SignedRequest { method: self.method.clone(), query, headers, body: self.body.clone() }
    }
}

impl SignedRequest {
    fn header(&mut self, name: &str) -> &mut String {
        let header = self.headers.iter_mut().find(|(known, _)| known == name);
        &mut header.unwrap().1
    }
}
