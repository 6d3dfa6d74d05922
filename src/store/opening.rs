//! How far the opening of a store has come, for the log and for `/readyz`.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The file is being opened.
    #[default]
    Opening,
    /// The file was not closed properly and is being checked as a whole.
    Checking {
        /// How much is done, from 0 to 100.
        percent: u8,
    },
    /// An older layout is being brought up to date.
    Migrating {
        /// The layout that this step leads to.
        to: u64,
        /// The layout that the last step leads to.
        last: u64,
        /// How many rows this step has read.
        rows: u64,
        /// How many rows it has to read.
        of: u64,
    },
    /// Users are being read into memory.
    Loading,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Opening => f.write_str("opening the store"),
            Stage::Checking { percent } => write!(
                f,
                "opening the store: it was not closed properly and is being checked as a whole, {percent} % done"
            ),
            Stage::Migrating { to, last, rows, of } => write!(
                f,
                "opening the store: migrating it to layout {to} of {last}, {rows} of {of} rows done"
            ),
            Stage::Loading => f.write_str("opening the store: reading the users"),
        }
    }
}

/// Follows the opening of one store. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Opening(Arc<Mutex<Stage>>);

impl Opening {
    /// Returns what is being done now.
    pub fn stage(&self) -> Stage {
        *self.0.lock()
    }

    pub(super) fn is_at(&self, stage: Stage) {
        *self.0.lock() = stage;
    }

    /// Notes that the check of the whole file has come this far: a number from 0 to 1 with two decimals, which nobody calculates with.
    pub(super) fn has_checked(&self, done: &str) {
        let percent = match done.split_once('.') {
            Some(("0", decimals)) => decimals.parse().unwrap_or_default(),
            _ => 100,
        };
        self.is_at(Stage::Checking { percent });
    }

    /// Notes that a step of the migration has read another row.
    pub(super) fn has_read_row(&self) {
        if let Stage::Migrating { rows, .. } = &mut *self.0.lock() {
            *rows = rows.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_words() {
        let opening = Opening::default();
        assert_eq!(opening.stage().to_string(), "opening the store");
        for (done, percent) in [("0.00", 0), ("0.05", 5), ("0.30", 30), ("1.00", 100)] {
            opening.has_checked(done);
            assert_eq!(opening.stage(), Stage::Checking { percent }, "{done}");
        }
        opening.has_read_row();
        assert_eq!(opening.stage(), Stage::Checking { percent: 100 });
        opening.is_at(Stage::Migrating { to: 2, last: 3, rows: 0, of: 7 });
        opening.has_read_row();
        let told = "opening the store: migrating it to layout 2 of 3, 1 of 7 rows done";
        assert_eq!(opening.stage().to_string(), told);
    }
}
