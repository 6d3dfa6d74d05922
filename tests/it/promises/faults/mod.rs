//! The fault matrix: every remote call, with everything that can go wrong with it.
//!
//! Each table has a row per call and a column per fault ([`FAULTS`]); a cell says what a person sees while the fault lasts.
//! In every cell three things are checked: the store keeps what it had (no partial reading is counted, nobody is cut by
//! mistake, nothing owed is dropped), chat answers from the store within [`CHAT_LIMIT`], and once the fault is over
//! everything completes, with nothing lost and nothing duplicated. A failing cell is named `call, fault`.

mod access;
mod after_cut;
mod connection;
mod create;
mod messages;
mod reading;

use std::time::Duration;

use airgate::sandbox::{feishu, volcengine};
use airgate::server::Timeouts;
use airgate::volcengine::RetryPolicy;
use futures::StreamExt as _;
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::Instant;

use crate::bed::{Bed, VIEWER, eventually, phrase, text_of};

/// How fast chat answers from the store, whatever the platforms do (docs/behaviour.md §8). A busy machine may be late once;
/// an answer that waits for a remote call is late every time.
const CHAT_LIMIT: Duration = Duration::from_secs(1);
/// The timeout of remote calls: longer than [`CHAT_LIMIT`], or an answer that waits for one would go unnoticed.
const CALL_TIMEOUT: Duration = Duration::from_millis(1200);
const _: () = assert!(CALL_TIMEOUT.as_millis() > CHAT_LIMIT.as_millis());
/// Longer than any timeout, here and in production.
const HANGS: Duration = Duration::from_secs(30);
/// Within every timeout.
const LATE: Duration = Duration::from_millis(300);
/// Longer than any back-off here, and than the minute after which a change of access is late.
const BACKOFF: SignedDuration = SignedDuration::from_secs(61);

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens.
    Refused,
    /// No answer at all; the call is not carried out.
    Timeout,
    /// The call is carried out; the connection breaks in the middle of the answer.
    Reset,
    /// HTTP 429 without a retry delay.
    Throttled,
    /// HTTP 429 with `Retry-After`, or with the gateway's own header.
    ThrottledFor,
    /// HTTP 500 with an HTML page.
    Server,
    /// The call is carried out; the answer is complete, but its JSON ends halfway.
    HalfJson,
    /// The call is carried out; the answer is JSON with an unexpected shape.
    OtherShape,
    /// HTTP 200 with an HTML page, as from a proxy.
    Html,
    /// HTTP 403 with an HTML page, as from a proxy that blocks the call.
    Blocked,
    /// The key pair, token or signature is refused.
    Credentials,
    /// The call is carried out; the answer takes 30 s.
    Hangs,
    /// The right answer, late but within the timeout.
    Late,
}

use Fault::*;

/// The columns of every table.
static FAULTS: [Fault; 13] = [
    Refused,
    Timeout,
    Reset,
    Throttled,
    ThrottledFor,
    Server,
    HalfJson,
    OtherShape,
    Html,
    Blocked,
    Credentials,
    Hangs,
    Late,
];

/// The cell of a row that belongs to a fault.
fn cell<T: Copy>(row: &[T; 13], fault: Fault) -> T {
    row[FAULTS.iter().position(|other| *other == fault).unwrap()]
}

impl Fault {
    /// The fault of the stand-in for the cloud.
    fn of_cloud(self) -> volcengine::Fault {
        use volcengine::Fault as F;
        match self {
            Refused => F::Shut,
            Timeout => F::Timeout,
            Reset => F::CutBody,
            Throttled => F::Throttled { retry_after: None },
            ThrottledFor => F::Throttled { retry_after: Some(1) },
            Server => F::Status(500),
            HalfJson => F::CutJson,
            OtherShape => F::WrongJson,
            Html => F::NotJson,
            Blocked => F::Status(403),
            Credentials => F::CredentialsRefused,
            Hangs => F::Slow(HANGS),
            Late => F::Slow(LATE),
        }
    }

    /// The fault of the stand-in for Feishu at this endpoint.
    fn of_chat(self, endpoint: &str) -> feishu::Fault {
        use feishu::Fault as F;
        let refused = |http, code, msg: &str| F::Code { http, code, msg: msg.to_owned() };
        match self {
            Refused => F::Shut,
            Timeout => F::Timeout,
            Reset => F::CutBody,
            Throttled => F::Status(429),
            ThrottledFor => F::RateLimited { reset_seconds: 0.5 },
            Server => F::Status(500),
            HalfJson => F::CutJson,
            OtherShape => F::WrongJson,
            Html => F::NotJson,
            Blocked => F::Status(403),
            Credentials => match endpoint {
                "token" => refused(200, 10014, "app secret invalid"),
                "hook" => {
                    refused(200, 19021, "sign match fail or timestamp is not within one hour")
                }
                "connection.endpoint" => refused(200, 514, "auth failed"),
                _ => refused(400, 99_991_663, "Invalid access token for authorization"),
            },
            Hangs => F::Slow(HANGS),
            Late => F::Slow(LATE),
        }
    }

