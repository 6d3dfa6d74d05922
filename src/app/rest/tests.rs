//! Random worlds: users + unattributed = the account's bill, to the cent of what is shown.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proptest::prelude::*;
use redb::backends::InMemoryBackend;
use rust_decimal::Decimal;

use super::*;
use crate::app::billed_projects::{self, BilledProject};
use crate::app::billing;
use crate::app::outcome::BillingView;
use crate::domain::{AccountBill, Counts, Covered, Freshness, PeriodReading, User};
use crate::store::{AccountSecrets, PeriodBill, RecordedReading, Store};

const ACCOUNTS: [&str; 2] = ["labs", "main"];
const PROJECTS: [&str; 6] = ["", "-", "p0", "p1", "p2", "p3"];
const USERS: [&str; 3] = ["u0", "u1", "u2"];
const MONTHS: [&str; 3] = ["2026-09", "2026-10", "2026-11"];
const CENT: i64 = 1;

fn now() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

fn month(n: usize) -> BillPeriod {
    MONTHS[n].parse().unwrap()
}

/// A link of a user to a project: whether it is monitored, and from which month on.
type Link = (usize, usize, usize, bool, usize);
/// An amount in millionths of a 元: account, month, project, day.
type Row = (usize, usize, usize, i8, i64);

fn day(of: usize, day: i8) -> Date {
    let month = month(of);
    Date::new(month.year(), month.month(), day).unwrap()
}

fn micros(amount: i64) -> Money {
    Money::new(Decimal::new(amount, 6))
}

/// What the rows say, exactly: by account, project and day.
type Model = BTreeMap<(usize, String, Date), Money>;

fn model(rows: &[Row]) -> Model {
    let mut sums = Model::new();
    for (account, of, project, on, amount) in rows {
        let key = (*account, PROJECTS[*project].to_owned(), day(*of, *on));
        *sums.entry(key).or_insert(Money::ZERO) += micros(*amount);
    }
    sums
}

fn reading(account: usize, model: &Model, bill_to: Date) -> RecordedReading {
    let bills = (0..MONTHS.len()).map(|n| {
        let period = month(n);
        let days = model
            .iter()
            .filter(|((of, _, day), _)| *of == account && BillPeriod::of_day(*day) == Ok(period))
            .map(|((_, project, day), sum)| ((project.clone(), *day), *sum));
        let bill = PeriodBill {
            covered: Covered::Whole,
            days: days.collect(),
            once: BTreeMap::new(),
            wanted: BTreeSet::new(),
            reading: PeriodReading::complete(now()),
        };
        (period, bill)
    });
    RecordedReading {
        is_split: true,
        account: ACCOUNTS[account].parse().unwrap(),
        bills: Some(bills.collect()),
        bill_to: Some(bill_to),
        at: now(),
    }
}

