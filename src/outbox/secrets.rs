//! Secrets for one person: opened on delivery, discarded if they cannot be delivered.

use jiff::Timestamp;
use secrecy::SecretString;

use super::failure::Failure;
use crate::app::users;
use crate::cards::{CardContext, Cards};
use crate::domain::{Dispatch, OpenId, OwedMessage, Role, SecretsSent};
use crate::store::{Store, StoreError, WriteTx};

/// Opens the card of a sealed secret.
pub(super) async fn opened(
    store: &Store,
    person: &OpenId,
    sealed: &str,
) -> Result<SecretString, Failure> {
    let (store, person, sealed) = (store.clone(), person.clone(), sealed.to_owned());
    let opened = tokio::task::spawn_blocking(move || store.open_for(&person, &sealed)).await;
    match opened {
        Ok(Ok(card)) => Ok(SecretString::from(card.as_str())),
        Ok(Err(_)) => Err(Failure::Impossible("delivery.unopened")),
        Err(_) => Err(Failure::Store(StoreError::Aborted)),
    }
}

/// Discards a secret that cannot be delivered, and says so on the card of the user's creation.
pub(super) fn lost(
    tx: &WriteTx,
    cards: &Cards,
    owed: &mut OwedMessage,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Dispatch::Secret { sealed, creation, .. } = &mut owed.dispatch else { return Ok(()) };
    sealed.clear();
    let Some(mut creation) = tx.creation(*creation)? else { return Ok(()) };
    creation.sent = SecretsSent::Lost { reason: reason.to_owned() };
    tx.put_creation(&creation)?;
    if let Some(report) = &creation.report {
        let account = users::account_name(tx, &creation.wanted.key.account)?;
        let card = cards.creation(&creation, &account, &CardContext::new(Role::Admin, now));
        tx.owe_report(report, card.into_string(), now, now)?;
    }
    Ok(())
}
