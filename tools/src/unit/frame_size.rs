//! How large frames are.

use std::fmt;
use std::str::FromStr;

use super::{SizeMix, ValueError, count, nearest};

/// The smallest frame size, in bytes with the frame check sequence: Ethernet's.
pub const MIN_FRAME: u16 = 64;

/// The largest frame size, in bytes with the frame check sequence: that of the published mixes; RFC 5180
/// goes up to 9216.
pub const MAX_FRAME: u16 = 9218;

/// The frame sizes of RFC 2544, section 9.1, for Ethernet.
pub const RFC2544: [u16; 7] = [64, 128, 256, 512, 1024, 1280, 1518];

/// Frame sizes with the frame check sequence: a 64-byte frame is 60 bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSize {
    /// All of this size.
    Fixed(u16),
    /// Several sizes.
    Mix(SizeMix),
}

impl FrameSize {
    /// The sizes and how many frames in a round have each, in the order they are listed in.
    pub fn parts(&self) -> impl Iterator<Item = (u16, u16)> {
        let (one, mix) = match self {
            Self::Fixed(size) => (Some((*size, 1)), None),
            Self::Mix(mix) => (None, Some(mix.parts())),
        };
        one.into_iter().chain(mix.into_iter().flatten().copied())
    }
}

impl FromStr for FrameSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let lower = text.trim().to_lowercase();
        if let Some(genome) = lower.strip_prefix("genome:") {
            return SizeMix::genome(genome)
                .map(Self::Mix)
                .map_err(|why| ValueError::new(text, why, "genome:7a4dg"));
        }
        let name = lower.strip_prefix("imix:").unwrap_or(&lower);
        if let Some(mix) = SizeMix::named(name) {
            return Ok(Self::Mix(mix));
        }
        count(text, "a frame size", MIN_FRAME.into()..=MAX_FRAME.into())
            .map(|size| Self::Fixed(size as u16))
            .map_err(|inner| {
                let names = SizeMix::names();
                ValueError::new(
                    text,
                    format!(
                        "is not a frame size: bytes from {MIN_FRAME} to {MAX_FRAME}, a mix ({}) or \
                         genome:LETTERS",
                        names.clone().collect::<Vec<_>>().join(", ")
                    ),
                    nearest(name, names).map_or(inner.nearest, str::to_owned),
                )
            })
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Mix(mix) => mix.fmt(f),
        }
    }
}
