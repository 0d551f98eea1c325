//! Links from a configuration.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use corelane::engine::link::Link;
use corelane::io::middleware::{
    Faults, FaultsConfig, FrameSink, Layered, Mirror, MirrorConfig, MirrorCounts, MirrorHandle,
    Mirrored, PcapngSink,
};
use corelane::io::pcap::Interface;
use corelane_sys::interface::Interface as DeviceInterface;

use super::capture::{queue_of, whole_frame};
use crate::config::{FaultsSetting, LinkKind, NicSetting};
use crate::device::{self, LinkCounters, OnDevice, XdpWork};

/// The MTU where the configuration says nothing: a link that takes less is no surprise then.
const USUAL_MTU: usize = 1500;

/// What is to be had from a link while it is one, and after.
pub(super) struct ServedLink {
    pub(super) counters: LinkCounters,
    /// Of an AF_XDP link.
    pub(super) xdp: Option<XdpWork>,
    /// The number of its device, which it keeps when it is renamed.
    pub(super) device: Option<i32>,
    /// Frames that it holds.
    pub(super) held: usize,
    /// The longest frame that it takes where there is room.
    pub(super) longest: usize,
    pub(super) capture: Option<FileCapture>,
    /// Whether somebody has to be told of frames whose checksums were left to hardware, and has not been: AF_XDP has
    /// no word for that.
    pub(super) watched: bool,
}

impl ServedLink {
    /// How many frames of that kind there were.
    pub(super) fn partial_checksums(&self) -> u64 {
        let counters = self.counters.read().into_iter();
        let of = |(name, count)| (name == "partial_checksums").then_some(count);
        counters.filter_map(of).sum()
    }
}

/// What a capture is written by. That it breaks off is told when it does, and not at the end only.
struct FileSink {
    file: PcapngSink<BufWriter<File>>,
    name: PathBuf,
}

impl FileSink {
    fn told(&self, result: io::Result<()>) -> io::Result<()> {
        result.inspect_err(|error| {
            let file = self.name.display();
            tracing::error!(%file, %error, "the capture broke off");
        })
    }
}

impl FrameSink for FileSink {
    fn frame(&mut self, frame: &Mirrored) -> io::Result<()> {
        let result = self.file.frame(frame);
        self.told(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        self.told(result)
    }

    fn end(&mut self, counts: MirrorCounts) -> io::Result<()> {
        let result = self.file.end(counts);
        self.told(result)
    }
}

/// A capture of all that goes by, to a file.
pub(super) struct FileCapture {
    file: PathBuf,
    handle: MirrorHandle,
}

impl FileCapture {
    /// Where it is written to.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// What came of it, once the link is gone.
    pub(super) fn end(self) -> String {
        let file = self.file.display();
        match self.handle.join() {
            Ok(MirrorCounts { written, lost, .. }) => {
                format!("{file}: {written} frames captured, {lost} lost")
            }
            Err(error) => format!("{file}: the capture broke off: {error}"),
        }
    }
}

/// A link that a NIC cannot have, in words that say what to do.
#[derive(Debug, thiserror::Error)]
#[error("nic '{nic}': {what}")]
pub(super) struct Refused {
    nic: String,
    what: String,
    /// Whether it is a privilege that is missing.
    pub(super) lacks_privilege: bool,
}

/// A link whose capture has not begun.
pub(super) struct OpenLink {
    link: Box<dyn Link>,
    served: ServedLink,
    /// What it is captured to, with what is in it still: that may be another capture's.
    file: Option<File>,
}

/// Opens the link of a NIC. Its device is made, or asked for what it is like, now: whatever takes a privilege
/// is done when this returns. What is in the file of its capture stays until [that begins](OpenLink::captured): who
/// opens several has no file emptied before all are open.
///
/// # Errors
/// There is no such link here.
pub(super) fn open(nic: &NicSetting) -> Result<OpenLink, Refused> {
    let refuse = |what: &dyn Display| refusal(nic, what);
    let opened = device::open(&nic.link).map_err(|error| Refused {
        lacks_privilege: error.lacks_privilege,
        ..refuse(&error)
    });
    let OnDevice {
        mut link,
        mut counters,
        xdp,
    } = opened?;
    if nic.mtu > link.mtu() && nic.mtu != USUAL_MTU {
        let (name, asked, mtu) = (&nic.name, nic.mtu, link.mtu());
        tracing::warn!(nic = name, asked, mtu, "the link takes no such MTU");
    }
    // What is captured is what was left of it.
    if let Some(FaultsSetting { seed, rx, tx }) = nic.faults.clone() {
        let config = FaultsConfig {
            seed,
            rx,
            tx,
            ..FaultsConfig::default()
        };
        let faults = Faults::new(config).map_err(|error| refuse(&error))?;
        let faults = faults.queues(nic.link.queues);
        counters = counters.with_faults(faults.counters());
        link = Box::new(Layered::new(link, faults));
    }
    let served = ServedLink {
        counters,
        xdp,
        device: index(&nic.link.name),
        held: link.holds(),
        longest: link.longest_frame(),
        capture: None,
        watched: nic.link.kind == LinkKind::AfXdp,
    };
    let file = nic.capture.as_ref().map(|capture| {
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(false);
        let file = file.open(&capture.file);
        file.map_err(|error| cannot_write(nic, &capture.file, &error))
    });
    let file = file.transpose()?;
    Ok(OpenLink { link, served, file })
}

impl OpenLink {
    /// Frames that it holds.
    pub(super) fn held(&self) -> usize {
        self.served.held
    }

