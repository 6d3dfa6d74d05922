//! Creating a user: the form, the progress, and the secrets that only the operator reads.

use super::engine::template;
use super::facts::{self, Choice};
use super::monitor::ProcessingFacts;
use super::text::clip;
use super::wording::{Tone, Wording};
use super::{Card, CardContext, Cards};
use crate::app::create::CreateView;
use crate::app::{CreateField, CreateRefusal};
use crate::domain::{AccountNumber, Creation, Halt, KeyStep, SecretsSent, Step, UserKey};

/// How many options the project select offers; the first number that fits is used.
const OPTIONS: [usize; 5] = [60, 40, 20, 8, 0];
/// Max length of an option's label, in characters.
const OPTION_CHARS: usize = 40;
/// Max accounts to choose from.
const ACCOUNTS: usize = 10;
/// Max length of a reason, in characters.
const REASON_CHARS: usize = 300;

/// Where users of a main account sign in. The main account's number may follow, so that it need not be typed.
const SIGN_IN: &str = "https://console.volcengine.com/auth/login/user";

/// The secrets of a new user. One person gets them, once.
#[derive(Clone, Copy)]
pub struct SecretsView<'a> {
    /// The user.
    pub user: &'a UserKey,
    /// The initial password of console login.
    pub password: Option<&'a str>,
    /// Id and secret of the access key.
    pub access_key: Option<(&'a str, &'a str)>,
    /// The main account's name.
    pub account: &'a str,
    /// Its number, which users have to give when they sign in; `None` if it is not known.
    pub account_number: Option<AccountNumber>,
}

/// The facts of the form.
struct CreateFacts<'a> {
    accounts: Vec<Choice<'a>>,
    several: bool,
    account: Option<&'a str>,
    only: Option<&'a str>,
    projects: Vec<Choice<'a>>,
    project: Option<&'a str>,
    more: usize,
    login: bool,
    access_key: bool,
}

template!("create");

/// The facts of what a creation has made.
struct CreationFacts<'a> {
    key: String,
    name: &'a str,
    account: &'a str,
    display: &'a str,
    complete: bool,
    known: bool,
    halted: Option<String>,
    rows: Vec<Part>,
    secrets: Option<String>,
    lost: bool,
    creation: u64,
}

/// A part of a new user.
struct Part {
    label: String,
    colour: &'static str,
    text: String,
    detail: String,
}

template!("creation");

impl Cards {
    /// The form: `/create`.
    pub fn create(&self, view: &CreateView, ctx: &CardContext) -> Card {
        let [most, fewer @ ..] = OPTIONS;
        fewer.into_iter().fold(self.create_with(view, ctx, most), |card, options| {
            if card.fits() { card } else { self.create_with(view, ctx, options) }
        })
    }

    fn create_with(&self, view: &CreateView, ctx: &CardContext, options: usize) -> Card {
        let typed = |name: &str| ctx.form.values.get(name).map(String::as_str).unwrap_or_default();
        let several = view.accounts.len() > 1;
        let shown = view.projects.get(..options).unwrap_or(&view.projects);
        let more =
            view.more_projects.saturating_add(view.projects.len().saturating_sub(shown.len()));
        let projects: Vec<Choice<'_>> = shown
            .iter()
            .map(|(project, accounts)| {
                let (name, display) = (project.name.as_str(), project.display_name.trim());
                let mut text = if display.is_empty() || display == name {
                    clip(name, OPTION_CHARS)
                } else {
                    format!("{} ({})", clip(display, OPTION_CHARS), clip(name, OPTION_CHARS))
                };
                if several {
                    let accounts: Vec<&str> =
                        accounts.iter().take(3).map(|account| account.as_str()).collect();
                    text = format!("{text} · {}", accounts.join(" "));
                }
                Choice { value: name, text }
            })
            .collect();
        let project = Some(typed("project"))
            .filter(|chosen| shown.iter().any(|(known, _)| known.name.as_str() == *chosen));
        let accounts = view.accounts.iter().take(ACCOUNTS).map(|account| Choice {
            value: account.id.as_str(),
            text: facts::account(&account.name, &account.id),
        });
        let account = view
            .accounts
            .iter()
            .take(ACCOUNTS)
            .find(|account| account.id.as_str() == typed("account"))
            .map(|account| account.id.as_str());
        let ticked = |name: &str, default: bool| match typed(name) {
            "" => default && ctx.form.values.is_empty(),
            text => text == "true",
        };
        let facts = CreateFacts {
            accounts: accounts.collect(),
            several,
            account,
            only: view.accounts.first().map(|account| account.name.as_str()),
            projects,
            project,
            more,
            login: ticked("login", true),
            access_key: ticked("access_key", false),
        };
        self.card(ctx, &facts)
    }

