//! Faults and time, driven from the controls panel.

use crate::bed::{Bed, ENGLISH, card_shows, choose, run};

fn panel(text: &str) -> String {
    format!("document.querySelector('#panel').textContent.includes('{text}')")
}

/// Whether the last cycle ended with this result.
fn last_cycle(result: &str) -> String {
    format!(
        "[...document.querySelectorAll('#panel .panel-fact span')].some((span) => span.textContent === '{result}')"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn messages_that_feishu_refuses_stay_owed_and_arrive_later() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        choose(bed, "feishu", "errors").await;
        let before = bed.cards().await;
        bed.type_into("#composer textarea", "/users").await;
        bed.click("#composer .send", "").await;
        bed.until(&panel("1 pending")).await;
        bed.until(&panel("502")).await;
        assert_eq!(bed.cards().await, before);
        choose(bed, "feishu", "none").await;
        bed.until(&format!("document.querySelectorAll('#thread article.card').length > {before}"))
            .await;
        bed.until(&panel("Outbox empty")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn a_broken_cloud_makes_a_cycle_incomplete_until_it_recovers() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.until(&last_cycle("complete")).await;
        choose(bed, "volcengine", "refused").await;
        bed.click("[data-name=monitor]", "").await;
        bed.until(&last_cycle("incomplete")).await;
        bed.until(&panel("injected fault")).await;
        choose(bed, "volcengine", "none").await;
        bed.click("[data-name=monitor]", "").await;
        bed.until(&last_cycle("complete")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_next_month_begins_and_everything_goes_on() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        let last = "document.querySelector('.panel-fact time').dateTime";
        let before = bed.js(last).await;
        bed.click("[data-name=month]", "").await;
        bed.until(&format!(
            "new Date({last}) - new Date({before}) > 3600e3 && {}",
            last_cycle("complete")
        ))
        .await;
        // The next cycle is still ahead, and people are answered.
        bed.until(
            "(() => { const times = document.querySelectorAll('.panel-fact time'); \
              return new Date(times[1].dateTime) > new Date(times[0].dateTime); })()",
        )
        .await;
        bed.ask("/users").await;
        bed.press_first(".interactive, [data-tag=interactive_container]").await;
        assert_eq!(bed.last_answer().await["error"], serde_json::Value::Null);
        // Spending in the new month is read.
        bed.click("[data-name=spend] button[type=submit]", "").await;
        bed.until("document.querySelector('.toast-success')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn spending_grows_by_itself_until_somebody_stops_it() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        // Off by default.
        let speed = "document.querySelector('[data-name=speed] select').value";
        assert_eq!(bed.js(speed).await, "off");
        bed.converse("group").await;
        choose(bed, "speed", "fast").await;
        // From 48 % of the quota over its first threshold.
        let warned = "[...document.querySelectorAll('.card')].some((card) => \
            card.textContent.includes('chen.yutong reached 50%'))";
        bed.until(warned).await;
        choose(bed, "speed", "off").await;
        bed.until("document.querySelector('.toast-info')").await;
        bed.converse("direct").await;
        bed.ask("/user chen.yutong").await;
        bed.until(&card_shows("Close to the limit: 50%")).await;
    })
    .await;
}
