//! Each action of the cards, by a real click, including refused forms. An action that the code declares but that is
//! never clicked here fails the test.

use std::collections::BTreeSet;

use airgate::bot::ACTIONS;
use airgate::cards::{Locale, Wording};
use serde_json::{Value, json};

use crate::bed::{Bed, ENGLISH, card_shows, choose, last, run};

/// A text of the service.
fn word(key: &str) -> String {
    Wording::new(Locale::EnUs).t(key, &[])
}

/// A text of the service with one placeholder filled in.
fn words(key: &str, name: &str, value: &str) -> String {
    Wording::new(Locale::EnUs).t(key, &[(name, &value)])
}

/// Types into the last card's field with this label.
pub async fn fill(bed: &Bed, label: &str, text: &str) {
    bed.type_into(&of_label(bed, label).await, text).await;
}

/// The content of the last card's field with this label.
async fn filled(bed: &Bed, label: &str) -> Value {
    let field = json!(of_label(bed, label).await);
    bed.js(&format!("document.querySelector({field}).value")).await
}

/// The selector of the last card's field with this label.
pub async fn of_label(bed: &Bed, label: &str) -> String {
    let (labels, wanted) = (json!(last("label.field-label")), json!(word(label)));
    let found = format!(
        "[...document.querySelectorAll({labels})].find((label) => \
           label.textContent.replace(/ \\*$/, '') === {wanted})?.htmlFor"
    );
    bed.until(&found).await;
    format!("#{}", bed.js(&found).await.as_str().unwrap())
}

/// Chooses an option of the last card's select that still shows this hint: searches, then clicks the match.
async fn select(bed: &Bed, hint: &str, wanted: &str) {
    pick(bed, hint, wanted).await;
    bed.until("!document.querySelector('.popup')").await;
}

/// Chooses another option of the last card's select that shows this one.
async fn select_shown(bed: &Bed, shown: &str, wanted: &str) {
    pick_from(bed, shown, wanted).await;
    bed.until("!document.querySelector('.popup')").await;
}

/// Chooses one more option of a select that takes several: its list stays open.
async fn select_of_several(bed: &Bed, hint: &str, wanted: &str) {
    pick(bed, hint, wanted).await;
    let escape = "new KeyboardEvent('keydown', {key: 'Escape', bubbles: true})";
    bed.js(&format!("document.querySelector('.popup').dispatchEvent({escape})")).await;
    bed.until("!document.querySelector('.popup')").await;
}

async fn pick(bed: &Bed, hint: &str, wanted: &str) {
    pick_from(bed, &word(hint), wanted).await;
}

async fn pick_from(bed: &Bed, shown: &str, wanted: &str) {
    let open = "document.querySelector('.popup [role=option]')";
    bed.click_until(&last("button.select"), shown, open).await;
    if bed.js("document.querySelector('.list-search') !== null").await == true {
        bed.type_into(".list-search", wanted).await;
    }
    // Found and clicked in one step: typing draws the list again.
    let rows = "[...document.querySelectorAll('.popup [role=option]')]";
    let wanted = json!(wanted);
    let found = format!("{rows}.find((row) => row.textContent.includes({wanted}))");
    bed.until(&format!("(() => {{ const row = {found}; row?.click(); return !!row; }})()")).await;
}

/// Presses a button that the service must refuse: it says so, and the form is shown again.
async fn refused(bed: &Bed, label: &str) {
    bed.press(&word(label)).await;
    let answer = bed.last_answer().await;
    assert_eq!(answer["toast"]["type"], "error", "{label}: {answer:?}");
    bed.js("(window.answered.at(-1).expected = true)").await;
}

