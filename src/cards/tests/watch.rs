//! Facts for test cards about alerts, the monitor, syncs and help.

use jiff::ToSpan;

use super::paths;
use super::samples::{Size, ago, amount, display, key, links, now, pending, text, user};
use super::*;
use crate::app::outcome::{AccountSync, AlertsView, FailedDelivery, MonitorView, Unread};
use crate::app::steps::FirstSteps;
use crate::app::trouble::{Cause, Said, Trouble};
use crate::domain::*;

/// The same, with a month limit of 3,000.
fn figures_of_month(size: Size, of: Limit, spent: &str) -> Figures {
    let detail = super::samples::limited_detail(size);
    let month = detail.month.map(|month| Month { spent: amount(size, spent), ..month });
    let amounts: Vec<_> =
        detail.links.iter().map(|link| (link.project.clone(), amount(size, "1000"))).collect();
    let month = MonthFigures::of(&detail.user, month.as_ref());
    figures(size, "8230.4").with_month(month, of, &amounts)
}

fn figures(size: Size, consumed: &str) -> Figures {
    let user = user(size, 0);
    let count = if size == Size::Small { 3 } else { 40 };
    let mut figures = Figures::of(&user, &links(size, &user, count), &[]);
    figures.consumed = amount(size, consumed);
    figures
}

pub fn alert_records(size: Size) -> Vec<(&'static str, AlertRecord)> {
    let reason = match size {
        Size::Small => "InvalidAccessKey: the access key was not found".to_owned(),
        _ => text(size, 3000),
    };
    let operator = Operator::Person {
        open_id: "ou_0123456789".parse().unwrap(),
        name: Some(if size == Size::Small { "王小明".to_owned() } else { text(size, 200) }),
    };
    let account: AccountId = "main".parse().unwrap();
    let main = account.clone();
    let limited = super::samples::limited_detail(size).forecast.unwrap();
    let outlook = |outlook| AlertBody::Forecast { outlook };
    let spike = |i| Spike {
        project: super::samples::project(size, i).to_string(),
        amount: amount(size, "500"),
        median: amount(size, "20.125"),
    };
    let error = |problem| AlertBody::Error { problem };
    let bodies = [
        (
            "warning",
            true,
            AlertBody::Warning {
                threshold: 80,
                of: Limit::Quota,
                figures: figures(size, "8230.4"),
            },
        ),
        (
            "disable",
            true,
            AlertBody::Disable {
                of: Limit::Quota,
                figures: figures(size, "10230.4"),
                paths: paths::closed(size),
            },
        ),
        (
            "disable_older",
            true,
            AlertBody::Disable {
                of: Limit::Quota,
                figures: figures(size, "10230.4"),
                paths: PathReports::new(),
            },
        ),
        ("manual_cut", true, AlertBody::manual(AccessGoal::Cut, operator.clone())),
        (
            "manual_restored",
            true,
            AlertBody::Manual {
                goal: AccessGoal::Restored,
                operator: operator.clone(),
                left: paths::items(size, AccessPath::AccessKeys),
                gone: paths::items(size, AccessPath::Endpoints),
            },
        ),
        ("reopened", true, error(Problem::AccessReopened { items: paths::reopened(size) })),
        ("still_spending", true, error(Problem::StillSpending { spender: paths::spender(size) })),
        (
            "policy_taken",
            false,
            error(Problem::PolicyTaken {
                account: account.clone(),
                policy: text(size, 64),
                instead: text(size, 64),
            }),
        ),
        (
            "policies_taken",
            false,
            error(Problem::PolicyTaken {
                account: account.clone(),
                policy: DENY_ALL_POLICY.to_owned(),
                instead: String::new(),
            }),
        ),
        (
            "cycles_failing",
            false,
            error(Problem::CyclesFailing { failures: 3, reason: reason.clone(), accounts: vec![] }),
        ),
        ("cycles_recovered", false, error(Problem::CyclesRecovered { accounts: vec![] })),
        (
            "credentials_refused",
            false,
            error(Problem::CredentialsRefused { account: account.clone(), reason: reason.clone() }),
        ),
        ("credentials_recovered", false, error(Problem::CredentialsRecovered { account })),
        (
            "cut_delayed",
            true,
            error(Problem::AccessDelayed {
                goal: AccessGoal::Cut,
                reason: reason.clone(),
                paths: paths::half_closed(size),
            }),
        ),
        (
            "restore_delayed",
            true,
            error(Problem::AccessDelayed {
                goal: AccessGoal::Restored,
                reason,
                paths: PathReports::new(),
            }),
        ),
        ("test", false, error(Problem::Test { operator })),
        (
            "warning_month",
            true,
            AlertBody::Warning {
                threshold: 80,
                of: Limit::Month,
                figures: figures_of_month(size, Limit::Month, "2512.345"),
            },
        ),
        (
            "disable_month",
            true,
            AlertBody::Disable {
                of: Limit::Month,
                figures: figures_of_month(size, Limit::Month, "3000"),
                paths: paths::closed(size),
            },
        ),
        (
            "disable_both",
            true,
            AlertBody::Disable {
                of: Limit::Both,
                figures: figures_of_month(size, Limit::Both, "3000"),
                paths: paths::closed(size),
            },
        ),
        ("month_restored", true, AlertBody::manual(AccessGoal::Restored, Operator::System)),
        (
            "runs_out",
            true,
            outlook(Outlook::RunsOut {
                runs_out: limited.runs_out.unwrap(),
                rate: limited.rate,
                month_end: limited.month_end,
                figures: figures_of_month(size, Limit::Month, "2512.345"),
            }),
        ),
        (
            "spikes",
            false,
            outlook(Outlook::Spikes {
                account: main.clone(),
                day: limited.rate.to,
                projects: vec![spike(0), spike(1)],
            }),
        ),
        (
            "balance_low",
            false,
            outlook(Outlook::BalanceLow {
                account: main.clone(),
                available: amount(size, "650.2"),
                rate: limited.rate,
                within: 7,
            }),
        ),
        (
            "balance_recovered",
            false,
            outlook(Outlook::BalanceRecovered { account: main, available: amount(size, "9650.2") }),
        ),
    ];
    bodies
        .into_iter()
        .enumerate()
        .map(|(i, (name, of_user, body))| {
            let record = AlertRecord {
                id: i as u64 + 1,
                user: of_user.then(|| key(size, 0)),
                body,
                notice: [Notice::Delivered, Notice::Owed, Notice::Failed, Notice::NotOwed][i % 4],
                at: ago(i as i64 * 7),
                steps: Vec::new(),
                closed: None,
            };
            (name, record)
        })
        .collect()
}