fn store() -> Store {
    let store = Store::with_backend(InMemoryBackend::new(), &[1; 32]).unwrap();
    for account in ACCOUNTS {
        let secrets = AccountSecrets {
            access_key_id: format!("AKLT{account}0000000001").into(),
            secret_key: "secret".to_owned().into(),
        };
        store.save_account(&account.parse().unwrap(), account, &secrets, now()).unwrap();
        store
            .write(|tx| {
                for name in USERS {
                    let mut user = User::new(format!("{account}/{name}").parse().unwrap(), now());
                    user.status = UserStatus::Active;
                    tx.put_user(&user)?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    store
}

fn put_links(store: &Store, links: &[Link]) {
    let put = store.write(|tx| {
        for (account, user, project, monitored, since) in links {
            tx.put_link(&ProjectLink {
                user: format!("{}/{}", ACCOUNTS[*account], USERS[*user]).parse().unwrap(),
                project: PROJECTS[*project].parse().unwrap(),
                display_name: String::new(),
                monitored: Switch::from(*monitored),
                since: month(*since),
                counts: Counts::Whole,
                spending: Money::ZERO,
                freshness: Freshness::Pending,
                created: now(),
            })?;
        }
        Ok::<_, StoreError>(())
    });
    put.unwrap();
}

fn everybody(store: &Store, period: BillPeriod) -> BillingView {
    store.read(|tx| billing::view(tx, Some(period), None, 1, now())).unwrap()
}

/// Every row of what no user pays for, page by page.
fn all_rows(store: &Store, account: &AccountId, period: BillPeriod) -> Vec<RestRow> {
    let mut rows = Vec::new();
    for page in 1.. {
        let shown = store.read(|tx| view(tx, account, period, page, None, now())).unwrap();
        assert_eq!(shown.page, page);
        rows.extend(shown.rows);
        if page == shown.pages {
            assert_eq!(rows.len(), shown.total);
            return rows;
        }
    }
    unreachable!()
}

/// Every project of a month, page by page.
fn all_projects(store: &Store, shown: &BillingView, period: BillPeriod) -> Vec<BilledProject> {
    let mut rows = Vec::new();
    for page in 1.. {
        let projects =
            store.read(|tx| billed_projects::page(tx, &shown.shares, period, page)).unwrap();
        assert_eq!(projects.page, page);
        rows.extend(projects.rows);
        if page == projects.pages {
            return rows;
        }
    }
    unreachable!()
}

fn links() -> impl Strategy<Value = Vec<Link>> {
    // Also rows without a project can be somebody's: by their name in the bill.
    prop::collection::vec((0..2usize, 0..3usize, 1..6usize, any::<bool>(), 0..3usize), 0..8)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let amount = -3_000_000_i64..9_000_000;
    prop::collection::vec((0..2usize, 0..3usize, 0..6usize, 1..=30_i8, amount), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn users_and_the_rest_are_the_bill_to_the_cent_of_what_is_shown(
        links in links(), rows in rows(), links_first in any::<bool>(), billed in 1..=29_i8,
    ) {
        // One link of a user to a project: the last.
        let links: BTreeMap<(usize, usize, usize), (bool, usize)> =
            links.into_iter().map(|(a, u, p, on, since)| ((a, u, p), (on, since))).collect();
        let links: Vec<Link> =
            links.into_iter().map(|((a, u, p), (on, since))| (a, u, p, on, since)).collect();
        let model = model(&rows);
        let store = store();
        let bill_to = day(2, billed);
        let read = |store: &Store| {
            let readings = [reading(0, &model, bill_to), reading(1, &model, bill_to)];
            store.write(|tx| tx.record_cycle(&readings)).unwrap();
        };
        if links_first {
            put_links(&store, &links);
            read(&store);
        } else {
            read(&store);
            put_links(&store, &links);
        }

        for n in 0..MONTHS.len() {
            let period = month(n);
            let shown = everybody(&store, period);
            prop_assert_eq!(shown.shares.len(), ACCOUNTS.len());
            prop_assert!(shown.unread.is_empty());
            let in_month = |wanted: &dyn Fn(usize, &str, Date) -> bool| -> Money {
                let rows = model.iter().filter(|((account, project, day), _)| {
                    BillPeriod::of_day(*day) == Ok(period) && wanted(*account, project, *day)
                });
                rows.map(|(_, sum)| *sum).sum()
            };
            let is_paid = |account: usize, project: &str| links.iter().any(|(a, _, p, on, since)| {
                *a == account && PROJECTS[*p] == project && *on && *since <= n
            });
            for (account, share) in shown.shares.iter().enumerate() {
                let bill = AccountBill {
                    total: in_month(&|of, _, _| of == account),
                    unattributed: in_month(&|of, project, _| of == account && !is_paid(of, project)),
                };
                // To the cent: what is shown adds up, and each part is what it says.
                prop_assert_eq!(share.bill, bill.in_cents());
                let (users, rest) = (share.bill.of_users(), share.bill.unattributed);
                prop_assert_eq!(users + rest, share.bill.total);
                for amount in [users, rest, share.bill.total] {
                    prop_assert_eq!(amount, amount.rounded());
                }
                let apart = (users - bill.of_users()).decimal().abs();
                prop_assert!(apart <= Money::from_fen(CENT).decimal(), "{apart}");
                prop_assert_eq!(share.has_rest, !bill.unattributed.is_zero());
                prop_assert_eq!(share.bill_to, (n == 2).then_some(bill_to));

                // The rest, by project, each once; nobody pays for it.
                let rows = all_rows(&store, &share.account, period);
                prop_assert_eq!(rows.iter().map(|row| row.amount).sum::<Money>(), bill.unattributed);
                prop_assert!(rows.is_sorted_by(|a, b| a.amount >= b.amount));
                let mut names = BTreeSet::new();
                for row in &rows {
                    let RestPart::Project { project, off, later, .. } = &row.part else {
                        prop_assert!(names.insert(String::new()));
                        continue;
                    };
                    prop_assert!(names.insert(project.to_string()));
                    prop_assert!(!is_paid(account, project.as_str()));
                    prop_assert_eq!(row.amount, in_month(&|of, name, _| of == account && name == project.as_str()));
                    let linked = |on: bool| links.iter().filter(|(a, _, p, monitored, _)| {
                        *a == account && PROJECTS[*p] == project.as_str() && *monitored == on
                    }).count();
                    prop_assert_eq!((off.len(), later.len()), (linked(false), linked(true)));
                }
            }
            // By project, the whole bill, each project of an account once.
            let projects = all_projects(&store, &shown, period);
            prop_assert_eq!(projects.iter().map(|row| row.amount).sum::<Money>(), in_month(&|_, _, _| true));
            prop_assert!(projects.is_sorted_by(|a, b| a.amount >= b.amount));
            let names: BTreeSet<_> = projects.iter().map(|row| (&row.account, &row.project)).collect();
            prop_assert_eq!(names.len(), projects.len());
            for row in &projects {
                let account = ACCOUNTS.iter().position(|id| *id == row.account.as_str()).unwrap();
                let Some(project) = &row.project else { continue };
                prop_assert_eq!(row.users.is_empty(), !is_paid(account, project.as_str()));
                let upto = |of: usize, last: i8| -> Money {
                    model.iter().filter(|((a, name, day), _)| {
                        *a == account && name == project.as_str() && BillPeriod::of_day(*day) == Ok(month(of)) && day.day() <= last
                    }).map(|(_, sum)| *sum).sum()
                };
                let last = if n == 2 { billed } else { 31 };
                let change = row.change.map(|change| (change.now, change.before));
                prop_assert_eq!(change, (n > 0).then(|| (upto(n, last), upto(n - 1, last))));
            }
            // The chart: an earlier month's days are its bill.
            if n < 2 {
                let days: Money = shown.days.days.iter().map(|bar| bar.amount).sum();
                prop_assert_eq!(days, in_month(&|_, _, _| true));
            }
            let (_, total) = shown.recent.last().copied().unwrap();
            let all: Money = everybody(&store, month(2)).shares.iter().map(|share| share.bill.total).sum();
            prop_assert_eq!(total, all);
            // The change compares the same days; nothing is known of the month before the first.
            let upto = |of: usize, last: i8| -> Money {
                model.iter().filter(|((_, _, day), _)| BillPeriod::of_day(*day) == Ok(month(of)) && day.day() <= last)
                    .map(|(_, sum)| *sum).sum()
            };
            match (n, shown.change) {
                (0, None) => {}
                (1, Some(change)) => {
                    prop_assert_eq!((change.first_days, change.now, change.before), (None, upto(1, 31), upto(0, 31)));
                }
                (2, Some(change)) => {
                    let wanted = (Some(billed), upto(2, billed), upto(1, billed));
                    prop_assert_eq!((change.first_days, change.now, change.before), wanted);
                }
                (_, change) => prop_assert!(false, "{n}: {change:?}"),
            }
        }
    }
}

#[test]
fn an_account_that_was_not_read_is_named_and_not_counted_as_zero() {
    let store = store();
    assert!(everybody(&store, month(2)).shares.is_empty());
    assert!(everybody(&store, month(2)).unread.is_empty(), "nothing is shown of any account");
    let model = model(&[(1, 2, 2, 3, 5_000_000)]);
    store.write(|tx| tx.record_cycle(&[reading(1, &model, day(2, 20))])).unwrap();
    let shown = everybody(&store, month(2));
    assert_eq!(shown.shares.len(), 1);
    assert_eq!(shown.unread, ["labs"]);
    // A failed reading leaves the amounts and marks them; a month that has settled stays as it is.
    let failed = RecordedReading::failed("main".parse().unwrap(), now());
    store.write(|tx| tx.record_cycle(&[failed])).unwrap();
    let stale = |n| everybody(&store, month(n)).shares[0].stale;
    assert_eq!(stale(2), Some(Some(now())));
    assert_eq!(stale(0), None);
}

#[test]
fn bills_that_hold_different_days_are_not_compared() {
    let store = store();
    let model = model(&[(0, 2, 2, 3, 5_000_000), (1, 2, 2, 3, 5_000_000)]);
    let readings = [reading(0, &model, day(2, 20)), reading(1, &model, day(2, 21))];
    store.write(|tx| tx.record_cycle(&readings)).unwrap();
    assert_eq!(everybody(&store, month(2)).change, None);
    assert!(everybody(&store, month(1)).change.is_some());
    // The chart says to which day both are complete.
    assert_eq!(everybody(&store, month(2)).days.bill_to, Some(day(2, 20)));
}

#[test]
fn a_users_days_are_those_that_its_links_count() {
    let store = store();
    // In the chart: October 25 to November 23.
    put_links(&store, &[(1, 0, 2, true, 2), (1, 0, 3, true, 0), (1, 0, 4, false, 0)]);
    let rows: [Row; 5] = [
        (1, 1, 2, 28, 1_000_000),
        (1, 2, 2, 3, 20_000_000),
        (1, 1, 3, 28, 300_000_000),
        (1, 1, 3, 2, 4_000_000_000),
        (1, 2, 4, 3, 5_000_000_000),
    ];
    store.write(|tx| tx.record_cycle(&[reading(1, &model(&rows), day(2, 21))])).unwrap();
    let user: UserKey = "main/u0".parse().unwrap();
    let chart = |period| {
        let shown = store.read(|tx| billing::view(tx, Some(period), Some(&user), 1, now()));
        let shown = shown.unwrap().days;
        let spent = shown.days.iter().filter(|bar| !bar.amount.is_zero());
        let spent: Vec<(Date, String)> = spent.map(|bar| (bar.day, bar.amount.plain())).collect();
        (shown.days.len(), spent)
    };
    let (count, spent) = chart(month(2));
    assert_eq!(count, 30, "days without spending are there as well");
    assert_eq!(spent, [(day(1, 28), "300.00".to_owned()), (day(2, 3), "20.00".to_owned())]);
    let (count, spent) = chart(month(1));
    assert_eq!(count, 31);
    assert_eq!(spent, [(day(1, 2), "4000.00".to_owned()), (day(1, 28), "300.00".to_owned())]);
}
