//! The hop-by-hop options header of IPv6: RFC 8200 sections 4.2 and 4.3, and its router alert
//! option, RFC 2711.

use crate::ipv6_option::{Ipv6Options, PAD_N, ROUTER_ALERT};
use crate::protocol::IpProtocol;

pub use crate::ipv6_option::UnknownOptionAction;

/// The router alert value of a packet with a multicast listener discovery message.
pub const ROUTER_ALERT_MLD: u16 = 0;
/// Bytes of a hop-by-hop header with a router alert and nothing else.
pub const ROUTER_ALERT_HEADER_LEN: usize = 8;

/// A hop-by-hop header whose options are all known, or such as may be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopByHop<'a> {
    /// What follows the header.
    pub next_header: IpProtocol,
    /// The value of the router alert option, if there is one.
    pub router_alert: Option<u16>,
    /// What follows the header.
    pub rest: &'a [u8],
    /// Bytes of the header: a multiple of 8, at most 2,048.
    pub len: usize,
}

/// Why a packet with hop-by-hop options is discarded: the first rule they break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HopByHopError {
    /// Shorter than its length field says, or than any such header.
    #[error("a hop-by-hop header beyond the end of the packet")]
    Truncated,
    /// An option ends beyond the header.
    #[error("a hop-by-hop option beyond the end of its header")]
    OptionLength,
    /// A router alert whose value is not of two bytes, or a second one.
    #[error("a malformed or repeated router alert option")]
    RouterAlert,
    /// An option that is not known and must not be skipped.
    #[error("an unknown hop-by-hop option, number {kind}")]
    UnknownOption {
        /// Its number, the bits of the action included.
        kind: u8,
        /// Where it is, in bytes from the start of the header.
        offset: usize,
        /// What is asked.
        action: UnknownOptionAction,
    },
}

/// Walks the options of the hop-by-hop header at the front of an IPv6 packet's payload.
///
/// # Errors
/// The first rule the header breaks, see [`HopByHopError`]: the packet is to be discarded.
pub fn parse_hop_by_hop(payload: &[u8]) -> Result<HopByHop<'_>, HopByHopError> {
    let &[next_header, words, ..] = payload else {
        return Err(HopByHopError::Truncated);
    };
    let len = (usize::from(words) + 1) * 8;
    let (header, rest) = payload
        .split_at_checked(len)
        .ok_or(HopByHopError::Truncated)?;
    let mut router_alert = None;
    for option in Ipv6Options::new(header) {
        let option = option.map_err(|_| HopByHopError::OptionLength)?;
        if option.kind == ROUTER_ALERT {
            let value = <[u8; 2]>::try_from(option.data).map_err(|_| HopByHopError::RouterAlert)?;
            if router_alert.replace(u16::from_be_bytes(value)).is_some() {
                return Err(HopByHopError::RouterAlert);
            }
        } else if let Some(action) = UnknownOptionAction::of(option.kind) {
            return Err(HopByHopError::UnknownOption {
                kind: option.kind,
                offset: option.offset,
                action,
            });
        }
    }
    Ok(HopByHop {
        next_header: IpProtocol(next_header),
        router_alert,
        rest,
        len,
    })
}

/// A hop-by-hop header with a router alert of this value and nothing else.
pub const fn router_alert_header(
    next_header: IpProtocol,
    value: u16,
) -> [u8; ROUTER_ALERT_HEADER_LEN] {
    let [high, low] = value.to_be_bytes();
    [next_header.0, 0, ROUTER_ALERT, 2, high, low, PAD_N, 0]
}

#[cfg(test)]
mod tests;
