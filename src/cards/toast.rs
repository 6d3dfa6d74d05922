//! What a toast says.

use super::text::{clean, clip};
use super::wording::{QUOTED, Tone, Wording};
use crate::app::Refusal;
use crate::domain::{AccessGoal, BillPeriod, Money, UserKey};

/// What a toast says after a card action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toast {
    /// A ledger entry was made.
    QuotaAllocated {
        /// Added; deducted if negative.
        amount: Money,
        /// The quota now.
        total: Money,
    },
    /// An allocation waits for a second administrator.
    SecondNeeded {
        /// The amount.
        amount: Money,
    },
    /// An owner asked for quota.
    RequestMade,
    /// An owner withdrew a request.
    RequestWithdrawn,
    /// A request was granted.
    RequestGranted {
        /// How much.
        amount: Money,
    },
    /// A request was refused.
    RequestRefused,
    /// A second administrator confirmed an allocation.
    SecondConfirmed {
        /// How much.
        amount: Money,
    },
    /// A second administrator refused an allocation.
    SecondRefused,
    /// A ledger entry was undone.
    QuotaUndone {
        /// What had been added; deducted if negative.
        amount: Money,
        /// The quota now.
        total: Money,
        /// Whether access was restored with it, which stays as it is.
        with_access: bool,
    },
    /// A ledger entry was made, and access is being restored.
    AllocatedAndEnabling {
        /// The user.
        user: UserKey,
        /// Added; deducted if negative.
        amount: Money,
    },
    /// A change of access is being undone.
    AccessWithdrawn {
        /// The user.
        user: UserKey,
        /// What is no longer wanted.
        goal: AccessGoal,
    },
    /// The card that was opened is a reply below the alert.
    Replied,
    /// A project was linked.
    ProjectAdded {
        /// The project's display name.
        label: String,
    },
    /// A link was removed.
    ProjectRemoved {
        /// The project's display name.
        label: String,
    },
    /// A link's monitoring was switched.
    ProjectToggled {
        /// The project's display name.
        label: String,
        /// On or off now.
        enabled: bool,
    },
    /// All links were switched.
    AllToggled {
        /// On or off now.
        enabled: bool,
        /// How many links there are.
        links: usize,
    },
    /// A monitor cycle was started.
    CycleStarted,
    /// A monitor cycle was already running.
    CycleRunning,
    /// A change of access is in progress.
    AccessChanging {
        /// The user.
        user: UserKey,
        /// The wanted access.
        goal: AccessGoal,
    },
    /// Every path of a user's access is being read.
    AccessRechecking {
        /// The user.
        user: UserKey,
    },
    /// A user is being created.
    Creating(UserKey),
    /// Global settings were saved.
    SettingsSaved,
    /// Settings were saved; whether the people to mention exist is being checked.
    SettingsSavedChecking,
    /// A test alert is on its way.
    TestAlertOwed,
    /// A user's settings were saved.
    UserSaved {
        /// The user.
        user: UserKey,
    },
    /// A user's settings were saved, and their data is being written to the cloud.
    UserSaving {
        /// The user.
        user: UserKey,
    },
    /// A key pair is being checked.
    AccountChecking,
    /// An account was switched on or off.
    AccountToggled {
        /// The account.
        account: String,
        /// On or off now.
        enabled: bool,
    },
    /// The input was refused.
    Refused(Refusal),
    /// Alerts go to the group from now on.
    AlertsHere,
    /// A test alert goes to the administrators: there is no group for it.
    TestAlertToAdmins,
    /// A month follows as a file.
    ExportOwed {
        /// The month.
        period: BillPeriod,
    },
    /// A change of many users is being prepared.
    BatchPreparing,
    /// A change of many users is being applied.
    BatchApplying,
    /// A second administrator refused a change of many users.
    BatchRefused,
    /// The card with a new user's secrets is recalled.
    SecretsRecalled,
    /// Something broke that the person cannot fix.
    Internal,
}

