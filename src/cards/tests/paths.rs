//! The paths of a user on cards: samples, and what must be seen at a glance.

use super::samples::{self, Size, ago, project, text};
use super::*;
use crate::app::outcome::UserDetail;
use crate::domain::{
    AccessItem, AccessPath, AccessRules, DENY_ALL_POLICY, HeldPolicy, ModelKeys, Models,
    NotCovered, PathItems, PathReport, PathReports, PathState, PolicyKind, PolicyScope, Proof,
    ProofState, Spender,
};

/// Things on a path, with as much of id, name and project as there is of them.
fn things(size: Size, path: AccessPath) -> Vec<AccessItem> {
    let count = if size == Size::Small { 2 } else { 60 };
    let one = |i: usize| {
        let (id, name) = match path {
            AccessPath::Login => return AccessItem::new(AccessItem::LOGIN),
            AccessPath::Signed => return AccessItem::new(DENY_ALL_POLICY),
            AccessPath::Endpoints => (format!("ep-20260901101112-a{i}"), "chat"),
            AccessPath::ModelKeys => (format!("12345{i}"), ["alice-key", ""][i % 2]),
            _ => (format!("AKLT{i}"), ""),
        };
        match size {
            Size::Small if path.is_ark() => {
                AccessItem::new(id).named(name).within(&project(size, i))
            }
            Size::Small => AccessItem::new(id).named(name),
            _ => AccessItem::new(text(size, 90)).named(text(size, 90)).within(&project(size, i)),
        }
    };
    (0..count).map(one).collect()
}

pub fn items(size: Size, path: AccessPath) -> PathItems {
    PathItems::from([(path, things(size, path))])
}

pub fn reopened(size: Size) -> PathItems {
    [AccessPath::Signed, AccessPath::AccessKeys, AccessPath::Login, AccessPath::Endpoints]
        .map(|path| (path, things(size, path)))
        .into()
}

pub fn spender(size: Size) -> Spender {
    let small = size == Size::Small;
    Spender {
        project: project(size, 0),
        endpoint: if small { "ep-20260901101112-a0".to_owned() } else { text(size, 90) },
        key: if small { "apikey-20260901101112-a0".to_owned() } else { text(size, 90) },
    }
}

fn closed_one(closed: usize) -> PathReport {
    PathReport { state: PathState::Closed, open: vec![], closed, at: ago(1) }
}

fn not_covered(reason: NotCovered, open: Vec<AccessItem>) -> PathReport {
    PathReport { state: PathState::NotCovered { reason }, open, closed: 0, at: ago(1) }
}

/// A path on which some things are closed, and others' go on.
fn in_a_shared_project(size: Size, closed: usize) -> PathReport {
    let project = project(size, 0);
    let project = AccessItem::new(project.as_str()).within(&project);
    PathReport { closed, ..not_covered(NotCovered::Shared, vec![project]) }
}

/// Every path as a confirmed cut leaves it by default: keys are left to a person.
pub fn closed(size: Size) -> PathReports {
    let keys = things(size, AccessPath::ModelKeys);
    PathReports::from([
        (AccessPath::Signed, closed_one(1)),
        (AccessPath::AccessKeys, closed_one(2)),
        (AccessPath::Login, closed_one(1)),
        (AccessPath::ApiKeys, closed_one(0)),
        (AccessPath::Endpoints, closed_one(3)),
        (AccessPath::ModelKeys, not_covered(NotCovered::LeftToPerson, keys)),
        (AccessPath::PresetEndpoints, closed_one(1)),
        (AccessPath::Jobs, not_covered(NotCovered::SwitchedOff, vec![])),
    ])
}

/// Some are closed, two fail, and one does not do what it was told.
pub fn half_closed(size: Size) -> PathReports {
    let reason = match size {
        Size::Small => "StopEndpoint: OperationDenied.InvalidState".to_owned(),
        _ => text(size, 2000),
    };
    let mut paths = closed(size);
    for path in [AccessPath::ApiKeys, AccessPath::Endpoints] {
        let state = PathState::Failing { reason: reason.clone() };
        let report = PathReport { state, open: things(size, path), closed: 0, at: ago(1) };
        paths.insert(path, report);
    }
    let ignored = things(size, AccessPath::Endpoints);
    paths.insert(AccessPath::PresetEndpoints, not_covered(NotCovered::LimitsIgnored, ignored));
    paths
}

