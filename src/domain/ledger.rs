//! The quota ledger: a user's quota changes only through its entries.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Money, OpenId, User, UserKey};

/// The longest note of an entry, in characters.
pub const MAX_NOTE_CHARS: usize = 500;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Operator {
    /// The monitor.
    System,
    /// A person in Feishu.
    Person {
        /// The person's open_id.
        open_id: OpenId,
        /// Their name, if it is known.
        #[serde(default)]
        name: Option<String>,
    },
}

impl Operator {
    /// Returns the name if known, otherwise the open_id; `system` for the monitor.
    pub fn label(&self) -> &str {
        match self {
            Operator::System => "system",
            Operator::Person { name: Some(name), .. } => name,
            Operator::Person { open_id, name: None } => open_id.as_str(),
        }
    }

    /// Returns whether it is this person.
    pub fn is(&self, person: &OpenId) -> bool {
        matches!(self, Operator::Person { open_id, .. } if open_id == person)
    }

    /// Returns whether both are the same, whatever is known of the name.
    pub fn same_as(&self, other: &Operator) -> bool {
        match other {
            Operator::System => *self == Operator::System,
            Operator::Person { open_id, .. } => self.is(open_id),
        }
    }
}

/// Who else had a part in an entry, and how long it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// The owner who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<Operator>,
    /// The second administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<Operator>,
    /// The last day of a temporary allocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// One change of a user's quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Position in the user's ledger, from 1.
    pub seq: u64,
    /// Whose quota.
    pub user: UserKey,
    /// > 0 adds, < 0 deducts.
    pub amount: Money,
    /// The quota after it.
    pub total_after: Money,
    /// Up to [`MAX_NOTE_CHARS`] characters.
    #[serde(default)]
    pub note: String,
    /// Who did it.
    pub operator: Operator,
    /// When it was booked.
    pub at: Timestamp,
    /// Who else had a part in it.
    #[serde(default)]
    pub parties: Parties,
    /// The entry that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// Thresholds that may warn again because of it; undoing it takes them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rearmed: Vec<u16>,
    /// The last day of temporary quota that had ended before it, so that undoing it leaves the user as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<Date>,
    /// Whether access was restored with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_access: bool,
}

/// How long an entry can be undone.
pub const UNDO_WITHIN: SignedDuration = SignedDuration::from_mins(5);

impl LedgerEntry {
    /// Returns whether its time for being undone has not passed.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        // One from the future was booked before the clock was set back.
        let age = now.duration_since(self.at);
        age <= UNDO_WITHIN && age >= -UNDO_WITHIN
    }

    /// Returns whether a card offers to undo it: a person booked it, it undoes nothing, and its time has not passed.
    pub fn can_be_undone(&self, now: Timestamp) -> bool {
        self.is_undoable() && self.is_recent(now)
    }

    /// Returns whether it can be undone at all: a person booked it, and it undoes nothing.
    pub fn is_undoable(&self) -> bool {
        matches!(self.operator, Operator::Person { .. }) && self.undoes.is_none()
    }

    /// Returns the entry among `later` that undoes it, if one does.
    pub fn undone_by<'a>(&self, later: &'a [LedgerEntry]) -> Option<&'a LedgerEntry> {
        later.iter().find(|entry| entry.undoes == Some(self.seq))
    }
}

/// Why an allocation was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The total would fall below 0.
    #[error("the total would fall to {after}")]
    BelowZero {
        /// The quota before it.
        before: Money,
        /// The quota after it.
        after: Money,
    },
    /// The total would exceed the supported range.
    #[error("the total would be too large")]
    TotalTooLarge,
    /// The note is longer than [`MAX_NOTE_CHARS`].
    #[error("the note has {0} characters, at most {MAX_NOTE_CHARS}")]
    NoteTooLong(usize),
}

/// A new entry and the user with the quota after it. Only [`book`] creates one, so neither is ever written without the
/// other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    entry: LedgerEntry,
    user: User,
}

impl Booking {
    /// Returns the entry.
    pub fn entry(&self) -> &LedgerEntry {
        &self.entry
    }

    /// Names who else had a part in it.
    #[must_use]
    pub fn naming(mut self, parties: Parties) -> Self {
        self.entry.parties = parties;
        self
    }

    /// Returns the user after it.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Notes that it ends temporary quota whose last day was `day`.
    #[must_use]
    pub fn ending(mut self, day: Date) -> Self {
        if !self.user.quota.is_positive() {
            self.user.quota_ended = Some(day);
        }
        self
    }

    /// Marks the entry as one with which access is restored.
    #[must_use]
    pub fn with_access(mut self) -> Self {
        self.entry.with_access = true;
        self
    }
}

