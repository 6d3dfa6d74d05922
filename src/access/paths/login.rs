//! Console login.

use super::{Opened, Path, Reading, Target, standing};
use crate::access::failure::PathError;
use crate::app::sync::user_login;
use crate::domain::AccessItem;

pub(in crate::access) struct Login;

impl Path for Login {
    async fn read(target: Target<'_>) -> Result<Reading, PathError> {
        let login = user_login(target.api, &target.user.key).await?;
        let item = |login: crate::domain::Switch| {
            (AccessItem::new(AccessItem::LOGIN), standing(login.is_on()))
        };
        Ok(login.map(item).into_iter().collect())
    }

    async fn close(target: Target<'_>, _: &AccessItem) -> Result<(), PathError> {
        Ok(target.api.set_login_allowed(target.username(), false).await?)
    }

    async fn open(target: Target<'_>, _: &AccessItem) -> Result<Opened, PathError> {
        target.api.set_login_allowed(target.username(), true).await?;
        Ok(Opened::Accepted)
    }
}
