//! A stand-in for an S3-compatible service with one bucket: strict about signatures, addresses and the rules of uploads in parts,
//! with switches for what goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

pub const BUCKET: &str = "ops-backups";
pub const REGION: &str = "cn-beijing";
pub const KEY_ID: &str = "AKLTcanaryBucket0000bucket";
pub const SECRET: &str = "cAnArYbUcKeTsEcReT0123456789";
/// The smallest size of a part that is not the last one.
const MIN_PART: usize = 5 * 1024 * 1024;

/// What goes wrong, and with how many of the next requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 403 AccessDenied to everything that writes.
    ReadOnly,
    /// 403 AccessDenied to parts of an upload.
    NoParts,
    /// 403 AccessDenied.
    Denied,
    /// 503 SlowDown.
    SlowDown,
    /// No answer for this long.
    Slow(Duration),
    /// Half of an object's content, then the connection breaks.
    Truncated,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, (String, BTreeMap<u32, Bytes>)>,
    serial: u32,
    trouble: Option<(Trouble, u32)>,
    requests: Vec<String>,
    refused: Vec<String>,
}

#[derive(Clone)]
pub struct FakeS3 {
    inner: Arc<Mutex<Inner>>,
    host: String,
    /// How many objects a list shows at a time.
    page: usize,
}

impl FakeS3 {
    pub async fn start(page: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let s3 = Self { inner: Arc::default(), host, page };
        let app = Router::new().fallback(serve).with_state(s3.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        s3
    }

    /// The address of a folder in the bucket, for `store.backup_url`.
    pub fn url(&self, folder: &str) -> String {
        format!("s3://{BUCKET}/{folder}?endpoint=http://{}&region={REGION}", self.host)
    }

    pub fn keys(&self) -> Vec<String> {
        self.inner.lock().objects.keys().cloned().collect()
    }

    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.inner.lock().objects.get(key).cloned()
    }

    pub fn put(&self, key: &str, content: impl Into<Bytes>) {
        self.inner.lock().objects.insert(key.to_owned(), content.into());
    }

    /// The uploads in parts that were neither completed nor taken back.
    pub fn unfinished(&self) -> usize {
        self.inner.lock().uploads.len()
    }

    /// From now on, or for this many requests.
    pub fn trouble(&self, trouble: Trouble, times: u32) {
        self.inner.lock().trouble = Some((trouble, times));
    }

    pub fn no_trouble(&self) {
        self.inner.lock().trouble = None;
    }

    /// The requests so far: method, path and query.
    pub fn requests(&self) -> Vec<String> {
        self.inner.lock().requests.clone()
    }

    /// What was wrong with requests, by the rules of S3.
    pub fn refused(&self) -> Vec<String> {
        self.inner.lock().refused.clone()
    }

