//! The question before access is cut or restored: what will happen, and what will not.

use super::engine::template;
use super::facts::{self, Figures, Labelled, Pending, Tag};
use super::paths::Audience;
use super::text::{clip, md};
use super::{Card, CardContext, Cards};
use crate::app::outcome::{AccessView, UserDetail};
use crate::domain::{
    AccessGoal, AccessItem, AccessPath, DENY_ALL_POLICY, Limit, ModelKeys, Models, ProjectLink,
    RememberedAccess, Switch, UserStatus, must_be_cut,
};

/// Max access keys that the card names.
const KEYS: usize = 6;
/// Max projects and people that a line names.
const NAMES: usize = 4;
/// Max length of a name, in characters.
const NAME_CHARS: usize = 40;

/// The linked projects of a user, by what people call them.
struct Projects {
    /// Nobody else of the account is linked to them.
    own: Vec<String>,
    /// Others are: the project, and who.
    shared: Vec<(String, Vec<String>)>,
}

impl Projects {
    fn of(view: &AccessView) -> Self {
        let (mut own, mut shared) = (Vec::new(), Vec::new());
        for link in &view.detail.links {
            let label = clip(link.label(), NAME_CHARS);
            match view.sharers.get(&link.project) {
                Some(others) => {
                    let others =
                        others.iter().map(|other| clip(other.username.as_str(), NAME_CHARS));
                    shared.push((label, others.collect()));
                }
                None => own.push(label),
            }
        }
        Self { own, shared }
    }
}

/// The facts of the question before access changes.
struct AccessFacts<'a> {
    key: String,
    name: &'a str,
    display: &'a str,
    account: &'a str,
    cut: bool,
    already: bool,
    gone: bool,
    possible: bool,
    pending: Option<Pending<'a>>,
    tags: Vec<Option<Tag>>,
    figures: Figures,
    will: Vec<Labelled>,
    will_not: Vec<String>,
    unread: bool,
    cut_again: Option<String>,
    month: Option<String>,
}

template!("access");

impl Cards {
    /// The reply to `/enable` and `/disable`: what will happen, what will not, and a button that does it.
    pub fn access_confirm(&self, view: &AccessView, goal: AccessGoal, ctx: &CardContext) -> Card {
        let words = self.words;
        let (detail, user) = (&view.detail, &view.detail.user);
        let cut = goal == AccessGoal::Cut;
        let already = match goal {
            AccessGoal::Cut => user.status == UserStatus::Disabled && detail.remembered.is_some(),
            AccessGoal::Restored => user.status == UserStatus::Active,
        };
        let possible = user.status != UserStatus::Gone && detail.pending.is_none() && !already;
        let (will, will_not) = match goal {
            AccessGoal::Cut => self.cut_plan(view, Audience::of(ctx.in_group)),
            AccessGoal::Restored => self.restore_plan(detail, Audience::of(ctx.in_group)),
        };
        let facts = AccessFacts {
            key: user.key.to_string(),
            name: user.key.username.as_str(),
            display: user.display_name.as_str(),
            account: detail.account_name.as_str(),
            cut,
            already,
            gone: user.status == UserStatus::Gone,
            possible,
            pending: detail.pending.as_ref().map(|pending| facts::pending(words, pending)),
            tags: self.tags(detail),
            figures: facts::figures(words, user.quota, user.consumed, Some(&detail.thresholds)),
            will,
            will_not,
            unread: match goal {
                AccessGoal::Cut => user.access_read_at.is_none(),
                AccessGoal::Restored => detail.remembered.is_none(),
            },
            cut_again: (!cut)
                .then(|| must_be_cut(user, detail.month.as_ref(), detail.unbilled.as_ref()))
                .flatten()
                .map(|of| self.cut_again(of)),
            month: detail.month.and_then(|month| facts::month(words, user, &month)),
        };
        self.card(ctx, &facts)
    }

