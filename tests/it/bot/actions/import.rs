//! CSV files dropped into the direct chat: previewed, then applied, all or nothing, once.

use airgate::sandbox::feishu::{Fault, FaultRule, Message, SentEvent};
use serde_json::json;

use super::{bed, small_cloud};
use crate::bed::{
    ADMIN, ADMIN_2, Bed, GROUP, STRANGER, VIEWER, answered, fragment, phrase, text, text_of,
    toast_of, user_key,
};

const QUOTA: &str = "account,username,amount,note\nmain,alice,100,Q4\nmain,bob,\"1,000.00\",\n";

async fn dropped(bed: &Bed, person: &str, name: &str, bytes: impl Into<Vec<u8>>) -> SentEvent {
    let chat = bed.feishu.direct_chat(person);
    let sent = bed.feishu.say_file(person, &chat, name, bytes.into()).await;
    assert_eq!(sent.status, Some(200));
    sent
}

/// Drops a file and waits for its preview, or for why there is none.
async fn preview(bed: &Bed, bytes: impl Into<Vec<u8>>) -> Message {
    let sent = dropped(bed, ADMIN, "额度.csv", bytes).await;
    let card = bed.reply_to(&sent).await.unwrap().message_id;
    bed.no_longer_shows(&card, &phrase("batch.preparing")).await;
    bed.settled().await;
    bed.message(&card)
}

