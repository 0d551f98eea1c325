//! From counters to results, over real links.

use std::collections::BTreeMap;

use corelane::sync::counters::CounterReader;

use super::ports::{Port, Ports};
use super::receiver::Received;
use super::sender::Sent;
use super::streams::LinkStream;
use crate::generator::Totals;
use crate::latency::{Latencies, Percentiles};
use crate::report::{
    Accounting, GeneratorDrops, Identity, Limit, LinkEnd, LinkShare, OrderReport, StreamShare,
    StreamSums, Unsent,
};
use crate::run::{Interval, Stream, TrialResult};
use crate::sink::OrderShare;
use crate::threads::Waited;

/// What the links count of frames that the kernel had for the receiver, and had no room for.
const DROPPED: [&str; 3] = ["kernel_dropped", "kernel_ring_full", "super_frames_dropped"];

/// A share of frames that may be late by chance.
const FEW: f64 = 0.001;

/// Counts of both threads, and of the links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Frames that the link took.
    pub sent: u64,
    /// Frames that it did not take.
    pub not_taken: u64,
    /// All that came.
    pub frames: u64,
    /// Bytes of frames of the trial.
    pub bytes: u64,
    /// What was found of frames of the trial.
    pub order: OrderShare,
    /// Numbered frames that were none of the trial's.
    pub strays: u64,
    /// Frames of others.
    pub foreign: u64,
    /// Of these, questions that were answered.
    pub answered: u64,
    /// What the links count, by name.
    pub tx_link: BTreeMap<String, u64>,
    /// Likewise.
    pub rx_link: BTreeMap<String, u64>,
}

impl Seen {
    pub(super) fn read(
        sent: &CounterReader<Sent>,
        received: &CounterReader<Received>,
        tx_link: Vec<(String, u64)>,
        rx_link: Vec<(String, u64)>,
    ) -> Self {
        let of = |key| received.value(key);
        Self {
            sent: sent.value(Sent::Taken),
            not_taken: sent.value(Sent::NotTaken),
            frames: of(Received::Frames),
            bytes: of(Received::Bytes),
            order: OrderShare {
                in_order: of(Received::InOrder),
                reordered: of(Received::Reordered),
                duplicates: of(Received::Duplicates),
                corrupt: of(Received::Corrupt),
                ..OrderShare::default()
            },
            strays: of(Received::Strays),
            foreign: of(Received::Foreign),
            answered: of(Received::Answered),
            tx_link: tx_link.into_iter().collect(),
            rx_link: rx_link.into_iter().collect(),
        }
    }

    /// Frames that may be of the trial.
    pub(super) fn of_trial(&self) -> u64 {
        self.order.all() + self.strays
    }

    /// What was counted since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let links = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let since = |(name, count): (&String, &u64)| {
                let before = before.get(name).copied().unwrap_or(0);
                (name.clone(), count.saturating_sub(before))
            };
            now.iter().map(since).collect()
        };
        Self {
            sent: self.sent - earlier.sent,
            not_taken: self.not_taken - earlier.not_taken,
            frames: self.frames - earlier.frames,
            bytes: self.bytes - earlier.bytes,
            order: self.order.since(&earlier.order),
            strays: self.strays - earlier.strays,
            foreign: self.foreign - earlier.foreign,
            answered: self.answered - earlier.answered,
            tx_link: links(&self.tx_link, &earlier.tx_link),
            rx_link: links(&self.rx_link, &earlier.rx_link),
        }
    }
}

/// What was counted in a trial.
#[derive(Clone, Debug)]
pub struct LinkMeasured {
    /// Whether there was no plan.
    pub at_max: bool,
    /// What the generator says.
    pub totals: Totals,
    /// What the threads and the links counted.
    pub seen: Seen,
    /// The longest time from one poll of the receiver to the next, in nanoseconds.
    pub longest_gap_ns: u64,
    /// From planned to received, if it was measured.
    pub latency: Option<Latencies>,
    /// What happened when.
    pub intervals: Vec<Interval>,
    /// Of each stream of a profile; nothing without one.
    pub streams: Vec<LinkStream>,
}

