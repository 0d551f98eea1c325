//! The options of each verb.

mod bench;
mod compare;
mod ctl;
mod doctor;
mod engine;
mod keep;
mod load;
mod profile;
mod replay;
mod report;
mod search;
mod selftest;
mod sim;
mod top;
mod up;
mod values;

use clap::Subcommand;

use crate::unit::Slo;

pub use bench::BenchArgs;
pub use compare::CompareArgs;
pub use ctl::CtlArgs;
pub use doctor::DoctorArgs;
pub use engine::EngineArgs;
pub use keep::KeepArgs;
pub use load::LoadArgs;
pub use profile::ProfileArgs;
pub use replay::ReplayArgs;
pub use report::ReportArgs;
pub use search::SearchArgs;
pub use selftest::SelfTestArgs;
pub use sim::{Input, SimArgs};
pub use top::TopArgs;
pub use up::{CheckConfigArgs, UpArgs};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Synthetic traffic through the engine, in memory
    #[command(after_help = super::usage::BENCH_NOTES, allow_negative_numbers = true)]
    Bench(BenchArgs),
    /// The highest rate without loss, and with some, by frame size
    #[command(
        after_help = super::usage::SEARCH_NOTES,
        allow_negative_numbers = true,
        mut_arg("hgrm", |arg| arg.hide(true)),
        mut_arg("hlog", |arg| arg.hide(true)),
        mut_arg("slo", |arg| arg.value_parser(Slo::of_search).help(super::usage::SEARCH_SLO)),
        // Two milliseconds and a half, which a hypervisor takes at once, of as much as a generator sends.
        mut_arg("ring", |arg| arg.default_value("65536"))
    )]
    Search(SearchArgs),
    /// Captures as the traffic
    #[command(after_help = super::usage::REPLAY_NOTES, allow_negative_numbers = true)]
    Replay(ReplayArgs),
    /// What the tester itself can do: clock, RSS, books, and the generator alone
    #[command(after_help = super::usage::SELFTEST_NOTES)]
    Selftest(SelfTestArgs),
    /// A bench under a sampler: where the time goes, as a table of stages and a flame graph
    #[command(after_help = super::usage::PROFILE_NOTES, allow_negative_numbers = true)]
    Profile(ProfileArgs),
    /// Results as a page: one HTML file, with plots and nothing outside it
    #[command(after_help = super::usage::REPORT_NOTES)]
    Report(ReportArgs),
    /// Captures through the engine in virtual time: what happens to these packets?
    #[command(after_help = super::usage::SIM_NOTES, allow_negative_numbers = true)]
    Sim(SimArgs),
    /// A host or router on real links, until a signal
    #[command(after_help = super::usage::UP_NOTES, allow_negative_numbers = true)]
    Up(UpArgs),
    /// Shows and changes a host that is up
    #[command(after_help = super::usage::CTL_NOTES)]
    Ctl(CtlArgs),
    /// Watches a host that is up: rates, drops, threads
    #[command(after_help = super::usage::TOP_NOTES)]
    Top(TopArgs),
    /// Two results side by side: is the difference real?
    #[command(after_help = super::usage::COMPARE_NOTES, allow_negative_numbers = true)]
    Compare(CompareArgs),
    /// What this machine can do, and what to change
    #[command(after_help = super::usage::DOCTOR_NOTES)]
    Doctor(DoctorArgs),
    /// Checks a configuration and explains it
    #[command(after_help = super::usage::CHECK_CONFIG_NOTES)]
    CheckConfig(CheckConfigArgs),
}
