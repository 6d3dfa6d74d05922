//! Reads a message as a command of the table.

use std::collections::VecDeque;

use super::command::{Argument, Arguments, Command, ParseError};
use super::table::COMMANDS;
use crate::domain::typed::{free_text, parsed_text};
use crate::domain::{Needs, OpenId};
use crate::feishu::Piece;

/// Longer words, in bytes, are not compared with command names: none is a misspelling of one.
const LONGEST_WORD: usize = 64;

/// Longer texts, in bytes, are not looked up as names: names have up to 200 characters.
const LONGEST_NAME: usize = 800;

/// A message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Who may use the command, or be told what is wrong with it.
    pub needs: Needs,
    /// The command, or why there is none.
    pub command: Result<Command, ParseError>,
}

/// Reads a message. A leading `/` is optional; case, extra blanks and invisible characters are ignored; unexpected
/// arguments are refused. Mentions in front of the command address people and are not part of it.
pub fn parse(pieces: &[Piece]) -> Parsed {
    let mut arguments: VecDeque<Argument> = pieces.iter().flat_map(arguments_of).collect();
    let mut has_slash = false;
    // The slash may be followed by a space, or be the full-width one of a Chinese keyboard.
    let first = loop {
        let word = match arguments.pop_front() {
            Some(Argument::Word(word)) => word,
            Some(Argument::Mention(_)) => continue,
            None => return Parsed { needs: Needs::Anyone, command: Err(ParseError::Empty) },
        };
        has_slash |= parsed_text(&word).starts_with(['/', '／']);
        let word = parsed_text(&word).trim_start_matches(['/', '／']).to_owned();
        if !word.is_empty() {
            break word;
        }
    };
    let folded = first.to_lowercase();
    let Some(command) =
        COMMANDS.iter().find(|spec| spec.name == folded || spec.aliases.contains(&folded.as_str()))
    else {
        let name = if has_slash { None } else { name_of(&first, &arguments) };
        let error = ParseError::Unknown { nearest: nearest(&folded), typed: first, name };
        return Parsed { needs: Needs::Anyone, command: Err(error) };
    };
    let mut arguments = Arguments::new(command, arguments);
    let parsed = (command.parse)(command, &mut arguments);
    match (parsed, arguments.surplus(command)) {
        (Ok(_), Some(error)) => Parsed { needs: command.needs, command: Err(error) },
        (parsed, _) => Parsed { needs: arguments.needs(), command: parsed },
    }
}

/// Returns a text without a command as the name of a user, which may have blanks.
fn name_of(first: &str, rest: &VecDeque<Argument>) -> Option<String> {
    let mut name = first.to_owned();
    for argument in rest {
        let Argument::Word(word) = argument else { return None };
        name = format!("{name} {}", parsed_text(word));
        if name.len() > LONGEST_NAME {
            return None;
        }
    }
    (name.len() <= LONGEST_NAME).then_some(name)
}

/// Returns the words of a piece, or its one mention. Words made only of invisible characters are skipped.
fn arguments_of(piece: &Piece) -> Vec<Argument> {
    match piece {
        Piece::Words(words) => free_text(words)
            .split_whitespace()
            .filter(|word| !parsed_text(word).is_empty())
            .map(|word| Argument::Word(word.to_owned()))
            .collect(),
        Piece::Mention { open_id } => {
            let person = open_id.as_ref().and_then(|id| OpenId::new(id.as_str()).ok());
            vec![Argument::Mention(person)]
        }
    }
}

/// The command that was probably meant. A comparison costs the product of the lengths, and words from outside may be long.
fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    COMMANDS
        .iter()
        .flat_map(|spec| {
            std::iter::once(&spec.name).chain(spec.aliases).map(move |known| (spec.name, *known))
        })
        .map(|(name, known)| (strsim::damerau_levenshtein(word, known), known, name))
        .filter(|(distance, known, _)| {
            let longest = word.chars().count().max(known.chars().count());
            *distance <= 2 && *distance < longest
        })
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., name)| name)
}
