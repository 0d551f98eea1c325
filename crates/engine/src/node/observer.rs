//! Who watches the stages: nobody, or a tracer.

use corelane_frame::Frame;
use corelane_stack::NicId;

use crate::trace::{Actor, Outcome, Step, Tracer};

/// Watches what becomes of frames. The stages are compiled for each observer; for [`Quiet`] nothing
/// of it is left.
pub(crate) trait Observer {
    /// Whether anybody watches: guards what would be done for it alone.
    const WATCHES: bool;

    /// The frames from here on are of this NIC.
    #[inline]
    fn turn_to(&mut self, _nic: NicId) {}

    /// What a stage made of a frame.
    fn step(&mut self, frame: &Frame, outcome: Outcome);

    /// What became of a frame that is not here any more.
    fn step_of(&mut self, sight: &Sight, outcome: Outcome);

    /// Notes what frames look like before they are given away.
    #[inline]
    fn look(&self, frames: &[Frame]) -> Vec<Sight> {
        if Self::WATCHES {
            frames.iter().map(Sight::of).collect()
        } else {
            Vec::new()
        }
    }
}

/// A frame as it was seen.
pub(crate) struct Sight {
    rx_time: u64,
    slot: u32,
    is_wanted: bool,
    data: Vec<u8>,
}

impl Sight {
    pub(crate) fn of(frame: &Frame) -> Self {
        Self {
            rx_time: frame.rx_time(),
            slot: frame.slot(),
            is_wanted: frame.trace(),
            data: frame.data().to_vec(),
        }
    }
}

/// Nobody.
pub(crate) struct Quiet;

impl Observer for Quiet {
    const WATCHES: bool = false;

    #[inline(always)]
    fn step(&mut self, _frame: &Frame, _outcome: Outcome) {}

    #[inline(always)]
    fn step_of(&mut self, _sight: &Sight, _outcome: Outcome) {}
}

/// A tracer, while it watches one NIC.
pub(crate) struct Traced<'t> {
    pub(crate) tracer: &'t mut dyn Tracer,
    pub(crate) actor: Actor,
    pub(crate) nic: NicId,
}

impl<'t> Traced<'t> {
    pub(crate) fn new(tracer: &'t mut dyn Tracer, actor: Actor, nic: NicId) -> Self {
        Self { tracer, actor, nic }
    }

    /// Asks which of these frames are wanted, which have just come from the link.
    pub(crate) fn choose(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let is_wanted = self.tracer.wants(self.nic, frame.data());
            frame.set_trace(is_wanted);
        }
    }
}

impl Observer for Traced<'_> {
    const WATCHES: bool = true;

    fn turn_to(&mut self, nic: NicId) {
        self.nic = nic;
    }

    fn step(&mut self, frame: &Frame, outcome: Outcome) {
        self.tracer.step(&Step {
            nic: self.nic,
            actor: self.actor,
            rx_time: frame.rx_time(),
            slot: frame.slot(),
            is_wanted: frame.trace(),
            data: frame.data(),
            stage: outcome.stage(),
            outcome,
        });
    }

    fn step_of(&mut self, sight: &Sight, outcome: Outcome) {
        self.tracer.step(&Step {
            nic: self.nic,
            actor: self.actor,
            rx_time: sight.rx_time,
            slot: sight.slot,
            is_wanted: sight.is_wanted,
            data: &sight.data,
            stage: outcome.stage(),
            outcome,
        });
    }
}
