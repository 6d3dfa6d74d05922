//! Digests (汇总): which week or month one is about, when it is due, and what was spent in it (docs/behaviour.md §5).

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::period::beijing;
use super::{
    AccountId, BillPeriod, Comparable, Counts, Money, OpenId, Payer, UserKey, beijing_day, share,
};

/// What a digest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestKind {
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl DigestKind {
    /// Both of them.
    pub const ALL: [DigestKind; 2] = [DigestKind::Week, DigestKind::Month];

    /// Returns the word for it in callback values, forms and commands.
    pub fn word(self) -> &'static str {
        match self {
            DigestKind::Week => "week",
            DigestKind::Month => "month",
        }
    }

    /// Returns what a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A week or a month in Beijing, by its first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DigestSpan {
    kind: DigestKind,
    first: Date,
}

impl DigestSpan {
    /// Returns the week or month that a day belongs to.
    pub fn of(kind: DigestKind, day: Date) -> Self {
        let back = match kind {
            DigestKind::Week => i64::from(day.weekday().to_monday_zero_offset()),
            DigestKind::Month => i64::from(day.day()) - 1,
        };
        Self { kind, first: day.checked_sub(back.days()).unwrap_or(day) }
    }

    /// Returns the last one that is over.
    pub fn last_full(kind: DigestKind, now: Timestamp) -> Self {
        Self::of(kind, beijing_day(now)).previous()
    }

    /// Returns whether it is a week or a month.
    pub fn kind(self) -> DigestKind {
        self.kind
    }

    /// Returns its first day.
    pub fn first(self) -> Date {
        self.first
    }

    /// Returns its last day.
    pub fn last(self) -> Date {
        match self.kind {
            DigestKind::Week => self.first.checked_add(6.days()).unwrap_or(self.first),
            DigestKind::Month => self.first.last_of_month(),
        }
    }

    /// Returns its days, in order.
    pub fn days(self) -> impl Iterator<Item = Date> {
        let last = self.last();
        std::iter::successors(Some(self.first), move |day| {
            day.tomorrow().ok().filter(|next| *next <= last)
        })
    }

    /// Returns the week or month before; the first representable one stays the same.
    pub fn previous(self) -> Self {
        self.first.yesterday().map_or(self, |day| Self::of(self.kind, day))
    }

    /// Returns the following week or month.
    pub fn next(self) -> Self {
        self.last().tomorrow().map_or(self, |day| Self::of(self.kind, day))
    }

    /// Returns the bill periods that it touches, in order; none outside the years of bills.
    pub fn periods(self) -> impl Iterator<Item = BillPeriod> {
        let ends = BillPeriod::of_day(self.first).ok().zip(BillPeriod::of_day(self.last()).ok());
        ends.into_iter().flat_map(|(first, last)| first.through(last))
    }

    /// Returns when its first day begins in Beijing.
    pub fn begins_at(self) -> Timestamp {
        let begins = self.first.at(0, 0, 0, 0).to_zoned(beijing());
        begins.map_or(Timestamp::MIN, |begins| begins.timestamp())
    }

    /// Returns when its digest is sent: on the Monday after, 9:30, or on the 6th of the following month, 10:30, Beijing time.
    pub fn due_at(self) -> Timestamp {
        let next = self.next().first;
        let (days, hour) = match self.kind {
            DigestKind::Week => (0, 9),
            DigestKind::Month => (5, 10),
        };
        let at: Option<DateTime> =
            next.checked_add(i64::from(days).days()).ok().map(|day| day.at(hour, 30, 0, 0));
        let at = at.and_then(|at| at.to_zoned(beijing()).ok());
        at.map_or(Timestamp::MAX, |at| at.timestamp())
    }

    /// Returns which of its days can be compared with those of the one before, if bills hold all days up to `bill_to`. `None`:
    /// no day is complete.
    pub fn comparable(self, bill_to: Date) -> Option<Comparable> {
        if bill_to >= self.last() {
            return Some(Comparable::Whole);
        }
        let days = self.days().filter(|day| *day <= bill_to).count();
        let days = days.min(self.previous().days().count());
        i8::try_from(days).ok().filter(|days| *days > 0).map(Comparable::First)
    }
}

/// How far the clock may have been set back: a later digest that is farther ahead was sent while the clock was wrong.
const CLOCK_BACK: SignedDuration = SignedDuration::from_hours(40 * 24);
/// How many digests are remembered.
const REMEMBERED: usize = 60;

