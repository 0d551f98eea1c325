//! A ring of blocks, filled by the test in the kernel's place.

use super::*;
use crate::vnet::VnetHeader;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BLOCKS: usize = LEAST;

/// The kernel's end of a ring.
struct Kernel {
    base: NonNull<u8>,
    /// The next block it fills.
    block: usize,
}

/// A frame as the kernel is to write it.
#[derive(Clone)]
struct Written {
    data: Vec<u8>,
    status: u32,
    tag: (u16, u32),
}

fn plain(data: &[u8]) -> Written {
    Written {
        data: data.to_vec(),
        status: libc::TP_STATUS_USER,
        tag: (0, 0),
    }
}

fn ring() -> Result<(Kernel, BlockRing), Box<dyn std::error::Error>> {
    let size = BlockSize::for_frames(1, 60).ok_or("a size")?;
    assert_eq!(size.blocks(), BLOCKS);
    let ring = BlockRing::on(Mapping::private(size.bytes())?, size);
    let base = ring.memory.base();
    Ok((Kernel { base, block: 0 }, ring))
}

impl Kernel {
    /// Writes to a block; the ring must be there.
    fn write(&self, block: usize, at: usize, bytes: &[u8]) {
        assert!(block < BLOCKS && at + bytes.len() <= BLOCK);
        // SAFETY: it is inside of the ring's mapping, of which nobody else has a reference now.
        unsafe {
            let to = self.base.add(block * BLOCK + at);
            to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
    }

    fn write_word(&self, block: usize, at: usize, word: u32) {
        self.write(block, at, &word.to_ne_bytes());
    }

    fn status(&self, block: usize) -> u32 {
        // SAFETY: as in `write`.
        unsafe { self.base.add(block * BLOCK + 8).cast().read() }
    }

    /// Hands over the next block: what it says of its frames, which are written already.
    fn hand_over(&mut self, count: u32, first: u32) {
        assert_eq!(self.status(self.block), libc::TP_STATUS_KERNEL);
        self.write_word(self.block, 12, count);
        self.write_word(self.block, 16, first);
        self.write_word(self.block, 8, libc::TP_STATUS_USER | 1 << 5);
        self.block = (self.block + 1) % BLOCKS;
    }

    /// Fills the next block, as the kernel lays frames out, and hands it over.
    fn fill(&mut self, frames: &[Written]) {
        let mut at = BLOCK_HEADER;
        for (number, Written { data, status, tag }) in frames.iter().enumerate() {
            const START: usize = 92;
            let step = (START + data.len()).next_multiple_of(8);
            let is_last = number + 1 == frames.len();
            let words = [
                if is_last { 0 } else { step as u32 },
                1,
                number as u32,
                data.len() as u32,
                data.len() as u32,
                *status,
                START as u32,
                0,
                tag.1,
                u32::from(tag.0),
            ];
            for (word, value) in words.into_iter().enumerate() {
                self.write_word(self.block, at + 4 * word, value);
            }
            // A checksum that is left to do, from 14.
            let header = [1, 0, 0, 0, 0, 0, 14, 0, 2, 0];
            self.write(self.block, at + START - VNET_HEADER_LEN, &header);
            self.write(self.block, at + START, data);
            at += step;
        }
        self.hand_over(frames.len() as u32, BLOCK_HEADER as u32);
    }
}

/// What is there.
fn taken(ring: &mut BlockRing) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(slot) = ring.peek() {
        all.push(slot.data().to_vec());
        slot.release();
    }
    all
}

