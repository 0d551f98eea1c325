//! Frames drawn before the run.

use std::net::IpAddr;
use std::sync::Arc;

use corelane::frame::{Frame, NoRoom};
use corelane::wire::MacAddr;
use rand::RngExt;

use super::signature::{CLASSES, SIGNATURE, Signature, class};
use super::size::CHECK_SEQUENCE;
use super::{
    AddressPlan, Deck, Defect, DestinationPicker, FrameBuilder, LINE, Line, Networks, RoutePlan,
    Shape, Source, Tail, draw_flows, size_deck, stream,
};
use crate::unit::{Destinations, Family, FrameSize, Protocol, Protocols};

/// What the frames of a run are like.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The address family of the frames.
    pub family: Family,
    /// That of the endpoints or networks there are: the same, or both.
    pub population_family: Family,
    /// How many endpoints there are.
    pub endpoints: u32,
    /// Where they are.
    pub endpoint_networks: Networks,
    /// Where frames come from.
    pub source_networks: Networks,
    /// How destinations are drawn from them.
    pub destinations: Destinations,
    /// The share of frames that go to an endpoint; the others go to addresses that are none's.
    pub hit_ratio: f64,
    /// How large frames are.
    pub frame_size: FrameSize,
    /// From how many pairs of source and ports they come.
    pub flows: u32,
    /// How those are drawn.
    pub flow_law: Destinations,
    /// What frames carry.
    pub protocols: Protocols,
    /// The share of frames that are malformed.
    pub malformed: f64,
    /// VLAN tags of all frames, outermost first.
    pub vlan: Vec<u16>,
    /// The destination port of all frames; a flow's own if none is said.
    pub port: Option<u16>,
    /// Networks that the frames go to instead of endpoints, each drawn as an endpoint would be.
    pub routes: Option<Arc<RoutePlan>>,
    /// Whether frames have numbers, where they fit.
    pub signed: bool,
    /// The link address of a device under test on real links, where there is one: then all frames have
    /// numbers, for which some may have to be larger.
    pub device: Option<MacAddr>,
    /// What all draws start from.
    pub seed: u64,
}

impl Traffic {
    /// UDP of the smallest frames to so many endpoints, IPv4 and IPv6 mixed, from 4096 flows.
    pub fn new(endpoints: u32) -> Self {
        Self {
            family: Family::Mixed,
            population_family: Family::Mixed,
            endpoints,
            endpoint_networks: Networks::DESTINATIONS,
            source_networks: Networks::SOURCES,
            destinations: Destinations::Uniform,
            hit_ratio: 1.0,
            frame_size: FrameSize::Fixed(64),
            flows: 4096,
            flow_law: Destinations::Uniform,
            protocols: Protocols::UDP,
            malformed: 0.0,
            vlan: Vec::new(),
            port: None,
            routes: None,
            signed: true,
            device: None,
            seed: 1,
        }
    }

    /// How many endpoints or networks there are.
    fn population(&self) -> u32 {
        self.routes.as_ref().map_or(self.endpoints, |it| it.len())
    }
}

/// A round of frames, laid out in memory in the order of their sending; sending goes round.
///
/// It is as long as the endpoints are many, within 2^16 and 2^20: long enough that no branch
/// predictor learns it by heart, and that destinations in a large table are cold when they come
/// again. 2^20 uniform draws reach 63 % of a million endpoints.
///
/// There is a round for each stream of a profile. Clones share the rounds and start at their first frames,
/// with their numbers from 0.
pub struct Sequence {
    rounds: Arc<[Round]>,
    /// The place of the next frame of each.
    at: Box<[usize]>,
    /// The number of the next frame of each class of flows: they go on from window to window.
    numbers: [u32; CLASSES],
    /// Frames of each that were given a number since the last rewinding.
    numbered: Box<[u64]>,
}

struct Round {
    /// Its stream.
    stream: u8,
    lines: Vec<Line>,
    /// The second lines of frames that have one.
    seconds: Vec<Line>,
    shapes: Vec<Shape>,
    tail: Tail,
}

impl Clone for Sequence {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.rounds))
    }
}

const SHORTEST: u32 = 1 << 16;
const LONGEST: u32 = 1 << 20;

impl Sequence {
    fn of(rounds: Arc<[Round]>) -> Self {
        Self {
            at: vec![0; rounds.len()].into(),
            numbered: vec![0; rounds.len()].into(),
            rounds,
            numbers: [0; CLASSES],
        }
    }

    /// Draws a round of this traffic.
    pub fn draw(traffic: &Traffic) -> Self {
        Self::draw_streams(std::slice::from_ref(traffic))
    }