pub fn backup_alerts(size: Size) -> Vec<(&'static str, AlertRecord)> {
    let reason = match size {
        Size::Small => "403 Forbidden, AccessDenied".to_owned(),
        _ => text(size, 3000),
    };
    let failing = |place| Problem::BackupFailing { place, reason: Some(reason.clone()) };
    [
        ("backup_failing", failing(BackupPlace::Folder)),
        ("upload_failing", failing(BackupPlace::Bucket)),
        ("backup_recovered", Problem::BackupRecovered { place: BackupPlace::Bucket }),
    ]
    .map(|(name, problem)| {
        let body = AlertBody::Error { problem };
        let record = AlertRecord {
            id: 1,
            user: None,
            body,
            notice: Notice::Delivered,
            at: ago(7),
            steps: Vec::new(),
            closed: None,
        };
        (name, record)
    })
    .into()
}

pub fn alerts(size: Size) -> AlertsView {
    let records: Vec<AlertRecord> =
        alert_records(size).into_iter().map(|(_, record)| record).take(ALERTS_A_PAGE).collect();
    let small = size == Size::Small;
    AlertsView {
        alerts: records,
        page: 1,
        pages: if small { 2 } else { 40_000 },
        total: if small { 10 } else { 320_000 },
        user: (!small).then(|| key(size, 0)),
        kind: (!small).then_some(AlertKind::Warning),
        counts: if small { [3, 1, 4, 0, 2] } else { [AlertsView::COUNTED; 5] },
    }
}

pub fn no_alerts() -> AlertsView {
    AlertsView {
        alerts: vec![],
        page: 1,
        pages: 1,
        total: 0,
        user: None,
        kind: None,
        counts: [0; 5],
    }
}

pub fn cycle(size: Size) -> CycleReport {
    let small = size == Size::Small;
    let periods: Vec<BillPeriod> = "2026-10"
        .parse::<BillPeriod>()
        .unwrap()
        .through(if small { "2026-11" } else { "2028-11" }.parse().unwrap())
        .collect();
    CycleReport {
        started: ago(1),
        ended: ago(1).checked_add(42.seconds()).unwrap(),
        outcome: CycleOutcome::Error,
        accounts: (0..if small { 2 } else { 30 })
            .map(|i| AccountReading {
                account: format!(
                    "{}{i}",
                    if small { "main" } else { "abcdefghij-abcdefghij-abcdef" }
                )
                .parse()
                .unwrap(),
                periods: periods.clone(),
                rows: 12_345,
                calls: 42,
                error: (i == 1 || !small).then(|| {
                    if small {
                        "AccessDenied：请检查密钥权限".to_owned()
                    } else {
                        text(size, 2000)
                    }
                }),
                credentials_refused: i == 1,
                warning: (!small).then(|| text(size, 2000)),
            })
            .collect(),
        users: 13,
        warnings: 2,
        disables: 1,
    }
}

