//! What counts as spending: the bill list it is read from, and which amount of a row.

use serde::{Deserialize, Serialize};

/// The Volcengine list that spending is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillSource {
    /// 分账账单 (ListSplitBillDetail): the only one that attributes model calls to projects; must be switched on.
    #[default]
    Split,
    /// 明细账单 (ListBillDetail): always available, but reports `-` as the project of some products.
    Detail,
}

/// The amount of a bill row that counts as spending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountField {
    /// 应付金额 (`PayableAmount`).
    #[default]
    Payable,
    /// 折后价 (`DiscountBillAmount`).
    Discount,
    /// 原价 (`OriginalBillAmount`).
    Original,
}
