//! The way of the next frames, while it is up.
//!
//! A tracer on each thread of the engine for as long as a client wants it, and none else: without one
//! the engine runs the stages that are compiled without tracers. Steps go through a bounded channel;
//! those of a frame are put together by its slot, which no other frame has meanwhile.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corelane::engine::Lifecycle;
use corelane::engine::trace::{LinkOutput, Outcome, Stage, Step, Tracer};
use corelane::stack::{Nic, NicId};
use corelane::wire::PacketFilter;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::config::seconds;
use crate::control::{Listener, Problem, Stream, Watch, WatchEnd, Watched};
use crate::host::step_line;
use crate::sim::frame_text;

/// Steps on their way to the client.
const STEPS: usize = 4096;

/// A frame that has made no step for so long has come to its end: longer than a thread of the engine waits for
/// a core on a busy machine, mostly.
const QUIET: Duration = Duration::from_millis(250);

/// One that is in line for another thread, which sends it or finds no room, comes to its end there: unless its NIC
/// went away, so that this ends too.
const IN_LINE: Duration = Duration::from_secs(5);

/// The longest wait for a step: how late it is seen that the client is gone.
const NAP: Duration = Duration::from_millis(50);

/// Whether somebody traces: one at a time.
#[derive(Clone, Default)]
pub(super) struct TraceSeat(Arc<AtomicBool>);

/// What one stage made of a frame that is wanted.
struct Seen {
    at: Instant,
    nic: NicId,
    slot: u32,
    outcome: Outcome,
    /// The frame as it came, with its first step; and where it changed on its way out.
    frame: Option<Vec<u8>>,
}

/// What the tracers have in common.
struct Wanted {
    nic: Option<NicId>,
    filter: PacketFilter,
    /// Frames that are still wanted.
    left: AtomicU64,
    lost: AtomicU64,
    steps: Sender<Seen>,
}

/// The tracer of a thread.
struct LiveTracer(Arc<Wanted>);

impl Tracer for LiveTracer {
    fn wants(&mut self, nic: NicId, data: &[u8]) -> bool {
        let wanted = &self.0;
        if wanted.nic.is_some_and(|other| other != nic) || !wanted.filter.matches(data) {
            return false;
        }
        let one_less = |left: u64| left.checked_sub(1);
        wanted
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }

