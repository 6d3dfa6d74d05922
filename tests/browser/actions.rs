//! Each action of the cards, by a real click.

use std::collections::BTreeSet;

use airgate::cards::{Locale, Wording};
use serde_json::json;

use crate::bed::{Bed, ENGLISH, last, run};

/// What the service's words for a button are.
fn word(key: &str) -> String {
    Wording::new(Locale::EnUs).t(key, &[])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn each_action_of_a_card_is_answered() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;

        // The list: a filter, a search, a user.
        bed.ask("/users").await;
        bed.press_first("button.btn").await;
        bed.type_into(&last("input"), "wang").await;
        bed.press(&word("users.search")).await;
        bed.press_first("[data-tag=interactive_container]").await;

        // Projects of the user.
        bed.press(&word("button.projects")).await;
        bed.press(&word("project.turn_off")).await;
        bed.press(&word("project.turn_on")).await;
        bed.press(&word("projects.all_off")).await;
        bed.press(&word("projects.all_on")).await;
        let typed = json!(word("projects.typed_hint"));
        bed.type_into(&last(&format!("input[placeholder={typed}]")), "hello-ai").await;
        bed.press(&word("projects.add")).await;
        bed.until(
            "[...document.querySelectorAll('.card')].at(-1).textContent.includes('hello-ai')",
        )
        .await;
        bed.press(&word("project.remove")).await;

        // Quota, spending, alerts.
        bed.ask("/user wang.fang").await;
        bed.press(&word("button.top_up")).await;
        bed.type_into(
            &last(&format!("input[placeholder={}]", json!(word("quota.amount_hint")))),
            "100",
        )
        .await;
        bed.press(&word("quota.submit")).await;
        bed.ask("/billing").await;
        bed.click(&last("button.select"), "").await;
        let before = bed.js("window.answered.length").await;
        bed.click(".popup [role=option]", "").await;
        bed.until(&format!("window.answered.length > {before}")).await;
        bed.ask("/alerts").await;
        bed.press(&word("alerts.all")).await;

        // Access, of a user who has a key and a login.
        bed.ask("/user sun.xiao").await;
        bed.press(&word("button.disable")).await;
        bed.press(&word("button.enable")).await;

        // The monitor.
        bed.ask("/monitor").await;
        bed.press(&word("monitor.run")).await;

        let answered = bed.js("window.answered").await;
        let answered = answered.as_array().unwrap();
        let refused: Vec<_> = answered
            .iter()
            .filter(|click| !click["error"].is_null() || click["toast"]["type"] == "error")
            .collect();
        assert!(refused.is_empty(), "{refused:?}");
        let clicked: BTreeSet<&str> =
            answered.iter().filter_map(|click| click["action"].as_str()).collect();
        let all = [
            "users.list",
            "user.open",
            "user.disable",
            "user.enable",
            "projects.open",
            "projects.toggle_all",
            "project.add",
            "project.remove",
            "project.toggle",
            "quota.open",
            "quota.allocate",
            "billing.open",
            "alerts.list",
            "monitor.run",
        ];
        assert_eq!(clicked, all.into_iter().collect());
    })
    .await;
}