async fn the_list_and_a_user(bed: &Bed) {
    bed.ask("/users").await;
    bed.press_first("button.btn").await;
    bed.press(&word("pager.next")).await;
    bed.press(&word("pager.previous")).await;
    bed.type_into(&last("input"), "wang").await;
    bed.press(&word("users.search")).await;
    bed.press_first("[data-tag=interactive_container]").await;
    bed.until(&card_shows(&word("button.back_to_list"))).await;
    // Folded while nothing is wrong.
    bed.click(&last("button.panel-head"), "").await;
    bed.press(&word("button.recheck")).await;
    bed.until(&card_shows(&word("button.back_to_list"))).await;
    bed.press(&word("button.back_to_list")).await;
    bed.until(&card_shows(&word("users.search"))).await;
}

/// A name that nobody has: the one that was meant goes on with the command.
async fn a_candidate(bed: &Bed) {
    bed.ask("/disable wang.fan").await;
    bed.press_first("[data-tag=interactive_container]").await;
    bed.until(&card_shows(&word("access.cut_note"))).await;
}

async fn a_users_settings(bed: &Bed) {
    bed.ask("/user wang.fang").await;
    bed.press(&word("button.settings")).await;
    fill(bed, "user.thresholds", "0, 80").await;
    fill(bed, "user.remark", "asked for in the team's chat").await;
    let auto = last("[data-tag=checker]:nth-of-type(3) input");
    bed.click(&auto, "").await;
    refused(bed, "configure.save").await;
    assert_eq!(filled(bed, "user.thresholds").await, "0, 80");
    assert_eq!(filled(bed, "user.remark").await, "asked for in the team's chat");
    assert_eq!(bed.js(&format!("document.querySelector({}).checked", json!(auto))).await, false);

    fill(bed, "user.thresholds", "60, 90").await;
    // A direct chat offers the people that the bot knows: here one of its viewers.
    select(bed, "configure.owner_hint", "Leo Li").await;
    bed.press(&word("configure.save")).await;
    for text in ["60% / 90%", "asked for in the team's chat"] {
        bed.until(&card_shows(text)).await;
    }
    // By name, if it could be read.
    bed.until(&format!("{} || {}", card_shows("Leo Li"), card_shows("ou_demo_viewer"))).await;
    // Details that the cloud keeps are written there first.
    bed.press(&word("button.settings")).await;
    fill(bed, "user.email", "no address").await;
    refused(bed, "configure.save").await;
    assert_eq!(filled(bed, "user.email").await, "no address");
    fill(bed, "user.email", "wang.fang@example.org").await;
    bed.press(&word("configure.save")).await;
    bed.until(&card_shows(&word("configure.cloud_saved"))).await;
    bed.until(&card_shows("wang.fang@example.org")).await;
}

async fn the_projects(bed: &Bed) {
    bed.ask("/projects wang.fang").await;
    bed.press(&word("project.turn_off")).await;
    bed.press(&word("project.turn_on")).await;
    bed.press(&word("projects.all_off")).await;
    bed.press(&word("projects.all_on")).await;
    // An invalid month is refused, and what was typed stays.
    fill(bed, "projects.typed", "hello-ai").await;
    fill(bed, "projects.since", "2026-13").await;
    refused(bed, "projects.add").await;
    assert_eq!(filled(bed, "projects.typed").await, "hello-ai");
    assert_eq!(filled(bed, "projects.since").await, "2026-13");
    fill(bed, "projects.since", "").await;
    bed.press(&word("projects.add")).await;
    bed.until(&card_shows("hello-ai")).await;
    bed.press(&word("project.remove")).await;
    // Another one from the list. Somebody has it: that must be settled first.
    select_of_several(bed, "projects.choose", "Shop front").await;
    refused(bed, "projects.add").await;
    select(bed, "sharing.choose", &word("sharing.part_option")).await;
    bed.press(&word("projects.add")).await;
    bed.until(&card_shows("shop-web")).await;
    bed.press("‹ wang.fang").await;
    bed.press(&word("button.projects")).await;
}

