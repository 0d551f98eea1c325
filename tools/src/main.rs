//! The `corelane` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use corelane::sync::alloc_count::CountingAllocator;
use mimalloc::MiMalloc;

/// Counts allocations by thread, so that a report can say what the datapath allocated.
#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator::new(MiMalloc);

fn main() -> ExitCode {
    corelane_tools::verb::main(std::env::args_os())
}
