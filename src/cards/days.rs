//! Spending by day, as a chart.

use jiff::Timestamp;
use jiff::civil::Date;

use super::engine::{Digits, always};
use crate::cards::wording::Wording;
use crate::domain::{BillPeriod, DayChart, Series, beijing_day};

/// Bars by day.
pub struct Chart {
    pub title: String,
    pub bars: Vec<Bar>,
    pub estimated: bool,
    pub note: Option<String>,
}

/// A day.
pub struct Bar {
    pub day: String,
    pub amount: Digits,
    pub series: String,
}

always!(Chart);

/// A chart by day; `None` if there is nothing to show.
pub fn chart(words: Wording, chart: &DayChart, now: Timestamp) -> Option<Chart> {
    let last = chart.days.last().filter(|_| !chart.is_empty())?.day;
    let bars = chart.days.iter().map(|bar| Bar {
        day: short(bar.day),
        amount: Digits(bar.amount.plain()),
        series: series(words, bar.series),
    });
    let count = chart.days.iter().filter(|bar| bar.series == Series::Billed).count();
    let title = match BillPeriod::of_day(last) {
        Ok(period) if last != beijing_day(now) => {
            words.t("days.title_month", &[("period", &period)])
        }
        _ => words.t("days.title", &[("count", &count)]),
    };
    Some(Chart {
        title,
        bars: bars.collect(),
        estimated: chart.has_estimates(),
        note: chart.bill_to.map(|day| words.t("days.bill_to", &[("date", &short(day))])),
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