impl Toast {
    /// How serious it is.
    pub fn tone(&self) -> Tone {
        match self {
            Toast::QuotaAllocated { .. }
            | Toast::RequestMade
            | Toast::RequestWithdrawn
            | Toast::RequestGranted { .. }
            | Toast::RequestRefused
            | Toast::SecondConfirmed { .. }
            | Toast::SecondRefused
            | Toast::BatchRefused
            | Toast::QuotaUndone { .. }
            | Toast::AllocatedAndEnabling { .. }
            | Toast::ProjectAdded { .. }
            | Toast::ProjectRemoved { .. }
            | Toast::ProjectToggled { .. }
            | Toast::AllToggled { .. }
            | Toast::SettingsSaved
            | Toast::SettingsSavedChecking
            | Toast::SecretsRecalled
            | Toast::AlertsHere
            | Toast::UserSaved { .. }
            | Toast::AccountToggled { .. } => Tone::Success,
            Toast::SecondNeeded { .. }
            | Toast::CycleStarted
            | Toast::BatchPreparing
            | Toast::BatchApplying
            | Toast::CycleRunning
            | Toast::AccessChanging { .. }
            | Toast::AccessWithdrawn { .. }
            | Toast::Replied
            | Toast::AccessRechecking { .. }
            | Toast::Creating(_)
            | Toast::TestAlertOwed
            | Toast::ExportOwed { .. }
            | Toast::TestAlertToAdmins
            | Toast::UserSaving { .. }
            | Toast::AccountChecking => Tone::Info,
            // Nothing is wrong.
            Toast::Refused(
                Refusal::AccessUnchanged { .. }
                | Refusal::AccessPending
                | Refusal::NothingUnderWay(_)
                | Refusal::UndoneAlready,
            ) => Tone::Info,
            Toast::Refused(_) | Toast::Internal => Tone::Error,
        }
    }
}

