//! Network devices: their names, and what can be asked of them.

use std::ffi::{c_char, c_int, c_short};
use std::os::fd::{AsRawFd, OwnedFd};
use std::str::FromStr;
use std::{fmt, io, mem, ptr};

use crate::call::{check, owned};

/// The most bytes of a device's name.
pub const MAX_NAME: usize = libc::IFNAMSIZ - 1;

/// The name of a network device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InterfaceName([u8; libc::IFNAMSIZ]);

/// What no network device can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No name.
    #[error("a network device needs a name")]
    Empty,
    /// Too long a name.
    #[error("'{name}' is {} bytes long: the name of a network device has at most {MAX_NAME}", name.len())]
    TooLong {
        /// The name asked for.
        name: String,
    },
    /// A name that the kernel takes for something else.
    #[error(
        "'{name}' cannot name a network device: it is '.' or '..', or has a space, '/', ':' or NUL"
    )]
    Character {
        /// The name asked for.
        name: String,
    },
}

impl InterfaceName {
    /// Of no device.
    const NONE: Self = Self([0; libc::IFNAMSIZ]);

    /// The name.
    pub fn as_str(&self) -> &str {
        let bytes = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        // It was made from a string, or by the kernel from ASCII.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// A request about this device.
    pub(crate) fn request(&self) -> libc::ifreq {
        // SAFETY: numbers, and a union of numbers and pointers: zeros are valid.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        for (to, &from) in request.ifr_name.iter_mut().zip(&self.0) {
            *to = from as c_char;
        }
        request
    }

    /// The name in an answer of the kernel.
    pub(crate) fn of(request: &libc::ifreq) -> Self {
        let mut name = [0; libc::IFNAMSIZ];
        for (to, &from) in name.iter_mut().zip(request.ifr_name.iter().take(MAX_NAME)) {
            *to = from as u8;
        }
        Self(name)
    }
}

impl FromStr for InterfaceName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong {
                name: name.to_owned(),
            });
        }
        let odd = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '\0');
        if matches!(name, "." | "..") || name.contains(odd) {
            return Err(NameError::Character {
                name: name.to_owned(),
            });
        }
        let mut bytes = [0; libc::IFNAMSIZ];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// `SIOCETHTOOL`, and commands of `linux/ethtool.h`, which libc does not have.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const GET_DRIVER: u32 = 0x03;
const GET_LINK: u32 = 0x0a;
const SET_SEND_CHECKSUMS: u32 = 0x17;
const GET_CHANNELS: u32 = 0x3c;

/// What `SIOCETHTOOL` takes: it begins with its number.
///
/// # Safety
/// `repr(C)`, numbers, and as long as the kernel takes the command of that number to be.
unsafe trait EthtoolCommand {}

#[repr(C)]
struct Value {
    command: u32,
    value: u32,
}

// SAFETY: `struct ethtool_value`.
unsafe impl EthtoolCommand for Value {}

#[repr(C)]
struct Driver {
    command: u32,
    name: [u8; 32],
    versions: [[u8; 32]; 2],
    bus: [u8; 32],
    rest: [u8; 44],
    counts: [u32; 5],
}

// SAFETY: `struct ethtool_drvinfo`.
unsafe impl EthtoolCommand for Driver {}

#[repr(C)]
#[derive(Default)]
struct Channels {
    command: u32,
    most: [u32; 4],
    receive: u32,
    send: u32,
    other: u32,
    combined: u32,
}

// SAFETY: `struct ethtool_channels`.
unsafe impl EthtoolCommand for Channels {}

/// A network device of the namespace it was opened in, found by its name at each call.
#[derive(Debug)]
pub struct Interface {
    name: InterfaceName,
    socket: OwnedFd,
}

