//! A lock-free sharded dataplane engine.

pub use corelane_engine as engine;
pub use corelane_frame as frame;
pub use corelane_io as io;
pub use corelane_stack as stack;
pub use corelane_sync as sync;
pub use corelane_wire as wire;
