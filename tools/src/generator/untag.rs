//! Frames with VLAN tags.

use corelane::wire::{EtherType, parse_ethernet};

/// Bytes of two link addresses, behind which tags stand, and of a tag.
const ADDRESSES: usize = 12;
const TAG: usize = 4;
const ETHERNET: usize = 14;

/// What is behind the Ethernet header and any tags: its kind and its bytes.
pub(crate) fn network_packet(frame: &[u8]) -> Option<(EtherType, &[u8])> {
    let ethernet = parse_ethernet(frame).ok()?;
    let ethertype = ethernet.header.ethertype();
    if !ethertype.is_vlan() {
        return Some((ethertype, ethernet.payload));
    }
    let mut at = ADDRESSES;
    loop {
        let &[a, b] = frame.get(at..)?.first_chunk()?;
        let ethertype = EtherType(u16::from_be_bytes([a, b]));
        if !ethertype.is_vlan() {
            return Some((ethertype, frame.get(at + ETHERNET - ADDRESSES..)?));
        }
        at += TAG;
    }
}
