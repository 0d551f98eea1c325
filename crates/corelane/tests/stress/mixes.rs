//! Rounds at random, of several kinds: each draws from the operations of one race.

use crate::check::{History, Wrong, check};
use crate::model::Model;
use crate::plan::{Mix, Plan, Random, SLOTS, Verb};
use crate::run::{pool, run};

/// The seed unless said.
const SEED: u64 = 20_191_022;

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// Runs so many rounds of a mix, on NICs without an engine.
fn stress(mix: &Mix, rounds: u64) {
    let pool = pool();
    stress_with(mix, rounds, |plan| run(&pool, plan));
}

/// Runs so many rounds of a mix.
pub fn stress_with(mix: &Mix, rounds: u64, mut run: impl FnMut(&Plan) -> History) {
    let seed = from_environment("CORELANE_STRESS_SEED").unwrap_or(SEED);
    let rounds = from_environment("CORELANE_STRESS_ROUNDS").unwrap_or(rounds);
    let (mut overlaps, mut states, mut most) = (0, 0, 0);
    let only = from_environment("CORELANE_STRESS_ROUND");
    for round in (0..rounds).map(|round| only.unwrap_or(round)) {
        let plan = mix.plan(Random::new(seed ^ round.wrapping_mul(0x9e37_79b9)).next());
        let history = run(&plan);
        overlaps += history.overlaps();
        let first = Model::new(plan.probing, plan.threads.len() * SLOTS);
        match check(first, &history) {
            Ok(visited) => {
                states += visited;
                most = most.max(visited);
            }
            Err(wrong) => {
                let name = mix.name;
                let what = match wrong {
                    Wrong::Inexplicable { explained, of } => {
                        format!("no order explains it (at most {explained} of {of} calls)")
                    }
                    Wrong::TooLarge(states) => format!("undecided after {states} states"),
                };
                panic!("{name}: seed {seed}, round {round}: {what}\n{history}");
            }
        }
    }
    println!(
        "{}: {rounds} rounds, {overlaps} overlaps, {states} states ({most} at most)",
        mix.name
    );
    assert!(overlaps > 0, "nothing met anything");
}

pub const EVERYTHING: &[Verb] = &[
    Verb::Add,
    Verb::Add,
    Verb::Add,
    Verb::Remove,
    Verb::Remove,
    Verb::Hold,
    Verb::Hold,
    Verb::Route,
    Verb::RouteFrom,
    Verb::Clone,
    Verb::Drop,
    Verb::Drop,
    Verb::Kind,
    Verb::Same,
    Verb::Check,
    Verb::Join,
    Verb::Leave,
    Verb::Promiscuous,
    Verb::Spoofing,
    Verb::AddRange,
    Verb::RemoveRange,
    Verb::Duplicate,
    Verb::Probe,
    Verb::Advertise,
    Verb::Enable,
    Verb::Disable,
    Verb::Addresses,
    Verb::Groups,
    Verb::Reclaim,
];

const ALL_SHAPES: &[(usize, usize, bool)] = &[
    (2, 0, false),
    (2, 1, false),
    (1, 2, true),
    (2, 2, true),
    (3, 2, true),
];

/// All operations beside each other and beside two workers.
#[test]
fn p1_everything_beside_everything() {
    let mix = Mix {
        name: "everything",
        keys: &[0, 1, 2, 3, 4],
        groups: &[0, 1, 2],
        verbs: EVERYTHING,
        shapes: ALL_SHAPES,
        operations: 6,
        probing: &[true, false],
    };
    stress(&mix, 1500);
}

/// A worker looks an address up while another thread removes it, and adds it: what is looked up
/// after the removal returned is not found.
#[test]
fn p2_remove_against_delivery() {
    let mix = Mix {
        name: "remove against delivery",
        keys: &[0, 2],
        groups: &[1],
        verbs: &[Verb::Add, Verb::Remove, Verb::Hold, Verb::Drop],
        shapes: &[(1, 1, false), (1, 2, false), (2, 2, false)],
        operations: 8,
        probing: &[false],
    };
    stress(&mix, 1500);
}

