//! Fragments of both families, in and out of order, in and out of bounds.

mod bounds;
mod malformed;
mod model;
mod whole;

use std::net::Ipv6Addr;

use corelane_frame::{Frame, MAX_SLOT_SIZE, Pool, PoolCache, PoolConfig};
use corelane_wire::ipv6::{Ipv6Fields, write_ipv6, write_ipv6_fragment};
use corelane_wire::{ETHERNET_HEADER_LEN, IpProtocol, checksum};

use super::*;

/// Nothing that a first fragment would have to have the header of.
const EXPERIMENT: IpProtocol = IpProtocol(253);

/// A datagram to be cut up.
#[derive(Clone, Debug)]
struct Sent {
    family: Family,
    nic: u16,
    /// The last byte of the destination address.
    host: u8,
    identification: u16,
    protocol: IpProtocol,
    traffic_class: u8,
    /// IPv4 options, or a hop-by-hop header: its length is a multiple of 4, or of 8.
    extra: Vec<u8>,
    payload: Vec<u8>,
}

/// One whose bytes all differ from their neighbours, in fragments of any kind.
fn sent(family: Family, len: usize) -> Sent {
    Sent {
        family,
        nic: 3,
        host: 2,
        identification: 77,
        protocol: EXPERIMENT,
        traffic_class: 0,
        extra: Vec::new(),
        payload: (0..len).map(|n| (n % 251) as u8).collect(),
    }
}

impl Sent {
    fn identified(mut self, identification: u16) -> Self {
        self.identification = identification;
        self
    }

    fn ipv4_header(&self, payload_len: usize, flags_offset: u16) -> Vec<u8> {
        let header_len = 20 + self.extra.len();
        let mut header = vec![0x40 | (header_len / 4) as u8, self.traffic_class];
        header.extend(((header_len + payload_len) as u16).to_be_bytes());
        header.extend(self.identification.to_be_bytes());
        header.extend(flags_offset.to_be_bytes());
        header.extend([
            64,
            self.protocol.0,
            0,
            0,
            192,
            0,
            2,
            1,
            192,
            0,
            2,
            self.host,
        ]);
        header.extend(&self.extra);
        let checksum = checksum::sum(&header).checksum().to_be_bytes();
        header[10..12].copy_from_slice(&checksum);
        header
    }

    /// The header, the hop-by-hop header and the fragment header, if this is one.
    fn ipv6_headers(&self, payload_len: usize, fragment: Option<(u16, bool)>) -> Vec<u8> {
        let mut headers = vec![0; 48];
        let next = match fragment {
            None => self.protocol,
            Some((offset, more)) => {
                let at = &mut headers[40..];
                write_ipv6_fragment(at, self.protocol, offset, more, self.identification.into())
                    .unwrap();
                IpProtocol::IPV6_FRAGMENT
            }
        };
        let fragment_len = if fragment.is_some() { 8 } else { 0 };
        headers.truncate(40 + fragment_len);
        let mut fields = Ipv6Fields::new(
            "2001:db8::1".parse().unwrap(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, self.host.into()),
            next,
            64,
        );
        fields.traffic_class = self.traffic_class;
        fields.flow_label = 0xabcde;
        if !self.extra.is_empty() {
            fields.next_header = IpProtocol::HOP_BY_HOP;
            let mut extra = self.extra.clone();
            (extra[0], extra[1]) = (next.0, (extra.len() / 8 - 1) as u8);
            headers.splice(40..40, extra);
        }
        let len = self.extra.len() + fragment_len + payload_len;
        write_ipv6(&mut headers, &fields, len).unwrap();
        headers
    }

    /// The frame of a part of it.
    fn part(&self, offset: usize, len: usize, more: bool) -> Vec<u8> {
        self.part_with(offset, more, &self.payload[offset..offset + len])
    }

