//! How much, how many, how long.

use super::*;
use std::time::Duration;

fn few(datagrams: usize) -> ReassemblyConfig {
    ReassemblyConfig {
        datagrams,
        ..ReassemblyConfig::default()
    }
}

#[test]
fn i12_time_runs_from_the_first_fragment_to_arrive() {
    for (family, seconds) in [(Family::V4, 30), (Family::V6, 60)] {
        let mut bed = bed();
        let sent = sent(family, 64);
        let deadline = bed.now + Duration::from_secs(seconds);
        bed.assert_held(&sent, 32, 16);
        assert_eq!(bed.reassembly.next_deadline(), Some(deadline));
        // A later fragment does not prolong it.
        bed.now = Time::from_nanos(deadline.as_nanos() - 1);
        assert_eq!(bed.expire(bed.now), 0);
        bed.assert_held(&sent, 0, 16);
        assert_eq!(bed.reassembly.next_deadline(), Some(deadline));
        assert_eq!(bed.expire(bed.now), 0);
        assert_eq!(bed.jumbo.out(), 1);
        assert_eq!(bed.expire(deadline), 1);
        assert_eq!(bed.jumbo.out(), 0);
        assert_eq!(bed.reassembly.next_deadline(), None);
        assert_eq!(bed.reassembly.counts().timed_out, 1);
    }
}

#[test]
fn i12_who_timed_out_is_told_by_the_first_fragment_if_it_came() {
    for family in BOTH {
        let mut bed = bed();
        let mut sent = sent(family, 400);
        sent.extra = vec![1; 8];
        // The first one, with others behind it and without.
        let others = sent.clone().identified(1);
        bed.assert_held(&others, 64, 64);
        bed.assert_held(&others, 128, 64);
        bed.assert_held(&sent, 256, 144);
        bed.assert_held(&sent, 0, 128);
        bed.assert_held(&sent, 128, 64);
        let mut told = Vec::new();
        let end = bed.now + Duration::from_secs(60);
        bed.reassembly.expire(end, |datagram| {
            assert_eq!((datagram.nic, datagram.family), (3, family));
            let first = datagram.first.map(|frame| frame.data().to_vec());
            told.push((datagram.fragments, first));
        });
        told.sort();
        let first = sent.part(0, 128, true);
        assert_eq!(told, [(2, None), (3, Some(first))]);
        assert_eq!(bed.jumbo.out(), 0);
    }
}

#[test]
fn i12_the_oldest_datagram_makes_room() {
    for datagrams in [1, 2, 64] {
        let mut bed = bed_of(&few(datagrams));
        let sent = sent(Family::V4, 64);
        for n in 0..1000u16 {
            bed.assert_held(&sent.clone().identified(n), 0, 32);
            assert!(bed.jumbo.out() <= datagrams);
        }
        assert_eq!(bed.reassembly.len(), datagrams);
        assert_eq!(bed.reassembly.counts().evicted, 1000 - datagrams as u64);
        // Those that are left are the youngest.
        for n in 1000 - datagrams as u16..1000 {
            bed.assert_whole(&sent.clone().identified(n), 32, 32);
        }
        assert_eq!(bed.jumbo.out(), 0);
    }
}

#[test]
fn i12_datagrams_given_up_make_room_in_their_turn() {
    let mut bed = bed_of(&few(2));
    let sent = sent(Family::V6, 64);
    bed.assert_held(&sent, 0, 32);
    let overlap = sent.part(24, 8, true);
    bed.assert_dropped(&sent, &overlap, ReassemblyDrop::Overlap);
    for n in 1..=2 {
        bed.assert_held(&sent.clone().identified(n), 0, 32);
    }
    let counts = bed.reassembly.counts();
    assert_eq!((counts.abandoned, counts.evicted), (1, 0));
    assert_eq!(bed.reassembly.len(), 2);
}

