//! What the cases run on: a host that is the engine, and a router that is the engine or the kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use corelane_lab::namespace::Namespace;

use crate::bare::BareRouter;
use crate::books::{Counters, balance};
use crate::common::up::Up;
use crate::link::Kind;
use crate::wire::{SOON, Wire};

/// A namespace of a name that no other has.
pub(crate) fn namespace(what: &str) -> Result<Arc<Namespace>> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Namespace::new(&format!("{what}{number}")).map(Arc::new)
}

/// What answers on every host.
pub(crate) const ECHO: u16 = 7;

const ECHO_SERVICE: &str = "[[service]]\nkind = 'udp_echo'\nbind = 'any:7'\n";

/// The engine as a host, and the kernel at the other end of its link.
pub(crate) struct Host {
    pub(crate) up: Up,
    pub(crate) wire: Wire,
}

impl Host {
    /// Without duplicate address detection, which takes its time.
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        Self::start_with(kind, "dad_transmits = 0\n", &[])
    }

    /// With these keys at the top of its configuration.
    pub(crate) fn start_with(kind: Kind, top: &str, arguments: &[&str]) -> Result<Self> {
        let (kernel, engine) = (namespace("kernel")?, namespace("engine")?);
        let wire = Wire::new(Some(kind), &kernel, &engine, 1)?;
        let config = format!("{top}{}{ECHO_SERVICE}", wire.nic(kind, "wan"));
        let up = Up::start_on(&engine, "host", &config, arguments);
        wire.up()?;
        Ok(Self { up, wire })
    }

    /// The kernel's namespace.
    pub(crate) fn kernel(&self) -> &Namespace {
        &self.wire.kernel
    }

    /// That every frame is in a counter.
    pub(crate) fn balance(&self) -> Result<Counters> {
        balance(&self.up, &[("wan", &self.wire)])
    }

    /// Ends it; it has to have kept its books.
    pub(crate) fn end(self) -> Result<()> {
        self.balance()?;
        end(self.up)
    }
}

/// Ends an engine; its own books have to balance.
fn end(up: Up) -> Result<()> {
    let (status, text) = up.end("TERM");
    ensure!(status == Some(0), "it ended with {status:?}: {text}");
    Ok(())
}

/// A client, a router and a server: `client – left, router, right – server`.
pub(crate) struct Router {
    by: By,
    pub(crate) left: Wire,
    pub(crate) right: Wire,
}

/// Who routes.
enum By {
    Engine(Up),
    Kernel,
    Bare(BareRouter),
}

impl Router {
    /// The engine, on links of this kind.
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        let (left, right) = wires(Some(kind))?;
        let nics = left.nic(kind, "left") + &right.nic(kind, "right");
        let config = format!("workers = 1\nforwarding = true\ndad_transmits = 0\n{nics}");
        let up = Up::start_on(&left.engine, kind.label(), &config, &[]);
        for wire in [&left, &right] {
            wire.up_and_routed()?;
        }
        Ok(Self {
            by: By::Engine(up),
            left,
            right,
        })
    }

    /// A loop that has nothing but links of this kind.
    pub(crate) fn bare(kind: Kind) -> Result<Self> {
        let (left, right) = wires(Some(kind))?;
        let opened = BareRouter::open(kind, [&left, &right])?;
        for wire in [&left, &right] {
            wire.up_and_routed()?;
        }
        Ok(Self {
            by: By::Bare(opened.start([&left, &right])?),
            left,
            right,
        })
    }

    /// The kernel, on the same wires as the engine has them, with these offloads off at their ends.
    pub(crate) fn by_kernel(offloads_off: &[&str]) -> Result<Self> {
        let (left, right) = wires(None)?;
        for wire in [&left, &right] {
            wire.turn_off(offloads_off)?;
            let [v4, v6] = wire.engine_addresses();
            let device = &wire.engine_device;
            wire.engine.ip(&format!("addr add {v4}/24 dev {device}"))?;
            wire.engine
                .ip(&format!("addr add {v6}/64 dev {device} nodad"))?;
        }
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            left.engine.succeed(&format!("sysctl -qw {key}=1"), SOON)?;
        }
        for wire in [&left, &right] {
            wire.up_and_routed()?;
        }
        Ok(Self {
            by: By::Kernel,
            left,
            right,
        })
    }

    pub(crate) fn client(&self) -> &Namespace {
        &self.left.kernel
    }

    pub(crate) fn server(&self) -> &Namespace {
        &self.right.kernel
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Up {
        let up = self.up();
        up.expect("the router of this case is the engine")
    }

    fn up(&self) -> Option<&Up> {
        match &self.by {
            By::Engine(up) => Some(up),
            By::Kernel | By::Bare(_) => None,
        }
    }

    /// That every frame is in a counter.
    pub(crate) fn balance(&self) -> Result<Option<Counters>> {
        let wires = [("left", &self.left), ("right", &self.right)];
        self.up().map(|up| balance(up, &wires)).transpose()
    }

    /// Ends it; it has to have kept its books.
    pub(crate) fn end(self) -> Result<()> {
        self.balance()?;
        match self.by {
            By::Engine(up) => end(up),
            By::Kernel => Ok(()),
            By::Bare(bare) => bare.end(),
        }
    }
}

/// A router's two wires, to a client and to a server.
fn wires(kind: Option<Kind>) -> Result<(Wire, Wire)> {
    let [client, router, server] = [
        namespace("client")?,
        namespace("router")?,
        namespace("server")?,
    ];
    let left = Wire::new(kind, &client, &router, 1)?;
    let right = Wire::new(kind, &server, &router, 2)?;
    Ok((left, right))
}
