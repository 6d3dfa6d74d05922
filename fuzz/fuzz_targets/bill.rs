//! Answers from the bill lists: a byte of options, then complete pages separated by zero bytes.
#![no_main]

use std::collections::BTreeSet;

use airgate::domain::{AmountField, BillSource, Money};
use airgate::volcengine::{BillReading, open_response};
use http::HeaderMap;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choices, pages)) = data.split_first() else { return };
    let source = if choices & 1 == 0 { BillSource::Split } else { BillSource::Detail };
    let field = match choices >> 1 & 3 {
        0 => AmountField::Discount,
        1 => AmountField::Original,
        _ => AmountField::Payable,
    };
    let answers: Vec<_> = pages
        .split(|byte| *byte == 0)
        .map_while(|page| {
            open_response("ListSplitBillDetail", 200, &HeaderMap::new(), page, Timestamp::UNIX_EPOCH)
                .ok()
        })
        .collect();
    let wanted: BTreeSet<String> = ["team-a", ""].map(str::to_owned).into();
    let pages = || answers.iter().filter_map(|answer| answer.result());
    let read = BillReading::of_pages(source, field, &wanted, pages());
    if let Ok(reading) = &read {
        // Exactly the requested projects, and no invented amounts.
        assert!(reading.amounts.keys().eq(wanted.iter()));
        assert!(reading.rows > 0 || reading.amounts.values().all(|sum| *sum == Money::ZERO));
    }
    // The result does not depend on which projects are requested.
    let other: BTreeSet<String> = ["team-a".to_owned()].into();
    if let (Ok(both), Ok(one)) = (&read, BillReading::of_pages(source, field, &other, pages())) {
        assert_eq!(both.amounts["team-a"], one.amounts["team-a"]);
        assert_eq!(both.rows, one.rows);
    }
});
