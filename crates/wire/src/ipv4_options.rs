//! IPv4 options: RFC 791 section 3.1, RFC 1122 section 3.2.1.8, RFC 2113, RFC 7126.
//!
//! Options are read to tell well-formed ones from others and to refuse source routes. None is acted
//! on: no route is recorded, no time stamp is put in, and a router alert only tells whoever asks for
//! it. [`policy`] is what is done with a packet.

/// The options of a header, in the order of the wire, up to the one that ends the list. Nothing
/// follows an error.
///
/// That an option is not repeated, which RFC 791 asks of some, is not looked at.
#[derive(Clone, Debug)]
pub struct Ipv4Options<'a> {
    rest: &'a [u8],
    offset: u8,
}

impl<'a> Ipv4Options<'a> {
    /// The options of a parsed packet: 0 to 40 bytes, what is beyond is left out.
    #[inline]
    pub fn new(options: &'a [u8]) -> Self {
        Self {
            rest: options.get(..MAX_LEN).unwrap_or(options),
            offset: FIRST_OFFSET,
        }
    }
}

/// Most bytes of options.
const MAX_LEN: usize = 40;
/// Where the first option is, from the start of the header.
const FIRST_OFFSET: u8 = 20;

/// The number of an option: whether it is copied into every fragment (1 bit), its class (2 bits),
/// its number in the class (5 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4OptionKind(pub u8);

impl Ipv4OptionKind {
    /// End of the list.
    pub const END: Self = Self(0);
    /// Padding of one byte.
    pub const NO_OPERATION: Self = Self(1);
    /// Record route.
    pub const RECORD_ROUTE: Self = Self(7);
    /// Internet time stamp.
    pub const TIMESTAMP: Self = Self(68);
    /// Security (RFC 1108).
    pub const SECURITY: Self = Self(130);
    /// Loose source and record route.
    pub const LOOSE_SOURCE_ROUTE: Self = Self(131);
    /// Stream identifier, obsolete.
    pub const STREAM_ID: Self = Self(136);
    /// Strict source and record route.
    pub const STRICT_SOURCE_ROUTE: Self = Self(137);
    /// Router alert (RFC 2113).
    pub const ROUTER_ALERT: Self = Self(148);

    /// Whether it goes into every fragment, not only the first.
    #[inline]
    pub const fn is_copied(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Whether it prescribes hops of the packet's way.
    #[inline]
    pub const fn is_source_route(self) -> bool {
        matches!(self, Self::LOOSE_SOURCE_ROUTE | Self::STRICT_SOURCE_ROUTE)
    }
}

/// A well-formed option; never [`Ipv4OptionKind::END`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Option<'a> {
    /// What it is.
    pub kind: Ipv4OptionKind,
    /// Where it is, in bytes from the start of the header: 20 to 59.
    pub offset: u8,
    /// All of its bytes: its number alone, or number, length and data.
    pub bytes: &'a [u8],
}

impl<'a> Ipv4Option<'a> {
    /// What follows number and length; of a route or a time stamp the pointer first.
    pub fn data(&self) -> &'a [u8] {
        self.bytes.get(2..).unwrap_or_default()
    }

    /// The value of a router alert: 0 asks every router to look at the packet.
    pub fn router_alert(&self) -> Option<u16> {
        if self.kind != Ipv4OptionKind::ROUTER_ALERT {
            return None;
        }
        self.data().try_into().ok().map(u16::from_be_bytes)
    }
}

/// An option is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a malformed IPv4 option, at byte {pointer} of the header")]
pub struct MalformedIpv4Option {
    /// The byte that is wrong, from the start of the header: what the pointer of a parameter problem
    /// says.
    pub pointer: u8,
}

impl<'a> Iterator for Ipv4Options<'a> {
    type Item = Result<Ipv4Option<'a>, MalformedIpv4Option>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let offset = self.offset;
        let kind = Ipv4OptionKind(*rest.first()?);
        let len = match kind {
            Ipv4OptionKind::END => return None,
            Ipv4OptionKind::NO_OPERATION => 1,
            _ => match len(kind, rest) {
                Ok(len) => len,
                Err(at) => {
                    let pointer = offset + at;
                    return Some(Err(MalformedIpv4Option { pointer }));
                }
            },
        };
        let (bytes, behind) = rest.split_at_checked(usize::from(len))?;
        self.rest = behind;
        self.offset += len;
        Some(Ok(Ipv4Option {
            kind,
            offset,
            bytes,
        }))
    }
}

/// The length of the option at the front, or which of its bytes is wrong.
fn len(kind: Ipv4OptionKind, rest: &[u8]) -> Result<u8, u8> {
    const KIND: u8 = 0;
    const LEN: u8 = 1;
    const POINTER: u8 = 2;
    let len = *rest.get(1).ok_or(KIND)?;
    if len < 2 || usize::from(len) > rest.len() {
        return Err(LEN);
    }
    // Pointers count from 1; the least one is behind the fields in front of the addresses.
    let (right_len, least_pointer) = match kind {
        Ipv4OptionKind::ROUTER_ALERT | Ipv4OptionKind::STREAM_ID => (len == 4, None),
        Ipv4OptionKind::TIMESTAMP => (len >= 4, Some(5)),
        Ipv4OptionKind::LOOSE_SOURCE_ROUTE
        | Ipv4OptionKind::STRICT_SOURCE_ROUTE
        | Ipv4OptionKind::RECORD_ROUTE => (len >= 3, Some(4)),
        _ => (true, None),
    };
    if !right_len {
        return Err(LEN);
    }
    match (least_pointer, rest.get(2)) {
        (Some(least), Some(&pointer)) if pointer < least => Err(POINTER),
        _ => Ok(len),
    }
}

/// What is done with a packet for its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ipv4OptionPolicy {
    /// It is taken and forwarded as if it had none; they stay in it unchanged.
    Accept,
    /// It is dropped: it is source routed, by this option.
    Drop(Ipv4OptionKind),
    /// It is dropped: an option is malformed, at this byte of the header.
    Malformed {
        /// The pointer of the parameter problem.
        pointer: u8,
    },
}

/// What is done with a packet that has these options: the first that is a reason to drop it decides.
///
/// Source routed packets are refused, loose (RFC 7126 section 4.3) and strict (section 4.4), also
/// those at the end of their route: they reach what a filter on addresses guards. All others are
/// carried without being acted on.
pub fn policy(options: &[u8]) -> Ipv4OptionPolicy {
    for option in Ipv4Options::new(options) {
        match option {
            Ok(option) if option.kind.is_source_route() => {
                return Ipv4OptionPolicy::Drop(option.kind);
            }
            Ok(_) => {}
            Err(MalformedIpv4Option { pointer }) => {
                return Ipv4OptionPolicy::Malformed { pointer };
            }
        }
    }
    Ipv4OptionPolicy::Accept
}

#[cfg(test)]
mod tests;