#[test]
fn i12_without_a_slot_the_oldest_goes_and_then_the_newest() {
    let mut config = few(4);
    let mut pool = config.pool_config(1);
    pool.slots = 2;
    let mut bed = bed();
    bed.jumbo = Pool::new(pool).unwrap();
    bed.reassembly = Reassembly::new(&config, &bed.jumbo).unwrap();
    let sent = sent(Family::V4, 64);
    for n in 0..3 {
        bed.assert_held(&sent.clone().identified(n), 0, 32);
    }
    assert_eq!(bed.reassembly.counts().evicted, 1);
    // Somebody keeps what became whole.
    let first = bed.assert_whole(&sent.clone().identified(1), 32, 32);
    let _second = bed.assert_whole(&sent.clone().identified(2), 32, 32);
    let part = sent.part(0, 32, true);
    bed.assert_dropped(&sent, &part, ReassemblyDrop::NoSlot);
    assert_eq!(bed.jumbo.out(), 2);
    drop(first);
    bed.assert_held(&sent, 0, 32);

    config.datagrams = 0;
    assert!(Reassembly::new(&config, &bed.jumbo).is_err());
}

#[test]
fn i12_a_nic_that_goes_takes_its_fragments_along() {
    let mut bed = bed();
    let sent = sent(Family::V6, 64);
    let mut other = sent.clone();
    other.nic = 4;
    bed.assert_held(&sent, 0, 32);
    bed.assert_held(&sent.clone().identified(9), 0, 32);
    bed.assert_held(&other, 0, 32);
    bed.reassembly.clear_nic(3);
    assert_eq!((bed.reassembly.len(), bed.jumbo.out()), (1, 1));
    assert_eq!(bed.reassembly.counts().cleared, 2);
    bed.assert_whole(&other, 32, 32);
}

/// Bug 13: state stood with the endpoint, so that a temporary one, which lived for one packet, never
/// saw a second fragment. Here it stands with the worker: destinations of which nobody has said
/// anything, as a promiscuous NIC has them, become whole side by side.
#[test]
fn bug13_state_stands_with_the_worker_and_not_with_an_endpoint() {
    for family in BOTH {
        let mut bed = bed();
        let sent: Vec<_> = (0..64)
            .map(|host| Sent {
                host,
                ..sent(family, 64)
            })
            .collect();
        for sent in &sent {
            bed.assert_held(sent, 0, 32);
        }
        assert_eq!(bed.reassembly.len(), 64);
        for sent in &sent {
            bed.assert_whole(sent, 32, 32);
        }
        assert_eq!(bed.jumbo.out(), 0);
    }
}

#[test]
fn i12_a_limit_of_its_own() {
    let config = ReassemblyConfig {
        max_size: 2000,
        ..ReassemblyConfig::default()
    };
    for (family, longest) in [(Family::V4, 1980), (Family::V6, 2000)] {
        let mut bed = bed_of(&config);
        let sent = sent(family, longest + 1);
        let part = sent.part(1600, longest + 1 - 1600, false);
        bed.assert_dropped(&sent, &part, ReassemblyDrop::OverLimit);
        assert!(!ReassemblyDrop::OverLimit.is_malformed());
        let mut sent = sent;
        sent.payload.pop();
        bed.assert_held(&sent, 1600, longest - 1600);
        bed.assert_whole(&sent, 0, 1600);
    }
}

#[test]
fn configurations_out_of_range_and_small_pools_are_refused() {
    let fits = ReassemblyConfig::default();
    let pool = Pool::new(fits.pool_config(2)).unwrap();
    for datagrams in [0, 65] {
        let error = Reassembly::new(&few(datagrams), &pool).unwrap_err();
        assert_eq!(error, ReassemblyError::Datagrams { datagrams });
    }
    for max_size in [0, 1499, 65_536] {
        let config = ReassemblyConfig {
            max_size,
            ..ReassemblyConfig::default()
        };
        let error = Reassembly::new(&config, &pool).unwrap_err();
        assert_eq!(error, ReassemblyError::MaxSize { max_size });
    }
    let small = Pool::new(PoolConfig::default()).unwrap();
    assert!(matches!(
        Reassembly::new(&fits, &small),
        Err(ReassemblyError::Pool {
            slot_size: 2048,
            ..
        })
    ));
}
