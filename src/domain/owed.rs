//! What is owed to the outside: messages and longer work. Written in the transaction of its cause, so a crash loses none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, ChatId, MessageId, OpenId};

/// One thing to put into chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Dispatch {
    /// A new card in a chat.
    ToChat {
        /// Where.
        chat: ChatId,
        /// Card JSON.
        card: String,
    },
    /// A new card in the direct chat with a person.
    ToPerson {
        /// Who.
        person: OpenId,
        /// Card JSON.
        card: String,
    },
    /// A card in answer to a message.
    Reply {
        /// The message that is answered.
        to: MessageId,
        /// Card JSON.
        card: String,
    },
    /// A new state of a card that was sent before.
    Update {
        /// Which message.
        target: UpdateTarget,
        /// Card JSON.
        card: String,
    },
    /// A card with secrets in the direct chat with a person, sealed until it is delivered.
    Secret {
        /// Who.
        person: OpenId,
        /// Card JSON, sealed for this person; empty once it was thrown away.
        sealed: String,
        /// What it belongs to: its [`super::Creation::id`].
        creation: u64,
    },
    /// A table as a file. It is made when it is delivered, so that a row here stays small.
    File {
        /// Where.
        place: FilePlace,
        /// The table's name, as in the command.
        table: String,
        /// The file's name.
        name: String,
    },
    /// A card for the custom bot's webhook (no callbacks in it).
    Webhook {
        /// Card JSON.
        card: String,
    },
}

impl Dispatch {
    /// Whether it makes a message, so that the platform knows a repetition by its [`OwedMessage::uuid`]. An update may be
    /// repeated at will; a webhook has no such key.
    pub fn makes_a_message(&self) -> bool {
        !matches!(self, Dispatch::Update { .. } | Dispatch::Webhook { .. })
    }

    /// The card JSON; empty for what is none, and where it is sealed.
    pub fn card(&self) -> &str {
        match self {
            Dispatch::ToChat { card, .. }
            | Dispatch::ToPerson { card, .. }
            | Dispatch::Reply { card, .. }
            | Dispatch::Update { card, .. }
            | Dispatch::Webhook { card } => card,
            Dispatch::Secret { .. } => "",
            Dispatch::File { .. } => "",
        }
    }
}

/// Where a file goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum FilePlace {
    /// Into the chat of a message, in answer to it.
    Message {
        /// The message.
        id: MessageId,
    },
    /// Into the direct chat with a person.
    Person {
        /// Who.
        id: OpenId,
    },
}

/// The message an update is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum UpdateTarget {
    /// A message whose id is known.
    Message {
        /// The id.
        id: MessageId,
    },
    /// The message that an owed one of this id became.
    SentBy {
        /// [`OwedMessage::id`].
        owed: u64,
    },
}

/// A message that is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedMessage {
    /// Ascending in the order they were owed.
    pub id: u64,
    /// Messages of one lane go out one after the other; lanes do not wait for each other.
    pub lane: String,
    /// What.
    pub dispatch: Dispatch,
    /// Idempotency key: the platform sends at most one message an hour for the same one.
    pub uuid: String,
    /// When it became owed.
    pub created: Timestamp,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// When it was first tried with this `uuid` such that it may have been delivered; none while every try was clearly
    /// refused, or never left this machine.
    #[serde(default)]
    pub first_tried: Option<Timestamp>,
    /// When the last such try ended.
    #[serde(default)]
    pub last_tried: Option<Timestamp>,
    /// Why the last try failed.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The alert it delivers.
    #[serde(default)]
    pub alert: Option<u64>,
    /// Mobile numbers of the people it mentions.
    #[serde(default)]
    pub mention_mobiles: Vec<String>,
    /// Whether it is the plain form of one whose card the platform refused: nothing simpler can take its place.
    #[serde(default)]
    pub plain: bool,
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMessage {
    /// What was owed.
    pub owed: OwedMessage,
    /// Why, in the platform's words.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// Work that takes remote calls and reports to a card when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Ascending in the order they were asked for.
    pub id: u64,
    /// What.
    pub kind: TaskKind,
    /// The card to update at the end.
    #[serde(default)]
    pub report: Option<Report>,
    /// When it was asked for.
    pub created: Timestamp,
}

/// Kinds of [`Task`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "task")]
pub enum TaskKind {
    /// Read all users of all active accounts.
    Sync,
    /// Run a monitor cycle.
    MonitorRun,
    /// Make a user.
    CreateUser {
        /// [`super::Creation::id`].
        creation: u64,
    },
    /// List an account's projects.
    RefreshProjects {
        /// Which account.
        account: AccountId,
        /// Whose projects card is updated with the result.
        user: super::UserKey,
    },
    /// Write a user's personal data to the cloud.
    UpdateProfile {
        /// Whose.
        user: super::UserKey,
        /// What is wanted there.
        profile: super::Profile,
        /// The mobile number of the person who is to be the user's owner.
        #[serde(default)]
        owner_mobile: Option<String>,
    },
    /// Ask the cloud whether it takes a key pair, and keep the pair where it does.
    CheckAccount {
        /// Which account: a new one, or one whose pair is replaced.
        account: AccountId,
        /// What people call it.
        name: String,
        /// Under which name the pair waits, sealed, in the store.
        pair: String,
        /// Whether the account was there when it was asked for.
        known: bool,
    },
    /// Read the balances of the active accounts.
    ReadBalances,
}

/// Where the result of a task is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The card that shows "processing".
    pub target: UpdateTarget,
    /// Its lane.
    pub lane: String,
}