/// Which digests were sent, and to whom one is still owed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestLog {
    /// When digests were switched on, or to another kind. What was due before is not sent.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Those that were sent, or left out because there was nothing to say, in that order.
    #[serde(default)]
    pub sent: Vec<DigestSpan>,
    /// The one whose owners have not all been told.
    #[serde(default)]
    pub telling: Option<Telling>,
}

/// Owners are told one after the other, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// The digest.
    pub span: DigestSpan,
    /// The last owner who was told; `None` before the first.
    #[serde(default)]
    pub after: Option<OpenId>,
}

impl DigestLog {
    /// Returns the digest to send now, if one is: the latest that has fallen due since digests were switched on. Of several that
    /// fell due while the service was down, only that one is sent. After the clock was set back, nothing is sent twice.
    pub fn due(&self, kind: DigestKind, now: Timestamp) -> Option<DigestSpan> {
        let current = DigestSpan::of(kind, beijing_day(now));
        let mut back = std::iter::successors(Some(current), |span| Some(span.previous()));
        let span = back.by_ref().take(4).find(|span| span.due_at() <= now)?;
        let is_old = self.since.is_none_or(|since| span.due_at() <= since);
        let is_overtaken = self.sent.iter().any(|sent| {
            let is_later = sent.kind == kind && sent.first >= span.first;
            is_later && (*sent == span || sent.due_at().duration_since(now) < CLOCK_BACK)
        });
        (!is_old && !is_overtaken).then_some(span)
    }

    /// Notes that a digest was sent, or left out.
    pub fn note(&mut self, span: DigestSpan) {
        self.sent.push(span);
        let surplus = self.sent.len().saturating_sub(REMEMBERED);
        self.sent.drain(..surplus);
    }
}

/// What was spent in a span, and on the same days of the span before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the span.
    pub amount: Money,
    /// The part of it on the days that are compared.
    pub compared: Money,
    /// On those days of the span before.
    pub before: Money,
}

/// Which of the three an amount belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The span; whether its day is compared.
    Now {
        /// Whether it is.
        compared: bool,
    },
    /// A compared day of the span before.
    Before,
}

impl Spent {
    /// Adds an amount.
    pub fn add(&mut self, amount: Money, part: Part) {
        match part {
            Part::Now { compared } => {
                self.amount += amount;
                if compared {
                    self.compared += amount;
                }
            }
            Part::Before => self.before += amount,
        }
    }

    /// Adds what something else cost.
    pub fn plus(&mut self, other: Spent) {
        self.amount += other.amount;
        self.compared += other.compared;
        self.before += other.before;
    }

    fn each(self, part_of: impl Fn(Money) -> Money) -> Self {
        Self {
            amount: part_of(self.amount),
            compared: part_of(self.compared),
            before: part_of(self.before),
        }
    }
}

/// What a project cost, by bill period. A bill is divided by the month (see [`share`]): what does not divide goes to the first by
/// name once, not once a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectSpent(BTreeMap<BillPeriod, Spent>);

impl ProjectSpent {
    /// Adds the amount of a day.
    pub fn add(&mut self, day: Date, amount: Money, part: Part) {
        if let Ok(period) = BillPeriod::of_day(day) {
            self.0.entry(period).or_default().add(amount, part);
        }
    }
}

/// Whose part counts.
pub type Own<'a> = &'a dyn Fn(&UserKey) -> bool;

/// Returns what the users of one owner count of a project's amount in a period: together at most the amount.
pub fn together(amount: Money, period: BillPeriod, payers: &[Payer], own: Own<'_>) -> Money {
    let mut divided = Money::ZERO;
    for payer in payers.iter().filter(|payer| payer.since <= period && own(&payer.user)) {
        match payer.counts {
            Counts::Whole => return amount,
            Counts::Part => divided += share(amount, &payer.user, period, payers),
        }
    }
    divided
}

/// A project in an account; an empty name for rows without one.
pub type ProjectOf = (AccountId, String);

/// Amounts of a span, by user and by project. A project that several users share counts once in every sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of everything that was added.
    pub total: Spent,
    /// The part of it that no user pays for.
    pub unattributed: Spent,
    /// What each user counts. These add up to more than the total where users share a project as a whole.
    pub users: BTreeMap<UserKey, Spent>,
    /// What each project cost.
    pub projects: BTreeMap<ProjectOf, Spent>,
    /// The sum of each day of the span.
    pub days: BTreeMap<Date, Money>,
}

