//! The page behind the QR code, for `airgate demo --setup`: the browser plays the phone's part.

use axum::http::Method;

use super::core::Core;
use super::http::Call;
use super::registration::{Decision, Launcher, decide, launcher};

/// Whether a request is for this page.
pub(super) fn is_page(path: &str) -> bool {
    matches!(path, "page/launcher" | "page/cli")
}

/// Shows the page, or takes the decision of the first person of the tenant. Returns the HTTP status and HTML.
pub(super) fn page(core: &Core, call: &Call) -> (u16, String) {
    let person = core.state.lock().people().next().map(|person| person.open_id.clone());
    let Some(person) = person else { return (404, document("<p>There is nobody here.</p>")) };
    if call.method != Method::POST {
        return match launcher(core, &call.query) {
            Ok(launcher) => (200, document(&form(&launcher))),
            Err(error) => (400, document(&format!("<p>{}</p>", escaped(&error)))),
        };
    }
    let body = std::str::from_utf8(&call.body).unwrap_or_default();
    let fields = reqwest::Url::parse(&format!("http://form/?{body}"));
    let fields: Vec<(String, String)> =
        fields.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default();
    let field = |name: &str| {
        fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim().to_owned())
    };
    let decision = match field("decision").as_deref() {
        Some("approve") => {
            Decision::Approve { name: field("name").filter(|name| !name.is_empty()) }
        }
        _ => Decision::Refuse,
    };
    let said = match decision {
        Decision::Approve { .. } => "已创建，请回到终端。<br>Created: go back to the terminal.",
        Decision::Refuse => "已拒绝。<br>Refused.",
    };
    match decide(core, &call.query, &person, decision) {
        Ok(_) => (200, document(&format!("<p>{said}</p>"))),
        Err(error) => (400, document(&format!("<p>{}</p>", escaped(&error)))),
    }
}

fn form(launcher: &Launcher) -> String {
    let list = |names: &[String]| -> String {
        names.iter().map(|name| format!("<li><code>{}</code></li>", escaped(name))).collect()
    };
    format!(
        "<form method=\"post\"><label>应用名称 · Name <input name=\"name\" value=\"{}\" maxlength=\"50\"></label>\
         <p>除智能体模板外，还会申请 · Beyond the template for agents, it asks for:</p><ul>{}{}{}</ul>\
         <button name=\"decision\" value=\"approve\">创建应用 · Create</button> \
         <button name=\"decision\" value=\"refuse\">拒绝 · Refuse</button></form>",
        escaped(&launcher.name),
        list(&launcher.scopes),
        list(&launcher.events),
        list(&launcher.callbacks),
    )
}

fn document(body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>创建应用</title><style>body{{font:16px/1.6 system-ui;max-width:32em;\
         margin:3em auto;padding:0 1em}}button{{font:inherit;padding:.4em 1em}}input{{font:inherit}}</style>\
         <h1>飞书替身 · Stand-in</h1>{body}</html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
