//! How fast to send.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, number};

/// Preamble, start delimiter and the gap between frames: what a frame takes of a link on top of its
/// own bytes.
const LAYER_1_OVERHEAD: f64 = 20.0;

/// The highest rate that is taken, in frames per second: nothing sends a frame in less than a
/// nanosecond.
const MAX_PPS: f64 = 1e9;

/// A sending rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as the receiver takes it.
    Max,
    /// Frames per second.
    Pps(f64),
    /// Bits per second on the wire: each frame counts with its check sequence and 20 bytes of
    /// preamble and gap.
    Bps(f64),
    /// Percent of what a short calibration at `max` achieves.
    Percent(f64),
}

impl Rate {
    /// Frames per second for frames of `mean_size` bytes, check sequence included, where
    /// `max_pps` is what the calibration achieved. None for [`Rate::Max`].
    pub fn pps(self, mean_size: f64, max_pps: f64) -> Option<f64> {
        match self {
            Self::Max => None,
            Self::Pps(pps) => Some(pps),
            Self::Bps(bps) => Some(bps / ((mean_size + LAYER_1_OVERHEAD) * 8.0)),
            Self::Percent(percent) => Some(max_pps * percent / 100.0),
        }
    }
}

impl FromStr for Rate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const WHAT: &str = "is not a rate: max, frames per second (5Mpps, 200kpps, 1_000_000), \
                            bits per second (2.5gbps, 10g) or a share of max (50%)";
        let error = |nearest: String| ValueError::new(text, WHAT, nearest);
        if text.trim().eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let Some((number, unit)) = number::split(text) else {
            return Err(error(
                super::nearest(text.trim(), ["max"])
                    .unwrap_or("1Mpps")
                    .to_owned(),
            ));
        };
        let plain = number::plain(number);
        let rate = match unit.as_str() {
            "" | "pps" => Self::Pps(number),
            "kpps" => Self::Pps(number * 1e3),
            "mpps" => Self::Pps(number * 1e6),
            "gpps" => Self::Pps(number * 1e9),
            "bps" | "bit/s" => Self::Bps(number),
            "kbps" | "kbit" | "kbit/s" => Self::Bps(number * 1e3),
            "mbps" | "mbit" | "mbit/s" => Self::Bps(number * 1e6),
            "g" | "gbps" | "gbit" | "gbit/s" => Self::Bps(number * 1e9),
            "tbps" | "tbit" | "tbit/s" => Self::Bps(number * 1e12),
            "%" => Self::Percent(number),
            // 10g is a link speed to everybody; 5m is frames to some and bits to others.
            "k" | "m" => {
                return Err(ValueError::new(
                    text,
                    format!(
                        "may be frames or bits per second: write {plain}{unit}pps or {plain}{unit}bps"
                    ),
                    format!("{plain}{unit}pps"),
                ));
            }
            other => {
                let units = ["pps", "kpps", "Mpps", "bps", "kbps", "mbps", "gbps"];
                let unit = super::nearest(other, units).unwrap_or("pps");
                return Err(error(format!("{plain}{unit}")));
            }
        };
        match rate {
            Self::Percent(p) if p > 0.0 && p <= 1000.0 => Ok(rate),
            Self::Percent(p) => Err(error(if p > 0.0 { "1000%" } else { "1%" }.to_owned())),
            // A bit rate is bounded as if all frames were as small as can be.
            _ => match rate.pps(44.0, 0.0) {
                Some(pps) if pps <= 0.0 => Err(error("1pps".to_owned())),
                Some(pps) if pps > MAX_PPS => Err(ValueError::new(
                    text,
                    "is more than a thousand million frames per second",
                    "max",
                )),
                _ => Ok(rate),
            },
        }
    }
}

/// As people write it, and as it can be read again: `5Mpps`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Max => f.write_str("max"),
            Self::Pps(pps) => in_its_unit(f, pps, ["Gpps", "Mpps", "kpps", "pps"]),
            Self::Bps(bps) => in_its_unit(f, bps, ["gbps", "mbps", "kbps", "bps"]),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Writes a number in the largest of the units, a thousand times the next each, in which it has three decimals at
/// most; in the last if there is none.
fn in_its_unit(f: &mut fmt::Formatter<'_>, number: f64, units: [&str; 4]) -> fmt::Result {
    let fits = |scaled: f64| scaled >= 1.0 && (scaled * 1e3).fract() == 0.0;
    let mut scales = [1e9, 1e6, 1e3].into_iter().zip(units);
    match scales.find(|(scale, _)| fits(number / scale)) {
        Some((scale, unit)) => write!(f, "{}{unit}", number / scale),
        None => write!(f, "{number}{}", units[3]),
    }
}
