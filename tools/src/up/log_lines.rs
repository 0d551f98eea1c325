//! Lines of the log on their way to standard error: who logs does not wait for who reads, or does not.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, SendTimeoutError, Sender, bounded};

/// Lines that wait at most.
const WAITING: usize = 1 << 12;

/// How long one may wait for room. A reader that is slow is waited for; one that takes nothing for so long, as a
/// terminal that was stopped or a pipe that nobody reads, is not any more until it goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last of them may take.
const LAST: Duration = Duration::from_secs(2);

/// Where lines are written to. Clones are the same.
#[derive(Clone)]
pub(super) struct LogLines {
    waiting: Sender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
    /// Whether the reader was not waited for the last time.
    is_stuck: AtomicBool,
}

impl LogLines {
    /// To `out`, by a thread of its own.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (waiting, lines) = bounded(WAITING);
        let counts = Arc::<Counts>::default();
        let of_thread = Arc::clone(&counts);
        thread::Builder::new()
            .name("log-lines".to_owned())
            .spawn(move || write(out, &lines, &of_thread))?;
        Ok(Self { waiting, counts })
    }

    /// How many lines there was no room for since this was last told. While there is none it is not: that would be
    /// lost too.
    pub(super) fn take_lost(&self) -> u64 {
        if self.counts.is_stuck.load(Ordering::Relaxed) {
            return 0;
        }
        self.counts.lost.swap(0, Ordering::Relaxed)
    }

    /// Waits until all lines of before are written, but not for long.
    pub(super) fn drain(&self) {
        let (taken, since) = (self.counts.taken.load(Ordering::Relaxed), Instant::now());
        while self.counts.written.load(Ordering::Relaxed) < taken && since.elapsed() < LAST {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Write for LogLines {
    /// Takes a line, which a record is written as, whole. It never fails: nobody could be told.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let counts = &self.counts;
        let patience = if counts.is_stuck.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        match self.waiting.send_timeout(line.to_vec(), patience) {
            Ok(()) => counts.taken.fetch_add(1, Ordering::Relaxed),
            Err(SendTimeoutError::Timeout(_) | SendTimeoutError::Disconnected(_)) => {
                counts.is_stuck.store(true, Ordering::Relaxed);
                counts.lost.fetch_add(1, Ordering::Relaxed)
            }
        };
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(mut out: impl Write, lines: &Receiver<Vec<u8>>, counts: &Counts) {
    for line in lines {
        // What cannot be written, as when the reader is gone, is nobody's to read.
        let _ = out.write_all(&line);
        counts.is_stuck.store(false, Ordering::Relaxed);
        counts.written.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeWriter, pipe};

    use super::*;

    #[test]
    fn lines_come_in_order_and_the_last_of_them_too() {
        let (reader, writer) = pipe().unwrap();
        let mut lines = LogLines::to(writer).unwrap();
        for number in 0..100 {
            lines.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        lines.drain();
        drop(lines);
        let came: Vec<_> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(came, (0..100).map(|it| it.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn who_logs_outlasts_a_reader_that_takes_nothing_and_what_is_lost_is_counted() {
        let (mut reader, writer) = pipe().unwrap();
        let mut lines = LogLines::to(writer).unwrap();
        let line = [b'a'; 1000];
        let count = 2 * WAITING as u64;
        for _ in 0..count {
            lines.write_all(&line).unwrap();
        }
        lines.drain();
        assert_eq!(lines.take_lost(), 0, "that would be lost too");
        // It reads on, and is waited for again.
        let mut clone = lines.clone();
        let reads = thread::spawn(move || io::copy(&mut reader, &mut io::sink()).unwrap());
        while clone.counts.is_stuck.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        let lost = clone.take_lost();
        assert!(lost > 0 && lost < count, "{lost}");
        clone.write_all(&line).unwrap();
        drop((lines, clone));
        assert_eq!(reads.join().unwrap(), (count - lost + 1) * 1000);
    }

    #[test]
    fn a_reader_that_is_gone_is_no_matter() {
        let (reader, writer): (_, PipeWriter) = pipe().unwrap();
        drop(reader);
        let mut lines = LogLines::to(writer).unwrap();
        lines.write_all(b"to nobody\n").unwrap();
        lines.drain();
        assert_eq!(lines.counts.written.load(Ordering::Relaxed), 1);
    }
}
