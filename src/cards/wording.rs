//! Puts facts into words for people: refusals, alert titles, statuses, times, toasts. The only place that does.

use std::fmt::Display;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Locale;
use super::locale::Catalogue;
use super::text::{clean, clip};
use crate::address::AddressError;
use crate::app::Refusal;
use crate::app::outcome::AlertsView;
use crate::app::refusal::TextField;
use crate::domain::period::beijing;
use crate::domain::{
    AccessGoal, Act, AlertBody, AlertKind, AlertRecord, AmountError, BackupPlace, Deed, Freshness,
    LedgerError, Limit, Money, Operator, Outlook, PendingAccess, Problem, SavedSettings,
    ThresholdsError, UserKey, UserStatus,
};

/// How serious a notice is. It determines colours and the type of a toast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Information.
    Info,
    /// Something succeeded.
    Success,
    /// Something needs attention.
    Warning,
    /// Something was refused or failed.
    Error,
}

impl Tone {
    /// The platform's word for a toast of this tone (卡片回传交互回调, `toast.type`).
    pub fn word(self) -> &'static str {
        match self {
            Tone::Info => "info",
            Tone::Success => "success",
            Tone::Warning => "warning",
            Tone::Error => "error",
        }
    }
}

/// Max length of outside text quoted in a sentence, in characters.
pub(super) const QUOTED: usize = 60;

/// Puts facts into words of one language. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    catalogue: &'static Catalogue,
}

impl Wording {
    /// The wording of `locale`.
    pub fn new(locale: Locale) -> Self {
        Self { catalogue: Catalogue::of(locale) }
    }

    /// A text of the catalogue with `{name}` replaced.
    pub fn t(&self, key: &str, args: &[(&str, &dyn Display)]) -> String {
        self.catalogue.t(key, args)
    }

