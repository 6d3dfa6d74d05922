//! API keys of IAM (docs/platforms/ark.md §B.1). What they open is in no source; they are the user's credentials.

use super::{Opened, Path, Reading, Target, standing};
use crate::access::failure::PathError;
use crate::domain::{AccessItem, NotCovered};

pub(in crate::access) struct ApiKeys;

impl Path for ApiKeys {
    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        match target.api.iam_api_keys(target.username()).await {
            Ok(keys) => Ok(keys
                .into_iter()
                .map(|key| (AccessItem::new(key.id).named(key.name), standing(key.active)))
                .collect()),
            Err(error) if error.is_no_such_action() => {
                let not_covered = Some(NotCovered::NoSuchAction);
                Ok(Reading { not_covered, ..Reading::default() })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        Ok(target.api.set_iam_api_key(target.username(), &item.id, false).await?)
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        target.api.set_iam_api_key(target.username(), &item.id, true).await?;
        Ok(Opened::Accepted)
    }
}
