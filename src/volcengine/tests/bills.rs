//! Reading bills over HTTP: the requests, their number, and the sums.

use std::collections::BTreeSet;

use super::*;
use crate::domain::{AmountField, BillPeriod, BillSource, Money};

fn rows(range: std::ops::Range<usize>) -> Vec<Value> {
    range
        .map(|n| {
            json!({
                "SplitBillDetailId": format!("Split{n}"), "BillDetailId": format!("Detail{n}"), "BillPeriod": "2026-10", "ExpenseDate": format!("2026-10-{:02}", n % 31 + 1),
                "Project": if n % 2 == 0 { "team-a" } else { "team-b" }, "Currency": "CNY", "PayableAmount": "0.10",
            })
        })
        .collect()
}

fn result(total: usize, rows: Vec<Value>) -> Reply {
    Reply::Result(json!({"Limit": 300, "Offset": 0, "Total": total, "Warning": "", "List": rows}))
}

async fn bill(total: usize) -> Fake {
    Fake::start(move |seen| {
        let start = seen.offset();
        result(total, rows(start..total.min(start + 300)))
    })
    .await
}

fn period() -> BillPeriod {
    "2026-10".parse().unwrap()
}

async fn read(fake: &Fake, source: BillSource) -> Result<BillReading, Error> {
    let account = fake.account();
    // Spawned, as in the monitor: the future must be Send.
    tokio::spawn(async move {
        let wanted: BTreeSet<String> = ["team-a".to_owned(), "team-none".to_owned()].into();
        account.read_bill(period(), source, AmountField::Payable, &wanted).await
    })
    .await
    .unwrap()
}

