//! How many ICMP errors are sent: RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::clock::Time;

/// The limit on the ICMP errors of a stack, in as many shares as there are workers (BEHAVIOURS K12).
///
/// The control plane sends errors too, when a neighbor did not answer. A share of its own would lie idle
/// most of the time: it takes from those of the workers, and all errors together are as many as
/// configured, whoever sends them.
pub(crate) struct IcmpLimit {
    /// None: no limit.
    shares: Option<Box<[Share]>>,
}

/// What somebody may send of a limit on ICMP errors: token buckets (BEHAVIOURS K12).
///
/// A limit that is the same for all destinations tells a stranger what others were sent. In SAD DNS
/// (CVE-2020-25705) he sends as many probes as the bucket has tokens, with a forged source, to ports
/// of a resolver; then one from his own address. If that is answered, one of the probes took no
/// token: its port was open, and he knows where to send the forged reply. So a packet takes, by the
/// toss of a coin, one quarter of a token or seven quarters: one in the mean, and the long-run rate is as
/// configured, while the number of packets that a burst or a pause is worth is off by more than the
/// one that would tell. Linux, for the same reason, takes 0, 1 or 2 since 5.10; zero would leave
/// bursts without a bound.
#[derive(Debug)]
pub struct IcmpLimiter {
    /// Those it takes from, in turn. None: no limit.
    shares: Option<Box<[Share]>>,
    /// Which is next.
    turn: usize,
    rng: fastrand::Rng,
}

/// A worker's share: a token bucket, told by when it is full again. What is missing to its brim, and a
/// token, are times that way: how long they take to come.
///
/// One word, on a line of its own, written for each error that is sent and for nothing else: by its
/// worker, and now and then by the control plane.
#[derive(Clone, Debug)]
struct Share {
    /// Nanoseconds a token takes; None: for ever.
    token: Option<u64>,
    /// A quarter of a token and seven, rounded up: of millions in a second, a few less are sent.
    costs: [u64; 2],
    /// The most that may be missing: a token at least. Less than a token may be owed beyond.
    brim: u64,
    full_at: Arc<CachePadded<AtomicU64>>,
}

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// More workers than there are cores in any machine; below it nothing here overflows.
const MAX_WORKERS: usize = 1 << 16;

impl IcmpLimit {
    /// A limit of `rate_per_second` after a burst of `burst`, in shares for so many `workers`. No rate
    /// is no limit, a rate of zero lets nothing pass. A share of the burst is one packet at least.
    pub(crate) fn new(rate_per_second: Option<u32>, burst: u32, workers: usize) -> Self {
        let workers = workers.clamp(1, MAX_WORKERS);
        let share = |rate| Share::new(rate, burst, workers as u64);
        let shares = rate_per_second.map(|rate| (0..workers).map(|_| share(rate)).collect());
        Self { shares }
    }

    /// A worker's share. `seed` is to be a secret, and each limiter's own.
    pub(crate) fn of_worker(&self, worker: usize, seed: u64) -> IcmpLimiter {
        let own = |shares: &[Share]| shares.get(worker).cloned().into_iter().collect();
        IcmpLimiter::new(self.shares.as_deref().map(own), seed)
    }

    /// What the control plane may send: out of any share that has something left.
    pub(crate) fn of_control(&self, seed: u64) -> IcmpLimiter {
        IcmpLimiter::new(self.shares.clone(), seed)
    }
}

impl IcmpLimiter {
    /// The stack's default: errors in a second (BEHAVIOURS K12).
    pub const RATE: u32 = 1000;
    /// The stack's default: errors in a burst (BEHAVIOURS K12).
    pub const BURST: u32 = 50;

