//! Numbers with a unit behind.

/// Splits `2.5 gbps` into the number and the unit in lower case; the unit is empty if there is none.
/// None if the text does not start with a digit or the number is malformed. `_` may stand between
/// digits.
pub(super) fn split(text: &str) -> Option<(f64, String)> {
    let text = text.trim();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let end = number_len(text.as_bytes());
    let (number, unit) = text.split_at_checked(end)?;
    let number: f64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim_start();
    // "1.2.3" and "1-2" are not numbers with a unit.
    if unit.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_')) {
        return None;
    }
    number.is_finite().then(|| (number, unit.to_lowercase()))
}

/// How many bytes at the start are a number: digits, a fraction, an exponent.
fn number_len(text: &[u8]) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'_')
            .count()
    };
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction > 0 {
            end += 1 + fraction;
        }
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// A number as short as it can be written.
pub(super) fn plain(number: f64) -> String {
    if number == 0.0 || (1e-6..1e16).contains(&number) {
        format!("{number}")
    } else {
        format!("{number:e}")
    }
}
