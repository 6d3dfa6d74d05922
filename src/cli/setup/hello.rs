//! The first card, to the person who scanned.

use super::super::Failure;
use super::super::app::patiently;
use super::super::output;
use super::super::words::t;
use super::journal::Journal;
use crate::app::steps;
use crate::cards::{CardContext, Cards, OpIds, Tone};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Role;
use crate::feishu::{Client, Content, Recipient};
use crate::store::Store;

/// Sends the card, once: its key is the app's, so that Feishu drops a repetition within the hour.
pub(super) async fn send(
    config: &Config,
    store: &Store,
    client: &Client,
    journal: &mut Journal,
    left: &mut Vec<String>,
) -> Result<(), Failure> {
    let Some(scanner) = journal.saved().scanner.clone() else {
        left.push(t("setup.todo_admin", &[]));
        return Ok(());
    };
    if journal.saved().is_greeted {
        return Ok(());
    }
    let cards = Cards::new(config.locale, OpIds::Random);
    let words = cards.words();
    let ctx = CardContext::new(Role::Admin, Clock::system().now())
        .with_banner(Tone::Success, words.t("setup.hello", &[]));
    let steps = store.read(steps::view).map_err(|error| Failure::Failed(error.to_string()))?;
    let card = Content::Card(cards.first_steps(&steps, &ctx).into_string());
    let key = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, config.feishu.app_id.as_bytes());
    let (to, key) = (Recipient::OpenId(&scanner), key.to_string());
    match patiently(|| client.send(&to, &card, &key)).await {
        Ok(_) => {
            journal.change(|saved| saved.is_greeted = true)?;
            output::line(&t("setup.greeted", &[]));
        }
        Err(error) => left.push(t("setup.todo_hello", &[("error", &error)])),
    }
    Ok(())
}
