//! Frames of captures, which have no numbers: known again by what is in them.
//!
//! Of a content, as many frames come back as were sent: what is more is a duplicate. Which of several it was that
//! came, nobody can tell; it is taken to be the one that keeps the order of its flow, so that neither frames of the same
//! content behind one another nor those of the next round are taken for late ones when one is lost.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrayvec::ArrayVec;
use corelane::engine::rss::{RssKey, Toeplitz, flow_hash};
use corelane::frame::Frame;
use corelane::wire::EtherType;

use super::flight::{Flight, Landing};
use super::identity::{FrameId, Land, Landed, Launch, Launched, is_ahead};
use super::order::FlowId;
use crate::generator::network_packet;

/// Frames of the same content that can be told to be out: those sent last.
const OUT: usize = 16;

/// The only class of flows: the frames of a capture are numbered one behind the other.
const CLASS: usize = 0;

fn id(flow: FlowId, number: u32) -> FrameId {
    FrameId {
        class: CLASS,
        flow,
        number,
        stream: 0,
    }
}

/// The contents of a capture's frames, and what was sent of each. The sender writes that, and the receiver reads
/// it.
pub(super) struct Contents {
    /// The places of contents, by [`digest`].
    known: HashMap<u64, usize>,
    sent: Vec<Sent>,
}

/// The frames of a content that were sent.
struct Sent {
    flow: FlowId,
    /// How many.
    count: AtomicU32,
    /// The numbers of the last ones, each at its place in the count.
    numbers: [AtomicU32; OUT],
}

impl Contents {
    /// Of these frames.
    pub(super) fn of(frames: impl Iterator<Item = Vec<u8>>) -> Self {
        let toeplitz = Toeplitz::new(&RssKey::default());
        let (mut known, mut sent) = (HashMap::new(), Vec::new());
        for frame in frames {
            let Entry::Vacant(entry) = known.entry(digest(&frame)) else {
                continue;
            };
            entry.insert(sent.len());
            let is_v6 = network_packet(&frame).is_some_and(|(it, _)| it == EtherType::IPV6);
            sent.push(Sent {
                flow: FlowId::new(flow_hash(&toeplitz, &frame), is_v6),
                count: AtomicU32::new(0),
                numbers: Default::default(),
            });
        }
        Self { known, sent }
    }

    /// Where what is out is kept: by number alone.
    pub(super) fn flight() -> Flight {
        Flight::new([CLASS])
    }

    /// The sender's part and the receiver's, for one window.
    pub(super) fn split(self) -> (LaunchContents, LandContents) {
        let contents = Arc::new(self);
        let launch = LaunchContents {
            contents: Arc::clone(&contents),
            next: 0,
        };
        let land = LandContents {
            came: vec![0; contents.sent.len()],
            contents,
            next: HashMap::new(),
        };
        (launch, land)
    }

    fn place(&self, frame: &Frame) -> Option<usize> {
        self.known.get(&digest(frame.data())).copied()
    }
}

/// The sender's.
pub(super) struct LaunchContents {
    contents: Arc<Contents>,
    /// The number of the next frame.
    next: u32,
}

/// The receiver's.
pub(super) struct LandContents {
    contents: Arc<Contents>,
    /// How many came of each content.
    came: Vec<u32>,
    /// The number behind the highest that came, of each flow.
    next: HashMap<FlowId, u32>,
}

impl Launch for LaunchContents {
    fn identify(&mut self, frame: &Frame) -> Option<FrameId> {
        let place = self.contents.place(frame)?;
        let sent = self.contents.sent.get(place)?;
        let number = self.next;
        self.next = number.wrapping_add(1);
        // Nobody else writes.
        let count = sent.count.load(Ordering::Relaxed);
        sent.numbers[count as usize % OUT].store(number, Ordering::Relaxed);
        // The receiver looks at the numbers that it is told of.
        sent.count.store(count.wrapping_add(1), Ordering::Release);
        Some(id(sent.flow, number))
    }
}

