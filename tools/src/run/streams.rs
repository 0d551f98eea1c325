//! Streams of a profile, and what was counted of each.

use serde_json::{Value, json};

use super::Measured;
use crate::generator::{Carried, StreamTotals, Traffic};
use crate::report::{StreamShare, StreamSums};
use crate::sink::StreamSeen;
use crate::unit::Arrival;

/// When the frames of a stream come.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// What it is called.
    pub name: String,
    /// How its frames come, if a profile says so.
    pub arrival: Option<Arrival>,
    /// Its frames per second; 1 without a profile.
    pub pps: f64,
    /// From when, in nanoseconds from the start of a window.
    pub start: u64,
    /// To when.
    pub stop: u64,
}

impl Stream {
    /// Frames that are due in the first `seconds` of a window, at its rate.
    pub fn frames_within(&self, seconds: f64) -> f64 {
        let [start, stop] = [self.start, self.stop].map(|ns| ns as f64 / 1e9);
        self.pps * (seconds.min(stop) - start).max(0.0)
    }

    /// What makes it another load than another, as one of a profile, with frames of this traffic.
    pub(super) fn flags(&self, traffic: &Traffic, carried: &Carried, mean_bytes: f64) -> Value {
        json!({
            "name": self.name,
            "pps": self.pps,
            "arrival": self.arrival.map(|arrival| arrival.to_string()),
            "start_s": self.start as f64 / 1e9,
            "stop_s": (self.stop != u64::MAX).then_some(self.stop as f64 / 1e9),
            "frame_size": traffic.frame_size.to_string(),
            "mean_bytes": mean_bytes,
            "family": traffic.family.to_string(),
            "destinations": traffic.destinations.to_string(),
            "hit_ratio": traffic.hit_ratio,
            "flows": traffic.flows,
            "flow_law": traffic.flow_law.to_string(),
            "protocols": traffic.protocols.to_string(),
            "protocols_of": carried.of_name(),
            "malformed": traffic.malformed,
            "vlan": traffic.vlan,
            "port": traffic.port,
        })
    }
}

impl Measured {
    /// What was found of each stream of a profile.
    fn streams_seen(&self) -> Vec<StreamSeen> {
        let mut all = vec![StreamSeen::default(); self.streams.len()];
        for end in self.handled.iter().chain(&self.taken) {
            for (all, seen) in all.iter_mut().zip(&end.streams) {
                all.add(seen);
            }
        }
        all
    }

    /// Sums over the streams of a profile; none without one.
    pub(super) fn stream_sums(&self) -> Option<StreamSums> {
        let sent = self.streams.iter().map(StreamTotals::sent);
        let seen = self.streams_seen();
        (!seen.is_empty()).then(|| StreamSums {
            sent: sent.sum(),
            unique: seen.iter().map(|it| it.order.unique()).sum(),
        })
    }

    /// Frames of a stream, or of all, that were sent with a number to who looks at it: who reads sockets does not.
    pub(super) fn looked_at(&self, numbered: u64) -> u64 {
        match self.sockets {
            Some(_) => 0,
            None => numbered,
        }
    }

    /// What became of each of these streams.
    pub(super) fn stream_shares(&self, streams: &[Stream]) -> Option<Vec<StreamShare>> {
        let seen = self.streams_seen();
        let counted = self.streams.iter().zip(&seen);
        let shares = streams.iter().zip(counted).map(|(stream, (totals, seen))| {
            let numbered = self.looked_at(totals.numbered);
            let totals = StreamTotals {
                numbered,
                ..*totals
            };
            StreamShare::new(stream, &totals, seen)
        });
        (!seen.is_empty()).then(|| shares.collect())
    }
}
