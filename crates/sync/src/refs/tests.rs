use proptest::prelude::*;

use super::*;

const KINDS: [AddressKind; 4] = [
    AddressKind::PermanentTentative,
    AddressKind::Permanent,
    AddressKind::PermanentExpired,
    AddressKind::Temporary,
];

fn alive(kind: AddressKind) -> Refs {
    let refs = Refs::zeroed();
    refs.reset(kind);
    refs
}

/// A word as no sequence of calls leaves it, to try what happens there.
fn word(kind: AddressKind, count: u32) -> Refs {
    Refs(AtomicU32::new(RefState::new(kind, count).0))
}

#[test]
fn a_word_of_zeros_is_dead() {
    let refs: Refs = zerocopy::FromZeros::new_zeroed();
    assert_eq!(refs.load().count(), 0);
    assert!(refs.load().is_dead());
    assert!(!refs.load().is_assigned());
    assert!(!refs.try_acquire());
    assert!(!refs.settle());
    assert!(!refs.unsettle());
    assert_eq!(refs.expire(), Expire::NotPermanent);
    assert_eq!(refs.promote(AddressKind::Permanent), Promote::Dead);
    assert_eq!(size_of::<Refs>(), 4);
}

#[test]
fn kind_and_count_come_back_as_they_went_in() {
    for kind in KINDS {
        for count in [0, 1, 2, 1 << 29, MAX_COUNT - 1, MAX_COUNT] {
            let state = word(kind, count).load();
            assert_eq!((state.kind(), state.count()), (kind, count));
            assert_eq!(state.is_dead(), count == 0);
            assert_eq!(
                state.is_assigned(),
                kind == AddressKind::Permanent && count > 0
            );
        }
    }
}

#[test]
fn a_life_begins_with_one_reference() {
    for kind in [
        AddressKind::PermanentTentative,
        AddressKind::Permanent,
        AddressKind::Temporary,
    ] {
        let state = alive(kind).load();
        assert_eq!((state.kind(), state.count()), (kind, 1));
    }
}

#[test]
#[should_panic(expected = "begins its life expired")]
fn no_life_begins_expired() {
    Refs::zeroed().reset(AddressKind::PermanentExpired);
}

#[test]
fn a_temporary_dies_with_its_last_reference_and_stays_dead() {
    let refs = alive(AddressKind::Temporary);
    assert!(refs.try_acquire());
    assert_eq!(refs.release(), Release::Held);
    assert_eq!(refs.release(), Release::Last);
    assert!(!refs.try_acquire());
    assert_eq!(refs.promote(AddressKind::Permanent), Promote::Dead);
    assert!(refs.load().is_dead());
    // The owner may begin another life in the same place.
    refs.reset(AddressKind::Permanent);
    assert!(refs.load().is_assigned());
}

#[test]
fn removing_an_address_nobody_holds_ends_it() {
    for kind in [AddressKind::PermanentTentative, AddressKind::Permanent] {
        let refs = alive(kind);
        assert_eq!(refs.expire(), Expire::Last);
        assert_eq!(refs.expire(), Expire::NotPermanent);
        assert!(refs.load().is_dead());
    }
}

#[test]
fn a_held_address_is_removed_added_again_and_removed() {
    let refs = alive(AddressKind::Permanent);
    assert!(refs.try_acquire());
    assert_eq!(refs.expire(), Expire::Held);
    assert_eq!(refs.expire(), Expire::NotPermanent, "removed once");
    assert_eq!(refs.load().kind(), AddressKind::PermanentExpired);
    assert!(!refs.load().is_assigned());
    assert!(refs.try_acquire(), "expired is not dead");
    assert_eq!(refs.release(), Release::Held);

    assert_eq!(refs.promote(AddressKind::PermanentTentative), Promote::Done);
    assert_eq!(
        refs.promote(AddressKind::Permanent),
        Promote::AlreadyPermanent
    );
    assert!(!refs.load().is_assigned(), "tentative again");
    assert!(refs.settle());
    assert!(!refs.settle());
    assert_eq!(refs.load().count(), 2);

    assert_eq!(refs.release(), Release::Held, "the bias is left");
    assert_eq!(refs.expire(), Expire::Last);
}

