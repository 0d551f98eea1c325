//! What is known of the MTU of paths: RFC 1191, RFC 8201.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Time;

/// The path MTUs that routers reported, by destination.
///
/// A report only ever lowers what is known; after ten minutes it is forgotten, and larger packets
/// find out anew (RFC 1191 section 6.3, RFC 8201 section 5.3). Anybody can send a report: whoever
/// calls this has checked that the quoted packet is one he sent, and that the MTU is less than that
/// packet's length.
///
/// Bounded: where there is no room the oldest report goes. Every operation costs the same, however
/// many there are, over the long run. Allocates: for the control plane.
#[derive(Debug)]
pub struct PathMtuCache {
    capacity: usize,
    paths: HashMap<IpAddr, Path, foldhash::fast::RandomState>,
    /// The reports, the oldest first. Those that a later one replaced are still here, up to as many
    /// as there may be paths.
    reports: VecDeque<(IpAddr, u64)>,
    /// How many reports there were.
    reported: u64,
}

#[derive(Clone, Copy, Debug)]
struct Path {
    mtu: usize,
    since: Time,
    /// Its report's number.
    report: u64,
    may_be_less: bool,
}

/// A path whose MTU was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu {
    /// Where the path leads.
    pub remote: IpAddr,
    /// Bytes of the largest packet, network header included.
    pub mtu: usize,
    /// When it was reported.
    pub since: Time,
    /// Whether a router reported less than [`PathMtuCache::MIN_IPV4`]: packets to there must not
    /// forbid routers to fragment them.
    pub may_be_less: bool,
}

impl PathMtuCache {
    /// The least that is believed of an IPv4 path: 552 bytes, as in Linux. Less costs more in
    /// headers than it carries, and a forged report could ask for 68.
    pub const MIN_IPV4: usize = 552;
    /// What every IPv6 link carries (RFC 8200 section 5).
    pub const MIN_IPV6: usize = 1280;
    /// How long a report is believed.
    pub const LIFETIME: Duration = Duration::from_secs(600);

    /// An empty one, for so many paths, one at least.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            paths: HashMap::default(),
            reports: VecDeque::new(),
            reported: 0,
        }
    }

    /// A router on the way to `remote` reported this MTU at `now`. Returns whether that lowered what
    /// was known: an equal or larger one changes nothing, and does not prolong it either.
    ///
    /// An IPv6 report of less than 1,280 is discarded (RFC 8201 section 4). An IPv4 report of less
    /// than 552 counts as 552, and the path is marked: see [`PathMtu::may_be_less`].
    pub fn update(&mut self, remote: IpAddr, mtu: usize, now: Time) -> bool {
        let may_be_less = match remote {
            IpAddr::V4(_) => mtu < Self::MIN_IPV4,
            IpAddr::V6(_) if mtu < Self::MIN_IPV6 => return false,
            IpAddr::V6(_) => false,
        };
        let mtu = if may_be_less { Self::MIN_IPV4 } else { mtu };
        if let Some(known) = self.path(remote, now)
            && (known.mtu, !known.may_be_less) <= (mtu, !may_be_less)
        {
            return false;
        }
        self.expire(now);
        if !self.paths.contains_key(&remote) && self.paths.len() >= self.capacity {
            self.forget_oldest();
        }
        self.reported += 1;
        self.paths.insert(
            remote,
            Path {
                mtu,
                since: now,
                report: self.reported,
                may_be_less,
            },
        );
        self.reports.push_back((remote, self.reported));
        if self.reports.len() > self.capacity.saturating_mul(2) {
            let paths = &self.paths;
            self.reports
                .retain(|&(remote, report)| is_current(paths, remote, report));
        }
        true
    }

    /// A router on the way to `remote` reported that an IPv4 packet of this total length is too big,
    /// and not what is not: zero stands for the MTU in reports of routers older than RFC 1191. Its
    /// section 7 has the next plateau of likely ones tried. Returns as [`update`](Self::update).
    pub fn update_unknown(&mut self, remote: IpAddr, total_length: usize, now: Time) -> bool {
        self.update(remote, plateau_below(total_length), now)
    }

    /// The MTU of the path to `remote`, if one was reported.
    pub fn mtu(&self, remote: IpAddr, now: Time) -> Option<usize> {
        Some(self.path(remote, now)?.mtu)
    }

    /// What was reported of the path to `remote`.
    pub fn path(&self, remote: IpAddr, now: Time) -> Option<PathMtu> {
        let path = self.paths.get(&remote)?;
        path.is_believed(now).then(|| path.to(remote))
    }

    /// Every path of which something is known, in no order.
    pub fn list(&self, now: Time) -> impl Iterator<Item = PathMtu> {
        self.paths
            .iter()
            .filter(move |(_, path)| path.is_believed(now))
            .map(|(&remote, path)| path.to(remote))
    }

    /// Forgets what is known of the path to `remote`; says whether there was anything.
    pub fn remove(&mut self, remote: IpAddr) -> bool {
        self.paths.remove(&remote).is_some()
    }

    /// Paths that take up room, whether still believed or not.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Gives back the room of what is not believed any more.
    pub fn expire(&mut self, now: Time) {
        while let Some(&(remote, report)) = self.reports.front() {
            if is_current(&self.paths, remote, report) {
                if self.path(remote, now).is_some() {
                    return;
                }
                self.paths.remove(&remote);
            }
            self.reports.pop_front();
        }
    }

    fn forget_oldest(&mut self) {
        while let Some((remote, report)) = self.reports.pop_front() {
            if is_current(&self.paths, remote, report) {
                self.paths.remove(&remote);
                return;
            }
        }
    }
}

