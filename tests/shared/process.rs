//! The real binary as a child process: started, looked at, killed, told to stop.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A process that was told to stop has ended by then, unless something is broken.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// A running `airgate serve`. It does not outlive this.
pub struct Process {
    pub child: Child,
    pub log: Arc<Mutex<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary with these arguments, and nothing of the environment that would change what it does.
pub fn airgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airgate"));
    command.args(arguments).env("AIRGATE_LOG_FORMAT", "json").env_remove("AIRGATE_CONFIG");
    command
}

impl Process {
    /// Starts the service; it may not listen yet.
    pub fn start(config: &Path, log: &str) -> Self {
        let mut child = airgate(&["serve", "--config", config.to_str().unwrap()])
            .env("RUST_LOG", log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let kept = Arc::new(Mutex::new(String::new()));
        let (stderr, keep) = (child.stderr.take().unwrap(), Arc::clone(&kept));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut keep = keep.lock();
                keep.push_str(&line);
                keep.push('\n');
            }
        });
        Self { child, log: kept }
    }

    /// Where it listens, once it does.
    pub fn address(&self) -> Option<SocketAddr> {
        let log = self.log.lock();
        let line = log.lines().find(|line| line.contains("airgate serves"))?;
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["fields"]["address"].as_str()?.parse().ok()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended after how long.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < STOPS_WITHIN, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
