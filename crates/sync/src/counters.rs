//! Counters with one writer and any number of readers.
//!
//! A block belongs to one writer, by type: [`CounterWriter`] cannot be cloned and counts through
//! `&mut self`. So to count is a plain load and a plain store, without a read-modify-write, and
//! since a block fills cache lines of its own, no writer ever waits for a line that another writes.
//! Readers may look at any time, from any thread: each counter read is a value it really had, never
//! torn and never going back; two counters read one after the other may be from different moments.
//! Totals over workers are the readers' to add up.

use crossbeam::utils::CachePadded;
use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Counters on one cache line pair: 128 bytes, since processors fetch lines by pairs.
const PER_LINE: usize = 16;

/// Aligned to 128 bytes where that is what keeps two lines apart, and 128 bytes long in any case.
type Line = CachePadded<[AtomicU64; PER_LINE]>;

/// What a block of counters is indexed by: usually an enum, one variant per outcome.
pub trait CounterKey: Copy + 'static {
    /// How many keys there are.
    const COUNT: usize;

    /// The key's place: under [`COUNT`](Self::COUNT), different for each key.
    fn index(self) -> usize;
}

/// Makes a block of [`CounterKey::COUNT`] counters, all 0: the end that counts and the end that
/// reads.
pub fn counters<K: CounterKey>() -> (CounterWriter<K>, CounterReader<K>) {
    let block: Block<K> = Block {
        lines: (0..K::COUNT.div_ceil(PER_LINE))
            .map(|_| Line::default())
            .collect(),
        keys: PhantomData,
    };
    (
        CounterWriter {
            block: block.clone(),
        },
        CounterReader { block },
    )
}

/// The value of `key` summed over `readers`, wrapping as the counters do.
pub fn sum<'a, K: CounterKey>(
    readers: impl IntoIterator<Item = &'a CounterReader<K>>,
    key: K,
) -> u64 {
    readers
        .into_iter()
        .fold(0, |sum, reader| sum.wrapping_add(reader.value(key)))
}

struct Block<K> {
    lines: Arc<[Line]>,
    keys: PhantomData<fn(K)>,
}

impl<K> Clone for Block<K> {
    fn clone(&self) -> Self {
        Self {
            lines: Arc::clone(&self.lines),
            keys: PhantomData,
        }
    }
}

impl<K: CounterKey> Block<K> {
    #[inline]
    fn counter(&self, key: K) -> &AtomicU64 {
        let index = key.index();
        debug_assert!(index < K::COUNT, "counter key {index} of {}", K::COUNT);
        &self.lines[index / PER_LINE][index % PER_LINE]
    }

    fn values(&self) -> impl Iterator<Item = u64> {
        self.lines
            .iter()
            .flat_map(|line| line.iter())
            .take(K::COUNT)
            .map(|counter| counter.load(Relaxed))
    }
}

/// The end of a block that counts: one per block, used by one thread at a time.
///
/// ```compile_fail,E0599
/// # use corelane_sync::counters::{CounterKey, counters};
/// # #[derive(Clone, Copy)] struct Received;
/// # impl CounterKey for Received { const COUNT: usize = 1; fn index(self) -> usize { 0 } }
/// let (writer, _reader) = counters::<Received>();
/// let second_writer = writer.clone();
/// ```
pub struct CounterWriter<K> {
    block: Block<K>,
}

impl<K: CounterKey> CounterWriter<K> {
    /// Adds `n` to a counter, wrapping at 2⁶⁴.
    ///
    /// # Panics
    ///
    /// May panic if the key's index is not under its [`CounterKey::COUNT`].
    #[inline]
    pub fn add(&mut self, key: K, n: u64) {
        let counter = self.block.counter(key);
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// A counter's value.
    ///
    /// # Panics
    ///
    /// As [`add`](Self::add).
    #[inline]
    pub fn value(&self, key: K) -> u64 {
        self.block.counter(key).load(Relaxed)
    }
}

/// The end of a block that reads.
pub struct CounterReader<K> {
    block: Block<K>,
}

impl<K: CounterKey> CounterReader<K> {
    /// A counter's value at some moment during the call; never less than what this thread read
    /// before.
    ///
    /// # Panics
    ///
    /// May panic if the key's index is not under its [`CounterKey::COUNT`].
    #[inline]
    pub fn value(&self, key: K) -> u64 {
        self.block.counter(key).load(Relaxed)
    }
}

impl<K> Clone for CounterReader<K> {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
        }
    }
}

