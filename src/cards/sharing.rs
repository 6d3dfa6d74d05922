//! Words for projects that several users share.

use super::text::clip;
use super::wording::Wording;
use crate::app::projects::Linked;
use crate::domain::{Counts, Joining, Sharing, UserKey};

/// Max users that are named; the others are counted.
const NAMED: usize = 2;
/// Max length of a name, in characters.
const NAME_CHARS: usize = 20;

impl Wording {
    /// With whom a user shares a project, and how its bill is counted.
    pub fn sharing(&self, shared: &Sharing) -> String {
        let others = self.names_of(&shared.with, shared.more);
        match shared.counts {
            Counts::Part => self.t("sharing.part", &[("others", &others)]),
            Counts::Whole => self.t("sharing.whole", &[("others", &others)]),
        }
    }

    /// What happened to the links of others, after projects of theirs were linked to a user.
    pub fn joined(&self, all: &[Linked]) -> String {
        let taken = all.iter().filter(|linked| !linked.others.is_empty());
        let lines: Vec<String> = taken
            .map(|linked| {
                let (project, others) = (linked.link.label(), self.usernames(&linked.others));
                let args: [(&str, &dyn std::fmt::Display); 2] =
                    [("project", &project), ("others", &others)];
                match linked.joining {
                    Joining::Move => self.t("sharing.moved", &args),
                    Joining::Part => self.t("sharing.divided", &args),
                    Joining::Whole => self.t("sharing.both", &args),
                }
            })
            .collect();
        lines.join("\n")
    }

    /// What joining does, as an option of a form.
    pub fn joining(&self, joining: Joining) -> String {
        match joining {
            Joining::Move => self.t("sharing.move_option", &[]),
            Joining::Part => self.t("sharing.part_option", &[]),
            Joining::Whole => self.t("sharing.whole_option", &[]),
        }
    }

    /// Names of users of one account.
    pub fn usernames(&self, users: &[UserKey]) -> String {
        self.names_of(users, 0)
    }

    /// Names of users of one account, of whom `more` are not among `users`.
    fn names_of(&self, users: &[UserKey], more: usize) -> String {
        let named = users.iter().take(NAMED);
        let mut names: Vec<String> =
            named.map(|user| clip(user.username.as_str(), NAME_CHARS)).collect();
        let more = users.len().saturating_sub(NAMED).saturating_add(more);
        if more > 0 {
            names.push(format!("+{more}"));
        }
        names.join(&self.t("list.separator", &[]))
    }
}
