//! Compares the records of both sides: nothing acknowledged is missing, nothing exists twice, and nothing exists that
//! nobody requested.

use std::collections::BTreeMap;

use airgate::domain::{
    AccessGoal, AlertBody, AlertKind, AlertRecord, Money, Notice, Problem, UserStatus,
};
use airgate::sandbox::feishu::{Message, Sender};
use airgate::sandbox::world::{KeyStatus, PolicyScope};
use airgate::store::{Store, StoreError};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::holdings;
use crate::shared::cards::text_of;
use crate::shared::text::{fragment, phrase, text};
use crate::stage::{
    ALERTS, HOOK, PLANNERS, POLICY, RACERS, SPENDERS, Stage, TUNED, counted, cut, everybody, key,
};

/// How many items are owed.
pub fn owed(store: &Store) -> usize {
    store
        .read(|tx| {
            let access = tx.all_access_pending()?.len();
            let policies = tx.authorisations_owed()?.len();
            Ok::<_, StoreError>(tx.owed_count()? + tx.tasks()?.len() + access + policies)
        })
        .unwrap()
}

/// While clients are still working: every acknowledged allocation is booked once, and ledgers add up.
pub fn midway(stage: &Stage) {
    stage.in_store(|store| {
        let acknowledged = stage.books.lock().ledger.clone();
        let found = ledger(stage, store);
        for (entry, amount) in &acknowledged {
            assert_eq!(found.get(entry), Some(amount), "seed {}: {entry:?}", stage.seed);
        }
    });
}

/// Every ledger entry by user and note, after checking that none is booked twice and that they add up.
fn ledger(stage: &Stage, store: &Store) -> BTreeMap<(String, String), Money> {
    let seed = stage.seed;
    let mut found = BTreeMap::new();
    for user in store.read(|tx| tx.users()).unwrap() {
        let name = user.key.username.to_string();
        let (mut entries, count) = store.read(|tx| tx.ledger(&user.key, usize::MAX)).unwrap();
        entries.reverse();
        assert_eq!(entries.len() as u64, count, "seed {seed}: {name}");
        let mut total = Money::ZERO;
        for (entry, seq) in entries.into_iter().zip(1..) {
            total += entry.amount;
            assert_eq!((entry.seq, entry.total_after), (seq, total), "seed {seed}: {name}");
            let before = found.insert((name.clone(), entry.note.clone()), entry.amount);
            assert_eq!(before, None, "seed {seed}: {name}: {} is booked twice", entry.note);
        }
        assert_eq!(user.quota, total, "seed {seed}: {name}: quota and ledger");
    }
    found
}

/// After everything has settled and the process has ended.
pub fn everything(stage: &Stage) {
    stage.in_store(|store| {
        assert_eq!(owed(store), 0, "seed {}", stage.seed);
        let failed = store.read(|tx| tx.failed_messages(100)).unwrap();
        assert!(failed.is_empty(), "seed {}: given up: {failed:#?}", stage.seed);
        allocations(stage, store);
        links(stage, store);
        access(stage, store);
        creations(stage, store);
        for user in TUNED {
            let wanted = stage.books.lock().remarks.get(user).cloned().unwrap_or_default();
            let record = store.read(|tx| tx.user(&key(user))).unwrap().unwrap();
            assert_eq!(record.remark, wanted, "seed {}", stage.seed);
        }
        let (mut alerts, _) = store.read(|tx| tx.alerts(None, None, 0, usize::MAX)).unwrap();
        alerts.reverse();
        causes(stage, &alerts);
        deliveries(stage, &alerts);
    });
    replies(stage);
    backups(stage);
}

fn allocations(stage: &Stage, store: &Store) {
    let books = stage.books.lock();
    let mut wanted = books.ledger.clone();
    for (user, quota) in &books.made {
        wanted.insert((user.clone(), phrase("create.first_quota")), *quota);
    }
    assert_eq!(ledger(stage, store), wanted, "seed {}: the ledger", stage.seed);
}

