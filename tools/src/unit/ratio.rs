//! Shares of a whole.

use super::{ValueError, number};

/// Parses a share from 0 to 1, or from 0 to 100 with `%` behind.
///
/// # Errors
/// No number, another unit, or out of range.
pub fn ratio(text: &str) -> Result<f64, ValueError> {
    let error = |nearest: &str| {
        ValueError::new(
            text,
            "is not a share: a number from 0 to 1, or from 0% to 100%",
            nearest,
        )
    };
    if text.trim().starts_with('-') {
        return Err(error("0"));
    }
    let Some((number, unit)) = number::split(text) else {
        return Err(error("1"));
    };
    let share = match unit.as_str() {
        "" => number,
        "%" => number / 100.0,
        _ => return Err(error(if number == 0.0 { "0" } else { "1" })),
    };
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else if unit.is_empty() && number <= 100.0 {
        Err(error(&format!("{}%", number::plain(number))))
    } else {
        Err(error("1"))
    }
}
