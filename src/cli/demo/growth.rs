//! Spending that continues on its own at a chosen speed: real rows in the stand-in's bills, and a cycle of the monitor that
//! reads them. Off until someone chooses a speed, so that an untouched demo does not change.

use std::collections::BTreeSet;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::scenario::Speed;
use super::stage::Stage;
use crate::domain::{Money, TaskKind, UserStatus, beijing_day};
use crate::store::StoreError;

/// Time between two purchases.
const PACE: Duration = Duration::from_secs(5);

/// Lets everyone spend until `stop`.
pub(super) async fn run(stage: Stage, stop: CancellationToken) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pace.tick() => {}
        }
        let speed = stage.scenario.lock().speed;
        if speed != Speed::Off
            && let Err(error) = purchase(&stage, speed).await
        {
            tracing::error!(%error, "the demo's spending cannot grow");
        }
    }
}

/// Lets every user who can spend a share of their quota do so, and asks the monitor for a cycle. A disabled user has no
/// key to spend with.
pub(super) async fn purchase(stage: &Stage, speed: Speed) -> Result<(), StoreError> {
    let spending = stage
        .store
        .reading(|tx| {
            let mut spending = Vec::new();
            for user in tx.users()? {
                let able = user.status == UserStatus::Active && user.quota.is_positive();
                let links = if able { tx.links_of(&user.key)? } else { Vec::new() };
                if let Some(link) = links.into_iter().find(|link| link.monitored.is_on()) {
                    spending.push((user.key.account, link.project, user.quota));
                }
            }
            Ok::<_, StoreError>(spending)
        })
        .await?;
    let today = beijing_day(stage.clock.now());
    let mut billed = BTreeSet::new();
    for (account, project, quota) in spending {
        // A project shared by two users gets one row.
        if !billed.insert((account.clone(), project.clone())) {
            continue;
        }
        let amount = share(quota, speed);
        stage.cloud.update(|world| match world.account_mut(account.as_str()) {
            Ok(account) => account.accrue(project.as_str(), amount, today),
            Err(error) => tracing::error!(%error, "cannot grow the stand-in's bill"),
        });
    }
    let now = stage.clock.now();
    // One per purchase, even if one is waiting: a cycle in progress may have read the bills already. The next cycle
    // handles them all.
    stage.store.writing(move |tx| tx.add_task(TaskKind::MonitorRun, None, now).map(drop)).await?;
    stage.wakers.monitor.notify_one();
    Ok(())
}

fn share(quota: Money, speed: Speed) -> Decimal {
    (quota.decimal() * Decimal::from(speed.percent()) / Decimal::ONE_HUNDRED).round_dp(2)
}

#[cfg(test)]
mod tests {
    use super::super::stage::{self, HERO_ACCOUNT};
    use super::*;
    use crate::config::Locale;
    use crate::domain::{BillPeriod, User};

    async fn until(stage: &Stage, account: &str, name: &str, holds: impl Fn(&User) -> bool) {
        let key = stage::user_key(account, name).unwrap();
        loop {
            let key = key.clone();
            let user = stage.store.reading(move |tx| tx.user(&key)).await.unwrap().unwrap();
            if holds(&user) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn users_with_a_key_spend_and_the_monitor_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (stage, service) = stage::start(folder.path(), 7, Locale::EnUs).await.unwrap();
        until(&stage, "labs", "train-runner", |user| user.status == UserStatus::Disabled).await;
        let period = BillPeriod::of(stage.clock.now());
        let billed = |account: &str, project: &str| {
            stage.cloud.read(|world| world.account(account).unwrap().payable(project, period))
        };
        let main = |project: &str| billed(HERO_ACCOUNT, project);
        let rows = || stage.cloud.read(|w| w.account("main").unwrap().bill_rows(period).len());
        let (shop, vision, before) = (main("shop-web"), billed("labs", "vision-lab"), rows());
        purchase(&stage, Speed::Slow).await.unwrap();
        let grown = rows();
        purchase(&stage, Speed::Slow).await.unwrap();
        // Two users are linked to it: each purchase adds 1% of one user's quota, in the same row.
        assert_eq!(main("shop-web") - shop, Decimal::from(1_200));
        assert!(grown > before && rows() == grown);
        // The first cycle disabled its user.
        assert_eq!(billed("labs", "vision-lab"), vision);
        // The monitor reads it on its own.
        until(&stage, "main", "chen.yutong", |user| {
            user.consumed.decimal() * Decimal::TWO >= user.quota.decimal()
        })
        .await;
        service.stop().await;
    }
}
