//! What an engine is built from.

use corelane::engine::{Lifecycle, NicConfig};
use corelane::stack::{IgmpVersion, LinkLocal, MldVersion, NdpConfig, Nic, Stack, StackConfig};
use corelane::wire::MacAddr;

use super::action::{ActionError, Routes, Scene, act, config_of, forwarding};
use crate::config::{Action, Config, IgmpSetting, MldSetting, NicSetting};

/// What the NICs share.
pub(crate) fn stack_config(config: &Config) -> StackConfig {
    StackConfig {
        // Another stream than the NICs'.
        seed: Some(!config.seed),
        icmp_rate: Some(config.icmp_rate),
        icmp_burst: config.icmp_burst,
        ..StackConfig::default()
    }
}

/// A NIC as the engine takes it, with this link address or its link's.
pub(crate) fn nic_config(
    config: &Config,
    nic: &NicSetting,
    number: usize,
    mac: Option<MacAddr>,
) -> NicConfig {
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
    let built = match mac {
        Some(mac) => built.mac(mac),
        None => built,
    };
    if nic.enabled { built } else { built.disabled() }
}

/// What the configuration asks for and was not done.
pub(crate) struct Unset {
    /// What was to be done; None for all of it, since the NIC is gone.
    pub(crate) action: Option<Action>,
    /// The NIC's name.
    pub(crate) nic: String,
    /// Why.
    pub(crate) error: ActionError,
}

impl Unset {
    /// What it is called among the things to do.
    pub(crate) fn label(&self) -> &'static str {
        self.action.as_ref().map_or("set_up", Action::label)
    }
}

/// Gives the NICs, and what they share, all that the configuration says, as far as that goes; returns
/// what failed.
pub(crate) fn set_up(
    config: &Config,
    nics: &[&Nic],
    stack: &Stack,
    lifecycle: &Lifecycle,
) -> Vec<Unset> {
    let each = nics.iter().zip(&config.nics);
    let mut unset: Vec<_> = each
        .flat_map(|(nic, setting)| set_up_nic(nic, setting))
        .collect();
    let routes = config.routes.iter();
    let routes = routes.map(|route| (&route.nic, Action::AddRoute(route.clone())));
    let neighbors = config.neighbors.iter().map(|neighbor| {
        let (address, mac) = (neighbor.address, neighbor.mac);
        (&neighbor.nic, Action::AddNeighbor { address, mac })
    });
    // After all addresses: a gateway is none of this host's.
    for (name, action) in routes.chain(neighbors) {
        let scene = Scene {
            stack,
            lifecycle,
            nics: nics.to_vec(),
            nic: nics.iter().find(|nic| nic.name() == name).copied(),
        };
        if let Err(error) = act(&action, &scene, &mut Routes::new()) {
            unset.push(Unset {
                action: Some(action),
                nic: name.clone(),
                error,
            });
        }
    }
    unset
}

/// Makes a NIC what the configuration says it is, in one transaction; returns what failed.
pub(crate) fn set_up_nic(nic: &Nic, setting: &NicSetting) -> Vec<Unset> {
    let mut unset = Vec::new();
    let mut failed = |action, error| {
        unset.push(Unset {
            action,
            nic: setting.name.clone(),
            error,
        });
    };
    let done = nic.transaction(|tx| {
        tx.set_promiscuous(setting.promiscuous);
        tx.set_spoofing(setting.spoofing);
        tx.set_forwarding(forwarding(setting.forwarding));
        setting.ranges.iter().for_each(|range| tx.add_range(*range));
        for address in &setting.addresses {
            if let Err(error) = tx.add_address(config_of(address)) {
                failed(Some(Action::AddAddress(*address)), ActionError::of(error));
            }
        }
        for group in &setting.groups {
            if let Err(error) = tx.join_group(*group) {
                failed(Some(Action::JoinGroup(*group)), ActionError::of(error));
            }
        }
    });
    if let Err(gone) = done {
        failed(None, ActionError::of(gone));
    }
    unset
}
