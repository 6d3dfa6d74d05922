//! The language of the command line, and its texts: they are in the same catalogue as those of the cards.
//!
//! The language is what `AIRGATE__LOCALE` or the configuration file names, otherwise that of the terminal (`LC_ALL`,
//! `LC_MESSAGES`, `LANG`), otherwise English.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::cards::Wording;
use crate::config::{self, Locale};

/// What is spoken, once it has been chosen.
static SPOKEN: OnceLock<Locale> = OnceLock::new();

/// Chooses the language by the environment and the configuration file that the arguments name.
pub(super) fn choose() {
    let file =
        named_file(std::env::args_os()).or_else(|| variable("AIRGATE_CONFIG").map(Into::into));
    let file = file.unwrap_or_else(|| PathBuf::from("config.toml"));
    let configured = variable("AIRGATE__LOCALE")
        .and_then(|word| word.parse().ok())
        .or_else(|| config::locale_in(&file));
    // An Err means that it was chosen before.
    let _ = SPOKEN.set(configured.unwrap_or_else(|| of_terminal(variable)));
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The language of the terminal.
fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Locale {
    let language = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable);
    match language {
        Some(language) if language.to_ascii_lowercase().starts_with("zh") => Locale::ZhCn,
        _ => Locale::EnUs,
    }
}

/// The file that `--config FILE` or `--config=FILE` names. The arguments have not been parsed yet, because that may print.
fn named_file(arguments: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(file) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(PathBuf::from(file));
        }
    }
    None
}

/// The language that was chosen.
pub(super) fn spoken() -> Locale {
    SPOKEN.get().copied().unwrap_or(Locale::EnUs)
}

/// A text of the catalogue with its arguments.
pub(super) fn t(key: &str, args: &[(&str, &dyn Display)]) -> String {
    Wording::new(spoken()).t(key, args)
}

/// The command line with its help in the language `locale`.
pub(super) fn localized(mut command: Command, locale: Locale) -> Command {
    // Adds the flags and the sub-command that print help.
    command.build();
    in_language(command, "airgate", locale)
}

fn in_language(command: Command, path: &str, locale: Locale) -> Command {
    let text = |key: &str| Wording::new(locale).t(&format!("cli_help.{key}"), &[]);
    let is_leaf = command.get_subcommands().next().is_none();
    let mut command = command.about(text(path));
    if is_leaf || path == "airgate" {
        command = command.after_help(text(&format!("{path}_after")));
    }
    if locale != Locale::EnUs {
        let template = format!(
            "{{about-with-newline}}\n{}{{usage}}\n\n{{all-args}}{{after-help}}",
            text("heading_usage")
        );
        command = command
            .help_template(template)
            .subcommand_help_heading(kept(text("heading_commands")))
            .subcommand_value_name(kept(text("value_command")));
    }
    let mut arguments: Vec<String> = Vec::new();
    if locale != Locale::EnUs {
        arguments.extend(command.get_arguments().map(|argument| argument.get_id().to_string()));
    }
    for name in arguments {
        let help = text(&key_of(path, &name));
        command = command.mut_arg(name, |argument| translated(argument, help, &text));
    }
    let names: Vec<String> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        // The sub-command `help` repeats all others.
        if name == "help" {
            command = command.mut_subcommand(name, |help| help.about(text("help_command")));
            continue;
        }
        let below = if path == "airgate" { name.clone() } else { format!("{path}_{name}") };
        command = command.mut_subcommand(name, |command| in_language(command, &below, locale));
    }
    command
}

/// A text that the library wants for as long as the process lives. There are a few of them, once.
fn kept(text: String) -> &'static str {
    text.leak()
}

/// The key of an argument's help. Some arguments are the same everywhere.
fn key_of(path: &str, name: &str) -> String {
    match name {
        "config" | "help" | "version" => name.to_owned(),
        _ => format!("{path}_{name}"),
    }
}

/// An argument with a translated help, without what the library adds to it in English: the texts say it themselves.
fn translated(argument: Arg, help: String, text: &impl Fn(&str) -> String) -> Arg {
    let heading = if argument.is_positional() { "heading_arguments" } else { "heading_options" };
    argument
        .help(help)
        .long_help(Resettable::Reset)
        .help_heading(kept(text(heading)))
        .hide_default_value(true)
        .hide_env(true)
        .hide_possible_values(true)
}

