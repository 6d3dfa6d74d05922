//! Files that are imported: CSV with a header, as spreadsheets and `/export` write it (docs/behaviour.md §7).
//!
//! Reading is strict where money could go wrong: a line with more cells than the header has is refused, because an unquoted
//! `1,000` would be read as 1. It is lenient where nothing can: columns that are not needed, their order, blank lines, the
//! apostrophe that keeps spreadsheets from evaluating a text.

use sha2::{Digest, Sha256};

use crate::domain::BatchKind;
use crate::domain::batch::MAX_ROWS;
use crate::domain::typed::{free_text, parsed_text};

/// The largest file, in bytes: 5,000 rows with long notes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Begins a UTF-8 file that Excel writes.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];
/// What makes a spreadsheet take a text for a formula; `/export` puts an apostrophe before it.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident = $name:literal;)*) => {
        /// A column with a meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Column { $($(#[$doc])* $column,)* }

        impl Column {
            /// Every column.
            pub const ALL: &[Column] = &[$(Column::$column,)*];

            /// Returns its name in the header, the same in every locale.
            pub fn name(self) -> &'static str {
                match self { $(Column::$column => $name,)* }
            }
        }
    };
}

columns! {
    /// The main account.
    Account = "account";
    /// The user's name.
    Username = "username";
    /// What is added or, below 0, deducted.
    Amount = "amount";
    /// Why.
    Note = "note";
    /// The last day of temporary quota.
    Until = "until";
    /// The project.
    Project = "project";
    /// The first month that counts.
    Since = "since";
    /// How a shared project counts.
    Counts = "counts";
    /// The owner, as open_id or mobile number.
    Owner = "owner";
    /// What may be spent in a month.
    MonthLimit = "month_limit";
}

/// A kind of file, the column that tells it, and those that it may have besides account and user name.
const KINDS: [(BatchKind, Column, &[Column]); 4] = [
    (BatchKind::Quota, Column::Amount, &[Column::Note, Column::Until]),
    (BatchKind::Links, Column::Project, &[Column::Since, Column::Counts]),
    (BatchKind::Owners, Column::Owner, &[]),
    (BatchKind::Limits, Column::MonthLimit, &[]),
];

/// Columns of exports that say what was, and must not be booked once more: amounts of the ledger, of spending, of alerts.
const HISTORY: [&str; 5] = ["total_after", "time", "period", "day", "threshold"];

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// Larger than [`MAX_BYTES`].
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Neither UTF-8 nor GBK, or not a text at all.
    #[error("not a text in UTF-8 or GBK")]
    NotText,
    /// Nothing in it, or no row below the header.
    #[error("no rows")]
    NoRows,
    /// More than [`MAX_ROWS`] rows.
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
    /// The header lacks these columns.
    #[error("the header lacks {0:?}")]
    Lacks(Vec<Column>),
    /// The header has none of the columns that tell what the file is.
    #[error("the header does not tell what is to be done")]
    NoKind,
    /// The header has several of them.
    #[error("the header tells {0:?}")]
    SeveralKinds(Vec<Column>),
    /// The header has a column twice.
    #[error("the header has {0:?} twice")]
    Twice(Column),
    /// An export of what was: this column says so.
    #[error("a record of what was: it has `{0}`")]
    History(&'static str),
    /// A line with more cells than the header has.
    #[error("line {line} has {cells} cells, the header {header}")]
    TooManyCells {
        /// The line in the file.
        line: u64,
        /// How many it has.
        cells: usize,
        /// How many the header has.
        header: usize,
    },
}

/// A row below the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetRow {
    /// Its line in the file, from 1; of several, the first.
    pub line: u64,
    cells: Vec<(Column, String)>,
    split: Option<String>,
}

impl SheetRow {
    /// Returns the amount that the row seems to hold in two cells, because its comma separated them: `1,000`. Such a row is not
    /// read as 1.
    pub fn split_amount(&self) -> Option<&str> {
        self.split.as_deref()
    }

    /// Returns what a cell says, without the blanks around it; empty if the file has no such column.
    pub fn cell(&self, column: Column) -> &str {
        let cell = self.cells.iter().find(|(known, _)| *known == column);
        cell.map_or("", |(_, text)| text)
    }
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// What its rows do.
    pub kind: BatchKind,
    /// The rows that are not blank.
    pub rows: Vec<SheetRow>,
    /// What the rows say, hashed: the same for the same content in another encoding.
    pub digest: String,
}

