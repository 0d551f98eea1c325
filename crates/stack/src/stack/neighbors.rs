//! Running the NICs' neighbor caches: what comes in for them, and what they want done.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use corelane_frame::Frame;
use corelane_wire::build::build_arp;
use corelane_wire::ndp::{SolicitationSpec, build_neighbor_solicitation};
use corelane_wire::{ArpPacket, MacAddr};
use thiserror::Error;

use super::datapath::NeighborId;
use super::fib::{Action, Pending};
use super::{Stack, StackShared, waited};
use crate::address::Key;
use crate::clock::Time;
use crate::event::Event;
use crate::neighbor::{
    NeighborAction, NeighborCache, NeighborCounts, NeighborError, NeighborInfo, NeighborView, Turn,
};
use crate::nic::{Nic, NicId, NicShared};
use crate::protocol_counters::ProtocolCounter;

/// Why a neighbor was not set.
#[derive(Debug, Error)]
pub enum AddNeighborError {
    /// There is no such NIC.
    #[error("there is no NIC {0}")]
    UnknownNic(NicId),
    /// It cannot be one.
    #[error(transparent)]
    Neighbor(#[from] NeighborError),
}

/// What is known of a next hop's link address (netstack's `Resolve`, BEHAVIOURS J19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Here it is, or none is needed.
    Ready(MacAddr),
    /// It is being looked for; [`Event::NeighborChanged`] tells what comes of it. Packets that are sent
    /// meanwhile wait for it.
    InProgress,
    /// Nobody answers.
    Unreachable,
}

impl Stack {
    /// Gives a neighbor its link address for good.
    ///
    /// # Errors
    /// [`AddNeighborError`].
    pub fn add_neighbor(
        &self,
        nic: NicId,
        address: impl Into<IpAddr>,
        mac: MacAddr,
    ) -> Result<(), AddNeighborError> {
        let key = Key::from(address.into());
        let added = self.shared().with_fib(|fib, now| {
            fib.on_neighbors(nic, now, |cache, turn| cache.add_static(key, mac, turn))
        });
        Ok(added.ok_or(AddNeighborError::UnknownNic(nic))??)
    }

    /// Forgets a neighbor, static or not; returns whether anything was known of it.
    pub fn remove_neighbor(&self, nic: NicId, address: impl Into<IpAddr>) -> bool {
        let key = Key::from(address.into());
        self.on_cache(nic, |cache, turn| cache.remove(key, turn))
            .unwrap_or(false)
    }

    /// Forgets all neighbors of a NIC but static ones.
    pub fn flush_neighbors(&self, nic: NicId) {
        self.on_cache(nic, NeighborCache::flush);
    }

    /// The neighbors of a NIC, by address.
    pub fn neighbors(&self, nic: NicId) -> Vec<NeighborInfo> {
        self.shared()
            .with_fib(|fib, _| fib.cache(nic).map(NeighborCache::list))
            .unwrap_or_default()
    }

    /// What happened to the neighbors of a NIC for want of room; None if there is no such NIC.
    pub fn neighbor_counts(&self, nic: NicId) -> Option<NeighborCounts> {
        self.shared()
            .with_fib(|fib, _| fib.cache(nic).map(NeighborCache::counts))
    }

    /// An upper layer has proof that a neighbor gets what is sent to it (RFC 4861 section 7.3.1).
    pub fn confirm_neighbor(&self, nic: NicId, address: impl Into<IpAddr>) {
        let key = Key::from(address.into());
        self.on_cache(nic, |cache, turn| cache.confirm(key, turn));
    }

    /// A worker sent to a neighbor that nobody has heard of for a while.
    pub fn neighbor_used(&self, neighbor: NeighborId) {
        let NeighborId { nic, line, life } = neighbor;
        self.on_cache(nic, |cache, turn| cache.used(line, life, turn));
    }

    /// A packet for another host waits for its next hop: it is sent when the link address is known.
    pub fn resolve_for(&self, frame: Frame, nic: NicId, next_hop: Key) {
        let arrived_on = Some(NicId(frame.nic()));
        self.shared()
            .resolve(nic, next_hop, Some(Pending { frame, arrived_on }));
    }

    pub(super) fn poll_neighbors(&self) -> Option<Time> {
        self.shared().look_at_fib(super::fib::Fib::poll)
    }

