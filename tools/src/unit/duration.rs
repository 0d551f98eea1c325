//! Spans of time.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ValueError, number};

/// Parses a span of time in `range`: a number with `ns`, `us`, `ms`, `s`, `m` or `min`, `h`; a bare
/// number is seconds.
///
/// # Errors
/// No number, an unknown unit, or out of range.
pub fn duration(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, ValueError> {
    let (low, high) = (*range.start(), *range.end());
    let error = |nearest: String| {
        ValueError::new(
            text,
            format!(
                "is not a time: a number with ns, us, ms, s, min or h, from {} to {}",
                write(low),
                write(high)
            ),
            nearest,
        )
    };
    if text.trim().starts_with('-') {
        return Err(error(write(low)));
    }
    let Some((number, unit)) = number::split(text) else {
        return Err(error(write(Duration::from_secs(1).clamp(low, high))));
    };
    let nanoseconds = match unit.as_str() {
        "ns" => 1.0,
        "us" | "µs" | "μs" | "usec" => 1e3,
        "ms" | "msec" => 1e6,
        "" | "s" | "sec" | "second" | "seconds" => 1e9,
        "m" | "min" | "minute" | "minutes" => 60e9,
        "h" | "hour" | "hours" => 3600e9,
        _ => return Err(error(format!("{}s", number::plain(number)))),
    };
    let nanoseconds = (number * nanoseconds).round();
    // 2^63 ns is beyond any range here, and what is less converts exactly enough.
    let value = if nanoseconds < i64::MAX as f64 {
        Duration::from_nanos(nanoseconds as u64)
    } else {
        Duration::MAX
    };
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(error(write(value.clamp(low, high))))
    }
}

/// In the largest unit that keeps the number whole.
fn write(value: Duration) -> String {
    let ns = value.as_nanos();
    for (unit, size) in [
        ("h", 3_600_000_000_000),
        ("min", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ] {
        if ns != 0 && ns.is_multiple_of(size) {
            return format!("{}{unit}", ns / size);
        }
    }
    if ns == 0 {
        "0s".to_owned()
    } else {
        format!("{ns}ns")
    }
}
