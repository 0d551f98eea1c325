//! Forwarding that is switched beside a worker.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use corelane::stack::{Forwarding, Found};

use crate::races::{Stop, enabled};
use crate::run::{found_in, ip};

const V4: [&str; 1] = ["224.0.0.2"];
const V6: [&str; 3] = ["ff01::2", "ff02::2", "ff05::2"];

/// How often a setting is changed, at least.
const STEPS: u64 = 6_000;

/// Whether a NIC forwards a family, and whether it is in that family's groups of all routers, is one
/// thing to a worker: it sees both or neither. A user who joins and leaves one of them in between takes
/// nothing from it, nor it from him.
#[test]
fn p1_j1_forwarding_and_the_groups_of_all_routers_are_seen_together() {
    let bed = enabled(false);
    let groups: Vec<IpAddr> = V4.into_iter().chain(V6).map(ip).collect();
    // The user's, of those of IPv6.
    let shared = ip("ff05::2");
    // What was seen: not forwarded, forwarded; IPv4 and IPv6.
    let seen: [AtomicU64; 4] = Default::default();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopper = Stop(&stop);
        let worker = scope.spawn(|| {
            let mut worker = bed.nic.datapath();
            while !stop.load(Ordering::Relaxed) {
                let (view, _) = worker.load();
                let forwarding = view.forwarding();
                for (group, found) in groups.iter().zip(found_in(&view, &groups)) {
                    let on = if group.is_ipv4() {
                        forwarding.v4
                    } else {
                        forwarding.v6
                    };
                    let is_in = found == Found::GROUP;
                    assert!(is_in || !on, "{group} is refused, though it forwards");
                    assert!(on || !is_in || *group == shared, "{group} is taken");
                }
                seen[usize::from(forwarding.v4)].fetch_add(1, Ordering::Relaxed);
                seen[2 + usize::from(forwarding.v6)].fetch_add(1, Ordering::Relaxed);
            }
        });
        let is_unseen = |it: &AtomicU64| it.load(Ordering::Relaxed) < 10;
        let mut step = 0_u64;
        // The worker may get no core for a while.
        while step < STEPS || !step.is_multiple_of(12) || seen.iter().any(is_unseen) {
            assert!(!worker.is_finished(), "it has failed");
            let [v4, v6] = [step & 1, step & 2].map(|bit| bit != 0);
            bed.nic
                .set_forwarding(Forwarding { v4, v6 })
                .expect("there");
            // Of three steps the user is in the group for one, with each setting.
            match step % 3 {
                1 => bed.nic.join_group(shared).expect("room for one"),
                2 => bed.nic.leave_group(shared).expect("joined"),
                _ => {}
            }
            let is_in = groups.iter().map(|group| bed.nic.is_in_group(*group));
            let expected = [v4, v6, v6, v6 || step % 3 == 1];
            assert!(is_in.eq(expected), "step {step}");
            step += 1;
            if step.is_multiple_of(64) {
                std::thread::yield_now();
            }
        }
        drop(stopper);
    });
    bed.nic.set_forwarding(Forwarding::OFF).expect("there");
    assert_eq!(bed.nic.reclaim(), 0);
    let left = bed.nic.groups().len();
    assert_eq!(left, 2, "only those that every host is in");
}
