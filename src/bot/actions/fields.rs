//! The fields of a card action: the members of its callback value and of its form.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::app::Refusal;
use crate::cards::value_in_name;
use crate::domain::typed::{free_text, parsed_text};
use crate::domain::{AccountId, OpId, ProjectName, Switch, UserKey};
use crate::feishu::CardAction;

/// Form fields whose values are never shown again.
const SECRET_FIELDS: [&str; 3] = ["access_key", "secret_key", "webhook_url"];

/// Separates the chosen options of a select that takes several, in [`form_values`]. No option contains it.
const CHOSEN_SEPARATOR: &str = "\n";

/// The form fields of an action by name, to be shown again after a refusal. Secrets are left out.
pub fn form_values(action: &CardAction) -> BTreeMap<String, String> {
    action
        .form
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(_) if SECRET_FIELDS.contains(&name.as_str()) => return None,
                Value::String(text) => text.clone(),
                // A checkbox holds no secret, even in a field of that name (`access_key` of user.create).
                Value::Bool(on) => on.to_string(),
                Value::Array(options) => {
                    let options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
                    options.join(CHOSEN_SEPARATOR)
                }
                _ => return None,
            };
            Some((name.clone(), text))
        })
        .collect()
}

/// The callback value of an action. Clients have been seen to submit a form without it; a form's button therefore carries
/// the value in its name as well (`cards::submit_name`).
pub fn value_of(action: &CardAction) -> Cow<'_, Map<String, Value>> {
    if !action.value.contains_key("action")
        && let Some(value) = action.name.as_deref().and_then(value_in_name)
    {
        return Cow::Owned(value);
    }
    Cow::Borrowed(&action.value)
}

/// Reads fields of a card action.
pub struct Fields<'a> {
    action: &'a CardAction,
    value: Cow<'a, Map<String, Value>>,
}

impl<'a> Fields<'a> {
    /// The fields of `action`.
    pub fn of(action: &'a CardAction) -> Self {
        Self { action, value: value_of(action) }
    }

    /// Whether a form was submitted. The platform leaves out empty fields, so the form itself may be empty.
    pub fn is_submitted(&self) -> bool {
        !self.action.form.is_empty() || self.action.name.is_some()
    }

    /// The chosen option of a select.
    pub fn option(&self) -> Option<String> {
        self.action.option.clone()
    }

    /// The text to search for. A submitted search form counts even if its field is empty or missing: this clears the
    /// search.
    pub fn search(&self) -> String {
        if self.action.form.contains_key("query") || self.action.name.is_some() {
            return self.typed("query");
        }
        let input = self.action.input.as_deref().map(|text| parsed_text(text).into_owned());
        input.or_else(|| self.text("query")).unwrap_or_default()
    }

    /// A member of the callback value, unless it is missing or empty.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.value.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A field of the form that is parsed or compared, such as a name or an amount, without invisible characters. Empty if
    /// nothing was typed: the platform then sends an empty text or no field.
    pub fn typed(&self, name: &str) -> String {
        parsed_text(&self.chosen(name)).into_owned()
    }

    /// The same where an empty text has a meaning of its own: anything that is not a text is refused instead.
    pub fn typed_or_none(&self, name: &'static str) -> Result<String, Refusal> {
        match self.action.form.get(name) {
            None | Some(Value::Null | Value::String(_)) => Ok(self.typed(name)),
            Some(_) => Err(Refusal::BadField(name)),
        }
    }

    /// A field of the form that holds free text. Empty if nothing was typed.
    pub fn free_text(&self, name: &str) -> String {
        free_text(&self.chosen(name)).into_owned()
    }

    /// The option that was chosen in a select of the form, unchanged; empty if there is none.
    pub fn chosen(&self, name: &str) -> String {
        match self.action.form.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// The options that were chosen in a select of the form that takes several, unchanged.
    pub fn all_chosen(&self, name: &str) -> Vec<String> {
        match self.action.form.get(name) {
            Some(Value::Array(options)) => {
                options.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Some(self.chosen(name)).filter(|text| !text.is_empty()).into_iter().collect(),
        }
    }

    /// Returns whether a checker of the form is ticked. If it is not, clients omit the field or send an empty text.
    pub fn ticked(&self, name: &str) -> bool {
        self.action.form_checked(name).unwrap_or(false)
    }

    /// Returns whether the form shows a group of fields: the card says so, or the submission has one of them.
    pub fn shows(&self, group: &str, fields: &[&str]) -> bool {
        let declared = match self.value.get(group) {
            Some(Value::Bool(shown)) => *shown,
            Some(Value::String(word)) => word == "true",
            _ => false,
        };
        declared || fields.iter().any(|name| self.action.form.contains_key(*name))
    }

    /// Whether a member of the callback value says yes.
    pub fn is_set(&self, name: &str) -> bool {
        self.value.get(name) == Some(&Value::Bool(true))
    }

    /// A number of the callback value.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value.get(name)?.as_u64()
    }

    /// The number of a request or an approval. A button's name carries it as text.
    pub fn id(&self, name: &'static str) -> Result<u64, Refusal> {
        self.number(name).or_else(|| self.text(name)?.parse().ok()).ok_or(Refusal::BadField(name))
    }

    /// Whether the decision is this word, and not the other one.
    pub fn decision(&self, yes: &str, no: &str) -> Result<bool, Refusal> {
        match self.text("decision") {
            Some(word) if word == yes => Ok(true),
            Some(word) if word == no => Ok(false),
            _ => Err(Refusal::BadField("decision")),
        }
    }

    /// The account, if the value names one.
    pub fn optional_account(&self) -> Result<Option<AccountId>, Refusal> {
        self.text("account")
            .map(|text| AccountId::new(text).map_err(|_| Refusal::BadField("account")))
            .transpose()
    }

    /// The idempotency key, if there is one.
    pub fn optional_op(&self) -> Result<Option<OpId>, Refusal> {
        match self.text("op") {
            Some(_) => self.op().map(Some),
            None => Ok(None),
        }
    }

    /// The user.
    pub fn user(&self) -> Result<UserKey, Refusal> {
        self.optional_user()?.ok_or(Refusal::BadField("user"))
    }

    /// The user, if the value names one.
    pub fn optional_user(&self) -> Result<Option<UserKey>, Refusal> {
        self.text("user")
            .map(|text| text.parse().map_err(|_| Refusal::BadField("user")))
            .transpose()
    }

    /// The project.
    pub fn project(&self) -> Result<ProjectName, Refusal> {
        self.text("project")
            .and_then(|text| ProjectName::new(text).ok())
            .ok_or(Refusal::BadField("project"))
    }

    /// The idempotency key.
    pub fn op(&self) -> Result<OpId, Refusal> {
        self.text("op").and_then(|text| OpId::new(text).ok()).ok_or(Refusal::BadField("op"))
    }

    /// The desired state of a switch.
    pub fn switch(&self, name: &'static str) -> Result<Switch, Refusal> {
        match self.value.get(name) {
            Some(Value::Bool(on)) => Ok(Switch::from(*on)),
            _ => Err(Refusal::BadField(name)),
        }
    }

    /// The page, from 1; 1 if the value names none.
    pub fn page(&self) -> usize {
        let page = match self.value.get("page") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        page.and_then(|page| usize::try_from(page).ok()).unwrap_or(1).max(1)
    }
}