    /// Says what is wrong and what to do about it. Plain text, not markdown.
    pub fn refusal(&self, refusal: &Refusal) -> String {
        let quote = |text: &str| clip(text, QUOTED);
        match refusal {
            Refusal::NotAllowed => self.t("refusal.not_allowed", &[]),
            Refusal::NoSuchUser { name, nearest } if nearest.is_empty() => {
                self.t("refusal.no_such_user", &[("name", &quote(name))])
            }
            Refusal::NoSuchUser { name, nearest } => self.t(
                "refusal.no_such_user_nearest",
                &[("name", &quote(name)), ("nearest", &self.names(nearest))],
            ),
            Refusal::AmbiguousUser { name, candidates } => self.t(
                "refusal.ambiguous_user",
                &[("name", &quote(name)), ("candidates", &self.names(candidates))],
            ),
            Refusal::OwnsNobody { person } => {
                self.t("refusal.owns_nobody", &[("person", &quote(person))])
            }
            Refusal::SeveralOwned { person, candidates } => self.t(
                "refusal.several_owned",
                &[("person", &quote(person)), ("candidates", &self.names(candidates))],
            ),
            Refusal::NobodyMentioned => self.t("refusal.nobody_mentioned", &[]),
            Refusal::UserGone(user) => self.t("refusal.user_gone", &[("user", user)]),
            Refusal::CardOlderThanUser(user) => {
                self.t("refusal.card_older_than_user", &[("user", user)])
            }
            Refusal::BadAmount(error) => self.amount_error(*error),
            Refusal::NegativeMonthLimit => self.t("refusal.month_limit_negative", &[]),
            Refusal::Ledger(LedgerError::BelowZero { before, after }) => {
                self.t("refusal.below_zero", &[("before", before), ("after", after)])
            }
            Refusal::Ledger(LedgerError::TotalTooLarge) => self.t("refusal.total_too_large", &[]),
            Refusal::Ledger(LedgerError::NoteTooLong(chars)) => {
                self.t("refusal.note_too_long", &[("chars", chars)])
            }
            Refusal::BadPeriod(text) => self.t("refusal.bad_period", &[("text", &quote(text))]),
            Refusal::PeriodOutOfRange { period, first, last } => self.t(
                "refusal.period_out_of_range",
                &[("period", period), ("first", first), ("last", last)],
            ),
            Refusal::BadThresholds(ThresholdsError::Empty) => {
                self.t("refusal.thresholds_empty", &[])
            }
            Refusal::BadThresholds(ThresholdsError::TooMany) => {
                self.t("refusal.thresholds_too_many", &[])
            }
            Refusal::BadThresholds(ThresholdsError::NotAPercent(text)) => {
                self.t("refusal.thresholds_not_a_percent", &[("text", &quote(text))])
            }
            Refusal::NoUser => self.t("refusal.no_user", &[]),
            Refusal::PaidFor { project, with } => self.t(
                "refusal.paid_for",
                &[
                    ("project", &quote(project.as_str())),
                    ("users", &self.names(with.get(..5).unwrap_or(with))),
                ],
            ),
            Refusal::NoProject => self.t("refusal.no_project", &[]),
            Refusal::ProjectTaken(taken) => {
                let each = taken.iter().map(|(project, by)| {
                    let (project, others) = (quote(project.as_str()), self.usernames(by));
                    self.t("sharing.taken", &[("project", &project), ("others", &others)])
                });
                let projects: Vec<String> = each.collect();
                let projects = projects.join(&self.t("list.separator", &[]));
                self.t("refusal.project_taken", &[("projects", &projects)])
            }
            Refusal::BadProject(name) => self.t("refusal.bad_project", &[("name", &quote(name))]),
            Refusal::AlreadyLinked(project) => {
                self.t("refusal.already_linked", &[("project", &quote(project.as_str()))])
            }
            Refusal::NotLinked(project) => {
                self.t("refusal.not_linked", &[("project", &quote(project.as_str()))])
            }
            Refusal::AccessUnchanged { user, goal: AccessGoal::Cut } => {
                self.t("refusal.already_cut", &[("user", user)])
            }
            Refusal::AccessUnchanged { user, goal: AccessGoal::Restored } => {
                self.t("refusal.already_open", &[("user", user)])
            }
            Refusal::AccessPending => self.t("refusal.access_pending", &[]),
            Refusal::NoAccount => self.t("refusal.no_account", &[]),
            Refusal::BadField(field) => self.t("refusal.bad_field", &[("field", field)]),
            Refusal::Create(refusal) => self.create_refusal(refusal),
            Refusal::Batch(refusal) => self.batch_refusal(refusal),
            Refusal::People(refusal) => self.people_refusal(refusal),
            Refusal::UnknownAction(action) => {
                self.t("refusal.unknown_action", &[("action", &quote(action))])
            }
            Refusal::BadInterval(text) => self.t(
                "refusal.bad_interval",
                &[
                    ("text", &quote(text)),
                    ("least", &SavedSettings::SHORTEST_INTERVAL),
                    ("most", &SavedSettings::LONGEST_INTERVAL),
                ],
            ),
            Refusal::BadWebhook(error) => self.webhook_error(*error),
            Refusal::BadMobile(text) => self.t("refusal.bad_mobile", &[("text", &quote(text))]),
            Refusal::TooManyMobiles(limit) => {
                self.t("refusal.too_many_mobiles", &[("limit", limit)])
            }
            Refusal::BadChat(text) => self.t("refusal.bad_chat", &[("text", &quote(text))]),
            Refusal::BadPerson(text) => self.t("refusal.bad_person", &[("text", &quote(text))]),
            Refusal::TooLong { field, limit, chars } => self.t(
                "refusal.too_long",
                &[("field", &self.field(*field)), ("limit", limit), ("chars", chars)],
            ),
            Refusal::BadDisplayName { chars } => {
                self.t("refusal.bad_display_name", &[("chars", chars)])
            }
            Refusal::BadEmail(text) => self.t("refusal.bad_email", &[("text", &quote(text))]),
            Refusal::BadAccountId(text) => {
                self.t("refusal.bad_account_id", &[("text", &quote(text))])
            }
            Refusal::AccountExists(id) => self.t("refusal.account_exists", &[("account", id)]),
            Refusal::NoSuchAccount(id) => {
                self.t("refusal.no_such_account", &[("account", &quote(id))])
            }
            Refusal::BadKeyPair => self.t("refusal.bad_key_pair", &[]),
            Refusal::DirectChatOnly => self.t("refusal.direct_chat_only", &[]),
            Refusal::RecallElsewhere => self.t("refusal.recall_elsewhere", &[]),
            Refusal::NothingRemembered => self.t("refusal.nothing_remembered", &[]),
            Refusal::NothingUnderWay(user) => {
                self.t("refusal.nothing_under_way", &[("user", &clean(user.username.as_str()))])
            }
            Refusal::UndoTooLate => self.t("refusal.undo_too_late", &[]),
            Refusal::UndoneAlready => self.t("refusal.undone_already", &[]),
            Refusal::NothingToUndo => self.t("refusal.nothing_to_undo", &[]),
        }
    }

