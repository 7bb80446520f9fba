//! ICMP echo over IPv4 and IPv6: many addresses at once, without a program.
//!
//! All addresses of a family share one socket and are asked at the same time; whoever has not answered is asked again in
//! the next attempt. So the whole takes as long as one silent address, not as long as all of them. An answer counts when
//! it comes from the address that was asked and carries this run's token.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use crate::deadline::Deadline;

/// Bytes of an echo before its payload.
const HEADER_BYTES: usize = 8;
/// Bytes of the payload: the token.
const TOKEN_BYTES: usize = 16;
/// The longest datagram that is looked at, an IPv4 header with options included.
const DATAGRAM_BYTES: usize = 1500;
/// The least time for one look at a socket: the kernel takes 0 for "for ever".
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How patient a ping is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often an address is asked.
    pub attempts: u32,
    /// How long each attempt waits for answers.
    pub timeout: Duration,
    /// When all ends, whatever has been attempted.
    pub deadline: Deadline,
}

/// What a round of echoes found.
#[derive(Debug, Default)]
pub struct Answers {
    /// The addresses that answered.
    pub reached: BTreeSet<SocketAddr>,
    /// What kept this host from asking at all (no permission), a sentence for each family.
    pub faults: Vec<String>,
}

/// Which addresses answer. Ports do not matter.
pub fn reachable(addresses: &[SocketAddr], patience: Patience) -> Answers {
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().copied().partition(SocketAddr::is_ipv4);
    let mut answers = Answers::default();
    let outcomes = thread::scope(|scope| {
        let families = [(Family::V4, v4), (Family::V6, v6)].into_iter().filter(|(_, some)| !some.is_empty());
        let started: Vec<_> = families
            .map(|(family, some)| scope.spawn(move || (family, ask(family, &some, patience))))
            .collect();
        started.into_iter().filter_map(|handle| handle.join().ok()).collect::<Vec<_>>()
    });
    for (family, outcome) in outcomes {
        match outcome {
            Ok(reached) => answers.reached.extend(reached),
            Err(error) => answers.faults.push(format!("cannot send {}: {error}", family.name())),
        }
    }
    answers
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::V4 => "ICMP",
            Self::V6 => "ICMPv6",
        }
    }

    /// The types of an echo request and of its reply.
    fn types(self) -> (u8, u8) {
        match self {
            Self::V4 => (8, 0),
            Self::V6 => (128, 129),
        }
    }

    /// A raw socket, or one for echoes only, which needs no privilege where `net.ipv4.ping_group_range` permits it. True
    /// where what is received begins with an IPv4 header.
    fn open(self) -> io::Result<(UdpSocket, bool)> {
        let (domain, protocol) = match self {
            Self::V4 => (AddressFamily::INET, ipproto::ICMP),
            Self::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let open = |kind| socket_with(domain, kind, SocketFlags::CLOEXEC, Some(protocol));
        match open(SocketType::RAW) {
            Ok(socket) => Ok((UdpSocket::from(socket), self == Self::V4)),
            Err(raw) => match open(SocketType::DGRAM) {
                Ok(socket) => Ok((UdpSocket::from(socket), false)),
                Err(_) => Err(raw.into()),
            },
        }
    }
}

/// Asks all addresses of a family.
fn ask(family: Family, addresses: &[SocketAddr], patience: Patience) -> io::Result<BTreeSet<SocketAddr>> {
    let (socket, has_header) = family.open()?;
    let token = token();
    let mut silent: BTreeSet<SocketAddr> = addresses.iter().copied().collect();
    let mut reached = BTreeSet::new();
    for attempt in 0..patience.attempts {
        if silent.is_empty() || patience.deadline.has_passed() {
            break;
        }
        let request = request(family, attempt, &token);
        for address in &silent {
            // An address without a route is as silent as any other; it may have one at the next attempt.
            let _ = socket.send_to(&request, address);
        }
        let round = patience.deadline.at_most(patience.timeout);
        while !silent.is_empty() && !round.has_passed() {
            let Some((from, datagram)) = receive(&socket, round)? else { continue };
            let message = if has_header { without_header(&datagram) } else { &datagram };
            if let Some(address) = silent.iter().find(|address| address.ip() == from.ip()).copied()
                && is_reply(family, message, &token)
            {
                silent.remove(&address);
                reached.insert(address);
            }
        }
    }
    Ok(reached)
}

/// The next datagram, or nothing when none comes before the deadline.
fn receive(socket: &UdpSocket, deadline: Deadline) -> io::Result<Option<(SocketAddr, Vec<u8>)>> {
    socket.set_read_timeout(Some(deadline.left().max(SHORTEST_WAIT)))?;
    let mut buffer = [0; DATAGRAM_BYTES];
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => Ok(Some((from, buffer[..length].to_vec()))),
        // Beside the time that is up: errors that an earlier echo came back with ("no route to host").
        Err(_) => Ok(None),
    }
}

/// What tells this run's echoes from everybody else's: the process and the time.
fn token() -> [u8; TOKEN_BYTES] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = (u128::from(std::process::id()) << 96) | (since.as_nanos() & ((1 << 96) - 1));
    number.to_be_bytes()
}

fn request(family: Family, attempt: u32, token: &[u8; TOKEN_BYTES]) -> Vec<u8> {
    let mut message = vec![family.types().0, 0, 0, 0];
    message.extend_from_slice(&token[..2]);
    message.extend_from_slice(&attempt.to_be_bytes()[2..]);
    message.extend_from_slice(token);
    if family == Family::V4 {
        let sum = checksum(&message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
    }
    message
}

/// The Internet checksum (RFC 1071) of a message whose checksum is 0. For IPv6 the kernel makes it.
fn checksum(message: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u32 = message.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// An IPv4 datagram's contents; nothing if it is none.
fn without_header(datagram: &[u8]) -> &[u8] {
    let words = datagram.first().map_or(0, |first| usize::from(first & 0x0f));
    datagram.get(words * 4..).unwrap_or_default()
}

fn is_reply(family: Family, message: &[u8], token: &[u8; TOKEN_BYTES]) -> bool {
    message.first() == Some(&family.types().1) && message.get(HEADER_BYTES..) == Some(token.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_a_message_with_its_checksum_is_zero() {
        let message = request(Family::V4, 3, &[7; TOKEN_BYTES]);
        assert_eq!(checksum(&message), 0);
        assert_eq!(checksum(&[0xff]), 0x00ff, "an odd byte counts as the upper half");
    }

    #[test]
    fn only_replies_with_the_token_count() {
        let token = [9; TOKEN_BYTES];
        let mut message = request(Family::V4, 0, &token);
        assert!(!is_reply(Family::V4, &message, &token), "one's own request, as the loopback shows it");
        message[0] = 0;
        assert!(is_reply(Family::V4, &message, &token));
        assert!(!is_reply(Family::V4, &message, &[8; TOKEN_BYTES]), "another's");
        assert!(!is_reply(Family::V4, &message[..20], &token), "cut off");
        assert!(!is_reply(Family::V6, &message, &token));
        assert!(!is_reply(Family::V4, &[], &token));
    }

    #[test]
    fn the_header_may_have_options() {
        let mut datagram = vec![0x46];
        datagram.extend_from_slice(&[0; 23]);
        datagram.push(42);
        assert_eq!(without_header(&datagram), [42]);
        assert!(without_header(&[0x4f, 0]).is_empty() && without_header(&[]).is_empty());
    }
}
