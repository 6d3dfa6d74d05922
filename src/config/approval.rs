//! Section `[approval]`.

use super::keys;
use super::reader::Reader;
use crate::domain::{ApprovalRules, Money};

/// Reads the section, given how many administrators there are; `None` if that is not known.
pub(super) fn read(reader: &mut Reader<'_>, admins: Option<usize>) -> Option<ApprovalRules> {
    let second_from = reader.number(&keys::SECOND_FROM).map(amount);
    let request_limit = reader.number(&keys::REQUEST_LIMIT).map(amount);
    if second_from.flatten().is_some() && admins.is_some_and(|admins| admins < 2) {
        reader.refuse(
            keys::SECOND_FROM.key.path(),
            "needs a second administrator to confirm: add one to feishu.admins, or set it to 0",
        );
    }
    Some(ApprovalRules { second_from: second_from?, request_limit: request_limit? })
}

/// Returns an amount in whole 元; `None` for 0, which switches the rule off.
fn amount(yuan: u32) -> Option<Money> {
    (yuan > 0).then(|| Money::from_fen(i64::from(yuan) * 100))
}
