//! Usage becomes rows of the bill (`docs/platforms/ark.md` §D.1, §D.2).

use super::*;
use crate::domain::{BillPeriod, beijing_day, end_of};
use crate::sandbox::world::{BillRow, ChargeItem, Measure, Product, ShownIn};
use rust_decimal::Decimal;

/// Seconds in a period that is settled at once.
const PERIOD: i64 = 300;
/// Decimals of a row (§D.4).
const DECIMALS: u32 = 6;

/// What was used of a model in five minutes: by whom, that is by project and endpoint, and how much.
type Users = BTreeMap<(String, String), u64>;

impl FakeAccount {
    /// Adds the rows for what was used in periods of five minutes that are over: one per model and kind to ListBillDetail,
    /// and its parts by project and endpoint to ListSplitBillDetail. Each appears there after its delay.
    pub(crate) fn bill_usage(&mut self, rules: &ArkRules, now: Timestamp) {
        let Some(billing) = &rules.billing else { return };
        let mut used: BTreeMap<(i64, &'static str, Measure), Users> = BTreeMap::new();
        for usage in self.ark.usage.iter_mut().filter(|usage| !usage.billed) {
            let end = (usage.at.as_second().div_euclid(PERIOD) + 1) * PERIOD;
            if end > now.as_second() {
                continue;
            }
            usage.billed = true;
            // Part of it is free.
            if usage.billing_status != "normal" {
                continue;
            }
            let images = if usage.input + usage.output == 0 { usage.images } else { 0 };
            for (measure, amount) in [
                (Measure::Input, usage.input.saturating_sub(usage.cached)),
                (Measure::Cached, usage.cached),
                (Measure::Output, usage.output),
                (Measure::Images, images),
            ] {
                if amount > 0 {
                    let measure = if usage.job.is_empty() { measure } else { measure.of_batch() };
                    let users = used.entry((end, usage.model.name, measure)).or_default();
                    let user = (usage.project.clone(), usage.endpoint.clone());
                    let sum = users.entry(user).or_default();
                    *sum = sum.saturating_add(amount);
                }
            }
        }
        for ((end, model, measure), users) in used {
            self.bill_period(billing, end, model, measure, users);
        }
    }

    fn bill_period(
        &mut self,
        billing: &ArkBilling,
        end: i64,
        model: &str,
        measure: Measure,
        users: Users,
    ) {
        let Ok(end) = Timestamp::from_second(end) else { return };
        let Ok(begin) = end.checked_sub(jiff::SignedDuration::from_secs(PERIOD)) else { return };
        let day = beijing_day(begin);
        let Ok(period) = BillPeriod::of_day(day) else { return };
        let total: u64 = users.values().sum();
        let price = match measure {
            Measure::Input => billing.input / Decimal::ONE_THOUSAND,
            Measure::Cached => billing.cached / Decimal::ONE_THOUSAND,
            Measure::Output => billing.output / Decimal::ONE_THOUSAND,
            Measure::Images => billing.input,
            // Half the price.
            Measure::BatchInput => billing.input / Decimal::from(2_000),
            Measure::BatchCached => billing.cached / Decimal::from(2_000),
            Measure::BatchOutput => billing.output / Decimal::from(2_000),
        };
        let whole = (price * Decimal::from(total)).round_dp(DECIMALS);
        let config = if billing.names_models { title(model) } else { String::new() };
        let row = |project: &str, payable: Decimal| {
            let mut row = BillRow::new(period, project, Product::Ark, payable);
            row.expense_date = day;
            row.item = Some(ChargeItem { config: config.clone(), measure });
            row
        };
        let mut parent = row("-", whole);
        parent.instance = format!("commodity-{model}");
        parent.shown_in = ShownIn::Detail;
        parent.visible_from = end.checked_add(billing.detail_delay).ok();
        if billing.payable_delay.is_positive() {
            let charged = parent.visible_from.map(|at| at.checked_add(billing.payable_delay));
            parent.charged_from = charged.and_then(Result::ok);
        }
        self.add_bill_row(parent);
        let morning = end_of(day).and_then(|end| end.checked_add(billing.split_delay).ok());
        let (mut rest, last) = (whole, users.len().saturating_sub(1));
        for (n, ((project, endpoint), amount)) in users.into_iter().enumerate() {
            let part = whole * Decimal::from(amount) / Decimal::from(total);
            let part = if n == last { rest } else { part.trunc_with_scale(DECIMALS) };
            rest -= part;
            let mut child = row(&project, part);
            child.instance = endpoint;
            child.shown_in = ShownIn::Split;
            child.visible_from = morning;
            self.add_bill_row(child);
        }
    }
}

/// The model as bills write it: `Doubao-Seed-2.0-pro`.
fn title(name: &str) -> String {
    let mut text = String::new();
    let mut after_digit = false;
    for word in name.split('-') {
        let is_number = word.bytes().all(|b| b.is_ascii_digit());
        if !text.is_empty() {
            text.push(if after_digit && is_number { '.' } else { '-' });
        }
        let plain = matches!(word, "pro" | "lite" | "text" | "large");
        let mut letters = word.chars();
        match letters.next().filter(|_| !plain) {
            Some(first) => text.extend(first.to_uppercase().chain(letters)),
            None => text.push_str(word),
        }
        after_digit = is_number;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_write_models_in_their_own_way() {
        assert_eq!(title("doubao-seed-2-0-pro"), "Doubao-Seed-2.0-pro");
        assert_eq!(title("doubao-embedding-large-text"), "Doubao-Embedding-large-text");
    }
}