    /// That access would be cut again at once, and what to do first.
    fn cut_again(&self, of: Limit) -> String {
        match of {
            Limit::Quota | Limit::Both => self.words.t("access.cut_again", &[]),
            Limit::Month => self.words.t("access.cut_again_month", &[]),
        }
    }

    /// What a cut closes, as labelled rows, and what it does not, as lines.
    fn cut_plan(&self, view: &AccessView, audience: Audience) -> (Vec<Labelled>, Vec<String>) {
        let (words, rules) = (self.words, &self.rules);
        let (detail, user) = (&view.detail, &view.detail.user);
        let projects = Projects::of(view);
        let mut will = Vec::new();
        let mut add = |path: AccessPath, content: String| {
            will.push(Labelled { label: words.path(path), content });
        };
        if rules.deny_all {
            add(AccessPath::Signed, words.t("plan.signed", &[("policy", &DENY_ALL_POLICY)]));
        }
        if user.access_read_at.is_some() {
            let active = user.access_keys.iter().filter(|key| key.active.is_on());
            let keys: Vec<&str> = active.map(|key| key.id.as_str()).collect();
            add(AccessPath::AccessKeys, self.keys_line("access.keys_off", &keys, audience));
            let login = match user.login {
                Some(Switch::On) => words.t("access.login_off", &[]),
                _ => grey(&words.t("access.login_none", &[])),
            };
            add(AccessPath::Login, login);
        }
        add(AccessPath::ApiKeys, words.t("plan.all_off", &[]));
        self.models_plan(&projects, &mut add);

        let mut will_not = Vec::new();
        if rules.models == Models::Off {
            will_not.push(words.t("plan.models_off", &[]));
        } else if rules.model_keys == ModelKeys::Report && !detail.links.is_empty() {
            let known = detail.paths.get(&AccessPath::ModelKeys).map_or(0, |keys| keys.open.len());
            will_not.push(match known {
                0 => words.t("plan.keys_by_hand", &[]),
                known => words.t("plan.known_keys_by_hand", &[("count", &known)]),
            });
        }
        if rules.models != Models::Linked {
            for (project, others) in projects.shared.iter().take(NAMES) {
                let others = self.some_of(others, NAMES, others.len());
                let values: [(&str, &dyn std::fmt::Display); 2] =
                    [("project", project), ("others", &others)];
                will_not.push(words.t("plan.shared", &values));
            }
        }
        if !rules.stop_jobs && rules.models != Models::Off {
            will_not.push(words.t("plan.jobs_run_on", &[]));
        }
        will_not.push(words.t("paths.scope", &[]));
        (will, will_not)
    }

    /// What a cut closes at 方舟.
    fn models_plan(&self, projects: &Projects, add: &mut impl FnMut(AccessPath, String)) {
        let (words, rules) = (self.words, &self.rules);
        let shared: Vec<String> =
            projects.shared.iter().map(|(project, _)| project.clone()).collect();
        let in_own = |text: &str| {
            words.t(text, &[("projects", &self.some_of(&projects.own, NAMES, projects.own.len()))])
        };
        let all: Vec<String> = projects.own.iter().chain(&shared).cloned().collect();
        if all.is_empty() || rules.models == Models::Off {
            return;
        }
        let mut endpoints = Vec::new();
        if rules.models == Models::Linked {
            let all = self.some_of(&all, NAMES, all.len());
            endpoints.push(words.t("plan.endpoints_all", &[("projects", &all)]));
        } else {
            if !projects.own.is_empty() {
                endpoints.push(in_own("plan.endpoints_own"));
            }
            if !shared.is_empty() {
                let shared = self.some_of(&shared, NAMES, shared.len());
                endpoints.push(words.t("plan.endpoints_shared", &[("projects", &shared)]));
            }
        }
        let endpoints: Vec<String> = endpoints.iter().map(|line| md(line)).collect();
        add(AccessPath::Endpoints, endpoints.join("\n"));
        match &rules.model_keys {
            ModelKeys::Report => {}
            ModelKeys::Rotate => add(AccessPath::ModelKeys, words.t("plan.keys_rotated", &[])),
            ModelKeys::Disable { .. } => add(AccessPath::ModelKeys, words.t("plan.all_off", &[])),
        }
        if !projects.own.is_empty() {
            add(AccessPath::PresetEndpoints, md(&in_own("plan.preset_own")));
        }
        if rules.stop_jobs {
            add(AccessPath::Jobs, words.t("plan.jobs_stopped", &[]));
        }
    }

