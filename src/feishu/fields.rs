//! Reads fields of the platform's JSON.

use jiff::Timestamp;
use serde_json::Value;

/// Returns a field that is a non-empty string. The platform writes `""` or `null` for unknown values.
pub(super) fn string(object: &Value, field: &str) -> Option<String> {
    object.get(field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads a Unix time in seconds, milliseconds or microseconds, told apart by the number of digits (10, 13 or 16):
/// events use ms, card callbacks µs. Returns `None` for anything else.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    let digits = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    match digits.len() {
        10 => Timestamp::from_second(count),
        13 => Timestamp::from_millisecond(count),
        16 => Timestamp::from_microsecond(count),
        _ => return None,
    }
    .ok()
}
