//! The lookup of a burst's destinations, in stages that overlap their cache misses.

use std::net::Ipv4Addr;
use std::sync::Arc;

use corelane_frame::{BURST, Frame};
use corelane_sync::counters::CounterWriter;
use corelane_sync::prefetch::prefetch_read;
use corelane_sync::refs::AddressKind;
use corelane_sync::snapshot::Reader;
use corelane_wire::{EtherType, MacAddr};

use super::{ErrorSources, NicSnapshot, PacketBurst};
use crate::address::{Family, Key};
use crate::config::Forwarding;
use crate::control;
use crate::counters::NicCounter;
use crate::endpoint::{EndpointRef, Endpoints};
use crate::error::HoldError;
use crate::nic::{Nic, NicId, NicShared};
use crate::packet_endpoint::{Direction, TapWriter};
use crate::source_filter::Spans;
use crate::table::Home;

/// What a destination is to the NIC: an endpoint, or one of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(u32);

impl Found {
    /// Not the NIC's.
    pub const NOTHING: Self = Self(u32::MAX);

    /// Nobody's address, accepted because the NIC is promiscuous or a range has it: a temporary
    /// endpoint that lives for this packet, unless somebody holds it.
    pub const TEMPORARY: Self = Self(u32::MAX - 1);

    /// A group the NIC is in, or any group if it is promiscuous.
    pub const GROUP: Self = Self(u32::MAX - 2);

    /// The broadcast address of all subnets, or of one that the NIC has an address in.
    pub const BROADCAST: Self = Self(u32::MAX - 3);

    #[inline]
    pub(super) fn endpoint(self) -> Option<u32> {
        self.is_endpoint().then_some(self.0)
    }

    /// Of an endpoint its number, which no other endpoint of the NIC has; numbers are as small as they
    /// can be. Of anything else, any number.
    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether the destination is an address that the NIC has, or that somebody holds.
    #[inline]
    pub const fn is_endpoint(self) -> bool {
        self.0 < Self::BROADCAST.0
    }

    /// Whether the destination is that of many hosts.
    #[inline]
    pub const fn is_for_many(self) -> bool {
        self.0 == Self::GROUP.0 || self.0 == Self::BROADCAST.0
    }
}

/// A NIC as one worker sees it.
pub struct NicDatapath {
    nic: Arc<NicShared>,
    snapshots: Reader<NicSnapshot>,
    /// What this worker counts for the NIC.
    pub counters: CounterWriter<NicCounter>,
}

impl NicDatapath {
    pub(crate) fn new(nic: Arc<NicShared>, counters: CounterWriter<NicCounter>) -> Self {
        let snapshots = nic.snapshots.reader();
        Self {
            nic,
            snapshots,
            counters,
        }
    }

    /// The number of the NIC.
    pub fn id(&self) -> NicId {
        self.nic.id()
    }

    /// The NIC, for the control plane.
    pub fn nic(&self) -> Nic {
        Nic::from_shared(Arc::clone(&self.nic))
    }

    /// The newest version of the NIC, and the counters: once per burst.
    #[inline]
    pub fn load(&mut self) -> (NicView<'_>, &mut CounterWriter<NicCounter>) {
        (
            NicView {
                nic: &self.nic,
                snapshot: self.snapshots.load(),
            },
            &mut self.counters,
        )
    }

    /// Lets go of a version that is not the newest any more: where a poll finds nothing, so that
    /// nothing waits for a worker without traffic. One comparison.
    #[inline]
    pub fn refresh(&mut self) {
        self.snapshots.refresh();
    }

    /// Holds no version until the next [`load`](Self::load): before the worker sleeps, so that
    /// nothing waits for it.
    pub fn quiesce(&mut self) {
        self.snapshots.quiesce();
    }
}

/// A NIC as it is for the length of a burst.
#[derive(Clone, Copy)]
pub struct NicView<'w> {
    nic: &'w Arc<NicShared>,
    snapshot: &'w NicSnapshot,
}

