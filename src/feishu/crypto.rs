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

/// The text could not be decrypted: not padded standard base64, not an IV with whole blocks behind it, or wrong
/// padding. Does not say which: that would only help an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be decrypted")]
pub(super) struct Undecryptable;

/// Decrypts the value of `encrypt`: AES-256-CBC with the SHA-256 of the key's UTF-8 bytes, IV in front, PKCS#7
/// (docs/platforms/feishu.md §7.4). Every byte of the padding is checked.
pub(super) fn decrypt(
    encrypt_key: &SecretString,
    encrypt: &str,
) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    let mut key = Zeroizing::new([0u8; 32]);
    key.copy_from_slice(&Sha256::digest(encrypt_key.expose_secret().as_bytes()));
    // Decrypted in place, so that the plain text is wiped too: people type secrets into forms.
    let mut sealed = Zeroizing::new(STANDARD.decode(encrypt).map_err(|_| Undecryptable)?);
    let (iv, blocks) = sealed.split_first_chunk_mut::<16>().ok_or(Undecryptable)?;
    let cipher = cbc::Decryptor::<Aes256>::new((&*key).into(), (&*iv).into());
    let plain = cipher.decrypt_padded::<Pkcs7>(blocks).map_err(|_| Undecryptable)?;
    Ok(Zeroizing::new(plain.to_vec()))
}

/// Returns the expected `X-Lark-Signature`: lowercase hex of `sha256(timestamp + nonce + Encrypt Key + raw body)`, the
/// bytes simply concatenated (docs/platforms/feishu.md §7.5).
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

/// Returns the `sign` of a custom-bot message: base64 of the HMAC-SHA256 of the empty string with the key
/// `timestamp + "\n" + secret`. The roles really are that way round (docs/platforms/feishu.md §6).
pub(super) fn webhook_sign(timestamp: &str, secret: &SecretString) -> String {
    let key = Zeroizing::new(format!("{timestamp}\n{}", secret.expose_secret()));
    // HMAC takes keys of any length. A failure would yield an empty sign, which the platform refuses.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
        .unwrap_or_default()
}

/// Compares in constant time. (The length is not a secret.)
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
