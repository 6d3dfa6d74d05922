//! Which main account a key pair belongs to, by the number that the cloud gives it.

use std::fmt;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::{AccountClient, Api, Call};
use super::error::Error;

/// The cloud's number of a main account (`AccountId`, `OwnerID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber(u64);

impl AccountNumber {
    /// The account of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads a JSON number or its text. 0 and anything else is no account.
    pub(super) fn read(value: Option<&RawValue>) -> Option<Self> {
        let json = value?.get();
        let number = match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => text.trim(),
            None => json,
        };
        number.parse().ok().filter(|number| *number != 0).map(Self)
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of the number: `AccountId` of users, `AccountID` of projects and of the balance.
#[derive(Deserialize)]
pub(super) struct Owned {
    #[serde(rename = "AccountID", alias = "AccountId")]
    number: Option<Box<RawValue>>,
}

impl Owned {
    pub(super) fn number(&self) -> Option<AccountNumber> {
        AccountNumber::read(self.number.as_deref())
    }
}

#[derive(Deserialize)]
struct ProjectsAnswer {
    #[serde(rename = "Projects")]
    projects: Option<Vec<Owned>>,
}

impl AccountClient {
    /// Returns the number of the main account that the key pair belongs to: from memory, else from the balance
    /// ("QueryBalanceAcct"), else from a project ("ListProjects"; each account has one). Other calls learn it as well.
    ///
    /// # Errors
    /// Those of "ListProjects", or [`ErrorKind::Unexpected`](super::ErrorKind::Unexpected) if no response says it.
    pub async fn account_number(&self) -> Result<AccountNumber, Error> {
        if let Some(known) = self.known_account() {
            return Ok(known);
        }
        let balance = self.call(&Call::post(Api::Billing, "QueryBalanceAcct", json!({}))).await;
        if let Some(number) = balance.ok().and_then(|answer| answer.parse::<Owned>().ok()?.number())
        {
            self.learn(number);
            return Ok(number);
        }
        let one = [("Limit", "1".to_owned()), ("Offset", "0".to_owned())];
        let answer = self.call(&Call::get(Api::Projects, "ListProjects", one)).await?;
        let projects = answer.parse::<ProjectsAnswer>()?.projects.unwrap_or_default();
        let number = projects.iter().find_map(Owned::number).ok_or_else(|| {
            answer.unexpected("the response does not say which account the projects belong to")
        })?;
        self.learn(number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_numbers_and_text() {
        for (json, number) in [
            (r#"{"AccountID":2100000001}"#, Some(2_100_000_001)),
            (r#"{"AccountId":"2100000001"}"#, Some(2_100_000_001)),
            (r#"{"AccountId":" 7 "}"#, Some(7)),
            (r#"{"AccountId":0}"#, None),
            (r#"{"AccountId":-1}"#, None),
            (r#"{"AccountId":"-"}"#, None),
            (r#"{"AccountId":null}"#, None),
            (r#"{"AccountId":{}}"#, None),
            ("{}", None),
        ] {
            let owned: Owned = serde_json::from_str(json).unwrap();
            assert_eq!(owned.number(), number.map(AccountNumber::new), "{json}");
        }
    }
}
