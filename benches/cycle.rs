//! Measures a monitor cycle's recording beside clicks: how long it takes, and how long the reads and writes of clicks take
//! meanwhile, compared with clicks of the same process while nothing is recorded. Clicks here are what a click does in the store
//! (a billing card is read and rendered, an allocation is written with its fsync), without HTTP: for that, see `callback`.
//!
//! Run `cargo bench --bench cycle`, or `cargo bench --bench cycle -- 100000` for a number of users other than 1,000. Each has five
//! links, each project a hundred; 24 months are recorded. Prints figures and has no thresholds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::float_arithmetic,
    missing_docs
)]

mod measure;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airgate::app::quota::{self, Allocation};
use airgate::app::{billing, users};
use airgate::cards::{CardContext, Cards, Locale, OpIds};
use airgate::domain::{
    AccountId, BillPeriod, Counts, Freshness, Money, Operator, ProjectLink, ProjectName, Role,
    Switch, User, UserKey, UserStatus,
};
use airgate::store::{RecordedReading, Store, StoreError};
use jiff::Timestamp;
use rust_decimal::Decimal;

use measure::{Times, fsyncs, memory_of};

const LINKS_EACH: usize = 5;
const LINKS_A_PROJECT: usize = 100;
const MONTHS: usize = 24;
/// Projects that the second cycle finds changed.
const CHANGED: usize = 1_000;
const NOW: &str = "2026-11-23T02:00:00Z";
/// How long clicks are measured while nothing is recorded.
const ALONE: Duration = Duration::from_secs(10);
/// The pause that the monitor makes between two transactions.
const BREATH: Duration = Duration::from_millis(1);

fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(1_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("airgate.redb");
    let store = Store::open(&path, &[0x11; 32]).unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    let projects = (count * LINKS_EACH / LINKS_A_PROJECT).max(LINKS_EACH);
    println!("fsync alone: {}", Times::of(fsyncs(folder.path())));
    let filling = Instant::now();
    fill(&store, count, projects, now);
    println!(
        "{count} users, {} links, {projects} projects: filled in {} ms",
        count * LINKS_EACH,
        filling.elapsed().as_millis()
    );
    let current = BillPeriod::of(now);
    let months: Vec<BillPeriod> =
        std::iter::successors(Some(current), |month| Some(month.previous())).take(MONTHS).collect();
    let all: Vec<usize> = (0..projects).collect();
    let changed: Vec<usize> = (0..projects.min(CHANGED)).collect();
    let what = format!("{MONTHS} months at once");
    let filled = measure(&store, count, &what, &reading(&months, &all, &[], now));
    filled.print(None);
    println!("memory after that: {}", memory_of("self"));
    let alone = beside(&store, count, || std::thread::sleep(ALONE));
    println!("\nnothing is recorded:");
    alone.print(None);
    let measure = |what: &str, reading: &RecordedReading| {
        measure(&store, count, what, reading).print(Some(&alone));
    };
    let this_month = [current];
    measure("nothing changed", &reading(&this_month, &all, &[], now));
    let what = format!("{} projects changed", changed.len());
    measure(&what, &reading(&this_month, &all, &changed, now));
    println!("file {} KiB", std::fs::metadata(&path).unwrap().len() / 1024);
    println!("memory (measuring included): {}", memory_of("self"));
}

/// A complete reading: each project's amount of each month.
fn reading(
    months: &[BillPeriod],
    projects: &[usize],
    changed: &[usize],
    now: Timestamp,
) -> RecordedReading {
    let bills = months.iter().flat_map(|month| {
        projects.iter().map(|n| {
            let more = if changed.binary_search(n).is_ok() { 7 } else { 0 };
            let micros = i64::try_from((n + 1) * 123_457 + more).unwrap();
            ((project(*n), *month), Money::new(Decimal::new(micros, 6)))
        })
    });
    RecordedReading::of_months(account(), bills, now)
}

/// How long clicks took.
struct Clicks {
    reads: Times,
    writes: Times,
}

