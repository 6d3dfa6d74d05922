//! The confirmation before access is cut or restored.

use minijinja::{Value, context};

use super::facts;
use super::text::{clip, md};
use super::{Card, CardContext, Cards};
use crate::app::outcome::UserDetail;
use crate::domain::{AccessGoal, Switch, UserStatus, must_be_cut};

/// Max access keys that the card names.
const KEYS: usize = 6;

impl Cards {
    /// The reply to `/enable` and `/disable`: what will happen, and a button that does it.
    pub fn access_confirm(&self, detail: &UserDetail, goal: AccessGoal, ctx: &CardContext) -> Card {
        let words = self.words;
        let user = &detail.user;
        let cut = goal == AccessGoal::Cut;
        let (keys, login) = match (goal, &detail.remembered) {
            (AccessGoal::Restored, Some(remembered)) => {
                let keys = remembered.keys().into_iter().map(str::to_owned).collect();
                (keys, remembered.login())
            }
            (AccessGoal::Restored, None) => (Vec::new(), false),
            (AccessGoal::Cut, _) => (
                user.access_keys
                    .iter()
                    .filter(|key| key.active.is_on())
                    .map(|key| key.id.clone())
                    .collect(),
                user.login == Some(Switch::On),
            ),
        };
        let shown: Vec<String> = keys.iter().take(KEYS).map(|key| md(&clip(key, 64))).collect();
        let already = match goal {
            AccessGoal::Cut => user.status == UserStatus::Disabled,
            AccessGoal::Restored => user.status == UserStatus::Active,
        };
        let possible = user.status != UserStatus::Gone && detail.pending.is_none() && !already;
        let facts: Value = context! {
            key => user.key.to_string(),
            name => user.key.username.as_str(),
            display => user.display_name.as_str(),
            account => detail.account_name.as_str(),
            cut => cut,
            already => already,
            gone => user.status == UserStatus::Gone,
            possible => possible,
            pending => detail.pending.as_ref().map(|pending| facts::pending(words, pending)),
            status => facts::status(words, user, detail.pending.as_ref()),
            figures => facts::user_figures(words, user, detail.level),
            keys => shown.join("\n"),
            key_count => keys.len(),
            more_keys => keys.len().saturating_sub(KEYS),
            login => login,
            policies => match (goal, &detail.remembered) {
                (AccessGoal::Restored, Some(remembered)) => remembered.policies.len(),
                _ => 0,
            },
            nothing_known => user.access_read_at.is_none() && detail.remembered.is_none(),
            cut_again => !cut && must_be_cut(user),
        };
        self.card("access.json.j2", ctx, facts)
    }
}
