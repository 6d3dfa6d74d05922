//! The client's view of a card: what can be clicked on it, and what a form sends (表单容器, 卡片回传交互回调).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cards::walk::{self, Node};

/// An action on a component as the client sends it, `event.action` of the callback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClickAction {
    /// The component's tag.
    pub tag: String,
    /// The value of its callback behavior.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The fields of its form, for a submit button.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form_value: Option<Map<String, Value>>,
    /// The choice in a select, an overflow or a picker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// The choices in a multiple selection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// Whether a checker is ticked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<bool>,
    /// The text typed into an input outside a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_value: Option<String>,
}

/// Why the client sends nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchComponent {
    /// There is no such message, or it is not a current card of the bot.
    #[error("no such card: {0}")]
    NoCard(String),
    /// The card holds no component that would send this.
    #[error("the card has no such component: {0}")]
    NotThere(String),
    /// The component is disabled.
    #[error("the component is disabled")]
    Disabled,
    /// A required field is empty, or a field has an invalid value.
    #[error("the form cannot be submitted: {0}")]
    Field(String),
    /// A checker of the form has no behaviors.
    #[error("200340 the checker `{0}` has no behaviors")]
    BareChecker(String),
}

/// The card's first button or interactive container outside forms whose callback value `wanted` accepts.
pub fn find_button(card: &Value, wanted: impl Fn(&Value) -> bool) -> Option<ClickAction> {
    walk::nodes(card)
        .iter()
        .filter(|node| node.component && node.form.is_none())
        .filter(|node| matches!(node.tag, "button" | "interactive_container"))
        .find_map(|node| {
            let value = callback_value(node).filter(|value| wanted(value))?;
            Some(ClickAction {
                tag: node.tag.to_owned(),
                value: Some(value.clone()),
                name: node.text("name").map(str::to_owned),
                ..ClickAction::default()
            })
        })
}

/// The action of pressing the submit button that `wanted` accepts: the fields' initial values, overridden by `fields`.
pub fn submit(
    card: &Value,
    wanted: impl Fn(&Value) -> bool,
    fields: &Map<String, Value>,
) -> Result<ClickAction, NoSuchComponent> {
    let nodes = walk::nodes(card);
    let button = nodes
        .iter()
        .filter(|node| node.component && node.form.is_some() && submits(node))
        .find(|node| wanted(callback_value(node).unwrap_or(&Value::Null)))
        .ok_or_else(|| NoSuchComponent::NotThere("a submit button".to_owned()))?;
    if disabled(button) {
        return Err(NoSuchComponent::Disabled);
    }
    let inside = fields_of(&nodes, button.form);
    if let Some(unknown) =
        fields.keys().find(|name| !inside.iter().any(|node| node.text("name") == Some(name)))
    {
        return Err(NoSuchComponent::Field(format!("no field `{unknown}`")));
    }
    let mut form_value = Map::new();
    for node in inside {
        let Some(name) = node.text("name") else {
            continue;
        };
        let typed = fields.get(name);
        if typed.is_some() && disabled(node) {
            return Err(NoSuchComponent::Field(format!("`{name}` is disabled")));
        }
        if let Some(value) = typed.cloned().or_else(|| initial(node)) {
            form_value.insert(name.to_owned(), value);
        }
    }
    let action = ClickAction {
        tag: "button".to_owned(),
        value: callback_value(button).cloned(),
        name: button.text("name").map(str::to_owned),
        form_value: Some(form_value),
        ..ClickAction::default()
    };
    allows(card, &action)?;
    Ok(action)
}

/// Whether a person can perform this action on the current card.
pub fn allows(card: &Value, action: &ClickAction) -> Result<(), NoSuchComponent> {
    let nodes = walk::nodes(card);
    let in_form = action.form_value.is_some();
    let fits = |node: &&Node<'_>| {
        node.component
            && node.tag == action.tag
            && node.form.is_some() == in_form
            && callback_value(node) == action.value.as_ref()
            && (!in_form || submits(node))
            && action.name.as_deref().is_none_or(|name| node.text("name") == Some(name))
            // A name is sent if the component has one; only outside forms may it be omitted.
            && (!in_form || action.name.is_some())
    };
    let candidates: Vec<_> = nodes.iter().filter(fits).collect();
    if candidates.is_empty() {
        return Err(NoSuchComponent::NotThere(format!(
            "{} with value {}",
            action.tag,
            action.value.as_ref().unwrap_or(&Value::Null)
        )));
    }
    let mut refusal = NoSuchComponent::Disabled;
    for node in candidates {
        if disabled(node) {
            continue;
        }
        match check_one(&nodes, node, action) {
            Ok(()) => return Ok(()),
            Err(other) => refusal = other,
        }
    }
    Err(refusal)
}

/// Whether every checker of the form that `action` submits has behaviors.
pub fn has_no_bare_checker(card: &Value, action: &ClickAction) -> Result<(), NoSuchComponent> {
    let nodes = walk::nodes(card);
    let button = nodes.iter().find(|node| {
        node.component
            && node.form.is_some()
            && submits(node)
            && node.text("name") == action.name.as_deref()
    });
    let Some(button) = button.filter(|_| action.form_value.is_some()) else { return Ok(()) };
    let bare = fields_of(&nodes, button.form)
        .into_iter()
        .find(|node| node.tag == "checker" && node.list("behaviors").is_empty());
    match bare {
        Some(node) => {
            Err(NoSuchComponent::BareChecker(node.text("name").unwrap_or_default().to_owned()))
        }
        None => Ok(()),
    }
}

