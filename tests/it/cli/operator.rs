//! What an operator is told, and in which language.

use std::net::TcpListener;

use super::{offline, with_account};
use crate::bed::eventually_ok;
use crate::shared::configuration::Configuration;
use crate::shared::environment::Home;
use crate::shared::process::{Process, run};

#[test]
fn a_configuration_is_refused_in_the_language_of_the_terminal_or_of_the_configuration() {
    let wrong =
        Configuration::offline().set("feishu.admins", vec!["bob"]).set("monitor.concurrency", 0);
    let home = Home::new(&wrong);
    let chinese = [
        "feishu.admins 包含 `bob`：open_id 以 ou_ 开头",
        "monitor.concurrency 必须是 1 到 64 的整数，现为 0",
    ];
    for (name, value) in [("LANG", "zh_CN.UTF-8"), ("AIRGATE__LOCALE", "zh_cn")] {
        let mut serve = home.command(&["serve"]);
        let told = run(
            {
                serve.env(name, value);
                serve
            },
            "",
        );
        assert_eq!((told.code, told.err.lines().count()), (2, 2), "{}", told.err);
        for (line, wanted) in told.err.lines().zip(chinese) {
            assert!(line.ends_with(wanted), "{line}");
        }
        let mut check = home.command(&["check", "--offline"]);
        let told = run(
            {
                check.env(name, value);
                check
            },
            "",
        );
        assert!(
            told.out.contains("open_id 以 ou_ 开头") && !told.out.contains("begins"),
            "{}",
            told.out
        );
    }
    let told = home.run(&["serve"]);
    assert!(
        told.err.contains("feishu.admins contains `bob`: an open_id begins with ou_"),
        "{}",
        told.err
    );
}

#[test]
fn serve_names_the_fix_for_a_port_in_use_and_for_another_master_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = with_account();
    home.configure(&Configuration::offline().set("server.listen", address.as_str()));
    home.run(&["serve"]).refused(1, "change server.listen");
    home.configure(&Configuration::offline().set("security.master_key", "33".repeat(32)));
    for command in [&["serve"][..], &["account", "list"]] {
        home.run(command).refused(1, "set it to the key that the store was written with");
    }
}

#[test]
fn an_odd_access_key_is_mentioned_when_it_is_added() {
    let home = offline();
    let told = home.feed(&["account", "add", "main"], "secret\nAKLTswapped\n");
    assert_eq!(told.code, 0);
    assert!(told.err.contains("does not look like an access key ID"), "{}", told.err);
    assert!(!told.all().contains("AKLTswapped"));
}

#[test]
fn the_log_speaks_chinese_with_beijing_times_and_without_the_scheduler() {
    let home = offline();
    let mut command = home.command(&["serve"]);
    command.env("AIRGATE__LOCALE", "zh_cn").env("RUST_LOG", "info");
    let process = Process::start(command);
    let line = process.find_line(|line| line.contains("airgate 已启动").then(|| line.to_owned()));
    let line = line.unwrap();
    assert!(line.contains("+08:00") && line.contains(" address=127.0.0.1:"), "{line}");
    process.find_line(|line| line.contains("无法连接飞书").then_some(())).unwrap();
    let log = process.terminate().log;
    assert!(log.contains("正在停止") && !log.contains("Job creator"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_says_why_feishu_cannot_be_reached() {
    let home = offline();
    let process = home.start("info");
    let url = format!("http://{}/readyz", process.listening());
    let _ = rustls::crypto::ring::default_provider().install_default();
    eventually_ok("the cause", async || {
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        if text.contains("Connection refused") { Ok(()) } else { Err(text) }
    })
    .await;
}
