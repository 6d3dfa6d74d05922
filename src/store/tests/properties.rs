//! Any sequence of allocations, changes of links and readings, against a model that counts in whole micro-yuan.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::app::projects::{self, NewLink};
use crate::domain::Joining;
use crate::store::Directory;
use crate::store::RecordedReading;

const USERS: [&str; 3] = ["main/a", "main/b", "main/ab"];
const PROJECTS: [&str; 3] = ["p", "pp", "q"];
const PERIODS: [&str; 4] = ["2026-08", "2026-09", "2026-10", "2026-11"];

#[derive(Clone, Debug)]
enum Step {
    /// User, 分.
    Allocate(usize, i64),
    /// User, project, first period, what happens to the links of others (`None`: not said).
    Link(usize, usize, usize, Option<Joining>),
    Remove(usize, usize),
    Toggle(usize, usize, bool),
    ToggleAll(usize, bool),
    /// Day of November, 1 to 28; amounts by project and period, micro-yuan; `None`: could not be read.
    Cycle(i64, Option<[[i64; 4]; 3]>),
}

fn step() -> impl Strategy<Value = Step> {
    let (user, project) = (0..3usize, 0..3usize);
    let amounts = prop::array::uniform3(prop::array::uniform4(-3_000_000i64..10_000_000));
    let joining = prop::option::weighted(0.9, prop::sample::select(Joining::ALL.to_vec()));
    prop_oneof![
        3 => (user.clone(), -2_000i64..5_000).prop_map(|(u, fen)| Step::Allocate(u, fen)),
        5 => (user.clone(), project.clone(), 0..4usize, joining)
            .prop_map(|(u, p, s, joining)| Step::Link(u, p, s, joining)),
        2 => (user.clone(), project.clone()).prop_map(|(u, p)| Step::Remove(u, p)),
        3 => (user.clone(), project, any::<bool>()).prop_map(|(u, p, on)| Step::Toggle(u, p, on)),
        1 => (user, any::<bool>()).prop_map(|(u, on)| Step::ToggleAll(u, on)),
        5 => (1..=28i64, prop::option::weighted(0.8, amounts)).prop_map(|(d, a)| Step::Cycle(d, a)),
    ]
}

struct Linked {
    on: bool,
    since: usize,
    part: bool,
}

/// The expected state.
#[derive(Default)]
struct Model {
    /// Per user: (amount, total after), 分.
    ledgers: [Vec<(i128, i128)>; 3],
    /// (user, project)
    links: BTreeMap<(usize, usize), Linked>,
    /// (project, period) -> micro-yuan.
    bills: BTreeMap<(usize, usize), i128>,
    /// On which day of November each period was last read.
    read: [Option<i64>; 4],
    /// (user, project, period) -> micro-yuan.
    records: BTreeMap<(usize, usize, usize), i128>,
}

impl Model {
    fn quota(&self, user: usize) -> i128 {
        self.ledgers[user].iter().map(|(amount, _)| amount).sum()
    }

    /// What a user's link counts of a bill: all, or an equal part, the first by name with what does not divide.
    fn share(&self, user: usize, project: usize, period: usize) -> Option<i128> {
        let bill = *self.bills.get(&(project, period))?;
        let link = &self.links[&(user, project)];
        if !(link.on && link.part) {
            return Some(bill);
        }
        let dividing = self.links.iter().filter(|((_, of), other)| {
            *of == project && other.on && other.part && other.since <= period
        });
        let mut names: Vec<&str> = dividing.map(|((of, _), _)| USERS[*of]).collect();
        names.sort_unstable();
        let count = names.len() as i128;
        let part = bill / count;
        Some(if names[0] == USERS[user] { bill - part * (count - 1) } else { part })
    }

    fn spending(&self, user: usize, project: usize) -> i128 {
        let since = self.links[&(user, project)].since;
        (since..4).filter_map(|period| self.share(user, project, period)).sum()
    }

    /// Half away from zero, in 分.
    fn consumed(&self, user: usize) -> i128 {
        let exact: i128 = self
            .links
            .iter()
            .filter(|((of, _), link)| *of == user && link.on)
            .map(|((_, project), _)| self.spending(user, *project))
            .sum();
        (exact.abs() + 5_000) / 10_000 * exact.signum()
    }

    /// Every change of links or bills records what is monitored now; no record is ever removed.
    fn note(&mut self) {
        let monitored = self.links.iter().filter(|(_, link)| link.on);
        let records = monitored.flat_map(|((user, project), link)| {
            let periods = link.since..4;
            periods.filter_map(|period| {
                Some(((*user, *project, period), self.share(*user, *project, period)?))
            })
        });
        self.records.extend(records.collect::<Vec<_>>());
    }

