//! Facts for cards that show how a bill divides, and spending by day.

use jiff::ToSpan;
use jiff::civil::Date;

use super::samples::{Size, ago, amount, billing, detail, display, key, label, project, text};
use crate::app::billed_projects::{BilledProject, BilledProjects, PROJECTS_A_PAGE};
use crate::app::outcome::{
    AccountShare, BillingView, RestLinking, RestPart, RestRow, RestView, UserDetail,
};
use crate::cards::REST_A_PAGE;
use crate::domain::*;

fn day(back: i64) -> Date {
    beijing_day(super::samples::now()).checked_sub(back.days()).unwrap()
}

/// 30 days; the last ones are estimated if wanted.
fn days(size: Size, estimated: bool) -> DayChart {
    let amounts = (0..30_i64).map(|n| {
        let small = ["0", "120.5", "88.004", "260", "-12.3"][usize::try_from(n % 5).unwrap()];
        (day(29 - n), if n > 27 { Money::ZERO } else { amount(size, small) })
    });
    let mut chart = DayChart::billed(amounts, Some(day(2)));
    if estimated {
        for back in [1, 0] {
            let series = Series::Estimated;
            let bar = DayAmount { day: day(back), series, amount: amount(size, "75.25") };
            let at = chart.days.iter().position(|known| known.day == bar.day).unwrap();
            chart.days.insert(at + 1, bar);
        }
    }
    chart
}

pub fn user_with_days(size: Size, estimated: bool) -> UserDetail {
    UserDetail { days: days(size, estimated), ..detail(size) }
}

fn share(size: Size, i: usize) -> AccountShare {
    let small = size == Size::Small;
    let id =
        if small { ["main", "labs"][i % 2].to_owned() } else { format!("{i}{}", "a".repeat(30)) };
    let total = amount(size, ["8250.75", "1999.999"][i % 2]);
    let unattributed = amount(size, ["1200", "0"][i % 2]);
    AccountShare {
        account: id.parse().unwrap(),
        name: if small { ["生产账号", "labs"][i % 2].to_owned() } else { text(size, 200) },
        bill: AccountBill { total, unattributed }.in_cents(),
        has_rest: i == 0 || !small,
        bill_to: Some(day(2)),
        stale: (i == 1 || !small).then(|| Some(ago(26))),
        uncounted: if small { 0 } else { 3 },
    }
}

/// A page of projects: of one user, shared, of nobody, without a name, new in the month.
pub fn billed_projects(size: Size, accounts: usize) -> BilledProjects {
    let small = size == Size::Small;
    let count = if small { 5 } else { PROJECTS_A_PAGE };
    let row = |i: usize| {
        let of = share(size, i % accounts);
        let change = |before: &str| Change {
            first_days: Some(21),
            now: amount(size, "4120.3"),
            before: before.parse().unwrap(),
        };
        BilledProject {
            account: of.account,
            account_name: (accounts > 1).then_some(of.name),
            project: (i != 3).then(|| project(size, i)),
            label: if i == 3 { String::new() } else { label(size, i) },
            amount: amount(size, ["4120.3", "2400", "999.999", "60.5", "-12.3"][i % 5]),
            users: (0..[1, 3, 0, 0, 12][i % 5]).map(|n| key(size, n)).collect(),
            change: match i % 4 {
                0 => Some(change("3900.1")),
                1 => Some(change("8120")),
                2 => Some(change("0")),
                _ => None,
            },
        }
    };
    BilledProjects {
        rows: (0..count).map(row).collect(),
        page: if small { 1 } else { 2 },
        pages: if small { 1 } else { 900 },
    }
}

/// Everybody's month, with the bills of this many accounts.
pub fn billing_with_shares(size: Size, accounts: usize) -> BillingView {
    let small = size == Size::Small;
    let accounts = if small { accounts } else { accounts * 6 };
    BillingView {
        shares: (0..accounts).map(|i| share(size, i)).collect(),
        unread: if accounts == 1 { vec![] } else { vec![text(size, 100); accounts - 1] },
        change: Some(Change {
            first_days: (accounts == 1).then_some(21),
            now: amount(size, "8120.3"),
            before: if small { "7644.125".parse().unwrap() } else { "0.000001".parse().unwrap() },
        }),
        days: days(size, accounts != 1),
        ..billing(size)
    }
}

pub fn rest(size: Size) -> RestView {
    let small = size == Size::Small;
    let mut rows: Vec<RestRow> = (0..if small { 3 } else { REST_A_PAGE })
        .map(|i| {
            let users = if small { 1 } else { 40 };
            let linked = (0..users).map(|n| key(size, n));
            RestRow {
                amount: amount(size, ["980.2", "120", "99.8"][i % 3]),
                part: RestPart::Project {
                    project: project(size, i),
                    label: match label(size, i) {
                        empty if empty.is_empty() => project(size, i).to_string(),
                        label => label,
                    },
                    off: if i % 3 == 1 { linked.clone().collect() } else { vec![] },
                    later: if i % 3 == 2 {
                        linked.map(|user| (user, "2026-12".parse().unwrap())).collect()
                    } else {
                        vec![]
                    },
                },
            }
        })
        .collect();
    if small {
        rows.push(RestRow { amount: amount(size, "0.004"), part: RestPart::NoProject });
    }
    let share = share(size, 0);
    RestView {
        account: share.account.clone(),
        account_name: share.name.clone(),
        period: "2026-11".parse().unwrap(),
        share: Some(share),
        rows,
        page: if small { 1 } else { 11 },
        pages: if small { 1 } else { 1200 },
        total: if small { 4 } else { 12_000 },
        linking: None,
    }
}

pub fn no_rest() -> RestView {
    RestView { share: None, rows: vec![], total: 0, ..rest(Size::Small) }
}

pub fn linking(size: Size) -> RestView {
    let small = size == Size::Small;
    let users = if small { 4 } else { 60 };
    RestView {
        linking: Some(RestLinking {
            project: project(size, 0),
            label: label(size, 0),
            cost: amount(size, "980.2"),
            candidates: (0..users).map(|i| (key(size, i), display(size, i))).collect(),
            more: if small { 0 } else { 99_940 },
        }),
        ..rest(size)
    }
}
