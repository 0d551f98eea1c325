//! The frame pool, frame handles and bursts.
//!
//! A [`Pool`] is one arena of slots of one size. A [`Frame`] is the one handle to a slot that is in
//! use; a [`PoolCache`] is a thread's own stock of free ones; a [`Burst`] is up to 64 frames on
//! their way.
//!
//! # The life of a slot
//!
//! A slot is in exactly one place at any time, and moves:
//!
//! ```text
//!              alloc, alloc_burst
//!    ┌─────────────────────────────────────────────► Frame ────────────┐
//!    │                                                 │               │
//!    │              recycle, recycle_burst             │               │ drop, anywhere
//!    │     ┌───────────────────────────────────────────┘               │ (slow)
//!    │     ▼                                                           ▼
//!  PoolCache of a thread                                            strays
//!    loaded ◄─► spare ◄──── one by one, when the depot is empty ────── (bounded queue,
//!    64         64          ──── what is no full magazine, ──────────►  as large as the pool)
//!    │   ▲                       when the cache goes
//!    ▼   │
//!    full magazines of 64, last returned first
//!    │   ▲
//!    ▼   │
//!   depot, shared by all caches
//! ```
//!
//! - The datapath goes round the left: a take or a return is a move within the thread's own cache,
//!   and one exchange with the depot in 64. No lock, no allocation, no count that threads share.
//! - Warm slots first: caches and depot are last in, first out.
//! - A frame may be dropped anywhere: by an error path, a handler that panics, a queue that goes.
//!   The slot comes back, a little slower.
//! - Every slot is accounted for: [`Pool::out`] and [`Pool::stats`] say where the slots are.
//! - No slot free is an outcome, counted: [`PoolCache::alloc`] says none and
//!   [`PoolCache::alloc_burst`] gives fewer.
//! - A slot that a device has is [`Lent`], and counts as out.
//! - Frames keep their pool's memory: the last of the handles, caches and frames frees it.
//!
//! # Example
//!
//! ```
//! use corelane_frame::{Burst, Pool, PoolConfig};
//!
//! let pool = Pool::new(PoolConfig { slots: 1024, ..PoolConfig::default() })?;
//! let mut cache = pool.cache();
//! let mut burst = Burst::new();
//! assert_eq!(cache.alloc_burst(&mut burst, 32), 32);
//! for frame in &mut burst {
//!     frame.set_data(b"payload")?;
//!     frame.push_front(2)?.copy_from_slice(b"a ");
//!     assert_eq!(frame.data(), b"a payload");
//! }
//! assert_eq!(pool.out(), 32);
//! cache.recycle_burst(&mut burst);
//! assert_eq!(pool.out(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A frame that was given back cannot be used, nor given back again:
//!
//! ```compile_fail,E0382
//! # use corelane_frame::{Pool, PoolConfig};
//! let pool = Pool::new(PoolConfig::default()).unwrap();
//! let mut cache = pool.cache();
//! let frame = cache.alloc().unwrap();
//! cache.recycle(frame);
//! frame.data();
//! ```
//!
//! ```compile_fail,E0382
//! # use corelane_frame::{Pool, PoolConfig};
//! let pool = Pool::new(PoolConfig::default()).unwrap();
//! let mut cache = pool.cache();
//! let frame = cache.alloc().unwrap();
//! cache.recycle(frame);
//! cache.recycle(frame);
//! ```
//!
//! Nor can its bytes be held on to:
//!
//! ```compile_fail,E0505
//! # use corelane_frame::{Pool, PoolConfig};
//! let pool = Pool::new(PoolConfig::default()).unwrap();
//! let mut cache = pool.cache();
//! let frame = cache.alloc().unwrap();
//! let bytes = frame.data();
//! cache.recycle(frame);
//! assert!(bytes.is_empty());
//! ```

mod arena;
mod burst;
mod cache;
mod config;
mod frame;
mod lent;
mod orphans;
mod pool;
mod stats;

pub use burst::{BURST, Burst};
pub use cache::PoolCache;
pub use config::{
    HugePages, LINE, MAX_HEADROOM, MAX_SLOT_SIZE, MAX_SLOTS, PoolConfig, PoolError, Stride,
};
pub use frame::{Frame, Marks, NoRoom, TooShort};
pub use lent::Lent;
pub use pool::Pool;
pub use stats::PoolStats;
