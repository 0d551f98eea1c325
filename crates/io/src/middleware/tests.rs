mod faults;
mod mirror;

use corelane_engine::link::{Link, Queues};
use corelane_frame::{Burst, HugePages, Pool, PoolCache, PoolConfig};

use super::{Layer, Layered};
use crate::memory::{MemoryConfig, MemoryPeer, memory_link};

fn pool() -> Pool {
    let config = PoolConfig {
        slots: 4096,
        huge_pages: HugePages::Off,
        ..PoolConfig::default()
    };
    Pool::new(config).unwrap()
}

/// An open memory link in a layer, and its other end.
fn open(pool: &Pool, queues: usize, layer: impl Layer) -> (Queues, MemoryPeer) {
    let (link, peer) = memory_link(MemoryConfig {
        queues,
        ..MemoryConfig::default()
    })
    .unwrap();
    let mut link = Layered::new(Box::new(link), layer);
    (link.open(pool).unwrap(), peer)
}

/// `count` frames of 64 bytes that begin with their number, from `first`.
fn numbered(cache: &mut PoolCache, first: u64, count: usize) -> Burst {
    let mut burst = Burst::new();
    assert_eq!(cache.alloc_burst(&mut burst, count), count);
    for (frame, number) in burst.iter_mut().zip(first..) {
        let mut data = [0; 64];
        data[..8].copy_from_slice(&number.to_be_bytes());
        frame.set_data(&data).unwrap();
    }
    burst
}

fn numbers(burst: &Burst) -> Vec<u64> {
    let number = |data: &[u8]| u64::from_be_bytes(*data.first_chunk().unwrap());
    burst.iter().map(|frame| number(frame.data())).collect()
}
