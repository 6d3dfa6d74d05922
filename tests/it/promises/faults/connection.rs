//! The long connection: the service asks for its address first, and survives every fault of that call.

use std::time::Duration;

use airgate::sandbox::feishu::FaultRule;
use airgate::sandbox::feishu::connection::Overview;

use super::{FAULTS, Fault, all_of, cell, heal, settled, timeouts};
use crate::bed::{ADMIN, Bed, one_account, phrase, text_of};

const ENDPOINT: &str = "connection.endpoint";

/// What is seen while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// `/readyz` says that the connection is down. Messages are answered when it is back.
    Down,
    /// The connection comes back.
    Back,
}

const D: Sees = Sees::Down;
const I: Sees = Sees::Back;

#[rustfmt::skip]
static TABLE: [Sees; 13] =
    // refused, timeout, reset, 429, 429+, 500, half, shape, page, 403 page, credentials, hangs, late
    [D, D, D, D, D, D, D, D, D, D, D, D, I];

async fn outage(fault: Fault) {
    let cell = format!("{ENDPOINT}, {fault:?}");
    let sees = self::cell(&TABLE, fault);
    let bed = Bed::with_timeouts(one_account(), &[("FEISHU__MODE", "websocket")], timeouts()).await;
    bed.readyz_becomes(200).await;
    // From now on the bot knows this chat.
    bed.ask(ADMIN, "/help").await;
    let before = bed.feishu.connections().overview();
    if fault == Fault::Refused {
        bed.feishu.shut().await;
    } else {
        bed.feishu.faults().inject(FaultRule::new(fault.of_chat(ENDPOINT)).on(ENDPOINT));
    }
    bed.feishu.connections().drop_all();
    if sees == Sees::Down {
        let reason = bed.readyz_becomes(503).await;
        assert!(reason.contains("connection"), "{cell}: {reason}");
        // The service keeps asking, and does not connect.
        if fault != Fault::Refused {
            let is_new = |now: &Overview| now.opened > before.opened;
            let early = Duration::from_millis(1500);
            let opened = bed.feishu.connections().wait_for(is_new, early).await;
            assert!(opened.is_none(), "{cell}: {opened:?}");
        }
        assert_eq!(bed.get("/readyz").await.0, 503, "{cell}");
        assert_eq!(bed.get("/healthz").await.0, 200, "{cell}");
    }
    let direct = bed.feishu.direct_chat(ADMIN);
    let said = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    if sees == Sees::Down {
        assert_eq!(said.status, None, "{cell}: delivered while the connection is down");
    }

    heal(&bed).await;
    bed.readyz_becomes(200).await;
    let reply = bed.reply_to(&said).await.unwrap_or_else(|| panic!("{cell}: not answered"));
    assert!(text_of(&reply).contains(&phrase("users.title")), "{cell}");
    bed.feishu.redeliver_pending().await;
    settled(&bed, &cell).await;
    assert_eq!(bed.replies_to(said.message_id.as_deref().unwrap()), 1, "{cell}");
    let overview = bed.feishu.connections().overview();
    assert_eq!(overview.violations, Vec::<String>::new(), "{cell}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_discovery_survives_every_fault() {
    all_of(FAULTS.map(outage)).await;
}