async fn quota_and_spending(bed: &Bed) {
    bed.ask("/user wang.fang").await;
    bed.press(&word("button.top_up")).await;
    fill(bed, "quota.amount", "1,00").await;
    fill(bed, "quota.note", "for the new season").await;
    refused(bed, "quota.submit").await;
    assert_eq!(filled(bed, "quota.amount").await, "1,00");
    assert_eq!(filled(bed, "quota.note").await, "for the new season");
    fill(bed, "quota.amount", "100").await;
    bed.press(&word("quota.submit")).await;
    bed.until(&card_shows("for the new season")).await;
    // Taken back, by an entry of its own.
    bed.press(&word("button.undo")).await;
    bed.until(&card_shows(&word("quota.undone"))).await;

    bed.ask("/billing").await;
    bed.click(&last("button.select"), "").await;
    let before = bed.js("window.answered.length").await;
    bed.click(".popup [role=option]", "").await;
    bed.until(&format!(
        "window.answered.length > {before} && !document.querySelector('.is-locked')"
    ))
    .await;
    bed.ask("/billing").await;
    bed.press(&word("billing.list_projects")).await;
    bed.until(&card_shows("shop-web")).await;
    bed.press(&word("billing.previous")).await;
    bed.press(&word("billing.list_users")).await;
    bed.ask("/billing").await;
    bed.press(&word("pager.next")).await;
    bed.press(&word("billing.export")).await;
    bed.press_first("[data-tag=interactive_container]").await;
    bed.until(&card_shows(&word("billing.months"))).await;
    bed.press(&word("billing.everybody")).await;
}

/// The digest leads to the week before and to the month, and lists who lacks an owner.
async fn the_digest(bed: &Bed) {
    bed.ask("/report").await;
    bed.until(&card_shows(&word("digest.week"))).await;
    bed.press(&word("digest.previous_week")).await;
    bed.until(&card_shows(&word("digest.next_week"))).await;
    bed.press(&word("digest.show_month")).await;
    bed.until(&card_shows(&word("digest.month"))).await;
    bed.press(&word("digest.show_week")).await;
    bed.until(&card_shows(&word("digest.to_do"))).await;
    bed.press(&word("digest.open")).await;
}

/// A project that nobody pays for is linked from what is left of the bill; its link is switched off and on again.
async fn what_nobody_pays_for(bed: &Bed) {
    bed.ask("/billing").await;
    bed.press(&word("billing.open_rest")).await;
    bed.until(&card_shows("Video trial")).await;
    bed.until(&card_shows(&word("rest.no_project"))).await;
    bed.press(&word("rest.link")).await;
    refused(bed, "rest.submit").await;
    select(bed, "rest.choose", "sun.xiao").await;
    bed.press(&word("rest.submit")).await;
    bed.until(&format!("!{}", card_shows(&word("rest.submit")))).await;
    bed.press(&word("rest.back")).await;
    bed.until(&card_shows(&word("billing.unattributed"))).await;
    // Not monitored: the project is nobody's again, and the list says whose it was.
    bed.ask("/projects sun.xiao").await;
    bed.press(&word("projects.all_off")).await;
    bed.ask("/billing").await;
    bed.press(&word("billing.open_rest")).await;
    bed.press(&words("rest.turn_on", "user", "sun.xiao")).await;
    bed.ask("/projects sun.xiao").await;
    bed.press(&word("projects.all_on")).await;
}

async fn the_alerts(bed: &Bed) {
    bed.ask("/alerts").await;
    for kind in ["kind.disable", "kind.error", "kind.manual", "kind.warning", "alerts.all"] {
        bed.press(&counted(bed, &word(kind)).await).await;
    }
    bed.press_first("[data-tag=interactive_container]").await;
    bed.press(&word("button.back_to_alerts")).await;
    bed.press_first("[data-tag=interactive_container]").await;
    bed.press(&word("button.alerts")).await;
}

