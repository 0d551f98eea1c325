//! What a service is bound to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// An address, or any, and a port: `192.0.2.1:7`, `[2001:db8::1]:7`, `0.0.0.0:7` (any IPv4
/// address), `[::]:7` (any IPv6 address), `any:7`; without the port where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bind {
    /// Which addresses.
    pub address: BindAddress,
    /// Which port; None where there is none.
    pub port: Option<u16>,
}

/// Which local addresses a service takes packets for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindAddress {
    /// Every one.
    Any,
    /// Every one of IPv4.
    AnyV4,
    /// Every one of IPv6.
    AnyV6,
    /// This one.
    One(IpAddr),
}

impl BindAddress {
    /// Whether packets for `address` are taken.
    pub fn takes(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::AnyV4 => address.is_ipv4(),
            Self::AnyV6 => address.is_ipv6(),
            Self::One(one) => one == address,
        }
    }

    /// Whether it names one address: it then comes before those that take any.
    pub fn is_specific(self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Whether neither comes before the other for some packet.
    pub(super) fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::One(a), Self::One(b)) => a == b,
            (Self::One(_), _) | (_, Self::One(_)) => false,
            (Self::AnyV4, Self::AnyV6) | (Self::AnyV6, Self::AnyV4) => false,
            _ => true,
        }
    }
}

impl From<IpAddr> for BindAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) if v4.is_unspecified() => Self::AnyV4,
            IpAddr::V6(v6) if v6.is_unspecified() => Self::AnyV6,
            one => Self::One(one),
        }
    }
}

/// A text that is no [`Bind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write ADDRESS:PORT, [IPV6]:PORT or any:PORT, or an address or any where there is no port")]
pub struct ParseBindError;

impl FromStr for Bind {
    type Err = ParseBindError;

    fn from_str(text: &str) -> Result<Self, ParseBindError> {
        if text == "any" {
            return Ok(Self {
                address: BindAddress::Any,
                port: None,
            });
        }
        if let Some(port) = text.strip_prefix("any:") {
            // u16's own parser takes "+7".
            let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|_| digits);
            return Ok(Self {
                address: BindAddress::Any,
                port: Some(port.ok_or(ParseBindError)?),
            });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self {
                address: address.into(),
                port: None,
            });
        }
        let socket: SocketAddr = text.parse().map_err(|_| ParseBindError)?;
        Ok(Self {
            address: socket.ip().into(),
            port: Some(socket.port()),
        })
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(port) = self.port else {
            return self.address.fmt(f);
        };
        match self.address {
            BindAddress::AnyV6 => write!(f, "[::]:{port}"),
            BindAddress::One(IpAddr::V6(v6)) => write!(f, "[{v6}]:{port}"),
            address => write!(f, "{address}:{port}"),
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::AnyV4 => f.write_str("0.0.0.0"),
            Self::AnyV6 => f.write_str("::"),
            Self::One(one) => one.fmt(f),
        }
    }
}
