//! What users can spend through, and whether it works: all that a cut closes and a restore returns.

use std::collections::BTreeMap;

use airgate::sandbox::world::{
    ContentLimits, EndpointStatus, FakeAccount, KeyStatus, Limits, Model, Phase, PolicyKind,
    PolicyScope, RateLimit, World,
};

/// A project of several users, in which each has an endpoint.
pub const SHARED: &str = "p-shared";
/// The policy that refuses every signed request of a user.
const DENY_ALL: &str = "airgate-deny-all";

/// Everything that a user holds, by name: whether it works, and how it stands exactly.
pub type Holdings = BTreeMap<String, (bool, String)>;

/// Gives a user something on every path: some of it works, some does not. The project of the user's name is the user's own.
pub fn equip(account: &mut FakeAccount, name: &str) {
    let user = account.users.get_mut(name).unwrap();
    user.add_api_key("ci", KeyStatus::Active);
    user.add_api_key("old", KeyStatus::Inactive);
    user.attach("TOSReadOnlyAccess", PolicyKind::System, PolicyScope::Global);
    account.add_project(name, name);
    account.add_endpoint(name, "chat", Some(name));
    account.add_endpoint(name, "others", None);
    account.add_endpoint(name, "old", Some(name)).status.put(EndpointStatus::Stopped);
    account.add_ark_key(name, "key", Some(name));
    account.add_ark_key(name, "old", Some(name)).on.put(false);
    account.add_preset(name, Model::TEXT).limits.put(Limits {
        rate: Some(RateLimit { rpm: 60, tpm: 9_000 }),
        content: Some(ContentLimits { concurrent: 2, create_task_rpm: 7 }),
    });
    account.add_preset(name, Model::IMAGE);
    account.add_batch_job(name, "nightly", Some(name));
    account.add_batch_job(name, "last year's", Some(name)).phase.put(Phase::Completed);
}

/// Gives a user an endpoint in the shared project.
pub fn share(account: &mut FakeAccount, name: &str) {
    account.add_endpoint(SHARED, name, Some(name));
}

/// What a user holds now, in the cloud.
pub fn of(world: &World, name: &str) -> Holdings {
    let account = world.account("main").unwrap();
    let user = &account.users[name];
    let mut held = Holdings::new();
    let mut add = |what: String, works: bool, exactly: String| {
        assert_eq!(held.insert(what.clone(), (works, exactly)), None, "{name}: {what} twice");
    };
    for key in &user.keys {
        add(key.id.clone(), key.status != KeyStatus::Inactive, format!("{:?}", key.status));
    }
    for key in &user.api_keys {
        let status = *key.status.get();
        add(key.id.clone(), status != KeyStatus::Inactive, format!("{status:?}"));
    }
    add("login".to_owned(), user.login.allowed(), String::new());
    let mut policies: Vec<&str> = user.policies.iter().map(|held| held.name.as_str()).collect();
    policies.sort_unstable();
    add("signed".to_owned(), !policies.contains(&DENY_ALL), policies.join(", "));
    for it in account.ark.endpoints.values() {
        let made = it.creator.as_ref().is_some_and(|creator| creator.name == name);
        if it.project == name || (it.project == SHARED && made) {
            let status = *it.status.get();
            add(it.id.clone(), status != EndpointStatus::Stopped, format!("{status:?}"));
        }
    }
    for it in account.ark.keys.values().filter(|it| it.project == name) {
        add(it.sid.clone(), *it.on.get(), it.text().to_owned());
    }
    for it in account.ark.presets.values().filter(|it| it.project == name) {
        let limits = *it.limits.get();
        let text = limits.rate.is_none_or(|rate| rate.rpm != 0 && rate.tpm != 0);
        let content = limits.content.is_none_or(|it| it.concurrent != 0 && it.create_task_rpm != 0);
        add(it.id.clone(), text || content, format!("{limits:?}"));
    }
    for it in account.ark.jobs.values().filter(|it| it.project == name) {
        let phase = *it.phase.get();
        let works = matches!(phase, Phase::Queued | Phase::Running);
        add(it.id.clone(), works, format!("{phase:?}"));
    }
    held
}

/// What is still open after a cut.
pub fn open(held: &Holdings) -> Vec<&str> {
    held.iter().filter(|(_, (works, _))| *works).map(|(what, _)| what.as_str()).collect()
}
