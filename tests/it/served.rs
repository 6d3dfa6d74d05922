//! The real binary as a child of the test: what it writes is kept, and it ends with its test.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::bed::until;

/// A running `airgate serve`.
pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts the service with this configuration, logging what `filter` lets through, and waits until it listens.
    pub async fn serve(config: &Path, filter: &str) -> Self {
        let mut child = airgate(config, &["serve"])
            .env("RUST_LOG", filter)
            .env("AIRGATE_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let process = Self { child, log };
        until("the service to listen", || process.find_address().is_some()).await;
        process
    }

    fn find_address(&self) -> Option<SocketAddr> {
        let log = self.log.lock();
        let line = log.lines().find(|line| line.contains("airgate serves"))?;
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["fields"]["address"].as_str()?.parse().ok()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.find_address().unwrap()
    }

    /// Everything that it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// The most memory that it had at any time, in MiB.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// How many files it has open, connections included.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// SIGTERM, then its end; what it logged.
    pub fn terminate(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.log()
    }
}

/// A command of this configuration, with nothing of the test's environment.
pub fn airgate(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airgate"));
    command.args(arguments).arg("--config").arg(config).env_clear();
    command.current_dir(config.parent().unwrap());
    command
}

/// Runs a command to its end with `input`; its exit code, and everything that it wrote.
pub fn run(mut command: Command, input: &str) -> (i32, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}
