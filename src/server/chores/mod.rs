//! Chores: what the service does on a timer, besides the loops that carry out what is owed. A chore is a file here and a
//! row in [`all`]; [`runner`] holds the one loop.

mod backup;
mod backup_watch;
mod digests;
mod groups;
mod histograms;
mod lapses;
mod names;
mod runner;
mod slash;
mod token;
mod upload;

use std::sync::Arc;

use tokio::sync::Notify;

use super::error::ServiceError;

pub(super) use runner::{Chore, Needs, run};

/// Returns every chore.
pub(super) fn all(needs: &Needs<'_>) -> Result<Vec<Box<dyn Chore>>, ServiceError> {
    let mut chores: Vec<Box<dyn Chore>> = vec![
        Box::new(token::KeepToken::new(needs)),
        Box::new(names::LearnNames::new(needs)),
        Box::new(lapses::EndWhatIsOver::new(needs)),
        Box::new(digests::SendDigests::new(needs)),
        Box::new(slash::OfferCommands::new(needs)),
        Box::new(histograms::FoldHistograms),
    ];
    if let Some(groups) = groups::ReadGroups::new(needs) {
        chores.push(Box::new(groups));
    }
    let made = Arc::new(Notify::new());
    if let Some(backup) = backup::MakeBackup::new(needs, Arc::clone(&made)) {
        chores.push(Box::new(backup));
    }
    if let Some(upload) = upload::UploadBackup::new(needs, made)? {
        chores.push(Box::new(upload));
    }
    Ok(chores)
}
