//! What a message says, as pieces: the words that its author typed, and mentions of people by open_id.
//!
//! A mention never becomes words. The platform shows the display name, which that person chose: read
//! as words, it would let anybody write arguments into other people's commands. The same holds for the label
//! of a link, which may be the title of somebody else's document.

use serde_json::Value;

use super::fields::string;

/// A piece of a message as the bot reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words that the author typed, with the white space around them. Never blank.
    Words(String),
    /// A mention, one argument whatever the person is called. No white space belongs to it: `main/@bob` is the words
    /// `main/` directly followed by a mention.
    Mention {
        /// The person or bot; `None` for everybody (`@all`), and if the platform does not say who it is.
        open_id: Option<String>,
    },
}

/// A message as the bot should read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextForBot {
    /// Whether the bot is mentioned.
    pub mentioned: bool,
    /// The text, without white space at either end. Mentions of the bot are left out, as are mentions of everybody in
    /// front of the first words.
    pub pieces: Vec<Piece>,
}

impl TextForBot {
    /// Returns the words alone, with a space where a mention was.
    pub fn words(&self) -> String {
        let mut words = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Words(piece) => words.push_str(piece),
                Piece::Mention { .. } => separate(&mut words),
            }
        }
        words.trim().to_owned()
    }
}

/// A mention in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The placeholder in the text, `@_user_1`; in a post that lists no mentions, the id that stands in its place.
    pub key: String,
    /// The person or bot; `None` for everybody (`@all`).
    pub open_id: Option<String>,
    /// Whether it is a bot, if the platform says.
    pub is_bot: Option<bool>,
}

/// A part of a message as the platform delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Words(String),
    Mention { open_id: Option<String> },
    Everybody,
}

/// The placeholder of a mention of everybody. It may have no entry among the mentions.
const EVERYBODY: &str = "@_all";
/// White space that goes with a mention of the bot when it is left out.
const BLANKS: [char; 3] = [' ', '\t', '\u{a0}'];

impl Mention {
    /// Reads an entry of a message's `mentions`.
    pub(super) fn parse(mention: &Value) -> Option<Self> {
        Some(Self {
            // A placeholder starts with @; anything else could match ordinary text.
            key: string(mention, "key").filter(|key| key.len() > 1 && key.starts_with('@'))?,
            // An object of ids in events, the open_id itself in the history.
            open_id: string(mention, "id")
                .or_else(|| mention.get("id").and_then(|id| string(id, "open_id"))),
            is_bot: string(mention, "mentioned_type").map(|kind| kind == "bot"),
        })
    }
}

/// Returns what the bot reads of a message; `is_me` tells the bot by its open_id.
pub(super) fn for_bot(parts: &[Part], is_me: impl Fn(Option<&str>) -> bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut after_removed = false;
    for part in parts {
        let words = match part {
            Part::Mention { open_id } if is_me(open_id.as_deref()) => {
                after_removed = true;
                continue;
            }
            Part::Everybody if pieces.iter().all(Piece::is_blank) => continue,
            Part::Everybody => {
                pieces.push(Piece::Mention { open_id: None });
                continue;
            }
            Part::Mention { open_id } => {
                pieces.push(Piece::Mention { open_id: open_id.clone() });
                continue;
            }
            Part::Words(words) => words.as_str(),
        };
        let words = if after_removed { words.trim_start_matches(BLANKS) } else { words };
        match pieces.last_mut() {
            Some(Piece::Words(last)) => {
                // The words on either side of a mention stay separate.
                if after_removed {
                    separate(last);
                }
                last.push_str(words);
            }
            _ => pieces.push(Piece::Words(words.to_owned())),
        }
        after_removed = false;
    }
    pieces.retain(|piece| !piece.is_blank());
    if let Some(Piece::Words(first)) = pieces.first_mut() {
        *first = first.trim_start().to_owned();
    }
    if let Some(Piece::Words(last)) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
    pieces
}

impl Piece {
    fn is_blank(&self) -> bool {
        matches!(self, Self::Words(words) if words.trim().is_empty())
    }
}

