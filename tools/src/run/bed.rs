//! An engine under a synthetic load, for trials one after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corelane::engine::WhenFull;
use corelane::engine::link::Link;
use corelane::wire::MacAddr;
use serde_json::{Value, json};

use super::{
    Failure, LoadResult, Nics, Outcome, Session, Setting, Stream, Target, TestBed, Trial,
    TrialResult,
};
use crate::cli::{EngineArgs, LoadArgs};
use crate::clock::Clock;
use crate::config::{LoadProfile, StreamSetting};
use crate::generator::{
    CHECK_SEQUENCE, GeneratorLink, Pace, Plan, Schedule, Sequence, Source, Spread, Window,
};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::{Setup, scaled};
use crate::unit::{Arrival, Family, FrameSize};

/// What stands between the generator and the engine.
pub type Between<'a> = dyn Fn(Box<dyn Link>) -> Box<dyn Link> + 'a;

/// What a bed is laid out from: frames are drawn once, for several beds.
pub struct Layout {
    setting: Setting,
    target: Target,
    frames: Sequence,
    /// One, unless there is a profile.
    streams: Arc<[Stream]>,
    /// What makes the streams of a profile another load than those of another; null without one.
    stream_flags: Value,
    frames_s: f64,
    tags: usize,
}

impl Layout {
    /// Draws what the options ask for: frames for an engine in this process, or for the device on real links
    /// that has this link address.
    pub fn new(
        engine: &EngineArgs,
        load: &LoadArgs,
        frame_size: FrameSize,
        device: Option<MacAddr>,
    ) -> Self {
        let before = Instant::now();
        let target = Target::new(load, device);
        let traffic = target.traffic(frame_size);
        let frames = Sequence::draw(&traffic);
        let whole = Stream {
            name: String::new(),
            arrival: None,
            pps: 1.0,
            start: 0,
            stop: u64::MAX,
        };
        Self {
            setting: Setting::of_load(engine, load),
            frames,
            streams: [whole].into(),
            stream_flags: Value::Null,
            target,
            tags: traffic.vlan.len(),
            frames_s: before.elapsed().as_secs_f64(),
        }
    }

    /// Draws the streams of a profile; for what it leaves out, as the options say.
    ///
    /// # Errors
    /// A stream cannot be, with these options.
    pub fn of_profile(
        engine: &EngineArgs,
        load: &LoadArgs,
        frame_size: FrameSize,
        device: Option<MacAddr>,
        profile: &LoadProfile,
    ) -> Result<Self, Failure> {
        let before = Instant::now();
        let target = Target::new(load, device);
        let whole = target.traffic(frame_size);
        let settings = &profile.streams;
        let traffic = settings.iter().enumerate();
        let traffic: Vec<_> = traffic
            .map(|(number, stream)| target.stream(number, stream, &whole))
            .collect::<Result<_, _>>()?;
        let frames = Sequence::draw_streams(&traffic);
        let tags = traffic.iter().map(|traffic| traffic.vlan.len());
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let stream = |(number, setting): (usize, &StreamSetting)| Stream {
            name: setting.name.clone(),
            arrival: Some(setting.arrival),
            // A profile has no other rates.
            pps: setting
                .rate
                .pps(frames.mean_size(number), 0.0)
                .unwrap_or(0.0),
            start: ns(setting.start),
            stop: setting.stop.map_or(u64::MAX, ns),
        };
        let setting = Setting {
            streams: settings.len(),
            ..Setting::of_load(engine, load)
        };
        let streams: Arc<[Stream]> = settings.iter().enumerate().map(stream).collect();
        let flags = streams.iter().zip(&traffic).zip(settings).enumerate();
        let flags: Vec<_> = flags
            .map(|(number, ((stream, traffic), setting))| {
                let carried = setting.protocols.as_ref().unwrap_or(&load.protocols);
                stream.flags(traffic, carried, frames.mean_size(number))
            })
            .collect();
        Ok(Self {
            setting,
            streams,
            stream_flags: json!(flags),
            tags: tags.max().unwrap_or(0),
            frames,
            target,
            frames_s: before.elapsed().as_secs_f64(),
        })
    }

