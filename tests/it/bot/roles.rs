//! Who may do what: docs/behaviour.md §2, roles.

use airgate::bot::commands::COMMANDS;
use airgate::bot::{ACTIONS, Chat};
use airgate::sandbox::world::{self, World};
use serde_json::{Value, json};

use crate::bed::{
    ADMIN, Bed, GROUP, STRANGER, VIEWER, one_account, phrase, text, text_of, toast_of, user_key,
};

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Anyone,
    Viewer,
    Admin,
}

use Needs::{Admin, Anyone, Viewer};

const PEOPLE: [(&str, Needs); 3] = [(ADMIN, Admin), (VIEWER, Viewer), (STRANGER, Anyone)];

fn allowed(has: Needs, needs: Needs) -> bool {
    has as u8 >= needs as u8
}

fn cloud() -> World {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_user("alice");
    cloud.user_mut("main", "alice").unwrap().add_key(world::KeyStatus::Active);
    cloud.account_mut("main").unwrap().add_project("team-a", "甲组");
    cloud.account_mut("main").unwrap().add_project("team-b", "乙组");
    cloud
}

/// The service with alice, who has a linked project and a quota.
async fn bed() -> Bed {
    let bed = Bed::start(cloud()).await;
    bed.sync().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": ["team-a"]})).await;
    bed.ask(ADMIN, "/quota alice 100").await;
    bed.settled().await;
    bed
}