async fn read_split(fake: &Fake) -> Result<BillReading, Error> {
    read(fake, BillSource::Split).await
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_number_of_calls_follows_the_rows() {
    // An empty split bill is compared with the other list.
    for (total, calls) in [(0, 2), (1, 1), (299, 1), (300, 1), (301, 2), (900, 3)] {
        let fake = bill(total).await;
        let reading = read_split(&fake).await.unwrap();
        let of_a = i64::try_from(total.div_ceil(2)).unwrap();
        assert_eq!(reading.amounts["team-a"], Money::from_fen(of_a * 10));
        assert_eq!(reading.amounts["team-none"], Money::ZERO);
        assert_eq!(reading.amounts.len(), 2);
        assert_eq!(reading.rows, total as u64);
        assert_eq!(reading.calls, calls, "{total}");
        assert_eq!(fake.calls(), calls as usize);
    }
}

#[tokio::test]
async fn bills_are_requested_in_detail_for_the_account_itself() {
    let fake = bill(301).await;
    read_split(&fake).await.unwrap();
    read(&fake, BillSource::Detail).await.unwrap();
    let expected = |offset: usize| {
        json!({
            "BillPeriod": "2026-10", "Limit": 300, "Offset": offset, "NeedRecordNum": 1, "IgnoreZero": 0,
            "GroupPeriod": 2, "OwnerID": [2_100_000_001_u64],
        })
    };
    let seen = fake.seen();
    assert!(seen.iter().all(|seen| seen.method == "POST" && seen.query["Version"] == "2022-01-01"));
    assert_eq!(seen[0].action(), "ListSplitBillDetail");
    assert_eq!(seen[0].body, expected(0));
    assert_eq!(seen[1].body, expected(300));
    assert_eq!(seen[2].action(), "ListBillDetail");
    let mut detail = expected(0);
    detail["GroupTerm"] = 0.into();
    assert_eq!(seen[2].body, detail);
}

#[tokio::test]
async fn refunds_and_every_scale_are_exact() {
    let fake = Fake::start(|_| {
        let row = |amount: Value| json!({"ExpenseDate": "2026-10-01", "Project": "team-a", "Currency": "CNY", "PayableAmount": amount});
        result(
            6,
            vec![
                row(json!("180.000000")),
                row(json!("-90")),
                row(json!("0.5192000001")),
                row(json!(0.1)),
                row(json!(0.2)),
                row(json!(-0.3)),
            ],
        )
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.amounts["team-a"], money("90.5192000001"));
}

#[tokio::test]
async fn a_throttled_page_is_retried_and_counts_once() {
    let fake = Fake::start(|seen| match seen.n {
        1 => Reply::Error(200, "AccountFlowLimitExceeded"),
        2 => Reply::Cut,
        _ => {
            let start = seen.offset();
            result(600, rows(start..start + 300))
        }
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.amounts["team-a"], money("30"));
    assert_eq!((reading.calls, fake.calls()), (2, 4));
}

#[tokio::test]
async fn a_partial_read_is_an_error() {
    for failure in [
        || Reply::Error(403, "AccessDenied"),
        || Reply::Raw(500, String::new()),
        || Reply::Result(Value::Null),
        || Reply::Result(json!({})),
    ] {
        let fake = Fake::start(move |seen| match seen.offset() {
            0 => result(301, rows(0..300)),
            _ => failure(),
        })
        .await;
        read_split(&fake).await.unwrap_err();
    }
    for nothing in [Value::Null, json!({})] {
        let fake = Fake::start(move |_| Reply::Result(nothing.clone())).await;
        let error = read_split(&fake).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unexpected);
    }
}

#[tokio::test]
async fn a_bill_that_grows_while_it_is_read_counts_each_row_once() {
    // 7 rows arrive after the first page was read, so its last 7 rows appear again.
    let fake = Fake::start(|seen| match seen.offset() {
        0 => result(400, rows(0..300)),
        _ => result(407, rows(293..400)),
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.amounts["team-a"], money("20"));
    assert_eq!((reading.rows, reading.calls), (400, 2));
}

#[tokio::test]
async fn a_bill_that_shrinks_is_read_again_once() {
    let fake = Fake::start(|seen| match seen.n {
        0 => result(400, rows(0..300)),
        1 => result(390, rows(300..390)),
        _ => {
            let start = seen.offset();
            result(390, rows(start..390.min(start + 300)))
        }
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.amounts["team-a"], money("19.5"));
    assert_eq!((reading.rows, reading.calls), (390, 4));

    let fake = Fake::start(|seen| match seen.offset() {
        0 => result(400, rows(0..300)),
        _ => result(390, rows(300..390)),
    })
    .await;
    let error = read_split(&fake).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnsettledBill(why) if why.contains("400")),
        "{error}"
    );
    assert_eq!(fake.calls(), 4);
}

#[tokio::test]
async fn a_bill_whose_rows_moved_under_a_stable_total_is_read_again() {
    // The count is older than the page: row 299 appeared again, and row 400 was pushed off the page.
    let fake = Fake::start(|seen| match seen.n {
        0 => result(401, rows(0..300)),
        1 => result(401, rows(299..400)),
        _ => {
            let start = seen.offset();
            result(402, rows(start..402.min(start + 300)))
        }
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.amounts["team-a"], money("20.1"));
    assert_eq!((reading.rows, reading.calls), (402, 4));

    // Twice the same: nothing moved, the rows just share ids.
    let fake = Fake::start(|seen| match seen.offset() {
        0 => result(400, rows(0..300)),
        _ => result(400, rows(0..100)),
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.amounts["team-a"], money("20"));
    assert_eq!((reading.rows, reading.calls), (400, 4));

    // Never twice the same.
    let fake = Fake::start(|seen| match seen.n {
        0 | 2 => result(400, rows(0..300)),
        1 => result(400, rows(299..399)),
        _ => result(
            400,
            rows(298..398)
                .into_iter()
                .map(|mut row| {
                    row["PayableAmount"] = "0.2".into();
                    row
                })
                .collect(),
        ),
    })
    .await;
    let error = read_split(&fake).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnsettledBill(_)), "{error}");
}

#[tokio::test]
async fn a_page_with_missing_rows_is_not_a_complete_read() {
    let fake = Fake::start(|seen| match seen.offset() {
        0 => result(301, rows(0..299)),
        _ => result(301, rows(300..301)),
    })
    .await;
    let error = read_split(&fake).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnsettledBill(_)), "{error}");
    assert_eq!(fake.calls(), 6);
}

