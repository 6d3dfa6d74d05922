//! A user's projects.

use super::engine::template;
use super::facts::{self, Choice};
use super::text::clip;
use super::{Card, CardContext, Cards};
use crate::app::outcome::ProjectsView;
use crate::domain::{
    Authorisation, Grant, GrantState, Joining, PolicyScope, ProjectInfo, ProjectLink,
};

/// How much the card shows; the first size that fits is used.
const SIZES: [Shown; 7] = [
    Shown { options: 40, line: 200, label: 48, sharers: true },
    Shown { options: 25, line: 200, label: 48, sharers: true },
    Shown { options: 12, line: 200, label: 48, sharers: true },
    Shown { options: 5, line: 200, label: 48, sharers: true },
    Shown { options: 0, line: 24, label: 48, sharers: true },
    Shown { options: 0, line: 24, label: 16, sharers: false },
    Shown { options: 0, line: 12, label: 12, sharers: false },
];
/// Max policies that a project's line names.
const POLICIES: usize = 4;
/// Max length of a reason in that line, in characters.
const REASON_CHARS: usize = 90;
/// Max unlinked projects with policies still to be detached that are listed one by one.
const LEAVING: usize = 3;
/// Max length of an option's label, in characters.
const OPTION_CHARS: usize = 40;

/// How much of a user's projects the card shows.
#[derive(Clone, Copy)]
struct Shown {
    /// Max projects to choose from; other names can be typed. Each option counts as an element (R5), and names are long.
    options: usize,
    /// Max length of the line with a project's policies, in characters.
    line: usize,
    /// Max length of a project's display name, in characters.
    label: usize,
    /// Whether those who share a project are named.
    sharers: bool,
}

/// The facts of the projects card.
struct ProjectsFacts<'a> {
    key: String,
    name: &'a str,
    links: Vec<Link<'a>>,
    label_chars: usize,
    leaving: Vec<String>,
    everywhere: Option<String>,
    everywhere_failed: bool,
    page: usize,
    pages: usize,
    total: usize,
    monitored: usize,
    options: Vec<Choice<'a>>,
    chosen: Vec<&'a str>,
    joinings: Vec<Choice<'static>>,
    joining: Option<&'static str>,
    unlisted: usize,
    listed: Option<String>,
    consumed: String,
    current: String,
}

/// A linked project.
struct Link<'a> {
    project: &'a str,
    id: Option<&'a str>,
    label: &'a str,
    amount: String,
    mark: Option<String>,
    monitored: bool,
    since: String,
    policies: Option<String>,
    policies_failed: bool,
}

template!("projects");

impl Cards {
    /// The projects card: `/projects`, `projects.open`.
    pub fn projects(&self, view: &ProjectsView, ctx: &CardContext) -> Card {
        let [most, less @ ..] = SIZES;
        less.into_iter().fold(self.projects_with(view, ctx, most), |card, shown| {
            if card.fits() { card } else { self.projects_with(view, ctx, shown) }
        })
    }

    fn projects_with(&self, view: &ProjectsView, ctx: &CardContext, shown: Shown) -> Card {
        let words = self.words;
        let chars = shown.line;
        let links = view.links.iter().map(|link| self.projects_link(view, link, shown)).collect();
        let leaving: Vec<String> = view
            .authorisations
            .iter()
            .filter_map(|known| Some((known, known.scope.project()?)))
            .filter(|(_, project)| !view.links.iter().any(|link| link.project == **project))
            .take(LEAVING)
            .map(|(known, project)| {
                let policies = self.policies(view, known, chars);
                let project = clip(project.as_str(), OPTION_CHARS);
                self.words.t("policies.leaving", &[("project", &project), ("policies", &policies)])
            })
            .collect();
        let global = view.authorisations.iter().find(|known| known.scope == PolicyScope::Global);
        let everywhere = global.map(|known| {
            self.words.t("policies.everywhere", &[("policies", &self.policies(view, known, chars))])
        });
        let options = view.candidates.get(..shown.options).unwrap_or(&view.candidates);
        let unlisted = view
            .more_candidates
            .saturating_add(view.candidates.len().saturating_sub(options.len()));
        let chosen = ctx.form.values.get("project").map(String::as_str).unwrap_or_default();
        let chosen = chosen
            .lines()
            .filter(|name| options.iter().any(|option| option.name.as_str() == *name));
        let options = options.iter().map(|option| {
            let text = match view.taken.get(&option.name) {
                Some(by) => words.t(
                    "sharing.option",
                    &[("project", &label(option)), ("others", &words.usernames(by))],
                ),
                None => label(option),
            };
            Choice { value: option.name.as_str(), text }
        });
        // Always offered: a typed name may be that of a project that others have.
        let joinings = Joining::ALL
            .into_iter()
            .map(|joining| Choice { value: joining.word(), text: words.joining(joining) });
        let joining = ctx.form.values.get("counts").and_then(|word| Joining::from_word(word));
        let facts = ProjectsFacts {
            key: view.user.key.to_string(),
            name: view.user.key.username.as_str(),
            links,
            label_chars: shown.label,
            leaving,
            everywhere,
            everywhere_failed: global.is_some_and(has_failed),
            page: view.page,
            pages: view.pages,
            total: view.total,
            monitored: view.monitored,
            options: options.collect(),
            chosen: chosen.collect(),
            joinings: joinings.collect(),
            joining: joining.map(Joining::word),
            unlisted,
            listed: view.listed_at.map(|at| words.time(at)),
            consumed: view.user.consumed.to_string(),
            current: view.current.to_string(),
        };
        self.card(ctx, &facts)
    }

