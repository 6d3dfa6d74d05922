//! How the paths of a user stand: the verdict over a cut, and everything that is not closed.

use super::engine::always;
use super::facts::{self, Labelled, Tag};
use super::text::{clip, md};
use super::{Cards, Wording};
use crate::app::outcome::UserDetail;
use crate::domain::{
    AccessItem, AccessPath, NotCovered, PathItems, PathReport, PathReports, PathState, ProjectLink,
    ProjectName, Spender, UserStatus, Verdict, jobs_unchecked, lets_money_go,
};

/// Where a person switches API keys of 方舟 off.
const KEYS_PAGE: &str = "https://console.volcengine.com/ark/region:ark+cn-beijing/apiKey";
/// Where a person stops endpoints of 方舟.
const ENDPOINTS_PAGE: &str = "https://console.volcengine.com/ark/region:ark+cn-beijing/endpoint";
/// Max things on a path that are named.
const ITEMS: usize = 4;
/// Max length of a thing's name, and of its id and its project, in characters.
const NAME_CHARS: usize = 40;
/// Max length of a reason, in characters.
const REASON_CHARS: usize = 120;
/// Max spenders that are named.
const SPENDERS: usize = 3;

/// Who may see what is said about paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Ids of keys, and links to the console.
    Direct,
    /// A group: neither of them.
    Group,
}

impl Audience {
    /// Returns the audience of a card.
    pub(super) fn of(in_group: bool) -> Self {
        if in_group { Audience::Group } else { Audience::Direct }
    }

    fn may_see_id(self, path: AccessPath) -> bool {
        let is_key =
            matches!(path, AccessPath::AccessKeys | AccessPath::ApiKeys | AccessPath::ModelKeys);
        self == Audience::Direct || !is_key
    }
}

/// What the user card says of the paths.
pub(super) struct PathsFacts {
    pub(super) rows: Vec<Labelled>,
    pub(super) read: String,
    pub(super) cut: bool,
}

always!(PathsFacts);

/// What an alert says of a path.
pub(super) struct PathLine {
    pub(super) colour: &'static str,
    pub(super) label: String,
    pub(super) text: String,
}

impl Wording {
    /// What a path is called.
    pub(super) fn path(&self, path: AccessPath) -> String {
        match path {
            AccessPath::Signed => self.t("path.signed", &[]),
            AccessPath::AccessKeys => self.t("path.access_keys", &[]),
            AccessPath::Login => self.t("path.login", &[]),
            AccessPath::ApiKeys => self.t("path.api_keys", &[]),
            AccessPath::Endpoints => self.t("path.endpoints", &[]),
            AccessPath::ModelKeys => self.t("path.model_keys", &[]),
            AccessPath::PresetEndpoints => self.t("path.preset_endpoints", &[]),
            AccessPath::Jobs => self.t("path.jobs", &[]),
        }
    }

    /// What some paths are called.
    pub(super) fn paths(&self, paths: &[AccessPath]) -> String {
        let names: Vec<String> = paths.iter().map(|path| self.path(*path)).collect();
        names.join(&self.t("list.separator", &[]))
    }
}

impl Cards {
    /// The status as tags, as [`facts::status`]. A user with an open path is not called disabled.
    pub(super) fn access_status(&self, detail: &UserDetail) -> Tag {
        let (status, pending) = (detail.user.status, detail.pending.as_ref());
        let verdict = Verdict::of(status, pending, &detail.paths, detail.proof.as_ref());
        // As the verdict says: a cut that lets money go on is none.
        let is_partly = matches!(
            verdict,
            Some(Verdict::Spending(_) | Verdict::Open(_) | Verdict::Left(_) | Verdict::Unread)
        );
        if pending.is_none() && is_partly {
            return Tag { text: self.words.t("status.partly", &[]), colour: "orange" };
        }
        facts::status(self.words, &detail.user, pending)
    }

    /// Whether a cut is under way and nothing has failed so far.
    pub(super) fn is_closing(&self, detail: &UserDetail) -> bool {
        let (status, pending) = (detail.user.status, detail.pending.as_ref());
        let verdict = Verdict::of(status, pending, &detail.paths, detail.proof.as_ref());
        verdict == Some(Verdict::Closing)
    }

