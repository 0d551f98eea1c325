//! The two halves of a queue.

use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corelane_engine::link::{LinkError, RxQueue, RxStatus, TxQueue};
use corelane_frame::{BURST, Burst, Frame, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sys::errno;
use corelane_sys::packet::PacketSocket;
use corelane_sys::xdp::{XdpRx, XdpTx};
use corelane_wire::ETHERNET_HEADER_LEN;

use super::{AfXdpCounters, AfXdpError, OnDevice, Takes, failed};
use crate::device::{self, Counts, DeviceCounter, Health, PartialWatch, Waker};

pub(super) struct QueueRx {
    pub(super) link: String,
    pub(super) number: usize,
    pub(super) socket: XdpRx,
    /// Told when the device goes down or away.
    pub(super) sentry: PacketSocket,
    pub(super) waker: Waker,
    pub(super) sentry_waker: Waker,
    pub(super) health: Health,
    pub(super) counts: Counts,
    pub(super) counters: AfXdpCounters,
    pub(super) partial: PartialWatch,
    pub(super) unsent: Arc<AtomicBool>,
    /// Whether the kernel copies what is sent.
    pub(super) copies: bool,
    /// Stays as long as a queue does.
    pub(super) _device: Arc<OnDevice>,
}

pub(super) struct QueueTx {
    pub(super) link: String,
    pub(super) socket: XdpTx,
    pub(super) counts: Counts,
    pub(super) takes: Arc<Takes>,
    /// Whether the kernel copies what is sent.
    pub(super) copies: bool,
    /// Whether the device was down when it was last told to send.
    pub(super) down: bool,
    /// Whether the kernel left something in the ring, for want of room elsewhere: who receives has
    /// it try again.
    pub(super) unsent: Arc<AtomicBool>,
    pub(super) _device: Arc<OnDevice>,
}

/// What a try to have the kernel send came to.
enum Kicked {
    Sent,
    NotAll,
    Down,
}

fn kicked(tried: io::Result<()>, link: &str) -> Result<Kicked, LinkError> {
    match tried.as_ref().map_err(device::errno) {
        Ok(()) => Ok(Kicked::Sent),
        Err(errno::EAGAIN | errno::EBUSY | errno::ENOBUFS | errno::ENOMEM) => Ok(Kicked::NotAll),
        Err(errno::ENETDOWN) => Ok(Kicked::Down),
        Err(_) => tried
            .map(|()| Kicked::Sent)
            .map_err(|error| failed(link, "send", error)),
    }
}

/// As [`kicked`], by who `copies`: there the kernel ends a call at a frame that the driver drops, to tell so.
fn sent(
    tried: io::Result<()>,
    copies: bool,
    counts: &mut Counts,
    link: &str,
) -> Result<Kicked, LinkError> {
    if copies && matches!(&tried, Err(error) if device::errno(error) == errno::EBUSY) {
        counts.add(DeviceCounter::SendLost, 1);
    }
    kicked(tried, link)
}

impl QueueRx {
    /// Nothing came: looks after the device, and after what could not be sent before.
    fn idle(&mut self) -> Result<(), LinkError> {
        match self.health.look(&self.sentry, &self.sentry_waker) {
            Ok(true) => {}
            Ok(false) => return Err(LinkError::new(&*self.link, AfXdpError::Removed)),
            Err(error) => return Err(failed(&self.link, "receive", error)),
        }
        if self.unsent.load(Ordering::Relaxed) {
            let tried = self.socket.kick_sender();
            let kicked = sent(tried, self.copies, &mut self.counts, &self.link)?;
            if !matches!(kicked, Kicked::NotAll) {
                self.unsent.store(false, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl RxQueue for QueueRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        if out.is_full() {
            return Ok(RxStatus::Ready);
        }
        let before = out.len();
        let got = self.socket.receive(out);
        if !self.socket.refill(cache) {
            self.counts.add(DeviceCounter::BufferWaits, 1);
        }
        // A device that is down is woken in vain.
        kicked(self.socket.wake(), &self.link)?;
        // Last, as the frames are on their way here since they were received.
        let came = out.get(before..).unwrap_or_default();
        let partial = self.partial.count(came);
        if partial > 0 {
            self.counts
                .add(DeviceCounter::PartialChecksums, partial as u64);
        }
        if got == 0 {
            self.idle()?;
        } else {
            // It has no time, and did not wait.
            self.health.frame_came(u64::MAX);
        }
        Ok(if got == BURST || out.is_full() {
            RxStatus::Ready
        } else {
            RxStatus::Idle
        })
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.sentry_waker.hang(doorbell.clone()) && self.waker.hang(doorbell)
    }

    /// What comes later rings the bell, which this arms. To arm it has the kernel send, too.
    fn has_frames(&mut self) -> bool {
        self.socket.has_frame()
            || !self.waker.arm(self.socket.as_fd())
            || !self.sentry_waker.arm(self.sentry.as_fd())
    }
}

impl Drop for QueueRx {
    fn drop(&mut self) {
        self.counters.gather(self.number);
    }
}

impl QueueTx {
    /// Has the kernel send what it has, as far as it will.
    fn kick(&mut self) -> Result<(), LinkError> {
        let mut unsent = self.socket.untaken();
        let mut all = true;
        // Somebody else may have had it sent, since the device is up again.
        self.down &= unsent > 0;
        while unsent > 0 && self.socket.needs_kick() {
            let tried = self.socket.kick();
            let kicked = sent(tried, self.copies, &mut self.counts, &self.link)?;
            self.down = matches!(kicked, Kicked::Down);
            all = !matches!(kicked, Kicked::NotAll);
            // Where it copies, it sends some at each call.
            let left = self.socket.untaken();
            if self.down || left == unsent {
                break;
            }
            unsent = left;
        }
        let unsent = !all && unsent > 0;
        if self.unsent.load(Ordering::Relaxed) != unsent {
            self.unsent.store(unsent, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Puts a frame into the ring, or gives it back.
    fn put(&mut self, cache: &mut PoolCache, frame: Frame) -> Result<(), Frame> {
        if !(ETHERNET_HEADER_LEN..=self.takes.longest()).contains(&frame.len()) {
            self.counts.add(DeviceCounter::SendRefused, 1);
            return Err(frame);
        }
        if self.socket.is_ours(&frame) {
            return self.socket.put(frame);
        }
        // The device reaches one pool only.
        let Some(mut copy) = cache.alloc() else {
            return Err(frame);
        };
        match copy.set_data(frame.data()).map(|()| self.socket.put(copy)) {
            Ok(Ok(())) => {
                self.counts.add(DeviceCounter::Copied, 1);
                cache.recycle(frame);
                Ok(())
            }
            Ok(Err(copy)) => {
                cache.recycle(copy);
                Err(frame)
            }
            Err(_) => Err(frame),
        }
    }
}

impl TxQueue for QueueTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        self.socket.reclaim(cache);
        if self.down {
            // What it has waits for the device, and no more goes there meanwhile.
            self.kick()?;
            if self.down {
                self.counts.add(DeviceCounter::SendWaits, 1);
                return Ok(0);
            }
        }
        if self.socket.room() < frames.len() {
            self.kick()?;
            self.socket.reclaim(cache);
        }
        let room = self.socket.room();
        if room < frames.len() {
            self.counts.add(DeviceCounter::SendWaits, 1);
        }
        let mut kept = Burst::new();
        let mut sent = 0;
        for frame in mem::take(frames) {
            if sent == room {
                kept.push(frame);
                continue;
            }
            match self.put(cache, frame) {
                Ok(()) => sent += 1,
                Err(frame) => kept.push(frame),
            }
        }
        *frames = kept;
        self.socket.publish();
        self.kick()?;
        self.socket.reclaim(cache);
        Ok(sent)
    }
}
