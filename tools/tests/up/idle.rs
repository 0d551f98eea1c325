//! Who has nothing to do sleeps, and wakes.

use std::thread;
use std::time::{Duration, Instant};

use super::bed::{Client, ECHO, kernel_end, nic};
use super::common::Scratch;
use super::common::up::{Up, eventually};

/// The time that a process has had a core for, in milliseconds.
pub(crate) fn cpu_ms(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, which may have spaces, is in brackets; utime and stime are the 12th and 13th behind it.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    // USER_HZ is 100 on every Linux.
    ticks * 10
}

pub(crate) fn idle() {
    let more = "[[nic]]\nname = 'lan'\nlink = { kind = 'tap', name = 'cl25', queues = 2 }\n\
                addresses = ['192.0.25.2/24']\n";
    let config = "workers = 2\n".to_owned() + &nic("cl24", "'192.0.24.2/24'") + more + ECHO;
    let up = Up::start("idle", &config);
    kernel_end("cl24", 24);
    assert!(Client::new("192.0.24.2", 7).echo(b"it works"));
    // Reports of groups, and what the kernel has to say at first.
    thread::sleep(Duration::from_secs(2));
    // What a hypervisor takes while one of its threads has a core counts as its own: so in the best of some attempts.
    let mut shares = Vec::new();
    let sleeps = |shares: &[f64]| shares.last().is_some_and(|share| *share < 0.01);
    while !sleeps(&shares) && shares.len() < 3 {
        let (before, start) = (cpu_ms(up.id()), Instant::now());
        thread::sleep(Duration::from_secs(5));
        let used = (cpu_ms(up.id()) - before) as f64;
        shares.push(used / start.elapsed().as_millis() as f64);
    }
    assert!(sleeps(&shares), "shares of a core: {shares:?}");
    assert!(Client::new("192.0.24.2", 7).echo(b"it still does"));
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
}

pub(crate) fn wakes() {
    let config = "workers = 2\n".to_owned() + &nic("cl26", "'192.0.26.2/24'") + ECHO;
    let up = Up::start_in(
        Scratch::new("wakes"),
        &config,
        &["--idle", "interrupt"],
        &[],
    );
    kernel_end("cl26", 26);
    let client = Client::new("192.0.26.2", 7);
    assert!(client.echo(b"once, for the neighbor"));
    // Everybody sleeps between two of them. A ring that is missed is noticed a second later.
    let mut late = 0;
    for number in 0..100_u64 {
        thread::sleep(Duration::from_millis(5 + number % 7));
        let start = Instant::now();
        assert!(client.echo(&number.to_be_bytes()));
        late += u32::from(start.elapsed() > Duration::from_millis(500));
    }
    assert_eq!(late, 0, "of 100");
    // So does the control plane: an address is in use when its time has come, and not a nap later.
    for number in 10..15 {
        thread::sleep(Duration::from_millis(300));
        let address = format!("2001:db8:26::{number}");
        let start = Instant::now();
        up.change(&format!("add_address nic=wan address={address}/64"));
        eventually("it is nobody else's", || up.has(&address));
        late += u32::from(start.elapsed() > Duration::from_millis(900));
    }
    assert!(late <= 1, "{late} of 5: detection takes 100 ms here");
    let start = Instant::now();
    let (status, text) = up.end("TERM");
    assert_eq!(status, Some(0), "{text}");
    assert!(start.elapsed() < Duration::from_secs(5));
}
