//! Lists of cores.

use std::fmt;
use std::str::FromStr;

use super::ValueError;

/// Cores by number: `1,3-5` is 1, 3, 4 and 5. The order is kept; none is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreList(Vec<usize>);

/// More than any machine has; a limit on what `0-4000000000` makes.
const MAX_CORE: usize = 8191;

impl CoreList {
    /// The cores, at least one.
    pub fn cores(&self) -> &[usize] {
        &self.0
    }
}

impl FromStr for CoreList {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = |nearest: String| {
            let why = "is not a list of cores: numbers and ranges, such as 1,3-5, none twice";
            ValueError::new(text, why, nearest)
        };
        let mut cores: Vec<usize> = Vec::new();
        let so_far = |cores: &[usize]| {
            if cores.is_empty() {
                "0".to_owned()
            } else {
                Self(cores.to_vec()).to_string()
            }
        };
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (number(first), number(last)) else {
                return Err(error(so_far(&cores)));
            };
            if first > last || last > MAX_CORE {
                return Err(error(so_far(&cores)));
            }
            for core in first..=last {
                if cores.contains(&core) {
                    return Err(error(so_far(&cores)));
                }
                cores.push(core);
            }
        }
        Ok(Self(cores))
    }
}

fn number(text: &str) -> Result<usize, ()> {
    let text = text.trim();
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    text.parse().map_err(|_| ())
}

impl fmt::Display for CoreList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, core) in self.0.iter().enumerate() {
            write!(f, "{}{core}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