/// Everything that a person may change, as text.
fn state(bed: &Bed) -> String {
    bed.store
        .read(|tx| {
            let alice = user_key("main/alice");
            Ok::<_, airgate::store::StoreError>(format!(
                "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                tx.user(&alice)?,
                tx.links_of(&alice)?,
                tx.ledger(&alice, 10)?,
                tx.alerts(None, None, 0, 10)?,
                tx.access_pending(&alice)?,
                tx.tasks()?,
                tx.saved_settings()?,
            ))
        })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_needs_its_role() {
    let bed = bed().await;
    let commands = [
        ("/help", Anyone),
        ("帮助", Anyone),
        ("/xyzzy", Anyone),
        ("/me", Anyone),
        ("/request 5 x", Anyone),
        ("/requests", Viewer),
        ("/report", Viewer),
        ("汇总 月", Viewer),
        ("/export alerts", Viewer),
        ("/export everything", Viewer),
        ("/config", Admin),
        ("/accounts", Admin),
        ("/users", Viewer),
        ("用户 alice", Viewer),
        ("/user alice", Viewer),
        ("/projects alice", Viewer),
        ("/quota alice", Viewer),
        ("/billing", Viewer),
        ("/billing alice 2026-10", Viewer),
        ("/alerts", Viewer),
        ("/alerts alice", Viewer),
        ("/monitor", Viewer),
        // Wrong arguments reveal no more than the command itself.
        ("/user", Viewer),
        ("/user alice bob", Viewer),
        ("/user nobody", Viewer),
        ("/billing 2026-13", Viewer),
        ("/quota alice abc", Admin),
        ("/sync now", Admin),
        ("/disable", Admin),
        ("/quota alice 5", Admin),
        ("划拨 alice -5", Admin),
        ("/disable alice", Admin),
        ("/enable alice", Admin),
        ("/sync", Admin),
        ("/create", Admin),
        ("/import", Admin),
        ("导入", Admin),
        ("/monitor run", Admin),
    ];
    for spec in COMMANDS {
        let is_listed = |(text, _): &(&str, _)| {
            text.strip_prefix('/').and_then(|text| text.split(' ').next()) == Some(spec.name)
        };
        assert!(commands.iter().any(is_listed), "/{} is missing here", spec.name);
    }
    for (command, needs) in commands {
        // Lowest role first: those who may run it change the state.
        for (person, role) in PEOPLE.into_iter().rev() {
            for group in [false, true] {
                let before = state(&bed);
                let asked_before = bed.cloud.calls().len();
                let chat = if group { GROUP.to_owned() } else { bed.feishu.direct_chat(person) };
                let read = text_of(&bed.ask_in(person, &chat, command, group).await);
                let denied = read.contains(&phrase("denied.title"));
                assert_eq!(!denied, allowed(role, needs), "{command} by {person}: {read}");
                if denied {
                    assert!(read.contains(person), "{command}: {read}");
                    assert_eq!(state(&bed), before, "{command} by {person}");
                    assert_eq!(bed.cloud.calls().len(), asked_before, "{command} by {person}");
                }
                bed.settled().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_lists_the_commands_that_a_person_may_use() {
    let bed = bed().await;
    for (person, listed, hidden) in [
        (ADMIN, &["/help", "/users", "/sync", "/disable"][..], &[][..]),
        (VIEWER, &["/help", "/users", "/monitor"], &["/sync", "/disable", "/enable"]),
        (STRANGER, &["/help"], &["/users", "/quota", "/sync", "/monitor"]),
    ] {
        for command in ["/help", "/xyzzy", ""] {
            let read = text_of(&bed.ask(person, command).await);
            for word in listed {
                assert!(read.contains(word), "{person} {word}: {read}");
            }
            for word in hidden {
                assert!(!read.contains(word), "{person} {word}: {read}");
            }
        }
    }
    // The suggested command reveals none either.
    let read = text_of(&bed.ask(STRANGER, "/usres").await);
    assert!(!read.contains("/users"), "{read}");
    let read = text_of(&bed.ask(VIEWER, "/usres").await);
    assert!(read.contains(&text("help.nearest", &[("command", &"/users")])), "{read}");
}

fn actions() -> Vec<(Value, Option<Value>, Needs)> {
    let alice = "main/alice";
    vec![
        (json!({"action": "users.list", "page": 1}), None, Viewer),
        (json!({"action": "users.list"}), Some(json!({"query": "a"})), Viewer),
        (json!({"action": "user.open", "user": alice}), None, Viewer),
        (json!({"action": "projects.open", "user": alice}), None, Viewer),
        (json!({"action": "quota.open", "user": alice}), None, Viewer),
        (json!({"action": "billing.open", "period": "2026-10"}), None, Viewer),
        (json!({"action": "billing.open", "user": alice}), None, Viewer),
        (json!({"action": "billing.rest", "account": "main", "period": "2026-11"}), None, Viewer),
        (json!({"action": "alerts.list", "user": alice, "type": "warning"}), None, Viewer),
        (
            json!({"action": "project.toggle", "user": alice, "project": "team-a", "enabled": false}),
            None,
            Admin,
        ),
        (json!({"action": "projects.toggle_all", "user": alice, "enabled": true}), None, Admin),
        (
            json!({"action": "project.add", "user": alice, "op": "a1"}),
            Some(json!({"project": "team-b"})),
            Admin,
        ),
        (
            json!({"action": "project.remove", "user": alice, "project": "team-a", "op": "a2"}),
            None,
            Admin,
        ),
        (
            json!({"action": "billing.assign", "account": "main", "project": "team-a",
                "period": "2026-11", "op": "a11"}),
            Some(json!({"user": alice})),
            Admin,
        ),
        (
            json!({"action": "quota.allocate", "user": alice, "op": "a3"}),
            Some(json!({"amount": "5"})),
            Admin,
        ),
        (json!({"action": "users.bulk"}), None, Admin),
        (
            json!({"action": "users.bulk", "op": "b5"}),
            Some(json!({"do": "auto_disable", "value": "on"})),
            Admin,
        ),
        (json!({"action": "import.apply", "import": 99, "op": "b6"}), None, Admin),
        (
            json!({"action": "batch.decide", "batch": 99, "decision": "confirm", "op": "b7"}),
            None,
            Admin,
        ),
        (json!({"action": "me.open"}), None, Anyone),
        (json!({"action": "requests.list"}), None, Viewer),
        (json!({"action": "report.open", "kind": "week"}), None, Viewer),
        (json!({"action": "request.open", "request": 99}), None, Viewer),
        (json!({"action": "approval.open", "approval": 99}), None, Viewer),
        (json!({"action": "batch.open", "batch": 99}), None, Viewer),
        (
            json!({"action": "quota.request", "user": alice, "op": "b1"}),
            Some(json!({"amount": "5", "reason": "x"})),
            Anyone,
        ),
        (json!({"action": "request.withdraw", "request": 99, "op": "b2"}), None, Anyone),
        (
            json!({"action": "request.decide", "request": 99, "decision": "grant", "op": "b3"}),
            None,
            Admin,
        ),
        (
            json!({"action": "approval.decide", "approval": 99, "decision": "confirm", "op": "b4"}),
            None,
            Admin,
        ),
        (json!({"action": "user.disable", "user": alice, "op": "a4"}), None, Admin),
        (json!({"action": "user.enable", "user": alice, "op": "a5"}), None, Admin),
        (json!({"action": "user.disable", "user": alice, "op": "a12"}), None, Admin),
        (
            json!({"action": "quota.allocate_enable", "user": alice, "op": "a13", "amount": "1"}),
            None,
            Admin,
        ),
        (json!({"action": "quota.undo", "user": alice, "entry": 1, "op": "a14"}), None, Admin),
        (
            json!({"action": "access.withdraw", "user": alice, "goal": "cut", "op": "a15"}),
            None,
            Admin,
        ),
        (json!({"action": "access.recheck", "user": alice}), None, Admin),
        (json!({"action": "access.ask", "user": alice, "goal": "cut"}), None, Admin),
        (json!({"action": "user.create", "op": "a10"}), None, Admin),
        (json!({"action": "monitor.run", "op": "a6"}), None, Admin),
        (json!({"action": "sync.run", "op": "a12"}), None, Admin),
        (json!({"action": "billing.export", "period": "2026-11"}), None, Viewer),
        (json!({"action": "config.alert_here"}), None, Admin),
        (json!({"action": "config.open"}), None, Admin),
        (json!({"action": "steps.open"}), None, Admin),
        (json!({"action": "config.save", "op": "a7"}), Some(json!({"thresholds": "70"})), Admin),
        (json!({"action": "config.test", "op": "a8"}), None, Admin),
        (json!({"action": "user.configure", "user": alice}), None, Admin),
        (
            json!({"action": "user.configure", "user": alice, "op": "a9"}),
            Some(json!({"remark": "x"})),
            Admin,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_needs_its_role_whoever_the_card_was_for() {
    let bed = bed().await;
    // An administrator's card in the group, where everybody can click.
    let card = bed.ask_in(ADMIN, GROUP, "/user alice", true).await.message_id;
    let actions = actions();
    // Those of the direct chat are tried there: tests/it/bot/actions/accounts.rs.
    for row in ACTIONS.iter().filter(|row| row.chat == Chat::Any) {
        let is_listed = actions.iter().any(|(value, _, _)| value["action"] == row.word);
        assert!(is_listed, "`{}` is missing here", row.word);
    }
    for (value, form, needs) in actions {
        for (person, role) in PEOPLE.into_iter().rev() {
            bed.settled().await;
            let (before, calls) = (state(&bed), bed.cloud.calls().len());
            let done = bed.forged(person, &card, value.clone(), form.clone()).await;
            // Refused for another reason: these people own nobody, and there is no such request.
            let is_about_requests = ["quota.request", "request.", "approval.", "import.", "batch."]
                .iter()
                .any(|word| value["action"].as_str().unwrap().starts_with(word));
            if allowed(role, needs) && is_about_requests {
                let toast = toast_of(&done);
                assert_ne!(toast, format!("error: {}", phrase("refusal.not_allowed")), "{value}");
                assert!(toast.starts_with("error"), "{value} by {person}: {toast}");
            } else if allowed(role, needs) {
                assert_ne!(
                    done.toast.as_ref().map(|toast| toast.kind.as_str()),
                    Some("error"),
                    "{value} by {person}: {done:?}"
                );
                // An export arrives as a file.
                let is_file = value["action"] == "billing.export";
                assert_ne!(done.card_updated, is_file, "{value} by {person}");
            } else {
                assert_eq!(
                    toast_of(&done),
                    format!("error: {}", phrase("refusal.not_allowed")),
                    "{value} by {person}"
                );
                assert!(!done.card_updated, "{value} by {person}");
                assert_eq!(state(&bed), before, "{value} by {person}");
                assert_eq!(bed.cloud.calls().len(), calls, "{value} by {person}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_callback_cannot_claim_a_role() {
    let bed = bed().await;
    let card = bed.ask(VIEWER, "/user alice").await.message_id;
    let before = state(&bed);
    for extra in ["role", "operator", "admin", "open_id"] {
        let mut value = json!({"action": "quota.allocate", "user": "main/alice", "op": "x1"});
        value[extra] = json!(ADMIN);
        let form = json!({"amount": "5", "operator": ADMIN});
        let done = bed.forged(VIEWER, &card, value, Some(form)).await;
        assert!(toast_of(&done).starts_with("error"), "{done:?}");
    }
    assert_eq!(state(&bed), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_of_a_viewer_have_no_button_that_changes_anything() {
    const READING: [&str; 13] = [
        "users.list",
        "user.open",
        "projects.open",
        "quota.open",
        "billing.open",
        "billing.rest",
        // Sends the person a file.
        "billing.export",
        "alerts.list",
        "requests.list",
        "request.open",
        "approval.open",
        "batch.open",
        "report.open",
    ];
    let bed = bed().await;
    let foreign = |content: &str| {
        let names =
            content.split("\"action\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        names.filter(|name| !READING.contains(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    for command in [
        "/help",
        "/users",
        "/user alice",
        "/projects alice",
        "/quota alice",
        "/billing",
        "/billing alice",
        "/alerts",
        "/alerts alice",
        "/monitor",
        "/user nobody",
        "/sync",
    ] {
        let reply = bed.ask(VIEWER, command).await;
        assert_eq!(foreign(&reply.content), [""; 0], "{command}");
    }
    // In a group, a press leaves the card as administrators see it, and what a button does is checked by who presses it.
    let group = bed.ask_in(ADMIN, GROUP, "/user alice", true).await;
    assert!(!foreign(&group.content).is_empty());
    bed.press(VIEWER, &group.message_id, json!({"action": "quota.open"})).await;
    let content = bed.feishu.message(&group.message_id).unwrap().content;
    assert!(!foreign(&content).is_empty(), "{content}");
    let card = bed.ask(VIEWER, "/user alice").await;
    for (value, form, needs) in actions() {
        if needs == Admin || form.is_some() {
            continue;
        }
        bed.forged(VIEWER, &card.message_id, value.clone(), None).await;
        let content = bed.feishu.message(&card.message_id).unwrap().content;
        assert_eq!(foreign(&content), [""; 0], "{value}");
    }
}