/// Adds `amount` to a user's quota, as the entry that follows the `booked` ones in the user's ledger. After a top-up the
/// thresholds above the usage that it leaves can warn again; those that are still reached cannot, so that a top-up never
/// causes a warning. `unbilled` is what counts beside the bill for warnings.
///
/// # Errors
/// If the total would fall below 0 or exceed the supported range, or the note is too long.
pub fn book(
    mut user: User,
    unbilled: Money,
    booked: u64,
    amount: Money,
    note: &str,
    operator: &Operator,
    now: Timestamp,
) -> Result<Booking, LedgerError> {
    check_note(note)?;
    let total_after = total_after(user.quota, amount)?;
    let ended_before = user.quota_ended;
    user.quota = total_after;
    if total_after.is_positive() {
        user.quota_ended = None;
    }
    let mut rearmed = Vec::new();
    if amount.is_positive() {
        let usage = user.usage_with(unbilled);
        rearmed.extend(user.triggered.iter().copied().filter(|percent| !usage.reaches(*percent)));
        user.triggered.retain(|percent| usage.reaches(*percent));
    }
    user.updated = now;
    let entry = LedgerEntry {
        seq: booked + 1,
        user: user.key.clone(),
        amount,
        total_after,
        note: note.to_owned(),
        operator: operator.clone(),
        at: now,
        parties: Parties::default(),
        undoes: None,
        rearmed,
        ended_before,
        with_access: false,
    };
    Ok(Booking { entry, user })
}

/// Undoes an entry: books its amount back, and takes back the thresholds that could warn again because of it. Whether the
/// entry may be undone is the caller's to check.
///
/// # Errors
/// If the total would fall below 0 or exceed the supported range.
pub fn undo(
    user: User,
    unbilled: Money,
    booked: u64,
    entry: &LedgerEntry,
    operator: &Operator,
    now: Timestamp,
) -> Result<Booking, LedgerError> {
    let mut booking = book(user, unbilled, booked, -entry.amount, "", operator, now)?;
    booking.entry.undoes = Some(entry.seq);
    booking.user.trigger(entry.rearmed.iter().copied());
    if let Some(day) = entry.ended_before {
        booking = booking.ending(day);
    }
    Ok(booking)
}

/// Returns the quota after allocating `amount` on top of `quota`.
///
/// # Errors
/// If the total would fall below 0, or exceed 100,000 times the largest single amount.
fn total_after(quota: Money, amount: Money) -> Result<Money, LedgerError> {
    let ceiling = Money::new(Money::MAX_SINGLE.decimal() * rust_decimal::Decimal::from(100_000));
    match quota.checked_add(amount) {
        Some(after) if after.is_negative() => Err(LedgerError::BelowZero { before: quota, after }),
        Some(after) if after <= ceiling => Ok(after),
        _ => Err(LedgerError::TotalTooLarge),
    }
}