/// Reads a file.
///
/// # Errors
/// [`SheetError`].
pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > MAX_BYTES {
        return Err(SheetError::TooLarge);
    }
    let text = decode(bytes).ok_or(SheetError::NotText)?;
    let first = text.lines().find(|line| !line.trim().is_empty()).ok_or(SheetError::NoRows)?;
    let mark = delimiter(first);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(mark)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    // What is in memory and decoded cannot fail to be read.
    let mut next = |record: &mut csv::StringRecord| {
        reader.read_record(record).map_err(|_| SheetError::NotText)
    };
    let header = loop {
        if !next(&mut record)? {
            return Err(SheetError::NoRows);
        }
        if !is_blank(&record) {
            break Header::read(&record)?;
        }
    };
    let mut rows = Vec::new();
    while next(&mut record)? {
        if is_blank(&record) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let filled = record.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty());
        let cells = filled.last().map_or(0, |(at, _)| at.saturating_add(1));
        if cells > header.width {
            return Err(SheetError::TooManyCells { line, cells, header: header.width });
        }
        if rows.len() >= MAX_ROWS {
            return Err(SheetError::TooManyRows);
        }
        let places = header.places.iter();
        let cells = places.map(|(column, at)| (*column, cell(*column, record.get(*at))));
        let split = header.amount.filter(|_| mark == b',').and_then(|at| split_amount(&record, at));
        rows.push(SheetRow { line, cells: cells.collect(), split });
    }
    if rows.is_empty() {
        return Err(SheetError::NoRows);
    }
    let digest = digest(header.kind, &rows);
    Ok(Sheet { kind: header.kind, rows, digest })
}

/// Decodes UTF-8 or, what is not UTF-8, as GBK. A file with zero bytes is no text, whatever its name says.
fn decode(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(&BOM).unwrap_or(bytes);
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.to_owned()),
        Err(_) => encoding_rs::GBK
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(std::borrow::Cow::into_owned),
    }
}

/// Spreadsheets of some countries separate with semicolons; what is copied from one has tabs.
fn delimiter(header: &str) -> u8 {
    let other = [b'\t', b';'].into_iter().find(|mark| header.contains(char::from(*mark)));
    if header.contains(',') { b',' } else { other.unwrap_or(b',') }
}

/// Returns the amount in the cell `at`, if the next cell looks like the rest of it: three digits, perhaps with decimals, after up
/// to three digits without any. `5.00` is whole, whatever follows.
fn split_amount(record: &csv::StringRecord, at: usize) -> Option<String> {
    let (first, rest) = (record.get(at)?.trim(), record.get(at.checked_add(1)?)?.trim());
    let digits = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (thousand, decimals) = rest.split_once('.').unwrap_or((rest, "00"));
    let unsigned = first.trim_start_matches(['\'', '+', '-', '¥', '￥', ' ']);
    let is_split =
        digits(unsigned, 3) && thousand.len() == 3 && digits(thousand, 3) && digits(decimals, 2);
    is_split.then(|| format!("{first},{rest}"))
}

fn is_blank(record: &csv::StringRecord) -> bool {
    record.iter().all(|cell| cell.trim().is_empty())
}

/// Returns what a cell says. A note keeps what shapes emoji; everything else is parsed.
fn cell(column: Column, text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let text = match column {
        Column::Note => free_text(text),
        _ => parsed_text(text),
    };
    let text = text.trim();
    let marked = text.strip_prefix('\'').filter(|text| text.starts_with(FORMULA));
    marked.unwrap_or(text).trim().to_owned()
}

/// Which columns are where.
struct Header {
    kind: BatchKind,
    width: usize,
    places: Vec<(Column, usize)>,
    /// Where amounts are.
    amount: Option<usize>,
}

