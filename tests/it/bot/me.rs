//! `/me`: a person's own users, and nobody else's.

use airgate::sandbox::world::World;
use rust_decimal::Decimal;
use serde_json::json;

use crate::bed::{ADMIN, Bed, STRANGER, VIEWER, one_account, phrase, text_of};

fn cloud() -> World {
    let mut cloud = one_account();
    for (name, project) in [("alice", "team-a"), ("bob", "team-b")] {
        cloud.account_mut("main").unwrap().add_user(name);
        cloud.account_mut("main").unwrap().add_project(project, project);
    }
    for (project, fen) in [("team-a", 1234), ("team-b", 5678)] {
        let period = "2026-11".parse().unwrap();
        cloud.account_mut("main").unwrap().spend(project, Decimal::new(fen, 2), period);
    }
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_sees_their_own_users_only() {
    let bed = Bed::start(cloud()).await;
    bed.sync().await;
    for (name, project, owner) in [("alice", "team-a", STRANGER), ("bob", "team-b", VIEWER)] {
        let card = bed.ask(ADMIN, &format!("/projects {name}")).await;
        bed.submit(ADMIN, &card.message_id, "project.add", json!({"project": [project]})).await;
        bed.ask(ADMIN, &format!("/quota {name} 100")).await;
        let value = json!({"action": "user.configure", "user": format!("main/{name}")});
        bed.forged(ADMIN, &card.message_id, value, Some(json!({"owner": owner}))).await;
    }
    bed.cycle().await;
    let mine = text_of(&bed.ask(STRANGER, "/me").await);
    for shown in ["alice", "team-a", "¥12.34", "¥100.00", "12.3%"] {
        assert!(mine.contains(shown), "{shown}: {mine}");
    }
    assert!(!mine.contains("bob") && !mine.contains("56.78"), "{mine}");
    assert!(text_of(&bed.ask(VIEWER, "我的").await).contains("¥56.78"));
    let nobody = text_of(&bed.ask(ADMIN, "/me").await);
    assert!(nobody.contains(&phrase("me.nobody")), "{nobody}");
}
