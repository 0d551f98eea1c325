//! The congestion marks of a datagram's fragments (RFC 3168 section 5.3).

const MASK: u8 = 0b11;
const NOT_CAPABLE: u8 = 0b00;
const EXPERIENCED: u8 = 0b11;

/// Which codepoints the fragments had: a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codepoints(u8);

impl Codepoints {
    /// Adds that of a fragment with this traffic class.
    pub(super) fn add(&mut self, traffic_class: u8) {
        self.0 |= 1 << (traffic_class & MASK);
    }

    /// The traffic class of the whole, where `first` is the first fragment's: a mark on any of them
    /// is a mark on the whole. None if one was marked and another says that its sender does not know
    /// of marks: then the datagram is lost, as the mark would have been a loss.
    pub(super) fn whole(self, first: u8) -> Option<u8> {
        if self.0 & 1 << EXPERIENCED == 0 {
            return Some(first);
        }
        (self.0 & 1 << NOT_CAPABLE == 0).then_some(first | EXPERIENCED)
    }
}