impl Wording {
    /// A toast's text.
    pub fn toast(&self, toast: &Toast) -> String {
        let label = |label: &str| clip(label, QUOTED);
        match toast {
            Toast::QuotaAllocated { amount, total } if amount.is_negative() => {
                self.t("toast.quota_deducted", &[("amount", &-*amount), ("total", total)])
            }
            Toast::QuotaAllocated { amount, total } => {
                self.t("toast.quota_allocated", &[("amount", amount), ("total", total)])
            }
            Toast::SecondNeeded { amount } => self.t("toast.second_needed", &[("amount", amount)]),
            Toast::RequestMade => self.t("toast.request_made", &[]),
            Toast::RequestWithdrawn => self.t("toast.request_withdrawn", &[]),
            Toast::RequestGranted { amount } => {
                self.t("toast.request_granted", &[("amount", amount)])
            }
            Toast::RequestRefused => self.t("toast.request_refused", &[]),
            Toast::SecondConfirmed { amount } => {
                self.t("toast.second_confirmed", &[("amount", amount)])
            }
            Toast::SecondRefused => self.t("toast.second_refused", &[]),
            Toast::QuotaUndone { amount, total, with_access } => {
                let key = match (with_access, amount.is_negative()) {
                    (true, _) => "toast.quota_undone_alone",
                    (false, true) => "toast.deduction_undone",
                    (false, false) => "toast.quota_undone",
                };
                let amount = if amount.is_negative() { -*amount } else { *amount };
                self.t(key, &[("amount", &amount), ("total", total)])
            }
            Toast::AllocatedAndEnabling { user, amount } => self.t(
                "toast.allocated_enabling",
                &[("user", &clean(user.username.as_str())), ("amount", amount)],
            ),
            Toast::AccessWithdrawn { user, goal: AccessGoal::Cut } => {
                self.t("toast.cut_withdrawn", &[("user", &clean(user.username.as_str()))])
            }
            Toast::AccessWithdrawn { user, goal: AccessGoal::Restored } => {
                self.t("toast.restore_withdrawn", &[("user", &clean(user.username.as_str()))])
            }
            Toast::Replied => self.t("toast.replied", &[]),
            Toast::ProjectAdded { label: text } => {
                self.t("toast.project_added", &[("project", &label(text))])
            }
            Toast::ProjectRemoved { label: text } => {
                self.t("toast.project_removed", &[("project", &label(text))])
            }
            Toast::ProjectToggled { label: text, enabled: true } => {
                self.t("toast.project_on", &[("project", &label(text))])
            }
            Toast::ProjectToggled { label: text, enabled: false } => {
                self.t("toast.project_off", &[("project", &label(text))])
            }
            Toast::AllToggled { enabled: true, links } => {
                self.t("toast.all_on", &[("links", links)])
            }
            Toast::AllToggled { enabled: false, links } => {
                self.t("toast.all_off", &[("links", links)])
            }
            Toast::CycleStarted => self.t("toast.cycle_started", &[]),
            Toast::CycleRunning => self.t("toast.cycle_running", &[]),
            Toast::AccessChanging { user, goal: AccessGoal::Cut } => {
                self.t("toast.access_cutting", &[("user", &user.username)])
            }
            Toast::AccessChanging { user, goal: AccessGoal::Restored } => {
                self.t("toast.access_restoring", &[("user", &user.username)])
            }
            Toast::AccessRechecking { user } => {
                self.t("toast.rechecking", &[("user", &user.username)])
            }
            Toast::Creating(user) => self.t("toast.creating", &[("user", &user.username)]),
            Toast::SettingsSaved => self.t("toast.settings_saved", &[]),
            Toast::SettingsSavedChecking => self.t("toast.settings_checking", &[]),
            Toast::TestAlertOwed => self.t("toast.test_alert_owed", &[]),
            Toast::UserSaved { user } => {
                self.t("toast.user_saved", &[("user", &clean(user.username.as_str()))])
            }
            Toast::UserSaving { user } => {
                self.t("toast.user_saving", &[("user", &clean(user.username.as_str()))])
            }
            Toast::AccountChecking => self.t("toast.account_checking", &[]),
            Toast::AccountToggled { account, enabled: true } => {
                self.t("toast.account_on", &[("account", &label(account))])
            }
            Toast::AccountToggled { account, enabled: false } => {
                self.t("toast.account_off", &[("account", &label(account))])
            }
            // One line, whatever the banner says.
            Toast::Refused(refusal) => self.refusal(refusal).replace('\n', " "),
            Toast::AlertsHere => self.t("toast.alerts_here", &[]),
            Toast::TestAlertToAdmins => self.t("toast.test_to_admins", &[]),
            Toast::ExportOwed { period } => self.t("toast.export", &[("period", period)]),
            Toast::BatchPreparing => self.t("toast.batch_preparing", &[]),
            Toast::BatchApplying => self.t("toast.batch_applying", &[]),
            Toast::BatchRefused => self.t("toast.second_refused", &[]),
            Toast::SecretsRecalled => self.t("toast.secrets_recalled", &[]),
            Toast::Internal => self.internal_error(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::Locale;

    fn key(text: &str) -> UserKey {
        text.parse().unwrap()
    }

    #[test]
    fn toasts() {
        let all = [
            Toast::QuotaAllocated { amount: Money::from_fen(1), total: Money::from_fen(100_001) },
            Toast::QuotaAllocated { amount: Money::from_fen(-1), total: Money::from_fen(1) },
            Toast::SecondNeeded { amount: Money::from_fen(5_000_000) },
            Toast::RequestMade,
            Toast::RequestWithdrawn,
            Toast::RequestGranted { amount: Money::from_fen(50_000) },
            Toast::RequestRefused,
            Toast::SecondConfirmed { amount: Money::from_fen(5_000_000) },
            Toast::SecondRefused,
            Toast::QuotaUndone {
                amount: Money::from_fen(100),
                total: Money::from_fen(1),
                with_access: false,
            },
            Toast::QuotaUndone {
                amount: Money::from_fen(-100),
                total: Money::from_fen(1),
                with_access: false,
            },
            Toast::QuotaUndone {
                amount: Money::from_fen(100),
                total: Money::from_fen(1),
                with_access: true,
            },
            Toast::AllocatedAndEnabling { user: key("main/alice"), amount: Money::from_fen(100) },
            Toast::AccessWithdrawn { user: key("main/alice"), goal: AccessGoal::Cut },
            Toast::AccessWithdrawn { user: key("main/alice"), goal: AccessGoal::Restored },
            Toast::Replied,
            Toast::ProjectAdded { label: "官网".into() },
            Toast::ProjectRemoved { label: "官网".into() },
            Toast::ProjectToggled { label: "官网".into(), enabled: true },
            Toast::ProjectToggled { label: "官网".into(), enabled: false },
            Toast::AllToggled { enabled: true, links: 3 },
            Toast::AllToggled { enabled: false, links: 3 },
            Toast::CycleStarted,
            Toast::CycleRunning,
            Toast::AccessChanging { user: key("main/alice"), goal: AccessGoal::Cut },
            Toast::AccessChanging { user: key("main/alice"), goal: AccessGoal::Restored },
            Toast::AccessRechecking { user: key("main/alice") },
            Toast::Creating(key("main/alice")),
            Toast::SettingsSaved,
            Toast::SettingsSavedChecking,
            Toast::TestAlertOwed,
            Toast::UserSaved { user: key("main/alice") },
            Toast::UserSaving { user: key("main/alice") },
            Toast::AccountChecking,
            Toast::AccountToggled { account: "生产".into(), enabled: true },
            Toast::AccountToggled { account: "生产".into(), enabled: false },
            Toast::Refused(Refusal::AccessPending),
            Toast::Internal,
            Toast::SecretsRecalled,
            Toast::AlertsHere,
            Toast::TestAlertToAdmins,
            Toast::ExportOwed { period: "2026-11".parse().unwrap() },
        ];
        for locale in Locale::ALL {
            let words = Wording::new(locale);
            let texts: Vec<String> = all
                .iter()
                .map(|toast| format!("{}: {}", toast.tone().word(), words.toast(toast)))
                .collect();
            insta::assert_snapshot!(format!("toasts_{locale}"), texts.join("\n"));
        }
    }
}
