//! What became of each stream of a profile.

use serde::Serialize;

use super::{OrderReport, Unsent};
use crate::generator::StreamTotals;
use crate::latency::Percentiles;
use crate::run::Stream;
use crate::sink::StreamSeen;

/// What became of the frames of one stream.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are documented once, in `schema`")]
pub struct StreamShare {
    pub name: String,
    pub planned_pps: f64,
    pub arrival: Option<String>,
    pub intended: u64,
    pub sent: u64,
    pub unsent: Unsent,
    pub pool_empty: u64,
    pub received_bytes: u64,
    pub order: OrderReport,
    pub latency_ns: Option<Percentiles>,
}

impl StreamShare {
    /// Of a stream, what the generator says of it and what was found at the end of the way.
    pub fn new(stream: &Stream, totals: &StreamTotals, seen: &StreamSeen) -> Self {
        let latency = seen.latency.as_ref();
        Self {
            name: stream.name.clone(),
            planned_pps: stream.pps,
            arrival: stream.arrival.map(|arrival| arrival.to_string()),
            intended: totals.intended,
            sent: totals.sent(),
            unsent: Unsent {
                late: totals.late(),
                ..Unsent::default()
            },
            pool_empty: totals.pool_empty,
            received_bytes: seen.bytes,
            order: OrderReport::new(totals.numbered, seen.order),
            latency_ns: latency
                .map(Percentiles::of_latencies)
                .filter(|latency| latency.count > 0),
        }
    }

    /// On real links, where a frame is sent that the link took, `not_taken` were not, and all have numbers.
    pub fn on_links(
        stream: &Stream,
        totals: &StreamTotals,
        not_taken: u64,
        seen: &StreamSeen,
    ) -> Self {
        let sent = totals.emitted.saturating_sub(not_taken);
        let share = Self::new(stream, totals, seen);
        Self {
            sent,
            unsent: Unsent {
                no_buffer: totals.pool_empty,
                not_taken,
                ..share.unsent
            },
            pool_empty: 0,
            order: OrderReport::new(sent, seen.order),
            ..share
        }
    }

    /// The share of frames intended that did not arrive; none if there were others than numbered ones.
    pub fn lost_of_intended(&self) -> Option<f64> {
        let are_numbered = self.order.numbered + self.pool_empty >= self.sent;
        let arrived = self.order.found.unique();
        are_numbered
            .then(|| super::per(self.intended.saturating_sub(arrived), self.intended))
            .flatten()
    }

    /// The share of numbered frames that did not arrive; none if nobody looks at numbers.
    pub fn loss_ratio(&self) -> Option<f64> {
        let OrderReport {
            numbered, missing, ..
        } = self.order;
        super::per(missing, numbered)
    }
}
