//! Sealing of secrets: ChaCha20-Poly1305, a fresh random nonce each time, the account id as associated data, so that a
//! sealed pair moved to another account does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand::TryRng;
use zeroize::Zeroizing;

use super::StoreError;

const NONCE_BYTES: usize = 12;

/// Seals and opens secrets under the master key.
pub struct Sealer {
    cipher: ChaCha20Poly1305,
}

impl Sealer {
    /// Creates a sealer with `security.master_key`.
    pub fn new(master_key: &[u8; 32]) -> Self {
        let key = Zeroizing::new(*master_key);
        let key: &Key = (&*key).into();
        Self { cipher: ChaCha20Poly1305::new(key) }
    }

    /// Returns `nonce ‖ ciphertext` of `secret`, bound to `context`.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if the operating system provides no randomness.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0u8; NONCE_BYTES];
        rand::rngs::SysRng.try_fill_bytes(&mut nonce).map_err(|_| StoreError::Unsealable)?;
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: context.as_bytes() })
            .map_err(|_| StoreError::Unsealable)?;
        Ok([nonce.as_slice(), sealed.as_slice()].concat())
    }

    /// Opens what [`Sealer::seal`] sealed for the same `context`.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if a bit, the key or the context differs.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (nonce, body) =
            sealed.split_first_chunk::<NONCE_BYTES>().ok_or(StoreError::Unsealable)?;
        self.cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: context.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| StoreError::Unsealable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_unchanged_with_the_same_key_and_context() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal("main", b"secret").unwrap();
        assert_eq!(sealer.open("main", &sealed).unwrap().as_slice(), b"secret");
        assert!(sealer.open("labs", &sealed).is_err());
        assert!(Sealer::new(&[8; 32]).open("main", &sealed).is_err());
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(sealer.open("main", &changed).is_err(), "byte {i}");
        }
        assert!(sealer.open("main", &sealed[..5]).is_err());
    }

    #[test]
    fn the_same_secret_never_looks_the_same_twice() {
        let sealer = Sealer::new(&[7; 32]);
        assert_ne!(sealer.seal("main", b"x").unwrap(), sealer.seal("main", b"x").unwrap());
    }
}
