//! Why a change of many users was refused: facts, which the chat layer puts into words.

use jiff::Timestamp;

use super::sheet::{Column, SheetError};
use crate::domain::{BatchState, Operator, ProjectName};

/// A refusal about a change of many users. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefusal {
    /// A change of many users is being written, and this user's turn has not come.
    #[error("the user is being changed by a batch")]
    Busy,
    /// A change of many users is linking projects. Until it is done, nobody knows who pays for them.
    #[error("projects are being linked by a batch")]
    LinksBusy,
    /// A file says nothing that is not so already.
    #[error("nothing to change")]
    NothingToChange,
    /// It would leave more users with nothing allocated than its preview said.
    #[error("{found} users would be left without a limit, not {told}")]
    MoreRunFree {
        /// How many the preview named.
        told: usize,
        /// How many there are.
        found: usize,
    },
    /// There is no such batch.
    #[error("no such batch")]
    Unknown,
    /// Somebody else made it.
    #[error("somebody else made the batch")]
    NotTheirs,
    /// Nobody confirms what they entered themselves.
    #[error("their own batch")]
    Own,
    /// Whoever made it is no administrator any more.
    #[error("made by somebody who is no administrator any more")]
    AuthorLeft(Operator),
    /// It does not wait for this any more.
    #[error("the batch is closed")]
    Closed(Box<BatchState>),
    /// More users than a batch may have.
    #[error("{found} users, more than {most}")]
    TooMany {
        /// How many.
        found: usize,
        /// The most.
        most: usize,
    },
    /// Nothing was chosen to do, or a field is not what it needs.
    #[error("no change was chosen")]
    NoChange,
    /// It is said to switch automatic disable, but not to what.
    #[error("`{0}` is neither on nor off")]
    BadSwitch(String),
    /// A file cannot be read.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// A cell is not what its column needs.
    #[error("`{text}` in {column:?}")]
    BadCell {
        /// Which column.
        column: Column,
        /// What is in it.
        text: String,
    },
    /// An amount whose comma seems to have put it into two cells.
    #[error("`{0}` is in two cells")]
    SplitAmount(String),
    /// More users would divide a project than a change of many users may leave.
    #[error("{found} users would divide the project, more than {most}")]
    TooManySharers {
        /// Which project.
        project: ProjectName,
        /// How many would.
        found: usize,
        /// The most.
        most: usize,
    },
    /// Two lines are about the same user, or about the same project of a user.
    #[error("the same as line {0}")]
    Repeats(u64),
    /// Nobody has this mobile number.
    #[error("nobody has the mobile number {0}")]
    NobodyWithMobile(String),
    /// The same file was applied within a day.
    #[error("applied before")]
    AppliedBefore {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Operator,
    },
}
