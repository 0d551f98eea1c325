//! Tells the code whether it is built with frame pointers: `profile` has perf unwind by them then.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(frame_pointers)");
    println!("cargo::rerun-if-changed=build.rs");
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let kept = flags
        .split('\u{1f}')
        .filter_map(|flag| {
            flag.trim_start_matches("-C")
                .strip_prefix("force-frame-pointers")
        })
        .next_back()
        .is_some_and(|value| matches!(value, "" | "=yes" | "=y" | "=on" | "=true" | "=always"));
    if kept {
        println!("cargo::rustc-cfg=frame_pointers");
    }
}
