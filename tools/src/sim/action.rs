//! What the timeline does to NICs, and to what they share.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use corelane::engine::Lifecycle;
use corelane::stack::{
    AddNeighborError, AddressConfig, Forwarding, Nic, NicId, Route, RouteSpec, RoutesError, Stack,
};

use crate::config::{Action, AddressSetting, NeighborSetting, NicSetting, RouteSetting};

/// Why something was not done: the name of the typed error's variant, and the error in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActionError {
    /// The name, as `DuplicateAddress`.
    pub(super) name: String,
    /// The words.
    pub(super) message: String,
}

impl ActionError {
    fn new(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            message: message.into(),
        }
    }

    /// The variant that its debug output begins with.
    fn of<E: fmt::Debug + fmt::Display>(error: E) -> Self {
        let debug = format!("{error:?}");
        let end = debug.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        Self::new(
            debug.get(..end.unwrap_or(debug.len())).unwrap_or_default(),
            error.to_string(),
        )
    }

    /// Of the route table: the name of what was wrong, not of where it was found.
    fn of_routes(error: RoutesError) -> Self {
        match error {
            RoutesError::Table(error) => Self::of(error),
            RoutesError::Gateway(error) => Self::of(error),
            error @ RoutesError::UnknownNic(_) => Self::of(error),
        }
    }

    /// Likewise.
    fn of_neighbor(error: AddNeighborError) -> Self {
        match error {
            AddNeighborError::Neighbor(error) => Self::of(error),
            error @ AddNeighborError::UnknownNic(_) => Self::of(error),
        }
    }

    /// Of what only a NIC can do.
    fn no_nic() -> Self {
        Self::new("UnknownNicId", "it needs a NIC")
    }
}

/// The routes that are kept, by name.
pub(super) type Routes = BTreeMap<String, Route>;

/// What can be acted on.
pub(super) struct Scene<'a> {
    pub(super) stack: &'a Stack,
    pub(super) lifecycle: &'a Lifecycle,
    /// All of them, by number.
    pub(super) nics: Vec<&'a Nic>,
    /// The one that is named.
    pub(super) nic: Option<&'a Nic>,
}

/// Does it, on the NIC that is named where it is a NIC's.
pub(super) fn act(
    action: &Action,
    scene: &Scene<'_>,
    routes: &mut Routes,
) -> Result<(), ActionError> {
    let Scene {
        stack, lifecycle, ..
    } = scene;
    let nic = || scene.nic.ok_or_else(ActionError::no_nic);
    match action {
        Action::AddAddress(address) => {
            let config = config_of(address);
            nic()?.add_address(config).map_err(ActionError::of)
        }
        Action::RemoveAddress(address) => nic()?.remove_address(*address).map_err(ActionError::of),
        Action::AddRange(range) => nic()?.add_range(*range).map_err(ActionError::of),
        Action::RemoveRange(range) => nic()?.remove_range(*range).map_err(ActionError::of),
        Action::JoinGroup(group) => nic()?.join_group(*group).map_err(ActionError::of),
        Action::LeaveGroup(group) => nic()?.leave_group(*group).map_err(ActionError::of),
        Action::SetPromiscuous(on) => nic()?.set_promiscuous(*on).map_err(ActionError::of),
        Action::SetSpoofing(on) => nic()?.set_spoofing(*on).map_err(ActionError::of),
        Action::SetLink(true) => lifecycle.enable_nic(nic()?.id()).map_err(ActionError::of),
        Action::SetLink(false) => lifecycle.disable_nic(nic()?.id()).map_err(ActionError::of),
        Action::SetForwarding(on) => {
            let forwarding = forwarding(*on);
            let mut set = scene.nic.into_iter().chain(match scene.nic {
                Some(_) => [].iter().copied(),
                None => scene.nics.iter().copied(),
            });
            set.try_for_each(|nic| nic.set_forwarding(forwarding))
                .map_err(ActionError::of)
        }
        Action::AddRoute(route) => stack
            .add_route(route_spec(route, nic()?.id()))
            .map_err(ActionError::of_routes),
        Action::RemoveRoute(route) => stack
            .remove_route(route.to, route.via, nic()?.id())
            .map_err(ActionError::of_routes),
        Action::HoldRoute {
            name,
            local,
            remote,
        } => match routes.entry(name.clone()) {
            Entry::Occupied(_) => Err(ActionError::new(
                "NameInUse",
                format!("a route is kept as '{name}' already"),
            )),
            Entry::Vacant(entry) => {
                let route = match scene.nic {
                    Some(nic) => nic.route(*local, *remote),
                    None => stack.find_route(None, *local, *remote),
                };
                entry.insert(route.map_err(ActionError::of)?);
                Ok(())
            }
        },
        Action::ReleaseRoute { name } => match routes.remove(name) {
            Some(route) => {
                drop(route);
                Ok(())
            }
            None => Err(ActionError::new(
                "NotHeld",
                format!("no route is kept as '{name}'"),
            )),
        },
    }
}

