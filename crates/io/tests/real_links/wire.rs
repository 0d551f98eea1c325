//! A link and the kernel's device at its other end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU8, Ordering};

use corelane_engine::link::Link;
use corelane_io::af_packet::{AfPacketConfig, AfPacketLink};
use corelane_io::af_xdp::{AfXdpConfig, AfXdpLink, XdpMode};
use corelane_io::tap::{TapConfig, TapLink};
use corelane_sys::interface::Interface;

use crate::kernel::ip;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tap,
    /// AF_PACKET on a veth.
    Packet,
    /// The same, to listen: in blocks, and nothing is sent.
    Listener,
    /// AF_XDP on a veth, whose peer does its checksums itself.
    XdpNative,
    XdpGeneric,
}

impl Kind {
    pub(crate) fn is_xdp(self) -> bool {
        matches!(self, Self::XdpNative | Self::XdpGeneric)
    }
}

/// The frames to receive into of an AF_XDP link, and of the ring of an AF_PACKET link.
pub(crate) const RING: usize = 1024;

/// Reads the counters of a link.
pub(crate) type Counters = Box<dyn Fn() -> Vec<(&'static str, u64)>>;

pub(crate) struct Wire {
    pub(crate) kind: Kind,
    /// Gone once an engine has it.
    pub(crate) link: Option<Box<dyn Link>>,
    pub(crate) counters: Counters,
    /// The kernel's device, and the engine's: the same for a TAP.
    pub(crate) kernel: String,
    pub(crate) engine: String,
    pub(crate) number: u8,
}

impl Wire {
    /// Makes the devices and the link. The kernel's end is not up until [`up`](Self::up), so that
    /// nothing is sent before somebody counts.
    pub(crate) fn new(kind: Kind, queues: usize) -> Result<Self> {
        Self::with(kind, queues, true)
    }

    /// As [`new`](Self::new); whether the link takes and gives super-frames, if its kind can.
    pub(crate) fn with(kind: Kind, queues: usize, super_frames: bool) -> Result<Self> {
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (engine, kernel) = match kind {
            Kind::Tap => (format!("tap{number}"), format!("tap{number}")),
            Kind::Packet | Kind::Listener | Kind::XdpNative | Kind::XdpGeneric => {
                veth(number, queues)?
            }
        };
        let name = engine.clone();
        let (link, counters): (Box<dyn Link>, Counters) = match kind {
            Kind::Tap => {
                let link = TapLink::new(TapConfig {
                    name,
                    queues,
                    super_frames,
                })?;
                let counters = link.counters();
                (Box::new(link), Box::new(move || counters.read()))
            }
            Kind::Packet | Kind::Listener => {
                let link = AfPacketLink::new(AfPacketConfig {
                    name,
                    queues,
                    ring: RING,
                    super_frames,
                    receive_only: kind == Kind::Listener,
                    ..AfPacketConfig::default()
                })?;
                let counters = link.counters();
                (Box::new(link), Box::new(move || counters.read()))
            }
            Kind::XdpNative | Kind::XdpGeneric => {
                Interface::new(kernel.parse()?)?.set_send_checksums(false)?;
                let link = xdp(&engine, queues, kind)?;
                let counters = link.counters();
                (Box::new(link), Box::new(move || counters.read()))
            }
        };
        Ok(Self {
            kind,
            link: Some(link),
            counters,
            kernel,
            engine,
            number,
        })
    }

    /// Gives the kernel its addresses.
    pub(crate) fn up(&self) -> Result<()> {
        let Self { kernel, .. } = self;
        ip(&format!("link set {kernel} up"))?;
        ip(&format!("addr add {}/24 dev {kernel}", self.kernel_v4()))?;
        ip(&format!(
            "addr add {}/64 dev {kernel} nodad",
            self.kernel_v6()
        ))?;
        Ok(())
    }

    pub(crate) fn kernel_v4(&self) -> IpAddr {
        Ipv4Addr::new(10, self.number, 0, 1).into()
    }

    pub(crate) fn engine_v4(&self) -> IpAddr {
        Ipv4Addr::new(10, self.number, 0, 2).into()
    }

    pub(crate) fn kernel_v6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd00, self.number.into(), 0, 0, 0, 0, 0, 1).into()
    }

    pub(crate) fn engine_v6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd00, self.number.into(), 0, 0, 0, 0, 0, 2).into()
    }

    /// One of the link's counters.
    pub(crate) fn counter(&self, name: &str) -> Result<u64> {
        let counter = (self.counters)().into_iter().find(|&(it, _)| it == name);
        Ok(counter.ok_or_else(|| format!("no counter '{name}'"))?.1)
    }
}

/// A veth with so many queues each way: the engine's end, which is up, and the kernel's.
pub(crate) fn veth(number: u8, queues: usize) -> Result<(String, String)> {
    let (engine, kernel) = (format!("ve{number}"), format!("vk{number}"));
    let each = format!("numtxqueues {queues} numrxqueues {queues}");
    ip(&format!(
        "link add {engine} {each} type veth peer name {kernel} {each}"
    ))?;
    ip(&format!("link set {engine} addrgenmode none up"))?;
    Ok((engine, kernel))
}

pub(crate) fn xdp(device: &str, queues: usize, kind: Kind) -> Result<AfXdpLink> {
    let native = kind == Kind::XdpNative;
    let link = AfXdpLink::new(AfXdpConfig {
        name: device.to_owned(),
        queues,
        mode: if native {
            XdpMode::Native
        } else {
            XdpMode::Generic
        },
        ring: RING,
        send_ring: 256,
        ..AfXdpConfig::default()
    })?;
    assert_eq!(link.is_native(), native);
    Ok(link)
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A TAP goes with its link.
        if self.kind != Kind::Tap {
            let _ = ip(&format!("link del {}", self.engine));
        }
    }
}
