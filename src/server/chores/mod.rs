//! Chores: what the service does on a timer, besides the loops that carry out what is owed. A chore is a file here and a
//! row in [`all`]; [`runner`] holds the one loop.

mod backup;
mod groups;
mod histograms;
mod lapses;
mod names;
mod runner;
mod token;

pub(super) use runner::{Chore, Needs, run};

/// Returns every chore.
pub(super) fn all(needs: &Needs<'_>) -> Vec<Box<dyn Chore>> {
    let mut chores: Vec<Box<dyn Chore>> = vec![
        Box::new(token::KeepToken::new(needs)),
        Box::new(names::LearnNames::new(needs)),
        Box::new(lapses::EndWhatIsOver::new(needs)),
        Box::new(histograms::FoldHistograms),
    ];
    if let Some(groups) = groups::ReadGroups::new(needs) {
        chores.push(Box::new(groups));
    }
    if let Some(backup) = backup::MakeBackup::new(needs) {
        chores.push(Box::new(backup));
    }
    chores
}
