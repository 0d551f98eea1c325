//! Random delays.

use std::time::Duration;

use crate::clock::Time;

/// A moment in the span after `now`, `now` itself excluded unless the span is empty.
pub(super) fn random_after(now: Time, span: Duration, rng: &mut fastrand::Rng) -> Time {
    match u64::try_from(span.as_nanos()).unwrap_or(u64::MAX) {
        0 => now,
        nanos => now + Duration::from_nanos(rng.u64(1..=nanos)),
    }
}
