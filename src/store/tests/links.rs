//! Links and the accounts' projects; single values: settings, the monitor's state, names.

use super::*;
use crate::domain::{MonitorState, OpenId, ProjectInfo, SavedSettings};

fn info(of: &str, name: &str, display_name: &str) -> ProjectInfo {
    ProjectInfo { account: account(of), name: project(name), display_name: display_name.to_owned() }
}

#[test]
fn a_user_s_links_are_found_and_nobody_else_s() {
    let store = in_memory();
    let mut kept = Vec::new();
    for (key, name) in [
        ("main/al", "p"),
        ("main/alice", "q"),
        ("main/alice", "p"),
        ("main/alice2", "p"),
        ("a/alice", "p"),
    ] {
        let link = link(key, name, "2026-11");
        write(&store, |tx| tx.put_link(&link));
        kept.push(link);
    }
    let alice = user("main/alice");
    assert_eq!(store.read(|tx| tx.links_of(&alice)).unwrap(), [kept[2].clone(), kept[1].clone()]);
    assert_eq!(store.read(|tx| tx.link(&alice, &project("q"))).unwrap(), Some(kept[1].clone()));
    let of_main = store.read(|tx| tx.links_of_account(&account("main"))).unwrap();
    assert_eq!(of_main.len(), 4);
    assert!(write(&store, |tx| tx.remove_link(&alice, &project("q"))));
    assert!(!write(&store, |tx| tx.remove_link(&alice, &project("q"))));
    assert_eq!(store.read(|tx| tx.links_of(&alice)).unwrap(), [kept[2].clone()]);
}

#[test]
fn the_sharers_of_a_user_s_projects_are_the_others_of_the_account() {
    let store = in_memory();
    for (key, name) in [
        ("main/alice", "own"),
        ("main/alice", "two"),
        ("main/alice", "many"),
        ("main/bob", "two"),
        ("main/bob", "many"),
        ("main/carol", "many"),
        ("main/carol", "theirs"),
        ("labs/bob", "own"),
    ] {
        write(&store, |tx| tx.put_link(&link(key, name, "2026-11")));
    }
    let sharers = store.read(|tx| tx.sharers(&user("main/alice"))).unwrap();
    let shown: Vec<String> = sharers
        .iter()
        .map(|(project, others)| {
            let others: Vec<&str> = others.iter().map(|other| other.username.as_str()).collect();
            format!("{project}: {}", others.join(" "))
        })
        .collect();
    assert_eq!(shown, ["many: bob carol", "two: bob"]);
    assert!(store.read(|tx| tx.sharers(&user("main/nobody"))).unwrap().is_empty());
}

#[test]
fn a_listing_replaces_the_account_s_projects_and_renames_links() {
    let store = in_memory();
    write(&store, |tx| {
        tx.put_link(&link("main/alice", "p", "2026-11"))?;
        tx.put_link(&link("main/alice", "unlisted", "2026-11"))?;
        tx.replace_projects(&account("labs"), &[info("labs", "p", "别家")], now())?;
        tx.replace_projects(
            &account("main"),
            &[info("main", "p", "旧"), info("main", "gone", "走")],
            now(),
        )
    });
    let later = at("2026-11-24T00:00:00Z");
    let listed = [info("main", "p", "新"), info("main", "q", "Q")];
    write(&store, |tx| tx.replace_projects(&account("main"), &listed, later));
    assert_eq!(store.read(|tx| tx.projects_of(&account("main"))).unwrap(), listed);
    assert_eq!(store.read(|tx| tx.projects_of(&account("labs"))).unwrap().len(), 1);
    let listed_at = |id: &str| store.read(|tx| tx.projects_listed_at(&account(id))).unwrap();
    assert_eq!((listed_at("main"), listed_at("none")), (Some(later), None));
    let one = store.read(|tx| tx.project(&account("main"), &project("gone"))).unwrap();
    assert_eq!(one, None);
    let links = store.read(|tx| tx.links_of(&user("main/alice"))).unwrap();
    let labels: Vec<&str> = links.iter().map(ProjectLink::label).collect();
    assert_eq!(labels, ["新", "unlisted"]);
}

#[test]
fn single_values_are_read_back() {
    let store = in_memory();
    let (bot, person) = (OpenId::new("ou_bot").unwrap(), OpenId::new("ou_1").unwrap());
    assert_eq!(store.read(|tx| tx.saved_settings()).unwrap(), SavedSettings::default());
    assert_eq!(store.read(|tx| tx.monitor_state()).unwrap(), MonitorState::default());
    assert_eq!(store.read(|tx| tx.bot_open_id()).unwrap(), None);
    assert_eq!(store.read(|tx| tx.person_name(&person)).unwrap(), None);
    let settings =
        SavedSettings { interval_seconds: Some(60), webhook_url: Some(None), ..Default::default() };
    let state = MonitorState {
        last_success: Some(now()),
        failures_in_a_row: 2,
        refused_accounts: vec![account("main")],
        ..Default::default()
    };
    write(&store, |tx| {
        tx.put_saved_settings(&settings)?;
        tx.put_monitor_state(&state)?;
        tx.put_bot_open_id(&bot)?;
        tx.put_person_name(&person, "王")
    });
    assert_eq!(store.read(|tx| tx.saved_settings()).unwrap(), settings);
    assert_eq!(store.read(|tx| tx.monitor_state()).unwrap(), state);
    assert_eq!(store.read(|tx| tx.bot_open_id()).unwrap(), Some(bot));
    assert_eq!(store.read(|tx| tx.person_name(&person)).unwrap(), Some("王".to_owned()));
}
