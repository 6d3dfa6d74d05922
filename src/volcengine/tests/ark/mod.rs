//! 方舟: what is sent, and lists that must be read whole.

mod keys;
mod lists;
mod writes;

use super::*;
use crate::domain::ProjectName;

fn team() -> ProjectName {
    ProjectName::new("team-a").unwrap()
}

/// Returns the page that is asked for, from 1.
fn page(seen: &Seen) -> usize {
    assert_eq!(seen.body["PageSize"], 100);
    assert_eq!(seen.body["ProjectName"], "team-a");
    usize::try_from(seen.body["PageNumber"].as_u64().unwrap()).unwrap()
}