    /// The name of a field.
    fn field(&self, field: TextField) -> String {
        match field {
            TextField::Remark => self.t("user.remark", &[]),
            TextField::AccountName => self.t("accounts.name", &[]),
        }
    }

    fn webhook_error(&self, error: AddressError) -> String {
        match error {
            AddressError::NotAUrl | AddressError::PathOrQuery => {
                self.t("refusal.webhook_not_an_address", &[])
            }
            AddressError::Insecure => self.t("refusal.webhook_insecure", &[]),
            AddressError::UserOrFragment => self.t("refusal.webhook_adorned", &[]),
            AddressError::ForeignHost => self.t("refusal.webhook_foreign_host", &[]),
        }
    }

    fn amount_error(&self, error: AmountError) -> String {
        match error {
            AmountError::Empty => self.t("refusal.amount_empty", &[]),
            AmountError::NotANumber => self.t("refusal.amount_not_a_number", &[]),
            AmountError::MisplacedCommas => self.t("refusal.amount_commas", &[]),
            AmountError::TooManyDecimals => self.t("refusal.amount_decimals", &[]),
            AmountError::Zero => self.t("refusal.amount_zero", &[]),
            AmountError::TooLarge => {
                self.t("refusal.amount_too_large", &[("limit", &Money::MAX_SINGLE)])
            }
        }
    }

    /// The fixed sentence for errors that the person did not cause.
    pub fn internal_error(&self) -> String {
        self.t("error.internal", &[])
    }

    /// The title of an alert, as in cards and files.
    pub fn alert_title(&self, alert: &AlertRecord) -> String {
        let user = match &alert.user {
            Some(key) => clean(key.username.as_str()),
            None => self.t("alert.somebody", &[]),
        };
        match &alert.body {
            AlertBody::Warning { threshold, of, .. } => {
                let key = match of {
                    Limit::Month => "alert.warning_month",
                    Limit::Quota | Limit::Both => "alert.warning",
                };
                self.t(key, &[("user", &user), ("threshold", threshold)])
            }
            AlertBody::Warnings { users, .. } => {
                self.t("alert.warnings", &[("count", &users.len())])
            }
            AlertBody::Disable { of, .. } => {
                let key = match of {
                    Limit::Quota => "alert.disable",
                    Limit::Month => "alert.disable_month",
                    Limit::Both => "alert.disable_both",
                };
                self.t(key, &[("user", &user)])
            }
            AlertBody::Manual { goal: AccessGoal::Cut, .. } => {
                self.t("alert.manual_cut", &[("user", &user)])
            }
            AlertBody::Manual { goal: AccessGoal::Restored, .. } => {
                self.t("alert.manual_restored", &[("user", &user)])
            }
            AlertBody::Forecast { outlook } => match outlook {
                Outlook::RunsOut { runs_out, .. } => {
                    let key = match runs_out.of {
                        Limit::Month => "alert.runs_out_month",
                        Limit::Quota | Limit::Both => "alert.runs_out",
                    };
                    self.t(key, &[("user", &user), ("date", &runs_out.on)])
                }
                Outlook::Spikes { account, day, .. } => {
                    self.t("alert.spikes", &[("account", account), ("day", day)])
                }
                Outlook::BalanceLow { account, within, .. } => {
                    self.t("alert.balance_low", &[("account", account), ("days", within)])
                }
                Outlook::BalanceRecovered { account, .. } => {
                    self.t("alert.balance_recovered", &[("account", account)])
                }
            },
            AlertBody::Error { problem } => match problem {
                Problem::CyclesFailing { failures, .. } => {
                    self.t("alert.cycles_failing", &[("failures", failures)])
                }
                Problem::CyclesRecovered { .. } => self.t("alert.cycles_recovered", &[]),
                Problem::AccessReopened { .. } => self.t("alert.reopened", &[("user", &user)]),
                Problem::StillSpending { .. } => self.t("alert.still_spending", &[("user", &user)]),
                Problem::PolicyTaken { account, .. } => {
                    self.t("alert.policy_taken", &[("account", account)])
                }
                Problem::EstimateOff { account } => {
                    self.t("alert.estimate_off", &[("account", account)])
                }
                Problem::EstimateRecovered { account } => {
                    self.t("alert.estimate_recovered", &[("account", account)])
                }
                Problem::BackupFailing { place: BackupPlace::Folder, .. } => {
                    self.t("alert.backup_failing", &[])
                }
                Problem::BackupFailing { place: BackupPlace::Bucket, .. } => {
                    self.t("alert.upload_failing", &[])
                }
                Problem::BackupRecovered { .. } => self.t("alert.backup_recovered", &[]),
                Problem::CredentialsRefused { account, .. } => {
                    self.t("alert.credentials_refused", &[("account", account)])
                }
                Problem::CredentialsRecovered { account } => {
                    self.t("alert.credentials_recovered", &[("account", account)])
                }
                Problem::AccessDelayed { goal: AccessGoal::Cut, .. } => {
                    self.t("alert.cut_delayed", &[("user", &user)])
                }
                Problem::AccessDelayed { goal: AccessGoal::Restored, .. } => {
                    self.t("alert.restore_delayed", &[("user", &user)])
                }
                Problem::OwnerLeft { person, name, .. } => {
                    let person = name.as_deref().unwrap_or(person.as_str());
                    self.t("alert.owner_left", &[("person", &person)])
                }
                Problem::Test { .. } => self.t("alert.test", &[]),
            },
        }
    }