/// Says in one line what is wrong with the arguments.
pub(super) fn misuse(error: &clap::Error) -> String {
    if spoken() == Locale::EnUs {
        return joined(&error.to_string());
    }
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let given = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue);
    let mut parts = vec![match error.kind() {
        ErrorKind::InvalidSubcommand => {
            t("cli.no_command", &[("name", &context(ContextKind::InvalidSubcommand))])
        }
        ErrorKind::UnknownArgument => t("cli.no_argument", &[("name", &given)]),
        ErrorKind::MissingRequiredArgument => t("cli.missing_argument", &[("name", &given)]),
        ErrorKind::InvalidValue if value.is_empty() => t("cli.no_value", &[("name", &given)]),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            t("cli.bad_value", &[("name", &given), ("value", &value)])
        }
        ErrorKind::ArgumentConflict => t("cli.conflict", &[("name", &given)]),
        _ => return joined(&error.to_string()),
    }];
    let suggested = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg];
    for name in suggested.map(context).into_iter().filter(|name| !name.is_empty()) {
        parts.push(t("cli.nearest", &[("name", &name)]));
    }
    let valid = context(ContextKind::ValidValue);
    if !valid.is_empty() {
        parts.push(t("cli.valid", &[("values", &valid.replace(' ', ", "))]));
    }
    let usage = context(ContextKind::Usage);
    if let Some(usage) = usage.split_once("Usage: ").map(|(_, usage)| usage.trim()) {
        parts.push(t("cli.usage", &[("usage", &usage)]));
    }
    t("cli.see_help", &[("text", &parts.join("；"))])
}

/// Joins the library's lines into one: the error, its tips, the usage.
pub(super) fn joined(text: &str) -> String {
    let parts: Vec<String> = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty() && !part.starts_with("For more information"))
        .map(|part| part.replacen("Usage: ", "usage: ", 1).replacen("tip: ", "", 1))
        .collect();
    format!("{} (see --help)", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Every help text: its key, and what the library would print.
    fn texts(command: &Command, path: &str, out: &mut Vec<(String, String)>) {
        let plain = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string);
        out.push((path.to_owned(), plain(command.get_about()).unwrap_or_default()));
        for argument in command.get_arguments() {
            let help = plain(argument.get_help()).unwrap_or_default();
            out.push((key_of(path, argument.get_id().as_str()), help));
        }
        let mut subcommands = command.get_subcommands().peekable();
        if subcommands.peek().is_none() || path == "airgate" {
            out.push((format!("{path}_after"), String::new()));
        }
        for subcommand in subcommands.filter(|command| command.get_name() != "help") {
            let name = subcommand.get_name();
            let below = if path == "airgate" { name.to_owned() } else { format!("{path}_{name}") };
            texts(subcommand, &below, out);
        }
    }

    #[test]
    fn every_help_text_is_in_the_catalogue_and_the_english_one_is_that_of_the_code() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        texts(&command, "airgate", &mut found);
        let english = Wording::new(Locale::EnUs);
        for (key, text) in found.iter().filter(|(_, text)| !text.is_empty()) {
            // The library's own, which depends on what else there is to read.
            if key == "help" {
                continue;
            }
            assert_eq!(&english.t(&format!("cli_help.{key}"), &[]), text, "{key}");
        }
        let other = ["help_command", "value_command"].map(str::to_owned).into_iter();
        let headings = ["usage", "commands", "arguments", "options"];
        let other = other.chain(headings.map(|name| format!("heading_{name}")));
        let used: BTreeSet<String> = found.into_iter().map(|(key, _)| key).chain(other).collect();
        let catalogue: toml::Table =
            include_str!("../../cards/locales/zh_cn.toml").parse().unwrap();
        let known = catalogue["cli_help"].as_table().unwrap().keys().cloned().collect();
        assert_eq!(used, known);
    }

    #[test]
    fn help_speaks_chinese() {
        let mut command = localized(Cli::command(), Locale::ZhCn);
        let mut helps = vec![command.render_long_help().to_string()];
        for name in ["demo", "serve", "check", "export", "probe"] {
            let command = command.find_subcommand_mut(name).unwrap();
            helps.push(command.render_long_help().to_string());
        }
        for help in helps {
            assert!(help.contains("用法："), "{help}");
            for english in [
                "Usage",
                "Options",
                "Commands:",
                "Arguments",
                "Print",
                "default",
                "possible",
                "env:",
            ] {
                assert!(!help.contains(english), "{english}: {help}");
            }
        }
    }

    #[test]
    fn the_language_is_that_of_the_terminal() {
        for (variables, locale) in [
            (&[("LANG", "zh_CN.UTF-8")][..], Locale::ZhCn),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], Locale::EnUs),
            (&[("LC_MESSAGES", "zh_TW")], Locale::ZhCn),
            (&[("LANG", "de_DE.UTF-8")], Locale::EnUs),
            (&[], Locale::EnUs),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(of_terminal(variable), locale, "{variables:?}");
        }
    }

    #[test]
    fn the_configuration_file_is_found_among_the_arguments() {
        let found = |arguments: &[&str]| named_file(arguments.iter().map(OsString::from));
        assert_eq!(found(&["airgate", "check", "--config", "a.toml"]), Some("a.toml".into()));
        assert_eq!(found(&["airgate", "check", "--config=b.toml"]), Some("b.toml".into()));
        assert_eq!(found(&["airgate", "check"]), None);
    }
}
