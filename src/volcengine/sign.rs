//! V4 request signing (docs/platforms/volcengine.md §3; "签名方法", docs 6369/67270), tested against the vectors in
//! `tests/vectors/volcengine-sign.json`.
//!
//! The query built by [`canonical_query`] is both signed and used in the URL, so the two cannot differ.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const ALGORITHM: &str = "HMAC-SHA256";

/// The signing key and its scope.
pub(super) struct Signer<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_key: &'a SecretString,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// A request as sent.
pub(super) struct ToSign<'a> {
    pub(super) method: &'a str,
    /// From [`canonical_query`].
    pub(super) query: &'a str,
    /// Names and values as sent, including `Host`. Headers that the vendor's SDKs do not sign are ignored.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// The three headers that carry the signature.
pub(super) struct Signature {
    /// `X-Date`
    pub(super) date: String,
    /// `X-Content-Sha256`
    pub(super) content_sha256: String,
    /// `Authorization`
    pub(super) authorization: String,
}

impl Signer<'_> {
    /// Signs `request` with the time `at`, which may differ from the API's clock by up to 15 minutes.
    pub(super) fn sign(&self, request: &ToSign<'_>, at: Timestamp) -> Signature {
        let date = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let content_sha256 = hex::encode(Sha256::digest(request.body));
        let mut headers: Vec<(String, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), *value))
            .filter(|(name, _)| is_signed(name))
            .map(|(name, value)| match name.as_str() {
                "host" => (name, without_default_port(value)),
                _ => (name, value),
            })
            .collect();
        headers.push(("x-date".into(), &date));
        headers.push(("x-content-sha256".into(), &content_sha256));
        let authorization = self.authorization(request, &mut headers, &content_sha256, &date);
        Signature { date, content_sha256, authorization }
    }

    /// Returns the `Authorization` value that signs exactly `headers` (names in lower case).
    fn authorization(
        &self,
        request: &ToSign<'_>,
        headers: &mut [(String, &str)],
        content_sha256: &str,
        date: &str,
    ) -> String {
        headers.sort();
        let names = signed_headers(headers);
        let canonical = canonical_request(request, headers, content_sha256);
        let scope = self.scope(date);
        let to_sign = string_to_sign(date, &scope, &canonical);
        let signature = hex::encode(hmac_sha256(&*self.signing_key(date), &to_sign));
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        )
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{}/request", day(date), self.region, self.service)
    }

    /// Derives the key of one day, region and service. Unlike AWS's, the chain starts with the secret itself, without a
    /// prefix.
    fn signing_key(&self, date: &str) -> Zeroizing<[u8; 32]> {
        let secret = self.secret_key.expose_secret().as_bytes();
        let mut key = Zeroizing::new(hmac_sha256(secret, day(date)));
        for part in [self.region, self.service, "request"] {
            key = Zeroizing::new(hmac_sha256(&*key, part));
        }
        key
    }
}

/// Returns `key=value` pairs sorted by key, percent-encoded (space is `%20`), an empty value as `key=`. Keys must be
/// unique: the official signers disagree about repeated ones.
pub(super) fn canonical_query<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let mut pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    pairs.sort_unstable();
    let mut query = String::new();
    for (key, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        encode_into(&mut query, key);
        query.push('=');
        encode_into(&mut query, value);
    }
    query
}

fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
}

/// Returns whether the vendor's Python and Go SDKs sign this header. `User-Agent`, `Accept` and headers that the transport
/// adds are not signed.
fn is_signed(name: &str) -> bool {
    matches!(name, "host" | "content-type" | "content-md5") || name.starts_with("x-")
}

/// Removes `:80` and `:443`, as the API does before it checks a signature; other ports stay.
fn without_default_port(host: &str) -> &str {
    host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host)
}

