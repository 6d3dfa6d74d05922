//! Changing the master key: every sealed secret is opened with the old key and sealed with the new one, in one
//! transaction.

use redb::ReadableTable;

use super::seal::Sealer;
use super::tables::SECRETS;
use super::{Store, StoreError};

impl Store {
    /// Reseals all secrets, and the proof of the key, under `new_key`. Returns how many key pairs there were. Consumes the
    /// handle, which holds the old key.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if a secret does not open; nothing is changed then.
    pub fn rekey(self, new_key: &[u8; 32]) -> Result<usize, StoreError> {
        let sealer = Sealer::new(new_key);
        self.write(|tx| {
            let mut table = tx.open(SECRETS)?;
            let mut resealed = Vec::new();
            for row in table.iter()? {
                let (account, sealed) = row?;
                let secret = self.sealer.open(account.value(), sealed.value())?;
                resealed.push((account.value().to_owned(), sealer.seal(account.value(), &secret)?));
            }
            for (account, sealed) in &resealed {
                table.insert(account.as_str(), sealed.as_slice())?;
            }
            drop(table);
            tx.reseal_texts(&self.sealer, &sealer)?;
            tx.put_key_check(&sealer)?;
            Ok(resealed.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use redb::backends::InMemoryBackend;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::domain::AccountId;
    use crate::store::AccountSecrets;

    const OLD: [u8; 32] = [1; 32];
    const NEW: [u8; 32] = [2; 32];

    fn store(folder: &tempfile::TempDir, key: &[u8; 32]) -> Result<Store, StoreError> {
        Store::open(&folder.path().join("airgate.redb"), key)
    }

    fn save(store: &Store, id: &str, secret: &str) -> AccountId {
        let id = AccountId::new(id).unwrap();
        let secrets = AccountSecrets {
            access_key_id: "AKLTx".to_owned().into(),
            secret_key: secret.to_owned().into(),
        };
        store.save_account(&id, "name", &secrets, Timestamp::UNIX_EPOCH).unwrap();
        id
    }

    #[test]
    fn the_new_key_opens_everything_and_the_old_one_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let old = store(&folder, &OLD).unwrap();
        let ids = [save(&old, "a", "first"), save(&old, "b", "second")];
        assert_eq!(old.rekey(&NEW).unwrap(), 2);
        assert!(matches!(store(&folder, &OLD), Err(StoreError::WrongKey)));
        let new = store(&folder, &NEW).unwrap();
        for (id, secret) in ids.iter().zip(["first", "second"]) {
            let pair = new.account_secrets(id).unwrap().unwrap();
            assert_eq!(pair.secret_key.expose_secret(), secret);
        }
    }

    #[test]
    fn a_secret_that_is_still_owed_to_somebody_opens_with_the_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let old = store(&folder, &OLD).unwrap();
        let person: crate::domain::OpenId = "ou_1".parse().unwrap();
        let sealed = old.seal_for(&person, "the card").unwrap();
        let dispatch =
            crate::domain::Dispatch::Secret { person: person.clone(), sealed, creation: 1 };
        let message = crate::store::NewMessage::new("person:ou_1", dispatch, Timestamp::UNIX_EPOCH);
        old.write(|tx| tx.owe(message, Timestamp::UNIX_EPOCH)).unwrap();
        old.rekey(&NEW).unwrap();
        let new = store(&folder, &NEW).unwrap();
        let heads = new.read(|tx| tx.lane_heads()).unwrap();
        let crate::domain::Dispatch::Secret { sealed, .. } = &heads[0].dispatch else { panic!() };
        assert_eq!(new.open_for(&person, sealed).unwrap().as_str(), "the card");
    }

    #[test]
    fn one_secret_that_does_not_open_leaves_all_as_they_were() {
        let store = Store::with_backend(InMemoryBackend::new(), &OLD).unwrap();
        let good = save(&store, "a", "first");
        save(&store, "b", "second");
        store
            .write(|tx| {
                tx.open(SECRETS)?.insert("b", [0u8; 40].as_slice())?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert!(matches!(store.clone().rekey(&NEW), Err(StoreError::Unsealable)));
        let pair = store.account_secrets(&good).unwrap().unwrap();
        assert_eq!(pair.secret_key.expose_secret(), "first");
        assert!(store.read(|tx| tx.is_key_of(&Sealer::new(&OLD))).unwrap());
    }
}
