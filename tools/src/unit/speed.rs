//! How fast to replay.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, nearest, number};

/// The pace of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the receiver takes it.
    Max,
    /// So many times the capture's own pace.
    Times(f64),
}

const SLOWEST: f64 = 1e-6;
const FASTEST: f64 = 1e9;

impl FromStr for Speed {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = |nearest: &str| {
            let why = "is not a speed: max, or a multiple of the capture's own pace (1, 0.5, 10x)";
            ValueError::new(text, why, nearest)
        };
        if text.trim().eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        match number::split(text) {
            Some((times, unit)) if matches!(unit.as_str(), "" | "x") => match times {
                t if t < SLOWEST => Err(error("1")),
                t if t > FASTEST => Err(error("max")),
                t => Ok(Self::Times(t)),
            },
            Some((times, _)) if times >= SLOWEST => Err(error(&number::plain(times))),
            _ => Err(error(nearest(text, ["max"]).unwrap_or("1"))),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Times(times) => write!(f, "{times}"),
        }
    }
}
