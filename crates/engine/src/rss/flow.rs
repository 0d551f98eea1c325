//! What of a frame is hashed.

use corelane_frame::{BURST, Frame};
use corelane_wire::{ETHERNET_HEADER_LEN, EtherType, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol};

use super::toeplitz::Toeplitz;
use crate::places::Places;

/// Ethernet header, IPv4 header without options, ports.
const V4_PLAIN: usize = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + 4;
/// Ethernet header, IPv6 header, ports.
const V6_PLAIN: usize = ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + 4;
/// VLAN tags that are skipped.
const MAX_TAGS: usize = 2;
/// IPv6 extension headers that are skipped: none that a host must accept has more, and the walk
/// through a hostile one ends.
const MAX_EXTENSIONS: usize = 8;

/// The RSS hash of an Ethernet frame.
///
/// * IPv4 and IPv6, behind up to two VLAN tags: source and destination address, and the ports of
///   TCP, UDP and SCTP. The ports of IPv6 are looked for behind hop-by-hop options, routing
///   headers and destination options.
/// * Fragments, the first one included: addresses only, so that the fragments of a datagram meet.
/// * Frames that are too short or whose lengths are wrong: the addresses if they are there,
///   otherwise as all else.
/// * All else: 0, which selects the first entry of the indirection table.
///
/// Nothing is validated beyond what finding those fields takes: a malformed packet is the
/// worker's to count.
#[inline]
pub fn flow_hash(toeplitz: &Toeplitz, frame: &[u8]) -> u32 {
    match Shape::of(frame) {
        Shape { v4: true, .. } => hash_plain::<V4_PLAIN, 12>(toeplitz, frame),
        Shape { v6: true, .. } => hash_plain::<V6_PLAIN, 36>(toeplitz, frame),
        _ => general(toeplitz, frame),
    }
}

/// Gives each frame its hash, as [`flow_hash`] would; those that have one keep it.
///
/// Burst by burst, the frames are sorted by shape first, without a branch, and then hashed shape by
/// shape.
pub fn hash_frames(toeplitz: &Toeplitz, frames: &mut [Frame]) {
    frames
        .chunks_mut(BURST)
        .for_each(|burst| hash_burst(toeplitz, burst));
}

/// Hashes a burst: of more than [`BURST`] frames, the first so many.
fn hash_burst(toeplitz: &Toeplitz, frames: &mut [Frame]) {
    let (mut v4, mut v6, mut other) = (Places::new(), Places::new(), Places::new());
    for (place, frame) in frames.iter().enumerate().take(BURST) {
        let shape = Shape::of(frame.data());
        let unknown = frame.rss_hash() == 0;
        v4.push_if(shape.v4 & unknown, place);
        v6.push_if(shape.v6 & unknown, place);
        other.push_if(!(shape.v4 | shape.v6) & unknown, place);
    }
    hash_shape::<V4_PLAIN, 3>(toeplitz, frames, &v4);
    hash_shape::<V6_PLAIN, 9>(toeplitz, frames, &v6);
    for place in other.iter() {
        let frame = &mut frames[usize::from(place)];
        frame.set_rss_hash(general(toeplitz, frame.data()));
    }
}

/// Hashes the frames of one shape, whose input is the last `N` words of the first `PLAIN` bytes.
fn hash_shape<const PLAIN: usize, const N: usize>(
    toeplitz: &Toeplitz,
    frames: &mut [Frame],
    places: &Places,
) {
    let input = |frames: &[Frame], place: u8| {
        let mut words = [0; N];
        if let Some(front) = frames[usize::from(place)].data().first_chunk::<PLAIN>() {
            let (bytes, _) = front[PLAIN - 4 * N..].as_chunks::<4>();
            for (word, bytes) in words.iter_mut().zip(bytes) {
                *word = u32::from_be_bytes(*bytes);
            }
        }
        words
    };
    let output = |frames: &mut [Frame], place: u8, hash| {
        frames[usize::from(place)].set_rss_hash(hash);
    };
    toeplitz.many(places.iter(), frames, input, output);
}

/// The two shapes that nearly all frames have, each recognised by constant offsets. Neither is
/// set for all else.
struct Shape {
    /// IPv4 without options, not a fragment, with ports.
    v4: bool,
    /// IPv6 with the ports right behind the header.
    v6: bool,
}

impl Shape {
    /// No branch but on the length, which hardly any frame falls short of.
    #[inline]
    fn of(frame: &[u8]) -> Self {
        if let Some(b) = frame.first_chunk::<V6_PLAIN>() {
            return Self {
                v4: is_plain_v4(b),
                v6: (ethertype([b[12], b[13]]) == EtherType::IPV6)
                    & (b[14] >> 4 == 6)
                    & (u16::from_be_bytes([b[18], b[19]]) >= 4)
                    & has_ports(b[20]),
            };
        }
        Self {
            v4: frame.first_chunk::<V4_PLAIN>().is_some_and(is_plain_v4),
            v6: false,
        }
    }
}

