//! What becomes of a fragment, and of a datagram.

use corelane_frame::Frame;

use crate::address::Family;

/// What became of a fragment.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// It was copied; its datagram is not whole yet.
    Held,
    /// The datagram is whole: this frame, in the slot of another pool. It has the headers of the
    /// first fragment, without what was about fragments and with lengths and checksum put right, and
    /// that frame's metadata.
    Complete(Frame),
    /// The same part with the same bytes had come before.
    Duplicate,
    /// It ended here.
    Dropped(ReassemblyDrop),
    /// It ended here, and its sender is to be told by an ICMPv6 parameter problem (type 4).
    ParameterProblem(ParameterProblem),
}

/// What an ICMPv6 parameter problem says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterProblem {
    /// 0: an erroneous header field; 3: a first fragment without all headers (RFC 7112).
    pub code: u8,
    /// Where the field is, in bytes from the start of the IPv6 header.
    pub pointer: u32,
}

/// Why a fragment was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReassemblyDrop {
    /// The frame is shorter than its headers.
    Truncated,
    /// It carries nothing.
    Empty,
    /// One that is not the last, whose length is not a multiple of eight.
    Unaligned,
    /// It would end beyond the 65,535 bytes of the longest packet.
    TooLong,
    /// It would end beyond the largest packet that is put together here.
    OverLimit,
    /// A first one whose headers are longer than the room for them. The datagram was given up.
    HeadersTooLong,
    /// It overlaps another, and is not a repetition of it. The datagram was given up.
    Overlap,
    /// It does not agree with another about where the datagram ends. The datagram was given up.
    End,
    /// One fragment is marked for congestion, and another not capable of it (RFC 3168 section 5.3).
    /// The datagram was given up.
    Congestion,
    /// A part of a datagram that was given up.
    Abandoned,
    /// The pool had no slot: whole datagrams that nobody has given back hold them all.
    NoSlot,
}

impl ReassemblyDrop {
    /// Whether the fragment is to blame, as counters of malformed packets and fragments have it
    /// (BEHAVIOURS I12).
    pub const fn is_malformed(self) -> bool {
        match self {
            Self::Truncated
            | Self::Empty
            | Self::Unaligned
            | Self::TooLong
            | Self::Overlap
            | Self::End => true,
            Self::OverLimit
            | Self::HeadersTooLong
            | Self::Congestion
            | Self::Abandoned
            | Self::NoSlot => false,
        }
    }
}

/// A datagram whose time is over.
#[derive(Debug)]
pub struct TimedOutDatagram<'a> {
    /// The number of the NIC that its fragments came by.
    pub nic: u16,
    /// Its family.
    pub family: Family,
    /// How many of its fragments are lost.
    pub fragments: u32,
    /// The first fragment as it was received, Ethernet header first, if it came: what the ICMP error
    /// quotes. Without it there is none to be sent (RFC 792, RFC 8200 section 4.5).
    pub first: Option<&'a Frame>,
}

/// What became of datagrams. `begun = completed + abandoned + timed_out + evicted + cleared`, and
/// those in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReassemblyCounts {
    /// Of which a fragment was received, apart from those that were whole by themselves.
    pub begun: u64,
    /// Put together.
    pub completed: u64,
    /// Given up for a fragment that does not fit the others.
    pub abandoned: u64,
    /// Not whole in time.
    pub timed_out: u64,
    /// Made room for a newer one.
    pub evicted: u64,
    /// Forgotten with their NIC.
    pub cleared: u64,
}
