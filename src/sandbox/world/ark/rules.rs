//! How 方舟 behaves where no source says (`[U]` in `docs/platforms/ark.md`). The defaults are the likeliest answers.

use jiff::SignedDuration;
use rust_decimal::Decimal;

/// How 方舟 behaves where no source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArkRules {
    /// Calls per second per account, beside those of the other services; `None`: unlimited. 3 by default (§A.1).
    pub calls_per_second: Option<u32>,
    /// `Status` of an endpoint that answers. `Running` by default; `available` was compared with too (§A.2).
    pub running_text: &'static str,
    /// `Status` of a stopped endpoint. `Stopped` by default (§A.2).
    pub stopped_text: &'static str,
    /// Whether stopping what is stopped, and starting what runs, is refused with `OperationDenied.InvalidState`. It is by
    /// default (§A.2).
    pub repeats_are_refused: bool,
    /// What a `RateLimit` of 0 does (§A.2, §A.3).
    pub rate_limit: RateLimitRule,
    /// Whether the actions of preset endpoints exist. They do by default (§A.3).
    pub has_preset_actions: bool,
    /// Whether new limits of a preset endpoint leave absent fields as they are, instead of replacing the whole object. They
    /// replace it by default (§A.3).
    pub limits_are_merged: bool,
    /// Whether InnerDescribeModelEndpointDetail wraps its answer in `Endpoint`. It does by default (§A.3).
    pub detail_is_wrapped: bool,
    /// Whether calls by Model ID are allowed in the account. They are by default (§A.3).
    pub model_ids_work: bool,
    /// How UpdateApiKey switches a key (§A.4).
    pub key_switch: KeySwitchForm,
    /// Whether lists show who made a key, as `UserId`. They do not by default (§A.4).
    pub keys_show_their_user: bool,
    /// Whether `Filter.UserId` of ListApiKeys is ignored with success. It is obeyed by default (§A.4).
    pub user_filter_is_ignored: bool,
    /// Whether a temporary key ends when the access key that made it is switched off or deleted. It lives on by default
    /// (§A.4).
    pub temporary_keys_end_with_their_maker: bool,
    /// Whether the Resume actions take `Id` from the query only. They take it from the body by default (§A.5).
    pub resume_takes_the_query: bool,
    /// The shape of GetInferenceUsage (§C.2).
    pub usage_shape: UsageShape,
    /// The field of `Filters` that names a column. `Key` by default; `FieldName` was seen too (§C.2).
    pub usage_filter_field: &'static str,
    /// How long it takes until usage shows. 10 minutes by default (§C.1).
    pub usage_delay: SignedDuration,
    /// What a call of a model adds to the bill at once, in 元. Nothing by default: tests add the rows they need.
    pub call_price: Option<Decimal>,
    /// How usage is billed. Not at all by default: tests add the rows they need.
    pub billing: Option<ArkBilling>,
}

/// How usage becomes rows of the bill (§D.1, §D.2): every five minutes per model and kind of use, without project; shared out
/// over projects the next morning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArkBilling {
    /// The price of 1,000 input tokens that were not found in the cache, in 元; of an image for a model without tokens.
    pub input: Decimal,
    /// The price of 1,000 input tokens that were.
    pub cached: Decimal,
    /// The price of 1,000 output tokens.
    pub output: Decimal,
    /// How long after a period of five minutes its rows are in ListBillDetail. 10 minutes by default.
    pub detail_delay: SignedDuration,
    /// How much later they are there in grouped requests. An hour by default.
    pub grouped_delay: SignedDuration,
    /// How long after the end of a day its rows are in ListSplitBillDetail. 9 hours by default.
    pub split_delay: SignedDuration,
    /// How much later the 应付金额 of a row is known than the row; it is 0 before that. Not at all by default.
    pub payable_delay: SignedDuration,
    /// Whether `ConfigName` names the model (it does by default) or is empty.
    pub names_models: bool,
}

impl ArkBilling {
    /// Prices per 1,000 tokens of input, of cached input and of output.
    pub fn priced(input: Decimal, cached: Decimal, output: Decimal) -> Self {
        Self {
            input,
            cached,
            output,
            detail_delay: SignedDuration::from_mins(10),
            grouped_delay: SignedDuration::from_hours(1),
            split_delay: SignedDuration::from_hours(9),
            payable_delay: SignedDuration::ZERO,
            names_models: true,
        }
    }
}

impl Default for ArkRules {
    fn default() -> Self {
        Self {
            calls_per_second: Some(3),
            running_text: "Running",
            stopped_text: "Stopped",
            repeats_are_refused: true,
            rate_limit: RateLimitRule::default(),
            has_preset_actions: true,
            limits_are_merged: false,
            detail_is_wrapped: true,
            model_ids_work: true,
            key_switch: KeySwitchForm::default(),
            keys_show_their_user: false,
            user_filter_is_ignored: false,
            temporary_keys_end_with_their_maker: false,
            resume_takes_the_query: false,
            usage_shape: UsageShape::default(),
            usage_filter_field: "Key",
            usage_delay: SignedDuration::from_mins(10),
            call_price: None,
            billing: None,
        }
    }
}

/// What a `RateLimit` of 0 does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimitRule {
    /// It ends calls.
    #[default]
    Obeyed,
    /// The field is dropped with success: reads show the old value.
    Dropped,
    /// It is stored and shown, but 0 means "no limit": calls go on.
    ZeroMeansNone,
    /// `InvalidParameter.RateLimit`.
    Refused,
}

/// How UpdateApiKey switches a key. Fields that it does not know are ignored with success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySwitchForm {
    /// `"Status": "Inactive"` / `"Active"`.
    #[default]
    Status,
    /// `"Disable": true` / `false`. Lists show `Disable` instead of `Status`.
    Disable,
    /// `"Disabled": true` / `false`. Lists show `Disabled` instead of `Status`.
    Disabled,
    /// No field does: the console alone can.
    Nothing,
    /// There is no UpdateApiKey for access keys: `InvalidActionOrVersion`.
    NoSuchAction,
}

/// The shape of GetInferenceUsage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageShape {
    /// `Fields` and rows in `Data`.
    #[default]
    Data,
    /// `Fields` and rows in `Records`.
    Records,
    /// Rows in `Data` as objects, without `Fields`.
    Objects,
    /// Totals straight in `Result`, no rows.
    Totals,
    /// Only `DataCount`.
    CountOnly,
}
