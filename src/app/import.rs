//! What the rows of a file say: users and what is done to them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::batch_refusal::BatchRefusal;
use super::people::PeopleRefusal;
use super::sheet::{Column, Sheet, SheetRow};
use super::{Refusal, projects};
use crate::domain::contact;
use crate::domain::{
    AccountId, BatchKind, BatchRow, BillPeriod, Counts, Joining, Money, MonthLimit, OpenId,
    ProjectName, RowChange, UserKey, Username, temporary,
};
use crate::store::{Source, StoreError, View};

/// Words for "no limit". An empty cell says nothing, and is refused.
const NO_LIMIT: [&str; 4] = ["none", "无", "不限", "-"];

/// People by mobile number, as far as they were found.
pub type People = BTreeMap<String, Option<OpenId>>;

/// Returns the mobile numbers in a file of owners, each once.
pub fn mobiles(sheet: &Sheet) -> Vec<String> {
    if sheet.kind != BatchKind::Owners {
        return Vec::new();
    }
    let cells = sheet.rows.iter().map(|row| row.cell(Column::Owner));
    let mobiles = cells.filter(|cell| !cell.starts_with("ou_"));
    let mobiles: BTreeSet<String> = mobiles.filter_map(|cell| contact::phone(cell).ok()).collect();
    mobiles.into_iter().collect()
}

/// The rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// What is done, each with its line.
    pub rows: Vec<(u64, BatchRow)>,
    /// Lines that are refused, and why.
    pub refused: Vec<(u64, Refusal)>,
}

/// Reads the rows of a file. An owner that is not named stays as it is, so that what `/export users` writes can be read.
pub fn rows(sheet: &Sheet, people: &People, now: Timestamp) -> Read {
    let mut read = Read::default();
    let mut seen: BTreeMap<(UserKey, Option<ProjectName>), u64> = BTreeMap::new();
    for row in &sheet.rows {
        if sheet.kind == BatchKind::Owners && row.cell(Column::Owner).is_empty() {
            continue;
        }
        match row_of(sheet.kind, row, people, now) {
            Err(refusal) => read.refused.push((row.line, refusal)),
            Ok(made) => {
                let project = match &made.change {
                    RowChange::Link { project, .. } => Some(project.clone()),
                    _ => None,
                };
                match seen.insert((made.user.clone(), project), row.line) {
                    Some(first) => {
                        read.refused.push((row.line, BatchRefusal::Repeats(first).into()))
                    }
                    None => read.rows.push((row.line, made)),
                }
            }
        }
    }
    read
}

/// Returns the rows without links that are there as the row says: what `/export links` writes can be read again, with more
/// rows in it.
///
/// # Errors
/// A [`StoreError`].
pub fn without_present_links<S: Source>(
    tx: &View<S>,
    rows: Vec<(u64, BatchRow)>,
) -> Result<Vec<(u64, BatchRow)>, StoreError> {
    let (mut wanted, mut present) = (Vec::with_capacity(rows.len()), Vec::new());
    for (line, row) in rows {
        if let RowChange::Link { project, since, joining } = &row.change
            && let Some(link) = tx.link(&row.user, project)?
            && link.monitored.is_on()
            && link.since == *since
            && joining.is_none_or(|joining| joining.counts() == link.counts)
        {
            present.push((line, row, link.counts));
        } else {
            wanted.push((line, row));
        }
    }
    // A new part makes parts of all who pay for the project: a link that counts all of it would not stay as its row says.
    let divided: BTreeSet<_> =
        wanted.iter().filter(|(_, row)| divides(row)).map(|(_, row)| place_of(row)).collect();
    let changed: Vec<(u64, BatchRow)> = present
        .into_iter()
        .filter(|(_, row, counts)| *counts == Counts::Whole && divided.contains(&place_of(row)))
        .map(|(line, row, _)| (line, row))
        .collect();
    wanted.extend(changed);
    wanted.sort_by_key(|(line, _)| *line);
    Ok(wanted)
}

/// The project of a row that links one.
fn place_of(row: &BatchRow) -> Option<(AccountId, ProjectName)> {
    match &row.change {
        RowChange::Link { project, .. } => Some((row.user.account.clone(), project.clone())),
        _ => None,
    }
}

