//! What frames carry.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, count, nearest};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A UDP datagram.
    Udp,
    /// A TCP segment with SYN.
    TcpSyn,
    /// An ICMP echo request.
    IcmpEcho,
    /// A part of a UDP datagram of two fragments, the other one before or behind it.
    Fragments,
}

impl Protocol {
    const ALL: [(Self, &str); 4] = [
        (Self::Udp, "udp"),
        (Self::TcpSyn, "tcp-syn"),
        (Self::IcmpEcho, "icmp-echo"),
        (Self::Fragments, "fragments"),
    ];

    fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(known, _)| *known == self);
        found.map_or("", |(_, word)| word)
    }
}

/// The share of each protocol, in parts of their sum; fragments by datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols([u16; 4]);

/// The most parts of a share.
const PARTS: u64 = 1000;

impl Protocols {
    /// UDP only.
    pub const UDP: Self = Self([1, 0, 0, 0]);

    /// As these packets carry it, in thousandths, and what there is in one at least; none if there are none.
    pub fn of(packets: impl Iterator<Item = Protocol>) -> Option<Self> {
        let mut counts = [0_u64; 4];
        for packet in packets {
            if let Some(at) = Protocol::ALL.iter().position(|(known, _)| *known == packet) {
                counts[at] += 1;
            }
        }
        let all: u64 = counts.iter().sum();
        if counts.contains(&all) {
            return (all > 0).then(|| Self(counts.map(|count| u16::from(count > 0))));
        }
        let parts = |count: u64| match count {
            0 => 0,
            _ => (PARTS as f64 * count as f64 / all as f64).round().max(1.0) as u16,
        };
        Some(Self(counts.map(parts)))
    }

    /// Whether any frame carries this.
    pub fn has(&self, protocol: Protocol) -> bool {
        self.parts().any(|(it, parts)| it == protocol && parts > 0)
    }

    /// The protocols and their parts.
    pub fn parts(&self) -> impl Iterator<Item = (Protocol, u16)> {
        let all = Protocol::ALL.into_iter().zip(self.0);
        all.map(|((protocol, _), parts)| (protocol, parts))
    }
}

impl FromStr for Protocols {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const WHAT: &str = "is not what frames carry: udp, tcp-syn, icmp-echo and fragments, each with its \
                            parts behind it if it is not one (udp:90,tcp-syn:10)";
        let lower = text.trim().to_lowercase();
        let mut all = [0; 4];
        for item in lower.split(',') {
            let (word, parts) = item.split_once(':').unwrap_or((item, "1"));
            let Some(at) = Protocol::ALL.iter().position(|(_, known)| *known == word) else {
                let meant = nearest(word, Protocol::ALL.map(|(_, known)| known));
                return Err(ValueError::new(text, WHAT, meant.unwrap_or("udp")));
            };
            let parts = count(parts, "a number of parts", 1..=PARTS).map_err(|inner| {
                ValueError::new(text, WHAT, format!("{word}:{}", inner.nearest))
            })?;
            if std::mem::replace(&mut all[at], parts as u16) != 0 {
                return Err(ValueError::new(text, format!("has {word} twice"), "udp"));
            }
        }
        Ok(Self(all))
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let of = self.0.iter().filter(|parts| **parts > 0).count();
        for (protocol, parts) in self.parts().filter(|(_, parts)| *parts > 0) {
            write!(f, "{between}{}", protocol.word())?;
            if of > 1 {
                write!(f, ":{parts}")?;
            }
            between = ",";
        }
        Ok(())
    }
}
