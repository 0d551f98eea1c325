//! A datagram in progress.

use corelane_frame::Frame;
use corelane_wire::IpProtocol;

use super::congestion::Codepoints;
use super::fragment::{self, DatagramKey, Fragment, FragmentPlace, MAX_PACKET};
use super::outcome::{ReassemblyDrop, TimedOutDatagram};
use super::units::Units;
use crate::clock::Time;

/// A datagram in progress, or one that was given up and whose key is kept. Its place is used again
/// and again.
///
/// ```text
/// frame:  ├── headers of the first fragment, once it came ──┬── payload, with holes ──┤
/// ```
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) key: DatagramKey,
    /// When its time is over.
    pub(super) deadline: Time,
    /// Which datagram of this worker it is, counted from the first.
    pub(super) age: u64,
    /// An empty handle if it was given up.
    frame: Frame,
    first: Option<First>,
    /// Bytes of payload in the whole, once the last fragment came.
    end: Option<usize>,
    /// Where the payload that came ends.
    reach: usize,
    /// Bytes of payload that came. No two fragments overlap, so it is whole when they are all.
    bytes: usize,
    fragments: u32,
    codepoints: Codepoints,
    received: Units,
    /// Where fragments start, to tell a repetition from an overlap.
    starts: Units,
}

/// What is known from the first fragment.
#[derive(Clone, Copy, Debug)]
struct First {
    place: FragmentPlace,
    protocol: IpProtocol,
    traffic_class: u8,
    /// Bytes of its headers, Ethernet's included.
    headers: usize,
    /// Bytes of its payload.
    payload: usize,
}

/// What adding a fragment came to.
pub(super) enum Added {
    /// Parts are still missing.
    Held,
    /// Nothing is missing any more.
    Last,
    /// It was there.
    Duplicate,
    /// The datagram is to be given up.
    Refused(ReassemblyDrop),
}

impl Default for Datagram {
    fn default() -> Self {
        Self {
            key: DatagramKey::NONE,
            deadline: Time::ZERO,
            age: 0,
            frame: Frame::default(),
            first: None,
            end: None,
            reach: 0,
            bytes: 0,
            fragments: 0,
            codepoints: Codepoints::default(),
            received: Units::default(),
            starts: Units::default(),
        }
    }
}

impl Datagram {
    /// Begins a datagram in this place, with an empty frame of the pool.
    pub(super) fn begin(&mut self, key: DatagramKey, frame: Frame, deadline: Time, age: u64) {
        self.key = key;
        self.deadline = deadline;
        self.age = age;
        self.frame = frame;
        self.first = None;
        self.end = None;
        self.reach = 0;
        self.bytes = 0;
        self.fragments = 0;
        self.codepoints = Codepoints::default();
        self.received.clear();
        self.starts.clear();
    }

    /// Whether it was given up.
    pub(super) fn is_abandoned(&self) -> bool {
        self.frame.is_vacant()
    }

    /// Gives it up: only the key stays. The frame is for the caller to recycle.
    pub(super) fn abandon(&mut self) -> Frame {
        std::mem::take(&mut self.frame)
    }

    /// Adds a fragment, which came in `frame`.
    pub(super) fn add(&mut self, frame: &Frame, fragment: &Fragment<'_>) -> Added {
        let end = fragment.end();
        let is_end_wrong = match self.end {
            Some(known) if fragment.more => end >= known,
            Some(known) => end != known,
            None => !fragment.more && end <= self.reach,
        };
        if is_end_wrong {
            return Added::Refused(ReassemblyDrop::End);
        }
        let units = fragment.offset / 8..end.div_ceil(8);
        if self.received.has_any(units) {
            return if self.is_repeated(fragment) {
                Added::Duplicate
            } else {
                Added::Refused(ReassemblyDrop::Overlap)
            };
        }
        match self.store(frame, fragment) {
            Ok(()) if self.end == Some(self.bytes) => Added::Last,
            Ok(()) => Added::Held,
            Err(reason) => Added::Refused(reason),
        }
    }

