//! Facts for test cards.

use jiff::{Timestamp, ToSpan};

use super::*;
use crate::app::outcome::{
    AccessView, BillingProject, BillingUser, BillingView, ProjectsView, QuotaView, UserDetail,
    UserFilter, UserMonths, UserRow, UserSort, UsersPage,
};
use crate::domain::*;

/// How demanding the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// That of a small company.
    Small,
    /// Full pages, long names, huge amounts.
    Large,
    /// Full pages of markup, template syntax, invisible characters and those with the longest escapes.
    Hostile,
}

/// Monday morning in Beijing.
pub fn now() -> Timestamp {
    "2026-11-23T01:05:07Z".parse().unwrap()
}

pub(super) fn ago(hours: i64) -> Timestamp {
    now().checked_sub(hours.hours()).unwrap()
}

/// Free text of `chars` characters.
pub fn text(size: Size, chars: usize) -> String {
    let seed = match size {
        Size::Small => return "研发部测试环境，11 月预算".chars().take(chars).collect(),
        Size::Large => "华东区智能客服与内容审核联合研发中心 Platform Engineering ",
        Size::Hostile => {
            "~~<at id=all></at>**X{{ 7*7 }}X**{% raw %}[点我](https://evil.example)`\"'\\|$x_y_#@${z}\
             \u{202E}שלום\u{0}\u{7}\r\n- 😀👩‍💻<font color='red'>!</font>&lt;|--|--|"
        }
    };
    seed.chars().cycle().take(chars).collect()
}

/// The `i`th user.
pub fn key(size: Size, i: usize) -> UserKey {
    let name = match size {
        Size::Small => {
            let names =
                ["alice", "bob", "carol", "data-pipeline", "erin", "frank", "grace", "heidi"];
            names[i % names.len()].to_owned()
        }
        Size::Large => format!("{}{i}", "very-long-user-name-".repeat(3)),
        // All allowed characters with the longest escapes.
        Size::Hostile => {
            format!("{i}{}", "~\\\"{*😀<\u{202E}_".repeat(8).chars().take(62).collect::<String>())
        }
    };
    let account = if size == Size::Small { "main".to_owned() } else { "a".repeat(32) };
    UserKey::new(account.parse().unwrap(), name.parse().unwrap())
}

