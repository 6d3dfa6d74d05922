//! The secrets of a new user: a password and an access key, sealed until they are sent.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Worker;
use crate::cards::SecretsView;
use crate::domain::{Creation, Dispatch, SecretsSent, Step};
use crate::outbox::person_lane;
use crate::store::{NewMessage, StoreError};

/// Characters of a password. An account's rules are not known; 20 characters of four classes meet all common ones.
const PASSWORD_CHARS: usize = 20;

/// Secrets that exist and have not been sent yet. Only ever written sealed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Secrets {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) access_key: Option<(String, String)>,
}

impl Secrets {
    fn is_empty(&self) -> bool {
        self.password.is_none() && self.access_key.is_none()
    }
}

impl Worker {
    /// Opens the secrets that have not been sent yet.
    pub(super) fn open(&self, creation: &Creation) -> Result<Secrets, StoreError> {
        let Some(sealed) = &creation.sealed else { return Ok(Secrets::default()) };
        let text = self.parts.store.open_of_creation(creation.id, sealed)?;
        serde_json::from_str(&text).map_err(|_| StoreError::Unsealable)
    }

    /// Seals them again; committed with the creation.
    pub(super) fn seal(
        &self,
        creation: &mut Creation,
        secrets: &Secrets,
    ) -> Result<(), StoreError> {
        creation.sealed = if secrets.is_empty() {
            None
        } else {
            let text = serde_json::to_string(secrets).map_err(|_| StoreError::Unsealable)?;
            Some(self.parts.store.seal_of_creation(creation.id, &Zeroizing::new(text))?)
        };
        Ok(())
    }

    /// Takes the secrets of what certainly exists out of the creation. Returns a message that only the operator can read.
    pub(super) fn secrets_due(
        &self,
        creation: &mut Creation,
        now: Timestamp,
    ) -> Result<Option<NewMessage>, StoreError> {
        let Some(person) = creation.person().cloned() else { return Ok(None) };
        let mut secrets = self.open(creation)?;
        let password = match creation.login {
            Step::Done => secrets.password.take(),
            Step::Open | Step::Tried => None,
        };
        let access_key = secrets.access_key.take();
        if password.is_none() && access_key.is_none() {
            return Ok(None);
        }
        self.seal(creation, &secrets)?;
        let account = self.parts.store.read(|tx| tx.account(&creation.wanted.key.account))?;
        let name = account.as_ref().map_or("", |account| &account.name);
        let card = self.parts.cards.secrets(&SecretsView {
            user: &creation.wanted.key,
            password: password.as_deref(),
            access_key: access_key.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str())),
            account: if name.is_empty() { creation.wanted.key.account.as_str() } else { name },
            account_number: account.as_ref().and_then(|account| account.number),
        });
        let sealed = self.parts.store.seal_for(&person, &card)?;
        creation.sent = SecretsSent::Sent;
        let lane = person_lane(&person);
        let dispatch = Dispatch::Secret { person, sealed, creation: creation.id };
        Ok(Some(NewMessage::new(&lane, dispatch, now)))
    }
}

/// Generates a password that satisfies every common rule: all classes of characters, and none that are easily confused.
pub(super) fn new_password() -> Result<SecretString, StoreError> {
    use rand::TryRng;
    const CLASSES: [&[u8]; 4] =
        [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-_.!#"];
    let mut bytes = Zeroizing::new([0u8; 4 * PASSWORD_CHARS]);
    rand::rngs::SysRng.try_fill_bytes(bytes.as_mut()).map_err(|_| StoreError::Unsealable)?;
    let mut password = Zeroizing::new(String::with_capacity(PASSWORD_CHARS));
    let all: Vec<u8> = CLASSES.concat();
    for (at, random) in bytes.as_chunks::<4>().0.iter().enumerate() {
        // 32 random bits over fewer than a hundred characters: no bias worth speaking of.
        let class: &[u8] = CLASSES.get(at).copied().unwrap_or(&all);
        let random = u32::from_le_bytes(*random) as usize;
        let index = random.checked_rem(class.len()).unwrap_or(0);
        password.extend(class.get(index).map(|byte| char::from(*byte)));
    }
    Ok(SecretString::from(password.as_str()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn passwords_contain_every_class_and_never_repeat() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let password = new_password().unwrap().expose_secret().to_owned();
            assert_eq!(password.chars().count(), PASSWORD_CHARS);
            assert!(password.chars().any(|c| c.is_ascii_lowercase()));
            assert!(password.chars().any(|c| c.is_ascii_uppercase()));
            assert!(password.chars().any(|c| c.is_ascii_digit()));
            assert!(password.chars().any(|c| c.is_ascii_punctuation()));
            assert!(seen.insert(password));
        }
    }
}