    /// What was done about an alert.
    pub fn deed(&self, step: &Act) -> String {
        let by_system = step.by == Operator::System;
        match &step.deed {
            Deed::Allocated { amount } if amount.is_negative() => {
                self.t("deed.deducted", &[("amount", &-*amount)])
            }
            Deed::Allocated { amount } => self.t("deed.allocated", &[("amount", amount)]),
            Deed::Undone { amount } if amount.is_negative() => {
                self.t("deed.deduction_undone", &[("amount", &-*amount)])
            }
            Deed::Undone { amount } => self.t("deed.undone", &[("amount", amount)]),
            Deed::Access { goal: AccessGoal::Cut } if by_system => self.t("deed.cut_itself", &[]),
            Deed::Access { goal: AccessGoal::Restored } if by_system => {
                self.t("deed.restored_itself", &[])
            }
            Deed::Access { goal: AccessGoal::Cut } => self.t("button.disable", &[]),
            Deed::Access { goal: AccessGoal::Restored } => self.t("button.enable", &[]),
            Deed::Withdrawn { goal: AccessGoal::Cut } => self.t("button.withdraw_cut", &[]),
            Deed::Withdrawn { goal: AccessGoal::Restored } => {
                self.t("button.withdraw_restore", &[])
            }
            Deed::Confirmed { goal: AccessGoal::Cut } => self.t("deed.cut_confirmed", &[]),
            Deed::Confirmed { goal: AccessGoal::Restored } => {
                self.t("deed.restored_confirmed", &[])
            }
        }
    }

    /// The time of something that follows something else: `09:05`, with the date if it is another day.
    pub fn time_after(&self, at: Timestamp, first: Timestamp) -> String {
        let (at, first) = (at.to_zoned(beijing()), first.to_zoned(beijing()));
        if at.date() != first.date() {
            return self.time(at.timestamp());
        }
        format!("{:02}:{:02}", at.hour(), at.minute())
    }

    /// A filter, with how many there are behind it.
    pub fn counted(&self, filter: String, count: usize) -> String {
        match count {
            0 => filter,
            AlertsView::COUNTED.. => format!("{filter} {}+", AlertsView::COUNTED - 1),
            count => format!("{filter} {count}"),
        }
    }

    /// A type of alert.
    pub fn alert_kind(&self, kind: AlertKind) -> String {
        match kind {
            AlertKind::Warning => self.t("kind.warning", &[]),
            AlertKind::Disable => self.t("kind.disable", &[]),
            AlertKind::Error => self.t("kind.error", &[]),
            AlertKind::Manual => self.t("kind.manual", &[]),
            AlertKind::Forecast => self.t("kind.forecast", &[]),
        }
    }

    /// A user's status.
    pub fn status(&self, status: UserStatus) -> String {
        match status {
            UserStatus::Active => self.t("status.active", &[]),
            UserStatus::Disabled => self.t("status.disabled", &[]),
            UserStatus::Unknown => self.t("status.unknown", &[]),
            UserStatus::Gone => self.t("status.gone", &[]),
        }
    }

    /// A pending change of access.
    pub fn pending(&self, pending: &PendingAccess) -> String {
        match pending.goal {
            AccessGoal::Cut if pending.is_partial() => self.t("status.partly", &[]),
            AccessGoal::Cut => self.t("status.cutting", &[]),
            AccessGoal::Restored => self.t("status.restoring", &[]),
        }
    }

