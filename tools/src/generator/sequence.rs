//! Frames drawn before the run.

use std::sync::Arc;

use corelane::frame::Frame;
use rand::RngExt;

use super::{
    AddressPlan, DestinationPicker, Line, RoutePlan, SizeDeck, Source, Tail, draw_flows, lay_out,
    stream,
};
use crate::unit::{Destinations, Family, FrameSize};

/// What the frames of a run are like.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The address family.
    pub family: Family,
    /// How many endpoints there are.
    pub endpoints: u32,
    /// How destinations are drawn from them.
    pub destinations: Destinations,
    /// The share of frames that go to an endpoint; the others go to addresses that are none's.
    pub hit_ratio: f64,
    /// How large frames are.
    pub frame_size: FrameSize,
    /// From how many pairs of source and ports they come.
    pub flows: u32,
    /// The destination port of all frames; a flow's own if none is said.
    pub port: Option<u16>,
    /// Networks that the frames go to instead of endpoints, each drawn as an endpoint would be.
    pub routes: Option<Arc<RoutePlan>>,
    /// What all draws start from.
    pub seed: u64,
}

impl Traffic {
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
/// Clones share the round and start at its first frame.
pub struct Sequence {
    round: Arc<Round>,
    /// The place of the next frame.
    at: usize,
}

struct Round {
    lines: Vec<Line>,
    lens: Vec<u16>,
    tail: Tail,
}

impl Clone for Sequence {
    fn clone(&self) -> Self {
        Self {
            round: Arc::clone(&self.round),
            at: 0,
        }
    }
}

const SHORTEST: u32 = 1 << 16;
const LONGEST: u32 = 1 << 20;

impl Sequence {
    /// Draws a round of this traffic.
    pub fn draw(traffic: &Traffic) -> Self {
        let n = traffic
            .population()
            .clamp(SHORTEST, LONGEST)
            .next_power_of_two();
        Self::draw_frames(traffic, n as usize)
    }

    /// Draws a round of `n` frames (at least one).
    pub fn draw_frames(traffic: &Traffic, n: usize) -> Self {
        let n = n.max(1);
        // A stream for each purpose: another hit ratio leaves the flows as they were, and flows
        // cannot follow destinations.
        let mut picks = stream(traffic.seed, "destinations");
        let mut misses = stream(traffic.seed, "misses");
        let mut flow_picks = stream(traffic.seed, "flow of a frame");
        let mut sizes = stream(traffic.seed, "sizes");
        let tail = Tail::draw(&mut stream(traffic.seed, "payload"));
        let mut flows = draw_flows(
            traffic.flows.max(1) as usize,
            &mut stream(traffic.seed, "flows"),
        );
        if let Some(port) = traffic.port {
            flows
                .iter_mut()
                .for_each(|flow| flow.destination_port = port);
        }
        let plan = AddressPlan::new(traffic.family, traffic.endpoints);
        let mut hosts = stream(traffic.seed, "hosts");
        let picker = DestinationPicker::new(traffic.destinations, traffic.population(), &mut picks);
        let mut deck = SizeDeck::new(traffic.frame_size);

        let mut scratch = Vec::new();
        let mut lines = Vec::with_capacity(n);
        let mut lens = Vec::with_capacity(n);
        for _ in 0..n {
            let destination = if misses.random::<f64>() >= traffic.hit_ratio {
                plan.miss(&mut misses)
            } else {
                let index = picker.draw(&mut picks);
                match &traffic.routes {
                    Some(routes) => routes.destination(index, &mut hosts),
                    None => plan.endpoint(index),
                }
            };
            let Some(flow) = flows.get(flow_picks.random_range(0..flows.len())) else {
                continue;
            };
            let size = deck.deal(&mut sizes);
            let (line, len) = lay_out(flow, destination, size, &tail, &mut scratch);
            lines.push(line);
            lens.push(len);
        }
        Self {
            round: Arc::new(Round { lines, lens, tail }),
            at: 0,
        }
    }

    /// Frames of a round.
    pub fn len(&self) -> usize {
        self.round.lines.len()
    }

    /// Whether there is none. Never.
    pub fn is_empty(&self) -> bool {
        self.round.lines.is_empty()
    }
}

impl Source for Sequence {
    fn longest(&self) -> usize {
        self.round.lens.iter().copied().max().unwrap_or(0).into()
    }

    fn rewind(&mut self) {
        self.at = 0;
    }

    #[inline]
    fn fill(&mut self, mut frames: &mut [Frame]) {
        while !frames.is_empty() {
            // A run up to the end of the round: one check of bounds for all of it.
            let lines = self.round.lines.get(self.at..).unwrap_or_default();
            let lens = self.round.lens.get(self.at..).unwrap_or_default();
            let n = frames.len().min(lines.len());
            let (run, rest) = frames.split_at_mut(n);
            for ((frame, line), &len) in run.iter_mut().zip(lines).zip(lens) {
                let len = usize::from(len);
                // The whole line in one copy of a fixed size, then the length put right. It fits:
                // the queue was opened with slots for the longest frame.
                let mut written = frame.set_data(&line.0);
                if len > line.0.len() {
                    written = written.and_then(|()| frame.append(self.round.tail.behind_line(len)));
                } else {
                    frame.truncate(len);
                }
                debug_assert!(written.is_ok());
            }
            self.at += n;
            if self.at >= self.round.lines.len() {
                self.at = 0;
            }
            if n == 0 {
                return;
            }
            frames = rest;
        }
    }

    fn skip(&mut self, n: u64) {
        let len = self.round.lines.len().max(1);
        self.at = (self.at + (n % len as u64) as usize) % len;
    }
}