impl Land for LandContents {
    fn land(&mut self, frame: &Frame, flight: &Flight, since: u64) -> Landed {
        let Self {
            contents,
            came,
            next,
        } = self;
        let Some(place) = contents.place(frame) else {
            return Landed::Foreign;
        };
        let (Some(sent), Some(came)) = (contents.sent.get(place), came.get_mut(place)) else {
            return Landed::Foreign;
        };
        let count = sent.count.load(Ordering::Acquire);
        if *came == count {
            // Of those that came, any will do.
            let last = sent.numbers[count.wrapping_sub(1) as usize % OUT].load(Ordering::Relaxed);
            return match count {
                0 => Landed::Stray,
                _ => Landed::Again(id(sent.flow, last)),
            };
        }
        *came += 1;
        let next = next.entry(sent.flow).or_default();
        let mut last: ArrayVec<u32, OUT> = (1..=OUT.min(count as usize) as u32)
            .map(|back| {
                sent.numbers[count.wrapping_sub(back) as usize % OUT].load(Ordering::Relaxed)
            })
            .collect();
        // From the next one in order on; then those before, the last one first.
        last.sort_unstable_by_key(|&number| match is_ahead(number, *next) {
            true => (false, number.wrapping_sub(*next)),
            false => (true, next.wrapping_sub(number)),
        });
        for number in last {
            if let Landing::First(planned) = flight.land(CLASS, number, since) {
                if is_ahead(number, *next) {
                    *next = number.wrapping_add(1);
                }
                return Landed::First(Launched {
                    planned,
                    id: id(sent.flow, number),
                });
            }
        }
        Landed::OneOfMany
    }
}

