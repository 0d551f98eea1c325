//! What `corelane up` has to do on real links: as a process, against the kernel's own stack, asked by stock
//! tools. `ci/links` runs it, as root; as anyone it runs what an unprivileged namespace allows.
//!
//! `cargo test --release -p corelane-tools --test acceptance -- NAME` runs the cases whose names have NAME
//! in them, such as `router` or `tap`; `figures` takes the figures alone, `figures::reader` one of them. It
//! is not a part of `cargo test`: it takes minutes, tools that not everybody has, and a machine of its own
//! for its figures. `CORELANE_ACCEPTANCE_SECONDS=120` has traffic flow for so long in each case that is
//! about it (3 seconds unless said).
//!
//! | module | holds |
//! |---|---|
//! | `link`, `wire`, `site` | the kinds of links; a device and the kernel's at its other end; a host, a router |
//! | `bare` | a router that has nothing but its links |
//! | `books` | what the engine and the kernel count, and that it is the same |
//! | `cases` | the cases |
//! | `figures` | rates and times, beside the kernel's and a bare loop's, in turns |
//! | `table` | what came of it all |
//!
//! The program runs itself again in a network and mount namespace of its own, in which it makes all
//! others; they go when it ends.

mod bare;
mod books;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod figures;
mod iperf;
mod link;
mod outcome;
mod site;
mod table;
mod wire;

use std::env;
use std::process::{Command, ExitCode};

use corelane_lab::{harness, namespace};
use link::Kind;
use outcome::Outcome;
use table::Table;

/// Set in the namespace: `root`, or `anyone` where that is a user namespace.
const INSIDE: &str = "CORELANE_ACCEPTANCE_INSIDE";

/// What has to be there.
const TOOLS: &[&str] = &[
    "arping",
    "ethtool",
    "hping3",
    "iperf3",
    "mtr",
    "ndisc6",
    "nmap",
    "ping",
    "rdisc6",
    "sysctl",
    "tcpdump",
    "tcpreplay",
    "traceroute",
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if let Some(inside_of) = env::var_os(INSIDE) {
        return inside(&arguments, inside_of == "root");
    }
    let missing: Vec<_> = TOOLS.iter().filter(|tool| !is_there(tool)).collect();
    if !missing.is_empty() {
        return cannot_run(&format!("not installed: {missing:?}"));
    }
    let again = harness::namespace(&["-nm", "-rnm"]).and_then(|kind| {
        let who = if kind == "-nm" { "root" } else { "anyone" };
        harness::run_again(kind, &arguments, (INSIDE, who))
    });
    match again {
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(why) => cannot_run(&why),
    }
}

/// Whether there is such a program: it need not like to be asked.
fn is_there(tool: &str) -> bool {
    let mut ask = Command::new("sh");
    let asked = ask
        .args(["-c", &format!("command -v {tool} >/dev/null")])
        .status();
    asked.is_ok_and(|status| status.success())
}

fn cannot_run(why: &str) -> ExitCode {
    ExitCode::from(u8::from(harness::cannot_run("THE ACCEPTANCE SUITE", why)))
}

fn inside(arguments: &[String], is_root: bool) -> ExitCode {
    if let Err(error) = namespace::own_names() {
        return cannot_run(&format!("no place for names of namespaces: {error:#}"));
    }
    let tap = harness::has_tap();
    let mut table = Table::default();
    for (name, case) in cases::ALL {
        for kind in Kind::ALL {
            let whole = format!("{}::{name}", kind.label().replace(' ', "::"));
            if !harness::is_wanted(&whole, arguments) {
                continue;
            }
            let refused = refusal(kind, &tap, is_root);
            let (outcome, took) = harness::attempt(|| match refused {
                Some(why) => Ok(Outcome::Cannot(why)),
                None => Ok(case(kind)?),
            });
            println!(
                "test {whole} ... {} ({} ms)",
                table::line(&outcome),
                took.as_millis()
            );
            table.add(name, kind, outcome);
        }
    }
    let kinds: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|&kind| refusal(kind, &tap, is_root).is_none())
        .collect();
    figures::take(&kinds, arguments, &mut table);
    print!("\n{table}");
    let bad = table.has_failed() || (harness::is_required() && table.lacks());
    ExitCode::from(u8::from(bad))
}

/// Why there is no such link here, if there is none.
fn refusal(kind: Kind, tap: &Result<(), String>, is_root: bool) -> Option<String> {
    match (kind, tap) {
        (Kind::Tap, Err(why)) => Some(why.clone()),
        _ if kind.is_xdp() && !is_root => {
            Some("AF_XDP takes root: a user namespace has no CAP_BPF".to_owned())
        }
        _ => None,
    }
}
