//! Reading the cloud: bills, users, projects, keys and logins. Main accounts share nothing: whatever fails for one,
//! the others are read.

use airgate::domain::{AlertBody, CycleOutcome, Freshness, Problem, UserStatus};
use airgate::sandbox::volcengine::FaultRule;
use airgate::sandbox::world::{BillRow, FakeAccount, KeyStatus, Product, World};
use jiff::SignedDuration;

use super::{
    FAULTS, Fault, all_of, cell, chat_answers, heal, is_for_people, settled, timeouts,
    within_a_second,
};
use crate::bed::{ADMIN, Bed, fragment, one_account, phrase, text_of};

/// What a person sees of an account while one of its calls fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// That it was not read, why, and what to do. The store keeps its data, marked as stale where that matters.
    OldAndWhy,
    /// The new state.
    New,
}

const W: Sees = Sees::OldAndWhy;
const I: Sees = Sees::New;

#[rustfmt::skip]
static BILLS: [(&str, u32, [Sees; 13]); 4] = [
    // action, page, the cloud is  refused, timeout, reset, 429, 429+, 500, half, shape, page, 403 page, credentials, hangs, late
    ("ListSplitBillDetail", 1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("ListSplitBillDetail", 2, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("ListBillDetail",      1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("ListBillDetail",      2, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
];

#[rustfmt::skip]
static LISTS: [(&str, [Sees; 13]); 5] = [
    ("ListUsers",              [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("ListProjects",           [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("ListAccessKeys",         [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("GetLoginProfile",        [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("ListProjects, called by /projects",
                               [W, W, W, W, W, W, W, W, W, W, W, W, I]),
];

/// The account without a fault.
const WELL: &str = "healthy";
const MONTH: &str = "2026-11";

/// The account of a fault. `refused` comes last, because it shuts down the cloud for the others as well.
fn slug(fault: Fault) -> String {
    match fault {
        Fault::Refused => "z-refused".to_owned(),
        other => format!("f-{other:?}").to_lowercase(),
    }
}

/// A healthy account and one for each fault, each with alice.
fn world(faults: &[Fault]) -> World {
    let mut world = World::empty();
    world.rules.calls_per_second = None;
    let slugs = faults.iter().map(|fault| slug(*fault)).chain([WELL.to_owned()]);
    for (n, slug) in slugs.enumerate() {
        let key = format!("AKLTaccount{n:08}");
        let id = 2_100_000_100 + i64::try_from(n).unwrap();
        world.accounts.push(FakeAccount::new(&slug, &slug, id, &key, "main-secret"));
        world.account_mut(&slug).unwrap().add_project("team-a", "甲组");
        world.account_mut(&slug).unwrap().add_user("alice").add_key(KeyStatus::Active);
    }
    world
}

/// Few enough accounts to fit on one card.
fn halves() -> [&'static [Fault]; 2] {
    let (first, second) = FAULTS.split_at(6);
    [first, second]
}

/// The fault, the expectation, the account and the name of each cell in a row.
fn cells(call: &str, row: &[Sees; 13], faults: &[Fault]) -> Vec<(Fault, Sees, String, String)> {
    let one =
        |fault: &Fault| (*fault, cell(row, *fault), slug(*fault), format!("{call}, {fault:?}"));
    faults.iter().map(one).collect()
}

/// What alice of this account has spent, and whether it is marked as stale.
fn amount(bed: &Bed, account: &str) -> (String, bool) {
    let key = format!("{account}/alice");
    let links = bed.store.read(|tx| tx.links_of(&key.parse().unwrap())).unwrap();
    let stale = matches!(links[0].freshness, Freshness::Stale(_));
    (bed.amount(&key, MONTH, "team-a").unwrap_or_default(), stale)
}

/// A row of a product that both kinds of bills attribute to its project.
fn spend(world: &mut World, account: &str, amount: i64) {
    let row = BillRow::new(MONTH.parse().unwrap(), "team-a", Product::Ecs, amount.into());
    world.account_mut(account).unwrap().add_bill_row(row);
}

/// Every alice has spent 301 of 1000 when the bills are read; then 1000 more, which cuts everyone whose bill is read.
async fn bills(action: &'static str, page: u32, row: [Sees; 13], faults: &'static [Fault]) {
    let mut world = world(faults);
    let accounts: Vec<String> = world.accounts.iter().map(|a| a.slug.clone()).collect();
    for account in &accounts {
        // 300 rows a page.
        let (rows, each) = if page == 1 { (1, 301) } else { (301, 1) };
        for _ in 0..rows {
            spend(&mut world, account, each);
        }
    }
    let source = if action == "ListBillDetail" { "detail" } else { "split" };
    // One account at a time: the one that shuts down the cloud must be the last.
    let further = [("MONITOR__BILL_SOURCE", source), ("MONITOR__CONCURRENCY", "1")];
    let bed = Bed::with_timeouts(world, &further, timeouts()).await;
    for account in &accounts {
        let key = format!("{account}/alice");
        bed.add_users(&[&key]);
        bed.link(&key, "team-a", "");
        bed.allocate(&key, "1000");
    }
    assert_eq!(bed.cycle().await.outcome, CycleOutcome::Ok);
    for account in &accounts {
        assert_eq!(amount(&bed, account), ("301".to_owned(), false), "{account}");
    }

    let cells = cells(&format!("{action} page {page}"), &row, faults);
    bed.cloud.update(|world| {
        for account in &accounts {
            spend(world, account, 1000);
        }
    });
    for (fault, _, account, _) in &cells {
        let rule = FaultRule::new(fault.of_cloud()).on(action).of(account).after(page - 1);
        bed.cloud.faults().inject(rule);
    }
    let asked = bed.ask(ADMIN, "/monitor run").await;
    let users = chat_answers(&bed, action).await;
    assert!(users.contains("¥301.00"), "{action}: {users}");
    // What shuts the cloud down for all leaves nothing to read.
    let titles = ["cycle.title_error", "cycle.title_nothing"].map(phrase);
    let card = bed.shows_one_of(&asked.message_id, &titles).await;
    let card = text_of(&card);
    is_for_people(&card, action);
    let report = bed.store.read(|tx| tx.monitor_state()).unwrap().last.unwrap();
    let mut right = vec![WELL.to_owned()];
    for (fault, sees, account, cell) in &cells {
        let reading = report.accounts.iter().find(|r| r.account.as_str() == account).unwrap();
        let record = bed.user(&format!("{account}/alice"));
        let user = text_of(&bed.ask(ADMIN, &format!("/user {account}/alice")).await);
        if *sees == I {
            right.push(account.clone());
            assert_eq!(reading.error, None, "{cell}");
            continue;
        }
        let error = reading.error.clone().unwrap_or_else(|| panic!("{cell}: counted as read"));
        assert!(error.starts_with(&fault.said_of_cloud()), "{cell}: {error}");
        assert!(card.contains(&fault.said_of_cloud()), "{cell}: {card}");
        assert_eq!(reading.credentials_refused, *fault == Fault::Credentials, "{cell}");
        assert_eq!(amount(&bed, account), ("301".to_owned(), true), "{cell}");
        assert_eq!(record.consumed.to_string(), "¥301.00", "{cell}");
        assert!(record.triggered.is_empty(), "{cell}: {record:?}");
        assert_eq!(bed.amount(&record.key.to_string(), MONTH, "").as_deref(), Some("301"));
        assert!(
            user.contains(&fragment("stale.from")) && user.contains("¥301.00"),
            "{cell}: {user}"
        );
        let pending = bed.store.read(|tx| tx.access_pending(&record.key)).unwrap();
        assert!(pending.is_none(), "{cell}: a cut was decided without reading the bill");
    }
    for account in &right {
        assert_eq!(amount(&bed, account), ("1301".to_owned(), false), "{action} {account}");
    }
    assert_eq!(usize::try_from(report.disables).unwrap(), right.len(), "{action}");
    // Refused credentials are an incident at once, other failures after three cycles.
    let refused = faults.contains(&Fault::Credentials);
    let incidents = |bed: &Bed| -> Vec<Problem> {
        let alerts = bed.alert_records().into_iter();
        alerts
            .filter_map(|alert| match alert.body {
                AlertBody::Error { problem } => Some(problem),
                _ => None,
            })
            .filter(|problem| !matches!(problem, Problem::AccessDelayed { .. }))
            .collect()
    };
    match &incidents(&bed)[..] {
        [Problem::CredentialsRefused { account, reason }] if refused => {
            assert_eq!(account.as_str(), slug(Fault::Credentials));
            assert!(reason.contains("/accounts"), "{reason}");
        }
        found => assert!(found.is_empty() && !refused, "{action}: {found:?}"),
    }

    heal(&bed).await;
    let report = bed.service().monitor().cycle().await.unwrap();
    assert_eq!(report.outcome, CycleOutcome::Ok, "{action}: {report:?}");
    assert_eq!(usize::try_from(report.disables).unwrap(), accounts.len() - right.len());
    settled(&bed, action).await;
    for account in &accounts {
        assert_eq!(amount(&bed, account), ("1301".to_owned(), false), "{action} {account}");
        let record = bed.user(&format!("{account}/alice"));
        assert_eq!(record.status, UserStatus::Disabled, "{action} {account}");
        let keys = bed.cloud.read(|world| world.user(account, "alice").unwrap().is_cut_off());
        assert!(keys, "{action} {account}");
    }
    assert_eq!(incidents(&bed).len(), if refused { 2 } else { 0 }, "{action}");
    let disables = bed.alert_records();
    let disables = disables.iter().filter(|a| matches!(a.body, AlertBody::Disable { .. })).count();
    assert_eq!(disables, accounts.len(), "{action}: one alert each");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_every_bill_survives_every_fault() {
    let rows = BILLS
        .iter()
        .flat_map(|(action, page, row)| halves().map(|faults| bills(action, *page, *row, faults)));
    all_of(rows).await;
}

/// What a sync can change of an account: its users, the name of its project, alice's keys and whether she may log in.
fn change(world: &mut World, account: &str, round: usize) {
    let user = format!("new-{round}");
    world.account_mut(account).unwrap().add_user(&user);
    let account = world.account_mut(account).unwrap();
    account.users.remove(&format!("new-{}", round - 1));
    account.add_project(&format!("project-{round}"), "新组");
    account.users.get_mut("alice").unwrap().add_key(KeyStatus::Active);
}

/// What the store has of it: users, projects, alice's keys.
fn known(bed: &Bed, account: &str) -> (Vec<String>, usize, usize) {
    let id = account.parse().unwrap();
    let users = bed.store.read(|tx| tx.users_of(&id)).unwrap();
    let keys =
        users.iter().find(|user| user.key.username.as_str() == "alice").unwrap().access_keys.len();
    let there = users.iter().filter(|user| user.status != UserStatus::Gone);
    let users = there.map(|user| user.key.username.to_string()).collect();
    (users, bed.store.read(|tx| tx.projects_of(&id)).unwrap().len(), keys)
}

async fn lists(faults: &'static [Fault]) {
    let world = world(faults);
    let accounts: Vec<String> = world.accounts.iter().map(|a| a.slug.clone()).collect();
    let bed = Bed::with_timeouts(world, &[], timeouts()).await;
    bed.cloud.update(|world| {
        for account in &accounts {
            world.account_mut(account).unwrap().add_user("new-0");
        }
    });
    bed.sync().await;
    for (round, (call, row)) in LISTS.iter().enumerate() {
        // Data less than two minutes old is not read again.
        bed.clock.advance(SignedDuration::from_mins(2));
        let (action, by_sync) = match call.split_once(',') {
            Some((action, _)) => (action, false),
            None => (*call, true),
        };
        let before: Vec<_> = accounts.iter().map(|account| known(&bed, account)).collect();
        bed.cloud.update(|world| {
            for account in &accounts {
                change(world, account, round + 1);
            }
        });
        let mut cells = cells(call, row, faults);
        // Accounts are read in parallel: the one that shuts down the cloud for all has its own bed.
        let alone = faults.len() == 1;
        cells.retain(|(fault, ..)| alone || *fault != Fault::Refused);
        for (fault, _, account, _) in &cells {
            bed.cloud.faults().inject(FaultRule::new(fault.of_cloud()).on(action).of(account));
        }
        if by_sync {
            let asked = bed.ask(ADMIN, "/sync").await;
            chat_answers(&bed, call).await;
            let ends = [fragment("sync.subtitle"), phrase("sync.title_nothing")];
            let card = bed.shows_one_of(&asked.message_id, &ends).await;
            let card = text_of(&card);
            is_for_people(&card, call);
            for (fault, sees, account, cell) in &cells {
                let now = known(&bed, account);
                let old = &before[accounts.iter().position(|other| other == account).unwrap()];
                let read = (now.0 != old.0, now.1 != old.1, now.2 != old.2);
                let (wanted, says) = match (*sees, action) {
                    (I, _) => ((true, true, true), String::new()),
                    // Neither gone nor new.
                    (W, "ListUsers") => ((false, false, false), fragment("sync.error")),
                    (W, "ListProjects") => ((true, false, true), fragment("sync.no_projects")),
                    // One failing call ends the reading of keys and logins.
                    (W, _) => ((true, true, false), fragment("sync.no_access")),
                };
                if *fault == Fault::Refused {
                    assert!(!read.2 || action == "ListProjects", "{cell}: {read:?}");
                } else {
                    assert_eq!(read, wanted, "{cell}: users, projects, keys: {old:?} {now:?}");
                }
                assert!(card.contains(&says), "{cell}: {card}");
                assert!(card.contains(&fault.said_of_cloud()), "{cell}: {card}");
            }
            if !alone {
                assert_eq!(known(&bed, WELL).2, round + 2, "{call}: {WELL}");
            }
        } else {
            // A list of projects older than half an hour is read again when somebody opens it.
            bed.clock.advance(SignedDuration::from_mins(31));
            for (fault, sees, account, cell) in &cells {
                let question = format!("/projects {account}/alice");
                let ask = async || bed.ask(ADMIN, &question).await;
                let card = within_a_second(cell, ask).await;
                settled(&bed, cell).await;
                let card = bed.texts(&card.message_id);
                is_for_people(&card, cell);
                let failed = card.contains(&fragment("projects.not_listed"));
                assert_eq!(failed, *sees == W, "{cell}: {card}");
                assert!(card.contains(&fault.said_of_cloud()), "{cell}: {card}");
                // Known projects can still be chosen.
                assert!(card.contains("甲组"), "{cell}: {card}");
            }
        }
        heal(&bed).await;
        bed.clock.advance(SignedDuration::from_mins(2));
        let report = text_of(&bed.sync().await);
        assert!(!report.contains(&fragment("sync.title_error")), "{call}: {report}");
        for account in &accounts {
            let users = vec!["alice".to_owned(), format!("new-{}", round + 1)];
            assert_eq!(known(&bed, account), (users, round + 3, round + 2), "{call} {account}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_survives_every_fault() {
    let [first, second] = halves();
    all_of([first, second, &FAULTS[..1]].map(lists)).await;
}

/// A list of users with two pages: a page that fails does not mark users as gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_second_page_marks_no_user_as_gone() {
    let mut world = one_account();
    // 100 a page.
    for n in 0..101 {
        world.account_mut("main").unwrap().add_user(&format!("user-{n:03}"));
    }
    let bed = Bed::with_timeouts(world, &[], timeouts()).await;
    let known: Vec<String> = (0..101).map(|n| format!("main/user-{n:03}")).collect();
    bed.add_users(&known.iter().map(String::as_str).collect::<Vec<_>>());
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::Late) {
        let cell = format!("ListUsers page 2, {fault:?}");
        bed.cloud.faults().inject(FaultRule::new(fault.of_cloud()).on("ListUsers").after(1));
        let report = text_of(&bed.sync().await);
        assert!(report.contains(&fragment("sync.error")), "{cell}: {report}");
        assert!(report.contains(&fault.said_of_cloud()), "{cell}: {report}");
        let users = bed.store.read(|tx| tx.users_of(&"main".parse().unwrap())).unwrap();
        let there = users.iter().filter(|user| user.status == UserStatus::Active).count();
        assert_eq!(there, 101, "{cell}");
        heal(&bed).await;
    }
}
