//! The fault matrix: every remote call, with everything that can go wrong with it.
//!
//! Each table has a row per call and a column per fault ([`FAULTS`]); its cell says what a person sees while the fault
//! lasts. Whatever the cell, three things hold and are looked at in each: the store keeps what it had (no half reading is
//! counted, nobody is cut by mistake, nothing owed is dropped), chat answers from the store within [`CHAT`], and once the
//! fault is over everything completes, nothing lost and nothing doubled. A cell that breaks is named `call, fault`.

mod access;
mod creating;
mod line;
mod messages;
mod reading;

use std::time::Duration;

use airgate::sandbox::{feishu, volcengine};
use airgate::server::Timeouts;
use airgate::volcengine::RetryPolicy;
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::Instant;

use crate::bed::{Bed, VIEWER, until};

/// Chat answers from the store so fast, whatever goes on outside (contract §8). A machine under load may be late once;
/// what waits for a remote call is late every time, and for longer than this.
const CHAT: Duration = Duration::from_secs(1);
/// The longest remote call: longer than [`CHAT`], or a chat that waits for one would go unnoticed.
const CALL: Duration = Duration::from_millis(1200);
const _: () = assert!(CALL.as_millis() > CHAT.as_millis());
/// Longer than any patience, here and in service.
const HANGS: Duration = Duration::from_secs(30);
/// Within patience.
const LATE: Duration = Duration::from_millis(300);
/// Past every pause between two tries, and past the minute after which a change of access is late.
const PAUSES: SignedDuration = SignedDuration::from_secs(61);

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens.
    Refused,
    /// No answer ever; the call is not carried out.
    Timeout,
    /// The call is carried out, and the connection ends in the middle of the answer.
    Reset,
    /// HTTP 429, not saying for how long.
    Throttled,
    /// HTTP 429 with `Retry-After`, or with the gateway's own header.
    ThrottledFor,
    /// HTTP 500 with a page.
    Server,
    /// The call is carried out; a complete answer comes whose JSON ends halfway.
    HalfJson,
    /// The call is carried out; JSON comes that is not this call's.
    OtherShape,
    /// HTTP 200 with a page, as a proxy's.
    Html,
    /// HTTP 403 with a page, as a proxy's that lets nothing through.
    Blocked,
    /// The key pair, token or signature is refused.
    Credentials,
    /// The call is carried out; the answer takes 30 s.
    Hangs,
    /// The right answer, late but in time.
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
    /// As the stand-in for the cloud makes it.
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

    /// As the stand-in for Feishu makes it, at this endpoint.
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

    /// What cards say of it where it befell a call to the cloud.
    fn said_of_cloud(self) -> &'static str {
        match self {
            Refused => "连不上火山引擎",
            Timeout | Hangs => "火山引擎没有在限时内应答",
            Reset | HalfJson => "火山引擎的应答中途断开",
            Throttled | ThrottledFor => "火山引擎限流",
            Server => "火山引擎服务暂时出错",
            OtherShape | Html | Blocked => "火山引擎的应答无法识别",
            Credentials => "访问密钥被拒绝；请在火山引擎控制台确认它有效",
            Late => "",
        }
    }
}

/// Short calls, one retry of those to the cloud.
fn patience() -> Timeouts {
    Timeouts {
        feishu: CALL,
        upload: CALL,
        cloud: CALL,
        cloud_retry: RetryPolicy { retries: 1, ..RetryPolicy::quick() },
    }
}

/// Text for people in Chinese: no words of this program's, of its libraries' or of Rust's, and no secret.
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

/// Does what has to be fast; a second time where a loaded machine was late.
async fn within_a_second<T>(cell: &str, mut act: impl AsyncFnMut() -> T) -> T {
    let started = Instant::now();
    let done = act().await;
    let first = started.elapsed();
    if first < CHAT {
        return done;
    }
    let started = Instant::now();
    let done = act().await;
    let second = started.elapsed();
    assert!(second < CHAT, "{cell}: chat took {first:?} and {second:?}");
    done
}

/// Asks for the users, as somebody in another chat; what the card says. For faults of the cloud.
async fn chat_answers(bed: &Bed, cell: &str) -> String {
    let card = within_a_second(cell, async || bed.ask(VIEWER, "/users").await).await;
    crate::bed::text_of(&card)
}

/// A click that needs nothing of Feishu but to show the answer. For faults of Feishu's own API.
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

/// Waits until nothing is owed; pauses between tries are not waited for.
async fn settled(bed: &Bed, cell: &str) {
    until(&format!("{cell}: everything completes"), || {
        bed.clock.advance(SignedDuration::from_secs(1));
        bed.service().wakers().outbox.notify_one();
        bed.service().wakers().access.notify_one();
        let owed = bed.store.read(|tx| {
            let messages = tx.owed_count()?;
            Ok::<_, airgate::store::StoreError>(
                messages + tx.all_access_pending()?.len() + tx.tasks()?.len(),
            )
        });
        owed.unwrap() == 0
    })
    .await;
}

/// The fault is over, on both sides.
async fn heal(bed: &Bed) {
    bed.feishu.faults().clear();
    bed.cloud.faults().clear();
    bed.feishu.open().await;
    bed.cloud.open().await;
}
