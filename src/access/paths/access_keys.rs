//! Access keys. Only a key that is certainly inactive counts as closed.

use super::{Opened, Path, Reading, Target, standing};
use crate::access::failure::PathError;
use crate::app::sync::user_keys;
use crate::domain::AccessItem;
use crate::volcengine::KeyStatus;

pub(in crate::access) struct AccessKeys;

impl Path for AccessKeys {
    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        let keys = user_keys(target.api, &target.user.key).await?;
        let item = |key: crate::domain::AccessKeyInfo| {
            (AccessItem::new(key.id), standing(key.active.is_on()))
        };
        Ok(keys.into_iter().map(item).collect())
    }

    async fn close(target: Target<'_>, item: &AccessItem) -> Result<(), PathError> {
        let name = target.username();
        Ok(target.api.update_access_key(name, &item.id, KeyStatus::Inactive).await?)
    }

    async fn open(target: Target<'_>, item: &AccessItem) -> Result<Opened, PathError> {
        target.api.update_access_key(target.username(), &item.id, KeyStatus::Active).await?;
        Ok(Opened::Accepted)
    }
}
