//! Verification of V4 signatures, written only from `docs/platforms/volcengine.md` §3 ("签名方法", document 6369/67270).

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::refusal::{GatewayCode, Refusal};

/// Tolerated clock skew of `X-Date`.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

/// A parsed `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) access_key_id: String,
    /// `YYYYMMDD/region/service/request`.
    scope: String,
    day: String,
    pub(super) region: String,
    pub(super) service: String,
    signed_headers: Vec<String>,
    signature: Vec<u8>,
}

/// A request as it is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Decoded.
    pub(super) query: &'a [(String, String)],
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl Authorization {
    /// Reads the `Authorization` header.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(header) = headers.get("authorization") else {
            return Err(Refusal::gateway(
                GatewayCode::MissingAuthenticationToken,
                "Request is missing Authentication Token.",
            ));
        };
        let malformed = |why: &str| {
            Refusal::gateway(
                GatewayCode::InvalidAuthorization,
                format!("Invalid 'Authorization' header, {why}."),
            )
        };
        let text = header.to_str().map_err(|_| malformed("not ASCII"))?;
        let rest = text
            .strip_prefix("HMAC-SHA256 ")
            .ok_or_else(|| malformed("the algorithm must be HMAC-SHA256"))?;
        let mut parts = BTreeMap::new();
        for part in rest.split(',') {
            let (name, value) = part
                .trim()
                .split_once('=')
                .ok_or_else(|| malformed("each part must be name=value"))?;
            if parts.insert(name, value).is_some() {
                return Err(malformed("a part is given twice"));
            }
        }
        let signature =
            parts.get("Signature").filter(|signature| !signature.is_empty()).ok_or_else(|| {
                Refusal::gateway(GatewayCode::MissingSignature, "Signature is missing.")
            })?;
        let credential =
            parts.get("Credential").ok_or_else(|| malformed("Credential is missing"))?;
        let signed_headers: Vec<String> = parts
            .get("SignedHeaders")
            .ok_or_else(|| malformed("SignedHeaders is missing"))?
            .split(';')
            .map(str::to_owned)
            .collect();
        if !signed_headers.is_sorted_by(|a, b| a < b) {
            return Err(malformed("SignedHeaders must be sorted and unique"));
        }
        if signed_headers
            .iter()
            .any(|name| name.is_empty() || name.bytes().any(|b| b.is_ascii_uppercase()))
        {
            return Err(malformed("SignedHeaders must be in lower case"));
        }
        for needed in ["host", "x-date"] {
            if !signed_headers.iter().any(|name| name == needed) {
                return Err(malformed(&format!("'{needed}' must be signed")));
            }
        }
        let bad_scope = || {
            Refusal::gateway(
                GatewayCode::InvalidCredential,
                "Credential should be scoped to AccessKeyId/date/region/service/request.",
            )
        };
        let (access_key_id, scope) = credential.split_once('/').ok_or_else(bad_scope)?;
        let [day, region, service, "request"] = scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(bad_scope());
        };
        if access_key_id.is_empty()
            || region.is_empty()
            || service.is_empty()
            || day.len() != 8
            || !day.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(bad_scope());
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            scope: scope.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers,
            // Anything but lower-case hex can match no signature.
            signature: Some(*signature)
                .filter(|hex| !hex.bytes().any(|b| b.is_ascii_uppercase()))
                .and_then(|text| hex::decode(text).ok())
                .unwrap_or_default(),
        })
    }

    /// Checks `X-Date` against the time and the scope.
    pub(super) fn check_date(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
        let Some(x_date) = one(headers, "x-date") else {
            return Err(Refusal::gateway(
                GatewayCode::MissingRequestInfo,
                "Request is missing X-Date.",
            ));
        };
        let invalid = |why: &str| {
            Refusal::gateway(
                GatewayCode::InvalidTimestamp,
                format!("The timestamp {x_date} is invalid: {why}."),
            )
        };
        let at = (x_date.len() == 16)
            .then(|| DateTime::strptime("%Y%m%dT%H%M%SZ", &x_date).ok())
            .flatten()
            .and_then(|at| at.to_zoned(TimeZone::UTC).ok())
            .ok_or_else(|| invalid("not of the form YYYYMMDDTHHMMSSZ"))?
            .timestamp();
        if now.duration_since(at).abs() > TOLERANCE {
            return Err(invalid("expired or in the future"));
        }
        if x_date.get(..8) != Some(self.day.as_str()) {
            return Err(Refusal::gateway(
                GatewayCode::InvalidCredential,
                "The date of the credential scope is not the date of X-Date.",
            ));
        }
        Ok(())
    }

    /// Checks the signature itself.
    pub(super) fn check_signature(
        &self,
        request: &Signed<'_>,
        secret: &str,
    ) -> Result<(), Refusal> {
        let mismatch = || {
            Refusal::gateway(
                GatewayCode::SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided.",
            )
        };
        let body_hash = hex::encode(Sha256::digest(request.body));
        if request.headers.contains_key("x-content-sha256")
            && one(request.headers, "x-content-sha256").as_deref() != Some(body_hash.as_str())
        {
            return Err(mismatch());
        }
        let x_date = one(request.headers, "x-date").ok_or_else(mismatch)?;
        let canonical = self.canonical_request(request, &body_hash).ok_or_else(mismatch)?;
        let text = format!(
            "HMAC-SHA256\n{x_date}\n{}\n{}",
            self.scope,
            hex::encode(Sha256::digest(canonical))
        );
        let mut key = secret.as_bytes().to_vec();
        for part in [&self.day, &self.region, &self.service, "request"] {
            key = mac(&key, part.as_bytes()).ok_or_else(mismatch)?.finalize().into_bytes().to_vec();
        }
        mac(&key, text.as_bytes())
            .ok_or_else(mismatch)?
            .verify_slice(&self.signature)
            .map_err(|_| mismatch())
    }

    /// `None` if a signed header is missing or repeated, or a query key is repeated (on which the official
    /// signers disagree).
    fn canonical_request(&self, request: &Signed<'_>, body_hash: &str) -> Option<String> {
        let mut query: Vec<(&str, &str)> =
            request.query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        query.sort_unstable();
        if !query.is_sorted_by(|a, b| a.0 < b.0) {
            return None;
        }
        let query: Vec<String> =
            query.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        let mut headers = String::new();
        for name in &self.signed_headers {
            let value = one(request.headers, name)?;
            let value = match name.as_str() {
                "host" => strip_default_port(&value),
                _ => value.trim(),
            };
            headers.push_str(&format!("{name}:{value}\n"));
        }
        Some(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{body_hash}",
            request.method,
            request.path,
            query.join("&"),
            self.signed_headers.join(";"),
        ))
    }
}