fn proof(state: ProofState, spenders: Vec<Spender>) -> Proof {
    Proof { cut: ago(3), projects: vec![], state, read_at: Some(ago(1)), spenders }
}

pub fn disabled(size: Size) -> UserDetail {
    let mut detail = samples::disabled_detail(size);
    detail.paths = closed(size);
    detail.proof = Some(proof(ProofState::Nothing { until: ago(1) }, vec![]));
    detail
}

/// A cut in a project that others use too: what they have there goes on.
pub fn shared(size: Size) -> UserDetail {
    let mut detail = disabled(size);
    detail.paths.insert(AccessPath::Endpoints, in_a_shared_project(size, 2));
    detail.paths.insert(AccessPath::PresetEndpoints, in_a_shared_project(size, 0));
    detail
}

/// A cut that has closed a part.
pub fn stuck(size: Size) -> UserDetail {
    UserDetail { paths: half_closed(size), ..samples::pending_detail(size) }
}

pub fn spending(size: Size) -> UserDetail {
    let count = if size == Size::Small { 1 } else { 60 };
    let spenders = std::iter::repeat_with(|| spender(size)).take(count).collect();
    UserDetail { proof: Some(proof(ProofState::Spending, spenders)), ..disabled(size) }
}

fn shown(detail: &UserDetail, in_group: bool) -> String {
    let cards = Cards::new(Locale::ZhCn, OpIds::Counter);
    let mut ctx = CardContext::new(Role::Admin, samples::now());
    ctx.in_group = in_group;
    cards.user(detail, &ctx).into_string()
}

#[test]
fn whether_the_money_has_stopped_is_the_first_thing_on_the_card() {
    let first = |detail: &UserDetail| {
        let card: Value = serde_json::from_str(&shown(detail, false)).unwrap();
        card["body"]["elements"][0].to_string()
    };
    let mut all_closed = disabled(Size::Small);
    all_closed.paths.remove(&AccessPath::ModelKeys);
    let mut shared = disabled(Size::Small);
    shared.paths.insert(AccessPath::PresetEndpoints, in_a_shared_project(Size::Small, 1));
    for (detail, colour, words) in [
        (&all_closed, "green-50", "已停住"),
        (
            &disabled(Size::Small),
            "orange-50",
            "请停用方舟 API Key：现有的接入点和 Model ID 都已关闭",
        ),
        (&shared, "orange-50", "部分停用："),
        (&stuck(Size::Small), "red-50", "部分停用："),
        (&spending(Size::Small), "red-50", "还在花钱"),
    ] {
        let verdict = first(detail);
        assert!(verdict.contains(words) && verdict.contains(colour), "{words}: {verdict}");
    }
    assert!(!first(&samples::detail(Size::Small)).contains("-50"));
}

#[test]
fn a_card_of_a_shared_project_says_what_is_closed_and_names_the_project_once() {
    let mut detail = disabled(Size::Small);
    detail.paths.insert(AccessPath::Endpoints, in_a_shared_project(Size::Small, 2));
    let link = &mut detail.links[0];
    assert_eq!(link.project, project(Size::Small, 0));
    link.display_name = "推荐组".to_owned();
    let shared = shown(&detail, false);
    assert!(shared.contains("部分关闭，已关闭 2 个"), "{shared}");
    assert!(shared.contains("\\n推荐组\\n"), "{shared}");
}

#[test]
fn a_verdict_says_that_running_jobs_were_not_checked() {
    let said = |detail: &UserDetail| shown(detail, false).contains("训练任务未检查");
    let mut detail = disabled(Size::Small);
    assert!(said(&detail));
    detail.paths.remove(&AccessPath::ModelKeys);
    assert!(said(&detail));
    detail.paths.insert(AccessPath::Jobs, closed_one(0));
    assert!(!said(&detail));
}

