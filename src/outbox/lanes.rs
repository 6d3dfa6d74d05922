//! The names of lanes.

use crate::domain::{ChatId, OpenId, Report, updated_lane};
use crate::store::{Source, StoreError, View};

/// The lane of the custom bot's webhook.
pub const HOOK_LANE: &str = "hook";

const CHAT: &str = "chat:";
const PERSON: &str = "person:";
const FILES: &str = "file:";

/// Returns the lane of everything that is shown in a chat.
pub fn chat_lane(chat: &str) -> String {
    format!("{CHAT}{chat}")
}

/// Returns the lane of messages to a person whose direct chat is not known.
pub fn person_lane(person: &OpenId) -> String {
    format!("{PERSON}{person}")
}

/// Returns the lane of files for the recipient of `lane`: a slow upload must not delay a chat's replies.
pub fn file_lane(lane: &str) -> String {
    format!("{FILES}{lane}")
}

/// Returns the lane of a recipient's messages, given that lane, or the one of its files or updates.
pub(super) fn message_lane(lane: &str) -> &str {
    lane.strip_prefix(FILES).or_else(|| updated_lane(lane)).unwrap_or(lane)
}

/// Returns the chat of a lane, if it is the lane of a chat or of its files.
pub fn chat_of(lane: &str) -> Option<ChatId> {
    ChatId::new(message_lane(lane).strip_prefix(CHAT)?).ok()
}

/// Returns whether the card of a report is in a group. A chat that is not known counts as one.
pub fn is_group<S: Source>(tx: &View<S>, report: &Report) -> Result<bool, StoreError> {
    let Some(chat) = chat_of(&report.lane) else { return Ok(false) };
    Ok(tx.known_chat(chat.as_str())?.is_none_or(|chat| !chat.direct))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::update_lane;

    #[test]
    fn a_chat_lane_names_its_chat() {
        assert_eq!(chat_of(&chat_lane("oc_1")).unwrap().as_str(), "oc_1");
        assert_eq!(chat_of(&file_lane(&chat_lane("oc_1"))).unwrap().as_str(), "oc_1");
        assert_eq!(chat_of(&update_lane(&chat_lane("oc_1"))).unwrap().as_str(), "oc_1");
        assert_eq!(chat_of("hook"), None);
        assert_eq!(chat_of("chat:"), None);
    }
}
