//! The parts that clients play. Each works on one user, so that the outcome is known exactly, whatever happens to the service.
//! After [`Stage::finish`], a part completes what it has started and ends.

use std::sync::Arc;
use std::time::Duration;

use airgate::domain::{AccessGoal, Money};
use rand::RngExt;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::person::Person;
use crate::shared::text::{fragment, phrase};
use crate::stage::{
    BANKS, GATES, PLANNERS, PROJECTS, RACERS, SPENDERS, Stage, TALK, TUNED, UNUSED, cut, keeper,
};
use crate::{checks, rounds};

/// Starts every part.
pub fn begin(stage: &Arc<Stage>) -> Vec<JoinHandle<()>> {
    let mut parts = Vec::new();
    let person = |name: &str| Person::new(stage, &keeper(name));
    parts.extend(BANKS.map(|user| tokio::spawn(treasurer(person(user), user))));
    parts.extend(PLANNERS.map(|user| tokio::spawn(planner(person(user), user))));
    parts.extend(GATES.map(|user| tokio::spawn(gatekeeper(person(user), user))));
    parts.extend(TUNED.map(|user| tokio::spawn(tuner(person(user), user))));
    parts.extend(SPENDERS.map(|user| tokio::spawn(rounds::spender(person(user), user))));
    parts.extend(RACERS.map(|user| tokio::spawn(rounds::racer(person(user), user))));
    parts.push(tokio::spawn(maker(Person::new(stage, "ou_maker"))));
    for talker in ["ou_talker", "ou_viewer"] {
        parts.push(tokio::spawn(talker_of(Person::new(stage, talker))));
    }
    parts
}

/// Starts only parts that change access manually, for every user of [`cut`].
pub fn begin_with_access_only(stage: &Arc<Stage>) -> Vec<JoinHandle<()>> {
    cut().map(|user| tokio::spawn(gatekeeper(Person::new(stage, &keeper(user)), user))).collect()
}

/// `-1,234.56` as people type it.
fn typed(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.abs() / 100, fen.abs() % 100)
}

/// Changes a quota by command and by form.
async fn treasurer(mut me: Person, user: &'static str) {
    let mut card = me.ask(&format!("/quota {user}")).await.message_id;
    for n in 0.. {
        if me.stage.is_over() {
            return;
        }
        let fen = match me.rng.random_range(-50_000..90_000) {
            0 => 1,
            fen => fen,
        };
        let (amount, note) = (typed(fen), format!("{user} no. {n}"));
        if me.rng.random_ratio(1, 2) {
            let id = me.say(&format!("/quota {user} {amount} {note}")).await;
            me.stage.books.lock().booked(user, &note, Money::from_fen(fen));
            if me.rng.random_ratio(1, 3) {
                card = me.reply(&id, "/quota").await.message_id;
            }
        } else {
            let fields = json!({"amount": amount, "note": note});
            let form = me.form(&card, "quota.allocate", fields).expect("the quota card's form");
            me.do_press(&card, form).await;
            me.stage.books.lock().booked(user, &note, Money::from_fen(fen));
        }
        me.pause(60).await;
    }
}

/// Links projects, switches and removes them.
async fn planner(mut me: Person, user: &'static str) {
    let mut card = me.ask(&format!("/projects {user}")).await.message_id;
    while !me.stage.is_over() {
        let links = me.stage.books.lock().links.get(user).cloned().unwrap_or_default();
        let project = PROJECTS[me.rng.random_range(0..PROJECTS.len())];
        let (action, becomes) = match links.get(project) {
            None => ("project.add", Some(true)),
            Some(_) if me.rng.random_ratio(1, 2) => ("project.remove", None),
            Some(on) => ("project.toggle", Some(!on)),
        };
        let all = me.rng.random_ratio(1, 8) && links.len() > 1;
        let found = if all {
            let on = links.values().any(|on| !on);
            me.button_with(&card, "projects.toggle_all", |value| value["enabled"] == on)
        } else if action == "project.add" {
            me.form(&card, action, json!({"project": [project], "counts": "whole"}))
        } else {
            me.button_with(&card, action, |value| {
                value["project"] == project
                    && (action == "project.remove" || value["enabled"] == becomes.unwrap())
            })
        };
        // An update that arrived late may have put an older state on the card.
        let Some(action) = found else {
            card = me.ask(&format!("/projects {user}")).await.message_id;
            continue;
        };
        let on = action.value.as_ref().unwrap()["enabled"] == true;
        me.do_press(&card, action).await;
        {
            let mut books = me.stage.books.lock();
            let links = books.links.entry(user.to_owned()).or_default();
            if all {
                links.values_mut().for_each(|link| *link = on);
            } else if let Some(on) = becomes {
                links.insert(project.to_owned(), on);
            } else {
                links.remove(project);
            }
        }
        me.pause(80).await;
    }
}

