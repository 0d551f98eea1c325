//! Bounds and timers of a neighbor cache.

use std::time::Duration;

/// How a NIC finds its neighbors' link addresses and checks that they still answer, and how many of
/// them it remembers (BEHAVIOURS O1, RFC 4861 section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborConfig {
    /// How long an answer counts, on the average: each neighbor has between half and one and a half
    /// of it. Then the link address is still used, but checked as soon as it is.
    pub base_reachable_time: Duration,
    /// Between two requests. Below 1 ms it counts as 1 s.
    pub retransmit_timer: Duration,
    /// How long after the use of an address that is not known to be good any more it is checked:
    /// until then an upper layer may tell that it is.
    pub delay_first_probe: Duration,
    /// Requests to everybody before a resolution has failed; at least 1.
    pub max_multicast_probes: u32,
    /// Requests to the link address known before a neighbor is unreachable; at least 1.
    pub max_unicast_probes: u32,
    /// How long a failure is remembered: packets fail at once, and who is wanted is asked for with
    /// growing pauses only (RFC 7048).
    pub unreachable_hold: Duration,
    /// How long a neighbor is remembered that is neither used nor heard of.
    pub stale_lifetime: Duration,
    /// Neighbors remembered, without static ones and gateways; at least 32. A quarter, but 16 at
    /// least, is for those that never answered.
    pub capacity: usize,
    /// Packets that wait for one neighbor; at least 1. Of more, the oldest are dropped (RFC 4861
    /// section 7.2.2).
    pub pending_per_neighbor: usize,
    /// Packets that wait for all neighbors together; at least 1. Of more, the oldest are dropped.
    pub pending_total: usize,
    /// Resolutions that packets may begin in a second (RFC 6583 section 6); at least 1.
    pub resolutions_per_second: u32,
}

impl Default for NeighborConfig {
    fn default() -> Self {
        Self {
            base_reachable_time: Duration::from_secs(30),
            retransmit_timer: RETRANSMIT_TIMER,
            delay_first_probe: Duration::from_secs(5),
            max_multicast_probes: 3,
            max_unicast_probes: 3,
            unreachable_hold: Duration::from_secs(60),
            stale_lifetime: Duration::from_secs(20 * 60),
            capacity: 512,
            pending_per_neighbor: 16,
            pending_total: 1024,
            resolutions_per_second: 1000,
        }
    }
}

const RETRANSMIT_TIMER: Duration = Duration::from_secs(1);

/// The least capacity: half of it is for those that never answered.
const LEAST: usize = 32;

impl NeighborConfig {
    pub(super) fn normalized(mut self) -> Self {
        if self.retransmit_timer < Duration::from_millis(1) {
            self.retransmit_timer = RETRANSMIT_TIMER;
        }
        self.max_multicast_probes = self.max_multicast_probes.max(1);
        self.max_unicast_probes = self.max_unicast_probes.max(1);
        self.capacity = self.capacity.max(LEAST);
        self.pending_per_neighbor = self.pending_per_neighbor.max(1);
        self.pending_total = self.pending_total.max(1);
        self.resolutions_per_second = self.resolutions_per_second.max(1);
        self
    }

    /// Of the capacity, what is for neighbors that never answered.
    pub(super) fn unproven_capacity(&self) -> usize {
        (self.capacity / 4).max(LEAST / 2)
    }

    /// A random time that an answer counts (RFC 4861 section 6.3.2).
    pub(super) fn reachable_time(&self, rng: &mut fastrand::Rng) -> Duration {
        let base = u64::try_from(self.base_reachable_time.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(rng.u64(base / 2..=base.saturating_add(base / 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_counts_as_the_least_that_does() {
        let zero = NeighborConfig {
            base_reachable_time: Duration::ZERO,
            retransmit_timer: Duration::from_micros(999),
            delay_first_probe: Duration::ZERO,
            max_multicast_probes: 0,
            max_unicast_probes: 0,
            unreachable_hold: Duration::ZERO,
            stale_lifetime: Duration::ZERO,
            capacity: 0,
            pending_per_neighbor: 0,
            pending_total: 0,
            resolutions_per_second: 0,
        }
        .normalized();
        assert_eq!(zero.retransmit_timer, Duration::from_secs(1));
        assert_eq!((zero.max_multicast_probes, zero.max_unicast_probes), (1, 1));
        assert_eq!((zero.capacity, zero.unproven_capacity()), (32, 16));
        assert_eq!((zero.pending_per_neighbor, zero.pending_total), (1, 1));
        assert_eq!(zero.resolutions_per_second, 1);
        let usual = NeighborConfig::default();
        assert_eq!(usual.normalized(), usual);
        assert_eq!(usual.unproven_capacity(), 128);
    }

    #[test]
    fn reachable_times_spread_from_half_to_one_and_a_half() {
        let mut rng = fastrand::Rng::with_seed(7);
        let config = NeighborConfig::default();
        let times: Vec<_> = (0..1000).map(|_| config.reachable_time(&mut rng)).collect();
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!((15..16).contains(&least.as_secs()), "{least:?}");
        assert!((44..=45).contains(&most.as_secs()), "{most:?}");
        let endless = NeighborConfig {
            base_reachable_time: Duration::MAX,
            ..config
        };
        assert!(endless.reachable_time(&mut rng) >= Duration::from_nanos(u64::MAX / 2));
    }
}
