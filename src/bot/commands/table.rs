//! The table of commands.

use super::command::{Change, ParseError, Query, Spec};
use super::month::Month;
use crate::app::export::Table;
use crate::domain::{DigestKind, Money, Needs};

/// Every command, in the order help shows them.
pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "help",
        aliases: &["帮助"],
        arguments: "",
        about: "command.help",
        needs: Needs::Anyone,
        parse: |_, _| Ok(Query::Help.into()),
    },
    Spec {
        name: "users",
        aliases: &["用户"],
        arguments: "[TEXT]",
        about: "command.users",
        needs: Needs::Viewer,
        parse: |_, arguments| Ok(Query::Users { query: arguments.words() }.into()),
    },
    Spec {
        name: "user",
        aliases: &["详情"],
        arguments: "NAME",
        about: "command.user",
        needs: Needs::Viewer,
        parse: |spec, arguments| Ok(Query::User { whom: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "create",
        aliases: &["创建"],
        arguments: "",
        about: "command.create",
        needs: Needs::Admin,
        parse: |_, _| Ok(Query::Create.into()),
    },
    Spec {
        name: "sync",
        aliases: &["同步"],
        arguments: "",
        about: "command.sync",
        needs: Needs::Admin,
        parse: |_, _| Ok(Change::Sync.into()),
    },
    Spec {
        name: "projects",
        aliases: &["项目"],
        arguments: "NAME",
        about: "command.projects",
        needs: Needs::Viewer,
        parse: |spec, arguments| Ok(Query::Projects { whom: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "quota",
        aliases: &["额度", "划拨"],
        arguments: "NAME [AMOUNT [NOTE...]]",
        about: "command.quota",
        needs: Needs::Viewer,
        parse: |spec, arguments| {
            let whom = arguments.required(spec)?;
            if arguments.is_empty() {
                return Ok(Query::Quota { whom }.into());
            }
            arguments.require(Needs::Admin);
            let amount =
                arguments.next_word().ok_or(ParseError::UnexpectedMention { command: spec })?;
            let amount = Money::parse_input(&amount).map_err(ParseError::BadAmount)?;
            Ok(Change::Allocate { whom, amount, note: arguments.free_text() }.into())
        },
    },
    Spec {
        name: "billing",
        aliases: &["账单"],
        arguments: "[NAME] [YYYY-MM]",
        about: "command.billing",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let month =
                |word: Option<String>| word.and_then(|word| Some((Month::read(&word)?, word)));
            let whom = match month(arguments.peek_word()) {
                Some(_) => None,
                None => arguments.next_whom(),
            };
            let period = match month(arguments.peek_word()) {
                Some((month, word)) => {
                    arguments.next_word();
                    Some(month.map_err(|()| ParseError::BadPeriod(word))?)
                }
                None => None,
            };
            Ok(Query::Billing { whom, period }.into())
        },
    },
    Spec {
        name: "alerts",
        aliases: &["告警"],
        arguments: "[NAME]",
        about: "command.alerts",
        needs: Needs::Viewer,
        parse: |_, arguments| Ok(Query::Alerts { whom: arguments.next_whom() }.into()),
    },
    Spec {
        name: "enable",
        aliases: &["启用"],
        arguments: "NAME",
        about: "command.enable",
        needs: Needs::Admin,
        parse: |spec, arguments| Ok(Query::Enable { whom: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "disable",
        aliases: &["停用"],
        arguments: "NAME",
        about: "command.disable",
        needs: Needs::Admin,
        parse: |spec, arguments| Ok(Query::Disable { whom: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "monitor",
        aliases: &["监控"],
        arguments: "[run]",
        about: "command.monitor",
        needs: Needs::Viewer,
        parse: |_, arguments| match arguments.peek_word() {
            Some(word) if word.eq_ignore_ascii_case("run") => {
                arguments.next_word();
                arguments.require(Needs::Admin);
                Ok(Change::MonitorRun.into())
            }
            _ => Ok(Query::Monitor.into()),
        },
    },
    Spec {
        name: "config",
        aliases: &["配置"],
        arguments: "",
        about: "command.config",
        needs: Needs::Admin,
        parse: |_, _| Ok(Query::Config.into()),
    },
    Spec {
        name: "accounts",
        aliases: &["主账号"],
        arguments: "",
        about: "command.accounts",
        needs: Needs::Admin,
        parse: |_, _| Ok(Query::Accounts.into()),
    },
    Spec {
        name: "export",
        aliases: &["导出"],
        arguments: "[users|spending|days|ledger|alerts|links|owners|limits] [YYYY-MM]",
        about: "command.export",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let named =
                arguments.peek_word().and_then(|word| Table::from_word(&word.to_lowercase()));
            if named.is_some() {
                arguments.next_word();
            }
            let table = named.unwrap_or(Table::Users);
            let word = arguments.peek_word().filter(|_| table.has_months());
            let period = match word.and_then(|word| Some((Month::read(&word)?, word))) {
                Some((Ok(month), _)) => {
                    arguments.next_word();
                    Some(month)
                }
                Some((Err(()), word)) => return Err(ParseError::BadPeriod(word.to_string())),
                None => None,
            };
            Ok(Query::Export { table, period }.into())
        },
    },
    Spec {
        name: "import",
        aliases: &["导入"],
        arguments: "",
        about: "command.import",
        needs: Needs::Admin,
        parse: |_, _| Ok(Query::Import.into()),
    },
    Spec {
        name: "me",
        aliases: &["我的"],
        arguments: "",
        about: "command.me",
        needs: Needs::Anyone,
        parse: |_, _| Ok(Query::Me.into()),
    },
    Spec {
        name: "request",
        aliases: &["申请"],
        arguments: "[NAME] AMOUNT [until DAY] [REASON...]",
        about: "command.request",
        needs: Needs::Anyone,
        parse: |spec, arguments| {
            let is_amount = |word: &Option<String>| {
                word.as_ref().is_some_and(|word| Money::parse_input(word).is_ok())
            };
            let whom = if is_amount(&arguments.peek_word()) {
                None
            } else {
                Some(arguments.required(spec)?)
            };
            let amount =
                arguments.next_word().ok_or(ParseError::MissingArgument { command: spec })?;
            let amount = Money::parse_input(&amount).map_err(ParseError::BadAmount)?;
            let until = arguments.last_day();
            let reason = arguments.free_text();
            Ok(Change::Request { whom, amount, until, reason }.into())
        },
    },
    Spec {
        name: "requests",
        aliases: &["审批"],
        arguments: "",
        about: "command.requests",
        needs: Needs::Viewer,
        parse: |_, _| Ok(Query::Requests.into()),
    },
    Spec {
        name: "report",
        aliases: &["汇总"],
        arguments: "[week|month]",
        about: "command.report",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let word = arguments.peek_word().map(|word| word.to_lowercase());
            let kind = match word.as_deref() {
                Some("week" | "周" | "上周" | "周报") => Some(DigestKind::Week),
                Some("month" | "月" | "上月" | "上个月" | "月报") => {
                    Some(DigestKind::Month)
                }
                _ => None,
            };
            if kind.is_some() {
                arguments.next_word();
            }
            Ok(Query::Report { kind }.into())
        },
    },
];
