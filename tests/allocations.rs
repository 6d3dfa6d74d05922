//! How many allocations a card takes, from a snapshot of the store to the text of the answer. The bounds are somewhat above
//! what was counted: a test that fails here means that a card became dearer, not that it is wrong.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "shared/samples.rs"]
#[allow(dead_code)]
mod samples;

use std::time::Duration;

use airgate::app::{Error, billing, listing, users};
use airgate::cards::{Card, CardContext, Cards, ListPlace, Locale, OpIds};
use airgate::domain::{Role, Settings, Thresholds};
use airgate::feishu::CallbackAnswer;
use airgate::store::{ReadTx, Store};
use jiff::Timestamp;

type Make = fn(&ReadTx, &Cards, &CardContext, &Settings) -> Result<Card, Error>;

/// A card, how many allocations it may take, and how it is made.
const CARDS: &[(&str, u64, Make)] = &[
    ("a page of users", 1150, |tx, cards, ctx, settings| {
        Ok(cards.users(&listing::list(tx, settings, &ListPlace::default(), ctx.now)?, ctx))
    }),
    ("a user", 1300, |tx, cards, ctx, settings| {
        let user = users::get(tx, &"main/u00".parse().unwrap())?;
        Ok(cards.user(&users::card(tx, settings, user, ctx.now)?, ctx))
    }),
    ("billing", 160, |tx, cards, ctx, _| {
        Ok(cards.billing(&billing::view(tx, None, None, 1, ctx.now)?, ctx))
    }),
];

#[test]
fn a_card_takes_a_bounded_number_of_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("airgate.redb"), &[7; 32]).unwrap();
    let now: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
    let names: Vec<String> = (0..40).map(|n| format!("main/u{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    samples::add_users(&store, &names, now);
    for user in &names {
        for project in ["team-a", "team-b", "team-c"] {
            samples::link(&store, user, project, "", now);
        }
        samples::allocate(&store, user, "100", "", now);
    }
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    let ctx = CardContext::new(Role::Admin, now);
    let settings = Settings {
        thresholds: Thresholds::default(),
        interval: Duration::from_secs(600),
        alert_chat: None,
        webhook_url: None,
        mobiles: Vec::new(),
        people: Vec::new(),
        approval: Default::default(),
        notify_owners: true,
        digest: None,
    };
    let mut over = Vec::new();
    for (name, most, make) in CARDS {
        let answer = || {
            let card = store.read(|tx| make(tx, &cards, &ctx, &settings)).unwrap();
            CallbackAnswer::card(card.into_string()).into_json()
        };
        // The first one fills caches.
        answer();
        let counted = allocation_counter::measure(|| drop(answer())).count_total;
        println!("{name}: {counted} allocations");
        if counted > *most {
            over.push(format!("{name}: {counted} allocations, at most {most} are allowed"));
        }
    }
    assert!(over.is_empty(), "{over:?}");
}
