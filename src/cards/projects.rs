//! A user's projects.

use minijinja::{Value, context};

use super::facts;
use super::text::clip;
use super::{Card, Cards, Look};
use crate::app::outcome::ProjectsView;
use crate::domain::{ProjectInfo, ProjectLink};

/// How many options the project select has, where they fit: each counts as an element (R5), and names are long.
const OPTIONS: [usize; 5] = [40, 25, 12, 5, 0];
/// Characters of an option's label.
const OPTION_CHARS: usize = 40;

impl Cards {
    /// The projects card: `/projects`, `projects.open`.
    pub fn projects(&self, view: &ProjectsView, look: &Look) -> Card {
        let [most, fewer @ ..] = OPTIONS;
        fewer.into_iter().fold(self.projects_with(view, look, most), |card, options| {
            if card.fits() { card } else { self.projects_with(view, look, options) }
        })
    }

    /// The card with at most `options` projects to choose from; the others are typed.
    fn projects_with(&self, view: &ProjectsView, look: &Look, options: usize) -> Card {
        let words = self.words;
        let links: Vec<Value> = view.links.iter().map(|link| self.projects_link(link)).collect();
        let options = view.candidates.get(..options).unwrap_or(&view.candidates);
        let unlisted = view
            .more_candidates
            .saturating_add(view.candidates.len().saturating_sub(options.len()));
        let chosen =
            look.form.values.get("project").filter(|chosen| {
                options.iter().any(|option| option.name.as_str() == chosen.as_str())
            });
        let option_values: Vec<Value> = options
            .iter()
            .map(|option| context! { value => option.name.as_str(), text => label(option) })
            .collect();
        let facts = context! {
            key => view.user.key.to_string(),
            name => view.user.key.username.as_str(),
            display => view.user.display_name.as_str(),
            links => links,
            page => view.page,
            pages => view.pages,
            total => view.total,
            monitored => view.monitored,
            options => option_values,
            chosen => chosen,
            unlisted => unlisted,
            listed => view.listed_at.map(|at| words.time(at)),
            consumed => view.user.consumed.to_string(),
            current => view.current.to_string(),
        };
        self.card("projects.json.j2", look, facts)
    }

    fn projects_link(&self, link: &ProjectLink) -> Value {
        let named = link.label() != link.project.as_str();
        context! {
            project => link.project.as_str(),
            id => named.then(|| link.project.as_str()),
            monitored => link.monitored.is_on(),
            since => link.since.to_string(),
            ..facts::amount(self.words, link.label(), link.spending, Some(link.freshness))
        }
    }
}

fn label(project: &ProjectInfo) -> String {
    let name = project.name.as_str();
    let display = project.display_name.trim();
    if display.is_empty() || display == name {
        clip(name, OPTION_CHARS)
    } else {
        format!("{} ({})", clip(display, OPTION_CHARS), clip(name, OPTION_CHARS))
    }
}
