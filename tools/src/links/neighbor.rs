//! Being a neighbor of the device under test: asking for its link address, and answering when it asks.

use std::net::{IpAddr, Ipv6Addr};

use corelane::wire::arp::ArpPacket;
use corelane::wire::build::build_arp;
use corelane::wire::ndp::{
    ALL_NODES, AdvertisementSpec, SolicitationSpec, build_neighbor_advertisement,
    build_neighbor_solicitation,
};
use corelane::wire::{
    ArpMessage, EtherType, IpProtocol, MacAddr, NdpMessage, NoRoom, parse_arp_message,
    parse_ethernet, parse_ipv6, parse_ndp,
};

/// Writes the question who has `address`, which names no address of who asks (RFC 5227, RFC 4862): so none is
/// needed, and nobody's cache changes.
pub(super) fn ask(buffer: &mut [u8], own: MacAddr, address: IpAddr) -> Result<usize, NoRoom> {
    match address {
        IpAddr::V4(address) => {
            build_arp(buffer, MacAddr::BROADCAST, &ArpPacket::probe(own, address))
        }
        IpAddr::V6(address) => {
            build_neighbor_solicitation(buffer, &SolicitationSpec::probe(own, address, None))
        }
    }
}

/// The link address of `address`, if the frame tells it.
pub(super) fn told(frame: &[u8], address: IpAddr) -> Option<MacAddr> {
    match (question(frame)?, address) {
        (Question::Arp(ArpMessage::Reply(reply)), IpAddr::V4(address)) => {
            (reply.sender_ip() == address).then_some(reply.sender_mac)
        }
        (Question::Ndp(_, NdpMessage::NeighborAdvertisement(told)), IpAddr::V6(address)) => {
            (told.target == address).then(|| told.target_link_address())?
        }
        _ => None,
    }
}

/// Answers for some addresses.
pub(super) struct Answerer {
    pub(super) mac: MacAddr,
    pub(super) addresses: Vec<IpAddr>,
}

impl Answerer {
    /// Writes the answer to `frame`, if it asks for one of the addresses.
    pub(super) fn answer(&self, frame: &[u8], buffer: &mut [u8]) -> Option<usize> {
        let written = match question(frame)? {
            Question::Arp(ArpMessage::Request(asked)) => {
                let target = asked.target_ip();
                let is_ours = self.addresses.contains(&target.into());
                let asker = (asked.sender_mac, asked.sender_ip());
                let reply = is_ours.then(|| ArpPacket::reply((self.mac, target), asker))?;
                build_arp(buffer, asked.sender_mac, &reply)
            }
            Question::Ndp((source, mac), NdpMessage::NeighborSolicitation(asked)) => {
                self.addresses
                    .contains(&asked.target.into())
                    .then_some(())?;
                // Who has no address yet is told with all others (RFC 4861 section 7.2.4).
                let is_probe = source.is_unspecified();
                let (destination, destination_mac) = if is_probe {
                    (ALL_NODES, MacAddr::from_ipv6_multicast(ALL_NODES))
                } else {
                    (source, mac)
                };
                let answer = AdvertisementSpec {
                    source_mac: self.mac,
                    source: asked.target,
                    destination,
                    destination_mac,
                    target: asked.target,
                    router: true,
                    solicited: !is_probe,
                    override_: true,
                    target_link: Some(self.mac),
                };
                build_neighbor_advertisement(buffer, &answer)
            }
            _ => return None,
        };
        written.ok()
    }
}

/// A message about neighbors, and who sent it.
enum Question<'a> {
    Arp(ArpMessage<'a>),
    Ndp((Ipv6Addr, MacAddr), NdpMessage<'a>),
}

fn question(frame: &[u8]) -> Option<Question<'_>> {
    let ethernet = parse_ethernet(frame).ok()?;
    match ethernet.header.ethertype() {
        EtherType::ARP => parse_arp_message(ethernet.payload).ok().map(Question::Arp),
        EtherType::IPV6 => {
            let ip = parse_ipv6(ethernet.payload).ok()?;
            if ip.header.next_header != IpProtocol::ICMPV6 {
                return None;
            }
            let (source, destination) = (ip.source(), ip.destination());
            let message = parse_ndp(source, destination, ip.header.hop_limit, ip.payload).ok()?;
            let mac = ethernet.header.source;
            Some(Question::Ndp((source, mac), message))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

    #[test]
    fn what_is_asked_is_answered_and_the_answer_understood() {
        for address in ["192.0.2.9", "2001:db8::9"] {
            let address: IpAddr = address.parse().unwrap();
            let answerer = Answerer {
                mac: OTHER,
                addresses: vec![address],
            };
            let (mut asked, mut answered) = ([0; 128], [0; 128]);
            let len = ask(&mut asked, OWN, address).unwrap();
            assert_eq!(told(&asked[..len], address), None);
            let len = answerer.answer(&asked[..len], &mut answered).unwrap();
            assert_eq!(told(&answered[..len], address), Some(OTHER));
            assert_eq!(answerer.answer(&answered[..len], &mut asked), None);

            let other = if address.is_ipv4() {
                "192.0.2.8"
            } else {
                "2001:db8::8"
            };
            let other = other.parse().unwrap();
            let len = ask(&mut asked, OWN, other).unwrap();
            assert_eq!(answerer.answer(&asked[..len], &mut answered), None);
        }
    }

    #[test]
    fn other_frames_are_no_questions() {
        let answerer = Answerer {
            mac: OTHER,
            addresses: vec!["192.0.2.9".parse().unwrap()],
        };
        for frame in [&[][..], &[0; 60], &[0xff; 200]] {
            assert_eq!(answerer.answer(frame, &mut [0; 128]), None);
        }
    }
}
