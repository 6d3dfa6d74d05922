//! Writes log lines to standard error. A reader that stalls must not stop the service: lines go through a queue of
//! limited size, and lines that do not fit are dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Max size of the queue, in bytes: as much as the service logs in a busy minute.
const QUEUE_BYTES: usize = 256 * 1024;
/// How long the end of the process waits for the queue to empty.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A queue of lines, with a thread that writes them. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines dropped since the last one that was written.
    dropped: u64,
    is_writing: bool,
}

impl Queue {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self::default();
        let writer = queue.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(out))?;
        Ok(queue)
    }

    /// Adds a line, or counts it as dropped. Never waits for the reader.
    pub(super) fn add(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        if state.bytes.saturating_add(line.len()) > QUEUE_BYTES {
            state.dropped = state.dropped.saturating_add(1);
            drop(state);
            metrics::counter!("airgate_log_dropped_total").increment(1);
            return;
        }
        state.bytes = state.bytes.saturating_add(line.len());
        state.lines.push_back(line.to_vec());
        drop(state);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, for a limited time: a stalled reader must not keep the process from ending.
    pub(super) fn flush(&self) {
        let mut state = self.0.state.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        self.0.changed.wait_while_for(&mut state, is_busy, END_TIMEOUT);
    }

    fn run(&self, mut out: impl Write) {
        loop {
            let mut state = self.0.state.lock();
            self.0.changed.wait_while(&mut state, |state| state.lines.is_empty());
            let Some(line) = state.lines.pop_front() else { continue };
            state.bytes = state.bytes.saturating_sub(line.len());
            state.is_writing = true;
            drop(state);
            // An Err means that nobody reads any more.
            let _ = out.write_all(&line);
            let mut state = self.0.state.lock();
            state.is_writing = false;
            // There is room again: this line follows those that were kept.
            let dropped = std::mem::take(&mut state.dropped);
            drop(state);
            self.0.changed.notify_all();
            if dropped > 0 {
                tracing::warn!(dropped, "lines of the log were dropped: nobody read them in time");
            }
        }
    }
}

impl Write for Queue {
    /// A whole line: the subscriber formats one event at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Writes only what the test allows.
    struct Stalling {
        allowed: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Stalling {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.allowed.recv();
            let _ = self.written.send(line.to_vec());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_and_holds_nothing_up() {
        let ((allow, allowed), (written, lines)) = (channel(), channel());
        let queue = Queue::start(Stalling { allowed, written }).unwrap();
        let line = [b'x'; 1024];
        // One is being written, 256 wait, the others are dropped; none of this blocks.
        queue.add(&line);
        while queue.0.state.lock().bytes > 0 {
            std::thread::yield_now();
        }
        for _ in 0..300 {
            queue.add(&line);
        }
        assert_eq!(queue.0.state.lock().dropped, 44);
        let start = std::time::Instant::now();
        queue.flush();
        assert!(start.elapsed() >= END_TIMEOUT, "the end waits a moment, and then ends");
        for _ in 0..257 {
            allow.send(()).unwrap();
        }
        queue.flush();
        assert_eq!(lines.try_iter().count(), 257);
        assert_eq!(queue.0.state.lock().dropped, 0, "and told");
    }
}
