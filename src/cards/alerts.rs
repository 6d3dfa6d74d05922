//! A posted alert, and the list of past alerts.

use std::borrow::Cow;

use jiff::Timestamp;

use super::engine::template;
use super::facts::{self, Amount, Tag};
use super::incident::standing_template;
use super::paths::PathLine;
use super::text::{clip, md};
use super::{AlertsPlace, Card, CardContext, Cards};
use crate::app::outcome::{AlertsView, UserDetail};
use crate::domain::{
    AccessGoal, AccessPath, AccountId, AlertBody, AlertKind, AlertRecord, BackupPlace, Figures,
    Limit, Money, Notice, OpenId, Operator, Outlook, Problem, Spender, Spike, Standing, Unbilled,
    Usage, UserKey, UserStatus, must_be_cut,
};

/// Max projects in an alert's breakdown.
const BREAKDOWN: usize = 12;

/// How an alert is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertVia {
    /// To a chat, by the app: with buttons, and it can be updated.
    Chat,
    /// Through a custom bot's webhook, whose cards cannot call back (自定义机器人使用指南).
    Webhook,
}

/// The facts of a posted alert.
struct AlertFacts<'a> {
    buttons: bool,
    id: u64,
    title: String,
    template: &'static str,
    kind: Tag,
    time: String,
    fallback: Option<&'a str>,
    mentions: String,
    key: Option<String>,
    name: &'a str,
    account_id: Option<&'a str>,
    display: Option<&'a str>,
    account: Option<&'a str>,
    /// What can be done about the user's access.
    cuts: bool,
    restores: bool,
    tops_up_and_restores: bool,
    verdict: Option<Tag>,
    text: Option<String>,
    reason: Option<&'a str>,
    paths: Vec<PathLine>,
    top_up: bool,
    steps: Vec<String>,
    lists: bool,
    /// The users of an owner who left.
    left: Vec<Left<'a>>,
    forecast: Option<String>,
    figures: Option<facts::Figures>,
    month: Option<String>,
    unbilled: Option<String>,
    breakdown: String,
    rows: Vec<Amount<'a>>,
    rest: usize,
    rest_sum: String,
}

/// A user whose owner has left.
struct Left<'a> {
    key: String,
    name: &'a str,
}

template!("alert");

/// The facts of the list of alerts.
struct AlertsFacts<'a> {
    rows: Vec<Row<'a>>,
    page: usize,
    pages: usize,
    total: usize,
    user: Option<String>,
    name: &'a str,
    kind: Option<&'static str>,
    kinds: Vec<Kind>,
    all: String,
}

/// A past alert.
struct Row<'a> {
    title: String,
    kind: Tag,
    time: String,
    detail: Option<Cow<'a, str>>,
    notice: String,
    lost: bool,
    key: Option<String>,
}

/// A button that shows alerts of one kind.
struct Kind {
    word: &'static str,
    text: String,
    chosen: bool,
}

template!("alerts");

impl Cards {
    /// An alert without mentions. See [`Cards::alert_mentioning`].
    pub fn alert(
        &self,
        alert: &AlertRecord,
        detail: Option<&UserDetail>,
        via: AlertVia,
        fallback_reason: Option<&str>,
    ) -> Card {
        self.alert_mentioning(alert, detail, via, fallback_reason, &[])
    }

