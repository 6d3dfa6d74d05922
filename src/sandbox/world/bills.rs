//! Bill rows of the stand-in cloud.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::domain::BillPeriod;

/// One row of an account's bill at full detail. Amounts are in 元 and keep the number of decimals they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// Set when the row is added to an account.
    pub id: u64,
    /// 账期: the month the row is billed in.
    pub period: BillPeriod,
    /// The month the row is for; earlier than `period` for a late correction.
    pub busi_period: BillPeriod,
    /// The day of the spending, Beijing time.
    pub expense_date: Date,
    /// What was used.
    pub product: Product,
    /// How it is billed.
    pub billing_mode: BillingMode,
    /// Spending, refund or correction.
    pub category: Category,
    /// The resource.
    pub instance: String,
    /// The project's name, or `-` if it is unknown.
    pub project: String,
    /// 原价.
    pub original: Decimal,
    /// 优惠金额.
    pub preferential: Decimal,
    /// 折后价 = original - preferential.
    pub discount: Decimal,
    /// 代金券抵扣.
    pub coupon: Decimal,
    /// 抹零金额; may be negative.
    pub round: Decimal,
    /// 应付金额 = discount - coupon - round.
    pub payable: Decimal,
    /// `CNY`.
    pub currency: String,
    /// 结算, or 非结算 (trials: nothing is charged).
    pub settled: bool,
    /// Whether the amounts of this row are sent as empty text.
    pub amounts_missing: bool,
    /// The account that the row belongs to, if it is another account, which this one pays for.
    pub owner: Option<i64>,
    /// What was used of a model, if the row is about that.
    pub item: Option<ChargeItem>,
    /// In which of the two lists it is.
    pub shown_in: ShownIn,
    /// When it appears there; `None`: it is there already.
    pub visible_from: Option<Timestamp>,
    /// When its 应付金额 is known; before that it is 0. `None`: it is known already.
    pub charged_from: Option<Timestamp>,
    /// Whether the row says no day.
    pub is_undated: bool,
}

/// What a row of 方舟 charges for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeItem {
    /// `ConfigName`: the model; may be empty.
    pub config: String,
    /// What is measured.
    pub measure: Measure,
}

/// What a charge item measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Input tokens.
    Input,
    /// Input tokens found in the cache.
    Cached,
    /// Output tokens.
    Output,
    /// Images.
    Images,
    /// Input tokens of batch jobs.
    BatchInput,
    /// Those found in the cache.
    BatchCached,
    /// Output tokens of batch jobs.
    BatchOutput,
}

impl Measure {
    /// The same of a batch job; there are none that make images.
    pub const fn of_batch(self) -> Self {
        match self {
            Self::Input => Self::BatchInput,
            Self::Cached => Self::BatchCached,
            Self::Output => Self::BatchOutput,
            other => other,
        }
    }

    /// The words for it in `Element` and `ChargeItemCode`.
    pub const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Input => ("推理（输入）", "infer_input"),
            Self::Cached => ("推理（缓存命中）", "infer_cache_hit"),
            Self::Output => ("推理（输出）", "infer_output"),
            Self::Images => ("图片生成", "infer_image"),
            Self::BatchInput => ("批量推理（输入）", "batch_infer_input"),
            Self::BatchCached => ("批量推理（缓存命中）", "batch_infer_cache_hit"),
            Self::BatchOutput => ("批量推理（输出）", "batch_infer_output"),
        }
    }
}

/// In which of the two lists a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownIn {
    /// In both.
    #[default]
    Both,
    /// In ListBillDetail.
    Detail,
    /// In ListSplitBillDetail.
    Split,
}

/// Something that is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Model calls, whose project only the split bill shows.
    Ark,
    /// Servers.
    Ecs,
    /// Volumes.
    Volume,
    /// Public addresses.
    Eip,
    /// Object storage.
    Tos,
    /// Content delivery.
    Cdn,
    /// MySQL.
    Mysql,
    /// Training machines.
    MlPlatform,
    /// Support contract.
    Support,
}

impl Product {
    /// `Product`, `ProductZh`, `Element`, the beginning of `InstanceNo`.
    const fn texts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Ark => ("ark_bd", "火山方舟大模型", "推理输入输出", "ep"),
            Self::Ecs => ("ECS", "云服务器", "ecs.g3i", "i"),
            Self::Volume => ("volume", "弹性块存储", "ESSD_PL0", "vol"),
            Self::Eip => ("EIP", "公网IP", "BGP_bandwidth", "eip"),
            Self::Tos => ("TOS", "对象存储", "标准存储容量", "bucket"),
            Self::Cdn => ("CDN", "内容分发网络", "流量", "domain"),
            Self::Mysql => ("RDS for MySQL", "云数据库 MySQL 版", "rds.mysql.2c4g", "mysql"),
            Self::MlPlatform => ("ml_platform", "机器学习平台", "ml.pni2l.28xlarge", "task"),
            Self::Support => ("support", "企业支持计划", "商业支持", "sp"),
        }
    }

    /// The product code.
    pub const fn code(self) -> &'static str {
        self.texts().0
    }

    /// The product's Chinese name.
    pub const fn name(self) -> &'static str {
        self.texts().1
    }

    /// The charge item.
    pub const fn element(self) -> &'static str {
        self.texts().2
    }

    /// The prefix of its resource ids.
    pub const fn instance_prefix(self) -> &'static str {
        self.texts().3
    }

    /// Whether ListBillDetail shows the project of its rows.
    pub const fn project_known_in_detail(self) -> bool {
        !matches!(self, Self::Ark | Self::Support)
    }
}

