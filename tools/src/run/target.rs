//! What the frames of a synthetic load go to.

use std::sync::Arc;
use std::time::Instant;

use corelane::stack::{AddAddressError, Nic};
use corelane::wire::MacAddr;

use super::{Failure, Nics};
use crate::churn::Churned;
use crate::cli::{LoadArgs, Usage};
use crate::config::StreamSetting;
use crate::generator::{AddressPlan, RoutePlan, Traffic};
use crate::interrupt::Interrupt;
use crate::report::Setup;
use crate::sockets::{self, Sockets};
use crate::unit::{Check, Family, FrameSize};

/// Endpoints, sockets or routes: laid out before the run, and added to the engine's NICs.
#[derive(Clone)]
pub struct Target {
    load: LoadArgs,
    plan: AddressPlan,
    routes: Option<Arc<RoutePlan>>,
    /// Of a device under test on real links.
    device: Option<MacAddr>,
    interrupt: Interrupt,
}

impl Target {
    /// The one that the options ask for: in this process, or behind the device on real links that has this
    /// link address.
    pub fn new(load: &LoadArgs, device: Option<MacAddr>) -> Self {
        let draw = || RoutePlan::draw(load.family, load.routes, load.neighbors, load.seed);
        Self {
            plan: AddressPlan::new(load.family, load.sockets.unwrap_or(load.endpoints))
                .within(load.destination_networks()),
            routes: load.forward.then(|| Arc::new(draw())),
            load: load.clone(),
            device,
            interrupt: Interrupt::default(),
        }
    }

    /// Not to be set up further once somebody interrupts.
    pub(super) fn interruptible(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
    }

    /// The traffic for it.
    pub fn traffic(&self, frame_size: FrameSize) -> Traffic {
        let load = &self.load;
        Traffic {
            family: load.family,
            population_family: load.family,
            endpoints: self.plan.len(),
            endpoint_networks: load.destination_networks(),
            source_networks: load.source_networks(),
            destinations: load.destinations,
            hit_ratio: load.hit_ratio,
            frame_size,
            flows: load.flows,
            flow_law: load.flow_law,
            protocols: load.protocols.mix,
            malformed: load.malformed,
            vlan: load.vlan.clone(),
            signed: load.check != Check::Off,
            device: self.device,
            port: load.sockets.map(|_| sockets::PORT),
            routes: self.routes.clone(),
            seed: load.seed,
        }
    }

    /// The traffic of a stream of a profile for it; what the profile leaves out is as of `whole`.
    ///
    /// # Errors
    /// Its frames are of a family that nothing here has an address of.
    pub fn stream(
        &self,
        number: usize,
        stream: &StreamSetting,
        whole: &Traffic,
    ) -> Result<Traffic, Usage> {
        let family = stream.family.unwrap_or(whole.family);
        if whole.family != Family::Mixed && family != whole.family {
            return Err(Usage::new(format!(
                "--profile: {} has frames of family {family}, and --family {} gives nothing such an \
                 address; did you mean '--family mixed'?",
                stream.name, whole.family
            )));
        }
        let traffic = whole.clone();
        Ok(Traffic {
            family,
            frame_size: stream.frame_size.unwrap_or(traffic.frame_size),
            destinations: stream.destinations.unwrap_or(traffic.destinations),
            hit_ratio: stream.hit_ratio.unwrap_or(traffic.hit_ratio),
            flows: stream.flows.unwrap_or(traffic.flows),
            flow_law: stream.flow_law.unwrap_or(traffic.flow_law),
            protocols: stream
                .protocols
                .as_ref()
                .map_or(traffic.protocols, |it| it.mix),
            malformed: stream.malformed.unwrap_or(traffic.malformed),
            vlan: stream.vlan.clone().unwrap_or(traffic.vlan),
            port: stream.port.or(traffic.port),
            // Streams are drawn apart.
            seed: traffic.seed.wrapping_add(number as u64),
            ..traffic
        })
    }

