//! Whole numbers.

use std::ops::RangeInclusive;

use super::{ValueError, number};

/// Parses a whole number in `range`, `k`, `m` and `g` behind it meaning a thousand, a million and a
/// thousand million (`what` is for the message: "a number of endpoints").
///
/// # Errors
/// No number, a fraction, an unknown unit, or out of range.
pub fn count(text: &str, what: &str, range: RangeInclusive<u64>) -> Result<u64, ValueError> {
    let (low, high) = (*range.start(), *range.end());
    let error = |nearest: u64| {
        ValueError::new(
            text,
            format!("is not {what}: a whole number from {low} to {high}"),
            nearest.to_string(),
        )
    };
    // Whole numbers beyond 2^53 would not survive the way through a float.
    if let Ok(exact) = text.trim().replace('_', "").parse::<u64>()
        && text.trim().starts_with(|c: char| c.is_ascii_digit())
    {
        return if range.contains(&exact) {
            Ok(exact)
        } else {
            Err(error(exact.clamp(low, high)))
        };
    }
    if text.trim().starts_with('-') {
        return Err(error(low));
    }
    let Some((number, unit)) = number::split(text) else {
        return Err(error(low));
    };
    let scale = match unit.as_str() {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        _ => return Err(error((number as u64).clamp(low, high))),
    };
    let value = number * scale;
    if value.fract() != 0.0 || value > (1u64 << 53) as f64 || !range.contains(&(value as u64)) {
        return Err(error((value.round() as u64).clamp(low, high)));
    }
    Ok(value as u64)
}
