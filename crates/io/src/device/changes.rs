//! Word of what becomes of a device, from the kernel.

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use corelane_sys::interface::{Interface, InterfaceName};
use corelane_sys::link_changes::LinkChanges;

/// Tells what becomes of a device, in the namespace of the thread that made it.
pub(crate) struct Changes {
    told: LinkChanges,
    device: Interface,
    index: c_int,
}

/// What has become of it.
pub(crate) enum Change {
    /// It is there, whatever it is called by now.
    Here {
        /// The largest packet that it takes.
        mtu: usize,
    },
    /// It is gone.
    Gone,
}

impl Changes {
    /// Of what happens from now on.
    pub(crate) fn of(name: InterfaceName) -> io::Result<Self> {
        let (told, device) = (LinkChanges::new()?, Interface::new(name)?);
        let index = device.index()?;
        Ok(Self {
            told,
            device,
            index,
        })
    }

    /// What has become of it since this was last asked, if something changed.
    pub(crate) fn next(&mut self) -> io::Result<Option<Change>> {
        if !self.told.take()? {
            return Ok(None);
        }
        let mtu = self.device.follow(self.index);
        let mtu = mtu.and_then(|()| self.device.mtu());
        Ok(Some(mtu.map_or(Change::Gone, |mtu| Change::Here { mtu })))
    }
}

/// Readable when something changed.
impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
