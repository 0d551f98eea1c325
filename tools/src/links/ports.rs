//! The links of a measurement, open.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corelane::engine::link::{Link, LinkError, Queues, RxQueue, TxQueue};
use corelane::frame::{BURST, Burst, Frame, Pool, PoolConfig};
use corelane::io::af_packet::AfPacketConfig;
use corelane::io::af_xdp::queues_of;
use corelane::wire::ethernet::VLAN_TAG_LEN;
use corelane::wire::{ETHERNET_HEADER_LEN, MacAddr};
use crossbeam::queue::ArrayQueue;

use super::guard::has_default_route;
use super::neighbor::{Answerer, ask, told};
use crate::cli::{LinkArgs, LinkEnds, Usage};
use crate::config::LinkKind;
use crate::device::{self, LinkCounters, OnDevice};
use crate::generator::{DESTINATION_MAC, SOURCE_MAC};
use crate::run::{Between, Failure};
use crate::unit::{DeviceMac, LinkName};

/// Answers that wait for the sender to send them, where it has the only transmit queue.
const ANSWERS: usize = 64;

/// How often the device is asked for its link address, and how long each time.
const QUESTIONS: usize = 5;
const ANSWERED_IN: Duration = Duration::from_millis(500);

/// The link or links, and the device under test as the sending one sees it.
pub struct Ports {
    /// Out while a bed has them. Queues go before their links do.
    halves: Option<(SendHalf, ReceiveHalf)>,
    tx: Port,
    /// The one that receives, unless one does both.
    rx: Option<Port>,
    pool: Pool,
    answers: Vec<IpAddr>,
    device: Device,
}

/// The device under test, as the sending link sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The link address that frames go to.
    pub mac: MacAddr,
    /// The address that was asked for it, if it was.
    pub resolved: Option<IpAddr>,
}

/// A link of a measurement.
pub(super) struct Port {
    name: LinkName,
    counters: LinkCounters,
    link: Box<dyn Link>,
}

/// What the thread that sends has.
pub(super) struct SendHalf {
    pub(super) tx: Box<dyn TxQueue>,
    /// What comes in by the sending link, and is of no interest; empty if it is the receiving one too.
    pub(super) other: Vec<Box<dyn RxQueue>>,
    /// What the receiver has it send.
    pub(super) answers: Option<Arc<ArrayQueue<Frame>>>,
}

/// What the thread that receives has.
pub(super) struct ReceiveHalf {
    /// All that the device receives by.
    pub(super) rx: Vec<Box<dyn RxQueue>>,
    pub(super) reply: Reply,
}

/// Where answers go.
pub(super) enum Reply {
    /// Nowhere: the receiving link sends nothing.
    Nowhere,
    /// Out of the receiving link.
    Own(Box<dyn TxQueue>),
    /// To the sender, which has the only queue.
    BySender(Arc<ArrayQueue<Frame>>),
}

/// What receives, and what sends if anything does.
type Halves = (Vec<Box<dyn RxQueue>>, Option<Box<dyn TxQueue>>);

impl Port {
    fn new(
        option: &str,
        name: &LinkName,
        owned: bool,
        between: &Between<'_>,
    ) -> Result<Self, Failure> {
        let device = &name.device;
        if !owned && name.kind != LinkKind::Tap && has_default_route(device) {
            return Err(Usage::new(format!(
                "{option}: the default route leads over {device}: a load there is a load on others (RFC 6815); \
                 --i-own-this-link says that it is to be"
            ))
            .into());
        }
        let failed = |error: String| Failure::Run(format!("{option} {name}: {error}"));
        let mut setting = name.setting();
        if name.kind == LinkKind::AfXdp {
            // What came by another queue than a link's would be lost.
            setting.queues = queues_of(device).map_err(|error| failed(error.to_string()))?;
        }
        let opened = device::open(&setting).map_err(|error| failed(error.to_string()));
        let OnDevice { link, counters, .. } = opened?;
        Ok(Self {
            name: name.clone(),
            counters,
            link: between(link),
        })
    }

