//! What is owed to the outside world: messages, and tasks that need remote calls. Each row is written in the
//! transaction of its cause, so a crash loses none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, ChatId, MessageId, OpenId};

/// Marks the lane of updates that nobody waits for. It sorts behind the names of the others.
const UPDATES: &str = "update:";

/// Returns the lane of updates of older cards for the recipient of `lane`: they must not delay a chat's answers.
pub fn update_lane(lane: &str) -> String {
    format!("{UPDATES}{lane}")
}

/// Returns the recipient's lane, if this is one of [`update_lane`].
pub fn updated_lane(lane: &str) -> Option<&str> {
    lane.strip_prefix(UPDATES)
}

/// A message to send, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Dispatch {
    /// A new card in a chat.
    ToChat {
        /// The chat to send it to.
        chat: ChatId,
        /// Card JSON.
        card: String,
    },
    /// A new card in the direct chat with a person.
    ToPerson {
        /// The person to send it to.
        person: OpenId,
        /// Card JSON.
        card: String,
    },
    /// A card in reply to a message.
    Reply {
        /// The message it replies to.
        to: MessageId,
        /// Card JSON.
        card: String,
    },
    /// A new state of a card that was sent earlier.
    Update {
        /// Which message.
        target: UpdateTarget,
        /// Card JSON.
        card: String,
    },
    /// A card with secrets in the direct chat with a person, sealed until it is delivered.
    Secret {
        /// The person to send it to.
        person: OpenId,
        /// Card JSON, sealed for this person; empty once it was discarded.
        sealed: String,
        /// The [`super::Creation::id`] it belongs to.
        creation: u64,
    },
    /// A message of the bot's is recalled.
    Recall {
        /// Which message.
        message: MessageId,
    },
    /// A table as a file. It is generated on delivery, so that the row stays small.
    File {
        /// Where the file goes.
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
    /// Returns whether it creates a message, so that Feishu recognises a repeat by its [`OwedMessage::uuid`]. Repeating
    /// an update or a recall does no harm; a webhook has no such key.
    pub fn makes_a_message(&self) -> bool {
        !matches!(
            self,
            Dispatch::Update { .. } | Dispatch::Recall { .. } | Dispatch::Webhook { .. }
        )
    }

    /// Returns the card JSON; empty for a file, for a sealed card and for a recall.
    pub fn card(&self) -> &str {
        match self {
            Dispatch::ToChat { card, .. }
            | Dispatch::ToPerson { card, .. }
            | Dispatch::Reply { card, .. }
            | Dispatch::Update { card, .. }
            | Dispatch::Webhook { card } => card,
            Dispatch::Secret { .. } => "",
            Dispatch::File { .. } | Dispatch::Recall { .. } => "",
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
        /// The person.
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
    /// The message that was sent for the owed message with this id.
    SentBy {
        /// [`OwedMessage::id`].
        owed: u64,
    },
}

/// A message to send, kept until it is delivered or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedMessage {
    /// Ascending in the order of enqueueing.
    pub id: u64,
    /// The queue it belongs to. Messages of one lane are sent one after the other; lanes do not wait for each other.
    pub lane: String,
    /// What is sent, and where.
    pub dispatch: Dispatch,
    /// Idempotency key: Feishu sends at most one message per hour for the same key.
    pub uuid: String,
    /// When it was enqueued.
    pub created: Timestamp,
    /// The earliest time of the next attempt.
    pub not_before: Timestamp,
    /// How many attempts were made.
    #[serde(default)]
    pub attempts: u32,
    /// The first attempt with this `uuid` that may have delivered it; `None` while every attempt was clearly refused, or
    /// never left this machine.
    #[serde(default)]
    pub first_tried: Option<Timestamp>,
    /// When the last such attempt ended.
    #[serde(default)]
    pub last_tried: Option<Timestamp>,
    /// Since when the platform has answered every attempt with an error of its own; `None` if it did not do so last time.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The alert it delivers.
    #[serde(default)]
    pub alert: Option<u64>,
    /// Mobile numbers of the people it mentions.
    #[serde(default)]
    pub mention_mobiles: Vec<String>,
    /// People it mentions as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_people: Vec<OpenId>,
    /// Whether it is the plain form of a message whose card Feishu refused: there is no simpler form to fall back to.
    #[serde(default)]
    pub plain: bool,
    /// The alert that it tells a user's owner about. If it cannot be delivered, the alert chat is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tells_owner_of: Option<u64>,
    /// The title of what it tells the owner of users, or who asked for quota. If it cannot be delivered, the alert chat is
    /// told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tells_owner: Option<String>,
}

/// A message whose delivery was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMessage {
    /// The message.
    pub owed: OwedMessage,
    /// Why, in Feishu's words.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// A task that needs remote calls, and reports to a card when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Ascending in the order of enqueueing.
    pub id: u64,
    /// What to do.
    pub kind: TaskKind,
    /// The card to update at the end.
    #[serde(default)]
    pub report: Option<Report>,
    /// When it was requested.
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
    /// Create a user.
    CreateUser {
        /// [`super::Creation::id`].
        creation: u64,
    },
    /// List an account's projects.
    RefreshProjects {
        /// Which account.
        account: AccountId,
        /// The user whose projects card is updated with the result.
        user: super::UserKey,
    },
    /// Write a user's personal data to the cloud.
    UpdateProfile {
        /// The user to write.
        user: super::UserKey,
        /// The changes.
        profile: super::Profile,
        /// The mobile number of the person who becomes the user's owner.
        #[serde(default)]
        owner_mobile: Option<String>,
    },
    /// Ask the cloud whether it accepts a key pair, and keep the pair if it does.
    CheckAccount {
        /// Which account: a new one, or one whose pair is replaced.
        account: AccountId,
        /// The name shown to people.
        name: String,
        /// The name under which the store keeps the sealed pair until the check.
        pair: String,
        /// Whether the account existed when the check was requested.
        known: bool,
    },
    /// Read the balances of the active accounts.
    ReadBalances,
    /// Ask Feishu whether mobile numbers that were saved as people to mention belong to somebody.
    CheckMobiles {
        /// The numbers.
        mobiles: Vec<String>,
        /// What was saved in chat before them; `None` = the configuration's.
        before: Option<Vec<String>>,
    },
    /// Read every path of a user's access, and change nothing.
    LookAtAccess {
        /// The user to look at.
        user: super::UserKey,
    },
    /// Carry a change of many users on: prepare it, or apply it.
    Batch {
        /// [`super::Batch::id`].
        batch: u64,
        /// Whether it has to download a file first, which may take long.
        #[serde(default)]
        downloads: bool,
    },
}

/// Where the result of a task is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The card that shows "processing".
    pub target: UpdateTarget,
    /// Its lane.
    pub lane: String,
}
