//! What the reports of IGMPv3 (RFC 3376) and of MLDv2 (RFC 3810) share: they differ in the length
//! of an address alone.

use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::cursor::Cursor;

/// What a group record says (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// The state: listens to the sources of the list.
    ModeIsInclude = 1,
    /// The state: listens to all sources but those of the list.
    ModeIsExclude = 2,
    /// A change of mode: listens to the sources of the list from now on. An empty list leaves the
    /// group.
    ChangeToInclude = 3,
    /// A change of mode: listens to all sources but those of the list from now on. An empty list
    /// joins the group.
    ChangeToExclude = 4,
    /// A change of the list: listens to these sources too.
    AllowNewSources = 5,
    /// A change of the list: listens to these sources no more.
    BlockOldSources = 6,
}

impl RecordKind {
    /// The kind of this number; `None` for a number that means nothing, whose record is ignored.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::ModeIsInclude,
            2 => Self::ModeIsExclude,
            3 => Self::ChangeToInclude,
            4 => Self::ChangeToExclude,
            5 => Self::AllowNewSources,
            6 => Self::BlockOldSources,
            _ => return None,
        })
    }

    /// The number on the wire.
    #[inline]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }
}

/// A group record to be sent in a report: `A` is [`Ipv4Addr`] or [`Ipv6Addr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRecord<'a, A> {
    /// What it says.
    pub kind: RecordKind,
    /// The group it is about.
    pub group: A,
    /// The sources it names.
    pub sources: &'a [A],
}

mod sealed {
    pub trait Address: Copy {
        type Octets: AsRef<[u8]>;
        fn into_octets(self) -> Self::Octets;
        /// The address at the front of `bytes` and the rest.
        fn split(bytes: &[u8]) -> Option<(Self, &[u8])>;
    }
}

/// An address of the family a report is about: [`Ipv4Addr`] or [`Ipv6Addr`].
pub trait GroupAddress: sealed::Address {}

impl GroupAddress for Ipv4Addr {}
impl GroupAddress for Ipv6Addr {}

impl sealed::Address for Ipv4Addr {
    type Octets = [u8; 4];

    fn into_octets(self) -> [u8; 4] {
        self.octets()
    }

    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        bytes
            .split_first_chunk()
            .map(|(octets, rest)| (Self::from_octets(*octets), rest))
    }
}

impl sealed::Address for Ipv6Addr {
    type Octets = [u8; 16];

    fn into_octets(self) -> [u8; 16] {
        self.octets()
    }

    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        bytes
            .split_first_chunk()
            .map(|(octets, rest)| (Self::from_octets(*octets), rest))
    }
}

/// The addresses of a list of sources, in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses<'a, A> {
    /// A whole number of addresses.
    bytes: &'a [u8],
    family: PhantomData<A>,
}

impl<'a, A: GroupAddress> Addresses<'a, A> {
    pub(crate) const EMPTY: Self = Self {
        bytes: &[],
        family: PhantomData,
    };

    /// The first `count` addresses of `bytes` and what is behind them; `None` if there are fewer.
    pub(crate) fn split(bytes: &'a [u8], count: u16) -> Option<(Self, &'a [u8])> {
        let len = usize::from(count).checked_mul(size_of::<A::Octets>())?;
        let (bytes, rest) = bytes.split_at_checked(len)?;
        let family = PhantomData;
        Some((Self { bytes, family }, rest))
    }
}

impl<A: GroupAddress> Iterator for Addresses<'_, A> {
    type Item = A;

    fn next(&mut self) -> Option<A> {
        let (address, rest) = A::split(self.bytes)?;
        self.bytes = rest;
        Some(address)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.bytes.len() / size_of::<A::Octets>();
        (len, Some(len))
    }
}

impl<A: GroupAddress> ExactSizeIterator for Addresses<'_, A> {}

/// A group record of a report that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedGroup<'a, A> {
    /// What it says; `None` for a number that means nothing.
    pub kind: Option<RecordKind>,
    /// The group it is about. It was not checked to be one.
    pub group: A,
    /// The sources it names.
    pub sources: Addresses<'a, A>,
}

/// The group records of a report that was received, all of them whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecords<'a, A> {
    count: u16,
    bytes: &'a [u8],
    family: PhantomData<A>,
}

/// The fixed part of a group record, up to its group.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct RecordHeader {
    kind: u8,
    /// Words of four bytes behind the sources, to be ignored.
    auxiliary_words: u8,
    sources: U16,
}

impl<'a, A: GroupAddress> GroupRecords<'a, A> {
    /// `count` records at the front of `bytes`; `None` if they are not all there.
    pub(crate) fn parse(bytes: &'a [u8], count: u16) -> Option<Self> {
        let mut rest = bytes;
        for _ in 0..count {
            (_, rest) = split_record::<A>(rest)?;
        }
        let family = PhantomData;
        Some(Self {
            count,
            bytes,
            family,
        })
    }
}