    /// Draws a round for each of several streams, at most [`STREAMS`](super::STREAMS).
    pub fn draw_streams(streams: &[Traffic]) -> Self {
        let draw = |(traffic, stream): (&Traffic, u8)| {
            let n = traffic.population().clamp(SHORTEST, LONGEST);
            Round::draw(traffic, stream, n.next_power_of_two() as usize)
        };
        Self::of(streams.iter().zip(0..).map(draw).collect())
    }

    /// Draws a round of `n` frames (at least one).
    pub fn draw_frames(traffic: &Traffic, n: usize) -> Self {
        Self::of([Round::draw(traffic, 0, n)].into())
    }

    /// Frames of all rounds.
    pub fn len(&self) -> usize {
        self.rounds.iter().map(|round| round.shapes.len()).sum()
    }

    /// Whether there is none. Never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The mean size of the frames of a stream, check sequence included.
    pub fn mean_size(&self, stream: usize) -> f64 {
        let shapes = self.shapes(stream);
        let bytes: u64 = shapes.iter().map(|shape| u64::from(shape.len)).sum();
        bytes as f64 / shapes.len().max(1) as f64 + f64::from(CHECK_SEQUENCE)
    }

    /// The classes of flows that there are.
    pub fn classes(&self) -> impl Iterator<Item = usize> + '_ {
        let shapes = self.rounds.iter().flat_map(|round| &round.shapes);
        let mut seen = [false; CLASSES];
        shapes
            .filter(|shape| shape.signature > 0)
            .map(|shape| class(shape.hash, shape.is_v6))
            .filter(move |class| !std::mem::replace(&mut seen[*class], true))
    }

    /// The shapes of the frames of a stream.
    pub fn shapes(&self, stream: usize) -> &[Shape] {
        let round = self.rounds.get(stream);
        round.map_or(&[], |round| &round.shapes)
    }
}

impl Round {
    fn draw(traffic: &Traffic, of_stream: u8, n: usize) -> Self {
        let n = n.max(1);
        // A stream for each purpose: another hit ratio leaves the flows as they were, and flows
        // cannot follow destinations.
        let seeded = |purpose| stream(traffic.seed, purpose);
        let mut flow_picks = seeded("flow of a frame");
        let mut sizes = seeded("sizes");
        let mut protocols = seeded("protocols");
        let mut malformed = seeded("malformed");
        let tail = Tail::draw(&mut seeded("payload"));
        let count = traffic.flows.max(1) as usize;
        let mut flows = draw_flows(count, traffic.source_networks, &mut seeded("flows"));
        if let Some(port) = traffic.port {
            flows
                .iter_mut()
                .for_each(|flow| flow.destination_port = port);
        }
        let mut destinations = DestinationDraw::new(traffic);
        let mut flow_law =
            DestinationPicker::new(traffic.flow_law, flows.len() as u32, &mut flow_picks);
        let mut deck = size_deck(traffic.frame_size);
        let mut protocol_deck = Deck::new(traffic.protocols.parts(), true);
        let builder = FrameBuilder::new(&tail, &traffic.vlan, traffic.signed);
        let mut builder = builder.of_stream(of_stream);
        if let Some(mac) = traffic.device {
            builder = builder.to_device(mac);
        }

        let mut lines = Vec::with_capacity(n);
        let mut shapes = Vec::with_capacity(n);
        let mut seconds = Vec::new();
        let mut laid_out = Vec::new();
        while lines.len() < n {
            let destination = destinations.draw(traffic);
            let flow = flow_law.draw(&mut flow_picks) as usize;
            let size = deck.deal(&mut sizes).unwrap_or(0);
            let protocol = protocol_deck.deal(&mut protocols).unwrap_or(Protocol::Udp);
            if let Some(flow) = flows.get(flow) {
                builder.lay_out(protocol, flow, destination, size, &mut laid_out);
            }
            if malformed.random::<f64>() < traffic.malformed {
                let defect = Defect::ALL[malformed.random_range(0..Defect::ALL.len())];
                laid_out
                    .iter_mut()
                    .for_each(|frame| builder.spoil(frame, defect));
            }
            for mut frame in laid_out.drain(..) {
                if let Some(second) = frame.second {
                    seconds.push(second);
                    frame.shape.second = seconds.len() as u32;
                }
                lines.push(frame.line);
                shapes.push(frame.shape);
            }
        }
        Self {
            stream: of_stream,
            lines,
            seconds,
            shapes,
            tail,
        }
    }

    /// Makes a frame, which is empty, the one of this line and shape, numbers apart.
    #[inline]
    fn write(&self, frame: &mut Frame, line: &Line, shape: &Shape) {
        let len = usize::from(shape.len);
        // The whole line in one copy of a fixed size, then the length put right. It fits: the queue was
        // opened with slots for the longest frame.
        let mut written = frame.set_data(&line.0);
        if len <= LINE {
            frame.truncate(len);
        } else if shape.second == 0 {
            written = written.and_then(|()| frame.append(self.tail.between(LINE, len)));
        } else {
            written = written.and_then(|()| self.append_second(frame, shape, len));
        }
        debug_assert!(written.is_ok());
    }

