//! The monitor: what it reads, records and warns about, and how it cuts and restores access.

mod by_day;
mod collect;
mod estimate;
mod forecast;
mod late;
mod month_limit;
mod months;
mod odd;
mod outages;
mod policies;
mod schedule;
mod thresholds;

use std::collections::BTreeMap;

use airgate::domain::{BillPeriod, BillSource, SavedSettings};
use airgate::sandbox::volcengine::Call;
use airgate::sandbox::world::KeyStatus;
use rust_decimal::Decimal;

use crate::bed::{Bed, labs, one_account};

pub fn period(text: &str) -> BillPeriod {
    text.parse().unwrap()
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Every call for bills so far, without those that only ask whether an empty bill can be true, and those of the estimate.
pub fn bills(bed: &Bed) -> Vec<Call> {
    let list = match bed.config.monitor.bill_source {
        BillSource::Split => "ListSplitBillDetail",
        BillSource::Detail => "ListBillDetail",
    };
    let bill = |call: &Call| {
        call.action == list && call.params.get("Limit").map(String::as_str) != Some("1")
    };
    bed.cloud.calls().into_iter().filter(bill).collect()
}

/// How many calls there were for each period.
pub fn reads(bed: &Bed) -> BTreeMap<String, usize> {
    let mut reads = BTreeMap::new();
    for call in bills(bed) {
        *reads.entry(call.params["BillPeriod"].clone()).or_default() += 1;
    }
    reads
}

pub fn once(periods: &[&str]) -> BTreeMap<String, usize> {
    periods.iter().map(|period| ((*period).to_owned(), 1)).collect()
}

pub fn spend(bed: &Bed, project: &str, amount: &str, month: &str) {
    bed.cloud.update(|world| {
        world.account_mut("main").unwrap().spend(project, decimal(amount), period(month))
    });
}

/// The service with alice, whose project is `team-a` and whose quota is 100.
pub async fn alice(further: &[(&str, &str)]) -> Bed {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().add_user("alice");
    world.user_mut("main", "alice").unwrap().add_key(KeyStatus::Active);
    let bed = Bed::with(world, further).await;
    bed.add_users(&["main/alice"]);
    bed.link("main/alice", "team-a", "");
    bed.allocate("main/alice", "100");
    bed
}

pub fn save(bed: &Bed, settings: &SavedSettings) {
    bed.store.write(|tx| tx.put_saved_settings(settings)).unwrap();
    bed.service().wakers().settings.notify_one();
}

/// The service with alice in `main` and bob in `labs`, both with a quota of 100 and bills of 10 in `team-a`.
pub async fn two_accounts() -> Bed {
    let mut world = one_account();
    world.accounts.push(labs());
    for account in ["main", "labs"] {
        world.account_mut(account).unwrap().spend("team-a", 10.into(), period("2026-11"));
    }
    let bed = Bed::start(world).await;
    bed.add_users(&["main/alice", "labs/bob"]);
    for key in ["main/alice", "labs/bob"] {
        bed.link(key, "team-a", "");
        bed.allocate(key, "100");
    }
    bed
}