    /// Whether a fragment of the same part and with the same bytes came before. That the two agree
    /// about being the last is known by then.
    fn is_repeated(&self, fragment: &Fragment<'_>) -> bool {
        let units = fragment.offset / 8..fragment.end().div_ceil(8);
        let is_boundary = !self.received.contains(units.end) || self.starts.contains(units.end);
        is_boundary
            && self.received.has_all(units.clone())
            && self.starts.contains(units.start)
            && !self.starts.has_any(units.start + 1..units.end)
            && self.payload().get(fragment.offset..fragment.end()) == Some(fragment.payload)
    }

    fn payload(&self) -> &[u8] {
        let headers = self.first.map_or(0, |first| first.headers);
        self.frame.data().get(headers..).unwrap_or_default()
    }

    fn store(&mut self, frame: &Frame, fragment: &Fragment<'_>) -> Result<(), ReassemblyDrop> {
        let end = fragment.end();
        if fragment.offset == 0 {
            self.store_headers(frame, fragment)?;
        }
        let start = self.first.map_or(0, |first| first.headers) + fragment.offset;
        let len = self.frame.len().max(start + fragment.payload.len());
        // The slot has room for every fragment that was let in.
        self.frame
            .set_len(len)
            .map_err(|_| ReassemblyDrop::OverLimit)?;
        self.frame
            .data_mut()
            .get_mut(start..start + fragment.payload.len())
            .ok_or(ReassemblyDrop::OverLimit)?
            .copy_from_slice(fragment.payload);
        let units = fragment.offset / 8..end.div_ceil(8);
        self.starts.insert(units.start..units.start + 1);
        self.received.insert(units);
        self.bytes += fragment.payload.len();
        self.reach = self.reach.max(end);
        self.fragments += 1;
        self.codepoints.add(fragment.traffic_class);
        if !fragment.more {
            self.end = Some(end);
        }
        Ok(())
    }

    /// Puts the first fragment's headers in front of the payload, as they are: until the rest has
    /// come they are what an ICMP error has to quote.
    fn store_headers(
        &mut self,
        frame: &Frame,
        fragment: &Fragment<'_>,
    ) -> Result<(), ReassemblyDrop> {
        self.frame
            .push_front(fragment.headers.len())
            .map_err(|_| ReassemblyDrop::HeadersTooLong)?
            .copy_from_slice(fragment.headers);
        self.frame.set_nic(frame.nic());
        self.frame.set_rx_time(frame.rx_time());
        self.frame.set_rss_hash(frame.rss_hash());
        self.frame.set_trace(frame.trace());
        self.first = Some(First {
            place: fragment.place,
            protocol: fragment.protocol,
            traffic_class: fragment.traffic_class,
            headers: fragment.headers.len(),
            payload: fragment.payload.len(),
        });
        Ok(())
    }

    /// Takes the frame of a datagram that nothing is missing of.
    pub(super) fn finish(&mut self, max_size: usize) -> Result<Frame, ReassemblyDrop> {
        // Whole, so the first is there.
        let first = self.first.ok_or(ReassemblyDrop::Truncated)?;
        // Each fragment was measured with its own headers; what counts are the first one's.
        let size = first.place.overhead(first.headers) + self.bytes;
        if size > max_size {
            return Err(if size > MAX_PACKET {
                ReassemblyDrop::TooLong
            } else {
                ReassemblyDrop::OverLimit
            });
        }
        let traffic_class = self
            .codepoints
            .whole(first.traffic_class)
            .ok_or(ReassemblyDrop::Congestion)?;
        fragment::make_whole(&mut self.frame, first.place, first.protocol, traffic_class)
            .ok_or(ReassemblyDrop::Truncated)?;
        Ok(std::mem::take(&mut self.frame))
    }

    /// What there is to tell of it when its time is over. The frame becomes its first fragment.
    pub(super) fn timed_out(&mut self) -> TimedOutDatagram<'_> {
        if let Some(first) = self.first {
            self.frame.truncate(first.headers + first.payload);
        }
        TimedOutDatagram {
            nic: self.key.nic,
            family: self.key.family,
            fragments: self.fragments,
            first: self.first.map(|_| &self.frame),
        }
    }
}