    /// In a few words, for people.
    pub fn describe(&self) -> String {
        match (&self.routes, self.load.sockets) {
            (Some(routes), _) => {
                let neighbors = self.load.neighbors;
                format!("{} routes to {neighbors} neighbors", routes.len())
            }
            (None, Some(sockets)) => format!("{sockets} endpoints with a UDP socket each"),
            (None, None) => match self.device {
                None => format!("{} endpoints", self.load.endpoints),
                Some(mac) => {
                    let networks: Vec<_> =
                        self.load.dst_net.iter().map(ToString::to_string).collect();
                    let of = if networks.is_empty() { "" } else { " of " };
                    let networks = networks.join(" and ");
                    format!(
                        "to {} addresses{of}{networks} by {mac}",
                        self.load.endpoints
                    )
                }
            },
        }
    }

    /// What setting it up is called.
    pub fn stage(&self) -> &'static str {
        if self.routes.is_some() {
            "routes"
        } else {
            "endpoints"
        }
    }

    /// Adds it all, and notes what that was and how long it took. Large tables take long: somebody may interrupt that.
    pub(super) fn set_up(
        &self,
        nics: &Nics,
        setup: &mut Setup,
    ) -> Result<Option<Sockets>, Failure> {
        let before = Instant::now();
        if let Some(routes) = &self.routes {
            install(routes, nics, setup, &self.interrupt)?;
            return Ok(None);
        }
        add_endpoints(&nics.ingress, self.plan, &self.interrupt)?;
        let sockets = self
            .load
            .sockets
            .map(|_| Sockets::bind(&nics.ingress, self.plan))
            .transpose()
            .map_err(|error| Failure::Run(format!("cannot bind the sockets: {error}")))?;
        setup.endpoints = self.plan.len().into();
        setup.endpoints_s = before.elapsed().as_secs_f64();
        Ok(sockets)
    }

    /// What comes and goes beside it.
    pub fn churned(&self, nics: &Nics) -> Churned {
        Churned::of(nics, self.routes.as_ref(), self.plan)
    }
}

/// Gives the second NIC, if there is one, routes and their neighbors, and notes that.
///
/// # Errors
/// The stack does not take one, or somebody interrupts.
pub fn install(
    routes: &RoutePlan,
    nics: &Nics,
    setup: &mut Setup,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let before = Instant::now();
    if let Some(egress) = &nics.egress {
        routes
            .install_until(egress, || interrupt.is_raised())
            .map_err(|error| Failure::Run(format!("cannot route: {error}")))?;
        check(interrupt)?;
        setup.routes = routes.len().into();
        setup.neighbors = routes.neighbors().count() as u64;
        setup.routes_s = before.elapsed().as_secs_f64();
    }
    Ok(())
}

fn add_endpoints(nic: &Nic, plan: AddressPlan, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut wanted = plan.iter().take_while(|_| !interrupt.is_raised());
    nic.transaction(|tx| wanted.try_for_each(|address| tx.add_address(address)))
        .map_err(AddAddressError::from)
        .flatten()
        .map_err(|error| Failure::Run(format!("cannot add the endpoints: {error}")))?;
    check(interrupt)
}

/// Whether what was set up is all that was to be.
fn check(interrupt: &Interrupt) -> Result<(), Failure> {
    if interrupt.is_raised() {
        let what = "interrupted while the tables were set up";
        return Err(Failure::Interrupted(what.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use corelane::engine::WhenFull;

    use super::*;
    use crate::cli::{self, Asked};
    use crate::run::{Bed, Layout};

    #[test]
    fn tables_are_set_up_no_further_once_somebody_interrupts() {
        for load in ["--endpoints 100", "--forward --routes 100"] {
            let line = format!("corelane bench --workers 1 {load}");
            let Ok(Asked::Bench(args)) = cli::parse(line.split(' ')) else {
                panic!("refused: {line}");
            };
            let interrupt = Interrupt::default();
            let layout = Layout::new(&args.engine, &args.load, args.frame_size, None);
            let layout = layout.interruptible(&interrupt);
            Bed::start(&layout, WhenFull::Drop).unwrap().finish();
            interrupt.raise();
            let ended = Bed::start(&layout, WhenFull::Drop);
            assert!(matches!(ended, Err(Failure::Interrupted(_))), "{load}");
        }
    }
}
