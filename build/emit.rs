//! Writes a resolved template as Rust.
//!
//! `if x` becomes `if let Some(x_1) = given(&x)`, and within it `x` is `x_1`: an optional fact can be used only where the
//! template has asked whether it is there.

use super::json;
use super::texts::{Piece, Texts};
use super::tree::{Expr, Stmt};

/// The body of `Template::write`.
pub fn body(statements: &[Stmt], texts: &Texts) -> Result<String, String> {
    let mut emit = Emit {
        texts,
        code: String::new(),
        pending: String::new(),
        within_text: false,
        plain: false,
        given: Vec::new(),
        assumed: Vec::new(),
        made: 0,
    };
    emit.statements(statements)?;
    emit.flush();
    Ok(emit.code)
}

struct Emit<'a> {
    texts: &'a Texts,
    code: String,
    /// Known output that is not written yet.
    pending: String,
    /// Whether `pending` starts within a JSON string.
    within_text: bool,
    /// Whether text is written as it is, for a filter, and not as JSON.
    plain: bool,
    /// Places that are known to hold something, and the name of that.
    given: Vec<(String, String)>,
    /// Conditions that hold, or (false) do not.
    assumed: Vec<(Expr, bool)>,
    made: usize,
}

/// A condition in Rust, and the names that it binds.
struct Condition {
    code: String,
    given: Vec<(String, String)>,
}

/// Whatever came after it would cut an entity in two.
const MD_IS_LAST: &str = "`md` is the last filter: nothing may cut markdown";

type Done = Result<(), String>;