#[test]
fn a_user_with_an_open_path_is_not_called_disabled() {
    let mut detail = disabled(Size::Small);
    let tag = |detail: &UserDetail| {
        let card: Value = serde_json::from_str(&shown(detail, false)).unwrap();
        card["header"]["text_tag_list"][0]["text"]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(tag(&detail), "已停用");
    detail.paths = half_closed(Size::Small);
    assert_eq!(tag(&detail), "部分停用");
}

#[test]
fn a_group_sees_names_but_neither_ids_of_keys_nor_links() {
    let mut detail = UserDetail { paths: half_closed(Size::Small), ..spending(Size::Small) };
    // The list of access keys is older than this promise.
    detail.user.access_keys.clear();
    let seen = ["123450", "AKLT0", "apikey-", "cn-beijing/apiKey)", "cn-beijing/endpoint)"];
    let (direct, group) = (shown(&detail, false), shown(&detail, true));
    for id in seen {
        assert!(direct.contains(id), "{id}: {direct}");
        assert!(!group.contains(id), "{id}: {group}");
    }
    assert!(group.contains("alice-key") && group.contains("ep-20260901101112-a0"), "{group}");
}

#[test]
fn alerts_show_no_ids_of_keys() {
    let detail = spending(Size::Small);
    for locale in Locale::ALL {
        let cards = Cards::new(locale, OpIds::Counter);
        for (kind, alert) in watch::alert_records(Size::Small) {
            for via in [AlertVia::Chat, AlertVia::Webhook] {
                let card = cards.alert(&alert, Some(&detail), via, None).into_string();
                for hidden in ["12345", "AKLT", "apikey-", "https"] {
                    assert!(!card.contains(hidden), "{kind} {locale} {hidden}: {card}");
                }
            }
        }
    }
}

#[test]
fn the_question_before_a_cut_follows_the_configuration() {
    let view = samples::access(Size::Small, samples::detail(Size::Small));
    let ctx = CardContext::new(Role::Admin, samples::now());
    let asked = |rules: AccessRules, said: &[&str], unsaid: &[&str]| {
        let cards = Cards::new(Locale::EnUs, OpIds::Counter).with_rules(rules);
        let card = cards.access_confirm(&view, AccessGoal::Cut, &ctx).into_string();
        for said in said {
            assert!(card.contains(said), "{said}: {card}");
        }
        for unsaid in unsaid {
            assert!(!card.contains(unsaid), "{unsaid}: {card}");
        }
    };
    let rules = AccessRules::default();
    asked(
        rules.clone(),
        &[
            "airgate-deny-all",
            "all endpoints",
            "only endpoints that this user made",
            "limits set to 0",
            "airgate does not switch them off",
            "is shared with",
            "run to their end",
            "Other products",
        ],
        &["including those of others", "the old ones never work again"],
    );
    asked(
        AccessRules {
            deny_all: false,
            models: Models::Linked,
            model_keys: ModelKeys::Rotate,
            stop_jobs: true,
        },
        &[
            "including those of others",
            "the old ones never work again",
            "tuning jobs that can be resumed",
        ],
        &["airgate-deny-all", "is shared with", "run to their end", "does not switch them off"],
    );
    asked(
        AccessRules { models: Models::Off, ..rules },
        &["Model calls go on costing money"],
        &["endpoints that this user made", "limits set to 0"],
    );
}

#[test]
fn the_question_before_a_restore_says_what_comes_back_and_what_does_not() {
    let cards = Cards::new(Locale::EnUs, OpIds::Counter);
    let ctx = CardContext::new(Role::Admin, samples::now());
    let mut detail = disabled(Size::Small);
    let remembered = detail.remembered.as_mut().unwrap();
    remembered.paths.extend(items(Size::Small, AccessPath::Endpoints));
    remembered.paths.extend(items(Size::Small, AccessPath::Signed));
    remembered.reopened = items(Size::Small, AccessPath::ApiKeys);
    let (kind, scope) = (PolicyKind::System, PolicyScope::Global);
    remembered.policies = vec![HeldPolicy { name: "Ark".into(), kind, scope }];
    let view = samples::access(Size::Small, detail);
    let card = cards.access_confirm(&view, AccessGoal::Restored, &ctx).into_string();
    for said in [
        "policy airgate-deny-all will be detached",
        "2 will be restored",
        "ep-20260901101112-a0",
        "1 will be reattached",
        "Opened outside airgate while disabled",
    ] {
        assert!(card.contains(said), "{said}: {card}");
    }
}
