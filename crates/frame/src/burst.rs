//! The unit of work.

use arrayvec::ArrayVec;

use crate::Frame;

/// The most frames a [`Burst`] holds.
pub const BURST: usize = 64;

/// Up to [`BURST`] frames, in order. It lives on its owner's stack and allocates nothing.
///
/// Dropping a burst drops its frames, each by the slow way; on the datapath hand it to
/// [`PoolCache::recycle_burst`](crate::PoolCache::recycle_burst) instead.
pub type Burst = ArrayVec<Frame, BURST>;