    /// Who made a change: the person's name, or else their open_id; a fixed name for the monitor.
    pub fn operator(&self, operator: &Operator) -> String {
        match operator {
            Operator::System => self.t("operator.system", &[]),
            Operator::Person { .. } => clip(operator.label(), QUOTED),
        }
    }

    /// `11-23 09:05`, Beijing time; for rows.
    pub fn time(&self, at: Timestamp) -> String {
        let at = at.to_zoned(beijing());
        format!("{:02}-{:02} {:02}:{:02}", at.month(), at.day(), at.hour(), at.minute())
    }

    /// `11-23`: a day of these weeks.
    pub fn day(&self, day: Date) -> String {
        format!("{:02}-{:02}", day.month(), day.day())
    }

    /// For rows that reach back years: a time of the year of `now` as `11-23 09:05`, an older one as `2025-11-23`.
    pub fn time_seen(&self, at: Timestamp, now: Timestamp) -> String {
        let year = |at: Timestamp| at.to_zoned(beijing()).year();
        if year(at) == year(now) { self.time(at) } else { self.date(at) }
    }

    /// `2026-11-23 09:05:07`, Beijing time; for details.
    pub fn time_full(&self, at: Timestamp) -> String {
        let at = at.to_zoned(beijing());
        let date = at.date();
        format!("{date} {:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }

    /// `2026-11-23`, Beijing time.
    pub fn date(&self, at: Timestamp) -> String {
        at.to_zoned(beijing()).date().to_string()
    }

    /// A duration in the largest unit that divides it.
    pub fn seconds(&self, seconds: u64) -> String {
        match seconds {
            s if s > 0 && s.is_multiple_of(3600) => {
                self.t("time.hours", &[("count", &s.div_euclid(3600))])
            }
            s if s > 0 && s.is_multiple_of(60) => {
                self.t("time.minutes", &[("count", &s.div_euclid(60))])
            }
            s => self.t("time.seconds", &[("count", &s)]),
        }
    }

    /// The mark of stale amounts: when they were read, or (`None`) that they never were.
    pub fn stale(&self, from: Option<Timestamp>) -> String {
        match from {
            Some(at) => self.t("stale.from", &[("time", &self.time(at))]),
            None => self.t("stale.never", &[]),
        }
    }

    /// The mark beside an amount; `None` if the amount is fresh.
    pub fn freshness(&self, freshness: Freshness) -> Option<String> {
        match freshness {
            Freshness::Fresh(_) => None,
            Freshness::Stale(at) => Some(self.stale(at)),
            Freshness::Pending => Some(self.t("stale.pending", &[])),
        }
    }

    fn names(&self, keys: &[UserKey]) -> String {
        let names: Vec<String> = keys.iter().map(|key| clean(&key.to_string())).collect();
        names.join(&self.t("list.separator", &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{CreateField, CreateRefusal};

    fn words() -> Wording {
        Wording::new(Locale::ZhCn)
    }

    fn key(text: &str) -> UserKey {
        text.parse().unwrap()
    }

    #[test]
    fn refusals_say_what_to_do() {
        let all = refusals();
        for locale in Locale::ALL {
            let words = Wording::new(locale);
            let texts: Vec<String> = all.iter().map(|refusal| words.refusal(refusal)).collect();
            insta::assert_snapshot!(format!("refusals_{locale}"), texts.join("\n"));
        }
    }

    fn refusals() -> Vec<Refusal> {
        vec![
            Refusal::NotAllowed,
            Refusal::NoSuchUser { name: "alcie".into(), nearest: vec![] },
            Refusal::NoSuchUser {
                name: "alcie".into(),
                nearest: vec![key("main/alice"), key("lab/alicia")],
            },
            Refusal::AmbiguousUser {
                name: "alice".into(),
                candidates: vec![key("main/alice"), key("lab/alice")],
            },
            Refusal::UserGone(key("main/alice")),
            Refusal::CardOlderThanUser(key("main/alice")),
            AmountError::Empty.into(),
            AmountError::NotANumber.into(),
            AmountError::MisplacedCommas.into(),
            AmountError::TooManyDecimals.into(),
            AmountError::Zero.into(),
            AmountError::TooLarge.into(),
            Refusal::NegativeMonthLimit,
            LedgerError::BelowZero { before: Money::from_fen(10_000), after: Money::from_fen(-1) }
                .into(),
            LedgerError::TotalTooLarge.into(),
            LedgerError::NoteTooLong(501).into(),
            Refusal::BadPeriod("2026/11".into()),
            Refusal::PeriodOutOfRange {
                period: "2030-01".parse().unwrap(),
                first: "2018-05".parse().unwrap(),
                last: "2026-11".parse().unwrap(),
            },
            ThresholdsError::Empty.into(),
            ThresholdsError::TooMany.into(),
            ThresholdsError::NotAPercent("5.5".into()).into(),
            Refusal::NoProject,
            Refusal::ProjectTaken(
                [("web".parse().unwrap(), vec!["main/alice".parse().unwrap()])].into(),
            ),
            Refusal::BadProject("a\nb".into()),
            Refusal::AlreadyLinked("web".parse().unwrap()),
            Refusal::NotLinked("web".parse().unwrap()),
            Refusal::NoUser,
            Refusal::PaidFor {
                project: "web".parse().unwrap(),
                with: vec![key("main/alice"), key("main/bob")],
            },
            Refusal::AccessUnchanged { user: key("main/alice"), goal: AccessGoal::Cut },
            Refusal::AccessUnchanged { user: key("main/alice"), goal: AccessGoal::Restored },
            Refusal::AccessPending,
            Refusal::NothingUnderWay(key("main/alice")),
            Refusal::UndoTooLate,
            Refusal::UndoneAlready,
            Refusal::NothingToUndo,
            Refusal::NoAccount,
            Refusal::BadField("user"),
            Refusal::UnknownAction("users.fly".into()),
            Refusal::NothingRemembered,
            CreateRefusal::Fields(vec![
                (CreateField::Username, CreateRefusal::Username(String::new()).into()),
                (CreateField::Email, Refusal::BadEmail("a@".into())),
            ])
            .into(),
            CreateRefusal::Username(String::new()).into(),
            CreateRefusal::Username("张 三".into()).into(),
            CreateRefusal::Account.into(),
            CreateRefusal::Project("web".into()).into(),
            CreateRefusal::ProjectTaken(
                "web".parse().unwrap(),
                vec!["main/alice".parse().unwrap()],
            )
            .into(),
            CreateRefusal::Quota.into(),
            CreateRefusal::Exists(key("main/alice")).into(),
            CreateRefusal::Running(key("main/alice")).into(),
            CreateRefusal::Forgotten.into(),
            CreateRefusal::Complete.into(),
            Refusal::BadInterval("59".into()),
            Refusal::BadWebhook(AddressError::NotAUrl),
            Refusal::BadWebhook(AddressError::Insecure),
            Refusal::BadWebhook(AddressError::UserOrFragment),
            Refusal::BadWebhook(AddressError::ForeignHost),
            Refusal::BadMobile("138x".into()),
            Refusal::TooManyMobiles(20),
            Refusal::BadChat("ou_1".into()),
            Refusal::BadPerson("alice".into()),
            Refusal::TooLong { field: TextField::Remark, limit: 500, chars: 501 },
            Refusal::TooLong { field: TextField::AccountName, limit: 200, chars: 201 },
            Refusal::BadDisplayName { chars: 129 },
            Refusal::BadEmail("a@b".into()),
            Refusal::BadAccountId("主账号".into()),
            Refusal::AccountExists("main".parse().unwrap()),
            Refusal::NoSuchAccount("labs".into()),
            Refusal::BadKeyPair,
            Refusal::DirectChatOnly,
            Refusal::RecallElsewhere,
        ]
    }

    #[test]
    fn times_are_in_beijing_time_whatever_the_host() {
        let at: Timestamp = "2026-11-22T16:05:07Z".parse().unwrap();
        assert_eq!(words().time(at), "11-23 00:05");
        assert_eq!(words().time_full(at), "2026-11-23 00:05:07");
        let new_year: Timestamp = "2026-12-31T16:00:00Z".parse().unwrap();
        assert_eq!(words().time_seen(at, at), "11-23 00:05");
        assert_eq!(words().time_seen(at, new_year), "2026-11-23");
        assert_eq!(words().time_seen(new_year, new_year), "01-01 00:00");
        assert_eq!(words().seconds(3600), "1 小时");
        assert_eq!(words().seconds(5400), "90 分钟");
        assert_eq!(words().seconds(61), "61 秒");
    }
}
