//! Checks that Volcengine accepts each account's key pair and allows what airgate does with it.

use super::super::progress::Progress;
use super::super::words::{spoken, t};
use super::{Finding, Kept};
use crate::app::cloud::{Cloud, CloudError};
use crate::app::trouble::{Said, Trouble};
use crate::cards::Wording;
use crate::clock::Clock;
use crate::config::{Config, Locale};
use crate::domain::{Account, BillPeriod, Models, PolicyScope, ProjectName, Username};
use crate::server::{Timeouts, cloud_client};
use crate::store::{Store, StoreError};
use crate::volcengine::{self, AccountClient, Api, Call, RetryPolicy};

/// Fewer retries than the service makes: someone is waiting for the result.
const RETRIES: usize = 1;

/// The system policy that allows everything.
const TOO_WIDE: &str = "AdministratorAccess";

/// A project that every account has.
const DEFAULT_PROJECT: &str = "default";

/// Checks each account.
pub(super) async fn check(config: &Config, kept: &Kept, findings: &mut Vec<Finding>) {
    let clock = Clock::system();
    let client = match cloud_client(config, &Timeouts::default(), clock.clone()) {
        Ok(client) => client.with_retry(RetryPolicy { retries: RETRIES, ..RetryPolicy::default() }),
        Err(error) => {
            let (what, fix) = (t("check.volcengine", &[]), t("check.client_fix", &[]));
            findings.push(Finding::failed(what, error.to_string(), fix));
            return;
        }
    };
    if kept.accounts.is_empty() {
        let (result, fix) = (t("check.no_account", &[]), t("check.no_account_fix", &[]));
        findings.push(Finding::failed(t("check.volcengine", &[]), result, fix));
    }
    let cloud = Cloud::new(kept.store.clone(), client);
    for account in &kept.accounts {
        if account.active.is_on() {
            ask(config, &cloud, account, BillPeriod::of(clock.now()), findings).await;
            findings.extend(rights(&kept.store, &cloud, account).await);
        } else {
            let what = t("check.account", &[("id", &account.id)]);
            findings.push(Finding::skipped(what, t("check.account_off", &[])));
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
    let _progress = Progress::start(&t("check.checking_account", &[("id", &account.id)]));
    let what = |part: &str| t(part, &[("id", &account.id)]);
    let parts = ["check.projects", "check.bills", "check.models", "check.balance"];
    let caller = match cloud.account(&account.id).await {
        Ok(caller) => caller,
        Err(error) => {
            let fix = t("check.rotate_fix", &[("id", &account.id)]);
            findings.push(Finding::failed(what("check.key"), error.to_string(), fix));
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
        Ok(_) => Finding::good(what("check.key"), &account.hint),
        Err(error) => failed(what("check.key"), error),
    });
    if refused {
        findings
            .extend(parts.map(|part| Finding::skipped(what(part), t("check.key_refused", &[]))));
        return;
    }
    findings.push(match caller.call(&Call::get(Api::Projects, "ListProjects", one())).await {
        Ok(_) => Finding::good(what("check.projects"), ""),
        Err(error) => failed(what("check.projects"), error),
    });
    findings.push(match caller.probe_bill(period, config.monitor.bill_source).await {
        Ok(()) => Finding::good(what("check.bills"), t("check.bills_ok", &[("period", &period)])),
        Err(error) => failed(what("check.bills"), error),
    });
    if config.access.rules.models != Models::Off
        && let Ok(project) = ProjectName::new(DEFAULT_PROJECT)
    {
        findings.push(match caller.endpoints(&project).await {
            Ok(_) => Finding::good(what("check.models"), ""),
            Err(error) => failed(what("check.models"), error),
        });
    }
    findings.push(match caller.available_balance().await {
        Ok(balance) if balance.is_negative() => Finding::new(
            what("check.balance"),
            super::Verdict::Warning,
            t("check.balance_ok", &[("balance", &balance)]),
            t("check.top_up_fix", &[]),
        ),
        Ok(balance) => {
            Finding::good(what("check.balance"), t("check.balance_ok", &[("balance", &balance)]))
        }
        Err(error) => failed(what("check.balance"), error),
    });
}

/// Whether the user who owns the key pair may do more than airgate needs. `None` if the pair does not work, which was said.
async fn rights(store: &Store, cloud: &Cloud, account: &Account) -> Option<Finding> {
    let what = t("check.rights", &[("id", &account.id)]);
    let api = cloud.account(&account.id).await.ok()?;
    let owner = match owner_of_key(store, &api, account).await {
        Ok(Some(owner)) => owner,
        Ok(None) => return Some(Finding::skipped(what, t("check.rights_unknown", &[]))),
        Err(error) => return Some(Finding::failed(what, error.to_string(), "")),
    };
    let held = match api.attached_policies(owner.as_str()).await {
        Ok(held) => held,
        // That the key pair is refused was said.
        Err(_) => return Some(Finding::skipped(what, t("check.rights_unread", &[]))),
    };
    let wide: Vec<&str> = held
        .iter()
        .filter(|policy| policy.scope == PolicyScope::Global)
        .map(|policy| policy.name.as_str())
        .filter(|name| *name == TOO_WIDE)
        .collect();
    let user = owner.as_str();
    Some(match wide.first() {
        None => Finding::good(what, t("check.rights_ok", &[("user", &user)])),
        Some(policy) => Finding::new(
            what,
            super::Verdict::Warning,
            t("check.rights_wide", &[("user", &user), ("policy", policy)]),
            t("check.rights_fix", &[("policy", policy)]),
        ),
    })
}

/// The user whose key it is, as far as the last sync knows. It is none of them if the pair is the main account's own.
async fn owner_of_key(
    store: &Store,
    api: &AccountClient,
    account: &Account,
) -> Result<Option<Username>, StoreError> {
    let id = account.id.clone();
    let users = store.reading(move |tx| tx.users_of(&id)).await?;
    let mut owners =
        users.into_iter().filter(|user| user.access_keys.iter().any(|key| api.uses_key(&key.id)));
    Ok(owners.next().map(|user| user.key.username))
}

/// Reports what failed, in the cloud's own words, and how to fix it.
fn failed(what: String, error: impl Into<CloudError>) -> Finding {
    let error = match error.into() {
        CloudError::Cloud(error) => error,
        error => return Finding::failed(what, error.to_string(), ""),
    };
    let words = in_words(&error);
    let split = words.split_once("; ").or_else(|| words.split_once('；'));
    let (result, fix) = split.unwrap_or((&words, ""));
    let said = match (error.code(), error.message()) {
        (Some(code), message) => format!("{result} ({}, {code}: {message})", error.action()),
        (None, "") => format!("{result} ({})", error.action()),
        (None, message) => format!("{result} ({}: {message})", error.action()),
    };
    Finding::failed(what, said, fix)
}

/// Says what failed and how to fix it, without what the cloud itself said.
pub(in crate::cli) fn in_words(error: &volcengine::Error) -> String {
    match spoken() {
        Locale::EnUs => error.explanation().to_string(),
        // As the cards say it.
        other => {
            let trouble = Trouble { said: Said::default(), ..Trouble::from(error) };
            Wording::new(other).trouble(&trouble)
        }
    }
}
