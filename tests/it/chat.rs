//! What people type and what they read: contract §2.

use std::time::Duration;

use airgate::domain::UserStatus;
use airgate::sandbox::feishu::{Fault as ChatFault, FaultRule as ChatRule, State};
use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::{self, FakeAccount, World};
use airgate::store::Store;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::bed::{ADMIN, ADMIN_2, Bed, GROUP, VIEWER, one_account, text_of, toast_of, user};

/// Accounts `main` (alice, bob, carol) and `lab` (alice, dave).
fn two_accounts() -> World {
    let mut cloud = one_account();
    let lab = FakeAccount::new("lab", "实验室", 2_100_000_002, "AKLTlab00000000001", "lab-secret");
    cloud.accounts.push(lab);
    for (account, name, display) in [
        ("main", "alice", "爱丽丝"),
        ("main", "bob", "鲍勃"),
        ("main", "carol", "卡萝"),
        ("lab", "alice", "爱丽丝（实验）"),
        ("lab", "dave", "戴夫"),
    ] {
        cloud.account_mut(account).unwrap().add_user(name).display_name = display.to_owned();
        cloud.user_mut(account, name).unwrap().add_key(world::KeyStatus::Active);
    }
    cloud.account_mut("main").unwrap().add_project("team-a", "甲组");
    cloud
}

async fn bed() -> Bed {
    let bed = Bed::start(two_accounts()).await;
    bed.sync().await;
    bed
}

