//! Who left the company, and who came to or left the groups that give roles.

use airgate::domain::{AlertKind, OpenId};
use airgate::sandbox::feishu::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::bed::{ADMIN, Bed, STRANGER, one_account, phrase, text, text_of};

const ADMINS: &str = "oc_admins";

async fn owned() -> Bed {
    let mut cloud = one_account();
    for name in ["alice", "bob", "carol"] {
        cloud.account_mut("main").unwrap().add_user(name);
    }
    let bed = Bed::start(cloud).await;
    bed.sync().await;
    for user in ["main/alice", "main/bob"] {
        bed.change(user, |user| user.owner = Some(OpenId::new(STRANGER).unwrap()));
    }
    bed
}

/// docs/platforms/feishu.md §8
fn deleted(person: &str) -> Value {
    json!({
        "object": {"open_id": person, "union_id": "on_1", "user_id": "e33ggbyz", "name": "路人甲",
            "status": {"is_frozen": false, "is_resigned": false, "is_activated": true}},
        "old_object": {"department_ids": ["od-1"], "open_id": person},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_told_once_of_an_owner_who_left_and_can_choose_another() {
    let bed = owned().await;
    let users = [bed.user("main/alice"), bed.user("main/bob")];
    let first = bed.feishu.push_event("contact.user.deleted_v3", deleted(STRANGER)).await;
    assert_eq!(first.status, Some(200));
    // The same event again, and another one about the same person.
    bed.feishu.redeliver(&first).await;
    bed.feishu.push_event("contact.user.deleted_v3", deleted(STRANGER)).await;
    bed.settled().await;
    let title = text("alert.owner_left", &[("person", &"路人甲")]);
    let told: Vec<_> = bed.alerts().into_iter().filter(|it| text_of(it).contains(&title)).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(bed.alert_kinds(), [AlertKind::Error]);
    let shown = text_of(&told[0]);
    assert!(
        shown.contains("alice") && shown.contains("bob") && !shown.contains("carol"),
        "{shown}"
    );
    // The users keep running.
    assert_eq!([bed.user("main/alice"), bed.user("main/bob")], users);
    let card = &told[0].message_id;
    bed.press(ADMIN, card, json!({"action": "user.configure", "user": "main/alice"})).await;
    bed.settled().await;
    let form = bed.alerts().into_iter().find(|it| it.reply_to.as_ref() == Some(card)).unwrap();
    bed.submit(ADMIN, &form.message_id, "user.configure", json!({"owner": ADMIN})).await;
    assert_eq!(bed.user("main/alice").owner.unwrap().as_str(), ADMIN);
    assert!(bed.texts(card).contains(&title), "the alert stays an alert");
    bed.press(ADMIN, card, json!({"action": "user.open", "user": "main/bob"})).await;
    bed.settled().await;
    assert_eq!(bed.replies_to(card), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_owns_no_users_leaves_unnoticed() {
    let bed = owned().await;
    for person in [ADMIN, "ou_nobody"] {
        bed.feishu.push_event("contact.user.deleted_v3", deleted(person)).await;
    }
    bed.feishu.push_event("contact.user.deleted_v3", json!({"object": {}})).await;
    bed.settled().await;
    assert!(bed.alert_records().is_empty());
}

/// docs/platforms/feishu.md §4.11
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_fails_because_the_owner_resigned_tells_of_the_leaver() {
    let bed = owned().await;
    let fault = Fault::Code { http: 400, code: 230_029, msg: "resigned".to_owned() };
    bed.feishu.faults().inject(FaultRule::new(fault).on("send").holding(STRANGER));
    // The fault holds every card with the person's id: with a name, only their own are refused.
    let person: OpenId = STRANGER.parse().unwrap();
    bed.store.write(|tx| tx.put_person_name(&person, "路人甲")).unwrap();
    for _ in 0..2 {
        bed.ask(ADMIN, "/quota alice 100 补").await;
        bed.settled().await;
    }
    let left = phrase("alert.owner_left_text");
    let told = bed.alerts().iter().filter(|it| text_of(it).contains(&left)).count();
    let unreached = phrase("owner.unreached");
    let said = bed.alerts().iter().filter(|it| text_of(it).contains(&unreached)).count();
    assert_eq!((told, said), (1, 2));
}

async fn bed_with_admins(members: &[&str]) -> Bed {
    let further = [("FEISHU__ADMINS", ADMIN), ("FEISHU__ADMIN_CHAT_ID", ADMINS)];
    let mut bed = Bed::with(one_account(), &further).await;
    bed.feishu.add_group(ADMINS, ADMINS);
    bed.feishu.set_members(ADMINS, members);
    bed.restart().await;
    bed
}

async fn becomes(bed: &Bed, person: &str, allowed: bool) {
    crate::bed::eventually_ok("a role", async || {
        let denied = text_of(&bed.ask(person, "/config").await).contains(&phrase("denied.title"));
        if denied == allowed { Err(denied) } else { Ok(()) }
    })
    .await;
}

fn change(chat: &str, people: &[&str]) -> Value {
    let users: Vec<Value> = people
        .iter()
        .map(|id| json!({"name": "x", "tenant_key": "t", "user_id": {"open_id": id, "union_id": "on_1"}}))
        .collect();
    json!({"chat_id": chat, "operator_id": {"open_id": ADMIN}, "external": false, "users": users})
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_follow_the_events_of_their_group_at_once() {
    let bed = bed_with_admins(&[ADMIN]).await;
    assert!(text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
    bed.feishu.set_members(ADMINS, &[ADMIN, STRANGER]);
    let added = "im.chat.member.user.added_v1";
    let sent = bed.feishu.push_event(added, change(ADMINS, &[STRANGER])).await;
    assert_eq!(sent.status, Some(200));
    becomes(&bed, STRANGER, true).await;
    for kind in ["im.chat.member.user.deleted_v1", "im.chat.member.user.withdrawn_v1"] {
        // The group cannot be read: who left has no role all the same, from the answer to the event on.
        bed.feishu.faults().inject(FaultRule::new(Fault::Status(500)).on("chat.members"));
        bed.feishu.set_members(ADMINS, &[ADMIN]);
        bed.feishu.push_event(kind, change(ADMINS, &[STRANGER])).await;
        assert!(text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
        // An event that came late takes nothing from who is in the group again.
        bed.feishu.faults().clear();
        bed.feishu.set_members(ADMINS, &[ADMIN, STRANGER]);
        bed.feishu.push_event(kind, change(ADMINS, &[STRANGER])).await;
        becomes(&bed, STRANGER, true).await;
    }
    // Events of other groups say nothing, and whoever leaves the company loses the role.
    let other = change("oc_other", &[STRANGER]);
    bed.feishu.push_event("im.chat.member.user.deleted_v1", other).await;
    becomes(&bed, STRANGER, true).await;
    bed.feishu.faults().inject(FaultRule::new(Fault::Status(500)).on("chat.members"));
    bed.feishu.push_event("contact.user.deleted_v3", deleted(STRANGER)).await;
    assert!(text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_another_tenant_is_no_administrator_however_the_group_looks() {
    let mut bed = bed_with_admins(&[]).await;
    // Alone in the group: there is nobody to compare with, except the app itself.
    bed.feishu.set_members_of(ADMINS, [(STRANGER, "tenant-2")]);
    bed.restart().await;
    bed.eventually("the group to be read", |bed| {
        let known = bed.store.read(|tx| tx.group_roles()).unwrap();
        let group = ADMINS.parse().unwrap();
        known.is_foreign(&group, Some("2ed263bf32cf1651"))
    })
    .await;
    assert!(text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
    bed.feishu.set_members_of(ADMINS, [(STRANGER, "")]);
    bed.restart().await;
    bed.settled().await;
    assert!(text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_own_tenant_is_not_known_a_group_gives_no_roles() {
    let further = [("FEISHU__ADMINS", ADMIN), ("FEISHU__ADMIN_CHAT_ID", ADMINS)];
    let mut bed = Bed::with(one_account(), &further).await;
    bed.feishu.set_quirks(|quirks| quirks.envelopes_lack_tenant = true);
    bed.feishu.add_group(ADMINS, ADMINS);
    bed.feishu.set_members(ADMINS, &[STRANGER]);
    bed.restart().await;
    bed.eventually("the group to be read", |bed| {
        let known = bed.store.read(|tx| tx.group_roles()).unwrap();
        known.is_foreign(&ADMINS.parse().unwrap(), None)
    })
    .await;
    assert!(text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
    // The first event that names it is enough, even that of the person's own command.
    bed.feishu.set_quirks(|quirks| quirks.envelopes_lack_tenant = false);
    assert!(!text_of(&bed.ask(STRANGER, "/config").await).contains(&phrase("denied.title")));
    // It is known after a restart, too.
    bed.restart().await;
    bed.feishu.set_quirks(|quirks| quirks.envelopes_lack_tenant = true);
    becomes(&bed, STRANGER, true).await;
}