impl Interface {
    /// The device of this name; whether there is one, the calls say (`ENODEV`). Needs no privilege.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn new(name: InterfaceName) -> io::Result<Self> {
        // SAFETY: a call without pointers.
        let socket = owned(unsafe {
            libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
        })?;
        Ok(Self { name, socket })
    }

    /// The device of this number, by the name that it has now; None if there is none in the namespace of the calling
    /// thread. Needs no privilege.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn of_index(index: c_int) -> io::Result<Option<Self>> {
        let mut this = Self::new(InterfaceName::NONE)?;
        match this.follow(index) {
            Ok(()) => Ok(Some(this)),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Goes on with the device of this number, by the name that it has now.
    ///
    /// # Errors
    /// There is no such device.
    pub fn follow(&mut self, index: c_int) -> io::Result<()> {
        // The kernel writes no more than the name.
        let mut request = InterfaceName::NONE.request();
        request.ifr_ifru.ifru_ifindex = index;
        self.ask(libc::SIOCGIFNAME as libc::Ioctl, &mut request)?;
        self.name = InterfaceName::of(&request);
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> &InterfaceName {
        &self.name
    }

    fn ask(&self, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: all requests of this file take an `ifreq`, which the kernel reads and writes
        // during the call; and `SIOCETHTOOL` the command that it points to (`EthtoolCommand`).
        check(unsafe { libc::ioctl(self.socket.as_raw_fd(), what, &raw mut *request) }).map(drop)
    }

    fn get(&self, what: libc::Ioctl) -> io::Result<libc::ifreq> {
        let mut request = self.name.request();
        self.ask(what, &mut request)?;
        Ok(request)
    }

    /// Its number.
    ///
    /// # Errors
    /// There is no such device.
    pub fn index(&self) -> io::Result<c_int> {
        let answer = self.get(libc::SIOCGIFINDEX as libc::Ioctl)?;
        // SAFETY: the kernel wrote this member of the union; any number is valid.
        Ok(unsafe { answer.ifr_ifru.ifru_ifindex })
    }

    /// The largest packet it takes, in bytes without the link header.
    ///
    /// # Errors
    /// There is no such device.
    pub fn mtu(&self) -> io::Result<usize> {
        let answer = self.get(libc::SIOCGIFMTU as libc::Ioctl)?;
        // SAFETY: as in `index`.
        let mtu = unsafe { answer.ifr_ifru.ifru_mtu };
        Ok(usize::try_from(mtu).unwrap_or_default())
    }

    /// Its link address; None if its frames have no Ethernet header.
    ///
    /// # Errors
    /// There is no such device.
    pub fn mac(&self) -> io::Result<Option<[u8; 6]>> {
        let answer = self.get(libc::SIOCGIFHWADDR as libc::Ioctl)?;
        // SAFETY: as in `index`.
        let address = unsafe { answer.ifr_ifru.ifru_hwaddr };
        // The loopback device has an Ethernet header, of zeros.
        let ethernet = matches!(
            address.sa_family,
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK
        );
        let [a, b, c, d, e, f, ..] = address.sa_data;
        Ok(ethernet.then_some([a, b, c, d, e, f].map(|byte| byte as u8)))
    }

    fn flags(&self) -> io::Result<c_int> {
        let answer = self.get(libc::SIOCGIFFLAGS as libc::Ioctl)?;
        // SAFETY: as in `index`.
        Ok(c_int::from(unsafe { answer.ifr_ifru.ifru_flags }))
    }

    /// Whether it is up.
    ///
    /// # Errors
    /// There is no such device.
    pub fn is_up(&self) -> io::Result<bool> {
        Ok(self.flags()? & libc::IFF_UP != 0)
    }

    /// Whether it has a carrier, while it is up: something at the other end of its wire.
    ///
    /// # Errors
    /// There is no such device.
    pub fn has_carrier(&self) -> io::Result<bool> {
        let mut link = Value {
            command: GET_LINK,
            value: 0,
        };
        match self.ethtool(&mut link) {
            Ok(()) => Ok(link.value != 0),
            // Its flags follow up to a second later.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                Ok(self.flags()? & libc::IFF_RUNNING != 0)
            }
            Err(error) => Err(error),
        }
    }

    /// How many queues it receives by, as far as its driver tells.
    ///
    /// # Errors
    /// There is no such device.
    pub fn receive_queues(&self) -> io::Result<Option<u32>> {
        let mut channels = Channels {
            command: GET_CHANNELS,
            ..Channels::default()
        };
        match self.ethtool(&mut channels) {
            Ok(()) => Ok(Some(channels.receive + channels.combined)),
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether it is a TAP.
    ///
    /// # Errors
    /// There is no such device.
    pub fn is_tap(&self) -> io::Result<bool> {
        let mut driver = Driver {
            command: GET_DRIVER,
            name: [0; 32],
            versions: [[0; 32]; 2],
            bus: [0; 32],
            rest: [0; 44],
            counts: [0; 5],
        };
        match self.ethtool(&mut driver) {
            // A TUN has the same driver.
            Ok(()) => Ok(driver.name.starts_with(b"tun\0") && driver.bus.starts_with(b"tap\0")),
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says whether who sends on it may leave transport checksums to it (and so super-frames too):
    /// `ethtool -K NAME tx on` or `off`. Needs CAP_NET_ADMIN in its namespace.
    ///
    /// # Errors
    /// There is no such device, the privilege is missing, or the driver has no choice.
    pub fn set_send_checksums(&self, on: bool) -> io::Result<()> {
        self.ethtool(&mut Value {
            command: SET_SEND_CHECKSUMS,
            value: on.into(),
        })
    }

    fn ethtool<T: EthtoolCommand>(&self, command: &mut T) -> io::Result<()> {
        let mut request = self.name.request();
        request.ifr_ifru.ifru_data = ptr::from_mut(command).cast();
        // The kernel reads and writes the command too, which is one it knows the length of.
        self.ask(SIOCETHTOOL, &mut request)
    }

    /// Brings it up. Needs CAP_NET_ADMIN in its namespace, unless it is up already.
    ///
    /// # Errors
    /// There is no such device, or the privilege is missing.
    pub fn bring_up(&self) -> io::Result<()> {
        let flags = self.flags()?;
        if flags & libc::IFF_UP != 0 {
            return Ok(());
        }
        let mut request = self.name.request();
        request.ifr_ifru.ifru_flags = (flags | libc::IFF_UP) as c_short;
        self.ask(libc::SIOCSIFFLAGS as libc::Ioctl, &mut request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let name = |name: &str| name.parse::<InterfaceName>().map(|name| name.to_string());
        assert_eq!(name("tap0"), Ok("tap0".to_owned()));
        assert_eq!(name("fifteen-letters"), Ok("fifteen-letters".to_owned()));
        assert_eq!(name(""), Err(NameError::Empty));
        assert!(matches!(
            name("sixteen--letters"),
            Err(NameError::TooLong { .. })
        ));
        for odd in [".", "..", "a b", "a/b", "eth0:1", "a\0"] {
            assert!(
                matches!(name(odd), Err(NameError::Character { .. })),
                "{odd}"
            );
        }
    }

    #[test]
    fn the_loopback_device_answers() -> Result<(), Box<dyn std::error::Error>> {
        let loopback = Interface::new("lo".parse()?)?;
        assert!(loopback.index()? > 0);
        assert!(loopback.mtu()? >= 1280);
        assert_eq!(loopback.mac()?, Some([0; 6]));
        assert_eq!(loopback.has_carrier()?, loopback.is_up()?);
        assert!(!loopback.is_tap()?);
        let by_number = Interface::of_index(loopback.index()?)?;
        assert_eq!(by_number.map(|it| *it.name()), Some("lo".parse()?));
        assert!(Interface::of_index(i32::MAX)?.is_none());
        let mut nobody = Interface::new("no-such-device".parse()?)?;
        let error = nobody.index().map_err(|error| error.raw_os_error());
        assert_eq!(error, Err(Some(libc::ENODEV)));
        let error = nobody.has_carrier().map_err(|error| error.raw_os_error());
        assert_eq!(error, Err(Some(libc::ENODEV)));
        let error = nobody.is_tap().map_err(|error| error.raw_os_error());
        assert_eq!(error, Err(Some(libc::ENODEV)));
        nobody.follow(loopback.index()?)?;
        assert_eq!(nobody.name(), loopback.name());
        Ok(())
    }
}
