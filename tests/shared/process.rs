//! The binary as a child process: started, read, signalled, killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::wait::TIMEOUT;

/// `airgate` with these arguments and an empty environment.
pub fn airgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airgate"));
    command.args(arguments).env_clear();
    command
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Output {
    /// Standard output and standard error.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Checks that the command failed with this code, nothing on standard output, and one line on standard error that
    /// holds `words`.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &str) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.contains(words), "{}", self.err);
    }

    /// Checks that the command succeeded without a word on standard error. Returns standard output.
    #[track_caller]
    pub fn good(&self) -> &str {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        &self.out
    }
}

/// Runs a command to its end with `input` on standard input.
pub fn run(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Fails if the command ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running process. Dropping it kills it.
///
/// Its methods block their thread. Tests that run stand-ins in the same process need the multi-threaded runtime anyway.
pub struct Process {
    child: Child,
    written: Arc<Written>,
}

/// Everything that the process has written to either stream.
#[derive(Default)]
struct Written {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    /// Streams that the process, or a child of it, still has open.
    open: usize,
}

/// How a process ended after a signal.
#[derive(Debug)]
pub struct Stopped {
    pub status: ExitStatus,
    /// From the signal to the end.
    pub took: Duration,
    /// Everything that it wrote.
    pub log: String,
}

impl Process {
    /// Starts a command with nothing on standard input; both output streams are kept as one log.
    pub fn start(command: Command) -> Self {
        Self::start_with(command, "")
    }

    /// Starts a command with `input` on standard input; both output streams are kept as one log.
    pub fn start_with(mut command: Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // Fails if the command ended without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let written = Arc::new(Written::default());
        written.state.lock().open = 2;
        keep(child.stdout.take().unwrap(), &written);
        keep(child.stderr.take().unwrap(), &written);
        Self { child, written }
    }

    /// Everything that it has written so far.
    pub fn log(&self) -> String {
        self.written.state.lock().text.clone()
    }

    /// Waits for a line for which `wanted` returns something; `None` if the process ends without one.
    pub fn find_line<T>(&self, mut wanted: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + TIMEOUT;
        let mut read = 0;
        let mut state = self.written.state.lock();
        loop {
            while let Some(length) = state.text[read..].find('\n') {
                if let Some(found) = wanted(&state.text[read..read + length]) {
                    return Some(found);
                }
                read += length + 1;
            }
            if state.open == 0 {
                return None;
            }
            let late = self.written.changed.wait_until(&mut state, deadline).timed_out();
            assert!(!late, "no such line within {TIMEOUT:?}:\n{}", state.text);
        }
    }

    /// Waits until the service listens, and returns its address.
    pub fn listening(&self) -> SocketAddr {
        self.find_line(address_in)
            .unwrap_or_else(|| panic!("the service ended before it listened:\n{}", self.log()))
    }

    /// The address of the service, if it listens already.
    pub fn address(&self) -> Option<SocketAddr> {
        self.written.state.lock().text.lines().find_map(address_in)
    }

    /// SIGKILL. Returns everything that the process wrote.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.wait_for_end();
        self.log()
    }

    /// Waits until it ends by itself. Returns its exit code, and everything that it wrote.
    pub fn wait(mut self) -> (Option<i32>, String) {
        self.wait_for_end();
        let status = self.child.wait().unwrap();
        (status.code(), self.log())
    }

    /// SIGTERM, as a service manager sends it.
    pub fn terminate(self) -> Stopped {
        self.stop_with("-TERM")
    }

    /// SIGINT, as Ctrl-C sends it.
    pub fn interrupt(self) -> Stopped {
        self.stop_with("-INT")
    }

    fn stop_with(mut self, signal: &str) -> Stopped {
        let start = Instant::now();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.wait_for_end();
        let status = self.child.wait().unwrap();
        Stopped { status, took: start.elapsed(), log: self.log() }
    }

    /// Waits until the process has closed its output, as it does by ending.
    fn wait_for_end(&self) {
        let end = self.find_line(|_| None::<()>);
        assert!(end.is_none());
    }

    /// Memory in KiB: `VmRSS` for the current figure, `VmHWM` for the peak.
    pub fn memory(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many files it has open, connections included.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Collects the lines of a stream until it ends.
fn keep(stream: impl Read + Send + 'static, written: &Arc<Written>) {
    let written = Arc::clone(written);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut state = written.state.lock();
            state.text.push_str(&line);
            state.text.push('\n');
            written.changed.notify_all();
        }
        written.state.lock().open -= 1;
        written.changed.notify_all();
    });
}

/// The address in the line that a listening service logs as JSON.
pub fn address_in(line: &str) -> Option<SocketAddr> {
    if !line.contains("airgate serves") {
        return None;
    }
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["fields"]["address"].as_str()?.parse().ok()
}
