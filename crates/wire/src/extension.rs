//! IPv6 extension headers: RFC 8200 section 4.
//!
//! [`ExtensionWalk`] reads them one after the other as their receiver does, and says what RFC 8200
//! asks for what is wrong with them. [`skip_extensions`] only finds what is behind them.
//!
//! Hop-by-hop options, destination options, routing and fragment headers are walked. All else,
//! authentication headers and encapsulating security payloads too, is an upper layer, which the
//! caller knows or does not.

use zerocopy::FromBytes;

use crate::ipv6::{IPV6_FRAGMENT_HEADER_LEN, IPV6_HEADER_LEN, Ipv6FragmentHeader, Ipv6Packet};
use crate::ipv6_option::{Ipv6Options, ROUTER_ALERT, UnknownOptionAction};
use crate::protocol::IpProtocol;

/// Most extension headers of a packet that are walked: with more it is discarded.
pub const MAX_EXTENSION_HEADERS: usize = 8;
/// Most options of a header that are not padding: with more the packet is discarded (RFC 8504
/// section 5.3).
pub const MAX_EXTENSION_OPTIONS: usize = 8;

/// Code of a parameter problem: an erroneous header field.
pub const ERRONEOUS_FIELD: u8 = 0;
/// Code of a parameter problem: an unrecognized next header.
pub const UNRECOGNIZED_NEXT_HEADER: u8 = 1;
/// Code of a parameter problem: an unrecognized option.
pub const UNRECOGNIZED_OPTION: u8 = 2;
/// Code of a parameter problem: a first fragment without the whole header chain (RFC 7112).
pub const INCOMPLETE_HEADER_CHAIN: u8 = 3;

/// Walks the extension headers of a packet: an iterator of them that ends in front of the upper
/// layer, or behind the header of a fragment, whose rest is for reassembly; [`Self::end`] tells
/// which. Nothing follows an error.
///
/// A node on the packet's way looks at a hop-by-hop header alone: it takes the first item, if the
/// packet's next header is [`IpProtocol::HOP_BY_HOP`].
#[derive(Clone, Debug)]
pub struct ExtensionWalk<'a> {
    payload: &'a [u8],
    is_to_group: bool,
    /// What is at `at`, and which field of the packet says so.
    next_header: IpProtocol,
    named_at: usize,
    at: usize,
    walked: usize,
    fragment: Option<&'a Ipv6FragmentHeader>,
    error: Option<ExtensionError>,
}

/// An extension header that breaks no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionHeader<'a> {
    /// What it is.
    pub extension: Extension<'a>,
    /// Where it is, in bytes from the start of the IPv6 header.
    pub offset: usize,
    /// All of its bytes: a multiple of 8.
    pub bytes: &'a [u8],
    /// What follows it.
    pub next_header: IpProtocol,
}

/// What an extension header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension<'a> {
    /// Options for every node on the way.
    HopByHop {
        /// The value of the router alert option, if there is one.
        router_alert: Option<u16>,
    },
    /// Options for the destination; none is known that is acted on.
    DestinationOptions,
    /// A routing header of this type at the end of its route: it is ignored.
    Routing(u8),
    /// A fragment header.
    Fragment(&'a Ipv6FragmentHeader),
}

/// What is behind the extension headers.
#[derive(Clone, Copy, Debug)]
pub enum ExtensionEnd<'a> {
    /// The upper layer.
    UpperLayer(UpperLayer<'a>),
    /// A part of a packet that has to be put together first.
    Fragment(Ipv6Fragment<'a>),
}

/// The upper layer of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpperLayer<'a> {
    /// What it is; [`IpProtocol::IPV6_NO_NEXT`] if there is none.
    pub protocol: IpProtocol,
    /// Where it is, in bytes from the start of the IPv6 header.
    pub offset: usize,
    /// Where the field is that says what it is, in bytes from the start of the IPv6 header: what the
    /// parameter problem about an unrecognized next header points at.
    pub next_header_offset: usize,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Fragment<'a> {
    /// Its fragment header.
    pub header: &'a Ipv6FragmentHeader,
    /// Where the fragment header is, in bytes from the start of the IPv6 header: the unfragmentable
    /// part is in front of it.
    pub offset: usize,
    /// Where the field is that says that there is a fragment header, in bytes from the start of the
    /// IPv6 header.
    pub next_header_offset: usize,
    /// What belongs into the packet at the header's offset: a multiple of 8 bytes if more follows.
    pub payload: &'a [u8],
}

