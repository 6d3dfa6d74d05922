//! The engine over rows in memory. Time is paused: it advances when every task is waiting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Due, InFlight, Owed, run};

/// How an attempt ends. If it succeeds, the row is removed; otherwise the row stays as it was.
#[derive(Clone, Copy)]
enum Ends {
    Well,
    Unnoted,
    InAPanic,
}

#[derive(Clone)]
struct Row {
    /// `group/key/number`.
    name: &'static str,
    due_at: Duration,
    /// How the first attempts end; later ones succeed.
    first: VecDeque<Ends>,
}

fn row(name: &'static str) -> Row {
    Row { name, due_at: Duration::ZERO, first: VecDeque::new() }
}

impl Row {
    fn ends(self, first: &[Ends]) -> Self {
        Self { first: first.iter().copied().collect(), ..self }
    }

    fn due_at(self, seconds: u64) -> Self {
        Self { due_at: secs(seconds), ..self }
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An attempt takes a second.
const TAKES: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_secs(60);

struct Rows {
    began: Instant,
    rows: Mutex<Vec<Row>>,
    /// What happened, and at which second.
    log: Mutex<Vec<(u64, String)>>,
    failing_reads: Mutex<u32>,
    /// How long a read takes after it has seen the rows.
    read_takes: Mutex<Duration>,
}

impl Owed for Rows {
    const WHAT: &'static str = "rows of a test";
    const PER_GROUP: usize = 2;
    const REST: Duration = Duration::from_secs(5);

    type Row = Row;
    type Key = &'static str;
    type Group = &'static str;
    type Error = &'static str;

    async fn due(&self) -> Result<Due<Row>, &'static str> {
        let rows = self.rows.lock().clone();
        let takes = *self.read_takes.lock();
        tokio::time::sleep(takes).await;
        {
            let mut failing = self.failing_reads.lock();
            if *failing > 0 {
                *failing -= 1;
                return Err("the store is broken");
            }
        }
        let now = self.began.elapsed();
        let (rows, later): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.due_at <= now);
        let next = later.iter().map(|row| row.due_at - now).min();
        Ok(Due { rows, poll_after: next.unwrap_or(POLL).min(POLL) })
    }

    fn key(row: &Row) -> &'static str {
        row.name.rsplit_once('/').unwrap().0
    }

    fn group(key: &&'static str) -> &'static str {
        key.split_once('/').unwrap().0
    }

    async fn attempt(&self, row: Row) -> Result<(), &'static str> {
        self.note(format!("start {}", row.name));
        tokio::time::sleep(TAKES).await;
        self.note(format!("end {}", row.name));
        let mut rows = self.rows.lock();
        let at = rows.iter().position(|other| other.name == row.name);
        let Some(at) = at else { return Ok(()) };
        match rows[at].first.pop_front().unwrap_or(Ends::Well) {
            Ends::Well => {
                rows.remove(at);
                Ok(())
            }
            Ends::Unnoted => Err("the disk is full"),
            Ends::InAPanic => {
                drop(rows);
                panic!("on purpose")
            }
        }
    }
}

impl Rows {
    fn note(&self, what: String) {
        self.log.lock().push((self.began.elapsed().as_secs(), what));
    }

    /// The names of the rows that were started, and at which second.
    fn starts(&self) -> Vec<(u64, String)> {
        let log = self.log.lock();
        let starts = log.iter().filter_map(|(at, what)| {
            what.strip_prefix("start ").map(|name| (*at, name.to_owned()))
        });
        starts.collect()
    }
}

