//! What can be done to NICs, and to what they share, while they run.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use corelane::engine::Lifecycle;
use corelane::stack::{
    AddNeighborError, AddressConfig, Forwarding, Nic, NicId, Route, RouteSpec, RoutesError, Stack,
};

use crate::config::{Action, AddressSetting, RouteSetting};

/// Why something was not done: the name of the typed error's variant, and the error in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub(crate) struct ActionError {
    /// The name, as `DuplicateAddress`.
    pub(crate) name: String,
    /// The words.
    pub(crate) message: String,
}

impl ActionError {
    fn new(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            message: message.into(),
        }
    }

    /// The variant that its debug output begins with.
    pub(super) fn of<E: fmt::Debug + fmt::Display>(error: E) -> Self {
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
    pub(crate) fn no_nic() -> Self {
        Self::new("UnknownNicId", "it needs a NIC")
    }
}

/// The routes that are kept, by name.
pub(crate) type Routes = BTreeMap<String, Route>;

/// What can be acted on.
pub(crate) struct Scene<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) lifecycle: &'a Lifecycle,
    /// All of them, by number.
    pub(crate) nics: Vec<&'a Nic>,
    /// The one that is named.
    pub(crate) nic: Option<&'a Nic>,
}

/// Does it, on the NIC that is named where it is a NIC's.
pub(crate) fn act(
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
        Action::AddNeighbor { address, mac } => stack
            .add_neighbor(nic()?.id(), *address, *mac)
            .map_err(ActionError::of_neighbor),
        Action::RemoveNeighbor(address) => {
            let nic = nic()?;
            if stack.remove_neighbor(nic.id(), *address) {
                return Ok(());
            }
            Err(ActionError::new(
                "UnknownNeighbor",
                format!("nothing is known of {address} on {}", nic.name()),
            ))
        }
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

pub(super) fn config_of(address: &AddressSetting) -> AddressConfig {
    AddressConfig::from(address.prefix).primary(address.primary)
}

pub(super) fn forwarding(on: bool) -> Forwarding {
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
