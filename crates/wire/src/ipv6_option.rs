//! The options in hop-by-hop and destination options headers of IPv6: RFC 8200 section 4.2.

const PAD_1: u8 = 0;
pub(crate) const PAD_N: u8 = 1;
/// The number of the router alert option (RFC 2711).
pub(crate) const ROUTER_ALERT: u8 = 5;

/// What the sender of an option asks of those who do not know it, beyond discarding the packet
/// (RFC 8200 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnknownOptionAction {
    /// Nothing more.
    Discard,
    /// Report a parameter problem with code 2, whatever the packet's destination.
    Report,
    /// Report it, unless the packet's destination is a group.
    ReportUnlessMulticast,
}

impl UnknownOptionAction {
    /// What the number of an option asks; `None` if the option may be skipped.
    pub const fn of(kind: u8) -> Option<Self> {
        match kind >> 6 {
            0 => None,
            1 => Some(Self::Discard),
            2 => Some(Self::Report),
            _ => Some(Self::ReportUnlessMulticast),
        }
    }
}

/// An option other than padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ipv6Option<'a> {
    /// Its number, the bits of the action included.
    pub(crate) kind: u8,
    /// What follows its number and its length, 0 to 255 bytes.
    pub(crate) data: &'a [u8],
    /// Where it is, in bytes from the start of the header.
    pub(crate) offset: usize,
}

/// An option ends beyond its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OptionOverrun;

/// The options of a header in the order of the wire, padding left out. Nothing follows an error.
pub(crate) struct Ipv6Options<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Ipv6Options<'a> {
    /// The options of a whole header: next header and length in front, as long as it says.
    pub(crate) fn new(header: &'a [u8]) -> Self {
        Self {
            rest: header.get(2..).unwrap_or_default(),
            offset: 2,
        }
    }
}

impl<'a> Iterator for Ipv6Options<'a> {
    type Item = Result<Ipv6Option<'a>, OptionOverrun>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, behind) = self.rest.split_first()?;
            let offset = self.offset;
            if kind == PAD_1 {
                self.rest = behind;
                self.offset += 1;
                continue;
            }
            let option = behind
                .split_first()
                .and_then(|(&len, behind)| behind.split_at_checked(usize::from(len)));
            let Some((data, rest)) = option else {
                self.rest = &[];
                return Some(Err(OptionOverrun));
            };
            self.rest = rest;
            self.offset += 2 + data.len();
            if kind != PAD_N {
                return Some(Ok(Ipv6Option { kind, data, offset }));
            }
        }
    }
}