    /// As it is, but no bed is set up further once somebody interrupts: that ends with [`Failure::Interrupted`].
    #[must_use]
    pub fn interruptible(mut self, interrupt: &Interrupt) -> Self {
        self.target.interruptible(interrupt);
        self
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

    /// The streams: one of no name, unless there is a profile.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Those of a profile; none without one.
    pub fn profile_streams(&self) -> &[Stream] {
        match self.setting.streams {
            0 => &[],
            _ => &self.streams,
        }
    }

    /// The streams of a profile in words; none without one.
    pub fn describe_streams(&self) -> Option<String> {
        let of = |stream: &Stream| {
            let rate = scaled(stream.pps, "pps");
            stream
                .arrival
                .map(|arrival| format!("{} {rate} {arrival}", stream.name))
        };
        let streams: Option<Vec<_>> = self.streams.iter().map(of).collect();
        streams.map(|streams| format!("streams {}", streams.join(", ")))
    }

    /// What makes the streams of a profile another load than those of another; null without one.
    pub fn stream_flags(&self) -> Value {
        self.stream_flags.clone()
    }

    /// The mean size of the frames on the wire, of all streams in proportion.
    pub fn mean_size(&self) -> f64 {
        let streams = self.streams.iter().enumerate();
        let bytes = streams.map(|(number, stream)| self.frames.mean_size(number) * stream.pps);
        bytes.sum::<f64>() / self.pps().max(f64::MIN_POSITIVE)
    }

    /// Frames per second of all streams of a profile together, while they all run.
    pub fn pps(&self) -> f64 {
        self.streams.iter().map(|stream| stream.pps).sum()
    }

    /// VLAN tags of each frame, at most.
    pub fn tags(&self) -> usize {
        self.tags
    }

    /// The size of the smallest IPv6 frame, check sequence included, if there is one.
    pub fn smallest_v6(&self) -> Option<u16> {
        self.smallest(true)
    }

    /// Likewise of IPv6, or of IPv4.
    fn smallest(&self, is_v6: bool) -> Option<u16> {
        let streams = 0..self.streams.len();
        let shapes = streams.flat_map(|stream| self.frames.shapes(stream));
        let smallest = shapes
            .filter(|shape| shape.is_v6 == is_v6)
            .map(|shape| shape.len);
        smallest.min().map(|len| len + CHECK_SEQUENCE)
    }

    /// The frames in words: what was asked for, and what was made of it where that has no room for headers.
    pub fn describe_frames(&self, asked: FrameSize) -> String {
        if self.streams.iter().any(|stream| stream.arrival.is_some()) {
            return "frames as their streams have them".to_owned();
        }
        let smallest = match asked {
            FrameSize::Mix(_) => return format!("{asked} frames"),
            FrameSize::Fixed(size) => size,
        };
        let larger: Vec<_> = [(false, "IPv4"), (true, "IPv6")]
            .into_iter()
            .filter_map(|(is_v6, name)| Some((name, self.smallest(is_v6)?)))
            .filter(|(_, least)| *least > smallest)
            .map(|(name, least)| format!("{name} {least} at least"))
            .collect();
        match &larger[..] {
            [] => format!("{asked}-byte frames"),
            _ => format!("{asked}-byte frames ({})", larger.join(", ")),
        }
    }

    /// A warning, if frames were asked for in both families, and are of one. The streams of a profile say of which they
    /// are.
    pub fn one_sided(&self, family: Family) -> Option<String> {
        let of = match (self.smallest(false), self.smallest(true)) {
            (Some(_), None) => "IPv4",
            (None, Some(_)) => "IPv6",
            _ => return None,
        };
        (family == Family::Mixed && self.profile_streams().is_empty()).then(|| {
            format!(
                "all frames are {of}, though --family is mixed: the destinations are (one of them is of one family)"
            )
        })
    }

    /// Whether every frame has a number.
    pub fn is_numbered(&self) -> bool {
        let mut streams = 0..self.streams.len();
        streams.all(|stream| {
            let shapes = self.frames.shapes(stream);
            shapes.iter().all(|shape| shape.signature > 0)
        })
    }

    /// How long drawing them took.
    pub fn frames_s(&self) -> f64 {
        self.frames_s
    }

    /// A window for a trial.
    pub fn window(&self, trial: &Trial) -> Window {
        window(&self.streams, trial, self.setting.seed)
    }

    /// How frames spread over workers. None if there cannot be so many.
    pub fn spread(&self) -> Option<Spread> {
        let streams = self.streams.iter().enumerate();
        let streams: Vec<_> = streams
            .map(|(number, stream)| (self.frames.shapes(number), stream.pps))
            .collect();
        Spread::of(&streams, self.setting.workers)
    }

    /// When frames are due in a trial at `pps`: at those of a profile its streams in proportion.
    pub fn plan(&self, pps: f64, arrival: Arrival) -> Plan {
        plan(&self.streams, pps, arrival, self.setting.seed)
    }

    /// A plan that nobody can keep up with, of all streams from the beginning on: it tells what the generator can do.
    pub fn ceiling(&self, arrival: Arrival) -> Pace {
        /// Frames per second.
        const ALL: f64 = 1e9;
        let all_the_time = |stream: &Stream| Stream {
            start: 0,
            stop: u64::MAX,
            ..stream.clone()
        };
        let streams: Vec<_> = self.streams.iter().map(all_the_time).collect();
        Pace::Planned(plan(&streams, ALL, arrival, self.setting.seed))
    }
}

fn plan(streams: &[Stream], pps: f64, arrival: Arrival, seed: u64) -> Plan {
    let all: f64 = streams.iter().map(|stream| stream.pps).sum();
    Plan::new(streams.iter().zip(0..).map(|(stream, number)| {
        let pps = pps * stream.pps / all.max(f64::MIN_POSITIVE);
        let arrival = stream.arrival.unwrap_or(arrival);
        let schedule = Schedule::new(arrival, pps, seed.wrapping_add(number));
        (schedule, stream.start..stream.stop)
    }))
}

fn window(streams: &[Stream], trial: &Trial, seed: u64) -> Window {
    Window {
        pace: trial.pps.map_or(Pace::Max, |pps| {
            Pace::Planned(plan(streams, pps, trial.arrival, seed))
        }),
        duration: Some(trial.duration),
        ..Window::default()
    }
}

/// An engine that runs, set up, under a generator that holds until a trial.
pub struct Bed {
    session: Session,
    streams: Arc<[Stream]>,
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
        between: &Between<'_>,
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
            streams: Arc::clone(&layout.streams),
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
        let window = Window {
            room: trial.patient.then(|| self.session.room()),
            ..window(&self.streams, trial, self.seed)
        };
        let measured = self.session.window(window, progress, interrupt)?;
        Ok(TrialResult::of(trial, measured, self.room))
    }

    /// Stops the engine.
    pub fn finish(self) -> Outcome {
        self.session.finish()
    }
}

impl TestBed for Bed {
    fn try_load(
        &mut self,
        trial: &Trial,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<LoadResult, Failure> {
        let result = self.trial(trial, progress, interrupt)?;
        Ok(result.map(|measured| measured.stream_shares(&self.streams).unwrap_or_default()))
    }

    fn room(&self) -> u64 {
        self.room
    }

    fn knows_room(&self) -> bool {
        true
    }
}
