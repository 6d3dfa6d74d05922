//! Plain types, and the rules of quota, spending and access as pure functions. No I/O, no async, no clock.

pub mod access;
pub mod account;
pub mod alert;
pub mod approval;
pub mod batch;
pub mod bill;
pub mod condition;
pub mod contact;
pub mod creation;
pub mod days;
pub mod decision;
pub mod digest;
mod early;
pub mod estimate;
pub mod event_window;
pub mod explained;
pub mod forecast;
pub mod group_roles;
mod held;
pub mod ids;
pub mod incident;
pub mod lag;
pub mod ledger;
pub mod link;
pub mod money;
pub mod monitoring;
pub mod month;
pub mod outlook;
pub mod owed;
pub mod path;
pub mod period;
pub mod policies;
pub mod proof;
pub mod reading;
pub mod request;
mod role;
pub mod settings;
pub mod sharing;
pub mod shown;
pub mod spending;
pub mod sync;
pub mod temporary;
pub mod thresholds;
pub mod topup;
pub mod turn;
pub mod typed;
pub mod typo;
pub mod unbilled;
pub mod usage;
pub mod user;
mod verdict;

pub use access::{
    AccessCause, AccessGoal, Counted, PathProgress, PendingAccess, Reach, RememberedAccess,
    UserAccess,
};
pub use account::{Account, AccountNumber, BalanceReading, WrongAccount, check_number};
pub use alert::{
    AlertBody, AlertKind, AlertRecord, BackupPlace, BreakdownRow, Figures, MonthFigures, Notice,
    Outlook, Problem, Warned,
};
pub use approval::{Approval, ApprovalError, ApprovalRules, ApprovalState};
pub use batch::{
    Batch, BatchError, BatchKind, BatchPlan, BatchRow, BatchSource, BatchState, LeftOut, RowChange,
    ShownRow, Was,
};
pub use bill::{AmountField, BillSource};
pub use condition::{Condition, Shade};
pub use creation::{Creation, Halt, KeyStep, NewUser, SecretsSent, Step};
pub use days::{Change, Comparable, DayAmount, DayChart, Series, charted_days, comparable};
pub use decision::{
    AccessStanding, CUT_AT, Decision, Warn, decide, is_still_demanded, must_be_cut,
};
pub use digest::{
    DigestKind, DigestLog, DigestSpan, Part, ProjectOf, ProjectSpent, Spent, Tally, Telling,
    largest, together,
};
pub use estimate::{BilledItem, ModelUsage, ProjectUsage, SharedDay, UsageKind};
pub use event_window::EVENT_WINDOW;
pub use explained::Explained;
pub use forecast::{Forecast, IncidentChange, Rate, RunsOut, Spending, run_out};
pub use group_roles::{GroupRoles, ListedMember};
pub use held::holds_all;
pub use ids::{
    AccountId, ChatId, IdError, MessageId, OpId, OpenId, ProjectName, UserKey, Username,
};
pub use incident::{Act, Deed, Situation, Standing};
pub use lag::{BilledAmount, ChargedParts, caught_up, settled_days};
pub use ledger::{Booking, LedgerEntry, LedgerError, Operator, Parties};
pub use link::{Freshness, ProjectInfo, ProjectLink, oldest_stale};
pub use money::{AmountError, Money, shown_parts};
pub use monitoring::{
    AccountReading, AlertedAs, CycleOutcome, CycleReport, Incident, MonitorState,
};
pub use month::{Limit, Month, MonthLimit, MonthSpent, MonthTriggered, NotAboveZero};
pub use outlook::{AccountOutlook, Spike, balance, spike};
pub use owed::{
    Dispatch, FailedMessage, FilePlace, OwedMessage, Report, Task, TaskKind, UpdateTarget,
    update_lane, updated_lane,
};
pub use path::{
    AccessItem, AccessPath, AccessRules, InvalidKeySwitch, KeySwitch, ModelKeys, Models,
    NotCovered, PathItems, PathReport, PathReports, PathState, add_items,
};
pub use period::{BillPeriod, PeriodError, beijing_day, end_of};
pub use policies::{
    Authorisation, DENY_ALL_POLICY, Grant, GrantState, HeldPolicy, LinkPolicies, PolicyKind,
    PolicyScope,
};
pub use proof::{Proof, ProofState, Spender};
pub use reading::{AccountReadings, Covered, DayFilter, PeriodReading, Plan, bill_so_far};
pub use request::{Decided, QuotaRequest, RequestError, RequestState};
pub use role::{Needs, Role};
pub use settings::{SavedSettings, Settings};
pub use sharing::{Counts, Joining, Payer, Sharing, share};
pub use shown::{CardChange, CardPlace, UserCard};
pub use spending::{AccountBill, BilledLink, Consumption, ProjectBill, SpendingRecord};
pub use sync::{CloudUser, SyncChanges};
pub use temporary::{LastDayError, Temporary, TemporaryState};
pub use thresholds::{Thresholds, ThresholdsError};
pub use topup::{Offer, Preset, offers};
pub use turn::{Turn, at_turn};
pub use typo::{FarAbove, far_above};
pub use unbilled::{
    AccountEstimate, DayTotal, EstimateUse, EstimateVerdict, Hidden, ProjectEstimate, Unbilled,
};
pub use usage::Usage;
pub use user::{AccessKeyInfo, ForecastAlerted, Profile, Switch, User, UserStatus};
pub use verdict::{Verdict, jobs_unchecked, lets_money_go};