    /// What a restore opens again, as labelled rows, and what it does not, as lines.
    fn restore_plan(
        &self,
        detail: &UserDetail,
        audience: Audience,
    ) -> (Vec<Labelled>, Vec<String>) {
        let words = self.words;
        let Some(remembered) = &detail.remembered else { return (Vec::new(), Vec::new()) };
        let mut will = vec![
            Labelled {
                label: words.path(AccessPath::AccessKeys),
                content: self.keys_line("access.keys_on", &remembered.keys(), audience),
            },
            Labelled {
                label: words.path(AccessPath::Login),
                content: if remembered.login() {
                    words.t("access.login_on", &[])
                } else {
                    grey(&words.t("access.login_none", &[]))
                },
            },
        ];
        let others = AccessPath::ALL
            .into_iter()
            .filter(|path| !matches!(path, AccessPath::AccessKeys | AccessPath::Login))
            .filter(|path| !remembered.on(*path).is_empty());
        for path in others {
            let items = match (path, remembered.on(path)) {
                (AccessPath::Signed, [policy, ..]) => {
                    let policy = clip(&policy.id, NAME_CHARS);
                    md(&words.t("plan.signed_restored", &[("policy", &policy)]))
                }
                (_, items) => self.restored_items(path, items, &detail.links, audience),
            };
            will.push(Labelled { label: words.path(path), content: items });
        }
        if !remembered.policies.is_empty() {
            let count = remembered.policies.len();
            will.push(Labelled {
                label: words.t("access.policies", &[]),
                content: words.t("access.policies_on", &[("count", &count)]),
            });
        }
        (will, self.restore_leaves(remembered))
    }

    fn restored_items(
        &self,
        path: AccessPath,
        items: &[AccessItem],
        links: &[ProjectLink],
        audience: Audience,
    ) -> String {
        let count = self.words.t("plan.restored", &[("count", &items.len())]);
        let lines = self.item_lines(path, items, links, audience);
        let lines = std::iter::once(count).chain(lines.iter().map(|line| md(line)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn restore_leaves(&self, remembered: &RememberedAccess) -> Vec<String> {
        let words = self.words;
        let reopened = self
            .brief(&remembered.reopened)
            .map(|items| words.t("plan.reopened_stays", &[("items", &items)]));
        let rotated = self.rules.model_keys == ModelKeys::Rotate
            && !remembered.on(AccessPath::ModelKeys).is_empty();
        let rotated = rotated.then(|| words.t("plan.rotated_stays", &[]));
        reopened.into_iter().chain(rotated).collect()
    }

    /// How many access keys change, and the first of them.
    fn keys_line(&self, text: &str, keys: &[&str], audience: Audience) -> String {
        let words = self.words;
        if keys.is_empty() {
            return grey(&words.t("access.keys_none", &[]));
        }
        let mut lines = vec![words.t(text, &[("count", &keys.len())])];
        if audience == Audience::Group {
            return lines.concat();
        }
        lines.extend(keys.iter().take(KEYS).map(|key| md(&clip(key, 64))));
        let more = keys.len().saturating_sub(KEYS);
        if more > 0 {
            lines.push(words.t("user.more_keys", &[("count", &more)]));
        }
        lines.join("\n")
    }
}

fn grey(text: &str) -> String {
    format!("<font color='grey'>{text}</font>")
}
