//! The storm: the process is killed again and again, at random moments and in the middle of calls, while clients continue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use airgate::sandbox::{feishu, volcengine};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;

use crate::shared::process::Process;
use crate::stage::{Stage, count, counted, seed, setting};
use crate::{checks, parts};

/// Kills in a plain `cargo test`.
const KILLS: u64 = 240;
/// How many of [`CLOUD_CALLS`] belong to cuts and restores.
const OF_ACCESS: usize = 21;
/// Kills between two checks of the store while clients are working.
const CHECK_EVERY: u64 = 40;
/// Calls to the cloud during which the process is killed: those of a cut and of a restore first.
const CLOUD_CALLS: [&str; 27] = [
    "ListAccessKeys",
    "UpdateAccessKey",
    "GetLoginProfile",
    "UpdateLoginProfile",
    "GetPolicy",
    "ListAttachedUserPolicies",
    "AttachUserPolicy",
    "DetachUserPolicy",
    "iam:ListApiKeys",
    "iam:UpdateApiKey",
    "ListEndpoints",
    "StopEndpoint",
    "StartEndpoint",
    "ark:ListApiKeys",
    "ark:UpdateApiKey",
    "InnerDescribeModelEndpoints",
    "InnerDescribeModelEndpointDetail",
    "InnerUpdateModelEndpoint",
    "ListBatchInferenceJobs",
    "StopBatchInferenceJob",
    "ResumeBatchInferenceJob",
    "ListSplitBillDetail",
    "AttachPolicyInProject",
    "DetachPolicyInProject",
    "CreateUser",
    "CreateLoginProfile",
    "CreateAccessKey",
];
/// Calls to Feishu during which it is killed.
const CHAT_CALLS: [&str; 6] = ["send", "reply", "patch", "hook", "file", "token"];
/// How long a kill waits for its call, which may never come.
const CALL_TIMEOUT: Duration = Duration::from_millis(500);

/// What a storm kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Starts, calls and deliveries of all kinds.
    Anywhere,
    /// Cuts and restores, in each of their calls.
    Access,
}

pub struct Killer {
    stage: Arc<Stage>,
    rng: StdRng,
    aim: Aim,
    /// How long the last start took.
    start: Duration,
}

impl Killer {
    pub fn new(stage: &Arc<Stage>, aim: Aim) -> Self {
        let rng = StdRng::seed_from_u64(stage.seed);
        Self { stage: Arc::clone(stage), rng, aim, start: Duration::from_millis(50) }
    }

    /// Starts the process and kills it.
    pub async fn strike(&mut self) {
        if self.aim == Aim::Anywhere && self.rng.random_ratio(1, 6) {
            return self.at_start().await;
        }
        let begun = Instant::now();
        let process = self.stage.serve().await;
        self.start = begun.elapsed();
        match self.rng.random_range(0..3) {
            _ if self.aim == Aim::Access => self.in_cloud_call(process).await,
            0 => {
                let life = self.rng.random_range(0..450);
                tokio::time::sleep(Duration::from_millis(life)).await;
                self.stage.kill(process);
            }
            1 => self.in_cloud_call(process).await,
            _ => self.in_delivery(process).await,
        }
    }

    /// Kills the process before it listens, if the timing is right.
    async fn at_start(&mut self) {
        let process = self.stage.home.start("info");
        let life = self.rng.random_range(0..=self.start.as_micros()) as u64;
        tokio::time::sleep(Duration::from_micros(life)).await;
        if process.address().is_none() {
            count(&self.stage.tally.at_start);
        }
        self.stage.kill(process);
    }

    /// Kills the process during a call to the cloud, which is carried out or not.
    async fn in_cloud_call(&mut self, process: Process) {
        use volcengine::{Fault, FaultRule};
        let among = match self.aim {
            Aim::Anywhere => CLOUD_CALLS.len(),
            Aim::Access => OF_ACCESS,
        };
        let chosen = self.rng.random_range(0..among);
        let action = CLOUD_CALLS[chosen];
        let fault = match self.rng.random_ratio(1, 2) {
            true => Fault::Slow(Duration::from_secs(600)),
            false => Fault::Timeout,
        };
        let faults = self.stage.cloud.faults();
        let skip = self.rng.random_range(0..3);
        faults.inject(FaultRule::new(fault).on(action).after(skip).times(1));
        if comes(|| faults.pending() == 0).await {
            count(&self.stage.tally.in_cloud_call);
            if chosen < OF_ACCESS {
                count(&self.stage.tally.in_access_call);
            }
        }
        self.stage.kill(process);
        self.stage.cloud.faults().clear();
    }

