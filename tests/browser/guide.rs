//! The guided first minute.

use fantoccini::key::Key;

use crate::bed::{Bed, Browser, ENGLISH, run};

const STEPS: [&str; 12] = [
    "list", "open", "project", "quota", "spend", "monitor", "warning", "grow", "cut", "disable",
    "topup", "enable",
];

/// Where the page is: the step, and whether something is ringed that was not pressed yet.
async fn step(bed: &Bed) -> String {
    let step = bed.js("document.querySelector('#guide').dataset.step").await;
    step.as_str().unwrap().to_owned()
}

/// Waits for a ring, or for the end of the guide.
async fn ringed(bed: &Bed) {
    bed.until(
        "document.querySelector('[data-ring]:not([data-pressed])') \
          || document.querySelector('#guide').dataset.step === 'end'",
    )
    .await;
}

/// Whether the middle of what is ringed can be seen, and has nothing above it.
const IN_SIGHT: &str = "(() => { const ring = document.querySelector('[data-ring]'); \
    if (!ring) return false; const box = ring.getBoundingClientRect(); \
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2); \
    return ring.contains(top); })()";

/// Does what the guide asks for, by pressing what is ringed and nothing else. Returns the steps in order.
async fn follow(bed: &Bed) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for _ in 0..60 {
        ringed(bed).await;
        let step = step(bed).await;
        if step == "end" {
            return steps;
        }
        if steps.last() != Some(&step) {
            assert!(!steps.contains(&step), "{step} twice");
            if step == "disable" {
                // The cut holds for every kind of key, also for those that belong to the project.
                for (kind, answer) in [
                    ("endpoint", "400 InvalidEndpoint.ClosedEndpoint"),
                    ("temporary", "400 InvalidEndpoint.ClosedEndpoint"),
                    ("model_id", "429 RateLimitExceeded.EndpointRPMExceeded"),
                ] {
                    call_until(bed, kind, answer).await;
                }
            }
            steps.push(step);
        }
        bed.until(IN_SIGHT).await;
        bed.js("(document.querySelector('[data-pressed]')?.removeAttribute('data-pressed'), true)")
            .await;
        // Marked by the press itself, so that the next ring is another one.
        bed.js(
            "(addEventListener('click', (event) => { const ring = event.target.closest('[data-ring]'); \
               if (ring) ring.dataset.pressed = ''; }, { capture: true, once: true }), true)",
        )
        .await;
        bed.click("[data-ring]", "").await;
        // The next step may ring the same button.
        let was = serde_json::json!(steps.last());
        bed.until(&format!(
            "!document.querySelector('[data-ring][data-pressed]') \
               || document.querySelector('#guide').dataset.step !== {was}"
        ))
        .await;
        bed.js("(document.querySelector('[data-pressed]')?.removeAttribute('data-pressed'), true)")
            .await;
    }
    panic!("the guide does not end: {steps:?}");
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
        bed.open_guided().await;
        assert_eq!(follow(bed).await, STEPS);
        bed.until("document.querySelector('.guide-count').textContent === '✓'").await;

        for kind in ["endpoint", "temporary", "model_id"] {
            call_until(bed, kind, "200 OK").await;
        }

        // The warning in the group says that it is dealt with, and the user has access again.
        bed.converse("group").await;
        let warned = "[...document.querySelectorAll('.card')].some((card) => card.textContent.includes('an.qi') \
            && card.querySelector('.card-header')?.dataset.template === 'green')";
        bed.until(warned).await;
        bed.converse("direct").await;
        bed.ask("/user an.qi").await;
        let card = bed.js("[...document.querySelectorAll('.card')].at(-1).textContent").await;
        let card = card.as_str().unwrap();
        assert!(card.contains("2,000.00") && card.contains("1,050.00"), "{card}");

        // Nothing is ringed any more. Once hidden, the guide stays hidden until it is opened.
        assert_eq!(bed.js("document.querySelector('[data-ring]')").await, serde_json::Value::Null);
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
async fn the_guide_works_by_keyboard_and_escape_hides_it() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open_guided().await;
        // The conversation, then the command that is in the box.
        for done in [
            "document.querySelector('#composer textarea').value === '/users'",
            "document.querySelector('#guide').dataset.step === 'open'",
        ] {
            bed.until("document.activeElement?.matches('[data-ring]')").await;
            // One that is drawn again in between takes no key.
            let enter = char::from(Key::Enter).to_string();
            while bed.client.active_element().await.unwrap().send_keys(&enter).await.is_err() {
                bed.until("document.activeElement?.matches('[data-ring]')").await;
            }
            bed.until(done).await;
        }
        // Her row is on the list's second page, so it is a command again.
        bed.until("document.activeElement?.matches('.send[data-ring]')").await;
        let escape = char::from(Key::Escape).to_string();
        bed.client.active_element().await.unwrap().send_keys(&escape).await.unwrap();
        bed.until(
            "document.querySelector('#guide').hidden && !document.querySelector('[data-ring]')",
        )
        .await;
        // The controls stay open beside the conversation, and lead back.
        bed.click("#guide-open", "").await;
        bed.until("document.querySelector('.send[data-ring]')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_guide_presses_for_who_asks_it_to() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open_guided().await;
        for _ in 0..20 {
            if step(bed).await == "quota" {
                return;
            }
            bed.until("document.querySelector('[data-ring]') && !document.querySelector('.guide-go.is-busy')").await;
            bed.click(".guide-go", "").await;
        }
        panic!("three steps take fewer presses");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_guide_leaves_alone_what_somebody_is_typing() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open_guided().await;
        bed.converse("direct").await;
        bed.until("document.querySelector('.send[data-ring]')").await;
        bed.type_into("#composer textarea", "my own words").await;
        bed.until("document.querySelector('#composer textarea').matches('[data-ring]')").await;
        assert_eq!(
            bed.js("document.querySelector('#composer textarea').value").await,
            "my own words"
        );
        // Its own command disappears with its step.
        bed.type_into("#composer textarea", "/users").await;
        bed.until("document.querySelector('.send[data-ring]')").await;
        bed.click("#chips .chip", "/users").await;
        bed.until("document.querySelector('#guide').dataset.step === 'open'").await;
        bed.until("document.querySelector('#composer textarea').value !== '/users'").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_guide_begins_again_with_new_data() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open_guided().await;
        bed.click(".guide-close", "").await;
        bed.until("document.querySelector('#guide').hidden").await;
        // As if this browser had closed the guide of a demo before this one.
        bed.js("(localStorage.setItem('guide', JSON.stringify({ ...JSON.parse(localStorage.getItem('guide')), born: 'before' })), true)").await;
        bed.client.refresh().await.unwrap();
        bed.until("document.querySelector('.chat-row') && !document.querySelector('#guide').hidden").await;
        assert_eq!(step(bed).await, "list");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_guide_notices_steps_taken_without_it() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open_guided().await;
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
