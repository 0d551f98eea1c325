//! What the engine and the kernel count, and that it is the same.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use corelane_lab::kernel::PATIENCE;
use corelane_lab::namespace::Namespace;

use crate::common::up::Up;
use crate::wire::Wire;

/// What links count of frames that came, and that the engine did not get.
const LOST_BY_LINKS: &[&str] = &[
    "kernel_dropped",
    "kernel_ring_full",
    "too_long",
    "super_frames_dropped",
    "offload_invalid",
];

/// The counters of an engine, by NIC, kind and name.
pub(crate) struct Counters(BTreeMap<(String, String, String), u64>);

impl Counters {
    pub(crate) fn of(up: &Up) -> Self {
        let rows = up.show("counters").into_iter();
        let row = |row: serde_json::Value| {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let key = (text("nic"), text("kind"), text("counter"));
            (key, row["value"].as_u64().unwrap_or_default())
        };
        Self(rows.map(row).collect())
    }

    /// One of a NIC; 0 if there is none.
    pub(crate) fn get(&self, nic: &str, kind: &str, name: &str) -> u64 {
        let key = (nic.to_owned(), kind.to_owned(), name.to_owned());
        self.0.get(&key).copied().unwrap_or(0)
    }

    /// All of a kind, of all NICs.
    pub(crate) fn sum(&self, kind: &str, is_meant: impl Fn(&str) -> bool) -> u64 {
        let meant = self
            .0
            .iter()
            .filter(|(key, _)| key.1 == kind && is_meant(&key.2));
        meant.map(|(_, value)| value).sum()
    }

    /// Frames received by a NIC that were dropped.
    fn dropped(&self, nic: &str) -> u64 {
        let of_nic = self.0.iter();
        let drops = of_nic.filter(|(key, _)| key.0 == nic && key.1 == "drop");
        drops.map(|(_, value)| value).sum()
    }

    /// Frames that arrived at a NIC's link and that the NIC did not get.
    fn lost_before(&self, nic: &str) -> u64 {
        let each = LOST_BY_LINKS.iter().map(|name| self.get(nic, "link", name));
        each.sum::<u64>() + self.get(nic, "distributor", "ring_full")
    }

    /// All that was lost on the way through the engine, in any counter of its own: what was not meant
    /// for anybody is none of it.
    pub(crate) fn lost(&self) -> u64 {
        let of_engine = self.sum("drop", |name| name != "invalid_address");
        let unsent = self.sum("frames", |name| name == "send_dropped");
        let rings = self.sum("distributor", |name| name == "ring_full");
        of_engine + unsent + rings + self.sum("link", |name| LOST_BY_LINKS.contains(&name))
    }
}

/// An equation that has to hold when nothing is on its way.
struct Claim {
    what: String,
    left: u64,
    right: u64,
}

/// What has to be the same for a NIC and the kernel's device at its other end.
fn claims(counters: &Counters, nic: &str, wire: &Wire) -> Result<Vec<Claim>> {
    let frames = |name: &str| counters.get(nic, "frames", name);
    let kernel = wire.counts()?;
    // What the wire could not give to the kernel is counted at its near end.
    let undelivered = wire.engine_counts()?.map_or(0, |near| near.send_dropped);
    let claim = |what: &str, left, right| Claim {
        what: format!("{nic}: {what}"),
        left,
        right,
    };
    let ends = frames("delivered") + frames("forwarded") + frames("consumed");
    let received = frames("received");
    Ok(vec![
        claim(
            "sent by the kernel = received + lost before",
            kernel.sent,
            received + counters.lost_before(nic),
        ),
        claim(
            "received = delivered + forwarded + consumed + dropped",
            received,
            ends + counters.dropped(nic),
        ),
        claim(
            "sent = received by the kernel + not delivered by the wire",
            frames("sent"),
            kernel.received + undelivered,
        ),
    ])
}

/// Waits until every frame between the engine and the kernel is in a counter.
pub(crate) fn balance(up: &Up, wires: &[(&str, &Wire)]) -> Result<Counters> {
    let mut open = String::new();
    let mut last = None;
    let settled = corelane_lab::eventually("the books balance", PATIENCE, || {
        let counters = Counters::of(up);
        open.clear();
        for (nic, wire) in wires {
            for claim in claims(&counters, nic, wire)? {
                if claim.left != claim.right {
                    open += &format!("\n  {}: {} = {}", claim.what, claim.left, claim.right);
                }
            }
        }
        last = Some(counters);
        Ok(open.is_empty())
    });
    if let Err(error) = settled {
        bail!("{error}:{open}");
    }
    last.context("nothing was counted")
}

/// A counter of the kernel's stack in a namespace, such as `Udp RcvbufErrors`.
pub(crate) fn snmp(namespace: &Namespace, protocol: &str, name: &str) -> Result<u64> {
    let table = namespace.proc_net("snmp")?;
    let mut lines = table
        .lines()
        .filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
    let (names, values) = (lines.next(), lines.next());
    let found = names.zip(values).and_then(|(names, values)| {
        let at = names.split(' ').position(|it| it == name)?;
        values.split(' ').nth(at)?.parse().ok()
    });
    found.with_context(|| format!("the kernel counts no {protocol} {name}"))
}

/// Likewise of IPv6, such as `Udp6RcvbufErrors`.
pub(crate) fn snmp6(namespace: &Namespace, name: &str) -> Result<u64> {
    let table = namespace.proc_net("snmp6")?;
    let value = table.lines().find_map(|line| {
        let (key, value) = line.split_once(char::is_whitespace)?;
        (key == name).then(|| value.trim().parse().ok())?
    });
    value.with_context(|| format!("the kernel counts no {name}"))
}
