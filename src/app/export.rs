//! Tables for spreadsheets and programs: users, spending, days, ledger, alerts, links, owners, limits, as CSV or JSON
//! (docs/behaviour.md §7).
//!
//! Header names are the same in every locale. Amounts are numbers with 2 decimals, those of days with all
//! that they have: they add up to a month exactly. In CSV, a text that a spreadsheet
//! would take for a formula gets an apostrophe before it, and times are Beijing time as spreadsheets read them. In JSON, texts
//! are unchanged, and times have their zone.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::domain::period::beijing;
use crate::domain::{
    AccountId, AlertRecord, BillPeriod, Counts, Joining, LedgerEntry, Money, Notice, Payer,
    ProjectLink, SpendingRecord, User, UserKey, UserStatus,
};
use crate::store::{Source, StoreError, View};

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// One row per user, by account and name.
    Users,
    /// One row per user, project and month, newest month first. A file for programs has a row with the user's total before
    /// them.
    Spending,
    /// One row per account, project and day, oldest first, with the users who pay for it; days without spending have none.
    Days,
    /// One row per entry, by user, oldest first.
    Ledger,
    /// One row per alert, newest first.
    Alerts,
    /// One row per monitored link of a user in the cloud, those that count a part first: in this order, an import leads to
    /// the same.
    Links,
    /// One row per user in the cloud.
    Owners,
    /// One row per user in the cloud.
    Limits,
}

impl Table {
    /// Every table, in the order of docs/behaviour.md §7.
    pub const ALL: [Table; 8] = [
        Table::Users,
        Table::Spending,
        Table::Days,
        Table::Ledger,
        Table::Alerts,
        Table::Links,
        Table::Owners,
        Table::Limits,
    ];

    /// Returns the table's name on the command line and in chat.
    pub fn word(self) -> &'static str {
        match self {
            Table::Users => "users",
            Table::Spending => "spending",
            Table::Days => "days",
            Table::Ledger => "ledger",
            Table::Alerts => "alerts",
            Table::Links => "links",
            Table::Owners => "owners",
            Table::Limits => "limits",
        }
    }

    /// Returns the table with that name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.word() == word || table.aliases().contains(&word))
    }

    /// Returns what people call it in Chinese.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Table::Users => &["用户"],
            Table::Spending => &["账单", "消费"],
            Table::Days => &["每日", "日账单"],
            Table::Ledger => &["额度", "划拨"],
            Table::Alerts => &["告警"],
            Table::Links => &["项目", "关联"],
            Table::Owners => &["负责人"],
            Table::Limits => &["上限", "月度上限"],
        }
    }

    /// Returns whether it can be exported month by month.
    pub fn has_months(self) -> bool {
        matches!(self, Table::Spending | Table::Days)
    }

    /// Returns the names of its columns.
    pub fn header(self) -> &'static [&'static str] {
        match self {
            Table::Users => &[
                "account",
                "username",
                "display_name",
                "status",
                "quota",
                "consumed",
                "remaining",
                "usage_percent",
                "projects_monitored",
                "projects_total",
                "owner",
                "remark",
            ],
            Table::Spending => {
                &["account", "username", "project", "period", "amount", "updated_at"]
            }
            Table::Days => &["account", "project", "day", "amount", "users"],
            Table::Ledger => {
                &["account", "username", "time", "amount", "total_after", "note", "operator"]
            }
            Table::Alerts => {
                &["account", "username", "time", "type", "title", "amount", "threshold", "notified"]
            }
            // What an import reads (`sheet::Column`); other columns are for people.
            Table::Links => &["account", "username", "project", "since", "counts"],
            Table::Owners => &["account", "username", "display_name", "owner"],
            Table::Limits => &["account", "username", "display_name", "month_limit"],
        }
    }
}

/// A table, or the part of it that belongs to one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// The table.
    pub table: Table,
    /// Only this month; never set for a table that [has no months](Table::has_months).
    pub period: Option<BillPeriod>,
}

impl Export {
    /// Returns how an owed file names it: `spending`, `spending 2026-11`.
    pub fn word(self) -> String {
        match self.period {
            Some(period) => format!("{} {period}", self.table.word()),
            None => self.table.word().to_owned(),
        }
    }

    /// Returns what such a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.split_once(' ') {
            Some((table, period)) => {
                let table = Table::from_word(table).filter(|table| table.has_months())?;
                Some(Self { table, period: Some(period.parse().ok()?) })
            }
            None => Table::from_word(word).map(Self::from),
        }
    }

    fn has(self, period: BillPeriod) -> bool {
        self.period.is_none_or(|wanted| wanted == period)
    }
}

impl From<Table> for Export {
    fn from(table: Table) -> Self {
        Self { table, period: None }
    }
}

/// What a CSV file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Opened in a spreadsheet: a byte order mark, without which Chinese is not recognised, and CR LF.
    Spreadsheet,
    /// Read by a program: neither.
    Pipe,
}

/// The word for "no limit" that an import reads.
const NO_LIMIT: &str = "none";