/// The label of the last card's button that begins with this word, and may go on with a count.
async fn counted(bed: &Bed, word: &str) -> String {
    let (buttons, word) = (json!(last("button.btn")), json!(word));
    let found = format!(
        "[...document.querySelectorAll({buttons})].map((button) => button.textContent.trim()) \
           .find((text) => text === {word} || text.startsWith({word} + ' '))"
    );
    bed.until(&found).await;
    bed.js(&found).await.as_str().unwrap().to_owned()
}

/// Off and on again, for a user with a key and a login; from the user's card and from the confirmation card.
async fn access(bed: &Bed) {
    let becomes = async |status: &str| {
        bed.until(&format!(
            "[...document.querySelectorAll('#thread .card-title-row')].at(-1).textContent === {}",
            json!(format!("sun.xiao{}", word(status)))
        ))
        .await;
    };
    bed.ask("/user sun.xiao").await;
    // The button asks once, and the answer does it.
    bed.press(&word("button.disable")).await;
    bed.until(&card_shows(&word("access.cut_note"))).await;
    bed.press(&word("button.disable")).await;
    becomes("status.partly").await;
    bed.press(&word("button.enable")).await;
    bed.until(&card_shows(&word("access.restore_note"))).await;
    bed.press(&word("button.enable")).await;
    becomes("condition.within").await;
    // A cut that does not get through is withdrawn.
    choose(bed, "volcengine", "errors").await;
    bed.ask("/disable sun.xiao").await;
    bed.press(&word("button.disable")).await;
    bed.press(&word("button.withdraw_cut")).await;
    choose(bed, "volcengine", "none").await;
    becomes("condition.within").await;
    // Quota and access in one.
    bed.ask("/disable sun.xiao").await;
    bed.press(&word("button.disable")).await;
    becomes("status.partly").await;
    bed.press(&word("button.top_up")).await;
    fill(bed, "quota.amount", "10").await;
    bed.press(&word("button.top_up_enable")).await;
    becomes("condition.within").await;
    bed.ask("/disable sun.xiao").await;
    bed.press(&word("button.disable")).await;
    becomes("status.partly").await;
    bed.ask("/enable sun.xiao").await;
    bed.press(&word("button.enable")).await;
    becomes("condition.within").await;
}

/// Step by step: nothing filled in, an invalid name, a cloud that refuses everything, one that refuses the key, and
/// continuing from there.
async fn creating(bed: &Bed) {
    bed.ask("/create").await;
    bed.click(&last("button.btn-primary_filled"), "").await;
    bed.until(&format!("document.querySelector({})", json!(last(".field-error:not([hidden])"))))
        .await;
    select(bed, "create.choose_account", "main").await;
    fill(bed, "create.username", "deng chao").await;
    fill(bed, "create.display_name", "邓超").await;
    fill(bed, "create.quota", "500").await;
    select(bed, "create.choose_project", "hello-ai").await;
    bed.click(&last("[data-tag=checker] input"), "").await;
    refused(bed, "create.submit").await;
    assert_eq!(filled(bed, "create.username").await, "deng chao");
    assert_eq!(filled(bed, "create.display_name").await, "邓超");
    assert_eq!(filled(bed, "create.quota").await, "500");
    bed.until(&card_shows("hello-ai")).await;
    let ticks = json!(last("[data-tag=checker] input"));
    let key = format!("[...document.querySelectorAll({ticks})].at(-1).checked");
    assert_eq!(bed.js(&key).await, true, "the box stays ticked");

    // The cloud refuses: nothing was created, and the form is shown again as it was sent.
    choose(bed, "volcengine", "refused").await;
    fill(bed, "create.username", "deng.chao").await;
    bed.press(&word("create.submit")).await;
    bed.until(&card_shows("InvalidAccessKey")).await;
    assert_eq!(filled(bed, "create.username").await, "deng.chao");
    // It creates the user, but no key: the user stays, and the rest is created later.
    choose(bed, "volcengine", "denied").await;
    bed.press(&word("create.submit")).await;
    bed.until(&anywhere(&words("create.made_partly", "user", "deng.chao"))).await;
    choose(bed, "volcengine", "none").await;
    // Secrets arrive in a card of their own: the password's has arrived by now, so the progress card is not the last one.
    let password = words("create.password_title", "user", "deng.chao");
    let secrets = words("create.key_title", "user", "deng.chao");
    bed.until(&card_shows(&password)).await;
    bed.press_anywhere(&word("create.continue")).await;
    bed.until(&anywhere(&words("create.made", "user", "deng.chao"))).await;
    bed.until(&card_shows(&secrets)).await;
    bed.until(&card_shows("AKLT")).await;
    // Once they are saved, they go from the chat.
    let cards = bed.cards().await;
    bed.press(&word("create.secrets_recall")).await;
    bed.until(&format!("document.querySelectorAll('#thread article.card').length < {cards}")).await;
    bed.until(&format!("!{}", anywhere(&secrets))).await;
}

