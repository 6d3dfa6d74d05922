//! A user's settings: those kept here, and the personal data that belongs into the cloud.

use jiff::Timestamp;

use super::refusal::TextField;
use super::{Error, Refusal, users};
use crate::domain::{OpenId, Profile, Switch, Thresholds, User, UserKey, UserStatus};
use crate::store::{Source, StoreError, View, WriteTx};

/// Longest remark, in characters.
pub const REMARK: usize = 500;
/// Longest name, e-mail address or phone, in characters.
pub const NAME: usize = 200;
/// People whom the form offers as owner: each takes some 50 bytes of the card.
const OFFERED: usize = 100;

/// What a person wants, as typed. `None` leaves a value as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUserSettings {
    /// `50,80,90`; empty = the global ones.
    pub thresholds: Option<String>,
    /// Whether the monitor looks at the user.
    pub monitor: Option<bool>,
    /// Whether access is cut when the quota is used up.
    pub auto_disable: Option<bool>,
    /// Free text.
    pub remark: Option<String>,
    /// The open_id of the person behind the user, as chosen; empty = nobody.
    pub owner: Option<String>,
    /// Somebody who is not in the list: an open_id or a mobile number; empty = whoever was chosen.
    pub other_owner: Option<String>,
    /// Nobody is behind the user any more, whoever is chosen.
    pub no_owner: bool,
    /// For the cloud.
    pub display_name: Option<String>,
    /// For the cloud.
    pub email: Option<String>,
    /// For the cloud.
    pub phone: Option<String>,
}

/// What is still to be done after [`save`], because somebody else has to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// To be written to the cloud.
    pub profile: Profile,
    /// Whose number is this? They are to be the owner.
    pub owner_mobile: Option<String>,
}

impl Rest {
    /// Whether everything is done.
    pub fn is_empty(&self) -> bool {
        self.profile.is_empty() && self.owner_mobile.is_none()
    }
}

/// Saves what is kept here.
///
/// # Errors
/// Refusals of each value, then nothing is saved; [`Refusal::UserGone`] where the cloud's data of a user who is gone is to
/// change.
pub fn save(
    tx: &WriteTx,
    key: &UserKey,
    new: &NewUserSettings,
    now: Timestamp,
) -> Result<Rest, Error> {
    let before = users::get(tx, key)?;
    let mut user = before.clone();
    if let Some(text) = &new.thresholds {
        user.thresholds = match text.trim() {
            "" => None,
            text => Some(text.parse::<Thresholds>().map_err(Refusal::from)?),
        };
    }
    if let Some(on) = new.monitor {
        user.monitored = Switch::from(on);
    }
    if let Some(on) = new.auto_disable {
        user.auto_disable = Switch::from(on);
    }
    if let Some(text) = &new.remark {
        user.remark = bounded(text, TextField::Remark, REMARK)?;
    }
    let mut owner_mobile = None;
    if new.no_owner {
        user.owner = None;
    } else if let Some(other) = new.other_owner.as_deref().map(str::trim).filter(|o| !o.is_empty())
    {
        if other.starts_with("ou_") {
            user.owner = Some(person(other)?);
        } else {
            let mobile = crate::config::mobile(other);
            owner_mobile = Some(mobile.map_err(|_| Refusal::BadPerson(other.to_owned()))?);
        }
    } else if let Some(chosen) = new.owner.as_deref().map(str::trim) {
        user.owner = if chosen.is_empty() { None } else { Some(person(chosen)?) };
    }
    let profile = profile(&before, new)?;
    if !profile.is_empty() && before.status == UserStatus::Gone {
        return Err(Refusal::UserGone(key.clone()).into());
    }
    if user != before {
        user.updated = now;
        tx.put_user(&user)?;
    }
    Ok(Rest { profile, owner_mobile })
}

/// Makes a person the owner who was looked up meanwhile.
///
/// # Errors
/// The store's.
pub fn owned(
    tx: &WriteTx,
    key: &UserKey,
    owner: &OpenId,
    now: Timestamp,
) -> Result<(), StoreError> {
    match tx.user(key)? {
        Some(user) => tx.put_user(&User { owner: Some(owner.clone()), updated: now, ..user }),
        None => Ok(()),
    }
}

