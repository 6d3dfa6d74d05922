//! Transactions that share a flush: what was acknowledged is durable, and nobody sees what is not.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use redb::StorageBackend;

use super::*;

/// A disk that keeps what was synced apart from what was only written.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    synced: Vec<u8>,
    syncs: usize,
    refuses_to_sync: bool,
}

impl Disk {
    /// What is left after a crash: only what was synced.
    fn after_crash(&self) -> Self {
        let synced = self.0.lock().synced.clone();
        Self(Arc::new(Mutex::new(State { written: synced.clone(), synced, ..State::default() })))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let state = self.0.lock();
        let found = state.written.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().written.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.refuses_to_sync {
            return Err(io::Error::other("the disk is gone"));
        }
        state.syncs += 1;
        state.synced = state.written.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let mut state = self.0.lock();
        let end = start + data.len();
        if state.written.len() < end {
            state.written.resize(end, 0);
        }
        state.written[start..end].copy_from_slice(data);
        Ok(())
    }
}

fn people(store: &Store) -> Vec<String> {
    seen(store, |tx| {
        let rows: Vec<String> = tx.users()?.iter().map(|user| user.key.to_string()).collect();
        let known: Vec<String> = tx.directory().iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(rows, known);
        Ok(rows)
    })
}

/// A transaction on a thread of its own, in the middle of which the test decides how it ends.
struct Held {
    go_on: Sender<Ending>,
    begun: Receiver<()>,
    ended: JoinHandle<Result<(), StoreError>>,
}

enum Ending {
    Commit,
    RollBack,
    Panic,
}

impl Held {
    fn start(store: &Store, name: &str) -> Self {
        let (store, key) = (store.clone(), format!("main/{name}"));
        let ((go_on, wait), (begin, begun)) = (channel(), channel());
        let ended = std::thread::spawn(move || {
            store.write(|tx| {
                begin.send(()).unwrap();
                let ending = wait.recv().unwrap();
                tx.put_user(&User::new(user(&key), now()))?;
                match ending {
                    Ending::Commit => Ok(()),
                    Ending::RollBack => Err(StoreError::Aborted),
                    Ending::Panic => panic!("as the test wants"),
                }
            })
        });
        Self { go_on, begun, ended }
    }

    /// Lets it end. Returns whether its caller was told that it succeeded; `None` after a panic.
    fn end(self, ending: Ending) -> Option<bool> {
        self.go_on.send(ending).unwrap();
        self.ended.join().ok().map(|result| result.is_ok())
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// A transaction that is committed but not flushed, because another one, which is returned as well, runs after it.
fn unflushed(store: &Store) -> (Held, Held) {
    let first = Held::start(store, "first");
    first.begun.recv().unwrap();
    let second = Held::start(store, "second");
    wait_until(|| store.commits.waiting() == 1);
    first.go_on.send(Ending::Commit).unwrap();
    second.begun.recv().unwrap();
    (first, second)
}

#[test]
fn transactions_that_wait_for_their_turn_share_a_flush() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), &KEY).unwrap();
    let before = disk.0.lock().syncs;
    add_user(&store, "main/alone");
    let alone = disk.0.lock().syncs - before;

    let first = Held::start(&store, "first");
    first.begun.recv().unwrap();
    let others: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                add_user(&store, &format!("main/u{n}"));
            })
        })
        .collect();
    wait_until(|| store.commits.waiting() == 20);
    let before = disk.0.lock().syncs;
    assert_eq!(first.end(Ending::Commit), Some(true));
    others.into_iter().for_each(|other| other.join().unwrap());
    let syncs = disk.0.lock().syncs - before;
    assert!(syncs <= 2 * alone, "21 transactions, and {syncs} syncs; a single one needs {alone}");
    let store = Store::with_backend(disk.after_crash(), &KEY).unwrap();
    assert_eq!(people(&store).len(), 22);
}

#[test]
fn what_is_not_flushed_is_neither_acknowledged_nor_seen() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), &KEY).unwrap();
    let (first, second) = unflushed(&store);
    assert_eq!(store.commits(), 1, "the first one is committed");
    assert!(people(&store).is_empty() && !first.ended.is_finished());
    let crashed = Store::with_backend(disk.after_crash(), &KEY).unwrap();
    assert!(people(&crashed).is_empty());
    assert_eq!(second.end(Ending::Commit), Some(true));
    first.ended.join().unwrap().unwrap();
    assert_eq!(people(&store), ["main/first", "main/second"]);
    let crashed = Store::with_backend(disk.after_crash(), &KEY).unwrap();
    assert_eq!(people(&crashed), ["main/first", "main/second"]);
}

#[test]
fn a_transaction_that_fails_leaves_nobody_before_it_unflushed() {
    for (ending, told) in [(Ending::RollBack, Some(false)), (Ending::Panic, None)] {
        let disk = Disk::default();
        let store = Store::with_backend(disk.clone(), &KEY).unwrap();
        let (first, second) = unflushed(&store);
        assert_eq!(second.end(ending), told);
        first.ended.join().unwrap().unwrap();
        assert_eq!(people(&store), ["main/first"]);
        add_user(&store, "main/third");
        let crashed = Store::with_backend(disk.after_crash(), &KEY).unwrap();
        assert_eq!(people(&crashed), ["main/first", "main/third"]);
    }
}

#[test]
fn a_flush_that_fails_acknowledges_none() {
    for ending in [Ending::Commit, Ending::RollBack] {
        let disk = Disk::default();
        let store = Store::with_backend(disk.clone(), &KEY).unwrap();
        let (first, second) = unflushed(&store);
        disk.0.lock().refuses_to_sync = true;
        assert_eq!(second.end(ending), Some(false));
        let first = first.ended.join().unwrap();
        assert!(matches!(first, Err(StoreError::NotFlushed)), "{first:?}");
        assert!(store.commits.broken.is_cancelled());
        assert!(people(&store).is_empty(), "readers still see the durable state");
        assert!(store.write(|tx| tx.put_user(&User::new(user("main/x"), now()))).is_err());
    }
}

#[test]
fn whatever_was_acknowledged_under_load_is_there_after_a_crash() {
    let disk = Disk::default();
    let store = Store::with_backend(disk.clone(), &KEY).unwrap();
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let (store, disk) = (store.clone(), disk.clone());
            std::thread::spawn(move || {
                for n in 0..15 {
                    let key = format!("main/u{writer}-{n}");
                    add_user(&store, &key);
                    let crashed = Store::with_backend(disk.after_crash(), &KEY).unwrap();
                    assert!(people(&crashed).contains(&key), "{key} was acknowledged");
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(people(&store).len(), 90);
}