fn separate(words: &mut String) {
    if !words.is_empty() && !words.ends_with(char::is_whitespace) {
        words.push(' ');
    }
}

/// Reads the content of a text or post message; `None` for other kinds, and if there is no text. Mentions that only the
/// content knows are added to `mentions`.
pub(super) fn read(
    message_type: &str,
    content: &Value,
    mentions: &mut Vec<Mention>,
) -> Option<Vec<Part>> {
    match message_type {
        "text" => {
            let mut parts = Vec::new();
            push_text(&mut parts, content.get("text")?.as_str()?, mentions);
            Some(parts)
        }
        "post" => read_post(content, mentions),
        _ => None,
    }
}

/// Reads a post: title and paragraphs, one per line. Skips pictures and the like; a post with nothing else has no text.
///
/// A received post has no level for its language; one that comes with it is read in the first language that has content.
fn read_post(content: &Value, mentions: &mut Vec<Mention>) -> Option<Vec<Part>> {
    let has_content = |post: &&Value| post.get("content").is_some_and(Value::is_array);
    let post = Some(content)
        .filter(has_content)
        .or_else(|| content.as_object()?.values().find(has_content))?;
    let mut parts = Vec::new();
    if let Some(title) = string(post, "title") {
        push_text(&mut parts, &title, mentions);
    }
    for paragraph in post.get("content")?.as_array()? {
        let mut line = Vec::new();
        for element in paragraph.as_array().into_iter().flatten() {
            push_element(&mut line, element, mentions);
        }
        if !line.is_empty() && !parts.is_empty() {
            push_words(&mut parts, "\n");
        }
        for part in line {
            match part {
                Part::Words(words) => push_words(&mut parts, &words),
                mention => parts.push(mention),
            }
        }
    }
    (!parts.is_empty()).then_some(parts)
}

fn push_element(line: &mut Vec<Part>, element: &Value, mentions: &mut Vec<Mention>) {
    let text = || element.get("text").and_then(Value::as_str).unwrap_or_default();
    match element.get("tag").and_then(Value::as_str) {
        Some("at") => line.extend(read_at(element, mentions)),
        Some("a") => {
            let target = string(element, "href").unwrap_or_default();
            push_words(line, if is_label_of(text(), &target) { text() } else { &target });
        }
        Some("text" | "md" | "code_block") => push_text(line, text(), mentions),
        _ => {}
    }
}

/// Reads the mention of a post. `user_id` is the placeholder in a received post; posts by apps, and posts that list no
/// mentions, have been seen with the open_id.
fn read_at(element: &Value, mentions: &mut Vec<Mention>) -> Option<Part> {
    let user_id = string(element, "user_id")?;
    if user_id == EVERYBODY || user_id == "all" {
        return Some(Part::Everybody);
    }
    let known = mentions
        .iter()
        .find(|mention| mention.key == user_id || mention.open_id.as_ref() == Some(&user_id));
    if let Some(mention) = known {
        return Some(Part::Mention { open_id: mention.open_id.clone() });
    }
    let open_id = Some(user_id).filter(|id| id.starts_with("ou_"));
    mentions.extend(open_id.clone().map(|id| Mention {
        key: id.clone(),
        open_id: Some(id),
        is_bot: None,
    }));
    Some(Part::Mention { open_id })
}

fn push_words(parts: &mut Vec<Part>, words: &str) {
    match parts.last_mut() {
        Some(Part::Words(last)) => last.push_str(words),
        _ if words.is_empty() => {}
        _ => parts.push(Part::Words(words.to_owned())),
    }
}

/// Adds text in which placeholders stand for mentions and links are written `[label](target)`.
fn push_text(parts: &mut Vec<Part>, text: &str, mentions: &[Mention]) {
    let text = without_labels(text);
    let mut rest = text.as_str();
    let mut words = String::with_capacity(rest.len());
    while let Some((before, from_at)) = rest.find('@').and_then(|at| rest.split_at_checked(at)) {
        words.push_str(before);
        match mention_at(from_at, mentions) {
            Some((part, after)) => {
                push_words(parts, &std::mem::take(&mut words));
                parts.push(part);
                rest = after;
            }
            None => {
                words.push('@');
                rest = from_at.get(1..).unwrap_or_default();
            }
        }
    }
    words.push_str(rest);
    push_words(parts, &words);
}

