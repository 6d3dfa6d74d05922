//! The texts that people should read: those of the Chinese catalogue, by key. A test spells a text out only where its
//! wording is what is tested.

use std::fmt::Display;

use airgate::cards::{Locale, Wording};

/// The text of this key, with its placeholders filled in.
pub fn text(key: &str, arguments: &[(&str, &dyn Display)]) -> String {
    let text = Wording::new(Locale::ZhCn).t(key, arguments);
    assert_ne!(text, key, "there is no such text");
    text
}

/// A text without placeholders.
pub fn phrase(key: &str) -> String {
    text(key, &[])
}

/// The longest piece of a text that its placeholders leave: for texts whose arguments a test does not know.
pub fn fragment(key: &str) -> String {
    const CATALOGUE: &str = include_str!("../../cards/locales/zh_cn.toml");
    let catalogue: toml::Table = CATALOGUE.parse().unwrap();
    let (section, name) = key.split_once('.').unwrap();
    let template = catalogue[section][name].as_str().unwrap();
    let pieces = template.split('{').map(|piece| piece.rsplit('}').next().unwrap());
    let longest = pieces.max_by_key(|piece| piece.chars().count()).unwrap();
    assert!(longest.chars().count() >= 2, "{key} is little but placeholders: {template}");
    longest.trim().to_owned()
}
