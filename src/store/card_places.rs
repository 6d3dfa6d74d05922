//! Where cards of a user were sent, and which users have changed since. A row is small: a chat keeps the last cards only.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use redb::ReadableTable;

use super::tables::{CARD_PLACES, CARDS_DUE, COUNTERS};
use super::view::{Order, Source, View};
use super::{StoreError, WriteTx, keys};
use crate::domain::{AccountId, CardChange, CardPlace, UpdateTarget, UserKey, Username};

/// How many cards of a user are kept in a lane.
const KEPT_IN_A_LANE: usize = 3;
/// How many cards of a user are kept in all.
const KEPT: usize = 30;
/// Feishu updates a card for 14 days ("Update app card"); the margin is for a slow delivery.
const CAN_BE_UPDATED: SignedDuration = SignedDuration::from_hours(13 * 24);
const CHANGES: &str = "card_changes";

impl<S: Source> View<S> {
    /// Returns the number of the last change: what is rendered from this state shows it.
    pub fn card_changes(&self) -> Result<u64, StoreError> {
        Ok(self.open(COUNTERS)?.get(CHANGES)?.map_or(0, |last| last.value()))
    }

    /// Returns up to `count` users who have changed, each with the last change. Rows that cannot be read count for nothing.
    pub fn cards_due(&self, count: usize) -> Result<Vec<(UserKey, CardChange)>, StoreError> {
        let mut due = Vec::new();
        self.scan_readable::<_, _, (&str, &str), _>(
            CARDS_DUE,
            ..,
            Order::Ascending,
            |(account, username), change| {
                let user = (AccountId::new(account), Username::new(username));
                if let (Ok(account), Ok(username)) = user {
                    due.push((UserKey::new(account, username), change));
                }
                if due.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        )?;
        Ok(due)
    }

    /// Returns where cards of a user were sent, oldest first.
    pub fn card_places(&self, user: &UserKey) -> Result<Vec<CardPlace>, StoreError> {
        Ok(self.get_or_skip(CARD_PLACES, keys::of_user(user))?.unwrap_or_default())
    }
}

impl WriteTx {
    /// Records that cards of a user in chats are out of date.
    pub fn cards_changed(&self, user: &UserKey) -> Result<(), StoreError> {
        let change =
            CardChange { number: self.next_number(CHANGES)?, last_owed: self.last_owed()? };
        self.put(CARDS_DUE, keys::of_user(user), &change)
    }

    /// Records that the cards of a user are up to date.
    pub fn cards_updated(&self, user: &UserKey) -> Result<(), StoreError> {
        self.open(CARDS_DUE)?.remove(keys::of_user(user))?;
        Ok(())
    }

    /// Adds a place to a user's. One that was rendered before a change that was made in the meantime is due at once.
    pub fn add_card_place(&self, user: &UserKey, place: CardPlace) -> Result<(), StoreError> {
        let is_behind = place.seen < self.card_changes()?;
        let now = place.at;
        let places = self.card_places(user)?;
        let mut others = Vec::new();
        for known in places {
            // One message may be known by its id and by what it was sent for.
            let is_same = match (&known.target, &place.target) {
                (UpdateTarget::SentBy { owed }, UpdateTarget::Message { id }) => {
                    self.sent_as(*owed)?.as_ref() == Some(id)
                }
                (known, new) => known == new,
            };
            if !is_same {
                others.push(known);
            }
        }
        let mut places = others;
        places.push(place);
        self.put_card_places(user, places, now)?;
        if is_behind { self.cards_changed(user) } else { Ok(()) }
    }

    /// Writes a user's places: those whose messages can still be updated, the last ones of each lane.
    pub fn put_card_places(
        &self,
        user: &UserKey,
        places: Vec<CardPlace>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut in_lane: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<CardPlace> = places
            .into_iter()
            .rev()
            .filter(|place| now.duration_since(place.at) < CAN_BE_UPDATED)
            .filter(|place| {
                let count = in_lane.entry(place.lane.clone()).or_default();
                *count = count.saturating_add(1);
                *count <= KEPT_IN_A_LANE
            })
            .take(KEPT)
            .collect();
        kept.reverse();
        if kept.is_empty() {
            self.open(CARD_PLACES)?.remove(keys::of_user(user))?;
            return Ok(());
        }
        self.put(CARD_PLACES, keys::of_user(user), &kept)
    }

    pub(super) fn move_card_places(&self, from: &UserKey, to: &UserKey) -> Result<(), StoreError> {
        let places = self.card_places(from)?;
        self.open(CARD_PLACES)?.remove(keys::of_user(from))?;
        self.cards_updated(from)?;
        if places.is_empty() {
            return Ok(());
        }
        self.put(CARD_PLACES, keys::of_user(to), &places)?;
        self.cards_changed(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Role, UserCard};
    use crate::store::Store;

    fn place(owed: u64, lane: &str, at: i64) -> CardPlace {
        CardPlace {
            target: UpdateTarget::SentBy { owed },
            lane: lane.to_owned(),
            card: UserCard::User,
            role: Role::Admin,
            in_group: false,
            person: None,
            at: Timestamp::from_second(at).unwrap(),
            seen: 0,
        }
    }

    fn owed(places: &[CardPlace]) -> Vec<u64> {
        let of = |place: &CardPlace| match place.target {
            UpdateTarget::SentBy { owed } => owed,
            UpdateTarget::Message { .. } => 0,
        };
        places.iter().map(of).collect()
    }

    #[test]
    fn the_last_three_of_each_lane_are_kept_for_as_long_as_they_can_be_updated() {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new(), &[1; 32]).unwrap();
        let alice: UserKey = "main/alice".parse().unwrap();
        let kept = store.write(|tx| {
            for (owed, lane, at) in
                [(1, "a", 1), (2, "b", 2), (3, "a", 3), (4, "a", 4), (5, "a", 5), (6, "a", 6)]
            {
                tx.add_card_place(&alice, place(owed, lane, at))?;
            }
            let first = owed(&tx.card_places(&alice)?);
            tx.add_card_place(&alice, place(7, "c", 5 + 13 * 24 * 3600))?;
            Ok::<_, StoreError>((first, owed(&tx.card_places(&alice)?)))
        });
        assert_eq!(kept.unwrap(), (vec![2, 4, 5, 6], vec![6, 7]));
    }

    #[test]
    fn a_card_that_was_rendered_before_a_change_is_due_at_once() {
        let store = Store::with_backend(redb::backends::InMemoryBackend::new(), &[1; 32]).unwrap();
        let alice: UserKey = "main/alice".parse().unwrap();
        let due = store.write(|tx| {
            tx.add_card_place(&alice, place(1, "a", 1))?;
            let fresh = tx.cards_due(10)?;
            tx.cards_changed(&alice)?;
            tx.cards_updated(&alice)?;
            tx.add_card_place(&alice, CardPlace { seen: 1, ..place(2, "a", 2) })?;
            let newer = tx.cards_due(10)?;
            tx.add_card_place(&alice, place(3, "a", 3))?;
            Ok::<_, StoreError>((fresh, newer, tx.cards_due(10)?))
        });
        let (fresh, newer, behind) = due.unwrap();
        assert_eq!((fresh, newer), (vec![], vec![]));
        assert_eq!(behind, [(alice, CardChange { number: 2, last_owed: 0 })]);
    }
}
