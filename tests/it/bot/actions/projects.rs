//! The projects card: links are added, switched, removed and paged.

use airgate::domain::BillPeriod;
use serde_json::{Value, json};

use super::{bed, op_of};
use crate::bed::{ADMIN, Bed, one_account, phrase, text, text_of, toast_of, user_key};
use crate::monitor::spend;

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_linked_switched_and_removed() {
    let bed = bed().await;
    let alice = user_key("main/alice");
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    // Chosen.
    let done = bed
        .submit(ADMIN, &card, "project.add", json!({"project": ["team-a"], "since": "2026-10"}))
        .await;
    assert_eq!(
        toast_of(&done),
        format!("success: {}", text("toast.project_added", &[("project", &"甲组")]))
    );
    let link = bed.store.read(|tx| tx.link(&alice, &"team-a".parse().unwrap())).unwrap().unwrap();
    assert!(link.monitored.is_on());
    assert_eq!(link.since, "2026-10".parse::<BillPeriod>().unwrap());
    // Typed. The current period is the default; a linked project is no longer offered.
    assert!(!bed.texts(&card).contains("甲组 (team-a)"), "{}", bed.texts(&card));
    bed.submit(ADMIN, &card, "project.add", json!({"project_name": "team-b"})).await;
    let link = bed.store.read(|tx| tx.link(&alice, &"team-b".parse().unwrap())).unwrap().unwrap();
    assert_eq!(link.since, "2026-11".parse::<BillPeriod>().unwrap());
    bed.cycle().await;
    // 10 + 25 for October and November, 7 for November alone.
    assert_eq!(bed.consumed("main/alice"), "¥42.00");

    // The target state is in the button: a second press changes nothing.
    let off = json!({"action": "project.toggle", "user": "main/alice", "project": "team-a", "enabled": false});
    let done = bed.press(ADMIN, &card, off.clone()).await;
    assert_eq!(
        toast_of(&done),
        format!("success: {}", text("toast.project_off", &[("project", &"甲组")]))
    );
    assert_eq!(bed.consumed("main/alice"), "¥7.00");
    bed.forged(ADMIN, &card, off, None).await;
    assert_eq!(bed.consumed("main/alice"), "¥7.00");
    let on = json!({"action": "project.toggle", "project": "team-a", "enabled": true});
    bed.press(ADMIN, &card, on).await;
    assert_eq!(bed.consumed("main/alice"), "¥42.00");

    let all_off = json!({"action": "projects.toggle_all", "enabled": false});
    let done = bed.press(ADMIN, &card, all_off).await;
    assert_eq!(toast_of(&done), format!("success: {}", text("toast.all_off", &[("links", &2)])));
    assert_eq!(bed.consumed("main/alice"), "¥0.00");
    assert!(
        bed.texts(&card).contains(&text("projects.subtitle", &[("monitored", &0), ("total", &2)])),
        "{}",
        bed.texts(&card)
    );
    bed.press(ADMIN, &card, json!({"action": "projects.toggle_all", "enabled": true})).await;
    assert_eq!(bed.consumed("main/alice"), "¥42.00");

    let done =
        bed.press(ADMIN, &card, json!({"action": "project.remove", "project": "team-a"})).await;
    assert_eq!(
        toast_of(&done),
        format!("success: {}", text("toast.project_removed", &[("project", &"甲组")]))
    );
    assert_eq!(bed.consumed("main/alice"), "¥7.00");
    assert_eq!(bed.store.read(|tx| tx.links_of(&alice)).unwrap().len(), 1);
    // Its history is kept.
    let read = text_of(&bed.ask(ADMIN, "/billing alice 2026-10").await);
    assert!(read.contains("¥10.00"), "{read}");
    let read = text_of(&bed.ask(ADMIN, "/billing alice").await);
    assert!(read.contains("¥25.00") && read.contains("¥7.00"), "{read}");
    bed.cycle().await;
    assert_eq!(bed.consumed("main/alice"), "¥7.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_project_comes_back_to_be_corrected() {
    let bed = bed().await;
    let alice = user_key("main/alice");
    let links = || bed.store.read(|tx| tx.links_of(&alice)).unwrap().len();
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    let out_of_range = |period: &str| {
        let range = [("period", period), ("first", "2024-12"), ("last", "2026-11")];
        let range = range.each_ref().map(|(name, month)| (*name, month as &dyn std::fmt::Display));
        text("refusal.period_out_of_range", &range)
    };
    let no_month = |month: &str| text("refusal.bad_period", &[("text", &month)]);
    for (fields, wanted) in [
        (json!({}), phrase("refusal.no_project")),
        (json!({"project_name": "  "}), phrase("refusal.no_project")),
        (json!({"project": ["team-a"], "since": "2026-12"}), out_of_range("2026-12")),
        (json!({"project": ["team-a"], "since": "2024-11"}), out_of_range("2024-11")),
        (json!({"project": ["team-a"], "since": "2026-13"}), no_month("2026-13")),
        (json!({"project": ["team-a"], "since": "abc"}), no_month("abc")),
    ] {
        let op = op_of(&bed, &card, "project.add");
        let value = json!({"action": "project.add", "user": "main/alice", "op": op});
        let done = bed.forged(ADMIN, &card, value, Some(fields.clone())).await;
        assert_eq!(toast_of(&done), format!("error: {wanted}"), "{fields}");
        assert!(bed.texts(&card).contains(&wanted), "{fields}");
        assert_ne!(op_of(&bed, &card, "project.add"), op, "{fields}");
        for name in ["project", "project_name", "since"] {
            let kept = match fields.get(name) {
                Some(Value::String(text)) => json!(text.trim()),
                Some(chosen) => chosen.clone(),
                None => continue,
            };
            if kept != json!("") {
                assert_eq!(bed.field(&card, name), kept, "{fields}");
            }
        }
        assert_eq!(links(), 0, "{fields}");
    }
    // The form keeps what was typed, so that one field can be corrected.
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"], "since": "2026-99"}))
        .await;
    let done = bed.submit(ADMIN, &card, "project.add", json!({"since": "2024-12"})).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    let link = bed.store.read(|tx| tx.link(&alice, &"team-a".parse().unwrap())).unwrap().unwrap();
    assert_eq!(link.since.to_string(), "2024-12");
    // Typed although linked; chosen and typed alike counts once; unknown to the account.
    let done = bed.submit(ADMIN, &card, "project.add", json!({"project_name": "team-a"})).await;
    assert!(
        toast_of(&done).contains(&text("refusal.already_linked", &[("project", &"team-a")])),
        "{done:?}"
    );
    let both = json!({"project": ["team-b"], "project_name": " team-b "});
    assert!(toast_of(&bed.submit(ADMIN, &card, "project.add", both).await).starts_with("success"));
    let typo = bed.submit(ADMIN, &card, "project.add", json!({"project_name": "taem-c"})).await;
    assert!(toast_of(&typo).starts_with("success"), "{typo:?}");
    assert!(
        bed.texts(&card).contains(&text("projects.not_in_list", &[("project", &"taem-c")])),
        "{}",
        bed.texts(&card)
    );
    assert_eq!(links(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_paged() {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_user("alice");
    for at in 0..14 {
        cloud.account_mut("main").unwrap().add_project(&format!("p-{at:02}"), "");
    }
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    for at in 0..14 {
        bed.submit(ADMIN, &card, "project.add", json!({"project": [format!("p-{at:02}")]})).await;
    }
    let shown = || {
        let toggles = bed.values(&card).into_iter().filter(|v| v["action"] == "project.toggle");
        toggles.map(|v| v["project"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut seen = shown();
    assert!(!seen.is_empty());
    for page in 2..=14 {
        if seen.len() >= 14 {
            break;
        }
        bed.press(ADMIN, &card, json!({"action": "projects.open", "page": page})).await;
        seen.extend(shown());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 14);
    assert!(
        bed.texts(&card)
            .contains(&text("projects.subtitle", &[("monitored", &14), ("total", &14)])),
        "{}",
        bed.texts(&card)
    );
}

/// Whoever links a project that somebody has chooses what happens to that link.
#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_somebody_else_is_handed_over_divided_or_counted_twice() {
    for (word, consumed) in [
        ("move", ["¥0.00", "¥25.01"]),
        ("part", ["¥12.51", "¥12.50"]),
        ("whole", ["¥25.01", "¥25.01"]),
    ] {
        let bed = bed().await;
        bed.link("main/alice", "team-a", "2026-11");
        spend(&bed, "team-a", "0.01", "2026-11");
        bed.cycle().await;
        let card = bed.ask(ADMIN, "/projects bob").await.message_id;
        // Not said: refused, and what was chosen stays chosen.
        let refused = bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
        assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
        assert!(bed.texts(&card).contains("alice"), "{}", bed.texts(&card));
        assert_eq!(bed.consumed("main/bob"), "¥0.00");
        let done = bed
            .submit(ADMIN, &card, "project.add", json!({"project": ["team-a"], "counts": word}))
            .await;
        assert!(toast_of(&done).starts_with("success"), "{word}: {done:?}");
        let found = [bed.consumed("main/alice"), bed.consumed("main/bob")];
        assert_eq!(found, consumed, "{word}");
        // Both cards say so, but for the one that was handed over.
        for (user, other) in [("alice", "bob"), ("bob", "alice")] {
            let shown = text_of(&bed.ask(ADMIN, &format!("/user {user}")).await);
            assert_eq!(shown.contains(other), word != "move", "{word}: {shown}");
        }
        // The next bill is divided in the same way, and a link that goes gives its part back.
        spend(&bed, "team-a", "20.01", "2026-11");
        bed.cycle().await;
        if word == "part" {
            assert_eq!(bed.consumed("main/alice"), "¥22.51");
            let card = bed.ask(ADMIN, "/projects bob").await.message_id;
            let removed = bed
                .press(ADMIN, &card, json!({"action": "project.remove", "project": "team-a"}))
                .await;
            assert!(toast_of(&removed).starts_with("success"), "{removed:?}");
            assert_eq!(bed.consumed("main/alice"), "¥45.02");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_projects_are_linked_at_once_or_none() {
    let bed = bed().await;
    let alice = user_key("main/alice");
    let links = || bed.store.read(|tx| tx.links_of(&alice)).unwrap().len();
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.link("main/alice", "team-b", "2026-11");
    let bad = json!({"project": ["team-a"], "project_name": "team-b"});
    let refused = bed.submit(ADMIN, &card, "project.add", bad).await;
    assert!(toast_of(&refused).starts_with("error"), "{refused:?}");
    assert_eq!(links(), 1);
    let both = json!({"project": ["team-a"], "project_name": "team-c"});
    let done = bed.submit(ADMIN, &card, "project.add", both).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(links(), 3);
}

/// A change says what it leads to before the next cycle does it.
#[tokio::test(flavor = "multi_thread")]
async fn linking_a_project_that_uses_up_the_quota_says_that_the_next_cycle_disables() {
    let bed = bed().await;
    bed.link("main/bob", "team-a", "2026-11");
    bed.cycle().await;
    bed.allocate("main/alice", "10");
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    let fields = json!({"project": ["team-a"], "counts": "move"});
    let done = bed.submit(ADMIN, &card, "project.add", fields).await;
    assert!(toast_of(&done).starts_with("warning"), "{done:?}");
    let moved = text(
        "consequence.moved",
        &[("from", &"¥0.00"), ("to", &"¥25.00"), ("before", &"0.0%"), ("after", &"250.0%")],
    );
    let said = text("consequence.cut", &[("state", &moved), ("when", &"")]);
    let (said, then) = said.split_once("下次监控").unwrap();
    let read = bed.texts(&card);
    assert!(read.contains(said) && read.contains(then), "{said}: {read}");
    assert_eq!(bed.cycle().await.disables, 1);
}
