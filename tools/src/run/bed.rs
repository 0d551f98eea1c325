//! An engine under a synthetic load, for trials one after the other.

use std::time::Instant;

use corelane::engine::WhenFull;
use corelane::engine::link::Link;

use super::{Failure, Nics, Outcome, Session, Setting, Target, Trial, TrialResult};
use crate::cli::{EngineArgs, LoadArgs};
use crate::clock::Clock;
use crate::generator::{GeneratorLink, Sequence, Source};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::Setup;
use crate::unit::FrameSize;

/// What stands between the generator and the engine.
pub type Between = dyn Fn(Box<dyn Link>) -> Box<dyn Link>;

/// What a bed is laid out from: frames are drawn once, for several beds.
pub struct Layout {
    setting: Setting,
    target: Target,
    frames: Sequence,
    frames_s: f64,
}

impl Layout {
    /// Draws what the options ask for.
    pub fn new(engine: &EngineArgs, load: &LoadArgs, frame_size: FrameSize) -> Self {
        let before = Instant::now();
        let target = Target::new(load);
        Self {
            setting: Setting::of_load(engine, load),
            frames: Sequence::draw(&target.traffic(frame_size)),
            target,
            frames_s: before.elapsed().as_secs_f64(),
        }
    }

    /// How the engine is set up.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// What the frames go to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The frames.
    pub fn frames(&self) -> &Sequence {
        &self.frames
    }
}

/// An engine that runs, set up, under a generator that holds until a trial.
pub struct Bed {
    session: Session,
    room: u64,
    seed: u64,
    setup: Setup,
}

impl Bed {
    /// Starts an engine and sets it up. A full ring means a drop, which is what a trial at a rate needs;
    /// or, for a trial at full speed that measures what the workers take, that the generator waits.
    ///
    /// # Errors
    /// The engine cannot be built, started or set up.
    pub fn start(layout: &Layout, when_full: WhenFull) -> Result<Self, Failure> {
        Self::start_with(layout, when_full, &|link| link)
    }

    /// As [`start`](Self::start), with something between the generator and the engine.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_with(
        layout: &Layout,
        when_full: WhenFull,
        between: &Between,
    ) -> Result<Self, Failure> {
        let mut setup = Setup {
            frames_s: layout.frames_s,
            ..Setup::default()
        };
        let clock = Clock::start();
        let longest = layout.frames.longest();
        let (link, generator) = GeneratorLink::new(layout.frames.clone(), clock);
        let link = between(Box::new(link));
        let setting = Setting {
            when_full,
            ..layout.setting.clone()
        };
        let session = Session::start(&setting, (link, generator), longest, clock, |nics| {
            layout.target.set_up(nics, &mut setup)
        })?;
        Ok(Self {
            session,
            room: setting.room(),
            seed: setting.seed,
            setup,
        })
    }

    /// The NICs.
    pub fn nics(&self) -> &Nics {
        self.session.nics()
    }

    /// What came before the traffic.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// Runs a trial: from nothing in flight to nothing in flight. It prints nothing.
    ///
    /// # Errors
    /// The generator's link failed, or the window does not end. That frames were lost, late or not
    /// accounted for is no error, but a result.
    pub fn trial(
        &mut self,
        trial: &Trial,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<TrialResult, Failure> {
        let window = trial.window(self.seed);
        let measured = self.session.window(window, progress, interrupt)?;
        Ok(TrialResult::of(trial, measured, self.room))
    }

    /// Stops the engine.
    pub fn finish(self) -> Outcome {
        self.session.finish()
    }
}