fn links(stage: &Stage, store: &Store) {
    let books = stage.books.lock();
    for user in PLANNERS {
        let wanted = books.links.get(user).cloned().unwrap_or_default();
        let found: BTreeMap<String, bool> = store
            .read(|tx| tx.links_of(&key(user)))
            .unwrap()
            .into_iter()
            .map(|link| (link.project.to_string(), link.monitored.is_on()))
            .collect();
        assert_eq!(found, wanted, "seed {}: {user}", stage.seed);
        // The policy is attached within linked projects, and nowhere else.
        let mut held: Vec<String> = stage.cloud.read(|world| {
            let policies = &world.user("main", user).unwrap().policies;
            let scopes = policies.iter().filter(|policy| policy.name == POLICY);
            let scopes = scopes.flat_map(|policy| &policy.scopes);
            scopes
                .map(|(scope, _)| match scope {
                    PolicyScope::Project(project) => project.clone(),
                    PolicyScope::Global => "everywhere".to_owned(),
                })
                .collect()
        });
        held.sort();
        assert!(held.iter().eq(wanted.keys()), "seed {}: {user}: {held:?}", stage.seed);
    }
}

/// The cloud, the store and the last request agree, and a restore returned exactly what was active.
fn access(stage: &Stage, store: &Store) {
    for user in everybody() {
        let last = stage.books.lock().access.get(user).and_then(|goals| goals.last().copied());
        // Spenders end with access.
        let is_cut = last == Some(AccessGoal::Cut);
        let record = store.read(|tx| tx.user(&key(user))).unwrap().unwrap();
        let status = if is_cut { UserStatus::Disabled } else { UserStatus::Active };
        assert_eq!(record.status, status, "seed {}: {user}", stage.seed);
        let (keys, login) = stage.cloud.read(|world| {
            let user = world.user("main", user).unwrap();
            let keys: Vec<KeyStatus> = user.keys.iter().map(|key| key.status).collect();
            (keys, user.login.allowed())
        });
        let first = if is_cut { KeyStatus::Inactive } else { KeyStatus::Active };
        let wanted = (vec![first, KeyStatus::Inactive], !is_cut);
        assert_eq!((keys, login), wanted, "seed {}: {user}", stage.seed);
    }
    for user in stage.before.keys() {
        let last = stage.books.lock().access.get(*user).and_then(|goals| goals.last().copied());
        holds(stage, user, last.unwrap_or(AccessGoal::Restored));
    }
}

/// After a cut nothing that the user holds works in the cloud; after a restore everything is exactly as it was at the beginning.
pub fn holds(stage: &Stage, user: &str, goal: AccessGoal) {
    let (seed, before) = (stage.seed, &stage.before[user]);
    let now = stage.cloud.read(|world| holdings::of(world, user));
    match goal {
        AccessGoal::Cut => {
            assert_eq!(holdings::open(&now), Vec::<&str>::new(), "seed {seed}: {user} is cut");
            assert!(now.keys().eq(before.keys()), "seed {seed}: {user}: {now:#?}");
        }
        AccessGoal::Restored => {
            assert_eq!(now, *before, "seed {seed}: {user} is restored");
        }
    }
}

/// Created users exist once, with one key, and their secrets were sent once.
fn creations(stage: &Stage, store: &Store) {
    let made = stage.books.lock().made.clone();
    let told: String = stage
        .feishu
        .messages(&stage.feishu.direct_chat("ou_maker"))
        .iter()
        .filter(|message| message.sender == Sender::Bot && message.is_card())
        .map(text_of)
        .collect();
    for name in made.keys() {
        let what = format!("seed {}: {name}", stage.seed);
        let user = stage.cloud.read(|world| world.user("main", name).cloned()).expect(&what);
        assert_eq!(user.keys.len(), 1, "{what}");
        assert_eq!(user.keys[0].status, KeyStatus::Active, "{what}");
        let password = &user.login.profile.as_ref().expect(&what).password;
        for secret in [password.expose_secret(), user.keys[0].secret.expose_secret()] {
            let times = told.matches(secret).count();
            assert_eq!(times, 1, "{what}: a secret was sent {times} times");
        }
        let record = store.read(|tx| tx.user(&key(name))).unwrap().expect(&what);
        assert_eq!(record.status, UserStatus::Active, "{what}");
        let links = store.read(|tx| tx.links_of(&record.key)).unwrap();
        assert_eq!(links.len(), 1, "{what}");
    }
    let users = stage.cloud.read(|world| world.account("main").unwrap().users.len());
    assert_eq!(users, everybody().count() + made.len(), "seed {}: users", stage.seed);
}

