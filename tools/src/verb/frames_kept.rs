//! The file of `--capture`.

use std::cell::Cell;
use std::fs::File;

use corelane::engine::link::Link;
use corelane::io::middleware::Layered;

use crate::cli::{KeepArgs, Usage};
use crate::first_frames::{FirstFrames, FirstFramesHandle};
use crate::run::{Failure, Taken, check_free};

/// The first frames of the measured time, on their way to a file.
pub(super) struct FramesKept {
    most: u32,
    /// Made before the run, which is too long to find out at its end that it cannot be.
    file: File,
    name: String,
    /// Until it is put around a link.
    layer: Cell<Option<FirstFrames>>,
    handle: FirstFramesHandle,
}

impl FramesKept {
    /// The files `others`, which a run reads or writes too, and the one that is written here, if there is one, so that
    /// no other is written over them.
    ///
    /// # Errors
    /// The one is among the others.
    pub(super) fn beside<'a>(
        mut others: Vec<Taken<'a>>,
        args: &'a KeepArgs,
    ) -> Result<Vec<Taken<'a>>, Usage> {
        if args.capture.is_some() {
            check_free("--capture-file", &args.capture_file, &others)?;
            others.push(Taken {
                file: &args.capture_file,
                holds: "the frames of --capture".to_owned(),
            });
        }
        Ok(others)
    }

    /// What the options ask for; None if they do not.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn of(args: &KeepArgs) -> Result<Option<Self>, Usage> {
        let Some(most) = args.capture else {
            return Ok(None);
        };
        let name = args.capture_file.display().to_string();
        let file = File::create(&args.capture_file)
            .map_err(|error| Usage::new(format!("--capture-file: cannot write {name}: {error}")))?;
        let (layer, handle) = FirstFrames::new(most);
        Ok(Some(Self {
            most,
            file,
            name,
            layer: Cell::new(Some(layer)),
            handle,
        }))
    }

    /// What is put between a link and who reads it: nothing if no frames are kept.
    pub(super) fn between(kept: Option<&Self>) -> impl Fn(Box<dyn Link>) -> Box<dyn Link> {
        move |link| match kept.and_then(|kept| kept.layer.take()) {
            Some(layer) => Box::new(Layered::new(link, layer)),
            None => link,
        }
    }

    /// The measured time begins.
    pub(super) fn begin(&self) {
        self.handle.begin();
    }

    /// Writes them, now that the link is closed, and says so in a line.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn write(self) -> Result<String, Failure> {
        let Self {
            most, file, name, ..
        } = self;
        let written = self.handle.write(file).map_err(|error| {
            Failure::Run(format!("--capture-file: cannot write {name}: {error}"))
        })?;
        let of = if written < most.into() {
            "all that were received"
        } else {
            "the first ones received"
        };
        Ok(format!("{written} frames kept in {name}, {of}"))
    }
}