/// Returns the mention whose placeholder `text` starts with, and the text after it. `@_user_1` does not match
/// `@_user_12`, unless no mention of the message has two digits: then the author typed the 2 right after the mention.
fn mention_at<'t>(text: &'t str, mentions: &[Mention]) -> Option<(Part, &'t str)> {
    let goes_on = |next: char| next.is_ascii_alphanumeric() || next == '_';
    if let Some(after) = text.strip_prefix(EVERYBODY).filter(|after| !after.starts_with(goes_on)) {
        return Some((Part::Everybody, after));
    }
    let has_one_digit = |mention: &Mention| {
        mention.key.trim_end_matches(|c: char| c.is_ascii_digit()).len().saturating_add(1)
            >= mention.key.len()
    };
    let may_touch_digits = mentions.iter().all(has_one_digit);
    mentions
        .iter()
        .filter_map(|mention| {
            let part = Part::Mention { open_id: mention.open_id.clone() };
            Some((part, text.strip_prefix(mention.key.as_str())?))
        })
        .find(|(_, after)| {
            may_touch_digits || !after.starts_with(|next: char| next.is_ascii_digit())
        })
}

/// Undoes the links that a client made from addresses. It links them by itself, even parts of a word:
/// `[bob@corp.example](mailto:bob@corp.example)` was typed as `bob@corp.example`.
///
/// A link with another label is read as its target alone: the label may be the title of somebody's document. A label may
/// contain anything, brackets too, so that nobody can tell where such a link begins: everything from the first bracket to
/// the end of the last link gives way to the last target.
fn without_labels(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find('[').and_then(|at| rest.split_at_checked(at)) {
        read.push_str(before);
        match link_at(from) {
            Some((label, target, after)) if is_label_of(label, target) => {
                read.push_str(label);
                rest = after;
            }
            _ => {
                read.push('[');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    read.push_str(rest);
    // The links that remain, after those that clients made are undone.
    let Some((_, last)) = link_targets(&read).last() else { return read };
    let target = last.0.to_owned();
    let after = last.1;
    let before = text.split('[').next().unwrap_or_default();
    format!("{before}{target}{after}")
}

/// Returns label and target of the link that `text` starts with, and the text after it. The label holds no brackets.
fn link_at(text: &str) -> Option<(&str, &str, &str)> {
    let (label, from) = text.strip_prefix('[')?.split_once("](")?;
    let (target, after) = target_at(from)?;
    (!label.contains(['[', ']', '\n'])).then_some((label, target, after))
}

/// Returns every `](target)` in `text` with its position, its target and the text after it.
fn link_targets(text: &str) -> impl Iterator<Item = (usize, (&str, &str))> {
    text.match_indices("](")
        .filter_map(|(at, found)| Some((at, target_at(text.get(at.checked_add(found.len())?..)?)?)))
}

/// Returns the target before the closing parenthesis, and the text after it. A target has a scheme and no white space; its
/// own parentheses come in pairs.
fn target_at(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let end = text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' if depth == 0 => return Some(Some(at)),
            ')' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() => return Some(None),
            _ => {}
        }
        None
    })??;
    let (target, after) = text.split_at_checked(end)?;
    let (scheme, _) = target.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some((target, after.get(1..)?))
}

/// Returns whether a client made the link of the text: the label is the target, perhaps without its scheme.
fn is_label_of(label: &str, target: &str) -> bool {
    let bare = |address: &'_ str| -> String {
        let address = ["mailto:", "tel:", "https://", "http://"]
            .into_iter()
            .find_map(|scheme| address.strip_prefix(scheme))
            .unwrap_or(address);
        address.trim_end_matches('/').to_lowercase()
    };
    !label.is_empty() && bare(label) == bare(target)
}
