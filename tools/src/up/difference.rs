//! What a new configuration changes, while everything runs.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::time::Duration;

use corelane::io::af_xdp::XdpMode;

use crate::config::{
    Action, Change, Config, EventSetting, LinkKind, NicSetting, ServiceSetting, mode_label, seconds,
};

/// What is to be done for a new configuration to be in effect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What is to be done to NICs and to what they share, in this order.
    pub(super) changes: Vec<Change>,
    /// Whether the services are others.
    pub(super) services: bool,
    /// Whether the timeline is another.
    pub(super) events: bool,
    /// The NICs that are new, and those that are gone, by name. What `changes` does to others does not
    /// need them.
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl Difference {
    /// Whether nothing is.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What leads from one configuration to another. What they have in common is not touched.
///
/// # Errors
/// What cannot be changed while it runs: all of it, each in words.
pub(super) fn difference(old: &Config, new: &Config) -> Result<Difference, Vec<String>> {
    let refused = refused(old, new);
    if !refused.is_empty() {
        return Err(refused);
    }
    Ok(steps(old, new))
}

/// What leads from one configuration to another that is not refused.
pub(super) fn steps(old: &Config, new: &Config) -> Difference {
    let only_in = |config: &Config, other: &Config| -> Vec<String> {
        let names = config.nics.iter().map(|nic| &nic.name);
        let only = names.filter(|name| other.nic(name).is_none());
        only.cloned().collect()
    };
    let (added, removed) = (only_in(new, old), only_in(old, new));
    let mut plan = Plan::default();
    let (routes, neighbors) = (&mut plan.routes, &mut plan.neighbors);
    // With a NIC go its routes and neighbors.
    let stays = |nic: &String| !removed.contains(nic);
    for route in gone(&old.routes, &new.routes)
        .into_iter()
        .filter(|it| stays(&it.nic))
    {
        routes.remove(&route.nic, Action::RemoveRoute(route.clone()));
    }
    for route in gone(&new.routes, &old.routes) {
        routes.add(&route.nic, Action::AddRoute(route.clone()));
    }
    let kept: HashSet<_> = new
        .neighbors
        .iter()
        .map(|it| (&it.nic, it.address))
        .collect();
    for neighbor in gone(&old.neighbors, &new.neighbors) {
        // One that only has another link address is given it.
        if stays(&neighbor.nic) && !kept.contains(&(&neighbor.nic, neighbor.address)) {
            neighbors.remove(&neighbor.nic, Action::RemoveNeighbor(neighbor.address));
        }
    }
    for neighbor in gone(&new.neighbors, &old.neighbors) {
        let (address, mac) = (neighbor.address, neighbor.mac);
        neighbors.add(&neighbor.nic, Action::AddNeighbor { address, mac });
    }
    for (old, new) in pairs(old, new) {
        plan.nic(old, new);
    }
    Difference {
        changes: plan.in_order(),
        services: !same_services(&old.services, &new.services),
        events: old.events != new.events,
        added,
        removed,
    }
}

/// What another timeline comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Retimed {
    /// What is still to happen, by time.
    pub(super) timeline: Vec<EventSetting>,
    /// How many of these are new, and how many that were still to happen are gone.
    pub(super) changes: usize,
    /// What is new and will not happen: its time has passed.
    pub(super) skipped: Vec<EventSetting>,
}

/// What leads from one timeline to another, so long after the beginning.
pub(super) fn retimed(old: &[EventSetting], new: &[EventSetting], now: Duration) -> Retimed {
    let is_to_come = |event: &&EventSetting| event.at > now;
    let (coming, skipped): (Vec<_>, Vec<_>) = gone(new, old).into_iter().partition(is_to_come);
    let dropped = gone(old, new).into_iter().filter(is_to_come).count();
    Retimed {
        timeline: new.iter().filter(is_to_come).cloned().collect(),
        changes: coming.len() + dropped,
        skipped: skipped.into_iter().cloned().collect(),
    }
}

