//! Measures an import of 5,000 rows beside clicks that write (an allocation with its fsync): how long each part of it takes, and
//! how long the clicks take meanwhile, compared with clicks while nothing is imported.
//!
//! Run `cargo bench --bench import`, or `cargo bench --bench import -- 100000` for a number of users other than 5,000. Prints
//! figures and has no thresholds.

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

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airgate::app::batches::{self, Decision};
use airgate::app::import::{self, People};
use airgate::app::quota::{self, Allocation};
use airgate::app::sheet;
use airgate::domain::batch::MAX_ROWS;
use airgate::domain::{
    ApprovalRules, Batch, BatchSource, BatchState, LinkPolicies, Money, Operator, User, UserKey,
    UserStatus,
};
use airgate::store::{Store, StoreError};
use jiff::Timestamp;

use measure::{Times, fsyncs, memory_of};

const NOW: &str = "2026-11-23T02:00:00Z";
/// How long clicks are measured while nothing is imported.
const ALONE: Duration = Duration::from_secs(5);
/// The pause between two steps, and between two clicks.
const BREATH: Duration = Duration::from_millis(1);
/// How many rows of a preview are stored in one transaction.
const STORED_AT_ONCE: usize = 200;

fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(MAX_ROWS);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(&folder.path().join("airgate.redb"), &[0x11; 32]).unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    println!("fsync alone: {}", Times::of(fsyncs(folder.path())));
    let keys: Vec<usize> = (0..count).collect();
    for some in keys.chunks(2_000) {
        store
            .write(|tx| {
                for n in some {
                    let mut record = User::new(user(*n), now);
                    record.status = UserStatus::Active;
                    tx.put_user(&record)?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    println!("{count} users");
    println!(
        "clicks while nothing is imported: {}",
        beside(&store, count, || std::thread::sleep(ALONE))
    );
    for rows in
        ["account,username,amount,note", "account,username,month_limit", "account,username,project"]
    {
        // Spread over all users.
        let mut file = format!("{rows}\n");
        for n in 0..MAX_ROWS.min(count) {
            let cells = match rows {
                "account,username,project" => format!("project-{n:05}"),
                "account,username,month_limit" => "500".to_owned(),
                _ => "100,第四季度".to_owned(),
            };
            writeln!(file, "main,{},{cells}", user(n * (count / MAX_ROWS.min(count))).username)
                .unwrap();
        }
        println!("\n{rows}");
        let clicks = beside(&store, count, || import(&store, file.as_bytes(), now));
        println!("  clicks beside it: {clicks}");
    }
    println!("memory: {}", memory_of("self"));
}

/// Imports a file as the worker does.
fn import(store: &Store, file: &[u8], now: Timestamp) {
    let by = Operator::Person { open_id: "ou_1".parse().unwrap(), name: None };
    let rules = ApprovalRules { second_from: Some("50000".parse().unwrap()), request_limit: None };
    let began = Instant::now();
    let sheet = sheet::read(file).unwrap();
    let read = import::rows(&sheet, &People::new(), now);
    assert!(read.refused.is_empty(), "{:?}", read.refused);
    let rows = read.rows.into_iter().map(|(_, row)| row).collect();
    let reading = began.elapsed();
    let made = store.read(|tx| batches::prepare(tx, &rules, &by, rows, now)).unwrap();
    assert!(made.refused.is_empty(), "{:?}", made.refused.first());
    let checked = began.elapsed();
    let source = BatchSource::File {
        message: "om_1".parse().unwrap(),
        key: "f".to_owned(),
        name: "x.csv".to_owned(),
        digest: sheet.digest,
    };
    let batch = store.write(|tx| batches::ask(tx, source, &by, None, now)).unwrap();
    for (at, rows) in made.rows.chunks(STORED_AT_ONCE).enumerate() {
        let first = u64::try_from(at * STORED_AT_ONCE).unwrap();
        store.write(|tx| tx.put_batch_rows(batch.id, first, rows)).unwrap();
    }
    let stored = began.elapsed();
    let state = BatchState::Checking { at: now, confirmed_by: None };
    let batch = Batch { state, plan: made.plan, ..batch };
    store.write(|tx| tx.put_batch(&batch)).unwrap();
    let applying = Instant::now();
    let (rows, looked) = store
        .read(|tx| {
            let rows = tx.batch_rows(batch.id, 0, usize::MAX)?;
            let looked = batches::look(tx, &rules, &batch, &rows, now)?;
            Ok::<_, StoreError>((rows, looked))
        })
        .unwrap();
    let looking = applying.elapsed();
    let deciding = Instant::now();
    let state = BatchState::Applying { at: now, confirmed_by: None };
    let batch = Batch { state, ..batch };
    store
        .write(|tx| {
            let decision = batches::settle(tx, &rules, &batch, &rows, &looked, now)?;
            assert_eq!(decision, Decision::Apply);
            tx.put_batch(&batch)
        })
        .unwrap();
    let decided = deciding.elapsed();
    let (policies, mut steps) = (LinkPolicies::default(), Vec::new());
    loop {
        let step = Instant::now();
        let more =
            store.write(|tx| batches::write_step(tx, &batch, &policies, |_| Ok(()))).unwrap();
        if !more {
            break;
        }
        steps.push(step.elapsed());
        std::thread::sleep(BREATH);
    }
    println!(
        "  read in {} ms, checked in {} ms, stored in {} ms",
        reading.as_millis(),
        (checked - reading).as_millis(),
        (stored - checked).as_millis()
    );
    println!(
        "  applied in {} ms: looked at in {} ms, decided in {} ms, written in {} steps",
        applying.elapsed().as_millis(),
        looking.as_millis(),
        decided.as_millis(),
        steps.len()
    );
    println!("  steps            {}", Times::of(steps));
}

/// How long clicks that write take while `f` runs.
fn beside(store: &Store, count: usize, f: impl FnOnce()) -> Times {
    let stop = Arc::new(AtomicBool::new(false));
    let clicker = {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            let now: Timestamp = NOW.parse().unwrap();
            let (mut times, mut n) = (Vec::new(), 0);
            while n == 0 || !stop.load(Ordering::Relaxed) {
                n += 1;
                let key = user(n * 37 % count);
                let (amount, operator) = (Money::from_fen(1), &Operator::System);
                let new = Allocation { user: &key, amount, note: "", operator };
                let started = Instant::now();
                // A user whose row is yet to be written is refused.
                let _ = store.write(|tx| quota::book(tx, &new, now));
                times.push(started.elapsed());
                std::thread::sleep(BREATH);
            }
            times
        })
    };
    f();
    stop.store(true, Ordering::Relaxed);
    Times::of(clicker.join().unwrap())
}

fn user(n: usize) -> UserKey {
    format!("main/u{n:06}").parse().unwrap()
}