/// The word that marks a user's total among their projects (docs/behaviour.md §1).
pub const TOTAL: &str = "总计";

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output could not be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// Writes a table as CSV, row by row. `title` puts an alert into words.
pub fn write_csv<S: Source>(
    tx: &View<S>,
    export: impl Into<Export>,
    form: Form,
    title: impl Fn(&AlertRecord) -> String,
    mut out: impl Write,
) -> Result<(), ExportError> {
    let export = export.into();
    let end = match form {
        Form::Spreadsheet => {
            out.write_all("\u{FEFF}".as_bytes())?;
            csv::Terminator::CRLF
        }
        Form::Pipe => csv::Terminator::Any(b'\n'),
    };
    let mut writer = csv::WriterBuilder::new().terminator(end).from_writer(out);
    writer.write_record(export.table.header()).map_err(io::Error::from)?;
    rows(tx, export, form, &title, |cells| {
        writer
            .write_record(cells.iter().map(|cell| cell.csv()))
            .map_err(|error| io::Error::from(error).into())
    })?;
    Ok(writer.flush()?)
}

/// Writes a table as a JSON array of objects with the columns' names, row by row.
pub fn write_json<S: Source>(
    tx: &View<S>,
    table: Table,
    title: impl Fn(&AlertRecord) -> String,
    mut out: impl Write,
) -> Result<(), ExportError> {
    let mut before = "[\n";
    rows(tx, table.into(), Form::Pipe, &title, |cells| {
        out.write_all(before.as_bytes())?;
        before = ",\n";
        let mut open = "{";
        for (name, cell) in table.header().iter().zip(&cells) {
            write!(out, "{open}\"{name}\":{}", cell.json())?;
            open = ",";
        }
        Ok(out.write_all(b"}")?)
    })?;
    out.write_all(if before == "[\n" { b"[]\n" } else { b"\n]\n" })?;
    Ok(out.flush()?)
}

/// One value of a row.
#[derive(Debug)]
enum Cell {
    Text(String),
    /// Digits, written as they are.
    Number(String),
    /// Yuan with two decimals or more. In JSON it is a string: most readers turn a JSON number into a float.
    Money(String),
    Flag(bool),
    Time(Timestamp),
    Nothing,
}

impl Cell {
    fn text(text: impl std::fmt::Display) -> Self {
        Cell::Text(text.to_string())
    }

    fn money(amount: Money) -> Self {
        let amount = amount.rounded();
        Cell::Money(if amount.is_zero() { "0.00".to_owned() } else { amount.plain() })
    }

    /// An amount with every decimal that it has.
    fn exact(amount: Money) -> Self {
        let mut exact = amount.decimal().normalize();
        if exact.scale() < 2 {
            exact.rescale(2);
        }
        Cell::Money(exact.to_string())
    }

