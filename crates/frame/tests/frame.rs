//! Every edit of a frame against a model of its slot.
#![cfg(not(loom))]

use std::num::NonZeroU16;

use corelane_frame::{Frame, NoRoom, Pool, PoolConfig, TooShort};
use corelane_wire::{Offload, PartialChecksum, SegmentKind, Segmentation};
use proptest::prelude::*;

const SLOT: usize = 512;
const HEADROOM: usize = 64;

/// The slot's bytes and where the data is.
struct Model {
    slot: [u8; SLOT],
    offset: usize,
    len: usize,
}

impl Model {
    fn data(&self) -> &[u8] {
        &self.slot[self.offset..self.offset + self.len]
    }

    fn tailroom(&self) -> usize {
        SLOT - self.offset - self.len
    }
}

#[derive(Clone, Debug)]
enum Edit {
    PushFront(usize, u8),
    PullFront(usize),
    Truncate(usize),
    Append(Vec<u8>),
    SetData(Vec<u8>),
    Spare(u8),
    ExtendLen(usize),
    SetLen(usize),
    DataMut(u8),
    Metadata(u16, u64, u32, bool),
}

/// Sizes of every kind: small, around the bounds, absurd.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..80_usize,
        0..=SLOT + 1,
        Just(HEADROOM),
        Just(SLOT - HEADROOM),
        Just(SLOT - HEADROOM + 1),
        Just(usize::MAX),
        Just(usize::MAX - SLOT),
        Just(1 << 24),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(any::<u8>(), 0..=SLOT + 1),
        prop::collection::vec(any::<u8>(), SLOT - HEADROOM..=SLOT - HEADROOM + 1),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (size(), any::<u8>()).prop_map(|(n, b)| Edit::PushFront(n, b)),
        size().prop_map(Edit::PullFront),
        size().prop_map(Edit::Truncate),
        bytes().prop_map(Edit::Append),
        bytes().prop_map(Edit::SetData),
        any::<u8>().prop_map(Edit::Spare),
        size().prop_map(Edit::ExtendLen),
        size().prop_map(Edit::SetLen),
        any::<u8>().prop_map(Edit::DataMut),
        any::<(u16, u64, u32, bool)>().prop_map(|(n, t, h, b)| Edit::Metadata(n, t, h, b)),
    ]
}

fn no_room(needed: usize, available: usize) -> Result<(), NoRoom> {
    if needed > available {
        Err(NoRoom { needed, available })
    } else {
        Ok(())
    }
}

