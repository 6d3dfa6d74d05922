//! Cutting and restoring access, with each call failing until the fault ends. Nobody stays partly cut, nobody counts as
//! cut before the cut was read back, and a restore returns exactly what was active.

use std::collections::{BTreeMap, BTreeSet};

use airgate::app::access;
use airgate::domain::{
    AccessGoal, AccessPath, AlertBody, Operator, PendingAccess, Problem, UserStatus,
};
use airgate::sandbox::volcengine::FaultRule;
use airgate::sandbox::world::{
    EndpointStatus, KeyStatus, Limits, Model, Phase, PolicyKind, PolicyScope, World,
};

use super::{
    BACKOFF, FAULTS, Fault, all_of, cell, chat_answers, heal, is_for_people, settled, timeouts,
};
use crate::bed::{ADMIN, Bed, eventually, one_account, phrase, text, text_of, user_key};

/// What is seen while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// The user's card says that it is in progress, how many attempts failed and why. After a minute an alert says so,
    /// once. The service keeps retrying.
    UnderWayAndWhy,
    /// It is done: whatever a write answers, what counts is what is read back.
    Done,
}

const W: Sees = Sees::UnderWayAndWhy;
const I: Sees = Sees::Done;

type Row = (&'static str, &'static str, u32, [Sees; 13]);

