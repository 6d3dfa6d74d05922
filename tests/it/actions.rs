//! What people press: the actions of contract §3, by real clicks on the cards as they stand.

use std::time::Duration;

use airgate::domain::{AlertKind, BillPeriod, UserStatus};
use airgate::sandbox::feishu::ClickAction;
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{self, World};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::bed::{
    ADMIN, ADMIN_2, Bed, GROUP, STRANGER, VIEWER, answered, has, one_account, text_of, toast_of,
    user,
};

/// Projects `team-a` and `team-b` with bills of October and November, and users `alice` and `bob`.
fn small_cloud() -> World {
    let mut cloud = one_account();
    for (name, display) in [("team-a", "甲组"), ("team-b", "乙组")] {
        cloud.account_mut("main").unwrap().add_project(name, display);
    }
    for name in ["alice", "bob"] {
        cloud.account_mut("main").unwrap().add_user(name);
        cloud.user_mut("main", name).unwrap().add_key(world::KeyStatus::Active);
    }
    for (project, month, fen) in [
        ("team-a", "2026-10", 1_000),
        ("team-a", "2026-11", 2_500),
        ("team-b", "2026-10", 300),
        ("team-b", "2026-11", 700),
    ] {
        cloud.account_mut("main").unwrap().spend(
            project,
            Decimal::new(fen, 2),
            month.parse().unwrap(),
        );
    }
    cloud
}

async fn bed() -> Bed {
    let bed = Bed::start(small_cloud()).await;
    bed.sync().await;
    bed
}

/// What the quota of a user is.
fn quota(bed: &Bed, key: &str) -> String {
    bed.user(key).quota.to_string()
}

fn consumed(bed: &Bed, key: &str) -> String {
    bed.user(key).consumed.to_string()
}

