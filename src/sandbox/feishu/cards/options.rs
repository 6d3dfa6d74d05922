//! The rules about options, initial values and table cells (R22, R24, R31, R32).

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::Value;

use super::fault::CardFault;
use super::walk::Node;

/// Colours of text tags and of a table's option cells.
pub const TAG_COLOURS: [&str; 13] = [
    "neutral",
    "blue",
    "turquoise",
    "lime",
    "orange",
    "violet",
    "indigo",
    "wathet",
    "green",
    "yellow",
    "red",
    "purple",
    "carmine",
];

/// Checks one component.
pub fn check(node: &Node<'_>, faults: &mut Vec<CardFault>) {
    match node.tag {
        "select_static" | "multi_select_static" => {
            unique_options(node, faults);
            initial(node, true, faults);
        }
        // An empty list offers the chat's members, whoever they are.
        "select_person" | "multi_select_person" if !node.list("options").is_empty() => {
            initial(node, false, faults);
        }
        "date_picker" => day(node, "initial_date", faults),
        "picker_datetime" => day(node, "initial_datetime", faults),
        "table" => table(node, faults),
        _ => {}
    }
}

fn values<'a>(node: &Node<'a>) -> Vec<&'a str> {
    node.list("options")
        .iter()
        .filter_map(|option| option.get("value").and_then(Value::as_str))
        .collect()
}

fn unique_options(node: &Node<'_>, faults: &mut Vec<CardFault>) {
    let mut seen = BTreeSet::new();
    for value in values(node) {
        if !seen.insert(value) {
            faults.push(CardFault::new(
                "R22",
                node.at("options"),
                format!("the option `{value}` is offered twice"),
            ));
        }
    }
}

/// R22: the initial choice is among the options; with `by_text` an option's text counts too.
fn initial(node: &Node<'_>, by_text: bool, faults: &mut Vec<CardFault>) {
    let offered = values(node);
    let options = node.list("options");
    if let Some(initial) = node.text("initial_option") {
        let shown = by_text && options.iter().any(|option| shows(option, initial));
        if !(initial.is_empty() || offered.contains(&initial) || shown) {
            faults.push(CardFault::new(
                "R22",
                node.at("initial_option"),
                format!("`{initial}` is not offered"),
            ));
        }
    }
    if let Some(index) = node.object.get("initial_index").and_then(Value::as_u64)
        && usize::try_from(index).map_or(true, |index| index > options.len())
    {
        faults.push(CardFault::new(
            "R22",
            node.at("initial_index"),
            format!("{index} exceeds the number of options"),
        ));
    }
    for value in node.list("selected_values").iter().filter_map(Value::as_str) {
        if !offered.contains(&value) {
            faults.push(CardFault::new(
                "R22",
                node.at("selected_values"),
                format!("`{value}` is not offered"),
            ));
        }
    }
}

fn shows(option: &Value, text: &str) -> bool {
    let plain = option.pointer("/text/content").and_then(Value::as_str);
    let translated = option.pointer("/text/i18n_content").and_then(Value::as_object);
    plain == Some(text)
        || translated.is_some_and(|all| all.values().any(|one| one.as_str() == Some(text)))
}

/// R24: a valid date; the schema checks only the pattern.
fn day(node: &Node<'_>, member: &str, faults: &mut Vec<CardFault>) {
    if let Some(text) = node.text(member) {
        let date = text.split(' ').next().unwrap_or(text);
        if date.parse::<Date>().is_err() {
            faults.push(CardFault::new(
                "R24",
                node.at(member),
                format!("`{text}` is not a calendar date"),
            ));
        }
    }
}

/// The table's columns as (name, data type).
fn columns<'a>(node: &Node<'a>) -> Vec<(&'a str, &'a str)> {
    node.list("columns")
        .iter()
        .filter_map(|column| {
            let text = |name| column.get(name).and_then(Value::as_str);
            Some((text("name")?, text("data_type").unwrap_or("")))
        })
        .collect()
}

fn table(node: &Node<'_>, faults: &mut Vec<CardFault>) {
    let columns = columns(node);
    let mut seen = BTreeSet::new();
    for (name, _) in &columns {
        if !seen.insert(*name) {
            faults.push(CardFault::new(
                "R31",
                node.at("columns"),
                format!("the column `{name}` is declared twice"),
            ));
        }
    }
    for (index, row) in node.list("rows").iter().enumerate() {
        for (name, cell) in row.as_object().into_iter().flatten() {
            let path = node.at(format_args!("rows/{index}/{name}"));
            match columns.iter().find(|(column, _)| column == name) {
                None => faults.push(CardFault::new("R31", path, "no such column is declared")),
                Some((_, kind)) if !fits(kind, cell) => {
                    let message = format!("not a cell of type {kind}");
                    faults.push(CardFault::new("R32", path, message));
                }
                Some(_) => {}
            }
        }
    }
}

fn fits(kind: &str, cell: &Value) -> bool {
    match kind {
        "text" | "lark_md" | "markdown" => {
            cell.is_string() || cell.is_number() || cell.is_boolean()
        }
        "number" => cell.is_number(),
        "date" => cell.is_i64() || cell.is_u64(),
        "persons" => match cell {
            Value::Array(ids) => ids.iter().all(is_id),
            one => is_id(one),
        },
        "options" => match cell {
            Value::Array(options) => options.iter().all(is_option),
            one => one.is_string(),
        },
        // The schema refuses unknown types.
        _ => true,
    }
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|id| !id.is_empty())
}

fn is_option(value: &Value) -> bool {
    value.as_object().is_some_and(|option| {
        option.get("text").is_some_and(Value::is_string)
            && option.iter().all(|(name, value)| match name.as_str() {
                "text" => true,
                "color" => value.as_str().is_some_and(|c| TAG_COLOURS.contains(&c)),
                _ => false,
            })
    })
}

/// The texts of a table's markdown cells with their paths.
pub fn markdown_cells<'a>(node: &Node<'a>) -> Vec<(String, &'a str)> {
    let marked: Vec<&str> = columns(node)
        .into_iter()
        .filter(|(_, kind)| matches!(*kind, "lark_md" | "markdown"))
        .map(|(name, _)| name)
        .collect();
    let mut cells = Vec::new();
    for (index, row) in node.list("rows").iter().enumerate() {
        for name in &marked {
            if let Some(text) = row.get(name).and_then(Value::as_str) {
                cells.push((node.at(format_args!("rows/{index}/{name}")), text));
            }
        }
    }
    cells
}