#[tokio::test]
async fn the_next_page_begins_after_the_rows_received() {
    // 100 rows a page, whatever was requested.
    let fake = Fake::start(|seen| {
        let start = seen.offset();
        result(250, rows(start..250.min(start + 100)))
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!((reading.amounts["team-a"], reading.rows), (money("12.5"), 250));
    assert_eq!(fake.seen().iter().map(Seen::offset).collect::<Vec<_>>(), [0, 100, 200]);
}

/// A split bill that is empty, and 23 other rows of these days of October: an owner, a settlement and a day each.
async fn empty_split(days: &'static [(i64, &'static str, &'static str)], group: bool) -> Fake {
    Fake::start(move |seen| match (seen.action(), seen.body["Limit"].as_u64()) {
        ("ListSplitBillDetail", _) => Reply::Result(json!({"List": [], "Total": 0})),
        ("ListBillDetail", Some(1)) => {
            assert_eq!(seen.body["NeedRecordNum"], 1);
            result(days.len().min(1) * 23, rows(0..days.len().min(1)))
        }
        ("ListBillDetail", _) => {
            assert_eq!(seen.body["GroupPeriod"], 1);
            let by_account = seen.body["GroupTerm"] == 3;
            let row = |(owner, settlement, day): &(i64, &str, &str)| {
                let day = if by_account && !group { "" } else { *day };
                json!({"OwnerID": owner, "SettlementType": settlement, "ExpenseDate": day})
            };
            let all: Vec<Value> = days.iter().map(row).collect();
            let page: Vec<Value> = all.into_iter().skip(seen.offset()).take(2).collect();
            result(days.len(), page)
        }
        other => panic!("{other:?}"),
    })
    .await
}

#[tokio::test]
async fn an_empty_split_bill_is_believed_unless_the_other_list_has_rows_older_than_two_days() {
    const OWN: i64 = 2_100_000_001;
    type Days = &'static [(i64, &'static str, &'static str)];
    // On the 23rd of October in Beijing: the 20th ended two days ago.
    let cases: [(&str, Days, bool); 7] = [
        ("no rows at all", &[], true),
        ("first use yesterday", &[(OWN, "结算", "2026-10-22")], true),
        (
            "first use on the day before yesterday",
            &[
                (OWN, "结算", "2026-10-23"),
                (OWN, "结算", "2026-10-22"),
                (OWN, "结算", "2026-10-21"),
            ],
            true,
        ),
        (
            "rows of three days ago, on the second page",
            &[
                (OWN, "结算", "2026-10-23"),
                (OWN, "结算", "2026-10-22"),
                (OWN, "结算", "2026-10-20"),
            ],
            false,
        ),
        ("a time behind the day", &[(OWN, "结算", "2026-10-02 10:00:00")], false),
        (
            "rows of another owner, and trials",
            &[(8, "结算", "2026-10-02"), (OWN, "非结算", "2026-10-02")],
            true,
        ),
        ("rows without a day could be of any", &[(OWN, "结算", "")], false),
    ];
    for (what, days, believed) in cases {
        for group in [true, false] {
            let fake = empty_split(days, group).await;
            fake.clock.set("2026-10-23T00:01:00+08:00".parse().unwrap());
            let probe = fake.account().probe_bill(period(), BillSource::Split).await;
            assert_eq!(probe.is_ok(), believed, "{what}: {probe:?}");
            match read_split(&fake).await {
                Ok(reading) => {
                    assert!(believed, "{what}");
                    assert_eq!(reading.amounts["team-a"], Money::ZERO);
                    let warning = reading.warning.unwrap_or_default();
                    assert_eq!(warning.contains("23"), !days.is_empty(), "{what}: {warning}");
                }
                Err(error) => {
                    assert!(!believed, "{what}: {error}");
                    let kind = error.kind();
                    assert!(matches!(kind, ErrorKind::SplitBillNotEnabled(_)), "{error}");
                    let fix = "monitor.bill_source = \"detail\"";
                    assert!(error.to_string().contains(fix), "{error}");
                }
            }
        }
    }
    // A list that ends too early says nothing about its other rows.
    let fake = Fake::start(|seen| match (seen.action(), seen.body["Limit"].as_u64()) {
        ("ListBillDetail", Some(300)) => result(3, Vec::new()),
        ("ListBillDetail", _) => result(3, rows(0..1)),
        _ => Reply::Result(json!({"List": [], "Total": 0})),
    })
    .await;
    assert_eq!(*read_split(&fake).await.unwrap_err().kind(), ErrorKind::Unexpected);
}

#[tokio::test]
async fn the_accounts_number_is_requested_once_and_only_its_rows_count() {
    let own = |mut row: Value, owner: u64| {
        row["OwnerID"] = owner.to_string().into();
        row
    };
    let fake = Fake::start(move |seen| match seen.action() {
        "QueryBalanceAcct" => Reply::Error(403, "AccessDenied"),
        "ListProjects" => Reply::Result(
            json!({"Total": 9, "Projects": [{"ProjectName": "default", "AccountID": 7}]}),
        ),
        _ => {
            assert_eq!(seen.body["OwnerID"], json!([7]));
            let mut all: Vec<Value> = rows(0..4).into_iter().map(|row| own(row, 7)).collect();
            all.extend(rows(4..8).into_iter().map(|row| own(row, 8)));
            result(8, all)
        }
    })
    .await;
    let client = fake.client();
    let wanted: BTreeSet<String> = ["team-a".to_owned()].into();
    for _ in 0..2 {
        let account = client.account(credentials());
        let reading = account
            .read_bill(period(), BillSource::Split, AmountField::Payable, &wanted)
            .await
            .unwrap();
        assert_eq!(reading.amounts["team-a"], money("0.2"));
    }
    let actions: Vec<String> = fake.seen().iter().map(|seen| seen.action().to_owned()).collect();
    let bill = "ListSplitBillDetail";
    assert_eq!(actions, ["QueryBalanceAcct", "ListProjects", bill, bill]);
}

#[tokio::test]
async fn a_balance_that_is_never_answered_does_not_keep_the_bill_waiting() {
    let fake = Fake::start(|seen| match seen.action() {
        "QueryBalanceAcct" => Reply::Hang,
        "ListProjects" => Reply::Result(json!({"Total": 1, "Projects": [{"AccountID": 7}]})),
        _ => result(1, rows(0..1)),
    })
    .await;
    // As long as one request may take.
    let patience = Duration::from_secs(20);
    let account = fake.client().account(credentials());
    let wanted: BTreeSet<String> = ["team-a".to_owned()].into();
    let bill = account.read_bill(period(), BillSource::Split, AmountField::Payable, &wanted);
    let reading = tokio::time::timeout(patience, bill).await.unwrap().unwrap();
    assert_eq!(reading.amounts["team-a"], money("0.1"));
}

#[tokio::test]
async fn without_the_accounts_number_a_bill_of_several_accounts_is_refused() {
    for (owners, accepted) in [([7, 7], true), ([7, 8], false)] {
        let fake = Fake::start(move |seen| match seen.action() {
            "QueryBalanceAcct" | "ListProjects" => Reply::Error(403, "AccessDenied"),
            _ => {
                assert_eq!(seen.body.get("OwnerID"), None);
                let mut all = rows(0..2);
                for (row, owner) in all.iter_mut().zip(owners) {
                    row["OwnerID"] = owner.into();
                }
                result(2, all)
            }
        })
        .await;
        let account = fake.client().account(credentials());
        let wanted: BTreeSet<String> = ["team-a".to_owned()].into();
        let read =
            account.read_bill(period(), BillSource::Split, AmountField::Payable, &wanted).await;
        assert_eq!(read.is_ok(), accepted, "{owners:?}");
    }
}

#[tokio::test]
async fn bills_that_must_not_be_counted_are_refused_with_the_way_to_fix_it() {
    let one = |change: Value| {
        Fake::start(move |_| {
            let mut row = rows(0..1).remove(0);
            for (key, value) in change.as_object().unwrap() {
                row[key] = value.clone();
            }
            result(1, vec![row])
        })
    };
    let fake = one(json!({"PayableAmount": ""})).await;
    let error = read_split(&fake).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::EmptyAmount { field: "PayableAmount", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("Split0"), "{error}");
    assert_eq!(error.request_id(), Some("request-0"));

    let fake = one(json!({"Currency": "USD"})).await;
    let error = read_split(&fake).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ForeignCurrency { .. }), "{error}");
    assert!(error.to_string().contains("USD"), "{error}");

    let fake = Fake::start(|_| {
        Reply::Result(json!({"List": [], "Total": 0, "Warning": "当前账号未开通分账能力，无数据"}))
    })
    .await;
    let error = read_split(&fake).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SplitBillNotEnabled(_)), "{error}");
    assert!(error.to_string().contains("monitor.bill_source"), "{error}");
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn a_warning_beside_rows_is_returned() {
    let fake = Fake::start(|_| {
        Reply::Result(json!({"List": rows(0..1), "Total": 1, "Warning": "数据延迟"}))
    })
    .await;
    let reading = read_split(&fake).await.unwrap();
    assert_eq!(reading.warning.as_deref(), Some("数据延迟"));
    assert_eq!(reading.amounts["team-a"], money("0.1"));
}