/// Applies an edit to both and compares what they say.
fn apply(edit: &Edit, frame: &mut Frame, model: &mut Model) -> Result<(), TestCaseError> {
    match edit {
        &Edit::PushFront(n, byte) => {
            let got = frame.push_front(n).map(|new| {
                assert_eq!(new.len(), n);
                new.fill(byte);
            });
            prop_assert_eq!(got, no_room(n, model.offset));
            if got.is_ok() {
                model.offset -= n;
                model.len += n;
                model.slot[model.offset..model.offset + n].fill(byte);
            }
        }
        &Edit::PullFront(n) => {
            let got = frame.pull_front(n);
            if n > model.len {
                prop_assert_eq!(
                    got,
                    Err(TooShort {
                        needed: n,
                        len: model.len
                    })
                );
            } else {
                prop_assert_eq!(got, Ok(()));
                model.offset += n;
                model.len -= n;
            }
        }
        &Edit::Truncate(len) => {
            frame.truncate(len);
            model.len = model.len.min(len);
        }
        Edit::Append(bytes) => {
            let got = frame.append(bytes);
            prop_assert_eq!(got, no_room(bytes.len(), model.tailroom()));
            if got.is_ok() {
                let end = model.offset + model.len;
                model.slot[end..end + bytes.len()].copy_from_slice(bytes);
                model.len += bytes.len();
            }
        }
        Edit::SetData(bytes) => {
            let got = frame.set_data(bytes);
            prop_assert_eq!(got, no_room(bytes.len(), SLOT - HEADROOM));
            if got.is_ok() {
                (model.offset, model.len) = (HEADROOM, bytes.len());
                model.slot[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
            }
        }
        &Edit::Spare(byte) => {
            prop_assert_eq!(frame.spare_mut().len(), model.tailroom());
            frame.spare_mut().fill(byte);
            model.slot[model.offset + model.len..].fill(byte);
        }
        &Edit::ExtendLen(n) => {
            let got = frame.extend_len(n).map(|new| new.to_vec());
            if let Err(error) = no_room(n, model.tailroom()) {
                prop_assert_eq!(got, Err(error));
            } else {
                let end = model.offset + model.len;
                prop_assert_eq!(got, Ok(model.slot[end..end + n].to_vec()));
                model.len += n;
            }
        }
        &Edit::SetLen(len) => {
            let got = frame.set_len(len);
            prop_assert_eq!(got, no_room(len, model.len + model.tailroom()));
            if got.is_ok() {
                model.len = len;
            }
        }
        &Edit::DataMut(byte) => {
            frame.data_mut().fill(byte);
            model.slot[model.offset..model.offset + model.len].fill(byte);
        }
        &Edit::Metadata(nic, rx_time, rss_hash, trace) => {
            frame.set_nic(nic);
            frame.set_rx_time(rx_time);
            frame.set_rss_hash(rss_hash);
            frame.set_trace(trace);
        }
    }
    prop_assert_eq!(frame.data(), model.data());
    prop_assert_eq!(frame.len(), model.len);
    prop_assert_eq!(frame.is_empty(), model.len == 0);
    prop_assert_eq!(frame.headroom(), model.offset);
    prop_assert_eq!(frame.tailroom(), model.tailroom());
    Ok(())
}

proptest! {
    #[test]
    fn edits_stay_in_the_slot_and_do_what_they_say(
        edits in prop::collection::vec(edit(), 1..60)
    ) {
        let config = PoolConfig {
            slots: 3, slot_size: SLOT, headroom: HEADROOM, ..PoolConfig::default()
        };
        let pool = Pool::new(config).unwrap();
        let mut cache = pool.cache();
        let mut frames: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
        frames.sort_by_key(Frame::slot);
        for neighbour in [0, 2] {
            frames[neighbour].push_front(HEADROOM).unwrap();
            frames[neighbour].set_len(SLOT).unwrap();
            frames[neighbour].data_mut().fill(0xa5);
        }
        let mut model = Model { slot: [0; SLOT], offset: HEADROOM, len: 0 };
        let mut metadata = (0, 0, 0, false);
        for edit in &edits {
            apply(edit, &mut frames[1], &mut model)?;
            if let &Edit::Metadata(nic, rx_time, rss_hash, trace) = edit {
                metadata = (nic, rx_time, rss_hash, trace);
            }
            let frame = &frames[1];
            let now = (frame.nic(), frame.rx_time(), frame.rss_hash(), frame.trace());
            prop_assert_eq!(now, metadata, "metadata survives every edit");
            prop_assert_eq!(frame.slot(), 1);
        }
        for neighbour in [0, 2] {
            prop_assert!(frames[neighbour].data().iter().all(|&byte| byte == 0xa5));
        }
    }
}

#[test]
fn a_frame_is_32_bytes_with_or_without_an_option() {
    assert_eq!(size_of::<Frame>(), 32);
    assert_eq!(size_of::<Option<Frame>>(), 32);
}

#[test]
fn frames_pools_and_caches_cross_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Frame>();
    sync::<Frame>();
    send::<Pool>();
    sync::<Pool>();
    send::<corelane_frame::PoolCache>();
}

#[test]
fn metadata_and_data_survive_the_way_to_another_thread() {
    let pool = Pool::new(PoolConfig::default()).unwrap();
    let mut frame = pool.cache().alloc().unwrap();
    frame.set_data(b"bytes").unwrap();
    frame.set_nic(0xfffe);
    frame.set_rx_time(u64::MAX - 1);
    frame.set_rss_hash(0xdead_beef);
    frame.set_trace(true);
    let frame = std::thread::spawn(move || frame).join().unwrap();
    assert_eq!(frame.data(), b"bytes");
    assert_eq!(
        (frame.nic(), frame.rx_time(), frame.rss_hash()),
        (0xfffe, u64::MAX - 1, 0xdead_beef)
    );
    assert!(frame.trace());
}

#[test]
fn errors_say_the_figures() {
    let pool = Pool::new(PoolConfig::default()).unwrap();
    let mut frame = pool.cache().alloc().unwrap();
    assert_eq!(
        frame.push_front(129).unwrap_err().to_string(),
        "129 bytes do not fit: the frame has room for 128"
    );
    assert_eq!(
        frame.pull_front(1).unwrap_err().to_string(),
        "1 bytes asked of a frame of 0"
    );
}