    /// Links a project as asked. Returns whether that is possible.
    fn link(
        &mut self,
        user: usize,
        project: usize,
        since: usize,
        joining: Option<Joining>,
    ) -> bool {
        let is_taken = self.links.iter().any(|((_, of), link)| *of == project && link.on);
        if self.links.contains_key(&(user, project)) || (is_taken && joining.is_none()) {
            return false;
        }
        let others = self.links.iter_mut();
        for (_, link) in others.filter(|((_, of), link)| *of == project && link.on) {
            match joining {
                Some(Joining::Move) => link.on = false,
                Some(Joining::Part) => link.part = true,
                Some(Joining::Whole) | None => {}
            }
        }
        let part = is_taken && joining == Some(Joining::Part);
        self.links.insert((user, project), Linked { on: true, since, part });
        true
    }
}

/// Applies a step to both. The store must answer as the model expects.
fn apply(store: &Store, model: &mut Model, step: &Step) {
    match step {
        Step::Allocate(u, fen) => {
            let amount = Money::from_fen(*fen);
            let done = store.write(|tx| allocate(tx, &user(USERS[*u]), amount, "", now()));
            let after = model.quota(*u) + i128::from(*fen);
            match done {
                Ok(_) => model.ledgers[*u].push((i128::from(*fen), after)),
                Err(Error::Refused(_)) => assert!(after < 0, "refused {fen}"),
                Err(error) => panic!("{error}"),
            }
        }
        Step::Link(u, p, s, joining) => {
            let new = NewLink {
                project: PROJECTS[*p].to_owned(),
                since: PERIODS[*s].to_owned(),
                joining: *joining,
            };
            let done = store.write(|tx| projects::add(tx, &user(USERS[*u]), &new, now()));
            assert_eq!(done.is_ok(), model.link(*u, *p, *s, *joining));
            model.note();
        }
        Step::Remove(u, p) => {
            let name = project(PROJECTS[*p]);
            let done = store.write(|tx| projects::remove(tx, &user(USERS[*u]), &name, now()));
            assert_eq!(done.is_ok(), model.links.remove(&(*u, *p)).is_some());
            model.note();
        }
        Step::Toggle(u, p, on) => {
            let name = project(PROJECTS[*p]);
            let done = store
                .write(|tx| projects::toggle(tx, &user(USERS[*u]), &name, (*on).into(), now()));
            let link = model.links.get_mut(&(*u, *p));
            assert_eq!(done.is_ok(), link.is_some());
            if let Some(link) = link {
                link.on = *on;
            }
            model.note();
        }
        Step::ToggleAll(u, on) => {
            let key = user(USERS[*u]);
            store.write(|tx| projects::toggle_all(tx, &key, (*on).into(), now())).unwrap();
            for (_, link) in model.links.iter_mut().filter(|((of, _), _)| of == u) {
                link.on = *on;
            }
            model.note();
        }
        Step::Cycle(day, amounts) => cycle(store, model, *day, amounts.as_ref()),
    }
}

fn cycle(store: &Store, model: &mut Model, day: i64, amounts: Option<&[[i64; 4]; 3]>) {
    let read_at = at(&format!("2026-11-{day:02}T02:00:00Z"));
    let mut expected: BTreeSet<(usize, usize)> = BTreeSet::new();
    for ((_, project), link) in model.links.iter().filter(|(_, link)| link.on) {
        for period in link.since..4 {
            // October settles on the 6th and is read once more on the 16th; earlier months have settled.
            let is_open = match (model.read[period], period) {
                (None, _) | (_, 3) => true,
                // What was read on a later day was read while the clock was ahead.
                (Some(last), _) if last > day => true,
                (Some(last), 2) => last < 6 || (last < 16 && day >= 16),
                _ => false,
            };
            if is_open {
                expected.insert((period, *project));
            }
        }
    }
    let open = store.read(|tx| projects::open_periods(tx, &account("main"), read_at)).unwrap();
    let open: BTreeSet<(usize, usize)> = open
        .iter()
        .flat_map(|(period, projects)| {
            let period = PERIODS.iter().position(|p| month(p) == *period).unwrap();
            projects.iter().map(move |name| {
                (period, PROJECTS.iter().position(|p| *p == name.as_str()).unwrap())
            })
        })
        .collect();
    assert_eq!(open, expected);
    // A reading has every project of the periods that are open for some project.
    let periods: BTreeSet<usize> = open.iter().map(|(period, _)| *period).collect();
    let read = || periods.iter().flat_map(|period| (0..3).map(|p| (*period, p)));
    let reading = match amounts {
        None => RecordedReading::failed(account("main"), read_at),
        Some(amounts) => {
            let bills = read().map(|(period, p)| {
                let amount = micros(i128::from(amounts[p][period]));
                ((project(PROJECTS[p]), month(PERIODS[period])), amount)
            });
            RecordedReading::of_months(account("main"), bills, read_at)
        }
    };
    write(store, |tx| tx.record_cycle(&[reading]));
    let Some(amounts) = amounts else { return };
    for (period, p) in read() {
        model.read[period] = Some(day);
        model.bills.insert((p, period), i128::from(amounts[p][period]));
    }
    model.note();
}