fn split_record<A: GroupAddress>(bytes: &[u8]) -> Option<(ReportedGroup<'_, A>, &[u8])> {
    let (header, rest) = RecordHeader::ref_from_prefix(bytes).ok()?;
    let (group, rest) = A::split(rest)?;
    let (sources, rest) = Addresses::split(rest, header.sources.get())?;
    let rest = rest.get(usize::from(header.auxiliary_words) * 4..)?;
    let kind = RecordKind::from_u8(header.kind);
    Some((
        ReportedGroup {
            kind,
            group,
            sources,
        },
        rest,
    ))
}

impl<'a, A: GroupAddress> Iterator for GroupRecords<'a, A> {
    type Item = ReportedGroup<'a, A>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let (record, rest) = split_record(self.bytes)?;
        self.bytes = rest;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = usize::from(self.count);
        (len, Some(len))
    }
}

impl<A: GroupAddress> ExactSizeIterator for GroupRecords<'_, A> {}

/// The fixed part of an IGMPv3 or MLDv2 report.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct ReportHeader {
    pub(crate) kind: u8,
    pub(crate) reserved: u8,
    pub(crate) checksum: U16,
    pub(crate) reserved_too: U16,
    pub(crate) records: U16,
}

/// Puts a report of this number, its checksum zero.
pub(crate) fn put_report<A: GroupAddress>(
    cursor: &mut Cursor<'_>,
    kind: u8,
    records: &[GroupRecord<'_, A>],
) {
    // More than a length field can tell also make more bytes than a packet can have: the limit of
    // the packet's length refuses them.
    let count = |len: usize| U16::new(u16::try_from(len).unwrap_or(u16::MAX));
    let header = ReportHeader {
        kind,
        reserved: 0,
        checksum: U16::ZERO,
        reserved_too: U16::ZERO,
        records: count(records.len()),
    };
    cursor.put(header.as_bytes());
    for record in records {
        let header = RecordHeader {
            kind: record.kind.as_u8(),
            auxiliary_words: 0,
            sources: count(record.sources.len()),
        };
        cursor.put(header.as_bytes());
        cursor.put(record.group.into_octets().as_ref());
        for source in record.sources {
            cursor.put(source.into_octets().as_ref());
        }
    }
}

/// What follows the group in a query of IGMPv3 or MLDv2.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct QueryTail {
    /// Four reserved bits, the suppress flag, and the robustness variable.
    flags: u8,
    interval_code: u8,
    sources: U16,
}

const SUPPRESS: u8 = 0x08;
const ROBUSTNESS_MASK: u8 = 0x07;

impl QueryTail {
    /// What is longer than the code can tell is cut to the longest it can.
    pub(crate) fn new(suppress: bool, robustness: u8, interval_s: u64, sources: usize) -> Self {
        Self {
            // A robustness beyond the field is sent as zero (RFC 3376 section 4.1.6).
            flags: if suppress { SUPPRESS } else { 0 }
                | if robustness <= ROBUSTNESS_MASK {
                    robustness
                } else {
                    0
                },
            interval_code: encode_u8(interval_s),
            sources: U16::new(u16::try_from(sources).unwrap_or(u16::MAX)),
        }
    }

    pub(crate) const fn suppress(&self) -> bool {
        self.flags & SUPPRESS != 0
    }

    pub(crate) const fn robustness(&self) -> u8 {
        self.flags & ROBUSTNESS_MASK
    }

    pub(crate) fn interval_s(&self) -> u64 {
        decode_u8(self.interval_code)
    }

    pub(crate) fn sources(&self) -> u16 {
        self.sources.get()
    }
}

/// The value of an eight-bit code: itself below 128, else a floating point number (RFC 3376
/// section 4.1.1).
pub(crate) const fn decode_u8(code: u8) -> u64 {
    let code = code as u64;
    if code < 0x80 {
        return code;
    }
    (code & 0xf | 0x10) << ((code >> 4 & 7) + 3)
}

/// The code of the largest value that has one and is not above `value`.
pub(crate) const fn encode_u8(value: u64) -> u8 {
    if value < 0x80 {
        return value as u8;
    }
    let exponent = value.ilog2() - 7;
    if exponent > 7 {
        return 0xff;
    }
    0x80 | (exponent as u8) << 4 | (value >> (exponent + 3)) as u8 & 0xf
}

/// The value of a sixteen-bit code: itself below 32,768, else a floating point number (RFC 3810
/// section 5.1.3).
pub(crate) const fn decode_u16(code: u16) -> u64 {
    let code = code as u64;
    if code < 0x8000 {
        return code;
    }
    (code & 0xfff | 0x1000) << ((code >> 12 & 7) + 3)
}

/// The code of the largest value that has one and is not above `value`.
pub(crate) const fn encode_u16(value: u64) -> u16 {
    if value < 0x8000 {
        return value as u16;
    }
    let exponent = value.ilog2() - 15;
    if exponent > 7 {
        return 0xffff;
    }
    0x8000 | (exponent as u16) << 12 | (value >> (exponent + 3)) as u16 & 0xfff
}

#[cfg(test)]
mod tests;