/// Why a packet is discarded for its extension headers, and whether its source is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExtensionError {
    /// In silence.
    #[error("{0}")]
    Discard(ExtensionDiscard),
    /// With a parameter problem of this code and pointer. Whether one may be sent at all, see
    /// [`may_answer_with_error_ipv6`](crate::icmp_error::may_answer_with_error_ipv6).
    #[error("an IPv6 parameter problem of code {code} at byte {pointer}")]
    ParameterProblem {
        /// Its code.
        code: u8,
        /// What is wrong, in bytes from the start of the IPv6 header.
        pointer: u32,
    },
}

/// Why a packet is discarded in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExtensionDiscard {
    /// A header ends beyond the packet.
    #[error("an extension header beyond the end of the packet")]
    Truncated,
    /// An option ends beyond its header.
    #[error("an option beyond the end of its extension header")]
    OptionLength,
    /// A router alert whose value is not of two bytes, or a second one.
    #[error("a malformed or repeated router alert option")]
    RouterAlert,
    /// An unknown option asks for it.
    #[error("an unknown option, number {0}")]
    UnknownOption(u8),
    /// More than [`MAX_EXTENSION_HEADERS`].
    #[error("too many extension headers")]
    TooManyHeaders,
    /// More than [`MAX_EXTENSION_OPTIONS`] in a header.
    #[error("too many options in an extension header")]
    TooManyOptions,
}

type Step<T> = Result<T, ExtensionError>;

const fn discard<T>(why: ExtensionDiscard) -> Step<T> {
    Err(ExtensionError::Discard(why))
}

const fn problem<T>(code: u8, at: usize) -> Step<T> {
    // A packet is of 65,575 bytes at most.
    let pointer = at as u32;
    Err(ExtensionError::ParameterProblem { code, pointer })
}

const NEXT_HEADER_AT: usize = 6;
const PAYLOAD_LENGTH_AT: usize = 4;

/// Whether headers of this number are walked.
const fn is_walked(next_header: IpProtocol) -> bool {
    matches!(
        next_header,
        IpProtocol::HOP_BY_HOP
            | IpProtocol::IPV6_DESTINATION_OPTIONS
            | IpProtocol::IPV6_ROUTING
            | IpProtocol::IPV6_FRAGMENT
    )
}

/// The bytes of the header at the front, other than a fragment header's, by its length field.
fn whole_header(bytes: &[u8]) -> Option<&[u8]> {
    let words = *bytes.get(1)?;
    bytes.get(..(usize::from(words) + 1) * 8)
}

impl<'a> ExtensionWalk<'a> {
    /// The extension headers of a packet; without any the walk is at its end.
    #[inline]
    pub fn new(packet: &Ipv6Packet<'a>) -> Self {
        Self {
            payload: packet.payload,
            is_to_group: packet.destination().is_multicast(),
            next_header: packet.next_header(),
            named_at: NEXT_HEADER_AT,
            at: 0,
            walked: 0,
            fragment: None,
            error: None,
        }
    }

    /// Walks the rest, and tells what is behind it.
    ///
    /// # Errors
    /// The first rule the headers break, see [`ExtensionError`]: the packet is to be discarded.
    pub fn end(mut self) -> Result<ExtensionEnd<'a>, ExtensionError> {
        for header in self.by_ref() {
            header?;
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        let payload = self.payload.get(self.at..).unwrap_or_default();
        let offset = IPV6_HEADER_LEN + self.at;
        let next_header_offset = self.named_at;
        Ok(match self.fragment {
            Some(header) => ExtensionEnd::Fragment(Ipv6Fragment {
                header,
                offset: offset - IPV6_FRAGMENT_HEADER_LEN,
                next_header_offset,
                payload,
            }),
            None => ExtensionEnd::UpperLayer(UpperLayer {
                protocol: self.next_header,
                offset,
                next_header_offset,
                payload,
            }),
        })
    }

