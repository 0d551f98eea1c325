//! `profile`: a bench under a sampler.

use std::path::Path;

use super::bench::{self, Companion};
use super::frames_kept::FramesKept;
use super::{exit_of, outputs};
use crate::cli::{ProfileArgs, Usage};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::profile::{
    Choice, Files, Folded, Profile, Recording, Unavailable, draw, draw_difference,
};
use crate::progress::Progress;
use crate::run::{Failure, Taken, assemble, check_free};
use crate::threads::Threads;

pub(super) fn profile(args: &ProfileArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let before = args.diff.as_deref().map(read).transpose()?;
    let files = files(args)?;
    std::fs::create_dir_all(&args.out).map_err(|error| {
        let name = args.out.display();
        Usage::new(format!("--out: cannot make {name}: {error}"))
    })?;
    let (output, latencies) = outputs(&args.bench.engine, taken(args, &files))?;
    let progress = Progress::new(args.bench.engine.json_to_stdout());
    let mut sampling = Sampling::new(args.sampler, args.frequency);
    let (conditions, measured, outcome) =
        bench::measure(&args.bench, &progress, interrupt, &mut sampling)?;
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
        files,
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

fn files(args: &ProfileArgs) -> Result<Files, Failure> {
    let files = Files {
        folded: args.out.join("profile.folded"),
        flamegraph: args
            .svg
            .clone()
            .unwrap_or_else(|| args.out.join("profile.svg")),
        difference: args.diff.as_ref().map(|_| args.out.join("difference.svg")),
    };
    let taken = |file, holds: &str| Taken {
        file,
        holds: holds.to_owned(),
    };
    let mut read = Vec::new();
    if let Some(diff) = &args.diff {
        read.push(taken(diff, "the profile of --diff"));
        check_free("--out", &files.folded, &read)?;
    }
    if args.svg.is_some() {
        read.push(taken(&files.folded, "the folded stacks"));
        check_free("--svg", &files.flamegraph, &read)?;
    }
    Ok(files)
}

/// The files that results are not to be written over.
fn taken<'a>(args: &'a ProfileArgs, files: &'a Files) -> Vec<Taken<'a>> {
    let diff = args.diff.iter().map(|file| ("the profile of --diff", file));
    let difference = files.difference.iter();
    [
        ("the folded stacks", &files.folded),
        ("the flame graph", &files.flamegraph),
    ]
    .into_iter()
    .chain(diff)
    .chain(difference.map(|file| ("the flame graph of the difference", file)))
    .map(|(holds, file)| Taken {
        file,
        holds: holds.to_owned(),
    })
    .chain(FramesKept::taken(&args.bench.keep))
    .collect()
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
