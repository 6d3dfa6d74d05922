//! 估算: what projects have spent since the last day that the bill holds.
//!
//! The bill of the day says within a quarter of an hour what an account spends on each model, but not in which project; the
//! usage of each project follows within half an hour. A project's share of a model's usage is its share of the money
//! (docs/platforms/ark.md §D.5). What cannot be shared out by a rule is hidden: it belongs to nobody before the split bill
//! says whose it is. It never counts as zero, and is never spread over others.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Money, ProjectName, beijing_day};

/// Decimals of a share: those of a bill row (docs/platforms/ark.md §D.4).
const DECIMALS: u32 = 6;
/// What a charge item measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKind {
    /// Input tokens that were not found in the cache.
    Input,
    /// Input tokens that were.
    Cached,
    /// Output tokens.
    Output,
    /// All tokens or, for a model without tokens, images.
    Other,
}

impl UsageKind {
    /// Returns the word that it is stored by.
    fn word(self) -> &'static str {
        match self {
            UsageKind::Input => "input",
            UsageKind::Cached => "cached",
            UsageKind::Output => "output",
            UsageKind::Other => "other",
        }
    }
}

/// What a row of an account's bill of the day is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BilledItem {
    /// The row names its project.
    Project(ProjectName),
    /// A model's use, in whichever project.
    Model {
        /// As [`model_name`] writes it.
        model: String,
        /// What is measured.
        kind: UsageKind,
    },
    /// Something else, in no project that the row names.
    Other,
}

impl BilledItem {
    /// Returns what a model's item is stored by; `None` for anything else.
    pub fn key(&self) -> Option<String> {
        match self {
            BilledItem::Model { model, kind } => Some(format!("{model}/{}", kind.word())),
            BilledItem::Project(_) | BilledItem::Other => None,
        }
    }
}

/// What a project used of a model on one day and has to pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// Input tokens, those in `cached` among them.
    pub input: u64,
    /// Input tokens found in the cache.
    pub cached: u64,
    /// Output tokens.
    pub output: u64,
    /// All tokens.
    pub tokens: u64,
    /// Images.
    pub images: u64,
    /// Whether there is more of which it is not known what it is: online calls, or a batch job at another price.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclear: bool,
}

impl ModelUsage {
    /// Adds more usage of the same model.
    pub fn add(&mut self, more: ModelUsage) {
        self.unclear |= more.unclear;
        for (sum, more) in [
            (&mut self.input, more.input),
            (&mut self.cached, more.cached),
            (&mut self.output, more.output),
            (&mut self.tokens, more.tokens),
            (&mut self.images, more.images),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    fn measured(self, kind: UsageKind) -> u64 {
        match kind {
            UsageKind::Input => self.input.saturating_sub(self.cached),
            UsageKind::Cached => self.cached,
            UsageKind::Output => self.output,
            UsageKind::Other if self.tokens == 0 => self.images,
            UsageKind::Other => self.tokens,
        }
    }
}

/// The usage of a project, as last read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectUsage {
    /// When it was read.
    pub read_at: Timestamp,
    /// The first day that was read; the last one is that of `read_at`.
    pub first: Date,
    /// By day and model, as [`model_name`] writes it.
    pub days: BTreeMap<Date, BTreeMap<String, ModelUsage>>,
}

impl ProjectUsage {
    /// Returns whether it is to be read again: it is not of the days from `first` to today, or it was read `after` ago or longer,
    /// or in what is the future now.
    pub fn is_due(&self, first: Date, now: Timestamp, after: SignedDuration) -> bool {
        let age = now.duration_since(self.read_at);
        age >= after || age.is_negative() || self.first > first || !self.covers(beijing_day(now))
    }

    fn covers(&self, day: Date) -> bool {
        self.first <= day && day <= beijing_day(self.read_at)
    }

    fn is_clear(&self, day: Date, model: &str) -> bool {
        let used = self.days.get(&day).and_then(|models| models.get(model));
        used.is_none_or(|used| !used.unclear)
    }

    fn of(&self, day: Date, model: &str, kind: UsageKind) -> u64 {
        let used = self.days.get(&day).and_then(|models| models.get(model));
        used.map_or(0, |used| used.measured(kind))
    }
}

/// An account's money of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedDay {
    /// The part of each project.
    pub projects: BTreeMap<ProjectName, Money>,
    /// 出账前不可见: the part that cannot be shared out.
    pub hidden: Money,
    /// The part of that which later usage may still explain.
    pub pending: Money,
}

