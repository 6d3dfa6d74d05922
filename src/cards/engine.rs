//! What the compiled templates call while they write a card.
//!
//! The build turns every template of `cards/` into an implementation of [`Template`] for the type of its facts
//! (`build/main.rs`). Whatever a template prints goes through [`Out::value`], [`Out::piece`] or [`Out::markdown`], which write
//! JSON: text from outside stays text. A card is written once, and nothing parses it again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

pub(super) use super::Locale;
pub(super) use super::submit::submit_name;
use super::text;
use super::{AlertsPlace, Banner, OpIds, colour};

/// The names of all templates.
#[cfg(test)]
pub(super) const TEMPLATES: &[&str] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Compiles in a template, which names the type of its facts in its first line.
macro_rules! template {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
}
pub(super) use template;

/// The facts of a card, which its template can write.
pub(super) trait Template {
    /// The name of the template.
    #[cfg(test)]
    const NAME: &'static str;

    /// Writes the card.
    fn write(&self, out: &mut Out, frame: &Frame<'_>);
}

/// What every template can read beside its facts.
#[derive(Clone, Debug)]
pub(super) struct Frame<'a> {
    /// The language.
    pub locale: Locale,
    /// Whether the person may change something.
    pub admin: bool,
    /// Whether the person may read everything.
    pub reader: bool,
    /// The notice on top.
    pub banner: Option<Ribbon<'a>>,
    /// The page of the users list that the back button opens.
    pub back: Back<'a>,
    /// That page as JSON, if callback values carry it.
    pub way_back: Option<String>,
    /// The page of the alerts that the back button opens, if the card was opened there.
    pub alerts: Option<Alerts<'a>>,
    /// What the person typed, by field.
    pub form: &'a BTreeMap<String, String>,
    /// Makes op ids.
    pub ops: &'a Ops,
    /// When the card is rendered, which its op ids hold; `None` where that is not known.
    pub now: Option<Timestamp>,
}

/// A notice.
#[derive(Clone, Debug)]
pub(super) struct Ribbon<'a> {
    pub text: &'a str,
    pub colour: &'static str,
}

impl<'a> Ribbon<'a> {
    pub fn of(banner: &'a Banner) -> Self {
        Self { text: &banner.text, colour: colour(banner.tone) }
    }
}

/// A page of the users list.
#[derive(Clone, Debug)]
pub(super) struct Back<'a> {
    pub page: usize,
    pub filter: &'static str,
    pub query: &'a str,
    /// `None` for the usual order.
    pub sort: Option<&'static str>,
    pub account: Option<&'a str>,
}

/// A page of the alerts.
#[derive(Clone, Debug)]
pub(super) struct Alerts<'a> {
    pub user: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub page: usize,
}

impl<'a> Alerts<'a> {
    pub fn of(place: &'a AlertsPlace) -> Self {
        Self { user: place.user.as_deref(), kind: place.kind.as_deref(), page: place.page.max(1) }
    }
}

impl<'a> Frame<'a> {
    /// What was typed into a field.
    pub fn typed(&self, name: &str) -> Option<&'a str> {
        self.form.get(name).map(String::as_str)
    }

    /// A new op id.
    pub fn op(&self) -> String {
        self.ops.next(self.now)
    }
}

/// Makes op ids.
#[derive(Debug)]
pub(super) struct Ops {
    kind: OpIds,
    made: AtomicU64,
}

impl Ops {
    pub fn new(kind: OpIds) -> Self {
        Self { kind, made: AtomicU64::new(0) }
    }

    fn next(&self, now: Option<Timestamp>) -> String {
        match (self.kind, now.and_then(|now| u64::try_from(now.as_millisecond()).ok())) {
            (OpIds::Random, Some(millis)) => {
                let [_, _, _, _, _, _, random @ ..] = uuid::Uuid::new_v4().into_bytes();
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &random);
                id.into_uuid().simple().to_string()
            }
            (OpIds::Random, None) => uuid::Uuid::new_v4().simple().to_string(),
            (OpIds::Counter, _) => format!("op-{}", self.made.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }
}

/// Bytes set aside for a card; most cards fit.
const CARD_BYTES: usize = 16 * 1024;

/// Receives the JSON text of a card.
#[derive(Debug)]
pub(super) struct Out {
    json: String,
}

impl Out {
    pub fn new() -> Self {
        Self { json: String::with_capacity(CARD_BYTES) }
    }

