//! What a generator sends.

use corelane::frame::Frame;

/// Fills frames, one after the other, from what was laid out before the run.
pub trait Source: Send + 'static {
    /// The length of the longest frame, in bytes in memory.
    fn longest(&self) -> usize;

    /// Goes back to the first frame.
    fn rewind(&mut self);

    /// Makes each of `frames`, which are empty, the next frame of a stream: data only. Their slots have
    /// room for the longest.
    fn fill(&mut self, stream: usize, frames: &mut [Frame]);

    /// Streams that frames are of, at least one.
    fn streams(&self) -> usize;

    /// Frames of a stream filled since the last rewinding that have a number, by which their order and uniqueness
    /// can be checked.
    fn numbered(&self, stream: usize) -> u64;

    /// Passes over the next `n` frames of a stream.
    fn skip(&mut self, stream: usize, n: u64);
}
