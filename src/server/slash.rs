//! Slash commands: Feishu offers the commands of the bot's table while a person types
//! (docs/platforms/feishu.md §11.1).

use std::collections::{BTreeMap, BTreeSet};

use crate::bot::commands::COMMANDS;
use crate::cards::{Locale, Wording};
use crate::feishu::{Client, Disposition, Error, SlashCommand, SlashText};
use crate::store::{Store, StoreError};

/// The icon of every command. One that the platform does not know would be refused.
const ICON: &str = "skill_outlined";
/// Longest description, in characters. No limit is documented.
const LONGEST: usize = 100;

/// What became of the slash commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// They are as they should be, after this many changes.
    Done {
        /// How many commands were added, changed or removed.
        changes: usize,
    },
    /// The app lacks a scope, or the tenant has no slash commands.
    Unavailable,
}

/// Why the slash commands could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SlashError {
    /// Feishu refused or did not answer.
    #[error(transparent)]
    Feishu(#[from] Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds the commands that are missing, changes those that differ, and removes those that airgate added and no longer has.
///
/// # Errors
/// [`SlashError`], unless the reason is a missing scope or a tenant without slash commands.
pub async fn register(client: &Client, store: &Store) -> Result<Registered, SlashError> {
    match bring_up_to_date(client, store).await {
        Err(SlashError::Feishu(error))
            if error.is_not_here() || error.disposition() == Disposition::NotPermitted =>
        {
            Ok(Registered::Unavailable)
        }
        other => other.map(|changes| Registered::Done { changes }),
    }
}

async fn bring_up_to_date(client: &Client, store: &Store) -> Result<usize, SlashError> {
    let wanted = wanted();
    let there = client.slash_commands().await?;
    let mut own = store.reading(|tx| tx.own_slash_commands()).await?;
    let steps = plan(&wanted, &there, &own);
    let added = steps.iter().filter_map(|step| match step {
        Step::Create(name, _) => Some((*name).to_owned()),
        _ => None,
    });
    // Before they are added: one that was added just before a crash is airgate's too.
    let before = own.len();
    own.extend(added);
    if own.len() != before {
        let names = own.clone();
        store.writing(move |tx| tx.put_own_slash_commands(&names)).await?;
    }
    let changes = steps.len();
    for step in steps {
        match step {
            Step::Create(name, text) => client.create_slash_command(name, text).await?,
            Step::Update(id, text) => client.update_slash_command(id, text).await?,
            Step::Delete(id, name) => {
                client.delete_slash_command(id).await?;
                own.remove(name);
            }
        }
    }
    own.retain(|name| wanted.iter().any(|(wanted, _)| wanted == name));
    store
        .writing(move |tx| {
            if tx.own_slash_commands()? == own { Ok(()) } else { tx.put_own_slash_commands(&own) }
        })
        .await?;
    Ok(changes)
}

/// The commands of the table, with what they say in every language.
fn wanted() -> Vec<(&'static str, SlashText)> {
    let says = |about: &str, locale: Locale| -> String {
        Wording::new(locale).t(about, &[]).chars().take(LONGEST).collect()
    };
    let text = |about: &str| SlashText {
        default: says(about, Locale::EnUs),
        languages: BTreeMap::from([
            ("en_us".to_owned(), says(about, Locale::EnUs)),
            ("zh_cn".to_owned(), says(about, Locale::ZhCn)),
        ]),
        icon: ICON.to_owned(),
    };
    COMMANDS.iter().map(|spec| (spec.name, text(spec.about))).collect()
}

/// Returns whether a word is a command or an alias of one. The `event_key` of a bot menu's item has to begin with one.
pub fn is_command(word: &str) -> bool {
    COMMANDS.iter().any(|spec| spec.name == word || spec.aliases.contains(&word))
}

/// One change of the list.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Create(&'a str, &'a SlashText),
    /// By id.
    Update(&'a str, &'a SlashText),
    /// By id, and its name.
    Delete(&'a str, &'a str),
}

fn plan<'a>(
    wanted: &'a [(&'static str, SlashText)],
    there: &'a [SlashCommand],
    own: &BTreeSet<String>,
) -> Vec<Step<'a>> {
    let known = |name: &str| there.iter().find(|command| command.name == name);
    let mut steps: Vec<Step<'_>> = there
        .iter()
        .filter(|command| own.contains(&command.name))
        .filter(|command| !wanted.iter().any(|(name, _)| *name == command.name))
        .map(|command| Step::Delete(&command.id, &command.name))
        .collect();
    steps.extend(wanted.iter().filter_map(|(name, text)| match known(name) {
        None => Some(Step::Create(name, text)),
        Some(command) if command.text != *text => Some(Step::Update(&command.id, text)),
        Some(_) => None,
    }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ones_that_the_platform_takes() {
        let wanted = wanted();
        assert!(wanted.len() <= 100);
        for (name, text) in wanted {
            let plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            assert!(name.len() <= 32 && name.chars().all(plain), "{name}");
            assert_ne!(text.languages["zh_cn"], text.languages["en_us"], "{name}");
        }
    }

    #[test]
    fn only_what_differs_is_written_and_only_what_is_airgates_is_removed() {
        let wanted = wanted();
        let command = |id: &str, name: &str, text: &SlashText| SlashCommand {
            id: id.to_owned(),
            name: name.to_owned(),
            text: text.clone(),
        };
        let (first, text) = &wanted[0];
        let other = SlashText { default: "old".to_owned(), ..text.clone() };
        let mut there: Vec<SlashCommand> =
            wanted.iter().map(|(name, text)| command(name, name, text)).collect();
        assert_eq!(plan(&wanted, &there, &BTreeSet::new()), []);
        there[0].text = other.clone();
        there.push(command("7", "mine", &other));
        there.push(command("8", "retired", &other));
        let own = BTreeSet::from(["retired".to_owned(), "gone".to_owned()]);
        let steps = plan(&wanted, &there, &own);
        assert_eq!(steps, [Step::Delete("8", "retired"), Step::Update(first, text)]);
    }
}