/// Changes of one kind.
#[derive(Default)]
struct Changes {
    removed: Vec<Change>,
    added: Vec<Change>,
}

impl Changes {
    fn remove(&mut self, nic: &str, action: Action) {
        self.removed.push(change(nic, action));
    }

    fn add(&mut self, nic: &str, action: Action) {
        self.added.push(change(nic, action));
    }
}

fn change(nic: &str, action: Action) -> Change {
    let nic = Some(nic.to_owned());
    Change { action, nic }
}

/// Changes by kind: what leans on something goes before it and comes after it.
#[derive(Default)]
struct Plan {
    routes: Changes,
    neighbors: Changes,
    members: Changes,
    modes: Changes,
}

impl Plan {
    fn nic(&mut self, old: &NicSetting, new: &NicSetting) {
        let (nic, members) = (new.name.as_str(), &mut self.members);
        for group in gone(&old.groups, &new.groups) {
            members.remove(nic, Action::LeaveGroup(*group));
        }
        for range in gone(&old.ranges, &new.ranges) {
            members.remove(nic, Action::RemoveRange(*range));
        }
        for address in gone(&old.addresses, &new.addresses) {
            members.remove(nic, Action::RemoveAddress(address.prefix.address()));
        }
        for address in gone(&new.addresses, &old.addresses) {
            members.add(nic, Action::AddAddress(*address));
        }
        for range in gone(&new.ranges, &old.ranges) {
            members.add(nic, Action::AddRange(*range));
        }
        for group in gone(&new.groups, &old.groups) {
            members.add(nic, Action::JoinGroup(*group));
        }
        let mut mode = |old: bool, new: bool, action: fn(bool) -> Action| {
            if old != new {
                self.modes.add(nic, action(new));
            }
        };
        mode(old.promiscuous, new.promiscuous, Action::SetPromiscuous);
        mode(old.spoofing, new.spoofing, Action::SetSpoofing);
        mode(old.forwarding, new.forwarding, Action::SetForwarding);
        mode(old.enabled, new.enabled, Action::SetLink);
    }

    fn in_order(self) -> Vec<Change> {
        [
            self.routes.removed,
            self.neighbors.removed,
            self.members.removed,
            self.modes.added,
            self.members.added,
            self.neighbors.added,
            self.routes.added,
        ]
        .concat()
    }
}

/// What is in `old` and not in `new`.
fn gone<'a, T: Eq + Hash>(old: &'a [T], new: &[T]) -> Vec<&'a T> {
    let new: HashSet<_> = new.iter().collect();
    let mut seen = HashSet::new();
    old.iter()
        .filter(|item| !new.contains(item) && seen.insert(*item))
        .collect()
}

/// In any order: none comes before another for its place in the file.
fn same_services(old: &[ServiceSetting], new: &[ServiceSetting]) -> bool {
    let mut rest: Vec<_> = new.iter().collect();
    let all_there = old.iter().all(|service| {
        let at = rest.iter().position(|other| *other == service);
        at.map(|at| rest.swap_remove(at)).is_some()
    });
    all_there && rest.is_empty()
}

/// The NICs that both have.
fn pairs<'a>(
    old: &'a Config,
    new: &'a Config,
) -> impl Iterator<Item = (&'a NicSetting, &'a NicSetting)> {
    let before = |nic: &'a NicSetting| Some((old.nic(&nic.name)?, nic));
    new.nics.iter().filter_map(before)
}