#[test]
fn sizes_are_what_the_kernel_takes() -> Outcome {
    for (frames, len) in [(1, 60), (4096, 1518), (1000, 9018), (3, 65_549)] {
        let size = BlockSize::for_frames(frames, len).ok_or("a size")?;
        let request = size.request(Duration::from_micros(1));
        let room = size.blocks() * ((BLOCK - BLOCK_HEADER) / (len + FRONT));
        assert!(room >= frames && size.blocks() >= LEAST);
        assert!(request.tp_block_size.is_multiple_of(4096));
        let in_each = request.tp_block_size / request.tp_frame_size;
        assert_eq!(request.tp_frame_nr, in_each * request.tp_block_nr);
        assert_eq!(request.tp_retire_blk_tov, 1);
    }
    let size = BlockSize::for_frames(1, 60).ok_or("a size")?;
    let timeout = |time| size.request(time).tp_retire_blk_tov;
    assert_eq!(timeout(Duration::ZERO), 1);
    assert_eq!(timeout(Duration::from_micros(2001)), 3);
    assert_eq!(timeout(Duration::MAX), u32::MAX);
    assert_eq!(BlockSize::for_frames(usize::MAX, 60), None);
    assert_eq!(BlockSize::for_frames(1, usize::MAX), None);
    assert_eq!(BlockSize::for_frames(1, BLOCK), None);
    assert_eq!(BlockSize::for_frames(1 << 20, 2048), None);
    Ok(())
}

#[test]
fn frames_are_as_the_kernel_wrote_them() -> Outcome {
    let (mut kernel, mut ring) = ring()?;
    assert!(!ring.has_frame() && ring.ready(64) == 0 && ring.peek().is_none());
    let mut tagged = plain(&[2; 1514]);
    tagged.status |= libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID;
    tagged.tag = (0x88a8, 0x6123);
    kernel.fill(&[plain(&[1; 60]), tagged]);
    kernel.fill(&[plain(&[3; 65_549])]);
    assert!(ring.has_frame());
    assert_eq!((ring.ready(64), ring.ready(1)), (3, 1));
    for (len, byte, time, tag) in [
        (60, 1, 1_000_000_000, None),
        (
            1514,
            2,
            1_000_000_001,
            Some(VlanTag {
                protocol: 0x88a8,
                control: 0x6123,
            }),
        ),
        (65_549, 3, 1_000_000_000, None),
    ] {
        let slot = ring.peek().ok_or("a frame")?;
        assert_eq!(slot.data(), vec![byte; len]);
        assert!(!slot.is_cut() && !slot.is_kept());
        assert_eq!((slot.time_ns(), slot.vlan_tag()), (time, tag));
        let VnetHeader::Left(left) = slot.vnet_header() else {
            return Err("nothing is left to do".into());
        };
        assert_eq!(left.checksum.map(|it| (it.start, it.offset)), Some((14, 2)));
        slot.release();
    }
    assert!(!ring.has_frame() && ring.ready(64) == 0);
    Ok(())
}

#[test]
fn a_block_is_given_back_behind_its_last_frame_and_the_ring_goes_round() -> Outcome {
    let (mut kernel, mut ring) = ring()?;
    for round in 0..3 * BLOCKS {
        let block = kernel.block;
        let [first, second] = [2 * round as u8, 2 * round as u8 + 1];
        kernel.fill(&[plain(&[first; 60]), plain(&[second; 70])]);
        let slot = ring.peek().ok_or("the first")?;
        assert_eq!(slot.data(), [first; 60]);
        slot.release();
        assert_ne!(kernel.status(block), libc::TP_STATUS_KERNEL);
        assert!(ring.has_frame() && ring.ready(64) == 1);
        let slot = ring.peek().ok_or("the second")?;
        assert_eq!(slot.data(), [second; 70]);
        slot.release();
        assert_eq!(kernel.status(block), libc::TP_STATUS_KERNEL);
        assert!(!ring.has_frame());
    }
    // All of them, with nobody looking meanwhile.
    (0..BLOCKS).for_each(|at| kernel.fill(&[plain(&[at as u8; 60])]));
    assert_eq!(ring.ready(64), BLOCKS);
    let expected: Vec<_> = (0..BLOCKS).map(|at| vec![at as u8; 60]).collect();
    assert_eq!(taken(&mut ring), expected);
    Ok(())
}

