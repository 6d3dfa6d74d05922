//! Jobs: batch inference and model tuning (`docs/platforms/ark.md` §A.5).

use super::*;
use crate::domain::beijing_day;
use rust_decimal::Decimal;

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// `bi-…` or `mcj-…`.
    pub id: String,
    /// `Name`.
    pub name: String,
    /// `ProjectName`.
    pub project: String,
    /// What it does.
    pub kind: JobKind,
    /// The model.
    pub model: Model,
    /// `Status.Phase`.
    pub phase: Lagging<Phase>,
    /// Whether it can be resumed once it was terminated.
    pub resumable: bool,
    /// The creator's tag; `None`: no tag.
    pub creator: Option<Creator>,
    /// When it was created.
    pub created: Timestamp,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Batch inference.
    Batch,
    /// Model customization.
    Tuning,
}

/// `Status.Phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Phase {
    Queued,
    Running,
    Completed,
    Failed,
    Terminating,
    Terminated,
    /// A phase that no document knows.
    Other(&'static str),
}

impl Phase {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::Terminated => "Terminated",
            Self::Other(text) => text,
        }
    }

    /// Whether a job in this phase can be stopped.
    pub(crate) const fn can_stop(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

impl FakeAccount {
    /// Lets every running job use its model `calls` more times. Each step costs `price` 元 in the bill of `at`, if given.
    pub fn advance_jobs(&mut self, calls: u32, at: Timestamp, price: Option<Decimal>) {
        let running = self.ark.jobs.values().filter(|job| *job.phase.get() == Phase::Running);
        let running: Vec<Job> = running.cloned().collect();
        for job in running {
            for _ in 0..calls {
                self.ark
                    .usage
                    .push(Usage { job: job.id.clone(), ..Usage::of(job.model, &job.project, at) });
                if let Some(price) = price {
                    self.accrue(&job.project, price, beijing_day(at));
                }
            }
        }
    }
}
