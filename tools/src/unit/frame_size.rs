//! How large frames are.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, count, nearest};

/// The smallest frame size, in bytes with the frame check sequence: Ethernet's.
pub const MIN_FRAME: u16 = 64;

/// The largest frame size, in bytes with the frame check sequence: a jumbo frame's.
pub const MAX_FRAME: u16 = 9018;

/// The sizes of `imix` and how many of each come in 12 frames: the simple IMIX of 7:4:1.
pub const IMIX: [(u16, u8); 3] = [(64, 7), (570, 4), (1518, 1)];

/// Frame sizes with the frame check sequence: a 64-byte frame is 60 bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSize {
    /// All of this size.
    Fixed(u16),
    /// The mix of [`IMIX`].
    Imix,
}

impl FromStr for FrameSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.trim().eq_ignore_ascii_case("imix") {
            return Ok(Self::Imix);
        }
        count(text, "a frame size", MIN_FRAME.into()..=MAX_FRAME.into())
            .map(|size| Self::Fixed(size as u16))
            .map_err(|inner| {
                ValueError::new(
                    text,
                    format!("is not a frame size: bytes from {MIN_FRAME} to {MAX_FRAME}, or imix"),
                    nearest(text, ["imix"]).map_or(inner.nearest, str::to_owned),
                )
            })
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Imix => f.write_str("imix"),
        }
    }
}