/// Whom the form offers as the owner of `user`: the present one, then everybody the bot knows, those whose names are known
/// first.
///
/// # Errors
/// The store's.
pub fn possible_owners<S: Source>(tx: &View<S>, user: &User) -> Result<Vec<OpenId>, StoreError> {
    let mut people: Vec<_> =
        tx.known_people()?.into_iter().map(|(id, name)| (name.is_none(), name, id)).collect();
    people.sort();
    let others =
        people.into_iter().map(|(_, _, id)| id).filter(|id| Some(id) != user.owner.as_ref());
    Ok(user.owner.iter().cloned().chain(others).take(OFFERED).collect())
}

fn person(id: &str) -> Result<OpenId, Refusal> {
    let person = OpenId::new(id).ok().filter(|id| id.as_str().starts_with("ou_"));
    person.ok_or_else(|| Refusal::BadPerson(id.to_owned()))
}

/// What of the typed personal data differs from what the cloud has.
fn profile(user: &User, new: &NewUserSettings) -> Result<Profile, Refusal> {
    let changed = |text: &Option<String>, before: &str, field| -> Result<_, Refusal> {
        let text = text.as_deref().map(|text| bounded(text, field, NAME)).transpose()?;
        Ok(text.filter(|text| text != before))
    };
    let email = changed(&new.email, &user.email, TextField::Email)?;
    if let Some(email) = &email
        && !(email.is_empty() || looks_like_email(email))
    {
        return Err(Refusal::BadEmail(email.clone()));
    }
    let phone = changed(&new.phone, &user.phone, TextField::Phone)?;
    if let Some(phone) = &phone
        && !phone.is_empty()
        && crate::config::mobile(phone).is_err()
    {
        return Err(Refusal::BadMobile(phone.clone()));
    }
    Ok(Profile {
        display_name: changed(&new.display_name, &user.display_name, TextField::DisplayName)?,
        email,
        phone,
    })
}

/// Which addresses are taken is the cloud's matter; here only what is certainly none is refused.
fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains('@') && !host.ends_with('.')
    }) && !text.contains(char::is_whitespace)
}

fn bounded(text: &str, field: TextField, limit: usize) -> Result<String, Refusal> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars > limit {
        return Err(Refusal::TooLong { field, limit, chars });
    }
    Ok(text.to_owned())
}

/// Takes over what the cloud took.
///
/// # Errors
/// The store's.
pub fn written(
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

    fn typed(email: &str, phone: &str) -> NewUserSettings {
        NewUserSettings {
            email: Some(email.to_owned()),
            phone: Some(phone.to_owned()),
            ..NewUserSettings::default()
        }
    }

    #[test]
    fn only_what_changed_is_written_so_a_masked_phone_survives() {
        let same = profile(&user(), &typed(" a@b.cn ", "138****0001")).unwrap();
        assert!(same.is_empty());
        let emptied = profile(&user(), &typed("", "13800000001")).unwrap();
        assert_eq!(emptied.email.as_deref(), Some(""));
        assert_eq!(emptied.phone.as_deref(), Some("13800000001"));
        assert_eq!(emptied.display_name, None);
    }

    #[test]
    fn what_is_certainly_wrong_is_refused() {
        for email in ["a", "a@b", "@b.cn", "a b@c.cn", "a@b@c.cn", "a@b."] {
            let refused = profile(&user(), &typed(email, "138****0001"));
            assert_eq!(refused, Err(Refusal::BadEmail(email.to_owned())));
        }
        let refused = profile(&user(), &typed("a@b.cn", "138"));
        assert_eq!(refused, Err(Refusal::BadMobile("138".to_owned())));
        let long = "x".repeat(201);
        let limit = Refusal::TooLong { field: TextField::Email, limit: 200, chars: 201 };
        assert_eq!(profile(&user(), &typed(&long, "")), Err(limit));
    }
}
