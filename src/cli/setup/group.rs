//! Where alerts go: a group that the bot is in, a public one that it joins, or one that somebody adds it to.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::app::Line;
use super::super::words::t;
use super::super::{Failure, desk, output};
use super::journal::Journal;
use super::said;
use crate::clock::Clock;
use crate::domain::ChatId;
use crate::feishu::{Client, GroupInfo};
use crate::store::{Store, StoreError};

/// How many groups are offered.
const OFFERED: usize = 20;
/// How long it is waited for somebody to add the bot.
const WAITING: Duration = Duration::from_secs(600);
/// How often the list is read again meanwhile: the event may not be subscribed to.
const LOOKING: Duration = Duration::from_secs(3);
/// Longest name that is shown.
const LONGEST_NAME: usize = 50;

/// Asks for the alert group, once.
pub(super) async fn choose(
    client: &Client,
    store: &Store,
    mut line: Option<&mut Line>,
    journal: &mut Journal,
    left: &mut Vec<String>,
) -> Result<(), Failure> {
    let saved = store.read(|tx| tx.saved_settings()).map_err(said)?;
    if journal.saved().is_group_chosen || saved.alert_chat.is_some() {
        return Ok(());
    }
    // A group that cannot be listed can still add the bot.
    let own = client.groups().await.unwrap_or_default();
    let mut offered = own.clone();
    for group in client.visible_groups().await.unwrap_or_default() {
        if !offered.iter().any(|known| known.chat_id == group.chat_id) {
            offered.push(group);
        }
    }
    offered.truncate(OFFERED);
    output::line(&t("setup.group", &[]));
    for (number, group) in (1..).zip(&offered) {
        let joined = own.iter().any(|known| known.chat_id == group.chat_id);
        let name = shown(group);
        let row = match joined {
            true => t("setup.group_in", &[("number", &number), ("name", &name)]),
            false => t("setup.group_open", &[("number", &number), ("name", &name)]),
        };
        output::line(&row);
    }
    let chosen = loop {
        let answer = desk::line(&t("setup.group_ask", &[])).await.map_err(said)?;
        let answer = answer.unwrap_or_default();
        if answer.is_empty() {
            break None;
        }
        if answer.eq_ignore_ascii_case("w") {
            output::line(&t("setup.group_wait", &[]));
            break wait(client, &own, line.as_deref_mut()).await;
        }
        let at = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let Some(group) = at.and_then(|at| offered.get(at)) else {
            output::error(&t("setup.group_which", &[("count", &offered.len())]));
            continue;
        };
        if own.iter().any(|known| known.chat_id == group.chat_id) {
            break Some(group.clone());
        }
        match client.join_group(&group.chat_id).await {
            Ok(()) => break Some(group.clone()),
            Err(error) => output::error(&t(
                "setup.group_refused",
                &[("name", &shown(group)), ("error", &error)],
            )),
        }
    };
    match chosen {
        None => left.push(t("setup.todo_group", &[])),
        Some(group) => {
            save(store, &group)?;
            output::line(&t("setup.group_set", &[("name", &shown(&group))]));
        }
    }
    journal.change(|saved| saved.is_group_chosen = true)
}

fn shown(group: &GroupInfo) -> String {
    let name: String = group.name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if name.is_empty() { group.chat_id.clone() } else { name }
}

/// Waits until the bot is in a group that it was not in.
async fn wait(client: &Client, own: &[GroupInfo], line: Option<&mut Line>) -> Option<GroupInfo> {
    let known: BTreeSet<&str> = own.iter().map(|group| group.chat_id.as_str()).collect();
    let looking = async {
        loop {
            tokio::time::sleep(LOOKING).await;
            let groups = client.groups().await.unwrap_or_default();
            let new = groups.into_iter().find(|group| !known.contains(group.chat_id.as_str()));
            if let Some(new) = new {
                return new;
            }
        }
    };
    let told = async {
        match line {
            Some(line) => match line.added().await {
                Some(group) => group,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    let waiting = async {
        tokio::select! {
            group = looking => group,
            group = told => group,
        }
    };
    tokio::time::timeout(WAITING, waiting).await.ok()
}

fn save(store: &Store, group: &GroupInfo) -> Result<(), Failure> {
    let chat = ChatId::new(group.chat_id.as_str()).map_err(said)?;
    let now = Clock::system().now();
    let saved: Result<(), StoreError> = store.write(|tx| {
        let mut settings = tx.saved_settings()?;
        settings.alert_chat = Some(Some(chat));
        settings.updated = Some(now);
        tx.put_saved_settings(&settings)
    });
    saved.map_err(said)
}
