//! Tables for spreadsheets and programs: users, spending, days, ledger, alerts, as CSV or JSON (docs/behaviour.md §7).
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
    AccountId, AlertRecord, BillPeriod, LedgerEntry, Money, Notice, Payer, SpendingRecord, User,
    UserKey,
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
}

impl Table {
    /// Every table, in the order of docs/behaviour.md §7.
    pub const ALL: [Table; 5] =
        [Table::Users, Table::Spending, Table::Days, Table::Ledger, Table::Alerts];

    /// Returns the table's name on the command line and in chat.
    pub fn word(self) -> &'static str {
        match self {
            Table::Users => "users",
            Table::Spending => "spending",
            Table::Days => "days",
            Table::Ledger => "ledger",
            Table::Alerts => "alerts",
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
    }
    Ok(())
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
mod tests {
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::app::projects::{self, NewLink};
    use crate::app::quota::{self, Allocation};
    use crate::domain::{
        AccessGoal, AlertBody, CloudUser, Figures, OpenId, Operator, ProjectName, Username,
    };
    use crate::store::{RecordedReading, Store};

    const NOW: &str = "2026-11-22T18:30:05.25Z";

    fn filled() -> Store {
        let store = Store::with_backend(InMemoryBackend::new(), &[1; 32]).unwrap();
        let now: Timestamp = NOW.parse().unwrap();
        let account = AccountId::new("main").unwrap();
        let user: UserKey = "main/=cmd".parse().unwrap();
        let operator = Operator::Person {
            open_id: OpenId::new("ou_1").unwrap(),
            name: Some("@李, \"四\"".into()),
        };
        store
            .write(|tx| {
                let listed = CloudUser {
                    username: Username::new("=cmd").unwrap(),
                    cloud_id: "1".into(),
                    display_name: "张三\n二".into(),
                    email: String::new(),
                    phone: String::new(),
                };
                tx.apply_sync(&account, &[listed], &[], now, now)?;
                let mut record = tx.user(&user)?.unwrap();
                record.remark = "+1, 2".into();
                record.owner = Some(OpenId::new("ou_9").unwrap());
                tx.put_user(&record)?;
                let link =
                    NewLink { project: "team-a".into(), since: "2026-10".into(), joining: None };
                projects::add(tx, &user, &link, now).unwrap();
                for (amount, note, operator) in
                    [("1000", "-note", &operator), ("-200.5", "", &Operator::System)]
                {
                    let amount = amount.parse().unwrap();
                    quota::book(tx, &Allocation { user: &user, amount, note, operator }, now)
                        .unwrap();
                }
                let project = ProjectName::new("team-a").unwrap();
                let amounts = [("2026-10", "-3.005"), ("2026-11", "1234.567")];
                let bills: BTreeMap<_, _> = amounts
                    .map(|(period, amount)| {
                        ((project.clone(), period.parse().unwrap()), amount.parse().unwrap())
                    })
                    .into();
                let reading = RecordedReading::of_months(account.clone(), bills, now);
                tx.record_cycle(&[reading])?;
                let figures = Figures::of(&tx.user(&user)?.unwrap(), &[], &[]);
                tx.add_alert(
                    Some(&user),
                    AlertBody::Warning { threshold: 80, of: Default::default(), figures },
                    now,
                )?;
                tx.add_alert(None, AlertBody::manual(AccessGoal::Cut, operator), now)?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store
    }

    fn text(table: Table, form: Form) -> String {
        let mut bytes = Vec::new();
        let title = |alert: &AlertRecord| format!("=title {}", alert.id);
        filled().read(|tx| write_csv(tx, table, form, title, &mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_are_plain_and_no_text_starts_a_formula() {
        assert_eq!(
            text(Table::Users, Form::Pipe),
            "account,username,display_name,status,quota,consumed,remaining,usage_percent,projects_monitored,\
             projects_total,owner,remark\n\
             main,'=cmd,\"张三\n二\",unknown,799.50,1231.56,0.00,154.0,1,1,ou_9,\"'+1, 2\"\n"
        );
        assert_eq!(
            text(Table::Spending, Form::Pipe),
            "account,username,project,period,amount,updated_at\n\
             main,'=cmd,总计,2026-11,1234.57,2026-11-23 02:30:05\n\
             main,'=cmd,team-a,2026-11,1234.57,2026-11-23 02:30:05\n\
             main,'=cmd,总计,2026-10,-3.01,2026-11-23 02:30:05\n\
             main,'=cmd,team-a,2026-10,-3.01,2026-11-23 02:30:05\n"
        );
        assert_eq!(
            text(Table::Days, Form::Pipe),
            "account,project,day,amount,users\n\
             main,team-a,2026-10-01,-3.005,'=cmd\n\
             main,team-a,2026-11-01,1234.567,'=cmd\n"
        );
        assert_eq!(
            text(Table::Ledger, Form::Pipe),
            "account,username,time,amount,total_after,note,operator\n\
             main,'=cmd,2026-11-23 02:30:05,1000.00,1000.00,'-note,\"'@李, \"\"四\"\"\"\n\
             main,'=cmd,2026-11-23 02:30:05,-200.50,799.50,,system\n"
        );
        assert_eq!(
            text(Table::Alerts, Form::Pipe),
            "account,username,time,type,title,amount,threshold,notified\n\
             ,,2026-11-23 02:30:05,manual,'=title 2,,,false\n\
             main,'=cmd,2026-11-23 02:30:05,warning,'=title 1,1231.56,80,false\n"
        );
    }

    #[test]
    fn a_file_for_spreadsheets_has_a_byte_order_mark_and_crlf_line_ends() {
        let file = text(Table::Ledger, Form::Spreadsheet);
        assert!(file.starts_with("\u{FEFF}account,"));
        let plain = file.trim_start_matches('\u{FEFF}').replace("\r\n", "\n");
        assert_eq!(plain, text(Table::Ledger, Form::Pipe));
        assert_eq!(file.matches("\r\n").count(), 3);
    }

    #[test]
    fn json_has_the_columns_by_name_and_texts_as_they_are() {
        let store = filled();
        for table in Table::ALL {
            let mut bytes = Vec::new();
            store.read(|tx| write_json(tx, table, |_| "title".into(), &mut bytes)).unwrap();
            let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(&bytes).unwrap();
            assert!(!rows.is_empty());
            for row in rows {
                let names: std::collections::BTreeSet<&str> =
                    row.keys().map(String::as_str).collect();
                assert_eq!(names, table.header().iter().copied().collect());
                for name in ["amount", "total_after", "quota", "consumed", "remaining"] {
                    let Some(amount) = row.get(name).filter(|amount| !amount.is_null()) else {
                        continue;
                    };
                    let (_, decimals) = amount.as_str().unwrap().split_once('.').unwrap();
                    // Days show every decimal.
                    let exact = table == Table::Days && decimals.len() >= 2;
                    assert!(exact || decimals.len() == 2, "{name}: {amount}");
                }
            }
        }
        let mut bytes = Vec::new();
        store.read(|tx| write_json(tx, Table::Ledger, |_| String::new(), &mut bytes)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.contains(
                r#""username":"=cmd","time":"2026-11-23T02:30:05+08:00","amount":"1000.00","#
            ),
            "{text}"
        );
    }

    #[test]
    fn an_empty_store_gives_headers_and_an_empty_array() {
        let store = Store::with_backend(InMemoryBackend::new(), &[1; 32]).unwrap();
        for table in Table::ALL {
            let mut bytes = Vec::new();
            store.read(|tx| write_json(tx, table, |_| String::new(), &mut bytes)).unwrap();
            assert_eq!(bytes, b"[]\n");
            let mut csv = Vec::new();
            store
                .read(|tx| write_csv(tx, table, Form::Spreadsheet, |_| String::new(), &mut csv))
                .unwrap();
            assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 1);
            assert_eq!(Table::from_word(table.word()), Some(table));
        }
    }

    proptest! {
        /// A spreadsheet reads the text, or the text after an apostrophe, and never a formula.
        #[test]
        fn any_text_is_exported_as_text_and_never_as_a_formula(texts in prop::collection::vec(any::<String>(), 1..5)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(texts.iter().map(|text| Cell::text(text).csv())).unwrap();
            let bytes = writer.into_inner().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
            for record in reader.records() {
                for (cell, text) in record.unwrap().iter().zip(&texts) {
                    prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
                    prop_assert!(cell == text || cell.strip_prefix('\'') == Some(text));
                }
            }
        }
    }
}