    /// Whether the money has stopped, in one sentence with a colour; none if access is neither cut nor being cut.
    pub(super) fn verdict(&self, detail: &UserDetail) -> Option<Tag> {
        let (status, pending) = (detail.user.status, detail.pending.as_ref());
        let proof = detail.proof.as_ref();
        let verdict = Verdict::of(status, pending, &detail.paths, proof)?;
        Some(self.verdict_over(verdict, &detail.paths))
    }

    /// Whether a confirmed cut has stopped the money, for its alert. Older alerts know of keys and login only.
    pub(super) fn verdict_then(&self, paths: &PathReports) -> Option<Tag> {
        if paths.is_empty() {
            let text = self.words.t("alert.disable_text", &[]);
            return Some(Tag { text, colour: "grey" });
        }
        let verdict = Verdict::of(UserStatus::Disabled, None, paths, None)?;
        Some(self.verdict_over(verdict, paths))
    }

    fn verdict_over(&self, verdict: Verdict<'_>, paths: &PathReports) -> Tag {
        let words = self.words;
        let stopped = matches!(verdict, Verdict::Keys(_) | Verdict::Closed | Verdict::Proven(_));
        let (colour, mut text) = match verdict {
            Verdict::Spending(spenders) => {
                let what = self.spenders(spenders);
                ("red", words.t("verdict.spending", &[("what", &what)]))
            }
            Verdict::Open(paths) => {
                ("red", words.t("verdict.open", &[("paths", &words.paths(&paths))]))
            }
            Verdict::Closing => ("orange", words.t("verdict.closing", &[])),
            Verdict::Left(paths) => {
                ("orange", words.t("verdict.left", &[("paths", &words.paths(&paths))]))
            }
            // Somebody still has to switch these keys off.
            Verdict::Keys(None) => ("orange", words.t("verdict.keys", &[])),
            Verdict::Keys(Some(at)) => {
                ("orange", words.t("verdict.keys_proven", &[("time", &words.time(at))]))
            }
            Verdict::Unread => ("grey", words.t("verdict.unread", &[])),
            Verdict::Unproven(reason) => {
                let reason = clip(reason, REASON_CHARS);
                ("orange", words.t("verdict.unproven", &[("reason", &reason)]))
            }
            Verdict::Closed => ("green", words.t("verdict.closed", &[])),
            Verdict::Proven(at) => {
                ("green", words.t("verdict.proven", &[("time", &words.time(at))]))
            }
        };
        if stopped && jobs_unchecked(paths) {
            text.push_str(&words.t("verdict.jobs_unchecked", &[]));
        }
        Tag { text, colour }
    }

    /// What still spends: endpoints with their projects.
    fn spenders(&self, spenders: &[Spender]) -> String {
        let mut named: Vec<String> = spenders
            .iter()
            .map(|spender| {
                let endpoint = clip(&spender.endpoint, NAME_CHARS);
                let project = clip(spender.project.as_str(), NAME_CHARS);
                if endpoint.is_empty() { project } else { format!("{project} · {endpoint}") }
            })
            .collect();
        named.dedup();
        self.some_of(&named, SPENDERS, named.len())
    }

    /// Every path with what works on it, for the user card.
    pub(super) fn paths(&self, detail: &UserDetail, audience: Audience) -> Option<PathsFacts> {
        let words = self.words;
        let read_at = detail.paths.values().map(|report| report.at).min()?;
        let cut = detail.pending.is_some() || detail.user.status == UserStatus::Disabled;
        let (mut closed, mut nothing, mut off) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows = Vec::new();
        for (path, report) in &detail.paths {
            let name = words.path(*path);
            match &report.state {
                PathState::Closed if report.closed == 0 => nothing.push(name),
                PathState::Closed => closed.push(match report.closed {
                    1 => name,
                    many => words.t("paths.counted", &[("path", &name), ("count", &many)]),
                }),
                PathState::NotCovered { reason: NotCovered::SwitchedOff }
                    if !lets_money_go(*path, report) =>
                {
                    off.push(name);
                }
                _ => rows.push(Labelled {
                    label: name,
                    content: self.path_content(*path, report, detail, audience),
                }),
            }
        }
        let groups = [
            (words.t("paths.closed", &[]), closed),
            (words.t("paths.nothing", &[]), nothing),
            (words.t("paths.off", &[]), off),
        ];
        let separator = words.t("list.separator", &[]);
        for (label, names) in groups.into_iter().filter(|(_, names)| !names.is_empty()) {
            rows.push(Labelled { label, content: md(&names.join(&separator)) });
        }
        if let Some(proof) = detail.proof.as_ref().filter(|proof| !proof.spenders.is_empty()) {
            let content = self.spender_lines(&proof.spenders, audience);
            rows.insert(0, Labelled { label: words.t("paths.spending", &[]), content });
        }
        Some(PathsFacts {
            rows,
            read: words.t("paths.read", &[("time", &words.time_full(read_at))]),
            cut,
        })
    }

