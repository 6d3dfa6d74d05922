//! Alert thresholds: up to 10 whole percents from 1 to 500.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Ascending, distinct, 1 to 10 of them, each 1 to 500 percent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u16>", into = "Vec<u16>")]
pub struct Thresholds(Vec<u16>);

/// Why thresholds were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdsError {
    /// None given.
    #[error("give at least one threshold")]
    Empty,
    /// More than 10.
    #[error("at most 10 thresholds")]
    TooMany,
    /// Not a whole percent from 1 to 500.
    #[error("`{0}` is not a whole percent from 1 to 500")]
    NotAPercent(String),
}

impl Thresholds {
    /// Sorts, removes repeats and checks.
    pub fn new(percents: impl IntoIterator<Item = u16>) -> Result<Self, ThresholdsError> {
        let mut percents: Vec<u16> = percents.into_iter().collect();
        percents.sort_unstable();
        percents.dedup();
        if let Some(bad) = percents.iter().find(|p| !(1..=500).contains(*p)) {
            return Err(ThresholdsError::NotAPercent(bad.to_string()));
        }
        match percents.len() {
            0 => Err(ThresholdsError::Empty),
            1..=10 => Ok(Self(percents)),
            _ => Err(ThresholdsError::TooMany),
        }
    }

    /// Returns the percents, ascending.
    pub fn percents(&self) -> &[u16] {
        &self.0
    }
}

impl Default for Thresholds {
    /// Returns 50, 80, 90.
    fn default() -> Self {
        Self(vec![50, 80, 90])
    }
}

impl fmt::Display for Thresholds {
    /// Formats as `50, 80, 90`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percents: Vec<String> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&percents.join(", "))
    }
}

impl FromStr for Thresholds {
    type Err = ThresholdsError;

    /// Parses `50,80,90`, also with full-width commas, spaces and percent signs.
    fn from_str(text: &str) -> Result<Self, ThresholdsError> {
        let percents = text
            .split([',', '，', '、', ';', '；'])
            .map(|part| part.trim().trim_end_matches(['%', '％']).trim_end())
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse::<u16>().map_err(|_| ThresholdsError::NotAPercent(part.to_owned()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(percents)
    }
}

impl TryFrom<Vec<u16>> for Thresholds {
    type Error = ThresholdsError;
    fn try_from(percents: Vec<u16>) -> Result<Self, ThresholdsError> {
        Self::new(percents)
    }
}

impl From<Thresholds> for Vec<u16> {
    fn from(thresholds: Thresholds) -> Vec<u16> {
        thresholds.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_typed() {
        assert_eq!("90, 50，80%".parse::<Thresholds>().unwrap().percents(), [50, 80, 90]);
        assert_eq!("80,80".parse::<Thresholds>().unwrap().percents(), [80]);
        assert_eq!("".parse::<Thresholds>(), Err(ThresholdsError::Empty));
        assert_eq!("1,2,3,4,5,6,7,8,9,10,11".parse::<Thresholds>(), Err(ThresholdsError::TooMany));
        for bad in ["0", "501", "5.5", "-5", "abc"] {
            assert_eq!(
                bad.parse::<Thresholds>(),
                Err(ThresholdsError::NotAPercent(bad.to_owned()))
            );
        }
    }
}
