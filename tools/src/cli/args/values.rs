//! What options take: the text of one, and what it is not.

use std::net::IpAddr;
use std::time::Duration;

use corelane::engine::Idle;
use corelane::stack::{Prefix, PrefixError};

use crate::control::MAX_SNAP_LEN;
use crate::doctor::NAMES;
use crate::first_frames::MOST_KEPT;
use crate::generator::{MAX_ENDPOINTS, MAX_NEIGHBORS, MAX_ROUTES};
use crate::unit::{ValueError, count, duration, nearest};

/// RSS spreads over 128 entries: more workers would have none.
const MAX_WORKERS: u64 = 128;

pub(super) fn workers(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of workers", 1..=MAX_WORKERS).map(|n| n as usize)
}

pub(super) fn endpoints(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of endpoints", 1..=MAX_ENDPOINTS.into()).map(|n| n as u32)
}

/// A network that hosts can be in.
pub(super) fn network(text: &str) -> Result<Prefix, ValueError> {
    let prefix: Prefix = text.parse().map_err(|error: PrefixError| {
        ValueError::new(text, format!("is no network: {error}"), "192.0.2.0/24")
    })?;
    let (network, meant) = (prefix.network(), "192.0.2.0/24");
    let address = network.address();
    if network != prefix {
        let what = "has bits of a host: no network's own address";
        return Err(ValueError::new(text, what, network.to_string()));
    }
    if network.len() < 8 {
        let what =
            "is larger than networks are: groups and loopback addresses would be among its hosts";
        return Err(ValueError::new(text, what, meant));
    }
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Err(ValueError::new(text, "is no network of hosts", meant));
    }
    Ok(network)
}

pub(super) fn capture(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of frames", 1..=MOST_KEPT.into()).map(|n| n as u32)
}

pub(super) fn routes(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of routes", 1..=MAX_ROUTES.into()).map(|n| n as u32)
}

pub(super) fn neighbors(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of neighbors", 1..=MAX_NEIGHBORS.into()).map(|n| n as u32)
}

/// Each has a queue for each worker.
const MAX_SOCKETS: u64 = 100_000;

pub(super) fn sockets(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of sockets", 1..=MAX_SOCKETS).map(|n| n as u32)
}

pub(super) fn flows(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of flows", 1..=1 << 20).map(|n| n as u32)
}

/// 0 and 4095 are nobody's (IEEE 802.1Q).
pub(super) fn vlan(text: &str) -> Result<u16, ValueError> {
    count(text, "a VLAN", 1..=4094).map(|id| id as u16)
}

pub(super) fn churn(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of changes per second", 1..=10_000_000).map(|n| n as u32)
}

pub(super) fn ring(text: &str) -> Result<usize, ValueError> {
    count(text, "a ring size", 64..=1 << 16).map(|n| n as usize)
}

pub(super) fn pool_slots(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of slots", 64..=1 << 20).map(|n| n as usize)
}

pub(super) fn searches(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of searches", 1..=1000).map(|n| n as usize)
}

pub(super) fn rounds(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of rounds", 1..=1000).map(|n| n as usize)
}

/// A name of what `doctor` looks at.
pub(super) fn finding(text: &str) -> Result<String, ValueError> {
    let name = text.replace('-', "_");
    if NAMES.contains(&&*name) {
        return Ok(name);
    }
    let what = format!("is nothing that is looked at: {}", NAMES.join(", "));
    let meant = nearest(&name, NAMES).unwrap_or("perf");
    Err(ValueError::new(text, what, meant))
}

pub(super) fn frequency(text: &str) -> Result<u32, ValueError> {
    count(text, "a frequency", 10..=10_000).map(|n| n as u32)
}

pub(super) fn repeat(text: &str) -> Result<u32, ValueError> {
    count(text, "a number of rounds", 1..=u32::MAX.into()).map(|n| n as u32)
}

pub(super) fn seed(text: &str) -> Result<u64, ValueError> {
    count(text, "a seed", 0..=u64::MAX)
}

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn window(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::from_millis(10)..=DAY)
}

pub(super) fn warmup(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::ZERO..=DAY)
}

pub(super) fn until(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::ZERO..=365 * DAY)
}

pub(super) fn watch_count(text: &str) -> Result<u64, ValueError> {
    count(text, "a number of frames", 1..=u64::MAX)
}

pub(super) fn watch_address(text: &str) -> Result<IpAddr, ValueError> {
    text.parse().map_err(|_| {
        let meant = nearest_address(text);
        ValueError::new(text, "is not an IP address", meant.to_string())
    })
}

/// Without a length, without brackets, or with the numbers that are missing at its end.
fn nearest_address(text: &str) -> IpAddr {
    let bare = text.split(['/', '%']).next().unwrap_or_default();
    let bare = bare.trim().trim_matches(['[', ']']);
    let missing = 3_usize.saturating_sub(bare.matches('.').count());
    let whole = format!("{}{}", bare.trim_end_matches('.'), ".1".repeat(missing));
    let default = if text.contains(':') {
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])
    } else {
        IpAddr::from([192, 0, 2, 1])
    };
    let read = |text: &str| text.parse().ok();
    read(bare).or_else(|| read(&whole)).unwrap_or(default)
}

pub(super) fn port(text: &str) -> Result<u16, ValueError> {
    count(text, "a port", 0..=u16::MAX.into()).map(|port| port as u16)
}

pub(super) fn watch_duration(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::from_millis(1)..=DAY)
}

pub(super) fn interval(text: &str) -> Result<Duration, ValueError> {
    duration(text, Duration::from_millis(100)..=Duration::from_secs(3600))
}

pub(super) fn snap_len(text: &str) -> Result<usize, ValueError> {
    count(text, "a number of bytes", 14..=MAX_SNAP_LEN).map(|n| n as usize)
}

pub(super) fn idle(text: &str) -> Result<Idle, ValueError> {
    const WORDS: [(&str, Idle); 3] = [
        ("poll", Idle::BusyPoll),
        ("adaptive", Idle::ADAPTIVE),
        ("interrupt", Idle::Interrupt),
    ];
    let found = WORDS.iter().find(|(word, _)| *word == text);
    found.map(|(_, idle)| *idle).ok_or_else(|| {
        let meant = nearest(text, WORDS.map(|(word, _)| word)).unwrap_or("adaptive");
        ValueError::new(text, "is not poll, adaptive or interrupt", meant)
    })
}
