//! IAM 2018-01-01: users, access keys, console login (docs/platforms/volcengine.md §5).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::call::{Api, Call, Input};
use super::client::AccountClient;
use super::error::{Error, ErrorKind, bounded};
use super::identity::account_number;
use super::paging::whole_list;
use crate::domain::AccountNumber;

/// An IAM sub-account ("ListUsers", docs 6257/65008).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IamUser {
    /// The API's numeric id of the user, as text. Survives a rename; empty if the API sent none.
    #[serde(rename = "Id", default, deserialize_with = "text")]
    pub id: String,
    /// Identifies the user within its main account.
    #[serde(rename = "UserName")]
    pub username: String,
    /// The name shown to people; may be empty.
    #[serde(rename = "DisplayName", default, deserialize_with = "text")]
    pub display_name: String,
    /// May be empty.
    #[serde(rename = "Email", default, deserialize_with = "text")]
    pub email: String,
    /// May be empty or masked.
    #[serde(rename = "MobilePhone", default, deserialize_with = "text")]
    pub phone: String,
    /// May be empty.
    #[serde(rename = "Description", default, deserialize_with = "text")]
    pub description: String,
    /// The main account that the user belongs to, if the API says so.
    #[serde(rename = "AccountId", default, deserialize_with = "account_number")]
    pub account: Option<AccountNumber>,
}

/// Whether an access key works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyStatus {
    /// The key can sign requests, or may be able to: any status but `inactive` counts as active, because a key
    /// that is open costs money.
    #[default]
    Active,
    /// The key is switched off.
    Inactive,
}

impl KeyStatus {
    /// Returns the API's lower-case spelling ("UpdateAccessKey").
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

impl<'de> Deserialize<'de> for KeyStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        // Ignore the case: the same gateway has been seen with other spellings.
        if text.trim().eq_ignore_ascii_case(Self::Inactive.as_str()) {
            return Ok(Self::Inactive);
        }
        if !text.trim().eq_ignore_ascii_case(Self::Active.as_str()) {
            tracing::warn!(
                status = bounded(&text),
                "an access key of unknown status counts as active"
            );
        }
        Ok(Self::Active)
    }
}

/// A user's access key. The API never returns its secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessKey {
    /// `AKLT…`; empty if the API sent none, so that one such key does not hide the others.
    #[serde(rename = "AccessKeyId", default, deserialize_with = "text")]
    pub id: String,
    /// Whether it works.
    #[serde(rename = "Status", default)]
    pub status: KeyStatus,
    /// When it was created, if the API says so.
    #[serde(rename = "CreateDate", default, deserialize_with = "instant")]
    pub created: Option<Timestamp>,
}

/// Whether a user can log in to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginAccess {
    /// Login was never set up, so there is nothing to forbid.
    NoProfile,
    /// Set up and forbidden.
    Forbidden,
    /// Set up and allowed.
    Allowed,
}

#[derive(Deserialize)]
pub(super) struct UserAnswer {
    #[serde(rename = "User")]
    pub(super) user: IamUser,
}

#[derive(Deserialize)]
struct KeysAnswer {
    // Null is an empty list. A response without a list is not.
    #[serde(rename = "AccessKeyMetadata", deserialize_with = "Option::deserialize")]
    keys: Option<Vec<AccessKey>>,
}

#[derive(Default, Deserialize)]
struct ProfileAnswer {
    #[serde(rename = "LoginProfile")]
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(rename = "UserName", default, deserialize_with = "text")]
    username: String,
    #[serde(rename = "LoginAllowed", default, deserialize_with = "text")]
    login_allowed: String,
    #[serde(rename = "CreateDate", default, deserialize_with = "text")]
    created: String,
}

impl Profile {
    /// For a user without a profile, the API may send a stub dated 1970-01-01, one with every field at its zero,
    /// or an empty object. A profile that is neither clearly allowed nor forbidden counts as allowed.
    fn access(&self) -> LoginAccess {
        let stub = ["1970-01-01", "0001-01-01", "19700101", "00010101"]
            .iter()
            .any(|day| self.created.starts_with(day));
        match self.login_allowed.as_str() {
            _ if stub || self.username.is_empty() => LoginAccess::NoProfile,
            "false" | "False" | "0" => LoginAccess::Forbidden,
            _ => LoginAccess::Allowed,
        }
    }
}

impl AccountClient {
    /// Returns all users of the main account, by name ("ListUsers").
    ///
    /// # Errors
    /// Any [`Error`]. A response without a list is an error, never an empty list.
    pub async fn list_users(&self) -> Result<Vec<IamUser>, Error> {
        let users = whole_list(self, Api::Iam, "ListUsers", "UserMetadata", |user: &IamUser| {
            &user.username
        });
        let users: Vec<IamUser> = users.await?.into_values().collect();
        if let Some(number) = users.iter().find_map(|user| user.account) {
            self.learn(number);
        }
        Ok(users)
    }

