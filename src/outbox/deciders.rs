//! Asking administrators for a decision, and bringing the cards that asked up to date afterwards.

use jiff::Timestamp;

use super::alerts::Alerts;
use super::lanes::{chat_lane, person_lane};
use crate::app::people::OwnerNotice;
use crate::app::{SplitRefusal, approvals, batches, requests, users};
use crate::cards::{BatchView, Card, CardContext, Tone};
use crate::domain::{
    Approval, Batch, Dispatch, LedgerEntry, OpenId, Operator, QuotaRequest, Report, Role,
    UpdateTarget, UserKey,
};
use crate::store::{NewMessage, StoreError, WriteTx};

impl Alerts {
    /// Asks for a decision about a request.
    pub fn ask_for_decision(
        &self,
        tx: &WriteTx,
        mut request: QuotaRequest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(card) = self.request_card(tx, &request, now)? else { return Ok(()) };
        request.cards.extend(self.to_deciders(tx, &card, now)?);
        tx.put_request(&request)
    }

    /// Asks for a second administrator.
    pub fn ask_for_second(
        &self,
        tx: &WriteTx,
        mut approval: Approval,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(card) = self.approval_card(tx, &approval, now)? else { return Ok(()) };
        approval.cards.extend(self.to_deciders(tx, &card, now)?);
        tx.put_approval(&approval)
    }

    /// Shows on every card that asked about a request how it stands now.
    pub fn refresh_request(
        &self,
        tx: &WriteTx,
        request: &QuotaRequest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(card) = self.request_card(tx, request, now)? else { return Ok(()) };
        refresh(tx, &request.cards, &card, now)
    }

    /// Shows on every card that asked for a second administrator how it stands now.
    pub fn refresh_approval(
        &self,
        tx: &WriteTx,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(card) = self.approval_card(tx, approval, now)? else { return Ok(()) };
        refresh(tx, &approval.cards, &card, now)
    }