fn check_one(
    nodes: &[Node<'_>],
    node: &Node<'_>,
    action: &ClickAction,
) -> Result<(), NoSuchComponent> {
    if let Some(form_value) = &action.form_value {
        return check_form(&fields_of(nodes, node.form), form_value);
    }
    let chosen = match node.tag {
        "button" | "interactive_container" => return Ok(()),
        "multi_select_static" | "multi_select_person" => action.options.clone().map(Value::from),
        "checker" => action.checked.map(Value::from),
        "input" => action.input_value.clone().map(Value::from),
        _ => action.option.clone().map(Value::from),
    };
    let chosen = chosen
        .ok_or_else(|| NoSuchComponent::Field(format!("a {} must send a selection", node.tag)))?;
    takes(node, &chosen)
}

fn check_form(
    fields: &[&Node<'_>],
    form_value: &Map<String, Value>,
) -> Result<(), NoSuchComponent> {
    for (name, value) in form_value {
        let node = fields
            .iter()
            .find(|node| node.text("name") == Some(name))
            .ok_or_else(|| NoSuchComponent::Field(format!("no field `{name}`")))?;
        takes(node, value)?;
    }
    for node in fields {
        let value = node.text("name").and_then(|name| form_value.get(name));
        let empty = value.is_none_or(is_empty);
        if empty && node.object.get("required") == Some(&Value::Bool(true)) {
            let name = node.text("name").unwrap_or_default();
            return Err(NoSuchComponent::Field(format!("`{name}` is required")));
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Whether a person can enter this value into the component.
fn takes(node: &Node<'_>, value: &Value) -> Result<(), NoSuchComponent> {
    let offered = |one: &Value| {
        let options = node.list("options");
        // People selects without options offer the chat's members.
        (options.is_empty() && node.tag.ends_with("select_person") && one.is_string())
            || options.iter().any(|option| option.get("value") == Some(one))
    };
    let fits = match node.tag {
        "input" => value.as_str().is_some_and(|text| {
            let most = node.object.get("max_length").and_then(Value::as_u64);
            let most = usize::try_from(most.unwrap_or(1000)).unwrap_or(usize::MAX);
            let lines = node.text("input_type") == Some("multiline_text");
            text.chars().count() <= most && (lines || !text.contains('\n'))
        }),
        "select_static" | "select_person" | "overflow" => {
            value.as_str() == Some("") || offered(value)
        }
        "multi_select_static" | "multi_select_person" => {
            value.as_array().is_some_and(|items| items.iter().all(offered))
        }
        "select_img" => match value {
            Value::Array(items) => items.iter().all(offered),
            one => one.as_str() == Some("") || offered(one),
        },
        "checker" => value.is_boolean(),
        _ => value.is_string(),
    };
    if fits {
        Ok(())
    } else {
        let name = node.text("name").unwrap_or(node.tag);
        Err(NoSuchComponent::Field(format!("`{name}` does not take {value}")))
    }
}

/// The named fields of a form; its buttons hold no value.
fn fields_of<'n, 'a>(nodes: &'n [Node<'a>], form: Option<usize>) -> Vec<&'n Node<'a>> {
    nodes
        .iter()
        .filter(|node| node.component && node.form == form)
        .filter(|node| {
            matches!(
                node.tag,
                "input"
                    | "select_static"
                    | "multi_select_static"
                    | "select_person"
                    | "multi_select_person"
                    | "date_picker"
                    | "picker_time"
                    | "picker_datetime"
                    | "select_img"
                    | "checker"
            )
        })
        .collect()
}

/// The value of an untouched field: an empty text for an empty input, nothing for another empty field.
fn initial(node: &Node<'_>) -> Option<Value> {
    let beijing = |member| node.text(member).map(|at| Value::from(format!("{at} +0800")));
    match node.tag {
        "input" => Some(Value::from(node.text("default_value").unwrap_or_default())),
        "checker" => Some(node.object.get("checked").cloned().unwrap_or(false.into())),
        "select_static" => first_option(node),
        "select_person" => node.text("initial_option").filter(|id| !id.is_empty()).map(Value::from),
        "multi_select_static" | "multi_select_person" => {
            node.object.get("selected_values").cloned()
        }
        "date_picker" => beijing("initial_date"),
        "picker_time" => beijing("initial_time"),
        "picker_datetime" => beijing("initial_datetime"),
        _ => None,
    }
}

fn first_option(node: &Node<'_>) -> Option<Value> {
    let options = node.list("options");
    let by_name = node.text("initial_option").and_then(|wanted| {
        options.iter().find(|option| {
            option.get("value").and_then(Value::as_str) == Some(wanted)
                || option.pointer("/text/content").and_then(Value::as_str) == Some(wanted)
        })
    });
    let by_index = || {
        let index = node.object.get("initial_index")?.as_u64()?;
        options.get(usize::try_from(index).ok()?.checked_sub(1)?)
    };
    by_name.or_else(by_index)?.get("value").cloned()
}

fn submits(node: &Node<'_>) -> bool {
    node.tag == "button"
        && (node.text("form_action_type") == Some("submit")
            || node.text("action_type") == Some("form_submit"))
}

fn disabled(node: &Node<'_>) -> bool {
    node.object.get("disabled") == Some(&Value::Bool(true))
}

/// The value of the component's callback behavior.
fn callback_value<'a>(node: &Node<'a>) -> Option<&'a Value> {
    node.list("behaviors")
        .iter()
        .find(|behavior| behavior.get("type").and_then(Value::as_str) == Some("callback"))?
        .get("value")
}