    fn open(&mut self, pool: &Pool) -> Result<Halves, Failure> {
        let name = &self.name;
        let failed = |error: LinkError| Failure::Run(format!("{name}: {error}"));
        let Queues { rx, tx } = self.link.open(pool).map_err(failed)?;
        Ok((rx, tx.into_iter().next()))
    }

    /// What it was called.
    pub(super) fn name(&self) -> &LinkName {
        &self.name
    }

    /// The largest packet it takes.
    pub(super) fn mtu(&self) -> usize {
        self.link.mtu()
    }

    /// What it counts.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        self.counters.read()
    }
}

impl Ports {
    /// Opens the links, with something `between` the one that receives and who reads it, and asks for the
    /// device's link address where that is wanted.
    ///
    /// # Errors
    /// A link is not there, takes a privilege that is missing, or leads to everywhere else; or the device does
    /// not answer.
    pub fn open(args: &LinkArgs, ends: &LinkEnds, between: &Between<'_>) -> Result<Self, Failure> {
        let owned = args.i_own_this_link;
        let (mut tx, mut rx) = match ends {
            LinkEnds::Same(link) => (Port::new("--link", link, owned, between)?, None),
            LinkEnds::Pair { tx, rx } => (
                Port::new("--tx", tx, owned, &|link| link)?,
                Some(Port::new("--rx", rx, owned, between)?),
            ),
        };
        let both = || std::iter::once(&tx).chain(&rx);
        let of_mtu = |mtu: usize| mtu + ETHERNET_HEADER_LEN + 2 * VLAN_TAG_LEN;
        let longest = both().map(|port| of_mtu(port.mtu())).max().unwrap_or(0);
        let held: usize = both().map(|port| port.link.holds()).sum();
        let pool = Pool::new(PoolConfig {
            // Beside what links hold: a burst in each hand, and answers.
            slots: PoolConfig::slots_for(held + 16 * BURST + ANSWERS, 3),
            ..PoolConfig::for_frames(longest)
        })
        .map_err(|error| Failure::Run(format!("no memory for frames: {error}")))?;
        let (tx_in, tx_out) = tx.open(&pool)?;
        let none = || Failure::Run(format!("{} has no queue to send by", tx.name));
        let tx_out = tx_out.ok_or_else(none)?;
        let (send, receive) = match &mut rx {
            None => {
                let answers = Arc::new(ArrayQueue::new(ANSWERS));
                (
                    SendHalf {
                        tx: tx_out,
                        other: Vec::new(),
                        answers: Some(Arc::clone(&answers)),
                    },
                    ReceiveHalf {
                        rx: tx_in,
                        reply: Reply::BySender(answers),
                    },
                )
            }
            Some(rx) => {
                let (rx_in, rx_out) = rx.open(&pool)?;
                (
                    SendHalf {
                        tx: tx_out,
                        other: tx_in,
                        answers: None,
                    },
                    ReceiveHalf {
                        rx: rx_in,
                        reply: rx_out.map_or(Reply::Nowhere, Reply::Own),
                    },
                )
            }
        };
        let mut ports = Self {
            halves: Some((send, receive)),
            tx,
            rx,
            pool,
            answers: args.answer.clone(),
            device: Device {
                mac: DESTINATION_MAC,
                resolved: None,
            },
        };
        match args.dst_mac {
            None => {}
            Some(DeviceMac::Mac(mac)) => ports.device.mac = mac,
            Some(DeviceMac::Of(address)) => {
                ports.device = Device {
                    mac: ports.resolve(address)?,
                    resolved: Some(address),
                };
            }
        }
        Ok(ports)
    }

    /// The device under test.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The link that sends.
    pub(super) fn tx(&self) -> &Port {
        &self.tx
    }

    /// The link that receives: that one too, or another.
    pub(super) fn rx(&self) -> &Port {
        self.rx.as_ref().unwrap_or(&self.tx)
    }

