//! Spending by day, as a chart.

use jiff::Timestamp;
use jiff::civil::Date;
use minijinja::{Value, context};

use crate::cards::wording::Wording;
use crate::domain::{BillPeriod, DayChart, Series, beijing_day};

/// A chart by day; `None` if there is nothing to show.
pub fn chart(words: Wording, chart: &DayChart, now: Timestamp) -> Option<Value> {
    let last = chart.days.last().filter(|_| !chart.is_empty())?.day;
    let bars: Vec<Value> = chart
        .days
        .iter()
        .map(|bar| {
            context! {
                day => short(bar.day),
                amount => bar.amount.plain(),
                series => series(words, bar.series),
            }
        })
        .collect();
    let count = chart.days.iter().filter(|bar| bar.series == Series::Billed).count();
    let title = match BillPeriod::of_day(last) {
        Ok(period) if last != beijing_day(now) => {
            words.t("days.title_month", &[("period", &period)])
        }
        _ => words.t("days.title", &[("count", &count)]),
    };
    Some(context! {
        title => title,
        bars => bars,
        estimated => chart.has_estimates(),
        note => chart.bill_to.map(|day| words.t("days.bill_to", &[("date", &short(day))])),
    })
}

/// What a series is called in the legend.
fn series(words: Wording, series: Series) -> String {
    match series {
        Series::Billed => words.t("days.billed", &[]),
        Series::Estimated => words.t("days.estimated", &[]),
    }
}

/// `11-23`.
pub fn short(day: Date) -> String {
    format!("{:02}-{:02}", day.month(), day.day())
}
