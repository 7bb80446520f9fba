//! The kernel's watchdog device.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::ioctl::{Updater, ioctl, opcode};

/// `WDIOC_SETTIMEOUT`: takes seconds, gives back what the device makes of them.
const SET_TIMEOUT: rustix::ioctl::Opcode = opcode::read_write::<c_int>(b'W', 6);
/// Written before the end, it lets the device stop. Anything else feeds it.
const MAGIC_CLOSE: &[u8] = b"V";
const FOOD: &[u8] = b"\0";

/// An open watchdog device. Opening arms it: from then on the host is reset when it is not fed in time, and closing it without
/// [`WatchdogDevice::disarm`] does not change that.
#[derive(Debug)]
pub struct WatchdogDevice(File);

impl WatchdogDevice {
    /// Opens the device and so arms it, with the device's own timeout.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(File::options().write(true).open(path)?))
    }

    /// Sets the timeout in seconds, and gives the one that holds. A device may know only some.
    pub fn set_timeout_s(&self, timeout_s: u32) -> io::Result<u32> {
        let mut seconds = c_int::try_from(timeout_s).map_err(|_| io::ErrorKind::InvalidInput)?;
        #[allow(unsafe_code, reason = "an ioctl")]
        // SAFETY: the request reads and writes one `int`, which is what it gets.
        unsafe {
            ioctl(&self.0, Updater::<SET_TIMEOUT, c_int>::new(&mut seconds))?;
        }
        u32::try_from(seconds).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Feeds it: its time begins anew.
    pub fn feed(&mut self) -> io::Result<()> {
        self.0.write_all(FOOD)
    }

    /// Lets it stop, and closes it. A device that was set up never to stop goes on all the same.
    pub fn disarm(mut self) -> io::Result<()> {
        self.0.write_all(MAGIC_CLOSE)
    }
}
