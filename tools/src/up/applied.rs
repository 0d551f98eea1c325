//! What of a configuration is in effect. The next one is told apart from this, so that what failed is tried again.

use crate::config::{Action, Config};
use crate::host::Unset;

/// Without these NICs, and without what is theirs.
pub(super) fn without(config: &Config, nics: &[String]) -> Config {
    let mut config = config.clone();
    config.nics.retain(|nic| !nics.contains(&nic.name));
    config.routes.retain(|route| !nics.contains(&route.nic));
    config.neighbors.retain(|it| !nics.contains(&it.nic));
    let is_theirs = |nic: &String| nics.contains(nic);
    config
        .services
        .retain(|it| !it.nic.as_ref().is_some_and(is_theirs));
    config
}

/// Takes out what was to be done and was not.
pub(super) fn take_back(config: &mut Config, unset: &Unset) {
    let name = &unset.nic;
    let Some(nic) = config.nics.iter_mut().find(|nic| nic.name == *name) else {
        return;
    };
    match &unset.action {
        Some(Action::AddAddress(address)) => nic.addresses.retain(|it| it != address),
        Some(Action::AddRange(range)) => nic.ranges.retain(|it| it != range),
        Some(Action::JoinGroup(group)) => nic.groups.retain(|it| it != group),
        Some(Action::SetPromiscuous(on)) => nic.promiscuous = !on,
        Some(Action::SetSpoofing(on)) => nic.spoofing = !on,
        Some(Action::SetForwarding(on)) => nic.forwarding = !on,
        Some(Action::SetLink(on)) => nic.enabled = !on,
        Some(Action::AddRoute(route)) => config.routes.retain(|it| it != route),
        Some(Action::AddNeighbor { address, .. }) => config
            .neighbors
            .retain(|it| it.nic != *name || it.address != *address),
        // What could not be taken away was not there.
        Some(
            Action::RemoveAddress(_)
            | Action::RemoveRange(_)
            | Action::LeaveGroup(_)
            | Action::RemoveRoute(_)
            | Action::RemoveNeighbor(_),
        ) => {}
        // No configuration has these; and a NIC that is gone is none that could be given anything.
        Some(Action::HoldRoute { .. } | Action::ReleaseRoute { .. }) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::difference::difference;
    use super::*;
    use crate::config::Change;
    use crate::host::ActionError;

    fn config(text: &str) -> Config {
        Config::parse("lab.toml", text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn with_a_nic_goes_what_is_its_own_and_comes_again_as_new() {
        let lan = "[[nic]]\nname = 'lan'\n[[service]]\nkind = 'udp_echo'\nbind = 'any:7'\n";
        let wan = "[[nic]]\nname = 'wan'\n[[route]]\nto = '10.0.0.0/8'\nnic = 'wan'\n\
                   [[neighbor]]\nnic = 'wan'\naddress = '192.0.2.9'\nmac = '02:00:00:00:00:09'\n\
                   [[service]]\nkind = 'udp_echo'\nbind = 'any:8'\nnic = 'wan'\n";
        let both = config(&format!("{lan}{wan}"));
        let left = without(&both, &["wan".to_owned()]);
        assert_eq!(left, config(lan));
        let next = difference(&left, &both).unwrap();
        assert_eq!(next.added, ["wan"]);
        assert_eq!(next.changes.len(), 2, "{next:?}");
        assert!(next.services && next.removed.is_empty());
    }

    #[test]
    fn what_failed_is_to_be_done_again_and_what_was_not_there_is_not_to_be_removed() {
        let nic = "[[nic]]\nname = 'lan'\n[[nic]]\nname = 'wan'\n";
        let more = |mac: &str| {
            format!(
                "[[route]]\nto = '10.0.0.0/8'\nnic = 'wan'\n\
                 [[neighbor]]\nnic = 'wan'\naddress = '192.0.2.9'\nmac = '02:00:00:00:00:{mac}'\n"
            )
        };
        let full = "addresses = ['192.0.2.1/24']\nranges = ['10.0.0.0/8']\ngroups = ['239.1.2.3']\n\
                    promiscuous = true\nspoofing = true\nforwarding = true\nenabled = false\n";
        let (bare, full) = (
            config(&format!("{nic}{}", more("08"))),
            config(&format!("{nic}{full}{}", more("09"))),
        );
        let again = |old: &Config, new: &Config| {
            let tried = difference(old, new).unwrap().changes;
            let mut applied = new.clone();
            for Change { action, nic } in &tried {
                let unset = Unset {
                    action: Some(action.clone()),
                    nic: nic.clone().unwrap(),
                    error: ActionError::no_nic(),
                };
                take_back(&mut applied, &unset);
            }
            (tried, difference(&applied, new).unwrap().changes)
        };
        let (tried, left) = again(&bare, &full);
        assert_eq!(tried.len(), 8, "{tried:?}");
        assert_eq!(left, tried);
        let (tried, left) = again(&full, &bare);
        assert_eq!(tried.len(), 8, "{tried:?}");
        let is_removal = |change: &&Change| change.action.label().starts_with("remove");
        let gone = tried.iter().filter(is_removal).count() + 1;
        assert_eq!(left.len() + gone, tried.len(), "{left:?}");
    }
}
