//! What a run is made from.

use std::path::PathBuf;

use corelane::frame::{MAX_SLOT_SIZE, PoolConfig};
use corelane::wire::ETHERNET_HEADER_LEN;

use super::inputs::Inputs;
use crate::cli::{SimArgs, Usage};
use crate::config::{Config, LinkKind, NicSetting};
use crate::run::{Taken, check_free};

/// Frames in flight at once: one from a link, and what it and timers bring about.
const IN_FLIGHT: usize = 4096;

/// The files of a run: what came from those it reads, and those it writes.
pub struct Files {
    pub(super) inputs: Inputs,
    /// `DIR/NIC.pcap`, by NIC.
    pub(super) outputs: Vec<PathBuf>,
}

impl Files {
    /// Reads the captures, and makes the directory for what is sent.
    ///
    /// # Errors
    /// A capture cannot be read or is for a NIC that is not there, the directory cannot be made, or
    /// a file would be both read and written.
    pub fn open(args: &SimArgs, config: &Config) -> Result<Self, Usage> {
        let inputs = Inputs::open(&args.inputs, config)?;
        let dir = &args.out;
        std::fs::create_dir_all(dir).map_err(|error| {
            Usage::new(format!("--out: cannot make {}: {error}", dir.display()))
        })?;
        let output = |nic: &NicSetting| dir.join(format!("{}.pcap", nic.name));
        let outputs: Vec<_> = config.nics.iter().map(output).collect();
        let read = read(args);
        for output in &outputs {
            check_free("--out", output, &read)?;
        }
        Ok(Self { inputs, outputs })
    }

    /// The files that no report may go to.
    pub fn taken<'a>(&'a self, args: &'a SimArgs, config: &Config) -> Vec<Taken<'a>> {
        let mut taken = read(args);
        taken.extend(
            self.outputs
                .iter()
                .zip(&config.nics)
                .map(|(file, nic)| Taken {
                    file,
                    holds: format!("what {} sends", nic.name),
                }),
        );
        taken
    }
}

/// The files that a run reads.
fn read(args: &SimArgs) -> Vec<Taken<'_>> {
    let config = Taken {
        file: &args.config,
        holds: "the configuration".to_owned(),
    };
    let captures = args.inputs.iter().map(|input| Taken {
        file: &input.file,
        holds: format!("the capture of --in {}", input.nic),
    });
    std::iter::once(config).chain(captures).collect()
}

/// Slots that hold the largest frame in either direction, `held` of them for what links hold back.
pub(super) fn pool(config: &Config, inputs: &Inputs, workers: usize, held: usize) -> PoolConfig {
    let default = PoolConfig::default();
    let mtu = config.nics.iter().map(|nic| nic.mtu).max().unwrap_or(0);
    let largest = inputs.longest.max(mtu + ETHERNET_HEADER_LEN);
    let slot_size = (default.headroom + largest).next_multiple_of(64);
    // A cache for each worker and distributor, and one for each NIC's own frames.
    let caches = workers + 2 * config.nics.len();
    PoolConfig {
        slots: PoolConfig::slots_for(IN_FLIGHT + held, caches),
        slot_size: slot_size.clamp(default.slot_size, MAX_SLOT_SIZE),
        ..default
    }
}

/// Links that are not capture files are here all the same.
pub(super) fn replaced_links(config: &Config) -> impl Iterator<Item = String> + '_ {
    let replaced = config
        .nics
        .iter()
        .filter(|nic| nic.link.kind != LinkKind::Pcap);
    let replaced = replaced.map(|nic| {
        format!(
            "{}: captures take the place of its link, {} '{}'",
            nic.name,
            nic.link.kind.label(),
            nic.link.name
        )
    });
    let captured = config.nics.iter().filter(|nic| nic.capture.is_some());
    let captured = captured.map(|nic| {
        format!(
            "{}: its capture is for up; what it sends here is in {}.pcap",
            nic.name, nic.name
        )
    });
    replaced.chain(captured)
}