#[test]
fn a_held_address_is_checked_anew() {
    let refs = alive(AddressKind::Permanent);
    assert!(refs.try_acquire_many(2));
    assert!(refs.unsettle());
    let state = refs.load();
    assert_eq!(
        (state.kind(), state.count()),
        (AddressKind::PermanentTentative, 3)
    );
    assert!(!refs.load().is_assigned());
    assert!(!refs.unsettle(), "it is being checked");
    assert_eq!(refs.release(), Release::Held, "holders are as before");
    assert!(refs.settle());
    assert!(refs.load().is_assigned());

    assert!(refs.unsettle());
    assert_eq!(refs.expire(), Expire::Held);
    assert!(!refs.unsettle(), "nothing is checked that is removed");
    assert_eq!(refs.release(), Release::Last);
    assert!(!refs.unsettle());
    // Neither is a temporary, nor a dead word that says "permanent".
    assert!(!alive(AddressKind::Temporary).unsettle());
    assert!(!word(AddressKind::Permanent, 0).unsettle());
}

#[test]
fn a_temporary_is_promoted_with_a_bias() {
    let refs = alive(AddressKind::Temporary);
    assert_eq!(refs.promote(AddressKind::Permanent), Promote::Done);
    assert_eq!(refs.load().count(), 2);
    assert_eq!(refs.release(), Release::Held);
    assert!(refs.load().is_assigned());
}

#[test]
#[should_panic(expected = "to a permanent kind")]
fn promotion_to_temporary_is_refused() {
    let _ = alive(AddressKind::Temporary).promote(AddressKind::Temporary);
}

#[test]
fn many_references_are_taken_and_given_back_at_once() {
    let refs = alive(AddressKind::Permanent);
    assert!(refs.try_acquire_many(64));
    assert_eq!(refs.load().count(), 65);
    assert_eq!(refs.release_many(0), Release::Held);
    assert_eq!(refs.expire(), Expire::Held);
    assert_eq!(refs.release_many(63), Release::Held);
    assert_eq!(refs.release_many(1), Release::Last);
    assert!(!refs.try_acquire_many(0), "none can be had of the dead");
}

#[test]
fn a_count_that_does_not_fit_is_refused() {
    for kind in KINDS {
        let refs = word(kind, Refs::MAX);
        assert!(!refs.try_acquire());
        assert!(!refs.try_acquire_many(u32::MAX));
        let state = refs.load();
        assert_eq!((state.kind(), state.count()), (kind, Refs::MAX));
    }
    let refs = alive(AddressKind::Temporary);
    assert!(!refs.try_acquire_many(Refs::MAX));
    assert!(refs.try_acquire_many(Refs::MAX - 1));
    // The bias still has its place, and the kind is not spilled into.
    assert_eq!(refs.promote(AddressKind::Permanent), Promote::Done);
    let state = refs.load();
    assert_eq!(
        (state.kind(), state.count()),
        (AddressKind::Permanent, MAX_COUNT)
    );
    assert!(!refs.try_acquire());
    assert_eq!(refs.expire(), Expire::Held);
    assert_eq!(refs.release_many(Refs::MAX), Release::Last);
}

#[cfg(debug_assertions)]
mod misuse {
    use super::*;

    #[test]
    #[should_panic(expected = "more references given back")]
    fn giving_back_the_bias() {
        let _ = alive(AddressKind::Permanent).release();
    }

    #[test]
    #[should_panic(expected = "more references given back")]
    fn giving_back_too_many() {
        let _ = alive(AddressKind::Temporary).release_many(2);
    }

    #[test]
    #[should_panic(expected = "more references given back")]
    fn giving_back_what_is_dead() {
        let _ = Refs::zeroed().release();
    }

