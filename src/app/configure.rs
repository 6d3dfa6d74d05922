//! A user's settings: those that airgate stores, and the personal data in the cloud.

use jiff::Timestamp;

use super::refusal::TextField;
use super::{Error, Refusal, users};
use crate::domain::contact::{self, ContactError};
use crate::domain::{
    BillPeriod, Money, OpenId, Operator, Profile, Switch, Thresholds, User, UserKey, UserStatus,
};
use crate::store::{Source, StoreError, View, WriteTx};

/// Longest remark, in characters.
pub const REMARK_CHARS: usize = 500;
/// How many people the form offers as owner: each takes about 50 bytes of the card.
const MAX_OWNERS_OFFERED: usize = 100;

/// What a person typed into the form, with every field: an empty one was cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUserSettings {
    /// `50,80,90`; empty = the global ones.
    pub thresholds: String,
    /// Whether the monitor watches the user.
    pub monitor: bool,
    /// Whether access is cut when the quota is used up.
    pub auto_disable: bool,
    /// An amount; empty = no limit; `None` if the form does not show it.
    pub month_limit: Option<String>,
    /// Free text.
    pub remark: String,
    /// The open_id of the person behind the user, as chosen. Empty leaves the owner as it is: a client cannot empty
    /// such a field, and the owner may not be among those that it offers.
    pub owner: String,
    /// Somebody who is not in the list: an open_id or a mobile number; empty = the person who was chosen.
    pub other_owner: String,
    /// Remove the owner, whoever is chosen.
    pub no_owner: bool,
    /// Personal data for the cloud; `None` if the form does not show it.
    pub personal: Option<PersonalData>,
}

/// A user's personal data in the cloud, as typed. An empty field clears the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalData {
    /// Display name.
    pub display_name: String,
    /// E-mail.
    pub email: String,
    /// Mobile phone.
    pub phone: String,
}

/// What remains to do after [`save`], by calls to the cloud or to Feishu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// To write to the cloud.
    pub profile: Profile,
    /// The mobile number of the person who becomes the owner.
    pub owner_mobile: Option<String>,
}

impl Rest {
    /// Returns whether nothing remains.
    pub fn is_empty(&self) -> bool {
        self.profile.is_empty() && self.owner_mobile.is_none()
    }
}

/// Saves the settings that airgate stores.
///
/// # Errors
/// A refusal if any value is bad; nothing is saved then. [`Refusal::UserGone`] for personal data of a user who is gone.
pub fn save(
    tx: &WriteTx,
    key: &UserKey,
    new: &NewUserSettings,
    by: &Operator,
    now: Timestamp,
) -> Result<Rest, Error> {
    let before = users::get(tx, key)?;
    users::not_in_batch(tx, key)?;
    let mut user = before.clone();
    user.thresholds = match new.thresholds.trim() {
        "" => None,
        text => Some(text.parse::<Thresholds>().map_err(Refusal::from)?),
    };
    user.monitored = Switch::from(new.monitor);
    if user.monitored != before.monitored {
        user.monitored_by = Some(by.clone());
    }
    user.auto_disable = Switch::from(new.auto_disable);
    if let Some(text) = &new.month_limit {
        let limit = match text.trim() {
            "" => None,
            text => {
                let amount = Money::parse_input(text).map_err(Refusal::from)?;
                Some(amount.try_into().map_err(|_| Refusal::NegativeMonthLimit)?)
            }
        };
        if limit != user.month_limit {
            let month = tx.month_of(key, BillPeriod::of(now), now)?;
            let unbilled = tx.unbilled(&user)?;
            user.set_month_limit(limit, &month, unbilled.as_ref());
        }
    }
    user.remark = remark(&new.remark)?;
    let mut owner_mobile = None;
    if new.no_owner {
        user.owner = None;
    } else if let other = new.other_owner.trim()
        && !other.is_empty()
    {
        if other.starts_with("ou_") {
            user.owner = Some(person(other)?);
        } else {
            let mobile = contact::phone(other);
            owner_mobile = Some(mobile.map_err(|_| Refusal::BadPerson(other.to_owned()))?);
        }
    } else if let chosen = new.owner.trim()
        && !chosen.is_empty()
    {
        user.owner = Some(person(chosen)?);
    }
    let profile = match &new.personal {
        Some(personal) => profile(&before, personal)?,
        None => Profile::default(),
    };
    if !profile.is_empty() && before.status == UserStatus::Gone {
        return Err(Refusal::UserGone(key.clone()).into());
    }
    if user != before {
        user.updated = now;
        tx.put_user(&user)?;
        tx.cards_changed(key)?;
    }
    Ok(Rest { profile, owner_mobile })
}

/// Makes a person, who has been looked up in the meantime, the owner.
///
/// # Errors
/// [`BatchRefusal::Busy`](super::batch_refusal::BatchRefusal::Busy): a batch has been decided since, and what it writes is what
/// its preview showed.
pub fn set_owner(tx: &WriteTx, key: &UserKey, owner: &OpenId, now: Timestamp) -> Result<(), Error> {
    users::not_in_batch(tx, key)?;
    if let Some(user) = tx.user(key)? {
        tx.put_user(&User { owner: Some(owner.clone()), updated: now, ..user })?;
    }
    Ok(())
}

