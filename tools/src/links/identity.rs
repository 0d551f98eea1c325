//! How frames are known again when they come back.

use corelane::frame::Frame;

use super::arrival::Arrival;
use super::flight::{Flight, Landing};

/// Of frames that are about to be sent; the sender's.
pub(super) trait Launch: Send + 'static {
    /// The class of flows of a frame and its number in it: in [`Flight`] there is none with these but this. None
    /// if it could not be known again.
    fn number(&mut self, frame: &Frame) -> Option<(usize, u32)>;
}

/// Of frames that come; the receiver's.
pub(super) trait Land: Send + 'static {
    /// What a frame is, in a trial whose frames were due from `since` on.
    fn land(&mut self, frame: &Frame, flight: &Flight, since: u64) -> Landed;
}

/// What a frame that came is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landed {
    /// One that was sent, for the first time.
    First(Launched),
    /// Likewise, one of so many of the same content that it cannot be told which.
    OneOfMany,
    /// One that had come already.
    Again,
    /// None of this trial.
    Stray,
    /// One that was sent, but not as it was sent.
    Corrupt,
    /// None that was sent.
    Foreign,
}

/// What is known of a frame since it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Launched {
    /// When it was due.
    pub(super) planned: u64,
    /// Its class of flows.
    pub(super) class: usize,
    /// Its number: higher than those of its class that were sent before.
    pub(super) number: u32,
}

/// Whether a number is none of those before `next`, as numbers go round.
#[inline]
pub(super) fn is_ahead(number: u32, next: u32) -> bool {
    number.wrapping_sub(next) < 1 << 31
}

/// Frames that have numbers in them.
#[derive(Clone, Copy)]
pub(super) struct Numbered;

impl Launch for Numbered {
    #[inline]
    fn number(&mut self, frame: &Frame) -> Option<(usize, u32)> {
        match Arrival::of_own(frame) {
            Arrival::Numbered { class, number } => Some((class, number)),
            Arrival::Corrupt | Arrival::Foreign => None,
        }
    }
}

impl Land for Numbered {
    #[inline]
    fn land(&mut self, frame: &Frame, flight: &Flight, since: u64) -> Landed {
        let (class, number) = match Arrival::of(frame) {
            Arrival::Numbered { class, number } => (class, number),
            Arrival::Corrupt => return Landed::Corrupt,
            Arrival::Foreign => return Landed::Foreign,
        };
        match flight.land(class, number, since) {
            Landing::First(planned) => Landed::First(Launched {
                planned,
                class,
                number,
            }),
            Landing::Again => Landed::Again,
            Landing::Stray => Landed::Stray,
        }
    }
}
