//! A device of the engine's and the kernel's device at its other end, in two namespaces.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use corelane::wire::MacAddr;
use corelane_lab::kernel::DeviceCounts;
use corelane_lab::namespace::Namespace;
use corelane_sys::interface::{Interface, InterfaceName};

use crate::link::Kind;

/// How long a tool may take that has nothing to wait for.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// The kernel's end of a wire.
pub(crate) struct Wire {
    pub(crate) kind: Option<Kind>,
    /// Where the kernel's device is.
    pub(crate) kernel: Arc<Namespace>,
    /// Where the engine's device is.
    pub(crate) engine: Arc<Namespace>,
    /// The kernel's device.
    pub(crate) device: String,
    /// The engine's.
    pub(crate) engine_device: String,
    /// The networks' number.
    number: u8,
}

impl Wire {
    /// Makes the devices, as far as the engine does not. Without a kind it is the kernel's on both ends.
    pub(crate) fn new(
        kind: Option<Kind>,
        kernel: &Arc<Namespace>,
        engine: &Arc<Namespace>,
        number: u8,
    ) -> Result<Self> {
        let wire = Self {
            kind,
            kernel: Arc::clone(kernel),
            engine: Arc::clone(engine),
            device: format!("k{number}"),
            engine_device: format!("e{number}"),
            number,
        };
        if !wire.is_tap() {
            let (device, theirs) = (&wire.engine_device, &wire.device);
            engine.ip(&format!(
                "link add {device} type veth peer name {theirs} netns {}",
                kernel.name()
            ))?;
            engine.ip(&format!("link set {device} addrgenmode none up"))?;
            wire.turn_off(kind.map_or(&[], Kind::offloads_off))?;
        }
        Ok(wire)
    }

    fn is_tap(&self) -> bool {
        self.kind.is_some_and(Kind::is_made_by_engine)
    }

    /// Turns offloads off at the kernel's end.
    pub(crate) fn turn_off(&self, offloads: &[&str]) -> Result<()> {
        for what in offloads {
            let line = format!("ethtool -K {} {what} off", self.device);
            self.kernel.succeed(&line, SOON)?;
        }
        Ok(())
    }

    /// The kernel's end comes up with its addresses: once the engine is up, which may have made the
    /// device.
    pub(crate) fn up(&self) -> Result<()> {
        let Self { device, kernel, .. } = self;
        if self.is_tap() {
            // It was made where the engine is.
            let (made, there) = (&self.engine_device, kernel.name());
            self.engine
                .ip(&format!("link set {made} netns {there} name {device}"))?;
        }
        kernel.ip(&format!("link set {device} addrgenmode none up"))?;
        kernel.ip(&format!("addr add {}/24 dev {device}", self.kernel_v4()))?;
        kernel.ip(&format!(
            "addr add {}/64 dev {device} nodad",
            self.kernel_v6()
        ))?;
        Ok(())
    }

    /// Likewise, with routes by a router at the engine's end.
    pub(crate) fn up_and_routed(&self) -> Result<()> {
        self.up()?;
        self.route()
    }

    /// The kernel's routes: by the router at the engine's end.
    pub(crate) fn route(&self) -> Result<()> {
        for via in self.engine_addresses() {
            let device = &self.device;
            let words = format!("route replace default via {via} dev {device}");
            self.kernel.ip(&words)?;
        }
        Ok(())
    }

    /// The kernel knows the engine's link address without asking: who answers nothing is reached.
    pub(crate) fn introduce(&self) -> Result<()> {
        let (address, mac, device) = (self.engine_v4(), self.engine_mac(), &self.device);
        let words = format!("neigh replace {address} lladdr {mac} dev {device}");
        self.kernel.ip(&words)?;
        Ok(())
    }

    /// The link address of the kernel's device.
    pub(crate) fn kernel_mac(&self) -> Result<MacAddr> {
        let name: InterfaceName = self.device.parse()?;
        let mac = self.kernel.enter(|| Interface::new(name)?.mac())??;
        mac.map(MacAddr).context("not an Ethernet device")
    }

    pub(crate) fn kernel_v4(&self) -> String {
        format!("10.0.{}.1", self.number)
    }

    pub(crate) fn engine_v4(&self) -> String {
        format!("10.0.{}.2", self.number)
    }

    pub(crate) fn kernel_v6(&self) -> String {
        format!("fd00:{}::1", self.number)
    }

    pub(crate) fn engine_v6(&self) -> String {
        format!("fd00:{}::2", self.number)
    }

    /// The engine's addresses.
    pub(crate) fn engine_addresses(&self) -> [String; 2] {
        [self.engine_v4(), self.engine_v6()]
    }

    /// The kernel's.
    pub(crate) fn kernel_addresses(&self) -> [String; 2] {
        [self.kernel_v4(), self.kernel_v6()]
    }

    /// The networks.
    pub(crate) fn networks(&self) -> [String; 2] {
        let number = self.number;
        [format!("10.0.{number}.0/24"), format!("fd00:{number}::/64")]
    }

    /// The engine's NIC on it, with routes to its networks.
    pub(crate) fn nic(&self, kind: Kind, name: &str) -> String {
        let [v4, v6] = self.engine_addresses();
        let link = kind.setting(&self.engine_device);
        let routes = self.networks().map(|to| route(&to, "", name)).concat();
        format!(
            "[[nic]]\nname = '{name}'\nlink = {link}\nmac = '{}'\naddresses = ['{v4}/24', '{v6}/64']\n\
             {routes}",
            self.engine_mac()
        )
    }

    pub(crate) fn engine_mac(&self) -> String {
        format!("02:00:00:00:00:{:02x}", self.number)
    }

    /// What the kernel counts of its device.
    pub(crate) fn counts(&self) -> Result<DeviceCounts> {
        self.kernel.enter(|| DeviceCounts::of(&self.device))?
    }

    /// What the kernel counts of the engine's device, unless it is the same one.
    pub(crate) fn engine_counts(&self) -> Result<Option<DeviceCounts>> {
        if self.is_tap() {
            return Ok(None);
        }
        let counts = self
            .engine
            .enter(|| DeviceCounts::of(&self.engine_device))?;
        counts.map(Some)
    }
}

/// A route of a configuration; `via` is empty where it is on the link.
pub(crate) fn route(to: &str, via: &str, nic: &str) -> String {
    let via = if via.is_empty() {
        String::new()
    } else {
        format!("via = '{via}'\n")
    };
    format!("[[route]]\nto = '{to}'\n{via}nic = '{nic}'\n")
}