/// A name, the action, and how many calls of that action precede it.
#[rustfmt::skip]
static CUT: [Row; 11] = [
    //                          the cloud is        refused, timeout, reset, 429, 429+, 500, half, shape, page, 403 page, credentials, hangs, late
    ("read-keys",           "ListAccessKeys",           0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-login",          "GetLoginProfile",          0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-policies",       "ListAttachedUserPolicies", 0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("first-key-off",       "UpdateAccessKey",          0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("second-key-off",      "UpdateAccessKey",          1, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("login-off",           "UpdateLoginProfile",       0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("policy-on",           "AttachUserPolicy",         0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("read-api-keys",       "iam:ListApiKeys",          0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("keys-read-back",      "ListAccessKeys",           1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("login-read-back",     "GetLoginProfile",          1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("policies-read-back",  "ListAttachedUserPolicies", 1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
];

#[rustfmt::skip]
static RESTORE: [Row; 10] = [
    ("read-keys",           "ListAccessKeys",           0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-login",          "GetLoginProfile",          0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("first-key-on",        "UpdateAccessKey",          0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("second-key-on",       "UpdateAccessKey",          1, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("login-on",            "UpdateLoginProfile",       0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("policy-off",          "DetachUserPolicy",         0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("read-policies",       "ListAttachedUserPolicies", 0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("policies-read-back",  "ListAttachedUserPolicies", 1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("keys-read-back",      "ListAccessKeys",           1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("login-read-back",     "GetLoginProfile",          1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
];

/// The calls to 方舟 and of the API keys of IAM.
#[rustfmt::skip]
static CUT_MODELS: [Row; 16] = [
    ("read-api-keys",       "iam:ListApiKeys",                  0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("api-key-off",         "iam:UpdateApiKey",                 0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("api-keys-read-back",  "iam:ListApiKeys",                  1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-endpoints",      "ListEndpoints",                    0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("endpoint-off",        "StopEndpoint",                     0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("endpoints-read-back", "ListEndpoints",                    1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-model-keys",     "ark:ListApiKeys",                  0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("model-key-off",       "ark:UpdateApiKey",                 0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("model-keys-read-back", "ark:ListApiKeys",                 1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-presets",        "InnerDescribeModelEndpoints",      0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-limits",         "InnerDescribeModelEndpointDetail", 0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("limits-off",          "InnerUpdateModelEndpoint",         0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("limits-read-back",    "InnerDescribeModelEndpointDetail", 1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("read-jobs",           "ListBatchInferenceJobs",           0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("job-off",             "StopBatchInferenceJob",            0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("read-tuning-jobs",    "ListModelCustomizationJobs",       0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
];

#[rustfmt::skip]
static RESTORE_MODELS: [Row; 9] = [
    ("api-key-on",          "iam:UpdateApiKey",                 0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("read-endpoints",      "ListEndpoints",                    0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("endpoint-on",         "StartEndpoint",                    0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("endpoints-read-back", "ListEndpoints",                    1, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("model-key-on",        "ark:UpdateApiKey",                 0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("read-limits",         "InnerDescribeModelEndpointDetail", 0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("limits-on",           "InnerUpdateModelEndpoint",         0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
    ("read-jobs",           "ListBatchInferenceJobs",           0, [W, W, W, W, W, W, W, W, W, W, W, W, I]),
    ("job-on",              "ResumeBatchInferenceJob",          0, [W, W, I, W, W, W, I, I, I, W, W, I, I]),
];

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calls {
    /// Those about the user.
    Users,
    /// Those about what the user has at 方舟, in a project of the user's name, and the user's API keys.
    Models,
}

impl Calls {
    fn rows(self, goal: AccessGoal) -> &'static [Row] {
        match (self, goal) {
            (Self::Users, AccessGoal::Cut) => &CUT,
            (Self::Users, AccessGoal::Restored) => &RESTORE,
            (Self::Models, AccessGoal::Cut) => &CUT_MODELS,
            (Self::Models, AccessGoal::Restored) => &RESTORE_MODELS,
        }
    }
}

/// What a cut of [`Calls::Models`] closes.
const CLOSES: [(&str, &str); 4] = [
    ("ACCESS__STOP_JOBS", "true"),
    ("ACCESS__MODEL_KEYS", "disable"),
    (
        "ACCESS__MODEL_KEY_DISABLE",
        r#"UpdateApiKey {"Id": $id, "ProjectName": "$project", "Status": "Inactive"}"#,
    ),
    (
        "ACCESS__MODEL_KEY_ENABLE",
        r#"UpdateApiKey {"Id": $id, "ProjectName": "$project", "Status": "Active"}"#,
    ),
];

/// A step. Each has its own user, so that all fail in parallel.
struct Step {
    user: String,
    action: &'static str,
    before: u32,
    sees: Sees,
    cell: String,
}

fn steps(calls: Calls, goal: AccessGoal, fault: Fault) -> Vec<Step> {
    let rows = calls.rows(goal);
    let step = |(n, (name, action, before, row)): (usize, &Row)| Step {
        user: format!("user-{n:02}"),
        action,
        before: *before,
        sees: cell(row, fault),
        cell: format!("{goal:?} {name} ({action}), {fault:?}"),
    };
    rows.iter().enumerate().map(step).collect()
}

impl Step {
    fn key(&self) -> String {
        format!("main/{}", self.user)
    }

    fn pending(&self, bed: &Bed) -> Option<PendingAccess> {
        bed.store.read(|tx| tx.access_pending(&user_key(&self.key()))).unwrap()
    }

    fn alerts(&self, bed: &Bed, wanted: impl Fn(&AlertBody) -> bool) -> usize {
        let mine = Some(user_key(&self.key()));
        let records = bed.alert_records();
        records.iter().filter(|alert| alert.user == mine && wanted(&alert.body)).count()
    }

    fn delays(&self, bed: &Bed, goal: AccessGoal) -> usize {
        self.alerts(bed, |body| {
            matches!(body, AlertBody::Error { problem: Problem::AccessDelayed { goal: g, .. } } if *g == goal)
        })
    }

    /// What the calls of this step name: the user, the project of the same name, or the one thing in it.
    fn subject(&self, bed: &Bed) -> String {
        bed.cloud.read(|world| {
            let ark = &world.account("main").unwrap().ark;
            let found = match self.action {
                "StopEndpoint" | "StartEndpoint" => {
                    ark.endpoints.values().find(|it| it.project == self.user).map(|it| &it.id)
                }
                "InnerDescribeModelEndpointDetail" | "InnerUpdateModelEndpoint" => {
                    ark.presets.values().find(|it| it.project == self.user).map(|it| &it.id)
                }
                "StopBatchInferenceJob" | "ResumeBatchInferenceJob" => {
                    ark.jobs.values().find(|it| it.project == self.user).map(|it| &it.id)
                }
                _ => None,
            };
            found.unwrap_or(&self.user).clone()
        })
    }

    /// What works at 方舟 and through an API key of IAM, by path; empty for a user without any.
    fn models(&self, bed: &Bed) -> BTreeMap<AccessPath, bool> {
        bed.cloud.read(|world| {
            let (ark, mine) = (&world.account("main").unwrap().ark, &self.user);
            let keys = &world.user("main", mine).unwrap().api_keys;
            let api_key = keys.first().map(|it| *it.status.get() == KeyStatus::Active);
            let endpoint = ark.endpoints.values().find(|it| it.project == *mine);
            let endpoint = endpoint.map(|it| *it.status.get() == EndpointStatus::Running);
            let key = ark.keys.values().find(|it| it.project == *mine).map(|it| *it.on.get());
            let preset = ark.presets.values().find(|it| it.project == *mine);
            let preset = preset.map(|it| *it.limits.get() == Limits::default());
            let job = ark.jobs.values().find(|it| it.project == *mine);
            let job = job.map(|it| *it.phase.get() == Phase::Running);
            [
                (AccessPath::ApiKeys, api_key),
                (AccessPath::Endpoints, endpoint),
                (AccessPath::ModelKeys, key),
                (AccessPath::PresetEndpoints, preset),
                (AccessPath::Jobs, job),
            ]
            .into_iter()
            .filter_map(|(path, works)| Some((path, works?)))
            .collect()
        })
    }

    /// Which keys are active, whether login is allowed, and which policies are attached where, in the cloud.
    fn truth(&self, bed: &Bed) -> (Vec<bool>, bool, BTreeSet<String>) {
        bed.cloud.read(|world| {
            let user = world.user("main", &self.user).unwrap();
            let keys = user.keys.iter().map(|key| key.status == KeyStatus::Active).collect();
            let policies = user.policies.iter().flat_map(|policy| {
                policy.scopes.iter().map(move |(scope, _)| format!("{} {scope:?}", policy.name))
            });
            (keys, user.login.allowed(), policies.collect())
        })
    }
}

/// Users with two active keys, an inactive one, login, a policy everywhere and one in a project; 120 spent. For
/// [`Calls::Models`], each also has an API key, and a project with one thing on every path.
fn world(calls: Calls) -> World {
    let mut world = one_account();
    world.account_mut("main").unwrap().add_project("team-a", "甲组");
    world.account_mut("main").unwrap().spend("team-a", 120.into(), "2026-11".parse().unwrap());
    for n in 0..calls.rows(AccessGoal::Cut).len() {
        let name = format!("user-{n:02}");
        let main = world.account_mut("main").unwrap();
        if calls == Calls::Models {
            main.add_project(&name, &name);
            main.add_endpoint(&name, "chat", None);
            main.add_ark_key(&name, "key", None);
            main.add_preset(&name, Model::TEXT);
            main.add_batch_job(&name, "nightly", None);
            main.add_user(&name).add_api_key("ci", KeyStatus::Active);
        }
        let user = match calls {
            Calls::Users => main.add_user(&name),
            Calls::Models => world.user_mut("main", &name).unwrap(),
        };
        for status in [KeyStatus::Active, KeyStatus::Active, KeyStatus::Inactive] {
            user.add_key(status);
        }
        user.attach("TOSReadOnlyAccess", PolicyKind::System, PolicyScope::Global);
        let project = PolicyScope::Project("team-a".to_owned());
        user.attach("ArkFullAccess", PolicyKind::System, project);
    }
    world
}

/// Changes the access of these users while their steps fail, then ends the faults.
async fn change(bed: &Bed, goal: AccessGoal, fault: Fault, steps: &[Step]) {
    let all = format!("{goal:?}, {fault:?}");
    let before: Vec<_> = steps.iter().map(|step| step.truth(bed)).collect();
    for step in steps {
        let rule = FaultRule::new(fault.of_cloud()).on(step.action).about(&step.subject(bed));
        bed.cloud.faults().inject(rule.after(step.before));
    }
    match goal {
        AccessGoal::Cut => {
            for step in steps {
                bed.allocate(&step.key(), "100");
            }
            let report = bed.service().monitor().cycle().await.unwrap();
            assert_eq!(usize::try_from(report.disables).unwrap(), steps.len(), "{all}");
        }
        AccessGoal::Restored => {
            let by = Operator::Person { open_id: ADMIN.parse().unwrap(), name: None };
            for step in steps {
                let key = user_key(&step.key());
                let (by, now) = (by.clone(), bed.clock.now());
                bed.store.write(|tx| access::request(tx, &key, goal, by, None, now)).unwrap();
            }
            bed.service().wakers().access.notify_one();
        }
    }
    for step in steps {
        eventually(&format!("{}: an attempt", step.cell), || match step.sees {
            Sees::UnderWayAndWhy => step.pending(bed).is_some_and(|pending| pending.attempts > 0),
            Sees::Done => step.pending(bed).is_none(),
        })
        .await;
    }
    chat_answers(bed, &all).await;
    let (old, new) = match goal {
        AccessGoal::Cut => (UserStatus::Active, UserStatus::Disabled),
        AccessGoal::Restored => (UserStatus::Disabled, UserStatus::Active),
    };
    let delayed = || steps.iter().filter(|step| step.sees == W);
    for step in delayed() {
        let cell = &step.cell;
        assert_eq!(bed.user(&step.key()).status, old, "{cell}: before it was read back");
        assert_eq!(
            step.alerts(bed, |body| matches!(body, AlertBody::Disable { .. })),
            usize::from(goal == AccessGoal::Restored),
            "{cell}"
        );
        let remembered = bed.store.read(|tx| tx.access_remembered(&user_key(&step.key()))).unwrap();
        if goal == AccessGoal::Cut {
            // What has been cut so far is remembered. The third key was inactive before.
            let (keys, login, policies) = step.truth(bed);
            let known = remembered.as_ref();
            let known_keys = known.map_or(0, |known| known.keys().len());
            assert!(keys[..2] == [true, true] || known_keys == 2, "{cell}: {known:?}");
            assert!(login || known.is_some_and(|known| known.login()), "{cell}: {known:?}");
            let signed = known.map_or(0, |known| known.on(AccessPath::Signed).len());
            assert!(policies.len() == 2 || signed == 1, "{cell}: {known:?}");
            for (path, works) in step.models(bed) {
                let known = known.map_or(0, |known| known.on(path).len());
                assert!(works || known == 1, "{cell}: {path:?} is not remembered");
            }
        }
        let card = text_of(&bed.ask(ADMIN, &format!("/user {}", step.user)).await);
        let states: &[&str] = match goal {
            AccessGoal::Cut => &["status.cutting", "status.partly"],
            AccessGoal::Restored => &["status.restoring"],
        };
        assert!(states.iter().any(|state| card.contains(&phrase(state))), "{cell}: {card}");
        assert!(card.contains(&fault.said_of_cloud()), "{cell}: {card}");
        is_for_people(&card, cell);
        assert_eq!(step.delays(bed, goal), 0, "{cell}: alerted before a minute has passed");
    }
    bed.clock.advance(BACKOFF);
    bed.service().wakers().access.notify_one();
    for step in delayed() {
        let cell = &step.cell;
        eventually(&format!("{cell}: an alert"), || step.delays(bed, goal) == 1).await;
        let says = fault.said_of_cloud();
        let title =
            if goal == AccessGoal::Cut { "alert.cut_delayed" } else { "alert.restore_delayed" };
        let title = text(title, &[("user", &step.user)]);
        eventually(&format!("{cell}: the alert to arrive"), || {
            bed.alerts()
                .iter()
                .map(text_of)
                .any(|card| card.contains(&title) && card.contains(&says))
        })
        .await;
    }

    heal(bed).await;
    settled(bed, &all).await;
    for (step, before) in steps.iter().zip(before) {
        let cell = &step.cell;
        let late = usize::from(step.sees == W);
        assert_eq!(step.delays(bed, goal), late, "{cell}: alerts that it is late");
        assert_eq!(bed.user(&step.key()).status, new, "{cell}");
        let disables = step.alerts(bed, |body| matches!(body, AlertBody::Disable { .. }));
        assert_eq!(disables, 1, "{cell}: alerts that it is cut");
        let truth = step.truth(bed);
        let back = goal == AccessGoal::Restored;
        let models = step.models(bed);
        assert!(models.values().all(|works| *works == back), "{cell}: {models:?}");
        let remembered = bed.store.read(|tx| tx.access_remembered(&user_key(&step.key()))).unwrap();
        match goal {
            AccessGoal::Cut => {
                assert_eq!((truth.0, truth.1), (vec![false; 3], false), "{cell}");
                assert!(truth.2.is_superset(&before.2), "{cell}: policies stay");
                assert!(truth.2.contains("airgate-deny-all Global"), "{cell}: {:?}", truth.2);
                let remembered = remembered.unwrap();
                assert_eq!(remembered.keys().len(), 2, "{cell}");
            }
            AccessGoal::Restored => {
                let policies = ["TOSReadOnlyAccess", "ArkFullAccess"];
                assert_eq!((truth.0, truth.1), (vec![true, true, false], true), "{cell}");
                assert_eq!(truth.2.len(), policies.len(), "{cell}: {:?}", truth.2);
                assert_eq!(remembered, None, "{cell}");
            }
        }
    }
}

async fn each_step((calls, fault, part, parts): (Calls, Fault, usize, usize)) {
    let further: &[(&str, &str)] = if calls == Calls::Models { &CLOSES } else { &[] };
    let bed = Bed::with_timeouts(world(calls), further, timeouts()).await;
    if calls == Calls::Models {
        bed.sync().await;
    }
    for n in 0..calls.rows(AccessGoal::Cut).len() {
        let user = format!("user-{n:02}");
        let key = format!("main/{user}");
        bed.add_users(&[&key]);
        bed.link(&key, "team-a", "");
        if calls == Calls::Models {
            bed.link(&key, &user, "");
        }
    }
    for goal in [AccessGoal::Cut, AccessGoal::Restored] {
        let mut turn = (0..parts).cycle();
        let mut steps = steps(calls, goal, fault);
        steps.retain(|_| turn.next() == Some(part));
        if fault == Fault::Refused {
            // This fault shuts down the cloud for all, so the steps take turns.
            for step in steps {
                change(&bed, goal, fault, &[step]).await;
            }
        } else {
            change(&bed, goal, fault, &steps).await;
        }
    }
    let messages = bed.feishu.read(|state| state.all_messages().to_vec());
    for message in messages.iter().filter(|message| message.kind == "interactive") {
        is_for_people(&text_of(message), &format!("{fault:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_cut_and_of_a_restore_survives_every_fault() {
    // One after the other: chat is timed, and each keeps the machine busy.
    every_step_of(Calls::Users).await;
    every_step_of(Calls::Models).await;
}

async fn every_step_of(calls: Calls) {
    let beds = FAULTS.iter().flat_map(|fault| {
        // Steps that take turns are spread over several beds.
        let parts = if *fault == Fault::Refused { 3 } else { 1 };
        (0..parts).map(move |part| (calls, *fault, part, parts))
    });
    all_of(beds.map(each_step)).await;
}
