//! The races that an endpoint's kind and count are made for, each explored by loom.
//!
//! Run with `RUSTFLAGS='--cfg loom' cargo test -p corelane-sync --release --test loom_refs`.
#![cfg(loom)]

mod endpoint;
mod explore;

use corelane_sync::refs::{AddressKind, Expire, Promote, Refs, Release};
use endpoint::Endpoint;
use explore::explore;
use loom::sync::Arc;
use loom::thread;

/// Gives one reference back, closes if it was the last, and tells.
fn let_go(endpoint: &Endpoint) -> bool {
    let last = endpoint.refs().release() == Release::Last;
    if last {
        endpoint.close();
    }
    last
}

/// Removes the address, closes if nobody held it, and tells.
fn remove(endpoint: &Endpoint) -> bool {
    match endpoint.refs().expire() {
        Expire::Last => {
            endpoint.close();
            true
        }
        Expire::Held => false,
        Expire::NotPermanent => panic!("the removal is lost"),
    }
}

fn state(refs: &Refs) -> (AddressKind, u32) {
    let state = refs.load();
    (state.kind(), state.count())
}

// A temporary endpoint's last holder lets go while its address is configured. Were the kind set
// before the count is looked at, the address table could be left with a permanent endpoint that is
// being closed. Either the address gets this endpoint, alive, or it is told to make another, and
// this one is closed; a bystander never sees it come back from the dead.
#[test]
fn promote_against_the_last_release() {
    explore(3, ["revived", "too late"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Temporary));
        let holder = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                endpoint.handle();
                let_go(&endpoint)
            })
        };
        let bystander = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                let before = endpoint.refs().load();
                let after = endpoint.refs().load();
                assert!(!before.is_dead() || after.is_dead(), "from 0 to 1");
            })
        };
        let promoted = endpoint.refs().promote(AddressKind::Permanent);
        let ended = holder.join().unwrap();
        bystander.join().unwrap();
        match promoted {
            Promote::Done => {
                assert!(!ended);
                endpoint.handle();
                assert_eq!(state(endpoint.refs()), (AddressKind::Permanent, 1));
            }
            Promote::Dead => {
                assert!(ended);
                assert!(endpoint.refs().load().is_dead());
            }
            Promote::AlreadyPermanent => panic!("nobody else promotes"),
        }
        assert_eq!(endpoint.is_closed(), ended);
        if ended { "too late" } else { "revived" }
    });
}

// A packet's lookup takes a reference while the last holder lets go. A plain increment would count
// up from zero an endpoint that is being closed, and bring about a second end.
#[test]
fn acquire_against_the_last_release() {
    explore(3, ["ended by the finder", "ended by the holder"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Temporary));
        let finder = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                if endpoint.refs().try_acquire() {
                    endpoint.handle();
                    let_go(&endpoint)
                } else {
                    assert!(endpoint.refs().load().is_dead());
                    assert!(!endpoint.refs().try_acquire(), "zero is final");
                    false
                }
            })
        };
        endpoint.handle();
        let ended = let_go(&endpoint);
        let ended_by_finder = finder.join().unwrap();
        assert!(ended ^ ended_by_finder, "the last is told once");
        assert!(endpoint.is_closed());
        if ended {
            "ended by the holder"
        } else {
            "ended by the finder"
        }
    });
}

// An address is removed while packets for it are delivered, each holding a reference for as long as
// its handler runs. With kind and count in two words, a release between "the kind is expired" and
// "the bias is given back" would find a permanent endpoint at its end, or nobody would close it.
// Here the removal always takes, and whoever comes last, and only he, closes.
#[test]
fn expire_against_acquire_and_release() {
    explore(3, ["ended by a packet", "ended by the removal"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Permanent));
        let packets: Vec<_> = (0..2)
            .map(|_| {
                let endpoint = Arc::clone(&endpoint);
                thread::spawn(move || {
                    if !endpoint.refs().try_acquire() {
                        return false;
                    }
                    endpoint.handle();
                    let_go(&endpoint)
                })
            })
            .collect();
        let ended = remove(&endpoint);
        let mut ends = u32::from(ended);
        for packet in packets {
            ends += u32::from(packet.join().unwrap());
        }
        assert_eq!(ends, 1);
        assert!(endpoint.is_closed());
        assert_eq!(state(endpoint.refs()), (AddressKind::PermanentExpired, 0));
        if ended {
            "ended by the removal"
        } else {
            "ended by a packet"
        }
    });
}