    /// Says that a user is being created. The card is updated when this is done.
    pub fn creating(&self, user: &UserKey, ctx: &CardContext) -> Card {
        let words = self.words;
        let name = clip(user.username.as_str(), 64);
        let facts = ProcessingFacts {
            title: words.t("create.running", &[("user", &name)]),
            text: words.t("create.running_text", &[]),
        };
        self.card(ctx, &facts)
    }

    /// Which parts of a new user exist so far, and how to continue. `account` is the account's name.
    pub fn creation(&self, creation: &Creation, account: &str, ctx: &CardContext) -> Card {
        let words = self.words;
        let wanted = &creation.wanted;
        let complete = creation.is_complete();
        let step = |step: Step| match step {
            Step::Done => ("green", words.t("create.done", &[])),
            Step::Tried => ("orange", words.t("create.unclear", &[])),
            Step::Open => ("red", words.t("create.not_done", &[])),
        };
        let yes = |done: bool| step(if done { Step::Done } else { Step::Open });
        let mut rows = Vec::new();
        let mut row = |label: &str, (colour, text): (&'static str, String), detail: String| {
            rows.push(Part { label: words.t(label, &[]), colour, text, detail });
        };
        row("create.row_user", step(creation.user), clip(wanted.key.username.as_str(), 64));
        if let Some(project) = &wanted.project {
            row("create.row_project", yes(creation.linked), clip(project.as_str(), 64));
        }
        if let Some(quota) = wanted.quota {
            let state = if creation.waits_for_second {
                ("orange", words.t("create.second", &[]))
            } else {
                yes(creation.booked)
            };
            row("create.row_quota", state, quota.to_string());
        }
        if wanted.login {
            row("create.row_login", step(creation.login), String::new());
        }
        if wanted.access_key {
            let id = match &creation.key {
                KeyStep::Done { id } => clip(id, 80),
                KeyStep::Open | KeyStep::Tried { .. } => String::new(),
            };
            row("create.row_key", step(creation.key.step()), id);
        }
        let operator = words.operator(&creation.operator);
        let (secrets, lost) = match &creation.sent {
            SecretsSent::None => (None, false),
            SecretsSent::Sent => {
                (Some(words.t("create.secrets_sent", &[("operator", &operator)])), false)
            }
            SecretsSent::Lost { reason } => {
                let reason = clip(reason, 120);
                let args: [(&str, &dyn std::fmt::Display); 2] =
                    [("operator", &operator), ("reason", &reason)];
                (Some(words.t("create.secrets_lost", &args)), true)
            }
        };
        let facts = CreationFacts {
            key: wanted.key.to_string(),
            name: wanted.key.username.as_str(),
            account,
            display: wanted.display_name.as_str(),
            complete,
            known: creation.user == Step::Done,
            halted: creation.halt.as_ref().map(|_| words.creation_halted(creation)),
            rows,
            secrets,
            lost,
            creation: creation.id,
        };
        self.card(ctx, &facts)
    }