    fn step(&mut self, step: &Step<'_>) {
        if !step.is_wanted {
            return;
        }
        let is_shown = matches!(
            step.outcome,
            Outcome::EthernetInput(_) | Outcome::LinkOutput(LinkOutput::Sent)
        );
        let seen = Seen {
            at: Instant::now(),
            nic: step.nic,
            slot: step.slot,
            outcome: step.outcome,
            frame: is_shown.then(|| step.data.to_vec()),
        };
        if let Err(TrySendError::Full(_)) = self.0.steps.try_send(seen) {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A frame on its way.
struct Way {
    slot: u32,
    last: Instant,
    /// How long it may be quiet.
    patience: Duration,
    text: String,
    is_over: bool,
}

/// A trace, from when it is made until it is dropped.
pub(super) struct Trace {
    lifecycle: Lifecycle,
    seat: TraceSeat,
    wanted: Arc<Wanted>,
    steps: Receiver<Seen>,
    /// For the names.
    nics: Vec<Nic>,
    count: Option<u64>,
    duration: Option<Duration>,
    started: Instant,
    /// By when they came.
    ways: VecDeque<Way>,
    begun: u64,
}

impl Trace {
    /// Begins, of all NICs or of one.
    pub(super) fn begin(
        lifecycle: &Lifecycle,
        seat: &TraceSeat,
        nics: Vec<Nic>,
        nic: Option<NicId>,
        watch: &Watch,
    ) -> Result<Self, Problem> {
        if seat.0.swap(true, Ordering::AcqRel) {
            return Err(Problem {
                is_request: false,
                name: "TraceInUse".to_owned(),
                message: "somebody traces already: there is one trace at a time".to_owned(),
            });
        }
        let (sender, steps) = bounded(STEPS);
        let wanted = Arc::new(Wanted {
            nic,
            filter: watch.filter,
            left: AtomicU64::new(watch.count.unwrap_or(u64::MAX)),
            lost: AtomicU64::new(0),
            steps: sender,
        });
        let for_tracers = Arc::clone(&wanted);
        lifecycle.trace(move |_| LiveTracer(Arc::clone(&for_tracers)));
        Ok(Self {
            lifecycle: lifecycle.clone(),
            seat: seat.clone(),
            wanted,
            steps,
            nics,
            count: watch.count,
            duration: watch.duration,
            started: Instant::now(),
            ways: VecDeque::new(),
            begun: 0,
        })
    }

    fn note(&mut self, seen: &Seen) {
        let nic = self.nics.iter().find(|nic| nic.id() == seen.nic);
        let nic = nic.map_or_else(|| seen.nic.to_string(), |nic| nic.name().to_owned());
        let time = || {
            let since = seen.at.saturating_duration_since(self.started);
            seconds(Duration::from_micros(since.as_micros() as u64))
        };
        let on_its_way = |way: &&mut Way| way.slot == seen.slot && !way.is_over;
        if seen.outcome.stage() == Stage::EthernetInput {
            // The slot is another frame's now.
            if let Some(before) = self.ways.iter_mut().find(on_its_way) {
                before.is_over = true;
            }
            let frame = frame_text::describe(seen.frame.as_deref().unwrap_or_default());
            let mut text = format!("{} {nic} receives {frame}\n", time());
            push_line(&mut text, step_line(seen.outcome));
            self.begun += 1;
            self.ways.push_back(Way {
                slot: seen.slot,
                last: seen.at,
                patience: QUIET,
                text,
                is_over: false,
            });
            return;
        }
        let Some(way) = self.ways.iter_mut().find(on_its_way) else {
            // Of one whose beginning was lost, or which was taken to have ended.
            self.wanted.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        way.last = seen.at;
        way.patience = match seen.outcome {
            Outcome::LinkOutput(LinkOutput::Queued) => IN_LINE,
            _ => QUIET,
        };
        let line = match &seen.frame {
            Some(frame) => Some(format!(
                "{} {nic} sends {}",
                time(),
                frame_text::describe(frame)
            )),
            None => step_line(seen.outcome),
        };
        push_line(&mut way.text, line);
        // Nothing comes after that.
        way.is_over = seen.frame.is_some();
    }

    /// The frames that have come to their end, in the order they came: none before one in front of it.
    fn take_ended(&mut self, all: bool) -> String {
        let mut text = String::new();
        let ended = |way: &mut Way| all || way.is_over || way.last.elapsed() > way.patience;
        while let Some(way) = self.ways.pop_front_if(ended) {
            text.push_str(&way.text);
        }
        text
    }

    fn end(&self, client: &mut Listener<'_>) -> Option<WatchEnd> {
        let lost = self.wanted.lost.load(Ordering::Relaxed);
        let all_begun = self.count.is_some_and(|count| self.begun >= count)
            // What was lost may have been the beginning of one.
            || (lost > 0 && self.wanted.left.load(Ordering::Relaxed) == 0);
        let of_nic = |id| self.nics.iter().find(|nic| nic.id() == id);
        if all_begun && self.ways.is_empty() {
            return Some(WatchEnd::Count);
        }
        client.over(self.started, self.duration, || {
            self.wanted.nic.and_then(of_nic).is_some_and(Nic::is_gone)
        })
    }
}

fn push_line(text: &mut String, line: Option<String>) {
    if let Some(line) = line {
        text.push_str(&line);
        text.push('\n');
    }
}

impl Stream for Trace {
    fn run(mut self: Box<Self>, client: &mut Listener<'_>) -> io::Result<Watched> {
        let end = loop {
            match self.steps.recv_timeout(NAP) {
                Ok(seen) => {
                    self.note(&seen);
                    while let Ok(seen) = self.steps.try_recv() {
                        self.note(&seen);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let text = self.take_ended(false);
            client.send(text.as_bytes())?;
            if let Some(end) = self.end(client) {
                break end;
            }
        };
        let rest = self.take_ended(true);
        client.send(rest.as_bytes())?;
        Ok(Watched {
            end,
            shown: self.begun,
            lost: self.wanted.lost.load(Ordering::Relaxed),
        })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.lifecycle.stop_tracing();
        self.seat.0.store(false, Ordering::Release);
    }
}
