//! The content of files of released layouts. For a type that has gained fields since, it says how they are read from
//! the old file.

use std::collections::BTreeMap;

use super::super::*;
use crate::domain::{
    AccessCause, AccessGoal, AccessItem, AccessKeyInfo, AccessPath, AccountEstimate,
    AccountReading, AlertBody, Approval, ApprovalState, Authorisation, BalanceReading, Batch,
    BatchKind, BatchPlan, BatchRow, BatchSource, BatchState, BreakdownRow, CardPlace, Creation,
    CycleOutcome, CycleReport, Dispatch, EstimateUse, Figures, FilePlace, Grant, GrantState, Halt,
    HeldPolicy, KeyStep, LedgerEntry, LeftOut, Limit, ModelUsage, MonitorState, NewUser,
    NotCovered, OpId, OwedMessage, PathReport, PathReports, PathState, PendingAccess, PolicyKind,
    PolicyScope, Problem, Profile, ProjectInfo, ProjectUsage, Proof, ProofState, QuotaRequest,
    RememberedAccess, Report, RequestState, Role, RowChange, SavedSettings, SecretsSent, SharedDay,
    ShownRow, Spender, Step, TaskKind, Temporary, TemporaryState, Thresholds, UpdateTarget,
    UserCard, UserStatus, Was, beijing_day,
};
use crate::store::{EstimateReading, NewMessage, OpOutcome, RecordedReading};

pub const LANE: &str = "chat:oc_1";

pub fn balance() -> BalanceReading {
    BalanceReading { available: Some(money("1200.5")), error: Some("慢".to_owned()), at: now() }
}

/// Alice with everything that can be known about a user, Bob who is gone, Carol whose access is being cut.
pub fn users() -> Vec<User> {
    let keys = vec![
        AccessKeyInfo { id: "AKLTalice1".to_owned(), active: Switch::On },
        AccessKeyInfo { id: "AKLTalice2".to_owned(), active: Switch::Off },
    ];
    let alice = User {
        cloud_id: "2100000001".to_owned(),
        display_name: "爱丽丝".to_owned(),
        email: "alice@example.com".to_owned(),
        phone: "13800000001".to_owned(),
        status: UserStatus::Active,
        access_keys: keys,
        login: Some(Switch::On),
        access_read_at: Some(now()),
        thresholds: Some(Thresholds::new([60, 120]).unwrap()),
        auto_disable: Switch::Off,
        triggered: [60].into(),
        remark: "备注".to_owned(),
        owner: Some("ou_1".parse().unwrap()),
        ..User::new(user("main/alice"), now())
    };
    let gone = User { status: UserStatus::Gone, ..User::new(user("main/bob"), now()) };
    let carol = User { monitored: Switch::Off, ..User::new(user("main/carol"), now()) };
    vec![alice, gone, carol]
}

/// The same users after the allocations, which clear the triggered thresholds, and after the reading.
pub fn users_after() -> Vec<User> {
    let mut users = users();
    users[0].quota = money("799.5");
    users[0].consumed = money("15.5");
    users[0].spending_updated_at = Some(now());
    users[0].triggered.clear();
    users
}

pub fn projects() -> Vec<ProjectInfo> {
    let info = |name: &str, display_name: &str| ProjectInfo {
        account: account("main"),
        name: project(name),
        display_name: display_name.to_owned(),
    };
    vec![info("p", "甲"), info("q", "")]
}

pub fn links() -> Vec<ProjectLink> {
    let off = ProjectLink { monitored: Switch::Off, ..link("main/alice", "q", "2026-11") };
    vec![link("main/alice", "p", "2026-10"), off]
}

/// With display names and amounts.
pub fn links_after() -> Vec<ProjectLink> {
    let mut links = links();
    links[0].display_name = "甲".to_owned();
    links[0].spending = money("15.500001");
    links[0].freshness = Freshness::Fresh(now());
    links
}