fn canonical_request(
    request: &ToSign<'_>,
    headers: &[(String, &str)],
    content_sha256: &str,
) -> String {
    let mut text = format!("{}\n/\n{}\n", request.method, request.query);
    for (name, value) in headers {
        text.push_str(name);
        text.push(':');
        text.push_str(value.trim());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed_headers(headers));
    text.push('\n');
    text.push_str(content_sha256);
    text
}

fn signed_headers(headers: &[(String, &str)]) -> String {
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.join(";")
}

fn string_to_sign(date: &str, scope: &str, canonical_request: &str) -> String {
    let digest = hex::encode(Sha256::digest(canonical_request.as_bytes()));
    format!("{ALGORITHM}\n{date}\n{scope}\n{digest}")
}

/// Returns the day of an `X-Date`.
fn day(date: &str) -> &str {
    date.get(..8).unwrap_or(date)
}

fn hmac_sha256(key: &[u8], text: &str) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(text.as_bytes()).finalize().into_bytes())
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const VECTORS: &str = include_str!("../../tests/vectors/volcengine-sign.json");

    fn pairs(list: &Value) -> Vec<(&str, &str)> {
        let list = list.as_array().unwrap();
        list.iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect()
    }

    fn instant(x_date: &str) -> Timestamp {
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", x_date)
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap()
            .timestamp()
    }

    /// Checks one vector. `all` signs the headers that the SDKs sign, otherwise only host and date (the document's
    /// example).
    fn check(vector: &Value, all: bool) {
        let id = vector["id"].as_str().unwrap();
        let text = |key: &str| vector[key].as_str().unwrap();
        let expect = |key: &str| vector["expect"][key].as_str().unwrap();
        let secret = SecretString::from(text("secret_key"));
        let signer = Signer {
            access_key_id: text("access_key"),
            secret_key: &secret,
            region: text("region"),
            service: text("service"),
        };
        let query = canonical_query(&pairs(&vector["query"]));
        let mut headers = pairs(&vector["headers"]);
        if let Some(token) = vector["session_token"].as_str() {
            headers.push(("X-Security-Token", token));
        }
        let request = ToSign {
            method: text("method"),
            query: &query,
            headers: &headers,
            body: text("body").as_bytes(),
        };
        let date = text("x_date");
        let digest = hex::encode(Sha256::digest(request.body));
        let mut signed: Vec<(String, &str)> = headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), *value))
            .filter(|(name, _)| is_signed(name))
            .collect();
        signed.push(("x-date".into(), date));
        if all {
            signed.push(("x-content-sha256".into(), &digest));
        }
        signed.sort();
        let canonical = canonical_request(&request, &signed, &digest);
        assert_eq!(canonical, expect("canonical_request"), "{id}");
        assert_eq!(signed_headers(&signed), expect("signed_headers"), "{id}");
        assert_eq!(
            string_to_sign(date, &signer.scope(date), &canonical),
            expect("string_to_sign"),
            "{id}"
        );
        assert_eq!(hex::encode(*signer.signing_key(date)), expect("signing_key_hex"), "{id}");
        let authorization = if all {
            let signature = signer.sign(&request, instant(date));
            assert_eq!(signature.date, date, "{id}");
            assert_eq!(signature.content_sha256, expect("x_content_sha256"), "{id}");
            signature.authorization
        } else {
            signer.authorization(&request, &mut signed, &digest, date)
        };
        assert_eq!(authorization, expect("authorization"), "{id}");
    }

    #[test]
    fn signatures_agree_with_every_vector_of_the_official_signers() {
        let file: Value = serde_json::from_str(VECTORS).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 20);
        for vector in vectors {
            check(vector, true);
        }
        check(&file["official_document_example"], false);
    }

    #[test]
    fn default_ports_are_not_signed() {
        for (sent, signed) in [
            ("open.volcengineapi.com:443", "open.volcengineapi.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:8443", "[::1]:8443"),
        ] {
            assert_eq!(without_default_port(sent), signed);
        }
    }
}