    /// A posted alert. `detail` is the current state of the user it is about, if there is one and it is still known.
    /// `fallback_reason` says why it goes to a person instead of the group. `people` are mentioned.
    pub fn alert_mentioning(
        &self,
        alert: &AlertRecord,
        detail: Option<&UserDetail>,
        via: AlertVia,
        fallback_reason: Option<&str>,
        people: &[OpenId],
    ) -> Card {
        let words = self.words;
        let user = detail.map(|detail| &detail.user);
        let status = user.map(|user| user.status);
        let standing = match detail {
            Some(detail) => alert.standing(detail.situation()),
            None => Standing::Open,
        };
        let is_closed = standing.is_closed();
        let pending = detail.and_then(|detail| detail.pending.as_ref()).is_some();
        let is_cut = status == Some(UserStatus::Disabled) && !pending;
        let is_used_up = detail.is_some_and(|detail| {
            let (month, unbilled) = (detail.month.as_ref(), detail.unbilled.as_ref());
            must_be_cut(&detail.user, month, unbilled).is_some_and(|of| of != Limit::Month)
        });
        let body = &alert.body;
        let paths = match body {
            AlertBody::Disable { paths, .. }
            | AlertBody::Error { problem: Problem::AccessDelayed { paths, .. } } => {
                self.brief_paths(paths)
            }
            AlertBody::Forecast { outlook: Outlook::Spikes { projects, .. } } => {
                projects.iter().map(|spike| self.spike(spike)).collect()
            }
            AlertBody::Warnings { users, .. } => self.warned_users(users),
            _ => Vec::new(),
        };
        let numbers = match body {
            AlertBody::Warning { of, figures, .. } | AlertBody::Disable { of, figures, .. } => {
                Some((*of, figures))
            }
            AlertBody::Forecast { outlook: Outlook::RunsOut { runs_out, figures, .. } } => {
                Some((runs_out.of, figures))
            }
            AlertBody::Warnings { .. }
            | AlertBody::Error { .. }
            | AlertBody::Manual { .. }
            | AlertBody::Forecast { .. } => None,
        };
        let limit = numbers.map(|(of, _)| of);
        let numbers = numbers.map(|(_, numbers)| numbers);
        let (text, reason) = self.alert_text(body, detail);
        let breakdown = numbers.map_or(&[][..], |numbers| &numbers.breakdown);
        let rows = breakdown.iter().take(BREAKDOWN);
        let rest = breakdown.get(BREAKDOWN..).unwrap_or_default();
        let facts = AlertFacts {
            buttons: via == AlertVia::Chat,
            id: alert.id,
            title: words.alert_title(alert),
            template: standing_template(standing).unwrap_or_else(|| alert_template(body)),
            kind: self.standing_tag(standing).unwrap_or_else(|| self.alert_tag(body)),
            time: words.time_full(alert.at),
            fallback: fallback_reason,
            mentions: mentions(people),
            key: alert.user.as_ref().map(ToString::to_string),
            name: alert.user.as_ref().map_or("", |key| key.username.as_str()),
            account_id: alert.user.as_ref().map(|key| key.account.as_str()),
            display: user.map(|user| user.display_name.as_str()),
            account: detail.map(|detail| detail.account_name.as_str()),
            cuts: matches!(status, Some(UserStatus::Active | UserStatus::Unknown))
                && !pending
                && !is_closed,
            restores: is_cut,
            tops_up_and_restores: is_cut && is_used_up,
            verdict: match body {
                AlertBody::Disable { paths, .. } => self.verdict_then(paths),
                _ => None,
            },
            // What to do about a cut is done.
            text: text.filter(|_| !(is_closed && matches!(body, AlertBody::Disable { .. }))),
            // The lines of the paths say why.
            reason: reason.filter(|_| paths.is_empty()),
            paths,
            // More quota does not help against the month limit.
            top_up: limit.is_some_and(|of| of != Limit::Month)
                && !matches!(status, Some(UserStatus::Gone) | None)
                && !is_closed,
            steps: self.steps(&alert.steps, alert.at),
            lists: matches!(body, AlertBody::Warnings { .. }),
            left: match body {
                AlertBody::Error { problem: Problem::OwnerLeft { users, .. } } => users
                    .iter()
                    .map(|key| Left { key: key.to_string(), name: key.username.as_str() })
                    .collect(),
                _ => Vec::new(),
            },
            forecast: match body {
                AlertBody::Warning { .. } => detail
                    .and_then(|detail| detail.forecast)
                    .and_then(|it| facts::forecast(words, &it)),
                _ => None,
            },
            figures: numbers.map(|numbers| {
                let thresholds = detail.map(|detail| &detail.thresholds);
                facts::figures(words, numbers.quota, numbers.consumed, thresholds)
            }),
            month: numbers
                .and_then(|numbers| numbers.month.as_ref())
                .map(|month| facts::month_figures(words, month)),
            unbilled: numbers
                .and_then(|it| self.counted(it, limit.unwrap_or_default(), it.unbilled?)),
            breakdown: match limit {
                Some(Limit::Month) => words.t("alert.breakdown_month", &[]),
                Some(Limit::Quota | Limit::Both) | None => words.t("alert.breakdown", &[]),
            },
            rows: rows
                .map(|row| {
                    let shared = row.shared.as_ref().map(|shared| words.sharing(shared));
                    facts::amount(words, &row.label, row.spending, row.freshness, shared)
                })
                .collect(),
            rest: rest.len(),
            rest_sum: rest.iter().map(|row| row.spending).sum::<Money>().to_string(),
        };
        self.card_for_all(&facts)
    }