/// What of a frame a device under test has no reason to change: all but link addresses, tags, the class of
/// traffic, hop limits and header checksums, and what a link has put behind the packet.
fn digest(frame: &[u8]) -> u64 {
    // With the same keys each time: the sender's digests are the receiver's.
    let mut hasher = DefaultHasher::new();
    let Some((ethertype, packet)) = network_packet(frame) else {
        hasher.write(frame);
        return hasher.finish();
    };
    hasher.write_u16(ethertype.0);
    match (ethertype, packet) {
        (EtherType::IPV4, &[first, _, l0, l1, a, b, c, d, _, protocol, _, _, ..]) => {
            hasher.write(&[first, l0, l1, a, b, c, d, protocol]);
            let end = usize::from(u16::from_be_bytes([l0, l1])).min(packet.len());
            hasher.write(packet.get(12..end).unwrap_or_default());
        }
        (EtherType::IPV6, &[_, _, _, _, l0, l1, next, _, ..]) => {
            hasher.write(&[l0, l1, next]);
            let end = 40 + usize::from(u16::from_be_bytes([l0, l1]));
            hasher.write(packet.get(8..end.min(packet.len())).unwrap_or_default());
        }
        _ => {
            // A short one is padded, with zeros.
            let len = packet
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |at| at + 1);
            hasher.write(packet.get(..len).unwrap_or_default());
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane::frame::{Pool, PoolConfig};
    use corelane::wire::MacAddr;
    use corelane::wire::build::{FrameSpec, Ports, build_udp_ipv4, build_udp_ipv6};

    fn spec<A: std::str::FromStr<Err: std::fmt::Debug>>(
        source: &str,
        destination: &str,
    ) -> FrameSpec<A> {
        FrameSpec {
            source_mac: MacAddr([2, 0, 0, 0, 0, 9]),
            destination_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            ttl: 64,
        }
    }

    fn datagram(v6: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 200];
        let ports = Ports {
            source: 4000,
            destination: 7,
        };
        let len = if v6 {
            build_udp_ipv6(
                &mut frame,
                &spec("2001:db8::9", "2001:db8::1"),
                ports,
                payload,
            )
        } else {
            build_udp_ipv4(&mut frame, &spec("192.0.2.9", "192.0.2.1"), ports, payload)
        };
        frame.truncate(len.unwrap());
        frame
    }

    #[test]
    fn what_a_router_changes_is_the_same_content() {
        let mut before = datagram(false, b"hello");
        let mut v4 = before.clone();
        v4[..12].fill(7);
        (v4[15], v4[22]) = (0x03, 63);
        v4[24..26].fill(9);
        v4.resize(60, 0);
        assert_eq!(digest(&before), digest(&v4));
        v4.splice(12..12, [0x81, 0, 0, 7]);
        assert_eq!(digest(&before), digest(&v4), "a tag");
        before[45] ^= 1;
        assert_ne!(digest(&before), digest(&v4));
        let before = datagram(true, b"hello");
        let mut v6 = before.clone();
        v6[..12].fill(7);
        (v6[14], v6[21]) = (0x6f, 63);
        assert_eq!(digest(&before), digest(&v6));
        for at in [18, 20, 30, 53, 54, 66] {
            let mut other = before.clone();
            other[at] ^= 0x10;
            assert_ne!(digest(&before), digest(&other), "{at}");
        }
        let arp = [&[0xff; 12][..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
        let mut padded = arp.clone();
        padded.resize(60, 0);
        assert_eq!(digest(&arp), digest(&padded));
        // Nothing is too short or too odd for it.
        for frame in [
            &[][..],
            &[0; 14],
            &[8, 0].repeat(9),
            &[0x86, 0xdd].repeat(8),
        ] {
            digest(frame);
        }
    }

    /// Sends frames of these contents, some of which come back in this order, and says what they are taken for:
    /// their numbers, `+` for one of many, `=` for a duplicate.
    fn landed(sent: &str, came: &str) -> String {
        let pool = Pool::new(PoolConfig::default()).unwrap();
        let mut cache = pool.cache();
        let mut frame = |content: char| {
            let mut frame = cache.alloc().unwrap();
            frame.set_data(&datagram(false, &[content as u8])).unwrap();
            frame
        };
        let flight = Contents::flight();
        let contents = sent.chars().map(|it| datagram(false, &[it as u8]));
        let (mut launch, mut land) = Contents::of(contents).split();
        let mut came = came.split(' ');
        let mut all = Vec::new();
        for (step, sent) in sent.split(' ').enumerate() {
            for content in sent.chars() {
                let FrameId { class, number, .. } = launch.identify(&frame(content)).unwrap();
                flight.launch(class, number, 1000 * step as u64 + u64::from(number));
            }
            for content in came.next().unwrap_or_default().chars() {
                all.push(match land.land(&frame(content), &flight, 1) {
                    Landed::First(it) => {
                        assert_eq!(it.planned % 1000, u64::from(it.id.number));
                        it.id.number.to_string()
                    }
                    Landed::OneOfMany => "+".to_owned(),
                    Landed::Again(_) => "=".to_owned(),
                    Landed::Stray => "-".to_owned(),
                    other => format!("{other:?}"),
                });
            }
        }
        all.join(" ")
    }

    #[test]
    fn a_frame_is_taken_for_the_one_that_keeps_the_order() {
        // The first number is never due: the clock does not begin at 0.
        assert_eq!(landed("xabc", "abc"), "1 2 3");
        assert_eq!(landed("xaba", "aba"), "1 2 3");
        assert_eq!(landed("xaba", "ba"), "2 3", "the first one was lost");
        assert_eq!(landed("xabc", "acb"), "1 3 2");
        assert_eq!(
            landed("xab ab", "a ab"),
            "1 3 4",
            "and so of the next round"
        );
        assert_eq!(landed("xab", "aabb"), "1 = 2 =");
        assert_eq!(landed("xab", "d"), "Foreign");
        assert_eq!(landed("xaa ab", "a aba"), "1 2 4 3");
        let many = "a".repeat(OUT + 2);
        let found = landed(&format!("x{many}"), &format!("{many}a"));
        let mut expected: Vec<_> = (3..OUT + 3).map(|number| number.to_string()).collect();
        expected.extend(["+", "+", "="].map(str::to_owned));
        assert_eq!(found, expected.join(" "));
    }
}
