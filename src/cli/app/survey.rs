//! Reads what the platform says of the app. Each part may be unreadable by itself.

use crate::feishu::{AppInfo, AppScope, Client, ContactRange, Error, Versions};

/// What the platform says.
#[derive(Debug)]
pub(in crate::cli) struct Survey {
    pub(in crate::cli) scopes: Result<Vec<AppScope>, Error>,
    pub(in crate::cli) versions: Result<Versions, Error>,
    pub(in crate::cli) info: Result<AppInfo, Error>,
    pub(in crate::cli) contacts: Result<ContactRange, Error>,
}

impl Survey {
    pub(in crate::cli) async fn read(client: &Client) -> Self {
        let (scopes, versions, info, contacts) =
            tokio::join!(client.scopes(), client.versions(), client.app(), client.contact_range());
        Self { scopes, versions, info, contacts }
    }
}