    fn take_trouble(&self, applies: impl Fn(Trouble) -> bool) -> Option<Trouble> {
        let mut inner = self.inner.lock();
        let (trouble, times) =
            inner.trouble.filter(|(trouble, times)| *times > 0 && applies(*trouble))?;
        inner.trouble = Some((trouble, times - 1));
        Some(trouble)
    }
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>no</Message>\
         <AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId><RequestId>1</RequestId></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

async fn serve(State(s3): State<FakeS3>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let raw = parts.uri.query().unwrap_or_default().to_owned();
    s3.inner.lock().requests.push(format!("{} {path}?{raw}", parts.method));
    let writes = parts.method != Method::GET && parts.method != Method::HEAD;
    let at_once = |trouble| match trouble {
        Trouble::Truncated => false,
        Trouble::ReadOnly => writes,
        Trouble::NoParts => raw.contains("partNumber="),
        _ => true,
    };
    match s3.take_trouble(at_once) {
        Some(Trouble::Denied | Trouble::ReadOnly | Trouble::NoParts) => {
            return error(StatusCode::FORBIDDEN, "AccessDenied");
        }
        Some(Trouble::SlowDown) => return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        Some(Trouble::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Trouble::Truncated) | None => {}
    }
    let query: BTreeMap<String, String> = reqwest::Url::parse(&format!("http://x/?{raw}"))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    if let Err((code, why)) = s3.check(&parts.method, &path, &query, &parts.headers, &body) {
        s3.inner.lock().refused.push(format!("{} {path}: {code}: {why}", parts.method));
        return error(StatusCode::FORBIDDEN, code);
    }
    let decoded = reqwest::Url::parse("http://x").unwrap().join(&path).unwrap();
    let decoded = decoded.path().trim_start_matches('/').to_owned();
    let (bucket, key) = decoded.split_once('/').unwrap_or((&decoded, ""));
    if bucket != BUCKET {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let upload = query.get("uploadId").cloned();
    match (parts.method.as_str(), key, upload) {
        ("GET", "", None) => s3.list(&query),
        ("PUT", key, None) if !key.is_empty() && query.is_empty() => {
            let tag = format!("\"{}\"", etag(&body));
            s3.put(key, body);
            ([(header::ETAG, tag)], "").into_response()
        }
        ("POST", key, None) if query.keys().eq(["uploads"]) => s3.begin(key),
        ("PUT", key, Some(id)) => s3.part(key, &id, query.get("partNumber"), body),
        ("POST", key, Some(id)) => s3.complete(key, &id, &body),
        ("DELETE", _, Some(id)) => {
            s3.inner.lock().uploads.remove(&id);
            StatusCode::NO_CONTENT.into_response()
        }
        ("DELETE", key, None) => {
            s3.inner.lock().objects.remove(key);
            StatusCode::NO_CONTENT.into_response()
        }
        ("GET", key, None) => s3.get(key, &parts.headers),
        _ => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

impl FakeS3 {
    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let inner = self.inner.lock();
        let given = |name: &str| query.get(name).cloned().unwrap_or_default();
        if given("list-type") != "2" || given("delimiter") != "/" {
            return error(StatusCode::BAD_REQUEST, "InvalidArgument");
        }
        let (prefix, after) = (given("prefix"), given("continuation-token"));
        let found: Vec<(&String, &Bytes)> = inner
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix) && **key > after)
            .filter(|(key, _)| !key[prefix.len()..].contains('/'))
            .collect();
        let shown = &found[..found.len().min(self.page)];
        let more = shown.len() < found.len();
        let rows: String = shown
            .iter()
            .map(|(key, content)| {
                format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-11-28T00:00:00.000Z</LastModified>\
                     <ETag>\"{}\"</ETag><Size>{}</Size></Contents>",
                    etag(content),
                    content.len()
                )
            })
            .collect();
        let next = match shown.last() {
            Some((key, _)) if more => {
                format!("<NextContinuationToken>{key}</NextContinuationToken>")
            }
            _ => String::new(),
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>{BUCKET}</Name><Prefix>{prefix}</Prefix>\
             <KeyCount>{}</KeyCount><MaxKeys>{}</MaxKeys><IsTruncated>{more}</IsTruncated>{rows}{next}</ListBucketResult>",
            shown.len(),
            self.page
        );
        ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }

    fn begin(&self, key: &str) -> Response {
        let mut inner = self.inner.lock();
        inner.serial += 1;
        let id = format!("upload-{}", inner.serial);
        inner.uploads.insert(id.clone(), (key.to_owned(), BTreeMap::new()));
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket>\
             <Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        );
        ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }

    fn part(&self, key: &str, id: &str, number: Option<&String>, content: Bytes) -> Response {
        let number = number.and_then(|number| number.parse::<u32>().ok());
        let mut inner = self.inner.lock();
        match (inner.uploads.get_mut(id), number) {
            (Some((of, parts)), Some(number)) if of == key && (1..=10_000).contains(&number) => {
                let tag = etag(&content);
                parts.insert(number, content);
                ([(header::ETAG, format!("\"{tag}\""))], "").into_response()
            }
            _ => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        }
    }

    fn complete(&self, key: &str, id: &str, body: &[u8]) -> Response {
        let mut inner = self.inner.lock();
        let Some((of, parts)) = inner.uploads.get(id).cloned() else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let named = String::from_utf8_lossy(body);
        let last = parts.keys().next_back().copied();
        let complete = of == key
            && parts.keys().copied().eq(1..=u32::try_from(parts.len()).unwrap())
            && named.matches("<PartNumber>").count() == parts.len()
            && parts.iter().all(|(_, content)| named.contains(&etag(content)));
        if !complete {
            return error(StatusCode::BAD_REQUEST, "InvalidPart");
        }
        if parts.iter().any(|(number, part)| Some(*number) != last && part.len() < MIN_PART) {
            return error(StatusCode::BAD_REQUEST, "EntityTooSmall");
        }
        let whole: Vec<u8> = parts.values().flat_map(|part| part.iter().copied()).collect();
        let tag = etag(&whole);
        inner.uploads.remove(id);
        inner.objects.insert(key.to_owned(), whole.into());
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CompleteMultipartUploadResult><Key>{key}</Key>\
             <ETag>\"{tag}\"</ETag></CompleteMultipartUploadResult>"
        );
        ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }

    fn get(&self, key: &str, headers: &HeaderMap) -> Response {
        let Some(content) = self.object(key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let start = range
            .and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok())
            .unwrap_or(0_usize);
        let rest = content.slice(start..);
        let mut response = match self.take_trouble(|trouble| trouble == Trouble::Truncated) {
            None => Response::new(Body::from(rest.clone())),
            Some(_) => {
                let half = rest.slice(..rest.len() / 2);
                let broken = futures::stream::once(async { Ok(half) })
                    .chain(futures::stream::once(async { Err(std::io::Error::other("broken")) }));
                Response::new(Body::from_stream(broken))
            }
        };
        let fields = response.headers_mut();
        let value = |text: String| HeaderValue::from_str(&text).unwrap();
        fields.insert(header::CONTENT_LENGTH, value(rest.len().to_string()));
        fields.insert(header::ETAG, value(format!("\"{}\"", etag(&content))));
        fields.insert(header::LAST_MODIFIED, value("Sat, 28 Nov 2026 00:00:00 GMT".to_owned()));
        if range.is_some() {
            let (last, length) = (content.len() - 1, content.len());
            fields.insert(header::CONTENT_RANGE, value(format!("bytes {start}-{last}/{length}")));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        response
    }

    /// Checks the address and the signature of a request (Signature Version 4), written from its specification.
    fn check(
        &self,
        method: &Method,
        path: &str,
        query: &BTreeMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), (&'static str, String)> {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let refused = |code: &'static str, why: String| Err((code, why));
        if text("host") != self.host {
            return refused("InvalidRequest", format!("host {}", text("host")));
        }
        let hash = hex::encode(Sha256::digest(body));
        if text("x-amz-content-sha256") != hash {
            return refused("XAmzContentSHA256Mismatch", text("x-amz-content-sha256"));
        }
        let at = text("x-amz-date");
        let sent = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &at)
            .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
        #[allow(clippy::disallowed_methods)] // A service of its own, with its own clock.
        let now = Timestamp::now();
        match sent {
            Ok(sent) if sent.timestamp().duration_since(now).abs().as_mins() < 15 => {}
            _ => return refused("RequestTimeTooSkewed", at),
        }
        let authorization = text("authorization");
        let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else {
            return refused("AccessDenied", "no signature".to_owned());
        };
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        let scope = format!("{}/{REGION}/s3/aws4_request", &at[..8]);
        if field("Credential") != format!("{KEY_ID}/{scope}") {
            return refused("InvalidAccessKeyId", field("Credential").to_owned());
        }
        let signed: Vec<&str> = field("SignedHeaders").split(';').collect();
        let must =
            headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
        if let Some(missing) = must.chain(["host"]).find(|name| !signed.contains(name)) {
            return refused("AccessDenied", format!("{missing} is not signed"));
        }
        let encoded = |text: &str| -> String {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
            text.bytes()
                .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect()
        };
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let lines: String = signed.iter().map(|name| format!("{name}:{}\n", text(name))).collect();
        let canonical =
            format!("{method}\n{path}\n{}\n{lines}\n{}\n{hash}", pairs.join("&"), signed.join(";"));
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{at}\n{scope}\n{}",
            hex::encode(Sha256::digest(canonical.as_bytes()))
        );
        let hmac = |key: &[u8], text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        let key = ["s3", "aws4_request"].iter().fold(
            hmac(&hmac(format!("AWS4{SECRET}").as_bytes(), &at[..8]), REGION),
            |key, text| hmac(&key, text),
        );
        if field("Signature") != hex::encode(hmac(&key, &to_sign)) {
            return refused("SignatureDoesNotMatch", canonical);
        }
        Ok(())
    }
}

fn etag(content: &[u8]) -> String {
    hex::encode(&Sha256::digest(content)[..16])
}