    #[test]
    #[should_panic(expected = "alive")]
    fn beginning_a_second_life_in_the_first() {
        alive(AddressKind::Temporary).reset(AddressKind::Permanent);
    }
}

#[cfg(not(debug_assertions))]
mod misuse {
    use super::*;

    #[test]
    fn what_is_not_held_is_not_given_back() {
        let refs = alive(AddressKind::Permanent);
        assert_eq!(refs.release(), Release::Held);
        assert_eq!(refs.load().count(), 1);
        let refs = alive(AddressKind::Temporary);
        assert_eq!(refs.release_many(7), Release::Last);
        assert_eq!(refs.release(), Release::Held);
        assert!(refs.load().is_dead());
        let refs = alive(AddressKind::Permanent);
        refs.reset(AddressKind::Temporary);
        assert!(refs.load().is_assigned());
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire(u32),
    Release(u32),
    Settle,
    Unsettle,
    Expire,
    Promote(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u32).prop_map(Step::Acquire),
        (0..4u32).prop_map(Step::Release),
        Just(Step::Settle),
        Just(Step::Unsettle),
        Just(Step::Expire),
        any::<bool>().prop_map(Step::Promote),
    ]
}

proptest! {
    /// The word against the rules written out plainly: holders and the bias counted apart.
    #[test]
    fn behaves_as_the_rules_say(
        begin in prop_oneof![
            Just(AddressKind::PermanentTentative),
            Just(AddressKind::Permanent),
            Just(AddressKind::Temporary),
        ],
        steps in proptest::collection::vec(step(), 0..64),
    ) {
        let refs = alive(begin);
        let mut kind = begin;
        let mut bias = u32::from(begin.is_permanent());
        let mut holders = 1 - bias;
        let mut ends = 0;
        for step in steps {
            let dead = bias + holders == 0;
            match step {
                Step::Acquire(n) => {
                    prop_assert_eq!(refs.try_acquire_many(n), !dead);
                    holders += if dead { 0 } else { n };
                }
                Step::Release(n) => {
                    let n = n.min(holders);
                    holders -= n;
                    let last = n > 0 && bias + holders == 0;
                    ends += u32::from(last);
                    let expected = if last { Release::Last } else { Release::Held };
                    prop_assert_eq!(refs.release_many(n), expected);
                }
                Step::Settle => {
                    let tentative = !dead && kind == AddressKind::PermanentTentative;
                    prop_assert_eq!(refs.settle(), tentative);
                    if tentative {
                        kind = AddressKind::Permanent;
                    }
                }
                Step::Unsettle => {
                    let settled = !dead && kind == AddressKind::Permanent;
                    prop_assert_eq!(refs.unsettle(), settled);
                    if settled {
                        kind = AddressKind::PermanentTentative;
                    }
                }
                Step::Expire => {
                    let expected = match (bias, holders) {
                        (0, _) => Expire::NotPermanent,
                        (_, 0) => Expire::Last,
                        _ => Expire::Held,
                    };
                    prop_assert_eq!(refs.expire(), expected);
                    if bias == 1 {
                        (kind, bias) = (AddressKind::PermanentExpired, 0);
                        ends += u32::from(holders == 0);
                    }
                }
                Step::Promote(tentative) => {
                    let to = if tentative {
                        AddressKind::PermanentTentative
                    } else {
                        AddressKind::Permanent
                    };
                    let expected = match (dead, bias) {
                        (true, _) => Promote::Dead,
                        (_, 1) => Promote::AlreadyPermanent,
                        _ => Promote::Done,
                    };
                    prop_assert_eq!(refs.promote(to), expected);
                    if expected == Promote::Done {
                        (kind, bias) = (to, 1);
                    }
                }
            }
            let state = refs.load();
            prop_assert_eq!((state.kind(), state.count()), (kind, bias + holders));
            prop_assert_eq!(ends, u32::from(state.is_dead()), "told once");
        }
    }
}
