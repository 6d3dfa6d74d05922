//! `/export`: tables as files in the chat.

use serde_json::Value;

use crate::bed::{ADMIN, Bed, STRANGER, VIEWER, one_account, text_of};

/// The files of a chat by name, with their texts.
fn files(bed: &Bed, chat: &str) -> Vec<(String, String)> {
    let messages = bed.feishu.messages(chat);
    let files = messages.iter().filter(|message| message.kind == "file");
    files
        .map(|message| {
            let content: Value = serde_json::from_str(&message.content).unwrap();
            let file = bed.feishu.file(content["file_key"].as_str().unwrap()).unwrap();
            assert_eq!(file.kind, "stream");
            (file.name, String::from_utf8(file.bytes.to_vec()).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_follows_as_a_file() {
    let mut cloud = one_account();
    cloud.add_user("main", "alice").unwrap();
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    bed.ask(ADMIN, "/quota alice 1000.5 =SUM(A1)").await;
    let chat = bed.feishu.direct_chat(VIEWER);
    for (command, header, row) in [
        ("/export", "account,username,display_name,status,", "main,alice,"),
        ("/export users", "account,username,display_name,status,", "1000.50"),
        ("导出 ledger", "account,username,time,amount,total_after,note,operator", "'=SUM(A1)"),
        ("/export spending", "account,username,project,period,amount,updated_at", ""),
        ("/export alerts", "account,username,time,type,title,amount,threshold,notified", ""),
    ] {
        let before = files(&bed, &chat).len();
        let reply = bed.ask(VIEWER, command).await;
        assert!(text_of(&reply).contains("/export"), "{}", text_of(&reply));
        bed.settled().await;
        let files = files(&bed, &chat);
        assert_eq!(files.len(), before + 1, "{command}");
        let (name, text) = files.last().unwrap();
        assert!(name.ends_with(".csv"), "{name}");
        assert!(text.starts_with(&format!("\u{FEFF}{header}")), "{text}");
        assert!(text.contains(row), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_no_file_and_an_unknown_table_is_refused() {
    let bed = Bed::start(one_account()).await;
    bed.ask(STRANGER, "/export").await;
    let refused = bed.ask(ADMIN, "/export passwords").await;
    assert!(text_of(&refused).contains("passwords"), "{}", text_of(&refused));
    bed.settled().await;
    for person in [STRANGER, ADMIN] {
        assert!(files(&bed, &bed.feishu.direct_chat(person)).is_empty());
    }
}