    fn new(shares: Option<Box<[Share]>>, seed: u64) -> Self {
        Self {
            shares,
            turn: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Whether an error may be sent at `now`, which then counts as sent.
    pub fn allow(&mut self, now: Time) -> bool {
        let Some(shares) = &self.shares else {
            return true;
        };
        let rng = &mut self.rng;
        for _ in 0..shares.len() {
            let share = shares.get(self.turn);
            self.turn = (self.turn + 1) % shares.len();
            if share.is_some_and(|share| share.has_token(now) && share.take(now, rng.bool())) {
                return true;
            }
        }
        false
    }
}

impl Share {
    fn new(rate: u32, burst: u32, workers: u64) -> Self {
        let of_all = |tokens: u64| (tokens * SECOND).checked_div(rate.into());
        // The burst of one worker is a `workers`th of it, as is the rate.
        let token = of_all(workers);
        let quarters = |n: u64| (n * workers * SECOND).div_ceil((4 * u64::from(rate)).max(1));
        Self {
            token,
            costs: [quarters(1), quarters(7)],
            brim: of_all(burst.into()).max(token).unwrap_or(0),
            full_at: Arc::default(),
        }
    }

    fn has_token(&self, now: Time) -> bool {
        self.has_token_if(self.full_at.load(Ordering::Relaxed), now)
    }

    fn has_token_if(&self, full_at: u64, now: Time) -> bool {
        let missing = full_at.saturating_sub(now.as_nanos());
        let after = self.token.map(|token| missing.saturating_add(token));
        after.is_some_and(|after| after <= self.brim)
    }

    /// Takes a token, or what stands for one; false if somebody else took it meanwhile.
    fn take(&self, now: Time, is_dear: bool) -> bool {
        let cost = self.costs[usize::from(is_dear)];
        let take = |full_at: u64| {
            let has_token = self.has_token_if(full_at, now);
            has_token.then(|| full_at.max(now.as_nanos()).saturating_add(cost))
        };
        let relaxed = Ordering::Relaxed;
        self.full_at.fetch_update(relaxed, relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::time::Duration;

    /// That of the only worker.
    fn only(rate: Option<u32>, burst: u32, seed: u64) -> IcmpLimiter {
        IcmpLimit::new(rate, burst, 1).of_worker(0, seed)
    }

    /// How many pass at one moment.
    fn burst(limiter: &mut IcmpLimiter, now: Time) -> u32 {
        (0..10_000).map(|_| u32::from(limiter.allow(now))).sum()
    }

    #[test]
    fn k12_the_long_run_rate_is_as_configured() {
        for workers in [1, 3, 8] {
            let limit = IcmpLimit::new(Some(1000), 50, workers);
            let mut limiters: Vec<_> = (0..workers)
                .map(|worker| limit.of_worker(worker, worker as u64))
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
            let mut limiter = only(Some(1000), 50, seed);
            let passed = burst(&mut limiter, Time::from_nanos(5));
            assert!((28..200).contains(&passed), "{passed}");
            sum += passed;
        }
        assert!((47..53).contains(&(sum / 200)), "{} on average", sum / 200);
    }

    #[test]
    fn k12_a_bucket_fills_to_its_brim_and_no_further() {
        for seed in 0..50 {
            let mut limiter = only(Some(1000), 50, seed);
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
            let mut limiter = only(Some(1000), 50, seed);
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
    fn k12_the_control_plane_takes_from_the_shares_of_the_workers() {
        let later = |n: u64| Time::from_nanos(n * SECOND);
        for workers in [1, 2, 5] {
            let mut sum = 0;
            for seed in 0..100 {
                let limit = IcmpLimit::new(Some(1000), 50, workers);
                let mut control = limit.of_control(seed);
                let mut workers: Vec<_> = (0..workers)
                    .map(|worker| limit.of_worker(worker, seed + 1 + worker as u64))
                    .collect();
                // All of it, or half of it after workers took theirs, or what these leave over.
                let all = burst(&mut control, later(1));
                let rest: u32 = workers.iter_mut().map(|it| burst(it, later(1))).sum();
                assert_eq!(rest, 0, "nothing is left for workers");
                let first = burst(&mut workers[0], later(2));
                let others = burst(&mut control, later(2));
                let rest: u32 = workers.iter_mut().map(|it| burst(it, later(2))).sum();
                assert_eq!((rest, workers.len() > 1), (0, others > 0));
                sum += all + first + others;
            }
            assert!((94..106).contains(&(sum / 100)), "{} on average", sum / 100);
        }
    }

    #[test]
    fn k12_the_rate_of_all_together_is_as_configured() {
        let limit = IcmpLimit::new(Some(1000), 50, 2);
        let mut control = limit.of_control(1);
        let mut workers = [limit.of_worker(0, 2), limit.of_worker(1, 3)];
        let mut passed = 0u32;
        for n in 0..60_000u64 {
            let now = Time::from_nanos(n * 333_333);
            passed += u32::from(control.allow(now));
            for limiter in &mut workers {
                passed += u32::from(limiter.allow(now));
            }
        }
        assert!(passed.abs_diff(20_050) < 500, "{passed} in 20 s");
    }

    #[test]
    fn k12_threads_do_not_pass_more_than_there_is() {
        let now = Time::from_nanos(5);
        for seed in 0..20 {
            let limit = IcmpLimit::new(Some(1), 1000, 1);
            let mut limiters = [limit.of_worker(0, seed), limit.of_control(seed + 100)];
            let passed: u32 = std::thread::scope(|scope| {
                let threads: Vec<_> = limiters
                    .iter_mut()
                    .map(|limiter| scope.spawn(|| burst(limiter, now)))
                    .collect();
                threads.into_iter().map(|it| it.join().unwrap()).sum()
            });
            assert!((850..1150).contains(&passed), "{passed}");
        }
    }

    #[test]
    fn no_rate_and_no_limit() {
        let mut none = only(Some(0), 50, 1);
        let mut unlimited = only(None, 0, 1);
        for n in 0..1000 {
            let now = Time::from_nanos(n * SECOND);
            assert!(!none.allow(now));
            assert!(unlimited.allow(now));
        }
    }

    #[test]
    fn more_workers_than_the_burst_has_packets() {
        let mut limiter = IcmpLimit::new(Some(10), 1, 100).of_worker(99, 7);
        assert!(limiter.allow(Time::ZERO));
        // A share of a tenth of a packet in a second.
        let passed: u32 = (0..10_000u64)
            .map(|second| u32::from(limiter.allow(Time::from_nanos(second * SECOND))))
            .sum();
        assert!((900..1100).contains(&passed), "{passed}");
    }
}