/// What was decided when the engine was built, and is another now.
fn refused(old: &Config, new: &Config) -> Vec<String> {
    let mut refused = Refused(Vec::new());
    let default = || "the default".to_owned();
    let workers = |config: &Config| config.workers.map_or_else(default, |n| n.to_string());
    let socket = |config: &Config| {
        let path = config.socket.as_deref();
        path.map_or_else(default, |path| path.display().to_string())
    };
    let user = |config: &Config| config.user.clone().unwrap_or_else(|| "none".to_owned());
    let timer = |config: &Config| seconds(config.dad_retransmit_timer);
    let mode = |config: &Config| format!("{:04o}", config.socket_mode);
    refused.if_other("workers", &workers(old), &workers(new));
    refused.if_other("seed", &old.seed, &new.seed);
    refused.if_other("icmp_rate", &old.icmp_rate, &new.icmp_rate);
    refused.if_other("icmp_burst", &old.icmp_burst, &new.icmp_burst);
    refused.if_other("dad_transmits", &old.dad_transmits, &new.dad_transmits);
    refused.if_other("dad_retransmit_timer", &timer(old), &timer(new));
    refused.if_other(
        "auto_link_local",
        &old.auto_link_local,
        &new.auto_link_local,
    );
    if old.stable_secret != new.stable_secret {
        // Secrets do not belong in logs.
        refused.0.push("stable_secret is another".to_owned());
    }
    refused.if_other("multicast_loop", &old.multicast_loop, &new.multicast_loop);
    refused.if_other("user", &user(old), &user(new));
    refused.if_other("socket", &socket(old), &socket(new));
    refused.if_other("socket_mode", &mode(old), &mode(new));
    for nic in new.nics.iter().filter(|nic| old.nic(&nic.name).is_none()) {
        // Its device is not free before the other one is gone, and then it may not come.
        let has_device = |other: &&NicSetting| {
            other.link.name == nic.link.name && new.nic(&other.name).is_none()
        };
        if let Some(other) = old.nics.iter().find(has_device) {
            refused.0.push(format!(
                "nic '{}' is new on '{}', the device of nic '{}': take that out first",
                nic.name, nic.link.name, other.name
            ));
        }
    }
    // The default follows from the NICs: whether there are frames for them is another question.
    if old.spare_nics_given || new.spare_nics_given {
        refused.if_other("spare_nics", &old.spare_nics, &new.spare_nics);
    }
    for (old, new) in pairs(old, new) {
        let field = |field: &str| format!("nic '{}': {field}", new.name);
        let link = |nic: &NicSetting| {
            let (link, queues) = (&nic.link, nic.link.queues);
            let plural = if queues == 1 { "" } else { "s" };
            let can = matches!(link.kind, LinkKind::Tap | LinkKind::AfPacket);
            let whole = if can && !link.super_frames {
                " without super-frames"
            } else {
                ""
            };
            let mode = match link.mode {
                XdpMode::Auto => String::new(),
                mode => format!(", {}", mode_label(mode)),
            };
            let only = if link.receive_only {
                ", to receive only"
            } else {
                ""
            };
            format!(
                "{} '{}' of {queues} queue{plural}{whole}{only}{mode}",
                link.kind.label(),
                link.name
            )
        };
        refused.if_other(&field("link"), &link(old), &link(new));
        // One that is made up is the link's, whatever its place in the file.
        if old.mac_given || new.mac_given {
            refused.if_other(&field("mac"), &old.mac, &new.mac);
        }
        refused.if_other(&field("mtu"), &old.mtu, &new.mtu);
        refused.if_other(&field("igmp"), &old.igmp.label(), &new.igmp.label());
        refused.if_other(&field("mld"), &old.mld.label(), &new.mld.label());
        if old.faults != new.faults {
            refused.0.push(format!("{} are others", field("faults")));
        }
        if old.capture != new.capture {
            refused.0.push(format!("{} is another", field("capture")));
        }
    }
    refused.0
}

struct Refused(Vec<String>);

