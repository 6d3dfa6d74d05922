//! Encryption and signature of events, the custom bot's signature, ids. Written from the documents and
//! deliberately not shared with the service's own verification.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use sha2::{Digest, Sha256};

/// One block of AES.
const BLOCK: usize = 16;

/// Base64 of `IV ‖ AES-256-CBC(SHA-256(key), PKCS#7(plain))` (配置加密策略).
pub fn encrypt(key: &str, iv: [u8; BLOCK], plain: &[u8]) -> String {
    let key: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let padded = plain.len().saturating_add(BLOCK).saturating_sub(plain.len() % BLOCK);
    let mut buffer = vec![0; padded];
    if let Some(head) = buffer.get_mut(..plain.len()) {
        head.copy_from_slice(plain);
    }
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into());
    let mut out = iv.to_vec();
    // Fails only if the buffer has no room for the padding, but it has.
    if let Ok(text) = cipher.encrypt_padded::<Pkcs7>(&mut buffer, plain.len()) {
        out.extend_from_slice(text);
    }
    STANDARD.encode(out)
}

/// Lower-case hex of `sha256(timestamp + nonce + key + body)` (安全校验). Without a key the key is empty.
pub fn signature(timestamp: &str, nonce: &str, key: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    for part in [timestamp, nonce, key, body] {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// The custom bot's `sign`: base64 of HMAC-SHA256 over nothing, keyed by `timestamp + "\n" + secret` (自定义机器人使用指南).
pub fn webhook_sign(timestamp: &str, secret: &str) -> String {
    let key = format!("{timestamp}\n{secret}");
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
        .unwrap_or_default()
}

/// An id derived from `seed`: the prefix and 32 hex digits.
pub fn derived_id(prefix: &str, seed: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("{prefix}{seed}").as_bytes()));
    format!("{prefix}{}", digest.get(..32).unwrap_or_default())
}

/// A random id: the prefix and 32 hex digits.
pub fn fresh_id(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}

/// The timestamp header of card callbacks: a Go time as text, which no client may parse as a number.
pub fn go_time(at: Timestamp) -> String {
    let beijing = at.to_zoned(TimeZone::fixed(Offset::constant(8)));
    format!("{} +0800 CST m=+3612.1", beijing.strftime("%Y-%m-%d %H:%M:%S%.3f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_samples_are_reproduced() {
        let iv = hex::decode("3f7ef0f9564898d80f10ed5106127a46").unwrap();
        assert_eq!(
            encrypt("test key", iv.try_into().unwrap(), b"hello world"),
            "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="
        );
        assert_eq!(
            webhook_sign("1599360473", "demo"),
            "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
        );
    }

    #[test]
    fn a_whole_block_gets_a_block_of_padding() {
        let text = STANDARD.decode(encrypt("k", [7; 16], &[b'x'; 16])).unwrap();
        assert_eq!(text.len(), 48);
    }
}
