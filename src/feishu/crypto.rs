//! The platform's cryptography: decryption and signature of callbacks, signature of custom-bot messages.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The text could not be decrypted: not padded standard base64, not whole blocks behind an IV, or wrong
/// padding. Which of them is not told: it would help only somebody who guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be decrypted")]
pub(super) struct Undecryptable;

/// Decrypts the value of `encrypt` ("Encrypt Key": AES-256-CBC under SHA-256 of the key's UTF-8 bytes, IV in
/// front, PKCS#7). The padding is checked whole: what a text ends with is its own.
pub(super) fn decrypt(
    encrypt_key: &SecretString,
    encrypt: &str,
) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    let mut key = Zeroizing::new([0u8; 32]);
    key.copy_from_slice(&Sha256::digest(encrypt_key.expose_secret().as_bytes()));
    // Decrypted in place, hence wiped as well: what people type into forms may be a secret.
    let mut sealed = Zeroizing::new(STANDARD.decode(encrypt).map_err(|_| Undecryptable)?);
    let (iv, blocks) = sealed.split_first_chunk_mut::<16>().ok_or(Undecryptable)?;
    let cipher = cbc::Decryptor::<Aes256>::new((&*key).into(), (&*iv).into());
    let plain = cipher.decrypt_padded::<Pkcs7>(blocks).map_err(|_| Undecryptable)?;
    Ok(Zeroizing::new(plain.to_vec()))
}

/// The value that `X-Lark-Signature` has to have: lowercase hex of
/// `sha256(timestamp + nonce + Encrypt Key + raw body)`, plain concatenation of bytes.
pub(super) fn callback_signature(
    timestamp: &[u8],
    nonce: &[u8],
    encrypt_key: &SecretString,
    body: &[u8],
) -> String {
    let mut hash = Sha256::new();
    hash.update(timestamp);
    hash.update(nonce);
    hash.update(encrypt_key.expose_secret().as_bytes());
    hash.update(body);
    hex::encode(hash.finalize())
}

/// The `sign` of a custom-bot message: base64 of HMAC-SHA256 of nothing, keyed with
/// `timestamp + "\n" + secret` (yes, in that order: "Custom bot guide", signature verification).
pub(super) fn webhook_sign(timestamp: &str, secret: &SecretString) -> String {
    let key = Zeroizing::new(format!("{timestamp}\n{}", secret.expose_secret()));
    // HMAC takes a key of any length; a failure would give an empty sign, which the platform refuses.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
        .unwrap_or_default()
}

/// Compares without telling by its duration where the difference is. (The length is no secret.)
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
