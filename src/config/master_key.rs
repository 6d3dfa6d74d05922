//! The master key: 32 bytes that encrypt the account secrets in the store.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// 32 secret bytes. Wiped from memory when dropped, never displayed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// Why a text is not a master key. Reveals nothing about the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// Neither base64 nor hex.
    #[error("is neither base64 nor hex")]
    Encoding,
    /// Decodes to a different number of bytes.
    #[error("is {0} bytes long, not 32")]
    Length(usize),
}

impl MasterKey {
    /// Wraps the bytes of a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the cipher only.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([REDACTED])")
    }
}

impl FromStr for MasterKey {
    type Err = MasterKeyError;

    /// Parses 64 hex digits, or base64: standard or URL-safe, padded or not. Surrounding white space is ignored.
    fn from_str(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        // 64 hex digits are also valid base64, but of 48 bytes, which is never a key: the two cannot be confused.
        let bytes = if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            hex::decode(text).map_err(|_| MasterKeyError::Encoding)?
        } else {
            decode_base64(text)?
        };
        let bytes = Zeroizing::new(bytes);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(MasterKeyError::Length(bytes.len()));
        }
        key.copy_from_slice(&bytes);
        Ok(Self(key))
    }
}

fn decode_base64(text: &str) -> Result<Vec<u8>, MasterKeyError> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
        .ok_or(MasterKeyError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_32_bytes_gives_the_same_key() {
        let bytes = [0xfb; 32];
        for text in [
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
            "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s",
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s=",
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
            " fbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfb\n",
            "FBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFBFB",
        ] {
            assert_eq!(text.parse::<MasterKey>().unwrap().expose(), &bytes, "{text}");
        }
        assert_eq!(format!("{:?}", MasterKey::new(bytes)), "MasterKey([REDACTED])");
    }

    #[test]
    fn other_lengths_and_encodings_are_refused() {
        for (text, error) in [
            ("", MasterKeyError::Length(0)),
            ("c2hvcnQ=", MasterKeyError::Length(5)),
            ("fbfb", MasterKeyError::Length(3)),
            ("my secret key", MasterKeyError::Encoding),
            ("密钥", MasterKeyError::Encoding),
        ] {
            assert_eq!(text.parse::<MasterKey>().unwrap_err(), error, "{text}");
        }
    }
}