    /// The frames of both.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether received frames say when the kernel had them.
    pub(super) fn has_stamps(&self) -> bool {
        self.rx().name.kind == LinkKind::AfPacket
    }

    /// How long what came last may wait until it is received.
    pub(super) fn waits(&self) -> Duration {
        match self.rx().name.receive_only {
            // Up to twice the time of a block.
            true => 2 * AfPacketConfig::default().block_timeout,
            false => Duration::ZERO,
        }
    }

    /// Who answers for the addresses that were asked for.
    pub(super) fn answerer(&self) -> Answerer {
        Answerer {
            // What sends has its own, by which it is known to the device.
            mac: if self.rx.is_some() {
                DESTINATION_MAC
            } else {
                SOURCE_MAC
            },
            addresses: self.answers.clone(),
        }
    }

    /// The longest frame that goes through both.
    pub fn longest(&self) -> usize {
        let mtu = self.tx.mtu().min(self.rx().mtu());
        mtu + ETHERNET_HEADER_LEN
    }

    /// Frames of up to `longest` bytes go through both.
    ///
    /// # Errors
    /// A link does not take them.
    pub(super) fn check_longest(&self, longest: usize, tags: usize) -> Result<(), Usage> {
        for port in std::iter::once(&self.tx).chain(&self.rx) {
            let (name, mtu) = (&port.name, port.mtu());
            let packet = longest.saturating_sub(ETHERNET_HEADER_LEN + tags * VLAN_TAG_LEN);
            if packet > mtu {
                let most = mtu + ETHERNET_HEADER_LEN + tags * VLAN_TAG_LEN + 4;
                return Err(Usage::value(
                    "--frame-size",
                    &format!(
                        "there are frames of {} bytes, and {name} has an MTU of {mtu}",
                        longest + 4
                    ),
                    &most.to_string(),
                ));
            }
        }
        Ok(())
    }

    /// The queues, for the threads of a bed.
    pub(super) fn take(&mut self) -> Result<(SendHalf, ReceiveHalf), Failure> {
        let gone = || Failure::Run("a link broke before, and is not open any more".to_owned());
        self.halves.take().ok_or_else(gone)
    }

    /// The queues, back.
    pub(super) fn put_back(&mut self, halves: (SendHalf, ReceiveHalf)) {
        self.halves = Some(halves);
    }

    /// Asks the device for the link address of one of its addresses.
    fn resolve(&mut self, address: IpAddr) -> Result<MacAddr, Failure> {
        let name = self.tx.name.clone();
        let failed = |error: LinkError| Failure::Run(format!("{name}: {error}"));
        let (mut send, mut receive) = self.take()?;
        let mut cache = self.pool.cache();
        let mut burst = Burst::new();
        for _ in 0..QUESTIONS {
            if let Some(mut frame) = cache.alloc() {
                let len = ask(frame.spare_mut(), SOURCE_MAC, address).unwrap_or(0);
                let written = frame.set_len(len);
                debug_assert!(written.is_ok() && len > 0);
                burst.push(frame);
                send.tx.tx_burst(&mut cache, &mut burst).map_err(failed)?;
                cache.recycle_burst(&mut burst);
            }
            let deadline = Instant::now() + ANSWERED_IN;
            while Instant::now() < deadline {
                let queues = match &mut send.other[..] {
                    [] => &mut receive.rx[..],
                    other => other,
                };
                let mut found = None;
                for rx in queues {
                    rx.rx_burst(&mut cache, &mut burst).map_err(failed)?;
                    found = found.or(burst.iter().find_map(|frame| told(frame.data(), address)));
                    cache.recycle_burst(&mut burst);
                }
                if let Some(mac) = found {
                    self.put_back((send, receive));
                    return Ok(mac);
                }
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        Err(Failure::Run(format!(
            "--dst-mac: nobody on {name} answers for {address}: is the link up, and the address the device's? \
             --dst-mac MAC needs no answer"
        )))
    }
}
