//! Facts for test cards of settings, accounts and a person's own users.

use std::time::Duration;

use super::samples::{self, Size, ago, amount, text};
use crate::app::accounts::{AccountRow, AccountsView};
use crate::app::me::{MeView, MyUser};
use crate::app::settings::SettingsView;
use crate::domain::*;

pub fn settings(size: Size) -> SettingsView {
    let small = size == Size::Small;
    let configured = Settings {
        thresholds: Thresholds::default(),
        interval: Duration::from_secs(3600),
        alert_chat: Some("oc_5ad11d72b830411d72b836c20".parse().unwrap()),
        webhook_url: Some("https://open.feishu.cn/open-apis/bot/v2/hook/s3cret".to_owned()),
        mobiles: vec!["13800000001".to_owned()],
        people: Vec::new(),
        approval: Default::default(),
        notify_owners: true,
        digest: None,
    };
    let saved = SavedSettings {
        thresholds: (!small).then(|| Thresholds::new(491..=500).unwrap()),
        interval_seconds: Some(if small { 1800 } else { 604_799 }),
        alert_chat: (!small).then(|| Some("x".repeat(200).parse().unwrap())),
        webhook_url: None,
        mobiles: (!small).then(|| vec!["+12345678901234567890".to_owned(); 20]),
        people: super::samples::people(size).into_iter().take(if small { 1 } else { 20 }).collect(),
        digest: Some(DigestKind::Week),
        updated: Some(ago(30)),
    };
    let chat_name = Some(if small { "云账单告警".to_owned() } else { text(size, 200) });
    let people = super::samples::people(size).into_iter();
    let people = people.map(|person| (person, Some(text(size, 60)))).collect();
    SettingsView { chat_name, people, ..SettingsView::new(saved, &configured) }
}

pub fn no_settings() -> SettingsView {
    let saved = SavedSettings::default();
    let settings = Settings {
        thresholds: Thresholds::default(),
        interval: Duration::from_secs(3600),
        alert_chat: None,
        webhook_url: None,
        mobiles: vec![],
        people: Vec::new(),
        approval: Default::default(),
        notify_owners: true,
        digest: None,
    };
    SettingsView::new(saved, &settings)
}

fn account(size: Size, i: usize) -> Account {
    Account {
        id: if size == Size::Small { format!("main-{i}") } else { "a".repeat(32) }.parse().unwrap(),
        name: if size == Size::Small { "生产账号".to_owned() } else { text(size, 200) },
        hint: "AKLT…0001".to_owned(),
        number: None,
        pair_checked: false,
        active: Switch::from(i != 1),
        created: ago(100),
        updated: ago(10),
    }
}

pub fn accounts(size: Size, replacing: bool) -> AccountsView {
    let small = size == Size::Small;
    let rows = (0..if small { 3 } else { crate::app::accounts::ACCOUNTS_A_PAGE })
        .map(|i| AccountRow {
            account: account(size, i),
            balance: (i != 1).then(|| BalanceReading {
                available: (i == 0).then(|| amount(size, "-12345.6")),
                error: (i != 0)
                    .then(|| if small { "AccessDenied".to_owned() } else { text(size, 2000) }),
                at: ago(1),
            }),
            users: 13,
        })
        .collect();
    AccountsView {
        accounts: rows,
        page: 1,
        pages: if small { 1 } else { 500 },
        total: if small { 3 } else { 2999 },
        replacing: replacing.then(|| account(size, 0)),
    }
}

pub fn no_accounts() -> AccountsView {
    AccountsView { accounts: vec![], page: 1, pages: 1, total: 0, replacing: None }
}

pub fn me(size: Size) -> MeView {
    let small = size == Size::Small;
    let users = (0..if small { 2 } else { 9 })
        .map(|i| {
            let mut user = samples::user(size, i);
            user.month_limit = samples::limited_detail(size).user.month_limit;
            MyUser {
                unbilled: None,
                hidden: None,
                account_name: account(size, 0).name,
                condition: samples::condition(&user),
                stale: (i == 1 || !small).then(|| Some(ago(26))),
                total: amount(size, "5218.40"),
                month: samples::limited_detail(size).month.filter(|_| i == 0),
                forecast: samples::limited_detail(size).forecast.filter(|_| i == 0),
                projects: samples::billing_projects(size, if small { 3 * i } else { 60 }),
                request: None,
                days: Default::default(),
                user,
            }
        })
        .collect();
    MeView { period: "2026-11".parse().unwrap(), users, one_of_many: false }
}
