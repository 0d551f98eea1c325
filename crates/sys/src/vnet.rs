//! The header by which kernel and user say what is left to the hardware: `struct virtio_net_hdr`.

/// The length of the header in front of a frame, in bytes.
pub const VNET_HEADER_LEN: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;

/// What is still to be done with a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// The checksum that is missing.
    pub checksum: Option<PartialChecksum>,
    /// Whether this is a super-frame, to be cut into segments.
    pub is_super_frame: bool,
}

/// A checksum left to the hardware: the sum of the pseudo header is in its place, and what it
/// covers has to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where what it covers starts, in the frame; it ends where the frame does.
    pub start: usize,
    /// Where the checksum is, from `start`.
    pub offset: usize,
}

impl VnetHeader {
    /// A header as the kernel wrote it.
    #[inline]
    pub fn parse(bytes: &[u8; VNET_HEADER_LEN]) -> Self {
        let &[flags, gso_type, _, _, _, _, s0, s1, o0, o1] = bytes;
        // The kernel writes it in the order of the machine.
        let field = |bytes| usize::from(u16::from_ne_bytes(bytes));
        Self {
            checksum: (flags & NEEDS_CHECKSUM != 0).then(|| PartialChecksum {
                start: field([s0, s1]),
                offset: field([o0, o1]),
            }),
            is_super_frame: gso_type != GSO_NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_is_left_to_do() {
        let mut bytes = [0; VNET_HEADER_LEN];
        assert_eq!(VnetHeader::parse(&bytes), VnetHeader::default());
        bytes[6..8].copy_from_slice(&34u16.to_ne_bytes());
        bytes[8..10].copy_from_slice(&6u16.to_ne_bytes());
        assert_eq!(VnetHeader::parse(&bytes), VnetHeader::default());
        bytes[0] = NEEDS_CHECKSUM;
        bytes[1] = 1;
        let left = VnetHeader {
            checksum: Some(PartialChecksum {
                start: 34,
                offset: 6,
            }),
            is_super_frame: true,
        };
        assert_eq!(VnetHeader::parse(&bytes), left);
    }
}
