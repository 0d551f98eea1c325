//! What a run is made from.

use std::path::{Path, PathBuf};

use corelane::engine::NicConfig;
use corelane::frame::{MAX_SLOT_SIZE, PoolConfig};
use corelane::stack::{IgmpVersion, LinkLocal, MldVersion, NdpConfig};
use corelane::wire::ETHERNET_HEADER_LEN;

use super::inputs::{Inputs, output_files};
use crate::cli::{SimArgs, Usage};
use crate::config::{Config, IgmpSetting, LinkKind, MldSetting, NicSetting};

/// Frames in flight at once: one from a link, and what it and timers bring about.
const IN_FLIGHT: usize = 4096;

/// Makes the directory; the files in it that the run writes.
pub(super) fn prepare(dir: &Path, args: &SimArgs, config: &Config) -> Result<Vec<PathBuf>, Usage> {
    std::fs::create_dir_all(dir)
        .map_err(|error| Usage::new(format!("--out: cannot make {}: {error}", dir.display())))?;
    output_files(dir, &args.inputs, config)
}

/// Slots that hold the largest frame in either direction.
pub(super) fn pool(config: &Config, inputs: &Inputs, workers: usize) -> PoolConfig {
    let default = PoolConfig::default();
    let mtu = config.nics.iter().map(|nic| nic.mtu).max().unwrap_or(0);
    let largest = inputs.longest.max(mtu + ETHERNET_HEADER_LEN);
    let slot_size = (default.headroom + largest).next_multiple_of(64);
    // A cache for each worker and distributor, and one for each NIC's own frames.
    let caches = workers + 2 * config.nics.len();
    PoolConfig {
        slots: PoolConfig::slots_for(IN_FLIGHT, caches),
        slot_size: slot_size.clamp(default.slot_size, MAX_SLOT_SIZE),
        ..default
    }
}

/// A NIC as the engine takes it.
pub(super) fn nic_config(config: &Config, nic: &NicSetting, number: usize) -> NicConfig {
    let ndp = NdpConfig {
        transmits: config.dad_transmits,
        retransmit_timer: config.dad_retransmit_timer,
        ..NdpConfig::default()
    };
    let link_local = match (config.auto_link_local, config.stable_secret) {
        (false, _) => LinkLocal::None,
        (true, None) => LinkLocal::Eui64,
        (true, Some(secret)) => LinkLocal::StableOpaque {
            secret,
            network_id: Vec::new(),
        },
    };
    let built = NicConfig::new(&nic.name)
        // Each draws its own.
        .seed(config.seed.wrapping_add(number as u64))
        .mac(nic.mac)
        .mtu(nic.mtu)
        .ndp(ndp)
        .igmp(match nic.igmp {
            IgmpSetting::V3 => Some(IgmpVersion::V3),
            IgmpSetting::V2 => Some(IgmpVersion::V2),
            IgmpSetting::Off => None,
        })
        .mld(match nic.mld {
            MldSetting::V2 => Some(MldVersion::V2),
            MldSetting::V1 => Some(MldVersion::V1),
            MldSetting::Off => None,
        })
        .link_local(link_local)
        .multicast_loop(config.multicast_loop);
    if nic.enabled { built } else { built.disabled() }
}

/// Links that are not capture files are here all the same.
pub(super) fn replaced_links(config: &Config) -> impl Iterator<Item = String> + '_ {
    let replaced = config
        .nics
        .iter()
        .filter(|nic| nic.link.kind != LinkKind::Pcap);
    replaced.map(|nic| {
        format!(
            "{}: captures take the place of its link, {} '{}'",
            nic.name,
            nic.link.kind.label(),
            nic.link.name
        )
    })
}