/// Asks and checks that every text is on the card.
async fn says(bed: &Bed, person: &str, text: &str, wanted: &[&str]) {
    let read = text_of(&bed.ask(person, text).await);
    for part in wanted {
        assert!(read.contains(part), "{text:?}: {part:?} is not in\n{read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_and_alias_answers_its_card() {
    let bed = bed().await;
    for text in ["/help", "帮助"] {
        let all = ["/users [TEXT]", "/quota NAME [AMOUNT [NOTE...]]", "/monitor [run]", "停用"];
        says(&bed, ADMIN, text, &all).await;
    }
    for text in ["/users", "用户"] {
        says(&bed, ADMIN, text, &["共 5 人", "main/alice", "bob", "鲍勃", "未划拨", "正常"]).await;
    }
    says(&bed, ADMIN, "/users 鲍", &["共 1 人", "bob"]).await;
    says(&bed, ADMIN, "用户 DAVE", &["共 1 人", "dave"]).await;
    for text in ["/user bob", "详情 bob"] {
        says(&bed, ADMIN, text, &["bob", "云上主体", "访问密钥", "AKLT", "50%", "已开启"]).await;
    }
    for text in ["/projects bob", "项目 bob"] {
        says(&bed, ADMIN, text, &["bob 的项目", "添加项目", "甲组 (team-a)"]).await;
    }
    for text in ["/quota bob", "额度 bob", "划拨 bob"] {
        says(&bed, ADMIN, text, &["bob 的额度", "¥0.00", "还没有划拨记录"]).await;
    }
    says(&bed, ADMIN, "/quota bob 1,000.50 一季度 预算", &["已划拨 ¥1,000.50"]).await;
    says(&bed, ADMIN, "额度 bob －200.50 收回", &["已扣减 ¥200.50", "¥800.00"]).await;
    says(&bed, ADMIN_2, "划拨 bob ¥１００", &["¥900.00"]).await;
    let (entries, _) = bed.store.read(|tx| tx.ledger(&user("main/bob"), 10)).unwrap();
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
    for text in ["/billing", "账单", "/billing 2026-10"] {
        let month = if text.contains("10") { "2026-10" } else { "2026-11" };
        says(&bed, ADMIN, text, &["账单", month]).await;
    }
    for text in ["/billing bob", "账单 bob 2026-09"] {
        says(&bed, ADMIN, text, &["bob 的账单"]).await;
    }
    for text in ["/alerts", "告警"] {
        says(&bed, ADMIN, text, &["告警记录", "没有告警"]).await;
    }
    says(&bed, ADMIN, "告警 bob", &["bob 的告警记录"]).await;
    for text in ["/disable bob", "停用 bob"] {
        says(&bed, ADMIN, text, &["停用 bob？", "停用 1 个", "禁止登录"]).await;
    }
    for text in ["/enable bob", "启用 bob"] {
        says(&bed, ADMIN, text, &["已经是这个状态"]).await;
    }
    for text in ["/monitor", "监控"] {
        says(&bed, ADMIN, text, &["监控状态", "1 小时"]).await;
    }
    for text in ["/monitor run", "监控 run"] {
        let reply = bed.ask(ADMIN, text).await;
        bed.card_becomes(&reply.message_id, |card| card.contains("监控执行完成")).await;
    }
    for text in ["/sync", "同步"] {
        let reply = bed.ask(ADMIN, text).await;
        let report = bed.card_becomes(&reply.message_id, |card| card.contains("同步完成")).await;
        assert!(text_of(&report).contains("5 个用户"), "{}", text_of(&report));
    }
    // A confirmation asked for is no change.
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn slashes_case_and_blanks_do_not_matter() {
    let bed = bed().await;
    for text in [
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
        says(&bed, ADMIN, text, &["airgate 使用帮助"]).await;
    }
    for text in
        ["USER   bob", "/User\tbob ", "user BOB", "/user\nbob", "/user main/bob", "/user Main/Bob"]
    {
        says(&bed, ADMIN, text, &["鲍勃", "主账号 云上主体"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_in_the_direct_chat_gets_the_help_card() {
    let bed = bed().await;
    let mut event = bed.unsent(ADMIN, &bed.feishu.direct_chat(ADMIN), "x").await;
    event.envelope["event"]["message"]["message_type"] = json!("image");
    event.envelope["event"]["message"]["content"] = json!("{\"image_key\": \"img_1\"}");
    assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
    let reply = bed.reply_to(&event).await.unwrap();
    assert!(text_of(&reply).contains("airgate 使用帮助"));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_only_a_mention_of_the_bot_counts() {
    let bed = bed().await;
    bed.introduced().await;
    let before = bed.sent_count();
    let unmentioned = bed.feishu.say(ADMIN, GROUP, "/users", false).await;
    assert_eq!(unmentioned.status, Some(200));
    let mention = |key: &str, open_id: Value, kind: &str| {
        json!([{"key": key, "id": {"open_id": open_id, "union_id": "on_1", "user_id": ""},
            "mentioned_type": kind, "name": "某某", "tenant_key": "t"}])
    };
    for (text, mentions) in [
        ("@_user_1 /users", mention("@_user_1", json!("ou_other_bot"), "bot")),
        ("@_user_1 /users", mention("@_user_1", json!(VIEWER), "user")),
        ("@_all /users", mention("@_all", json!(""), "")),
        ("@_all /users", json!([])),
    ] {
        let mut event = bed.unsent(ADMIN, GROUP, "/users").await;
        let message = &mut event.envelope["event"]["message"];
        message["content"] = json!(json!({"text": text}).to_string());
        message["mentions"] = mentions;
        assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200), "{text}");
    }
    // What follows in the same chat is answered, and it is the only answer.
    let reply = bed.ask_in(ADMIN, GROUP, "/user bob", true).await;
    assert!(text_of(&reply).contains("鲍勃"));
    assert_eq!(reply.chat_id, GROUP);
    bed.settled().await;
    assert_eq!(bed.sent_count(), before + 1);
    let only_mentioned = bed.ask_in(ADMIN, GROUP, "", true).await;
    assert!(text_of(&only_mentioned).contains("airgate 使用帮助"));
    // The mention may stand anywhere.
    let mut event = bed.unsent(ADMIN, GROUP, "x").await;
    let message = &mut event.envelope["event"]["message"];
    message["content"] = json!(json!({"text": "/user @_user_2 carol"}).to_string());
    let me = bed.feishu.bot_open_id().to_owned();
    message["mentions"] = mention("@_user_2", json!(me), "bot");
    assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
    assert!(text_of(&bed.reply_to(&event).await.unwrap()).contains("卡萝"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bots_are_not_answered() {
    let bed = bed().await;
    let before = bed.sent_count();
    let mut event = bed.unsent(ADMIN, &bed.feishu.direct_chat(ADMIN), "/help").await;
    event.envelope["event"]["sender"]["sender_type"] = json!("app");
    assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
    bed.ask(ADMIN, "/help").await;
    bed.settled().await;
    assert_eq!(bed.sent_count(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_says_what_to_do() {
    let bed = bed().await;
    for (text, wanted) in [
        ("/usres", &["没有“usres”这个命令", "/users"][..]),
        ("/qouta bob 1", &["没有“qouta”这个命令", "/quota"]),
        ("账但", &["没有“账但”这个命令", "/billing"]),
        ("/xyzzy", &["没有“xyzzy”这个命令", "/help"]),
        ("你好", &["没有“你好”这个命令"]),
        ("/user", &["缺少参数", "/user NAME"]),
        ("/projects", &["缺少参数", "/projects NAME"]),
        ("/quota", &["缺少参数", "/quota NAME [AMOUNT [NOTE...]]"]),
        ("/enable", &["缺少参数", "/enable NAME"]),
        ("/disable", &["缺少参数", "/disable NAME"]),
        ("/help me", &["“me”", "/help"]),
        ("/sync now", &["“now”", "/sync"]),
        ("/user bob carol", &["“carol”", "/user NAME"]),
        ("/billing bob 2026-11 x", &["“x”", "/billing [NAME] [YYYY-MM]"]),
        ("/alerts bob x", &["“x”", "/alerts [NAME]"]),
        ("/monitor start", &["“start”", "/monitor [run]"]),
        ("/disable bob now", &["“now”", "/disable NAME"]),
        ("/billing 2026-13", &["“2026-13”不是月份", "2026-11"]),
        ("/billing bob 2026-1", &["“2026-1”不是月份"]),
        ("/quota bob abc", &["金额格式不正确", "-200.50"]),
        ("/quota bob 1,00", &["逗号位置不对", "1,000.00"]),
        ("/quota bob 1.005", &["最多两位小数"]),
        ("/quota bob 0", &["金额不能是 0"]),
        ("/quota bob 0.00", &["金额不能是 0"]),
        ("/quota bob 10000000000", &["单笔金额不能超过 ¥9,999,999,999.99"]),
        ("/quota bob -1", &["扣减后额度会变成 -¥1.00", "当前额度 ¥0.00"]),
        ("/quota nobody 1", &["没有名为“nobody”的用户", "/users"]),
        ("/user bbo", &["没有名为“bbo”的用户", "main/bob"]),
        ("/billing carl", &["你是不是想找", "main/carol"]),
        ("/alerts zzz", &["没有名为“zzz”的用户", "/sync"]),
        ("/user {nearest}", &["没有名为“{nearest}”的用户"]),
        ("/user lab/bob", &["没有名为“lab/bob”的用户"]),
    ] {
        says(&bed, ADMIN, text, wanted).await;
    }
    let long = format!("/quota bob 1 {}", "字".repeat(501));
    says(&bed, ADMIN, &long, &["备注最多 500 字，现在有 501 字"]).await;
    assert_eq!(bed.store.read(|tx| tx.ledger(&user("main/bob"), 10)).unwrap().1, 0);
    says(&bed, ADMIN, &format!("/quota bob 1 {}", "字".repeat(500)), &["已划拨 ¥1.00"]).await;
    // The largest amounts.
    says(&bed, ADMIN, "/quota carol 9,999,999,999.99", &["¥9,999,999,999.99"]).await;
    says(&bed, ADMIN, "/quota carol -10,000,000,000", &["单笔金额不能超过"]).await;
}

/// Just after the first start; and where the platform does not say whether a mention is a bot's.
#[tokio::test(flavor = "multi_thread")]
async fn a_mention_counts_also_before_the_bot_s_own_id_was_read() {
    let mut bed = bed().await;
    bed.introduced().await;
    let folder = tempfile::tempdir().unwrap();
    bed.feishu.faults().inject(ChatRule::new(ChatFault::Status(500)).on("bot"));
    bed.store = Store::open(&folder.path().join("new.redb"), &[0x11; 32]).unwrap();
    bed.restart().await;
    let failed = |state: &State| {
        state.requests().filter(|request| request.endpoint == "bot").nth(1).map(drop)
    };
    bed.feishu.wait_for(failed, crate::bed::PATIENCE).await.expect("a try that fails");
    bed.feishu.faults().clear();
    let own_id = bed.feishu.bot_open_id().to_owned();
    for (open_id, is_for_it) in [("ou_other_bot", false), (own_id.as_str(), true)] {
        let mut event = bed.unsent(ADMIN, GROUP, "x").await;
        let message = &mut event.envelope["event"]["message"];
        message["content"] = json!(json!({"text": "@_user_1 /help"}).to_string());
        message["mentions"] = json!([{"key": "@_user_1", "id": {"open_id": open_id}, "name": "N"}]);
        assert_eq!(bed.feishu.redeliver(&event).await.status, Some(200));
        if is_for_it {
            assert!(text_of(&bed.reply_to(&event).await.unwrap()).contains("airgate 使用帮助"));
        }
    }
    bed.settled().await;
    let groups = bed.alerts();
    assert_eq!(groups.iter().filter(|message| text_of(message).contains("使用帮助")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_several_accounts_lists_the_candidates() {
    let bed = bed().await;
    for text in [
        "/user alice",
        "/projects alice",
        "/quota alice",
        "/quota alice 100",
        "/billing alice",
        "/alerts alice",
        "/disable alice",
        "/enable ALICE",
    ] {
        says(&bed, ADMIN, text, &["main/alice", "lab/alice", "爱丽丝（实验）"]).await;
    }
    for key in ["main/alice", "lab/alice"] {
        assert_eq!(bed.user(key).quota.to_string(), "¥0.00");
    }
    says(&bed, ADMIN, "/quota lab/alice 100", &["¥100.00"]).await;
    assert_eq!(bed.user("lab/alice").quota.to_string(), "¥100.00");
    assert_eq!(bed.user("main/alice").quota.to_string(), "¥0.00");
    says(&bed, ADMIN, "/user lab/alice", &["实验室"]).await;
    // Nor does a card's value guess, where it says only the name.
    let card = bed.ask(ADMIN, "/users").await.message_id;
    let bare = |name: &str| json!({"action": "user.open", "user": name});
    let open = bed.forged(ADMIN, &card, bare("alice"), None).await;
    assert!(toast_of(&open).starts_with("error") && toast_of(&open).contains("main/alice"));
    let open = bed.forged(ADMIN, &card, bare("nobody"), None).await;
    assert!(toast_of(&open).contains("nobody"), "{open:?}");
    bed.forged(ADMIN, &card, bare("dave"), None).await;
    assert!(bed.texts(&card).contains("实验室"), "{}", bed.texts(&card));
    // A candidate is one press away.
    let card = bed.ask(ADMIN, "/user alice").await;
    bed.press(ADMIN, &card.message_id, json!({"action": "user.open", "user": "main/alice"})).await;
    assert!(bed.texts(&card.message_id).contains("云上主体"));
    // Where a list shows both, it says which is which.
    says(&bed, ADMIN, "/users 爱丽丝", &["main/alice", "lab/alice"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn just_below_the_quota_is_not_the_quota() {
    let mut cloud = two_accounts();
    let period = "2026-11".parse().unwrap();
    cloud.account_mut("main").unwrap().spend("team-a", Decimal::new(999_500_000, 6), period);
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    let card = bed.ask(ADMIN, "/projects bob").await;
    bed.submit(ADMIN, &card.message_id, "project.add", json!({"project": "team-a"})).await;
    says(&bed, ADMIN, "/quota bob 1000", &[]).await;
    bed.cycle().await;
    for text in ["/users bob", "/user bob", "/quota bob"] {
        says(&bed, ADMIN, text, &["99.9%", "¥999.50"]).await;
        let read = text_of(&bed.ask(ADMIN, text).await);
        assert!(!read.contains("100.0%") && !read.contains("100%"), "{read}");
    }
    says(&bed, ADMIN, "/users bob", &["1/1", "甲组", "¥0.50"]).await;
    assert_eq!(bed.user("main/bob").status, UserStatus::Active);
    assert!(!bed.cloud.read(|cloud| cloud.user("main", "bob").unwrap().is_cut_off()));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_chat_are_answered_in_their_order() {
    let bed = bed().await;
    let chat = bed.feishu.direct_chat(ADMIN);
    let mut said = Vec::new();
    for at in 0..20 {
        // Some change something, some only read, and they take different ways.
        let text =
            if at % 2 == 0 { format!("/quota bob {}", at + 1) } else { "/quota bob".to_owned() };
        said.push(bed.feishu.say(ADMIN, &chat, &text, false).await);
    }
    for one in &said {
        assert_eq!(one.status, Some(200));
        assert!(bed.reply_to(one).await.is_some());
    }
    let replied: Vec<String> =
        bed.feishu.messages(&chat).into_iter().filter_map(|message| message.reply_to).collect();
    let wanted: Vec<String> = said.iter().filter_map(|one| one.message_id.clone()).collect();
    assert_eq!(replied[replied.len() - 20..], wanted);
    assert_eq!(bed.user("main/bob").quota.to_string(), "¥100.00");
    // What was read after an allocation shows it.
    let last = bed.reply_to(said.last().unwrap()).await.unwrap();
    assert!(text_of(&last).contains("¥100.00"), "{}", text_of(&last));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_answer_does_not_hold_up_chat() {
    for fault in [Fault::Timeout, Fault::Slow(Duration::from_secs(5))] {
        let bed = bed().await;
        says(&bed, ADMIN, "/quota bob 10", &[]).await;
        bed.clock.advance(jiff::SignedDuration::from_mins(30));
        bed.cloud.faults().inject(FaultRule::new(fault.clone()));
        for text in [
            "/sync",
            "/monitor run",
            "/projects bob",
            "/users",
            "/user bob",
            "/quota bob 1",
            "/billing",
            "/alerts",
            "/monitor",
            "/disable bob",
            "/monitor run",
            "/help",
        ] {
            let start = Instant::now();
            bed.ask(ADMIN, text).await;
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "{fault:?} {text}: {:?}",
                start.elapsed()
            );
        }
        // So are presses; this one makes the cloud asked.
        let card = bed.ask(ADMIN, "/disable bob").await;
        bed.press(ADMIN, &card.message_id, json!({"action": "user.disable"})).await;
        assert!(bed.texts(&card.message_id).contains("停用中"), "{}", bed.texts(&card.message_id));
        bed.press(ADMIN, &card.message_id, json!({"action": "projects.open"})).await;
        assert_eq!(bed.user("main/bob").quota.to_string(), "¥11.00");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_reports_what_is_new_changed_and_gone() {
    let bed = bed().await;
    says(&bed, ADMIN, "/quota main/alice 100", &[]).await;
    bed.cloud.update(|cloud| {
        let main = cloud.account_mut("main").unwrap();
        main.users.remove("alice");
        main.add_user("erin").display_name = "艾琳".to_owned();
        cloud.user_mut("main", "bob").unwrap().display_name = "小鲍".to_owned();
    });
    let report = text_of(&bed.sync().await);
    for wanted in ["新增 1", "变更 1", "移除 1", "erin", "bob", "alice"] {
        assert!(report.contains(wanted), "{wanted} is not in\n{report}");
    }
    says(&bed, ADMIN, "/users 小鲍", &["共 1 人", "bob"]).await;
    // Kept with what it had, listed last, no longer changed.
    let list = text_of(&bed.ask(ADMIN, "/users").await);
    let (gone, others) = (list.find("main/alice").unwrap(), ["bob", "lab/alice", "erin"]);
    assert!(others.iter().all(|name| list.find(name).unwrap() < gone), "{list}");
    says(&bed, ADMIN, "/user main/alice", &["已移除", "¥100.00"]).await;
    for text in ["/quota main/alice 5", "/disable main/alice", "/enable main/alice"] {
        says(&bed, ADMIN, text, &["main/alice 已不在云端", "/sync"]).await;
    }
    let unchanged = text_of(&bed.sync().await);
    assert!(unchanged.contains("新增 0 · 变更 0 · 移除 0"), "{unchanged}");
}