#[tokio::test]
async fn an_unreadable_balance_is_not_zero() {
    let fake = Fake::start(|seen| {
        assert_eq!((seen.action(), &seen.body), ("QueryBalanceAcct", &json!({})));
        let mut result = json!({
            "AccountID": 2_100_000_001_i64, "AvailableBalance": "-100.50", "CashBalance": "120.5", "FreezeAmount": "20.00",
            "CreditLimit": 0, "ArrearsBalance": "0.00",
        });
        match seen.n {
            0 => {}
            1 => result["AvailableBalance"] = "".into(),
            2 => result["AvailableBalance"] = "1,000".into(),
            _ => drop(result.as_object_mut().unwrap().remove("AvailableBalance")),
        }
        Reply::Result(result)
    })
    .await;
    let account = fake.account();
    assert_eq!(account.available_balance().await.unwrap(), money("-100.50"));
    for found in ["", "1,000", ""] {
        let error = account.available_balance().await.unwrap_err();
        let kind = ErrorKind::EmptyAmount {
            field: "AvailableBalance",
            found: found.to_owned(),
            row: "the balance".to_owned(),
        };
        assert_eq!(*error.kind(), kind);
    }
}

/// A month of `days` days with `rows` rows each, read with or without `ExpenseDate`.
async fn by_day(rows_a_day: usize, filter: &'static str) -> Fake {
    Fake::start(move |seen| {
        let of_day = |day: usize| {
            let first = (day - 1) * rows_a_day;
            rows(first..first + rows_a_day).into_iter().map(move |mut row| {
                row["ExpenseDate"] = format!("2026-10-{day:02}").into();
                row
            })
        };
        let day = seen.body["ExpenseDate"].as_str().map(|day| day[8..].parse::<usize>().unwrap());
        let all: Vec<Value> = match (day, filter) {
            (Some(_), "refused") => return Reply::Error(400, "RequestInvalid"),
            (Some(day), "honoured") => of_day(day).collect(),
            _ => (1..=31).flat_map(of_day).collect(),
        };
        let limit = usize::try_from(seen.body["Limit"].as_u64().unwrap()).unwrap();
        let total = all.len();
        result(total, all.into_iter().skip(seen.offset()).take(limit).collect())
    })
    .await
}

