//! The languages that airgate speaks.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Not the name of a language that airgate speaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a locale; use {list}", list = Locale::WORDS.join(" or "))]
pub struct LocaleError(String);

/// Declares the languages. A new one is a row here; the compiler then asks for its catalogue of texts.
macro_rules! locales {
    ($($(#[$attribute:meta])* $name:ident = $word:literal;)+) => {
        /// A language of cards and messages.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
        pub enum Locale {
            $($(#[$attribute])* #[serde(rename = $word)] $name,)+
        }

        impl Locale {
            /// Every language.
            pub const ALL: [Locale; Locale::WORDS.len()] = [$(Locale::$name),+];

            /// The name of every language, in the order of [`Locale::ALL`].
            pub const WORDS: &[&str] = &[$($word),+];

            /// The name in the configuration and on the platform.
            pub fn word(self) -> &'static str {
                match self {
                    $(Locale::$name => $word,)+
                }
            }
        }
    };
}

locales! {
    /// Simplified Chinese.
    #[default]
    ZhCn = "zh_cn";
    /// English.
    EnUs = "en_us";
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(text: &str) -> Result<Self, LocaleError> {
        Self::ALL
            .into_iter()
            .find(|locale| locale.word() == text)
            .ok_or_else(|| LocaleError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_parsed_from_its_name() {
        for locale in Locale::ALL {
            assert_eq!(locale.word().parse(), Ok(locale));
        }
        let error = "fr".parse::<Locale>().unwrap_err();
        assert_eq!(error.to_string(), "`fr` is not a locale; use zh_cn or en_us");
    }
}
