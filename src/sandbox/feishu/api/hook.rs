//! The custom bot of a group (自定义机器人使用指南). Its refusals come with HTTP 200.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::cards::{self, Via, WEBHOOK_LIMIT};
use super::super::core::{Change, Core};
use super::super::http::{ApiResponse, Call};
use super::super::state::{Message, Sender};
use super::super::wire;
use super::content::unknown_person;
use super::request::{Outcome, part};

/// Tolerated age of a signature's timestamp, in seconds.
const SIGN_LIFE: i64 = 3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Post<'a> {
    timestamp: Option<String>,
    sign: Option<String>,
    msg_type: String,
    content: Option<Value>,
    #[serde(borrow)]
    card: Option<&'a RawValue>,
}

fn refuse(code: i64, msg: impl Into<String>) -> ApiResponse {
    let mut answer = ApiResponse::refuse_as(200, code, msg);
    if let Some(body) = answer.body.as_object_mut() {
        body.insert("data".to_owned(), json!({}));
    }
    answer
}

/// POST /bot/v2/hook/:id.
pub fn post(core: &Core, call: &Call) -> Outcome {
    let id = part(call, 4);
    let now = core.now();
    let (secret, chat_id) = {
        let state = core.state.lock();
        let hook = state
            .hooks
            .get(id)
            .filter(|hook| state.chats.get(&hook.chat_id).is_some_and(|chat| !chat.dissolved));
        let hook = hook.ok_or_else(|| {
            refuse(19_001, "param invalid: incoming webhook access token invalid")
        })?;
        (hook.secret.clone(), hook.chat_id.clone())
    };
    if call.body.len() > WEBHOOK_LIMIT {
        return Err(refuse(19_036, "message too large"));
    }
    let text = std::str::from_utf8(&call.body).map_err(|_| refuse(9499, "Bad Request"))?;
    cards::parse_json(text).map_err(|error| refuse(9499, format!("Bad Request: {error}")))?;
    let post: Post<'_> = serde_json::from_str(text)
        .map_err(|error| refuse(9499, format!("Bad Request: {error}")))?;
    if let Some(secret) = secret {
        let fresh = post
            .timestamp
            .as_deref()
            .and_then(|at| at.parse::<i64>().ok())
            .is_some_and(|at| now.as_second().abs_diff(at) <= SIGN_LIFE.unsigned_abs());
        let expected = wire::webhook_sign(post.timestamp.as_deref().unwrap_or_default(), &secret);
        if !fresh || post.sign.as_deref() != Some(expected.as_str()) {
            return Err(refuse(
                19_021,
                "sign match fail or timestamp is not within one hour from current time",
            ));
        }
    }
    let content = content(&post)?;
    if let Some(card) = post.card.and_then(|card| serde_json::from_str(card.get()).ok()) {
        let refused = unknown_person(&core.state.lock(), &card);
        if let Some(id) = refused {
            return Err(refuse(
                11_246,
                format!(
                    "create card content failed, ext=ErrCode: 100290; ErrMsg: unknown person {id}; ErrorValue: "
                ),
            ));
        }
    }
    if core.limited() {
        let windows = [(5, SignedDuration::from_secs(1)), (100, SignedDuration::from_mins(1))];
        for (limit, window) in windows {
            let key = format!("hook {id} {limit}");
            if !core.change(|state| state.admit(key, limit, window, now)) {
                return Err(refuse(
                    11_232,
                    "frequency limited psm[lark.oapi.app_platform_runtime]",
                ));
            }
        }
    }
    let message = Message::new(&chat_id, Sender::Hook(id.to_owned()), &post.msg_type, content, now);
    let message_id = message.message_id.clone();
    let is_old_form = core.change(|state| {
        state.add_message(message);
        state.quirks.hooks_answer_in_old_form
    });
    core.tell(Change::Message(message_id));
    let mut body = json!({"StatusCode": 0, "StatusMessage": "success"});
    if let (false, Some(members)) = (is_old_form, body.as_object_mut()) {
        members.insert("code".to_owned(), 0.into());
        members.insert("data".to_owned(), json!({}));
        members.insert("msg".to_owned(), "success".into());
    }
    Ok(ApiResponse { status: 200, body })
}

/// The message's content as a message carries it.
fn content(post: &Post<'_>) -> Result<String, ApiResponse> {
    let malformed = |what: &str| refuse(19_002, format!("params error, {what}"));
    match post.msg_type.as_str() {
        "interactive" => {
            if post.content.is_some() {
                return Err(malformed("content beside a card"));
            }
            let card = post.card.ok_or_else(|| malformed("card need an object"))?;
            match cards::check_card(card.get(), Via::Webhook) {
                Ok(()) => Ok(card.get().to_owned()),
                Err(faults) => {
                    let first = faults.first().map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(fault = first, "a custom bot's card was refused");
                    Err(malformed(&first))
                }
            }
        }
        kind @ ("text" | "post" | "image" | "share_chat") => {
            if post.card.is_some() {
                return Err(malformed("card beside content"));
            }
            let content = post
                .content
                .as_ref()
                .filter(|content| content.is_object())
                .ok_or_else(|| malformed("content need an object"))?;
            let member = match kind {
                "image" => "image_key",
                "share_chat" => "share_chat_id",
                other => other,
            };
            if content.get(member).is_none_or(Value::is_null) {
                return Err(malformed(member));
            }
            Ok(content.to_string())
        }
        _ => Err(malformed("msg_type")),
    }
}