    pub fn into_json(self) -> String {
        self.json
    }

    /// Writes known JSON text.
    pub fn raw(&mut self, json: &str) {
        self.json.push_str(json);
    }

    /// Writes known JSON text that starts with a closing bracket. A comma before it is removed.
    pub fn close(&mut self, json: &str) {
        if self.json.ends_with(',') {
            self.json.pop();
        }
        self.json.push_str(json);
    }

    /// Writes known JSON text that starts with a comma, which is left out where none belongs.
    pub fn comma(&mut self, json: &str) {
        let json = if self.json.ends_with([',', '[', '{']) { json.get(1..) } else { Some(json) };
        self.json.push_str(json.unwrap_or_default());
    }

    /// Writes a JSON value.
    pub fn value<T: Shown + ?Sized>(&mut self, value: &T) {
        match value.scalar() {
            Scalar::Text(text) => {
                self.json.push('"');
                escape(&mut self.json, text);
                self.json.push('"');
            }
            other => other.push(&mut self.json, "null"),
        }
    }

    /// Writes text within a JSON string.
    pub fn piece<T: Shown + ?Sized>(&mut self, value: &T) {
        match value.scalar() {
            Scalar::Text(text) => escape(&mut self.json, text),
            other => other.push(&mut self.json, ""),
        }
    }

    /// Writes text from outside as markdown within a JSON string.
    pub fn markdown(&mut self, text: &str) {
        escape(&mut self.json, &text::escaped(text));
    }

    /// Writes a member of a callback value (`name` is `,"name":`), if there is a value.
    pub fn member<T: Shown + ?Sized>(&mut self, name: &str, value: &T) {
        if value.scalar() != Scalar::None {
            self.json.push_str(name);
            self.value(value);
        }
    }

    /// Writes the place in the users list into a callback value, so that the way back survives every click.
    pub fn back(&mut self, frame: &Frame<'_>) {
        if let Some(place) = &frame.way_back {
            self.json.push_str(",\"back\":");
            self.json.push_str(place);
        }
    }
}

/// Receives text that a filter works on before it becomes JSON.
#[derive(Debug, Default)]
pub(super) struct Plain(String);

impl Plain {
    pub fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub fn piece<T: Shown + ?Sized>(&mut self, value: &T) {
        value.scalar().push(&mut self.0, "");
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes text within a JSON string.
fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        // It is one of the ASCII characters above.
        let (special, after) = special.split_at(1);
        match special {
            "\"" => out.push_str("\\\""),
            "\\" => out.push_str("\\\\"),
            "\n" => out.push_str("\\n"),
            other => other.bytes().for_each(|byte| out.push_str(&format!("\\u{byte:04x}"))),
        }
        rest = after;
    }
    out.push_str(rest);
}

/// The number of a round in a loop: `loop.first`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub first: bool,
}

/// Something that can be printed, compared, and carried in a callback value.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Scalar<'a> {
    None,
    Bool(bool),
    Number(u64),
    /// Digits with a point, printed as a JSON number.
    Decimal(&'a str),
    Text(&'a str),
}

impl Scalar<'_> {
    /// Whether it chooses the word for one thing.
    pub fn is_one(self) -> bool {
        matches!(self, Scalar::Number(1) | Scalar::Text("1"))
    }

    fn push(self, out: &mut String, none: &str) {
        match self {
            Scalar::None => out.push_str(none),
            Scalar::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Scalar::Number(mut number) => {
                let mut digits = [0; 20];
                let mut start = digits.len();
                for digit in digits.iter_mut().rev() {
                    *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
                    number /= 10;
                    start -= 1;
                    if number == 0 {
                        break;
                    }
                }
                let digits = digits.get(start..).unwrap_or_default();
                out.push_str(std::str::from_utf8(digits).unwrap_or_default());
            }
            Scalar::Decimal(text) | Scalar::Text(text) => out.push_str(text),
        }
    }
}

/// A fact that a template can print.
pub(super) trait Shown {
    fn scalar(&self) -> Scalar<'_>;
}

/// The scalar of a fact.
pub(super) fn scalar<T: Shown + ?Sized>(value: &T) -> Scalar<'_> {
    value.scalar()
}

