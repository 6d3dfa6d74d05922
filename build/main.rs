//! Compiles the card templates (`cards/*.j2`) and the texts (`cards/locales/*.toml`) into Rust. What is wrong with a
//! template or a text fails the build: see docs/architecture.md, "the way of a card".
//!
//! minijinja's parser reads the templates. [`tree`] puts macros in the place of their calls and works out what is known
//! already; [`emit`] writes the rest as Rust.

#![allow(clippy::print_stdout, missing_docs)]

mod emit;
mod json;
#[path = "../src/cards/text.rs"]
#[allow(dead_code)]
mod text;
mod texts;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::machinery::ast::Stmt;
use minijinja::machinery::parse;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed=cards");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/cards/text.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let cards = Path::new("cards");
    let texts = texts::Texts::read(&cards.join("locales"))?;
    std::fs::write(out.join("texts.rs"), texts.tables())?;
    let mut sources = BTreeMap::new();
    for entry in std::fs::read_dir(cards)? {
        let path = entry?.path();
        if let Some(name) =
            path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json.j2"))
        {
            sources.insert(name.to_owned(), std::fs::read_to_string(&path)?);
        }
    }
    let mut trees = BTreeMap::new();
    for (name, source) in &sources {
        let Stmt::Template(template) = parse(source, name, Default::default())? else {
            return Err(format!("{name} is not a template").into());
        };
        trees.insert(name.as_str(), template);
    }
    let parts = trees.remove("parts").ok_or("there is no cards/parts.json.j2")?;
    for (name, template) in &trees {
        let at = |problem: String| format!("cards/{name}.json.j2: {problem}");
        let source = sources.get(*name).map(String::as_str).unwrap_or_default();
        let facts = facts_of(source)
            .ok_or_else(|| at("the first line does not name its facts".to_owned()))?;
        let body = tree::resolve(&template.children, &parts.children, &texts).map_err(at)?;
        let code = emit::body(&body, &texts).map_err(at)?;
        let code = format!(
            "#[allow(warnings, clippy::all, clippy::restriction)]\n\
             impl crate::cards::engine::Template for {facts} {{\n\
             #[cfg(test)] const NAME: &'static str = {name:?};\n\
             fn write(&self, out: &mut crate::cards::engine::Out, frame: &crate::cards::engine::Frame<'_>) {{\n\
             use crate::cards::engine::*;\n{code}}}\n}}\n"
        );
        std::fs::write(out.join(format!("{name}.rs")), code)?;
    }
    let names: Vec<&str> = trees.keys().copied().collect();
    std::fs::write(out.join("templates.rs"), format!("&{names:?}"))?;
    Ok(())
}

/// The type of a template's facts, from its first line: `{#- facts: Users<'_> -#}`.
fn facts_of(source: &str) -> Option<&str> {
    let line = source.lines().next()?;
    Some(line.strip_prefix("{#- facts: ")?.strip_suffix(" -#}")?.trim())
}