pub(super) fn display(size: Size, i: usize) -> String {
    match size {
        Size::Small => {
            ["王小明", "李雷", "", "数据管道", "Erin Zhao", "冯伟", "", "海蒂"][i % 8].to_owned()
        }
        _ => text(size, 200),
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(super) fn amount(size: Size, small: &str) -> Money {
    match size {
        Size::Small => money(small),
        _ => money("9999999999.994999"),
    }
}

/// The `i`th user. Usage differs from row to row.
pub fn user(size: Size, i: usize) -> User {
    let mut user = User::new(key(size, i), ago(24 * 90));
    user.display_name = display(size, i);
    user.cloud_id = format!("{i:08}");
    user.status =
        [UserStatus::Active, UserStatus::Active, UserStatus::Unknown, UserStatus::Disabled][i % 4];
    let (quota, consumed) =
        [("10000", "5230.4"), ("2000", "1712.35"), ("0", "0"), ("500", "612.5"), ("88000", "120")]
            [i % 5];
    if size == Size::Small {
        user.quota = money(quota);
        user.consumed = money(consumed);
    } else {
        user.quota = money("999999999999.99");
        user.consumed = money("9999999999999.99");
        user.email = text(size, 200);
        user.phone = text(size, 200);
    }
    user.access_keys = (0..if size == Size::Small { 2 } else { 12 })
        .map(|k| AccessKeyInfo {
            id: match size {
                Size::Small => format!("AKLTEXAMPLE000{k}"),
                _ => text(size, 80),
            },
            active: Switch::from(k == 0),
        })
        .collect();
    user.login = Some(Switch::On);
    user.access_read_at = Some(ago(30));
    user.spending_updated_at = Some(ago(1));
    user.remark = text(size, 500);
    user.owner = Some("ou_0123456789".parse().unwrap());
    user.triggered = [50].into();
    user
}

pub fn condition(user: &User) -> Condition {
    Condition::of_user(user, None, Switch::On, true, &Thresholds::default())
}

pub(super) fn project(size: Size, i: usize) -> ProjectName {
    match size {
        Size::Small => ["web-prod", "api-gateway", "ark-llm", "default"][i % 4].parse().unwrap(),
        Size::Large => format!("{}{i}", "project-name-".repeat(15)).parse().unwrap(),
        Size::Hostile => {
            format!("{i}{}", "~\\\"{*|😀<_".repeat(22).chars().take(196).collect::<String>())
                .parse()
                .unwrap()
        }
    }
}

pub(super) fn label(size: Size, i: usize) -> String {
    match size {
        Size::Small => ["官网生产", "", "大模型推理", "default"][i % 4].to_owned(),
        _ => format!("{i}{}", text(size, 199)),
    }
}

fn freshness(i: usize) -> Freshness {
    match i % 4 {
        0 | 1 => Freshness::Fresh(ago(1)),
        2 => Freshness::Stale(Some(ago(26))),
        _ => Freshness::Pending,
    }
}

pub(super) fn links(size: Size, user: &User, count: usize) -> Vec<ProjectLink> {
    (0..count)
        .map(|i| ProjectLink {
            user: user.key.clone(),
            project: project(size, i),
            display_name: label(size, i),
            monitored: Switch::from(i % 4 != 3),
            since: "2026-09".parse().unwrap(),
            counts: Counts::Whole,
            spending: amount(size, ["3210.456", "1520", "499.944", "12"][i % 4]),
            freshness: if size == Size::Small {
                freshness(i)
            } else {
                Freshness::Stale(Some(ago(26)))
            },
            created: ago(24 * 60),
        })
        .collect()
}

pub(super) fn pending(goal: AccessGoal, size: Size) -> PendingAccess {
    PendingAccess {
        goal,
        cause: AccessCause::QuotaUsedUp,
        since: ago(1),
        attempts: 3,
        next_at: now(),
        last_error: Some(match size {
            Size::Small => "UpdateAccessKey: InternalError".to_owned(),
            _ => text(size, 2000),
        }),
        paths: Default::default(),
        delay_alerted: true,
        report: None,
        counted: None,
    }
}

pub fn users(size: Size) -> UsersPage {
    let count = if size == Size::Small { 5 } else { USERS_A_PAGE };
    let rows: Vec<UserRow> = (0..count)
        .map(|i| {
            let user = user(size, i);
            UserRow {
                ambiguous: size != Size::Small,
                condition: condition(&user),
                month: None,
                spent: (size != Size::Small).then(|| amount(size, "123.45")),
                pending: (i == 1 || size != Size::Small).then(|| pending(AccessGoal::Cut, size)),
                projects: (0..if size == Size::Small { i } else { 40 })
                    .map(|p| {
                        (
                            if label(size, p).is_empty() {
                                project(size, p).to_string()
                            } else {
                                label(size, p)
                            },
                            p % 4 != 3,
                        )
                    })
                    .collect(),
                stale: match i {
                    0 if size == Size::Small => None,
                    3 => Some(None),
                    1 => None,
                    _ => Some(Some(ago(26))),
                },
                user,
            }
        })
        .collect();
    let small = size == Size::Small;
    UsersPage {
        page: if small { 1 } else { 11_999 },
        pages: if small { 2 } else { 12_500 },
        matching: if small { 13 } else { 100_000 },
        counts: if small { [13, 2, 1, 4, 0, 3, 1] } else { [100_000; 7] },
        accounts: (0..if small { 0 } else { 30 })
            .map(|i| (format!("account-{i}").parse().unwrap(), text(size, 200)))
            .collect(),
        place: ListPlace {
            page: if small { 1 } else { 11_999 },
            filter: if small { UserFilter::All } else { UserFilter::NoProject },
            query: if small { String::new() } else { text(size, 500) },
            sort: if small { UserSort::Usage } else { UserSort::Month },
            account: (!small).then(|| "account-2".parse().unwrap()),
        },
        total_quota: amount(size, "100500"),
        rows,
    }
}

pub fn no_users() -> UsersPage {
    UsersPage {
        rows: vec![],
        page: 1,
        pages: 1,
        matching: 0,
        counts: [0; 7],
        accounts: Vec::new(),
        place: ListPlace { page: 1, ..ListPlace::default() },
        total_quota: Money::ZERO,
    }
}

/// The people that the form of a user's settings offers as owner, the current owner included.
pub fn people(size: Size) -> Vec<OpenId> {
    let others = if size == Size::Small { 2 } else { 99 };
    let owner = user(size, 0).owner;
    let others = (0..others).map(|i| format!("ou_{i:032x}").parse().unwrap());
    owner.into_iter().chain(others).collect()
}

pub fn detail(size: Size) -> UserDetail {
    let user = user(size, 0);
    UserDetail {
        unbilled: None,
        hidden: None,
        account_name: if size == Size::Small { "生产账号".to_owned() } else { text(size, 200) },
        shared: shared(size, &user),
        links: links(size, &user, if size == Size::Small { 4 } else { 60 }),
        thresholds: Thresholds::default(),
        condition: condition(&user),
        pending: None,
        remembered: None,
        paths: PathReports::new(),
        proof: None,
        month: None,
        spent: Some(amount(size, "1050")),
        forecast: None,
        undoable: None,
        owner_name: Some(if size == Size::Small {
            "王小明".to_owned()
        } else {
            text(size, 200)
        }),
        days: DayChart::default(),
        user,
    }
}

/// A user with a month limit, of which most is spent.
pub fn limited_detail(size: Size) -> UserDetail {
    let mut detail = detail(size);
    let period = "2026-11".parse().unwrap();
    detail.user.month_limit = Some(amount(size, "3000").try_into().unwrap());
    detail.user.trigger_in(period, [50, 80]);
    detail.month = Some(Month { period, spent: amount(size, "2512.345"), is_read: true });
    let to = "2026-11-21".parse().unwrap();
    detail.forecast = Some(Forecast {
        rate: Rate { spent: amount(size, "700.5"), days: 7, to },
        runs_out: Some(RunsOut { on: "2026-11-26".parse().unwrap(), of: Limit::Month }),
        month_end: amount(size, "3412.345"),
    });
    detail
}

pub fn pending_detail(size: Size) -> UserDetail {
    let mut detail = detail(size);
    detail.user.consumed = money("10230.4");
    detail.condition = Condition::Over;
    detail.pending = Some(pending(AccessGoal::Cut, size));
    detail
}

pub fn disabled_detail(size: Size) -> UserDetail {
    let mut detail = detail(size);
    detail.user.consumed = money("10230.4").max(detail.user.consumed);
    detail.user.status = UserStatus::Disabled;
    detail.user.login = Some(Switch::Off);
    detail.condition = Condition::Over;
    let keys = detail.user.access_keys.iter().map(|key| AccessItem::new(&key.id)).collect();
    let mut remembered = RememberedAccess::new(ago(3));
    remembered.paths.insert(AccessPath::AccessKeys, keys);
    remembered.paths.insert(AccessPath::Login, vec![AccessItem::new(AccessItem::LOGIN)]);
    detail.remembered = Some(remembered);
    detail
}

/// The question about a user: every other project is shared.
pub fn access(size: Size, detail: UserDetail) -> AccessView {
    let others = |i: usize| {
        let count = if size == Size::Small { 1 + i } else { 60 };
        (0..count).map(|n| key(size, n + 1)).collect()
    };
    let shared = detail.links.iter().step_by(2).enumerate();
    let sharers = shared.map(|(i, link)| (link.project.clone(), others(i))).collect();
    AccessView { detail, sharers }
}

pub fn gone_detail(size: Size) -> UserDetail {
    let mut detail = detail(size);
    detail.user.status = UserStatus::Gone;
    detail.user.access_keys.clear();
    detail.user.access_read_at = None;
    detail.user.spending_updated_at = None;
    detail.user.remark.clear();
    detail.links.clear();
    detail
}

pub fn projects(size: Size) -> ProjectsView {
    let user = user(size, 0);
    let small = size == Size::Small;
    ProjectsView {
        links: links(size, &user, if small { 4 } else { LINKS_A_PAGE }),
        page: 1,
        pages: if small { 1 } else { 70 },
        total: if small { 4 } else { 555 },
        monitored: if small { 3 } else { 444 },
        candidates: (10..if small { 12 } else { 110 })
            .map(|i| ProjectInfo {
                account: user.key.account.clone(),
                name: if small { format!("lab-{i}").parse().unwrap() } else { project(size, i) },
                display_name: if i % 2 == 0 { label(size, i) } else { String::new() },
            })
            .collect(),
        more_candidates: if small { 0 } else { 400 },
        listed_at: Some(ago(2)),
        current: BillPeriod::of(now()),
        authorisations: authorisations(size, &user),
        suspended: false,
        shared: shared(size, &user),
        taken: [(
            if size == Size::Small { "lab-11".parse().unwrap() } else { project(size, 11) },
            vec![key(size, 1), key(size, 2)],
        )]
        .into(),
        user,
    }
}

/// How the user shares its first two projects.
fn shared(size: Size, user: &User) -> Vec<Sharing> {
    let links = links(size, user, 2);
    let counts = [Counts::Part, Counts::Whole];
    let others = if size == Size::Small { 1..2 } else { 1..30 };
    let with: Vec<UserKey> = others.map(|n| key(size, n)).collect();
    links
        .into_iter()
        .zip(counts)
        .map(|(link, counts)| Sharing {
            project: link.project,
            with: with.clone(),
            more: 0,
            counts,
        })
        .collect()
}

fn authorisations(size: Size, user: &User) -> Vec<Authorisation> {
    use GrantState::*;
    let count = if size == Size::Small { 5 } else { LINKS_A_PAGE + 9 };
    (0..count)
        .map(|i| {
            // The last ones are no longer linked.
            let project = if size == Size::Small && i == 4 {
                "old-web".parse().unwrap()
            } else {
                project(size, i)
            };
            let scope = if i == 3 { PolicyScope::Global } else { PolicyScope::Project(project) };
            let mut made = Authorisation::new(user.key.clone(), scope, ago(1));
            let states = if i == 4 { &[Detaching][..] } else { &[Attached, Attaching, Held, Owed] };
            made.grants = states
                .iter()
                .cycle()
                .take(if size == Size::Small { states.len() } else { 30 })
                .enumerate()
                .map(|(g, state)| Grant {
                    policy: match size {
                        Size::Small => ["ArkFullAccess", "TOSFullAccess"][g % 2].to_owned(),
                        _ => text(size, 64),
                    },
                    kind: None,
                    state: *state,
                    error: (size != Size::Small || (i == 1 && g == 1)).then(|| match size {
                        Size::Small => "AttachPolicyInProject: PolicyNotExist".to_owned(),
                        _ => text(size, 300),
                    }),
                })
                .collect();
            made
        })
        .collect()
}

pub fn no_projects() -> ProjectsView {
    ProjectsView {
        user: user(Size::Small, 2),
        links: vec![],
        page: 1,
        pages: 1,
        total: 0,
        monitored: 0,
        candidates: vec![],
        more_candidates: 0,
        listed_at: None,
        current: BillPeriod::of(now()),
        authorisations: vec![],
        suspended: true,
        shared: vec![],
        taken: BTreeMap::new(),
    }
}

pub fn quota(size: Size) -> QuotaView {
    let user = user(size, 1);
    let person = |name: &str| Operator::Person {
        open_id: "ou_0123456789".parse().unwrap(),
        name: Some(name.to_owned()),
    };
    let notes = ["Q4 追加", "误划，扣回", "10 月预算", "首次划拨"];
    let entries = (0..if size == Size::Small { 4 } else { 10 })
        .map(|i| LedgerEntry {
            seq: 10 - i as u64,
            user: user.key.clone(),
            amount: amount(size, ["500", "-200.5", "700.5", "1000"][i % 4]),
            total_after: amount(size, ["2000", "1500", "1700.5", "1000"][i % 4]),
            note: if size == Size::Small { notes[i % 4].to_owned() } else { text(size, 500) },
            operator: match i {
                3 => Operator::System,
                _ if size == Size::Small => person("王小明"),
                _ => person(&text(size, 200)),
            },
            at: ago(i as i64 * 100),
            parties: Default::default(),
            undoes: None,
            rearmed: Vec::new(),
            ended_before: None,
            with_access: false,
        })
        .collect();
    QuotaView {
        temporary: Vec::new(),
        approvals: Vec::new(),
        condition: condition(&user),
        thresholds: user.thresholds.clone().unwrap_or_default(),
        entries,
        total_entries: if size == Size::Small { 4 } else { 12_345 },
        stale: Some(Some(ago(26))),
        offers: offers(user.quota, user.consumed),
        undoable: None,
        pending: None,
        can_restore: false,
        user,
    }
}

pub fn no_quota() -> QuotaView {
    QuotaView {
        user: user(Size::Small, 2),
        condition: Condition::Unallocated { spends: false },
        thresholds: Thresholds::default(),
        entries: vec![],
        total_entries: 0,
        stale: None,
        temporary: Vec::new(),
        approvals: Vec::new(),
        offers: offers(Money::ZERO, Money::ZERO),
        undoable: None,
        pending: None,
        can_restore: false,
    }
}

pub fn billing_projects(size: Size, count: usize) -> Vec<BillingProject> {
    (0..count)
        .map(|i| BillingProject {
            project: project(size, i),
            label: if label(size, i).is_empty() {
                project(size, i).to_string()
            } else {
                label(size, i)
            },
            amount: amount(size, ["3210.456", "1520", "499.944", "-12"][i % 4]),
            shared: (i == 1).then(|| Sharing {
                project: project(size, i),
                with: vec![key(size, 2)],
                more: 0,
                counts: Counts::Part,
            }),
            freshness: match size {
                Size::Small if i == 3 => None,
                Size::Small => Some(freshness(i)),
                _ => Some(Freshness::Stale(Some(ago(26)))),
            },
        })
        .collect()
}

pub fn billing(size: Size) -> BillingView {
    let small = size == Size::Small;
    let count = if small { 3 } else { BILLING_USERS_A_PAGE };
    BillingView {
        estimates: Vec::new(),
        period: "2026-11".parse().unwrap(),
        periods: ("2024-12".parse::<BillPeriod>().unwrap())
            .through("2026-11".parse().unwrap())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .take(if small { 3 } else { 24 })
            .collect(),
        users: (0..count)
            .map(|i| BillingUser {
                key: key(size, i),
                display_name: display(size, i),
                ambiguous: !small,
                total: amount(size, ["5218.40", "1712.35", "120"][i % 3]),
                projects: billing_projects(size, if small { 4 - i } else { 30 }),
                stale: (i == 0 || !small).then(|| Some(ago(26))),
            })
            .collect(),
        page: 1,
        pages: if small { 1 } else { 12_500 },
        total_users: if small { 3 } else { 100_000 },
        total: amount(size, "7050.75"),
        recent: ("2026-06".parse::<BillPeriod>().unwrap())
            .through("2026-11".parse().unwrap())
            .map(|period| (period, amount(size, "7050.754")))
            .collect(),
        of_user: None,
        shares: Vec::new(),
        unread: Vec::new(),
        month_end: None,
        change: None,
        days: DayChart::default(),
    }
}

pub fn billing_of_user(size: Size) -> BillingView {
    let mut view = billing(size);
    view.users.truncate(1);
    view.pages = 1;
    if size != Size::Small {
        view.users[0].projects = billing_projects(size, crate::app::billing::PROJECTS_A_PAGE);
        view.pages = 3;
    }
    let months = if size == Size::Small { 3 } else { 24 };
    view.of_user = Some(UserMonths {
        user: user(size, 0),
        months: view
            .periods
            .iter()
            .take(months)
            .map(|period| (*period, amount(size, "5218.40")))
            .collect(),
    });
    view
}

pub fn no_billing() -> BillingView {
    let mut view = billing(Size::Small);
    view.users.clear();
    view.total = Money::ZERO;
    view.total_users = 0;
    view
}
