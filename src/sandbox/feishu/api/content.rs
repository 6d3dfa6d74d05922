//! What a message may contain, by `msg_type` (发送消息内容), and which people its card may mention.

use serde_json::Value;

use super::super::cards::markdown::{self, Found};
use super::super::cards::walk::{self, Node};
use super::super::cards::{self, CARD_LIMIT, CardFault, Via};
use super::super::http::ApiResponse;
use super::super::state::State;

/// Largest request with a text, in bytes.
const TEXT_LIMIT: usize = 150 * 1024;
const KINDS: [&str; 11] = [
    "text",
    "post",
    "image",
    "file",
    "audio",
    "media",
    "sticker",
    "interactive",
    "share_chat",
    "share_user",
    "system",
];

/// The refusal of an invalid parameter.
pub fn invalid(what: &str) -> ApiResponse {
    ApiResponse::refuse(
        230_001,
        format!("Your request contains an invalid request parameter, ext={what}"),
    )
}

/// Checks a message's content; `size` is that of the request's body.
pub fn check(
    state: &State,
    kind: &str,
    content: &str,
    via: Via,
    size: usize,
) -> Result<(), ApiResponse> {
    if !KINDS.contains(&kind) {
        return Err(invalid("invalid msg_type"));
    }
    let limit = match kind {
        "interactive" | "post" => CARD_LIMIT,
        _ => TEXT_LIMIT,
    };
    if size > limit {
        return Err(ApiResponse::refuse(
            230_025,
            "The length of the message content reaches its limit.",
        ));
    }
    let value = cards::parse_json(content)
        .map_err(|_| invalid("content is not a string in json format"))?;
    if !value.is_object() {
        return Err(invalid("content is not a json object"));
    }
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| invalid(&format!("invalid content: {name}")))
    };
    match kind {
        "interactive" => check_card(state, &value, content, via),
        "text" => text("text").map(drop),
        "file" | "audio" | "media" => {
            let key = text("file_key")?;
            let file = state.files.get(key).ok_or_else(|| {
                ApiResponse::refuse(230_017, "Bot is NOT the owner of the resource.")
            })?;
            let fits = match kind {
                "audio" => file.kind == "opus",
                "media" => file.kind == "mp4",
                _ => true,
            };
            if fits {
                Ok(())
            } else {
                Err(ApiResponse::refuse(
                    230_055,
                    "The type of file upload does not match the type of message being sent.",
                ))
            }
        }
        _ => Ok(()),
    }
}

fn check_card(state: &State, card: &Value, text: &str, via: Via) -> Result<(), ApiResponse> {
    if matches!(card.get("type").and_then(Value::as_str), Some("template" | "card")) {
        return Err(refused_card(200_380, "template", "template does not exist", 1));
    }
    if let Err(faults) = cards::check_card(text, via) {
        return Err(card_refusal(&faults));
    }
    match unknown_person(state, card) {
        Some(id) => Err(refused_card(100_290, "body", &format!("unknown person {id}"), 1)),
        None => Ok(()),
    }
}

/// 230099, the code for everything that is wrong with a card.
pub fn card_refusal(faults: &[CardFault]) -> ApiResponse {
    match faults.first() {
        Some(first) => refused_card(first.code(), &first.path, &first.to_string(), faults.len()),
        None => refused_card(200_621, "", "", 0),
    }
}

/// 230099 with one reason.
pub fn refused_card(code: u32, path: &str, message: &str, count: usize) -> ApiResponse {
    tracing::warn!(code, path, message, count, "a card was refused");
    ApiResponse::refuse(
        230_099,
        format!(
            "Failed to create card content, ext=ErrCode: {code}; ErrPath: {path}; ErrMsg: {message} ({count} faults); \
             ErrorValue: "
        ),
    )
}

/// Returns the first unknown person in the card. One is enough for the whole card to be refused.
pub fn unknown_person(state: &State, card: &Value) -> Option<String> {
    people(card).into_iter().find(|id| !known(state, id))
}

fn known(state: &State, id: &str) -> bool {
    id == "all" || state.person(id).is_some()
}

/// The people that the card mentions, in components and in markdown.
fn people(card: &Value) -> Vec<String> {
    let nodes = walk::nodes(card);
    let mut ids = Vec::new();
    for node in &nodes {
        match node.tag {
            "person" => ids.extend(node.text("user_id").map(str::to_owned)),
            "person_list" if !drops_unknown(node) => ids.extend(
                node.list("persons")
                    .iter()
                    .filter_map(|person| person.get("id")?.as_str().map(str::to_owned)),
            ),
            "markdown" | "lark_md" => {
                for found in markdown::scan(node.text("content").unwrap_or_default()) {
                    if let Found::Mention(attributes) = found {
                        ids.extend(
                            attributes
                                .into_iter()
                                .filter(|(name, _)| name == "id")
                                .map(|(_, id)| id),
                        );
                    }
                }
            }
            _ => {}
        }
    }
    ids
}

fn drops_unknown(node: &Node<'_>) -> bool {
    node.object.get("drop_invalid_user_id") == Some(&Value::Bool(true))
}
