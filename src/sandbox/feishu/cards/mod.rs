//! The strict card checker: `card-v2.schema.json` (which attributes, values and places exist) plus every rule of
//! `docs/platforms/card-rules.md` that a schema cannot express. The stand-in refuses every card that it refuses; card
//! tests call it directly.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

mod fault;
mod json;
pub(in crate::sandbox::feishu) mod markdown;
mod options;
mod rules;
#[cfg(test)]
mod tests;
pub(in crate::sandbox::feishu) mod walk;

pub use self::fault::{CARD_LIMIT, CardFault, ELEMENT_LIMIT, Via, WEBHOOK_LIMIT};
pub use self::json::parse as parse_json;

/// The schema, as published beside the rules.
const SCHEMA: &str = include_str!("../card-v2.schema.json");

/// Checks a card's JSON text against the schema and the rules.
///
/// # Errors
/// All faults found, at least one.
pub fn check_card(card_json: &str, via: Via) -> Result<(), Vec<CardFault>> {
    let mut faults = Vec::new();
    check_size(card_json, via, &mut faults);
    match json::parse(card_json) {
        Ok(card) => check_value(&card, via, &mut faults),
        Err(error) => faults.push(CardFault::new("R8", "", error.to_string())),
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Checks the body that a server answers `card.action.trigger` with (R52).
///
/// # Errors
/// All faults found, at least one; paths start at the answer, not at the card in it.
pub fn check_callback_answer(body: &str) -> Result<(), Vec<CardFault>> {
    let mut faults = Vec::new();
    if body.len() > CARD_LIMIT {
        faults.push(too_large("the answer", body.len(), CARD_LIMIT));
    }
    match json::parse(body) {
        Ok(answer) => {
            schema_faults(&ANSWER, "R52", &answer, &mut faults);
            let card = answer.get("card");
            let raw = card.filter(|card| card.get("type").and_then(Value::as_str) == Some("raw"));
            if let Some(data) = raw.and_then(|card| card.get("data")) {
                let mut inner = Vec::new();
                rules::check(data, Via::CallbackAnswer, &mut inner);
                faults.extend(
                    inner.into_iter().map(|fault| CardFault {
                        path: format!("/card/data{}", fault.path),
                        ..fault
                    }),
                );
            }
        }
        Err(error) => faults.push(CardFault::new("R52", "", error.to_string())),
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// The size in bytes of the request that carries this card (R6): a full send body with the card as an escaped string,
/// a webhook's body, or a callback's answer.
pub fn request_size(card_json: &str, via: Via) -> usize {
    // Ids as long as the platform's; the card travels as a string in the two message calls, as an object elsewhere.
    let frame = match via {
        Via::Send | Via::Patch => json!({
            "receive_id": "oc_0123456789abcdef0123456789abcdef",
            "msg_type": "interactive",
            "content": card_json,
            "uuid": "01234567-89ab-cdef-0123-456789abcdef",
        }),
        Via::Webhook => json!({
            "timestamp": "1700000000",
            "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=",
            "msg_type": "interactive",
            "card": "",
        }),
        Via::CallbackAnswer => json!({"card": {"type": "raw", "data": ""}}),
    };
    let frame = frame.to_string().len();
    match via {
        Via::Send | Via::Patch => frame,
        // The object replaces the two quotes of the empty string.
        Via::Webhook | Via::CallbackAnswer => {
            frame.saturating_sub(2).saturating_add(card_json.len())
        }
    }
}

fn check_size(card_json: &str, via: Via, faults: &mut Vec<CardFault>) {
    let limit = match via {
        Via::Webhook => WEBHOOK_LIMIT,
        _ => CARD_LIMIT,
    };
    let request = request_size(card_json, via);
    if card_json.len() > CARD_LIMIT {
        faults.push(too_large("the card", card_json.len(), CARD_LIMIT));
    } else if request > limit {
        faults.push(too_large("the request with the card", request, limit));
    }
}

fn too_large(what: &str, size: usize, limit: usize) -> CardFault {
    CardFault::new("R6", "", format!("{what} takes {size} bytes, at most {limit} are allowed"))
}

fn check_value(card: &Value, via: Via, faults: &mut Vec<CardFault>) {
    schema_faults(&CARD, "schema", card, faults);
    rules::check(card, via, faults);
}

type Compiled = LazyLock<Result<Validator, String>>;

static CARD: Compiled = LazyLock::new(|| compile("#/$defs/card"));
static ANSWER: Compiled = LazyLock::new(|| compile("#/$defs/callbackResponse"));

fn compile(entry: &str) -> Result<Validator, String> {
    let mut schema: Value = serde_json::from_str(SCHEMA).map_err(|e| e.to_string())?;
    if let Some(root) = schema.as_object_mut() {
        root.insert("$ref".to_owned(), Value::from(entry));
    }
    jsonschema::validator_for(&schema).map_err(|e| e.to_string())
}

fn schema_faults(
    schema: &Compiled,
    rule: &'static str,
    value: &Value,
    faults: &mut Vec<CardFault>,
) {
    match &**schema {
        Ok(schema) => faults.extend(schema.iter_errors(value).map(|error| {
            let path = error.instance_path().to_string();
            let mut message = error.to_string();
            // The library quotes the whole value, possibly a whole card.
            if let Some((cut, _)) = message.char_indices().nth(300) {
                message.truncate(cut);
                message.push('…');
            }
            CardFault::new(rule, path, message)
        })),
        Err(error) => faults.push(CardFault::new(rule, "", error.clone())),
    }
}
