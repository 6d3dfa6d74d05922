//! What the demo expects of the sample cloud.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn world() -> World {
    sample("2026-11-23T01:30:00Z".parse().unwrap(), 7)
}

fn period(text: &str) -> BillPeriod {
    text.parse().unwrap()
}

/// (quota, consumed) of each linked user, from the rows and the ledger alone.
fn standings(world: &World) -> BTreeMap<(String, String), (Decimal, Decimal)> {
    let mut standings: BTreeMap<_, (Decimal, Decimal)> = BTreeMap::new();
    for link in &world.suggested {
        let account = world.account(&link.account_slug).unwrap();
        assert!(account.users.contains_key(&link.username));
        assert!(account.projects.contains_key(&link.project), "{link:?}");
        let spent: Decimal = link
            .since
            .through(period("2026-11"))
            .map(|month| account.payable(&link.project, month))
            .sum();
        let key = (link.account_slug.clone(), link.username.clone());
        standings.entry(key).or_default().1 += spent;
    }
    for entry in &world.suggested_quota {
        let key = (entry.account_slug.clone(), entry.username.clone());
        standings.entry(key).or_default().0 += entry.amount;
        assert!(entry.amount.scale() <= 2);
    }
    standings
}

#[test]
fn users_are_at_the_usage_that_the_demo_needs() {
    for seed in [7, 8] {
        let world = sample("2026-11-23T01:30:00Z".parse().unwrap(), seed);
        let standings = standings(&world);
        assert_eq!(standings.len(), 12, "every user is linked");
        let percent = |account: &str, user: &str| {
            let (quota, spent) = standings[&(account.to_owned(), user.to_owned())];
            format!("{:.2}", (spent / quota * Decimal::ONE_HUNDRED).round_dp(2))
        };
        assert_eq!(percent("main", "chen.yutong"), "48.02");
        assert_eq!(percent("main", "li.bowen"), "79.61");
        assert_eq!(percent("main", "wang.fang"), "88.02");
        assert_eq!(percent("labs", "lin.xia"), "94.97");
        assert_eq!(percent("labs", "train-runner"), "103.20");
        let over = standings.values().filter(|(quota, spent)| !quota.is_zero() && spent >= quota);
        assert_eq!(over.count(), 1);
        let unallocated = standings.values().filter(|(quota, _)| quota.is_zero());
        assert_eq!(unallocated.count(), 1);
    }
}

#[test]
fn users_and_projects_match_the_tables() {
    let world = world();
    let users: Vec<_> = world.accounts.iter().flat_map(|a| a.users.values()).collect();
    let names: BTreeSet<_> = users.iter().map(|user| &user.name).collect();
    assert_eq!((users.len(), names.len()), (12, 11));
    let projects: usize = world.accounts.iter().map(|a| a.projects.len()).sum();
    assert_eq!(projects, 10);
    assert!(users.iter().all(|user| !user.display_name.is_ascii()));
    let missing = |shape| {
        let found =
            users.iter().filter(|user| user.login.profile.is_none() && user.login.missing == shape);
        found.count()
    };
    assert_eq!(missing(MissingLogin::Error), 1);
    assert_eq!(missing(MissingLogin::Stub), 1);
    let statuses =
        |user: &&&super::super::User| user.keys.iter().map(|key| key.status).collect::<Vec<_>>();
    let with = |wanted: &[KeyStatus]| users.iter().filter(|u| statuses(u) == wanted).count();
    assert_eq!(with(&[Active, Inactive]), 1);
    assert_eq!(with(&[]), 1);
    let keys: BTreeSet<_> = users.iter().flat_map(|u| &u.keys).map(|key| &key.id).collect();
    let all: usize = users.iter().map(|user| user.keys.len()).sum();
    assert_eq!(keys.len(), all, "no key id twice");
}