#[test]
fn a_frame_that_is_taken_has_all_it_had_and_leaves_an_empty_handle() {
    let pool = Pool::new(PoolConfig {
        slots: 1,
        ..PoolConfig::default()
    })
    .unwrap();
    let mut cache = pool.cache();
    let mut frame = cache.alloc().unwrap();
    frame.set_data(b"hello").unwrap();
    frame.set_nic(7);
    frame.set_rx_time(9);
    frame.set_rss_hash(11);
    let headroom = frame.headroom();
    let taken = frame.take();
    assert_eq!((taken.data(), taken.headroom()), (&b"hello"[..], headroom));
    assert_eq!((taken.nic(), taken.rx_time(), taken.rss_hash()), (7, 9, 11));
    assert!(frame.is_vacant() && frame.data().is_empty() && frame.set_data(b"x").is_err());
    assert_eq!(
        (frame.headroom(), frame.tailroom(), frame.offload()),
        (0, 0, None)
    );
    // The slot goes back once.
    drop(frame);
    assert!(cache.alloc().is_none());
    cache.recycle(taken);
    assert!(cache.alloc().is_some());
}

#[test]
fn an_empty_handle_owns_nothing() {
    let pool = Pool::new(PoolConfig {
        slots: 4,
        ..PoolConfig::default()
    })
    .unwrap();
    let mut cache = pool.cache();
    let mut frame = cache.alloc().unwrap();
    frame.set_data(b"hello").unwrap();
    let mut taken = std::mem::take(&mut frame);
    assert_eq!(taken.data(), b"hello");
    assert!(!taken.is_vacant());
    assert!(frame.is_vacant());
    assert!(frame.is_empty());
    assert_eq!((frame.headroom(), frame.tailroom()), (0, 0));
    assert!(frame.data_mut().is_empty());
    assert!(frame.set_data(b"x").is_err());
    assert!(frame.append(b"x").is_err());
    assert!(frame.push_front(1).is_err());
    assert_eq!(pool.out(), 1);
    drop(std::mem::take(&mut frame));
    cache.recycle(frame);
    assert_eq!(pool.out(), 1, "an empty handle returns nothing");
    cache.recycle(std::mem::take(&mut taken));
    assert_eq!(pool.out(), 0);
}

/// Something that is left to do.
fn left(start: u16) -> Offload {
    Offload {
        checksum: Some(PartialChecksum { start, offset: 16 }),
        segmentation: Some(Segmentation {
            kind: SegmentKind::TcpV6,
            segment_size: NonZeroU16::MAX,
            header_len: 74,
            has_cwr: true,
        }),
    }
}

#[test]
fn what_is_left_to_do_goes_with_its_frame() {
    let pool = Pool::new(PoolConfig::default()).unwrap();
    let mut cache = pool.cache();
    let mut frames: Vec<_> = std::iter::from_fn(|| cache.alloc()).collect();
    assert_eq!(frames.len(), pool.config().slots);
    for (at, frame) in (0..).zip(&mut frames) {
        assert_eq!((frame.has_offload(), frame.offload()), (false, None));
        frame.set_nic(3);
        frame.set_trace(true);
        frame.set_offload(Some(left(at)));
    }
    let mut moved = std::mem::take(&mut frames[0]);
    assert!(frames[0].offload().is_none(), "an empty handle has nothing");
    frames[0].set_offload(Some(left(1)));
    assert!(!frames[0].has_offload());
    assert_eq!(moved.offload(), Some(left(0)));
    for (at, frame) in (0..).zip(&frames).skip(1) {
        assert_eq!(frame.offload(), Some(left(at)));
        assert_eq!(
            (frame.nic(), frame.trace(), frame.slot()),
            (3, true, frame.slot())
        );
    }
    // Whoever changes the data says so.
    moved.set_data(b"new").unwrap();
    assert_eq!(moved.offload(), Some(left(0)));
    moved.set_offload(Some(left(9)));
    moved.set_offload(None);
    assert_eq!((moved.offload(), moved.trace()), (None, true));
    moved.set_offload(Some(left(9)));
    cache.recycle(moved);
    assert!(
        !cache.alloc().unwrap().has_offload(),
        "the next one's slot is as new"
    );
    for frame in frames {
        cache.recycle(frame);
    }
    assert_eq!(pool.out(), 0);
}
