//! Bill lists and the balance.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::json;

use super::*;
use crate::sandbox::world::{BillRow, DayFilter, Product, ProjectFilter};

/// A fixture that signs as the sample's account `main`.
async fn sample_bench() -> (Fixture, impl AsyncFn(&Fixture, &str, Value) -> Answer) {
    let fixture = Fixture::new(sample_world()).await;
    let (key, secret) = fixture.cloud.read(|world| {
        let main = world.account("main").unwrap();
        (main.access_key_id().to_owned(), main.secret_key().to_owned())
    });
    let call = async move |fixture: &Fixture, action: &str, body: Value| {
        let mut request = Request::new(Method::POST, "billing", BILLING, action);
        request.access_key = key.clone();
        request.secret = secret.clone();
        request.body = body.to_string();
        request.content_type = Some("application/json");
        fixture.send(&request).await
    };
    (fixture, call)
}

fn body(period: &str, offset: usize) -> Value {
    json!({"BillPeriod": period, "Limit": 300, "Offset": offset, "GroupPeriod": 2, "GroupTerm": 0, "NeedRecordNum": 1})
}

fn amount(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

fn sums(rows: &[Value]) -> BTreeMap<String, Decimal> {
    rows.iter().fold(BTreeMap::new(), |mut sums, row| {
        let project = row["Project"].as_str().unwrap().to_owned();
        *sums.entry(project).or_default() += amount(&row["PayableAmount"]);
        sums
    })
}

#[tokio::test]
async fn the_pages_of_the_large_month_add_up() {
    let (fixture, call) = sample_bench().await;
    let mut rows = Vec::new();
    loop {
        let page = call(&fixture, "ListSplitBillDetail", body("2026-10", rows.len())).await;
        let result = page.result();
        let list = result["List"].as_array().unwrap().clone();
        rows.extend(list);
        let total = usize::try_from(result["Total"].as_u64().unwrap()).unwrap();
        assert!(total > 300);
        if rows.len() >= total {
            break;
        }
    }
    assert!(fixture.cloud.count("ListSplitBillDetail") > 1);
    let mut ids: Vec<_> = rows.iter().map(|row| row["SplitBillDetailId"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), rows.len());
    for (project, sum) in sums(&rows) {
        let held = fixture
            .cloud
            .read(|world| world.account("main").unwrap().payable(&project, period("2026-10")));
        assert_eq!(sum, held, "{project}");
    }
    assert!(sums(&rows)["shop-pay"] < Decimal::ZERO, "more was paid back than spent");
    let refund = rows.iter().find(|row| row["BillCategory"] == "退款-退订").unwrap();
    assert!(amount(&refund["OriginalBillAmount"]) < Decimal::ZERO);
    assert_ne!(refund["BusiPeriod"], refund["BillPeriod"]);

    let beyond = call(&fixture, "ListSplitBillDetail", body("2026-10", 100_000)).await.result();
    assert_eq!(beyond["List"], json!([]));
}

#[tokio::test]
async fn the_two_lists_differ_as_the_real_ones_do() {
    let (fixture, call) = sample_bench().await;
    let split = call(&fixture, "ListSplitBillDetail", body("2026-08", 0)).await;
    let detail = call(&fixture, "ListBillDetail", body("2026-08", 0)).await;
    assert_eq!(split.json()["ResponseMetadata"]["Version"], "2022-01-01");
    assert_eq!(detail.json()["ResponseMetadata"]["Version"], "20220101");
    let (split, detail) = (split.result(), detail.result());
    assert_eq!(split["Total"], detail["Total"]);
    let rows = |list: &Value| list["List"].as_array().unwrap().clone();
    for (split, detail) in rows(&split).iter().zip(rows(&detail)) {
        assert_eq!(split["BillDetailId"], detail["BillDetailId"]);
        assert_eq!(split["PayableAmount"], detail["PayableAmount"]);
        assert_eq!(split["CouponDeductionAmount"], detail["CouponAmount"]);
        assert!(split.get("CouponAmount").is_none());
        assert!(split["RoundAmount"].is_string() && detail["RoundAmount"].is_number());
        assert!(detail.get("SplitBillDetailId").is_none());
        assert_eq!(
            split["OriginalBillAmount"].as_str().unwrap().split_once('.').unwrap().1.len(),
            10
        );
        let is_ark = split["Product"] == "ark_bd";
        assert_eq!(is_ark, detail["Project"] == "-" && split["Project"] != "-");
        if is_ark {
            assert_eq!(split["Project"], "ark-service");
            assert_eq!(split["ProjectDisplayName"], "智能客服");
        }
    }
    assert!(rows(&split).iter().any(|row| row["Product"] == "ark_bd"));
}

#[tokio::test]
async fn totals_are_counted_only_on_request() {
    let (fixture, call) = sample_bench().await;
    let mut plain = body("2026-11", 0);
    plain["NeedRecordNum"] = json!(0);
    for action in ["ListSplitBillDetail", "ListBillDetail"] {
        let result = call(&fixture, action, plain.clone()).await.result();
        assert_eq!(result["Total"], -1);
        assert!(!result["List"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn split_bills_that_are_off_are_empty_with_a_warning() {
    let (fixture, call) = sample_bench().await;
    fixture.cloud.update(|world| world.account_mut("main").unwrap().split_bills_enabled = false);
    let result = call(&fixture, "ListSplitBillDetail", body("2026-11", 0)).await.result();
    assert_eq!(result["Warning"], "当前账号未开通分账能力，无数据");
    assert_eq!(result["List"], json!([]));
    let detail = call(&fixture, "ListBillDetail", body("2026-11", 0)).await.result();
    assert!(!detail["List"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn grouped_rows_add_up_and_show_the_latest_project() {
    let mut world = world();
    let november = period("2026-11");
    for (day, project, yuan) in [(1, "old", "1.5"), (9, "new", "2.25"), (5, "old", "0.25")] {
        let mut row = BillRow::new(november, project, Product::Ecs, yuan.parse().unwrap());
        row.instance = "i-1".to_owned();
        row.expense_date = jiff::civil::date(2026, 11, day);
        world.account_mut("main").unwrap().add_bill_row(row);
    }
    let fixture = Fixture::new(world).await;
    let list = async |group_period: i32, group_term: i32| {
        let body = json!({"BillPeriod": "2026-11", "Limit": 300, "GroupPeriod": group_period, "GroupTerm": group_term});
        let result = fixture.bills("ListBillDetail", body).await.result();
        result["List"].as_array().unwrap().clone()
    };
    let month = list(0, 0).await;
    assert_eq!(month.len(), 1);
    assert_eq!(month[0]["Project"], "new");
    assert_eq!(amount(&month[0]["PayableAmount"]), "4".parse().unwrap());
    assert_eq!(month[0]["BillDetailId"], "");
    assert_eq!(list(1, 0).await.len(), 3);
    assert_eq!(list(2, 0).await.len(), 3);
    let product = list(0, 2).await;
    assert_eq!((&product[0]["Project"], &product[0]["Product"]), (&json!(""), &json!("ECS")));
    let day = json!({"BillPeriod": "2026-11", "Limit": 300, "GroupPeriod": 2, "ExpenseDate": "2026-11-05"});
    let day = fixture.bills("ListBillDetail", day).await.result();
    assert_eq!(day["List"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_project_filter_may_be_ignored_or_honoured() {
    let (fixture, call) = sample_bench().await;
    let mut filtered = body("2026-11", 0);
    filtered["Project"] = json!(["shop-web", "default"]);
    let ignored = call(&fixture, "ListSplitBillDetail", filtered.clone()).await.result();
    assert!(sums(ignored["List"].as_array().unwrap()).len() > 2);
    fixture.cloud.update(|world| world.rules.project_filter = ProjectFilter::Honoured);
    let honoured = call(&fixture, "ListSplitBillDetail", filtered).await.result();
    let sums = sums(honoured["List"].as_array().unwrap());
    assert_eq!(sums.keys().collect::<Vec<_>>(), ["default", "shop-web"]);
}

#[tokio::test]
async fn rows_match_the_filters() {
    let (fixture, call) = sample_bench().await;
    let count = async |name: &str, value: Value| {
        let mut query = body("2026-10", 0);
        query[name] = value;
        call(&fixture, "ListSplitBillDetail", query).await.result()["Total"].clone()
    };
    assert_eq!(count("BillCategory", json!(["refund-terminate"])).await, 1);
    assert_eq!(count("Product", json!(["ark_bd"])).await, 352);
    assert_eq!(count("BillingMode", json!(["3"])).await, 1);
    assert_eq!(count("OwnerID", json!([1])).await, 0);
    assert_eq!(count("OwnerID", json!([2_100_153_894_i64])).await, count("Offset", json!(0)).await);
}

#[tokio::test]
async fn amounts_can_be_missing_and_currencies_foreign() {
    let mut world = world();
    let mut row = BillRow::new(period("2026-11"), "default", Product::Ecs, Decimal::ONE);
    row.amounts_missing = true;
    row.currency = "USD".to_owned();
    world.account_mut("main").unwrap().add_bill_row(row);
    let fixture = Fixture::new(world).await;
    let result = fixture.bills("ListSplitBillDetail", body("2026-11", 0)).await.result();
    assert_eq!(result["List"][0]["PayableAmount"], "");
    assert_eq!(result["List"][0]["Currency"], "USD");
}

#[tokio::test]
async fn bills_accept_a_form_and_the_balance_a_get() {
    let mut world = world();
    world.account_mut("main").unwrap().spend("default", "1.25".parse().unwrap(), period("2026-11"));
    let fixture = Fixture::new(world).await;
    let mut form = Request::new(Method::POST, "billing", BILLING, "ListSplitBillDetail");
    form.body = "BillPeriod=2026-11&Limit=10&GroupPeriod=2&Product.1=ark_bd".to_owned();
    form.content_type = Some("application/x-www-form-urlencoded");
    assert_eq!(fixture.send(&form).await.result()["List"][0]["PayableAmount"], "1.25");
    let mut query = Request::new(Method::POST, "billing", BILLING, "ListSplitBillDetail");
    query.add(&[("BillPeriod", "2026-11"), ("Limit", "10"), ("GroupPeriod", "2")]);
    assert_eq!(fixture.send(&query).await.result()["List"][0]["Project"], "default");

    let get = Request::new(Method::GET, "billing", BILLING, "QueryBalanceAcct");
    let got = fixture.send(&get).await.result();
    let posted = fixture.bills("QueryBalanceAcct", json!({})).await.result();
    assert_eq!(got, posted);
    assert_eq!(got["AvailableBalance"], "1180.50");
    assert_eq!(got["AccountID"], 2_100_000_001_i64);
}

#[tokio::test]
async fn a_payers_bill_shows_the_rows_of_other_owners() {
    let mut world = world();
    let account = world.account_mut("main").unwrap();
    for owner in [None, Some(7), Some(8)] {
        let row = BillRow::new(period("2026-11"), "default", Product::Ecs, Decimal::ONE);
        account.add_bill_row(BillRow { owner, ..row });
    }
    let fixture = Fixture::new(world).await;
    let owners = async |wanted: Value| {
        let mut query = body("2026-11", 0);
        if !wanted.is_null() {
            query["OwnerID"] = wanted;
        }
        let rows = fixture.bills("ListSplitBillDetail", query).await.result()["List"].clone();
        let owner = |row: &Value| row["OwnerID"].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(owner).collect::<Vec<_>>()
    };
    assert_eq!(owners(Value::Null).await, ["2100000001", "7", "8"]);
    assert_eq!(owners(json!([2_100_000_001_i64])).await, ["2100000001"]);
    assert_eq!(owners(json!([7, 8])).await, ["7", "8"]);
    fixture.cloud.update(|world| world.rules.owner_filter_is_ignored = true);
    assert_eq!(owners(json!([7])).await.len(), 3);
}

#[tokio::test]
async fn bill_lists_may_page_shorter_and_send_other_types() {
    let mut world = world();
    let account = world.account_mut("main").unwrap();
    for _ in 0..5 {
        let row = BillRow::new(period("2026-11"), "default", Product::Ecs, Decimal::ONE);
        account.add_bill_row(row);
    }
    world.rules.rows_per_page = Some(2);
    world.rules.bills_have_odd_types = true;
    let fixture = Fixture::new(world).await;
    let page = fixture.bills("ListSplitBillDetail", body("2026-11", 2)).await.result();
    assert_eq!(page["List"].as_array().unwrap().len(), 2);
    assert_eq!((&page["Total"], &page["Warning"]), (&json!("5"), &json!(["x"])));
    let row = &page["List"][0];
    assert_eq!((&row["Product"], &row["InstanceNo"]), (&Value::Null, &json!(123)));
    assert_eq!(row["PayableAmount"], "1");
}

#[tokio::test]
async fn a_missing_split_bill_may_be_silent() {
    let mut world = world();
    world.account_mut("main").unwrap().split_bills_enabled = false;
    let fixture = Fixture::new(world).await;
    let result = fixture.bills("ListSplitBillDetail", body("2026-11", 0)).await.result();
    assert_eq!(result["Warning"], "当前账号未开通分账能力，无数据");
    fixture.cloud.update(|world| world.rules.missing_split_bill_is_silent = true);
    let result = fixture.bills("ListSplitBillDetail", body("2026-11", 0)).await.result();
    assert_eq!((&result["List"], &result["Total"]), (&json!([]), &json!(0)));
    assert_eq!(result.get("Warning"), None);
}

#[tokio::test]
async fn a_filter_by_day_is_honoured_refused_or_ignored() {
    let mut world = world();
    let account = world.account_mut("main").unwrap();
    for day in 1..=3 {
        account.spend_on("default", day.into(), jiff::civil::date(2026, 11, day));
    }
    let fixture = Fixture::new(world).await;
    let mut query = body("2026-11", 0);
    query["ExpenseDate"] = "2026-11-02".into();
    for (rule, rows) in [(DayFilter::Honoured, 1), (DayFilter::Ignored, 3)] {
        fixture.cloud.update(|world| world.rules.day_filter = rule);
        let result = fixture.bills("ListSplitBillDetail", query.clone()).await.result();
        assert_eq!(result["List"].as_array().unwrap().len(), rows);
        assert_eq!(result["Total"], rows);
    }
    fixture.cloud.update(|world| world.rules.day_filter = DayFilter::Refused);
    let refusal = fixture.bills("ListSplitBillDetail", query.clone()).await.refusal();
    assert_eq!(refusal, (400, "RequestInvalid".to_owned()));
    query["GroupPeriod"] = 1.into();
    assert_eq!(fixture.bills("ListSplitBillDetail", query).await.status, 200);
}

#[tokio::test]
async fn the_overview_adds_up_to_the_bill_without_projects() {
    let (fixture, call) = sample_bench().await;
    let mut rows = Vec::new();
    let mut query = body("2026-10", 0);
    loop {
        query["Offset"] = rows.len().into();
        let list =
            call(&fixture, "ListSplitBillDetail", query.clone()).await.result()["List"].clone();
        let list = list.as_array().unwrap().clone();
        if list.is_empty() {
            break;
        }
        rows.extend(list);
    }
    let overview = json!({"BillPeriod": "2026-10", "Limit": 300, "Offset": 0, "NeedRecordNum": 1});
    let result = call(&fixture, "ListBillOverviewByProd", overview).await.result();
    let list = result["List"].as_array().unwrap();
    assert_eq!(result["Total"], list.len());
    assert!(list.iter().all(|row| row.get("Project").is_none()));
    let sum =
        |rows: &[Value]| rows.iter().map(|row| amount(&row["PayableAmount"])).sum::<Decimal>();
    assert_eq!(sum(list), sum(&rows));
}
