//! Usage within half an hour ("GetInferenceUsage", docs 82379/2116766; docs/platforms/ark.md §C.2).

use jiff::civil::Date;
use serde_json::{Value, json};

use super::table::{Cells, Table};
use crate::domain::ProjectName;
use crate::volcengine::call::{Api, Call};
use crate::volcengine::client::AccountClient;
use crate::volcengine::error::{Error, ErrorKind, bounded};

/// What usage is broken down by.
const GROUPS: [&str; 4] = ["ModelName", "ModelEndpoint", "ApikeyID", "BillingStatus"];
/// What tells usage of batch jobs, which have a price of their own, from that of online calls.
const BATCH: [&str; 2] = ["BatchType", "BatchJobID"];
/// Columns of amounts. One of them has to be there: usage without an amount is not zero usage.
const AMOUNTS: [&str; 4] = ["totaltokens", "inputtokens", "outputtokens", "imagecount"];

/// How a model was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedBy {
    /// By online calls.
    Calls,
    /// By a batch job.
    Batch,
    /// The answer does not say it, or in an unknown word.
    Unknown,
}

/// What one model, endpoint and key used in an hour or on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// `ep-…`, also of a preset endpoint; empty if the answer does not say it.
    pub endpoint: String,
    /// The key's `apikey-…`; empty if the answer does not say it.
    pub key: String,
    /// The model's name (`ModelName`); may be empty.
    pub model: String,
    /// By calls or by a batch job.
    pub used_by: UsedBy,
    /// The day in Beijing.
    pub day: Date,
    /// The hour in Beijing, 0 to 23; `None` for a whole day.
    pub hour: Option<u8>,
    /// The word that says whether it costs money (`BillingStatus`); may be empty.
    pub billing_status: String,
    /// Whether it costs money: everything does that is not certainly free.
    pub billed: bool,
    /// Input tokens, those in `cache_hit` among them.
    pub input: u64,
    /// Input tokens that were found in the cache, which are cheaper.
    pub cache_hit: u64,
    /// Output tokens.
    pub output: u64,
    /// All tokens.
    pub tokens: u64,
    /// Images made.
    pub images: u64,
    /// Requests, refused ones possibly among them.
    pub requests: u64,
}

impl UsageRow {
    /// Returns whether something was used that costs money.
    pub fn spends(&self) -> bool {
        self.billed && (self.tokens > 0 || self.images > 0)
    }
}

impl AccountClient {
    /// Returns the usage of a project from one Beijing day to another, both included and at most 31. It is 5 to 30 minutes
    /// late, and voice, plug-ins and context storage are not in it.
    ///
    /// # Errors
    /// [`ErrorKind::Unexpected`] for a response that is not understood, which does not mean that nothing was used.
    pub async fn inference_usage(
        &self,
        project: &ProjectName,
        from: Date,
        to: Date,
        hourly: bool,
    ) -> Result<Vec<UsageRow>, Error> {
        // Clients have been seen that spell the field the other way, and the columns of batch jobs may not be known everywhere.
        let forms = [("Key", true), ("FieldName", true), ("Key", false), ("FieldName", false)];
        let mut refused = None;
        let mut answered = None;
        for (name, with_batch) in forms {
            let body = request(project, from, to, hourly, name, with_batch);
            match self.call(&Call::post(Api::Ark, "GetInferenceUsage", body)).await {
                Err(error) if *error.kind() == ErrorKind::BadInput => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(refused.unwrap_or(error)),
                Ok(answer) => {
                    answered = Some(answer);
                    break;
                }
            }
        }
        let Some(answer) = answered else {
            let unasked = || Error::new("GetInferenceUsage", ErrorKind::Unexpected, "");
            return Err(refused.unwrap_or_else(unasked));
        };
        let result =
            answer.result().ok_or_else(|| answer.unexpected("the response has no Result"))?;
        rows(result, project, hourly).map_err(|why| {
            answer.unexpected(format!("the usage cannot be read: {}", bounded(&why)))
        })
    }
}

/// Returns the request; `name` is the field with a filter's column. An empty list of values groups by the column.
fn request(
    project: &ProjectName,
    from: Date,
    to: Date,
    hourly: bool,
    name: &str,
    with_batch: bool,
) -> Value {
    let batch = BATCH.iter().filter(|_| with_batch);
    let filters: Vec<Value> =
        GROUPS.iter().chain(batch).map(|column| json!({name: column, "Values": []})).collect();
    json!({
        "ProjectName": project.as_str(),
        "StartTime": from.to_string(),
        "EndTime": to.to_string(),
        "QueryInterval": if hourly { "Hour" } else { "Day" },
        "ShowWindowDetail": false,
        "Filters": filters,
    })
}

