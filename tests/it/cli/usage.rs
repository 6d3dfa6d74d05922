//! Wrong usage, help, completions.

use super::offline;
use crate::shared::process::run;

#[test]
fn wrong_usage_and_wrong_configuration_are_distinguished_from_failures() {
    let home = offline();
    home.run(&["nonsense"]).refused(2, "--help");
    home.run(&["export", "nothing"])
        .refused(2, "users, spending, days, ledger, alerts, links, owners, limits");
    home.run(&["backup"]).refused(2, "<FILE>");
    home.run(&["account", "list", "x"]).refused(2, "usage: airgate account list");
    // Without a command, it prints the help.
    let help = home.run(&[]);
    assert_eq!((help.code, help.out.as_str()), (2, ""));
    assert!(help.err.contains("Usage: airgate <COMMAND>"), "{}", help.err);
    let mut command = home.command(&["account", "list"]);
    command.env("AIRGATE__FEISHU__APP_ID", "").env("AIRGATE__NO__SUCH_KEY", "x");
    let refused = run(command, "");
    assert_eq!((refused.code, refused.err.lines().count()), (2, 2), "{}", refused.err);
    home.run(&["account", "list", "--config", "none.toml"]).refused(2, "none.toml");
}

#[test]
fn every_command_has_help_with_examples_and_shells_complete_it() {
    let home = offline();
    let help = home.run(&["--help"]);
    let commands: Vec<&str> = help
        .good()
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    let account = ["add", "list", "rotate", "enable", "disable"];
    let calls = commands
        .iter()
        .filter(|name| **name != "account")
        .map(|name| vec![*name, "--help"])
        .chain(account.map(|name| vec!["account", name, "--help"]));
    for call in calls {
        let help = home.run(&call);
        assert!(help.good().contains("Examples:\n  "), "{call:?}: {}", help.out);
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]);
        for name in &commands {
            assert!(script.good().contains(name), "{shell} {name}");
        }
    }
}