impl SharedDay {
    /// Returns the account's money: the sum of all parts.
    pub fn total(&self) -> Money {
        self.projects.values().copied().sum::<Money>() + self.hidden
    }
}

/// Returns the name of a model in the one spelling that bills and usage have in common: `Doubao-Seed-2.0-pro` and
/// `doubao-seed-2-0-pro-260215` are `doubao-seed-2-0-pro` (docs/platforms/ark.md §D.5).
pub fn model_name(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let plain: String =
        lower.chars().map(|c| if matches!(c, '.' | ' ' | '_') { '-' } else { c }).collect();
    match plain.rsplit_once('-') {
        Some((name, version))
            if version.len() == 6 && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name.to_owned()
        }
        _ => plain,
    }
}

/// Says how much of an item's money is old enough to be shared out by the usage that is known.
pub trait Explains {
    /// Returns that part of the `amount` of a model's item on a day, of which all projects together used `used`.
    fn explained(&self, day: Date, item: &BilledItem, amount: Money, used: u128) -> Money;
}

/// Shares an account's money out among its projects. `usage` names every project of the account; `None` is one whose usage
/// was never read. `known` says how much of the money that usage can explain: the rest belongs to nobody yet, whoever has used
/// the model before (docs/behaviour.md §5).
///
/// A model's money is hidden if the usage of any project is not known for that day, or if nobody used the model.
/// The parts of a day add up to its money exactly: what does not divide goes to the project that used most, the first by name.
pub fn share(
    money: &BTreeMap<(Date, BilledItem), Money>,
    usage: &BTreeMap<ProjectName, Option<ProjectUsage>>,
    known: &impl Explains,
) -> BTreeMap<Date, SharedDay> {
    let mut days: BTreeMap<Date, SharedDay> = BTreeMap::new();
    for ((day, item), amount) in money {
        let shared = days.entry(*day).or_default();
        let users = match item {
            BilledItem::Project(project) => {
                *shared.projects.entry(project.clone()).or_insert(Money::ZERO) += *amount;
                continue;
            }
            BilledItem::Other => None,
            BilledItem::Model { model, kind } => users_of(usage, *day, model, *kind),
        };
        let Some(users) = users else {
            shared.hidden += *amount;
            continue;
        };
        let used = users.iter().map(|(_, used)| u128::from(*used)).sum();
        let explained = known.explained(*day, item, *amount, used);
        let pending = *amount - explained;
        shared.pending += pending;
        shared.hidden += pending;
        if users.is_empty() {
            shared.hidden += explained;
        }
        for (project, part) in split(explained, &users) {
            *shared.projects.entry(project.clone()).or_insert(Money::ZERO) += part;
        }
    }
    days
}

/// Returns the models with money that cannot be shared out, because nobody is known to have used them.
pub fn unused_models<'a>(
    money: &'a BTreeMap<(Date, BilledItem), Money>,
    usage: &BTreeMap<ProjectName, Option<ProjectUsage>>,
) -> BTreeSet<&'a str> {
    let unused = money.iter().filter_map(|((day, item), amount)| match item {
        BilledItem::Model { model, kind } => {
            let users = users_of(usage, *day, model, *kind).filter(|users| !users.is_empty());
            (amount.is_positive() && users.is_none()).then_some(model.as_str())
        }
        BilledItem::Project(_) | BilledItem::Other => None,
    });
    unused.collect()
}

/// Returns how much of a model's item all projects together used on a day; `None` if that is not known.
pub fn used_of(
    usage: &BTreeMap<ProjectName, Option<ProjectUsage>>,
    day: Date,
    item: &BilledItem,
) -> Option<u128> {
    let BilledItem::Model { model, kind } = item else { return None };
    let users = users_of(usage, day, model, *kind)?;
    Some(users.into_iter().map(|(_, used)| u128::from(used)).sum())
}