async fn the_monitor(bed: &Bed) {
    bed.ask("/monitor").await;
    bed.press(&word("monitor.run")).await;
    bed.until(&card_shows(&word("cycle.title_ok"))).await;
    // A sync that read nothing is tried again.
    choose(bed, "volcengine", "refused").await;
    bed.ask("/sync").await;
    bed.until(&card_shows(&word("sync.title_nothing"))).await;
    choose(bed, "volcengine", "none").await;
    bed.press(&word("button.retry")).await;
    bed.until(&card_shows(&word("sync.title"))).await;
}

async fn the_settings(bed: &Bed) {
    bed.ask("/help").await;
    bed.press(&word("steps.button")).await;
    let all_done = Wording::new(Locale::EnUs).t("steps.subtitle", &[("done", &5), ("total", &5)]);
    bed.until(&card_shows(&all_done)).await;
    bed.ask("/help").await;
    bed.press(&word("button.settings")).await;
    fill(bed, "config.mobiles_more", "5").await;
    fill(bed, "config.thresholds", "70").await;
    refused(bed, "config.save").await;
    assert_eq!(filled(bed, "config.mobiles_more").await, "5");
    assert_eq!(filled(bed, "config.thresholds").await, "70");
    fill(bed, "config.mobiles_more", "").await;
    let time = |key: &str, count: i32| Wording::new(Locale::EnUs).t(key, &[("count", &count)]);
    select_shown(bed, &time("time.hours", 1), &time("time.minutes", 15)).await;
    select_of_several(bed, "config.people_hint", "Leo Li").await;
    bed.press(&word("config.save")).await;
    bed.until(&card_shows(&word("config.from_chat"))).await;
    bed.press(&word("config.test")).await;
    bed.converse("group").await;
    bed.until(&card_shows(&word("alert.test"))).await;
    // Without a group for alerts, one press in a group makes it that.
    bed.converse("direct").await;
    bed.ask("/config").await;
    fill(bed, "config.chat", "-").await;
    bed.press(&word("config.save")).await;
    bed.converse("group").await;
    bed.ask("/help").await;
    bed.press(&word("welcome.alert_here")).await;
    bed.converse("direct").await;
}

async fn the_accounts(bed: &Bed) {
    bed.ask("/accounts").await;
    // The stand-in's balances, read after the card was sent.
    bed.until(&card_shows("¥1,180.50")).await;
    bed.until(&card_shows("¥8,630.30")).await;
    // A new account with an invalid id, then with keys that the cloud does not know.
    fill(bed, "accounts.id", "A B").await;
    fill(bed, "accounts.name", "新账号").await;
    fill(bed, "accounts.access_key", "AKLTwrong0000000001").await;
    fill(bed, "accounts.secret_key", "wrong-secret").await;
    refused(bed, "accounts.save").await;
    assert_eq!(filled(bed, "accounts.id").await, "A B");
    assert_eq!(filled(bed, "accounts.name").await, "新账号");
    assert_eq!(filled(bed, "accounts.secret_key").await, "", "a secret is not shown again");
    fill(bed, "accounts.id", "third").await;
    wrong_keys(bed).await;
    assert_eq!(filled(bed, "accounts.id").await, "third");
    // The keys of an existing account.
    bed.press(&word("accounts.replace")).await;
    wrong_keys(bed).await;
    bed.press(&word("accounts.cancel")).await;
    bed.press(&word("accounts.turn_off")).await;
    bed.until(&card_shows(&word("accounts.turn_on"))).await;
    bed.press(&word("accounts.turn_on")).await;
    assert_eq!(
        bed.js("document.querySelector('#thread').textContent.includes('wrong-secret')").await,
        false
    );
}

