//! Which endpoints frames go to.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, nearest, number};

/// How destinations are drawn from the endpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Destinations {
    /// Each endpoint as likely as any other.
    Uniform,
    /// By Zipf's law with this exponent: the endpoint of rank k is drawn with a probability
    /// proportional to 1/k^s.
    Zipf(f64),
    /// The first endpoint only.
    One,
}

const MAX_EXPONENT: f64 = 10.0;

impl FromStr for Destinations {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let lower = text.trim().to_lowercase();
        let (word, exponent) = match lower.split_once(':') {
            Some((word, exponent)) => (word, Some(exponent)),
            None => (lower.as_str(), None),
        };
        let error = |nearest: &str| {
            let why =
                "is not a choice of destinations: uniform, zipf:S (S over 0, up to 10) or one";
            ValueError::new(text, why, nearest)
        };
        match (word, exponent) {
            ("uniform", None) => Ok(Self::Uniform),
            ("one", None) => Ok(Self::One),
            ("zipf", Some(exponent)) => match number::split(exponent) {
                Some((s, unit)) if unit.is_empty() && s > 0.0 && s <= MAX_EXPONENT => {
                    Ok(Self::Zipf(s))
                }
                Some((s, _)) if s > MAX_EXPONENT => Err(error("zipf:10")),
                _ => Err(error("zipf:1")),
            },
            _ => Err(error(match nearest(word, ["uniform", "zipf", "one"]) {
                Some("zipf") => "zipf:1",
                Some(word) => word,
                None => "uniform",
            })),
        }
    }
}

impl fmt::Display for Destinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(s) => write!(f, "zipf:{s}"),
            Self::One => f.write_str("one"),
        }
    }
}
