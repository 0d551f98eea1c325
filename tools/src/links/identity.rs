//! How frames are known again when they come back.

use corelane::frame::Frame;

use super::arrival::Arrival;
use super::flight::{Flight, Landing};
use super::order::FlowId;

/// What a frame is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameId {
    /// Its class of flows.
    pub(super) class: usize,
    /// Its flow.
    pub(super) flow: FlowId,
    /// Its number: higher than those of its class, and so of its flow, that were sent before.
    pub(super) number: u32,
    /// Its stream, of a profile.
    pub(super) stream: u8,
}

/// Of frames that are about to be sent; the sender's.
pub(super) trait Launch: Send + 'static {
    /// What a frame is known by: in [`Flight`] there is none of its class with its number but this. None if it could
    /// not be known again.
    fn identify(&mut self, frame: &Frame) -> Option<FrameId>;
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
    Again(FrameId),
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
    /// Which it is.
    pub(super) id: FrameId,
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
    fn identify(&mut self, frame: &Frame) -> Option<FrameId> {
        match Arrival::of_own(frame) {
            Arrival::Numbered(id) => Some(id),
            Arrival::Corrupt | Arrival::Foreign => None,
        }
    }
}

impl Land for Numbered {
    #[inline]
    fn land(&mut self, frame: &Frame, flight: &Flight, since: u64) -> Landed {
        let id = match Arrival::of(frame) {
            Arrival::Numbered(id) => id,
            Arrival::Corrupt => return Landed::Corrupt,
            Arrival::Foreign => return Landed::Foreign,
        };
        match flight.land(id.class, id.number, since) {
            Landing::First(planned) => Landed::First(Launched { planned, id }),
            Landing::Again => Landed::Again(id),
            Landing::Stray => Landed::Stray,
        }
    }
}
