//! The two halves of a TAP's queue.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use corelane_engine::link::{LinkError, RxQueue, RxStatus, TxQueue};
use corelane_frame::{BURST, Burst, Frame, PoolCache};
use corelane_sync::doorbell::Doorbell;
use corelane_sys::errno;
use corelane_sys::tap::{Received, TapQueue};
use corelane_wire::Offloads;

use super::TapError;
use crate::device::{self, Counts, DeviceCounter, Sent, Waker};

pub(super) struct TapRx {
    pub(super) link: String,
    pub(super) queue: Arc<TapQueue>,
    pub(super) waker: Waker,
    pub(super) counts: Counts,
}

pub(super) struct TapTx {
    pub(super) link: String,
    pub(super) queue: Arc<TapQueue>,
    pub(super) offloads: Offloads,
    pub(super) counts: Counts,
}

impl RxQueue for TapRx {
    fn rx_burst(&mut self, cache: &mut PoolCache, out: &mut Burst) -> Result<RxStatus, LinkError> {
        // Those that are dropped count too: a burst has an end.
        for _ in 0..BURST {
            if out.is_full() {
                break;
            }
            let Some(mut frame) = cache.alloc() else {
                self.counts.add(DeviceCounter::BufferWaits, 1);
                break;
            };
            let received = match self.queue.receive(frame.spare_mut()) {
                Ok(received) => received,
                Err(error) => {
                    cache.recycle(frame);
                    return match device::errno(&error) {
                        errno::EAGAIN => Ok(RxStatus::Idle),
                        _ => Err(failed(&self.link, error, "receive")),
                    };
                }
            };
            match take(&mut frame, &received, &mut self.counts) {
                Ok(()) => out.push(frame),
                Err(why) => {
                    self.counts.add(why, 1);
                    cache.recycle(frame);
                }
            }
        }
        Ok(RxStatus::Ready)
    }

    fn ring_on_arrival(&mut self, doorbell: Doorbell) -> bool {
        self.waker.hang(doorbell)
    }

    /// Only arms the bell, which rings at once if there is something.
    fn has_frames(&mut self) -> bool {
        !self.waker.arm(self.queue.as_fd())
    }
}

fn take(frame: &mut Frame, received: &Received, counts: &mut Counts) -> Result<(), DeviceCounter> {
    if received.is_cut || frame.set_len(received.len).is_err() {
        return Err(DeviceCounter::TooLong);
    }
    device::note_offload(frame, received.header, 0, counts)
}

impl TxQueue for TapTx {
    fn tx_burst(&mut self, cache: &mut PoolCache, frames: &mut Burst) -> Result<usize, LinkError> {
        let Self {
            link,
            queue,
            counts,
            ..
        } = self;
        device::send_all(cache, frames, counts, |rest| {
            let mut sent = 0;
            for frame in rest {
                match queue.send(frame.data(), frame.offload()) {
                    Ok(()) => sent += 1,
                    // Told again at the next call, as the first.
                    Err(_) if sent > 0 => break,
                    Err(error) => {
                        return match device::errno(&error) {
                            errno::EAGAIN | errno::ENOBUFS | errno::ENOMEM | errno::EIO => {
                                Ok(Sent::NotNow)
                            }
                            errno::EINVAL | errno::EMSGSIZE => Ok(Sent::Refused),
                            _ => Err(failed(link, error, "send")),
                        };
                    }
                }
            }
            Ok(Sent::Frames(sent))
        })
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }
}

/// The error that ends a queue.
#[cold]
fn failed(link: &str, source: io::Error, what: &'static str) -> LinkError {
    let error = match device::errno(&source) {
        errno::EBADFD => TapError::Removed,
        _ => TapError::System {
            name: link.to_owned(),
            what,
            source,
        },
    };
    LinkError::new(link, error)
}
