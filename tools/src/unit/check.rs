//! How closely received frames are looked at.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, nearest};

/// What is checked of each frame that is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Nothing, and frames are not numbered.
    Off,
    /// Its number: order, duplicates, and whether it belongs to the addresses and ports it came with.
    #[default]
    Order,
    /// The UDP checksum too.
    Full,
}

const WORDS: [(&str, Check); 3] = [
    ("off", Check::Off),
    ("order", Check::Order),
    ("full", Check::Full),
];

impl FromStr for Check {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let word = text.trim().to_lowercase();
        let found = WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, check)| *check).ok_or_else(|| {
            let meant = nearest(&word, WORDS.map(|(known, _)| known)).unwrap_or("order");
            ValueError::new(text, "is not a check: off, order or full", meant)
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = WORDS.iter().find(|(_, check)| check == self);
        f.write_str(found.map_or("", |(word, _)| word))
    }
}