/// Checks a note's length.
///
/// # Errors
/// If it has more than [`MAX_NOTE_CHARS`] characters.
pub fn check_note(note: &str) -> Result<(), LedgerError> {
    match note.chars().count() {
        count if count > MAX_NOTE_CHARS => Err(LedgerError::NoteTooLong(count)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alice(quota: &str) -> User {
        let mut user = User::new("main/alice".parse().unwrap(), Timestamp::UNIX_EPOCH);
        user.quota = quota.parse().unwrap();
        user.triggered = [50, 80].into();
        user
    }

    fn booked(user: User, amount: &str, note: &str) -> Result<Booking, LedgerError> {
        let now = "2026-11-23T02:00:00Z".parse().unwrap();
        book(user, Money::ZERO, 4, amount.parse().unwrap(), note, &Operator::System, now)
    }

    #[test]
    fn entry_and_user_agree() {
        let booking = booked(alice("100"), "-30.5", "note").unwrap();
        let (entry, user) = (booking.entry(), booking.user());
        assert_eq!((entry.seq, &entry.user, &entry.note[..]), (5, &user.key, "note"));
        assert_eq!((entry.total_after, user.quota), (user.quota, "69.5".parse().unwrap()));
        assert_eq!(user.updated, entry.at);
    }

    #[test]
    fn adding_lets_only_the_thresholds_above_the_usage_warn_again() {
        let mut user = alice("100");
        user.consumed = "88".parse().unwrap();
        let triggered = |user: &User, amount| {
            booked(user.clone(), amount, "").unwrap().user().triggered.iter().copied().collect()
        };
        let check = |amount, left: &[u16]| {
            let left_over: Vec<u16> = triggered(&user, amount);
            assert_eq!(left_over, left, "{amount}");
        };
        check("-0.01", &[50, 80]);
        check("0.01", &[50, 80]);
        // Exactly 80 %, and just below.
        check("10", &[50, 80]);
        check("10.01", &[50]);
        check("76", &[50]);
        check("76.01", &[]);
        // What is estimated was warned about, too.
        let estimated = "72".parse().unwrap();
        let (amount, now) = ("100".parse().unwrap(), "2026-11-23T02:00:00Z".parse().unwrap());
        let topped_up = book(user, estimated, 4, amount, "", &Operator::System, now).unwrap();
        assert_eq!(topped_up.user().triggered, [50, 80].into());
    }

    #[test]
    fn undoing_leaves_a_user_whose_temporary_quota_has_ended_as_it_was() {
        let day = jiff::civil::date(2026, 11, 20);
        let mut user = alice("0");
        user.quota_ended = Some(day);
        let topped_up = booked(user, "100", "").unwrap();
        assert_eq!(topped_up.user().quota_ended, None);
        let (entry, now) = (topped_up.entry(), topped_up.entry().at);
        let again = topped_up.user().clone();
        let undone = undo(again, Money::ZERO, 5, entry, &Operator::System, now).unwrap();
        assert_eq!(undone.user().quota_ended, Some(day));
    }

    #[test]
    fn undoing_gives_back_the_quota_and_the_thresholds_as_they_were() {
        let mut user = alice("100");
        user.consumed = "88".parse().unwrap();
        let topped_up = booked(user.clone(), "100", "").unwrap();
        assert!(topped_up.user().triggered.is_empty());
        let (entry, now) = (topped_up.entry(), topped_up.entry().at);
        let undone =
            undo(topped_up.user().clone(), Money::ZERO, 5, entry, &Operator::System, now).unwrap();
        assert_eq!((undone.user().quota, &undone.user().triggered), (user.quota, &user.triggered));
        assert_eq!((undone.entry().undoes, undone.entry().seq), (Some(5), 6));
        assert_eq!(entry.undone_by(std::slice::from_ref(undone.entry())), Some(undone.entry()));
        // Spent in the meantime.
        let mut less = topped_up.user().clone();
        less.quota = "99.99".parse().unwrap();
        let below = undo(less, Money::ZERO, 5, entry, &Operator::System, now);
        assert!(matches!(below, Err(LedgerError::BelowZero { .. })), "{below:?}");
    }

    #[test]
    fn undoing_knows_which_thresholds_only_an_estimate_has_reached() {
        let mut user = alice("100");
        user.consumed = "60".parse().unwrap();
        (user.triggered, user.triggered_early) = Default::default();
        user.trigger([50, 80]);
        let topped_up = booked(user, "100", "").unwrap();
        let mut later = topped_up.user().clone();
        later.arm_again(Money::ZERO);
        assert!(!later.has_early());
        let (entry, now) = (topped_up.entry(), topped_up.entry().at);
        let undone = undo(later, Money::ZERO, 5, entry, &Operator::System, now).unwrap();
        assert_eq!(Vec::from_iter(undone.user().triggered.clone()), [50, 80]);
        assert_eq!(Vec::from_iter(undone.user().triggered_early.clone()), [80]);
    }

    #[test]
    fn an_entry_is_recent_for_five_minutes() {
        let entry = booked(alice("100"), "5", "").unwrap().entry().clone();
        let after = |seconds| entry.at.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        for (seconds, recent) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)]
        {
            assert_eq!(entry.is_recent(after(seconds)), recent, "{seconds}");
        }
    }

    #[test]
    fn an_entry_that_breaks_the_rules_is_not_booked() {
        let below = booked(alice("100"), "-100.01", "");
        assert!(matches!(below, Err(LedgerError::BelowZero { .. })), "{below:?}");
        let long = "额".repeat(MAX_NOTE_CHARS + 1);
        assert_eq!(booked(alice("100"), "1", &long).err(), Some(LedgerError::NoteTooLong(501)));
        let large = booked(alice("100"), "999999999999999.99", "").err();
        assert_eq!(large, Some(LedgerError::TotalTooLarge));
    }

    proptest! {
        #[test]
        fn the_total_is_the_exact_sum_of_the_accepted_amounts(
            amounts in prop::collection::vec(-500_000_000_000i64..=999_999_999_999, 0..100),
        ) {
            let mut quota = Money::ZERO;
            let mut sum: i128 = 0;
            for fen in amounts {
                match total_after(quota, Money::from_fen(fen)) {
                    Ok(after) => {
                        quota = after;
                        sum += i128::from(fen);
                    }
                    Err(LedgerError::BelowZero { .. }) => prop_assert!(sum + i128::from(fen) < 0),
                    Err(error) => prop_assert!(false, "{error}"),
                }
                prop_assert_eq!(
                    quota.decimal(),
                    rust_decimal::Decimal::from_i128_with_scale(sum, 2)
                );
            }
        }
    }

    #[test]
    fn a_deduction_to_exactly_zero_is_allowed() {
        let quota = Money::from_fen(10_000);
        assert_eq!(total_after(quota, Money::from_fen(-10_000)), Ok(Money::ZERO));
        assert_eq!(
            total_after(quota, Money::from_fen(-10_001)),
            Err(LedgerError::BelowZero { before: quota, after: Money::from_fen(-1) })
        );
    }

    #[test]
    fn notes_count_characters_not_bytes() {
        assert!(check_note(&"额".repeat(500)).is_ok());
        assert_eq!(check_note(&"额".repeat(501)), Err(LedgerError::NoteTooLong(501)));
    }
}