    /// Password and access key, for one person's direct chat only. Returns JSON text rather than a [`Card`], so that it can
    /// be neither printed nor enqueued by mistake.
    pub fn secrets(&self, view: &SecretsView<'_>) -> zeroize::Zeroizing<String> {
        let words = self.words;
        let plain = |text: &str| serde_json::json!({ "tag": "plain_text", "content": text });
        let mut elements = vec![serde_json::json!({
            "tag": "markdown", "content": words.t("create.secrets_text", &[])
        })];
        // As code, a client offers to copy it.
        let mut line = |key: &str, text: &str| {
            let label = words.t(key, &[]);
            elements.push(serde_json::json!({
                "tag": "markdown", "content": format!("<font color='grey'>{label}</font>"),
                "margin": "4px 0px 0px 0px",
            }));
            elements.push(match text.chars().all(is_code) {
                true => {
                    serde_json::json!({ "tag": "markdown", "content": format!("```\n{text}\n```") })
                }
                false => serde_json::json!({ "tag": "div", "text": plain(text) }),
            });
        };
        if let Some(password) = view.password {
            let number = view.account_number.map(|number| number.to_string());
            let path = number.as_ref().map(|number| format!("/{number}")).unwrap_or_default();
            line("create.sign_in", &format!("{SIGN_IN}{path}"));
            if let Some(number) = &number {
                line("create.account_number", number);
            }
            line("create.username", &clip(view.user.username.as_str(), 120));
            line("create.password", password);
        } else {
            line("create.username", &clip(view.user.username.as_str(), 120));
        }
        if let Some((id, secret)) = view.access_key {
            line("create.key_id", id);
            line("create.key_secret", secret);
        }
        let user = view.user.to_string();
        elements.push(serde_json::json!({
            "tag": "button", "type": "primary_filled", "size": "medium", "margin": "8px 0px 0px 0px",
            "text": plain(&words.t("create.secrets_recall", &[])),
            "behaviors": [{
                "type": "callback", "value": { "action": "secrets.recall", "user": user }
            }],
        }));
        let name = clip(view.user.username.as_str(), 64);
        let key = match (view.password, view.access_key) {
            (Some(_), None) => "create.password_title",
            (None, Some(_)) => "create.key_title",
            _ => "create.secrets_title",
        };
        let title = words.t(key, &[("user", &name)]);
        let account = clip(view.account, 40);
        let subtitle = words.t("user.account", &[("account", &account)]);
        let card = serde_json::json!({
            "schema": "2.0",
            "config": { "update_multi": true, "enable_forward": false, "summary": { "content": title } },
            "header": { "template": "violet", "title": plain(&title), "subtitle": plain(&subtitle) },
            "body": { "vertical_spacing": "4px", "elements": elements },
        });
        zeroize::Zeroizing::new(card.to_string())
    }

    /// What is left of the card with a user's secrets until it is recalled: `secrets.recall`.
    pub fn secrets_gone(&self, user: &UserKey) -> Card {
        let name = clip(user.username.as_str(), 64);
        let title = self.words.t("create.secrets_gone", &[("user", &name)]);
        self.message(Tone::Success, &title, &self.words.t("create.secrets_gone_text", &[]))
    }
}

/// Whether a character means nothing in markdown code, so that it is shown as it is.
fn is_code(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.!#+/=@,:".contains(c)
}

/// The key of what a field of the form is called.
fn field_label(field: CreateField) -> &'static str {
    match field {
        CreateField::Account => "create.account",
        CreateField::Username => "create.username",
        CreateField::DisplayName => "create.display_name",
        CreateField::Email => "user.email",
        CreateField::Phone => "user.phone",
        CreateField::Project => "create.first_project",
        CreateField::Quota => "create.quota",
    }
}

impl Wording {
    /// Why a creation stopped, and what exists.
    pub fn creation_halted(&self, creation: &Creation) -> String {
        match &creation.halt {
            None => String::new(),
            Some(Halt::Exists) => {
                self.t("create.exists_in_cloud", &[("user", &creation.wanted.key)])
            }
            Some(Halt::Cloud { reason }) if creation.made_nothing() => {
                self.t("create.nothing_made", &[("reason", &clip(reason, REASON_CHARS))])
            }
            Some(Halt::Cloud { reason }) => {
                self.t("create.stopped", &[("reason", &clip(reason, REASON_CHARS))])
            }
        }
    }

    /// Why a user cannot be created.
    pub(super) fn create_refusal(&self, refusal: &CreateRefusal) -> String {
        let quote = |text: &str| clip(text, 60);
        match refusal {
            CreateRefusal::Fields(faults) => {
                let faults = faults.iter().map(|(field, refusal)| {
                    let label = self.t(field_label(*field), &[]);
                    self.t("create.fault", &[("field", &label), ("reason", &self.refusal(refusal))])
                });
                faults.collect::<Vec<String>>().join("\n")
            }
            CreateRefusal::Username(name) if name.is_empty() => self.t("create.no_username", &[]),
            CreateRefusal::Username(name) => {
                self.t("create.bad_username", &[("name", &quote(name))])
            }
            CreateRefusal::Account => self.t("create.bad_account", &[]),
            CreateRefusal::Project(name) => self.t("create.bad_project", &[("name", &quote(name))]),
            CreateRefusal::ProjectTaken(project, by) => self.t(
                "create.project_taken",
                &[("project", &quote(project.as_str())), ("others", &self.usernames(by))],
            ),
            CreateRefusal::Quota => self.t("create.bad_quota", &[]),
            CreateRefusal::Exists(user) => self.t("create.exists", &[("user", user)]),
            CreateRefusal::Running(user) => self.t("create.runs", &[("user", user)]),
            CreateRefusal::Forgotten => self.t("create.forgotten", &[]),
            CreateRefusal::Complete => self.t("create.complete", &[]),
        }
    }
}