/// Threads hold an address that nobody owns, all for the first time: while one of them has it, all
/// have the same.
#[test]
fn p3_holders_of_an_unowned_address_share_one_endpoint() {
    let mix = Mix {
        name: "first holders",
        keys: &[0],
        groups: &[],
        verbs: &[
            Verb::Hold,
            Verb::Hold,
            Verb::Drop,
            Verb::Spoofing,
            Verb::AddRange,
            Verb::RemoveRange,
            Verb::Kind,
            Verb::Reclaim,
        ],
        shapes: &[(2, 0, false), (3, 1, false)],
        operations: 6,
        probing: &[false],
    };
    stress(&mix, 1500);
}

/// The last reference of an expired, or temporary, endpoint goes while its address is added: in
/// the end it has one living endpoint, the old one or a new one, and each was closed once.
#[test]
fn p4_add_against_the_last_release() {
    let mix = Mix {
        name: "add against the last release",
        keys: &[0, 4],
        groups: &[],
        verbs: &[
            Verb::Add,
            Verb::Add,
            Verb::Remove,
            Verb::Hold,
            Verb::Hold,
            Verb::Drop,
            Verb::Drop,
            Verb::Kind,
            Verb::Spoofing,
            Verb::Reclaim,
        ],
        shapes: &[(2, 0, false), (2, 1, false), (3, 0, false)],
        operations: 8,
        probing: &[false, true],
    };
    stress(&mix, 2000);
}

/// One thread adds a held address again and again (promoting it), another removes it (expiring
/// it), others look at what they hold and at what they can send.
#[test]
fn p4_promote_against_expire() {
    let mix = Mix {
        name: "promote against expire",
        keys: &[0],
        groups: &[],
        verbs: &[
            Verb::Add,
            Verb::Add,
            Verb::Remove,
            Verb::Remove,
            Verb::Hold,
            Verb::RouteFrom,
            Verb::Check,
            Verb::Kind,
            Verb::Clone,
            Verb::Same,
        ],
        shapes: &[(2, 0, false), (2, 1, false), (3, 0, false)],
        operations: 8,
        probing: &[false],
    };
    stress(&mix, 1500);
}

/// Users join and leave the solicited-node groups of addresses that are being probed, assigned,
/// given up and removed meanwhile: no count is lost, and nobody takes the NIC's own away.
#[test]
fn p1_join_and_leave_against_dad() {
    let mix = Mix {
        name: "join and leave against detection",
        keys: &[2, 3],
        groups: &[1],
        verbs: &[
            Verb::Add,
            Verb::Add,
            Verb::Remove,
            Verb::Join,
            Verb::Join,
            Verb::Leave,
            Verb::Leave,
            Verb::Groups,
            Verb::Duplicate,
            Verb::Probe,
            Verb::Advertise,
            Verb::Enable,
            Verb::Disable,
        ],
        shapes: &[(1, 0, true), (2, 0, true), (2, 1, true)],
        operations: 6,
        probing: &[true],
    };
    stress(&mix, 1500);
}

/// The NIC is removed in the middle of everything: what begins later fails, references stay.
#[test]
fn p1_nic_removal_against_everything() {
    let mut verbs = EVERYTHING.to_vec();
    verbs.extend([Verb::RemoveNic; 3]);
    let mix = Mix {
        name: "removal against everything",
        keys: &[0, 2, 4],
        groups: &[0, 2],
        verbs: verbs.leak(),
        shapes: ALL_SHAPES,
        operations: 6,
        probing: &[true, false],
    };
    stress(&mix, 1500);
}

/// A round's plan depends on its seed alone.
#[test]
fn a_seed_is_a_plan() {
    let mix = Mix {
        name: "plans",
        keys: &[0, 2],
        groups: &[0],
        verbs: EVERYTHING,
        shapes: ALL_SHAPES,
        operations: 6,
        probing: &[true, false],
    };
    let plan = |seed| format!("{:?}", mix.plan(seed));
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
}