/// Whether a row makes a user pay for a part of a project.
fn divides(row: &BatchRow) -> bool {
    matches!(&row.change, RowChange::Link { joining: Some(joining), .. } if joining.counts() == Counts::Part)
}

fn bad(row: &SheetRow, column: Column) -> Refusal {
    BatchRefusal::BadCell { column, text: row.cell(column).to_owned() }.into()
}

fn row_of(
    kind: BatchKind,
    row: &SheetRow,
    people: &People,
    now: Timestamp,
) -> Result<BatchRow, Refusal> {
    let account =
        AccountId::new(row.cell(Column::Account)).map_err(|_| bad(row, Column::Account))?;
    let username =
        Username::new(row.cell(Column::Username)).map_err(|_| bad(row, Column::Username))?;
    if let Some(split) = row.split_amount() {
        return Err(BatchRefusal::SplitAmount(split.to_owned()).into());
    }
    let change = match kind {
        BatchKind::Quota => RowChange::Allocate {
            amount: Money::parse_input(row.cell(Column::Amount))?,
            note: row.cell(Column::Note).to_owned(),
            until: temporary::last_day(row.cell(Column::Until), now)
                .map_err(PeopleRefusal::LastDay)?,
        },
        BatchKind::Limits => RowChange::MonthLimit { limit: limit(row.cell(Column::MonthLimit))? },
        BatchKind::Owners => RowChange::Owner { person: owner(row, people)? },
        BatchKind::Links => {
            let name = row.cell(Column::Project);
            let project =
                ProjectName::new(name).map_err(|_| Refusal::BadProject(name.to_owned()))?;
            // Whether bills of that month can still be read matters only to a link that is not there yet.
            let since = projects::read_since(row.cell(Column::Since), BillPeriod::of(now))?;
            RowChange::Link { project, since, joining: joining(row)? }
        }
        // No file says these.
        BatchKind::Thresholds | BatchKind::AutoDisable => return Err(BatchRefusal::NoChange.into()),
    };
    Ok(BatchRow { user: UserKey::new(account, username), change })
}

/// Reads a month limit, or one of the words for none.
///
/// # Errors
/// [`Refusal::BadAmount`], [`Refusal::NegativeMonthLimit`].
pub fn limit(text: &str) -> Result<Option<MonthLimit>, Refusal> {
    if NO_LIMIT.contains(&text.trim().to_lowercase().as_str()) {
        return Ok(None);
    }
    let amount = Money::parse_input(text)?;
    Ok(Some(amount.try_into().map_err(|_| Refusal::NegativeMonthLimit)?))
}

fn owner(row: &SheetRow, people: &People) -> Result<OpenId, Refusal> {
    let text = row.cell(Column::Owner);
    if text.starts_with("ou_") {
        return OpenId::new(text).map_err(|_| Refusal::BadPerson(text.to_owned()));
    }
    let mobile = contact::phone(text).map_err(|_| Refusal::BadPerson(text.to_owned()))?;
    match people.get(&mobile) {
        Some(Some(person)) => Ok(person.clone()),
        _ => Err(BatchRefusal::NobodyWithMobile(mobile).into()),
    }
}

