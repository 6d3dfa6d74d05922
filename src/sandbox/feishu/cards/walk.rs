//! A card as a flat list of its objects, each with the context that the rules need.

use serde_json::{Map, Value};

/// One object of a card's header or body.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// JSON pointer of the object.
    pub path: String,
    /// The object itself.
    pub object: &'a Map<String, Value>,
    /// Its `tag`, empty if it has none.
    pub tag: &'a str,
    /// Whether it is in a list of components (`elements`, a checker's `buttons`) and so is one, not a text or an icon.
    pub component: bool,
    /// Its nesting depth in components, including itself if it is one. A column does not count.
    pub depth: usize,
    /// The index (in the list of nodes) of the form around it.
    pub form: Option<usize>,
    /// Whether it is in a collapsible panel.
    pub in_panel: bool,
}

impl<'a> Node<'a> {
    /// The string member `name`.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.object.get(name).and_then(Value::as_str)
    }

    /// The members of the list `name`, none if it is absent or not a list.
    pub fn list(&self, name: &str) -> &'a [Value] {
        list(self.object, name)
    }

    /// A member's JSON pointer.
    pub fn at(&self, member: impl std::fmt::Display) -> String {
        format!("{}/{member}", self.path)
    }
}

/// The members of the list `name` of `object`, none if it is absent or not a list.
pub fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Every object of the card's header and body, outer ones first. Content that the developer defines freely (`chart_spec`, a
/// table's `rows`, callback values) is skipped.
pub fn nodes(card: &Value) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    for part in ["header", "body"] {
        if let Some(value) = card.get(part) {
            let place = Place::default();
            visit(value, format!("/{part}"), place, &mut out);
        }
    }
    out
}

#[derive(Clone, Copy, Default)]
struct Place {
    component: bool,
    depth: usize,
    form: Option<usize>,
    in_panel: bool,
}

fn visit<'a>(value: &'a Value, path: String, mut place: Place, out: &mut Vec<Node<'a>>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, format!("{path}/{index}"), place, out);
            }
        }
        Value::Object(object) => {
            let tag = object.get("tag").and_then(Value::as_str).unwrap_or("");
            if place.component {
                place.depth = place.depth.saturating_add(1);
            }
            let index = out.len();
            out.push(Node {
                path: path.clone(),
                object,
                tag,
                component: place.component,
                depth: place.depth,
                form: place.form,
                in_panel: place.in_panel,
            });
            if place.component && tag == "form" {
                place.form = Some(index);
            }
            if place.component && tag == "collapsible_panel" {
                place.in_panel = true;
            }
            for (name, member) in object {
                if matches!(name.as_str(), "chart_spec" | "value" | "rows") {
                    continue;
                }
                let inner =
                    Place { component: matches!(name.as_str(), "elements" | "buttons"), ..place };
                visit(member, format!("{path}/{name}"), inner, out);
            }
        }
        _ => {}
    }
}