async fn wrong_keys(bed: &Bed) {
    let refused = "accounts.refused";
    let text = Wording::new(Locale::EnUs).t(refused, &[("account", &""), ("reason", &"")]);
    let said = text.split("  ").last().unwrap_or_default().trim_end_matches(": ").to_owned();
    fill(bed, "accounts.access_key", "AKLTwrong0000000001").await;
    fill(bed, "accounts.secret_key", "wrong-secret").await;
    bed.press(&word("accounts.save")).await;
    bed.until(&card_shows(&said)).await;
}

async fn an_export(bed: &Bed) {
    bed.ask("/export users").await;
    bed.until("document.querySelector('a.file')").await;
    let text = bed
        .client
        .execute_async(
            "const done = arguments[0]; fetch([...document.querySelectorAll('a.file')].at(-1).href) \
               .then((answer) => answer.text()).then(done);",
            Vec::new(),
        )
        .await
        .unwrap();
    let text = text.as_str().unwrap();
    assert!(text.contains("account,username,display_name") && text.contains("wang.fang"), "{text}");
}

/// The owner of a sub-account can ask about it without any role.
async fn ones_own(bed: &Bed) {
    bed.click(".person-card-role", "owner").await;
    bed.converse("direct").await;
    bed.until(&card_shows("/me")).await;
    bed.ask("/me").await;
    bed.until(&card_shows("chen.yutong")).await;
    bed.until(&card_shows("¥60,000.00")).await;
    // What is refused stays in the form.
    fill(bed, "quota.amount", "5.001").await;
    fill(bed, "me.reason", "a load test").await;
    refused(bed, "me.submit").await;
    fill(bed, "quota.amount", "500").await;
    bed.press(&word("me.submit")).await;
    bed.until(&card_shows(&word("me.withdraw"))).await;
    bed.press(&word("me.withdraw")).await;
    fill(bed, "quota.amount", "700").await;
    fill(bed, "me.reason", "a longer load test").await;
    bed.type_into(&last("input[type=date]"), "12312026").await;
    bed.press(&word("me.submit")).await;
    bed.until(&card_shows(&word("me.withdraw"))).await;
}

async fn becomes(bed: &Bed, role: &str) {
    bed.click(".person-card-role", role).await;
    bed.converse("direct").await;
}

/// An administrator decides about the owner's request, and another one about a large allocation.
async fn decisions(bed: &Bed) {
    becomes(bed, "admin").await;
    bed.ask("/requests").await;
    bed.press(&word("requests.open")).await;
    bed.until(&card_shows(&word("request.grant"))).await;
    bed.press(&word("requests.all")).await;
    bed.press(&word("requests.open")).await;
    fill(bed, "request.amount", "300").await;
    fill(bed, "request.note_label", "for one week").await;
    bed.press(&word("request.grant")).await;
    bed.until(&card_shows(&word("request.word_granted"))).await;
    bed.ask("/quota wang.fang 120000").await;
    becomes(bed, "approver").await;
    bed.ask("/requests").await;
    bed.press(&word("requests.open")).await;
    bed.until(&card_shows(&word("approval.confirm"))).await;
    bed.press(&word("approval.refuse")).await;
    bed.until(&card_shows(&word("request.word_refused"))).await;
    becomes(bed, "owner").await;
    bed.until(&card_shows("for one week")).await;
    bed.press(&word("me.ask")).await;
    bed.until(&card_shows(&word("me.submit"))).await;
}

