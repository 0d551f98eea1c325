//! What links of network devices have in common.

mod changes;
mod checksum;
mod counts;
mod health;
mod offload;
mod watch;

use std::ffi::c_int;
use std::io;

use corelane_frame::{Burst, Frame, PoolCache};
use corelane_sys::interface::{Interface, InterfaceName};
use corelane_sys::vnet::VnetHeader;
use corelane_wire::MacAddr;

pub(crate) use changes::Changes;
pub(crate) use checksum::PartialWatch;
pub(crate) use counts::{Counts, DeviceCounter, QueueCounters, queue_counters};
pub(crate) use health::Health;
pub(crate) use offload::SUPER_FRAME;
use offload::{Invalid, left_to_do};
pub(crate) use watch::{Waker, Watch, Word};

/// Bytes of a VLAN tag.
pub(crate) const VLAN_TAG_LEN: usize = 4;

/// What a device that carries Ethernet frames is like.
pub(crate) struct Ethernet {
    pub(crate) interface: Interface,
    pub(crate) index: c_int,
    pub(crate) mtu: usize,
    /// The kernel's.
    pub(crate) mac: MacAddr,
}

/// Why a device is not known.
pub(crate) enum Unknown {
    /// Its frames have no Ethernet header.
    NotEthernet,
    /// What could not be done, and what the system said.
    System(&'static str, io::Error),
}

impl Ethernet {
    /// Asks what a device is like.
    pub(crate) fn ask(name: InterfaceName) -> Result<Self, Unknown> {
        let system = |what| move |source| Unknown::System(what, source);
        let interface = Interface::new(name).map_err(system("ask about it"))?;
        let index = interface.index().map_err(system("find it"))?;
        let mtu = interface.mtu().map_err(system("read its MTU"))?;
        let mac = interface.mac().map_err(system("read its link address"))?;
        Ok(Self {
            interface,
            index,
            mtu,
            mac: mac.map(MacAddr).ok_or(Unknown::NotEthernet)?,
        })
    }
}

/// A link address for the engine, which must not be the device's own: the kernel has that one.
pub(crate) fn random_mac() -> MacAddr {
    let mut octets = [0; 6];
    fastrand::Rng::new().fill(&mut octets);
    // One station, locally administered.
    octets[0] = octets[0] & 0xfc | 2;
    MacAddr(octets)
}

/// What a device made of a try to send.
pub(crate) enum Sent {
    /// It took so many.
    Frames(usize),
    /// It has no room now, or is down.
    NotNow,
    /// It does not take the first, and never will.
    Refused,
}

/// Sends what it can of `frames`, by calls to `send` with those that are still to be sent. What the
/// device refuses stays, as does what is behind a device without room.
pub(crate) fn send_all<E>(
    cache: &mut PoolCache,
    frames: &mut Burst,
    counts: &mut Counts,
    mut send: impl FnMut(&[Frame]) -> Result<Sent, E>,
) -> Result<usize, E> {
    let (mut sent, mut kept) = (0, 0);
    while let Some(rest) = frames.get(kept..)
        && !rest.is_empty()
    {
        match send(rest)? {
            Sent::Frames(0) | Sent::NotNow => {
                counts.add(DeviceCounter::SendWaits, 1);
                break;
            }
            Sent::Frames(count) => {
                sent += count;
                let supers = rest.iter().take(count).filter(|it| is_super_frame(it));
                counts.add(DeviceCounter::SuperFramesSent, supers.count() as u64);
                if count == frames.len() {
                    cache.recycle_burst(frames);
                } else {
                    let mut done: Burst = frames.drain(kept..kept + count).collect();
                    cache.recycle_burst(&mut done);
                }
            }
            Sent::Refused => {
                counts.add(DeviceCounter::SendRefused, 1);
                kept += 1;
            }
        }
    }
    Ok(sent)
}

/// Whether a frame stands for several.
pub(crate) fn is_super_frame(frame: &Frame) -> bool {
    frame.offload().is_some_and(|it| it.segmentation.is_some())
}

/// Notes what is left to do with a frame that was received, as [`left_to_do`] has it.
#[inline]
pub(crate) fn note_offload(
    frame: &mut Frame,
    header: VnetHeader,
    moved: u16,
    counts: &mut Counts,
) -> Result<(), DeviceCounter> {
    let left = left_to_do(frame.data(), header, moved);
    let Some(left) = left.map_err(|Invalid| DeviceCounter::OffloadInvalid)? else {
        return Ok(());
    };
    frame.set_offload(Some(left));
    let counter = if left.segmentation.is_some() {
        DeviceCounter::SuperFramesReceived
    } else {
        DeviceCounter::PartialChecksums
    };
    counts.add(counter, 1);
    Ok(())
}

/// The number of a system's error; 0, which is none, if it is not of the system.
pub(crate) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}