fn config_of(address: &AddressSetting) -> AddressConfig {
    AddressConfig::from(address.prefix).primary(address.primary)
}

fn forwarding(on: bool) -> Forwarding {
    if on { Forwarding::ON } else { Forwarding::OFF }
}

fn route_spec(route: &RouteSetting, nic: NicId) -> RouteSpec {
    RouteSpec {
        to: route.to,
        via: route.via,
        nic,
        metric: 0,
    }
}

/// Adds a row to the route table.
pub(super) fn set_up_route(
    stack: &Stack,
    nic: NicId,
    route: &RouteSetting,
) -> Result<(), ActionError> {
    stack
        .add_route(route_spec(route, nic))
        .map_err(ActionError::of_routes)
}

/// Adds a static neighbor.
pub(super) fn set_up_neighbor(
    stack: &Stack,
    nic: NicId,
    neighbor: &NeighborSetting,
) -> Result<(), ActionError> {
    stack
        .add_neighbor(nic, neighbor.address, neighbor.mac)
        .map_err(ActionError::of_neighbor)
}

/// Makes a NIC what the configuration says it is, as far as that goes and in one transaction; what
/// fails is returned.
pub(super) fn set_up(nic: &Nic, setting: &NicSetting) -> Vec<(&'static str, ActionError)> {
    let mut failed = Vec::new();
    let done = nic.transaction(|tx| {
        tx.set_promiscuous(setting.promiscuous);
        tx.set_spoofing(setting.spoofing);
        tx.set_forwarding(forwarding(setting.forwarding));
        setting.ranges.iter().for_each(|range| tx.add_range(*range));
        for address in &setting.addresses {
            if let Err(error) = tx.add_address(config_of(address)) {
                failed.push(("add_address", ActionError::of(error)));
            }
        }
        for group in &setting.groups {
            if let Err(error) = tx.join_group(*group) {
                failed.push(("join_group", ActionError::of(error)));
            }
        }
    });
    if let Err(gone) = done {
        failed.push(("set_up", ActionError::of(gone)));
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelane::stack::fib::RouteTableError;
    use corelane::stack::{AddAddressError, NeighborError, NicGone, RemoveAddressError};

    #[test]
    fn errors_have_the_name_of_their_variant() {
        let address = "192.0.2.1".parse().unwrap();
        let error = ActionError::of(AddAddressError::DuplicateAddress(address));
        assert_eq!(error.name, "DuplicateAddress");
        assert_eq!(error.message, "the NIC has the address 192.0.2.1 already");
        let gone = RemoveAddressError::NicGone(NicGone(NicId(1)));
        assert_eq!(ActionError::of(gone).name, "NicGone");
        assert_eq!(ActionError::of(NicGone(NicId(1))).name, "NicGone");
        let unknown = || RoutesError::UnknownNic(NicId(1));
        assert_eq!(ActionError::of_routes(unknown()).name, "UnknownNic");
        let own = RouteTableError::OwnGateway(address);
        let error = ActionError::of_routes(own.into());
        assert_eq!(error.name, "OwnGateway");
        let group = NeighborError::Address(address);
        assert_eq!(ActionError::of_neighbor(group.into()).name, "Address");
        assert_eq!(
            ActionError::of(AddAddressError::TableFull).name,
            "TableFull"
        );
    }
}