/// Drops a file into the conversation, as a person does with the button beside the text.
pub async fn drop_file(bed: &Bed, name: &str, text: &str) {
    let (name, text) = (json!(name), json!(text));
    bed.js(&format!(
        "(() => {{ const input = document.querySelector('.attached'); const dropped = new DataTransfer(); \
           dropped.items.add(new File([{text}], {name})); input.files = dropped.files; \
           input.dispatchEvent(new Event('change')); return true; }})()"
    ))
    .await;
}

/// Applies a preview: the button says to how many.
pub async fn apply(bed: &Bed) {
    let buttons = json!(last("button.btn"));
    let found = format!(
        "[...document.querySelectorAll({buttons})].map((it) => it.textContent.trim()) \
           .find((text) => text.startsWith('Apply to'))"
    );
    bed.until(&found).await;
    let label = bed.js(&found).await;
    bed.press(label.as_str().unwrap()).await;
}

/// Many users at once: from the list, by file, and with a second administrator.
async fn many_users(bed: &Bed) {
    becomes(bed, "admin").await;
    bed.ask("/users wang").await;
    bed.press(&word("bulk.button")).await;
    refused(bed, "bulk.allocate").await;
    fill(bed, "bulk.amount", "10").await;
    bed.press(&word("bulk.allocate")).await;
    apply(bed).await;
    bed.until(&card_shows(&word("batch.word_applied"))).await;

    drop_file(bed, "limits.csv", "account,username,month_limit\nmain,wang.fang,none\n").await;
    bed.until(&card_shows("limits.csv")).await;
    apply(bed).await;
    bed.until(&card_shows(&word("batch.word_applied"))).await;

    bed.ask("/users wang").await;
    bed.press(&word("bulk.button")).await;
    fill(bed, "bulk.amount", "600000").await;
    bed.press(&word("bulk.allocate")).await;
    apply(bed).await;
    bed.until(&card_shows(&word("batch.word_waits"))).await;
    becomes(bed, "approver").await;
    bed.ask("/requests").await;
    bed.press(&word("requests.open")).await;
    bed.until(&card_shows(&word("batch.confirm"))).await;
    bed.press(&word("approval.refuse")).await;
    bed.until(&card_shows(&word("batch.word_refused"))).await;
}

fn anywhere(text: &str) -> String {
    format!("document.querySelector('#thread').textContent.includes({})", json!(text))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and chromedriver; run by .ci/run"]
async fn each_action_of_a_card_is_answered() {
    run(ENGLISH, async |bed: &Bed| {
        bed.open().await;
        bed.converse("direct").await;
        the_list_and_a_user(bed).await;
        a_users_settings(bed).await;
        the_projects(bed).await;
        quota_and_spending(bed).await;
        what_nobody_pays_for(bed).await;
        the_digest(bed).await;
        the_alerts(bed).await;
        a_candidate(bed).await;
        access(bed).await;
        creating(bed).await;
        the_monitor(bed).await;
        the_settings(bed).await;
        the_accounts(bed).await;
        an_export(bed).await;
        ones_own(bed).await;
        decisions(bed).await;
        many_users(bed).await;

        let answered = bed.js("window.answered").await;
        let answered = answered.as_array().unwrap();
        let unexpected: Vec<_> = answered
            .iter()
            .filter(|click| click["expected"] != true)
            .filter(|click| !click["error"].is_null() || click["toast"]["type"] == "error")
            .collect();
        assert!(unexpected.is_empty(), "{unexpected:?}");
        let clicked: BTreeSet<&str> =
            answered.iter().filter_map(|click| click["action"].as_str()).collect();
        assert_eq!(clicked, ACTIONS.iter().map(|row| row.word).collect());
    })
    .await;
}