impl Header {
    fn read(record: &csv::StringRecord) -> Result<Self, SheetError> {
        let names: Vec<String> =
            record.iter().map(|name| parsed_text(name).trim().to_lowercase()).collect();
        if let Some(history) = HISTORY.into_iter().find(|name| names.iter().any(|it| it == name)) {
            return Err(SheetError::History(history));
        }
        let mut places: Vec<(Column, usize)> = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let Some(column) = Column::ALL.iter().find(|column| column.name() == name) else {
                continue;
            };
            if places.iter().any(|(known, _)| known == column) {
                return Err(SheetError::Twice(*column));
            }
            places.push((*column, at));
        }
        let has = |column: Column| places.iter().any(|(known, _)| *known == column);
        let told: Vec<_> = KINDS.into_iter().filter(|(_, column, _)| has(*column)).collect();
        let (kind, told_by, further) = match told.as_slice() {
            [] => return Err(SheetError::NoKind),
            [one] => *one,
            several => {
                return Err(SheetError::SeveralKinds(
                    several.iter().map(|(_, column, _)| *column).collect(),
                ));
            }
        };
        let needed = [Column::Account, Column::Username];
        let lacking: Vec<Column> = needed.into_iter().filter(|column| !has(*column)).collect();
        if !lacking.is_empty() {
            return Err(SheetError::Lacks(lacking));
        }
        places.retain(|(column, _)| {
            needed.contains(column) || *column == told_by || further.contains(column)
        });
        let is_amount = |column: &Column| matches!(column, Column::Amount | Column::MonthLimit);
        let amount = places.iter().find(|(column, _)| is_amount(column)).map(|(_, at)| *at);
        Ok(Self { kind, width: names.len(), places, amount })
    }
}

