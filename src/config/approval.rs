//! Section `[approval]`.

use super::keys;
use super::reader::Reader;
use crate::domain::{ApprovalRules, Money};

/// Reads the section. `alone`: there is one administrator, and no group of them.
pub(super) fn read(reader: &mut Reader<'_>, alone: bool) -> Option<ApprovalRules> {
    let second_from = reader.number(&keys::SECOND_FROM).map(amount);
    let request_limit = reader.number(&keys::REQUEST_LIMIT).map(amount);
    if second_from.flatten().is_some() && alone {
        reader.refuse(
            keys::SECOND_FROM.key.path(),
            "needs a second administrator to confirm: add one to feishu.admins, set feishu.admin_chat_id, or set it to 0",
        );
    }
    Some(ApprovalRules { second_from: second_from?, request_limit: request_limit? })
}

/// Returns an amount in whole 元; `None` for 0, which switches the rule off.
fn amount(yuan: u32) -> Option<Money> {
    (yuan > 0).then(|| Money::from_fen(i64::from(yuan) * 100))
}