    /// Returns a user, or `None` if the API says that there is none of that name ("GetUser").
    ///
    /// # Errors
    /// Any [`Error`] but [`ErrorKind::NotFound`].
    pub async fn get_user(&self, username: &str) -> Result<Option<IamUser>, Error> {
        let call = Call::get(Api::Iam, "GetUser", [("UserName", username.to_owned())]);
        match self.call(&call).await {
            Ok(answer) => Ok(Some(answer.parse::<UserAnswer>()?.user)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks cheaply that the API accepts the key pair and lets it read users ("ListUsers", one row). Returns the number of
    /// the main account that the key pair belongs to; `None` if it has no user and does not let the balance be read.
    pub async fn check(&self) -> Result<Option<AccountNumber>, Error> {
        let page = [("Limit", "1".to_owned()), ("Offset", "0".to_owned())];
        let answer = self.call(&Call::get(Api::Iam, "ListUsers", page)).await?;
        match self.learn_from(&answer) {
            Some(number) => Ok(Some(number)),
            None => Ok(self.balance_owner().await),
        }
    }

    /// Changes a user's display name, e-mail and phone, leaving those that are `None` ("UpdateUser").
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such user; [`ErrorKind::BadInput`] if the API refuses a value.
    pub async fn update_user(
        &self,
        username: &str,
        display_name: Option<&str>,
        email: Option<&str>,
        phone: Option<&str>,
    ) -> Result<(), Error> {
        let changes =
            [("NewDisplayName", display_name), ("NewEmail", email), ("NewMobilePhone", phone)];
        let mut query = vec![("UserName".into(), username.to_owned())];
        for (name, value) in changes {
            query.extend(value.map(|value| (name.into(), value.to_owned())));
        }
        let call = Call { input: Input::Query(query), ..Call::get(Api::Iam, "UpdateUser", []) };
        self.call(&call).await.map(drop)
    }

    /// Returns all access keys of a user ("ListAccessKeys", not paged).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such user; [`ErrorKind::Unexpected`] if the response has no list.
    pub async fn list_access_keys(&self, username: &str) -> Result<Vec<AccessKey>, Error> {
        let query = [("UserName", username.to_owned())];
        let answer = self.call(&Call::get(Api::Iam, "ListAccessKeys", query)).await?;
        Ok(answer.parse::<KeysAnswer>()?.keys.unwrap_or_default())
    }

    /// Switches an access key on or off ("UpdateAccessKey"). Idempotent. Reads may be stale for seconds, so read it back
    /// before trusting it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the key or the user is gone.
    pub async fn update_access_key(
        &self,
        username: &str,
        access_key_id: &str,
        status: KeyStatus,
    ) -> Result<(), Error> {
        let query = [
            ("UserName", username.to_owned()),
            ("AccessKeyId", access_key_id.to_owned()),
            ("Status", status.as_str().to_owned()),
        ];
        let call = Call::get(Api::Iam, "UpdateAccessKey", query);
        self.call(&call).await.map(drop)
    }

    /// Returns whether a user can log in to the console ("GetLoginProfile").
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the user itself is gone; a user without a profile is not an error.
    pub async fn login_profile(&self, username: &str) -> Result<LoginAccess, Error> {
        let query = [("UserName", username.to_owned())];
        let answer = match self.call(&Call::get(Api::Iam, "GetLoginProfile", query)).await {
            Ok(answer) => answer,
            Err(error) if no_profile(&error) => return Ok(LoginAccess::NoProfile),
            Err(error) => return Err(error),
        };
        let profile = match answer.result() {
            Some(_) => answer.parse::<ProfileAnswer>()?.profile,
            None => None,
        };
        Ok(profile.map_or(LoginAccess::NoProfile, |profile| profile.access()))
    }

    /// Allows or forbids console login without changing the password ("UpdateLoginProfile"). Reads may be stale for
    /// seconds.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the user or its profile does not exist.
    pub async fn set_login_allowed(&self, username: &str, allowed: bool) -> Result<(), Error> {
        let body = json!({ "UserName": username, "LoginAllowed": allowed });
        let call = Call::post(Api::Iam, "UpdateLoginProfile", body);
        self.call(&call).await.map(drop)
    }
}

/// Returns whether the error means that the profile is missing, not its user.
fn no_profile(error: &Error) -> bool {
    *error.kind() == ErrorKind::NotFound
        && !error.code().is_some_and(|code| code.starts_with("User"))
}

/// Reads text of whatever type: numbers and booleans as they are written, anything else as nothing. A field of another type
/// than documented must not make a whole list unreadable.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    })
}

/// Reads a time of IAM, `YYYYMMDDTHHMMSSZ` in UTC. Unreadable times become `None`: no decision depends on them.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = text(deserializer)?;
    Ok(DateTime::strptime("%Y%m%dT%H%M%SZ", &text)
        .ok()
        .and_then(|at| at.to_zoned(TimeZone::UTC).ok())
        .map(|at| at.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_a_login_profile_is_read() {
        use LoginAccess::*;
        for (json, access) in [
            (r#"{}"#, NoProfile),
            (r#"{"LoginProfile":null}"#, NoProfile),
            (r#"{"LoginProfile":{}}"#, NoProfile),
            (
                r#"{"LoginProfile":{"UserName":"a","LoginAllowed":false,"CreateDate":"19700101T000000Z"}}"#,
                NoProfile,
            ),
            (
                r#"{"LoginProfile":{"UserName":"a","LoginAllowed":false,"CreateDate":"00010101T000000Z"}}"#,
                NoProfile,
            ),
            (
                r#"{"LoginProfile":{"UserName":"a","LoginAllowed":false,"CreateDate":"20260901T020304Z"}}"#,
                Forbidden,
            ),
            // Every field at its zero.
            (
                r#"{"LoginProfile":{"UserName":"","UserId":0,"LoginAllowed":false,"CreateDate":"","UpdateDate":""}}"#,
                NoProfile,
            ),
            (r#"{"LoginProfile":{"UserName":null,"LoginAllowed":false}}"#, NoProfile),
            (r#"{"LoginProfile":{"LoginAllowed":true}}"#, NoProfile),
            // Only what is clearly forbidden counts as closed.
            (r#"{"LoginProfile":{"UserName":"a","CreateDate":"20260901T020304Z"}}"#, Allowed),
            (r#"{"LoginProfile":{"UserName":"a","LoginAllowed":null}}"#, Allowed),
            (r#"{"LoginProfile":{"UserName":"a","LoginAllowed":"perhaps"}}"#, Allowed),
            (r#"{"LoginProfile":{"UserName":"a","LoginAllowed":"false"}}"#, Forbidden),
            (r#"{"LoginProfile":{"UserName":"a","LoginAllowed":0}}"#, Forbidden),
            (
                r#"{"LoginProfile":{"UserName":"a","LoginAllowed":true,"CreateDate":"20260901T020304Z"}}"#,
                Allowed,
            ),
        ] {
            let answer: ProfileAnswer = serde_json::from_str(json).unwrap();
            assert_eq!(answer.profile.map_or(NoProfile, |p| p.access()), access, "{json}");
        }
    }

    #[test]
    fn the_status_of_a_key_is_read_in_any_case() {
        let key = |status: &str| {
            serde_json::from_str::<AccessKey>(&format!(
                r#"{{"AccessKeyId":"AKLT1","UserName":"a","Status":"{status}","CreateDate":"20260901T020304Z"}}"#
            ))
        };
        assert_eq!(key("Active").unwrap().status, KeyStatus::Active);
        assert_eq!(key("inactive").unwrap().status, KeyStatus::Inactive);
        assert_eq!(key("active").unwrap().created, Some("2026-09-01T02:03:04Z".parse().unwrap()));
    }

    #[test]
    fn any_status_but_inactive_counts_as_active() {
        for (status, read) in [
            (r#""active""#, KeyStatus::Active),
            (r#"" Inactive ""#, KeyStatus::Inactive),
            (r#""expired""#, KeyStatus::Active),
            (r#""frozen""#, KeyStatus::Active),
            (r#""""#, KeyStatus::Active),
            ("null", KeyStatus::Active),
            ("1", KeyStatus::Active),
            ("{}", KeyStatus::Active),
        ] {
            let json = format!(r#"{{"AccessKeyId":"AKLT1","Status":{status}}}"#);
            let key: AccessKey = serde_json::from_str(&json).unwrap();
            assert_eq!(key.status, read, "{status}");
        }
        let absent: AccessKey = serde_json::from_str(r#"{"AccessKeyId":"AKLT1"}"#).unwrap();
        assert_eq!(absent.status, KeyStatus::Active);
    }

    #[test]
    fn null_is_an_empty_list_of_keys_and_absence_is_not() {
        let keys = |json: &str| serde_json::from_str::<KeysAnswer>(json).map(|read| read.keys);
        assert_eq!(keys(r#"{"AccessKeyMetadata":null}"#).unwrap(), None);
        assert!(keys("{}").is_err());
    }

    #[test]
    fn a_user_is_read_with_numbers_text_and_nulls() {
        let user: IamUser = serde_json::from_str(
            r#"{"Id":10000,"UserName":"alice","DisplayName":"爱丽丝","Email":null,"MobilePhone":[],"AccountId":"1","Tags":7}"#,
        )
        .unwrap();
        assert_eq!(user.account, Some(AccountNumber::new(1)));
        let odd: IamUser = serde_json::from_str(
            r#"{"Id":null,"UserName":"alice","DisplayName":7,"Email":{},"AccountId":"-"}"#,
        )
        .unwrap();
        assert_eq!((&*odd.id, &*odd.display_name, &*odd.email, odd.account), ("", "7", "", None));
        assert_eq!(
            (&*user.id, &*user.display_name, &*user.email, &*user.phone),
            ("10000", "爱丽丝", "", "")
        );
        assert!(serde_json::from_str::<IamUser>(r#"{"Id":1}"#).is_err());
    }
}
