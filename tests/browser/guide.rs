//! The guided first minute.

use crate::bed::{Bed, Browser, ENGLISH, run};

const STEPS: [&str; 11] = [
    "list", "open", "project", "quota", "spend", "monitor", "warning", "grow", "disable", "topup",
    "enable",
];

/// Clicks through the guide. Returns its steps.
async fn follow(bed: &Bed) -> Vec<String> {
    let mut pressed = Vec::new();
    loop {
        let step = bed.js("document.querySelector('#guide').dataset.step").await;
        let step = step.as_str().unwrap().to_owned();
        if step == "end" {
            return pressed;
        }
        assert!(!pressed.contains(&step), "{step} twice");
        bed.click(".guide-go", "").await;
        bed.until(&format!("document.querySelector('#guide').dataset.step !== '{step}'")).await;
        if step == "grow" {
            // The cut holds for every kind of key, also for those that belong to the project.
            for (kind, answer) in [
                ("endpoint", "400 InvalidEndpoint.ClosedEndpoint"),
                ("temporary", "400 InvalidEndpoint.ClosedEndpoint"),
                ("model_id", "429 RateLimitExceeded.EndpointRPMExceeded"),
            ] {
                call_until(bed, kind, answer).await;
            }
        }
        pressed.push(step);
    }
}

/// Calls a model with a kind of key until the answer is this one: a cut takes some seconds.
async fn call_until(bed: &Bed, kind: &str, answer: &str) {
    bed.until(&format!(
        "(() => {{ const button = document.querySelector('[data-models={kind}]'); \
           if (!button.classList.contains('is-busy')) button.click(); \
           return button.closest('li').querySelector('.models-answer').textContent \
             .startsWith('{answer}'); }})()"
    ))
    .await;
}

async fn first_minute(browser: Browser) {
    run(browser, async |bed: &Bed| {
        bed.open().await;
        assert_eq!(follow(bed).await, STEPS);
        bed.until("document.querySelector('.guide-count').textContent === '✓'").await;

        for kind in ["endpoint", "temporary", "model_id"] {
            call_until(bed, kind, "200 OK").await;
        }

        // Both alerts are in the group, and the user has access again.
        bed.converse("group").await;
        for header in ["orange", "red"] {
            bed.until(&format!(
                "[...document.querySelectorAll('.card')].some((card) => card.textContent.includes('an.qi') \
                  && card.querySelector('.card-header')?.dataset.template === '{header}')"
            ))
            .await;
        }
        bed.converse("direct").await;
        bed.ask("/user an.qi").await;
        let card = bed.js("[...document.querySelectorAll('.card')].at(-1).textContent").await;
        let card = card.as_str().unwrap();
        assert!(card.contains("2,000.00") && card.contains("1,050.00"), "{card}");

        // Once hidden, the guide stays hidden until it is opened.
        bed.click(".guide-go", "").await;
        bed.until("document.querySelector('#guide').hidden").await;
        bed.client.refresh().await.unwrap();
        bed.until("document.querySelector('.chat-row') && !document.querySelector('#guide-open').hidden")
            .await;
        assert_eq!(bed.js("document.querySelector('#guide').hidden").await, true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_first_minute_from_start_to_end() {
    first_minute(ENGLISH).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_first_minute_on_a_phone_in_chinese() {
    first_minute(Browser {
        language: "zh-CN",
        locale: "zh_cn",
        width: 390,
        height: 844,
        phone: true,
        ..ENGLISH
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_guide_notices_steps_taken_without_it() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        bed.ask("/users").await;
        bed.until("document.querySelector('#guide').dataset.step === 'open'").await;
        bed.ask("/quota an.qi 500").await;
        bed.until("document.querySelector('#guide').dataset.step === 'spend'").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn a_model_is_called_with_each_kind_of_key() {
    let phone = Browser { width: 390, height: 844, phone: true, ..ENGLISH };
    for browser in [ENGLISH, phone] {
        run(browser, async |bed: &Bed| {
            bed.open().await;
            if browser.phone {
                bed.converse("direct").await;
                bed.click("#controls-open", "").await;
            }
            for kind in ["endpoint", "temporary", "model_id"] {
                bed.click(&format!("[data-models={kind}]"), "").await;
                bed.until(&format!(
                    "document.querySelector('[data-models={kind}]').closest('li') \
                       .querySelector('.models-answer').textContent.startsWith('200 OK')"
                ))
                .await;
            }
        })
        .await;
    }
}
