//! Tables as files.

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
            let link = NewLink { project: "team-a".into(), since: "2026-10".into(), joining: None };
            projects::add(tx, &user, &link, now).unwrap();
            for (amount, note, operator) in
                [("1000", "-note", &operator), ("-200.5", "", &Operator::System)]
            {
                let amount = amount.parse().unwrap();
                quota::book(tx, &Allocation { user: &user, amount, note, operator }, now).unwrap();
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
            let names: std::collections::BTreeSet<&str> = row.keys().map(String::as_str).collect();
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
