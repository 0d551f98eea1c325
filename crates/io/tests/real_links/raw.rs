//! A link without an engine: its queues as the engine has them.

use std::time::{Duration, Instant};

use corelane_engine::link::{Link, Queues, RxStatus};
use corelane_frame::{Burst, Frame, Pool, PoolCache, PoolConfig};
use corelane_wire::{IpProtocol, checksum, parse_ipv4};

use crate::kernel::{PATIENCE, ip};
use crate::wire::Wire;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Who the kernel takes for the engine.
pub(crate) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

pub(crate) struct Raw {
    pub(crate) cache: PoolCache,
    pub(crate) queues: Queues,
}

impl Raw {
    /// Opens a link, with slots of so many bytes behind the headroom.
    pub(crate) fn of(link: &mut dyn Link, room: usize) -> Result<Self> {
        let default = PoolConfig::default();
        let pool = Pool::new(PoolConfig {
            slots: 1 << 13,
            slot_size: default.headroom + room,
            ..default
        })?;
        let queues = link.open(&pool)?;
        let cache = pool.cache();
        Ok(Self { cache, queues })
    }

    /// Opens that of a wire; the kernel knows [`MAC`] as the engine's.
    pub(crate) fn open(wire: &mut Wire, room: usize) -> Result<Self> {
        let raw = Self::of(&mut **wire.link.as_mut().ok_or("no link")?, room)?;
        wire.up()?;
        neighbor(&wire.engine_v4().to_string(), &wire.kernel)?;
        Ok(raw)
    }

    /// What a queue has now.
    pub(crate) fn receive(&mut self, queue: usize) -> Result<Vec<Vec<u8>>> {
        let rx = self.queues.rx.get_mut(queue).ok_or("no such queue")?;
        let mut frames = Vec::new();
        let mut burst = Burst::new();
        while rx.rx_burst(&mut self.cache, &mut burst)? == RxStatus::Ready {
            frames.extend(burst.iter().map(completed));
            self.cache.recycle_burst(&mut burst);
        }
        frames.extend(burst.iter().map(completed));
        self.cache.recycle_burst(&mut burst);
        Ok(frames)
    }

    /// The first frame of the first queue that this finds something in.
    pub(crate) fn find<T>(&mut self, mut find: impl FnMut(&[u8]) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(found) = self.receive(0)?.iter().find_map(|frame| find(frame)) {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err("it did not arrive".into())
    }

    /// Puts frames of these bytes into a burst.
    pub(crate) fn burst(&mut self, frames: &[&[u8]]) -> Result<Burst> {
        let mut burst = Burst::new();
        self.cache.alloc_burst(&mut burst, frames.len());
        for (frame, bytes) in burst.iter_mut().zip(frames) {
            frame.set_data(bytes)?;
        }
        Ok(burst)
    }
}

/// The bytes of a frame, its checksum completed if that was left to do.
fn completed(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.data().to_vec();
    if let Some(partial) = frame.offload().and_then(|it| it.checksum) {
        partial.complete(&mut bytes).expect("a place in the frame");
    }
    bytes
}

/// Tells the kernel that this address is the engine's.
pub(crate) fn neighbor(address: &str, device: &str) -> Result<()> {
    let [a, b, c, d, e, f] = MAC;
    let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    ip(&format!(
        "neigh replace {address} lladdr {mac} dev {device}"
    ))
    .map(drop)
}

/// The payload of an IPv4 packet that is a UDP datagram to this port, with the right checksum.
pub(crate) fn udp_payload(packet: &[u8], port: u16) -> Option<Vec<u8>> {
    let packet = parse_ipv4(packet).ok()?;
    let header = packet.payload.get(..8)?;
    if packet.header.protocol != IpProtocol::UDP || header[2..4] != port.to_be_bytes() {
        return None;
    }
    let (source, destination) = (packet.header.source(), packet.header.destination());
    let len = u16::try_from(packet.payload.len()).ok()?;
    let pseudo = checksum::pseudo_header_ipv4(source, destination, IpProtocol::UDP, len);
    let sum = pseudo + checksum::sum(packet.payload);
    assert!(
        sum.is_valid(),
        "a datagram to port {port} has a wrong checksum"
    );
    Some(packet.payload.get(8..)?.to_vec())
}
