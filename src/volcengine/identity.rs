//! Which main account a key pair belongs to, by the number that the cloud gives it.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::json;
use serde_json::value::RawValue;

use super::call::{Api, Call};
use super::client::AccountClient;
use super::envelope::ApiResponse;
use super::error::Error;
use super::paging::count;
use crate::domain::AccountNumber;

/// How long the balance may take, retries included: there are other ways to learn the number, and bills wait for it.
const BALANCE_PATIENCE: Duration = Duration::from_secs(5);

/// Reads the number of a main account: a JSON number or its text. Anything else, including 0, says nothing.
pub(super) fn read_number(value: Option<&RawValue>) -> Option<AccountNumber> {
    let number = u64::try_from(count(value?)?).ok().filter(|number| *number > 0);
    number.map(AccountNumber::new)
}

/// Reads a field with [`read_number`].
pub(super) fn account_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<AccountNumber>, D::Error> {
    Ok(read_number(Option::<Box<RawValue>>::deserialize(deserializer)?.as_deref()))
}

/// The places of the number: `AccountId` of users, `AccountID` of projects and of the balance.
#[derive(Deserialize)]
struct Owned {
    #[serde(
        rename = "AccountID",
        alias = "AccountId",
        default,
        deserialize_with = "account_number"
    )]
    number: Option<AccountNumber>,
    #[serde(rename = "UserMetadata", alias = "Projects")]
    rows: Option<Vec<Owned>>,
}

impl Owned {
    fn number(&self) -> Option<AccountNumber> {
        self.number.or_else(|| self.rows.iter().flatten().find_map(Self::number))
    }
}

impl AccountClient {
    /// Returns the number of the main account that the key pair belongs to: from memory, else from the balance, else from a
    /// project ("ListProjects"; each account has one). Other calls learn it as well.
    ///
    /// # Errors
    /// The errors of "ListProjects", or [`ErrorKind::Unexpected`](super::ErrorKind::Unexpected) if no response says it.
    pub async fn account_number(&self) -> Result<AccountNumber, Error> {
        if let Some(known) = self.known_account() {
            return Ok(known);
        }
        if let Some(number) = self.balance_owner().await {
            return Ok(number);
        }
        let one = [("Limit", "1".to_owned()), ("Offset", "0".to_owned())];
        let answer = self.call(&Call::get(Api::Projects, "ListProjects", one)).await?;
        self.learn_from(&answer).ok_or_else(|| {
            answer.unexpected("the response does not say which account the projects belong to")
        })
    }

    /// Returns the number of the main account whose balance the key pair can read ("QueryBalanceAcct"); `None` if it cannot,
    /// or if there is no answer within [`BALANCE_PATIENCE`].
    pub async fn balance_owner(&self) -> Option<AccountNumber> {
        let call = Call::post(Api::Billing, "QueryBalanceAcct", json!({}));
        let answer = tokio::time::timeout(BALANCE_PATIENCE, self.call(&call)).await.ok()?;
        self.learn_from(&answer.ok()?)
    }

    /// Returns and notes the number that a response shows.
    pub(super) fn learn_from(&self, answer: &ApiResponse) -> Option<AccountNumber> {
        let number = answer.parse::<Owned>().ok()?.number()?;
        self.learn(number);
        Some(number)
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
            (r#"{"Projects":[{"ProjectName":"default","AccountID":7}]}"#, Some(7)),
            (r#"{"UserMetadata":[{},{"AccountId":7}]}"#, Some(7)),
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
