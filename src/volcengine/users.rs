//! Creating IAM users: calls that create something and must not be retried blindly.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::call::{Api, Call, Input, Retry};
use super::client::AccountClient;
use super::error::Error;
use super::iam::{IamUser, UserAnswer};

/// A user to create ("CreateUser"). Empty values are not sent.
#[derive(Clone, Copy, Debug)]
pub struct NewIamUser<'a> {
    /// 1 to 64 of letters, digits, `_ . - @ ,`.
    pub username: &'a str,
    /// The name shown to people.
    pub display_name: &'a str,
    /// E-mail.
    pub email: &'a str,
    /// Mobile phone.
    pub phone: &'a str,
    /// A remark, by which the caller can recognise the user after an unclear failure.
    pub description: &'a str,
}

/// A new access key. The API shows its secret only once.
#[derive(Clone, Debug)]
pub struct NewAccessKey {
    /// `AKLT…`
    pub id: String,
    /// The secret access key.
    pub secret: SecretString,
}

#[derive(Deserialize)]
struct KeyAnswer {
    #[serde(rename = "AccessKey")]
    key: KeyParts,
}

#[derive(Deserialize)]
struct KeyParts {
    #[serde(rename = "AccessKeyId")]
    id: String,
    #[serde(rename = "SecretAccessKey")]
    secret: String,
}

impl AccountClient {
    /// Creates a user ("CreateUser"). Retried only if it was certainly not applied; after an unclear failure, check with
    /// [`AccountClient::get_user`] first.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](super::ErrorKind::AlreadyExists); [`Error::is_unclear`] if the user may exist now.
    pub async fn create_user(&self, new: NewIamUser<'_>) -> Result<IamUser, Error> {
        let query = [
            ("UserName", new.username.to_owned()),
            ("DisplayName", new.display_name.to_owned()),
            ("Description", new.description.to_owned()),
            ("Email", new.email.to_owned()),
            ("MobilePhone", new.phone.to_owned()),
        ];
        let mut call = Call::get(Api::Iam, "CreateUser", query);
        if let Input::Query(pairs) = &mut call.input {
            pairs.retain(|(_, value)| !value.is_empty());
        }
        let call = Call { retry: Retry::IfNotApplied, ..call };
        Ok(self.call(&call).await?.parse::<UserAnswer>()?.user)
    }

    /// Sets up and allows console login with a password that must be changed at the first login ("CreateLoginProfile",
    /// docs 6257/65012). Retried only if it was certainly not applied.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](super::ErrorKind::AlreadyExists); [`Error::is_unclear`] if the profile may exist now.
    pub async fn create_login_profile(
        &self,
        username: &str,
        password: &SecretString,
    ) -> Result<(), Error> {
        let body = json!({
            "UserName": username,
            "Password": password.expose_secret(),
            "LoginAllowed": true,
            "PasswordResetRequired": true,
        });
        let call = Call {
            retry: Retry::IfNotApplied,
            secret: Some(password.clone()),
            ..Call::post(Api::Iam, "CreateLoginProfile", body)
        };
        self.call(&call).await.map(drop)
    }

    /// Creates an access key ("CreateAccessKey"). Retried only if it was certainly not applied: otherwise a retry could
    /// leave a key whose secret nobody has.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`](super::ErrorKind::Limit); [`Error::is_unclear`] if there may be a key now.
    pub async fn create_access_key(&self, username: &str) -> Result<NewAccessKey, Error> {
        let query = [("UserName", username.to_owned())];
        let call =
            Call { retry: Retry::IfNotApplied, ..Call::get(Api::Iam, "CreateAccessKey", query) };
        let answer = self.call(&call).await?;
        // A parser's error may quote the response, which contains a secret.
        let parsed = answer.result().and_then(|text| serde_json::from_str::<KeyAnswer>(text).ok());
        let KeyAnswer { key } =
            parsed.ok_or_else(|| answer.unexpected("the response has no key"))?;
        Ok(NewAccessKey { id: key.id, secret: key.secret.into() })
    }

    /// Deletes an access key ("DeleteAccessKey"). Safe to retry.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) if the key or the user is gone.
    pub async fn delete_access_key(
        &self,
        username: &str,
        access_key_id: &str,
    ) -> Result<(), Error> {
        let query = [("UserName", username.to_owned()), ("AccessKeyId", access_key_id.to_owned())];
        self.call(&Call::get(Api::Iam, "DeleteAccessKey", query)).await.map(drop)
    }
}
