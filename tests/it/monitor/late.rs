//! A monitor that has stopped says so.

use airgate::domain::SavedSettings;
use airgate::store::Store;
use jiff::SignedDuration;
use redb::TableDefinition;

use super::{alice, bills, save, spend};
use crate::bed::{ADMIN, Bed, eventually, eventually_some, fragment, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_begins_no_cycle_is_reported_on_its_card_and_by_healthz() {
    let bed = alice(&[("MONITOR__INTERVAL_SECONDS", "600")]).await;
    let late = fragment("monitor.late");
    bed.clock.advance(SignedDuration::from_secs(3 * 600 + 300 - 30));
    assert_eq!(bed.get("/healthz").await.0, 200);
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(!card.contains(&late), "{card}");
    bed.clock.advance(SignedDuration::from_secs(31));
    let (status, body) = bed.get("/healthz").await;
    assert_eq!(status, 503);
    assert!(body.contains("monitor"), "{body}");
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(card.contains(&late), "{card}");
    bed.cycle().await;
    assert_eq!(bed.get("/healthz").await.0, 200);
}

/// Puts a row that cannot be read among alice's links, and starts the service again.
async fn damage(bed: &mut Bed) {
    const LINKS: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("links");
    bed.stop().await;
    let memory = redb::backends::InMemoryBackend::new();
    bed.store = Store::with_backend(memory, bed.config.security.master_key.expose()).unwrap();
    let path = bed.config.store.path.clone();
    let file = eventually_some("the file", || redb::Database::open(&path).ok()).await;
    let tx = file.begin_write().unwrap();
    tx.open_table(LINKS).unwrap().insert(("main", "alice", "team-a"), b"null".as_slice()).unwrap();
    tx.commit().unwrap();
    drop(file);
    let key = bed.config.security.master_key.expose();
    bed.store = Store::open(&bed.config.store.path, key).unwrap();
    bed.start_service().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_cannot_record_its_cycles_is_late_as_well_and_the_service_is_ready() {
    let mut bed = alice(&[("MONITOR__INTERVAL_SECONDS", "600")]).await;
    bed.cycle().await;
    damage(&mut bed).await;
    spend(&bed, "team-a", "1", "2026-11");
    assert!(bed.service().monitor().cycle().await.is_err());
    bed.readyz_becomes(200).await;
    assert_eq!(bed.get("/healthz").await.0, 200);
    bed.clock.advance(SignedDuration::from_secs(3 * 600 + 301));
    assert!(bed.service().monitor().cycle().await.is_err());
    let (status, body) = bed.get("/healthz").await;
    assert!(status == 503 && body.contains("monitor"), "{status} {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cycles_continue_after_the_clock_was_set_back_and_forward() {
    let bed = alice(&[("MONITOR__INTERVAL_SECONDS", "1")]).await;
    for hours in [-24, 48, -24] {
        bed.clock.advance(SignedDuration::from_hours(hours));
        let before = bills(&bed).len();
        eventually("two more cycles", || bills(&bed).len() >= before + 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_is_switched_off_is_never_late() {
    let bed = alice(&[("MONITOR__ENABLED", "false"), ("MONITOR__INTERVAL_SECONDS", "1")]).await;
    bed.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(bed.get("/healthz").await.0, 200);
    let card = text_of(&bed.ask(ADMIN, "/monitor").await);
    assert!(!card.contains(&fragment("monitor.late")), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_interval_is_waited_for_from_when_it_was_saved() {
    let bed = alice(&[]).await;
    let due_in = |bed: &Bed| {
        let next = bed.service().monitor().progress().next_at;
        next.map_or(0, |at| at.duration_since(bed.clock.now()).as_secs())
    };
    bed.clock.advance(SignedDuration::from_mins(40));
    save(&bed, &SavedSettings { interval_seconds: Some(600), ..SavedSettings::default() });
    eventually("the new schedule", || due_in(&bed) <= 600).await;
    assert_eq!(bed.get("/healthz").await.0, 200, "no cycle was due in these 40 minutes");
    bed.clock.advance(SignedDuration::from_secs(3 * 600 + 301));
    assert_eq!(bed.get("/healthz").await.0, 503);
}