#[inline]
fn is_plain_v4<const N: usize>(b: &[u8; N]) -> bool {
    const { assert!(N >= V4_PLAIN) }
    (ethertype([b[12], b[13]]) == EtherType::IPV4)
        & (b[14] == 0x45)
        // At least the ports belong to the packet, not to the padding behind it.
        & (u16::from_be_bytes([b[16], b[17]]) >= 24)
        // More fragments, or an offset.
        & (u16::from_be_bytes([b[20], b[21]]) & 0x3fff == 0)
        & has_ports(b[23])
}

/// As [`IpProtocol::has_ports`], without a branch.
#[inline]
fn has_ports(protocol: u8) -> bool {
    (protocol == IpProtocol::UDP.0)
        | (protocol == IpProtocol::TCP.0)
        | (protocol == IpProtocol::SCTP.0)
}

/// The hash of the last `N` of the first `PLAIN` bytes: addresses and ports are side by side there,
/// in the order of the hash. 0 if the frame is shorter, which its shape has ruled out.
#[inline]
fn hash_plain<const PLAIN: usize, const N: usize>(toeplitz: &Toeplitz, frame: &[u8]) -> u32 {
    let input = frame
        .first_chunk::<PLAIN>()
        .and_then(|front| front.last_chunk::<N>());
    input.map_or(0, |input| toeplitz.at::<0, N>(input))
}

#[inline]
fn ethertype(bytes: [u8; 2]) -> EtherType {
    EtherType(u16::from_be_bytes(bytes))
}

/// `N` bytes at `at`.
#[inline]
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline(never)]
fn general(toeplitz: &Toeplitz, frame: &[u8]) -> u32 {
    let mut at = ETHERNET_HEADER_LEN;
    for _ in 0..=MAX_TAGS {
        let (Some(kind), Some(packet)) = (field(frame, at - 2).map(ethertype), frame.get(at..))
        else {
            return 0;
        };
        match kind {
            EtherType::IPV4 => return hash_ipv4(toeplitz, packet).unwrap_or(0),
            EtherType::IPV6 => return hash_ipv6(toeplitz, packet).unwrap_or(0),
            _ if kind.is_vlan() => at += 4,
            _ => return 0,
        }
    }
    0
}

/// `None` if there are no addresses to hash.
fn hash_ipv4(toeplitz: &Toeplitz, packet: &[u8]) -> Option<u32> {
    let version_ihl = packet.first()?;
    if version_ihl >> 4 != 4 {
        return None;
    }
    let addresses = toeplitz.at::<0, _>(&field::<8>(packet, 12)?);
    let [_, _, a, b, _, _, c, d, _, protocol] = field::<10>(packet, 0)?;
    let is_fragment = u16::from_be_bytes([c, d]) & 0x3fff != 0;
    if is_fragment || !IpProtocol(protocol).has_ports() {
        return Some(addresses);
    }
    let header_len = usize::from(version_ihl & 0x0f) * 4;
    if header_len < IPV4_HEADER_LEN {
        return Some(addresses);
    }
    // A total length beyond the end is wrong, but the ports may be there.
    let end = usize::from(u16::from_be_bytes([a, b])).min(packet.len());
    let ports = packet
        .get(..end)
        .and_then(|packet| field::<4>(packet, header_len));
    Some(addresses ^ ports.map_or(0, |ports| toeplitz.at::<8, _>(&ports)))
}

/// `None` if there are no addresses to hash.
fn hash_ipv6(toeplitz: &Toeplitz, packet: &[u8]) -> Option<u32> {
    if packet.first()? >> 4 != 6 {
        return None;
    }
    let addresses = toeplitz.at::<0, _>(&field::<32>(packet, 8)?);
    Some(addresses ^ ipv6_ports(packet).map_or(0, |ports| toeplitz.at::<32, _>(&ports)))
}

/// The ports of a packet that is not a fragment and has some.
fn ipv6_ports(packet: &[u8]) -> Option<[u8; 4]> {
    let [a, b, first] = field::<3>(packet, 4)?;
    let payload = packet.get(IPV6_HEADER_LEN..)?;
    // A payload length beyond the end is wrong, but the ports may be there.
    let end = usize::from(u16::from_be_bytes([a, b])).min(payload.len());
    let mut rest = payload.get(..end)?;
    let mut next = IpProtocol(first);
    for _ in 0..=MAX_EXTENSIONS {
        match next {
            IpProtocol::TCP | IpProtocol::UDP | IpProtocol::SCTP => return field(rest, 0),
            IpProtocol::HOP_BY_HOP
            | IpProtocol::IPV6_ROUTING
            | IpProtocol::IPV6_DESTINATION_OPTIONS => {
                let [behind, eights] = field(rest, 0)?;
                rest = rest.get((usize::from(eights) + 1) * 8..)?;
                next = IpProtocol(behind);
            }
            // Of a fragment only the first shows the ports, so none counts.
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests;