impl Refused {
    fn if_other<T: PartialEq + Display>(&mut self, what: &str, old: &T, new: &T) {
        if old != new {
            self.0.push(format!("{what} was {old} and is {new}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse("lab.toml", text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The changes in words, from one NIC with `old` to one with `new`.
    fn changes(old: &str, new: &str) -> Vec<String> {
        let config = |text: &str| config(&format!("[[nic]]\nname = 'wan'\n{text}"));
        let difference = difference(&config(old), &config(new)).unwrap();
        assert!(!difference.services && !difference.events);
        difference
            .changes
            .iter()
            .map(|change| {
                assert_eq!(change.nic.as_deref(), Some("wan"));
                match &change.action {
                    Action::AddAddress(it) => format!("+{}", it.prefix),
                    Action::RemoveAddress(it) => format!("-{it}"),
                    Action::AddRange(it) => format!("+range {it}"),
                    Action::RemoveRange(it) => format!("-range {it}"),
                    Action::JoinGroup(it) => format!("+group {it}"),
                    Action::LeaveGroup(it) => format!("-group {it}"),
                    Action::AddRoute(it) => format!("+route {}", it.to),
                    Action::RemoveRoute(it) => format!("-route {}", it.to),
                    Action::AddNeighbor { address, mac } => format!("+neighbor {address} {mac}"),
                    Action::RemoveNeighbor(it) => format!("-neighbor {it}"),
                    Action::SetPromiscuous(on)
                    | Action::SetSpoofing(on)
                    | Action::SetForwarding(on)
                    | Action::SetLink(on) => format!("{} {on}", change.action.label()),
                    other => panic!("{other:?}"),
                }
            })
            .collect()
    }

    #[test]
    fn what_is_the_same_is_not_touched() {
        let text = "addresses = ['192.0.2.1/24', '2001:db8::1/64']\nranges = ['10.0.0.0/8']\n\
                    groups = ['239.1.2.3']\n[[route]]\nto = '0.0.0.0/0'\nnic = 'wan'\n\
                    [[neighbor]]\nnic = 'wan'\naddress = '192.0.2.9'\nmac = '02:00:00:00:00:09'";
        assert!(changes(text, text).is_empty());
        // Nor is what only stands elsewhere.
        let moved = text.replace(
            "'192.0.2.1/24', '2001:db8::1/64'",
            "'2001:db8::1/64', '192.0.2.1/24'",
        );
        assert!(changes(text, &moved).is_empty());
        assert!(
            difference(
                &config("[[nic]]\nname = 'a'"),
                &config("[[nic]]\nname = 'a'")
            )
            .unwrap()
            .is_empty()
        );
    }

    #[test]
    fn addresses_ranges_groups_and_modes_are_changed_one_by_one() {
        assert_eq!(
            changes(
                "addresses = ['192.0.2.1/24', '192.0.2.2/24']\nranges = ['10.0.0.0/8']\n\
                 groups = ['239.1.2.3']\nspoofing = true",
                "addresses = ['192.0.2.3/24', '192.0.2.1/24']\nranges = ['10.0.0.0/9']\n\
                 groups = ['239.1.2.4']\npromiscuous = true\nenabled = false\nforwarding = true",
            ),
            [
                "-group 239.1.2.3",
                "-range 10.0.0.0/8",
                "-192.0.2.2",
                "set_promiscuous true",
                "set_spoofing false",
                "set_forwarding true",
                "set_link false",
                "+192.0.2.3/24",
                "+range 10.0.0.0/9",
                "+group 239.1.2.4",
            ]
        );
        // Another length, or another place among the source addresses, is another address.
        assert_eq!(
            changes(
                "addresses = ['192.0.2.1/24']",
                "addresses = ['192.0.2.1/25']"
            ),
            ["-192.0.2.1", "+192.0.2.1/25"]
        );
        assert_eq!(
            changes(
                "addresses = ['192.0.2.1/24']",
                "addresses = [{ address = '192.0.2.1/24', primary = 'never' }]"
            ),
            ["-192.0.2.1", "+192.0.2.1/24"]
        );
    }

    #[test]
    fn routes_go_before_addresses_and_come_after_them() {
        let nic = |address: &str, to: &str| {
            format!(
                "addresses = ['{address}']\n[[route]]\nto = '{to}'\nvia = '192.0.2.9'\nnic = 'wan'"
            )
        };
        assert_eq!(
            changes(
                &nic("192.0.2.1/24", "10.0.0.0/8"),
                &nic("192.0.2.2/24", "::/0").replace("192.0.2.9", "2001:db8::9")
            ),
            [
                "-route 10.0.0.0/8",
                "-192.0.2.1",
                "+192.0.2.2/24",
                "+route ::/0"
            ]
        );
    }

    #[test]
    fn a_neighbor_with_another_link_address_is_not_forgotten_in_between() {
        let neighbor = |address: &str, mac: &str| {
            format!("[[neighbor]]\nnic = 'wan'\naddress = '{address}'\nmac = '{mac}'\n")
        };
        let old = neighbor("192.0.2.8", "02:00:00:00:00:08")
            + &neighbor("192.0.2.9", "02:00:00:00:00:09");
        assert_eq!(
            changes(&old, &neighbor("192.0.2.9", "02:00:00:00:00:0a")),
            [
                "-neighbor 192.0.2.8",
                "+neighbor 192.0.2.9 02:00:00:00:00:0a"
            ]
        );
    }

    #[test]
    fn services_and_the_timeline_are_told_apart_from_changes() {
        let nic = "[[nic]]\nname = 'wan'\n";
        let service = |bind: &str| format!("[[service]]\nkind = 'udp_echo'\nbind = '{bind}'\n");
        let (a, b) = (service("any:7"), service("any:8"));
        let difference = |old: &str, new: &str| {
            super::difference(
                &config(&format!("{nic}{old}")),
                &config(&format!("{nic}{new}")),
            )
        };
        let got = difference(&format!("{a}{b}"), &format!("{b}{a}")).unwrap();
        assert!(got.is_empty(), "{got:?}");
        let got = difference(&a, &format!("{a}{b}")).unwrap();
        assert!(got.services && !got.events && got.changes.is_empty());
        let event = "[[event]]\nat = '1s'\nnic = 'wan'\ndo = 'set_link'\non = false\n";
        let got = difference("", event).unwrap();
        assert!(got.events && !got.services && got.changes.is_empty());
    }

    #[test]
    fn what_comes_of_another_timeline_is_counted_and_what_is_too_late_told() {
        let timeline = |times: &[u64]| {
            let event =
                |at| format!("[[event]]\nat = '{at}s'\nnic = 'wan'\ndo = 'set_link'\non = false\n");
            let events: String = times.iter().map(event).collect();
            config(&format!("[[nic]]\nname = 'wan'\n{events}")).events
        };
        let now = Duration::from_secs(10);
        for (old, new, changes, skipped) in [
            (&[][..], &[20, 30][..], 2, &[][..]),
            (&[], &[5, 20], 1, &[5]),
            // What has happened is neither new nor to be told.
            (&[5, 20], &[5, 20], 0, &[]),
            (&[5, 20], &[5, 30], 2, &[]),
            (&[5, 20], &[], 1, &[]),
        ] {
            let got = retimed(&timeline(old), &timeline(new), now);
            let to_come: Vec<_> = new.iter().copied().filter(|at| *at > 10).collect();
            assert_eq!(got.timeline, timeline(&to_come), "{old:?} {new:?}");
            assert_eq!(got.changes, changes, "{old:?} {new:?}");
            assert_eq!(got.skipped, timeline(skipped), "{old:?} {new:?}");
        }
    }

    #[test]
    fn nics_come_and_go_with_what_is_theirs() {
        let nic = |name: &str, device: &str| {
            format!("[[nic]]\nname = '{name}'\nlink = {{ kind = 'tap', name = '{device}' }}\n")
        };
        let route = |nic: &str| format!("[[route]]\nto = '10.0.0.0/8'\nnic = '{nic}'\n");
        let old = nic("wan", "tap0") + &nic("lan", "tap1") + &route("lan");
        // In front, so that the places of the others change.
        let new = nic("dmz", "tap2") + &nic("wan", "tap0") + &route("dmz");
        let got = difference(&config(&old), &config(&new)).unwrap();
        assert_eq!(
            (got.added, got.removed),
            (vec!["dmz".to_owned()], vec!["lan".to_owned()])
        );
        let [
            Change {
                action: Action::AddRoute(route),
                ..
            },
        ] = got.changes.as_slice()
        else {
            panic!("{:?}", got.changes);
        };
        assert_eq!(route.nic, "dmz");
    }

    #[test]
    fn what_was_built_in_is_refused_all_of_it_at_once() {
        let old = config(
            "[[nic]]\nname = 'wan'\n\
             [[nic]]\nname = 'lan'\nlink = { kind = 'tap', name = 'tap1' }\n",
        );
        let new = config(
            "spare_nics = 0\nworkers = 3\nseed = 2\nicmp_rate = 1\nicmp_burst = 1\ndad_transmits = 0\n\
             dad_retransmit_timer = '2s'\nauto_link_local = true\n\
             stable_secret = '00112233445566778899aabbccddeeff'\nmulticast_loop = true\n\
             user = 'nobody'\nsocket = '/run/a'\nsocket_mode = '0660'\n\
             [[nic]]\nname = 'wan'\nmac = '02:00:00:00:00:99'\nmtu = 1400\nigmp = 'v2'\nmld = 'v1'\n\
             link = { kind = 'tap', name = 'tap0' }\naddresses = ['192.0.2.1/24']\n\
             [nic.faults]\nrx = { drop = '1/2' }\n[nic.capture]\nfile = 'wan.pcapng'\n\
             [[nic]]\nname = 'dmz'\nlink = { kind = 'tap', name = 'tap1' }\n",
        );
        assert_eq!(
            difference(&old, &new).unwrap_err(),
            [
                "workers was the default and is 3",
                "seed was 1 and is 2",
                "icmp_rate was 1000 and is 1",
                "icmp_burst was 50 and is 1",
                "dad_transmits was 1 and is 0",
                "dad_retransmit_timer was 1s and is 2s",
                "auto_link_local was false and is true",
                "stable_secret is another",
                "multicast_loop was false and is true",
                "user was none and is nobody",
                "socket was the default and is /run/a",
                "socket_mode was 0600 and is 0660",
                "nic 'dmz' is new on 'tap1', the device of nic 'lan': take that out first",
                "spare_nics was 1 and is 0",
                "nic 'wan': link was pcap '' of 1 queue and is tap 'tap0' of 1 queue",
                "nic 'wan': mac was 02:00:00:00:00:01 and is 02:00:00:00:00:99",
                "nic 'wan': mtu was 1500 and is 1400",
                "nic 'wan': igmp was v3 and is v2",
                "nic 'wan': mld was v2 and is v1",
                "nic 'wan': faults are others",
                "nic 'wan': capture is another",
            ]
        );
    }

    #[test]
    fn a_default_that_follows_from_nics_is_no_change_of_its_own() {
        let nic = |name: &str, kind: &str| {
            format!("[[nic]]\nname = '{name}'\nlink = {{ kind = '{kind}', name = '{name}' }}\n")
        };
        let one = config(&nic("wan", "tap"));
        let both = config(&(nic("wan", "tap") + &nic("lan", "af_xdp")));
        assert_ne!(one.spare_nics, both.spare_nics);
        assert_eq!(difference(&one, &both).unwrap().added, ["lan"]);
    }

    #[test]
    fn whether_a_link_is_to_receive_only_is_built_in() {
        let link = |more: &str| {
            config(&format!(
                "[[nic]]\nname = 'wan'\nlink = {{ kind = 'af_packet', name = 'veth0'{more} }}\n"
            ))
        };
        let (both, only) = (link(""), link(", receive_only = true"));
        assert_eq!(
            difference(&both, &only).unwrap_err(),
            [
                "nic 'wan': link was af_packet 'veth0' of 1 queue and is af_packet 'veth0' of 1 queue, to \
                 receive only"
            ]
        );
        assert!(difference(&only, &only).unwrap().changes.is_empty());
    }
}