/// Whether what is known of a path is still from this report.
fn is_current(
    paths: &HashMap<IpAddr, Path, foldhash::fast::RandomState>,
    remote: IpAddr,
    report: u64,
) -> bool {
    paths.get(&remote).is_some_and(|path| path.report == report)
}

impl Path {
    fn is_believed(&self, now: Time) -> bool {
        now.saturating_since(self.since) < PathMtuCache::LIFETIME
    }

    fn to(&self, remote: IpAddr) -> PathMtu {
        PathMtu {
            remote,
            mtu: self.mtu,
            since: self.since,
            may_be_less: self.may_be_less,
        }
    }
}

/// The plateaus of RFC 1191 section 7, table 7-1.
const PLATEAUS: [usize; 11] = [
    65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68,
];

/// The largest plateau below the length of a packet that was too big.
fn plateau_below(total_length: usize) -> usize {
    PLATEAUS
        .into_iter()
        .find(|&plateau| plateau < total_length)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    fn remote(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + n).into()
    }

    fn seconds(n: u64) -> Time {
        Time::ZERO + Duration::from_secs(n)
    }

    #[test]
    fn l4_a_report_lowers_and_never_raises() {
        let mut cache = PathMtuCache::new(8);
        assert_eq!(cache.mtu(V4, seconds(0)), None);
        assert!(cache.update(V4, 1400, seconds(0)));
        assert!(!cache.update(V4, 1400, seconds(1)));
        assert!(!cache.update(V4, 1500, seconds(2)));
        assert_eq!(cache.mtu(V4, seconds(3)), Some(1400));
        assert!(cache.update(V4, 1300, seconds(4)));
        assert_eq!(cache.mtu(V4, seconds(5)), Some(1300));
        assert_eq!(cache.mtu(V6, seconds(5)), None);
    }

    #[test]
    fn l4_ipv6_reports_under_1280_are_discarded() {
        let mut cache = PathMtuCache::new(8);
        for mtu in [0, 68, 1279] {
            assert!(!cache.update(V6, mtu, seconds(0)));
        }
        assert!(cache.is_empty());
        assert!(cache.update(V6, 1280, seconds(0)));
        assert!(!cache.update(V6, 1279, seconds(0)));
        assert_eq!(cache.mtu(V6, seconds(0)), Some(1280));
    }

    #[test]
    fn l4_ipv4_reports_under_552_count_as_552_and_mark_the_path() {
        let mut cache = PathMtuCache::new(8);
        assert!(cache.update(V4, 552, seconds(0)));
        assert!(!cache.path(V4, seconds(0)).unwrap().may_be_less);
        assert!(cache.update(V4, 551, seconds(1)));
        let path = cache.path(V4, seconds(1)).unwrap();
        assert_eq!((path.mtu, path.may_be_less), (552, true));
        assert!(!cache.update(V4, 68, seconds(2)), "known");
        assert!(!cache.update(V4, 552, seconds(2)), "does not unmark");
        assert!(cache.path(V4, seconds(2)).unwrap().may_be_less);
    }

    #[test]
    fn l4_a_report_is_believed_for_ten_minutes_to_the_nanosecond() {
        let mut cache = PathMtuCache::new(8);
        let start = Time::from_nanos(7);
        cache.update(V4, 1400, start);
        let end = start + PathMtuCache::LIFETIME;
        let before = Time::from_nanos(end.as_nanos() - 1);
        assert_eq!(cache.mtu(V4, before), Some(1400));
        assert_eq!(cache.mtu(V4, end), None);
        cache.expire(before);
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.list(end).count(), 0);
        // A larger one is news by then.
        assert!(!cache.update(V4, 1450, before));
        assert!(cache.update(V4, 1450, end));
        assert_eq!(cache.len(), 1);
        cache.expire(end + PathMtuCache::LIFETIME);
        assert!(cache.is_empty());
    }

    #[test]
    fn l4_reports_without_an_mtu_go_down_the_plateaus() {
        let mut cache = PathMtuCache::new(8);
        let mut length = 1500;
        let mut seen = Vec::new();
        while cache.update_unknown(V4, length, seconds(0)) {
            length = cache.mtu(V4, seconds(0)).unwrap();
            seen.push(length);
        }
        assert_eq!(seen, [1492, 1006, 552]);
        assert!(!cache.update_unknown(V4, 20, seconds(0)));
        assert_eq!(plateau_below(usize::MAX), 65_535);
        assert_eq!(plateau_below(1493), 1492);
        assert_eq!(plateau_below(1492), 1006);
    }

    #[test]
    fn the_oldest_report_makes_room() {
        let mut cache = PathMtuCache::new(3);
        for n in 0..3 {
            cache.update(remote(n), 1400, seconds(n.into()));
        }
        // The first path is the youngest report now.
        cache.update(remote(0), 1300, seconds(3));
        cache.update(remote(3), 1400, seconds(4));
        assert_eq!(cache.len(), 3);
        assert_eq!(cache.mtu(remote(1), seconds(4)), None);
        assert_eq!(cache.mtu(remote(0), seconds(4)), Some(1300));
        assert!(cache.remove(remote(0)) && !cache.remove(remote(0)));
    }

    proptest! {
        #[test]
        fn behaves_like_a_list(
            capacity in 1usize..6,
            reports in proptest::collection::vec((0u32..10, 552usize..600, 0u64..200), 1..200),
        ) {
            let mut cache = PathMtuCache::new(capacity);
            // (remote, mtu, since), the oldest first.
            let mut model: Vec<(IpAddr, usize, Time)> = Vec::new();
            let mut now = Time::ZERO;
            for (n, mtu, pause) in reports {
                now = now + Duration::from_secs(pause);
                model.retain(|&(.., since)| now.saturating_since(since) < PathMtuCache::LIFETIME);
                let at = model.iter().position(|&(other, ..)| other == remote(n));
                let lowers = at.is_none_or(|at| mtu < model[at].1);
                prop_assert_eq!(cache.update(remote(n), mtu, now), lowers);
                if lowers {
                    match at {
                        Some(at) => {
                            model.remove(at);
                        }
                        None if model.len() == capacity => {
                            model.remove(0);
                        }
                        None => {}
                    }
                    model.push((remote(n), mtu, now));
                }
                let mut listed: Vec<_> = cache
                    .list(now)
                    .map(|path| (path.remote, path.mtu, path.since))
                    .collect();
                let mut expected = model.clone();
                listed.sort();
                expected.sort();
                prop_assert_eq!(listed, expected);
                prop_assert!(cache.len() <= capacity);
                prop_assert!(cache.reports.len() <= 2 * capacity);
            }
        }
    }
}
