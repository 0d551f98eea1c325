//! The two halves of a queue.

use std::os::fd::AsFd;
use std::sync::Arc;

use corelane_engine::link::{LinkError, RxQueue, RxStatus, TxQueue};
use corelane_frame::{BURST, Burst, Frame, NoRoom, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sys::errno;
use corelane_sys::packet::{PacketSocket, RxRing, Slot, VlanTag};
use corelane_sys::vnet::VnetHeader;
use corelane_wire::{Offload, Offloads};

use super::{AfPacketCounters, AfPacketError, failed};
use crate::device::{self, Counts, DeviceCounter, Health, Sent, VLAN_TAG_LEN, Waker};

/// Bytes of an Ethernet header's two link addresses, behind which tags stand.
const ADDRESSES: usize = 12;

/// Receives by a ring of either kind.
pub(super) struct PacketRx<R> {
    link: String,
    socket: Arc<PacketSocket>,
    ring: R,
    waker: Waker,
    counts: Counts,
    counters: AfPacketCounters,
    health: Health,
}

pub(super) struct PacketTx {
    pub(super) link: String,
    pub(super) socket: Arc<PacketSocket>,
    pub(super) offloads: Offloads,
    pub(super) counts: Counts,
}

impl<R: RxRing> PacketRx<R> {
    pub(super) fn new(
        link: String,
        socket: Arc<PacketSocket>,
        ring: R,
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

impl<R: RxRing> RxQueue for PacketRx<R> {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        let most = out.remaining_capacity().min(BURST);
        let ready = self.ring.ready(most);
        if ready == 0 && most > 0 {
            self.look_after()?;
            return Ok(RxStatus::Idle);
        }
        let before = out.len();
        let got = cache.alloc_burst(out, ready);
        if got < ready {
            self.counts.add(DeviceCounter::BufferWaits, 1);
        }
        // They are filled where they are. Those that are dropped count too: a burst has an end.
        let (mut kept, mut time) = (before, 0);
        for at in before..out.len() {
            let (Some(frame), Some(slot)) = (out.get_mut(at), self.ring.peek()) else {
                break;
            };
            time = slot.time_ns();
            match take(frame, &slot, &self.socket, &mut self.counts) {
                Ok(()) => {
                    frame.set_rx_time(time);
                    if kept < at {
                        out.swap(kept, at);
                    }
                    kept += 1;
                }
                Err(why) => self.counts.add(why, 1),
            }
            slot.release();
        }
        for empty in out.drain(kept..) {
            cache.recycle(empty);
        }
        self.health.frame_came(time);
        Ok(if got == ready && ready < most {
            RxStatus::Idle
        } else {
            RxStatus::Ready
        })
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.waker.hang(doorbell)
    }

    /// What comes later rings the bell, which this arms.
    fn has_frames(&mut self) -> bool {
        self.ring.has_frame() || !self.waker.arm(self.socket.as_fd())
    }
}

impl<R> Drop for PacketRx<R> {
    fn drop(&mut self) {
        self.counters.gather(&self.socket);
    }
}

/// Takes a frame out of its ring, or from beside it, as it was on the wire.
fn take(
    frame: &mut Frame,
    slot: &Slot<'_, impl RxRing>,
    socket: &PacketSocket,
    counts: &mut Counts,
) -> Result<(), DeviceCounter> {
    let tag = slot.vlan_tag();
    let taken = if slot.is_kept() {
        receive_kept(frame, socket, tag.is_some())
    } else if slot.is_cut() {
        Err(Lost)
    } else {
        fill(frame, slot.data(), tag.is_some()).map_err(|_| Lost)
    };
    taken.map_err(|Lost| too_long(slot.vnet_header()))?;
    finish(frame, tag, slot.vnet_header(), counts)
}

/// What counts a frame that is too long.
#[cold]
fn too_long(header: VnetHeader) -> DeviceCounter {
    match header {
        VnetHeader::Left(Offload {
            segmentation: Some(_),
            ..
        }) => DeviceCounter::SuperFramesDropped,
        _ => DeviceCounter::TooLong,
    }
}

/// There was no room for a frame.
struct Lost;

/// Copies a frame that is there whole, with a gap where a tag belongs.
fn fill(frame: &mut Frame, data: &[u8], has_tag: bool) -> Result<(), NoRoom> {
    match data.split_at_checked(ADDRESSES).filter(|_| has_tag) {
        Some((addresses, rest)) => {
            frame.append(addresses)?;
            frame.append(&[0; VLAN_TAG_LEN])?;
            frame.append(rest)
        }
        None => frame.append(data),
    }
}

/// Takes a frame from beside the ring, with a gap where a tag belongs. It is gone from there in any case.
#[inline(never)]
fn receive_kept(frame: &mut Frame, socket: &PacketSocket, has_tag: bool) -> Result<(), Lost> {
    let gap = if has_tag { VLAN_TAG_LEN } else { 0 };
    let mut front = [0; ADDRESSES];
    let behind = frame.spare_mut().get_mut(ADDRESSES + gap..);
    let rest = behind.unwrap_or_default();
    let kept = match socket.receive_kept(&mut front, rest) {
        // That the device went down is told first.
        Err(error) if device::errno(&error) == errno::ENETDOWN => {
            socket.receive_kept(&mut front, rest)
        }
        kept => kept,
    };
    let kept = kept.ok().filter(|it| !it.is_cut).ok_or(Lost)?;
    frame.set_len(kept.len + gap).map_err(|_| Lost)?;
    let place = frame.data_mut().first_chunk_mut().ok_or(Lost)?;
    *place = front;
    Ok(())
}

/// Puts the tag into its gap, and notes what is left to do.
fn finish(
    frame: &mut Frame,
    tag: Option<VlanTag>,
    header: VnetHeader,
    counts: &mut Counts,
) -> Result<(), DeviceCounter> {
    // By how much the tag moves what is behind it.
    let mut moved = 0;
    if let Some(tag) = tag
        && let Some(gap) = frame.data_mut().get_mut(ADDRESSES..)
        && let Some([p0, p1, c0, c1]) = gap.first_chunk_mut()
    {
        [*p0, *p1] = tag.protocol.to_be_bytes();
        [*c0, *c1] = tag.control.to_be_bytes();
        moved = VLAN_TAG_LEN as u16;
        counts.add(DeviceCounter::TagsRestored, 1);
    }
    device::note_offload(frame, header, moved, counts)
}

impl TxQueue for PacketTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let Self {
            link,
            socket,
            counts,
            ..
        } = self;
        device::send_all(cache, frames, counts, |rest| {
            let sent = socket.send_burst(rest.iter().map(|it| (it.offload(), it.data())));
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

    fn offloads(&self) -> Offloads {
        self.offloads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane_frame::{Pool, PoolConfig};
    use corelane_wire::PartialChecksum;

    #[test]
    fn a_place_behind_a_restored_tag_moves() -> Result<(), Box<dyn std::error::Error>> {
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
        let partial = |start| Offload {
            checksum: Some(PartialChecksum { start, offset: 2 }),
            segmentation: None,
        };
        fill(&mut frame, &data, true)?;
        let finished = finish(&mut frame, Some(tag), VnetHeader::Left(partial(14)), counts);
        assert_eq!(finished.map_err(|why| format!("{why:?}")), Ok(()));
        let behind = [0x81, 0, 0, 5, 0x88, 0xb5, 0x12, 0x34, 0, 0];
        assert_eq!(frame.data()[12..], behind);
        assert_eq!(frame.offload(), Some(partial(18)));
        assert_eq!(counts.value(DeviceCounter::TagsRestored), 1);
        assert_eq!(counts.value(DeviceCounter::PartialChecksums), 1);
        Ok(())
    }
}