    fn step(&mut self) -> Step<ExtensionHeader<'a>> {
        let kind = self.next_header;
        let offset = IPV6_HEADER_LEN + self.at;
        if kind == IpProtocol::HOP_BY_HOP && self.at != 0 {
            return problem(UNRECOGNIZED_NEXT_HEADER, self.named_at);
        }
        if self.walked == MAX_EXTENSION_HEADERS {
            return discard(ExtensionDiscard::TooManyHeaders);
        }
        let rest = self.payload.get(self.at..).unwrap_or_default();
        if kind == IpProtocol::IPV6_FRAGMENT {
            return self.fragment(rest, offset);
        }
        let Some(bytes @ &[next_header, _, routing_type, segments_left, ..]) = whole_header(rest)
        else {
            return discard(ExtensionDiscard::Truncated);
        };
        let extension = match kind {
            IpProtocol::HOP_BY_HOP => Extension::HopByHop {
                router_alert: self.options(bytes, offset, true)?,
            },
            IpProtocol::IPV6_ROUTING => {
                // No type is known: not even type 0, which must not be processed (RFC 5095).
                if segments_left != 0 {
                    return problem(ERRONEOUS_FIELD, offset + 2);
                }
                Extension::Routing(routing_type)
            }
            _ => {
                self.options(bytes, offset, false)?;
                Extension::DestinationOptions
            }
        };
        let next_header = IpProtocol(next_header);
        self.advance(next_header, bytes.len());
        Ok(ExtensionHeader {
            extension,
            offset,
            bytes,
            next_header,
        })
    }

    fn advance(&mut self, next_header: IpProtocol, len: usize) {
        self.next_header = next_header;
        self.named_at = IPV6_HEADER_LEN + self.at;
        self.at += len;
        self.walked += 1;
    }

    /// The rules of RFC 8200 section 4.5 that need no other fragment.
    fn fragment(&mut self, rest: &'a [u8], offset: usize) -> Step<ExtensionHeader<'a>> {
        let (Ok((header, behind)), Some(bytes)) = (
            Ipv6FragmentHeader::ref_from_prefix(rest),
            rest.get(..IPV6_FRAGMENT_HEADER_LEN),
        ) else {
            return discard(ExtensionDiscard::Truncated);
        };
        if header.more_fragments() && !behind.len().is_multiple_of(8) {
            return problem(ERRONEOUS_FIELD, PAYLOAD_LENGTH_AT);
        }
        let reassembled = self.at + header.fragment_offset() + behind.len();
        if reassembled > usize::from(u16::MAX) {
            return problem(ERRONEOUS_FIELD, offset + 2);
        }
        // One that is a whole packet is taken as such (RFC 6946).
        let is_part = header.more_fragments() || header.fragment_offset() != 0;
        if is_part && header.fragment_offset() == 0 {
            let chain = skip_extensions(header.next_header, behind);
            if !chain.upper_layer().is_some_and(|(protocol, at)| {
                let len = behind.len().saturating_sub(at - IPV6_HEADER_LEN);
                len >= least_header_len(protocol)
            }) {
                return problem(INCOMPLETE_HEADER_CHAIN, 0);
            }
        }
        if is_part {
            self.fragment = Some(header);
            self.at += IPV6_FRAGMENT_HEADER_LEN;
        } else {
            self.advance(header.next_header, IPV6_FRAGMENT_HEADER_LEN);
        }
        Ok(ExtensionHeader {
            extension: Extension::Fragment(header),
            offset,
            bytes,
            next_header: header.next_header,
        })
    }

    /// Checks the options of a header and returns the router alert's value, where it has a meaning.
    fn options(&self, header: &[u8], at: usize, is_hop_by_hop: bool) -> Step<Option<u16>> {
        let mut router_alert = None;
        for (count, option) in Ipv6Options::new(header).enumerate() {
            let Ok(option) = option else {
                return discard(ExtensionDiscard::OptionLength);
            };
            if count == MAX_EXTENSION_OPTIONS {
                return discard(ExtensionDiscard::TooManyOptions);
            }
            if is_hop_by_hop && option.kind == ROUTER_ALERT {
                let Ok(value) = <[u8; 2]>::try_from(option.data) else {
                    return discard(ExtensionDiscard::RouterAlert);
                };
                if router_alert.replace(u16::from_be_bytes(value)).is_some() {
                    return discard(ExtensionDiscard::RouterAlert);
                }
                continue;
            }
            let is_reported = match UnknownOptionAction::of(option.kind) {
                None => continue,
                Some(UnknownOptionAction::Discard) => false,
                Some(UnknownOptionAction::Report) => true,
                Some(UnknownOptionAction::ReportUnlessMulticast) => !self.is_to_group,
            };
            return if is_reported {
                problem(UNRECOGNIZED_OPTION, at + option.offset)
            } else {
                discard(ExtensionDiscard::UnknownOption(option.kind))
            };
        }
        Ok(router_alert)
    }
}

