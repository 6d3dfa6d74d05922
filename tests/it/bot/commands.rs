//! What people type and what they read: every command, its aliases, and what is not understood (docs/behaviour.md §2).

use airgate::domain::UserStatus;
use airgate::sandbox::world::{BillRow, Product};
use rust_decimal::Decimal;
use serde_json::json;

use super::actions::allocated;
use super::{bed, says};
use crate::bed::{ADMIN, ADMIN_2, fragment, phrase, text, text_of, user_key};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_and_alias_answers_its_card() {
    let bed = bed().await;
    for command in ["/help", "帮助"] {
        let all = ["/users [关键词]", "/quota 用户名 [金额 [备注]]", "/monitor [run]", "停用"];
        says(&bed, ADMIN, command, &all).await;
    }
    for command in ["/users", "用户"] {
        says(
            &bed,
            ADMIN,
            command,
            &[
                &text("users.subtitle", &[("count", &5)]),
                "main/alice",
                "bob",
                "鲍勃",
                &phrase("usage.unallocated"),
            ],
        )
        .await;
    }
    let found = |query: &str| text("users.found", &[("count", &1), ("query", &query)]);
    says(&bed, ADMIN, "/users 鲍", &[&found("鲍"), "bob"]).await;
    says(&bed, ADMIN, "用户 DAVE", &[&found("DAVE"), "dave"]).await;
    for command in ["/user bob", "详情 bob"] {
        says(
            &bed,
            ADMIN,
            command,
            &["bob", "云上主体", &phrase("user.key"), "AKLT", "50%", &phrase("switch.on")],
        )
        .await;
    }
    for command in ["/projects bob", "项目 bob"] {
        says(
            &bed,
            ADMIN,
            command,
            &[
                &text("projects.title", &[("user", &"bob")]),
                &phrase("projects.add"),
                "甲组 (team-a)",
            ],
        )
        .await;
    }
    for command in ["/quota bob", "额度 bob", "划拨 bob"] {
        says(
            &bed,
            ADMIN,
            command,
            &[&text("quota.title", &[("user", &"bob")]), "¥0.00", &phrase("quota.none")],
        )
        .await;
    }
    says(&bed, ADMIN, "/quota bob 1,000.50 一季度 预算", &[&allocated("¥1,000.50", "¥1,000.50")])
        .await;
    says(
        &bed,
        ADMIN,
        "额度 bob －200.50 收回",
        &[&text("toast.quota_deducted", &[("amount", &"¥200.50"), ("total", &"¥800.00")])],
    )
    .await;
    says(&bed, ADMIN_2, "划拨 bob ¥１００", &["¥900.00"]).await;
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user_key("main/bob"), 10)).unwrap();
    let booked: Vec<(String, String, &str)> = entries
        .iter()
        .map(|e| (e.amount.to_string(), e.total_after.to_string(), e.note.as_str()))
        .collect();
    let row = |amount: &str, total: &str, note| (amount.to_owned(), total.to_owned(), note);
    assert_eq!(
        booked,
        [
            row("¥100.00", "¥900.00", ""),
            row("-¥200.50", "¥800.00", "收回"),
            row("¥1,000.50", "¥1,000.50", "一季度 预算"),
        ]
    );
    assert_eq!(
        entries.iter().map(|e| e.operator.label()).collect::<Vec<_>>(),
        ["赵管理", "王管理", "王管理"]
    );
    for command in ["/billing", "账单", "/billing 2026-10"] {
        let month = if command.contains("10") { "2026-10" } else { "2026-11" };
        says(&bed, ADMIN, command, &[&phrase("billing.title"), month]).await;
    }
    for command in ["/billing bob", "账单 bob 2026-09"] {
        says(&bed, ADMIN, command, &[&text("billing.title_user", &[("user", &"bob")])]).await;
    }
    for command in ["/alerts", "告警"] {
        says(&bed, ADMIN, command, &[&phrase("alerts.title"), &phrase("alerts.none")]).await;
    }
    says(&bed, ADMIN, "告警 bob", &[&text("alerts.title_user", &[("user", &"bob")])]).await;
    for command in ["/disable bob", "停用 bob"] {
        says(
            &bed,
            ADMIN,
            command,
            &[
                &text("access.disable_ask", &[("user", &"bob")]),
                &text("access.keys_off", &[("count", &1)]),
                &phrase("access.login_off"),
            ],
        )
        .await;
    }
    for command in ["/enable bob", "启用 bob"] {
        says(&bed, ADMIN, command, &[&text("refusal.already_open", &[("user", &"main/bob")])])
            .await;
    }
    for command in ["/monitor", "监控"] {
        says(
            &bed,
            ADMIN,
            command,
            &[&phrase("monitor.title"), &text("time.hours", &[("count", &1)])],
        )
        .await;
    }
    for command in ["/monitor run", "监控 run"] {
        let reply = bed.ask(ADMIN, command).await;
        bed.shows(&reply.message_id, &phrase("cycle.title_ok")).await;
    }
    for command in ["/sync", "同步"] {
        let reply = bed.ask(ADMIN, command).await;
        let report = bed.shows(&reply.message_id, &phrase("sync.title")).await;
        assert!(
            text_of(&report).contains(&text("sync.users", &[("count", &5)])),
            "{}",
            text_of(&report)
        );
    }
    // Asking for a confirmation changes nothing.
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn slashes_case_and_blanks_do_not_matter() {
    let bed = bed().await;
    for command in [
        "help",
        "HELP",
        " /Help ",
        "／help",
        "/ help",
        "\u{3000}/help\u{3000}",
        "/help\n",
        "",
        "   ",
    ] {
        says(&bed, ADMIN, command, &[&phrase("help.title")]).await;
    }
    for command in
        ["USER   bob", "/User\tbob ", "user BOB", "/user\nbob", "/user main/bob", "/user Main/Bob"]
    {
        says(&bed, ADMIN, command, &["鲍勃", &text("user.account", &[("account", &"云上主体")])])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_in_the_direct_chat_is_answered_with_the_help_card() {
    let bed = bed().await;
    let mut event = bed.unsent(ADMIN, &bed.feishu.direct_chat(ADMIN), "x").await;
    event.envelope["event"]["message"]["message_type"] = json!("image");
    event.envelope["event"]["message"]["content"] = json!("{\"image_key\": \"img_1\"}");
    assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
    let reply = bed.reply_to(&event).await.unwrap();
    assert!(text_of(&reply).contains(&phrase("help.title")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_command_is_answered_with_a_hint() {
    let bed = bed().await;
    let unknown = |command: &str| text("help.unknown", &[("command", &command)]);
    let nearest = |command: &str| text("help.nearest", &[("command", &command)]);
    let missing = |usage: &str| text("command.missing_argument", &[("usage", &usage)]);
    let surplus = |argument: &str, usage: &str| {
        text("command.surplus_argument", &[("argument", &argument), ("usage", &usage)])
    };
    let no_user = |name: &str| text("refusal.no_such_user", &[("name", &name)]);
    let no_user_but = |name: &str, nearest: &str| {
        text("refusal.no_such_user_nearest", &[("name", &name), ("nearest", &nearest)])
    };
    let no_month = |month: &str| text("refusal.bad_period", &[("text", &month)]);
    for (command, wanted) in [
        ("/usres", vec![unknown("usres"), nearest("/users")]),
        ("/qouta bob 1", vec![unknown("qouta"), nearest("/quota")]),
        ("账但", vec![unknown("账但"), nearest("/billing")]),
        ("/xyzzy", vec![unknown("xyzzy"), "/help".to_owned()]),
        ("你好", vec![unknown("你好")]),
        ("/user", vec![missing("/user 用户名")]),
        ("/projects", vec![missing("/projects 用户名")]),
        ("/quota", vec![missing("/quota 用户名 [金额 [备注]]")]),
        ("/enable", vec![missing("/enable 用户名")]),
        ("/disable", vec![missing("/disable 用户名")]),
        ("/help me", vec![surplus("me", "/help")]),
        ("/sync now", vec![surplus("now", "/sync")]),
        ("/user bob carol", vec![surplus("carol", "/user 用户名")]),
        ("/billing bob 2026-11 x", vec![surplus("x", "/billing [用户名] [月份]")]),
        ("/alerts bob x", vec![surplus("x", "/alerts [用户名]")]),
        ("/monitor start", vec![surplus("start", "/monitor [run]")]),
        ("/disable bob now", vec![surplus("now", "/disable 用户名")]),
        ("/billing 2026-13", vec![no_month("2026-13")]),
        ("/billing bob 2026-1", vec![no_month("2026-1")]),
        ("/quota bob abc", vec![phrase("refusal.amount_not_a_number")]),
        ("/quota bob 1,00", vec![phrase("refusal.amount_commas")]),
        ("/quota bob 1.005", vec![phrase("refusal.amount_decimals")]),
        ("/quota bob 0", vec![phrase("refusal.amount_zero")]),
        ("/quota bob 0.00", vec![phrase("refusal.amount_zero")]),
        (
            "/quota bob 10000000000",
            vec![text("refusal.amount_too_large", &[("limit", &"¥9,999,999,999.99")])],
        ),
        (
            "/quota bob -1",
            vec![text("refusal.below_zero", &[("after", &"-¥1.00"), ("before", &"¥0.00")])],
        ),
        ("/quota nobody 1", vec![no_user("nobody")]),
        ("/user bbo", vec![no_user_but("bbo", "main/bob")]),
        ("/billing carl", vec![no_user_but("carl", "main/carol")]),
        ("/alerts zzz", vec![no_user("zzz")]),
        ("/user {nearest}", vec![no_user("{nearest}")]),
        ("/user lab/bob", vec![no_user("lab/bob")]),
    ] {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        says(&bed, ADMIN, command, &wanted).await;
    }
    let long = format!("/quota bob 1 {}", "字".repeat(501));
    says(&bed, ADMIN, &long, &[&text("refusal.note_too_long", &[("chars", &501)])]).await;
    assert_eq!(bed.ledger_entries("main/bob"), 0);
    says(
        &bed,
        ADMIN,
        &format!("/quota bob 1 {}", "字".repeat(500)),
        &[&allocated("¥1.00", "¥1.00")],
    )
    .await;
    // The largest amounts.
    says(&bed, ADMIN, "/quota carol 9,999,999,999.99", &["¥9,999,999,999.99"]).await;
    says(&bed, ADMIN, "/quota carol -10,000,000,000", &[&fragment("refusal.amount_too_large")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_list_says_how_the_user_stands_its_quota_spending_usage_and_projects() {
    let bed = bed().await;
    bed.cloud.update(|world| {
        let period = "2026-11".parse().unwrap();
        let mut row = BillRow::new(period, "team-a", Product::Ecs, Decimal::ONE);
        row.payable = Decimal::from(60);
        world.account_mut("main").unwrap().add_bill_row(row);
    });
    bed.link("main/bob", "team-a", "");
    bed.allocate("main/bob", "80");
    bed.cycle().await;
    says(
        &bed,
        ADMIN,
        "/users bob",
        &[
            &text("condition.close", &[("threshold", &50)]),
            &text("users.spent", &[("consumed", &"¥60.00"), ("quota", &"¥80.00")]),
            "75.0%",
            &text("users.left", &[("amount", &"¥20.00")]),
            &text("users.projects", &[("monitored", &1), ("total", &1)]),
            "甲组",
        ],
    )
    .await;
    let quiet = phrase("condition.within");
    bed.allocate("main/bob", "80");
    says(&bed, ADMIN, "/users bob", &["37.5%", &quiet]).await;
}
