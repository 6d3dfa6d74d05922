//! The rules of `docs/platforms/card-rules.md` about places, names, colours, texts and tables. Each function names
//! its rules.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::fault::{CardFault, ELEMENT_LIMIT, Via};
use super::markdown::{self, Found};
use super::options::{self, TAG_COLOURS};
use super::walk::{self, Node};

/// Components that a person acts on (表单容器, 配置卡片交互).
const INTERACTIVE: [&str; 12] = [
    "button",
    "input",
    "overflow",
    "select_static",
    "multi_select_static",
    "select_person",
    "multi_select_person",
    "date_picker",
    "picker_time",
    "picker_datetime",
    "select_img",
    "checker",
];
const HUES: [&str; 13] = [
    "blue",
    "carmine",
    "green",
    "indigo",
    "lime",
    "orange",
    "purple",
    "red",
    "sunflower",
    "turquoise",
    "violet",
    "wathet",
    "yellow",
];
const SHADES: [&str; 11] =
    ["50", "100", "200", "300", "350", "400", "500", "600", "700", "800", "900"];
const GREYS: [&str; 14] = [
    "00", "50", "100", "200", "300", "350", "400", "500", "600", "650", "700", "800", "900", "950",
];
const TEXT_SIZES: [&str; 16] = [
    "heading-0",
    "heading-1",
    "heading-2",
    "heading-3",
    "heading-4",
    "heading",
    "normal",
    "notation",
    "xxxx-large",
    "xxx-large",
    "xx-large",
    "x-large",
    "large",
    "medium",
    "small",
    "x-small",
];
/// Maximum nesting of components (R11).
const DEPTH_LIMIT: usize = 5;
/// Max tables in one markdown component (R37) and in a card (R38).
const MARKDOWN_TABLES: usize = 4;
const CARD_TABLES: usize = 5;

type Faults = Vec<CardFault>;

/// Applies every rule to a card. The card may violate the schema, which is checked separately.
pub fn check(card: &Value, via: Via, faults: &mut Faults) {
    let nodes = walk::nodes(card);
    config(card, via, &nodes, faults);
    counts(&nodes, faults);
    element_ids(&nodes, faults);
    places(&nodes, faults);
    names(&nodes, faults);
    forms(&nodes, faults);
    for node in nodes.iter().filter(|node| node.component) {
        options::check(node, faults);
    }
    looks(card, &nodes, faults);
    texts(card, &nodes, via, faults);
    card_tables(&nodes, faults);
    if via == Via::Webhook {
        webhook(&nodes, faults);
    }
}