/// The callback values of a card as it stands, in order.
fn values(bed: &Bed, message_id: &str) -> Vec<Value> {
    fn collect(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(members) => {
                if members.get("type") == Some(&json!("callback")) {
                    found.extend(members.get("value").cloned());
                }
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&bed.feishu.message(message_id).unwrap().json(), &mut found);
    found
}

/// The `op` of the action's form or button on a card as it stands.
fn op_of(bed: &Bed, message_id: &str, action: &str) -> String {
    let value = values(bed, message_id).into_iter().find(|value| value["action"] == action);
    value.unwrap()["op"].as_str().unwrap().to_owned()
}

/// The fields of a card with what they hold at first.
fn field(bed: &Bed, message_id: &str, name: &str) -> Value {
    fn find(value: &Value, name: &str) -> Option<Value> {
        match value {
            Value::Object(members) if members.get("name") == Some(&json!(name)) => Some(
                members
                    .get("default_value")
                    .or(members.get("initial_option"))
                    .cloned()
                    .unwrap_or_default(),
            ),
            Value::Object(members) => members.values().find_map(|member| find(member, name)),
            Value::Array(items) => items.iter().find_map(|item| find(item, name)),
            _ => None,
        }
    }
    find(&bed.feishu.message(message_id).unwrap().json(), name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_paged_filtered_and_searched() {
    let mut cloud = one_account();
    for at in 0..20 {
        cloud.account_mut("main").unwrap().add_user(&format!("user-{at:02}"));
    }
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    bed.ask(ADMIN, "/quota user-03 100").await;
    let card = bed.ask(ADMIN, "/users").await.message_id;
    let rows = |bed: &Bed| {
        let open = json!({"action": "user.open"});
        let values = values(bed, &card);
        let rows = values.iter().filter(|value| has(value, &open));
        rows.map(|value| value["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(rows(&bed).len() >= 8);
    assert_eq!(rows(&bed)[0], "main/user-00");
    let mut seen = rows(&bed);
    let mut page = 1;
    while seen.len() < 20 {
        page += 1;
        bed.press(VIEWER, &card, json!({"action": "users.list", "page": page})).await;
        seen.extend(rows(&bed));
    }
    seen.dedup();
    assert_eq!(seen.len(), 20);
    // The page survives a look at one user and the way back.
    let last = rows(&bed);
    bed.press(ADMIN, &card, json!({"action": "user.open", "user": last[0]})).await;
    bed.press(ADMIN, &card, json!({"action": "users.list"})).await;
    assert_eq!(rows(&bed), last);

    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "unallocated"})).await;
    assert!(bed.texts(&card).contains("共 19 人"), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "disabled"})).await;
    assert_eq!(rows(&bed), [""; 0]);
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "warning"})).await;
    assert_eq!(rows(&bed), [""; 0]);
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "all"})).await;
    bed.submit(ADMIN, &card, "users.list", json!({"query": "user-1"})).await;
    assert!(bed.texts(&card).contains("共 10 人"), "{}", bed.texts(&card));
    assert_eq!(field(&bed, &card, "query"), "user-1");
    bed.press(ADMIN, &card, json!({"action": "users.list", "page": 2})).await;
    assert_eq!(rows(&bed).first().map(String::as_str), Some("main/user-18"));
    // The search stays with filters, and an emptied field clears it.
    bed.press(ADMIN, &card, json!({"action": "users.list", "filter": "unallocated"})).await;
    assert!(bed.texts(&card).contains("共 10 人"), "{}", bed.texts(&card));
    bed.submit(ADMIN, &card, "users.list", json!({"query": ""})).await;
    assert!(bed.texts(&card).contains("共 19 人"), "{}", bed.texts(&card));
    // A page that is no longer there.
    bed.forged(ADMIN, &card, json!({"action": "users.list", "page": 99}), None).await;
    assert_eq!(rows(&bed).last().map(String::as_str), Some("main/user-19"));
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_linked_switched_and_removed() {
    let bed = bed().await;
    let alice = user("main/alice");
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    // Chosen.
    let done = bed
        .submit(ADMIN, &card, "project.add", json!({"project": "team-a", "since": "2026-10"}))
        .await;
    assert_eq!(toast_of(&done), "success: 已关联项目 甲组");
    let link = bed.store.read(|tx| tx.link(&alice, &"team-a".parse().unwrap())).unwrap().unwrap();
    assert!(link.monitored.is_on());
    assert_eq!(link.since, "2026-10".parse::<BillPeriod>().unwrap());
    // Typed; the current period is the default; the linked one is no option any more.
    assert!(!bed.texts(&card).contains("甲组 (team-a)"), "{}", bed.texts(&card));
    bed.submit(ADMIN, &card, "project.add", json!({"project_name": "team-b"})).await;
    let link = bed.store.read(|tx| tx.link(&alice, &"team-b".parse().unwrap())).unwrap().unwrap();
    assert_eq!(link.since, "2026-11".parse::<BillPeriod>().unwrap());
    bed.cycle().await;
    // 10 + 25 of October and November, 7 of November alone.
    assert_eq!(consumed(&bed, "main/alice"), "¥42.00");

    // Absolute: pressed twice it is what it was after the first time.
    let off = json!({"action": "project.toggle", "user": "main/alice", "project": "team-a", "enabled": false});
    let done = bed.press(ADMIN, &card, off.clone()).await;
    assert_eq!(toast_of(&done), "success: 已暂停监控：甲组");
    assert_eq!(consumed(&bed, "main/alice"), "¥7.00");
    bed.forged(ADMIN, &card, off, None).await;
    assert_eq!(consumed(&bed, "main/alice"), "¥7.00");
    let on = json!({"action": "project.toggle", "project": "team-a", "enabled": true});
    bed.press(ADMIN, &card, on).await;
    assert_eq!(consumed(&bed, "main/alice"), "¥42.00");

    let all_off = json!({"action": "projects.toggle_all", "enabled": false});
    let done = bed.press(ADMIN, &card, all_off).await;
    assert_eq!(toast_of(&done), "success: 已暂停全部 2 个项目的监控");
    assert_eq!(consumed(&bed, "main/alice"), "¥0.00");
    assert!(bed.texts(&card).contains("监控 0 / 共 2"), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "projects.toggle_all", "enabled": true})).await;
    assert_eq!(consumed(&bed, "main/alice"), "¥42.00");

    let done =
        bed.press(ADMIN, &card, json!({"action": "project.remove", "project": "team-a"})).await;
    assert_eq!(toast_of(&done), "success: 已移除项目 甲组");
    assert_eq!(consumed(&bed, "main/alice"), "¥7.00");
    assert_eq!(bed.store.read(|tx| tx.links_of(&alice)).unwrap().len(), 1);
    // Its history stays.
    let read = text_of(&bed.ask(ADMIN, "/billing alice 2026-10").await);
    assert!(read.contains("¥10.00"), "{read}");
    let read = text_of(&bed.ask(ADMIN, "/billing alice").await);
    assert!(read.contains("¥25.00") && read.contains("¥7.00"), "{read}");
    bed.cycle().await;
    assert_eq!(consumed(&bed, "main/alice"), "¥7.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_project_comes_back_to_be_corrected() {
    let bed = bed().await;
    let alice = user("main/alice");
    let links = || bed.store.read(|tx| tx.links_of(&alice)).unwrap().len();
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    for (fields, wanted) in [
        (json!({"project": "team-a", "project_name": "team-b"}), "只保留一个"),
        (json!({}), "请选择一个项目"),
        (json!({"project_name": "  "}), "请选择一个项目"),
        (json!({"project": "team-a", "since": "2026-12"}), "请填写 2024-12 到 2026-11"),
        (json!({"project": "team-a", "since": "2024-11"}), "请填写 2024-12 到 2026-11"),
        (json!({"project": "team-a", "since": "2026-13"}), "“2026-13”不是月份"),
        (json!({"project": "team-a", "since": "abc"}), "“abc”不是月份"),
    ] {
        let op = op_of(&bed, &card, "project.add");
        let value = json!({"action": "project.add", "user": "main/alice", "op": op});
        let done = bed.forged(ADMIN, &card, value, Some(fields.clone())).await;
        assert!(toast_of(&done).starts_with("error: "), "{fields}: {done:?}");
        assert!(toast_of(&done).contains(wanted), "{fields}: {done:?}");
        assert!(bed.texts(&card).contains(wanted), "{fields}");
        assert_ne!(op_of(&bed, &card, "project.add"), op, "{fields}");
        for name in ["project", "project_name", "since"] {
            let kept = fields.get(name).and_then(Value::as_str).unwrap_or_default().trim();
            if !kept.is_empty() {
                assert_eq!(field(&bed, &card, name), kept, "{fields}");
            }
        }
        assert_eq!(links(), 0, "{fields}");
    }
    // What was typed is still there; the one field is corrected.
    bed.submit(ADMIN, &card, "project.add", json!({"project": "team-a", "since": "2026-99"})).await;
    let done = bed.submit(ADMIN, &card, "project.add", json!({"since": "2024-12"})).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    let link = bed.store.read(|tx| tx.link(&alice, &"team-a".parse().unwrap())).unwrap().unwrap();
    assert_eq!(link.since.to_string(), "2024-12");
    // Typed though linked; chosen and typed alike; unknown to the account.
    let done = bed.submit(ADMIN, &card, "project.add", json!({"project_name": "team-a"})).await;
    assert!(toast_of(&done).contains("已经关联"), "{done:?}");
    let both = json!({"project": "team-b", "project_name": " team-b "});
    assert!(toast_of(&bed.submit(ADMIN, &card, "project.add", both).await).starts_with("success"));
    let typo = bed.submit(ADMIN, &card, "project.add", json!({"project_name": "taem-c"})).await;
    assert!(toast_of(&typo).starts_with("success"), "{typo:?}");
    assert!(bed.texts(&card).contains("项目列表里没有“taem-c”"), "{}", bed.texts(&card));
    assert_eq!(links(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_paged() {
    let mut cloud = one_account();
    cloud.account_mut("main").unwrap().add_user("alice");
    for at in 0..14 {
        cloud.account_mut("main").unwrap().add_project(&format!("p-{at:02}"), "");
    }
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    for at in 0..14 {
        bed.submit(ADMIN, &card, "project.add", json!({"project": format!("p-{at:02}")})).await;
    }
    let shown = || {
        let toggles = values(&bed, &card).into_iter().filter(|v| v["action"] == "project.toggle");
        toggles.map(|v| v["project"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut seen = shown();
    assert!(!seen.is_empty());
    for page in 2..=14 {
        if seen.len() >= 14 {
            break;
        }
        bed.press(ADMIN, &card, json!({"action": "projects.open", "page": page})).await;
        seen.extend(shown());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 14);
    assert!(bed.texts(&card).contains("监控 14 / 共 14"), "{}", bed.texts(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_is_allocated_and_refusals_can_be_corrected() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let long = "字".repeat(501);
    for (amount, note, wanted) in [
        ("", "", "请填写金额"),
        ("abc", "", "金额格式不正确"),
        ("1,00", "", "逗号位置不对"),
        ("1.234", "", "最多两位小数"),
        ("0", "", "金额不能是 0"),
        ("10000000000", "", "单笔金额不能超过"),
        ("-1", "", "扣减后额度会变成 -¥1.00"),
        ("5", long.as_str(), "现在有 501 字"),
    ] {
        let op = op_of(&bed, &card, "quota.allocate");
        let value = json!({"action": "quota.allocate", "user": "main/alice", "op": op});
        let form = json!({"amount": amount, "note": note});
        let done = bed.forged(ADMIN, &card, value, Some(form)).await;
        assert!(toast_of(&done).starts_with("error: "), "{amount}: {done:?}");
        assert!(toast_of(&done).contains(wanted), "{amount}: {done:?}");
        assert!(done.card_updated);
        assert_eq!(field(&bed, &card, "amount"), amount);
        assert_ne!(op_of(&bed, &card, "quota.allocate"), op);
    }
    assert_eq!(quota(&bed, "main/alice"), "¥0.00");
    let done = bed
        .submit(ADMIN, &card, "quota.allocate", json!({"amount": "1,000.5", "note": "首笔"}))
        .await;
    assert_eq!(toast_of(&done), "success: 已划拨 ¥1,000.50，额度现为 ¥1,000.50");
    // The form is empty again, with another op.
    assert_eq!(field(&bed, &card, "amount"), "");
    assert_eq!(field(&bed, &card, "note"), "");
    let done = bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "-200.50"})).await;
    assert_eq!(toast_of(&done), "success: 已扣减 ¥200.50，额度现为 ¥800.00");
    for _ in 0..10 {
        bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "1"})).await;
    }
    let (entries, total) = bed.store.read(|tx| tx.ledger(&user("main/alice"), 100)).unwrap();
    assert_eq!((entries.len(), total), (12, 12));
    let rows = bed.feishu.message(&card).unwrap().json();
    let table = rows["body"]["elements"].as_array().unwrap().iter().find(|e| e["tag"] == "table");
    assert_eq!(table.unwrap()["rows"].as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_op_applies_once_however_often_it_arrives() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let fields = json!({"amount": "100", "note": "一次"}).as_object().unwrap().clone();
    let press = bed.feishu.fill_form(&card, |v| v["action"] == "quota.allocate", fields).unwrap();
    // Ten at the same time.
    let presses = (0..10).map(|_| bed.feishu.click_raw(ADMIN, &card, press.clone()));
    let results = futures::future::join_all(presses).await;
    let first = "已划拨 ¥100.00，额度现为 ¥100.00";
    // Each answers the outcome of the one that was applied.
    for result in &results {
        assert_eq!(toast_of(result), format!("success: {first}"), "{results:?}");
    }
    assert_eq!(quota(&bed, "main/alice"), "¥100.00");
    // One after the other, from somebody else, with other fields: the first outcome.
    for person in [ADMIN, ADMIN_2, ADMIN] {
        let mut press = press.clone();
        press.form_value = json!({"amount": "7"}).as_object().cloned();
        let again = answered(bed.feishu.click_raw(person, &card, press).await);
        assert_eq!(toast_of(&again), format!("success: {first}"));
        // Nothing filled in that one more press would book.
        assert_eq!(field(&bed, &card, "amount"), "");
    }
    assert_eq!(quota(&bed, "main/alice"), "¥100.00");

    // A refused one stays refused, and says why again.
    let op = op_of(&bed, &card, "quota.allocate");
    let value = json!({"action": "quota.allocate", "user": "main/alice", "op": op});
    for amount in ["-500", "5"] {
        let form = Some(json!({"amount": amount}));
        let refused = bed.forged(ADMIN, &card, value.clone(), form).await;
        assert!(toast_of(&refused).starts_with("error: 扣减后额度会变成"), "{refused:?}");
        assert_eq!(field(&bed, &card, "amount"), amount);
    }
    // The card that came back works.
    let done = bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "-50"})).await;
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(quota(&bed, "main/alice"), "¥50.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_press_the_same_button_at_once() {
    let bed = bed().await;
    let card = bed.ask_in(ADMIN, GROUP, "/projects alice", true).await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": "team-a"})).await;
    let remove = bed.feishu.find_button(&card, |v| v["action"] == "project.remove").unwrap();
    let (one, two) = futures::future::join(
        bed.feishu.click_raw(ADMIN, &card, remove.clone()),
        bed.feishu.click_raw(ADMIN_2, &card, remove),
    )
    .await;
    for result in [one, two] {
        assert_eq!(toast_of(&answered(result)), "success: 已移除项目 甲组");
    }

    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    let cut = bed.feishu.find_button(&card, |v| v["action"] == "user.disable").unwrap();
    let presses = [ADMIN, ADMIN_2, ADMIN, ADMIN_2];
    let presses = presses.map(|person| bed.feishu.click_raw(person, &card, cut.clone()));
    for result in futures::future::join_all(presses).await {
        assert!(toast_of(&answered(result)).contains("正在停用 alice"));
    }
    bed.settled().await;
    let (alerts, _) = bed.store.read(|tx| tx.alerts(None, None, 0, 10)).unwrap();
    assert_eq!(alerts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_refused_for_its_role_uses_nothing_up() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/quota alice").await.message_id;
    let fields = json!({"amount": "100"}).as_object().unwrap().clone();
    let press = bed.feishu.fill_form(&card, |v| v["action"] == "quota.allocate", fields).unwrap();
    for person in [VIEWER, STRANGER] {
        let denied = answered(bed.feishu.click_raw(person, &card, press.clone()).await);
        assert_eq!(toast_of(&denied), "error: 你没有这项权限，请联系管理员。");
        assert!(!denied.card_updated);
    }
    assert_eq!(quota(&bed, "main/alice"), "¥0.00");
    let done = answered(bed.feishu.click_raw(ADMIN, &card, press).await);
    assert!(toast_of(&done).starts_with("success"), "{done:?}");
    assert_eq!(quota(&bed, "main/alice"), "¥100.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_opens_by_month_and_user() {
    let bed = bed().await;
    for (name, project) in [("alice", "team-a"), ("bob", "team-b")] {
        let card = bed.ask(ADMIN, &format!("/projects {name}")).await.message_id;
        bed.submit(ADMIN, &card, "project.add", json!({"project": project, "since": "2026-10"}))
            .await;
    }
    bed.cycle().await;
    let card = bed.ask(VIEWER, "/billing").await.message_id;
    let read = bed.texts(&card);
    assert!(read.contains("2026-11 合计") && read.contains("¥32.00"), "{read}");
    let select = |option: &str| {
        let value = values(&bed, &card).into_iter().find(|v| {
            v["action"] == "billing.open" && v.get("period").is_none() && v.get("page").is_none()
        });
        ClickAction {
            tag: "select_static".to_owned(),
            value,
            option: Some(option.to_owned()),
            ..ClickAction::default()
        }
    };
    answered(bed.feishu.click(VIEWER, &card, select("2026-10")).await);
    let read = bed.texts(&card);
    assert!(read.contains("2026-10 合计") && read.contains("¥13.00"), "{read}");
    // One user of that month, then the other month of that user.
    bed.press(VIEWER, &card, json!({"action": "billing.open", "user": "main/alice"})).await;
    let read = bed.texts(&card);
    assert!(read.contains("alice 的账单") && read.contains("¥10.00"), "{read}");
    assert!(read.contains("¥35.00"), "{read}");
    answered(bed.feishu.click(VIEWER, &card, select("2026-11")).await);
    let read = bed.texts(&card);
    assert!(read.contains("alice 的账单") && read.contains("2026-11 合计"), "{read}");
    bed.press(VIEWER, &card, json!({"action": "billing.open", "page": 1})).await;
    assert!(bed.texts(&card).contains("2 个用户有消费"), "{}", bed.texts(&card));
    // A month that no bill is of, and what is no month.
    let bad = ClickAction { option: Some("x".to_owned()), ..select("2026-10") };
    let refused = answered(bed.feishu.click_raw(VIEWER, &card, bad).await);
    assert!(toast_of(&refused).starts_with("error: “x”不是月份"), "{refused:?}");
    let empty = json!({"action": "billing.open", "period": "2026-01"});
    bed.forged(VIEWER, &card, empty, None).await;
    assert!(bed.texts(&card).contains("还没有消费记录"), "{}", bed.texts(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_filtered_by_type_and_user() {
    let bed = bed().await;
    for (name, project, amount) in [("alice", "team-a", 30), ("bob", "team-b", 5)] {
        let card = bed.ask(ADMIN, &format!("/projects {name}")).await.message_id;
        bed.submit(ADMIN, &card, "project.add", json!({"project": project})).await;
        bed.ask(ADMIN, &format!("/quota {name} {amount}")).await;
    }
    // 25 of 30 is a warning, 7 of 5 a warning and a disable.
    bed.cycle().await;
    let card = bed.ask(ADMIN, "/alerts").await.message_id;
    let count = |bed: &Bed| {
        let read = bed.texts(&card);
        let count =
            read.split("共 ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
        count.and_then(|count| count.parse::<usize>().ok()).unwrap_or_else(|| panic!("{read}"))
    };
    assert_eq!(count(&bed), 3);
    for (kind, wanted) in [
        (AlertKind::Warning, 2),
        (AlertKind::Disable, 1),
        (AlertKind::Error, 0),
        (AlertKind::Manual, 0),
    ] {
        bed.press(ADMIN, &card, json!({"action": "alerts.list", "type": kind.word()})).await;
        assert_eq!(count(&bed), wanted, "{kind:?}");
    }
    bed.press(ADMIN, &card, json!({"action": "alerts.list"})).await;
    assert_eq!(count(&bed), 3);
    let card = bed.ask(ADMIN, "/alerts bob").await.message_id;
    let read = bed.texts(&card);
    assert!(read.contains("bob 的告警记录") && read.contains("共 2 条"), "{read}");
    assert!(!read.contains("alice"), "{read}");
    bed.press(
        ADMIN,
        &card,
        json!({"action": "alerts.list", "type": "warning", "user": "main/bob"}),
    )
    .await;
    assert!(bed.texts(&card).contains("共 1 条"), "{}", bed.texts(&card));
    // The record leads to the user.
    bed.press(ADMIN, &card, json!({"action": "user.open", "user": "main/bob"})).await;
    assert!(bed.texts(&card).contains("已停用"), "{}", bed.texts(&card));
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_cut_and_restored_from_the_confirm_cards() {
    let bed = bed().await;
    let slow = Fault::Slow(Duration::from_millis(300));
    bed.cloud.faults().inject(FaultRule::new(slow));
    let card = bed.ask(ADMIN, "/disable alice").await.message_id;
    let done =
        bed.press(ADMIN, &card, json!({"action": "user.disable", "user": "main/alice"})).await;
    assert_eq!(toast_of(&done), "info: 正在停用 alice，完成后卡片会更新");
    assert!(bed.texts(&card).contains("停用中"), "{}", bed.texts(&card));
    // Not twice, nor from another card.
    let other = bed.ask(ADMIN_2, "/disable alice").await;
    assert!(text_of(&other).contains("正在进行中"));
    bed.card_becomes(&card, |content| !content.contains("停用中") && content.contains("已停用"))
        .await;
    assert!(bed.cloud.read(|cloud| cloud.user("main", "alice").unwrap().is_cut_off()));
    assert_eq!(bed.user("main/alice").status, UserStatus::Disabled);

    let again = bed.ask(ADMIN, "/disable alice").await;
    assert!(text_of(&again).contains("已经是这个状态"));
    let card = bed.ask(ADMIN, "/enable alice").await.message_id;
    assert!(bed.texts(&card).contains("恢复 1 个"), "{}", bed.texts(&card));
    let done =
        bed.press(ADMIN, &card, json!({"action": "user.enable", "user": "main/alice"})).await;
    assert_eq!(toast_of(&done), "info: 正在启用 alice，完成后卡片会更新");
    assert!(bed.texts(&card).contains("启用中"), "{}", bed.texts(&card));
    bed.card_becomes(&card, |content| !content.contains("启用中") && content.contains("正常"))
        .await;
    assert!(!bed.cloud.read(|cloud| cloud.user("main", "alice").unwrap().is_cut_off()));
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);

    let (alerts, _) =
        bed.store.read(|tx| tx.alerts(Some(&user("main/alice")), None, 0, 9)).unwrap();
    let kinds: Vec<AlertKind> = alerts.iter().map(|alert| alert.body.kind()).collect();
    assert_eq!(kinds, [AlertKind::Manual, AlertKind::Manual]);
    bed.cloud.faults().clear();

    // The user card's own buttons do the same.
    let card = bed.ask(ADMIN, "/user bob").await.message_id;
    bed.press(ADMIN, &card, json!({"action": "user.disable"})).await;
    bed.settled().await;
    assert!(bed.texts(&card).contains("已停用"), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "user.enable"})).await;
    bed.settled().await;
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_started_from_the_card_reports_to_it_once() {
    let bed = bed().await;
    bed.cycle().await;
    let card = bed.ask(ADMIN, "/monitor").await.message_id;
    let run = bed.feishu.find_button(&card, |v| v["action"] == "monitor.run").unwrap();
    let before = bed.cloud.count("ListSplitBillDetail");
    let link = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &link, "project.add", json!({"project": "team-a"})).await;
    bed.cloud
        .faults()
        .inject(FaultRule::new(Fault::Slow(Duration::from_millis(500))).on("ListSplitBillDetail"));
    let done = answered(bed.feishu.click(ADMIN, &card, run.clone()).await);
    assert_eq!(toast_of(&done), "info: 监控已开始，完成后卡片会更新");
    assert!(bed.texts(&card).contains("正在执行监控"), "{}", bed.texts(&card));
    // The same press again starts nothing.
    let again = answered(bed.feishu.click_raw(ADMIN_2, &card, run).await);
    assert_eq!(toast_of(&again), "info: 监控已开始，完成后卡片会更新");
    bed.card_becomes(&card, |content| content.contains("监控执行完成")).await;
    bed.settled().await;
    assert!(bed.texts(&card).contains("监控执行完成"), "{}", bed.texts(&card));
    assert_eq!(bed.cloud.count("ListSplitBillDetail"), before + 1);
    assert_eq!(consumed(&bed, "main/alice"), "¥25.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buttons_of_an_alert_in_the_group_work() {
    let bed = bed().await;
    let card = bed.ask(ADMIN, "/projects alice").await.message_id;
    bed.submit(ADMIN, &card, "project.add", json!({"project": "team-a"})).await;
    bed.ask(ADMIN, "/quota alice 20").await;
    bed.cycle().await;
    let cut = bed.alerts().into_iter().find(|alert| text_of(alert).contains("已自动停用")).unwrap();
    let card = cut.message_id;
    bed.press(VIEWER, &card, json!({"action": "user.open", "user": "main/alice"})).await;
    assert!(bed.texts(&card).contains("¥25.00"), "{}", bed.texts(&card));
    bed.press(ADMIN, &card, json!({"action": "quota.open", "user": "main/alice"})).await;
    let done = bed.submit(ADMIN, &card, "quota.allocate", json!({"amount": "80"})).await;
    assert_eq!(toast_of(&done), "success: 已划拨 ¥80.00，额度现为 ¥100.00");
    bed.press(ADMIN, &card, json!({"action": "user.open"})).await;
    bed.press(ADMIN, &card, json!({"action": "user.enable"})).await;
    bed.settled().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
    assert!(!bed.cloud.read(|cloud| cloud.user("main", "alice").unwrap().is_cut_off()));
    // With the top-up it stays so.
    bed.cycle().await;
    assert_eq!(bed.user("main/alice").status, UserStatus::Active);
}
