//! The two halves of a queue.

use std::os::fd::AsFd;
use std::sync::Arc;

use corelane_engine::link::{LinkError, RxQueue, RxStatus, TxQueue};
use corelane_frame::{BURST, Burst, Frame, NoRoom, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sys::errno;
use corelane_sys::packet::{PacketSocket, RxRing, Slot, VlanTag};
use corelane_sys::vnet::PartialChecksum;

use super::{AfPacketCounters, AfPacketError, failed};
use crate::device::{self, Counts, DeviceCounter, Health, Sent, Waker};

/// Bytes of an Ethernet header's two link addresses, behind which tags stand.
const ADDRESSES: usize = 12;

pub(super) struct PacketRx {
    link: String,
    socket: Arc<PacketSocket>,
    ring: RxRing,
    waker: Waker,
    counts: Counts,
    counters: AfPacketCounters,
    health: Health,
}

pub(super) struct PacketTx {
    pub(super) link: String,
    pub(super) socket: Arc<PacketSocket>,
    pub(super) counts: Counts,
}

impl PacketRx {
    pub(super) fn new(
        link: String,
        socket: Arc<PacketSocket>,
        ring: RxRing,
        waker: Waker,
        counts: Counts,
        counters: AfPacketCounters,
    ) -> Self {
        Self {
            link,
            socket,
            ring,
            waker,
            counts,
            counters,
            health: Health::default(),
        }
    }

    /// Looks after the device.
    fn look_after(&mut self) -> Result<(), LinkError> {
        match self.health.look(&self.socket, &self.waker) {
            Ok(true) => Ok(()),
            Ok(false) => Err(LinkError::new(&*self.link, AfPacketError::Removed)),
            Err(error) => Err(failed(&self.link, "receive", error)),
        }
    }
}

impl RxQueue for PacketRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        // Those that are dropped count too: a burst has an end.
        for taken in 0..BURST {
            if out.is_full() {
                break;
            }
            let Some(slot) = self.ring.peek() else {
                if taken == 0 {
                    self.look_after()?;
                }
                return Ok(RxStatus::Idle);
            };
            let Some(mut frame) = cache.alloc() else {
                self.counts.add(DeviceCounter::BufferWaits, 1);
                return Ok(RxStatus::Ready);
            };
            match take(&mut frame, &slot, &mut self.counts) {
                Ok(()) => out.push(frame),
                Err(why) => {
                    self.counts.add(why, 1);
                    cache.recycle(frame);
                }
            }
            slot.release();
            self.health.frame_came();
        }
        Ok(RxStatus::Ready)
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.waker.hang(doorbell)
    }

    /// What comes later rings the bell, which this arms.
    fn has_frames(&mut self) -> bool {
        self.ring.has_frame() || !self.waker.arm(self.socket.as_fd())
    }
}

impl Drop for PacketRx {
    fn drop(&mut self) {
        self.counters.gather(&self.socket);
    }
}

/// Copies a frame out of its slot, as it was on the wire.
fn take(frame: &mut Frame, slot: &Slot<'_>, counts: &mut Counts) -> Result<(), DeviceCounter> {
    let header = slot.vnet_header();
    if header.is_super_frame {
        return Err(DeviceCounter::SuperFrames);
    }
    if slot.is_cut() {
        return Err(DeviceCounter::TooLong);
    }
    fill(frame, slot.data(), slot.vlan_tag(), header.checksum, counts)
        .map_err(|_| DeviceCounter::TooLong)
}

/// Makes `frame` of what is in a slot and what was taken off.
fn fill(
    frame: &mut Frame,
    data: &[u8],
    tag: Option<VlanTag>,
    partial: Option<PartialChecksum>,
    counts: &mut Counts,
) -> Result<(), NoRoom> {
    // By how much the tag moves what is behind it.
    let mut moved = 0;
    match tag.zip(data.split_at_checked(ADDRESSES)) {
        Some((tag, (addresses, rest))) => {
            frame.append(addresses)?;
            frame.append(&tag.protocol.to_be_bytes())?;
            frame.append(&tag.control.to_be_bytes())?;
            moved = frame.len() - ADDRESSES;
            frame.append(rest)?;
            counts.add(DeviceCounter::TagsRestored, 1);
        }
        None => frame.append(data)?,
    }
    if let Some(PartialChecksum { start, offset }) = partial {
        let start = start + moved;
        if device::complete(frame.data_mut(), PartialChecksum { start, offset }) {
            counts.add(DeviceCounter::ChecksumsCompleted, 1);
        }
    }
    Ok(())
}

impl TxQueue for PacketTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let Self {
            link,
            socket,
            counts,
        } = self;
        device::send_all(cache, frames, counts, |rest| {
            let sent = socket.send_burst(rest.iter().map(Frame::data));
            sent.map(Sent::Frames)
                .or_else(|error| match device::errno(&error) {
                    errno::EAGAIN | errno::ENOBUFS | errno::ENOMEM | errno::ENETDOWN => {
                        Ok(Sent::NotNow)
                    }
                    errno::EMSGSIZE | errno::EINVAL => Ok(Sent::Refused),
                    _ => Err(failed(link, "send", error)),
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_frame::{Pool, PoolConfig};

    #[test]
    fn a_checksum_behind_a_restored_tag_is_completed() -> Result<(), Box<dyn std::error::Error>> {
        let pool = Pool::new(PoolConfig::default())?;
        let mut frame = pool.cache().alloc().ok_or("no frame")?;
        let (mut counts, _) = device::queue_counters(1);
        let (counts, _) = counts.first_mut().ok_or("no counters")?;
        let mut data = [0; 18];
        data[12..].copy_from_slice(&[0x88, 0xb5, 0x12, 0x34, 0, 0]);
        let tag = VlanTag {
            protocol: 0x8100,
            control: 5,
        };
        // As the kernel counts: without the tag.
        let partial = PartialChecksum {
            start: 14,
            offset: 2,
        };
        fill(&mut frame, &data, Some(tag), Some(partial), counts)?;
        let behind = [0x81, 0, 0, 5, 0x88, 0xb5, 0x12, 0x34, 0xed, 0xcb];
        assert_eq!(frame.data()[12..], behind);
        assert_eq!(counts.value(DeviceCounter::TagsRestored), 1);
        assert_eq!(counts.value(DeviceCounter::ChecksumsCompleted), 1);
        Ok(())
    }
}