impl Clicks {
    /// Prints them, and how much longer they took than others.
    fn print(&self, others: Option<&Clicks>) {
        println!("  {} reads    {}", self.reads.count(), self.reads);
        println!("  {} writes   {}", self.writes.count(), self.writes);
        let Some(others) = others else { return };
        let pairs =
            [("reads", &self.reads, &others.reads), ("writes", &self.writes, &others.writes)];
        for (what, here, there) in pairs {
            let more = |percent| here.at(percent).as_secs_f64() - there.at(percent).as_secs_f64();
            let [p50, p99, max] = [50, 99, 100].map(|percent| more(percent) * 1000.0);
            println!("  {what} delayed by: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms");
        }
    }
}

/// Clicks while `f` runs.
fn beside(store: &Store, count: usize, f: impl FnOnce()) -> Clicks {
    let stop = Arc::new(AtomicBool::new(false));
    let clicker = {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        std::thread::spawn(move || click(&store, count, &stop))
    };
    f();
    stop.store(true, Ordering::Relaxed);
    let (reads, writes) = clicker.join().unwrap();
    Clicks { reads: Times::of(reads), writes: Times::of(writes) }
}

/// Records a reading as the monitor does, while a thread clicks.
fn measure(store: &Store, count: usize, what: &str, reading: &RecordedReading) -> Clicks {
    beside(store, count, || record(store, what, reading))
}

fn record(store: &Store, what: &str, reading: &RecordedReading) {
    let comparing = Instant::now();
    let mut changes = store.read(|tx| tx.bill_changes(reading)).unwrap();
    let comparing = comparing.elapsed();
    let writing = Instant::now();
    let mut steps = Vec::new();
    loop {
        let step = Instant::now();
        let done = store.write(|tx| tx.record_step(&mut changes)).unwrap();
        steps.push(step.elapsed());
        if done {
            break;
        }
        std::thread::sleep(BREATH);
    }
    let writing = writing.elapsed();
    println!(
        "\n{what}: compared in {} ms, recorded in {} ms, {} users visited",
        comparing.as_millis(),
        writing.as_millis(),
        changes.visited()
    );
    println!("  {} steps    {}", steps.len(), Times::of(steps));
}

/// Reads and writes as clicks do, until `stop`; at least once.
fn click(store: &Store, count: usize, stop: &AtomicBool) -> (Vec<Duration>, Vec<Duration>) {
    let now: Timestamp = NOW.parse().unwrap();
    let cards = Cards::new(Locale::ZhCn, OpIds::Random);
    let look = CardContext::new(Role::Admin, now);
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    let mut n = 0;
    while n == 0 || !stop.load(Ordering::Relaxed) {
        n += 1;
        let key = user(n * 37 % count);
        let started = Instant::now();
        let view = store.read(|tx| {
            users::get(tx, &key)?;
            tx.links_of(&key)?;
            billing::view(tx, None, None, n % 100, now)
        });
        assert!(!cards.billing(&view.unwrap(), &look).as_str().is_empty());
        reads.push(started.elapsed());
        let started = Instant::now();
        store
            .write(|tx| {
                let amount = Money::from_fen(1);
                let operator = &Operator::System;
                quota::book(tx, &Allocation { user: &key, amount, note: "", operator }, now)
            })
            .unwrap();
        writes.push(started.elapsed());
        std::thread::sleep(Duration::from_millis(3));
    }
    (reads, writes)
}

fn fill(store: &Store, count: usize, projects: usize, now: Timestamp) {
    let since = (1..MONTHS).fold(BillPeriod::of(now), |month, _| month.previous());
    let keys: Vec<usize> = (0..count).collect();
    for some in keys.chunks(2_000) {
        store
            .write(|tx| {
                for n in some {
                    let key = user(*n);
                    let mut record = User::new(key.clone(), now);
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                    for link in 0..LINKS_EACH {
                        tx.put_link(&ProjectLink {
                            user: key.clone(),
                            project: project((n * LINKS_EACH + link * 11) % projects),
                            display_name: String::new(),
                            monitored: Switch::On,
                            since,
                            counts: Counts::Whole,
                            spending: Money::ZERO,
                            freshness: Freshness::Pending,
                            created: now,
                        })?;
                    }
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
}

fn account() -> AccountId {
    AccountId::new("main").unwrap()
}

fn user(n: usize) -> UserKey {
    format!("main/u{n:06}").parse().unwrap()
}

fn project(n: usize) -> ProjectName {
    ProjectName::new(format!("project-{n:05}")).unwrap()
}
