//! Checks that Volcengine accepts each account's key pair and allows what airgate does with it.

use super::super::progress::Progress;
use super::{Finding, Kept};
use crate::app::cloud::{Cloud, CloudError};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{Account, BillPeriod};
use crate::server::{Timeouts, cloud_client};
use crate::volcengine::{self, Api, Call, RetryPolicy};

/// Fewer retries than the service makes: someone is waiting for the result.
const RETRIES: usize = 1;

/// Checks each account.
pub(super) async fn check(config: &Config, kept: &Kept, findings: &mut Vec<Finding>) {
    let clock = Clock::system();
    let client = match cloud_client(config, &Timeouts::default(), clock.clone()) {
        Ok(client) => client.with_retry(RetryPolicy { retries: RETRIES, ..RetryPolicy::default() }),
        Err(error) => {
            let fix =
                "check the endpoints in [volcengine] and the root certificates of this machine";
            findings.push(Finding::failed("Volcengine", error.to_string(), fix));
            return;
        }
    };
    if kept.accounts.is_empty() {
        let fix = "add one: airgate account add ID, or /accounts in chat";
        findings.push(Finding::failed("Volcengine", "there is no account", fix));
    }
    let cloud = Cloud::new(kept.store.clone(), client);
    for account in &kept.accounts {
        if account.active.is_on() {
            ask(config, &cloud, account, BillPeriod::of(clock.now()), findings).await;
        } else {
            let what = format!("account {}", account.id);
            findings.push(Finding::skipped(what, "it is disabled"));
        }
    }
}

/// Makes cheap calls: a page of users, a page of projects, the first page of this month's bill, the balance.
async fn ask(
    config: &Config,
    cloud: &Cloud,
    account: &Account,
    period: BillPeriod,
    findings: &mut Vec<Finding>,
) {
    let _progress = Progress::start(&format!("checking account {}", account.id));
    let what = |part: &str| format!("account {} {part}", account.id);
    let parts = ["projects", "bills", "balance"];
    let caller = match cloud.account(&account.id).await {
        Ok(caller) => caller,
        Err(error) => {
            let fix = format!("set a new key pair: airgate account rotate {}", account.id);
            findings.push(Finding::failed(what("access key"), error.to_string(), fix));
            return;
        }
    };
    let one = || [("Limit", "1".to_owned()), ("Offset", "0".to_owned())];
    let users = caller.call(&Call::get(Api::Iam, "ListUsers", one())).await;
    let refused = users.as_ref().is_err_and(|error| {
        matches!(
            error.kind(),
            volcengine::ErrorKind::Credentials | volcengine::ErrorKind::ClockSkew
        )
    });
    findings.push(match users {
        Ok(_) => Finding::good(what("access key"), &account.hint),
        Err(error) => failed(what("access key"), error),
    });
    if refused {
        findings.extend(
            parts.map(|part| Finding::skipped(what(part), "the access key is not accepted")),
        );
        return;
    }
    findings.push(match caller.call(&Call::get(Api::Projects, "ListProjects", one())).await {
        Ok(_) => Finding::good(what("projects"), ""),
        Err(error) => failed(what("projects"), error),
    });
    findings.push(match caller.probe_bill(period, config.monitor.bill_source).await {
        Ok(()) => Finding::good(what("bills"), format!("{period} can be read")),
        Err(error) => failed(what("bills"), error),
    });
    findings.push(match caller.available_balance().await {
        Ok(balance) if balance.is_negative() => Finding::new(
            what("balance"),
            super::Verdict::Warning,
            format!("{balance} available"),
            "top up the account: services may be stopped",
        ),
        Ok(balance) => Finding::good(what("balance"), format!("{balance} available")),
        Err(error) => failed(what("balance"), error),
    });
}

/// What failed, in the cloud's own words, and how to fix it.
fn failed(what: String, error: impl Into<CloudError>) -> Finding {
    let error = match error.into() {
        CloudError::Cloud(error) => error,
        error => return Finding::failed(what, error.to_string(), ""),
    };
    let words = error.explanation();
    let (result, fix) = words.split_once("; ").unwrap_or((&words, ""));
    let said = match (error.code(), error.message()) {
        (Some(code), message) => format!("{result} ({}, {code}: {message})", error.action()),
        (None, "") => format!("{result} ({})", error.action()),
        (None, message) => format!("{result} ({}: {message})", error.action()),
    };
    Finding::failed(what, said, fix)
}