/// A running loop over rows.
struct Bench {
    rows: Arc<Rows>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Bench {
    fn over(rows: Vec<Row>) -> Self {
        Self::sharing(rows, InFlight::default())
    }

    fn sharing(rows: Vec<Row>, in_flight: InFlight<&'static str>) -> Self {
        Self::set_up(rows, in_flight, 0)
    }

    fn set_up(rows: Vec<Row>, in_flight: InFlight<&'static str>, failing_reads: u32) -> Self {
        let rows = Arc::new(Rows {
            began: Instant::now(),
            rows: Mutex::new(rows),
            log: Mutex::default(),
            failing_reads: Mutex::new(failing_reads),
            read_takes: Mutex::default(),
        });
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let running =
            tokio::spawn(run(Arc::clone(&rows), Arc::clone(&wake), in_flight, stop.clone()));
        Self { rows, wake, stop, running }
    }

    /// Lets time pass up to this second after the start.
    async fn until(&self, seconds: u64) {
        tokio::time::sleep_until(self.rows.began + secs(seconds)).await;
    }

    fn enqueue(&self, row: Row) {
        self.rows.rows.lock().push(row);
        self.wake.notify_one();
    }

    async fn assert_starts(&self, expected: &[(u64, &str)]) {
        self.until(50).await;
        let expected: Vec<(u64, String)> =
            expected.iter().map(|(at, name)| (*at, (*name).to_owned())).collect();
        assert_eq!(self.rows.starts(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_key_run_one_by_one_and_keys_run_concurrently() {
    let bench = Bench::over(vec![row("g/a/1"), row("g/a/2"), row("h/b/1"), row("g/a/3")]);
    bench.assert_starts(&[(0, "g/a/1"), (0, "h/b/1"), (1, "g/a/2"), (2, "g/a/3")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_group_waits_and_leaves_room_for_others() {
    let rows = ["g/a/1", "g/b/1", "g/c/1", "g/d/1", "h/e/1"].map(row).to_vec();
    let bench = Bench::over(rows);
    let expected = [(0, "g/a/1"), (0, "g/b/1"), (0, "h/e/1"), (1, "g/c/1"), (1, "g/d/1")];
    bench.assert_starts(&expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_rests_its_key_and_stops_nothing_else() {
    let rows = vec![row("g/a/1").ends(&[Ends::InAPanic]), row("g/a/2"), row("g/b/1"), row("g/b/2")];
    let bench = Bench::over(rows);
    let expected = [(0, "g/a/1"), (0, "g/b/1"), (1, "g/b/2"), (6, "g/a/1"), (7, "g/a/2")];
    bench.assert_starts(&expected).await;
    assert!(!bench.running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_recorded_nothing_rests_each_time() {
    let bench = Bench::over(vec![row("g/a/1").ends(&[Ends::Unnoted, Ends::Unnoted])]);
    // Wake-ups do not shorten a rest.
    for second in [2, 3, 8] {
        bench.until(second).await;
        bench.wake.notify_one();
    }
    bench.assert_starts(&[(0, "g/a/1"), (6, "g/a/1"), (12, "g/a/1")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_starts_new_rows_and_the_poll_finds_the_others() {
    let bench = Bench::over(Vec::new());
    bench.until(3).await;
    bench.enqueue(row("g/a/1"));
    bench.until(10).await;
    bench.rows.rows.lock().push(row("g/a/2"));
    bench.until(100).await;
    // The end of the first attempt, at 4 s, was the last time the rows were read.
    let expected = [(3, "g/a/1".to_owned()), (64, "g/a/2".to_owned())];
    assert_eq!(bench.rows.starts(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_row_starts_when_it_is_due() {
    let bench = Bench::over(vec![row("g/a/1").due_at(7), row("g/b/1").due_at(3)]);
    bench.until(5).await;
    bench.wake.notify_one();
    bench.assert_starts(&[(3, "g/b/1"), (7, "g/a/1")]).await;
}

#[tokio::test(start_paused = true)]
async fn wake_ups_start_nothing_twice() {
    let bench = Bench::over(vec![row("g/a/1")]);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bench.wake.notify_one();
    }
    bench.assert_starts(&[(0, "g/a/1")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_done_while_the_rows_are_read_is_not_started_again() {
    let bench = Bench::over(vec![row("g/a/1")]);
    tokio::time::sleep(TAKES / 2).await;
    // This read still sees the row, and comes back after its attempt has ended.
    *bench.rows.read_takes.lock() = TAKES;
    bench.wake.notify_one();
    bench.assert_starts(&[(0, "g/a/1")]).await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_read_are_read_again_after_a_rest() {
    let bench = Bench::set_up(vec![row("g/a/1")], InFlight::default(), 2);
    bench.assert_starts(&[(10, "g/a/1")]).await;
}

#[tokio::test(start_paused = true)]
async fn loops_that_share_a_set_never_work_on_the_same_key_at_once() {
    let shared = InFlight::default();
    let one = Bench::sharing(vec![row("g/a/1"), row("g/b/1")], shared.clone());
    tokio::task::yield_now().await;
    let other = Bench::sharing(vec![row("g/a/2"), row("g/c/1"), row("g/d/1")], shared.clone());
    one.until(2).await;
    // The first loop's attempts did not count against the second one's limit.
    let started: Vec<String> = other.rows.starts().into_iter().map(|(_, name)| name).collect();
    assert_eq!(started, ["g/c/1", "g/d/1", "g/a/2"]);
    assert_eq!(other.rows.starts()[2].0, 1, "after the first loop's attempt on the same key");
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_attempts_end_and_starts_no_more() {
    let bench = Bench::over(vec![row("g/a/1"), row("g/a/2"), row("g/b/1").due_at(1)]);
    tokio::time::sleep(TAKES / 2).await;
    bench.stop.cancel();
    bench.running.await.unwrap();
    let log = bench.rows.log.lock().clone();
    assert_eq!(log, [(0, "start g/a/1".to_owned()), (1, "end g/a/1".to_owned())]);
    assert_eq!(bench.rows.began.elapsed(), TAKES);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_rest() {
    let bench = Bench::over(vec![row("g/a/1").ends(&[Ends::Unnoted])]);
    bench.until(2).await;
    bench.stop.cancel();
    bench.running.await.unwrap();
    assert_eq!(bench.rows.began.elapsed(), secs(2));
    assert_eq!(bench.rows.rows.lock().len(), 1, "it is still owed");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_loop_aborts_its_attempts() {
    let bench = Bench::over(vec![row("g/a/1")]);
    tokio::time::sleep(TAKES / 2).await;
    bench.running.abort();
    bench.until(5).await;
    assert_eq!(bench.rows.log.lock().clone(), [(0, "start g/a/1".to_owned())]);
}