async fn applied(bed: &Bed, person: &str, card: &str) -> String {
    toast_of(&bed.press(person, card, json!({"action": "import.apply"})).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_previewed_applied_once_and_refused_for_a_day() {
    let mut bed = bed().await;
    bed.allocate("main/alice", "50");
    let card = preview(&bed, QUOTA).await;
    let read = text_of(&card);
    let total = text("batch.total", &[("amount", &"¥1,100.00")]);
    for shown in ["额度.csv", "main/alice", "¥50.00 → ¥150.00", "¥0.00 → ¥1,000.00", &total]
    {
        assert!(read.contains(shown), "{shown}: {read}");
    }
    assert_eq!(bed.quota("main/bob"), "¥0.00");
    let button =
        bed.feishu.find_button(&card.message_id, |it| it["action"] == "import.apply").unwrap();
    // Only who sent it.
    let other = answered(bed.feishu.click_raw(ADMIN_2, &card.message_id, button.clone()).await);
    assert_eq!(toast_of(&other), format!("error: {}", phrase("batch.not_theirs")));
    let taps = (0..10).map(|_| bed.feishu.click_raw(ADMIN, &card.message_id, button.clone()));
    let results = futures::future::join_all(taps).await;
    let applying = format!("info: {}", phrase("toast.batch_applying"));
    assert!(results.iter().all(|result| toast_of(result) == applying), "{results:?}");
    bed.restart().await;
    bed.settled().await;
    assert_eq!(
        (bed.quota("main/alice"), bed.quota("main/bob")),
        ("¥150.00".into(), "¥1,000.00".into())
    );
    assert_eq!((bed.ledger_entries("main/alice"), bed.ledger_entries("main/bob")), (2, 1));
    // The same content again, in another encoding and under another name.
    let (gbk, _, _) = encoding_rs::GBK.encode(QUOTA);
    for bytes in [QUOTA.as_bytes().to_vec(), gbk.into_owned(), QUOTA.replace('\n', "\r\n").into()] {
        let again = text_of(&preview(&bed, bytes).await);
        assert!(again.contains(&fragment("sheet.applied_before")), "{again}");
    }
    bed.at("2026-11-24T02:30:00Z");
    let next_day = text_of(&preview(&bed, QUOTA).await);
    assert!(next_day.contains(&phrase("batch.word_preview")), "{next_day}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_previews_of_the_same_file_are_applied_once() {
    let bed = bed().await;
    let (one, two) = (preview(&bed, QUOTA).await, preview(&bed, QUOTA).await);
    applied(&bed, ADMIN, &one.message_id).await;
    bed.settled().await;
    applied(&bed, ADMIN, &two.message_id).await;
    bed.settled().await;
    assert_eq!(bed.ledger_entries("main/alice"), 1);
    let read = bed.texts(&two.message_id);
    assert!(read.contains(&fragment("sheet.applied_before")), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_row_refuses_the_file_with_the_reasons_by_line() {
    let bed = bed().await;
    let rows =
        "account,username,amount\nmain,alice,100\nmain,nobody,5\nmain,bob,-5\nmain,bob,=1+1\n";
    let read = text_of(&preview(&bed, rows).await);
    for (line, reason) in [
        (3, fragment("refusal.no_such_user")),
        (4, fragment("refusal.below_zero")),
        (5, "=1+1".to_owned()),
    ] {
        assert!(read.contains(&text("batch.line", &[("line", &line)])), "{line}: {read}");
        assert!(reason == "=1+1" || read.contains(&reason), "{reason}: {read}");
    }
    assert!(read.contains(&phrase("batch.unusable")), "{read}");
    assert_eq!(bed.ledger_entries("main/alice"), 0);
    // No more than 20 reasons are listed, the rest is counted.
    let rows: String = (0..50).map(|at| format!("main,nobody-{at},5\n")).collect();
    let read = text_of(&preview(&bed, format!("account,username,amount\n{rows}")).await);
    assert!(read.contains(&text("batch.more_reasons", &[("count", &30)])), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_owners_and_limits_are_imported() {
    let bed = bed().await;
    let mobile = bed.feishu.read(|state| {
        state.people().find(|person| person.open_id == VIEWER).unwrap().mobile.clone()
    });
    for (file, what) in [
        (
            "account,username,project,since,counts\nmain,alice,team-a,2026-10,part\nmain,bob,team-a,2026-10,平分\n"
                .to_owned(),
            "team-a",
        ),
        (format!("account,username,owner\nmain,alice,{VIEWER}\nmain,bob,{mobile}\n"), "main/bob"),
        ("account,username,month_limit\nmain,alice,500\nmain,bob,无\n".to_owned(), "¥500.00"),
    ] {
        let card = preview(&bed, file.clone()).await;
        assert!(text_of(&card).contains(what), "{file}: {}", text_of(&card));
        applied(&bed, ADMIN, &card.message_id).await;
        bed.settled().await;
        let read = bed.texts(&card.message_id);
        assert!(read.contains(&phrase("batch.word_applied")), "{file}: {read}");
    }
    for user in ["main/alice", "main/bob"] {
        assert_eq!(bed.user(user).owner.unwrap().as_str(), VIEWER);
    }
    assert_eq!(bed.user("main/alice").month_limit.unwrap().amount().to_string(), "¥500.00");
    bed.cycle().await;
    assert_eq!(
        (bed.consumed("main/alice"), bed.consumed("main/bob")),
        ("¥17.50".into(), "¥17.50".into())
    );
    // Nobody has that number.
    let read = text_of(&preview(&bed, "account,username,owner\nmain,alice,13911112222\n").await);
    assert!(read.contains(&text("sheet.nobody", &[("mobile", &"13911112222")])), "{read}");
}

/// What `/export` sends into the direct chat.
async fn exported(bed: &Bed, table: &str) -> Vec<u8> {
    let command = format!("/export {table}");
    bed.ask(ADMIN, &command).await;
    bed.settled().await;
    let chat = bed.feishu.direct_chat(ADMIN);
    let mut files = bed.by_the_bot(&chat).into_iter().filter(|message| message.kind == "file");
    let key = files.next_back().unwrap().json()["file_key"].as_str().unwrap().to_owned();
    bed.feishu.file(&key).unwrap().bytes.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_links_owners_and_limits_bring_back_what_they_were_made_of() {
    let bed = bed().await;
    for (user, project, counts) in
        [("bob", "team-a", "part"), ("alice", "team-a", "whole"), ("bob", "team-b", "whole")]
    {
        let file = format!(
            "account,username,project,since,counts\nmain,{user},{project},2026-10,{counts}\n"
        );
        let read = preview(&bed, file).await;
        applied(&bed, ADMIN, &read.message_id).await;
        bed.settled().await;
    }
    bed.change("main/alice", |user| user.owner = Some(VIEWER.parse().unwrap()));
    let limits = preview(&bed, "account,username,month_limit\nmain,bob,1234.50\n").await;
    applied(&bed, ADMIN, &limits.message_id).await;
    bed.settled().await;
    let users = ["main/alice", "main/bob"];
    let look = || {
        let links = |user: &str| {
            let links = bed.store.read(|tx| tx.links_of(&user_key(user))).unwrap();
            let said = links
                .iter()
                .map(|link| format!("{} {} {:?}", link.project, link.since, link.counts));
            said.collect::<Vec<_>>()
        };
        users.map(|user| (links(user), bed.user(user).owner, bed.user(user).month_limit))
    };
    let before = look();
    let mut files = Vec::new();
    for table in ["links", "owners", "limits"] {
        files.push((table, exported(&bed, table).await));
    }

    // A row is added to a list of links: those that are there are left alone.
    let links = String::from_utf8(files[0].1.clone()).unwrap();
    let read = preview(&bed, format!("{links}main,alice,team-c,2026-11,whole\r\n")).await;
    assert!(text_of(&read).contains("team-c") && !text_of(&read).contains("team-b"), "{read:?}");

    // Nothing but those: there is nothing to do.
    let read = text_of(&preview(&bed, links).await);
    assert!(read.contains(&phrase("batch.nothing_to_change")), "{read}");

    // All of it is lost, and comes back.
    for user in users {
        for link in bed.store.read(|tx| tx.links_of(&user_key(user))).unwrap() {
            let card = bed.ask(ADMIN, &format!("/projects {user}")).await.message_id;
            let wanted = json!({"action": "project.remove", "project": link.project.as_str()});
            bed.press(ADMIN, &card, wanted).await;
            bed.settled().await;
        }
        bed.change(user, |user| {
            user.owner = None;
            user.month_limit = None;
        });
    }
    assert_ne!(look(), before);
    for (table, file) in files {
        let read = preview(&bed, file).await;
        applied(&bed, ADMIN, &read.message_id).await;
        bed.settled().await;
        let text = bed.texts(&read.message_id);
        assert!(text.contains(&phrase("batch.word_applied")), "{table}: {text}");
    }
    assert_eq!(look(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_users_can_be_imported_and_one_of_the_ledger_cannot() {
    let bed = bed().await;
    let export = async |table: &str| exported(&bed, table).await;
    bed.change("main/alice", |user| user.owner = Some(STRANGER.parse().unwrap()));
    let users = String::from_utf8(export("users").await).unwrap();
    let read = preview(&bed, users.replace(STRANGER, VIEWER)).await;
    applied(&bed, ADMIN, &read.message_id).await;
    bed.settled().await;
    assert_eq!(bed.user("main/alice").owner.unwrap().as_str(), VIEWER);
    assert_eq!(bed.user("main/bob").owner, None);
    bed.allocate("main/alice", "100");
    for table in ["ledger", "spending", "alerts"] {
        let file = export(table).await;
        let read = text_of(&preview(&bed, file).await);
        assert!(read.contains(&fragment("sheet.history")), "{table}: {read}");
    }
    assert_eq!(bed.ledger_entries("main/alice"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_others_elsewhere_or_of_another_kind_get_a_clear_answer() {
    let bed = bed().await;
    for person in [VIEWER, STRANGER] {
        let sent = dropped(&bed, person, "额度.csv", QUOTA).await;
        let read = text_of(&bed.reply_to(&sent).await.unwrap());
        assert!(read.contains(&phrase("import.not_admin")), "{read}");
    }
    let sent = dropped(&bed, ADMIN, "额度.xlsx", *b"PK\x03\x04").await;
    let read = text_of(&bed.reply_to(&sent).await.unwrap());
    assert!(read.contains("额度.xlsx") && read.contains("/import"), "{read}");
    let sent = bed.feishu.say_file(ADMIN, GROUP, "额度.csv", QUOTA).await;
    let read = text_of(&bed.reply_to(&sent).await.unwrap());
    assert!(read.contains(&phrase("import.not_direct")), "{read}");
    // A workbook under the name of a CSV file, and a hostile name.
    let sent = dropped(&bed, ADMIN, "<at id=all></at>**x**.csv", *b"PK\x03\x04\x00").await;
    let card = bed.reply_to(&sent).await.unwrap().message_id;
    bed.shows(&card, &phrase("sheet.not_text")).await;
    bed.settled().await;
    assert_eq!(bed.requests("resource"), 1, "only what may be imported is downloaded");
    let help = text_of(&bed.ask(ADMIN, "/import").await);
    assert!(help.contains("month") && help.contains("GBK"), "{help}");
    assert_eq!(
        bed.store.read(|tx| tx.user(&user_key("main/alice"))).unwrap().unwrap().quota,
        Default::default()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_slow_or_fails_holds_up_nothing_and_is_told() {
    let bed = bed().await;
    let slow = std::time::Duration::from_millis(500);
    bed.feishu.faults().inject(FaultRule::new(Fault::Slow(slow)).on("resource").times(1));
    let sent = dropped(&bed, ADMIN, "额度.csv", QUOTA).await;
    // The chat goes on meanwhile.
    bed.ask(ADMIN, "/quota alice 5").await;
    let card = bed.reply_to(&sent).await.unwrap().message_id;
    bed.shows(&card, &phrase("batch.word_preview")).await;
    // A failure that passes is tried again, one that does not is told.
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(502)).on("resource").times(2));
    let read = text_of(&preview(&bed, QUOTA).await);
    assert!(read.contains(&phrase("batch.word_preview")), "{read}");
    let refusal = Fault::Code { http: 400, code: 234_040, msg: "invisible".to_owned() };
    bed.feishu.faults().inject(FaultRule::new(refusal).on("resource").times(1));
    let read = text_of(&preview(&bed, QUOTA).await);
    assert!(read.contains(&fragment("batch.failed")), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_scope_the_answer_names_it() {
    let bed = Bed::start(small_cloud()).await;
    bed.sync().await;
    bed.feishu.set_console(|console| {
        console.scopes.remove("im:message:readonly");
    });
    let read = text_of(&preview(&bed, QUOTA).await);
    assert!(read.contains("im:message:readonly"), "{read}");
}
