//! How many presses and keys the usual tasks take. What counts is what a person does after the card or the conversation from
//! which the task begins.

use airgate::cards::{Locale, Wording};
use serde_json::json;

use crate::bed::{Bed, ENGLISH, card_shows, last, run};

fn word(key: &str) -> String {
    Wording::new(Locale::EnUs).t(key, &[])
}

/// Begins to count.
async fn begin(bed: &Bed) {
    bed.js(
        "(() => { \
           if (!window.effort) { \
             for (const [kind, counter] of [['click', 'presses'], ['keydown', 'keys']]) \
               addEventListener(kind, (event) => { if (event.isTrusted) window.effort[counter] += 1; }, true); \
           } \
           window.effort = {presses: 0, keys: 0}; return true; })()",
    )
    .await;
}

/// Presses and keys since then.
async fn effort(bed: &Bed) -> (u64, u64) {
    let effort = bed.js("window.effort").await;
    (effort["presses"].as_u64().unwrap(), effort["keys"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_usual_tasks_take_a_press_or_two() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        // Who is near the limit: the list says it first.
        begin(bed).await;
        bed.press(&word("button.users")).await;
        let rows = json!(last("[data-tag=interactive_container]"));
        let percents = format!(
            "[...document.querySelectorAll({rows})].map((row) => parseFloat(/([\\d.]+)%/.exec(row.textContent.split('›')[0])?.[1] ?? 'NaN'))"
        );
        bed.until(&format!("{percents}.length === 10")).await;
        let percents = bed.js(&percents).await;
        let percents: Vec<f64> = percents.as_array().unwrap().iter().filter_map(|it| it.as_f64()).collect();
        assert!(percents.len() > 5 && percents.is_sorted_by(|a, b| a >= b), "{percents:?}");
        assert_eq!(effort(bed).await, (1, 0));

        // What one user spent last month.
        bed.ask("/billing").await;
        begin(bed).await;
        bed.press(&word("billing.previous")).await;
        bed.press_first("[data-tag=interactive_container]").await;
        bed.until(&card_shows(&word("billing.months"))).await;
        assert_eq!(effort(bed).await, (2, 0));

        // The month as a file.
        bed.ask("/billing").await;
        begin(bed).await;
        bed.press(&word("billing.export")).await;
        bed.until("document.querySelector('a.file')").await;
        assert_eq!(effort(bed).await, (1, 0));

        // Many users at once, from a list that is searched already: a field that is typed into takes a press too.
        for (field, text, preview) in [
            (Some("bulk.amount"), "10", "bulk.allocate"),
            (Some("bulk.amount"), "5000", "bulk.month_limit"),
            (Some("bulk.thresholds"), "60,90", "bulk.set_thresholds"),
            (None, "", "bulk.switch_on"),
            (None, "", "bulk.switch_off"),
            (Some("bulk.project_name"), "bulk-project", "bulk.link_part"),
        ] {
            bed.ask("/users wang").await;
            begin(bed).await;
            bed.press(&word("bulk.button")).await;
            if let Some(field) = field {
                let field = crate::actions::of_label(bed, field).await;
                bed.click(&field, "").await;
                bed.type_into(&field, text).await;
            }
            bed.press(&word(preview)).await;
            crate::actions::apply(bed).await;
            bed.until(&card_shows(&word("batch.word_applied"))).await;
            let (presses, _) = effort(bed).await;
            assert_eq!(presses, if field.is_some() { 4 } else { 3 }, "{preview}");
        }

        // The group for alerts, where there is none yet.
        bed.ask("/config").await;
        crate::actions::fill(bed, "config.chat", "-").await;
        bed.press(&word("config.save")).await;
        bed.converse("group").await;
        bed.ask("/help").await;
        begin(bed).await;
        bed.press(&word("welcome.alert_here")).await;
        let told = serde_json::json!(word("toast.alerts_here"));
        bed.until(&format!(
            "[...document.querySelectorAll('.toast')].some((toast) => toast.textContent.includes({told}))"
        ))
        .await;
        assert_eq!(effort(bed).await, (1, 0));
    })
    .await;
}