    /// A frame that says that these bytes are a part of it.
    fn part_with(&self, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
        let units = (offset / 8) as u16;
        let headers = match self.family {
            Family::V4 => self.ipv4_header(payload.len(), u16::from(more) << 13 | units),
            Family::V6 => self.ipv6_headers(payload.len(), Some((units, more))),
        };
        [&[0xee; ETHERNET_HEADER_LEN], &headers[..], payload].concat()
    }

    /// The frame of the whole, as if it had not been cut.
    fn whole(&self) -> Vec<u8> {
        let headers = match self.family {
            Family::V4 => self.ipv4_header(self.payload.len(), 0),
            Family::V6 => self.ipv6_headers(self.payload.len(), None),
        };
        [&[0xee; ETHERNET_HEADER_LEN], &headers[..], &self.payload].concat()
    }

    fn place(&self) -> FragmentPlace {
        let network = ETHERNET_HEADER_LEN;
        match self.family {
            Family::V4 => FragmentPlace::V4 { network },
            Family::V6 => FragmentPlace::V6 {
                network,
                header: network + 40 + self.extra.len(),
                announced: if self.extra.is_empty() {
                    network + 6
                } else {
                    network + 40
                },
            },
        }
    }
}

/// A reassembly, its pool, and the pool of the frames that come in.
struct Bed {
    reassembly: Reassembly,
    jumbo: Pool,
    frames: PoolCache,
    now: Time,
}

fn bed() -> Bed {
    bed_of(&ReassemblyConfig::default())
}

fn bed_of(config: &ReassemblyConfig) -> Bed {
    let jumbo = Pool::new(config.pool_config(1)).unwrap();
    let frames = PoolConfig {
        slots: 4,
        slot_size: MAX_SLOT_SIZE,
        ..PoolConfig::default()
    };
    Bed {
        reassembly: Reassembly::new(config, &jumbo).unwrap(),
        jumbo,
        frames: Pool::new(frames).unwrap().cache(),
        now: Time::from_nanos(1000),
    }
}

impl Bed {
    fn frame(&mut self, bytes: &[u8]) -> Frame {
        let mut frame = self.frames.alloc().unwrap();
        frame.set_data(bytes).unwrap();
        frame
    }

    /// Puts in what `bytes` are, a part of `sent`.
    fn input(&mut self, sent: &Sent, bytes: &[u8]) -> Outcome {
        let mut frame = self.frame(bytes);
        let outcome = self
            .reassembly
            .input(sent.nic, &mut frame, sent.place(), self.now);
        if !frame.is_vacant() {
            assert_eq!(frame.data(), bytes, "a fragment's frame is left alone");
            self.frames.recycle(frame);
        }
        outcome
    }

    /// The same for a part that is a true one.
    fn part(&mut self, sent: &Sent, offset: usize, len: usize) -> Outcome {
        let more = offset + len < sent.payload.len();
        self.input(sent, &sent.part(offset, len, more))
    }

    fn assert_held(&mut self, sent: &Sent, offset: usize, len: usize) {
        let outcome = self.part(sent, offset, len);
        assert!(matches!(outcome, Outcome::Held), "{outcome:?}");
    }

    fn assert_whole(&mut self, sent: &Sent, offset: usize, len: usize) -> Frame {
        let Outcome::Complete(frame) = self.part(sent, offset, len) else {
            panic!("not whole");
        };
        assert_eq!(frame.data(), sent.whole());
        frame
    }

    fn assert_dropped(&mut self, sent: &Sent, bytes: &[u8], reason: ReassemblyDrop) {
        match self.input(sent, bytes) {
            Outcome::Dropped(dropped) => assert_eq!(dropped, reason),
            other => panic!("{other:?} instead of {reason:?}"),
        }
    }

    /// How many datagrams time out at `now`.
    fn expire(&mut self, now: Time) -> usize {
        let mut timed_out = 0;
        self.reassembly.expire(now, |_| timed_out += 1);
        timed_out
    }
}

const BOTH: [Family; 2] = [Family::V4, Family::V6];
