//! Identifiers. Each kind is a type of its own, checked on construction, so that one cannot be used for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// Longer than the kind allows.
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    /// Contains a character that the kind does not allow.
    #[error("it contains a character that is not allowed: {0:?}")]
    BadCharacter(char),
}

fn check(text: &str, max: usize, allowed: impl Fn(char) -> bool) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.chars().count() > max {
        return Err(IdError::TooLong(max));
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(IdError::BadCharacter(c)),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest one, in characters.
            pub const MAX_CHARS: usize = $max;

            /// Checks a text.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text, $max, $allowed)?;
                Ok(Self(text))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(
    /// A main account's slug: lower-case letters, digits, `-` and `_`, at most 32 characters.
    AccountId, 32, |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'
);
text_id!(
    /// An IAM user name. The cloud decides which characters are valid (its documents disagree); only those that would break
    /// a key or a command are refused here: white space, control characters and `/`.
    Username, 64, |c: char| !c.is_whitespace() && !c.is_control() && c != '/'
);
text_id!(
    /// A Volcengine project's name, the key of its rows in bills (`Project`).
    ProjectName, 200, |c: char| !c.is_control()
);
text_id!(
    /// A person in Feishu (`ou_…`).
    OpenId, 200, |c: char| !c.is_whitespace() && !c.is_control()
);
text_id!(
    /// A chat in Feishu (`oc_…`).
    ChatId, 200, |c: char| !c.is_whitespace() && !c.is_control()
);
text_id!(
    /// A message in Feishu (`om_…`).
    MessageId, 200, |c: char| !c.is_whitespace() && !c.is_control()
);
text_id!(
    /// The id of one rendering of a mutating form: the same id applies once.
    OpId, 64, |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_'
);

impl OpId {
    /// Returns when the card was rendered; `None` if the id does not hold it. Ids are UUIDs of version 7 (RFC 9562),
    /// which begin with the time; those of earlier versions of airgate are random.
    pub fn rendered_at(&self) -> Option<jiff::Timestamp> {
        let text = self.0.strip_prefix("o-").unwrap_or(&self.0);
        if text.len() != 32 || text.as_bytes().get(12) != Some(&b'7') {
            return None;
        }
        let millis = i64::from_str_radix(text.get(..12)?, 16).ok()?;
        jiff::Timestamp::from_millisecond(millis).ok()
    }
}

/// An IAM user: account and user name, written `account/username`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserKey {
    /// The main account.
    pub account: AccountId,
    /// The name within it.
    pub username: Username,
}

impl UserKey {
    /// Creates the key of the user `username` of `account`.
    pub fn new(account: AccountId, username: Username) -> Self {
        Self { account, username }
    }
}

impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.username)
    }
}

impl FromStr for UserKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (account, username) = text.split_once('/').ok_or(IdError::Empty)?;
        Ok(Self { account: account.parse()?, username: username.parse()? })
    }
}

impl TryFrom<String> for UserKey {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<UserKey> for String {
    fn from(key: UserKey) -> String {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_characters_that_would_break_a_key() {
        assert_eq!(AccountId::new("Main"), Err(IdError::BadCharacter('M')));
        assert_eq!(AccountId::new(""), Err(IdError::Empty));
        assert_eq!(AccountId::new("a".repeat(33)), Err(IdError::TooLong(32)));
        assert_eq!(Username::new("a/b"), Err(IdError::BadCharacter('/')));
        assert_eq!(Username::new("a b"), Err(IdError::BadCharacter(' ')));
        assert!(Username::new("张三.dev+1@x,y=z").is_ok());
        assert!(ProjectName::new("项目 one").is_ok());
    }

    #[test]
    fn a_user_key_is_written_with_a_slash() {
        let key: UserKey = "main/alice".parse().unwrap();
        assert_eq!(key.account.as_str(), "main");
        assert_eq!(serde_json::to_string(&key).unwrap(), r#""main/alice""#);
        assert!("alice".parse::<UserKey>().is_err());
        assert!("main/al/ice".parse::<UserKey>().is_err());
    }
}
