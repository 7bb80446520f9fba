//! Ethernet devices whose cable is a file descriptor.
#![expect(unsafe_code, reason = "ioctl is unsafe; each use says why it is sound")]

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};

/// The kernel's `IFNAMSIZ`: the room for an interface's name, its closing zero included.
const NAME_BYTES: usize = 16;
/// `IFF_TAP | IFF_NO_PI`: whole Ethernet frames, nothing before them.
const FLAGS: u16 = 0x0002 | 0x1000;
/// `TUNSETIFF`, which is `_IOW('T', 202, int)` although it takes an interface request.
const TUNSETIFF: rustix::ioctl::Opcode = rustix::ioctl::opcode::write::<i32>(b'T', 202);

/// The kernel's `struct ifreq`, as far as `TUNSETIFF` looks into it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; NAME_BYTES],
    flags: u16,
    rest: [u8; 22],
}

/// Makes a tap device of this name in the network namespace of the calling thread. Each read of the descriptor takes a frame
/// that the device sends, each write gives it one; neither waits. The device is gone when the last copy of the descriptor is
/// closed. Needs `CAP_NET_ADMIN` and `/dev/net/tun`.
pub fn create_tap(name: &str) -> io::Result<OwnedFd> {
    let mut request = InterfaceRequest { name: [0; NAME_BYTES], flags: FLAGS, rest: [0; 22] };
    if name.is_empty() || name.len() >= NAME_BYTES {
        let text = format!("'{name}' cannot be the name of an interface: 1 to {} bytes", NAME_BYTES - 1);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let device = rustix::fs::openat(CWD, "/dev/net/tun", flags, Mode::empty())?;
    // SAFETY: for TUNSETIFF the kernel reads and writes one `struct ifreq` of 40 bytes, which the request is laid out as.
    unsafe {
        let set = rustix::ioctl::Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request);
        rustix::ioctl::ioctl(&device, set)?;
    }
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_as_long_as_the_kernels() {
        assert_eq!(size_of::<InterfaceRequest>(), 40);
        assert_eq!(TUNSETIFF, 0x4004_54ca);
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let error = create_tap("sixteen-bytes-xx").expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