impl NicView<'_> {
    /// The number of the NIC.
    pub fn id(&self) -> NicId {
        self.nic.id()
    }

    /// Whether the NIC is enabled; what arrives on one that is not is to be dropped.
    #[inline]
    pub fn is_enabled(&self) -> bool {
        self.snapshot.enabled
    }

    /// Whether the NIC speaks IPv4.
    #[inline]
    pub fn accepts_v4(&self) -> bool {
        self.nic.settings.protocols.has(Family::V4)
    }

    /// Whether the NIC speaks IPv6.
    #[inline]
    pub fn accepts_v6(&self) -> bool {
        self.nic.settings.protocols.has(Family::V6)
    }

    /// What of other hosts' packets it sends on.
    #[inline]
    pub fn forwarding(&self) -> Forwarding {
        self.snapshot.forwarding
    }

    /// The addresses that errors about other hosts' packets are sent from.
    pub fn error_sources(&self) -> ErrorSources {
        self.snapshot.error_sources
    }

    /// The link address it sends from.
    #[inline]
    pub fn mac(&self) -> MacAddr {
        self.nic.settings.mac
    }

    /// Queues a frame that the NIC sends to itself.
    ///
    /// # Errors
    /// The frame, if there is no room.
    pub fn loop_back(&self, frame: Frame) -> Result<(), Frame> {
        self.nic.push_looped(frame)
    }

    /// The largest network packet it sends, in bytes.
    #[inline]
    pub fn mtu(&self) -> usize {
        self.nic.settings.mtu
    }

    /// Whether its link is a loopback.
    #[inline]
    pub fn is_loopback(&self) -> bool {
        self.nic.settings.is_loopback
    }

    /// Whether somebody is shown what arrives.
    #[inline]
    pub fn shows_received(&self) -> bool {
        self.snapshot.taps.is_some()
    }

    /// Whether somebody is shown IPv4 or IPv6 frames that arrive.
    #[inline]
    pub fn shows_received_ip(&self) -> bool {
        self.snapshot
            .taps
            .as_ref()
            .is_some_and(|taps| taps.shows_ip())
    }

    /// Whether somebody is shown what is sent.
    #[inline]
    pub fn shows_sent(&self) -> bool {
        self.snapshot
            .taps
            .as_ref()
            .is_some_and(|taps| taps.shows_sent())
    }

    /// Whether somebody is shown all that arrives.
    pub fn shows_all_received(&self) -> bool {
        self.snapshot
            .taps
            .as_ref()
            .is_some_and(|taps| taps.has_all())
    }

    /// The protocols of which somebody is shown what arrives.
    pub fn shown_protocols(&self) -> impl Iterator<Item = EtherType> + '_ {
        self.snapshot.taps.iter().flat_map(|taps| taps.protocols())
    }

    /// Shows frames that arrived to the packet endpoints that they are for.
    pub fn show_received<'f>(
        &self,
        frames: impl Iterator<Item = &'f Frame>,
        writer: &mut TapWriter<'_>,
    ) {
        if let Some(taps) = &self.snapshot.taps {
            let local = self.nic.settings.station();
            taps.show(frames, Direction::Inbound, local, writer);
        }
    }

    /// Shows frames that are about to be sent.
    #[cold]
    pub fn show_sent(&self, frames: &[Frame], writer: &mut TapWriter<'_>) {
        if let Some(taps) = &self.snapshot.taps {
            let local = self.nic.settings.station();
            taps.show(frames.iter(), Direction::Outbound, local, writer);
        }
    }

    /// Where the NIC's addresses, and the broadcasts of its subnets, lie: what is not there is not one
    /// of them. Nobody on the link may send from those: see [`is_own_source`](Self::is_own_source).
    #[inline]
    pub fn own_spans(&self) -> Spans {
        self.snapshot.own.spans()
    }

    /// Whether the NIC takes packets for its own addresses only, and for groups and broadcasts: it is
    /// not promiscuous, has no range, and nobody holds an address that is not its own.
    #[inline]
    pub fn takes_only_own(&self) -> bool {
        let NicSnapshot {
            promiscuous,
            ranges,
            ..
        } = self.snapshot;
        !promiscuous && ranges.is_empty() && self.nic.endpoints.held_count() == 0
    }

    /// Whether one of these destinations may be an address of the NIC, or a broadcast of its subnets.
    #[inline]
    pub fn may_have_any(&self, destinations: &[Key]) -> bool {
        let spans = self.own_spans();
        let any = destinations
            .iter()
            .fold(false, |any, key| any | spans.may_contain(*key));
        any || self.nic.endpoints.held_count() > 0
    }

    /// Whether `source` is an address of the NIC that is in use, or a broadcast of its subnets.
    pub fn is_own_source(&self, source: Key) -> bool {
        // The cheaper question first.
        if !self.snapshot.own.may_contain(source) {
            return false;
        }
        let endpoints = &self.nic.endpoints;
        let found = self.snapshot.find(endpoints, source);
        found.is_some_and(|index| endpoints.at(index).refs.load().is_assigned())
            || self.snapshot.is_directed_broadcast(source)
    }

    /// What the endpoint of a destination is, for a trace. None if there is none.
    pub fn kind(&self, found: Found) -> Option<AddressKind> {
        self.nic.endpoints.at(found.endpoint()?).kind()
    }

    /// Whether an address stands for all hosts of a subnet that the NIC has an address in, and for
    /// no endpoint of the NIC.
    pub fn is_directed_broadcast(&self, address: Ipv4Addr) -> bool {
        let key = Key::v4(address.to_bits());
        self.snapshot.is_directed_broadcast(key)
            && self.other(&self.nic.endpoints, key) == Found::BROADCAST
    }

    /// Looks every destination up.
    ///
    /// Three passes, so that the misses of a burst overlap: hash and ask for the bucket; match the
    /// tags and ask for the endpoint; compare the key and read kind and count.
    #[inline(never)]
    pub fn lookup(&self, packets: &mut PacketBurst) {
        let endpoints = &self.nic.endpoints;
        let (keys, found) = packets.lookups();
        let mut homes = [Home::NOWHERE; BURST];
        for (key, home) in keys.iter().zip(&mut homes) {
            *home = self.snapshot.table.home(*key);
            home.prefetch();
        }
        let mut candidates = [None; BURST];
        for ((home, candidate), found) in homes.iter().zip(&mut candidates).zip(found.iter_mut()) {
            if let Some(index) = home.candidate() {
                let endpoint = endpoints.at(index);
                prefetch_read(endpoint);
                *candidate = Some(endpoint);
                *found = Found(index);
            }
        }
        let burst = keys.iter().zip(&homes).zip(&candidates).zip(found);
        for (((key, home), candidate), found) in burst {
            // The rule for nearly all packets; `other` has the rest.
            let settled =
                candidate.is_some_and(|it| it.key() == *key && it.refs.load().is_assigned());
            if !settled {
                *found = match candidate {
                    None if home.ends_here() => self.unassigned(endpoints, *key, None),
                    _ => self.other(endpoints, *key),
                };
            }
        }
    }

    /// A destination whose first candidate is not its endpoint, or is not assigned.
    fn other(&self, endpoints: &Endpoints, key: Key) -> Found {
        match self.snapshot.find(endpoints, key) {
            Some(index) if endpoints.at(index).refs.load().is_assigned() => Found(index),
            index => self.unassigned(endpoints, key, index),
        }
    }

    /// The rest of the rule (BEHAVIOURS D1–D3) for a destination that is no assigned address;
    /// `index` is what the table has under it.
    #[inline]
    fn unassigned(&self, endpoints: &Endpoints, key: Key, index: Option<u32>) -> Found {
        if let Some(index) = index {
            let state = endpoints.at(index).refs.load();
            match state.kind() {
                // Unlinked any moment: as if it were not there.
                _ if state.is_dead() => {}
                // Settled, or added again, since the caller looked.
                AddressKind::Permanent | AddressKind::Temporary => return Found(index),
                AddressKind::PermanentExpired if self.snapshot.promiscuous => {
                    return Found(index);
                }
                // A tentative address receives nothing whatever the mode (RFC 4862 section 5.4),
                // and a removed one is not for the ranges to give back.
                AddressKind::PermanentExpired | AddressKind::PermanentTentative => {
                    return Found::NOTHING;
                }
            }
        }
        match endpoints.held(key) {
            Some(index) => self.held(endpoints, key, index),
            None => self.unowned(key),
        }
    }

    /// What a destination is that somebody holds, or held a moment ago.
    #[cold]
    fn held(&self, endpoints: &Endpoints, key: Key, index: u32) -> Found {
        let state = endpoints.at(index).refs.load();
        match state.kind() {
            _ if state.is_dead() => self.unowned(key),
            // Also what it became since this burst's snapshot was made.
            AddressKind::Temporary | AddressKind::Permanent => Found(index),
            AddressKind::PermanentExpired if self.snapshot.promiscuous => Found(index),
            AddressKind::PermanentExpired | AddressKind::PermanentTentative => Found::NOTHING,
        }
    }

    /// What a destination is that nobody owns or holds.
    #[inline]
    fn unowned(&self, key: Key) -> Found {
        // Without a branch on the family, which would be mispredicted every second time.
        let maybe_subnets = key.is_v4() & self.snapshot.broadcasts.may_contain(key.low as u32);
        if key.is_multicast() | key.is_limited_broadcast() | maybe_subnets {
            return self.of_many(key);
        }
        self.of_anyone(key)
    }

    #[inline]
    fn of_anyone(&self, key: Key) -> Found {
        if self.snapshot.promiscuous || self.snapshot.ranges.contains(key) {
            Found::TEMPORARY
        } else {
            Found::NOTHING
        }
    }

    /// What a destination is that is a group, or may be a broadcast.
    #[cold]
    fn of_many(&self, key: Key) -> Found {
        if key.is_multicast() {
            let anyone = self.of_anyone(key) == Found::TEMPORARY;
            return if anyone || self.snapshot.groups.contains(key) {
                Found::GROUP
            } else {
                Found::NOTHING
            };
        }
        if key.is_limited_broadcast() || self.snapshot.broadcasts.contains(key.low as u32) {
            return Found::BROADCAST;
        }
        self.of_anyone(key)
    }

    /// A reference to what a packet's destination was found to be.
    pub(crate) fn hold(&self, found: Found, destination: Key) -> Result<EndpointRef, HoldError> {
        if let Some(index) = found.endpoint()
            && self.nic.endpoints.at(index).refs.try_acquire()
        {
            return Ok(EndpointRef::from_counted(Arc::clone(self.nic), index));
        }
        if found.is_for_many() {
            return Err(HoldError::BadLocalAddress(destination.address()));
        }
        // A temporary one, or one that died since: what the packet's acceptance was based on
        // still holds for it.
        control::hold(self.nic, destination, |newest| {
            newest.spoofing || newest.promiscuous
        })
    }
}
