//! Address families.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, nearest};

/// The address family of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Half of each.
    Mixed,
}

impl FromStr for Family {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.trim().to_lowercase().as_str() {
            "v4" | "ipv4" | "4" => Ok(Self::V4),
            "v6" | "ipv6" | "6" => Ok(Self::V6),
            "mixed" => Ok(Self::Mixed),
            other => Err(ValueError::new(
                text,
                "is not a family: v4, v6 or mixed",
                nearest(other, ["v4", "v6", "mixed"]).unwrap_or("mixed"),
            )),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
            Self::Mixed => "mixed",
        })
    }
}
