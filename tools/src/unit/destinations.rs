//! Which of several things frames take.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, count, nearest, number};

/// How endpoints, or flows, are drawn from those there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Destinations {
    /// Each as likely as any other.
    Uniform,
    /// By Zipf's law with this exponent: that of rank k is drawn with a probability proportional to
    /// 1/k^s.
    Zipf(f64),
    /// The first only.
    One,
    /// One after the other.
    Sequential,
    /// Out of a few in a row, uniformly; the set moves on, whole, after so many frames.
    Hot {
        /// How many are hot at a time.
        set: u32,
        /// After how many frames the next ones are.
        frames: u32,
    },
}

const MAX_EXPONENT: f64 = 10.0;

/// More frames than a round has: a set that stays longer would not move at all.
const MAX_STAY: u64 = 1 << 19;

impl FromStr for Destinations {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let lower = text.trim().to_lowercase();
        let (word, rest) = match lower.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (lower.as_str(), None),
        };
        let error = |nearest: &str| {
            let why = "is not a law: uniform, zipf:S (S over 0, up to 10), one, sequential or \
                       hot:N:FRAMES (N of them at a time, others after so many frames)";
            ValueError::new(text, why, nearest)
        };
        match (word, rest) {
            ("uniform", None) => Ok(Self::Uniform),
            ("one", None) => Ok(Self::One),
            ("sequential", None) => Ok(Self::Sequential),
            ("zipf", Some(exponent)) => match number::split(exponent) {
                Some((s, unit)) if unit.is_empty() && s > 0.0 && s <= MAX_EXPONENT => {
                    Ok(Self::Zipf(s))
                }
                Some((s, _)) if s > MAX_EXPONENT => Err(error("zipf:10")),
                _ => Err(error("zipf:1")),
            },
            ("hot", Some(rest)) => {
                let (set, frames) = rest.split_once(':').unwrap_or((rest, "1000"));
                let set = count(set, "a number", 1..=u32::MAX.into());
                let frames = count(frames, "a number of frames", 1..=MAX_STAY);
                match (set, frames) {
                    (Ok(set), Ok(frames)) => Ok(Self::Hot {
                        set: set as u32,
                        frames: frames as u32,
                    }),
                    _ => Err(error("hot:16:1000")),
                }
            }
            _ => Err(error(
                match nearest(word, ["uniform", "zipf", "one", "sequential", "hot"]) {
                    Some("zipf") => "zipf:1",
                    Some("hot") => "hot:16:1000",
                    Some(word) => word,
                    None => "uniform",
                },
            )),
        }
    }
}

impl fmt::Display for Destinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(s) => write!(f, "zipf:{s}"),
            Self::One => f.write_str("one"),
            Self::Sequential => f.write_str("sequential"),
            Self::Hot { set, frames } => write!(f, "hot:{set}:{frames}"),
        }
    }
}
