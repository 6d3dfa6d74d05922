//! A template as a tree in which no macro, no name and no known condition is left.

use std::collections::BTreeMap;
use std::rc::Rc;

use minijinja::Value;
use minijinja::machinery::ast::{
    BinOpKind, Call, CallArg, CompareOpKind, Expr as Ast, Macro, Stmt as AstStmt, UnaryOpKind,
};
use minijinja::value::ValueKind;

use super::text;
use super::texts::Texts;

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// Write JSON text.
    Json(String),
    /// Write a value as JSON.
    Print(Expr),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// For each thing in a place: the thing's name, and the name of what `loop` is.
    For {
        each: String,
        turn: String,
        place: String,
        body: Vec<Stmt>,
    },
    /// Make a new op id, under this name.
    Op(String),
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    None,
    Bool(bool),
    Int(i64),
    Str(String),
    /// A field of the facts, or of the thing of a loop, as a path in Rust.
    Place(String),
    /// What a person typed into the form: the fields of this are places.
    Form,
    /// Whether a place holds something, if only an empty text.
    Defined(String),
    Cat(Vec<Expr>),
    /// Condition, then, else.
    If(Box<(Expr, Expr, Expr)>),
    Not(Box<Expr>),
    And(Box<(Expr, Expr)>),
    Or(Box<(Expr, Expr)>),
    Compare(&'static str, Box<(Expr, Expr)>),
    /// A whole number, and what to add.
    Sum(Box<Expr>, i64),
    /// A text of the catalogue and its arguments.
    Text(String, Vec<(String, Expr)>),
    /// A callback value: the action, which may be a fact, and the other members, by name.
    Act(Box<Expr>, Vec<(String, Expr)>),
    Filter(String, Box<Expr>, Vec<Expr>),
    Dict(Vec<(String, Expr)>),
    List(Vec<Expr>),
}

impl Expr {
    /// Whether it is true, if that is known.
    pub fn known(&self) -> Option<bool> {
        match self {
            Expr::None => Some(false),
            Expr::Bool(value) => Some(*value),
            Expr::Int(number) => Some(*number != 0),
            Expr::Str(text) => Some(!text.is_empty()),
            Expr::Text(..) | Expr::Act(..) | Expr::Dict(_) => Some(true),
            Expr::List(items) => Some(!items.is_empty()),
            Expr::Cat(pieces) => {
                let text = |piece: &Expr| {
                    matches!(piece, Expr::Str(_) | Expr::Text(..)) && piece.known() == Some(true)
                };
                pieces.iter().any(text).then_some(true)
            }
            Expr::Not(inner) => inner.known().map(|known| !known),
            Expr::And(sides) => match (sides.0.known(), sides.1.known()) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Expr::Or(sides) => match (sides.0.known(), sides.1.known()) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Expr::If(parts) => {
                let (then, other) = (parts.1.known()?, parts.2.known()?);
                (then == other).then_some(then)
            }
            _ => None,
        }
    }

    fn choose(condition: Expr, then: Expr, other: Expr) -> Expr {
        match condition.known() {
            Some(true) => then,
            Some(false) => other,
            None if then == other => then,
            None => Expr::If(Box::new((condition, then, other))),
        }
    }

    fn attribute(self, name: &str) -> Result<Expr, String> {
        Ok(match self {
            Expr::Place(place) => Expr::Place(format!("{place}.{name}")),
            Expr::Form => Expr::Place(format!("frame.typed({name:?})")),
            Expr::Dict(pairs) => {
                let pair = pairs.into_iter().find(|(known, _)| known == name);
                pair.ok_or_else(|| format!("nothing is called `{name}` here"))?.1
            }
            // Only reached where the condition holds.
            Expr::If(parts) if parts.2 == Expr::None => parts.1.attribute(name)?,
            Expr::If(parts) => {
                let (condition, then, other) = *parts;
                Expr::choose(condition, then.attribute(name)?, other.attribute(name)?)
            }
            other => return Err(format!("`{name}` of {other:?}")),
        })
    }
}

/// What names mean at a place in a template.
#[derive(Clone, Default)]
struct Scope<'a> {
    names: BTreeMap<String, Expr>,
    /// What stands between `call` and `endcall`.
    caller: Option<Rc<(&'a [AstStmt<'a>], Scope<'a>)>>,
}