fn check(store: &Store, model: &Model) {
    let fen = |fen: i128| Money::new(Decimal::from_i128_with_scale(fen, 2));
    for (u, name) in USERS.iter().enumerate() {
        let key = user(name);
        let record = store.read(|tx| tx.user(&key)).unwrap().unwrap();
        assert_eq!(record.quota, fen(model.quota(u)), "quota of {name}");
        assert_eq!(record.consumed, fen(model.consumed(u)), "consumed of {name}");
        let (mut entries, total) = store.read(|tx| tx.ledger(&key, usize::MAX)).unwrap();
        entries.reverse();
        assert_eq!(total, model.ledgers[u].len() as u64);
        let booked: Vec<_> = entries.iter().map(|e| (e.seq, e.amount, e.total_after)).collect();
        let expected: Vec<_> = (1..)
            .zip(&model.ledgers[u])
            .map(|(seq, (amount, after))| (seq, fen(*amount), fen(*after)))
            .collect();
        assert_eq!(booked, expected, "ledger of {name}");
        let links = store.read(|tx| tx.links_of(&key)).unwrap();
        let found: Vec<_> = links
            .iter()
            .map(|link| (link.project.to_string(), link.monitored.is_on(), link.spending))
            .collect();
        let expected: Vec<_> = model
            .links
            .iter()
            .filter(|((of, _), _)| *of == u)
            .map(|((_, p), link)| (PROJECTS[*p].to_owned(), link.on, micros(model.spending(u, *p))))
            .collect();
        assert_eq!(found, expected, "links of {name}");
        for (n, period) in PERIODS.iter().enumerate() {
            let records = store.read(|tx| tx.spending_of(&key, month(period))).unwrap();
            let found: BTreeMap<_, _> = records
                .iter()
                .map(|r| (r.project.as_ref().map(ToString::to_string), r.amount))
                .collect();
            let mut expected: BTreeMap<_, _> = model
                .records
                .iter()
                .filter(|((of, _, in_period), _)| (*of, *in_period) == (u, n))
                .map(|((_, p, _), amount)| (Some(PROJECTS[*p].to_owned()), micros(*amount)))
                .collect();
            if !expected.is_empty() {
                let total = model.records.iter();
                let total = total.filter(|((of, _, in_period), _)| (*of, *in_period) == (u, n));
                expected.insert(None, micros(total.map(|(_, amount)| amount).sum()));
            }
            assert_eq!(found, expected, "records of {name} in {period}");
        }
    }
    check_bill(store, model);
    check_derived(store);
}

/// What users pay for, each project once, and the rest are the account's bill; so are its days.
fn check_bill(store: &Store, model: &Model) {
    let main = account("main");
    for (n, name) in PERIODS.iter().enumerate() {
        let of_period = model.bills.iter().filter(|((_, period), _)| *period == n);
        let is_paid = |p: usize| {
            model.links.iter().any(|((_, of), link)| *of == p && link.on && link.since <= n)
        };
        let (paid, rest): (Vec<_>, Vec<_>) = of_period.partition(|((p, _), _)| is_paid(*p));
        let sum = |bills: &[(&(usize, usize), &i128)]| micros(bills.iter().map(|b| *b.1).sum());
        seen(store, |tx| {
            let bill = tx.account_bill(&main, month(name))?;
            assert_eq!(bill.is_some(), model.read[n].is_some());
            let bill = bill.unwrap_or_default();
            assert_eq!((bill.of_users(), bill.unattributed), (sum(&paid), sum(&rest)), "{name}");
            let listed = tx.unattributed(&main, month(name))?;
            assert_eq!(listed.iter().map(|row| row.1).sum::<Money>(), bill.unattributed);
            assert!(listed.is_sorted_by(|a, b| a.1 >= b.1));
            let days = tx.days(&main, month(name).first_day(), month(name).last_day())?;
            assert_eq!(days.iter().map(|row| row.2).sum::<Money>(), bill.total, "days of {name}");
            Ok(())
        });
    }
}

/// Indexes and sums agree with the rows.
fn check_derived(store: &Store) {
    seen(store, |tx| {
        let mut rebuilt = Directory::default();
        for (user, links) in tx.link_counts()? {
            (0..links).for_each(|_| rebuilt.count_link(&user, true));
        }
        tx.users()?.iter().for_each(|user| rebuilt.insert(user));
        assert!(tx.directory().iter().eq(rebuilt.iter()), "the directory");
        for period in PERIODS {
            let rows = tx.spending_in(month(period))?;
            let totals = rows.iter().filter(|row| row.project.is_none());
            let mut totals: Vec<_> = totals.map(|row| (row.user.clone(), row.amount)).collect();
            totals.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            assert_eq!(tx.spenders_in(month(period))?, totals.len());
            assert_eq!(
                tx.top_spenders_in(month(period), 0, usize::MAX)?,
                totals,
                "ranks of {period}"
            );
        }
        Ok(())
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_numbers_are_exact_after_every_step(steps in prop::collection::vec(step(), 1..40)) {
        let store = in_memory();
        for key in USERS {
            add_user(&store, key);
        }
        let mut model = Model::default();
        for step in &steps {
            apply(&store, &mut model, step);
            check(&store, &model);
        }
    }
}