/// R4, R33, R34.
fn config(card: &Value, via: Via, nodes: &[Node<'_>], faults: &mut Faults) {
    let config = |name: &str| card.pointer(&format!("/config/{name}"));
    let shared = config("update_multi").and_then(Value::as_bool);
    if shared == Some(false) || (via == Via::Patch && shared != Some(true)) {
        faults.push(CardFault::new(
            "R4",
            "/config/update_multi",
            "an updated card must set update_multi: true, and no card may set it to false",
        ));
    }
    let audio: Vec<_> = nodes.iter().filter(|node| node.component && node.tag == "audio").collect();
    let spoken = nodes.iter().any(|node| {
        is_markdown(node)
            && languages(node.object)
                .iter()
                .any(|(_, text)| markdown::scan(text).contains(&Found::Audio))
    });
    if (spoken || !audio.is_empty())
        && config("enable_forward").and_then(Value::as_bool) != Some(false)
    {
        faults.push(CardFault::new(
            "R33",
            "/config/enable_forward",
            "a card with audio must set enable_forward: false",
        ));
    }
    let mut ids = BTreeSet::new();
    for node in audio {
        if let Some(id) = node.text("audio_id")
            && !ids.insert(id)
        {
            faults.push(CardFault::new(
                "R34",
                node.at("audio_id"),
                format!("audio_id `{id}` is used twice"),
            ));
        }
    }
}

/// R5.
fn counts(nodes: &[Node<'_>], faults: &mut Faults) {
    let count = nodes.iter().filter(|node| !node.tag.is_empty()).count();
    if count > ELEMENT_LIMIT {
        faults.push(CardFault::new(
            "R5",
            "",
            format!("{count} components and elements, at most {ELEMENT_LIMIT} are allowed"),
        ));
    }
}

/// R7. The schema checks their form.
fn element_ids(nodes: &[Node<'_>], faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for node in nodes {
        if let Some(id) = node.text("element_id")
            && !seen.insert(id)
        {
            faults.push(CardFault::new(
                "R7",
                node.at("element_id"),
                format!("element_id `{id}` is used twice"),
            ));
        }
    }
}

/// R9 to R13.
fn places(nodes: &[Node<'_>], faults: &mut Faults) {
    for node in nodes.iter().filter(|node| node.component) {
        let mut refuse = |rule, message: &str| {
            faults.push(CardFault::new(rule, node.path.clone(), message));
        };
        match node.tag {
            "form" if node.depth > 1 => refuse("R9", "a form must be directly in the body"),
            "table" if node.depth > 1 => refuse("R10", "a table must be directly in the body"),
            "multi_select_static" | "multi_select_person" if node.form.is_none() => {
                refuse("R12", "a multiple selection must be in a form");
            }
            "select_img" => {
                if node.object.get("multi_select") == Some(&Value::Bool(true))
                    && node.form.is_none()
                {
                    refuse("R13", "multi_select must be in a form");
                }
                if node.in_panel {
                    refuse("R13", "select_img must not be in a collapsible panel");
                }
            }
            _ => {}
        }
        if node.depth == DEPTH_LIMIT.saturating_add(1) {
            refuse("R11", "nested more than five components deep");
        }
    }
}

/// R14, R15: forms and components share one namespace.
fn names(nodes: &[Node<'_>], faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for node in nodes.iter().filter(|node| node.component) {
        match node.text("name") {
            Some(name) if !name.is_empty() && !seen.insert(name) => {
                faults.push(CardFault::new(
                    "R14",
                    node.at("name"),
                    format!("the name `{name}` is used twice"),
                ));
            }
            Some(name) if !name.is_empty() => {}
            _ if node.form.is_some() && INTERACTIVE.contains(&node.tag) => {
                faults.push(CardFault::new(
                    "R15",
                    node.path.clone(),
                    format!("a {} in a form needs a name", node.tag),
                ));
            }
            _ => {}
        }
    }
}

/// R16 to R18.
fn forms(nodes: &[Node<'_>], faults: &mut Faults) {
    let submits = |node: &Node<'_>| {
        node.tag == "button"
            && (node.text("form_action_type") == Some("submit")
                || node.text("action_type") == Some("form_submit"))
    };
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.component) {
        if node.tag == "form" {
            let has_submit = nodes
                .iter()
                .any(|inner| inner.form == Some(index) && inner.component && submits(inner));
            if !has_submit {
                faults.push(CardFault::new(
                    "R16",
                    node.path.clone(),
                    "a form needs at least one submit button",
                ));
            }
        }
        if node.tag == "button" {
            let marked = ["form_action_type", "action_type"]
                .iter()
                .any(|name| node.object.contains_key(*name));
            if marked != node.form.is_some() {
                faults.push(CardFault::new(
                    "R17",
                    node.path.clone(),
                    "form_action_type belongs on every button in a form and on no other",
                ));
            }
        }
        if node.form.is_none() && node.object.contains_key("required") {
            faults.push(CardFault::new("R18", node.at("required"), "allowed only in a form"));
        }
    }
}

fn declared<'a>(card: &'a Value, kind: &str) -> BTreeSet<&'a str> {
    card.pointer(&format!("/config/style/{kind}"))
        .and_then(Value::as_object)
        .map(|names| names.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

fn in_palette(colour: &str) -> bool {
    if matches!(colour, "bg-white" | "white" | "grey" | "grey-1000") || HUES.contains(&colour) {
        return true;
    }
    match colour.split_once('-') {
        Some(("grey", shade)) => GREYS.contains(&shade),
        Some((hue, shade)) => HUES.contains(&hue) && SHADES.contains(&shade),
        None => false,
    }
}

/// R29.
fn looks(card: &Value, nodes: &[Node<'_>], faults: &mut Faults) {
    let colours = declared(card, "color");
    let sizes = declared(card, "text_size");
    for node in nodes {
        // A table's header and text tags have closed lists of their own, which the schema checks.
        if node.path.ends_with("/header_style") || node.tag == "text_tag" {
            continue;
        }
        for (name, value) in node.object {
            let Some(value) = value.as_str() else {
                continue;
            };
            let known = match name.as_str() {
                "text_size" => TEXT_SIZES.contains(&value) || sizes.contains(value),
                "color" | "border_color" | "background_color" | "fill_color" | "text_color"
                | "background_style" => {
                    in_palette(value)
                        || colours.contains(value)
                        || special_colour(node, name, value)
                }
                _ => true,
            };
            if !known {
                faults.push(CardFault::new(
                    "R29",
                    node.at(name),
                    format!("`{value}` is neither built in nor declared in config.style"),
                ));
            }
        }
    }
}

fn special_colour(node: &Node<'_>, name: &str, value: &str) -> bool {
    match (name, value) {
        ("text_color" | "background_style", "default") => true,
        ("background_style", "laser") => node.tag == "interactive_container",
        ("color", "") => matches!(node.tag, "standard_icon" | "custom_icon"),
        _ => false,
    }
}

fn is_markdown(node: &Node<'_>) -> bool {
    matches!(node.tag, "markdown" | "lark_md")
}

/// A text in each of its languages; the first is the one without a language.
fn languages(object: &Map<String, Value>) -> Vec<(&str, &str)> {
    let plain = object.get("content").and_then(Value::as_str).map(|text| ("", text));
    let translated = object
        .get("i18n_content")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(locale, text)| Some((locale.as_str(), text.as_str()?)));
    plain.into_iter().chain(translated).collect()
}

/// R35 to R37, and the colours and mentions inside markdown (R29, R27).
fn texts(card: &Value, nodes: &[Node<'_>], via: Via, faults: &mut Faults) {
    let colours = declared(card, "color");
    for node in nodes {
        if is_markdown(node) {
            for (locale, text) in languages(node.object) {
                let path = if locale.is_empty() {
                    node.at("content")
                } else {
                    node.at(format_args!("i18n_content/{locale}"))
                };
                text_faults(text, &path, &colours, via, faults);
                if markdown::tables(text) > MARKDOWN_TABLES {
                    faults.push(CardFault::new(
                        "R37",
                        path,
                        "more than four tables in one markdown component",
                    ));
                }
            }
        }
        if node.component && node.tag == "table" {
            for (path, text) in options::markdown_cells(node) {
                text_faults(text, &path, &colours, via, faults);
            }
        }
    }
}

fn text_faults(text: &str, path: &str, colours: &BTreeSet<&str>, via: Via, faults: &mut Faults) {
    for found in markdown::scan(text) {
        let fault = match found {
            Found::Image(key) if !is_key(&key) => {
                Some(("R35", format!("`{key}` is not an image key")))
            }
            Found::Link(url) if !is_link(&url) => {
                Some(("R36", format!("`{url}` is not an http, https or tel link")))
            }
            Found::Colour(name)
                if !(in_palette(&name) || name == "default" || colours.contains(name.as_str())) =>
            {
                Some(("R29", format!("`{name}` is not a colour")))
            }
            Found::TagColour(name) if !TAG_COLOURS.contains(&name.as_str()) => {
                Some(("R29", format!("`{name}` is not a text tag's colour")))
            }
            Found::Mention(attributes) if via == Via::Webhook => attributes
                .iter()
                .any(|(name, id)| name == "email" || id.starts_with("on_"))
                .then(|| {
                    let message = "a custom bot can mention by open_id or user_id only";
                    ("R27", message.to_owned())
                }),
            _ => None,
        };
        if let Some((rule, message)) = fault {
            faults.push(CardFault::new(rule, path, message));
        }
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_link(url: &str) -> bool {
    ["http://", "https://", "tel://"].iter().any(|scheme| {
        url.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
    })
}

/// R38: components and markdown tables together, in the language with the most of them.
fn card_tables(nodes: &[Node<'_>], faults: &mut Faults) {
    let components = nodes.iter().filter(|node| node.component && node.tag == "table").count();
    let texts: Vec<HashMap<&str, &str>> = nodes
        .iter()
        .filter(|node| is_markdown(node))
        .map(|node| languages(node.object).into_iter().collect())
        .collect();
    let locales: BTreeSet<&str> = texts.iter().flat_map(|t| t.keys().copied()).collect();
    let most = locales
        .iter()
        .map(|locale| {
            texts
                .iter()
                .filter_map(|text| text.get(locale).or_else(|| text.get("")))
                .map(|text| markdown::tables(text))
                .sum::<usize>()
        })
        .max()
        .unwrap_or(0);
    let count = components.saturating_add(most);
    if count > CARD_TABLES {
        faults.push(CardFault::new(
            "R38",
            "",
            format!("{count} tables, at most {CARD_TABLES} are allowed"),
        ));
    }
}

/// R27: a custom bot's card cannot call back, so components that would are refused.
fn webhook(nodes: &[Node<'_>], faults: &mut Faults) {
    for node in nodes.iter().filter(|node| node.component) {
        let opens =
            |behavior: &Value| behavior.get("type").and_then(Value::as_str) == Some("open_url");
        let behaviors = node.list("behaviors");
        let allowed = match node.tag {
            // A button without behaviors calls back as well.
            "button" | "interactive_container" => {
                !behaviors.is_empty() && behaviors.iter().all(opens)
            }
            "overflow" => {
                behaviors.is_empty()
                    && node.list("options").iter().all(|option| option.get("multi_url").is_some())
            }
            "form" => false,
            tag => !INTERACTIVE.contains(&tag),
        };
        if !allowed {
            faults.push(CardFault::new(
                "R27",
                node.path.clone(),
                format!("a custom bot's {} cannot call back", node.tag),
            ));
        }
        let union = |id: &Value| id.as_str().is_some_and(|id| id.starts_with("on_"));
        let persons = node.list("persons").iter().filter_map(|p| p.get("id"));
        if node.object.get("user_id").into_iter().chain(persons).any(union) {
            faults.push(CardFault::new(
                "R27",
                node.path.clone(),
                "a custom bot can name people by open_id or user_id only",
            ));
        }
    }
}
