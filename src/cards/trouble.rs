//! Puts failures of the cloud into words.

use super::wording::Wording;
use crate::app::trouble::{Cause, Said, Trouble};

impl Wording {
    /// Says what failed and what to do about it, with the cloud's own message in brackets. Plain text, not markdown.
    pub fn trouble(&self, trouble: &Trouble) -> String {
        self.with_said(self.cause(&trouble.cause), &trouble.said)
    }

    fn with_said(&self, text: String, said: &Said) -> String {
        let Said { action, words, status, request_id } = said;
        let said: Vec<String> = [
            action.clone(),
            words.clone(),
            status.map(|status| format!("HTTP {status}")),
            request_id.as_ref().map(|id| self.t("trouble.request_id", &[("id", id)])),
        ]
        .into_iter()
        .flatten()
        .collect();
        if said.is_empty() {
            return text;
        }
        let said = said.join(&self.t("trouble.separator", &[]));
        self.t("trouble.with_words", &[("text", &text), ("said", &said)])
    }

    /// The same on the card of main accounts, where a key pair is replaced.
    pub fn trouble_of_account(&self, trouble: &Trouble) -> String {
        match trouble.cause {
            Cause::Credentials => {
                self.with_said(self.t("trouble.credentials_here", &[]), &trouble.said)
            }
            _ => self.trouble(trouble),
        }
    }

    fn cause(&self, cause: &Cause) -> String {
        let key = match cause {
            Cause::NoSplitBill { warning } => {
                return self.t("trouble.no_split_bill", &[("warning", warning)]);
            }
            Cause::EmptyBill { warning } => {
                return self.t("trouble.empty_bill", &[("warning", warning)]);
            }
            Cause::ForeignCurrency { currency } => {
                return self.t("trouble.foreign_currency", &[("currency", currency)]);
            }
            Cause::EmptyAmount { field, found } => {
                return self.t("trouble.empty_amount", &[("field", field), ("found", found)]);
            }
            Cause::AbsurdBill { period, project, amount } => {
                return self.t(
                    "trouble.absurd_bill",
                    &[("period", period), ("project", project), ("amount", amount)],
                );
            }
            Cause::OtherAccount { known, found } => {
                return self.t("trouble.other_account", &[("known", known), ("found", found)]);
            }
            Cause::KnownAccount { account } => {
                return self.t("trouble.known_account", &[("account", account)]);
            }
            Cause::Throttled => "trouble.throttled",
            Cause::Server => "trouble.server",
            Cause::Unreachable => "trouble.unreachable",
            Cause::NoAnswer => "trouble.no_answer",
            Cause::Broken => "trouble.broken",
            Cause::Credentials => "trouble.credentials",
            Cause::Clock => "trouble.clock",
            Cause::BillPermission => "trouble.bill_permission",
            Cause::UserPermission => "trouble.user_permission",
            Cause::ModelPermission => "trouble.model_permission",
            Cause::NotFound => "trouble.not_found",
            Cause::AlreadyExists => "trouble.already_exists",
            Cause::Conflict => "trouble.conflict",
            Cause::Limit => "trouble.limit",
            Cause::BadInput => "trouble.bad_input",
            Cause::Configuration => "trouble.configuration",
            Cause::Unexpected => "trouble.unexpected",
            Cause::UnsettledBill => "trouble.unsettled_bill",
            Cause::NoSuchAccount => "trouble.no_such_account",
            Cause::Store => "trouble.store",
            Cause::NotShownYet => "trouble.not_shown_yet",
            Cause::OwnKey => "trouble.own_key",
            Cause::KeysUnread => "trouble.keys_unread",
            Cause::NotApplied => "trouble.not_applied",
            Cause::PolicyNamesTaken => "trouble.policy_names_taken",
        };
        self.t(key, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::{Cards, Locale, OpIds};

    #[test]
    fn the_remedy_comes_first_and_the_clouds_words_last() {
        let trouble = Trouble {
            cause: Cause::Credentials,
            said: Said {
                action: Some("ListUsers".to_owned()),
                words: Some("InvalidAccessKey: no such key".to_owned()),
                status: Some(401),
                request_id: Some("2026".to_owned()),
            },
        };
        let chinese = Cards::new(Locale::ZhCn, OpIds::Counter).words();
        let text = chinese.trouble(&trouble);
        assert!(text.starts_with("访问密钥被拒绝") && text.contains("/accounts"), "{text}");
        let end = "（ListUsers；InvalidAccessKey: no such key；HTTP 401；请求 ID 2026）";
        assert!(text.ends_with(end), "{text}");
        let english = Cards::new(Locale::EnUs, OpIds::Counter).words();
        let text = english.trouble(&Cause::Unreachable.into());
        assert!(text.starts_with("The cloud cannot be reached") && !text.contains('('), "{text}");
    }
}
