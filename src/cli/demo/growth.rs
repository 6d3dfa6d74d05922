//! Spending that goes on by itself at a chosen speed: real rows in the stand-in's bills, and a cycle of the monitor that
//! reads them. Off until somebody chooses a speed, so that a demo which nobody touches stays as it was made.

use std::collections::BTreeSet;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::stage::Stage;
use crate::domain::{BillPeriod, Money, TaskKind, UserStatus};
use crate::store::{StoreError, WriteTx};

/// Between two purchases.
const PACE: Duration = Duration::from_secs(5);

/// How fast everybody spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Speed {
    /// Nothing happens by itself.
    #[default]
    Off,
    Slow,
    Fast,
}

impl Speed {
    /// What the page sends and shows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Slow => "slow",
            Self::Fast => "fast",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Off, Self::Slow, Self::Fast].into_iter().find(|speed| speed.word() == word)
    }

    /// Percent of the quota that each purchase costs.
    const fn percent(self) -> i64 {
        match self {
            Self::Off => 0,
            Self::Slow => 1,
            Self::Fast => 5,
        }
    }
}

/// Lets everybody spend until `stop`.
pub(super) async fn run(stage: Stage, stop: CancellationToken) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pace.tick() => {}
        }
        let speed = stage.trouble.lock().speed;
        if speed != Speed::Off
            && let Err(error) = purchase(&stage, speed).await
        {
            tracing::error!(%error, "spending does not grow");
        }
    }
}

/// Everybody who can spends a share of their quota, and the monitor is asked to look. Whoever is disabled has no key to
/// spend with.
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
    let period = BillPeriod::of(stage.clock.now());
    let mut billed = BTreeSet::new();
    for (account, project, quota) in spending {
        // Two people of one project make one bill.
        if !billed.insert((account.clone(), project.clone())) {
            continue;
        }
        let amount = share(quota, speed);
        stage.cloud.update(|world| match world.account_mut(account.as_str()) {
            Ok(account) => account.accrue(project.as_str(), amount, period),
            Err(error) => tracing::error!(%error, "cannot grow the stand-in's bill"),
        });
    }
    let now = stage.clock.now();
    stage.store.writing(move |tx| ask_for_a_cycle(tx, now)).await?;
    stage.wakers.monitor.notify_one();
    Ok(())
}

fn share(quota: Money, speed: Speed) -> Decimal {
    (quota.decimal() * Decimal::from(speed.percent()) / Decimal::ONE_HUNDRED).round_dp(2)
}

/// One that waits is enough: it reads what has come in since.
fn ask_for_a_cycle(tx: &WriteTx, now: jiff::Timestamp) -> Result<(), StoreError> {
    if tx.tasks()?.iter().any(|task| task.kind == TaskKind::MonitorRun) {
        return Ok(());
    }
    tx.add_task(TaskKind::MonitorRun, None, now).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::stage::{self, HERO_ACCOUNT};
    use super::*;
    use crate::domain::User;

    async fn until(stage: &Stage, account: &str, name: &str, is_so: impl Fn(&User) -> bool) {
        let key = stage::user_key(account, name).unwrap();
        loop {
            let key = key.clone();
            let user = stage.store.reading(move |tx| tx.user(&key)).await.unwrap().unwrap();
            if is_so(&user) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_has_a_key_spends_and_the_monitor_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (stage, service) = stage::start(folder.path(), 7, "en_us").await.unwrap();
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
        // Two users are linked to it: it grows once a purchase, by 1 % of one's quota, and in the same row.
        assert_eq!(main("shop-web") - shop, Decimal::from(1_200));
        assert!(grown > before && rows() == grown);
        // Its user is disabled since the first cycle.
        assert_eq!(billed("labs", "vision-lab"), vision);
        // The monitor comes to it by itself.
        until(&stage, "main", "chen.yutong", |user| {
            user.consumed.decimal() * Decimal::TWO >= user.quota.decimal()
        })
        .await;
        service.stop().await;
    }
}
