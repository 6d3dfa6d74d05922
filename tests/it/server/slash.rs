//! The commands are offered as slash commands: only what differs is written, and only what is airgate's is removed.

use std::collections::BTreeSet;

use airgate::bot::commands::COMMANDS;
use airgate::sandbox::feishu::{ConfigApi, Console, SlashCommand, State};
use serde_json::json;

use crate::bed::{TIMEOUT, one_account};
use crate::shared::environment::Environment;

fn command(name: &str) -> SlashCommand {
    SlashCommand {
        id: format!("id-{name}"),
        name: name.to_owned(),
        description: json!({"default_value": "by a person"}),
        icon: "chat_outlined".to_owned(),
    }
}

async fn becomes(environment: &Environment, wanted: impl Fn(&Console) -> bool) {
    let seen = |state: &State| wanted(state.console()).then_some(());
    let found = environment.feishu.wait_for(seen, TIMEOUT).await;
    assert!(found.is_some(), "{:?}", environment.feishu.read(|state| state.console().clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_brings_the_list_up_to_date_once() {
    let environment = Environment::start(one_account()).await;
    environment
        .home
        .store()
        .write(|tx| tx.put_own_slash_commands(&BTreeSet::from(["retired".to_owned()])))
        .unwrap();
    environment.feishu.set_console(|console| {
        console.commands = vec![command("retired"), command("mine"), command("users")];
    });
    let all = |console: &Console| {
        let has = |name: &str| console.commands.iter().any(|command| command.name == name);
        let described = console.commands.iter().all(|command| {
            command.name == "mine" || command.description["i18n"]["zh_cn"].is_string()
        });
        COMMANDS.iter().all(|spec| has(spec.name)) && described && has("mine") && !has("retired")
    };
    let service = environment.serve("airgate=info");
    becomes(&environment, all).await;
    service.terminate();
    let writes = environment.feishu.read(|state| state.console().command_writes);
    let looked =
        |state: &State| state.requests().filter(|request| request.endpoint == "slash.list").count();
    let before = environment.feishu.read(looked);
    let service = environment.serve("airgate=info");
    let again =
        environment.feishu.wait_for(|state| (looked(state) > before).then_some(()), TIMEOUT).await;
    assert!(again.is_some());
    service.terminate();
    assert_eq!(environment.feishu.read(|state| state.console().command_writes), writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_slash_commands_is_told_of_once() {
    let environment = Environment::start(one_account()).await;
    environment.feishu.set_console(|console| console.rules.config_api = ConfigApi::Missing);
    let service = environment.serve("airgate=info");
    let told = service.find_line(|line| line.contains("cannot offer slash commands").then_some(()));
    assert!(told.is_some());
    let log = service.terminate().log;
    assert_eq!(log.matches("cannot offer slash commands").count(), 1, "{log}");
}