/// Returns the people that the form offers as owner of `user`: everybody the bot knows, the present owner first, then
/// those with known names. An owner unknown to the bot is not offered: Feishu refuses the whole card if it refuses one
/// person in it.
pub fn possible_owners<S: Source>(tx: &View<S>, user: &User) -> Result<Vec<OpenId>, StoreError> {
    let mut people: Vec<_> =
        tx.known_people()?.into_iter().map(|(id, name)| (name.is_none(), name, id)).collect();
    people.sort();
    let people = people.into_iter().map(|(_, _, id)| id);
    let (owner, others): (Vec<_>, Vec<_>) = people.partition(|id| Some(id) == user.owner.as_ref());
    Ok(owner.into_iter().chain(others).take(MAX_OWNERS_OFFERED).collect())
}

fn person(id: &str) -> Result<OpenId, Refusal> {
    let person = OpenId::new(id).ok().filter(|id| id.as_str().starts_with("ou_"));
    person.ok_or_else(|| Refusal::BadPerson(id.to_owned()))
}

/// Returns the typed personal data that differs from what the cloud has. An empty text clears a value.
fn profile(user: &User, new: &PersonalData) -> Result<Profile, Refusal> {
    Ok(Profile {
        display_name: changed(&new.display_name, &user.display_name, contact::display_name)?,
        email: changed(&new.email, &user.email, contact::email)?,
        phone: changed(&new.phone, &user.phone, contact::phone_in_cloud)?,
    })
}

/// Returns a typed value that differs from `before`, checked unless it is empty.
fn changed(
    text: &str,
    before: &str,
    check: fn(&str) -> Result<String, ContactError>,
) -> Result<Option<String>, ContactError> {
    match text.trim() {
        same if same == before => Ok(None),
        "" => Ok(Some(String::new())),
        text => Ok(Some(check(text)?).filter(|value| value != before)),
    }
}

fn remark(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars > REMARK_CHARS {
        return Err(Refusal::TooLong { field: TextField::Remark, limit: REMARK_CHARS, chars });
    }
    Ok(text.to_owned())
}

/// Records the personal data that the cloud accepted.
pub fn record_profile(
    tx: &WriteTx,
    key: &UserKey,
    profile: &Profile,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(mut user) = tx.user(key)? else { return Ok(()) };
    for (field, new) in [
        (&mut user.display_name, &profile.display_name),
        (&mut user.email, &profile.email),
        (&mut user.phone, &profile.phone),
    ] {
        if let Some(new) = new {
            field.clone_from(new);
        }
    }
    user.profile_written_at = Some(now);
    user.updated = now;
    tx.put_user(&user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        let mut user = User::new("main/alice".parse().unwrap(), Timestamp::UNIX_EPOCH);
        user.email = "a@b.cn".to_owned();
        user.phone = "138****0001".to_owned();
        user
    }

    fn typed(email: &str, phone: &str) -> PersonalData {
        PersonalData { email: email.to_owned(), phone: phone.to_owned(), ..PersonalData::default() }
    }

    #[test]
    fn only_changes_are_written_so_a_masked_phone_survives() {
        let same = profile(&user(), &typed(" a@b.cn ", "138****0001")).unwrap();
        assert!(same.is_empty());
        let emptied = profile(&user(), &typed("", "+8613800000001")).unwrap();
        assert_eq!(emptied.email.as_deref(), Some(""));
        assert_eq!(emptied.phone.as_deref(), Some("+8613800000001"));
        assert_eq!(emptied.display_name, None);
    }

    /// Every example of the platform has the country code.
    #[test]
    fn a_number_of_the_mainland_gets_its_country_code() {
        let changed = profile(&user(), &typed("a@b.cn", "13800000009")).unwrap();
        assert_eq!(changed.phone.as_deref(), Some("+8613800000009"));
        let known = User { phone: "+8613800000009".to_owned(), ..user() };
        assert!(profile(&known, &typed("a@b.cn", "13800000009")).unwrap().is_empty());
    }

    #[test]
    fn bad_contact_data_is_refused() {
        for email in ["a", "a@b", "@b.cn", "a b@c.cn", "a@b@c.cn", "a@b."] {
            let refused = profile(&user(), &typed(email, "138****0001"));
            assert_eq!(refused, Err(Refusal::BadEmail(email.to_owned())));
        }
        let refused = profile(&user(), &typed("a@b.cn", "138"));
        assert_eq!(refused, Err(Refusal::BadMobile("138".to_owned())));
        let named = PersonalData { display_name: "x".repeat(129), ..PersonalData::default() };
        assert_eq!(profile(&user(), &named), Err(Refusal::BadDisplayName { chars: 129 }));
    }
}
