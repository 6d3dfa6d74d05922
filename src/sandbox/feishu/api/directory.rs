//! Endpoints for people, chats and the bot (通过手机号或邮箱获取用户 ID, 获取单个用户信息, 获取群信息, 获取机器人信息).

use serde_json::{Value, json};

use super::super::core::{Core, TENANT};
use super::super::http::{ApiResponse, Call};
use super::super::state::{Chat, ChatKind, Person};
use super::request::{Body, Outcome, field, known_query, page_size, page_start, part};

/// Max numbers, and max addresses, per request.
const BATCH_LIMIT: usize = 50;

fn id_of<'a>(person: &'a Person, call: &Call) -> Result<&'a str, ApiResponse> {
    match call.query("user_id_type") {
        None | Some("open_id") => Ok(&person.open_id),
        Some("union_id") => Ok(&person.union_id),
        Some("user_id") => Ok(&person.user_id),
        Some(_) => Err(field("user_id_type", "unknown")),
    }
}

/// POST /contact/v3/users/batch_get_id. No person here has an e-mail address.
pub fn by_contact(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type"])?;
    let body = Body::read(call, &["emails", "mobiles", "include_resigned"])?;
    body.flag("include_resigned")?;
    let (emails, mobiles) =
        (body.texts("emails", BATCH_LIMIT)?, body.texts("mobiles", BATCH_LIMIT)?);
    let state = core.state.lock();
    let mut list: Vec<Value> = emails.iter().map(|email| json!({"email": email})).collect();
    for mobile in mobiles {
        let plain = mobile.strip_prefix("+86").unwrap_or(mobile);
        let mut entry = json!({"mobile": mobile});
        let person = state.people().find(|person| person.mobile == plain);
        if let (Some(person), Some(entry)) = (person, entry.as_object_mut()) {
            entry.insert("user_id".to_owned(), Value::from(id_of(person, call)?));
        }
        list.push(entry);
    }
    Ok(ApiResponse::data(json!({"user_list": list})))
}

/// GET /contact/v3/users/:id.
pub fn user(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type", "department_id_type"])?;
    let id = part(call, 4);
    let state = core.state.lock();
    let person = state.person(id).filter(|person| id_of(person, call).is_ok_and(|own| own == id));
    match person {
        Some(person) => Ok(ApiResponse::data(json!({"user": {
            "open_id": person.open_id,
            "union_id": person.union_id,
            "name": person.name,
        }}))),
        None if call.query("user_id_type").unwrap_or("open_id") == "open_id"
            && !id.starts_with("ou_") =>
        {
            Err(ApiResponse::refuse(99_992_351, "The open_id is malformed."))
        }
        None => Err(ApiResponse::refuse(41_050, "no user authority error")),
    }
}

/// GET /im/v1/chats: the groups that the bot is in.
pub fn chats(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type", "sort_type", "page_size", "page_token"])?;
    let (size, start) = (page_size(call, 20, (20, 100))?, page_start(call)?);
    let state = core.state.lock();
    let groups: Vec<&Chat> = state
        .chats()
        .filter(|chat| chat.kind == ChatKind::Group && chat.has_bot && !chat.dissolved)
        .collect();
    let end = start.saturating_add(size);
    let more = groups.len() > end;
    let items: Vec<Value> = groups
        .iter()
        .skip(start)
        .take(size)
        .map(|chat| {
            json!({
                "chat_id": chat.chat_id,
                "name": chat.name,
                "external": false,
                "tenant_key": TENANT,
                "chat_status": "normal",
            })
        })
        .collect();
    let next = if more { format!("page-{end}") } else { String::new() };
    Ok(ApiResponse::data(json!({"items": items, "has_more": more, "page_token": next})))
}

/// GET /im/v1/chats/search: the groups that the bot is in, and those that are open to it.
pub fn search(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type", "query", "page_size", "page_token"])?;
    let (size, start) = (page_size(call, 20, (1, 100))?, page_start(call)?);
    let state = core.state.lock();
    let groups: Vec<&Chat> = state
        .chats()
        .filter(|chat| chat.kind == ChatKind::Group && (chat.has_bot || chat.public))
        .filter(|chat| {
            !chat.dissolved && chat.name.contains(call.query("query").unwrap_or_default())
        })
        .collect();
    let end = start.saturating_add(size);
    let more = groups.len() > end;
    let item = |chat: &&Chat| {
        json!({"chat_id": chat.chat_id, "name": chat.name, "external": false, "tenant_key": TENANT,
               "chat_status": "normal"})
    };
    let items: Vec<Value> = groups.iter().skip(start).take(size).map(item).collect();
    let next = if more { format!("page-{end}") } else { String::new() };
    Ok(ApiResponse::data(json!({"items": items, "has_more": more, "page_token": next})))
}

/// PATCH /im/v1/chats/:id/members/me_join.
pub fn join(core: &Core, call: &Call) -> Outcome {
    known_query(call, &[])?;
    core.change(|state| {
        let writers = ["im:chat", "im:chat.members:write_only"];
        if !state.console.grants(&writers) {
            return Err(ApiResponse::lacks_scope(&writers));
        }
        let chat = state.chats.get_mut(part(call, 4));
        let chat = chat.ok_or_else(|| ApiResponse::refuse(232_006, "Invalid chat_id."))?;
        if !chat.public {
            return Err(ApiResponse::refuse(232_008, "The chat is not public."));
        }
        chat.has_bot = true;
        Ok(ApiResponse::data(json!({})))
    })
}

/// GET /im/v1/chats/:id.
pub fn chat(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["user_id_type"])?;
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
    if !chat.has_bot {
        return Err(ApiResponse::refuse(232_011, "Operator can NOT be out of the chat."));
    }
    let mode = match chat.kind {
        ChatKind::Direct(_) => "p2p",
        ChatKind::Group => "group",
    };
    Ok(ApiResponse::data(json!({
        "name": chat.name,
        "chat_mode": mode,
        "chat_type": "private",
        "chat_status": "normal",
        "external": false,
        "tenant_key": TENANT,
    })))
}

/// GET /bot/v3/info.
pub fn bot(core: &Core) -> Outcome {
    Ok(ApiResponse {
        status: 200,
        body: json!({"code": 0, "msg": "ok", "bot": {
            "activate_status": 2,
            "app_name": core.config.bot_name,
            "avatar_url": "",
            "ip_white_list": [],
            "open_id": core.bot_open_id,
        }}),
    })
}