impl<K: CounterKey> fmt::Debug for CounterWriter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.block.values()).finish()
    }
}

impl<K: CounterKey> fmt::Debug for CounterReader<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.block.values()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[derive(Clone, Copy)]
    struct Key(usize);

    impl CounterKey for Key {
        const COUNT: usize = 20;
        fn index(self) -> usize {
            self.0
        }
    }

    #[test]
    fn ends_can_be_sent_whatever_the_key() {
        fn sent<T: Send>(_: &T) {}
        fn shared<T: Sync>(_: &T) {}
        #[derive(Clone, Copy)]
        struct Unsent(*const u8);
        impl CounterKey for Unsent {
            const COUNT: usize = 1;
            fn index(self) -> usize {
                self.0 as usize
            }
        }
        let (writer, reader) = counters::<Unsent>();
        sent(&writer);
        sent(&reader);
        shared(&reader);
        assert_eq!(reader.value(Unsent(std::ptr::null())), 0);
    }

    #[test]
    fn each_key_counts_for_itself() {
        let (mut writer, reader) = counters::<Key>();
        for i in 0..Key::COUNT {
            assert_eq!(reader.value(Key(i)), 0);
            writer.add(Key(i), i as u64);
            writer.add(Key(i), 100);
        }
        for i in 0..Key::COUNT {
            assert_eq!(
                (writer.value(Key(i)), reader.clone().value(Key(i))),
                (i as u64 + 100, i as u64 + 100)
            );
        }
    }

    #[test]
    fn counters_wrap() {
        let (mut writer, reader) = counters::<Key>();
        writer.add(Key(3), u64::MAX);
        writer.add(Key(3), 3);
        assert_eq!(reader.value(Key(3)), 2);
    }

    #[test]
    fn sums_over_writers() {
        let blocks: Vec<_> = (1..=3)
            .map(|n| {
                let (mut writer, reader) = counters::<Key>();
                writer.add(Key(7), n);
                reader
            })
            .collect();
        assert_eq!(sum(&blocks, Key(7)), 6);
        assert_eq!(sum(&blocks, Key(8)), 0);
        assert_eq!(sum(&[], Key(7)), 0);
    }

    #[test]
    fn blocks_share_no_line() {
        let blocks: Vec<_> = (0..8).map(|_| counters::<Key>()).collect();
        for (writer, _) in &blocks {
            let lines = &writer.block.lines;
            assert_eq!(lines.as_ptr() as usize % align_of::<Line>(), 0);
            assert_eq!(size_of_val(&**lines) % 128, 0);
            // The reference counts, which readers write, lie before the lines: a whole line before,
            // as the lines are aligned to one.
            #[cfg(target_arch = "x86_64")]
            assert_eq!(align_of::<Line>(), 128);
        }
    }

    #[test]
    fn no_counters_at_all() {
        #[derive(Clone, Copy)]
        enum Never {}
        impl CounterKey for Never {
            const COUNT: usize = 0;
            fn index(self) -> usize {
                match self {}
            }
        }
        let (writer, reader) = counters::<Never>();
        assert_eq!(
            (format!("{writer:?}"), format!("{reader:?}")),
            ("[]".into(), "[]".into())
        );
    }

    #[test]
    fn readers_never_see_a_counter_go_back() {
        let (mut writer, reader) = counters::<Key>();
        thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut last = 0;
                while last < 200_000 {
                    let now = reader.value(Key(19));
                    assert!(now >= last && now.is_multiple_of(2));
                    last = now;
                }
            });
            for _ in 0..100_000 {
                writer.add(Key(19), 2);
            }
            reading.join().unwrap();
        });
        assert_eq!(writer.value(Key(19)), 200_000);
    }
}