/// Reads the rows of a `Result`, without those that say that they are of another project.
fn rows(result: &str, project: &ProjectName, hourly: bool) -> Result<Vec<UsageRow>, String> {
    let table = Table::of(result)?;
    if table.rows().is_empty() {
        return Ok(Vec::new());
    }
    if !AMOUNTS.iter().any(|column| table.has(column)) {
        return Err("no column has an amount".into());
    }
    table
        .rows()
        .iter()
        .filter(|row| ["", project.as_str()].contains(&row.get("projectname")))
        .map(|row| usage(row, hourly, table.has("batchtype") && table.has("batchjobid")))
        .collect()
}

/// Returns how a model was used, by the two columns about batch jobs.
fn used_by(kind: &str, job: &str) -> UsedBy {
    let is_none = |text: &str| matches!(text.trim(), "" | "-");
    let kind = kind.to_lowercase();
    match (is_none(&kind), is_none(job)) {
        (true, true) => UsedBy::Calls,
        (_, false) => UsedBy::Batch,
        _ if kind.contains("batch") || kind.contains("批量") => UsedBy::Batch,
        _ => UsedBy::Unknown,
    }
}

/// Reads a row; `says_batch`: the answer has the columns about batch jobs.
fn usage(row: &Cells, hourly: bool, says_batch: bool) -> Result<UsageRow, String> {
    let amount = |column: &str| {
        amount(row.get(column)).ok_or_else(|| format!("{column} is {:?}", row.get(column)))
    };
    let (input, output) = (amount("inputtokens")?, amount("outputtokens")?);
    let sum = input.checked_add(output).ok_or("there are too many tokens")?;
    let day = row.get("day");
    let hour = match hourly {
        true => {
            Some(hour(row.get("hour")).ok_or_else(|| format!("Hour is {:?}", row.get("hour")))?)
        }
        false => None,
    };
    let billing_status = row.get("billingstatus");
    Ok(UsageRow {
        endpoint: row.get("modelendpoint").to_owned(),
        key: row.get("apikeyid").to_owned(),
        model: row.get("modelname").to_owned(),
        used_by: match says_batch {
            true => used_by(row.get("batchtype"), row.get("batchjobid")),
            false => UsedBy::Unknown,
        },
        day: date(day).ok_or_else(|| format!("Day is {day:?}"))?,
        hour,
        billing_status: bounded(billing_status),
        billed: is_billed(billing_status),
        input,
        cache_hit: amount("cachetokenshit")?,
        output,
        tokens: amount("totaltokens")?.max(sum),
        images: amount("imagecount")?,
        requests: amount("reqcnt")?,
    })
}

/// Returns whether usage costs money. What is not certainly free does.
fn is_billed(status: &str) -> bool {
    let status = status.to_ascii_lowercase();
    status != "no_need_billing" && !status.starts_with("free_for_")
}