fn joining(row: &SheetRow) -> Result<Option<Joining>, Refusal> {
    match row.cell(Column::Counts).to_lowercase().as_str() {
        "" => Ok(None),
        "part" | "平分" => Ok(Some(Joining::Part)),
        "whole" | "都计入" => Ok(Some(Joining::Whole)),
        _ => Err(bad(row, Column::Counts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sheet;
    use crate::domain::AmountError;

    fn now() -> Timestamp {
        "2026-11-23T02:00:00Z".parse().unwrap()
    }

    fn read(text: &str) -> Read {
        let sheet = sheet::read(text.as_bytes()).unwrap();
        let found = ("13800000001".to_owned(), Some("ou_1".parse().unwrap()));
        rows(&sheet, &People::from([found, ("13800000002".to_owned(), None)]), now())
    }

    #[test]
    fn every_kind_of_row_is_read() {
        let quota = read(
            "account,username,amount,note,until\nmain,alice,\"1,000.00\",Q4,2026-12-31\nlabs,bob,-1.5万,,\n",
        );
        assert_eq!(quota.refused, []);
        let until = Some(jiff::civil::date(2026, 12, 31));
        let amount = "1000".parse().unwrap();
        let first = RowChange::Allocate { amount, note: "Q4".to_owned(), until };
        assert_eq!(
            quota.rows[0].1,
            BatchRow { user: "main/alice".parse().unwrap(), change: first }
        );
        assert!(
            matches!(&quota.rows[1].1.change, RowChange::Allocate { amount, .. } if amount.to_string() == "-¥15,000.00")
        );

        let limits = read("account,username,month_limit\nmain,alice,500元\nmain,bob,无\n");
        let limit = |at: usize| match &limits.rows[at].1.change {
            RowChange::MonthLimit { limit } => limit.map(|limit| limit.amount().to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!((limit(0), limit(1)), (Some("¥500.00".to_owned()), None));

        let owners = "account,username,owner\nmain,alice,ou_7\nmain,bob,13800000001\nmain,carol,\n";
        let owners = read(owners);
        assert_eq!((owners.rows.len(), owners.refused.len()), (2, 0));
        let owner = |at: usize| match &owners.rows[at].1.change {
            RowChange::Owner { person } => person.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!((owner(0), owner(1)), ("ou_7".to_owned(), "ou_1".to_owned()));

        let links = read(
            "account,username,project,since,counts\nmain,a,p,2026-09,part\nmain,a,q,,\nmain,b,p,,都计入\n",
        );
        let link = |at: usize| match &links.rows[at].1.change {
            RowChange::Link { since, joining, .. } => (since.to_string(), *joining),
            other => panic!("{other:?}"),
        };
        assert_eq!(link(0), ("2026-09".to_owned(), Some(Joining::Part)));
        assert_eq!(link(1), ("2026-11".to_owned(), None));
        assert_eq!(link(2).1, Some(Joining::Whole));
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_line() {
        let read = read(
            "account,username,amount,note,until\n\
             main,alice,0,,\n\
             main,bob,12.345,,\n\
             Main,carol,1,,\n\
             main,a/b,1,,\n\
             main,dave,1,,2020-01-01\n\
             main,erin,1,,\n\
             main,erin,2,,\n\
             main,frank,=1+1,,\n",
        );
        let lines: Vec<u64> = read.refused.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 8, 9]);
        assert_eq!(read.refused[0].1, Refusal::BadAmount(AmountError::Zero));
        assert_eq!(read.refused[5].1, Refusal::Batch(BatchRefusal::Repeats(7)));
        assert_eq!(read.rows.len(), 1);
    }

    #[test]
    fn an_amount_that_its_comma_split_is_refused_by_line() {
        let read = read("account,username,amount,note\nmain,alice,1,000\nmain,bob,5.00,123\n");
        let refused = BatchRefusal::SplitAmount("1,000".to_owned()).into();
        assert_eq!((read.refused, read.rows.len()), (vec![(2, refused)], 1));
    }

    #[test]
    fn a_person_who_is_not_found_is_no_owner() {
        let read = read(
            "account,username,owner\nmain,a,13800000002\nmain,b,13899999999\nmain,c,张三\nmain,d,ou_ x\n",
        );
        assert_eq!(read.rows, []);
        let nobody = |mobile: &str| BatchRefusal::NobodyWithMobile(mobile.to_owned()).into();
        assert_eq!(read.refused[0].1, nobody("13800000002"));
        assert_eq!(read.refused[1].1, nobody("13899999999"));
        assert_eq!(read.refused[2].1, Refusal::BadPerson("张三".to_owned()));
        assert_eq!(read.refused[3].1, Refusal::BadPerson("ou_ x".to_owned()));
    }

    #[test]
    fn an_empty_limit_is_not_taken_for_none() {
        let read = read("account,username,month_limit\nmain,alice,\nmain,bob,-5\n");
        assert_eq!((read.rows.len(), read.refused.len()), (0, 2));
        assert_eq!(read.refused[1].1, Refusal::NegativeMonthLimit);
    }
}
