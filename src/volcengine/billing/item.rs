//! What a row of a bill is for, by its names (docs/platforms/ark.md §D.2, §D.5).

use crate::domain::estimate::model_name;
use crate::domain::{BilledItem, ProjectName, UsageKind};

/// Words of charges that no usage measures: batch jobs at their own price, storage of contexts, tuning, reserved capacity.
const NOT_MEASURED: [&str; 15] = [
    "batch", "批量", "storage", "存储", "session", "会话", "finetune", "fine_tun", "精调", "训练",
    "tpm", "保障", "unit", "单元", "plugin",
];

/// Returns what a row is for.
///
/// `config` is `ConfigName`, which names the model; `element` and `charge` are `Element` and `ChargeItemCode`.
pub(super) fn item_of(project: &str, config: &str, element: &str, charge: &str) -> BilledItem {
    if !matches!(project.trim(), "" | "-")
        && let Ok(project) = ProjectName::new(project)
    {
        return BilledItem::Project(project);
    }
    let model = model_name(config);
    match kind_of(element, charge) {
        Some(kind) if !matches!(model.as_str(), "" | "-") => BilledItem::Model { model, kind },
        _ => BilledItem::Other,
    }
}

/// Codes of 方舟's products, beside those that begin with `ark` (docs/platforms/ark.md §D.2). A row may have one code in one list
/// and another in the other.
const OF_ARK: [&str; 2] = ["db_research", "doubao"];

/// Returns what a product is compared by: its code, and one for all of 方舟.
pub(super) fn family_of(product: &str) -> &str {
    let lower = product.to_ascii_lowercase();
    let is_ark = lower.starts_with("ark") || OF_ARK.iter().any(|code| lower.starts_with(code));
    if is_ark { "ark" } else { product.trim() }
}

/// Words of `BillCategory` for what is paid once, and no use (docs/platforms/volcengine.md §7): orders and their changes,
/// refunds, corrections. The lists show the text; the code is that of the filter.
const ONCE: [&str; 13] = [
    "新购",
    "续费",
    "更配",
    "转正",
    "退款",
    "退订",
    "调账",
    "consume-new",
    "consume-renew",
    "consume-modify",
    "consume-formalize",
    "refund",
    "transfer",
];

/// Returns whether a row of this `BillCategory` is paid once: an order, a refund, or a correction. What is not known is use.
pub(super) fn is_once(category: &str) -> bool {
    ONCE.iter().any(|word| category.contains(word))
}

/// Returns what a charge item measures, by its two names; `None` if no usage measures it, or it is not known.
fn kind_of(element: &str, charge: &str) -> Option<UsageKind> {
    let text = format!("{} {}", element.to_lowercase(), charge.to_lowercase());
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&NOT_MEASURED) {
        return None;
    }
    let output = has(&["output", "输出", "completion"]);
    let input = has(&["input", "输入", "prompt"]);
    let cached = has(&["cache", "缓存"]);
    match (cached, input, output) {
        (true, _, false) => Some(UsageKind::Cached),
        (false, true, false) => Some(UsageKind::Input),
        (false, false, true) => Some(UsageKind::Output),
        (false, _, _) if has(&["infer", "推理", "生成"]) => Some(UsageKind::Other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_products_of_ark_are_one() {
        for (product, family) in [
            ("ark_bd", "ark"),
            ("Doubao-image-generation", "ark"),
            ("Doubao-Seedream", "ark"),
            ("ark_ym_sanfang", "ark"),
            ("db_research", "ark"),
            ("ECS", "ECS"),
            ("RDS for MySQL", "RDS for MySQL"),
            ("", ""),
        ] {
            assert_eq!(family_of(product), family);
        }
    }

    #[test]
    fn orders_refunds_and_corrections_are_no_use() {
        for category in
            ["消费-新购", "消费-续费", "消费-更配", "退款-退订", "退款-更配", "调账-人工"]
        {
            assert!(is_once(category), "{category}");
        }
        for category in ["消费-使用", "消费-试用", "consume-use", "", "-", "别的"] {
            assert!(!is_once(category), "{category}");
        }
    }

    #[test]
    fn a_charge_item_is_known_by_its_names_or_measured_by_nothing() {
        for (element, charge, kind) in [
            (
                "Doubao-Seed-2.0-pro-32k以内推理（输入）",
                "Doubao_Seed_2.0_pro_32k_infer_input_cn-beijing_realtime",
                Some(UsageKind::Input),
            ),
            ("推理（输出）", "x_infer_output", Some(UsageKind::Output)),
            ("", "x_infer_output", Some(UsageKind::Output)),
            ("推理（输入-缓存命中）", "", Some(UsageKind::Cached)),
            ("推理（缓存命中）", "x_infer_cache_hit", Some(UsageKind::Cached)),
            ("推理", "", Some(UsageKind::Other)),
            ("推理输入输出", "", Some(UsageKind::Other)),
            ("图片生成", "", Some(UsageKind::Other)),
            // Another price, or nothing that usage counts.
            ("批量推理（输入）", "x_batch_infer_input", None),
            ("上下文缓存存储", "x_cache_storage", None),
            ("模型精调", "x_finetune", None),
            ("TPM保障包", "", None),
            ("缓存（输出）", "", None),
            ("ESSD_PL0", "", None),
            ("", "", None),
        ] {
            assert_eq!(kind_of(element, charge), kind, "{element} {charge}");
        }
    }
}
