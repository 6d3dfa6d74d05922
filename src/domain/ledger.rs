//! The quota ledger: a user's quota changes only through its entries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Money, OpenId, UserKey};

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
        /// Who.
        open_id: OpenId,
        /// Their name, where it could be read.
        #[serde(default)]
        name: Option<String>,
    },
}

impl Operator {
    /// The name where known, else the open_id; `system` for the monitor.
    pub fn label(&self) -> &str {
        match self {
            Operator::System => "system",
            Operator::Person { name: Some(name), .. } => name,
            Operator::Person { open_id, name: None } => open_id.as_str(),
        }
    }
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
    /// When.
    pub at: Timestamp,
}

/// Why an allocation was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The total would fall below 0.
    #[error("the total would fall to {after}")]
    BelowZero {
        /// The quota before.
        before: Money,
        /// What it would be.
        after: Money,
    },
    /// The total would pass what an exact decimal holds in comfort.
    #[error("the total would be too large")]
    TotalTooLarge,
    /// The note is longer than [`MAX_NOTE_CHARS`].
    #[error("the note has {0} characters, at most {MAX_NOTE_CHARS}")]
    NoteTooLong(usize),
}

/// The quota after allocating `amount` on top of `quota`.
///
/// # Errors
/// Where the total would fall below 0, or pass 100,000 times the largest single amount.
pub fn total_after(quota: Money, amount: Money) -> Result<Money, LedgerError> {
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
/// Where it has more than [`MAX_NOTE_CHARS`] characters.
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

    proptest! {
        #[test]
        fn the_total_is_the_exact_sum_of_what_was_accepted(
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