// Two threads remove the same address. Were the bias given back twice, a holder's reference would
// be gone under it.
#[test]
fn expire_against_expire() {
    explore(3, ["mine", "the other"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Permanent));
        assert!(endpoint.refs().try_acquire());
        let other = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || endpoint.refs().expire())
        };
        let mine = endpoint.refs().expire();
        let others = other.join().unwrap();
        assert!(
            matches!(
                (mine, others),
                (Expire::Held, Expire::NotPermanent) | (Expire::NotPermanent, Expire::Held)
            ),
            "{mine:?} {others:?}"
        );
        endpoint.handle();
        assert!(let_go(&endpoint));
        if mine == Expire::Held {
            "mine"
        } else {
            "the other"
        }
    });
}

// Holders let go at the same time, one of them several references at once. If two saw themselves
// last, it would be closed twice, if none did, never. The one that is last must also see what the
// others did: its close is after their handlers.
#[test]
fn releases_at_once() {
    explore(3, ["mine", "single", "double"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Temporary));
        assert!(endpoint.refs().try_acquire_many(3));
        let single = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                endpoint.handle();
                let_go(&endpoint)
            })
        };
        let double = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                endpoint.handle();
                let last = endpoint.refs().release_many(2) == Release::Last;
                if last {
                    endpoint.close();
                }
                last
            })
        };
        endpoint.handle();
        let ended = let_go(&endpoint);
        let ends = [ended, single.join().unwrap(), double.join().unwrap()];
        assert_eq!(ends.iter().filter(|&&end| end).count(), 1);
        assert!(endpoint.is_closed());
        match ends {
            [true, ..] => "mine",
            [_, true, _] => "single",
            _ => "double",
        }
    });
}

// The check for a duplicate ends well at the moment the address is removed. A plain store of
// "permanent" would undo the removal: the address would be back, without a bias. And whoever looks
// sees the bias exactly while the kind is permanent: the two never come apart.
#[test]
fn settle_against_expire() {
    explore(3, ["settled first", "removed first"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::PermanentTentative));
        assert!(endpoint.refs().try_acquire());
        let timer = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || endpoint.refs().settle())
        };
        let bystander = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                for _ in 0..2 {
                    let state = endpoint.refs().load();
                    assert_eq!(state.count(), 1 + u32::from(state.kind().is_permanent()));
                }
            })
        };
        assert_eq!(endpoint.refs().expire(), Expire::Held);
        assert_eq!(
            state(endpoint.refs()),
            (AddressKind::PermanentExpired, 1),
            "the removal is final, whatever the timer does"
        );
        let settled = timer.join().unwrap();
        bystander.join().unwrap();
        assert_eq!(state(endpoint.refs()), (AddressKind::PermanentExpired, 1));
        assert!(!endpoint.refs().settle());
        assert!(let_go(&endpoint));
        if settled {
            "settled first"
        } else {
            "removed first"
        }
    });
}

/// A packet for the address: taken if the address is assigned, and held while its handler runs.
/// Returns `None` if it was not taken, else whether its reference was the last.
fn deliver(endpoint: &Endpoint) -> Option<bool> {
    let assigned = endpoint.refs().load().is_assigned();
    if !assigned || !endpoint.refs().try_acquire() {
        return None;
    }
    endpoint.handle();
    Some(let_go(endpoint))
}