#[test]
fn what_is_in_the_model_service_was_made_by_a_user_of_its_project_and_works() {
    let mut world = world();
    let now = "2026-11-23T01:30:00Z".parse().unwrap();
    for account in world.accounts.clone() {
        let linked = |project: &str, creator: Option<&crate::sandbox::world::Creator>| {
            let creator = creator.unwrap();
            assert_eq!(account.users[&creator.name].id, creator.user_id);
            assert!(world.suggested.iter().any(|link| link.account_slug == account.slug
                && link.project == project
                && link.username == creator.name));
        };
        for endpoint in account.ark.endpoints.values() {
            linked(&endpoint.project, endpoint.creator.as_ref());
        }
        for job in account.ark.jobs.values() {
            linked(&job.project, job.creator.as_ref());
        }
        for key in account.ark.keys.values() {
            linked(&key.project, key.creator.as_ref());
        }
    }
    for account in world.accounts.clone() {
        for key in account.ark.keys.values() {
            let endpoints = account.ark.endpoints.values();
            for endpoint in endpoints.filter(|endpoint| endpoint.project == key.project) {
                world.call_model(key.text(), &endpoint.id, None, now).unwrap();
            }
        }
    }
}

#[test]
fn bills_match_the_table() {
    let world = world();
    let main = world.account("main").unwrap();
    let months = ["2026-08", "2026-09", "2026-10", "2026-11"].map(period);
    for account in &world.accounts {
        for month in months {
            assert!(!account.bill_rows(month).is_empty());
        }
        assert!(account.bill_rows(period("2026-07")).is_empty());
        assert!(account.bill_rows(period("2026-12")).is_empty());
    }
    assert!(main.bill_rows(period("2026-10")).len() > 300);
    assert!(main.payable("shop-pay", period("2026-10")) < Decimal::ZERO);
    let rows: Vec<_> = months.iter().flat_map(|m| main.bill_rows(*m)).collect();
    assert!(rows.iter().any(|row| row.payable.is_sign_negative()));
    assert!(rows.iter().any(|row| row.product == Product::Ark));
    assert!(rows.iter().all(|row| row.payable.scale() == 6 && row.original.scale() == 10));
    assert!(
        rows.iter().all(|row| BillPeriod::new(row.expense_date.year(), row.expense_date.month())
            == Ok(row.period))
    );
    let today = jiff::civil::date(2026, 11, 23);
    assert!(rows.iter().all(|row| row.expense_date <= today));
}

#[test]
fn the_current_month_is_beijings() {
    let world = sample("2026-10-31T16:00:00Z".parse().unwrap(), 7);
    let main = world.account("main").unwrap();
    let rows = main.bill_rows(period("2026-11"));
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row.expense_date.day() == 1));
}

#[test]
fn the_same_seed_gives_the_same_cloud() {
    let at = "2026-11-23T01:30:00Z".parse().unwrap();
    let print = |seed| format!("{:?}", sample(at, seed));
    assert_eq!(print(7), print(7));
    assert_ne!(print(7), print(8));
}

#[test]
fn a_part_of_the_bill_is_nobodys() {
    let world = world();
    let main = world.account("main").unwrap();
    assert!(world.suggested.iter().all(|link| !["video-trial", "-"].contains(&&*link.project)));
    for (project, months) in [("video-trial", 2), ("-", 4)] {
        let months = ["2026-08", "2026-09", "2026-10", "2026-11"].iter().rev().take(months);
        for month in months {
            assert!(main.payable(project, period(month)) > Decimal::ZERO, "{project} {month}");
        }
    }
}

#[test]
fn every_name_of_the_sample_has_an_english_one() {
    let mut names: Vec<&str> = vec!["云上主体", "研究院"];
    names.extend(PEOPLE.iter().map(|person| person.display_name));
    names.extend(PEOPLE.iter().flat_map(|person| person.quota.iter().map(|(_, note)| *note)));
    names.extend(SPENDING.iter().map(|spending| spending.display_name));
    for name in names {
        let english = english::english(name);
        assert!(english.is_ascii(), "{name}: {english}");
    }
    let known: BTreeSet<_> = english::ENGLISH.iter().map(|(_, english)| english).collect();
    assert_eq!(known.len(), english::ENGLISH.len(), "no two names become the same");
    let world = sample_in(Language::English, "2026-11-23T01:30:00Z".parse().unwrap(), 7);
    assert_eq!(world.account("main").unwrap().name, "Main Company");
    assert_eq!(world.account("main").unwrap().users["wang.fang"].display_name, "Fang Wang");
}