    #[cold]
    fn append_second(&self, frame: &mut Frame, shape: &Shape, len: usize) -> Result<(), NoRoom> {
        let second = self.seconds.get(shape.second as usize - 1);
        let second = second.map_or(&[][..], |second| &second.0);
        let end = len.min(2 * LINE);
        frame.append(second.get(..end - LINE).unwrap_or_default())?;
        frame.append(self.tail.between(end, len))
    }
}

/// Draws destination addresses.
struct DestinationDraw {
    /// Of all that there is, and of what is not.
    plan: AddressPlan,
    misses_plan: AddressPlan,
    /// Those of the frames' family are every so many of all, from this one on.
    stride: u32,
    first: u32,
    picker: DestinationPicker,
    picks: Random,
    misses: Random,
    hosts: Random,
}

type Random = rand::rngs::Xoshiro256PlusPlus;

impl DestinationDraw {
    fn new(traffic: &Traffic) -> Self {
        let (stride, first) = match (traffic.population_family, traffic.family) {
            (Family::Mixed, Family::V4) => (2, 0),
            (Family::Mixed, Family::V6) => (2, 1),
            _ => (1, 0),
        };
        let population = traffic.population().saturating_sub(first).div_ceil(stride);
        let mut picks = stream(traffic.seed, "destinations");
        Self {
            plan: AddressPlan::new(traffic.population_family, traffic.endpoints)
                .within(traffic.endpoint_networks),
            misses_plan: AddressPlan::new(traffic.family, traffic.endpoints),
            stride,
            first,
            picker: DestinationPicker::new(traffic.destinations, population, &mut picks),
            picks,
            misses: stream(traffic.seed, "misses"),
            hosts: stream(traffic.seed, "hosts"),
        }
    }

    fn draw(&mut self, traffic: &Traffic) -> IpAddr {
        if self.misses.random::<f64>() >= traffic.hit_ratio {
            return self.misses_plan.miss(&mut self.misses);
        }
        let index = self.picker.draw(&mut self.picks) * self.stride + self.first;
        match &traffic.routes {
            Some(routes) => routes.destination(index, &mut self.hosts),
            None => self.plan.endpoint(index),
        }
    }
}

impl Source for Sequence {
    fn longest(&self) -> usize {
        let shapes = self.rounds.iter().flat_map(|round| &round.shapes);
        shapes.map(|shape| shape.len).max().unwrap_or(0).into()
    }

    fn rewind(&mut self) {
        self.at.fill(0);
        self.numbered.fill(0);
    }

    fn streams(&self) -> usize {
        self.rounds.len()
    }

    fn numbered(&self, stream: usize) -> u64 {
        self.numbered.get(stream).copied().unwrap_or(0)
    }

    #[inline]
    fn fill(&mut self, stream: usize, mut frames: &mut [Frame]) {
        let (Some(round), Some(at), Some(numbered)) = (
            self.rounds.get(stream),
            self.at.get_mut(stream),
            self.numbered.get_mut(stream),
        ) else {
            return;
        };
        while !frames.is_empty() {
            // A run up to the end of the round: one check of bounds for all of it.
            let lines = round.lines.get(*at..).unwrap_or_default();
            let shapes = round.shapes.get(*at..).unwrap_or_default();
            let n = frames.len().min(lines.len());
            let (run, rest) = frames.split_at_mut(n);
            for ((frame, line), shape) in run.iter_mut().zip(lines).zip(shapes) {
                round.write(frame, line, shape);
                if shape.signature > 0 {
                    sign(frame, shape, round.stream, &mut self.numbers);
                    *numbered += 1;
                }
            }
            *at += n;
            if *at >= round.lines.len() {
                *at = 0;
            }
            if n == 0 {
                return;
            }
            frames = rest;
        }
    }

    fn skip(&mut self, stream: usize, n: u64) {
        if let (Some(round), Some(at)) = (self.rounds.get(stream), self.at.get_mut(stream)) {
            let len = round.lines.len().max(1);
            *at = (*at + (n % len as u64) as usize) % len;
        }
    }
}

/// Writes the next number of the frame's class into it.
#[inline]
fn sign(frame: &mut Frame, shape: &Shape, stream: u8, numbers: &mut [u32; CLASSES]) {
    let number = &mut numbers[class(shape.hash, shape.is_v6)];
    let signature = Signature {
        number: *number,
        hash: shape.hash,
        stream,
    };
    *number = number.wrapping_add(1);
    let at = usize::from(shape.signature);
    if let Some(room) = frame.data_mut().get_mut(at..at + SIGNATURE) {
        room.copy_from_slice(&signature.bytes());
    }
}