impl LinkMeasured {
    /// The seconds of the window.
    pub fn seconds(&self) -> f64 {
        self.totals.elapsed_ns as f64 / 1e9
    }

    /// Frames received that were sent, each once.
    pub fn unique(&self) -> u64 {
        self.seen.order.unique()
    }

    /// Frames sent that did not come back as they were.
    pub fn lost(&self) -> u64 {
        self.seen.sent.saturating_sub(self.unique())
    }

    /// Frames that came and found no room at the tester.
    pub fn lost_by_tester(&self) -> u64 {
        let counts = DROPPED
            .iter()
            .filter_map(|name| self.seen.rx_link.get(*name));
        counts.sum()
    }

    /// Planned and not sent.
    pub fn unsent(&self) -> Unsent {
        Unsent {
            late: self.totals.late,
            no_buffer: self.totals.pool_empty,
            not_taken: self.seen.not_taken,
            ..Unsent::default()
        }
    }

    /// What kept the rate from being higher, or from being what was planned.
    pub fn limit(&self) -> Limit {
        if self.at_max {
            return Limit::Link;
        }
        let unsent = self.unsent().all();
        if unsent as f64 > FEW * self.totals.intended as f64 {
            Limit::Generator
        } else {
            Limit::None
        }
    }

    /// Whether what was lost, or not sent, is the tester's.
    pub fn is_testers(&self) -> bool {
        self.limit() == Limit::Generator || self.lost_by_tester() > 0
    }

    /// Percentiles of the latencies.
    pub fn percentiles(&self) -> Option<Percentiles> {
        self.latency.as_ref().map(Percentiles::of_latencies)
    }

    /// Whether the books balance. What is lost is no violation, nor what comes in another order, which is a property of
    /// the device (RFC 4737).
    pub fn check(&self) -> Accounting {
        let seen = &self.seen;
        let order = &seen.order;
        let mut identities = vec![
            Identity::of(
                "intended = sent + unsent",
                self.totals.intended,
                seen.sent + self.unsent().all(),
            ),
            Identity::of(
                "emitted = taken by the link + not taken",
                self.totals.emitted,
                seen.sent + seen.not_taken,
            ),
            Identity::of(
                "sent = received unique + lost",
                seen.sent,
                self.unique() + self.lost(),
            ),
            Identity::of(
                "frames that came = received unique + duplicates + corrupt + strays + foreign",
                seen.frames,
                order.all() + seen.strays + seen.foreign,
            ),
            Identity::of("duplicates = 0", order.duplicates, 0),
            Identity::of("corrupt = 0", order.corrupt, 0),
        ];
        if !self.streams.is_empty() {
            let sum = |of: fn(&LinkStream) -> u64| self.streams.iter().map(of).sum();
            let sums = StreamSums {
                sent: sum(LinkStream::sent),
                unique: sum(|stream| stream.seen.order.unique()),
            };
            identities.extend(sums.identities(seen.sent, self.unique()));
        }
        Accounting::of(identities)
    }

    pub(super) fn result(self) -> TrialResult<Self> {
        let latency = self.percentiles();
        let lateness = self.totals.lateness;
        TrialResult {
            seconds: self.seconds(),
            intended: self.totals.intended,
            offered: self.seen.sent,
            unsent: self.unsent(),
            received: self.unique(),
            drops: GeneratorDrops::default(),
            dropped: 0,
            in_flight: 0,
            latency,
            lateness,
            lateness_polled: self.totals.lateness_polled,
            waited: Waited::default(),
            limit: self.limit(),
            tester_limited: latency.map(|latency| lateness.spoils(&latency)),
            accounting: self.check(),
            lost_by_tester: self.lost_by_tester(),
            measured: self,
        }
    }

    /// Order, duplicates and corruption.
    pub fn order(&self) -> OrderReport {
        OrderReport::new(self.seen.sent, self.seen.order)
    }