pub fn ledger() -> [(UserKey, Money, &'static str); 2] {
    [(user("main/alice"), money("1000"), "首笔"), (user("main/alice"), money("-200.5"), "")]
}

pub fn ledger_after() -> Vec<LedgerEntry> {
    let entry = |seq, amount, total, note: &str| LedgerEntry {
        seq,
        user: user("main/alice"),
        amount: money(amount),
        total_after: money(total),
        note: note.to_owned(),
        operator: somebody(),
        at: now(),
        parties: Default::default(),
        undoes: None,
        rearmed: Vec::new(),
        ended_before: None,
        with_access: false,
    };
    vec![entry(1, "1000", "1000", "首笔"), entry(2, "-200.5", "799.5", "")]
}

pub fn request() -> QuotaRequest {
    QuotaRequest {
        id: 1,
        user: user("main/alice"),
        amount: money("500"),
        reason: "双十一".to_owned(),
        until: Some(beijing_day(now())),
        by: somebody(),
        at: now(),
        state: RequestState::Open,
        cards: vec![report()],
    }
}

pub fn approval() -> Approval {
    Approval {
        id: 1,
        user: user("main/alice"),
        amount: money("50000"),
        note: "备注".to_owned(),
        until: Some(beijing_day(now())),
        by: somebody(),
        at: now(),
        request: Some((1, somebody())),
        state: ApprovalState::Waiting,
        cards: vec![report()],
    }
}

pub fn batch() -> Batch {
    let shown = ShownRow { row: batch_row(), was: Was::Quota(money("799.5")) };
    Batch {
        id: 1,
        source: BatchSource::File {
            message: "om_1".parse().unwrap(),
            key: "file_v3_1".to_owned(),
            name: "额度.csv".to_owned(),
            digest: "0a".to_owned(),
        },
        by: somebody(),
        at: now(),
        state: BatchState::Previewed { at: now() },
        plan: Some(BatchPlan {
            kind: BatchKind::Quota,
            rows: 1,
            total: money("5"),
            second: 0,
            run_free: 0,
            shown: vec![shown],
            left_out: vec![LeftOut { what: "2".to_owned(), reason: "为空".to_owned() }],
            left_out_count: 1,
        }),
        cards: vec![report()],
        told: None,
    }
}

pub fn batch_row() -> BatchRow {
    let change = RowChange::Allocate { amount: money("5"), note: "备注".to_owned(), until: None };
    BatchRow { user: user("main/alice"), change }
}

pub fn temporary() -> Temporary {
    Temporary {
        user: user("main/alice"),
        seq: 1,
        amount: money("1000"),
        last_day: beijing_day(now()),
        state: TemporaryState::Running,
    }
}

pub fn card_place() -> CardPlace {
    CardPlace {
        target: UpdateTarget::SentBy { owed: 1 },
        lane: LANE.to_owned(),
        card: UserCard::Quota,
        role: Role::Admin,
        in_group: false,
        person: Some("ou_1".parse().unwrap()),
        at: now(),
        seen: u64::MAX,
    }
}

pub fn reading() -> RecordedReading {
    let bills = [("p", "2026-10", "10.000001"), ("p", "2026-11", "5.5"), ("rest", "2026-11", "3")];
    let bills = bills.map(|(name, of, sum)| ((project(name), month(of)), money(sum)));
    let mut reading = RecordedReading::of_months(account("main"), bills, now());
    for bill in reading.bills.iter_mut().flat_map(BTreeMap::values_mut) {
        let once = bill.days.iter().filter(|((project, _), _)| project == "rest");
        bill.once = once.map(|(key, amount)| (key.clone(), *amount)).collect();
    }
    reading
}

/// One of each.
pub fn alerts() -> Vec<AlertBody> {
    let row = |freshness| BreakdownRow {
        project: project("p"),
        label: "甲".to_owned(),
        spending: money("15.500001"),
        freshness,
        shared: None,
    };
    let breakdown = vec![
        row(Freshness::Fresh(now())),
        row(Freshness::Stale(Some(now()))),
        row(Freshness::Stale(None)),
        row(Freshness::Pending),
    ];
    let figures = Figures {
        quota: money("20"),
        consumed: money("15.5"),
        unbilled: None,
        breakdown,
        month: None,
    };
    let reason = "原因".to_owned();
    let problems = [
        Problem::CyclesFailing { failures: 3, reason: reason.clone(), accounts: vec![] },
        Problem::CyclesRecovered { accounts: vec![] },
        Problem::CredentialsRefused { account: account("main"), reason: reason.clone() },
        Problem::CredentialsRecovered { account: account("main") },
        Problem::AccessDelayed { goal: AccessGoal::Cut, reason, paths: PathReports::new() },
        Problem::Test { operator: Operator::System },
    ];
    let mut alerts = vec![
        AlertBody::Warning { threshold: 60, of: Limit::Quota, figures: figures.clone() },
        AlertBody::Disable { of: Limit::Quota, figures, paths: PathReports::new() },
        AlertBody::manual(AccessGoal::Restored, somebody()),
    ];
    alerts.extend(problems.map(|problem| AlertBody::Error { problem }));
    alerts
}

pub fn report() -> Report {
    let id = "om_card".parse().unwrap();
    Report { target: UpdateTarget::Message { id }, lane: LANE.to_owned() }
}

pub fn pending() -> PendingAccess {
    PendingAccess {
        goal: AccessGoal::Cut,
        cause: AccessCause::Manual { operator: somebody() },
        since: now(),
        attempts: 4,
        next_at: now(),
        last_error: Some("HTTP 500".to_owned()),
        paths: BTreeMap::new(),
        delay_alerted: true,
        report: Some(report()),
        counted: None,
    }
}

pub fn remembered() -> RememberedAccess {
    let held =
        |scope| HeldPolicy { name: "ArkFullAccess".to_owned(), kind: PolicyKind::System, scope };
    RememberedAccess {
        paths: BTreeMap::from([
            (AccessPath::AccessKeys, vec![AccessItem::new("AKLTcarol1")]),
            (AccessPath::Login, vec![AccessItem::new(AccessItem::LOGIN)]),
        ]),
        closed: [AccessPath::AccessKeys, AccessPath::Login].into(),
        policies: vec![held(PolicyScope::Global), held(PolicyScope::Project(project("p")))],
        ..RememberedAccess::new(now())
    }
}

pub fn paths() -> PathReports {
    let report = |state, open| PathReport { state, open, closed: 2, at: now() };
    let endpoint = AccessItem::new("ep-1").named("chat").within(&project("p"));
    BTreeMap::from([
        (AccessPath::AccessKeys, report(PathState::Closed, vec![])),
        (AccessPath::Login, report(PathState::Failing { reason: "HTTP 500".to_owned() }, vec![])),
        (AccessPath::Endpoints, report(PathState::Open, vec![endpoint.clone()])),
        (
            AccessPath::ModelKeys,
            report(PathState::NotCovered { reason: NotCovered::LeftToPerson }, vec![endpoint]),
        ),
    ])
}

pub fn estimate() -> EstimateReading {
    let day = beijing_day(now());
    let model = ModelUsage { input: 3, cached: 1, output: 2, tokens: 5, ..ModelUsage::default() };
    let usage = ProjectUsage {
        read_at: now(),
        first: day,
        days: BTreeMap::from([(day, BTreeMap::from([("m".to_owned(), model)]))]),
    };
    let projects = BTreeMap::from([(project("p"), money("1.5"))]);
    EstimateReading {
        account: "main".parse().unwrap(),
        at: now(),
        evening: Some(day),
        days: Some(BTreeMap::from([(
            day,
            SharedDay { projects, hidden: money("2"), ..SharedDay::default() },
        )])),
        usage: BTreeMap::from([(project("p"), usage)]),
        state: AccountEstimate { counts: EstimateUse::Warn, ..AccountEstimate::default() },
    }
}

pub fn proof() -> Proof {
    let spender =
        Spender { project: project("p"), endpoint: "ep-1".to_owned(), key: String::new() };
    Proof {
        cut: now(),
        projects: vec![project("p")],
        state: ProofState::Unproven { reason: "HTTP 500".to_owned() },
        read_at: Some(now()),
        spenders: vec![spender],
    }
}

pub fn authorisation() -> Authorisation {
    let states = [
        GrantState::Owed,
        GrantState::Attaching,
        GrantState::Attached,
        GrantState::Held,
        GrantState::Detaching,
    ];
    let grant = |state| Grant {
        policy: format!("Policy{state:?}"),
        kind: Some(PolicyKind::Custom),
        state,
        error: Some("HTTP 500".to_owned()),
    };
    Authorisation {
        grants: states.map(grant).to_vec(),
        attempts: 2,
        report: Some(report()),
        ..Authorisation::new(user("main/carol"), PolicyScope::Project(project("p")), now())
    }
}

pub fn op() -> OpId {
    "op-1".parse().unwrap()
}

pub fn outcome() -> OpOutcome {
    OpOutcome { refused: true, succeeded: false, toast: "不行".to_owned(), at: now() }
}

pub fn creation(sealed: Option<String>) -> Creation {
    Creation {
        id: 1,
        mark: "mark-1".to_owned(),
        wanted: NewUser {
            key: user("main/dave"),
            display_name: "戴夫".to_owned(),
            email: "dave@example.com".to_owned(),
            phone: "13800000004".to_owned(),
            project: Some(project("p")),
            quota: Some(money("50")),
            login: true,
            access_key: true,
        },
        form: BTreeMap::from([("username".to_owned(), "dave".to_owned())]),
        operator: somebody(),
        entered_by: None,
        ops: vec![op()],
        running: true,
        user: Step::Done,
        linked: true,
        booked: true,
        waits_for_second: false,
        login: Step::Tried,
        key: KeyStep::Tried { before: vec!["AKLTdave1".to_owned()], at: now(), own: None },
        sealed,
        sent: SecretsSent::Lost { reason: "没了".to_owned() },
        halt: Some(Halt::Cloud { reason: "HTTP 500".to_owned() }),
        report: Some(report()),
        created: now(),
    }
}

/// One of each kind of dispatch, all in one lane, with two more in front. The third carries an alert and mentions
/// somebody.
pub fn messages(sealed: &str) -> Vec<NewMessage> {
    let card = || r#"{"schema":"2.0"}"#.to_owned();
    let (chat, person) = ("oc_1".parse().unwrap(), "ou_1".parse().unwrap());
    let to_chat = Dispatch::ToChat { chat, card: card() };
    let (message, by_id) = ("om_1".parse().unwrap(), UpdateTarget::SentBy { owed: 1 });
    let place = FilePlace::Message { id: "om_1".parse().unwrap() };
    let at_person = FilePlace::Person { id: "ou_1".parse().unwrap() };
    let file = |place| Dispatch::File {
        place,
        table: "users".to_owned(),
        name: "airgate-users.csv".to_owned(),
    };
    let new = |dispatch| NewMessage::new(LANE, dispatch, now());
    vec![
        new(to_chat.clone()),
        new(to_chat.clone()),
        new(to_chat.clone()).for_alert(Some(1)).mentioning(vec!["138".to_owned()]),
        new(to_chat).plain(),
        new(Dispatch::ToPerson { person, card: card() }),
        new(Dispatch::Reply { to: message, card: card() }),
        new(Dispatch::Update { target: by_id, card: card() }),
        new(Dispatch::Update { target: report().target, card: card() }),
        new(Dispatch::Secret {
            person: "ou_1".parse().unwrap(),
            sealed: sealed.to_owned(),
            creation: 1,
        }),
        new(file(place)),
        new(file(at_person)),
        new(Dispatch::Webhook { card: card() }),
    ]
}

/// The owed message that a new one becomes.
pub fn owed(new: NewMessage, id: u64, uuid: &str) -> OwedMessage {
    OwedMessage {
        id,
        lane: new.lane,
        dispatch: new.dispatch,
        uuid: uuid.to_owned(),
        created: now(),
        not_before: new.not_before,
        attempts: 0,
        first_tried: None,
        last_tried: None,
        failing_since: None,
        last_error: None,
        alert: new.alert,
        mention_mobiles: new.mention_mobiles,
        mention_people: new.mention_people,
        plain: new.plain,
        tells_owner_of: new.tells_owner_of,
        tells_owner: new.tells_owner,
    }
}

/// The same after a failed attempt.
pub fn tried(owed: OwedMessage) -> OwedMessage {
    let last_error = Some("HTTP 500".to_owned());
    OwedMessage { attempts: 3, first_tried: Some(now()), last_error, ..owed }
}

/// One of each.
pub fn tasks(waiting: &str) -> Vec<TaskKind> {
    let profile = Profile {
        display_name: Some("爱丽丝".to_owned()),
        email: Some(String::new()),
        phone: None,
    };
    vec![
        TaskKind::Sync,
        TaskKind::MonitorRun,
        TaskKind::CreateUser { creation: 1 },
        TaskKind::RefreshProjects { account: account("main"), user: user("main/alice") },
        TaskKind::UpdateProfile { user: user("main/alice"), profile, owner_mobile: None },
        TaskKind::CheckAccount {
            account: account("main"),
            name: "云上主体".to_owned(),
            pair: waiting.to_owned(),
            known: true,
        },
        TaskKind::ReadBalances,
    ]
}

pub fn settings() -> SavedSettings {
    SavedSettings {
        thresholds: Some(Thresholds::new([70, 90]).unwrap()),
        interval_seconds: Some(600),
        alert_chat: Some(Some("oc_1".parse().unwrap())),
        webhook_url: Some(None),
        mobiles: Some(vec!["13800000001".to_owned()]),
        people: Vec::new(),
        digest: None,
        updated: Some(now()),
    }
}

pub fn monitor() -> MonitorState {
    let reading = AccountReading {
        account: account("main"),
        periods: vec![month("2026-10"), month("2026-11")],
        rows: 300,
        calls: 2,
        error: Some("HTTP 500".to_owned()),
        credentials_refused: true,
        warning: Some("split bills".to_owned()),
    };
    let last = CycleReport {
        started: now(),
        ended: now(),
        outcome: CycleOutcome::Error,
        accounts: vec![reading],
        users: 3,
        warnings: 1,
        disables: 1,
    };
    MonitorState {
        outlooks: BTreeMap::new(),
        last: Some(last),
        last_success: Some(now()),
        failures_in_a_row: 3,
        failing_alerted: true,
        refused_accounts: vec![account("main")],
        incidents: std::collections::BTreeMap::new(),
    }
}
