//! `/export`: tables as files in the chat.

use airgate::domain::User;
use airgate::store::StoreError;
use serde_json::Value;

use crate::bed::{ADMIN, Bed, STRANGER, VIEWER, fragment, one_account, phrase, text_of, user_key};

/// The name and text of each file in a chat.
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
    cloud.account_mut("main").unwrap().add_user("alice");
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
        let (name, table) = files.last().unwrap();
        assert!(name.ends_with(".csv"), "{name}");
        assert!(table.starts_with(&format!("\u{FEFF}{header}")), "{table}");
        assert!(table.contains(row), "{table}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_table_too_large_for_chat_is_answered_with_another_way_to_get_it() {
    let bed = Bed::start(one_account()).await;
    // 500 characters of 4 bytes in the remark, 200 in the name: 2.8 KB a user, 31 MB in all.
    bed.store
        .write(|tx| {
            for i in 0..11_800 {
                let mut record = User::new(user_key(&format!("main/user-{i}")), bed.clock.now());
                record.remark = "𠀀".repeat(500);
                record.display_name = "𠀁".repeat(200);
                tx.put_user(&record)?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let chat = bed.feishu.direct_chat(VIEWER);
    let reply = bed.ask(VIEWER, "/export users").await;
    assert!(text_of(&reply).contains(&fragment("export.text")), "{}", text_of(&reply));
    let too_large = phrase("delivery.too_large");
    bed.eventually("the reason why there is no file", |bed| {
        bed.by_the_bot(&chat).iter().any(|message| text_of(message).contains(&too_large))
    })
    .await;
    bed.settled().await;
    assert!(files(&bed, &chat).is_empty());
}
