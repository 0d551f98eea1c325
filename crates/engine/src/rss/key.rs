//! Keys of the Toeplitz hash.

use std::fmt;
use std::str::FromStr;

/// Bytes of a key: enough for two IPv6 addresses and two ports.
pub const RSS_KEY_LEN: usize = 40;

/// A key of the Toeplitz hash.
///
/// Displays as 80 hexadecimal digits and parses the same; colons and white space between the
/// digits are left out, as tools that set the keys of network adapters write them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RssKey([u8; RSS_KEY_LEN]);

impl RssKey {
    /// The key of the published test vectors, the default of most drivers.
    pub const MICROSOFT: Self = Self([
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f,
        0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
        0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ]);

    /// A key under which both directions of a flow hash alike: it repeats every 16 bits, so that
    /// exchanging addresses and exchanging ports leave the hash as it is.
    ///
    /// It knows 65,536 hashes only, and flows whose source and destination count up together may
    /// all fall on one entry.
    pub const SYMMETRIC: Self = {
        let mut key = [0x6d; RSS_KEY_LEN];
        let mut i = 1;
        while i < RSS_KEY_LEN {
            key[i] = 0x5a;
            i += 2;
        }
        Self(key)
    };

    /// A key of these bytes.
    pub const fn new(bytes: [u8; RSS_KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; RSS_KEY_LEN] {
        &self.0
    }

    /// Whether both directions of every flow hash alike.
    pub fn is_symmetric(&self) -> bool {
        let (pairs, _) = self.0.as_chunks::<2>();
        pairs.windows(2).all(|two| two.first() == two.last())
    }
}

impl Default for RssKey {
    fn default() -> Self {
        Self::MICROSOFT
    }
}

/// What is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RssKeyError {
    /// Not as many bytes.
    #[error("an RSS key has {RSS_KEY_LEN} bytes, not {0}")]
    Length(usize),
    /// An odd number of hexadecimal digits.
    #[error("an RSS key has {digits} hexadecimal digits, not {0}", digits = 2 * RSS_KEY_LEN)]
    Digits(usize),
    /// A character that is not a hexadecimal digit.
    #[error("{0:?} in an RSS key is not a hexadecimal digit")]
    Digit(char),
}

impl TryFrom<&[u8]> for RssKey {
    type Error = RssKeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, RssKeyError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| RssKeyError::Length(bytes.len()))
    }
}

impl FromStr for RssKey {
    type Err = RssKeyError;

    fn from_str(text: &str) -> Result<Self, RssKeyError> {
        let mut key = [0u8; RSS_KEY_LEN];
        let mut digits = 0;
        for c in text.chars().filter(|&c| c != ':' && !c.is_whitespace()) {
            let digit = c.to_digit(16).ok_or(RssKeyError::Digit(c))?;
            if let Some(byte) = key.get_mut(digits / 2) {
                *byte = *byte << 4 | digit as u8;
            }
            digits += 1;
        }
        match digits {
            _ if digits == 2 * RSS_KEY_LEN => Ok(Self(key)),
            _ if digits % 2 == 0 => Err(RssKeyError::Length(digits / 2)),
            _ => Err(RssKeyError::Digits(digits)),
        }
    }
}

impl fmt::Display for RssKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RssKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RssKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for key in [RssKey::MICROSOFT, RssKey::SYMMETRIC, RssKey::new([7; 40])] {
            assert_eq!(key.to_string().parse(), Ok(key));
            assert_eq!(RssKey::try_from(&key.as_bytes()[..]), Ok(key));
        }
        let spaced = "6d:5a:56:da:25:5b:0e:c2 41:67:25:3d:43:a3:8f:b0 \
            D0:CA:2B:CB:AE:7B:30:B4:77:cb:2d:a3:80:30:f2:0c:6a:42:b7:3b:be:ac:01:fa";
        assert_eq!(spaced.parse(), Ok(RssKey::MICROSOFT));
        assert_eq!(RssKey::SYMMETRIC.to_string(), "6d5a".repeat(20));
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(RssKey::try_from(&[0; 52][..]), Err(RssKeyError::Length(52)));
        assert_eq!("6d5a".parse::<RssKey>(), Err(RssKeyError::Length(2)));
        assert_eq!("6d5".parse::<RssKey>(), Err(RssKeyError::Digits(3)));
        assert_eq!(
            "6d5a".repeat(26).parse::<RssKey>(),
            Err(RssKeyError::Length(52))
        );
        assert_eq!("6d5x".parse::<RssKey>(), Err(RssKeyError::Digit('x')));
        assert_eq!("".parse::<RssKey>(), Err(RssKeyError::Length(0)));
    }

    #[test]
    fn knows_a_symmetric_key() {
        assert!(RssKey::SYMMETRIC.is_symmetric() && RssKey::new([9; 40]).is_symmetric());
        assert!(!RssKey::MICROSOFT.is_symmetric());
    }
}