impl<'a> Iterator for ExtensionWalk<'a> {
    type Item = Result<ExtensionHeader<'a>, ExtensionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fragment.is_some() || self.error.is_some() || !is_walked(self.next_header) {
            return None;
        }
        let step = self.step();
        self.error = step.err();
        Some(step)
    }
}

/// Bytes of the header of an upper layer that a first fragment must hold, as far as it is known.
const fn least_header_len(protocol: IpProtocol) -> usize {
    match protocol {
        IpProtocol::TCP => crate::tcp::TCP_HEADER_LEN,
        IpProtocol::UDP => crate::udp::UDP_HEADER_LEN,
        IpProtocol::ICMPV6 => crate::icmp_echo::ICMP_HEADER_LEN,
        _ => 0,
    }
}

/// Where the extension headers of a packet lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionChain<'a> {
    /// What the last next header field says: an upper layer, or a header that is cut off.
    pub next_header: IpProtocol,
    /// Where that field is, in bytes from the start of the IPv6 header.
    pub next_header_offset: usize,
    /// Where what it names is, or would be, in bytes from the start of the IPv6 header.
    pub offset: usize,
    /// The fragment header, if there is one.
    pub fragment: Option<&'a Ipv6FragmentHeader>,
}

impl ExtensionChain<'_> {
    /// The upper layer and where it is, in bytes from the start of the IPv6 header; `None` if the
    /// headers are cut off, or this is a fragment that does not have its start.
    pub fn upper_layer(&self) -> Option<(IpProtocol, usize)> {
        let is_there = self.has_start() && !is_walked(self.next_header);
        is_there.then_some((self.next_header, self.offset))
    }

    /// Whether what [`Self::next_header`] names begins here: not in a fragment other than the first.
    pub fn has_start(&self) -> bool {
        self.fragment
            .is_none_or(|header| header.fragment_offset() == 0)
    }
}

/// Follows the extension headers at the front of a packet's payload by their lengths alone, as far
/// as they are there, at most [`MAX_EXTENSION_HEADERS`]: for packets that are quoted, and for whoever
/// needs no more than the upper layer, or the field that names it.
pub fn skip_extensions(next_header: IpProtocol, payload: &[u8]) -> ExtensionChain<'_> {
    let mut chain = ExtensionChain {
        next_header,
        next_header_offset: NEXT_HEADER_AT,
        offset: IPV6_HEADER_LEN,
        fragment: None,
    };
    let mut rest = payload;
    for _ in 0..MAX_EXTENSION_HEADERS {
        if !is_walked(chain.next_header) || !chain.has_start() {
            break;
        }
        let len = if chain.next_header == IpProtocol::IPV6_FRAGMENT {
            let Ok((header, _)) = Ipv6FragmentHeader::ref_from_prefix(rest) else {
                break;
            };
            chain.fragment = Some(header);
            IPV6_FRAGMENT_HEADER_LEN
        } else {
            let Some(header) = whole_header(rest) else {
                break;
            };
            header.len()
        };
        let (Some(&next_header), Some(behind)) = (rest.first(), rest.get(len..)) else {
            break;
        };
        chain.next_header = IpProtocol(next_header);
        chain.next_header_offset = chain.offset;
        chain.offset += len;
        rest = behind;
    }
    chain
}

#[cfg(test)]
mod tests;