    /// What became of each of these streams of a profile; none without one.
    pub fn stream_shares(&self, streams: &[Stream]) -> Option<Vec<StreamShare>> {
        let counted = streams.iter().zip(&self.streams);
        let shares = counted.map(|(stream, counted)| {
            let LinkStream {
                totals,
                not_taken,
                seen,
            } = counted;
            StreamShare::on_links(stream, totals, *not_taken, seen)
        });
        (!self.streams.is_empty()).then(|| shares.collect())
    }

    /// What a report says of the links.
    pub fn share(&self, ports: &Ports) -> LinkShare {
        let end = |port: &Port, counters: &BTreeMap<String, u64>| LinkEnd {
            link: port.name().to_string(),
            mtu: port.mtu(),
            counters: counters.clone(),
        };
        let device = ports.device();
        LinkShare {
            tx: end(ports.tx(), &self.seen.tx_link),
            rx: end(ports.rx(), &self.seen.rx_link),
            destination_mac: device.mac.to_string(),
            resolved_from: device.resolved.map(|address| address.to_string()),
            timestamps: if ports.has_stamps() { "link" } else { "poll" },
            lost: self.lost(),
            loss_ratio: self.lost() as f64 / self.seen.sent.max(1) as f64,
            frames: self.seen.frames,
            strays: self.seen.strays,
            foreign: self.seen.foreign,
            answered: self.seen.answered,
            lost_by_tester: self.lost_by_tester(),
            longest_poll_gap_ns: self.longest_gap_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 planned, 10 of them not sent, 40 lost, 3 of the others late on their way.
    fn measured() -> LinkMeasured {
        LinkMeasured {
            at_max: false,
            totals: Totals {
                intended: 1000,
                emitted: 994,
                late: 4,
                pool_empty: 2,
                ..Totals::default()
            },
            seen: Seen {
                sent: 990,
                not_taken: 4,
                frames: 960,
                order: OrderShare {
                    in_order: 947,
                    reordered: 3,
                    ..OrderShare::default()
                },
                strays: 1,
                foreign: 9,
                ..Seen::default()
            },
            longest_gap_ns: 0,
            latency: None,
            intervals: Vec::new(),
            streams: Vec::new(),
        }
    }

    #[test]
    fn the_books_balance_whatever_is_lost_or_comes_in_another_order() {
        let measured = measured();
        assert!(measured.check().holds, "{:?}", measured.check());
        assert_eq!((measured.lost(), measured.unsent().all()), (40, 10));
        // One in a hundred was not sent: what was lost may be for that.
        assert_eq!(measured.limit(), Limit::Generator);
        let result = measured.result();
        assert_eq!((result.lost(), result.received), (50, 950));
    }

    #[test]
    fn each_changed_count_is_found() {
        let spoil: [fn(&mut LinkMeasured); 8] = [
            |it| it.totals.intended += 1,
            |it| it.totals.emitted += 1,
            |it| it.seen.sent += 1,
            |it| it.seen.not_taken += 1,
            |it| it.seen.frames += 1,
            |it| it.seen.foreign += 1,
            |it| {
                // More came than were sent.
                it.seen.order.in_order += 41;
                it.seen.frames += 41;
            },
            |it| {
                it.seen.order.duplicates += 1;
                it.seen.frames += 1;
            },
        ];
        for (i, spoil) in spoil.into_iter().enumerate() {
            let mut measured = measured();
            spoil(&mut measured);
            assert!(!measured.check().holds, "{i}");
        }
    }

    #[test]
    fn what_the_tester_lost_is_the_testers() {
        let mut measured = measured();
        measured.totals.intended = 990;
        (measured.totals.late, measured.totals.pool_empty) = (0, 0);
        (measured.seen.not_taken, measured.totals.emitted) = (0, 990);
        assert!(measured.check().holds && !measured.is_testers());
        measured.seen.rx_link.insert("kernel_dropped".to_owned(), 7);
        assert!(measured.is_testers());
        assert_eq!(measured.result().lost_by_tester, 7);
    }
}
