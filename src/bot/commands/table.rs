//! The table of commands.

use super::command::{Change, ParseError, Query, Spec};
use crate::app::export::Table;
use crate::domain::{Money, Needs};

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
        parse: |_, arguments| Ok(Query::Users { query: arguments.rest() }.into()),
    },
    Spec {
        name: "user",
        aliases: &["详情"],
        arguments: "NAME",
        about: "command.user",
        needs: Needs::Viewer,
        parse: |spec, arguments| Ok(Query::User { name: arguments.required(spec)? }.into()),
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
        parse: |spec, arguments| Ok(Query::Projects { name: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "quota",
        aliases: &["额度", "划拨"],
        arguments: "NAME [AMOUNT [NOTE...]]",
        about: "command.quota",
        needs: Needs::Viewer,
        parse: |spec, arguments| {
            let name = arguments.required(spec)?;
            let Some(amount) = arguments.next() else { return Ok(Query::Quota { name }.into()) };
            arguments.require(Needs::Admin);
            let amount = Money::parse_input(&amount).map_err(ParseError::BadAmount)?;
            Ok(Change::Allocate { name, amount, note: arguments.rest() }.into())
        },
    },
    Spec {
        name: "billing",
        aliases: &["账单"],
        arguments: "[NAME] [YYYY-MM]",
        about: "command.billing",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let mut name = None;
            let mut period = None;
            while let Some(argument) = arguments.peek() {
                let looks_like_month = argument.starts_with(|c: char| c.is_ascii_digit())
                    && argument.contains('-')
                    && argument.chars().all(|c| c.is_ascii_digit() || c == '-');
                if period.is_none() && looks_like_month {
                    let month = argument.parse();
                    period = Some(month.map_err(|_| ParseError::BadPeriod(argument))?);
                } else if name.is_none() && period.is_none() {
                    name = Some(argument);
                } else {
                    break;
                }
                arguments.next();
            }
            Ok(Query::Billing { name, period }.into())
        },
    },
    Spec {
        name: "alerts",
        aliases: &["告警"],
        arguments: "[NAME]",
        about: "command.alerts",
        needs: Needs::Viewer,
        parse: |_, arguments| Ok(Query::Alerts { name: arguments.next() }.into()),
    },
    Spec {
        name: "enable",
        aliases: &["启用"],
        arguments: "NAME",
        about: "command.enable",
        needs: Needs::Admin,
        parse: |spec, arguments| Ok(Query::Enable { name: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "disable",
        aliases: &["停用"],
        arguments: "NAME",
        about: "command.disable",
        needs: Needs::Admin,
        parse: |spec, arguments| Ok(Query::Disable { name: arguments.required(spec)? }.into()),
    },
    Spec {
        name: "monitor",
        aliases: &["监控"],
        arguments: "[run]",
        about: "command.monitor",
        needs: Needs::Viewer,
        parse: |_, arguments| match arguments.peek() {
            Some(word) if word.eq_ignore_ascii_case("run") => {
                arguments.next();
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
        arguments: "[users|spending|ledger|alerts]",
        about: "command.export",
        needs: Needs::Viewer,
        parse: |_, arguments| {
            let named = arguments.peek().and_then(|word| Table::from_word(&word.to_lowercase()));
            if named.is_some() {
                arguments.next();
            }
            Ok(Query::Export { table: named.unwrap_or(Table::Users) }.into())
        },
    },
    Spec {
        name: "me",
        aliases: &["我的"],
        arguments: "",
        about: "command.me",
        needs: Needs::Anyone,
        parse: |_, _| Ok(Query::Me.into()),
    },
];
