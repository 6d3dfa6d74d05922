//! Cards of creating a user.

use super::samples::{self, Size};
use super::*;
use crate::app::create::CreateView;
use crate::domain::*;

fn account(size: Size, i: usize) -> Account {
    Account {
        id: ["main", "labs"]
            .get(i)
            .map_or_else(|| format!("account-{i}"), |id| (*id).to_owned())
            .parse()
            .unwrap(),
        name: if size == Size::Small {
            ["生产账号", "实验账号"][i].to_owned()
        } else {
            samples::text(size, 200)
        },
        hint: "AKLT…0001".to_owned(),
        number: None,
        pair_checked: false,
        active: Switch::On,
        created: samples::now(),
        updated: samples::now(),
    }
}

fn view(size: Size, accounts: usize, projects: usize) -> CreateView {
    let accounts: Vec<Account> = (0..accounts).map(|i| account(size, i)).collect();
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
    let projects = (0..projects)
        .map(|i| {
            let name = match size {
                Size::Small => ["web-prod", "ark-llm", "lab"][i % 3].to_owned(),
                Size::Large => format!("{}{i}", "project-name-".repeat(15)),
                Size::Hostile => format!("{i}{}", "~\\\"{*|😀<_".repeat(20)),
            };
            let project = ProjectInfo {
                account: ids[0].clone(),
                name: name.chars().take(200).collect::<String>().parse().unwrap(),
                display_name: if i % 3 == 1 { String::new() } else { samples::text(size, 200) },
            };
            (project, ids.clone())
        })
        .collect();
    CreateView { accounts, projects, more_projects: if size == Size::Small { 0 } else { 300 } }
}

fn creation(size: Size) -> Creation {
    let text = |chars| samples::text(size, chars);
    Creation {
        id: 7,
        mark: "mark".to_owned(),
        wanted: NewUser {
            key: samples::key(size, 0),
            display_name: text(128),
            email: text(200),
            phone: text(20),
            project: Some("web-prod".parse().unwrap()),
            quota: Some("1000".parse().unwrap()),
            login: true,
            access_key: true,
        },
        form: BTreeMap::new(),
        operator: Operator::Person {
            open_id: "ou_0123456789".parse().unwrap(),
            name: Some(text(12)),
        },
        entered_by: None,
        ops: vec![],
        running: false,
        user: Step::Done,
        linked: true,
        booked: true,
        waits_for_second: false,
        login: Step::Done,
        key: KeyStep::Done { id: "AKLTEXAMPLE0001".to_owned() },
        sealed: None,
        sent: SecretsSent::Sent,
        halt: None,
        report: None,
        created: samples::now(),
    }
}

fn halted(size: Size, creation: Creation) -> Creation {
    let reason = match size {
        Size::Small => "CreateAccessKey: the access key may not do this".to_owned(),
        _ => samples::text(size, 2000),
    };
    Creation { halt: Some(Halt::Cloud { reason }), ..creation }
}

pub fn all(cards: &Cards, ctx: &CardContext, size: Size, push: &mut impl FnMut(&str, Card)) {
    let small = size == Size::Small;
    let (several, many) = if small { (2, 3) } else { (10, 200) };
    push("create", cards.create(&view(size, 1, many), ctx));
    push("create_accounts", cards.create(&view(size, several, many), ctx));
    push("create_unlisted", cards.create(&view(size, 1, 0), ctx));
    push("creating", cards.creating(&samples::key(size, 0), ctx));
    push("creation", cards.creation(&creation(size), "云上主体", ctx));
    let half = Creation { key: KeyStep::Open, ..creation(size) };
    push("creation_half", cards.creation(&halted(size, half), "云上主体", ctx));
    let unclear = Creation {
        user: Step::Tried,
        linked: false,
        booked: false,
        waits_for_second: false,
        login: Step::Open,
        key: KeyStep::Open,
        sent: SecretsSent::None,
        ..creation(size)
    };
    push("creation_unclear", cards.creation(&halted(size, unclear), "云上主体", ctx));
    let reason = samples::text(size, 300);
    let lost = Creation { sent: SecretsSent::Lost { reason }, ..creation(size) };
    push("creation_lost", cards.creation(&lost, "云上主体", ctx));
    let user = samples::key(size, 0);
    let secrets = cards.secrets(&SecretsView {
        user: &user,
        password: Some("aB3-example_password"),
        access_key: Some(("AKLTEXAMPLE0001", "example-secret==")),
        account: "云上主体",
        account_number: Some(AccountNumber::new(2_100_000_001)),
    });
    push("secrets", Card { json: secrets.to_string(), shows: None });
}

#[test]
fn a_refused_form_comes_back_as_it_was() {
    let cards = Cards::new(Locale::ZhCn, OpIds::Counter);
    let typed = [
        ("username", "al ice"),
        ("email", "a@b.cn"),
        ("project", "lab"),
        ("account", "labs"),
        ("login", "false"),
        ("access_key", "true"),
    ];
    let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let ctx = CardContext::new(Role::Admin, samples::now()).with_form(typed.into());
    let card = cards.create(&view(Size::Small, 2, 3), &ctx).value();
    let mut all = Vec::new();
    objects(&card, &mut all);
    let field = |name: &str, member: &str| {
        all.iter().find(|o| o.get("name") == Some(&name.into())).unwrap()[member].clone()
    };
    assert_eq!(field("username", "default_value"), "al ice");
    assert_eq!(field("email", "default_value"), "a@b.cn");
    assert_eq!(field("project", "initial_option"), "lab");
    assert_eq!(field("account", "initial_option"), "labs");
    assert_eq!(field("login", "checked"), false);
    assert_eq!(field("access_key", "checked"), true);
}