/// Reads an amount, rounded up; an empty cell is 0. `None` for anything else.
fn amount(cell: &str) -> Option<u64> {
    if cell.is_empty() || cell == "-" {
        return Some(0);
    }
    let (whole, fraction) = cell.split_once('.').unwrap_or((cell, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    whole.parse::<u64>().ok()?.checked_add(more)
}

/// Reads a day, possibly with a time after it.
fn date(cell: &str) -> Option<Date> {
    let day = cell.get(..10).unwrap_or(cell);
    day.parse().or_else(|_| Date::strptime("%Y%m%d", cell)).ok()
}

/// Reads an hour: alone, with minutes, or at the end of a day.
fn hour(cell: &str) -> Option<u8> {
    let time = cell.rsplit([' ', 'T']).next()?;
    let hour: u8 = time.split(':').next()?.parse().ok()?;
    (hour < 24).then_some(hour)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(result: &str, hourly: bool) -> Result<Vec<UsageRow>, String> {
        rows(result, &ProjectName::new("team-a").unwrap(), hourly)
    }

    const FIELDS: &str = r#"[{"Name":"Day","Type":"DATE"},{"Name":"Hour"},{"Name":"ModelName"},{"Name":"ModelEndpoint"},
        {"Name":"ApikeyID"},{"Name":"BillingStatus"},{"Name":"InputTokens"},{"Name":"CacheTokensHit"},{"Name":"OutputTokens"},
        {"Name":"TotalTokens"},{"Name":"ReqCnt"},{"Name":"ImageCount"}]"#;

    fn expected() -> UsageRow {
        UsageRow {
            endpoint: "ep-20260901101112-a1b2c".into(),
            key: "apikey-20260901101112-a1b2c".into(),
            model: "doubao-seed-2-0-pro".into(),
            used_by: UsedBy::Unknown,
            day: Date::constant(2026, 9, 28),
            hour: Some(10),
            billing_status: "normal".into(),
            billed: true,
            input: 120_000,
            cache_hit: 20_000,
            output: 34_000,
            tokens: 154_000,
            images: 0,
            requests: 42,
        }
    }

    #[test]
    fn every_known_shape_gives_the_same_rows() {
        let cells = r#"["2026-09-28","10","doubao-seed-2-0-pro","ep-20260901101112-a1b2c","apikey-20260901101112-a1b2c","normal","120000","20000","34000","154000","42","0"]"#;
        let numbers = r#"["2026-09-28",10,"doubao-seed-2-0-pro","ep-20260901101112-a1b2c","apikey-20260901101112-a1b2c","normal",120000,20000,34000,154000,42,null]"#;
        let object = r#"{"Day":"2026-09-28 00:00:00","Hour":"2026-09-28 10:00:00","ModelName":"doubao-seed-2-0-pro","ModelEndpoint":"ep-20260901101112-a1b2c","ApiKeyID":"apikey-20260901101112-a1b2c","BillingStatus":"normal","InputTokens":120000,"CacheTokensHit":"20000","OutputTokens":"34000.0","ReqCnt":42}"#;
        let words = r#"["day","hour","model_name","model_endpoint","apikey_id","billing_status","input_tokens","cache_tokens_hit","output_tokens","total_tokens","req_cnt","image_count"]"#;
        let renamed = FIELDS.replace("\"Name\"", "\"FieldName\"");
        for result in [
            format!(r#"{{"DataCount":1,"Fields":{FIELDS},"Data":[{cells}]}}"#),
            format!(r#"{{"DataCount":"1","Fields":{FIELDS},"Data":[{numbers}]}}"#),
            format!(r#"{{"Fields":{FIELDS},"Records":[{cells}]}}"#),
            format!(r#"{{"Fields":{renamed},"Data":null,"Records":[{cells}]}}"#),
            format!(r#"{{"Fields":{words},"Data":[{cells}]}}"#),
            format!(r#"{{"DataCount":1,"Data":[{object}]}}"#),
            format!(r#"{{"Fields":null,"Records":[{object}]}}"#),
        ] {
            assert_eq!(read(&result, true).unwrap(), [expected()], "{result}");
        }
    }

    #[test]
    fn the_order_of_the_columns_does_not_matter() {
        let result = r#"{"Fields":["TotalTokens","Day"],"Data":[["7","20260928"]]}"#;
        let rows = read(result, false).unwrap();
        assert_eq!((rows[0].tokens, rows[0].day, rows[0].hour), (7, expected().day, None));
        // Without the word that says it is free, it is not.
        assert!(rows[0].spends());
    }

    #[test]
    fn an_unknown_shape_is_never_nothing_used() {
        for result in [
            "{}",
            "[]",
            "7",
            r#"{"DataCount":0}"#,
            r#"{"DataCount":3}"#,
            r#"{"DataCount":3,"Fields":["Day"],"Data":[]}"#,
            r#"{"DataCount":1,"Fields":["Day","TotalTokens"],"Data":null}"#,
            r#"{"Fields":["Day","TotalTokens"]}"#,
            r#"{"InputTokens":5,"TotalTokens":5}"#,
            r#"{"Data":{"Day":"2026-09-28","TotalTokens":5}}"#,
            r#"{"Data":[7]}"#,
            r#"{"Data":[["2026-09-28","5"]]}"#,
            r#"{"Fields":[{"X":"Day"}],"Data":[["2026-09-28"]]}"#,
            r#"{"Fields":["Day","TotalTokens"],"Data":[["2026-09-28"]]}"#,
            r#"{"Fields":["Day"],"Data":[["2026-09-28"]]}"#,
            r#"{"Fields":["Day","ReqCnt"],"Data":[["2026-09-28","4"]]}"#,
            r#"{"Fields":["TotalTokens"],"Data":[["5"]]}"#,
            r#"{"Fields":["Day","TotalTokens"],"Data":[["soon","5"]]}"#,
            r#"{"Fields":["Day","TotalTokens"],"Data":[["2026-09-28","many"]]}"#,
            r#"{"Fields":["Day","TotalTokens"],"Data":[["2026-09-28","-5"]]}"#,
            r#"{"Fields":["Day","TotalTokens"],"Data":[["2026-09-28",[5]]]}"#,
            r#"{"Fields":["Day","TotalTokens"],"Data":[["2026-09-28","1e5"]]}"#,
        ] {
            assert!(read(result, false).is_err(), "{result}");
        }
        // An hour that is not there could be any, also one before the cut.
        for hour in [r#""""#, "24", r#""x""#, "null"] {
            let result = format!(
                r#"{{"Fields":["Day","Hour","TotalTokens"],"Data":[["2026-09-28",{hour},"5"]]}}"#
            );
            assert!(read(&result, true).is_err(), "{result}");
        }
    }

    #[test]
    fn nothing_used_is_said_by_an_empty_list_or_a_count_of_none() {
        for result in [
            format!(r#"{{"DataCount":0,"Fields":{FIELDS},"Data":[]}}"#),
            format!(r#"{{"DataCount":"0","Fields":{FIELDS},"Data":null}}"#),
            format!(r#"{{"DataCount":0,"Fields":{FIELDS}}}"#),
            r#"{"Data":[]}"#.to_owned(),
            r#"{"Records":[]}"#.to_owned(),
        ] {
            assert_eq!(read(&result, true).unwrap(), [], "{result}");
        }
    }

    #[test]
    fn only_what_is_certainly_free_costs_nothing() {
        for (status, billed) in [
            ("normal", true),
            ("", true),
            ("something_new", true),
            ("no_need_billing", false),
            ("No_Need_Billing", false),
            ("free_for_model_unit", false),
            ("free_for_free_quota", false),
            ("free_for_limit_boundary", false),
            ("free_for_viptier", false),
            ("free_for_coding_plan", false),
        ] {
            assert_eq!(is_billed(status), billed, "{status}");
        }
    }

    #[test]
    fn usage_of_batch_jobs_is_told_from_that_of_calls_and_never_guessed() {
        for (columns, kind, job, by) in [
            (true, "", "", UsedBy::Calls),
            (true, "-", "-", UsedBy::Calls),
            (true, "BatchJob", "bi-1", UsedBy::Batch),
            (true, "", "bi-1", UsedBy::Batch),
            (true, "batch_chat", "", UsedBy::Batch),
            (true, "something", "", UsedBy::Unknown),
            (false, "", "", UsedBy::Unknown),
        ] {
            let result = if columns {
                json!({"Fields": ["Day", "TotalTokens", "BatchType", "BatchJobID"],
                    "Data": [["2026-09-28", "5", kind, job]]})
            } else {
                json!({"Fields": ["Day", "TotalTokens"], "Data": [["2026-09-28", "5"]]})
            };
            assert_eq!(read(&result.to_string(), false).unwrap()[0].used_by, by, "{kind} {job}");
        }
    }

    #[test]
    fn usage_of_another_project_is_left_out() {
        let result = r#"{"Fields":["Day","ProjectName","TotalTokens"],"Data":[["2026-09-28","team-b","5"],["2026-09-28","team-a","6"]]}"#;
        let rows = read(result, false).unwrap();
        assert_eq!(rows.iter().map(|row| row.tokens).collect::<Vec<_>>(), [6]);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(result in "\\PC{0,200}", hourly in any::<bool>()) {
            let _ = read(&result, hourly);
        }

        #[test]
        fn amounts_are_read_exactly(n in any::<u64>()) {
            prop_assert_eq!(amount(&n.to_string()), Some(n));
            prop_assert_eq!(amount(&format!("{n}.00")), Some(n));
            prop_assert_eq!(amount(&format!("-{n}")), None);
        }

        #[test]
        fn no_token_is_lost_in_any_order_of_columns(
            amounts in prop::collection::vec((0..1_000_000_u64, 0..1_000_000_u64), 0..20),
            swap in any::<bool>(),
        ) {
            let (fields, data): (Value, Vec<Value>) = if swap {
                (json!(["OutputTokens", "Day", "InputTokens"]),
                 amounts.iter().map(|(i, o)| json!([o, "2026-09-28", i.to_string()])).collect())
            } else {
                (json!(["Day", "InputTokens", "OutputTokens"]),
                 amounts.iter().map(|(i, o)| json!(["2026-09-28", i, o])).collect())
            };
            let rows = read(&json!({"Fields": fields, "Data": data}).to_string(), false).unwrap();
            let sum: u64 = rows.iter().map(|row| row.tokens).sum();
            prop_assert_eq!(sum, amounts.iter().map(|(i, o)| i + o).sum::<u64>());
        }
    }
}