/// Each cause has one record.
fn causes(stage: &Stage, alerts: &[AlertRecord]) {
    let books = stage.books.lock();
    let of = |user: &'static str| alerts.iter().filter(move |alert| alert.user == Some(key(user)));
    for user in SPENDERS {
        let found: Vec<_> = of(user)
            .filter(|alert| matches!(alert.body.kind(), AlertKind::Warning | AlertKind::Disable))
            .map(|alert| {
                let body = &alert.body;
                (body.kind(), body.threshold().unwrap(), body.amount().unwrap())
            })
            .collect();
        let wanted = books.alerts.get(user).cloned().unwrap_or_default();
        assert_eq!(found, wanted, "seed {}: alerts of {user}", stage.seed);
    }
    for user in cut() {
        let found: Vec<AccessGoal> = of(user)
            .filter_map(|alert| match &alert.body {
                AlertBody::Manual { goal, .. } => Some(*goal),
                _ => None,
            })
            .collect();
        let wanted = books.access.get(user).cloned().unwrap_or_default();
        assert_eq!(found, wanted, "seed {}: changes of access of {user}", stage.seed);
    }
    let quiet = |alert: &&AlertRecord| {
        let user = alert.user.as_ref().map(|user| user.username.to_string());
        let spends = |user: &String| [&SPENDERS[..], &RACERS].concat().contains(&user.as_str());
        matches!(alert.body.kind(), AlertKind::Warning | AlertKind::Disable)
            && !user.as_ref().is_some_and(spends)
    };
    let surplus: Vec<_> = alerts.iter().filter(quiet).collect();
    assert!(surplus.is_empty(), "seed {}: {surplus:#?}", stage.seed);
    let problems = alerts.iter().filter_map(|alert| match &alert.body {
        AlertBody::Error { problem } => Some(problem),
        _ => None,
    });
    let (mut failing, mut refused) = (false, false);
    for problem in problems {
        // Alerted once when it begins and once when it ends.
        let (state, is) = match problem {
            Problem::CyclesFailing { .. } => (&mut failing, true),
            Problem::CyclesRecovered { .. } => (&mut failing, false),
            Problem::CredentialsRefused { .. } => (&mut refused, true),
            Problem::CredentialsRecovered { .. } => (&mut refused, false),
            Problem::AccessDelayed { .. } | Problem::Test { .. } => continue,
            // Nobody opens anything but airgate, and nothing is used.
            Problem::AccessReopened { .. }
            | Problem::StillSpending { .. }
            | Problem::EstimateOff { .. }
            | Problem::EstimateRecovered { .. }
            | Problem::OwnerLeft { .. }
            | Problem::PolicyTaken { .. }
            | Problem::BackupFailing { .. }
            | Problem::BackupRecovered { .. } => panic!("seed {}: {problem:?}", stage.seed),
        };
        assert_ne!(*state, is, "seed {}: {problem:?}", stage.seed);
        *state = is;
    }
}

/// The alert that a card is about, if its buttons say so.
fn alert_of(message: &Message) -> Option<u64> {
    fn find(value: &Value) -> Option<u64> {
        match value {
            Value::Object(members) => members
                .get("alert")
                .and_then(Value::as_u64)
                .or_else(|| members.values().find_map(find)),
            Value::Array(items) => items.iter().find_map(find),
            _ => None,
        }
    }
    find(&message.json())
}