    /// One line for each of the first spenders, as markdown.
    fn spender_lines(&self, spenders: &[Spender], audience: Audience) -> String {
        let lines = spenders.iter().take(ITEMS).map(|spender| {
            let key = if audience == Audience::Direct { spender.key.as_str() } else { "" };
            let parts = [spender.project.as_str(), &spender.endpoint, key];
            let parts: Vec<String> = parts
                .into_iter()
                .filter(|part| !part.is_empty())
                .map(|part| clip(part, NAME_CHARS))
                .collect();
            md(&parts.join(" · "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// How a path stands, why, and what works on it, as markdown.
    fn path_content(
        &self,
        path: AccessPath,
        report: &PathReport,
        detail: &UserDetail,
        audience: Audience,
    ) -> String {
        let words = self.words;
        let cut = detail.pending.is_some() || detail.user.status == UserStatus::Disabled;
        let (colour, tag) = match &report.state {
            PathState::Open if !cut => ("blue", words.t("paths.usable", &[])),
            PathState::Failing { .. } if !cut => ("orange", words.t("paths.unread", &[])),
            PathState::Open | PathState::Failing { .. } => ("red", words.t("paths.open", &[])),
            PathState::NotCovered { reason: NotCovered::LeftToPerson } => {
                ("orange", words.t("paths.by_hand", &[]))
            }
            PathState::NotCovered { .. } if cut && report.closed > 0 => {
                ("orange", words.t("paths.partly", &[("count", &report.closed)]))
            }
            PathState::NotCovered { .. } => ("orange", words.t("paths.uncovered", &[])),
            PathState::Closed => ("green", words.t("paths.closed", &[])),
        };
        let mut content = format!("<text_tag color='{colour}'>{tag}</text_tag>");
        let page = match path {
            AccessPath::ModelKeys => Some((words.t("paths.keys_page", &[]), KEYS_PAGE)),
            AccessPath::Endpoints => Some((words.t("paths.endpoints_page", &[]), ENDPOINTS_PAGE)),
            _ => None,
        };
        let page = page.filter(|_| audience == Audience::Direct && !report.open.is_empty());
        // The link to the page says what to do.
        let by_hand = report.state == PathState::NotCovered { reason: NotCovered::LeftToPerson };
        if let Some(reason) = self.path_reason(&report.state)
            && !(by_hand && page.is_some())
        {
            content.push_str(&format!(" <font color='grey'>{}</font>", md(&reason)));
        }
        for line in self.item_lines(path, &report.open, &detail.links, audience) {
            content.push('\n');
            content.push_str(&md(&line));
        }
        if let Some((text, page)) = page {
            content.push_str(&format!("\n[{text}]({page})"));
        }
        content
    }

    fn path_reason(&self, state: &PathState) -> Option<String> {
        let words = self.words;
        match state {
            PathState::Open | PathState::Closed => None,
            PathState::Failing { reason } => Some(clip(reason, REASON_CHARS)),
            PathState::NotCovered { reason } => Some(match reason {
                NotCovered::SwitchedOff => words.t("not_covered.switched_off", &[]),
                NotCovered::NoSuchAction => words.t("not_covered.no_such_action", &[]),
                NotCovered::LeftToPerson => words.t("not_covered.left_to_person", &[]),
                NotCovered::Shared => words.t("not_covered.shared", &[]),
                NotCovered::LimitsIgnored => words.t("not_covered.limits_ignored", &[]),
                NotCovered::CannotStop => words.t("not_covered.cannot_stop", &[]),
            }),
        }
    }

    /// One line for each of the first things, and one that counts the others.
    pub(super) fn item_lines(
        &self,
        path: AccessPath,
        items: &[AccessItem],
        links: &[ProjectLink],
        audience: Audience,
    ) -> Vec<String> {
        if is_one_thing(path) {
            return Vec::new();
        }
        let named = items.iter().take(ITEMS).map(|item| {
            let project = item.project.as_ref().map(|project| {
                let label = project_label(links, project);
                (clip(label, NAME_CHARS), item.id == project.as_str())
            });
            match project {
                None => self.item(path, item, audience),
                // The thing is the project: others use it too.
                Some((label, true)) => label,
                Some((label, false)) => format!("{} · {label}", self.item(path, item, audience)),
            }
        });
        let more = items.len().saturating_sub(ITEMS);
        let rest = (more > 0).then(|| self.words.t("paths.more", &[("count", &more)]));
        named.chain(rest).collect()
    }

    /// A thing's name and id, as far as they are known and may be seen.
    fn item(&self, path: AccessPath, item: &AccessItem, audience: Audience) -> String {
        let name = clip(&item.name, NAME_CHARS);
        let id = if audience.may_see_id(path) { clip(&item.id, NAME_CHARS) } else { String::new() };
        match (name.is_empty(), id.is_empty()) {
            (true, true) => self.words.t("paths.nameless", &[]),
            (false, true) => name,
            (true, false) => id,
            (false, false) if name == id => id,
            (false, false) => format!("{name} · {id}"),
        }
    }

    /// Things on a path in a few words, for a group: how many, and those that have a name.
    pub(super) fn brief_items(&self, path: AccessPath, items: &[AccessItem]) -> String {
        let label = self.words.path(path);
        if items.is_empty() || is_one_thing(path) {
            return label;
        }
        let named: Vec<String> = items
            .iter()
            .filter(|item| !item.name.is_empty() || Audience::Group.may_see_id(path))
            .map(|item| clip(if item.name.is_empty() { &item.id } else { &item.name }, NAME_CHARS))
            .collect();
        let count = items.len();
        if named.is_empty() {
            return self.words.t("paths.counted", &[("path", &label), ("count", &count)]);
        }
        let names = self.some_of(&named, ITEMS, count);
        self.words.t("paths.named", &[("path", &label), ("names", &names)])
    }

    /// Things by path in one sentence, for a group.
    pub(super) fn brief(&self, items: &PathItems) -> Option<String> {
        let parts: Vec<String> =
            items.iter().map(|(path, items)| self.brief_items(*path, items)).collect();
        (!parts.is_empty()).then(|| parts.join(&self.words.t("list.separator", &[])))
    }

    /// How the paths stood, for an alert: what is open, what is left, what is closed; a line each.
    pub(super) fn brief_paths(&self, paths: &PathReports) -> Vec<PathLine> {
        let words = self.words;
        let mut lines = Vec::new();
        let mut add = |colour: &'static str, label: String, text: String| {
            lines.push(PathLine { colour, label, text });
        };
        let with_reason = |path: AccessPath, report: &PathReport| {
            let what = self.brief_items(path, &report.open);
            match self.path_reason(&report.state) {
                Some(reason) => words.t("paths.because", &[("what", &what), ("reason", &reason)]),
                None => what,
            }
        };
        for (path, report) in paths.iter().filter(|(_, report)| report.is_open()) {
            add("red", words.t("paths.open", &[]), with_reason(*path, report));
        }
        for (path, report) in paths.iter().filter(|(path, report)| lets_money_go(**path, report)) {
            let label = match report.state {
                PathState::NotCovered { reason: NotCovered::LeftToPerson } => "paths.by_hand",
                _ => "paths.uncovered",
            };
            add("orange", words.t(label, &[]), with_reason(*path, report));
        }
        let closed: Vec<AccessPath> = paths
            .iter()
            .filter(|(_, report)| report.state == PathState::Closed && report.closed > 0)
            .map(|(path, _)| *path)
            .collect();
        if !closed.is_empty() {
            add("green", words.t("paths.closed", &[]), words.paths(&closed));
        }
        lines
    }

    /// Joins the first `most` of `named`, and says how many there are if that is not all.
    pub(super) fn some_of(&self, named: &[String], most: usize, count: usize) -> String {
        let shown = named.get(..most).unwrap_or(named);
        let names = shown.join(&self.words.t("list.separator", &[]));
        if count > shown.len() {
            self.words.t("paths.and_more", &[("names", &names), ("count", &count)])
        } else {
            names
        }
    }
}

/// Returns what people call a project.
fn project_label<'a>(links: &'a [ProjectLink], project: &'a ProjectName) -> &'a str {
    let link = links.iter().find(|link| link.project == *project);
    link.map_or(project.as_str(), ProjectLink::label)
}

/// Returns whether a user has the thing on this path once, so that it needs no name.
fn is_one_thing(path: AccessPath) -> bool {
    matches!(path, AccessPath::Signed | AccessPath::Login)
}