    /// The type as a tag. A recovery has the type "error", which a green card should not say.
    fn alert_tag(&self, body: &AlertBody) -> Tag {
        let kind = body.kind();
        if is_test(body) {
            return Tag { text: self.words.t("kind.test", &[]), colour: "blue" };
        }
        if is_recovery(body) {
            return Tag { text: self.words.t("kind.recovered", &[]), colour: "green" };
        }
        let colour = match kind {
            AlertKind::Warning => "orange",
            AlertKind::Disable => "red",
            AlertKind::Error => "carmine",
            AlertKind::Manual => "violet",
            AlertKind::Forecast => "indigo",
        };
        Tag { text: self.words.alert_kind(kind), colour }
    }

    /// What happened, and the reason of a failure.
    fn alert_text<'a>(
        &self,
        body: &'a AlertBody,
        detail: Option<&UserDetail>,
    ) -> (Option<String>, Option<&'a str>) {
        let words = self.words;
        match body {
            AlertBody::Warning { .. } => (None, None),
            AlertBody::Warnings { users, .. } => (self.more_warned(users), None),
            AlertBody::Disable { of: Limit::Month, .. } => {
                (Some(words.t("alert.disable_month_then", &[])), None)
            }
            AlertBody::Disable { of: Limit::Both, .. } => {
                (Some(words.t("alert.disable_both_then", &[])), None)
            }
            AlertBody::Disable { .. } => (Some(words.t("alert.disable_then", &[])), None),
            AlertBody::Forecast { outlook } => (Some(self.outlook(outlook)), None),
            AlertBody::Manual { goal, operator, left, gone } => {
                let by_system = *operator == Operator::System;
                let operator = words.operator(operator);
                let text = match goal {
                    AccessGoal::Cut => words.t("alert.manual_cut_text", &[("operator", &operator)]),
                    AccessGoal::Restored if by_system => words.t("alert.month_restored_text", &[]),
                    AccessGoal::Restored => {
                        words.t("alert.manual_restored_text", &[("operator", &operator)])
                    }
                };
                let text = match self.brief(left) {
                    Some(items) => {
                        words.t("alert.left_closed", &[("text", &text), ("items", &items)])
                    }
                    None => text,
                };
                let text = match self.brief(gone) {
                    Some(items) => {
                        words.t("alert.not_found", &[("text", &text), ("items", &items)])
                    }
                    None => text,
                };
                (Some(text), None)
            }
            AlertBody::Error { problem } => match problem {
                Problem::CyclesFailing { reason, accounts, .. } => {
                    let text = self.about(accounts, "alert.cycles_failing_text");
                    (Some(text), Some(reason.as_str()))
                }
                Problem::CyclesRecovered { accounts } => {
                    (Some(self.about(accounts, "alert.cycles_recovered_text")), None)
                }
                Problem::AccessReopened { items } => {
                    let text = match self.brief(items) {
                        Some(items) => words.t("alert.reopened_items", &[("items", &items)]),
                        None => words.t("alert.reopened_text", &[]),
                    };
                    (Some(text), None)
                }
                Problem::StillSpending { spender } => {
                    (Some(self.still_spending(spender, detail)), None)
                }
                Problem::EstimateOff { .. } => {
                    (Some(words.t("alert.estimate_off_text", &[])), None)
                }
                Problem::EstimateRecovered { .. } => {
                    (Some(words.t("alert.estimate_recovered_text", &[])), None)
                }
                Problem::BackupFailing { place, reason } => {
                    let key = match place {
                        BackupPlace::Folder => "alert.backup_failing_text",
                        BackupPlace::Bucket => "alert.upload_failing_text",
                    };
                    (Some(words.t(key, &[])), reason.as_deref())
                }
                Problem::BackupRecovered { .. } => {
                    (Some(words.t("alert.backup_recovered_text", &[])), None)
                }
                Problem::PolicyTaken { policy, instead, .. } if instead.is_empty() => {
                    (Some(words.t("alert.policies_taken_text", &[("policy", policy)])), None)
                }
                Problem::PolicyTaken { policy, instead, .. } => {
                    let values: [(&str, &dyn std::fmt::Display); 2] =
                        [("policy", policy), ("instead", instead)];
                    (Some(words.t("alert.policy_taken_text", &values)), None)
                }
                Problem::CredentialsRefused { account, reason } => {
                    let text = words.t("alert.credentials_refused_text", &[("account", account)]);
                    (Some(text), Some(reason.as_str()))
                }
                Problem::CredentialsRecovered { .. } => {
                    (Some(words.t("alert.credentials_recovered_text", &[])), None)
                }
                Problem::AccessDelayed { goal: AccessGoal::Cut, reason, .. } => {
                    (Some(words.t("alert.cut_delayed_text", &[])), Some(reason.as_str()))
                }
                Problem::AccessDelayed { goal: AccessGoal::Restored, reason, .. } => {
                    (Some(words.t("alert.restore_delayed_text", &[])), Some(reason.as_str()))
                }
                Problem::OwnerLeft { more, .. } => {
                    let text = words.t("alert.owner_left_text", &[]);
                    let more =
                        (*more > 0).then(|| words.t("alert.owner_left_more", &[("count", more)]));
                    (Some([Some(text), more].into_iter().flatten().collect::<String>()), None)
                }
                Problem::Test { operator } => {
                    let operator = words.operator(operator);
                    (Some(words.t("alert.test_text", &[("operator", &operator)])), None)
                }
            },
        }
    }

    /// A text, preceded by the accounts that it is about. Older records do not name them.
    fn about(&self, accounts: &[AccountId], text: &str) -> String {
        let words = self.words;
        let text = words.t(text, &[]);
        if accounts.is_empty() {
            return text;
        }
        let separator = words.t("list.separator", &[]);
        let names: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
        let names = clip(&names.join(&separator), 200);
        words.t("alert.accounts", &[("accounts", &names), ("text", &text)])
    }

    /// What spends after a cut. Groups see alerts, so a key is named and its id is left to the user's card.
    fn still_spending(&self, spender: &Spender, detail: Option<&UserDetail>) -> String {
        let words = self.words;
        let unknown = || words.t("alert.unnamed", &[]);
        let name_of = |path: AccessPath, id: &str| {
            let report = detail?.paths.get(&path)?;
            let item = report.open.iter().find(|item| item.id == id)?;
            (!item.name.is_empty()).then(|| clip(&item.name, 40))
        };
        let endpoint =
            match (spender.endpoint.as_str(), name_of(AccessPath::Endpoints, &spender.endpoint)) {
                ("", _) => unknown(),
                (id, None) => clip(id, 40),
                (id, Some(name)) => format!("{name} · {}", clip(id, 40)),
            };
        let key = name_of(AccessPath::ModelKeys, &spender.key).unwrap_or_else(unknown);
        let project = clip(spender.project.as_str(), 40);
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("project", &project), ("endpoint", &endpoint), ("key", &key)];
        words.t("alert.still_spending_text", &values)
    }

    /// What an alert of type `forecast` says, with the numbers that led to it.
    fn outlook(&self, outlook: &Outlook) -> String {
        let words = self.words;
        match outlook {
            Outlook::RunsOut { runs_out, rate, month_end, .. } => {
                facts::outlook(words, *rate, Some(runs_out), *month_end)
            }
            Outlook::Spikes { .. } => words.t("alert.spikes_text", &[]),
            Outlook::BalanceLow { available, rate, .. } => {
                let basis = facts::basis(words, *rate);
                words.t("alert.balance_low_text", &[("amount", available), ("basis", &basis)])
            }
            Outlook::BalanceRecovered { available, .. } => {
                words.t("alert.balance_recovered_text", &[("amount", available)])
            }
        }
    }

    fn spike(&self, spike: &Spike) -> PathLine {
        let values: [(&str, &dyn std::fmt::Display); 2] =
            [("amount", &spike.amount), ("median", &spike.median)];
        PathLine {
            label: md(&clip(&spike.project, 40)),
            colour: "orange",
            text: self.words.t("alert.spike", &values),
        }
    }

    /// How much is billed, how much estimated, and what that is together.
    fn counted(&self, numbers: &Figures, of: Limit, unbilled: Unbilled) -> Option<String> {
        let (billed, allowed) = numbers.spent_of(of);
        let (text, estimated) = match (&numbers.month, of) {
            (Some(month), Limit::Month) => {
                ("alert.estimated_month", unbilled.for_warnings_in(month.period))
            }
            _ => ("alert.estimated", unbilled.amount),
        };
        if !estimated.is_positive() {
            return None;
        }
        let sum = billed + estimated;
        let percent = Usage::new(sum, allowed).percent();
        let (since, time) = (self.words.day(unbilled.since), self.words.time(unbilled.read_at));
        let values: [(&str, &dyn std::fmt::Display); 6] = [
            ("billed", &billed),
            ("estimated", &estimated),
            ("sum", &sum),
            ("percent", &percent),
            ("since", &since),
            ("time", &time),
        ];
        Some(self.words.t(text, &values))
    }

    /// Past alerts: `/alerts`, `alerts.list`.
    pub fn alerts(&self, view: &AlertsView, ctx: &CardContext) -> Card {
        let words = self.words;
        let kinds = AlertKind::ALL.into_iter().map(|kind| Kind {
            word: kind.word(),
            text: words.counted(words.alert_kind(kind), view.count_of(kind)),
            chosen: view.kind == Some(kind),
        });
        let ctx = &ctx.clone().with_alerts(Some(AlertsPlace {
            user: view.user.as_ref().map(ToString::to_string),
            kind: view.kind.map(|kind| kind.word().to_owned()),
            page: view.page,
        }));
        let facts = AlertsFacts {
            rows: view.alerts.iter().map(|alert| self.alerts_row(alert, ctx.now)).collect(),
            page: view.page,
            pages: view.pages,
            total: view.total,
            user: view.user.as_ref().map(ToString::to_string),
            name: view.user.as_ref().map_or("", |key| key.username.as_str()),
            kind: view.kind.map(AlertKind::word),
            kinds: kinds.collect(),
            all: words.counted(words.t("alerts.all", &[]), view.count()),
        };
        self.card(ctx, &facts)
    }

    fn alerts_row<'a>(&self, alert: &'a AlertRecord, now: Timestamp) -> Row<'a> {
        let words = self.words;
        let by = |operator: &Operator| {
            words.t("alerts.by", &[("operator", &words.operator(operator))]).into()
        };
        let amounts = |of: Limit, figures: &Figures| {
            let (spent, limit) = figures.spent_of(of);
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("consumed", &spent), ("quota", &limit)];
            match of {
                Limit::Month => words.t("alerts.amounts_month", &values),
                Limit::Quota | Limit::Both => words.t("alerts.amounts", &values),
            }
        };
        let detail: Option<Cow<'a, str>> = match &alert.body {
            AlertBody::Warning { of, figures, .. } | AlertBody::Disable { of, figures, .. } => {
                Some(amounts(*of, figures).into())
            }
            AlertBody::Forecast { outlook: Outlook::RunsOut { runs_out, figures, .. } } => {
                Some(amounts(runs_out.of, figures).into())
            }
            AlertBody::Warnings { users, .. } => {
                let names: Vec<UserKey> = users.iter().map(|it| it.user.clone()).collect();
                Some(words.usernames(&names).into())
            }
            AlertBody::Forecast { .. } => None,
            AlertBody::Manual { operator, .. } => Some(by(operator)),
            AlertBody::Error { problem } => match problem {
                Problem::CyclesFailing { reason, .. }
                | Problem::CredentialsRefused { reason, .. }
                | Problem::AccessDelayed { reason, .. } => Some(reason.into()),
                Problem::BackupFailing { reason, .. } => reason.as_deref().map(Into::into),
                Problem::Test { operator } => Some(by(operator)),
                Problem::OwnerLeft { users, .. } => Some(words.usernames(users).into()),
                Problem::CyclesRecovered { .. }
                | Problem::CredentialsRecovered { .. }
                | Problem::AccessReopened { .. }
                | Problem::StillSpending { .. }
                | Problem::EstimateOff { .. }
                | Problem::EstimateRecovered { .. }
                | Problem::BackupRecovered { .. }
                | Problem::PolicyTaken { .. } => None,
            },
        };
        Row {
            title: words.alert_title(alert),
            kind: self.alert_tag(&alert.body),
            time: words.time_seen(alert.at, now),
            detail,
            notice: match alert.notice {
                Notice::NotOwed => words.t("notice.not_owed", &[]),
                Notice::Owed => words.t("notice.owed", &[]),
                Notice::Delivered => words.t("notice.delivered", &[]),
                Notice::Failed => words.t("notice.failed", &[]),
            },
            lost: alert.notice == Notice::Failed,
            key: alert.user.as_ref().map(ToString::to_string),
        }
    }
}