    /// What cards say about it when it hits a call to the cloud.
    fn said_of_cloud(self) -> String {
        match self {
            Refused => phrase("trouble.unreachable"),
            Timeout | Hangs => phrase("trouble.no_answer"),
            Reset | HalfJson => phrase("trouble.broken"),
            Throttled | ThrottledFor => phrase("trouble.throttled"),
            Server => phrase("trouble.server"),
            OtherShape | Html | Blocked => phrase("trouble.unexpected"),
            Credentials => phrase("trouble.credentials"),
            Late => String::new(),
        }
    }
}

/// Short timeouts, and one retry of calls to the cloud.
fn timeouts() -> Timeouts {
    Timeouts {
        feishu: CALL_TIMEOUT,
        upload: CALL_TIMEOUT,
        cloud: CALL_TIMEOUT,
        cloud_retry: RetryPolicy { retries: 1, ..RetryPolicy::quick() },
        ..Timeouts::default()
    }
}

/// Checks that a card holds no English of this program, its libraries or Rust, and no secret.
fn is_for_people(text: &str, cell: &str) {
    for foreign in [
        "error sending",
        "operation timed out",
        "the cloud",
        "the answer",
        "not the API's",
        "expected",
        "tcp connect",
        "message_",
        "Error {",
        "main-secret",
        "test-app-secret",
        "hook-secret",
    ] {
        assert!(!text.contains(foreign), "{cell}: {foreign:?} in {text}");
    }
}

/// How many beds of a matrix run at the same time: each is a whole service, and time is what the cells measure.
const BEDS_AT_ONCE: usize = 6;

/// Runs the beds of a matrix, which share nothing, some at a time.
async fn all_of<F: Future<Output = ()>>(beds: impl IntoIterator<Item = F>) {
    futures::stream::iter(beds).buffer_unordered(BEDS_AT_ONCE).collect::<()>().await;
}

/// How often something that must be fast is tried. What waits for a remote is late every time; a busy machine is not.
const TRIES: usize = 5;

/// Does something that must be fast.
async fn within_a_second<T>(cell: &str, mut act: impl AsyncFnMut() -> T) -> T {
    let mut took = Vec::new();
    while took.len() < TRIES {
        let started = Instant::now();
        let done = act().await;
        if started.elapsed() < CHAT_LIMIT {
            return done;
        }
        took.push(started.elapsed());
    }
    panic!("{cell}: chat took {took:?}");
}

/// Asks for the users in another chat and returns the card's text. For faults of the cloud.
async fn chat_answers(bed: &Bed, cell: &str) -> String {
    let card = within_a_second(cell, async || bed.ask(VIEWER, "/users").await).await;
    text_of(&card)
}

/// Clicks, which needs no call to Feishu's API. For faults of that API.
async fn a_click_is_answered(bed: &Bed, card: &str, cell: &str) {
    let value = json!({"action": "users.list", "page": 1, "filter": "all", "query": ""});
    let clicked = within_a_second(cell, async || {
        bed.feishu.click_raw(VIEWER, card, button(value.clone())).await
    })
    .await;
    assert_eq!((clicked.status, clicked.error.as_deref()), (Some(200), None), "{cell}");
    assert!(clicked.card_updated, "{cell}: {clicked:?}");
}

fn button(value: serde_json::Value) -> feishu::ClickAction {
    feishu::ClickAction {
        tag: "button".to_owned(),
        value: Some(value),
        ..feishu::ClickAction::default()
    }
}

/// Waits until nothing is owed. Advances the clock, so that back-off takes no time.
async fn settled(bed: &Bed, cell: &str) {
    eventually(&format!("{cell}: everything completes"), || {
        bed.clock.advance(SignedDuration::from_secs(1));
        bed.service().wakers().outbox.notify_one();
        bed.service().wakers().access.notify_one();
        bed.owed() == 0
    })
    .await;
}

/// Ends the fault, on both platforms.
async fn heal(bed: &Bed) {
    bed.feishu.faults().clear();
    bed.cloud.faults().clear();
    bed.feishu.open().await;
    bed.cloud.open().await;
}
