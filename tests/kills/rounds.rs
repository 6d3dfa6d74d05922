//! Users who spend: past their thresholds, over their quota, cut off, topped up, restored, and so on.

use airgate::domain::{AccessGoal, AlertKind, BillPeriod, Money};
use rand::RngExt;
use rust_decimal::Decimal;

use crate::checks;
use crate::parts::change_access;
use crate::person::Person;
use crate::shared::text::phrase;

const THRESHOLDS: [i64; 3] = [50, 80, 90];

/// What a spender knows, in fen.
struct Purse {
    user: &'static str,
    quota: i64,
    consumed: i64,
    triggered: Vec<i64>,
    top_ups: u32,
}

impl Purse {
    fn new(user: &'static str) -> Self {
        Self { user, quota: 10_000, consumed: 0, triggered: Vec::new(), top_ups: 0 }
    }

    /// Spends, or gets a refund, until `percent` of the quota is used.
    fn spend_to(&mut self, me: &Person, percent: i64) {
        let target = self.quota * percent / 100 + 1;
        let amount = Decimal::new(target - self.consumed, 2);
        let period = BillPeriod::of(me.stage.clock.now());
        me.stage
            .cloud
            .update(|world| world.account_mut("main").unwrap().spend(self.user, amount, period));
        self.consumed = target;
    }

    /// Records the warning that the monitor must raise now, if any.
    fn expect_warning(&mut self, me: &Person) {
        let newly: Vec<i64> = THRESHOLDS
            .into_iter()
            .filter(|percent| self.consumed * 100 >= self.quota * percent)
            .filter(|percent| !self.triggered.contains(percent))
            .collect();
        if let Some(highest) = newly.last() {
            self.expect(me, AlertKind::Warning, u16::try_from(*highest).unwrap());
        }
        self.triggered.extend(newly);
    }

    fn expect(&self, me: &Person, kind: AlertKind, threshold: u16) {
        let alert = (kind, threshold, Money::from_fen(self.consumed));
        me.stage.books.lock().expect(self.user, alert);
    }

    async fn top_up(&mut self, me: &mut Person, fen: i64) {
        let note = format!("{} top-up no. {}", self.user, self.top_ups);
        me.say(&format!("/quota {} {}.{:02} {note}", self.user, fen / 100, fen % 100)).await;
        me.stage.books.lock().booked(self.user, &note, Money::from_fen(fen));
        self.top_ups += 1;
        self.quota += fen;
        self.triggered.clear();
    }
}

/// Requests cycles until one that started after now reads everything.
async fn monitor(me: &mut Person) {
    loop {
        let card = me.ask("/monitor run").await.message_id;
        let stage = std::sync::Arc::clone(&me.stage);
        let report = stage
            .until("the report of a cycle", || {
                let content = stage.feishu.message(&card)?.content;
                (!content.contains(&phrase("processing.monitor"))).then_some(content)
            })
            .await;
        if report.contains(&phrase("cycle.title_ok")) {
            return;
        }
    }
}

/// Waits until no change of access is in progress. Returns whether the user is cut off.
async fn is_disabled(me: &mut Person, user: &str) -> bool {
    loop {
        let card = me.ask(&format!("/user {user}")).await.message_id;
        if me.asks(&card, AccessGoal::Restored).is_some() {
            return true;
        }
        if me.asks(&card, AccessGoal::Cut).is_some() {
            return false;
        }
        me.pause(200).await;
    }
}

/// Knows to the fen what was consumed when, and so which alerts to expect.
pub async fn spender(mut me: Person, user: &'static str) {
    let mut purse = Purse::new(user);
    while !me.stage.is_over() {
        for percent in [52, 70, 83, 93] {
            // Some steps are skipped: then one warning covers several thresholds.
            if me.rng.random_ratio(1, 3) {
                continue;
            }
            purse.spend_to(&me, percent);
            monitor(&mut me).await;
            purse.expect_warning(&me);
        }
        purse.spend_to(&me, 103);
        monitor(&mut me).await;
        // One event, one alert: no warning beside the cut.
        purse.triggered.extend(THRESHOLDS);
        purse.expect(&me, AlertKind::Disable, 100);
        while !is_disabled(&mut me, user).await {
            me.pause(100).await;
        }
        checks::holds(&me.stage, user, AccessGoal::Cut);
        // A refund first, so that the next round begins low.
        purse.spend_to(&me, 10);
        monitor(&mut me).await;
        purse.top_up(&mut me, 1_000).await;
        change_access(&mut me, user, AccessGoal::Restored).await;
    }
}

/// Is topped up at about the time of the cut: whichever wins, nothing is left half done.
pub async fn racer(mut me: Person, user: &'static str) {
    let mut purse = Purse::new(user);
    while !me.stage.is_over() {
        purse.spend_to(&me, 101);
        let run = me.say("/monitor run").await;
        me.pause(250).await;
        let fen = purse.quota;
        purse.top_up(&mut me, fen).await;
        me.reply(&run, "/monitor run").await;
        // Every cycle that saw the quota used up has ended.
        monitor(&mut me).await;
        if is_disabled(&mut me, user).await {
            change_access(&mut me, user, AccessGoal::Restored).await;
        }
        purse.spend_to(&me, 10);
        monitor(&mut me).await;
        let fen = -(purse.quota - 10_000);
        let note = format!("{user} takes back no. {}", purse.top_ups);
        let amount = format!("-{}.{:02}", fen.abs() / 100, fen.abs() % 100);
        me.say(&format!("/quota {user} {amount} {note}")).await;
        me.stage.books.lock().booked(user, &note, Money::from_fen(fen));
        purse.quota = 10_000;
    }
}
