//! GetInferenceUsage (`docs/platforms/ark.md` §C.2).

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::super::context::Context;
use super::super::params::Params;
use super::super::refusal::{Refusal, Reply, reply};
use super::common::project;
use crate::domain::period::beijing;
use crate::sandbox::world::{Usage, UsageShape};

/// Most days between `StartTime` and `EndTime`.
const SPAN: i32 = 30;

/// Reads a column.
type Read = fn(&Usage) -> &str;

/// The columns that rows can be grouped by.
const KEYS: &[(&str, Read)] = &[
    ("ModelEndpoint", |usage| &usage.endpoint),
    ("EndpointName", |usage| &usage.endpoint_name),
    ("ModelName", |usage| usage.model.name),
    ("ModelVersion", |usage| usage.model.version),
    ("ApikeyID", |usage| &usage.key),
    ("BillingStatus", |usage| usage.billing_status),
    ("BatchJobID", |usage| &usage.job),
    ("BatchType", |usage| if usage.job.is_empty() { "" } else { "BatchJob" }),
];

/// The columns that are added up.
const COUNTS: [&str; 6] =
    ["InputTokens", "CacheTokensHit", "OutputTokens", "TotalTokens", "ReqCnt", "ImageCount"];

/// A key of `Filters`: a column, and the values that pass.
struct Key {
    name: &'static str,
    read: Read,
    values: Vec<String>,
    like: Option<String>,
}

fn keys(params: &Params, field: &str) -> Result<Vec<Key>, Refusal> {
    let mut keys = Vec::new();
    for filter in params.objects("Filters")? {
        filter.only(&[field, "Values", "ValueLike"])?;
        let wanted = filter.required(field)?;
        let (name, read) = KEYS
            .iter()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| params.invalid("Filters", "names a key that is not known"))?;
        let (values, like) = (filter.texts("Values")?, filter.text("ValueLike")?);
        keys.push(Key { name, read: *read, values, like });
    }
    Ok(keys)
}

fn day(params: &Params, name: &str) -> Result<Date, Refusal> {
    let text = params.required(name)?;
    let exact = text.len() == 10;
    let date = text.parse().ok().filter(|_| exact);
    date.ok_or_else(|| params.invalid(name, "must be YYYY-MM-DD"))
}

fn field(name: &str, kind: &str) -> Value {
    json!({"Name": name, "Type": kind})
}

pub(in super::super) fn get(context: &mut Context<'_>, params: &Params) -> Result<Reply, Refusal> {
    let (from, to) = (day(params, "StartTime")?, day(params, "EndTime")?);
    let days = from.until(to).map(|span| span.get_days()).unwrap_or(-1);
    if !(0..=SPAN).contains(&days) {
        return Err(params.invalid("EndTime", "must be less than 31 days after StartTime"));
    }
    let hourly = match params.required("QueryInterval")?.as_str() {
        "Day" => false,
        "Hour" => true,
        _ => return Err(params.invalid("QueryInterval", "is neither Day nor Hour")),
    };
    params.flag("ShowWindowDetail")?;
    let rules = &context.rules.ark;
    let (project, keys) = (project(params)?, keys(params, rules.usage_filter_field)?);
    let visible = |usage: &&Usage| {
        usage.at.saturating_add(rules.usage_delay).is_ok_and(|at| at <= context.now)
            && usage.project == project
            && keys.iter().all(|key| {
                let value = (key.read)(usage);
                let like = key.like.as_deref().is_none_or(|like| value.contains(like));
                like && (key.values.is_empty() || key.values.iter().any(|wanted| wanted == value))
            })
    };
    let mut groups: BTreeMap<Vec<String>, [u64; 6]> = BTreeMap::new();
    for usage in context.account.ark.usage.iter().filter(visible) {
        let at = usage.at.to_zoned(beijing());
        if at.date() < from || at.date() > to {
            continue;
        }
        let mut group = vec![context.account.id.to_string(), at.date().to_string()];
        group.extend(hourly.then(|| format!("{:02}", at.hour())));
        group.extend(keys.iter().map(|key| (key.read)(usage).to_owned()));
        let more = [
            usage.input,
            usage.cached,
            usage.output,
            usage.input.saturating_add(usage.output),
            1,
            usage.images,
        ];
        let sums = groups.entry(group).or_default();
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum = sum.saturating_add(more);
        }
    }
    let mut fields = vec![field("AccountID", "BIGINT"), field("Day", "DATE")];
    fields.extend(hourly.then(|| field("Hour", "STRING")));
    fields.extend(keys.iter().map(|key| field(key.name, "STRING")));
    fields.extend(COUNTS.map(|name| field(name, "BIGINT")));
    answer(rules.usage_shape, &fields, &groups)
}

fn answer(
    shape: UsageShape,
    fields: &[Value],
    groups: &BTreeMap<Vec<String>, [u64; 6]>,
) -> Result<Reply, Refusal> {
    let rows: Vec<Vec<String>> = groups
        .iter()
        .map(|(group, sums)| group.iter().cloned().chain(sums.map(|n| n.to_string())).collect())
        .collect();
    let count = rows.len();
    match shape {
        UsageShape::Data => reply(&json!({"DataCount": count, "Fields": fields, "Data": rows})),
        UsageShape::Records => {
            reply(&json!({"DataCount": count, "Fields": fields, "Records": rows}))
        }
        UsageShape::Objects => {
            let object = |row: &Vec<String>| -> Value {
                let names = fields.iter().filter_map(|field| field.get("Name")?.as_str());
                let pairs = names.zip(row).map(|(name, value)| (name.to_owned(), json!(value)));
                pairs.collect::<Map<String, Value>>().into()
            };
            let rows: Vec<Value> = rows.iter().map(object).collect();
            reply(&json!({"DataCount": count, "Data": rows}))
        }
        UsageShape::Totals => {
            let mut totals = [0_u64; 6];
            for sums in groups.values() {
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total = total.saturating_add(*sum);
                }
            }
            let pairs = COUNTS.iter().zip(totals).map(|(n, sum)| ((*n).to_owned(), json!(sum)));
            reply(&Value::from(pairs.collect::<Map<String, Value>>()))
        }
        UsageShape::CountOnly => reply(&json!({"DataCount": count})),
    }
}