/// Cuts and restores access manually, each time until the card confirms it.
async fn gatekeeper(mut me: Person, user: &'static str) {
    let mut goal = AccessGoal::Cut;
    while !me.stage.is_over() {
        change_access(&mut me, user, goal).await;
        goal = match goal {
            AccessGoal::Cut => AccessGoal::Restored,
            AccessGoal::Restored => AccessGoal::Cut,
        };
        me.pause(50).await;
    }
}

/// Requests a change of access and waits until the card confirms it, which must be true at that moment.
pub async fn change_access(me: &mut Person, user: &str, goal: AccessGoal) {
    let (command, action, opposite) = match goal {
        AccessGoal::Cut => ("disable", "user.disable", AccessGoal::Restored),
        AccessGoal::Restored => ("enable", "user.enable", AccessGoal::Cut),
    };
    let card = me.ask(&format!("/{command} {user}")).await.message_id;
    let button = me.button(&card, action).expect("the confirmation button");
    me.do_press(&card, button).await;
    me.stage.books.lock().changed(user, goal);
    me.offers(&card, opposite).await;
    checks::holds(&me.stage, user, goal);
}

/// Saves remarks.
async fn tuner(mut me: Person, user: &'static str) {
    for n in 0.. {
        if me.stage.is_over() {
            return;
        }
        let card = me.ask(&format!("/user {user}")).await.message_id;
        let open = me.button(&card, "user.configure").expect("the settings button");
        me.do_press(&card, open).await;
        let remark = format!("remark no. {n}");
        let form = me.form(&card, "user.configure", json!({"remark": remark}));
        me.do_press(&card, form.expect("the settings form")).await;
        me.stage.books.lock().remarks.insert(user.to_owned(), remark);
        me.pause(200).await;
    }
}

/// Creates users with everything; continues creations that stop halfway.
async fn maker(mut me: Person) {
    for (n, project) in UNUSED.into_iter().enumerate() {
        if me.stage.is_over() {
            return;
        }
        let name = format!("made-{n}");
        let card = me.ask("/create").await.message_id;
        let fields = json!({"username": name, "project": project, "quota": "50", "login": true,
            "access_key": true});
        let first = me.form(&card, "user.create", fields).expect("the form");
        me.do_press(&card, first).await;
        me.stage.books.lock().made.insert(name.clone(), Money::from_fen(5_000));
        let mut pauses = 0;
        while !is_made(&me, &card).await {
            assert!(pauses < 100, "seed {}: {name} makes no progress", me.stage.seed);
            if let Some(resume) = me.button(&card, "user.create") {
                me.do_press(&card, resume).await;
                continue;
            }
            // The card says that nothing was created, and shows the form again. An update may still be on its way, so the
            // form is sent again only after a while; a refusal is fine if the user has been created meanwhile.
            pauses += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if pauses % 3 == 0
                && let Some(form) = me.form(&card, "user.create", json!({}))
            {
                let toast = me.press(&card, form).await;
                if toast.starts_with("error") && is_complete(&me.stage, &name) {
                    break;
                }
            }
        }
        me.pause(400).await;
    }
}

/// Waits until the card says how a creation ended. Returns whether it is complete.
async fn is_made(me: &Person, card: &str) -> bool {
    let ended = || {
        let content = me.stage.feishu.message(card)?.content;
        (!content.contains(&phrase("create.running_text"))).then_some(content)
    };
    me.stage.until("the end of a creation", ended).await.contains(&fragment("create.made"))
}

/// Whether the user is complete in the cloud.
fn is_complete(stage: &Stage, name: &str) -> bool {
    stage.cloud.read(|world| {
        world.user("main", name).is_some_and(|user| user.keys.len() == 1 && user.login.allowed())
    })
}

/// Sends various commands in various chats.
async fn talker_of(mut me: Person) {
    const COMMANDS: [&str; 9] = [
        "/help",
        "/users",
        "/user bank-1",
        "/billing",
        "/alerts",
        "/me",
        "/nonsense",
        "/quota spend-1",
        "/export ledger",
    ];
    while !me.stage.is_over() {
        let text = COMMANDS[me.rng.random_range(0..COMMANDS.len())];
        // A file follows the card.
        let due = if text.starts_with("/export") { 2 } else { 1 };
        if me.rng.random_ratio(1, 3) {
            me.say_in(TALK, text, true, due).await;
        } else {
            let chat = me.stage.feishu.direct_chat(&me.id);
            me.say_in(&chat, text, false, due).await;
        }
        me.pause(150).await;
    }
}
