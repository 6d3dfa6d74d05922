//! Users that are being created, and the sealing of texts that only one person may read.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::seal::Sealer;
use super::tables::{CREATIONS, OUTBOX};
use super::view::{Order, Source, View};
use super::{Store, StoreError, WriteTx};
use crate::domain::{Creation, Dispatch, OpId, OpenId, UserKey};

/// How many creations are kept. The card of an older one can no longer be continued.
const KEPT: u64 = 500;

impl Store {
    /// Seals a text that only `person` may read.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if the operating system provides no randomness.
    pub fn seal_for(&self, person: &OpenId, secret: &str) -> Result<String, StoreError> {
        self.seal_text(&for_person(person), secret)
    }

    /// Opens what [`Store::seal_for`] sealed for the same person.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] if it was tampered with, or sealed for somebody else.
    pub fn open_for(&self, person: &OpenId, sealed: &str) -> Result<Zeroizing<String>, StoreError> {
        self.open_text(&for_person(person), sealed)
    }

    /// Seals a secret of a running creation.
    ///
    /// # Errors
    /// As [`Store::seal_for`].
    pub fn seal_of_creation(&self, id: u64, secret: &str) -> Result<String, StoreError> {
        self.seal_text(&of_creation(id), secret)
    }

    /// Opens what [`Store::seal_of_creation`] sealed for the same creation.
    ///
    /// # Errors
    /// As [`Store::open_for`].
    pub fn open_of_creation(&self, id: u64, sealed: &str) -> Result<Zeroizing<String>, StoreError> {
        self.open_text(&of_creation(id), sealed)
    }

    fn seal_text(&self, context: &str, secret: &str) -> Result<String, StoreError> {
        seal_text(&self.sealer, context, secret)
    }

    fn open_text(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, StoreError> {
        open_text(&self.sealer, context, sealed)
    }
}

fn seal_text(sealer: &Sealer, context: &str, secret: &str) -> Result<String, StoreError> {
    Ok(STANDARD.encode(sealer.seal(context, secret.as_bytes())?))
}

fn open_text(
    sealer: &Sealer,
    context: &str,
    sealed: &str,
) -> Result<Zeroizing<String>, StoreError> {
    let sealed = STANDARD.decode(sealed).map_err(|_| StoreError::Unsealable)?;
    let opened = sealer.open(context, &sealed)?;
    let text = std::str::from_utf8(&opened).map_err(|_| StoreError::Unsealable)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Returns the context that a secret for a person is bound to. No account id contains a colon, so nothing sealed for a
/// person opens as an account's key pair.
fn for_person(person: &OpenId) -> String {
    format!("person:{person}")
}

fn of_creation(id: u64) -> String {
    format!("creation:{id}")
}

impl<S: Source> View<S> {
    /// Returns one creation.
    pub fn creation(&self, id: u64) -> Result<Option<Creation>, StoreError> {
        self.get(CREATIONS, id)
    }

    /// Returns the creation that a form requested.
    pub fn creation_of_op(&self, op: &OpId) -> Result<Option<Creation>, StoreError> {
        self.find_creation(|creation| creation.ops.contains(op))
    }

    /// Returns the creation of this user that a task is running.
    pub fn running_creation(&self, user: &UserKey) -> Result<Option<Creation>, StoreError> {
        self.find_creation(|creation| creation.running && creation.wanted.key == *user)
    }

    fn find_creation(
        &self,
        wanted: impl Fn(&Creation) -> bool,
    ) -> Result<Option<Creation>, StoreError> {
        let mut found = None;
        self.scan::<_, _, u64, _>(CREATIONS, .., Order::Descending, |_, creation| {
            if wanted(&creation) {
                found = Some(creation);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

impl WriteTx {
    /// Returns the id of a new creation. Creations beyond the last [`KEPT`] are removed.
    pub fn next_creation(&self) -> Result<u64, StoreError> {
        let id = self.next_number("creations")?;
        if let Some(oldest) = id.checked_sub(KEPT) {
            let mut table = self.open(CREATIONS)?;
            table.retain_in::<u64, _>(..oldest, |_, _| false)?;
        }
        Ok(id)
    }

    /// Reseals the secrets in creations and in owed messages under another master key.
    pub(super) fn reseal_texts(&self, old: &Sealer, new: &Sealer) -> Result<(), StoreError> {
        let again = |context: &str, sealed: &str| {
            seal_text(new, context, &open_text(old, context, sealed)?)
        };
        for mut creation in self.all(CREATIONS)? {
            if let Some(sealed) = &creation.sealed {
                creation.sealed = Some(again(&of_creation(creation.id), sealed)?);
                self.put_creation(&creation)?;
            }
        }
        for mut message in self.all(OUTBOX)? {
            if let Dispatch::Secret { person, sealed, .. } = &mut message.dispatch {
                *sealed = again(&for_person(person), sealed)?;
                self.put_owed(&message)?;
            }
        }
        Ok(())
    }

    /// Writes a creation.
    pub fn put_creation(&self, creation: &Creation) -> Result<(), StoreError> {
        self.put(CREATIONS, creation.id, creation)
    }
}