#[test]
fn what_the_kernel_made_room_for_and_dropped_is_passed_by() -> Outcome {
    let (mut kernel, mut ring) = ring()?;
    let mut hole = plain(&[9; 60]);
    hole.status = 0;
    kernel.fill(&[hole.clone(), plain(b"one"), hole.clone(), plain(b"two")]);
    kernel.fill(&[plain(b"three"), hole.clone()]);
    kernel.fill(&[hole]);
    kernel.fill(&[]);
    kernel.fill(&[plain(b"four")]);
    let all = taken(&mut ring);
    assert_eq!(all, [&b"one"[..], b"two", b"three", b"four"]);
    assert!((0..BLOCKS).all(|block| kernel.status(block) == libc::TP_STATUS_KERNEL));
    // A ring of nothing but these ends, too.
    (0..BLOCKS).for_each(|_| kernel.fill(&[]));
    assert_eq!(ring.ready(64), 0);
    assert!(!ring.has_frame());
    Ok(())
}

#[test]
fn what_leads_out_of_a_block_is_not_followed() -> Outcome {
    let (mut kernel, mut ring) = ring()?;
    let edge = (BLOCK - FRAME_HEADER) as u32;
    // Where the first frame is to be.
    for first in [0, 8, edge + 1, edge + 8, BLOCK as u32, u32::MAX] {
        kernel.hand_over(5, first);
        kernel.fill(&[plain(b"after")]);
        assert_eq!(taken(&mut ring), [b"after"], "{first}");
    }
    // Where the next one is: what cannot be found is lost, and what is behind in other blocks is not.
    for step in [1, 8, FRAME_HEADER as u32 - 1, edge, u32::MAX] {
        let block = kernel.block;
        kernel.write_word(block, BLOCK_HEADER, step);
        let frame = [(12, 60), (16, 60), (20, 1), (24, 92)];
        for (at, word) in frame {
            kernel.write_word(block, BLOCK_HEADER + at, word);
        }
        kernel.hand_over(u32::MAX, BLOCK_HEADER as u32);
        kernel.fill(&[plain(b"after")]);
        let lens: Vec<_> = taken(&mut ring).iter().map(Vec::len).collect();
        assert_eq!(lens, [60, 5], "{step}");
    }
    // Where the frame itself is, and how long.
    let far = BLOCK - BLOCK_HEADER;
    for (start, len) in [
        (0, 60),
        (FRAME_HEADER as u32, 60),
        (92, (far - 92) as u32 + 1),
        (92, u32::MAX),
        (u32::from(u16::MAX), BLOCK as u32),
    ] {
        let block = kernel.block;
        let frame = [(0, 0), (12, len), (16, 60), (20, 1), (24, start)];
        for (at, word) in frame {
            kernel.write_word(block, BLOCK_HEADER + at, word);
        }
        kernel.hand_over(1, BLOCK_HEADER as u32);
        let slot = ring.peek().ok_or("an empty frame")?;
        assert!(slot.data().is_empty() && slot.is_cut(), "{start} {len}");
        slot.vnet_header();
        slot.release();
        assert!(!ring.has_frame());
    }
    Ok(())
}

#[test]
fn any_bits_in_the_ring_end() -> Outcome {
    let (mut kernel, mut ring) = ring()?;
    // Xorshift: any numbers will do that are the same each time.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2000 {
        let block = kernel.block;
        // Small numbers lead further in.
        let mut word = || {
            let word = random();
            (word >> 32) as u32 >> (word % 32)
        };
        for at in (BLOCK_HEADER..BLOCK_HEADER + 8192).step_by(4) {
            kernel.write_word(block, at, word());
        }
        kernel.hand_over(word(), BLOCK_HEADER as u32 + word() % 64);
        // No more than there is room for, and every byte can be read.
        let mut frames = 0;
        while ring.ready(64) > 0 {
            let Some(slot) = ring.peek() else { break };
            std::hint::black_box(slot.data().iter().fold(0, |sum, byte| sum ^ byte));
            slot.vnet_header();
            slot.vlan_tag();
            slot.release();
            frames += 1;
        }
        assert!(frames <= BLOCK / FRAME_HEADER);
        assert_eq!(kernel.status(block), libc::TP_STATUS_KERNEL);
    }
    Ok(())
}
