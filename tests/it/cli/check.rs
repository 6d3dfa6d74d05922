//! `airgate check`.

use airgate::domain::{AccessKeyInfo, Switch, User};
use airgate::sandbox::feishu::{ConfigApi, Delivery, Grants};
use airgate::sandbox::world::{PolicyKind, PolicyScope};

use super::{offline, online, with_account};
use crate::bed::GROUP;
use crate::shared::process::run;

/// The row of the table that begins with `what`.
#[track_caller]
fn row<'a>(table: &'a str, what: &str) -> &'a str {
    let found = table.lines().find(|line| line.starts_with(what));
    found.unwrap_or_else(|| panic!("no row {what}:\n{table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tests_everything_and_says_how_to_fix_failures() {
    let environment = online().await;
    let (feishu, cloud, home) = (&environment.feishu, &environment.cloud, &environment.home);
    let all = home.run(&["check"]);
    let table = all.good();
    for what in [
        "configuration",
        "access.project_policies",
        "store",
        "backups",
        "Feishu token",
        "Feishu bot",
        "Feishu scopes",
        "Feishu events",
        "Feishu callbacks",
        "Feishu contact range",
        "clock",
        "Feishu alert chat",
        "account main access key",
        "account main projects",
        "account main bills",
        "account main 方舟",
        "account main balance",
    ] {
        assert!(row(table, what).contains(" ok"), "{table}");
    }
    assert!(row(table, "Feishu alert chat").contains("告警群"));

    feishu.set_bot_in_chat(GROUP, false);
    cloud.update(|world| world.account_mut("main").unwrap().split_bills_enabled = false);
    let failed = home.run(&["check"]);
    assert_eq!(failed.code, 1);
    assert_eq!(failed.err, "airgate: 2 checks failed: see the table\n");
    let chat = row(&failed.out, "Feishu alert chat");
    assert!(chat.contains("FAILED") && chat.contains("add the bot to the group"), "{chat}");
    let bills = row(&failed.out, "account main bills");
    assert!(bills.contains("FAILED") && bills.contains("分账账单"), "{bills}");

    let wrong = home.feed(&["account", "rotate", "main"], "AKLTmain0000000001\nwrong-secret\n");
    wrong.good();
    let mut command = home.command(&["check"]);
    command.env("AIRGATE__FEISHU__APP_SECRET", "wrong-app-secret");
    command.env("AIRGATE__ACCESS__PROJECT_POLICIES", "Good,Bad/Name");
    let failed = run(command, "");
    assert_eq!(failed.code, 1);
    assert!(row(&failed.out, "Feishu token").contains("feishu.app_secret"), "{}", failed.out);
    assert!(row(&failed.out, "Feishu bot").contains("skipped"));
    assert!(row(&failed.out, "account main access key").contains("replace the key pair"));
    assert!(row(&failed.out, "account main bills").contains("skipped"));
    assert!(row(&failed.out, "access.project_policies").contains("Bad/Name"));
    assert!(!failed.out.contains("wrong-secret") && !failed.out.contains("wrong-app-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_compares_scopes_and_events_with_the_required_ones() {
    let environment = online().await;
    let (feishu, home) = (&environment.feishu, &environment.home);
    feishu.set_console(|console| {
        console.scopes.remove("im:message:readonly");
        // A wider one that covers it.
        console.scopes.remove("im:chat:read");
        console.scopes.insert("im:chat".to_owned(), true);
        console.events.as_mut().unwrap().retain(|event| event != "im.chat.disbanded_v1");
    });
    let optional = home.run(&["check"]);
    let table = optional.good();
    assert!(
        row(table, "Feishu scopes").contains("ok: all but optional im:message:readonly"),
        "{table}"
    );
    assert!(row(table, "Feishu events").contains("im.chat.disbanded_v1"), "{table}");

    feishu.set_console(|console| {
        console.scopes.insert("im:resource".to_owned(), false);
        console.events = Some(vec!["im.chat.disbanded_v1".to_owned()]);
    });
    let failed = home.run(&["check"]);
    assert_eq!(failed.err, "airgate: 2 checks failed: see the table\n");
    let scopes = row(&failed.out, "Feishu scopes");
    assert!(
        scopes.contains("FAILED: missing: im:resource") && scopes.contains("approve"),
        "{scopes}"
    );
    let events = row(&failed.out, "Feishu events");
    assert!(events.contains("FAILED: missing: im.message.receive_v1"), "{events}");

    feishu.set_console(|console| {
        console.scopes.remove("application:application.app_version:readonly");
        console.scopes.remove("application:application:self_manage");
        console.scopes.remove("im:resource");
    });
    let failed = home.run(&["check"]);
    assert!(row(&failed.out, "Feishu scopes").contains("权限管理"), "{}", failed.out);
    assert!(row(&failed.out, "Feishu events").contains("skipped"), "{}", failed.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_of_the_wrong_way_for_clicks_a_review_and_an_empty_contact_range() {
    let environment = online().await;
    let (feishu, home) = (&environment.feishu, &environment.home);
    feishu.set_console(|console| {
        console.callbacks_by = Delivery::Websocket;
        console.in_review = true;
    });
    let failed = home.run(&["check"]);
    let callbacks = row(&failed.out, "Feishu callbacks");
    assert!(callbacks.contains("FAILED: callbacks arrive by websocket"), "{callbacks}");
    let version = row(&failed.out, "Feishu version");
    assert!(version.contains("warning: a version is under review"), "{version}");
    assert_eq!(failed.err, "airgate: a check failed: see the table\n");

    feishu.set_console(|console| {
        console.callbacks.clear();
        console.scopes.remove("application:application:self_manage");
    });
    let blind = home.run(&["check"]);
    let callbacks = row(blind.good(), "Feishu callbacks");
    assert!(callbacks.contains("application:application:self_manage"), "{callbacks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_fix_adds_what_the_api_can_add_and_lists_the_rest() {
    let environment = online().await;
    let (feishu, home) = (&environment.feishu, &environment.home);
    home.configure(&environment.configuration().set("feishu.mode", "websocket"));
    feishu.set_console(|console| {
        console.scopes.remove("contact:user.base:readonly");
        console.events = Some(Vec::new());
        console.callbacks.clear();
        console.is_bot = false;
    });
    let fixed = home.run(&["check", "--fix"]);
    let table = fixed.good();
    assert!(row(table, "--fix").contains("a version submitted"), "{table}");
    assert!(row(table, "slash commands").contains(" ok"), "{table}");
    feishu.read(|state| {
        let console = state.console();
        assert_eq!(console.scopes.get("contact:user.base:readonly"), Some(&true));
        assert_eq!(console.callbacks, ["card.action.trigger"]);
        assert!(console.is_bot);
        let ways = (console.events_by, console.callbacks_by);
        assert_eq!(ways, (Delivery::Websocket, Delivery::Websocket));
    });
    let again = home.run(&["check", "--fix"]);
    assert!(row(again.good(), "--fix").contains("nothing was missing"), "{}", again.out);

    feishu.set_console(|console| {
        console.scopes.remove("im:resource");
        console.rules.grants = Grants::Never;
    });
    let left = home.run(&["check", "--fix"]);
    assert_eq!(left.code, 1);
    let todo = row(&left.out, "left for a person");
    assert!(todo.contains("im:resource") && todo.contains("/app/cli_test/auth"), "{todo}");

    feishu.set_console(|console| {
        console.scopes.remove("im:resource");
        console.rules.config_api = ConfigApi::Missing;
    });
    let by_hand = home.run(&["check", "--fix"]);
    assert_eq!(by_hand.code, 1);
    assert!(row(&by_hand.out, "--fix").contains("cannot be set by API"), "{}", by_hand.out);
    assert!(row(&by_hand.out, "slash commands").contains("skipped"), "{}", by_hand.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_continues_while_the_service_has_the_store() {
    let environment = online().await;
    let (cloud, home) = (&environment.cloud, &environment.home);
    let running = home.store();
    let table = home.run(&["check"]);
    assert!(row(table.good(), "store").contains("in use by a running airgate"), "{}", table.out);
    assert!(row(&table.out, "Feishu bot").contains(" ok"));
    assert!(row(&table.out, "Volcengine").contains("skipped"));
    drop(running);
    cloud.clear_calls();
    let offline = home.run(&["check", "--offline"]);
    assert!(row(offline.good(), "store").contains(" ok"));
    assert!(row(&offline.out, "Feishu").contains("skipped: --offline"));
    assert!(cloud.calls().is_empty());
}

#[test]
fn check_of_an_invalid_configuration_shows_every_problem() {
    let home = offline();
    let mut command = home.command(&["check", "--offline"]);
    command.env("AIRGATE__FEISHU__APP_ID", "").env("AIRGATE__MONITOR__CONCURRENCY", "0");
    let failed = run(command, "");
    assert_eq!(failed.code, 2);
    assert_eq!(failed.err, "airgate: the configuration has 2 problems\n");
    assert!(row(&failed.out, "feishu.app_id").contains("FAILED"), "{}", failed.out);
    assert!(row(&failed.out, "monitor.concurrency").contains("FAILED"), "{}", failed.out);

    let fresh = home.run(&["check", "--offline"]);
    assert!(row(fresh.good(), "store").contains("none yet"), "{}", fresh.out);
    assert!(!home.store_path().exists(), "check creates nothing");
}

#[test]
fn check_says_that_the_key_is_not_the_stores() {
    let home = with_account();
    let mut command = home.command(&["check", "--offline"]);
    command.env("AIRGATE__SECURITY__MASTER_KEY", "33".repeat(32));
    let failed = run(command, "");
    assert_eq!(failed.code, 1);
    assert!(row(&failed.out, "store").contains("set security.master_key"), "{}", failed.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_warns_of_a_key_pair_that_may_do_everything() {
    let environment = online().await;
    let (cloud, home) = (&environment.cloud, &environment.home);
    assert!(row(home.run(&["check"]).good(), "account main rights").contains("skipped"));
    // As a sync would know it.
    home.store()
        .write(|tx| {
            let mut ops = User::new("main/ops".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
            let id = "AKLTmain0000000001".to_owned();
            ops.access_keys = vec![AccessKeyInfo { id, active: Switch::On }];
            tx.put_user(&ops)
        })
        .unwrap();
    cloud.update(|world| {
        let ops = world.account_mut("main").unwrap().add_user("ops");
        ops.attach("IAMFullAccess", PolicyKind::System, PolicyScope::Global);
    });
    assert!(row(home.run(&["check"]).good(), "account main rights").contains(" ok"));
    cloud.update(|world| {
        let ops = world.user_mut("main", "ops").unwrap();
        ops.attach("AdministratorAccess", PolicyKind::System, PolicyScope::Global);
    });
    let checked = home.run(&["check"]);
    let rights = row(checked.good(), "account main rights");
    assert!(
        rights.contains("warning") && rights.contains("detach AdministratorAccess"),
        "{rights}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_bot_menu_that_only_a_person_can_make_and_items_that_are_no_command() {
    let environment = online().await;
    let (feishu, home) = (&environment.feishu, &environment.home);
    let none = home.run(&["check"]);
    let menu = row(none.good(), "Feishu bot menu");
    assert!(menu.contains("skipped") && menu.contains("event_key"), "{menu}");
    feishu.set_console(|console| console.menu = vec!["users".to_owned(), "/billing".to_owned()]);
    assert!(row(home.run(&["check"]).good(), "Feishu bot menu").contains(" ok: users"));
    feishu.set_console(|console| console.menu.push("ops_status".to_owned()));
    let wrong = home.run(&["check"]);
    let menu = row(wrong.good(), "Feishu bot menu");
    assert!(menu.contains("warning") && menu.contains("ops_status"), "{menu}");
}
