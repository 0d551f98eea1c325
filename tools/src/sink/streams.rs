//! What is counted of each stream of a profile, beside what is counted of all.

use corelane::sync::counters::{CounterKey, CounterReader, CounterWriter, counters};

use super::{Arrival, OrderShare};
use crate::latency::{self, Latencies, LatencyReader, LatencyWriter, Snapshot};

/// What is counted, of frames.
#[derive(Clone, Copy, Debug)]
enum Count {
    InOrder,
    Reordered,
    Duplicates,
    TooLate,
    Bytes,
}

impl CounterKey for Count {
    const COUNT: usize = 5;

    fn index(self) -> usize {
        self as usize
    }
}

/// The end that counts: one, used by one thread at a time. With no streams it counts nothing.
pub struct StreamCounts(Box<[StreamCount]>);

struct StreamCount {
    counts: CounterWriter<Count>,
    latency: Option<LatencyWriter>,
}

/// The end that reads.
#[derive(Clone)]
pub struct StreamReaders(Vec<StreamReader>);

#[derive(Clone)]
struct StreamReader {
    counts: CounterReader<Count>,
    latency: Option<LatencyReader>,
}

/// What was counted of a stream in a window.
#[derive(Clone, Debug, Default)]
pub struct StreamSeen {
    /// What was found of its frames, as far as they say which stream they are of.
    pub order: OrderShare,
    /// Bytes of those.
    pub bytes: u64,
    /// Nanoseconds from planned send time to here, if measured.
    pub latency: Option<Latencies>,
}

/// What had been counted of each stream at some moment.
#[derive(Clone, Debug, Default)]
pub struct StreamMark(Vec<(OrderShare, u64, Snapshot)>);

/// Counts of so many streams: the end that counts, and the end that reads.
pub fn stream_counts(streams: usize, with_latency: bool) -> (StreamCounts, StreamReaders) {
    let both = (0..streams).map(|_| {
        let (writer, reader) = counters();
        let (record, recorded) = with_latency.then(latency::shared).unzip();
        let count = StreamCount {
            counts: writer,
            latency: record,
        };
        let reader = StreamReader {
            counts: reader,
            latency: recorded,
        };
        (count, reader)
    });
    let (counts, readers): (Vec<_>, Vec<_>) = both.unzip();
    (StreamCounts(counts.into()), StreamReaders(readers))
}

impl StreamCounts {
    /// Whether there is no stream to be counted.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes note of a frame of so many bytes.
    pub fn note(&mut self, stream: u8, arrival: Arrival, bytes: usize) {
        let Some(StreamCount { counts, .. }) = self.0.get_mut(usize::from(stream)) else {
            return;
        };
        let count = match arrival {
            Arrival::InOrder => Count::InOrder,
            Arrival::Reordered => Count::Reordered,
            Arrival::Duplicate => Count::Duplicates,
            Arrival::TooLate => Count::TooLate,
        };
        counts.add(count, 1);
        counts.add(Count::Bytes, bytes as u64);
    }

    /// Records how long a frame took, if that is measured.
    pub fn record(&mut self, stream: u8, ns: u64) {
        let of = self.0.get_mut(usize::from(stream));
        if let Some(latency) = of.and_then(|it| it.latency.as_mut()) {
            latency.record(ns, 1);
        }
    }
}

impl StreamReader {
    fn order(&self) -> OrderShare {
        OrderShare {
            in_order: self.counts.value(Count::InOrder),
            reordered: self.counts.value(Count::Reordered),
            duplicates: self.counts.value(Count::Duplicates),
            too_late: self.counts.value(Count::TooLate),
            ..OrderShare::default()
        }
    }

    fn mark(&self) -> (OrderShare, u64, Snapshot) {
        let latency = self.latency.as_ref().map(|latency| {
            latency.forget_extremes();
            latency.snapshot()
        });
        let bytes = self.counts.value(Count::Bytes);
        (self.order(), bytes, latency.unwrap_or_default())
    }

    fn since(&self, (order, bytes, latency): &(OrderShare, u64, Snapshot)) -> StreamSeen {
        StreamSeen {
            order: self.order().since(order),
            bytes: self.counts.value(Count::Bytes) - bytes,
            latency: self.latency.as_ref().map(|reader| reader.since(latency)),
        }
    }
}

impl StreamReaders {
    /// Begins a window. Only while nothing is in flight: the extremes of latencies are forgotten.
    pub fn mark(&self) -> StreamMark {
        StreamMark(self.0.iter().map(StreamReader::mark).collect())
    }

    /// What was counted of each stream since then.
    pub fn since(&self, mark: &StreamMark) -> Vec<StreamSeen> {
        let nothing = Default::default();
        let marks = mark.0.iter().chain(std::iter::repeat(&nothing));
        let readers = self.0.iter().zip(marks);
        readers.map(|(reader, mark)| reader.since(mark)).collect()
    }
}

impl StreamSeen {
    /// Adds what another recorder was given of the stream.
    pub fn add(&mut self, other: &Self) {
        self.order = self.order.and(&other.order);
        self.bytes += other.bytes;
        match (&mut self.latency, &other.latency) {
            (Some(all), Some(latency)) => all.add(latency),
            (all, latency) => *all = all.take().or_else(|| latency.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_counts_of_its_own_in_each_window() {
        let (mut counts, readers) = stream_counts(2, true);
        assert!(!counts.is_empty());
        counts.note(1, Arrival::InOrder, 100);
        counts.record(1, 5);
        let mark = readers.mark();
        for (stream, arrival, ns) in [
            (0, Arrival::InOrder, 10),
            (1, Arrival::Reordered, 20),
            (1, Arrival::InOrder, 40),
            (1, Arrival::Duplicate, 60),
            (0, Arrival::TooLate, 70),
            // There is no such stream.
            (2, Arrival::InOrder, 80),
        ] {
            counts.note(stream, arrival, 60);
            counts.record(stream, ns);
        }
        let seen = readers.since(&mark);
        let [first, second] = &seen[..] else {
            panic!("{seen:?}");
        };
        let orders = [first, second].map(|it| it.order);
        let expected = [
            OrderShare {
                in_order: 1,
                too_late: 1,
                ..OrderShare::default()
            },
            OrderShare {
                in_order: 1,
                reordered: 1,
                duplicates: 1,
                ..OrderShare::default()
            },
        ];
        assert_eq!((orders, first.bytes, second.bytes), (expected, 120, 180));
        let range = |it: &StreamSeen| it.latency.as_ref().map(|it| (it.min, it.max));
        assert_eq!(
            (range(first), range(second)),
            (Some((10, 70)), Some((20, 60)))
        );

        let mut both = first.clone();
        both.add(second);
        assert_eq!((both.bytes, range(&both)), (300, Some((10, 70))));
        assert_eq!(both.order.unique(), 3);
        assert!(stream_counts(0, true).0.is_empty());
    }
}
