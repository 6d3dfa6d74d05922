//! Dark mode, a phone's width, a refused form, other people.

use airgate::cards::{Locale, Wording};

use crate::bed::{Bed, Browser, ENGLISH, last, run};

/// Commands whose cards together show every colour, field and list.
const CARDS: [&str; 14] = [
    "/help",
    "/users",
    "/user wang.fang",
    "/user train-runner",
    "/quota wang.fang",
    "/billing",
    "/projects wang.fang",
    "/alerts",
    "/monitor",
    "/config",
    "/accounts",
    "/create",
    "/disable sun.xiao",
    "/enable train-runner",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn nothing_is_wider_than_a_phone() {
    let phone = Browser { width: 360, height: 740, phone: true, ..ENGLISH };
    run(phone, async |bed: &Bed| {
        let fits = "[document.documentElement, document.body, document.querySelector('#thread'), \
            document.querySelector('.side')].every((node) => node.scrollWidth <= node.clientWidth) \
            && document.documentElement.scrollWidth <= 360";
        bed.open().await;
        assert_eq!(bed.js(fits).await, true, "the list of conversations");
        bed.converse("direct").await;
        for command in CARDS {
            bed.ask(command).await;
            assert_eq!(bed.js(fits).await, true, "{command}");
            let out = "[...document.querySelectorAll('.card *')].filter((node) => node.checkVisibility() \
                && node.getBoundingClientRect().right > innerWidth + 1 && !node.closest('.table-scroll, [data-tag=table], svg')) \
                .map((node) => `${node.tagName}.${node.className}: ${node.textContent.slice(0, 40)}`)";
            assert_eq!(bed.js(out).await, serde_json::json!([]), "{command}: cut off on the right");
        }
        bed.click("#controls-open", "").await;
        bed.until("document.querySelector('#controls').checkVisibility()").await;
        assert_eq!(bed.js(fits).await, true, "the controls");
    })
    .await;
}

/// The contrast of every text, and of every placeholder in an empty field, against its background, as WCAG 2.2 defines it
/// (1.4.3: at least 4.5, 3 for large text). Colours are drawn on a canvas to resolve any notation. Disabled elements are
/// exempt, bars are not text. Returns the lightness of the page, how many texts were measured, and those that fail.
const CONTRAST: &str = r#"
    const brush = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    brush.canvas.width = brush.canvas.height = 1;
    const rgba = (color) => { brush.clearRect(0, 0, 1, 1); brush.fillStyle = color; brush.fillRect(0, 0, 1, 1);
      return [...brush.getImageData(0, 0, 1, 1).data]; };
    const over = (top, below) => { const a = top[3] / 255;
      return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(255); };
    const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (node) => { const layers = [];
      for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
      return layers.reverse().reduce((below, layer) => over(layer, below), [128, 128, 128, 255]); };
    const bad = [];
    let seen = 0;
    for (const node of document.querySelectorAll('body *')) {
      // A bar drawn with lines is no text.
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && !/^━*$/.test(child.data.trim()));
      const field = node.matches('input:not([type=checkbox]), textarea');
      if (!(own || field) || !node.checkVisibility()
        || node.closest('.md-bar, [aria-disabled=true], :disabled, option, .sr-only, title')) continue;
      seen += 1;
      const svg = node.closest('svg');
      const back = behind(svg ? svg.parentElement : node);
      const style = getComputedStyle(node, field && node.value === '' ? '::placeholder' : null);
      const front = over(rgba(svg ? style.fill : style.color), back);
      const [a, b] = [light(front), light(back)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 600);
      if (ratio < (large ? 3 : 4.5))
        bad.push(`${ratio.toFixed(2)} ${node.tagName}.${node.className}: ${(node.textContent || node.placeholder).slice(0, 40)}`);
    }
    return [light(behind(document.body)), seen, bad];"#;

