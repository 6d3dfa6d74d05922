//! Hostile input: forged clicks, very long texts, markup in names.

use airgate::domain::Money;
use airgate::sandbox::world::{self, World};
use rust_decimal::Decimal;
use serde_json::json;

use crate::bed::{ADMIN, Bed, markdown_of, one_account, text_of, toast_of, user_key};

/// Users `alice` and `bob`, project `team-a`.
fn small_cloud() -> World {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_project("team-a", "甲组");
    for name in ["alice", "bob"] {
        cloud.account_mut("main").unwrap().add_user(name);
        cloud.user_mut("main", name).unwrap().add_key(world::KeyStatus::Active);
    }
    cloud
}

async fn bed() -> Bed {
    let bed = Bed::start(small_cloud()).await;
    bed.sync().await;
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_values_are_refused_and_change_nothing() {
    let bed = bed().await;
    bed.ask(ADMIN, "/quota alice 10").await;
    let link = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &link, "project.add", json!({"project": ["team-a"]})).await;
    let card = bed.ask(ADMIN, "/user alice").await.message_id;
    bed.settled().await;
    let look = || {
        bed.store
            .read(|tx| {
                Ok::<_, airgate::store::StoreError>(format!(
                    "{:?} {:?} {:?} {:?}",
                    tx.users()?,
                    tx.links_of(&user_key("main/alice"))?,
                    tx.ledger(&user_key("main/alice"), 100)?,
                    tx.all_access_pending()?,
                ))
            })
            .unwrap()
    };
    let before = look();
    let alice = "main/alice";
    let huge = "x".repeat(100_000);
    for value in [
        json!({}),
        json!({"action": null}),
        json!({"action": 7}),
        json!({"action": ["user.open"]}),
        json!({"action": "user.drop", "user": alice}),
        json!({"action": huge}),
        json!({"action": "USER.OPEN", "user": alice}),
        json!({"action": "user.open"}),
        json!({"action": "user.open", "user": 5}),
        json!({"action": "user.open", "user": "alicia"}),
        json!({"action": "user.open", "user": "main/"}),
        json!({"action": "user.open", "user": "main/nobody"}),
        json!({"action": "user.open", "user": huge}),
        json!({"action": "user.open", "user": "../../etc"}),
        json!({"action": "user.disable", "user": alice}),
        json!({"action": "user.disable", "user": alice, "op": ""}),
        json!({"action": "user.disable", "user": alice, "op": "a b"}),
        json!({"action": "user.disable", "user": alice, "op": huge}),
        json!({"action": "user.disable", "user": alice, "op": {"a": 1}}),
        json!({"action": "user.disable", "user": "main/nobody", "op": "f1"}),
        json!({"action": "projects.open", "user": []}),
        json!({"action": "project.toggle", "user": alice, "project": "team-a", "enabled": "false"}),
        json!({"action": "project.toggle", "user": alice, "project": "team-a"}),
        json!({"action": "project.toggle", "user": alice, "project": "team-z", "enabled": false}),
        json!({"action": "project.toggle", "user": alice, "enabled": false}),
        json!({"action": "project.remove", "user": alice, "project": "team-a"}),
        json!({"action": "project.remove", "user": alice, "project": "team-z", "op": "f3"}),
        json!({"action": "projects.toggle_all", "user": alice}),
        json!({"action": "projects.toggle_all", "user": alice, "enabled": 0}),
        json!({"action": "projects.toggle_all", "user": "main/nobody", "enabled": true}),
        json!({"action": "project.add", "user": alice, "op": "f4"}),
        json!({"action": "quota.allocate", "user": alice, "op": "f5"}),
        json!({"action": "quota.allocate", "user": "main/nobody", "op": "f6"}),
        json!({"action": "users.list", "filter": "x"}),
        json!({"action": "alerts.list", "type": "x"}),
        json!({"action": "alerts.list", "user": "x"}),
        json!({"action": "billing.open", "period": "2026"}),
        json!({"action": "billing.open", "user": "main/nobody"}),
        json!({"action": "monitor.run"}),
        json!("text"),
        json!([1]),
    ] {
        let done = bed.forged(ADMIN, &card, value.clone(), None).await;
        let short: String = value.to_string().chars().take(100).collect();
        assert!(toast_of(&done).starts_with("error: "), "{short}: {done:?}");
        assert!(toast_of(&done).chars().count() < 200, "{short}: {done:?}");
    }
    // Nothing is wrong with wishing for what is so already.
    let value = json!({"action": "user.enable", "user": alice, "op": "f2"});
    let done = bed.forged(ADMIN, &card, value, None).await;
    assert!(toast_of(&done).starts_with("info: "), "{done:?}");
    assert_eq!(look(), before);
    // A form field of another type counts as empty; an impossible page is the first or the last.
    for (op, form) in [
        ("g1", json!({"amount": 5.5})),
        ("g2", json!({"amount": ["5"]})),
        ("g3", json!({"amount": {"a": 1}})),
        ("g4", json!({"amount": true})),
        ("g5", json!({"amount": huge, "note": huge})),
    ] {
        let value = json!({"action": "quota.allocate", "user": alice, "op": op});
        let done = bed.forged(ADMIN, &card, value, Some(form)).await;
        if op != "g1" {
            assert!(toast_of(&done).starts_with("error: "), "{op}: {done:?}");
        }
    }
    let value = json!({"action": "quota.allocate", "user": alice, "op": "g6"});
    bed.forged(ADMIN, &card, value, Some(json!({"amount": "-5.5"}))).await;
    for page in
        [json!(-1), json!(0), json!(1e30), json!("9"), json!("x"), json!(u64::MAX), json!(null)]
    {
        for action in ["users.list", "projects.open", "billing.open", "alerts.list"] {
            let value =
                json!({"action": action, "user": alice, "page": page, "back": {"page": page}});
            assert_eq!(
                toast_of(&bed.forged(ADMIN, &card, value, None).await),
                "",
                "{action} {page}"
            );
        }
    }
    assert_eq!(bed.ledger_entries(alice), 3);
    assert_eq!(bed.user(alice).quota, Money::from_fen(1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_any_length_and_kind_are_answered() {
    let bed = bed().await;
    for word in [
        "x".repeat(20_000),
        "字".repeat(5_000),
        "\"\\".repeat(3_000),
        "<at id=all></at>".repeat(50),
    ] {
        for command in
            ["", "/users ", "/user ", "/quota bob ", "/quota bob 1 ", "/billing ", "/help "]
        {
            let reply = bed.ask(ADMIN, &format!("{command}{word}")).await;
            let markup = markdown_of(&reply);
            assert!(!markup.contains("<at id=all>"), "{command}: {markup}");
        }
    }
    bed.settled().await;
    let failed = bed.store.read(|tx| tx.failed_messages(10)).unwrap();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_texts_of_the_cloud_and_of_people_is_not_interpreted() {
    let hostile = [
        "<at id=all></at>",
        "**bold** [x](https://evil.example)",
        "<font color='red'>R</font>",
        "{{ 7*7 }}{% raw %}",
        "\",\"tag\":\"img\"",
        "a\u{202E}b\nc",
    ];
    let mut cloud = one_account();
    for (at, text) in hostile.iter().enumerate() {
        let user = cloud.account_mut("main").unwrap().add_user(&format!("u{at}"));
        user.display_name = (*text).to_owned();
        cloud.account_mut("main").unwrap().add_project(&format!("p{at}"), text);
        cloud.account_mut("main").unwrap().spend(
            &format!("p{at}"),
            Decimal::new(95, 0),
            "2026-11".parse().unwrap(),
        );
    }
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    let mut shown = Vec::new();
    for (at, text) in hostile.iter().enumerate() {
        let card = bed.ask(ADMIN, &format!("/projects u{at}")).await.message_id;
        bed.submit(ADMIN, &card, "project.add", json!({"project": [format!("p{at}")]})).await;
        shown.push(card);
        let note = text.replace('\n', " ");
        shown.push(bed.ask(ADMIN, &format!("/quota u{at} 100 {note}")).await.message_id);
        shown.push(bed.ask(ADMIN, &format!("/user {note}")).await.message_id);
        shown.push(bed.ask(ADMIN, &note).await.message_id);
    }
    bed.cycle().await;
    for at in 0..hostile.len() {
        for command in ["user", "projects", "quota", "billing", "alerts", "disable"] {
            shown.push(bed.ask(ADMIN, &format!("/{command} u{at}")).await.message_id);
        }
    }
    for command in ["/users", "/billing", "/alerts", "/users <at"] {
        shown.push(bed.ask(ADMIN, command).await.message_id);
    }
    shown.extend(bed.alerts().into_iter().map(|alert| alert.message_id));
    for id in shown {
        let message = bed.message(&id);
        let markup = markdown_of(&message);
        for raw in
            ["<at id=all", "**bold**", "](https", "<font color='red'>R", "7*7", "49", "\u{202E}"]
        {
            assert!(!markup.contains(raw), "{raw:?} is in {markup}");
        }
    }
    let read = text_of(&bed.ask(ADMIN, "/user u0").await);
    assert!(read.contains("<at id=all></at>"), "{read}");
}

proptest::proptest! {
    /// The webhook delivers to every address that the settings accept, and none of them is an internal host.
    #[test]
    fn an_accepted_webhook_is_delivered_to_and_is_no_internal_host(
        scheme in "https?|ftp|HTTPS",
        user in "(a:b@|a@|@)?",
        host in "(open|x\\.y|evil)?[.]?(feishu\\.cn|larksuite\\.com|corp\\.example)[.]?(evil)?|localhost|127\\.[0-9]{1,3}|[0-9]{1,10}|\
                 (10|127|169\\.254|192\\.168)\\.[0-9]{1,3}\\.[0-9]{1,3}|\\[::(1|ffff:127\\.0\\.0\\.1|ffff:10\\.0\\.0\\.1)?\\]|\\PC{1,12}",
        port in "(:[0-9]{1,6})?",
        rest in "(/[a-z0-9/?@#%.]{0,20})?",
    ) {
        use airgate::address::{api_url, webhook_url};
        let base = api_url("https://corp.example:8443").unwrap();
        let text = format!("{scheme}://{user}{host}{port}{rest}");
        if let Ok(saved) = webhook_url(&text, &base) {
            let url = webhook_url(saved.as_str(), &base)
                .unwrap_or_else(|error| panic!("{text}: saved, and never delivered to: {error}"));
            let host = url.host_str().unwrap();
            let local = matches!(host, "localhost" | "[::1]")
                || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
            let known = host == "corp.example"
                || ["feishu.cn", "larksuite.com"]
                    .iter()
                    .any(|domain| host == *domain || host.ends_with(&format!(".{domain}")));
            assert!(local || (known && url.scheme() == "https"), "{text}: {url}");
            assert!(url.username().is_empty() && url.password().is_none(), "{text}");
        }
    }
}