/// Each alert to deliver is in the alert chat once, and in the webhook's chat at least once.
fn deliveries(stage: &Stage, alerts: &[AlertRecord]) {
    let seed = stage.seed;
    let mut in_chat: BTreeMap<Option<u64>, usize> = BTreeMap::new();
    for message in stage.feishu.messages(ALERTS) {
        assert_eq!(message.sender, Sender::Bot);
        *in_chat.entry(alert_of(&message)).or_default() += 1;
    }
    let by_hook = stage.feishu.messages(HOOK);
    let mut told = 0;
    for alert in alerts {
        if matches!(alert.body, AlertBody::Manual { .. }) {
            assert_eq!(alert.notice, Notice::NotOwed, "seed {seed}: {alert:?}");
            continue;
        }
        told += 1;
        assert_eq!(alert.notice, Notice::Delivered, "seed {seed}: {alert:?}");
        if let (Some(user), Some(amount)) = (&alert.user, alert.body.amount()) {
            assert_eq!(in_chat.get(&Some(alert.id)), Some(&1), "seed {seed}: {alert:?}");
            let threshold = match alert.body.threshold() {
                Some(100) => text("alert.disable", &[("user", &user.username)]),
                threshold => format!("{}%", threshold.unwrap()),
            };
            let facts = [user.username.to_string(), amount.to_string(), threshold];
            let fits =
                |message: &&Message| facts.iter().all(|fact| text_of(message).contains(fact));
            let times = by_hook.iter().filter(fits).count();
            assert!(times >= 1, "seed {seed}: not delivered by the webhook: {alert:?}");
        }
    }
    let in_chat: usize = in_chat.values().sum();
    assert_eq!(in_chat, told, "seed {seed}: messages in the alert chat");
    // A webhook has no idempotency key: each interruption may cause a second message.
    let doubled = by_hook.len().saturating_sub(told);
    let interruptions = counted(&stage.tally.kills) + counted(&stage.tally.faults);
    assert!(by_hook.len() >= told, "seed {seed}: too few messages by the webhook");
    assert!(doubled <= interruptions, "seed {seed}: {doubled} doubled");
    eprintln!(
        "alerts: {} recorded, {told} delivered once each, {doubled} more by the webhook",
        alerts.len()
    );
}

/// Every message to the bot has the expected replies, and the bot started a conversation only to send secrets.
fn replies(stage: &Stage) {
    let books = stage.books.lock();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut unasked = Vec::new();
    stage.feishu.read(|state| {
        for message in state.all_messages().iter().filter(|m| m.sender == Sender::Bot) {
            match &message.reply_to {
                Some(to) => *found.entry(to.clone()).or_default() += 1,
                None if message.chat_id == ALERTS => {}
                None => unasked.push(message.clone()),
            }
        }
    });
    for (message, due) in &books.said {
        let times = found.remove(message).unwrap_or(0);
        let text = stage.feishu.message(message).unwrap().content;
        assert_eq!(times, *due, "seed {}: replies to {text}", stage.seed);
    }
    assert!(found.is_empty(), "seed {}: {found:?}", stage.seed);
    // Secrets are sent as soon as they exist, so creations that stopped halfway have sent theirs.
    let makers = stage.feishu.direct_chat("ou_maker");
    unasked.retain(|card| {
        let titles = ["create.secrets_title", "create.password_title", "create.key_title"];
        card.chat_id != makers
            || !titles.iter().any(|title| card.content.contains(&fragment(title)))
    });
    assert!(unasked.is_empty(), "seed {}: nobody asked for {unasked:#?}", stage.seed);
    eprintln!("replies: {} messages answered", books.said.len());
}

/// A backup is complete or does not exist, whenever its creation was interrupted.
fn backups(stage: &Stage) {
    let mut complete = 0;
    for entry in std::fs::read_dir(stage.home.path("backups")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().unwrap(), "redb", "left behind: {}", path.display());
        let copy = stage.home.open_store(&path);
        ledger(stage, &copy);
        complete += 1;
    }
    assert!((1..=3).contains(&complete), "seed {}: {complete} backups", stage.seed);
}