    fn on_cache<R>(
        &self,
        nic: NicId,
        act: impl FnOnce(&mut NeighborCache<Pending>, &mut Turn<'_, Pending>) -> R,
    ) -> Option<R> {
        self.shared().on_cache(nic, act)
    }
}

impl StackShared {
    pub(crate) fn on_cache<R>(
        &self,
        nic: NicId,
        act: impl FnOnce(&mut NeighborCache<Pending>, &mut Turn<'_, Pending>) -> R,
    ) -> Option<R> {
        self.with_fib(|fib, now| fib.on_neighbors(nic, now, act))
    }

    /// As [`on_cache`](Self::on_cache), for what comes from the link: None too if the NIC is not
    /// enabled.
    pub(crate) fn on_link<R>(
        &self,
        nic: NicId,
        act: impl FnOnce(&mut NeighborCache<Pending>, &mut Turn<'_, Pending>) -> R,
    ) -> Option<R> {
        self.with_fib(|fib, now| fib.on_link(nic, now, act))
    }

    /// Looks for the link address of `next_hop` on a NIC, for a packet if there is one. On a NIC that is
    /// down, nothing is asked, and the packet ends here: it may have been on its way while that was
    /// disabled.
    pub(crate) fn resolve(&self, nic: NicId, next_hop: Key, packet: Option<Pending>) {
        let mut packet = packet;
        self.with_fib(|fib, now| {
            if fib.routes.is_nic_usable(nic) {
                let packet = packet.take();
                fib.on_neighbors(nic, now, |cache, turn| {
                    cache.resolve(next_hop, packet, turn);
                });
            }
        });
        if packet.is_some()
            && let Some(nic) = self.nic(nic)
        {
            nic.count(ProtocolCounter::NeighborPacketsDropped);
        }
    }

    /// What is known of a link address, without asking for it.
    pub(crate) fn link_address(&self, nic: NicId, next_hop: Key) -> Resolution {
        let snapshot = self.fib_snapshot();
        let line = snapshot.interface(nic).and_then(|interface| {
            let line = interface.table.find(&*interface.lines, next_hop)?;
            Some((line, interface.lines.at(line)))
        });
        let Some((number, line)) = line else {
            return Resolution::InProgress;
        };
        let tell_used = || {
            let life = line.life();
            if line.mark_used() {
                self.on_cache(nic, |cache, turn| cache.used(number, life, turn));
            }
        };
        match line.read() {
            NeighborView::Usable(mac) => Resolution::Ready(mac),
            NeighborView::Stale(mac) => {
                tell_used();
                Resolution::Ready(mac)
            }
            NeighborView::Incomplete | NeighborView::Full => Resolution::InProgress,
            NeighborView::Unreachable => {
                tell_used();
                Resolution::Unreachable
            }
        }
    }

    /// Does what neighbor caches want done. No lock is held.
    pub(super) fn carry_out(&self, actions: Vec<Action>) {
        for (id, action) in actions {
            if let NeighborAction::Waited { token, outcome } = action {
                self.answer(token, outcome);
                continue;
            }
            let Some(nic) = self.nic(id) else {
                continue;
            };
            match action {
                NeighborAction::Request { target, to } => self.request(&nic, target, to),
                NeighborAction::Send { packet, mac } => waited::send(&nic, packet, mac),
                NeighborAction::Failed { packet, .. } => {
                    nic.count(ProtocolCounter::NeighborPacketsFailed);
                    self.tell_unreachable(&packet);
                }
                NeighborAction::Dropped { packet, .. } => {
                    nic.count(ProtocolCounter::NeighborPacketsDropped);
                    drop(packet);
                }
                // Done, whether the NIC is there or not.
                NeighborAction::Waited { .. } => {}
                NeighborAction::Event(event) => {
                    self.events.send(Event::NeighborChanged {
                        nic: id,
                        address: event.address,
                        mac: event.mac,
                        change: event.change,
                    });
                }
            }
        }
    }

    /// Asks who has an address: everybody, or the one who had it.
    fn request(&self, nic: &Arc<NicShared>, target: Key, to: Option<MacAddr>) {
        let mac = nic.settings.mac;
        let source = Nic::from_shared(Arc::clone(nic)).source_address(target.address());
        let frame = match (target.address(), source) {
            (IpAddr::V4(target), source) => {
                // Without an address one can still ask, as who probes does (RFC 5227 section 2.1.1).
                let sender = match source {
                    Some(IpAddr::V4(source)) => (mac, source),
                    _ => (mac, Ipv4Addr::UNSPECIFIED),
                };
                let packet = match to {
                    Some(to) => ArpPacket::unicast_request(sender, (to, target)),
                    None => ArpPacket::request(sender, target),
                };
                let destination = to.unwrap_or(MacAddr::BROADCAST);
                nic.make_frame(|buffer| build_arp(buffer, destination, &packet))
            }
            (IpAddr::V6(target), Some(IpAddr::V6(source))) => {
                let spec = match to {
                    Some(to) => SolicitationSpec::reachability(mac, source, to, target),
                    None => SolicitationSpec::resolution(mac, source, target),
                };
                nic.make_frame(|buffer| build_neighbor_solicitation(buffer, &spec))
            }
            // From the unspecified address it would be a probe for the target.
            (IpAddr::V6(_), _) => None,
        };
        let counter = match target.address() {
            IpAddr::V4(_) => ProtocolCounter::ArpRequestsSent,
            IpAddr::V6(_) => ProtocolCounter::NeighborSolicitationsSent,
        };
        push(nic, frame, counter);
    }
}

/// Puts a message of the NIC's own in line.
fn push(nic: &NicShared, frame: Option<Frame>, counter: ProtocolCounter) {
    match frame.map(|frame| nic.push_outbound(frame)) {
        Some(Ok(())) => nic.count(counter),
        // It is asked again.
        _ => nic.count(ProtocolCounter::Unsent),
    }
}
