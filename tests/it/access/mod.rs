//! How access is cut and restored, and how it stays cut: every path by itself.

mod cut;
mod edges;
mod meanwhile;
mod parts;
mod paths;
mod proof;

use airgate::app::access;
use airgate::domain::AlertBody;
use airgate::domain::{AccessGoal, AccessPath, Operator, PathReport, Problem};
use airgate::sandbox::volcengine::Fault;
use airgate::sandbox::world::{KeyStatus, Model, World};

use crate::bed::{ADMIN, Bed, one_account, user_key};

pub const ALICE: &str = "main/alice";

pub fn denied() -> Fault {
    Fault::Code { http: 403, code: "AccessDenied".to_owned(), message: "not for you".to_owned() }
}

/// What alice and bob have at 方舟.
pub struct Things {
    /// Alice's, in her own project.
    pub endpoints: [String; 2],
    /// Alice's, in the shared project.
    pub shared: String,
    /// Bob's, in the shared project.
    pub bobs: String,
    /// The text of a key of her own project.
    pub key: String,
    /// The text of a key of the shared project.
    pub shared_key: String,
    /// A temporary key for her first endpoint.
    pub temporary: String,
}

/// Alice with two access keys, login and an API key; two endpoints, a key, a preset endpoint and a batch job in a project of
/// her own, and an endpoint in a project that bob has too. She has spent 120.
pub fn world() -> (World, Things) {
    let mut world = one_account();
    let main = world.account_mut("main").unwrap();
    for project in ["team-a", "shared"] {
        main.add_project(project, project);
    }
    main.spend("team-a", 120.into(), "2026-11".parse().unwrap());
    main.add_user("bob");
    let alice = main.add_user("alice");
    alice.add_key(KeyStatus::Active);
    alice.add_key(KeyStatus::Active);
    alice.add_api_key("ci", KeyStatus::Active);
    let endpoints = ["chat", "embed"];
    let endpoints =
        endpoints.map(|name| main.add_endpoint("team-a", name, Some("alice")).id.clone());
    let shared = main.add_endpoint("shared", "hers", Some("alice")).id.clone();
    let bobs = main.add_endpoint("shared", "his", Some("bob")).id.clone();
    let key = main.add_ark_key("team-a", "hers", Some("alice")).text().to_owned();
    let shared_key = main.add_ark_key("shared", "his", Some("bob")).text().to_owned();
    main.add_preset("team-a", Model::TEXT);
    main.add_batch_job("team-a", "nightly", Some("alice"));
    let expires = "2027-01-01T00:00:00Z".parse().unwrap();
    let temporary = main.temporary_key(&endpoints[0], expires);
    (world, Things { endpoints, shared, bobs, key, shared_key, temporary })
}

/// The service with them, known by a sync, with a quota of 100 for alice, before the first cycle.
pub async fn bed_of(world: World, further: &[(&str, &str)]) -> Bed {
    let bed = Bed::with(world, further).await;
    bed.sync().await;
    bed.link(ALICE, "team-a", "");
    bed.link(ALICE, "shared", "");
    bed.link("main/bob", "shared", "");
    bed.allocate(ALICE, "100");
    bed
}

pub async fn decide(bed: &Bed) {
    assert_eq!(bed.service().monitor().cycle().await.unwrap().disables, 1);
}

/// How many attempts at alice's pending change have ended.
pub fn attempts(bed: &Bed) -> u32 {
    let pending = bed.store.read(|tx| tx.access_pending(&user_key(ALICE))).unwrap();
    pending.map_or(0, |pending| pending.attempts)
}

/// Requests a change of alice's access, as a click does.
pub fn want(bed: &Bed, goal: AccessGoal) {
    want_of(bed, ALICE, goal);
}

pub fn want_of(bed: &Bed, key: &str, goal: AccessGoal) {
    let by = Operator::Person { open_id: ADMIN.parse().unwrap(), name: None };
    bed.store
        .write(|tx| access::request(tx, &user_key(key), goal, by, None, bed.clock.now()))
        .unwrap();
    bed.service().wakers().access.notify_one();
}

pub fn problems(bed: &Bed, wanted: impl Fn(&Problem) -> bool) -> usize {
    let is = |body: &AlertBody| matches!(body, AlertBody::Error { problem } if wanted(problem));
    bed.alert_records().iter().filter(|alert| is(&alert.body)).count()
}

/// How a path stands, as stored.
pub fn path(bed: &Bed, path: AccessPath) -> PathReport {
    let mut paths = bed.store.read(|tx| tx.access_paths(&user_key(ALICE))).unwrap();
    paths.remove(&path).unwrap_or_else(|| panic!("{path:?} was not read"))
}
