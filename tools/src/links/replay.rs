//! Captures on a device under test.

use std::sync::Arc;

use super::content::Contents;
use super::measured::LinkMeasured;
use super::ports::Ports;
use super::session::{LinkSession, LinkSetting};
use crate::generator::{CaptureFrames, CaptureSet, SOURCE_MAC, Window};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{Failure, Setting, TrialResult};

/// A device under test on real links, under the packets of captures.
pub struct LinkReplay<'a>(LinkSession<'a>);

impl<'a> LinkReplay<'a> {
    /// Starts the threads; nothing is sent until it is run. The packets are none too long for the links
    /// ([`Ports::longest`]); if `readdressed`, they go to the device's link address, whatever the captures say.
    ///
    /// # Errors
    /// There is no thread.
    pub fn start(
        ports: &'a mut Ports,
        setting: &Setting,
        set: &Arc<CaptureSet>,
        readdressed: bool,
    ) -> Result<Self, Failure> {
        let frames = if readdressed {
            CaptureFrames::addressed(Arc::clone(set), ports.device().mac, SOURCE_MAC)
        } else {
            CaptureFrames::new(Arc::clone(set))
        };
        let ends = Contents::of(set.frames()).split();
        let setting = LinkSetting::of(setting);
        LinkSession::start(ports, &setting, frames, Contents::flight(), ends).map(Self)
    }

    /// Runs a window, and stops the threads; the links stay open.
    ///
    /// # Errors
    /// A link broke, or the window does not end. That frames were lost is no error, but a result.
    pub fn run(
        mut self,
        window: Window,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<TrialResult<LinkMeasured>, Failure> {
        let result = self.0.window(window, progress, interrupt)?;
        self.0.finish()?;
        Ok(result)
    }
}
