//! Uploads (上传文件).

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart};
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::super::core::Core;
use super::super::http::{ApiResponse, Call};
use super::super::state::UploadedFile;
use super::super::wire;
use super::messages::standing;
use super::request::{Outcome, known_query, part};

const KINDS: [&str; 7] = ["opus", "mp4", "pdf", "doc", "xls", "ppt", "stream"];
/// The largest file.
const FILE_LIMIT: usize = 30 * 1024 * 1024;

/// POST /im/v1/files.
pub async fn upload(core: &Core, call: &Call) -> Outcome {
    let invalid =
        |what: &str| ApiResponse::refuse(234_001, format!("Invalid request param: {what}"));
    let mut request = Request::new(Body::from(call.body.clone()));
    if let Some(kind) = call.headers.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    // The body is in memory; its size was checked when it was read.
    request.extensions_mut().insert(axum::extract::DefaultBodyLimit::disable());
    let mut parts =
        Multipart::from_request(request, &()).await.map_err(|error| invalid(&error.body_text()))?;
    let (mut kind, mut name, mut bytes) = (None, None, None::<Bytes>);
    while let Some(part) = parts.next_field().await.map_err(|error| invalid(&error.body_text()))? {
        let field = part.name().unwrap_or_default().to_owned();
        let content = part.bytes().await.map_err(|error| invalid(&error.body_text()))?;
        let text = || String::from_utf8(content.to_vec()).map_err(|_| invalid(&field));
        match field.as_str() {
            "file_type" => kind = Some(text()?),
            "file_name" => name = Some(text()?),
            "file" => bytes = Some(content),
            "duration" => drop(text()?.parse::<u64>().map_err(|_| invalid("duration"))?),
            other => return Err(invalid(other)),
        }
    }
    let kind =
        kind.filter(|kind| KINDS.contains(&kind.as_str())).ok_or_else(|| invalid("file_type"))?;
    let name = name.filter(|name| name.contains('.')).ok_or_else(|| invalid("file_name"))?;
    let bytes = bytes.ok_or_else(|| invalid("file"))?;
    if bytes.is_empty() {
        return Err(ApiResponse::refuse(234_010, "File's size can't be 0."));
    }
    if bytes.len() > FILE_LIMIT {
        return Err(ApiResponse::refuse(234_006, "The file size exceed the max value."));
    }
    let file = UploadedFile { file_key: wire::fresh_id("file_v3_"), name, kind, bytes };
    let key = file.file_key.clone();
    core.change(|state| state.files.insert(key.clone(), file));
    Ok(ApiResponse::data(json!({"file_key": key})))
}

/// Largest file that can be downloaded from a message.
const DOWNLOAD_LIMIT: usize = 100 * 1024 * 1024;
/// How much of a file is sent at once: no client may count on getting it whole.
const CHUNK: usize = 1000;

/// GET /im/v1/messages/:id/resources/:key (获取消息中的资源文件). The answer names the file; the server sends its bytes.
pub fn resource(core: &Core, call: &Call) -> Outcome {
    known_query(call, &["type"])?;
    if !matches!(call.query("type"), Some("file" | "image")) {
        return Err(ApiResponse::refuse(234_001, "Invalid request param: type"));
    }
    let readers = ["im:message", "im:message:readonly", "im:message.history:readonly"];
    let state = core.state.lock();
    if !state.console.grants(&readers) {
        return Err(ApiResponse::lacks_scope(&readers));
    }
    let message = standing(&state, part(call, 4))?;
    let key = part(call, 6);
    if message.json().get("file_key").and_then(Value::as_str) != Some(key) {
        return Err(ApiResponse::refuse(234_003, "File not in msg."));
    }
    if !state.chats.get(&message.chat_id).is_some_and(|chat| chat.has_bot && !chat.dissolved) {
        return Err(ApiResponse::refuse(234_004, "App not in chat."));
    }
    match state.file(key) {
        Some(file) if file.bytes.len() > DOWNLOAD_LIMIT => {
            Err(ApiResponse::refuse(234_037, "Downloaded file size exceeds limit."))
        }
        Some(_) => Ok(ApiResponse::data(json!({"file_key": key}))),
        None => Err(ApiResponse::refuse(234_003, "File not in msg.")),
    }
}

/// The bytes of a file that [`resource`] let through, in pieces, without saying how many there are.
pub fn body_of(core: &Core, answer: &ApiResponse) -> Option<Body> {
    let key = answer.body.pointer("/data/file_key").and_then(Value::as_str)?;
    let bytes = core.state.lock().file(key)?.bytes.clone();
    let pieces: Vec<Result<Bytes, std::convert::Infallible>> =
        bytes.chunks(CHUNK).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Some(Body::from_stream(futures::stream::iter(pieces)))
}
