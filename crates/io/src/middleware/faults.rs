//! Faults on purpose: what a bad link does, exactly as often as asked for.

mod counts;
mod lane;
mod plan;
mod queues;

use std::sync::Arc;
use std::time::Duration;

use corelane_engine::link::{LinkError, Queues};
use corelane_frame::Pool;
use corelane_stack::{Clock, Time};

use super::Layer;
pub use counts::{DirectionCounts, FaultsCounters};
use counts::{LaneShared, Lanes};
use lane::Lane;
pub use plan::{FaultPlan, FaultsConfig, FaultsError, Share, Stall};
use queues::{FaultyRx, FaultyTx};

/// The [layer](Layer) that does to frames what a [plan](FaultPlan) says.
///
/// The queues of a link have a lane each, for each direction, and a lane draws from a generator of
/// its own, which the seed, the direction and the number of the queue begin: the frames of a queue
/// meet the same fate in every run with that seed. A direction whose plan is empty is left alone.
pub struct Faults {
    config: FaultsConfig,
    lanes: Arc<Lanes>,
    /// Queues of the link, as far as is known: for [`holds`](Layer::holds).
    queues: usize,
}

impl Faults {
    /// As `config` says, for links of one queue.
    ///
    /// # Errors
    /// The plan of a direction cannot be followed.
    pub fn new(config: FaultsConfig) -> Result<Self, FaultsError> {
        config.rx.check("rx")?;
        config.tx.check("tx")?;
        Ok(Self {
            config,
            lanes: Arc::default(),
            queues: 1,
        })
    }

    /// For a link of so many queues: that many times the frames may be held back, and
    /// [`Link::holds`](corelane_engine::link::Link::holds) tells the engine.
    #[must_use]
    pub fn queues(mut self, queues: usize) -> Self {
        self.queues = queues;
        self
    }

    /// Reads what is counted, from any thread, also when the link is gone.
    pub fn counters(&self) -> FaultsCounters {
        FaultsCounters::new(Arc::clone(&self.lanes))
    }

    fn lane(&self, plan: &FaultPlan, direction: u64, queue: usize) -> Lane {
        let (writer, shared) = LaneShared::new();
        let lane = Lane::new(
            plan,
            // Apart from each other in more than one bit.
            self.config.seed
                ^ ((queue as u64) << 1 | direction).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            self.config.clock.clone(),
            writer,
            Arc::clone(&shared),
        );
        self.lanes.add(direction, shared);
        lane
    }
}

impl Layer for Faults {
    fn holds(&self) -> usize {
        let of = |plan: &FaultPlan| if plan.is_empty() { 0 } else { plan.queue };
        (of(&self.config.rx) + of(&self.config.tx)).saturating_mul(self.queues)
    }

    fn wrap(&mut self, _link: &str, queues: Queues, _pool: &Pool) -> Result<Queues, LinkError> {
        let Queues { mut rx, mut tx } = queues;
        let FaultsConfig {
            rx: on_rx,
            tx: on_tx,
            ..
        } = self.config.clone();
        if !on_rx.is_empty() {
            rx = rx
                .into_iter()
                .enumerate()
                .map(|(at, queue)| Box::new(FaultyRx::new(queue, self.lane(&on_rx, 0, at))) as _)
                .collect();
        }
        if !on_tx.is_empty() {
            tx = tx
                .into_iter()
                .enumerate()
                .map(|(at, queue)| Box::new(FaultyTx::new(queue, self.lane(&on_tx, 1, at))) as _)
                .collect();
        }
        Ok(Queues { rx, tx })
    }
}

/// How long until `due`.
fn until(clock: &Clock, due: Time) -> Duration {
    due.saturating_since(clock.now())
}
