//! Mixes of frame sizes: by name, or as the genome of RFC 6985.

use std::fmt;

use super::{MAX_FRAME, RFC2544};

/// The most parts of a mix.
const PARTS: usize = 32;

/// Several frame sizes, check sequence included, and how many frames of a round have each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeMix {
    /// The name; none of a genome.
    name: Option<&'static str>,
    parts: [(u16, u16); PARTS],
    len: usize,
}

/// The mixes that have names. The first is what `imix` means without more.
const NAMED: [(&str, &[(u16, u16)]); 8] = [
    ("imix", &[(64, 7), (570, 4), (1518, 1)]),
    ("trex", &[(64, 28), (594, 16), (1518, 4)]),
    ("csit", &[(64, 28), (570, 16), (1518, 4)]),
    ("csit-v6", &[(78, 28), (570, 16), (1518, 4)]),
    ("tolly", &[(64, 55), (78, 5), (576, 17), (1518, 23)]),
    ("rpr-tri", &[(64, 60), (512, 20), (1518, 20)]),
    ("rpr-quad", &[(64, 50), (512, 15), (1518, 15), (9218, 20)]),
    (
        "rfc2544",
        &[
            (RFC2544[0], 1),
            (RFC2544[1], 1),
            (RFC2544[2], 1),
            (RFC2544[3], 1),
            (RFC2544[4], 1),
            (RFC2544[5], 1),
            (RFC2544[6], 1),
        ],
    ),
];

/// The letters of RFC 6985 for sizes that fit; `j`, 16,000, does not, and `z`, the MTU, is nobody's here.
const LETTERS: [(char, u16); 9] = [
    ('a', 64),
    ('b', 128),
    ('c', 256),
    ('d', 512),
    ('e', 1024),
    ('f', 1280),
    ('g', 1518),
    ('h', 2112),
    ('i', 9000),
];

/// The most frames of one letter in a row.
const RUN: u16 = 1000;

impl SizeMix {
    /// The mix of this name, in lower case; `simple` is another for `imix`.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "simple" { "imix" } else { name };
        let (name, parts) = NAMED.iter().find(|(known, _)| *known == name)?;
        Some(Self::of(Some(name), parts))
    }

    /// The names there are.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// A genome, in lower case: letters, each with the number of frames in front of it if it is not one;
    /// `7a4dg` is seven frames of 64 bytes, four of 512, one of 1518, in that order, over and over.
    ///
    /// # Errors
    /// What is wrong with it, to be read behind the text.
    pub fn genome(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut digits = String::new();
        for letter in text.chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let Some((_, size)) = LETTERS.iter().find(|(known, _)| *known == letter) else {
                return Err(format!(
                    "is not a genome: '{letter}' is no letter of a size up to {MAX_FRAME} (a = 64, b = \
                     128, c = 256, d = 512, e = 1024, f = 1280, g = 1518, h = 2112, i = 9000)"
                ));
            };
            let n = match digits.as_str() {
                "" => 1,
                digits => digits.parse().unwrap_or(0),
            };
            if !(1..=RUN).contains(&n) {
                return Err(format!(
                    "is not a genome: {digits} frames in a row, 1 to {RUN} there may be"
                ));
            }
            digits.clear();
            match parts.last_mut() {
                Some((last, count)) if last == size && *count + n <= RUN => *count += n,
                _ => parts.push((*size, n)),
            }
        }
        match parts.len() {
            _ if !digits.is_empty() => Err("is not a genome: it ends with a number".to_owned()),
            0 => Err("is not a genome: it has no letter".to_owned()),
            1..=PARTS => Ok(Self::of(None, &parts)),
            runs => Err(format!(
                "is not a genome of up to {PARTS} runs: it has {runs}"
            )),
        }
    }

    fn of(name: Option<&'static str>, parts: &[(u16, u16)]) -> Self {
        let mut all = [(0, 0); PARTS];
        for (part, given) in all.iter_mut().zip(parts) {
            *part = *given;
        }
        Self {
            name,
            parts: all,
            len: parts.len().min(PARTS),
        }
    }

    /// The sizes, and how many frames of a round have each.
    pub fn parts(&self) -> &[(u16, u16)] {
        self.parts.get(..self.len).unwrap_or_default()
    }

    /// Whether frames come in the order of the parts; if not, shuffled.
    pub fn is_ordered(&self) -> bool {
        self.name.is_none()
    }
}

impl fmt::Display for SizeMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name {
            return f.write_str(name);
        }
        f.write_str("genome:")?;
        for (size, n) in self.parts() {
            let letter = LETTERS.iter().find(|(_, known)| known == size);
            let letter = letter.map_or('?', |(letter, _)| *letter);
            match n {
                1 => write!(f, "{letter}")?,
                n => write!(f, "{n}{letter}")?,
            }
        }
        Ok(())
    }
}