pub fn monitor(size: Size) -> MonitorView {
    let small = size == Size::Small;
    MonitorView {
        enabled: true,
        interval_seconds: 3600,
        running_since: (!small).then(now),
        next_at: Some(now()),
        late_since: (!small).then(|| ago(9)),
        state: MonitorState {
            last: Some(cycle(size)),
            last_success: Some(ago(4)),
            failures_in_a_row: if small { 1 } else { 4_000_000 },
            ..MonitorState::default()
        },
        accounts: vec![Account {
            id: "main0".parse().unwrap(),
            name: if small { "生产账号".to_owned() } else { text(size, 200) },
            hint: "AKLT…0001".to_owned(),
            number: None,
            pair_checked: false,
            active: Switch::On,
            created: ago(1),
            updated: ago(1),
        }],
        owed: 2,
        failed: (0..if small { 1 } else { 5 })
            .map(|_| FailedDelivery {
                target: if small { "oc_123".to_owned() } else { text(size, 200) },
                reason: if small {
                    "230002: bot is not in the group".to_owned()
                } else {
                    text(size, 2000)
                },
                at: ago(5),
            })
            .collect(),
        access_pending: (0..if small { 1 } else { 50 })
            .map(|i| (key(size, i), pending(AccessGoal::Cut, size)))
            .collect(),
    }
}

pub fn new_monitor() -> MonitorView {
    MonitorView {
        enabled: false,
        interval_seconds: 90,
        running_since: None,
        next_at: None,
        late_since: None,
        state: MonitorState::default(),
        accounts: vec![],
        owed: 0,
        failed: vec![],
        access_pending: vec![],
    }
}

pub fn help(size: Size) -> HelpView {
    let row = |usage: &str, alias: &str, about: &str, admin_only: bool| HelpRow {
        usage: usage.to_owned(),
        alias: alias.to_owned(),
        about: about.to_owned(),
        admin_only,
        command: usage.split(' ').next().unwrap_or("").to_owned(),
    };
    let hostile = size != Size::Small;
    HelpView {
        offers_alerts: hostile,
        steps: hostile.then(FirstSteps::default),
        rows: vec![
            row("/help", "帮助", "显示全部命令", false),
            row("/users [关键词]", "用户", "用户列表，可按用户名、显示名、备注搜索", false),
            row("/user 用户名", "详情", "额度、消费、状态、项目、访问密钥和设置", false),
            row(
                "/quota 用户名 [金额 [备注]]",
                "额度、划拨",
                "有金额则立即划拨；否则打开额度卡片",
                false,
            ),
            row("/billing [用户名] [YYYY-MM]", "账单", "按用户和项目查看消费", false),
            row("/disable 用户名", "停用", "停用访问，需在卡片上确认", true),
            row("/monitor [run]", "监控", "监控状态；run 立即执行一轮", false),
        ],
        unknown: hostile.then(|| text(size, 300)),
        nearest: hostile.then(|| "/users".to_owned()),
    }
}

pub fn candidates(size: Size) -> CandidatesView {
    CandidatesView {
        name: if size == Size::Small { "alice".to_owned() } else { text(size, 200) },
        candidates: (0..if size == Size::Small { 2 } else { 60 })
            .map(|i| Candidate { key: key(size, i), display_name: display(size, i) })
            .collect(),
        nobody: None,
        chosen: Chosen::User,
    }
}

fn trouble(size: Size) -> Trouble {
    let words = if size == Size::Small { "AccessDenied".to_owned() } else { text(size, 2000) };
    let said = Said { action: Some("ListUsers".to_owned()), words: Some(words), ..Said::default() };
    Trouble { cause: Cause::UserPermission, said }
}

/// A name that no user has.
pub fn nobody(size: Size) -> CandidatesView {
    let small = size == Size::Small;
    let said =
        if small { "没有名为「alicf」的子账号。".to_owned() } else { text(size, 2000) };
    let mut view = candidates(size);
    view.candidates.truncate(3);
    CandidatesView { nobody: Some(said), ..view }
}

pub fn syncs(size: Size) -> Vec<AccountSync> {
    let small = size == Size::Small;
    (0..if small { 3 } else { 20 })
        .map(|i| AccountSync {
            account: ["main", "lab", "finance"][i % 3].parse().unwrap(),
            name: if small {
                ["生产账号", "lab", ""][i % 3].to_owned()
            } else {
                text(size, 200)
            },
            users: 13,
            added: if i == 0 || !small {
                vec![key(size, 0).username.to_string(); if small { 2 } else { 500 }]
            } else {
                vec![]
            },
            changed: if i == 0 || !small {
                vec![key(size, 1).username.to_string(); if small { 1 } else { 500 }]
            } else {
                vec![]
            },
            gone: if !small { vec![key(size, 2).username.to_string(); 500] } else { vec![] },
            error: (i == 2).then(|| trouble(size)),
            unread: if i == 1 {
                vec![(Unread::Projects, trouble(size)), (Unread::Access, trouble(size))]
            } else {
                vec![]
            },
        })
        .collect()
}
