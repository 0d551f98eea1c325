//! What the control plane asks of a running worker, and what the worker gives back.
//!
//! ```text
//!   lifecycle calls ──► CommandLane ─── ring of commands ──► CommandEnd (the worker)
//!   Control ◄────────── ring of what it gave up ─────────────┘
//! ```
//!
//! A worker frees nothing that another thread made: a port it gives up, and the list it kept its
//! ports in, go back, and the control plane drops them.

use std::collections::VecDeque;

use corelane_stack::NicId;
use corelane_sync::doorbell::Doorbell;
use corelane_sync::ring::{Consumer, Producer, RingError, ring};

use crate::port::{Port, Ports};
use crate::trace::Tracer;

/// Commands on their way to one worker; more than that wait where they are sent from.
const COMMANDS: usize = 64;

/// What one worker has given up and nobody has taken back. Where it is full, commands wait.
const RETURNS: usize = 64;

/// What a worker is to do.
pub(crate) enum Command {
    /// Serve this port too.
    AddPort {
        port: Box<Port>,
        /// The list to keep the ports in from now on: it has room for them all.
        room: Ports,
    },
    /// Give up the port of this NIC.
    RemovePort(NicId),
    /// Show frames to this tracer from now on, or to none.
    SetTracer(Option<Box<dyn Tracer>>),
}

/// What a worker gives up.
pub(crate) enum Returned {
    Port(Box<Port>),
    /// The list it kept its ports in, empty.
    #[expect(dead_code, reason = "it is dropped, nothing else")]
    Room(Ports),
    /// The tracer it had.
    #[expect(dead_code, reason = "it is dropped, nothing else")]
    Tracer(Box<dyn Tracer>),
}

/// The worker's end.
pub(crate) struct CommandEnd {
    commands: Consumer<Command>,
    returns: Producer<Returned>,
    /// The control plane's.
    bell: Doorbell,
}

impl CommandEnd {
    /// Whether there is nothing to do: one load.
    #[inline]
    pub(crate) fn is_empty(&mut self) -> bool {
        self.commands.is_empty()
    }

    /// Whether there is something to do that can be done now.
    pub(crate) fn is_ready(&mut self) -> bool {
        !self.commands.is_empty() && self.returns.free() > 0
    }

    /// The next command. None also while what it may make the worker give up would find no room.
    pub(crate) fn next(&mut self) -> Option<Command> {
        if self.returns.free() == 0 {
            return None;
        }
        self.commands.pop()
    }

    /// Gives something up: one for each command at most.
    pub(crate) fn give_up(&mut self, returned: Returned) {
        // There is room, or there would have been no command.
        drop(self.returns.push(returned));
        self.bell.ring();
    }
}

/// The way to one worker.
pub(crate) struct CommandLane {
    /// None once the worker is gone.
    ring: Option<Producer<Command>>,
    /// What found no room in the ring.
    waiting: VecDeque<Command>,
    bell: Doorbell,
    /// The ports that the worker has once it has done everything.
    ports: usize,
}

impl CommandLane {
    /// Has the worker serve one more port.
    pub(crate) fn add_port(&mut self, port: Box<Port>) {
        self.ports += 1;
        let room = Vec::with_capacity(self.ports);
        self.send(Command::AddPort { port, room });
    }

    /// Has the worker give up its port of this NIC.
    pub(crate) fn remove_port(&mut self, nic: NicId) {
        self.ports = self.ports.saturating_sub(1);
        self.send(Command::RemovePort(nic));
    }

    /// Has the worker show frames to another tracer.
    pub(crate) fn set_tracer(&mut self, tracer: Option<Box<dyn Tracer>>) {
        self.send(Command::SetTracer(tracer));
    }

    fn send(&mut self, command: Command) {
        self.waiting.push_back(command);
        self.flush();
    }

    /// Sends what waits, as far as there is room.
    pub(crate) fn flush(&mut self) {
        let Some(ring) = self.ring.as_mut().filter(|ring| !ring.is_closed()) else {
            // The worker is gone. What it has not taken goes with the ring, ports and all: nobody is
            // to wait for room in a ring that such a port has.
            self.ring = None;
            self.waiting.clear();
            return;
        };
        if self.waiting.is_empty() {
            return;
        }
        while let Some(command) = self.waiting.pop_front() {
            if let Err(full) = ring.push(command) {
                self.waiting.push_front(full.0);
                break;
            }
        }
        self.bell.ring();
    }
}

/// A distributor's end of the way of its tracers.
pub(crate) struct TracerEnd {
    new: Consumer<Option<Box<dyn Tracer>>>,
    before: Producer<Box<dyn Tracer>>,
}

impl TracerEnd {
    /// Takes another tracer in the place of this one, if there is one: one load if not.
    #[inline]
    pub(crate) fn refresh(&mut self, tracer: &mut Option<Box<dyn Tracer>>) {
        if !self.new.is_empty() {
            self.replace(tracer);
        }
    }

    /// Whether there is one.
    pub(crate) fn is_ready(&mut self) -> bool {
        !self.new.is_empty() && self.before.free() > 0
    }

    #[cold]
    fn replace(&mut self, tracer: &mut Option<Box<dyn Tracer>>) {
        if self.before.free() > 0
            && let Some(new) = self.new.pop()
            && let Some(before) = std::mem::replace(tracer, new)
        {
            // There is room.
            drop(self.before.push(before));
        }
    }
}

/// The way of tracers to a distributor.
pub(crate) struct TracerLane {
    new: Producer<Option<Box<dyn Tracer>>>,
    before: Consumer<Box<dyn Tracer>>,
    /// What found no room in the ring: the last of it is all that matters.
    waiting: Option<Option<Box<dyn Tracer>>>,
}

impl TracerLane {
    /// Has the distributor show frames to another tracer. It has to be rung for.
    pub(crate) fn set(&mut self, tracer: Option<Box<dyn Tracer>>) {
        self.waiting = Some(tracer);
        self.flush();
    }

    /// Drops what came back, and sends what waits, if there is room. Returns whether something was
    /// sent, and the distributor has to be rung for.
    pub(crate) fn flush(&mut self) -> bool {
        while self.before.pop().is_some() {}
        let Some(tracer) = self.waiting.take() else {
            return false;
        };
        match self.new.push(tracer) {
            Ok(()) => true,
            Err(full) => {
                self.waiting = Some(full.0);
                false
            }
        }
    }
}

/// Makes the way of tracers to a distributor.
pub(crate) fn tracers() -> Result<(TracerLane, TracerEnd), RingError> {
    let (new, taken) = ring(COMMANDS)?;
    // As many as there can be and the one it has.
    let (given_back, before) = ring(2 * COMMANDS)?;
    let lane = TracerLane {
        new,
        before,
        waiting: None,
    };
    let end = TracerEnd {
        new: taken,
        before: given_back,
    };
    Ok((lane, end))
}

/// Makes the way to a worker that has `ports` ports already, the worker's end of it, and the end at
/// which comes out what the worker gives up.
pub(crate) fn commands(
    ports: usize,
    worker: Doorbell,
    control: Doorbell,
) -> Result<(CommandLane, CommandEnd, Consumer<Returned>), RingError> {
    let (producer, consumer) = ring(COMMANDS)?;
    let (returns, returned) = ring(RETURNS)?;
    let lane = CommandLane {
        ring: Some(producer),
        waiting: VecDeque::new(),
        bell: worker,
        ports,
    };
    let end = CommandEnd {
        commands: consumer,
        returns,
        bell: control,
    };
    Ok((lane, end, returned))
}
