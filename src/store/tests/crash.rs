//! Crashes on a disk that keeps everything that was synced, and an arbitrary part of the rest.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::StorageBackend;

use super::*;
use crate::domain::{AlertBody, Dispatch, Problem};
use crate::store::NewMessage;

/// A change to the disk's image.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
}

#[derive(Debug, Default)]
struct Image {
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

impl Image {
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write(offset, data) => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(data);
            }
            Change::Length(length) => bytes.resize(*length, 0),
            Change::Sync => {}
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.bytes, &change);
        self.changes.push(change);
    }
}

/// Remembers every change, in order.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Image>>);

impl Disk {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Image { bytes, changes: Vec::new() })))
    }

    fn changes(&self) -> usize {
        self.0.lock().changes.len()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let image = self.0.lock();
        let found = image.bytes.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().change(Change::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.lock().change(Change::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().change(Change::Write(usize::try_from(offset).unwrap(), data.to_vec()));
        Ok(())
    }
}

const TRANSACTIONS: u64 = 12;

/// The n-th transaction touches several tables, as a request does.
fn transaction(store: &Store, n: u64) {
    let alice = user("main/alice");
    store
        .write(|tx| {
            assert!(tx.claim(&[format!("e:{n}"), format!("m:{n}")], now())?);
            let body = AlertBody::Error { problem: Problem::CyclesRecovered { accounts: vec![] } };
            let alert = tx.add_alert(Some(&alice), body, now())?;
            let card = "x".repeat(usize::try_from(n).unwrap() * 900);
            let dispatch = Dispatch::ToChat { chat: "oc_1".parse().unwrap(), card };
            let message = NewMessage::new("chat:oc_1", dispatch, now()).for_alert(Some(alert.id));
            tx.owe(message, now())?;
            allocate(tx, &alice, Money::from_fen(100), "", now())?;
            Ok::<_, Error>(())
        })
        .unwrap();
}

/// How many transactions are in the store, after checking that each is complete.
fn whole_transactions(store: &Store) -> u64 {
    let alice = user("main/alice");
    store
        .read(|tx| {
            let (entries, count) = tx.ledger(&alice, usize::MAX)?;
            let quota = Money::from_fen(i64::try_from(count).unwrap() * 100);
            assert_eq!(entries.len() as u64, count);
            assert_eq!(tx.user(&alice)?.unwrap().quota, quota);
            assert_eq!(tx.owed_count()? as u64, count);
            assert_eq!(tx.alerts(Some(&alice), None, 0, 1)?.1 as u64, count);
            for n in 1..=TRANSACTIONS {
                let seen = tx.is_seen(&[format!("e:{n}"), format!("m:{n}")], now())?;
                assert_eq!(seen, n <= count, "event {n} of {count}");
            }
            Ok::<_, StoreError>(count)
        })
        .unwrap()
}

/// The disk after a crash that follows the first `crash` changes: everything up to the last sync, and those of the later
/// writes that `keeps` selects.
fn after_crash(
    start: &[u8],
    changes: &[Change],
    crash: usize,
    keeps: impl Fn(usize) -> bool,
) -> Disk {
    let done = &changes[..crash];
    let synced =
        done.iter().rposition(|change| matches!(change, Change::Sync)).map_or(0, |n| n + 1);
    let mut bytes = start.to_vec();
    for (n, change) in done.iter().enumerate() {
        if n < synced || keeps(n) {
            Image::apply(&mut bytes, change);
        }
    }
    Disk::of(bytes)
}

#[test]
fn after_a_crash_every_committed_transaction_is_there_and_none_is_half_applied() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), &KEY).unwrap();
    add_user(&store, "main/alice");
    let (start, from) = {
        let mut image = disk.0.lock();
        image.changes.clear();
        (image.bytes.clone(), 0)
    };
    let mut committed = vec![from];
    for n in 1..=TRANSACTIONS {
        transaction(&store, n);
        committed.push(disk.changes());
    }
    let changes = disk.0.lock().changes.clone();
    assert!(changes.len() > 50, "{} changes are too few to prove anything", changes.len());
    for crash in 0..=changes.len() {
        let promised = committed.iter().rposition(|end| *end <= crash).unwrap() as u64;
        for (name, keeps) in [
            ("none", (|_| false) as fn(usize) -> bool),
            ("all", |_| true),
            ("every other", |n| n.is_multiple_of(2)),
            ("the rest", |n| !n.is_multiple_of(2)),
            ("some", |n| n.wrapping_mul(2_654_435_761) % 7 < 3),
        ] {
            let disk = after_crash(&start, &changes, crash, keeps);
            let store = Store::with_backend(disk, &KEY)
                .unwrap_or_else(|error| panic!("crash after {crash}, {name} kept: {error}"));
            let found = whole_transactions(&store);
            assert!(
                (promised..=promised + 1).contains(&found),
                "crash after {crash}, {name} kept: {found} transactions of {promised} are there"
            );
        }
    }
}

#[test]
fn a_store_keeps_working_after_a_crash() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), &KEY).unwrap();
    add_user(&store, "main/alice");
    (1..=3).for_each(|n| transaction(&store, n));
    // The store is not closed: everything that the process had in memory is lost.
    let bytes = disk.0.lock().bytes.clone();
    let store = Store::with_backend(Disk::of(bytes), &KEY).unwrap();
    (4..=6).for_each(|n| transaction(&store, n));
    assert_eq!(whole_transactions(&store), 6);
}

#[test]
fn an_interrupted_creation_of_the_store_starts_over() {
    let disk = Disk::default();
    Store::with_backend(disk.clone(), &KEY).unwrap();
    let changes = disk.0.lock().changes.clone();
    let folder = tempfile::tempdir().unwrap();
    for crash in 0..=changes.len() {
        for (name, kept) in [("none", false), ("all", true)] {
            let path = folder.path().join(format!("{crash}-{name}.redb"));
            let left = after_crash(&[], &changes, crash, |_| kept);
            std::fs::write(&path, &left.0.lock().bytes).unwrap();
            let store = Store::open(&path, &KEY)
                .unwrap_or_else(|error| panic!("crash after {crash}, {name} kept: {error}"));
            add_user(&store, "main/alice");
            transaction(&store, 1);
            assert_eq!(whole_transactions(&store), 1);
            drop(store);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