impl Tally {
    /// Adds what a project cost, of which everybody's part counts or, if it is given, the part of one owner's users.
    pub fn add(
        &mut self,
        project: &ProjectOf,
        spent: &ProjectSpent,
        payers: &[Payer],
        own: Option<Own<'_>>,
    ) {
        for (period, spent) in &spent.0 {
            let counts = |payer: &&Payer| payer.since <= *period;
            for payer in payers.iter().filter(counts) {
                if own.is_none_or(|own| own(&payer.user)) {
                    let counted = spent.each(|amount| share(amount, &payer.user, *period, payers));
                    self.users.entry(payer.user.clone()).or_default().plus(counted);
                }
            }
            let sum = match own {
                None => *spent,
                Some(own) => spent.each(|amount| together(amount, *period, payers, own)),
            };
            self.total.plus(sum);
            if own.is_none() && !payers.iter().any(|payer| counts(&payer)) {
                self.unattributed.plus(*spent);
            }
            self.projects.entry(project.clone()).or_default().plus(sum);
        }
    }

    /// Adds to a day of the chart.
    pub fn add_day(&mut self, day: Date, amount: Money) {
        *self.days.entry(day).or_insert(Money::ZERO) += amount;
    }
}

/// Returns the entries with the largest amounts, largest first, and how many others have an amount.
pub fn largest<K: Ord + Clone>(
    amounts: &BTreeMap<K, Spent>,
    count: usize,
) -> (Vec<(K, Spent)>, usize) {
    let mut all: Vec<(&K, &Spent)> = amounts
        .iter()
        .filter(|(_, spent)| !spent.amount.rounded().is_zero() || !spent.before.rounded().is_zero())
        .collect();
    all.sort_by(|a, b| b.1.amount.cmp(&a.1.amount).then_with(|| a.0.cmp(b.0)));
    let more = all.len().saturating_sub(count);
    let shown = all.into_iter().take(count).map(|(key, spent)| (key.clone(), *spent));
    (shown.collect(), more)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn week(day: Date) -> DigestSpan {
        DigestSpan::of(DigestKind::Week, day)
    }

    fn month(day: Date) -> DigestSpan {
        DigestSpan::of(DigestKind::Month, day)
    }

    #[test]
    fn a_week_is_from_monday_to_sunday_and_a_month_is_a_calendar_month() {
        for (span, first, last, previous) in [
            (week(date(2026, 11, 23)), (11, 23), (11, 29), (11, 16)),
            (week(date(2026, 11, 29)), (11, 23), (11, 29), (11, 16)),
            (week(date(2026, 11, 1)), (10, 26), (11, 1), (10, 19)),
            (month(date(2026, 11, 30)), (11, 1), (11, 30), (10, 1)),
            (month(date(2026, 3, 1)), (3, 1), (3, 31), (2, 1)),
        ] {
            assert_eq!(span.first(), date(2026, first.0, first.1));
            assert_eq!(span.last(), date(2026, last.0, last.1));
            assert_eq!(span.previous().first(), date(2026, previous.0, previous.1));
            assert_eq!(span.previous().next(), span);
            assert_eq!(span.days().last(), Some(span.last()));
        }
        let periods: Vec<String> =
            week(date(2026, 11, 1)).periods().map(|period| period.to_string()).collect();
        assert_eq!(periods, ["2026-10", "2026-11"]);
        // At the ends of the calendar, nothing panics.
        assert!(week(Date::MIN).previous().days().count() > 0);
        assert!(month(Date::MAX).next().due_at() <= Timestamp::MAX);
    }

    #[test]
    fn the_last_full_one_is_told_on_monday_at_half_past_nine_or_on_the_6th_at_half_past_ten() {
        let span = DigestSpan::last_full(DigestKind::Week, at("2026-11-23T01:00:00Z"));
        assert_eq!((span.first(), span.due_at()), (date(2026, 11, 16), at("2026-11-23T01:30:00Z")));
        // Beijing's Monday begins on Sunday, 16:00 UTC.
        let span = DigestSpan::last_full(DigestKind::Week, at("2026-11-22T15:59:59Z"));
        assert_eq!(span.first(), date(2026, 11, 9));
        let span = DigestSpan::last_full(DigestKind::Month, at("2026-12-01T00:00:00Z"));
        assert_eq!((span.first(), span.due_at()), (date(2026, 11, 1), at("2026-12-06T02:30:00Z")));
    }

    #[test]
    fn one_digest_is_due_at_a_time_and_none_twice() {
        let (w9, w16, w23) =
            (week(date(2026, 11, 9)), week(date(2026, 11, 16)), week(date(2026, 11, 23)));
        let far = week(date(2027, 6, 7));
        let log = |since: &str, sent: &[DigestSpan]| DigestLog {
            since: Some(at(since)),
            sent: sent.to_vec(),
            telling: None,
        };
        for (why, log, now, due) in [
            ("never switched on", DigestLog::default(), "2026-11-23T02:00:00Z", None),
            ("before its time", log("2026-11-01T00:00:00Z", &[w9]), "2026-11-23T01:29:59Z", None),
            ("on time", log("2026-11-01T00:00:00Z", &[w9]), "2026-11-23T01:30:00Z", Some(w16)),
            ("late", log("2026-11-01T00:00:00Z", &[w9]), "2026-11-29T15:00:00Z", Some(w16)),
            ("down for weeks", log("2026-11-01T00:00:00Z", &[]), "2026-12-01T00:00:00Z", Some(w23)),
            ("sent", log("2026-11-01T00:00:00Z", &[w16]), "2026-11-23T01:30:00Z", None),
            (
                "due before it was on",
                log("2026-11-24T00:00:00Z", &[]),
                "2026-11-25T00:00:00Z",
                None,
            ),
            ("a week back", log("2026-11-01T00:00:00Z", &[w23]), "2026-11-23T02:00:00Z", None),
            (
                "the clock was ahead",
                log("2026-11-01T00:00:00Z", &[far]),
                "2026-11-23T02:00:00Z",
                Some(w16),
            ),
            ("and comes there", log("2026-11-01T00:00:00Z", &[far]), "2027-06-14T02:00:00Z", None),
        ] {
            assert_eq!(log.due(DigestKind::Week, at(now)), due, "{why}");
        }
        let of_month = log("2026-10-10T00:00:00Z", &[w16]);
        let due = of_month.due(DigestKind::Month, at("2026-11-06T02:30:00Z"));
        assert_eq!(due, Some(month(date(2026, 10, 1))), "weeks say nothing of months");
        let due = of_month.due(DigestKind::Month, at("2026-11-06T02:29:00Z"));
        assert_eq!(due, None, "October is not due, and September was before it was switched on");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut log = DigestLog::default();
        let mut span = week(date(2026, 1, 1));
        for _ in 0..200 {
            log.note(span);
            span = span.next();
        }
        assert_eq!((log.sent.len(), log.sent.last()), (REMEMBERED, Some(&span.previous())));
    }

    #[test]
    fn the_same_days_of_both_are_compared() {
        for (span, bill_to, wanted) in [
            (week(date(2026, 11, 16)), date(2026, 11, 15), None),
            (week(date(2026, 11, 16)), date(2026, 11, 20), Some(Comparable::First(5))),
            (week(date(2026, 11, 16)), date(2026, 11, 22), Some(Comparable::Whole)),
            (month(date(2026, 3, 1)), date(2026, 3, 30), Some(Comparable::First(28))),
            (month(date(2026, 3, 1)), date(2026, 4, 2), Some(Comparable::Whole)),
        ] {
            assert_eq!(span.comparable(bill_to), wanted, "{span:?} {bill_to}");
        }
    }

    fn payer(name: &str, since: &str, counts: Counts) -> Payer {
        let user = format!("main/{name}").parse().unwrap();
        Payer { user, since: since.parse().unwrap(), counts }
    }

    fn project(name: &str) -> ProjectOf {
        ("main".parse().unwrap(), name.to_owned())
    }

    const NOW: Part = Part::Now { compared: true };

    #[test]
    fn a_shared_project_counts_once() {
        let day = date(2026, 11, 16);
        let ten: Money = "10".parse().unwrap();
        let own = |user: &UserKey| user.username.as_str() != "carol";
        for (payers, all, of_two, unattributed) in [
            (vec![], "10", "0", "10"),
            (vec![payer("alice", "2026-12", Counts::Whole)], "10", "0", "10"),
            (vec![payer("alice", "2026-11", Counts::Whole)], "10", "10", "0"),
            (
                vec![
                    payer("alice", "2026-11", Counts::Whole),
                    payer("bob", "2026-11", Counts::Whole),
                ],
                "10",
                "10",
                "0",
            ),
            (
                vec![
                    payer("alice", "2026-11", Counts::Part),
                    payer("bob", "2026-11", Counts::Part),
                    payer("carol", "2026-11", Counts::Part),
                    payer("dave", "2026-11", Counts::Part),
                ],
                "10",
                "7.5",
                "0",
            ),
            (vec![payer("carol", "2026-11", Counts::Whole)], "10", "0", "0"),
        ] {
            let mut tally = Tally::default();
            let mut spent = ProjectSpent::default();
            spent.add(day, ten, NOW);
            tally.add(&project("p"), &spent, &payers, None);
            assert_eq!(tally.total.amount, all.parse().unwrap(), "{payers:?}");
            let wanted: Money = if unattributed == "0" { Money::ZERO } else { ten };
            assert_eq!(tally.unattributed.amount, wanted, "{payers:?}");
            let mut two = Tally::default();
            two.add(&project("p"), &spent, &payers, Some(&own));
            let wanted = if of_two == "0" { Money::ZERO } else { of_two.parse().unwrap() };
            assert_eq!(two.total.amount, wanted, "{payers:?}");
            assert!(two.users.keys().all(own));
            assert!(two.unattributed.amount.is_zero());
        }
    }

    #[test]
    fn days_that_are_not_compared_count_in_the_amount_alone() {
        let payers = [payer("alice", "2026-01", Counts::Whole)];
        let mut tally = Tally::default();
        let amount = |text: &str| text.parse::<Money>().unwrap();
        let mut days = ProjectSpent::default();
        days.add(date(2026, 11, 16), amount("1"), NOW);
        days.add(date(2026, 11, 22), amount("2"), Part::Now { compared: false });
        days.add(date(2026, 11, 9), amount("4"), Part::Before);
        tally.add(&project("p"), &days, &payers, None);
        let spent = Spent { amount: amount("3"), compared: amount("1"), before: amount("4") };
        assert_eq!(tally.total, spent);
        assert_eq!(tally.users.values().collect::<Vec<_>>(), [&spent]);
    }

    /// The billing card divides the month's bill; a digest of the month says the same.
    #[test]
    fn what_does_not_divide_goes_to_the_first_once_a_month() {
        let amount = |text: &str| text.parse::<Money>().unwrap();
        let payers = ["alice", "bob", "carol"].map(|name| payer(name, "2026-01", Counts::Part));
        let mut days = ProjectSpent::default();
        for day in 1..=30 {
            days.add(date(2026, 11, day), amount("0.01"), NOW);
        }
        days.add(date(2026, 10, 31), amount("0.10"), Part::Before);
        let mut tally = Tally::default();
        tally.add(&project("p"), &days, &payers, None);
        let november = "2026-11".parse().unwrap();
        for (user, spent) in &tally.users {
            assert_eq!(spent.amount, share(amount("0.30"), user, november, &payers));
            assert_eq!(spent.amount, amount("0.1"), "{user}: not 0.30 for the first by name");
        }
        let before: Vec<Money> = tally.users.values().map(|spent| spent.before).collect();
        assert_eq!(before, [amount("0.04"), amount("0.03"), amount("0.03")]);
    }

    #[test]
    fn the_largest_are_named_and_the_others_counted() {
        let spent = |text: &str| Spent { amount: text.parse().unwrap(), ..Spent::default() };
        let amounts: BTreeMap<&str, Spent> =
            [("a", spent("1")), ("b", spent("3")), ("c", spent("3")), ("d", spent("0.001"))].into();
        let (shown, more) = largest(&amounts, 2);
        assert_eq!(shown.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(more, 1, "what rounds to nothing is not counted");
    }

    proptest! {
        #[test]
        fn users_and_the_rest_are_the_bill_when_none_is_shared_as_a_whole(
            amounts in proptest::collection::vec((0..5_u8, -1000..100_000_i64), 1..30),
            parts in 1..5_usize,
        ) {
            let payers: Vec<Payer> =
                (0..parts).map(|n| payer(&format!("u{n}"), "2026-11", Counts::Part)).collect();
            let mut tally = Tally::default();
            let mut bill = Money::ZERO;
            for (n, fen) in amounts {
                let amount = Money::from_fen(fen);
                bill += amount;
                let paid: &[Payer] = if n == 0 { &[] } else { &payers };
                let mut spent = ProjectSpent::default();
                spent.add(date(2026, 11, 17), amount, NOW);
                tally.add(&project(&format!("p{n}")), &spent, paid, None);
            }
            let users: Money = tally.users.values().map(|spent| spent.amount).sum();
            prop_assert_eq!(tally.total.amount, bill);
            prop_assert_eq!(users + tally.unattributed.amount, bill);
            let projects: Money = tally.projects.values().map(|spent| spent.amount).sum();
            prop_assert_eq!(projects, bill);
        }
    }
}