    fn csv(&self) -> String {
        match self {
            Cell::Text(text) => harmless(text),
            Cell::Number(digits) | Cell::Money(digits) => digits.clone(),
            Cell::Flag(flag) => flag.to_string(),
            Cell::Time(at) => at.to_zoned(beijing()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Cell::Nothing => String::new(),
        }
    }

    fn json(&self) -> String {
        match self {
            Cell::Text(text) | Cell::Money(text) => Value::from(text.as_str()).to_string(),
            Cell::Number(number) => number.clone(),
            Cell::Flag(flag) => flag.to_string(),
            Cell::Time(at) => {
                let local = at.to_zoned(beijing()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                Value::from(local).to_string()
            }
            Cell::Nothing => Value::Null.to_string(),
        }
    }
}

/// Spreadsheets treat a cell that begins with such a character as a formula, some also in full width ("CSV Injection",
/// OWASP). The apostrophe marks it as text.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

type Each<'a> = &'a mut dyn FnMut(Vec<Cell>) -> Result<(), ExportError>;

fn rows<S: Source>(
    tx: &View<S>,
    export: Export,
    form: Form,
    title: &dyn Fn(&AlertRecord) -> String,
    mut each: impl FnMut(Vec<Cell>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let each: Each<'_> = &mut each;
    match export.table {
        Table::Users => {
            for user in tx.users()? {
                each(user_row(tx, &user)?)?;
            }
        }
        Table::Spending => {
            for period in tx.spending_periods()?.into_iter().filter(|it| export.has(*it)) {
                for record in tx.spending_in(period)? {
                    // In a spreadsheet the sum of the column is the sum of the month.
                    if record.project.is_none() && form == Form::Spreadsheet {
                        continue;
                    }
                    each(spending_row(&record))?;
                }
            }
        }
        Table::Days => {
            let mut payers = BTreeMap::new();
            for (account, day, project, amount) in tx.all_days()? {
                if !BillPeriod::of_day(day).is_ok_and(|period| export.has(period)) {
                    continue;
                }
                let key = (account, project);
                if !payers.contains_key(&key) {
                    payers.insert(key.clone(), tx.payers(&key.0, &key.1)?);
                }
                let known = payers.get(&key).map_or(&[][..], Vec::as_slice);
                each(day_row(&key.0, &key.1, day, amount, known))?;
            }
        }
        Table::Ledger => {
            for user in tx.users()? {
                let (entries, _) = tx.ledger(&user.key, usize::MAX)?;
                for entry in entries.iter().rev() {
                    each(ledger_row(entry))?;
                }
            }
        }
        Table::Alerts => {
            let (alerts, _) = tx.alerts(None, None, 0, usize::MAX)?;
            for alert in &alerts {
                each(alert_row(alert, title(alert)))?;
            }
        }
        Table::Links => {
            let mut links = Vec::new();
            for user in present(tx)? {
                links.extend(tx.links_of(&user.key)?);
            }
            links.retain(|link| link.monitored.is_on());
            // A part makes parts of what others count; the whole leaves theirs as they are.
            links.sort_by_key(|link| link.counts != Counts::Part);
            for link in &links {
                each(link_row(link))?;
            }
        }
        Table::Owners => {
            for user in present(tx)? {
                let owner = user.owner.as_ref().map_or(Cell::Nothing, Cell::text);
                each(setting_row(&user, owner))?;
            }
        }
        Table::Limits => {
            for user in present(tx)? {
                let limit = user.month_limit.map(|limit| Cell::money(limit.amount()));
                each(setting_row(&user, limit.unwrap_or_else(|| Cell::text(NO_LIMIT))))?;
            }
        }
    }
    Ok(())
}

/// Returns the users in the cloud: a row about one who is gone could not be imported.
fn present<S: Source>(tx: &View<S>) -> Result<Vec<User>, StoreError> {
    let mut users = tx.users()?;
    users.retain(|user| user.status != UserStatus::Gone);
    Ok(users)
}

fn link_row(link: &ProjectLink) -> Vec<Cell> {
    let [account, username] = key_cells(Some(&link.user));
    let counts = match link.counts {
        Counts::Part => Joining::Part,
        Counts::Whole => Joining::Whole,
    };
    vec![
        account,
        username,
        Cell::text(&link.project),
        Cell::text(link.since),
        Cell::text(counts.word()),
    ]
}

/// A user and one setting.
fn setting_row(user: &User, setting: Cell) -> Vec<Cell> {
    let [account, username] = key_cells(Some(&user.key));
    vec![account, username, Cell::text(&user.display_name), setting]
}

fn user_row<S: Source>(tx: &View<S>, user: &User) -> Result<Vec<Cell>, StoreError> {
    let links = tx.links_of(&user.key)?;
    let monitored = links.iter().filter(|link| link.monitored.is_on()).count();
    let [account, username] = key_cells(Some(&user.key));
    Ok(vec![
        account,
        username,
        Cell::text(&user.display_name),
        Cell::text(user.status.word()),
        Cell::money(user.quota),
        Cell::money(user.consumed),
        Cell::money(user.remaining()),
        Cell::Number(user.usage().percent().to_string()),
        Cell::Number(monitored.to_string()),
        Cell::Number(links.len().to_string()),
        user.owner.as_ref().map_or(Cell::Nothing, Cell::text),
        Cell::text(&user.remark),
    ])
}

fn spending_row(record: &SpendingRecord) -> Vec<Cell> {
    let [account, username] = key_cells(Some(&record.user));
    vec![
        account,
        username,
        record.project.as_ref().map_or_else(|| Cell::text(TOTAL), Cell::text),
        Cell::text(record.period),
        Cell::money(record.amount),
        Cell::Time(record.updated),
    ]
}

/// User names contain no white space.
fn day_row(
    account: &AccountId,
    project: &str,
    day: Date,
    amount: Money,
    payers: &[Payer],
) -> Vec<Cell> {
    let period = BillPeriod::of_day(day).ok();
    let paying = payers.iter().filter(|payer| period.is_some_and(|period| payer.since <= period));
    let users: Vec<&str> = paying.map(|payer| payer.user.username.as_str()).collect();
    vec![
        Cell::text(account),
        if project.is_empty() { Cell::Nothing } else { Cell::text(project) },
        Cell::text(day),
        Cell::exact(amount),
        Cell::Text(users.join(" ")),
    ]
}

fn ledger_row(entry: &LedgerEntry) -> Vec<Cell> {
    let [account, username] = key_cells(Some(&entry.user));
    vec![
        account,
        username,
        Cell::Time(entry.at),
        Cell::money(entry.amount),
        Cell::money(entry.total_after),
        Cell::text(&entry.note),
        Cell::text(entry.operator.label()),
    ]
}

fn alert_row(alert: &AlertRecord, title: String) -> Vec<Cell> {
    let [account, username] = key_cells(alert.user.as_ref());
    vec![
        account,
        username,
        Cell::Time(alert.at),
        Cell::text(alert.body.kind().word()),
        Cell::Text(title),
        alert.body.amount().map_or(Cell::Nothing, Cell::money),
        alert.body.threshold().map_or(Cell::Nothing, |percent| Cell::Number(percent.to_string())),
        Cell::Flag(alert.notice == Notice::Delivered),
    ]
}

fn key_cells(key: Option<&UserKey>) -> [Cell; 2] {
    match key {
        Some(key) => [Cell::text(&key.account), Cell::text(&key.username)],
        None => [Cell::Nothing, Cell::Nothing],
    }
}

#[cfg(test)]
mod tests;