impl Emit<'_> {
    fn statements(&mut self, statements: &[Stmt]) -> Done {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt) -> Done {
        match statement {
            Stmt::Json(text) => self.json(text)?,
            Stmt::Print(value) => self.value(value)?,
            Stmt::If(test, then, other) => {
                self.branches(test, |emit| emit.statements(then), |emit| emit.statements(other))?;
            }
            Stmt::For { each, turn, place, body } => {
                self.flush();
                let place = self.place(place);
                self.code.push_str(&format!(
                    "for (index, {each}) in {place}.iter().enumerate() {{ let {turn} = Turn {{ first: index == 0 }};\n"
                ));
                self.statements(body)?;
                self.flush();
                self.code.push_str("}\n");
            }
            Stmt::Op(name) => self.code.push_str(&format!("let {name} = frame.op();\n")),
        }
        Ok(())
    }

    /// `if`, with what the condition says known in both branches.
    fn branches(
        &mut self,
        test: &Expr,
        then: impl FnOnce(&mut Self) -> Done,
        other: impl FnOnce(&mut Self) -> Done,
    ) -> Done {
        match self.known(test) {
            Some(true) => return then(self),
            Some(false) => return other(self),
            None => {}
        }
        let condition = self.condition(test)?;
        self.flush();
        self.code.push_str(&format!("if {} {{\n", condition.code));
        let (given, assumed) = (self.given.len(), self.assumed.len());
        self.given.extend(condition.given);
        self.assume(test, true);
        then(self)?;
        self.flush();
        self.given.truncate(given);
        self.assumed.truncate(assumed);
        self.code.push_str("} else {\n");
        self.assume(test, false);
        other(self)?;
        self.flush();
        self.assumed.truncate(assumed);
        self.code.push_str("}\n");
        Ok(())
    }

    fn assume(&mut self, test: &Expr, holds: bool) {
        match (test, holds) {
            (Expr::And(sides), true) | (Expr::Or(sides), false) => {
                self.assume(&sides.0, holds);
                self.assume(&sides.1, holds);
            }
            (Expr::Not(inner), _) => self.assume(inner, !holds),
            (Expr::If(parts), true) if parts.2.known() == Some(false) => {
                self.assume(&parts.0, true);
                self.assume(&parts.1, true);
            }
            _ => {}
        }
        self.assumed.push((test.clone(), holds));
    }

    fn known(&self, test: &Expr) -> Option<bool> {
        let assumed = self.assumed.iter().rev().find(|(known, _)| known == test);
        assumed.map(|(_, holds)| *holds).or_else(|| match test {
            Expr::Not(inner) => self.known(inner).map(|known| !known),
            Expr::And(sides) => match (self.known(&sides.0), self.known(&sides.1)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Expr::Or(sides) => match (self.known(&sides.0), self.known(&sides.1)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Expr::If(parts) => match self.known(&parts.0) {
                Some(true) => self.known(&parts.1),
                Some(false) => self.known(&parts.2),
                None => test.known(),
            },
            other => other.known(),
        })
    }

    // ---- Output ----

    fn json(&mut self, text: &str) -> Done {
        json::push(&mut self.pending, text)
    }

    /// Known text within a string.
    fn known_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.pending.is_empty() {
            self.within_text = true;
        }
        if self.plain { self.pending.push_str(text) } else { json::escape(&mut self.pending, text) }
    }

    /// Ends what is known so far.
    fn flush(&mut self) {
        if !self.pending.is_empty() {
            // A comma before a closing bracket may have been written by a branch.
            let write = match self.pending.chars().next() {
                Some(']' | '}') if !self.within_text => "close",
                Some(',') if !self.within_text => "comma",
                _ => "raw",
            };
            self.code.push_str(&format!("out.{write}({:?});\n", self.pending));
            self.pending.clear();
        }
        self.within_text = false;
    }

    fn line(&mut self, code: &str) {
        self.flush();
        self.code.push_str(code);
        self.code.push('\n');
    }

    /// Writes a JSON string.
    fn string(&mut self, text: &Expr) -> Done {
        // `json::push` wants whole strings.
        self.pending.push('"');
        self.piece(text)?;
        if self.pending.is_empty() {
            self.within_text = true;
        }
        self.pending.push('"');
        Ok(())
    }

    // ---- Values ----

    /// Writes a JSON value.
    fn value(&mut self, value: &Expr) -> Done {
        match value {
            Expr::None => self.json("null"),
            Expr::Bool(value) => self.json(if *value { "true" } else { "false" }),
            Expr::Int(number) => self.json(&number.to_string()),
            Expr::Str(_) | Expr::Cat(_) | Expr::Text(..) => self.string(value),
            Expr::Place(place) => {
                let place = self.place(place);
                self.line(&format!("out.value(&{place});"));
                Ok(())
            }
            Expr::If(parts) => {
                self.branches(&parts.0, |emit| emit.value(&parts.1), |emit| emit.value(&parts.2))
            }
            Expr::Or(sides) if !self.is_boolean(value) => {
                self.branches(&sides.0, |emit| emit.value(&sides.0), |emit| emit.value(&sides.1))
            }
            Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::Compare(..) | Expr::Defined(_) => {
                let boolean = self.boolean(value)?;
                self.line(&format!("out.value(&{boolean});"));
                Ok(())
            }
            Expr::Sum(..) => self.number_value(value),
            Expr::Act(word, members) => self.act(word, members),
            Expr::Filter(name, inner, _) if name == "submit_name" => self.submit_name(inner),
            Expr::Filter(name, ..) if matches!(name.as_str(), "max" | "min" | "length") => {
                self.number_value(value)
            }
            Expr::Filter(name, ..) if name == "md" => self.string(value),
            Expr::Filter(..) => {
                let text = self.text(value, true)?;
                self.line(&format!("out.value({text});"));
                Ok(())
            }
            other => Err(format!("{other:?} is not a JSON value")),
        }
    }

    fn is_boolean(&self, value: &Expr) -> bool {
        match value {
            Expr::Not(_) | Expr::Compare(..) | Expr::Defined(_) | Expr::Bool(_) => true,
            Expr::And(sides) | Expr::Or(sides) => {
                self.is_boolean(&sides.0) && self.is_boolean(&sides.1)
            }
            _ => false,
        }
    }

    fn number_value(&mut self, value: &Expr) -> Done {
        let number = self.number(value)?;
        self.line(&format!("out.value(&({number}));"));
        Ok(())
    }

    /// Writes text within a JSON string.
    fn piece(&mut self, piece: &Expr) -> Done {
        match piece {
            Expr::None => Ok(()),
            Expr::Str(text) => {
                self.known_text(text);
                Ok(())
            }
            Expr::Int(number) => {
                self.known_text(&number.to_string());
                Ok(())
            }
            Expr::Cat(pieces) => pieces.iter().try_for_each(|piece| self.piece(piece)),
            Expr::Place(place) => {
                let place = self.place(place);
                self.line(&format!("out.piece(&{place});"));
                Ok(())
            }
            Expr::If(parts) => {
                self.branches(&parts.0, |emit| emit.piece(&parts.1), |emit| emit.piece(&parts.2))
            }
            Expr::Or(sides) => {
                self.branches(&sides.0, |emit| emit.piece(&sides.0), |emit| emit.piece(&sides.1))
            }
            Expr::Text(key, args) => self.catalogue_text(key, args),
            Expr::Filter(name, ..) if name == "md" && self.plain => Err(MD_IS_LAST.to_owned()),
            Expr::Filter(name, inner, _) if name == "md" => {
                let text = self.text(inner, true)?;
                self.line(&format!("out.markdown({text});"));
                Ok(())
            }
            Expr::Filter(name, ..) if matches!(name.as_str(), "max" | "min" | "length") => {
                let number = self.number(piece)?;
                self.line(&format!("out.piece(&({number}));"));
                Ok(())
            }
            Expr::Filter(..) => {
                let text = self.text(piece, true)?;
                self.line(&format!("out.piece({text});"));
                Ok(())
            }
            other => Err(format!("{other:?} is not text")),
        }
    }

    fn catalogue_text(&mut self, key: &str, args: &[(String, Expr)]) -> Done {
        let texts = self.texts;
        if let Some(whole) = texts.whole(key)? {
            if let [(_, first), rest @ ..] = whole.as_slice()
                && rest.iter().all(|(_, text)| text == first)
            {
                self.known_text(first);
                return Ok(());
            }
            let plain = self.plain;
            let arms = whole.iter().map(|(language, text)| {
                let mut escaped = String::new();
                if plain {
                    escaped.push_str(text)
                } else {
                    json::escape(&mut escaped, text)
                }
                format!("Locale::{language} => {escaped:?},")
            });
            let arms: String = arms.collect();
            self.line(&format!("out.raw(match frame.locale {{ {arms} }});"));
            return Ok(());
        }
        let arg = |name: &str| {
            let found = args.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            found.ok_or_else(|| format!("`{key}` lacks `{name}`"))
        };
        self.line("match frame.locale {");
        for (language, pieces) in texts.of(key)? {
            self.line(&format!("Locale::{language} => {{"));
            for piece in pieces {
                match piece {
                    Piece::Text(text) => self.known_text(text),
                    Piece::Name(name) => self.piece(arg(name)?)?,
                    Piece::Count { name, one, many } => {
                        let count = self.scalar(arg(name)?)?;
                        self.line(&format!("if {count}.is_one() {{"));
                        self.known_text(one);
                        self.line("} else {");
                        self.known_text(many);
                        self.line("}");
                    }
                }
            }
            self.line("}");
        }
        self.line("}");
        Ok(())
    }

    fn act(&mut self, word: &Expr, members: &[(String, Expr)]) -> Done {
        self.json("{\"action\":")?;
        self.value(word)?;
        for (name, member) in members {
            self.member(name, member)?;
        }
        if !members.iter().any(|(name, _)| name == "back") {
            self.line("out.back(frame);");
        }
        self.json("}")
    }

    /// A member of a callback value; what is not there is left out.
    fn member(&mut self, name: &str, member: &Expr) -> Done {
        match member {
            Expr::None => Ok(()),
            Expr::Place(place) => {
                let place = self.place(place);
                let name = format!(",\"{name}\":");
                self.line(&format!("out.member({name:?}, &{place});"));
                Ok(())
            }
            Expr::If(parts) => self.branches(
                &parts.0,
                |emit| emit.member(name, &parts.1),
                |emit| emit.member(name, &parts.2),
            ),
            other => {
                self.json(&format!(",\"{name}\":"))?;
                self.value(other)
            }
        }
    }

    fn submit_name(&mut self, of: &Expr) -> Done {
        let Expr::Act(word, members) = of else {
            return Err("only a callback value has a submit name".to_owned());
        };
        let mut list = String::new();
        for (name, member) in members.iter().filter(|(name, _)| name != "back") {
            let member = self.scalar(member)?;
            list.push_str(&format!("({name:?}, {member}),"));
        }
        let Expr::Str(word) = word.as_ref() else {
            return Err("a form submits to a known action".to_owned());
        };
        self.line(&format!("out.value(&submit_name({word:?}, &[{list}]));"));
        Ok(())
    }

    // ---- Expressions in Rust ----

    /// A place, or the name of what it is known to hold.
    fn place(&self, place: &str) -> String {
        let mut best: Option<(&str, &str)> = None;
        for (known, name) in &self.given {
            let rest = place.strip_prefix(known.as_str());
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('.'))
                && best.is_none_or(|(shorter, _)| rest.len() <= shorter.len())
            {
                best = Some((rest, name));
            }
        }
        match best {
            Some(("", name)) => format!("(*{name})"),
            Some((rest, name)) => format!("{name}{rest}"),
            None => place.to_owned(),
        }
    }

    /// A condition that binds names, for `if`.
    fn condition(&mut self, test: &Expr) -> Result<Condition, String> {
        let simple = |code: String| Condition { code, given: Vec::new() };
        Ok(match test {
            Expr::Place(place) => {
                self.made = self.made.saturating_add(1);
                let name = format!("given_{}", self.made);
                let code = format!("let Some({name}) = given(&{})", self.place(place));
                Condition { code, given: vec![(place.clone(), name)] }
            }
            Expr::And(sides) => self.both(&sides.0, &sides.1)?,
            Expr::If(parts) if parts.2.known() == Some(false) => self.both(&parts.0, &parts.1)?,
            other => simple(self.boolean(other)?),
        })
    }

    fn both(&mut self, one: &Expr, other: &Expr) -> Result<Condition, String> {
        match (self.known(one), self.known(other)) {
            (Some(true), _) => return self.condition(other),
            (_, Some(true)) => return self.condition(one),
            _ => {}
        }
        let mut first = self.condition(one)?;
        let before = (self.given.len(), self.assumed.len());
        self.given.extend(first.given.iter().cloned());
        self.assume(one, true);
        let second = self.condition(other)?;
        self.given.truncate(before.0);
        self.assumed.truncate(before.1);
        first.code = format!("{} && {}", first.code, second.code);
        first.given.extend(second.given);
        Ok(first)
    }

    /// A condition as a value.
    fn boolean(&mut self, test: &Expr) -> Result<String, String> {
        if let Some(known) = self.known(test) {
            return Ok(known.to_string());
        }
        Ok(match test {
            Expr::Place(place) => format!("given(&{}).is_some()", self.place(place)),
            Expr::Defined(place) => format!("{place}.is_some()"),
            Expr::Not(inner) => format!("!({})", self.boolean(inner)?),
            Expr::Or(sides) => {
                format!("({} || {})", self.boolean(&sides.0)?, self.boolean(&sides.1)?)
            }
            Expr::Compare(sign, sides) => {
                format!("({} {sign} {})", self.scalar(&sides.0)?, self.scalar(&sides.1)?)
            }
            Expr::And(_) => {
                let condition = self.condition(test)?;
                format!("(if {} {{ true }} else {{ false }})", condition.code)
            }
            Expr::If(parts) => {
                let condition = self.condition(&parts.0)?;
                let before = (self.given.len(), self.assumed.len());
                self.given.extend(condition.given);
                self.assume(&parts.0, true);
                let then = self.boolean(&parts.1)?;
                self.given.truncate(before.0);
                self.assumed.truncate(before.1);
                let other = self.boolean(&parts.2)?;
                format!("(if {} {{ {then} }} else {{ {other} }})", condition.code)
            }
            Expr::Filter(name, ..) if name != "length" => {
                format!("!({}).is_empty()", self.text(test, false)?)
            }
            other => return Err(format!("whether {other:?}?")),
        })
    }

    /// A `Scalar`: what can be compared, and what a callback value carries.
    fn scalar(&mut self, value: &Expr) -> Result<String, String> {
        Ok(match value {
            Expr::None => "Scalar::None".to_owned(),
            Expr::Bool(value) => format!("Scalar::Bool({value})"),
            Expr::Int(number) => format!("Scalar::Number({number})"),
            Expr::Str(text) => format!("Scalar::Text({text:?})"),
            Expr::Place(place) => format!("scalar(&{})", self.place(place)),
            Expr::Filter(name, ..) if name == "length" => {
                format!("Scalar::Number(({}) as u64)", self.number(value)?)
            }
            Expr::If(parts) => {
                let condition = self.condition(&parts.0)?;
                let before = self.given.len();
                self.given.extend(condition.given);
                let then = self.scalar(&parts.1)?;
                self.given.truncate(before);
                let other = self.scalar(&parts.2)?;
                format!("(if {} {{ {then} }} else {{ {other} }})", condition.code)
            }
            other => format!("Scalar::Bool({})", self.boolean(other)?),
        })
    }

    /// A `usize`.
    fn number(&mut self, value: &Expr) -> Result<String, String> {
        Ok(match value {
            Expr::Int(number) => format!("{number}_usize"),
            Expr::Place(place) => format!("({} as usize)", self.place(place)),
            Expr::Sum(of, by) if *by < 0 => {
                format!("{}.saturating_sub({})", self.number(of)?, by.unsigned_abs())
            }
            Expr::Sum(of, by) => format!("{}.saturating_add({by})", self.number(of)?),
            Expr::Filter(name, list, _) => match (name.as_str(), list.as_ref()) {
                ("length", Expr::Place(place)) => format!("{}.len()", self.place(place)),
                ("max" | "min", Expr::List(pair)) => match pair.as_slice() {
                    [one, other] => {
                        format!("({}).{name}({})", self.number(one)?, self.number(other)?)
                    }
                    _ => return Err(format!("{name} of other than two numbers")),
                },
                _ => return Err(format!("{list:?}|{name} is not a number")),
            },
            other => return Err(format!("{other:?} is not a number")),
        })
    }

    /// A `&str`. Where it has to be put together first, that comes before the statement, which is possible if `early`.
    fn text(&mut self, value: &Expr, early: bool) -> Result<String, String> {
        Ok(match value {
            Expr::Str(text) => format!("{text:?}"),
            Expr::Place(place) => format!("text_of(&{})", self.place(place)),
            Expr::Text(key, _) if self.texts.whole(key)?.is_some() => {
                let arms = self.texts.whole(key)?.unwrap_or_default();
                let arms =
                    arms.iter().map(|(language, text)| format!("Locale::{language} => {text:?},"));
                format!("match frame.locale {{ {} }}", arms.collect::<String>())
            }
            Expr::Filter(name, inner, args) if name == "default" => {
                let (Expr::Place(place), [other]) = (inner.as_ref(), args.as_slice()) else {
                    return Err(format!("{inner:?}|default"));
                };
                let other = self.text(other, early)?;
                format!("{place}.unwrap_or({other})")
            }
            Expr::Filter(name, inner, args) => {
                let inner = self.text(inner, early)?;
                let args =
                    args.iter().map(|arg| self.number(arg)).collect::<Result<Vec<_>, _>>()?;
                let args: String = args.iter().map(|arg| format!(", {arg}")).collect();
                match name.as_str() {
                    "md" => return Err(MD_IS_LAST.to_owned()),
                    "clip" | "clip_lines" | "paragraphs" => {
                        format!("&*{name}({inner}{args})")
                    }
                    other => return Err(format!("there is no filter {other}")),
                }
            }
            other if early => {
                self.made = self.made.saturating_add(1);
                let name = format!("text_{}", self.made);
                let (pending, within) = (std::mem::take(&mut self.pending), self.within_text);
                let plain = std::mem::replace(&mut self.plain, true);
                self.code.push_str(&format!("let {name} = {{ let mut out = Plain::default();\n"));
                self.within_text = false;
                self.piece(other)?;
                self.flush();
                self.code.push_str("out };\n");
                (self.pending, self.within_text, self.plain) = (pending, within, plain);
                format!("{name}.as_str()")
            }
            other => return Err(format!("{other:?} within a condition")),
        })
    }
}
