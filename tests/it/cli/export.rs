//! `airgate export`.

use airgate::app::quota::{self, Allocation};
use airgate::clock::Clock;
use airgate::domain::{CloudUser, Money, Operator, UserKey, Username};
use airgate::store::StoreError;

use super::with_account;

#[test]
fn each_table_has_its_columns_as_csv_and_json() {
    let home = with_account();
    let alice: UserKey = "main/alice".parse().unwrap();
    let now = Clock::system().now();
    home.store()
        .write(|tx| {
            let listed = CloudUser {
                username: Username::new("alice").unwrap(),
                cloud_id: "1".into(),
                display_name: "=HYPERLINK(\"x\")".into(),
                email: String::new(),
                phone: String::new(),
            };
            tx.apply_sync(&alice.account, &[listed], &[], now, now)?;
            for amount in ["1000", "-200.5"] {
                let amount: Money = amount.parse().unwrap();
                let operator = &Operator::System;
                let new = Allocation { user: &alice, amount, note: "note", operator };
                quota::book(tx, &new, now).unwrap();
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    for (table, header) in [
        (
            "users",
            "account,username,display_name,status,quota,consumed,remaining,usage_percent,projects_monitored,projects_total,owner,remark",
        ),
        ("spending", "account,username,project,period,amount,updated_at"),
        ("ledger", "account,username,time,amount,total_after,note,operator"),
        ("alerts", "account,username,time,type,title,amount,threshold,notified"),
        ("links", "account,username,project,since,counts"),
        ("owners", "account,username,display_name,owner"),
        ("limits", "account,username,display_name,month_limit"),
    ] {
        let csv = home.run(&["export", table]);
        assert_eq!(csv.good().lines().next().unwrap(), header);
        let json = home.run(&["export", table, "--format", "json"]);
        assert!(serde_json::from_str::<Vec<serde_json::Value>>(json.good()).is_ok());
    }
    let users = home.run(&["export", "users"]).out;
    assert!(
        users.contains(
            "\nmain,alice,\"'=HYPERLINK(\"\"x\"\")\",unknown,799.50,0.00,799.50,0.0,0,0,,\n"
        ),
        "{users}"
    );
    let ledger = home.run(&["export", "ledger"]).out;
    assert!(ledger.contains(",-200.50,799.50,note,system\n"), "{ledger}");
}
