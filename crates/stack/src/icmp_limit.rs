//! How many ICMP errors are sent: RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f).

use crate::clock::Time;

/// A worker's share of the rate limit of ICMP errors: a token bucket (BEHAVIOURS K12).
///
/// A limit that is the same for all destinations tells a stranger what others were sent. In SAD DNS
/// (CVE-2020-25705) he sends as many probes as the bucket has tokens, with a forged source, to ports
/// of a resolver; then one from his own address. If that is answered, one of the probes took no
/// token: its port was open, and he knows where to send the forged reply. So a packet takes, by the
/// toss of a coin, one quarter of a token or seven quarters: one in the mean, and the long-run rate is as
/// configured, while the number of packets that a burst or a pause is worth is off by more than the
/// one that would tell. Linux, for the same reason, takes 0, 1 or 2 since 5.10; zero would leave
/// bursts without a bound.
///
/// It counts in parts of a token such that a nanosecond brings a whole number of them: nothing is
/// rounded, so nothing drifts.
#[derive(Debug)]
pub struct IcmpLimiter {
    /// None: no limit.
    bucket: Option<Bucket>,
    rng: fastrand::Rng,
}

#[derive(Debug)]
struct Bucket {
    /// Parts that come in a nanosecond.
    rate: u64,
    /// Parts of a token.
    token: u64,
    /// The most parts there are: a token at least.
    brim: u64,
    /// How much is missing to the brim. Less than a token may be owed beyond the bottom.
    missing: u64,
    /// Until when that is right.
    filled: Time,
}

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

impl IcmpLimiter {
    /// The stack's default: errors in a second (BEHAVIOURS K12).
    pub const RATE: u32 = 1000;
    /// The stack's default: errors in a burst (BEHAVIOURS K12).
    pub const BURST: u32 = 50;

    /// One of as many shares as there are `workers`, of a limit of `rate_per_second` after a burst
    /// of `burst` for all of them together. No rate is no limit, a rate of zero lets nothing pass. A
    /// share of the burst is one packet at least. `seed` is to be a secret, and each worker's own.
    pub fn new(rate_per_second: Option<u32>, burst: u32, workers: usize, seed: u64) -> Self {
        let workers = u64::try_from(workers.clamp(1, MAX_WORKERS)).unwrap_or(1);
        let bucket = rate_per_second.map(|rate| {
            let token = workers * SECOND;
            Bucket {
                rate: rate.into(),
                token,
                // The burst of one worker is a `workers`th of it, as is the rate.
                brim: (u64::from(burst) * SECOND).max(token),
                missing: 0,
                filled: Time::ZERO,
            }
        });
        Self {
            bucket,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Whether an error may be sent at `now`, which then counts as sent.
    pub fn allow(&mut self, now: Time) -> bool {
        let Some(bucket) = &mut self.bucket else {
            return true;
        };
        bucket.fill(now);
        if bucket.rate == 0 || bucket.missing + bucket.token > bucket.brim {
            return false;
        }
        let quarters = if self.rng.bool() { 7 } else { 1 };
        bucket.missing += bucket.token / 4 * quarters;
        true
    }
}

/// More workers than there are cores in any machine; below it nothing here overflows.
const MAX_WORKERS: usize = 1 << 16;

impl Bucket {
    fn fill(&mut self, now: Time) {
        let elapsed = now.saturating_since(self.filled).as_nanos();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.missing = self
            .missing
            .saturating_sub(elapsed.saturating_mul(self.rate));
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::time::Duration;

    /// How many pass at one moment.
    fn burst(limiter: &mut IcmpLimiter, now: Time) -> u32 {
        (0..10_000).map(|_| u32::from(limiter.allow(now))).sum()
    }

    #[test]
    fn k12_the_long_run_rate_is_as_configured() {
        for workers in [1, 3, 8] {
            let mut limiters: Vec<_> = (0..workers)
                .map(|seed| IcmpLimiter::new(Some(1000), 50, workers, seed as u64))
                .collect();
            let mut passed = 0u32;
            // For 20 seconds, three times as many as may pass, at odd moments.
            for n in 0..60_000u64 {
                let now = Time::from_nanos(n * 333_333 + n % 7);
                for limiter in &mut limiters {
                    passed += u32::from(limiter.allow(now));
                }
            }
            // The coin: 0.75 tokens a packet, 20,000 times: 106 is the standard deviation.
            let expected = 20_000 + 50;
            assert!(
                passed.abs_diff(expected) < 500,
                "{passed} in 20 s from {workers} workers"
            );
        }
    }

    #[test]
    fn k12_bursts_are_bounded_and_about_as_large_as_configured() {
        let mut sum = 0;
        for seed in 0..200 {
            let mut limiter = IcmpLimiter::new(Some(1000), 50, 1, seed);
            let passed = burst(&mut limiter, Time::from_nanos(5));
            assert!((28..200).contains(&passed), "{passed}");
            sum += passed;
        }
        assert!((47..53).contains(&(sum / 200)), "{} on average", sum / 200);
    }

    #[test]
    fn k12_a_bucket_fills_to_its_brim_and_no_further() {
        for seed in 0..50 {
            let mut limiter = IcmpLimiter::new(Some(1000), 50, 1, seed);
            burst(&mut limiter, Time::ZERO);
            assert!(!limiter.allow(Time::from_nanos(1)));
            let passed = burst(&mut limiter, Time::ZERO + Duration::from_secs(1_000_000));
            assert!((28..200).contains(&passed), "{passed}");
            // A clock that steps back brings nothing, the end of time no overflow.
            assert!(!limiter.allow(Time::ZERO));
            assert!(limiter.allow(Time::from_nanos(u64::MAX)));
        }
    }

    /// What SAD DNS needs: that a drained bucket, or a full one, is worth a known number of packets.
    #[test]
    fn k12_an_observer_cannot_count_tokens() {
        let mut full: HashMap<u32, u32> = HashMap::new();
        let mut refilled: HashMap<u32, u32> = HashMap::new();
        for seed in 0..1000 {
            let mut limiter = IcmpLimiter::new(Some(1000), 50, 1, seed);
            *full.entry(burst(&mut limiter, Time::ZERO)).or_default() += 1;
            let passed = burst(&mut limiter, Time::ZERO + Duration::from_millis(20));
            *refilled.entry(passed).or_default() += 1;
        }
        for seen in [full, refilled] {
            let most = seen.values().max().copied().unwrap_or_default();
            assert!(most < 250, "one number in {most} of 1000 cases");
            assert!(seen.len() > 8, "{} numbers", seen.len());
        }
    }

    #[test]
    fn no_rate_and_no_limit() {
        let mut none = IcmpLimiter::new(Some(0), 50, 1, 1);
        let mut unlimited = IcmpLimiter::new(None, 0, 4, 1);
        for n in 0..1000 {
            let now = Time::from_nanos(n * SECOND);
            assert!(!none.allow(now));
            assert!(unlimited.allow(now));
        }
    }

    #[test]
    fn more_workers_than_the_burst_has_packets() {
        let mut limiter = IcmpLimiter::new(Some(10), 1, 100, 7);
        assert!(limiter.allow(Time::ZERO));
        // A share of a tenth of a packet in a second.
        let passed: u32 = (0..10_000u64)
            .map(|second| u32::from(limiter.allow(Time::from_nanos(second * SECOND))))
            .sum();
        assert!((900..1100).contains(&passed), "{passed}");
    }
}