    /// Kills the process during a call to Feishu, which is carried out or not.
    async fn in_delivery(&mut self, process: Process) {
        use feishu::{Fault, FaultRule};
        let endpoint = CHAT_CALLS[self.rng.random_range(0..CHAT_CALLS.len())];
        let rule = FaultRule::new(Fault::Timeout).on(endpoint).times(1);
        let applied = self.rng.random_ratio(1, 2);
        let faults = self.stage.feishu.faults();
        faults.inject(rule.after(self.rng.random_range(0..3)).applied(applied));
        if comes(|| faults.pending() == 0).await {
            count(&self.stage.tally.in_delivery);
        }
        self.stage.kill(process);
        faults.clear();
    }
}

/// Waits for a call. Returns whether it came.
async fn comes(came: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < CALL_TIMEOUT {
        if came() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    came()
}

/// Waits until clients have finished and nothing is owed, then stops the process.
pub async fn settle(stage: &Arc<Stage>, process: Process, parts: Vec<JoinHandle<()>>) {
    stage.finish();
    for part in parts {
        part.await.unwrap();
    }
    let start = Instant::now();
    let mut process = process;
    loop {
        // The process has the store open while it runs, so it is stopped for each check.
        tokio::time::sleep(Duration::from_millis(700)).await;
        stage.stop(process).await;
        let owed = stage.in_store(checks::owed);
        if owed == 0 {
            return;
        }
        if start.elapsed() > stage.timeout {
            stage.give_up(&format!("{owed} items are still owed"));
        }
        process = stage.serve().await;
    }
}

/// Whether a client has failed already.
pub fn failed(parts: &[JoinHandle<()>]) -> bool {
    parts.iter().any(JoinHandle::is_finished)
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_kills_lose_nothing_and_do_nothing_twice() {
    storm("webhook", setting("AIRGATE_KILLS", KILLS), Aim::Anywhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_when_events_arrive_over_the_long_connection() {
    storm("websocket", setting("AIRGATE_KILLS", KILLS) / 4, Aim::Anywhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_killed_between_any_two_calls_completes_and_restores_exactly() {
    storm("webhook", setting("AIRGATE_KILLS", KILLS), Aim::Access).await;
}

async fn storm(mode: &'static str, kills: u64, aim: Aim) {
    let seed = seed();
    eprintln!("AIRGATE_SEED={seed}");
    let stage = Stage::start(seed, Duration::from_secs(120), mode).await;
    let start = Instant::now();
    let parts = match aim {
        Aim::Anywhere => parts::begin(&stage),
        Aim::Access => parts::begin_with_access_only(&stage),
    };
    let mut killer = Killer::new(&stage, aim);
    for n in 1..=kills {
        killer.strike().await;
        if failed(&parts) {
            break;
        }
        if n % CHECK_EVERY == 0 {
            checks::midway(&stage);
        }
    }
    let process = stage.serve().await;
    let stormed = start.elapsed();
    settle(&stage, process, parts).await;
    checks::everything(&stage);
    let violations = stage.feishu.connections().overview().violations;
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    let complaints = stage.complaints.lock().clone();
    assert!(complaints.is_empty(), "seed {seed}: {complaints:#?}");
    let tally = &stage.tally;
    let (allocations, changes) = {
        let books = stage.books.lock();
        (books.ledger.len(), books.access.values().map(Vec::len).sum::<usize>())
    };
    eprintln!(
        "{mode}, {aim:?}: {} kills in {} s ({} before it listened, {} in a call to the cloud, of which {} in one of a cut or a restore, \
         {} in a delivery), {} s to settle; {} callbacks sent, {} acknowledged, {} of them repeated; {} allocations; {} changes \
         of access; lost 0, duplicated 0",
        counted(&tally.kills),
        stormed.as_secs(),
        counted(&tally.at_start),
        counted(&tally.in_cloud_call),
        counted(&tally.in_access_call),
        counted(&tally.in_delivery),
        start.elapsed().saturating_sub(stormed).as_secs(),
        counted(&tally.requests),
        counted(&tally.acknowledged),
        counted(&tally.repeated),
        allocations,
        changes,
    );
}
