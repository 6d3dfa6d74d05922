//! Making IAM users: the calls that make something new and may not be repeated blindly.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::client::{Account, Api, Call, Repeat};
use super::error::{Error, ErrorKind, TransportFault};
use super::iam::{IamUser, UserAnswer};

/// A user to be made ("CreateUser"). Empty texts are not sent.
#[derive(Clone, Copy, Debug)]
pub struct NewIamUser<'a> {
    /// 1 to 64 of letters, digits, `_ . - @ ,`.
    pub username: &'a str,
    /// What people read.
    pub display_name: &'a str,
    /// E-mail.
    pub email: &'a str,
    /// Mobile phone.
    pub phone: &'a str,
    /// A remark: by it the caller knows the user again after an unclear failure.
    pub description: &'a str,
}

/// An access key that was just made. Its secret is shown this once.
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

impl Error {
    /// Whether the call may have been carried out although it failed: no complete answer arrived, or none that can be read.
    pub fn is_unclear(&self) -> bool {
        match self.kind() {
            ErrorKind::Server | ErrorKind::Unexpected => true,
            ErrorKind::Transport(fault) => *fault != TransportFault::Connect,
            _ => false,
        }
    }

    /// Whether it failed because something of that name exists.
    pub fn is_there_already(&self) -> bool {
        *self.kind() == ErrorKind::AlreadyExists
    }
}

impl Account {
    /// Makes a user ("CreateUser"). Not repeated unless it was certainly refused: look with [`Account::get_user`] first.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; [`Error::is_unclear`] where the user may exist now.
    pub async fn create_user(&self, new: NewIamUser<'_>) -> Result<IamUser, Error> {
        let query = [
            ("UserName", new.username.to_owned()),
            ("DisplayName", new.display_name.to_owned()),
            ("Description", new.description.to_owned()),
            ("Email", new.email.to_owned()),
            ("MobilePhone", new.phone.to_owned()),
        ];
        let mut call = Call::get(Api::Iam, "CreateUser", query);
        if let super::Input::Query(pairs) = &mut call.input {
            pairs.retain(|(_, value)| !value.is_empty());
        }
        let call = Call { repeat: Repeat::OnlyIfRefused, ..call };
        Ok(self.call(&call).await?.parse::<UserAnswer>()?.user)
    }

    /// Sets up console login, allowed, with a password that must be changed at the first one ("CreateLoginProfile", docs
    /// 6257/65012). Not repeated unless it was certainly refused.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; [`Error::is_unclear`] where the profile may exist now.
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
            repeat: Repeat::OnlyIfRefused,
            secret: Some(password.clone()),
            ..Call::post(Api::Iam, "CreateLoginProfile", body)
        };
        self.call(&call).await.map(drop)
    }

    /// Makes an access key ("CreateAccessKey"). Not repeated unless it was certainly refused: a repeat leaves a key whose secret
    /// nobody has.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`]; [`Error::is_unclear`] where there may be a key now.
    pub async fn create_access_key(&self, username: &str) -> Result<NewAccessKey, Error> {
        let query = [("UserName", username.to_owned())];
        let call =
            Call { repeat: Repeat::OnlyIfRefused, ..Call::get(Api::Iam, "CreateAccessKey", query) };
        let answer = self.call(&call).await?;
        // What a parser says of an answer may quote it, and this one has a secret in it.
        let parsed = answer.result().and_then(|text| serde_json::from_str::<KeyAnswer>(text).ok());
        let KeyAnswer { key } = parsed.ok_or_else(|| answer.unexpected("the answer has no key"))?;
        Ok(NewAccessKey { id: key.id, secret: key.secret.into() })
    }

    /// Deletes an access key ("DeleteAccessKey"). It may be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where the key or the user is gone.
    pub async fn delete_access_key(
        &self,
        username: &str,
        access_key_id: &str,
    ) -> Result<(), Error> {
        let query = [("UserName", username.to_owned()), ("AccessKeyId", access_key_id.to_owned())];
        self.call(&Call::get(Api::Iam, "DeleteAccessKey", query)).await.map(drop)
    }
}
