//! The members of a group ("Get group members").

use reqwest::Method;
use serde_json::Value;

use super::client::Client;
use super::error::Error;
use super::fields::string;

/// The platform's largest page.
const PER_CALL: &str = "100";
/// Larger groups are not read: they are no list of administrators.
const MAX_PAGES: usize = 50;

/// A member of a group. Bots are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMember {
    /// The person, `ou_…`.
    pub open_id: String,
    /// The person's tenant; empty if the platform does not say.
    pub tenant_key: String,
}

impl Client {
    /// Returns every member of a group that the bot is in (docs/platforms/feishu.md §5.3). Needs the scope
    /// im:chat.members:read.
    ///
    /// # Errors
    /// Also if a page cannot be understood: half a list is none.
    pub async fn chat_members(&self, chat_id: &str) -> Result<Vec<ChatMember>, Error> {
        let endpoint = "chat_members";
        let mut members = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = self.url(&["im", "v1", "chats", chat_id, "members"]);
            url.query_pairs_mut()
                .append_pair("member_id_type", "open_id")
                .append_pair("page_size", PER_CALL);
            if let Some(page) = &page {
                url.query_pairs_mut().append_pair("page_token", page);
            }
            let answer = self.call(endpoint, Method::GET, url, None).await?;
            let data = answer.data();
            let items = data.get("items").and_then(Value::as_array);
            let items = items.ok_or_else(|| answer.lacks("the answer lists no members"))?;
            for item in items {
                let open_id = string(item, "member_id")
                    .ok_or_else(|| answer.lacks("a member of the group has no id"))?;
                let tenant_key = string(item, "tenant_key").unwrap_or_default();
                members.push(ChatMember { open_id, tenant_key });
            }
            if data.get("has_more").and_then(Value::as_bool) != Some(true) {
                return Ok(members);
            }
            let next = string(data, "page_token").filter(|next| !next.is_empty());
            if next.is_none() || next == page {
                return Err(answer.lacks("the answer has more pages but names none"));
            }
            page = next;
        }
        Err(Error::Unsendable { endpoint, what: "the group has more members than are read" })
    }
}
