//! From a hash to a worker.

use std::num::NonZeroUsize;

/// Entries of the indirection table.
pub const INDIRECTION_ENTRIES: usize = 128;

/// Which worker the frames of each of 128 classes of hashes go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndirectionTable {
    // 128 workers at most: the table is two cache lines.
    entries: [u8; INDIRECTION_ENTRIES],
    workers: u8,
}

/// An entry or a table that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndirectionError {
    /// More workers than entries: some would never get a frame.
    #[error("{workers} workers cannot share an indirection table of {INDIRECTION_ENTRIES} entries")]
    TooManyWorkers {
        /// The workers that were asked for.
        workers: usize,
    },
    /// No such entry.
    #[error("no entry {index} in an indirection table of {INDIRECTION_ENTRIES} entries")]
    NoEntry {
        /// The entry that was asked for.
        index: usize,
    },
    /// No such worker.
    #[error("no worker {worker}: there are {workers}, the first is 0")]
    NoWorker {
        /// The worker that was asked for.
        worker: usize,
        /// The workers there are.
        workers: usize,
    },
}

impl IndirectionTable {
    /// A table that spreads the entries evenly over workers 0 to `workers` - 1: in turn, so that
    /// no worker has more than one entry more than another.
    ///
    /// # Errors
    /// [`IndirectionError::TooManyWorkers`] for more workers than entries.
    pub fn even(workers: NonZeroUsize) -> Result<Self, IndirectionError> {
        let too_many = IndirectionError::TooManyWorkers {
            workers: workers.get(),
        };
        if workers.get() > INDIRECTION_ENTRIES {
            return Err(too_many);
        }
        let workers = u8::try_from(workers.get()).map_err(|_| too_many)?;
        let mut entries = [0; INDIRECTION_ENTRIES];
        for (entry, worker) in entries.iter_mut().zip((0..workers).cycle()) {
            *entry = worker;
        }
        Ok(Self { entries, workers })
    }

    /// The workers there are.
    pub fn workers(&self) -> usize {
        usize::from(self.workers)
    }

    /// The worker that a frame with this hash goes to: less than [`Self::workers`].
    #[inline]
    pub fn worker(&self, hash: u32) -> usize {
        usize::from(self.entries[hash as usize % INDIRECTION_ENTRIES])
    }

    /// The worker of each entry.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.entries.iter().map(|&worker| usize::from(worker))
    }

    /// Gives an entry to a worker.
    ///
    /// # Errors
    /// [`IndirectionError::NoEntry`] or [`IndirectionError::NoWorker`]: then nothing was changed.
    pub fn set(&mut self, index: usize, worker: usize) -> Result<(), IndirectionError> {
        let workers = self.workers();
        let entry = self
            .entries
            .get_mut(index)
            .ok_or(IndirectionError::NoEntry { index })?;
        match u8::try_from(worker) {
            Ok(worker) if worker < self.workers => *entry = worker,
            _ => return Err(IndirectionError::NoWorker { worker, workers }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(workers: usize) -> Result<IndirectionTable, IndirectionError> {
        IndirectionTable::even(NonZeroUsize::new(workers).unwrap())
    }

    #[test]
    fn spreads_evenly() {
        for workers in 1..=128 {
            let table = even(workers).unwrap();
            assert_eq!(table.workers(), workers);
            let mut count = vec![0; workers];
            for worker in table.entries() {
                count[worker] += 1;
            }
            let (least, most) = (count.iter().min().unwrap(), count.iter().max().unwrap());
            assert!(most - least <= 1, "{workers} workers: {count:?}");
        }
        assert_eq!(
            even(129),
            Err(IndirectionError::TooManyWorkers { workers: 129 })
        );
        assert_eq!(
            even(1 << 20),
            Err(IndirectionError::TooManyWorkers { workers: 1 << 20 })
        );
    }

    #[test]
    fn looks_up_by_the_low_seven_bits() {
        let mut table = even(3).unwrap();
        assert_eq!(table.worker(0), 0);
        assert_eq!(table.worker(0xffff_ff80 + 4), 1);
        table.set(4, 2).unwrap();
        assert_eq!(table.worker(4), 2);
        assert_eq!(table.worker(0x8000_0004), 2);
        assert_eq!(table.worker(5), 2);
        assert_eq!(table.worker(u32::MAX), 127 % 3);
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        let mut table = even(3).unwrap();
        let before = table.clone();
        assert_eq!(
            table.set(128, 0),
            Err(IndirectionError::NoEntry { index: 128 })
        );
        for worker in [3, 256, usize::MAX] {
            let error = IndirectionError::NoWorker { worker, workers: 3 };
            assert_eq!(table.set(0, worker), Err(error));
        }
        assert_eq!(table, before);
        assert_eq!(
            table.set(0, 3).unwrap_err().to_string(),
            "no worker 3: there are 3, the first is 0"
        );
    }
}
