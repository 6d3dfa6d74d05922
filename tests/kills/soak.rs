//! The soak: mixed load, faults of both platforms, kills and orderly restarts; then one long run with faults only, in which
//! memory is watched. `cargo test --release -- --ignored soak`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use airgate::sandbox::{feishu, volcengine};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::stage::{Stage, counted, seed, setting};
use crate::storm::{failed, settle};
use crate::{checks, parts};

/// The default length.
const SECONDS: u64 = 240;
/// docs/behaviour.md §8, in KiB.
const MOST_MEMORY: u64 = 300 * 1024;
/// Growth in KiB from the middle to the end of a run beyond which memory leaks. Caches still fill.
const MOST_GROWTH: u64 = 48 * 1024;

/// Faults of both platforms, one after the other.
struct Faults {
    stage: Arc<Stage>,
    rng: StdRng,
    injected: usize,
}

impl Faults {
    fn inject(&mut self) {
        if self.rng.random_ratio(1, 2) {
            let (fault, on) = self.of_the_cloud();
            let rule = volcengine::FaultRule::new(fault).times(1);
            let rule = match on {
                Some(action) => rule.on(action),
                None => rule,
            };
            self.stage.cloud.faults().inject(rule);
        } else {
            let rule = feishu::FaultRule::new(self.of_feishu()).times(1);
            let endpoints = ["send", "reply", "patch", "hook", "file", "token"];
            let endpoint = endpoints[self.rng.random_range(0..endpoints.len())];
            self.stage.feishu.faults().inject(rule.on(endpoint));
        }
        self.injected += 1;
    }

    fn of_the_cloud(&mut self) -> (volcengine::Fault, Option<&'static str>) {
        use volcengine::Fault;
        let throttled = || Fault::Code {
            http: 429,
            code: "AccountFlowLimitExceeded".to_owned(),
            message: "Request was rejected because the request speed is too fast".to_owned(),
        };
        match self.rng.random_range(0..20) {
            0 => (Fault::Timeout, None),
            1 | 2 => (Fault::CredentialsRefused, Some("ListSplitBillDetail")),
            3..6 => (Fault::Status(500), None),
            6..8 => (Fault::Status(503), None),
            8..10 => (throttled(), None),
            10..12 => (Fault::CutBody, None),
            12 => (Fault::WrongJson, None),
            13 => (Fault::NotJson, None),
            14..16 => (Fault::Slow(Duration::from_millis(700)), None),
            16..18 => (Fault::ResetConnection, None),
            _ => (Fault::LostAnswer, None),
        }
    }

    fn of_feishu(&mut self) -> feishu::Fault {
        use feishu::Fault;
        match self.rng.random_range(0..16) {
            0 => Fault::Timeout,
            1..4 => Fault::Status(500),
            4 | 5 => Fault::Status(502),
            6 | 7 => Fault::RateLimited { reset_seconds: 0.4 },
            8 | 9 => Fault::CutBody,
            10..13 => Fault::ResetConnection,
            13 => Fault::NotJson,
            _ => Fault::Slow(Duration::from_millis(700)),
        }
    }

    /// Removes the faults that have not taken effect yet.
    fn end(&mut self) {
        let (cloud, chat) = (self.stage.cloud.faults(), self.stage.feishu.faults());
        let waiting = cloud.pending() + chat.pending();
        cloud.clear();
        chat.clear();
        let used = std::mem::take(&mut self.injected).saturating_sub(waiting);
        self.stage.tally.faults.fetch_add(used, std::sync::atomic::Ordering::Relaxed);
    }

    /// Injects faults every 50 to 250 ms for this long.
    async fn run(&mut self, length: Duration) {
        let start = Instant::now();
        while start.elapsed() < length {
            self.inject();
            let pause = self.rng.random_range(50..250);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.end();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: AIRGATE_SOAK_SECONDS sets the length, 240 by default"]
async fn load_faults_and_restarts_lose_nothing_double_nothing_and_leak_nothing() {
    let (seed, seconds) = (seed(), setting("AIRGATE_SOAK_SECONDS", SECONDS));
    eprintln!("AIRGATE_SEED={seed}");
    // The back-off grows to 5 min.
    let stage = Stage::start(seed, Duration::from_secs(900), "webhook").await;
    let rng = StdRng::seed_from_u64(seed);
    let mut faults = Faults { stage: Arc::clone(&stage), rng, injected: 0 };
    let start = Instant::now();
    let parts = parts::begin(&stage);
    // Short runs.
    while start.elapsed().as_secs() < seconds / 2 && !failed(&parts) {
        let process = stage.serve().await;
        let life = faults.rng.random_range(200..4_000);
        faults.run(Duration::from_millis(life)).await;
        match faults.rng.random_ratio(3, 5) {
            true => stage.kill(process),
            false => stage.stop(process).await,
        }
    }
    // A long run.
    let process = stage.serve().await;
    let mut seen = vec![process.memory("VmRSS")];
    let part = Duration::from_secs(seconds / 2) / 8;
    for _ in 0..8 {
        if !failed(&parts) {
            faults.run(part).await;
            seen.push(process.memory("VmRSS"));
        }
    }
    let load = counted(&stage.tally.acknowledged);
    let under_load = start.elapsed();
    settle(&stage, process, parts).await;
    checks::everything(&stage);
    let complaints = stage.complaints.lock().clone();
    assert!(complaints.is_empty(), "seed {seed}: {complaints:#?}");
    let (first, middle, last) = (seen[0], seen[seen.len() / 2], seen[seen.len() - 1]);
    let most = seen.iter().max().unwrap();
    let tally = &stage.tally;
    eprintln!(
        "load: {load} callbacks acknowledged in {} s ({} a minute), {} repeated, {} allocations\n\
         survived: {} faults, {} kills, {} orderly restarts\n\
         lost: 0, doubled: 0\n\
         memory in KiB: {first} at the start of the last run, {last} at its end, {most} at most ({seen:?})",
        under_load.as_secs(),
        load as u64 * 60 / under_load.as_secs().max(1),
        counted(&tally.repeated),
        stage.books.lock().ledger.len(),
        counted(&tally.faults),
        counted(&tally.kills),
        counted(&tally.stops),
    );
    assert!(*most < MOST_MEMORY, "{most} KiB");
    assert!(last.saturating_sub(middle) < MOST_GROWTH, "memory grows: {seen:?}");
}