async fn everything_is_readable(browser: Browser) {
    run(browser, async |bed: &Bed| {
        bed.open().await;
        for place in ["group", "direct"] {
            bed.converse(place).await;
            if place == "direct" {
                for command in CARDS {
                    bed.ask(command).await;
                }
                // Balances arrive after the card.
                bed.until("document.querySelector('#thread').textContent.includes('¥1,180.50')")
                    .await;
            }
            let answer = bed.client.execute(CONTRAST, Vec::new()).await.unwrap();
            let page = answer[0].as_f64().unwrap();
            assert!(if browser.dark { page < 0.05 } else { page > 0.9 }, "{place}: {page}");
            assert!(answer[1].as_u64().unwrap() > 50, "{place}: {}", answer[1]);
            assert_eq!(answer[2], serde_json::json!([]), "{place}: texts that are hard to read");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn every_text_is_readable_in_light_mode() {
    everything_is_readable(ENGLISH).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn every_text_is_readable_in_dark_mode() {
    everything_is_readable(Browser { dark: true, ..ENGLISH }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn nothing_moves_for_people_who_prefer_reduced_motion() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        bed.ask("/users").await;
        let moving = "[...document.querySelectorAll('body *')].filter((node) => { const style = getComputedStyle(node); \
            const long = (text) => text.split(',').some((time) => parseFloat(time) > 0.02); \
            return !node.matches('.spinner, .is-updated') && (long(style.transitionDuration) && style.transitionProperty !== 'none' \
              || style.animationName !== 'none' && long(style.animationDuration)); }).map((node) => node.className)";
        assert_eq!(bed.js("matchMedia('(prefers-reduced-motion: reduce)').matches").await, true);
        assert_eq!(bed.js(moving).await, serde_json::json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn a_form_with_bad_input_says_what_is_wrong() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        bed.ask("/quota wang.fang").await;
        // Nothing typed: the client itself refuses.
        bed.click(&last("button.btn-primary_filled"), "").await;
        bed.until(&format!(
            "document.querySelector({})?.checkVisibility()",
            serde_json::json!(last(".field-error:not([hidden])"))
        ))
        .await;
        let amount = last(&format!(
            "input[placeholder={}]",
            serde_json::json!(Wording::new(Locale::EnUs).t("quota.amount_hint", &[]))
        ));
        // Not an amount: the service refuses, and the field keeps what was typed.
        bed.type_into(&amount, "twelve").await;
        bed.press("Allocate").await;
        let answer = bed.last_answer().await;
        assert_eq!(answer["toast"]["type"], "error", "{answer:?}");
        bed.until("document.querySelector('.toast-error')").await;
        let value = format!("document.querySelector({}).value", serde_json::json!(amount));
        assert_eq!(bed.js(&value).await, "twelve");
        // An amount.
        bed.type_into(&amount, "123.45").await;
        bed.press("Allocate").await;
        assert_eq!(bed.last_answer().await["toast"]["type"], "success");
        bed.until(
            "[...document.querySelectorAll('.card')].at(-1).textContent.includes('40,123.45')",
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn each_role_sees_what_the_service_allows() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        let forms =
            format!("document.querySelectorAll({}).length", serde_json::json!(last(".field")));
        for (person, may_read, may_write) in
            [("admin", true, true), ("viewer", true, false), ("stranger", false, false)]
        {
            bed.click(".person-card-role", person).await;
            bed.converse("direct").await;
            bed.ask("/quota wang.fang").await;
            let card = bed.js("[...document.querySelectorAll('.card')].at(-1).textContent").await;
            let card = card.as_str().unwrap();
            assert_eq!(card.contains("40,000.00"), may_read, "{person}: {card}");
            assert_eq!(bed.js(&forms).await.as_u64() > Some(0), may_write, "{person}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn no_text_of_the_controls_is_cut_off() {
    let chinese = Browser { language: "zh-CN", locale: "zh_cn", ..ENGLISH };
    for browser in [ENGLISH, chinese, Browser { width: 390, height: 844, phone: true, ..ENGLISH }] {
        run(browser, async |bed: &Bed| {
            bed.open().await;
            if browser.phone {
                bed.converse("direct").await;
                bed.click("#controls-open", "").await;
            }
            bed.until("document.querySelector('[data-name=month]')?.checkVisibility()").await;
            let cut = "[...document.querySelectorAll('#controls .btn-label, #controls .control-label, #controls h3')] \
                .filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline') \
                .map((node) => node.textContent)";
            assert_eq!(bed.js(cut).await, serde_json::json!([]), "{}", browser.locale);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_icon_says_which_theme_there_is() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        let mut icons = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let icon = bed.js("document.querySelector('#theme path').getAttribute('d')").await;
            icons.insert(icon.as_str().unwrap().to_owned());
            bed.click("#theme", "").await;
        }
        assert_eq!(icons.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn the_english_demo_has_english_names() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        for command in CARDS {
            bed.ask(command).await;
        }
        // 方舟 has no English name, and lists of commands name the Chinese ones.
        let chinese = "[...document.querySelectorAll('#thread .card, .person-card-name, .chat-name, #control-list')] \
            .filter((node) => !node.textContent.includes('/help')).map((node) => node.textContent.match(/[\\u4e00-\\u9fff]+/g)).flat() \
            .filter((text) => text !== null && text !== '方舟')";
        assert_eq!(bed.js(chinese).await, serde_json::json!([]));
    })
    .await;
}
