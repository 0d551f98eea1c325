//! What a NIC's own protocols count: rare events, so that one shared number each is enough.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::labelled::labelled;

labelled! {
    /// A counter of a NIC's own protocols.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ProtocolCounter {
        NeighborSolicitationsReceived => "neighbor_solicitations_received", "Valid neighbor solicitations.";
        NeighborAdvertisementsReceived => "neighbor_advertisements_received", "Valid neighbor advertisements.";
        NeighborSolicitationsSent => "neighbor_solicitations_sent", "Probes of duplicate address detection, and questions for link addresses.";
        NeighborAdvertisementsSent => "neighbor_advertisements_sent", "Answers to neighbor solicitations.";
        ArpRequestsReceived => "arp_requests_received", "Valid ARP requests.";
        ArpRepliesReceived => "arp_replies_received", "Valid ARP replies.";
        ArpRequestsSent => "arp_requests_sent", "ARP requests.";
        ArpRepliesSent => "arp_replies_sent", "ARP replies.";
        NeighborPacketsSent => "neighbor_packets_sent", "Packets that waited for a link address, sent.";
        NeighborPacketsFailed => "neighbor_packets_failed", "Packets that waited for a link address of somebody who does not answer.";
        NeighborPacketsDropped => "neighbor_packets_dropped", "Packets that waited for a link address and gave way to others.";
        UnreachablesSent => "unreachables_sent", "ICMP errors about packets that waited for a next hop that does not answer; each is in its counter of ICMP, too.";
        ErrorsReceived => "errors_received", "ICMP errors about packets that were sent from here.";
        ErrorsIgnored => "errors_ignored", "ICMP errors that are malformed, or about nothing that was sent from here.";
        PathMtuReports => "path_mtu_reports", "ICMP errors that lowered the MTU of a path.";
        IgmpReceived => "igmp_received", "IGMP messages.";
        IgmpSent => "igmp_sent", "IGMP reports and leaves.";
        MldReceived => "mld_received", "MLD messages.";
        MldSent => "mld_sent", "MLD reports and dones.";
        AddressesAssigned => "addresses_assigned", "Addresses that duplicate address detection found unique.";
        DuplicateAddresses => "duplicate_addresses", "Tentative addresses given up because somebody else has them.";
        LoopedBackProbes => "looped_back_probes", "Probes of our own that came back.";
        AddressConflicts => "address_conflicts", "Advertisements of others for an address in use here.";
        Unsent => "unsent", "Attempts to send a message of the NIC's own (ICMP errors have their own counter), a packet of a route, or one that waited, that found no frame or no room in the queue.";
    }
}

/// The numbers.
pub(crate) struct ProtocolCounters([AtomicU64; ProtocolCounter::ALL.len()]);

impl ProtocolCounters {
    pub(crate) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ProtocolCounter::ALL.len()])
    }

    pub(crate) fn add(&self, counter: ProtocolCounter) {
        self.0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn value(&self, counter: ProtocolCounter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }
}
