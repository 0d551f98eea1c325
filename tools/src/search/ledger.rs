//! What became of the frames of trials.

use serde::Serialize;

use super::trial::Trial;

/// Frames that did not come through, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Not sent in time.
    pub unsent: u64,
    /// A worker's ring was full.
    pub ring_full: u64,
    /// There was no buffer.
    pub pool_empty: u64,
    /// The engine dropped them.
    pub dropped: u64,
    /// None of these: on real links, what did not come back.
    pub on_way: u64,
}

/// The books of all trials of a search together: `intended` is `sent` and what was not, `sent` is `received` and what
/// was lost, by cause. Duplicates that came back over real links are received twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// How many there were.
    pub trials: u64,
    /// Frames that were to be sent.
    pub intended: u64,
    /// That were.
    pub sent: u64,
    /// That came through.
    pub received: u64,
    /// Those that did not.
    pub lost: Lost,
    /// The latest that frames were sent in a trial, by p99.9: the worst of all, in nanoseconds.
    pub sent_late_p999_ns: u64,
}

impl Lost {
    /// That were sent.
    fn after_sending(&self) -> u64 {
        self.ring_full + self.pool_empty + self.dropped + self.on_way
    }

    /// Of so many that were sent, those that are neither received nor here.
    pub(super) fn missing(&self, sent: u64, received: u64) -> u64 {
        sent.saturating_sub(received + self.after_sending())
    }

    fn and(self, other: Self) -> Self {
        Self {
            unsent: self.unsent + other.unsent,
            ring_full: self.ring_full + other.ring_full,
            pool_empty: self.pool_empty + other.pool_empty,
            dropped: self.dropped + other.dropped,
            on_way: self.on_way + other.on_way,
        }
    }
}

impl Books {
    /// Of these trials.
    pub fn of<'t>(trials: impl IntoIterator<Item = &'t Trial>) -> Self {
        trials
            .into_iter()
            .fold(Self::default(), |books, trial| Self {
                trials: books.trials + 1,
                intended: books.intended + trial.intended,
                sent: books.sent + trial.sent,
                received: books.received + trial.received,
                lost: books.lost.and(trial.lost),
                sent_late_p999_ns: books.sent_late_p999_ns.max(trial.sent_late_p999_ns),
            })
    }

    /// Whether every frame is accounted for, once.
    pub fn holds(&self) -> bool {
        self.intended == self.sent + self.lost.unsent
            && self.sent <= self.received + self.lost.after_sending()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::trial::TrialInput;
    use super::*;

    #[test]
    fn books_that_do_not_balance_are_found_out() {
        let input = TrialInput {
            load: 1000,
            duration: Duration::from_secs(1),
        };
        let lost = Lost {
            unsent: 10,
            ring_full: 5,
            pool_empty: 4,
            dropped: 3,
            on_way: 2,
        };
        let of = |received, lost| Trial::new(input, 1000, 990, received, None).with_causes(lost, 7);
        let whole = of(976, lost);
        let books = Books::of(&[whole, whole]);
        assert!(books.holds());
        assert_eq!(
            (books.trials, books.intended, books.received),
            (2, 2000, 1952)
        );
        assert_eq!((books.lost.dropped, books.sent_late_p999_ns), (6, 7));
        assert!(!Books::of(&[of(975, lost)]).holds());
        assert!(!Books::of(&[of(976, Lost { unsent: 9, ..lost })]).holds());
    }
}