    /// Asks for a second administrator of a change of many users.
    pub fn ask_for_batch(
        &self,
        tx: &WriteTx,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<Batch, StoreError> {
        let card = self.batch_card(tx, &batch, now)?;
        batch.cards.extend(self.to_deciders(tx, &card, now)?);
        tx.put_batch(&batch)?;
        Ok(batch)
    }

    /// Shows on every card of a change of many users how it stands now.
    pub fn refresh_batch(
        &self,
        tx: &WriteTx,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let card = self.batch_card(tx, batch, now)?;
        refresh(tx, &batch.cards, &card, now)
    }

    fn batch_card(&self, tx: &WriteTx, batch: &Batch, now: Timestamp) -> Result<Card, StoreError> {
        let view = BatchView { batch: batch.clone(), people: batches::people(tx, batch)? };
        Ok(self.cards().batch(&view, &CardContext::new(Role::Admin, now)))
    }

    /// Tells a user's owner something in their direct chat, unless owners are not told, or there is none.
    pub fn tell_owner(
        &self,
        tx: &WriteTx,
        user: &UserKey,
        notice: &OwnerNotice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = match notice {
            OwnerNotice::Quota(entry) => Some(&entry.operator),
            _ => None,
        };
        let Some(owner) = tx.user(user)?.and_then(|user| user.owner) else { return Ok(()) };
        // Who does it sees it.
        if !self.settings_in_force(tx)?.notify_owners || by.is_some_and(|by| by.is(&owner)) {
            return Ok(());
        }
        self.tell(tx, owner, user, notice, now)
    }

    /// Tells an owner what was booked for several of their users, in one message.
    pub fn tell_owner_of_all(
        &self,
        tx: &WriteTx,
        owner: &OpenId,
        booked: &[LedgerEntry],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (title, card) = match booked {
            [] => return Ok(()),
            [only] => {
                let notice = OwnerNotice::Quota(only.clone());
                return self.tell(tx, owner.clone(), &only.user, &notice, now);
            }
            several => self.cards().notice_of_many(several),
        };
        let (person, card) = (owner.clone(), card.into_string());
        let lane = person_lane(owner);
        let message = NewMessage::new(&lane, Dispatch::ToPerson { person, card }, now);
        tx.owe(message.telling_owner(Some(title)), now)?;
        Ok(())
    }

    /// Tells the person who asked for quota something in their direct chat, as long as they own the user: what follows is for
    /// its owner only.
    pub fn tell_operator(
        &self,
        tx: &WriteTx,
        operator: &Operator,
        user: &UserKey,
        notice: &OwnerNotice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match operator {
            Operator::System => Ok(()),
            Operator::Person { open_id, .. } => {
                let owner = tx.user(user)?.and_then(|user| user.owner);
                match (owner.as_ref() == Some(open_id), notice) {
                    (true, _) => self.tell(tx, open_id.clone(), user, notice, now),
                    (false, OwnerNotice::Quota(_)) => self.tell_owner(tx, user, notice, now),
                    (false, _) => Ok(()),
                }
            }
        }
    }

    fn tell(
        &self,
        tx: &WriteTx,
        person: OpenId,
        user: &UserKey,
        notice: &OwnerNotice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(user) = tx.user(user)? else { return Ok(()) };
        let detail = users::detail(tx, &self.settings_in_force(tx)?, user, now)?;
        let ctx = CardContext::new(Role::Stranger, now);
        let card = self.cards().notice(notice, &detail, &ctx).into_string();
        let lane = person_lane(&person);
        let message = NewMessage::new(&lane, Dispatch::ToPerson { person, card }, now);
        let title = self.cards().notice_title(notice, &detail);
        tx.owe(message.telling_owner(Some(title)), now).map(drop)
    }

    /// Says in the alert chat that an owner was not reached; without one, to each administrator.
    pub(super) fn owner_not_reached(
        &self,
        tx: &WriteTx,
        person: &OpenId,
        title: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let words = self.cards().words();
        let name = tx.person_name(person)?.unwrap_or_else(|| person.to_string());
        let args: [(&str, &dyn std::fmt::Display); 3] =
            [("title", &title), ("person", &name), ("reason", &reason)];
        let text = words.t("owner.unreached_text", &args);
        let title = words.t("owner.unreached", &[]);
        let card = self.cards().message(Tone::Warning, &title, &text);
        self.to_deciders(tx, &card, now).map(drop)
    }

    fn request_card(
        &self,
        tx: &WriteTx,
        request: &QuotaRequest,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        let view = requests::view(tx, request.id, now).split_refusal()?.ok();
        let ctx = CardContext::new(Role::Admin, now);
        Ok(view.map(|view| self.cards().request(&view, &ctx)))
    }

    fn approval_card(
        &self,
        tx: &WriteTx,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        let view = approvals::view(tx, approval.id, now).split_refusal()?.ok();
        let ctx = CardContext::new(Role::Admin, now);
        Ok(view.map(|view| self.cards().approval(&view, &ctx)))
    }

    /// Sends a card to the alert chat or, without one, to each administrator.
    pub(super) fn to_deciders(
        &self,
        tx: &WriteTx,
        card: &Card,
        now: Timestamp,
    ) -> Result<Vec<Report>, StoreError> {
        let send = |lane: String, dispatch: Dispatch| -> Result<Report, StoreError> {
            let owed = tx.owe(NewMessage::new(&lane, dispatch, now), now)?;
            Ok(Report { target: UpdateTarget::SentBy { owed }, lane })
        };
        let json = || card.as_str().to_owned();
        if let Some(chat) = self.settings_in_force(tx)?.alert_chat {
            let lane = chat_lane(chat.as_str());
            return Ok(vec![send(lane, Dispatch::ToChat { chat, card: json() })?]);
        }
        let to_each = self.admins(now).into_iter().map(|admin| {
            send(person_lane(&admin), Dispatch::ToPerson { person: admin, card: json() })
        });
        to_each.collect()
    }
}

/// Replaces the cards that are shown at `places`.
fn refresh(tx: &WriteTx, places: &[Report], card: &Card, now: Timestamp) -> Result<(), StoreError> {
    for place in places {
        tx.owe_report(place, card.as_str().to_owned(), now, now)?;
    }
    Ok(())
}
