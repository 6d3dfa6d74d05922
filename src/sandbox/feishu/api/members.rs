//! GET /im/v1/chats/:id/members (获取群成员列表).

use serde_json::{Value, json};

use super::super::core::{Core, TENANT};
use super::super::http::{ApiResponse, Call};
use super::super::state::ChatKind;
use super::request::{Outcome, field, known_query, page_size, page_start, part};

/// The members of a group, without bots.
pub fn members(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["member_id_type", "page_size", "page_token"])?;
    if !matches!(call.query("member_id_type"), None | Some("open_id")) {
        return Err(field("member_id_type", "unknown"));
    }
    let (size, start) = (page_size(call, 20, (1, 100))?, page_start(call)?);
    let state = core.state.lock();
    let Some(chat) = state.chats.get(part(call, 4)) else {
        return Err(ApiResponse::refuse(
            232_006,
            "Your request specifies a chat_id which is invalid.",
        ));
    };
    if chat.dissolved {
        return Err(ApiResponse::refuse(232_009, "The chat has been dissolved."));
    }
    if !chat.has_bot || chat.kind != ChatKind::Group {
        return Err(ApiResponse::refuse(232_011, "Operator can NOT be out of the chat."));
    }
    let all: Vec<(String, String)> = match &chat.members {
        Some(members) => members.clone(),
        None => state.people().map(|person| (person.open_id.clone(), TENANT.to_owned())).collect(),
    };
    let end = start.saturating_add(size);
    let items: Vec<Value> = all
        .iter()
        .skip(start)
        .take(size)
        .map(|(id, tenant)| {
            let name = state.person(id).map(|person| person.name.clone()).unwrap_or_default();
            json!({"member_id_type": "open_id", "member_id": id, "name": name, "tenant_key": tenant})
        })
        .collect();
    let more = all.len() > end;
    let next = if more { format!("page-{end}") } else { String::new() };
    Ok(ApiResponse::data(json!({
        "items": items, "has_more": more, "page_token": next, "member_total": all.len(),
    })))
}