/// A fact that a template can ask for with `if`.
pub(super) trait Given {
    /// What is there then.
    type Inner: ?Sized;

    /// `None` for false, zero, an empty text or list, and `None`.
    fn given(&self) -> Option<&Self::Inner>;
}

/// What a fact holds, if it holds something.
pub(super) fn given<T: Given + ?Sized>(value: &T) -> Option<&T::Inner> {
    value.given()
}

/// The text of a fact.
pub(super) fn text_of<T: AsRef<str> + ?Sized>(text: &T) -> &str {
    text.as_ref()
}

macro_rules! facts {
    (texts $($text:ty),*; numbers $($number:ty),*) => {
        $(impl Shown for $text {
            fn scalar(&self) -> Scalar<'_> {
                Scalar::Text(self)
            }
        }
        impl Given for $text {
            type Inner = str;
            fn given(&self) -> Option<&str> {
                let text: &str = self;
                (!text.is_empty()).then_some(text)
            }
        })*
        $(#[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)]
        impl Shown for $number {
            fn scalar(&self) -> Scalar<'_> {
                Scalar::Number((*self).try_into().unwrap_or(u64::MAX))
            }
        }
        impl Given for $number {
            type Inner = Self;
            fn given(&self) -> Option<&Self> {
                (*self != 0).then_some(self)
            }
        })*
    };
}
facts!(texts str, String, Cow<'_, str>; numbers u16, u32, u64, usize);

impl Shown for bool {
    fn scalar(&self) -> Scalar<'_> {
        Scalar::Bool(*self)
    }
}

impl Given for bool {
    type Inner = Self;

    fn given(&self) -> Option<&Self> {
        self.then_some(self)
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn scalar(&self) -> Scalar<'_> {
        (**self).scalar()
    }
}

impl<T: Given + ?Sized> Given for &T {
    type Inner = T::Inner;

    fn given(&self) -> Option<&T::Inner> {
        (**self).given()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn scalar(&self) -> Scalar<'_> {
        self.as_ref().map_or(Scalar::None, Shown::scalar)
    }
}

impl<T: Given> Given for Option<T> {
    type Inner = T::Inner;

    fn given(&self) -> Option<&T::Inner> {
        self.as_ref()?.given()
    }
}

impl<T> Given for Vec<T> {
    type Inner = [T];

    fn given(&self) -> Option<&[T]> {
        (!self.is_empty()).then_some(self)
    }
}

/// An amount that a chart draws: digits with a point.
#[derive(Debug)]
pub(super) struct Digits(pub String);

impl Shown for Digits {
    fn scalar(&self) -> Scalar<'_> {
        Scalar::Decimal(&self.0)
    }
}

/// Says that a struct of facts is there whenever it is asked for, so that a template can ask for an `Option` of it.
macro_rules! given {
    ($($facts:ty),* $(,)?) => {
        $(impl crate::cards::engine::Given for $facts {
            type Inner = Self;

            fn given(&self) -> Option<&Self> {
                Some(self)
            }
        })*
    };
}
pub(super) use given as always;

always!(Ribbon<'_>, Alerts<'_>);

/// `clip`: see [`text::clip`].
pub(super) fn clip(text: &str, most: usize) -> Cow<'_, str> {
    text::clipped(text, most)
}

/// `clip_lines`: see [`text::clip_lines`].
pub(super) fn clip_lines(text: &str, most: usize) -> String {
    text::clip_lines(text, most)
}

/// `paragraphs`: escapes text as markdown and keeps its line breaks.
pub(super) fn paragraphs(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(text::escaped).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_string_is_written_as_json(text in any::<String>()) {
            let mut out = Out::new();
            out.value(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&out.into_json()).unwrap(), text);
        }

        #[test]
        fn a_number_is_written_as_json(number in any::<u64>()) {
            let mut out = Out::new();
            out.value(&number);
            prop_assert_eq!(out.into_json(), number.to_string());
        }
    }

    #[test]
    fn commas_are_written_only_between_values() {
        let mut out = Out::new();
        out.raw("{\"a\":[");
        out.comma(",1,");
        out.comma(",2,");
        out.close("]");
        out.comma(",\"b\":");
        out.value("x,");
        out.close("}");
        assert_eq!(out.into_json(), "{\"a\":[1,2],\"b\":\"x,\"}");
    }
}
