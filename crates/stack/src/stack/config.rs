//! What a stack is made from.

use corelane_frame::{Pool, PoolError};
use thiserror::Error;

use crate::clock::Clock;
use crate::event::EventSender;
use crate::icmp_limit::IcmpLimiter;
use crate::reassembly::{ReassemblyConfig, ReassemblyError};

/// What the NICs of a stack share is to be.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Fixes what is random (port choices, timers' jitter, limits), so that runs repeat exactly.
    /// Without it, it is random.
    pub seed: Option<u64>,
    /// Bounds of reassembly, of each worker.
    pub reassembly: ReassemblyConfig,
    /// ICMP errors sent in a second, by all workers and the control plane together; None: as many as
    /// there is cause for.
    pub icmp_rate: Option<u32>,
    /// How many of them in a burst.
    pub icmp_burst: u32,
    /// Path MTUs remembered; and kinds of packets sent lately, of which reports are believed.
    pub path_mtus: usize,
}

impl Default for StackConfig {
    /// 1,000 errors in a second in bursts of 50 (BEHAVIOURS K12), 4,096 path MTUs.
    fn default() -> Self {
        Self {
            seed: None,
            reassembly: ReassemblyConfig::default(),
            icmp_rate: Some(IcmpLimiter::RATE),
            icmp_burst: IcmpLimiter::BURST,
            path_mtus: 4096,
        }
    }
}

/// All that a stack is put together from.
pub struct StackParts {
    /// What it is to be.
    pub config: StackConfig,
    /// How many workers it has.
    pub workers: usize,
    /// The time of its timers.
    pub clock: Clock,
    /// Where it, and its NICs, tell what happened.
    pub events: EventSender,
    /// Where the frames come from that it, and its NICs, send by themselves.
    pub pool: Pool,
}

/// Why there is no stack, or no worker's part of it.
#[derive(Debug, Error)]
pub enum StackError {
    /// The pool of reassembly cannot be had.
    #[error("the pool for datagrams that come in fragments: {0}")]
    Pool(#[from] PoolError),
    /// The bounds of reassembly cannot be.
    #[error("reassembly: {0}")]
    Reassembly(#[from] ReassemblyError),
    /// There is no such worker, or it has its part.
    #[error("there is no such worker, or it has its part of the stack already")]
    NoWorker,
}
