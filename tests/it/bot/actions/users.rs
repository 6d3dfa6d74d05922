//! The list of users.

use serde_json::json;

use crate::bed::{ADMIN, Bed, VIEWER, has, one_account, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_paged_filtered_and_searched() {
    let mut cloud = one_account();
    for at in 0..20 {
        cloud.account_mut("main").unwrap().add_user(&format!("user-{at:02}"));
    }
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    bed.ask(ADMIN, "/quota user-03 100").await;
    let card = bed.ask(ADMIN, "/users").await.message_id;
    let rows = |bed: &Bed| {
        let open = json!({"action": "user.open"});
        let values = bed.values(&card);
        let rows = values.iter().filter(|value| has(value, &open));
        rows.map(|value| value["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let people = |count: usize| text("users.subtitle", &[("count", &count)]);
    assert!(rows(&bed).len() >= 8);
    // The only one with a quota comes first.
    assert_eq!(rows(&bed)[..2], ["main/user-03", "main/user-00"]);
    let mut seen = rows(&bed);
    let mut page = 1;
    while seen.len() < 20 {
        page += 1;
        bed.press(VIEWER, &card, json!({"action": "users.list", "page": page})).await;
        seen.extend(rows(&bed));
    }
    seen.dedup();
    assert_eq!(seen.len(), 20);
    // The page is kept while one user is open.
    let last = rows(&bed);
    bed.press(ADMIN, &card, json!({"action": "user.open", "user": last[0]})).await;
    bed.press(ADMIN, &card, json!({"action": "users.list"})).await;
    assert_eq!(rows(&bed), last);

    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "unallocated"})).await;
    assert!(bed.texts(&card).contains(&people(19)), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "disabled"})).await;
    assert_eq!(rows(&bed), [""; 0]);
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "warning"})).await;
    assert_eq!(rows(&bed), [""; 0]);
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "all"})).await;
    let found = |count: usize| text("users.found", &[("count", &count), ("query", &"user-")]);
    bed.submit(ADMIN, &card, "users.list", json!({"query": "user-"})).await;
    assert!(bed.texts(&card).contains(&found(20)), "{}", bed.texts(&card));
    assert_eq!(bed.field(&card, "query"), "user-");
    bed.press(ADMIN, &card, json!({"action": "users.list", "page": 2})).await;
    assert_eq!(rows(&bed).first().map(String::as_str), Some("main/user-10"));
    // The search is kept when the filter changes; an empty field clears it.
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "unallocated"})).await;
    assert!(bed.texts(&card).contains(&found(19)), "{}", bed.texts(&card));
    bed.submit(ADMIN, &card, "users.list", json!({"query": ""})).await;
    assert!(bed.texts(&card).contains(&people(19)), "{}", bed.texts(&card));
    // A page past the end.
    bed.forged(ADMIN, &card, json!({"action": "users.list", "page": 99}), None).await;
    assert_eq!(rows(&bed).last().map(String::as_str), Some("main/user-19"));
}
