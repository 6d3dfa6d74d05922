//! Shows on a terminal what is in progress if it takes longer than a second.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Below this, show nothing; afterwards, redraw at this interval.
const REDRAW: Duration = Duration::from_secs(1);

/// Shows its text on standard error, from a second after its creation until it is dropped. Does nothing without a terminal.
pub(super) struct Progress {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(super) fn start(text: &str) -> Self {
        let running = std::io::stderr()
            .is_terminal()
            .then(|| Self::onto(std::io::stderr(), text.to_owned(), REDRAW));
        Self { running }
    }

    fn onto(
        mut screen: impl Write + Send + 'static,
        text: String,
        redraw: Duration,
    ) -> (Sender<()>, JoinHandle<()>) {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut rounds: u32 = 0;
            while stopped.recv_timeout(redraw) == Err(RecvTimeoutError::Timeout) {
                rounds += 1;
                let _ = write!(screen, "\r{text} … {rounds} s\u{1b}[K");
                let _ = screen.flush();
            }
            if rounds > 0 {
                let _ = write!(screen, "\r\u{1b}[K");
                let _ = screen.flush();
            }
        });
        (stop, thread)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // It only writes to the screen.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Screen(Arc<parking_lot::Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_long_operation_is_shown_and_its_line_cleared() {
        let screen = Screen::default();
        let shown = Progress::onto(screen.clone(), "reading".into(), Duration::from_millis(1));
        while screen.0.lock().is_empty() {
            std::thread::yield_now();
        }
        drop(Progress { running: Some(shown) });
        let text = String::from_utf8(screen.0.lock().clone()).unwrap();
        assert!(text.starts_with("\rreading … 1 s") && text.ends_with("\r\u{1b}[K"), "{text:?}");
    }

    #[test]
    fn a_quick_operation_is_not_shown() {
        let screen = Screen::default();
        let shown = Progress::onto(screen.clone(), "reading".into(), Duration::from_secs(3600));
        drop(Progress { running: Some(shown) });
        assert!(screen.0.lock().is_empty());
    }
}
