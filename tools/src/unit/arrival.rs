//! When frames come.

use std::fmt;
use std::str::FromStr;

use std::time::Duration;

use super::{ValueError, count, duration, nearest};

/// How planned send times are spread, at the same mean rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Constant gaps.
    Cbr,
    /// Exponential gaps.
    Poisson,
    /// Trains of this many frames, all due at the train's start.
    Burst(u32),
    /// Constant gaps for a time, then nothing for another, over and over.
    OnOff {
        /// For how long frames come.
        on: Duration,
        /// For how long none do.
        off: Duration,
    },
}

/// How long either part may be.
const LONGEST: Duration = Duration::from_secs(3600);

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
            let why = format!(
                "is not an arrival: cbr, poisson, burst:N (N from 1 to {MAX_TRAIN}) or onoff:ON:OFF (times)"
            );
            ValueError::new(text, why, nearest)
        };
        match (word, number) {
            ("cbr", None) => Ok(Self::Cbr),
            ("poisson", None) => Ok(Self::Poisson),
            ("burst", Some(number)) => count(number, "a train length", 1..=MAX_TRAIN)
                .map(|n| Self::Burst(n as u32))
                .map_err(|inner| error(&format!("burst:{}", inner.nearest))),
            ("onoff", Some(times)) => {
                let (on, off) = times.split_once(':').unwrap_or((times, ""));
                let on = duration(on, Duration::from_micros(1)..=LONGEST);
                let off = duration(off, Duration::ZERO..=LONGEST);
                match (on, off) {
                    (Ok(on), Ok(off)) => Ok(Self::OnOff { on, off }),
                    _ => Err(error("onoff:10ms:90ms")),
                }
            }
            _ => Err(error(
                match nearest(word, ["cbr", "poisson", "burst", "onoff"]) {
                    Some("onoff") => "onoff:10ms:90ms",
                    Some("burst") => "burst:32",
                    Some(word) => word,
                    None => "cbr",
                },
            )),
        }
    }
}

/// A time in the largest unit that it is a whole number of.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        match ns {
            _ if ns.is_multiple_of(1_000_000_000) => write!(f, "{}s", ns / 1_000_000_000),
            _ if ns.is_multiple_of(1_000_000) => write!(f, "{}ms", ns / 1_000_000),
            _ if ns.is_multiple_of(1_000) => write!(f, "{}us", ns / 1_000),
            _ => write!(f, "{ns}ns"),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbr => f.write_str("cbr"),
            Self::Poisson => f.write_str("poisson"),
            Self::Burst(n) => write!(f, "burst:{n}"),
            Self::OnOff { on, off } => {
                write!(f, "onoff:{}:{}", Short(*on), Short(*off))
            }
        }
    }
}
