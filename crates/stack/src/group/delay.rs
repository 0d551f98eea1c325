//! Random delays, and the pause after what concerns all groups.

use std::time::Duration;

use crate::clock::Time;

/// A moment in the span after `now`, `now` itself excluded unless the span is empty.
pub(super) fn random_after(now: Time, span: Duration, rng: &mut fastrand::Rng) -> Time {
    match u64::try_from(span.as_nanos()).unwrap_or(u64::MAX) {
        0 => now,
        nanos => now + Duration::from_nanos(rng.u64(1..=nanos)),
    }
}

/// So many groups are answered for whenever somebody asks.
const FEW: usize = 1024;
/// The pause for each group where there are more: about ten times what it takes to answer for it.
const PAUSE_PER_GROUP: Duration = Duration::from_micros(10);

/// How long after answering for `groups` groups the next general query may cost as much: whoever
/// sends one after another is not to have the control plane busy with nothing else.
pub(super) fn pause_after(groups: usize) -> Duration {
    if groups <= FEW {
        return Duration::ZERO;
    }
    PAUSE_PER_GROUP.saturating_mul(u32::try_from(groups).unwrap_or(u32::MAX))
}
