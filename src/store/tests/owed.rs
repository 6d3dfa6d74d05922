//! Owed messages and tasks.

use super::*;
use crate::domain::{
    AlertBody, Dispatch, MessageId, Notice, OwedMessage, Problem, Report, TaskKind, UpdateTarget,
};
use crate::store::NewMessage;

fn message(lane: &str) -> NewMessage {
    let dispatch = Dispatch::ToChat { chat: "oc_1".parse().unwrap(), card: "{}".to_owned() };
    NewMessage::new(lane, dispatch, now()).mentioning(vec!["138".to_owned()])
}

fn owe(store: &Store, message: NewMessage) -> OwedMessage {
    let lane = message.lane.clone();
    write(store, |tx| {
        let id = tx.owe(message, now())?;
        Ok(tx.owed(&lane, id)?.unwrap())
    })
}

fn sent(id: &str) -> MessageId {
    MessageId::new(id).unwrap()
}

#[test]
fn each_lane_shows_its_oldest_message() {
    let store = in_memory();
    let owed: Vec<OwedMessage> =
        ["b", "a", "b", "ab", "a"].into_iter().map(|lane| owe(&store, message(lane))).collect();
    let heads = || -> Vec<u64> {
        store.read(|tx| tx.lane_heads()).unwrap().iter().map(|head| head.id).collect()
    };
    assert_eq!(heads(), [2, 4, 1]);
    assert_ne!(owed[0].uuid, owed[1].uuid);
    assert_eq!((owed[0].attempts, &owed[0].mention_mobiles[..]), (0, &["138".to_owned()][..]));
    let tried = OwedMessage { attempts: 3, last_error: Some("慢".to_owned()), ..owed[1].clone() };
    write(&store, |tx| tx.note_try(&tried));
    assert_eq!(store.read(|tx| tx.owed("a", 2)).unwrap(), Some(tried.clone()));
    assert_eq!(heads(), [2, 4, 1], "a failed attempt keeps its place");

    write(&store, |tx| tx.delivered(&tried, Some(&sent("om_2"))));
    write(&store, |tx| tx.delivered(&owed[0], None));
    assert_eq!(heads(), [5, 4, 3]);
    assert_eq!(store.read(|tx| tx.owed_count()).unwrap(), 3);
    assert_eq!(store.read(|tx| tx.sent_as(2)).unwrap(), Some(sent("om_2")));
    assert_eq!(store.read(|tx| tx.sent_as(1)).unwrap(), None);
}

#[test]
fn an_owed_update_shows_the_newest_card() {
    let store = in_memory();
    let update = |message: &str| {
        let target = UpdateTarget::Message { id: sent(message) };
        let dispatch = Dispatch::Update { target, card: "old".to_owned() };
        owe(&store, NewMessage::new("a", dispatch, now()))
    };
    let (first, other, later) = (update("om_1"), update("om_2"), update("om_1"));
    let card =
        |id: u64| store.read(|tx| tx.owed("a", id)).unwrap().unwrap().dispatch.card().to_owned();
    write(&store, |tx| tx.renew_updates("a", &sent("om_1"), "new", other.id));
    assert_eq!([card(first.id), card(other.id), card(later.id)], ["new", "old", "old"]);
    // The old one was in flight: whatever its outcome, the new one must still be shown.
    let tried = OwedMessage { attempts: 1, ..first.clone() };
    write(&store, |tx| tx.note_try(&tried));
    write(&store, |tx| tx.delivered(&first, None));
    assert_eq!(card(first.id), "new");
    let standing = store.read(|tx| tx.owed("a", first.id)).unwrap().unwrap();
    assert_eq!(standing.attempts, 1);
    write(&store, |tx| tx.delivered(&standing, None));
    // A message that was removed does not come back.
    write(&store, |tx| tx.note_try(&tried));
    assert_eq!(store.read(|tx| tx.owed("a", first.id)).unwrap(), None);
}

#[test]
fn ids_continue_after_everything_was_delivered() {
    let store = in_memory();
    let first = owe(&store, message("a"));
    write(&store, |tx| tx.delivered(&first, None));
    assert_eq!(owe(&store, message("a")).id, 2);
}

#[test]
fn sent_and_failed_messages_are_kept_for_a_while() {
    let store = in_memory();
    write(&store, |tx| {
        for n in 1..=2_100 {
            let id = tx.owe(message("a"), now())?;
            let owed = tx.owed("a", id)?.unwrap();
            if n % 10 == 0 {
                tx.give_up(&owed, &format!("第{n}"), now())?;
            } else {
                tx.delivered(&owed, Some(&sent(&format!("om_{n}"))))?;
            }
        }
        Ok(())
    });
    let sent_as = |id| store.read(|tx| tx.sent_as(id)).unwrap();
    // 18,000 messages later.
    write(&store, |tx| {
        let id = tx.owe(message("a"), now())?;
        let owed = tx.owed("a", id)?.unwrap();
        tx.delivered(&owed, None)?;
        tx.delivered(&OwedMessage { id: 20_099, ..owed }, Some(&sent("om_20099")))
    });
    assert_eq!(
        (sent_as(98), sent_as(99), sent_as(20_099)),
        (None, Some(sent("om_99")), Some(sent("om_20099")))
    );
    let failed = store.read(|tx| tx.failed_messages(1_000)).unwrap();
    assert_eq!(failed.len(), 100);
    assert_eq!((failed[0].owed.id, &failed[0].reason[..]), (2_100, "第2100"));
    assert_eq!(failed[99].owed.id, 1_110);
    let newest = store.read(|tx| tx.failed_messages(2)).unwrap();
    assert_eq!(newest.iter().map(|f| f.owed.id).collect::<Vec<_>>(), [2_100, 2_090]);
    assert_eq!(store.read(|tx| tx.owed_count()).unwrap(), 0);
}

