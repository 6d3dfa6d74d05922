//! Keys that somebody else created in the meantime stay.

use airgate::sandbox::volcengine::{Fault, FaultRule};
use airgate::sandbox::world::KeyStatus;
use jiff::SignedDuration;

use super::{bed, create, full, go_on, made};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_created_by_hand_after_an_unclear_attempt_is_not_deleted() {
    let bed = bed().await;
    // No attempt creates a key, but nobody can tell: the list cannot be read afterwards either.
    bed.cloud.faults().inject(FaultRule::new(Fault::ResetConnection).on("CreateAccessKey"));
    bed.cloud.faults().inject(FaultRule::new(Fault::Status(500)).on("ListAccessKeys").after(1));
    let card = create(&bed, full()).await;
    bed.clock.advance(SignedDuration::from_mins(5));
    let by_hand =
        bed.cloud.update(|world| world.user_mut("main", "bob").unwrap().add_key(KeyStatus::Active));
    bed.cloud.faults().clear();
    go_on(&bed, crate::bed::ADMIN, &card).await;
    let keys = made(&bed).unwrap().keys;
    let kept = keys.iter().find(|key| key.id == by_hand).map(|key| key.status);
    assert_eq!(kept, Some(KeyStatus::Active), "{keys:?}");
    assert_eq!(keys.len(), 2);
    assert_eq!(bed.cloud.count("DeleteAccessKey"), 0);
}
