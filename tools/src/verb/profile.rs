//! `profile`: a bench under a sampler.

use std::path::Path;

use super::bench::{self, Companion};
use super::frames_kept::FramesKept;
use super::{exit_of, outputs, read_by};
use crate::cli::{ProfileArgs, Usage};
use crate::config::LoadProfile;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::profile::{
    Choice, Files, Folded, Profile, Recording, Unavailable, draw, draw_difference,
};
use crate::progress::Progress;
use crate::run::{Failure, Taken, assemble, check_free};
use crate::threads::Threads;

pub(super) fn profile(args: &ProfileArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    interrupt.prepare();
    let before = args.diff.as_deref().map(read).transpose()?;
    let files = files(args);
    let streams = bench::streams(&args.bench)?;
    let streams = streams.as_ref();
    let taken = taken(args, streams, &files)?;
    std::fs::create_dir_all(&args.out).map_err(|error| {
        let name = args.out.display();
        Usage::new(format!("--out: cannot make {name}: {error}"))
    })?;
    let (output, latencies) = outputs(
        &args.bench.engine,
        FramesKept::beside(taken, &args.bench.keep)?,
    )?;
    let progress = Progress::new(args.bench.engine.json_to_stdout());
    let mut sampling = Sampling::new(args.sampler, args.frequency);
    let (conditions, measured, outcome) =
        bench::measure(&args.bench, streams, &progress, interrupt, &mut sampling)?;
    latencies.write(measured.latencies().as_ref(), &measured.intervals)?;
    let bench = assemble(conditions, &measured, outcome);
    let exit = exit_of(&bench);

    progress.stage("unwinding", None);
    let Sampling {
        recording,
        threads: (at_begin, at_end),
        notes,
        ..
    } = sampling;
    let recording = recording.ok_or_else(|| Failure::Run("nothing was sampled".to_owned()))?;
    let sampled = recording.finish().map_err(|error| unavailable(&error))?;
    progress.clear();
    if sampled.folded.samples() == 0 {
        return Err(Failure::Run(format!(
            "{} took no samples in {:.2} s; a longer --duration or a higher --frequency takes some",
            sampled.sampler.name, bench.window_s
        )));
    }
    let title = format!(
        "corelane profile, {:.1} ns per packet",
        bench.ns_per_packet.unwrap_or(0.0)
    );
    write(&files.folded, sampled.folded.to_string().as_bytes())?;
    write(
        &files.flamegraph,
        &draw(&sampled.folded, &title).map_err(|error| undrawn(&error))?,
    )?;
    if let (Some((name, before)), Some(file)) = (&before, &files.difference) {
        let title = format!("corelane profile, against {name}");
        let svg =
            draw_difference(before, &sampled.folded, &title).map_err(|error| undrawn(&error))?;
        write(file, &svg)?;
    }
    let before = before.as_ref().map(|(name, before)| (name.clone(), before));
    let profile = Profile::new(
        &sampled,
        |group| at_end.since(&at_begin, group),
        bench,
        before,
        &files,
        notes,
    );
    let json = profile
        .json()
        .map_err(|error| Failure::Run(format!("no JSON: {error}")))?;
    output.write(&profile.text(), &json)?;
    Ok(exit)
}

/// An earlier profile, and its name.
fn read(file: &Path) -> Result<(String, Folded), Usage> {
    let name = file.display().to_string();
    let wrong = |error: String| Usage::new(format!("--diff: {name}: {error}"));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let folded: Folded = text.parse().map_err(|error| wrong(format!("{error}")))?;
    if folded.samples() == 0 {
        return Err(wrong("has no samples".to_owned()));
    }
    Ok((name, folded))
}

fn files(args: &ProfileArgs) -> Files {
    let in_out = |name| args.out.join(name);
    Files {
        folded: in_out("profile.folded"),
        flamegraph: args.svg.clone().unwrap_or_else(|| in_out("profile.svg")),
        difference: args.diff.as_ref().map(|_| in_out("difference.svg")),
    }
}

/// What is read, and the files of the profile: none of these is over another.
fn taken<'a>(
    args: &'a ProfileArgs,
    streams: Option<&'a LoadProfile>,
    files: &'a Files,
) -> Result<Vec<Taken<'a>>, Usage> {
    let mut taken = read_by(&args.bench.load, args.bench.profile.as_deref(), streams);
    taken.extend(args.diff.iter().map(|file| Taken {
        file,
        holds: "the profile of --diff".to_owned(),
    }));
    let svg = args.svg.as_ref().map_or("--out", |_| "--svg");
    let difference = files.difference.iter();
    let difference = difference.map(|it| ("--out", it, "the flame graph of the difference"));
    let written = [
        ("--out", &files.folded, "the folded stacks"),
        (svg, &files.flamegraph, "the flame graph"),
    ];
    for (option, file, holds) in difference.chain(written) {
        check_free(option, file, &taken)?;
        let holds = holds.to_owned();
        taken.push(Taken { file, holds });
    }
    Ok(taken)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, bytes)
        .map_err(|error| Failure::Run(format!("cannot write {}: {error}", file.display())))
}

fn unavailable(error: &Unavailable) -> Failure {
    Failure::Run(error.to_string())
}

fn undrawn(error: &std::io::Error) -> Failure {
    Failure::Run(format!("no flame graph: {error}"))
}

/// The sampler of the measured window.
struct Sampling {
    choice: Choice,
    frequency: u32,
    recording: Option<Recording>,
    /// At the beginning of the window, and at its end.
    threads: (Threads, Threads),
    notes: Vec<String>,
}

impl Sampling {
    fn new(choice: Choice, frequency: u32) -> Self {
        Self {
            choice,
            frequency,
            recording: None,
            threads: (Threads::default(), Threads::default()),
            notes: Vec::new(),
        }
    }
}

impl Companion for Sampling {
    fn begin(&mut self) -> Result<(), Failure> {
        let recording = Recording::start(self.choice, self.frequency, &mut self.notes)
            .map_err(|refused| Failure::Run(format!("cannot profile: {refused}")))?;
        self.recording = Some(recording);
        self.threads.0 = Threads::now();
        Ok(())
    }

    fn end(&mut self) {
        self.threads.1 = Threads::now();
        if let Some(recording) = &mut self.recording {
            recording.stop();
        }
    }
}