/// Mentions as markdown. An id that could break out of the tag cannot be the platform's and is left out.
fn mentions(people: &[OpenId]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let tags: Vec<String> = people
        .iter()
        .filter(|id| id.as_str().chars().all(plain))
        .map(|id| format!("<at id={id}></at>"))
        .collect();
    tags.join(" ")
}

/// The header colour of an alert.
fn alert_template(body: &AlertBody) -> &'static str {
    match body {
        AlertBody::Warning { .. } | AlertBody::Warnings { .. } => "orange",
        AlertBody::Disable { .. } => "red",
        AlertBody::Manual { goal: AccessGoal::Restored, .. } => "green",
        body if is_recovery(body) => "green",
        body if is_test(body) => "blue",
        AlertBody::Manual { goal: AccessGoal::Cut, .. } => "violet",
        AlertBody::Error { problem: Problem::OwnerLeft { .. } } => "orange",
        AlertBody::Error { .. } => "carmine",
        AlertBody::Forecast { .. } => "indigo",
    }
}

fn is_test(body: &AlertBody) -> bool {
    matches!(body, AlertBody::Error { problem: Problem::Test { .. } })
}

fn is_recovery(body: &AlertBody) -> bool {
    matches!(
        body,
        AlertBody::Error {
            problem: Problem::CyclesRecovered { .. }
                | Problem::CredentialsRecovered { .. }
                | Problem::EstimateRecovered { .. }
                | Problem::BackupRecovered { .. }
        } | AlertBody::Forecast { outlook: Outlook::BalanceRecovered { .. } }
    )
}