fn digest(kind: BatchKind, rows: &[SheetRow]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{kind:?}"));
    for row in rows {
        for column in Column::ALL {
            let cell = row.cell(*column);
            hash.update(u64::try_from(cell.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(cell);
        }
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> Result<BatchKind, SheetError> {
        read(text.as_bytes()).map(|sheet| sheet.kind)
    }

    #[test]
    fn the_header_decides_what_a_file_is() {
        use Column::{Account, Amount, Owner, Project, Username};
        for (header, expected) in [
            ("account,username,amount,note", Ok(BatchKind::Quota)),
            (" Account , USERNAME,\u{feff}Amount,note,until", Ok(BatchKind::Quota)),
            ("username;account;amount", Ok(BatchKind::Quota)),
            ("username\taccount\tproject", Ok(BatchKind::Links)),
            ("account,username,project,since,counts", Ok(BatchKind::Links)),
            ("account,username,month_limit", Ok(BatchKind::Limits)),
            // As `/export users` writes it.
            (
                "account,username,display_name,status,quota,consumed,remaining,usage_percent,projects_monitored,projects_total,owner,remark",
                Ok(BatchKind::Owners),
            ),
            ("account,username", Err(SheetError::NoKind)),
            ("amount,note", Err(SheetError::Lacks(vec![Account, Username]))),
            ("account,amount", Err(SheetError::Lacks(vec![Username]))),
            ("account,username,amount,owner", Err(SheetError::SeveralKinds(vec![Amount, Owner]))),
            (
                "account,username,amount,project",
                Err(SheetError::SeveralKinds(vec![Amount, Project])),
            ),
            ("account,username,amount,amount", Err(SheetError::Twice(Amount))),
            // Exports of what was.
            (
                "account,username,time,amount,total_after,note,operator",
                Err(SheetError::History("total_after")),
            ),
            (
                "account,username,project,period,amount,updated_at",
                Err(SheetError::History("period")),
            ),
            (
                "account,username,time,type,title,amount,threshold,notified",
                Err(SheetError::History("time")),
            ),
            ("account,project,day,amount,users", Err(SheetError::History("day"))),
        ] {
            let mark = delimiter(header) as char;
            let row = format!("{header}\n\nmain{mark}alice{mark}1\n");
            assert_eq!(kind(&row), expected, "{header}");
        }
    }

    #[test]
    fn the_same_content_is_the_same_file_in_every_encoding() {
        let text = "account,username,amount,note\r\nmain,张三,100,第四季度 \"预算\"\r\n";
        let utf8 = read(text.as_bytes()).unwrap();
        let bom = read(&[&BOM, text.as_bytes()].concat()).unwrap();
        let (gbk, _, _) = encoding_rs::GBK.encode(text);
        assert_ne!(gbk, text.as_bytes());
        assert_eq!(utf8, bom);
        assert_eq!(utf8, read(&gbk).unwrap());
        assert_eq!(utf8.rows[0].cell(Column::Username), "张三");
        // More columns, other order, blank lines: the same rows.
        let other =
            "note,remark,amount,username,account\n\n第四季度 \"预算\",x,100,张三,main\n,,\n";
        let other = read(other.as_bytes()).unwrap();
        assert_eq!((other.rows.len(), &other.digest), (1, &utf8.digest));
        let more = text.replace("100", "101");
        assert_ne!(read(more.as_bytes()).unwrap().digest, utf8.digest);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (bytes, error) in [
            (&b""[..], SheetError::NoRows),
            (b"\xEF\xBB\xBF\r\n , \r\n", SheetError::NoRows),
            (b"account,username,amount\n", SheetError::NoRows),
            // A workbook is a ZIP.
            (b"PK\x03\x04\x00\x00\x08\x00", SheetError::NotText),
            // UTF-16.
            (b"\xFF\xFEa\x00,\x00", SheetError::NotText),
            (b"account,username,amount\nmain,\xFF\xFF,1", SheetError::NotText),
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:?}");
        }
        let large = vec![b'a'; MAX_BYTES + 1];
        assert_eq!(read(&large), Err(SheetError::TooLarge));
        let rows = |count: usize| {
            let rows: String = (0..count).map(|i| format!("main,u{i},1\n")).collect();
            read(format!("account,username,amount\n{rows}").as_bytes())
        };
        assert_eq!(rows(MAX_ROWS).unwrap().rows.len(), MAX_ROWS);
        assert_eq!(rows(MAX_ROWS + 1), Err(SheetError::TooManyRows));
    }

    #[test]
    fn an_unquoted_comma_in_an_amount_is_not_read_as_something_smaller() {
        let text = "account,username,amount,note\nmain,alice,1,000.00,Q4\n";
        let refused = SheetError::TooManyCells { line: 2, cells: 5, header: 4 };
        assert_eq!(read(text.as_bytes()), Err(refused));
        let quoted = read(b"account,username,amount,note\nmain,alice,\"1,000.00\",Q4,,\n").unwrap();
        assert_eq!(quoted.rows[0].cell(Column::Amount), "1,000.00");
    }

    #[test]
    fn a_thousand_in_two_cells_is_not_read_as_one() {
        let split = |rows: &str| {
            let text = format!("account,username,amount,note\n{rows}\n");
            read(text.as_bytes()).unwrap().rows[0].split_amount().map(str::to_owned)
        };
        assert_eq!(split("main,alice,1,000").as_deref(), Some("1,000"));
        assert_eq!(split("main,alice,-12,500.00").as_deref(), Some("-12,500.00"));
        assert_eq!(split("main,alice, ¥1, 000元").as_deref(), None, "a note of a person");
        for whole in [
            "main,alice,\"1,000\",",
            "main,alice,1,Q4",
            "main,alice,1,2026",
            "main,alice,1,00",
            "main,alice,1000,000",
            "main,alice,5.00,123",
            "main,alice,5,",
        ] {
            assert_eq!(split(whole), None, "{whole}");
        }
        let limits = b"account,username,month_limit,note\nmain,alice,1,000\n";
        assert_eq!(read(limits).unwrap().rows[0].split_amount(), Some("1,000"));
        let semicolons = b"account;username;amount;note\nmain;alice;1;000\n";
        assert_eq!(read(semicolons).unwrap().rows[0].split_amount(), None);
    }

    #[test]
    fn a_text_that_was_kept_from_being_a_formula_is_read_as_it_was() {
        let text = "account,username,amount,note\nmain,'-dev,'-5,'=1+1\nmain,O'Neil,5,'quoted'\n";
        let sheet = read(text.as_bytes()).unwrap();
        let cells = |row: usize| {
            [Column::Username, Column::Amount, Column::Note].map(|it| sheet.rows[row].cell(it))
        };
        assert_eq!(cells(0), ["-dev", "-5", "=1+1"]);
        assert_eq!(cells(1), ["O'Neil", "5", "'quoted'"]);
        assert_eq!((sheet.rows[0].line, sheet.rows[1].line), (2, 3));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_rows_below_a_good_header_make_it_panic(rows in "[\\PC\n\r\",;\t']{0,300}") {
            let text = format!("account,username,amount,note\n{rows}");
            if let Ok(sheet) = read(text.as_bytes()) {
                prop_assert!(!sheet.rows.is_empty() && sheet.rows.len() <= MAX_ROWS);
                for row in &sheet.rows {
                    prop_assert!(row.line >= 2);
                }
            }
        }

        /// Whatever a cell holds comes back as it was, without what nobody sees.
        #[test]
        fn a_cell_that_was_written_is_read_back(note in "\\PC{0,60}") {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["account", "username", "amount", "note"]).unwrap();
            writer.write_record(["main", "alice", "1", &note]).unwrap();
            let sheet = read(&writer.into_inner().unwrap()).unwrap();
            let seen = free_text(&note).trim().to_owned();
            let unmarked = seen.strip_prefix('\'').map(|text| text.trim().to_owned());
            let cell = sheet.rows[0].cell(Column::Note);
            prop_assert!(cell == seen || Some(cell) == unmarked.as_deref(), "{cell:?} {note:?}");
        }
    }
}