/// An alert with two deliveries, as to a group and a webhook.
fn two_deliveries(store: &Store) -> (u64, OwedMessage, OwedMessage) {
    let body = AlertBody::Error { problem: Problem::CyclesRecovered { accounts: vec![] } };
    let alert = write(store, |tx| tx.add_alert(None, body, now()));
    assert_eq!(alert.notice, Notice::NotOwed);
    let owed = |lane: &str| owe(store, NewMessage { alert: Some(alert.id), ..message(lane) });
    let deliveries = (alert.id, owed("chat:oc_1"), owed("hook"));
    assert_eq!(notice(store, alert.id), Notice::Owed);
    deliveries
}

fn notice(store: &Store, alert: u64) -> Notice {
    store.read(|tx| tx.alert(alert)).unwrap().unwrap().notice
}

#[test]
fn an_alert_is_delivered_once_all_its_deliveries_have_ended_and_one_succeeded() {
    let store = in_memory();
    let other = two_deliveries(&store);
    for (first, second, ends) in [
        (true, true, Notice::Delivered),
        (true, false, Notice::Delivered),
        (false, true, Notice::Delivered),
        (false, false, Notice::Failed),
    ] {
        let (alert, chat, hook) = two_deliveries(&store);
        let settle = |owed: &OwedMessage, arrives: bool| {
            write(&store, |tx| match arrives {
                true => tx.delivered(owed, None),
                false => tx.give_up(owed, "没了", now()),
            });
        };
        settle(&chat, first);
        assert_eq!(notice(&store, alert), Notice::Owed);
        settle(&hook, second);
        assert_eq!(notice(&store, alert), ends, "{first} {second}");
    }
    assert_eq!(notice(&store, other.0), Notice::Owed, "others are not touched");
}

#[test]
fn a_delivery_that_replaces_another_keeps_the_alert_owed() {
    let store = in_memory();
    let (alert, chat, hook) = two_deliveries(&store);
    write(&store, |tx| tx.delivered(&hook, None));
    let instead = write(&store, |tx| {
        let id = tx.owe(NewMessage { alert: Some(alert), ..message("person:ou_1") }, now())?;
        tx.give_up(&chat, "群解散", now())?;
        Ok(tx.owed("person:ou_1", id)?.unwrap())
    });
    assert_eq!(notice(&store, alert), Notice::Owed);
    write(&store, |tx| tx.delivered(&instead, None));
    assert_eq!(notice(&store, alert), Notice::Delivered);
}

#[test]
fn tasks_are_listed_in_the_order_they_were_requested() {
    let store = in_memory();
    let report = Report { target: UpdateTarget::SentBy { owed: 7 }, lane: "chat:oc_1".to_owned() };
    let refresh = TaskKind::RefreshProjects { account: account("main"), user: user("main/alice") };
    write(&store, |tx| {
        tx.add_task(TaskKind::Sync, None, now())?;
        tx.add_task(refresh.clone(), Some(report.clone()), now())
    });
    let tasks = store.read(|tx| tx.tasks()).unwrap();
    let ids: Vec<u64> = tasks.iter().map(|task| task.id).collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!((&tasks[1].kind, &tasks[1].report), (&refresh, &Some(report)));
    assert!(write(&store, |tx| tx.finish_task(1)));
    assert!(!write(&store, |tx| tx.finish_task(1)));
    assert_eq!(store.read(|tx| tx.tasks()).unwrap().len(), 1);
    assert_eq!(write(&store, |tx| tx.add_task(TaskKind::Sync, None, now())), 3);
}

#[test]
fn a_report_waits_until_the_click_has_been_answered() {
    let store = in_memory();
    let report =
        Report { target: UpdateTarget::Message { id: sent("om_1") }, lane: "c".to_owned() };
    let asked = now();
    for (done, due) in [
        ("2026-11-23T02:00:00.1Z", "2026-11-23T02:00:00.8Z"),
        ("2026-11-23T02:00:05Z", "2026-11-23T02:00:05Z"),
    ] {
        let owed = write(&store, |tx| {
            let id = tx.owe_report(&report, "{}".to_owned(), asked, at(done))?;
            Ok(tx.owed("c", id)?.unwrap())
        });
        assert_eq!(owed.not_before, at(due), "{done}");
        let target = UpdateTarget::Message { id: sent("om_1") };
        assert_eq!(owed.dispatch, Dispatch::Update { target, card: "{}".to_owned() });
    }
}
