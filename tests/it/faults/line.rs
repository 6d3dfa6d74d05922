//! The long connection: where to connect to is asked first, and every fault of that question is outlived.

use airgate::sandbox::feishu::{FaultRule, Sender};
use futures::future::join_all;
use tokio::time::Instant;

use super::{FAULTS, Fault, cell, heal, patience, settled};
use crate::bed::{ADMIN, Bed, PATIENCE, one_account, text_of};

const ENDPOINT: &str = "connection.endpoint";

/// What is seen while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// `/readyz` says that the line is down. Nobody is answered; what is written is answered when it is back.
    Down,
    /// The line comes back.
    Back,
}

const D: Sees = Sees::Down;
const I: Sees = Sees::Back;

#[rustfmt::skip]
static TABLE: [Sees; 13] =
    // refused, timeout, reset, 429, 429+, 500, half, shape, page, 403 page, credentials, hangs, late
    [D, D, D, D, D, D, D, D, D, D, D, D, I];

async fn readyz_becomes(bed: &Bed, wanted: u16, cell: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, text) = bed.get("/readyz").await;
        if status == wanted {
            return text;
        }
        assert!(Instant::now() < until, "{cell}: {status} {text}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn outage(fault: Fault) {
    let cell = format!("{ENDPOINT}, {fault:?}");
    let sees = self::cell(&TABLE, fault);
    let bed = Bed::with_patience(one_account(), &[("FEISHU__MODE", "websocket")], patience()).await;
    readyz_becomes(&bed, 200, &cell).await;
    // The bot knows this chat from now on.
    bed.ask(ADMIN, "/help").await;
    let before = bed.feishu.connections().overview();
    if fault == Fault::Refused {
        bed.feishu.shut().await;
    } else {
        bed.feishu.faults().inject(FaultRule::new(fault.of_chat(ENDPOINT)).on(ENDPOINT));
    }
    bed.feishu.connections().drop_all();
    if sees == Sees::Down {
        let reason = readyz_becomes(&bed, 503, &cell).await;
        assert!(reason.contains("connection"), "{cell}: {reason}");
        // It is asked, and asked again.
        if fault != Fault::Refused {
            let asked =
                |now: &airgate::sandbox::feishu::connection::Overview| now.opened > before.opened;
            let early = std::time::Duration::from_millis(1500);
            let opened = bed.feishu.connections().wait_for(asked, early).await;
            assert!(opened.is_none(), "{cell}: {opened:?}");
        }
        assert_eq!(bed.get("/readyz").await.0, 503, "{cell}");
        assert_eq!(bed.get("/healthz").await.0, 200, "{cell}");
    }
    let direct = bed.feishu.direct_chat(ADMIN);
    let said = bed.feishu.say(ADMIN, &direct, "/users", false).await;
    if sees == Sees::Down {
        assert_eq!(said.status, None, "{cell}: told over a line that is down");
    }

    heal(&bed).await;
    readyz_becomes(&bed, 200, &cell).await;
    let reply = bed.reply_to(&said).await.unwrap_or_else(|| panic!("{cell}: not answered"));
    assert!(text_of(&reply).contains("用户"), "{cell}");
    bed.feishu.redeliver_pending().await;
    settled(&bed, &cell).await;
    let replies = bed.feishu.read(|state| {
        let messages = state.all_messages().iter().filter(|m| m.sender == Sender::Bot);
        messages.filter(|m| m.reply_to == said.message_id).count()
    });
    assert_eq!(replies, 1, "{cell}");
    let overview = bed.feishu.connections().overview();
    assert_eq!(overview.violations, Vec::<String>::new(), "{cell}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_finding_the_line() {
    join_all(FAULTS.map(outage)).await;
}
