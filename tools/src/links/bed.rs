//! Trials of a synthetic load on a device under test.

use super::flight::Flight;
use super::identity::Numbered;
use super::measured::LinkMeasured;
use super::ports::Ports;
use super::session::{LinkSession, LinkSetting};
use crate::cli::Usage;
use crate::generator::Source;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{Failure, Layout, LoadResult, TestBed, Trial, TrialResult};

/// Frames that a device is taken to have room for, where it cannot be asked: the least receive ring of usual
/// NICs.
const ROOM: u64 = 256;

/// A device under test on real links, under frames that have numbers.
pub struct LinkBed<'a> {
    session: LinkSession<'a>,
    layout: &'a Layout,
}

impl<'a> LinkBed<'a> {
    /// Starts the threads; nothing is sent until a trial. The links are there again when the bed is gone.
    ///
    /// # Errors
    /// The frames are too long for a link, there are others than numbered ones, or there is no thread.
    pub fn start(ports: &'a mut Ports, layout: &'a Layout) -> Result<Self, Failure> {
        let frames = layout.frames().clone();
        ports.check_longest(frames.longest(), layout.tags())?;
        if !layout.is_numbered() {
            return Err(Usage::new(
                "--profile: a stream has frames without a number, by which alone a frame is known on real links: \
                 protocols = 'udp', and nothing malformed",
            )
            .into());
        }
        let flight = Flight::new(frames.classes());
        let setting = LinkSetting::of(layout.setting());
        let session = LinkSession::start(ports, &setting, frames, flight, (Numbered, Numbered))?;
        Ok(Self { session, layout })
    }

    /// Runs a trial: from when nothing comes any more to when nothing comes any more. It prints nothing.
    ///
    /// # Errors
    /// A link broke, or the window does not end. That frames were lost is no error, but a result.
    pub fn trial(
        &mut self,
        trial: &Trial,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<TrialResult<LinkMeasured>, Failure> {
        let window = self.layout.window(trial);
        self.session.window(window, progress, interrupt)
    }

    /// Stops the threads; the links stay open.
    ///
    /// # Errors
    /// A link broke.
    pub fn finish(self) -> Result<(), Failure> {
        self.session.finish()
    }
}

impl TestBed for LinkBed<'_> {
    fn try_load(
        &mut self,
        trial: &Trial,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<LoadResult, Failure> {
        let result = self.trial(trial, progress, interrupt)?;
        let streams = self.layout.profile_streams();
        Ok(result.map(|measured| measured.stream_shares(streams).unwrap_or_default()))
    }

    fn room(&self) -> u64 {
        ROOM
    }

    fn knows_room(&self) -> bool {
        false
    }
}