fn mac(key: &[u8], text: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac)
}

/// The value of a header that occurs exactly once.
fn one(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.to_owned();
    values.next().is_none().then_some(value)
}

fn strip_default_port(host: &str) -> &str {
    let host = host.trim();
    host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host)
}

/// Percent-encodes everything but `A-Z a-z 0-9 - _ . ~`.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Decodes `a=b&c=d` as forms do (`+` is a space). `None` for an invalid percent escape or invalid UTF-8.
pub(super) fn decode_pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                out.extend(hex::decode(digits).ok()?);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(
                axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        map
    }

    /// The worked example of the signing document's transcription (`docs/platforms/volcengine.md` §3, `get-plain`),
    /// signed by official signers.
    #[test]
    fn the_worked_example_verifies() {
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let headers = headers(&[
            ("host", "open.volcengineapi.com:443"),
            ("x-content-sha256", hash),
            ("x-date", "20260927T101112Z"),
            (
                "authorization",
                "HMAC-SHA256 Credential=AKLTEXAMPLE/20260927/cn-beijing/iam/request, \
                 SignedHeaders=host;x-content-sha256;x-date, \
                 Signature=29ccf01cee143335097e9f0de4ae9dc0013dad74251fa55c73a760722d37fc2e",
            ),
        ]);
        let authorization = Authorization::read(&headers).unwrap();
        let now = "2026-09-27T10:26:12Z".parse().unwrap();
        authorization.check_date(&headers, now).unwrap();
        let late = "2026-09-27T10:26:13Z".parse().unwrap();
        assert_eq!(authorization.check_date(&headers, late).unwrap_err().code, "InvalidTimestamp");
        let query = decode_pairs("Version=2018-01-01&Action=ListUsers&Limit=100&Offset=0").unwrap();
        let request =
            Signed { method: "GET", path: "/", query: &query, headers: &headers, body: b"" };
        let secret = "RXhhbXBsZVNlY3JldEZvclRlc3RWZWN0b3JzT25seQ==";
        authorization.check_signature(&request, secret).unwrap();
        assert!(authorization.check_signature(&request, "another").is_err());
    }

    #[test]
    fn queries_are_decoded_as_forms() {
        assert_eq!(
            decode_pairs("a=b+c%20d&%E5%BC%A0=&e"),
            Some(vec![
                ("a".to_owned(), "b c d".to_owned()),
                ("张".to_owned(), String::new()),
                ("e".to_owned(), String::new()),
            ])
        );
        for broken in ["a=%", "a=%4", "a=%zz", "a=%FF"] {
            assert_eq!(decode_pairs(broken), None, "{broken}");
        }
        assert_eq!(encode("a b*/~张"), "a%20b%2A%2F~%E5%BC%A0");
    }
}
