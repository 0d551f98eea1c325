//! When frames come.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, count, nearest};

/// How planned send times are spread, at the same mean rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Constant gaps.
    Cbr,
    /// Exponential gaps.
    Poisson,
    /// Trains of this many frames, all due at the train's start.
    Burst(u32),
}

const MAX_TRAIN: u64 = 65_536;

impl FromStr for Arrival {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let lower = text.trim().to_lowercase();
        let (word, number) = match lower.split_once(':') {
            Some((word, number)) => (word, Some(number)),
            None => (lower.as_str(), None),
        };
        let error = |nearest: &str| {
            let why =
                format!("is not an arrival: cbr, poisson or burst:N (N from 1 to {MAX_TRAIN})");
            ValueError::new(text, why, nearest)
        };
        match (word, number) {
            ("cbr", None) => Ok(Self::Cbr),
            ("poisson", None) => Ok(Self::Poisson),
            ("burst", Some(number)) => count(number, "a train length", 1..=MAX_TRAIN)
                .map(|n| Self::Burst(n as u32))
                .map_err(|inner| error(&format!("burst:{}", inner.nearest))),
            _ => Err(error(match nearest(word, ["cbr", "poisson", "burst"]) {
                Some("burst") => "burst:32",
                Some(word) => word,
                None => "cbr",
            })),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbr => f.write_str("cbr"),
            Self::Poisson => f.write_str("poisson"),
            Self::Burst(n) => write!(f, "burst:{n}"),
        }
    }
}