    /// The longest frame that it takes where there is room.
    pub(super) fn longest(&self) -> usize {
        self.served.longest
    }

    /// Begins its capture, if there is to be one: what is in the file goes now.
    ///
    /// # Errors
    /// It cannot begin.
    pub(super) fn captured(self, nic: &NicSetting) -> Result<(Box<dyn Link>, ServedLink), Refused> {
        let Self {
            mut link,
            mut served,
            file,
        } = self;
        let (Some(capture), Some(file)) = (&nic.capture, file) else {
            return Ok((link, served));
        };
        emptied(&file).map_err(|error| cannot_write(nic, &capture.file, &error))?;
        let whole = || whole_frame(nic.mtu, served.longest);
        let snap_len = capture.snap_len.unwrap_or_else(whole);
        let interface = Interface {
            name: nic.name.clone(),
            description: nic.link.name.clone(),
            snap_len: u32::try_from(snap_len).unwrap_or(0),
        };
        let config = MirrorConfig {
            filter: capture.filter,
            snap_len,
            ring: queue_of(snap_len),
            ..MirrorConfig::default()
        };
        let sink = FileSink {
            file: PcapngSink::new(BufWriter::new(file), interface),
            name: capture.file.clone(),
        };
        let (mirror, handle) = Mirror::new("capture", config, nic.link.queues, sink)
            .map_err(|error| refusal(nic, &error))?;
        link = Box::new(Layered::new(link, mirror));
        let file = capture.file.clone();
        served.capture = Some(FileCapture { file, handle });
        Ok((link, served))
    }
}

fn refusal(nic: &NicSetting, what: &dyn Display) -> Refused {
    Refused {
        nic: nic.name.clone(),
        what: what.to_string(),
        lacks_privilege: false,
    }
}

fn cannot_write(nic: &NicSetting, file: &Path, error: &io::Error) -> Refused {
    let file = file.display();
    Refused {
        lacks_privilege: error.kind() == io::ErrorKind::PermissionDenied,
        ..refusal(nic, &format!("capture: cannot write {file}: {error}"))
    }
}

/// As it is when it is created; a pipe has nothing that could stay.
fn emptied(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

/// The number of the device of this name, if there is one.
fn index(device: &str) -> Option<i32> {
    let interface = DeviceInterface::new(device.parse().ok()?).ok()?;
    interface.index().ok()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn links_that_cannot_be_up_say_what_can() {
        for (link, told) in [
            ("{ kind = 'pcap' }", "corelane sim plays captures"),
            ("{ kind = 'af_xdp', name = 'no-such-dev' }", "nic 'wan': "),
            (
                "{ kind = 'af_packet', name = 'no-such-dev' }",
                "nic 'wan': ",
            ),
        ] {
            let text = format!("[[nic]]\nname = 'wan'\nlink = {link}\n");
            let config = Config::parse("lab.toml", &text).unwrap();
            let error = super::open(&config.nics[0]).err().unwrap();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