struct Resolver<'a> {
    own: BTreeMap<&'a str, &'a Macro<'a>>,
    parts: BTreeMap<&'a str, &'a Macro<'a>>,
    texts: &'a Texts,
    /// How many names were made.
    made: usize,
}

/// Names of the frame, which every card has.
const FRAME: [&str; 5] = ["admin", "reader", "banner", "back", "alerts"];

/// Resolves a template.
pub fn resolve<'a>(
    template: &'a [AstStmt<'a>],
    parts: &'a [AstStmt<'a>],
    texts: &'a Texts,
) -> Result<Vec<Stmt>, String> {
    let mut resolver = Resolver { own: macros(template), parts: macros(parts), texts, made: 0 };
    let mut out = Vec::new();
    resolver.statements(template, &mut Scope::default(), &mut out)?;
    Ok(out)
}

fn macros<'a>(template: &'a [AstStmt<'a>]) -> BTreeMap<&'a str, &'a Macro<'a>> {
    let each = template.iter().filter_map(|statement| match statement {
        AstStmt::Macro(found) => Some((found.name, &**found)),
        _ => None,
    });
    each.collect()
}

impl<'a> Resolver<'a> {
    fn name(&mut self, of: &str) -> String {
        self.made = self.made.saturating_add(1);
        format!("{of}_{}", self.made)
    }

    fn statements(
        &mut self,
        statements: &'a [AstStmt<'a>],
        scope: &mut Scope<'a>,
        out: &mut Vec<Stmt>,
    ) -> Result<(), String> {
        for statement in statements {
            self.statement(statement, scope, out)?;
        }
        Ok(())
    }

    fn statement(
        &mut self,
        statement: &'a AstStmt<'a>,
        scope: &mut Scope<'a>,
        out: &mut Vec<Stmt>,
    ) -> Result<(), String> {
        match statement {
            AstStmt::EmitRaw(raw) => out.push(Stmt::Json(raw.raw.to_owned())),
            AstStmt::EmitExpr(emit) => {
                if let Ast::Call(call) = &emit.expr
                    && self.call(call, None, scope, out)?
                {
                    return Ok(());
                }
                let value = self.expr(&emit.expr, scope, out)?;
                out.push(Stmt::Print(value));
            }
            AstStmt::CallBlock(block) => {
                let caller = Rc::new((block.macro_decl.body.as_slice(), scope.clone()));
                if !self.call(&block.call, Some(caller), scope, out)? {
                    return Err("only a macro can be called with a body".to_owned());
                }
            }
            AstStmt::IfCond(condition) => {
                let test = self.expr(&condition.expr, scope, out)?;
                let known = test.known();
                let (mut then, mut other) = (Vec::new(), Vec::new());
                if known != Some(false) {
                    self.statements(&condition.true_body, &mut scope.clone(), &mut then)?;
                }
                if known != Some(true) {
                    self.statements(&condition.false_body, &mut scope.clone(), &mut other)?;
                }
                match known {
                    Some(true) => out.append(&mut then),
                    Some(false) => out.append(&mut other),
                    None => out.push(Stmt::If(test, then, other)),
                }
            }
            AstStmt::ForLoop(each) => {
                let Ast::Var(target) = &each.target else {
                    return Err("a loop has one variable".to_owned());
                };
                let list = self.expr(&each.iter, scope, out)?;
                let turn = |this: &mut Self, value: Expr, round: Expr, out: &mut Vec<Stmt>| {
                    let mut scope = scope.clone();
                    scope.names.insert(target.id.to_owned(), value);
                    scope.names.insert("loop".to_owned(), round);
                    let mut body = Vec::new();
                    let test = each.filter_expr.as_ref();
                    let test = test.map(|test| this.expr(test, &scope, out)).transpose()?;
                    this.statements(&each.body, &mut scope, &mut body)?;
                    match test {
                        Some(test) if test.known() == Some(false) => {}
                        Some(test) if test.known() != Some(true) => {
                            out.push(Stmt::If(test, body, Vec::new()));
                        }
                        _ => out.append(&mut body),
                    }
                    Ok::<(), String>(())
                };
                match list {
                    Expr::List(items) => {
                        for item in items {
                            turn(self, item, Expr::None, out)?;
                        }
                    }
                    Expr::Place(place) => {
                        let (name, round) = (self.name(target.id), self.name("turn"));
                        let mut body = Vec::new();
                        turn(
                            self,
                            Expr::Place(name.clone()),
                            Expr::Place(round.clone()),
                            &mut body,
                        )?;
                        out.push(Stmt::For { each: name, turn: round, place, body });
                    }
                    other => return Err(format!("a loop over {other:?}")),
                }
            }
            AstStmt::Set(set) => {
                let Ast::Var(target) = &set.target else {
                    return Err("only a name can be set".to_owned());
                };
                let value = self.expr(&set.expr, scope, out)?;
                scope.names.insert(target.id.to_owned(), value);
            }
            AstStmt::Macro(_) | AstStmt::Import(_) => {}
            other => return Err(format!("a template cannot say {other:?}")),
        }
        Ok(())
    }

    /// Writes what a macro writes; false if it is not a macro that is called.
    fn call(
        &mut self,
        call: &'a Call<'a>,
        caller: Option<Rc<(&'a [AstStmt<'a>], Scope<'a>)>>,
        scope: &Scope<'a>,
        out: &mut Vec<Stmt>,
    ) -> Result<bool, String> {
        let called = match &call.expr {
            Ast::Var(name) if name.id == "caller" => {
                let block = scope.caller.clone().ok_or("there is no caller here")?;
                self.statements(block.0, &mut block.1.clone(), out)?;
                return Ok(true);
            }
            Ast::Var(name) => self.own.get(name.id).or_else(|| self.parts.get(name.id)),
            Ast::GetAttr(part) => self.parts.get(part.name),
            _ => None,
        };
        let Some(called) = called.copied() else { return Ok(false) };
        let mut inner = Scope { names: BTreeMap::new(), caller };
        let parameters: Vec<&str> = called
            .args
            .iter()
            .filter_map(|arg| if let Ast::Var(name) = arg { Some(name.id) } else { None })
            .collect();
        let mut names = parameters.iter();
        for arg in &call.args {
            let (name, value) = match arg {
                CallArg::Pos(value) => (names.next().copied(), value),
                CallArg::Kwarg(name, value) => (Some(*name), value),
                _ => return Err("`*` in a call".to_owned()),
            };
            let name = name.filter(|name| parameters.contains(name));
            let name =
                name.ok_or_else(|| format!("too many or unknown arguments of {}", called.name))?;
            let value = self.expr(value, scope, out)?;
            inner.names.insert(name.to_owned(), value);
        }
        let defaults = parameters.iter().rev().zip(called.defaults.iter().rev());
        for (name, value) in defaults {
            if !inner.names.contains_key(*name) {
                let value = self.expr(value, scope, out)?;
                inner.names.insert((*name).to_owned(), value);
            }
        }
        if let Some(missing) = parameters.iter().find(|name| !inner.names.contains_key(**name)) {
            return Err(format!("{} lacks its argument `{missing}`", called.name));
        }
        self.statements(&called.body, &mut inner, out)?;
        Ok(true)
    }

    fn expr(
        &mut self,
        expr: &'a Ast<'a>,
        scope: &Scope<'a>,
        out: &mut Vec<Stmt>,
    ) -> Result<Expr, String> {
        Ok(match expr {
            Ast::Var(name) => match scope.names.get(name.id) {
                Some(value) => value.clone(),
                None if name.id == "form" => Expr::Form,
                None if FRAME.contains(&name.id) => Expr::Place(format!("frame.{}", name.id)),
                None => Expr::Place(format!("self.{}", name.id)),
            },
            Ast::Const(value) => constant(&value.value)?,
            Ast::UnaryOp(op) => {
                let inner = self.expr(&op.expr, scope, out)?;
                match (&op.op, inner) {
                    (UnaryOpKind::Not, inner) => match inner.known() {
                        Some(known) => Expr::Bool(!known),
                        None => Expr::Not(Box::new(inner)),
                    },
                    (UnaryOpKind::Neg, Expr::Int(number)) => Expr::Int(number.saturating_neg()),
                    (UnaryOpKind::Neg, other) => return Err(format!("minus {other:?}")),
                }
            }
            Ast::BinOp(op) => {
                let (left, right) =
                    (self.expr(&op.left, scope, out)?, self.expr(&op.right, scope, out)?);
                match op.op {
                    BinOpKind::ScAnd => match (left.known(), right.known()) {
                        (Some(true), _) => right,
                        (Some(false), _) => left,
                        (_, Some(false)) => Expr::Bool(false),
                        (_, Some(true)) if matches!(right, Expr::Bool(true)) => left,
                        _ => Expr::And(Box::new((left, right))),
                    },
                    BinOpKind::ScOr => match left.known() {
                        Some(true) => left,
                        Some(false) => right,
                        None => Expr::Or(Box::new((left, right))),
                    },
                    BinOpKind::Concat => cat(left, right),
                    BinOpKind::Eq => compare("==", left, right),
                    BinOpKind::Ne => compare("!=", left, right),
                    BinOpKind::Lt => compare("<", left, right),
                    BinOpKind::Lte => compare("<=", left, right),
                    BinOpKind::Gt => compare(">", left, right),
                    BinOpKind::Gte => compare(">=", left, right),
                    BinOpKind::Add | BinOpKind::Sub => {
                        let Expr::Int(by) = right else {
                            return Err("only a known number can be added".to_owned());
                        };
                        let sub = matches!(op.op, BinOpKind::Sub);
                        Expr::Sum(Box::new(left), if sub { by.saturating_neg() } else { by })
                    }
                    _ => return Err("an operator that templates do not have".to_owned()),
                }
            }
            Ast::Compare(chain) => {
                let left = self.expr(&chain.expr, scope, out)?;
                let [op] = chain.ops.as_slice() else {
                    return Err("a chain of comparisons".to_owned());
                };
                let right = self.expr(&op.expr, scope, out)?;
                let sign = match op.op {
                    CompareOpKind::Eq => "==",
                    CompareOpKind::Ne => "!=",
                    CompareOpKind::Lt => "<",
                    CompareOpKind::Lte => "<=",
                    CompareOpKind::Gt => ">",
                    CompareOpKind::Gte => ">=",
                    _ => return Err("`in` is not known".to_owned()),
                };
                compare(sign, left, right)
            }
            Ast::IfExpr(choice) => {
                let test = self.expr(&choice.test_expr, scope, out)?;
                let then = self.expr(&choice.true_expr, scope, out)?;
                let other = choice.false_expr.as_ref();
                let other = other.map(|other| self.expr(other, scope, out)).transpose()?;
                Expr::choose(test, then, other.unwrap_or(Expr::None))
            }
            Ast::Filter(filter) => {
                let inner = filter.expr.as_ref().ok_or("a filter without a value")?;
                let inner = self.expr(inner, scope, out)?;
                let mut args = Vec::new();
                for arg in &filter.args {
                    let CallArg::Pos(arg) = arg else { return Err("a named argument".to_owned()) };
                    args.push(self.expr(arg, scope, out)?);
                }
                self.filter(filter.name, inner, args)?
            }
            Ast::Test(test) => match (test.name, self.expr(&test.expr, scope, out)?) {
                ("defined", Expr::Place(place)) => Expr::Defined(place),
                (name, of) => return Err(format!("{of:?} is {name}?")),
            },
            Ast::GetAttr(get) => self.expr(&get.expr, scope, out)?.attribute(get.name)?,
            Ast::GetItem(get) => {
                let name = self.expr(&get.subscript_expr, scope, out)?;
                let Expr::Str(name) = name else { return Err(format!("[{name:?}]")) };
                self.expr(&get.expr, scope, out)?.attribute(&name)?
            }
            Ast::Call(call) => self.function(call, scope, out)?,
            Ast::List(list) => {
                let items = list.items.iter().map(|item| self.expr(item, scope, out));
                Expr::List(items.collect::<Result<_, _>>()?)
            }
            Ast::Map(map) => {
                let mut pairs = Vec::new();
                for (key, value) in map.keys.iter().zip(&map.values) {
                    let Expr::Str(key) = self.expr(key, scope, out)? else {
                        return Err("a key that is not text".to_owned());
                    };
                    pairs.push((key, self.expr(value, scope, out)?));
                }
                Expr::Dict(pairs)
            }
            other => return Err(format!("a template cannot say {other:?}")),
        })
    }

    /// `t(…)`, `act(…)`, `op()`.
    fn function(
        &mut self,
        call: &'a Call<'a>,
        scope: &Scope<'a>,
        out: &mut Vec<Stmt>,
    ) -> Result<Expr, String> {
        let Ast::Var(called) = &call.expr else { return Err("a call of something".to_owned()) };
        if called.id == "op" {
            let name = self.name("op");
            out.push(Stmt::Op(name.clone()));
            return Ok(Expr::Place(name));
        }
        let mut word = None;
        let mut members = Vec::new();
        for arg in &call.args {
            match arg {
                CallArg::Pos(value) => word = Some(self.expr(value, scope, out)?),
                CallArg::Kwarg(name, value) => {
                    members.push(((*name).to_owned(), self.expr(value, scope, out)?));
                }
                _ => return Err("`*` in a call".to_owned()),
            }
        }
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        match (called.id, word) {
            ("t", Some(Expr::Str(key))) => {
                self.texts.of(&key)?;
                Ok(Expr::Text(key, members))
            }
            ("act", Some(word @ (Expr::Str(_) | Expr::Place(_)))) => {
                Ok(Expr::Act(Box::new(word), members))
            }
            ("t" | "act", _) => Err(format!("{} wants a text first", called.id)),
            (other, _) => Err(format!("nothing is called {other}()")),
        }
    }

    /// Applies a filter, or leaves it for later if its value is not known yet.
    fn filter(&self, name: &str, value: Expr, args: Vec<Expr>) -> Result<Expr, String> {
        let clip = match (name, args.as_slice()) {
            ("clip", [Expr::Int(most)]) => usize::try_from(*most).ok(),
            _ => None,
        };
        match (&value, clip) {
            (Expr::Str(text), Some(most)) => return Ok(Expr::Str(text::clip(text, most))),
            (Expr::Text(key, _), Some(most)) => {
                if let Some(whole) = self.texts.whole(key)?
                    && whole.iter().all(|(_, text)| text::clip(text, most) == *text)
                {
                    return Ok(value);
                }
            }
            (Expr::Filter(inner, _, inner_args), Some(most)) if inner == "clip" => {
                if let [Expr::Int(inner)] = inner_args.as_slice()
                    && usize::try_from(*inner).is_ok_and(|inner| inner <= most)
                {
                    return Ok(value);
                }
            }
            _ => {}
        }
        if let (Expr::Str(text), "md") = (&value, name) {
            return Ok(Expr::Str(text::md(text)));
        }
        Ok(Expr::Filter(name.to_owned(), Box::new(value), args))
    }
}

fn cat(left: Expr, right: Expr) -> Expr {
    let mut pieces = Vec::new();
    for side in [left, right] {
        match side {
            Expr::Cat(more) => pieces.extend(more),
            Expr::Str(text) if text.is_empty() => {}
            other => pieces.push(other),
        }
    }
    Expr::Cat(pieces)
}

fn compare(sign: &'static str, left: Expr, right: Expr) -> Expr {
    match (sign, &left, &right) {
        ("==", Expr::Str(one), Expr::Str(other)) => Expr::Bool(one == other),
        ("!=", Expr::Str(one), Expr::Str(other)) => Expr::Bool(one != other),
        _ => Expr::Compare(sign, Box::new((left, right))),
    }
}

fn constant(value: &Value) -> Result<Expr, String> {
    Ok(match value.kind() {
        ValueKind::None => Expr::None,
        ValueKind::Bool => Expr::Bool(value.is_true()),
        ValueKind::Number => {
            Expr::Int(i64::try_from(value.clone()).map_err(|error| error.to_string())?)
        }
        ValueKind::String => Expr::Str(value.as_str().unwrap_or_default().to_owned()),
        kind => return Err(format!("a constant of the kind {kind}")),
    })
}
