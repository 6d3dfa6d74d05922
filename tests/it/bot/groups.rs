//! Roles from groups.

use airgate::sandbox::feishu::{Fault, FaultRule};

use crate::bed::{ADMIN, Bed, STRANGER, VIEWER, one_account, phrase, text_of};

const ADMINS: &str = "oc_admins";
const VIEWERS: &str = "oc_viewers";

/// Starts with groups in which nobody is yet, and restarts once `members` are in.
async fn bed(admins: &[&str], viewers: &[&str]) -> Bed {
    let further = [
        ("FEISHU__ADMINS", ADMIN),
        ("FEISHU__VIEWERS", ""),
        ("FEISHU__ADMIN_CHAT_ID", ADMINS),
        ("FEISHU__VIEWER_CHAT_ID", VIEWERS),
    ];
    let mut bed = Bed::with(one_account(), &further).await;
    for (group, members) in [(ADMINS, admins), (VIEWERS, viewers)] {
        bed.feishu.add_group(group, group);
        bed.feishu.set_members(group, members);
    }
    bed.restart().await;
    bed
}

/// Whether a person may use a command.
async fn may(bed: &Bed, person: &str, command: &str) -> bool {
    !text_of(&bed.ask(person, command).await).contains(&phrase("denied.title"))
}

/// Waits until a person may, or may not, use a command.
async fn becomes(bed: &Bed, person: &str, command: &str, allowed: bool) {
    crate::bed::eventually_ok("a role", async || match may(bed, person, command).await {
        is if is == allowed => Ok(()),
        is => Err(is),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_the_groups_have_their_roles() {
    let bed = bed(&[STRANGER], &[VIEWER]).await;
    becomes(&bed, STRANGER, "/config", true).await;
    becomes(&bed, VIEWER, "/users", true).await;
    assert!(!may(&bed, VIEWER, "/config").await);
    assert!(may(&bed, ADMIN, "/config").await, "the list counts, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_known_members_count_for_a_day_also_after_a_restart() {
    let mut bed = bed(&[STRANGER], &[]).await;
    becomes(&bed, STRANGER, "/config", true).await;
    let down = FaultRule::new(Fault::Status(500)).on("chat.members");
    bed.feishu.faults().inject(down);
    bed.at("2026-11-24T01:50:00Z");
    bed.restart().await;
    assert!(may(&bed, STRANGER, "/config").await);
    bed.at("2026-11-24T02:10:00Z");
    assert!(!may(&bed, STRANGER, "/config").await);
    bed.feishu.faults().clear();
    bed.restart().await;
    becomes(&bed, STRANGER, "/config", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_bot_left_or_with_other_tenants_gives_no_roles() {
    let mut bed = bed(&[STRANGER], &[]).await;
    becomes(&bed, STRANGER, "/config", true).await;
    bed.feishu.set_bot_in_chat(ADMINS, false);
    bed.restart().await;
    becomes(&bed, STRANGER, "/config", false).await;
    bed.feishu.set_bot_in_chat(ADMINS, true);
    bed.feishu.set_members_of(ADMINS, [(STRANGER, "tenant-1"), ("ou_other", "tenant-2")]);
    bed.restart().await;
    bed.settled().await;
    assert!(!may(&bed, STRANGER, "/config").await);
}