async fn read_days(fake: &Fake, days: &[i8]) -> Result<DaysRead, Error> {
    let wanted: BTreeSet<String> = ["team-a".to_owned(), "team-none".to_owned()].into();
    let days = days.iter().map(|day| jiff::civil::date(2026, 10, *day)).collect();
    fake.account()
        .read_days(period(), BillSource::Split, AmountField::Payable, &wanted, &days)
        .await
}

#[tokio::test]
async fn days_are_read_each_on_its_own_and_add_up_to_the_bill() {
    let fake = by_day(301, "honoured").await;
    let DaysRead::Read(reading) = read_days(&fake, &[29, 30, 31]).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!((reading.rows, reading.calls), (903, 6));
    let days: Vec<_> = reading.days.keys().map(|(name, day)| (name.as_str(), day.day())).collect();
    let (a, b) = ("team-a", "team-b");
    assert_eq!(days, [(a, 29), (a, 30), (a, 31), (b, 29), (b, 30), (b, 31)]);
    assert_eq!(reading.amounts["team-none"], Money::ZERO);
    assert_eq!(reading.days.values().copied().sum::<Money>(), money("90.3"));
    let count = fake.account().count_rows(period(), BillSource::Split).await.unwrap();
    assert_eq!(count, Some(31 * 301));
    let whole = read_split(&fake).await.unwrap();
    for (key, amount) in &reading.days {
        assert_eq!(whole.days[key], *amount);
    }
}

#[tokio::test]
async fn a_filter_by_day_that_is_refused_or_ignored_is_noticed_at_once() {
    for filter in ["refused", "ignored"] {
        let fake = by_day(10, filter).await;
        let read = read_days(&fake, &[30, 31]).await.unwrap();
        assert!(matches!(read, DaysRead::Refused { calls: 1, .. }), "{filter}: {read:?}");
    }
    let fake = Fake::start(|_| Reply::Error(403, "AccessDenied")).await;
    read_days(&fake, &[1]).await.unwrap_err();
}

#[tokio::test]
async fn the_total_of_a_bill_is_read_without_what_is_not_charged() {
    let fake = Fake::start(|seen| {
        assert_eq!(seen.action(), "ListBillOverviewByProd");
        let row = |owner: i64, settlement: &str, amount: &str| {
            json!({"OwnerID": owner.to_string(), "SettlementType": settlement, "Currency": "CNY", "PayableAmount": amount})
        };
        let own = 2_100_000_001;
        let all = [row(own, "结算", "19.68"), row(own, "非结算", "5"), row(own, "结算", "-1.5"), row(8, "结算", "7")];
        let page: Vec<Value> = all.into_iter().skip(seen.offset()).take(2).collect();
        result(4, page)
    })
    .await;
    let total = fake.account().bill_total(period(), AmountField::Payable).await.unwrap();
    assert_eq!(total, (money("18.18"), 2));
    // What cannot be read is no zero.
    let error = fake.account().bill_total(period(), AmountField::Discount).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unexpected);
}
