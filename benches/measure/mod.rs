//! What the benches measure with: percentiles of times, this machine's fsync, this process's memory.

#![allow(dead_code, reason = "each bench uses its part")]

use std::path::Path;
use std::time::{Duration, Instant};

/// The cost of one write and fsync of a page on this machine: the lower bound of every commit.
pub fn fsyncs(folder: &Path) -> Vec<Duration> {
    let mut file = std::fs::File::create(folder.join("fsync")).unwrap();
    (0..200)
        .map(|_| {
            let started = Instant::now();
            std::io::Write::write_all(&mut file, &[7; 4096]).unwrap();
            file.sync_data().unwrap();
            started.elapsed()
        })
        .collect()
}

pub struct Times(Vec<Duration>);

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest time that `percent` of all times do not exceed.
    pub fn at(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank - 1]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, percent) in [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)] {
            let micros = self.at(percent).as_micros();
            write!(f, "{name} {:>3}.{:02} ms  ", micros / 1000, micros % 1000 / 10)?;
        }
        Ok(())
    }
}

/// The resident memory of a process, now and at most; `self` is the bench itself.
pub fn memory_of(process: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let lines =
        status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}