/// How something is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BillingMode {
    /// 包年包月.
    Subscription,
    /// 按量计费.
    PayAsYouGo,
    /// 合同计费.
    Contract,
}

impl BillingMode {
    /// The number used in filters and the text used in answers.
    pub const fn code_and_text(self) -> (&'static str, &'static str) {
        match self {
            Self::Subscription => ("1", "包年包月"),
            Self::PayAsYouGo => ("2", "按量计费"),
            Self::Contract => ("3", "合同计费"),
        }
    }
}

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// 消费-使用.
    ConsumeUse,
    /// 消费-新购.
    ConsumeNew,
    /// 消费-试用.
    ConsumeTrial,
    /// 退款-退订.
    RefundTerminate,
    /// 退款-更配.
    RefundModify,
    /// 调账-人工, either sign.
    TransferManual,
}

impl Category {
    /// The code used in filters and the text used in answers.
    pub const fn code_and_text(self) -> (&'static str, &'static str) {
        match self {
            Self::ConsumeUse => ("consume-use", "消费-使用"),
            Self::ConsumeNew => ("consume-new", "消费-新购"),
            Self::ConsumeTrial => ("consume-trial", "消费-试用"),
            Self::RefundTerminate => ("refund-terminate", "退款-退订"),
            Self::RefundModify => ("refund-modify", "退款-更配"),
            Self::TransferManual => ("transfer-manual", "调账-人工"),
        }
    }

    /// The parent's code used in filters of the overview and the text used in its answers.
    pub const fn parent(self) -> (&'static str, &'static str) {
        match self {
            Self::ConsumeUse | Self::ConsumeNew | Self::ConsumeTrial => ("consume", "消费"),
            Self::RefundTerminate | Self::RefundModify => ("refund", "退款"),
            Self::TransferManual => ("transfer", "调账"),
        }
    }
}

impl BillRow {
    /// A row of the first day of `period` whose 应付金额 is exactly `payable`; the other amounts are derived, with the
    /// 6 and 10 decimals that real rows have. A negative amount is a refund.
    pub fn new(period: BillPeriod, project: &str, product: Product, payable: Decimal) -> Self {
        let mut row = Self {
            id: 0,
            period,
            busi_period: period,
            expense_date: period.first_day(),
            product,
            billing_mode: BillingMode::PayAsYouGo,
            category: if payable.is_sign_negative() && !payable.is_zero() {
                Category::RefundTerminate
            } else {
                Category::ConsumeUse
            },
            instance: format!("{}-{project}", product.instance_prefix()),
            project: project.to_owned(),
            original: Decimal::ZERO,
            preferential: Decimal::ZERO,
            discount: Decimal::ZERO,
            coupon: Decimal::ZERO,
            round: Decimal::ZERO,
            payable,
            currency: "CNY".to_owned(),
            settled: true,
            amounts_missing: false,
            owner: None,
            item: None,
            shown_in: ShownIn::Both,
            visible_from: None,
            charged_from: None,
            is_undated: false,
        };
        row.fit(Decimal::new(0, 2), Decimal::new(0, 6));
        row
    }

    /// Derives the other amounts from `payable`, a coupon and a rounding.
    pub fn fit(&mut self, coupon: Decimal, round: Decimal) {
        self.coupon = coupon;
        self.round = round;
        self.discount = self.payable + coupon + round;
        // A discount of 15 %, so that the list price usually has ten decimals.
        let mut original = (self.discount / Decimal::new(85, 2)).round_dp(10);
        original.rescale(10);
        self.original = original;
        self.preferential = original - self.discount;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn amounts_of_a_row_fit_together(micros in -1_000_000_000_000i64..1_000_000_000_000, round in -500i64..10_000) {
            let period = BillPeriod::new(2026, 11).unwrap();
            let payable = Decimal::new(micros, 6);
            let mut row = BillRow::new(period, "p", Product::Ecs, payable);
            row.fit(Decimal::new(150, 2), Decimal::new(round, 6));
            prop_assert_eq!(row.payable, payable);
            prop_assert_eq!(row.discount, row.original - row.preferential);
            prop_assert_eq!(row.payable, row.discount - row.coupon - row.round);
        }
    }
}