// The check for a duplicate ends well, the address is removed, and somebody takes a reference, which
// may then be the only one left. A timer that settled what was removed meanwhile would give it a
// bias that nobody gives back, and the holder could not end it; one that wrote the count it had
// read would lose the holder. Whatever comes first, the removal stands, and who comes last closes.
#[test]
fn a16_a18_settle_against_expire_against_acquire() {
    let outcomes = [
        "settled, ended by the holder",
        "settled, ended by the removal",
        "tentative, ended by the holder",
        "tentative, ended by the removal",
    ];
    explore(3, outcomes, || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::PermanentTentative));
        let timer = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || endpoint.refs().settle())
        };
        let holder = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                if !endpoint.refs().try_acquire() {
                    return false;
                }
                endpoint.handle();
                let_go(&endpoint)
            })
        };
        let ended = remove(&endpoint);
        assert!(!endpoint.refs().load().is_assigned(), "removed for good");
        let settled = timer.join().unwrap();
        let ended_by_holder = holder.join().unwrap();
        assert!(ended ^ ended_by_holder, "the last is told once");
        assert!(endpoint.is_closed());
        assert_eq!(state(endpoint.refs()), (AddressKind::PermanentExpired, 0));
        match (settled, ended) {
            (true, false) => "settled, ended by the holder",
            (true, true) => "settled, ended by the removal",
            (false, false) => "tentative, ended by the holder",
            (false, true) => "tentative, ended by the removal",
        }
    });
}

// An interface comes back up and its address is to be checked anew, while a packet for it is being
// delivered and another thread removes it. The step back to tentative must keep the packet's
// reference, whenever it was taken, and must not undo the removal.
#[test]
fn unsettle_against_expire_against_acquire() {
    let outcomes = [
        "checked anew, ended by the packet",
        "checked anew, ended by the removal",
        "removed first, ended by the packet",
        "removed first, ended by the removal",
    ];
    explore(3, outcomes, || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Permanent));
        let packet = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || deliver(&endpoint))
        };
        let removal = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || remove(&endpoint))
        };
        let unsettled = endpoint.refs().unsettle();
        assert!(!endpoint.refs().load().is_assigned(), "whichever it was");
        let ended = removal.join().unwrap();
        let delivered = packet.join().unwrap();
        assert!(ended ^ (delivered == Some(true)), "the last is told once");
        assert!(endpoint.is_closed());
        assert_eq!(state(endpoint.refs()), (AddressKind::PermanentExpired, 0));
        match (unsettled, ended) {
            (true, false) => "checked anew, ended by the packet",
            (true, true) => "checked anew, ended by the removal",
            (false, false) => "removed first, ended by the packet",
            (false, true) => "removed first, ended by the removal",
        }
    });
}

// One thread removes an address, another adds it, a third lets go of the last route. In whatever
// order they come, the bias is there exactly if the address is, and there is at most one end.
#[test]
fn promote_against_expire() {
    explore(3, ["revived", "added too early", "added too late"], || {
        let endpoint = Arc::new(Endpoint::new(AddressKind::Permanent));
        assert!(endpoint.refs().try_acquire());
        let removal = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || remove(&endpoint))
        };
        let route = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                endpoint.handle();
                let_go(&endpoint)
            })
        };
        let addition = endpoint.refs().promote(AddressKind::PermanentTentative);
        let ends = u32::from(removal.join().unwrap()) + u32::from(route.join().unwrap());
        match addition {
            // After the removal and before the end: the same endpoint again.
            Promote::Done => {
                assert_eq!(ends, 0);
                endpoint.handle();
                assert_eq!(state(endpoint.refs()), (AddressKind::PermanentTentative, 1));
            }
            // Before the removal, which then took place; or after the end.
            Promote::AlreadyPermanent | Promote::Dead => {
                assert_eq!(ends, 1);
                assert_eq!(state(endpoint.refs()), (AddressKind::PermanentExpired, 0));
            }
        }
        assert_eq!(endpoint.is_closed(), ends == 1);
        match addition {
            Promote::Done => "revived",
            Promote::AlreadyPermanent => "added too early",
            Promote::Dead => "added too late",
        }
    });
}

// An endpoint is filled and then made alive while another thread already tries to take it. Whoever
// gets a reference sees what was filled in.
#[test]
fn reset_against_acquire() {
    explore(3, ["found", "not found"], || {
        let endpoint = Arc::new(Endpoint::unborn());
        let finder = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || {
                let found = endpoint.refs().try_acquire();
                if found {
                    assert_eq!(endpoint.handle(), 7);
                    assert!(!let_go(&endpoint), "the bias is left");
                }
                found
            })
        };
        endpoint.begin(7, AddressKind::Permanent);
        let found = finder.join().unwrap();
        assert_eq!(state(endpoint.refs()), (AddressKind::Permanent, 1));
        if found { "found" } else { "not found" }
    });
}