    fn projects_link<'a>(
        &self,
        view: &ProjectsView,
        link: &'a ProjectLink,
        shown: Shown,
    ) -> Link<'a> {
        let known =
            view.authorisations.iter().find(|known| known.scope.project() == Some(&link.project));
        let policies = known.map(|known| {
            self.words.t("policies.line", &[("policies", &self.policies(view, known, shown.line))])
        });
        let shared = view.shared.iter().find(|known| known.project == link.project);
        let shared = shared.map(|shared| match shown.sharers {
            true => self.words.sharing(shared),
            false => self.words.t("sharing.mark", &[]),
        });
        let amount = facts::amount_of(self.words, link, shared);
        let named = link.label() != link.project.as_str();
        Link {
            project: link.project.as_str(),
            id: named.then(|| link.project.as_str()),
            label: amount.label,
            amount: amount.amount,
            mark: amount.mark,
            monitored: link.monitored.is_on(),
            since: link.since.to_string(),
            policies,
            policies_failed: known.is_some_and(has_failed),
        }
    }

    /// The policies of a project in one line, each with its state.
    fn policies(&self, view: &ProjectsView, known: &Authorisation, chars: usize) -> String {
        let mut parts: Vec<String> = known
            .grants
            .iter()
            .take(POLICIES)
            .map(|grant| {
                let policy = clip(&grant.policy, OPTION_CHARS);
                match self.policy_state(view, grant) {
                    Some(state) => {
                        self.words.t("policies.one", &[("policy", &policy), ("state", &state)])
                    }
                    None => policy,
                }
            })
            .collect();
        if let Some(more) = known.grants.len().checked_sub(POLICIES).filter(|more| *more > 0) {
            parts.push(format!("+{more}"));
        }
        clip(&parts.join(&self.words.t("list.separator", &[])), chars)
    }

    fn policy_state(&self, view: &ProjectsView, grant: &Grant) -> Option<String> {
        if let Some(error) = &grant.error {
            let reason = clip(error, REASON_CHARS);
            return Some(self.words.t("policies.failed", &[("reason", &reason)]));
        }
        match grant.state {
            GrantState::Owed | GrantState::Attaching => {
                Some(self.words.t("policies.attaching", &[]))
            }
            GrantState::Detaching => Some(self.words.t("policies.detaching", &[])),
            GrantState::Held => Some(self.words.t("policies.held", &[])),
            GrantState::Attached if view.suspended => Some(self.words.t("policies.suspended", &[])),
            GrantState::Attached => None,
        }
    }
}

fn has_failed(known: &Authorisation) -> bool {
    known.grants.iter().any(|grant| grant.error.is_some())
}

/// A project as an option of a select.
pub(super) fn label(project: &ProjectInfo) -> String {
    let name = project.name.as_str();
    let display = project.display_name.trim();
    if display.is_empty() || display == name {
        clip(name, OPTION_CHARS)
    } else {
        format!("{} ({})", clip(display, OPTION_CHARS), clip(name, OPTION_CHARS))
    }
}
