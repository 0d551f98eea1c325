//! Places in a burst, sorted without branches.

use corelane_frame::BURST;

/// Some of the places of a burst, in order.
pub(crate) struct Places {
    places: [u8; BURST],
    len: usize,
}

impl Places {
    pub(crate) const fn new() -> Self {
        Self {
            places: [0; BURST],
            len: 0,
        }
    }

    /// Adds a place if `it_is`, without a branch: written whatever it is, counted only if it is.
    /// Where packets of several kinds come in random order, a branch on the kind would be
    /// mispredicted every second time.
    #[inline]
    pub(crate) fn push_if(&mut self, it_is: bool, place: usize) {
        self.places[self.len % BURST] = place as u8;
        self.len += usize::from(it_is);
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> {
        self.places[..self.len.min(BURST)].iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_a_whole_burst() {
        let mut all = Places::new();
        let mut even = Places::new();
        for place in 0..BURST {
            all.push_if(true, place);
            even.push_if(place % 2 == 0, place);
        }
        assert!(all.iter().eq(0..BURST as u8));
        assert!(even.iter().eq((0..BURST as u8).step_by(2)));
    }
}