/// Returns who used a model on a day, and how much; `None` if that is not known, or not clear, of some project.
fn users_of<'a>(
    usage: &'a BTreeMap<ProjectName, Option<ProjectUsage>>,
    day: Date,
    model: &str,
    kind: UsageKind,
) -> Option<Vec<(&'a ProjectName, u64)>> {
    let mut users = Vec::new();
    for (project, usage) in usage {
        let usage =
            usage.as_ref().filter(|usage| usage.covers(day) && usage.is_clear(day, model))?;
        let used = usage.of(day, model, kind);
        if used > 0 {
            users.push((project, used));
        }
    }
    Some(users)
}

/// Divides an amount; nothing comes of it if there is nobody.
fn split<'a>(amount: Money, users: &[(&'a ProjectName, u64)]) -> Vec<(&'a ProjectName, Money)> {
    let total: Decimal = users.iter().map(|(_, used)| Decimal::from(*used)).sum();
    let most = users.iter().map(|(_, used)| *used).max();
    let last = users.iter().position(|(_, used)| Some(*used) == most).unwrap_or_default();
    let mut rest = amount;
    let mut parts = Vec::with_capacity(users.len());
    for (n, (project, used)) in users.iter().enumerate() {
        if n == last {
            continue;
        }
        let used = Decimal::from(*used);
        let exact = match amount.decimal().checked_mul(used) {
            Some(product) => product.checked_div(total),
            None => amount.decimal().checked_div(total).and_then(|unit| unit.checked_mul(used)),
        };
        let part = Money::new(exact.unwrap_or_default().trunc_with_scale(DECIMALS));
        rest = rest - part;
        parts.push((*project, part));
    }
    parts.extend(users.get(last).map(|(project, _)| (*project, rest)));
    parts
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const DAY: Date = date(2026, 11, 23);

    /// Usage that is newer than any money.
    struct All;

    impl Explains for All {
        fn explained(&self, _: Date, _: &BilledItem, amount: Money, _: u128) -> Money {
            amount
        }
    }

    /// Usage that explains so much of each item.
    struct UpTo(&'static str);

    impl Explains for UpTo {
        fn explained(&self, _: Date, _: &BilledItem, amount: Money, _: u128) -> Money {
            amount.min(money(self.0))
        }
    }

    fn project(name: &str) -> ProjectName {
        name.parse().unwrap()
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn usage(model: &str, used: ModelUsage) -> Option<ProjectUsage> {
        let models = BTreeMap::from([(model.to_owned(), used)]);
        Some(ProjectUsage {
            read_at: "2026-11-23T02:00:00Z".parse().unwrap(),
            first: DAY,
            days: BTreeMap::from([(DAY, models)]),
        })
    }

    fn tokens(input: u64, cached: u64, output: u64) -> ModelUsage {
        ModelUsage { input, cached, output, tokens: input + output, ..ModelUsage::default() }
    }

    fn item(model: &str, kind: UsageKind) -> (Date, BilledItem) {
        (DAY, BilledItem::Model { model: model_name(model), kind })
    }

    fn shown(days: &BTreeMap<Date, SharedDay>) -> String {
        let Some(day) = days.get(&DAY) else { return "nothing".to_owned() };
        let parts = day
            .projects
            .iter()
            .map(|(project, part)| format!("{project} {}", part.decimal().normalize()));
        let mut parts: Vec<String> = parts.collect();
        parts.push(format!("hidden {}", day.hidden.decimal().normalize()));
        parts.join(", ")
    }

    #[test]
    fn a_model_has_one_name_in_bills_and_usage() {
        for (text, name) in [
            ("Doubao-Seed-2.0-pro", "doubao-seed-2-0-pro"),
            ("doubao-seed-2-0-pro-260215", "doubao-seed-2-0-pro"),
            ("doubao seed_2.0 pro", "doubao-seed-2-0-pro"),
            ("DeepSeek-V3.1", "deepseek-v3-1"),
            ("deepseek-v3-1-terminus", "deepseek-v3-1-terminus"),
            ("250515", "250515"),
            ("", ""),
        ] {
            assert_eq!(model_name(text), name, "{text}");
        }
    }

    #[test]
    fn money_goes_by_the_share_of_the_same_kind_of_usage() {
        let usage = BTreeMap::from([
            (project("a"), usage("m", tokens(100, 40, 10))),
            (project("b"), usage("m", tokens(140, 0, 30))),
            (project("c"), usage("other", tokens(999, 999, 999))),
        ]);
        for (kind, shares) in [
            (UsageKind::Input, "a 3, b 7, hidden 0"),
            (UsageKind::Cached, "a 10, hidden 0"),
            (UsageKind::Output, "a 2.5, b 7.5, hidden 0"),
            (UsageKind::Other, "a 3.928571, b 6.071429, hidden 0"),
        ] {
            let money = BTreeMap::from([(item("M", kind), money("10"))]);
            assert_eq!(shown(&share(&money, &usage, &All)), shares, "{kind:?}");
        }
    }

    #[test]
    fn what_cannot_be_shared_out_is_hidden_and_never_spread() {
        let known = || usage("m", tokens(100, 0, 10));
        let yesterday = Some(ProjectUsage {
            read_at: "2026-11-22T15:00:00Z".parse().unwrap(),
            first: date(2026, 11, 20),
            days: BTreeMap::new(),
        });
        let input = || BTreeMap::from([(item("m", UsageKind::Input), money("10"))]);
        let one = |usage| BTreeMap::from([(project("a"), usage)]);
        let two = |other| BTreeMap::from([(project("a"), known()), (project("b"), other)]);
        for (what, money, usage, shares) in [
            ("all is known", input(), one(known()), "a 10, hidden 0"),
            ("no usage was ever read", input(), BTreeMap::new(), "hidden 10"),
            ("a project was never read", input(), two(None), "hidden 10"),
            ("a project was not read on that day", input(), two(yesterday), "hidden 10"),
            (
                "some of it may be a batch job's",
                input(),
                two(usage("m", ModelUsage { unclear: true, ..tokens(5, 0, 5) })),
                "hidden 10",
            ),
            (
                "nobody used that model",
                BTreeMap::from([(item("x", UsageKind::Input), money("10"))]),
                one(known()),
                "hidden 10",
            ),
            (
                "nobody used that kind",
                BTreeMap::from([(item("m", UsageKind::Cached), money("10"))]),
                one(known()),
                "hidden 10",
            ),
            (
                "no model is named",
                BTreeMap::from([((DAY, BilledItem::Other), money("10"))]),
                one(known()),
                "hidden 10",
            ),
            (
                "a row names its project",
                BTreeMap::from([((DAY, BilledItem::Project(project("z"))), money("10"))]),
                two(None),
                "z 10, hidden 0",
            ),
            ("there is no money", BTreeMap::new(), one(known()), "nothing"),
        ] {
            assert_eq!(shown(&share(&money, &usage, &All)), shares, "{what}");
        }
    }

    #[test]
    fn money_that_is_newer_than_the_usage_is_nobodys() {
        let one = BTreeMap::from([(project("a"), usage("m", tokens(100, 0, 10)))]);
        let nobody = BTreeMap::from([(project("a"), usage("x", tokens(100, 0, 10)))]);
        let input = BTreeMap::from([(item("m", UsageKind::Input), money("101"))]);
        for (usage, upto, shares, pending) in [
            (&one, "1", "a 1, hidden 100", "100"),
            (&one, "101", "a 101, hidden 0", "0"),
            (&one, "0", "a 0, hidden 101", "101"),
            (&nobody, "1", "hidden 101", "100"),
            (&nobody, "101", "hidden 101", "0"),
        ] {
            let days = share(&input, usage, &UpTo(upto));
            assert_eq!(shown(&days), shares, "{upto}");
            assert_eq!(days[&DAY].pending, money(pending), "{upto}");
        }
    }

    #[test]
    fn usage_is_read_again_after_an_hour_or_for_another_day() {
        let hour = SignedDuration::from_hours(1);
        let (first, at) = (date(2026, 11, 22), "2026-11-23T10:00:00+08:00");
        let used = ProjectUsage { read_at: at.parse().unwrap(), first, days: BTreeMap::new() };
        for (first, now, due) in [
            (first, "2026-11-23T10:00:00+08:00", false),
            (DAY, "2026-11-23T10:59:59+08:00", false),
            (first, "2026-11-23T11:00:00+08:00", true),
            // An earlier day is needed, today has begun, the clock was set back.
            (date(2026, 11, 21), "2026-11-23T10:30:00+08:00", true),
            (first, "2026-11-23T09:59:59+08:00", true),
        ] {
            assert_eq!(used.is_due(first, now.parse().unwrap(), hour), due, "{first} {now}");
        }
        let late = ProjectUsage { read_at: "2026-11-23T23:50:00+08:00".parse().unwrap(), ..used };
        assert!(late.is_due(first, "2026-11-24T00:05:00+08:00".parse().unwrap(), hour));
    }

    #[test]
    fn what_does_not_divide_goes_to_the_largest() {
        let usage = BTreeMap::from([
            (project("a"), usage("m", tokens(0, 0, 1))),
            (project("b"), usage("m", tokens(0, 0, 1))),
            (project("c"), usage("m", tokens(0, 0, 1))),
        ]);
        let money = BTreeMap::from([(item("m", UsageKind::Output), money("0.000001"))]);
        assert_eq!(shown(&share(&money, &usage, &All)), "a 0.000001, b 0, c 0, hidden 0");
    }

    fn kinds() -> impl Strategy<Value = UsageKind> {
        prop::sample::select(vec![
            UsageKind::Input,
            UsageKind::Cached,
            UsageKind::Output,
            UsageKind::Other,
        ])
    }

    fn items() -> impl Strategy<Value = BilledItem> {
        prop_oneof![
            1 => Just(BilledItem::Other),
            1 => "[a-d]".prop_map(|name| BilledItem::Project(name.parse().unwrap())),
            4 => ("[m-p]", kinds()).prop_map(|(model, kind)| BilledItem::Model { model, kind }),
        ]
    }

    fn amounts() -> impl Strategy<Value = Money> {
        (-1_000_000_000_000_000_i64..1_000_000_000_000_000, 0_u32..=10)
            .prop_map(|(n, scale)| Money::new(Decimal::new(n, scale)))
    }

    fn usages() -> impl Strategy<Value = BTreeMap<ProjectName, Option<ProjectUsage>>> {
        let used = (0..u64::MAX / 4, 0..u64::MAX / 4, 0..u64::MAX / 4, 0..9_u64);
        let used = used.prop_map(|(input, cached, output, images)| ModelUsage {
            input,
            cached: cached.min(input),
            output,
            tokens: input + output,
            images,
            unclear: false,
        });
        let models = prop::collection::btree_map("[m-p]", used, 0..4);
        let project = prop::option::weighted(0.95, models).prop_map(|models| {
            models.map(|models| ProjectUsage {
                read_at: "2026-11-23T02:00:00Z".parse().unwrap(),
                first: DAY.yesterday().unwrap(),
                days: BTreeMap::from([(DAY, models)]),
            })
        });
        prop::collection::btree_map("[a-f]".prop_map(|name| name.parse().unwrap()), project, 0..6)
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_accounts_money_exactly(
            money in prop::collection::btree_map(
                (prop::sample::select(vec![DAY, DAY.yesterday().unwrap()]), items()), amounts(), 0..20),
            usage in usages(),
        ) {
            let days = share(&money, &usage, &All);
            for day in [DAY, DAY.yesterday().unwrap()] {
                let of_day = money.iter().filter(|((of, _), _)| *of == day);
                let total: Money = of_day.map(|(_, amount)| *amount).sum();
                let shared = days.get(&day).map_or(Money::ZERO, SharedDay::total);
                prop_assert_eq!(shared, total);
            }
            prop_assert_eq!(share(&money, &usage, &All), days, "the same again");
        }

        #[test]
        fn a_share_is_right_to_a_millionth_for_each_project(
            fen in 0_i64..100_000_000, used in prop::collection::vec(1_u64..1_000_000_000, 1..8),
        ) {
            let names: Vec<ProjectName> =
                (0..used.len()).map(|n| format!("p{n}").parse().unwrap()).collect();
            let users: Vec<(&ProjectName, u64)> = names.iter().zip(used.iter().copied()).collect();
            let total: Decimal = used.iter().map(|used| Decimal::from(*used)).sum();
            let parts = split(Money::from_fen(fen), &users);
            prop_assert_eq!(parts.len(), users.len());
            for (project, part) in parts {
                let (_, used) = users.iter().find(|(name, _)| *name == project).unwrap();
                let exact = Decimal::new(fen, 2) * Decimal::from(*used) / total;
                let error = (part.decimal() - exact).abs();
                prop_assert!(error <= Decimal::new(i64::try_from(names.len()).unwrap(), DECIMALS));
                prop_assert!(!part.is_negative());
            }
        }
    }
}
