//! The files of `--hgrm` and `--hlog`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::cli::{EngineArgs, Usage};
use crate::latency::{Latencies, write_hgrm, write_hlog};
use crate::run::{Failure, Interval, Taken, check_free};

/// Those that the options ask for. They are made before the run, which is too long to find out at its end that they
/// cannot be.
pub(super) struct LatencyFiles {
    hgrm: Option<Made>,
    hlog: Option<Made>,
}

struct Made {
    option: &'static str,
    name: String,
    file: File,
}

impl LatencyFiles {
    /// The files, so that no other is written over them.
    pub(super) fn taken(args: &EngineArgs) -> impl Iterator<Item = Taken<'_>> {
        let hgrm = args.hgrm.iter().map(|file| (file, "--hgrm"));
        let all = hgrm.chain(args.hlog.iter().map(|file| (file, "--hlog")));
        all.map(|(file, option)| Taken {
            file,
            holds: format!("the latencies of {option}"),
        })
    }

    /// Makes them, beside what is `taken`.
    ///
    /// # Errors
    /// One cannot be made, is one of those taken, or both are the same.
    pub(super) fn make(args: &EngineArgs, taken: &[Taken<'_>]) -> Result<Self, Failure> {
        let hgrm = Made::new("--hgrm", args.hgrm.as_deref(), taken)?;
        if let (Some(_), Some(hlog)) = (&hgrm, &args.hlog) {
            let hgrm: Vec<_> = Self::taken(args).take(1).collect();
            check_free("--hlog", hlog, &hgrm)?;
        }
        let hlog = Made::new("--hlog", args.hlog.as_deref(), taken)?;
        Ok(Self { hgrm, hlog })
    }

    /// Writes them: all latencies, and those of intervals.
    ///
    /// # Errors
    /// One cannot be written.
    pub(super) fn write(
        self,
        latencies: Option<&Latencies>,
        intervals: &[Interval],
    ) -> Result<(), Failure> {
        if let (Some(made), Some(latencies)) = (self.hgrm, latencies) {
            made.write(|out| write_hgrm(&latencies.histogram, out))?;
        }
        if let Some(made) = self.hlog {
            let intervals = intervals.iter().filter_map(|interval| {
                let (began, histogram) = interval.logged.as_ref()?;
                let ended = Duration::from_millis(interval.at_ms);
                Some((*began, ended.saturating_sub(*began), histogram))
            });
            made.write(|out| write_hlog(intervals, out))?;
        }
        Ok(())
    }
}

impl Made {
    fn new(
        option: &'static str,
        path: Option<&Path>,
        taken: &[Taken<'_>],
    ) -> Result<Option<Self>, Failure> {
        let Some(path) = path else {
            return Ok(None);
        };
        if path == Path::new("-") {
            let why =
                format!("{option}: standard output is for people and for --json -; name a file");
            return Err(Usage::new(why).into());
        }
        check_free(option, path, taken)?;
        let name = path.display().to_string();
        let file = File::create(path)
            .map_err(|error| Usage::new(format!("{option}: cannot write {name}: {error}")))?;
        Ok(Some(Self { option, name, file }))
    }

    fn write(
        self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let Self { option, name, file } = self;
        let mut out = BufWriter::new(file);
        let written = write(&mut out).and_then(|()| out.flush());
        written.map_err(|error| Failure::Run(format!("{option}: cannot write {name}: {error}")))
    }
}
