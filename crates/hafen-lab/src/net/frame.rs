//! Ethernet frames, and what the gateway answers to them: who it is (ARP), and that it is there (ICMP echo).

use super::address::{GATEWAY_ADDRESS, GATEWAY_HARDWARE, GATEWAY_LAST};

/// Destination, source and type.
pub(super) const HEADER_BYTES: usize = 14;
const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_ARP: [u8; 2] = [0x08, 0x06];
const ARP_BYTES: usize = 28;
const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;
const IP_HEADER_BYTES: usize = 20;
const PROTOCOL_ICMP: u8 = 1;
const ICMP_ECHO: u8 = 8;
const ICMP_ECHO_REPLY: u8 = 0;
const TIME_TO_LIVE: u8 = 64;

/// A hardware address.
pub(super) type Hardware = [u8; 6];

/// To whom a frame goes, and from whom it comes; none when it is shorter than a header.
pub(super) fn ends(frame: &[u8]) -> Option<(Hardware, Hardware)> {
    if frame.len() < HEADER_BYTES {
        return None;
    }
    Some((frame[..6].try_into().ok()?, frame[6..12].try_into().ok()?))
}

/// Whether an address stands for several receivers.
pub(super) fn is_group(address: Hardware) -> bool {
    address[0] & 1 == 1
}

/// The gateway's answer to a frame, if it has one.
pub(super) fn gateway_answer(frame: &[u8]) -> Option<Vec<u8>> {
    let (to, from) = ends(frame)?;
    if to != GATEWAY_HARDWARE && !is_group(to) {
        return None;
    }
    let (kind, content) = (&frame[12..HEADER_BYTES], &frame[HEADER_BYTES..]);
    let answer = match [kind[0], kind[1]] {
        TYPE_ARP => arp_answer(content)?,
        TYPE_IPV4 => echo_answer(content)?,
        _ => return None,
    };
    Some([&from[..], &GATEWAY_HARDWARE, kind, &answer].concat())
}

fn is_gateways(address: &[u8]) -> bool {
    let (network, first) = (&GATEWAY_ADDRESS.octets()[..3], GATEWAY_ADDRESS.octets()[3]);
    address.len() == 4 && address[..3] == *network && (first..=GATEWAY_LAST).contains(&address[3])
}

fn arp_answer(request: &[u8]) -> Option<Vec<u8>> {
    let request = request.get(..ARP_BYTES)?;
    // Ethernet, IPv4, and the lengths of their addresses.
    if request[..6] != [0, 1, 8, 0, 6, 4] || request[6..8] != [0, ARP_REQUEST] || !is_gateways(&request[24..])
    {
        return None;
    }
    let (asker, asked) = (&request[8..18], &request[24..28]);
    Some([&request[..6], &[0, ARP_REPLY], &GATEWAY_HARDWARE, asked, asker].concat())
}

fn echo_answer(packet: &[u8]) -> Option<Vec<u8>> {
    let header_bytes = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    if packet[0] >> 4 != 4 || header_bytes < IP_HEADER_BYTES || total < header_bytes + 8 {
        return None;
    }
    let packet = packet.get(..total)?;
    let is_fragment = packet[6] & 0x3f != 0 || packet[7] != 0;
    if is_fragment || packet[9] != PROTOCOL_ICMP || !is_gateways(&packet[16..20]) {
        return None;
    }
    let mut echo = packet[header_bytes..].to_vec();
    if echo[0] != ICMP_ECHO {
        return None;
    }
    echo[0] = ICMP_ECHO_REPLY;
    echo[2..4].fill(0);
    let sum = checksum(&echo);
    echo[2..4].copy_from_slice(&sum);
    let length = u16::try_from(IP_HEADER_BYTES + echo.len()).ok()?.to_be_bytes();
    let mut header =
        [&[0x45, packet[1]][..], &length, &[0; 4], &[TIME_TO_LIVE, PROTOCOL_ICMP, 0, 0]].concat();
    header.extend_from_slice(&packet[16..20]);
    header.extend_from_slice(&packet[12..16]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    Some([header, echo].concat())
}

/// The sum of the internet protocols: the complement of the sum in ones' complement.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap_or(0)).to_be_bytes()
}

/// The address that an ARP request asks for (for tests and messages).
#[cfg(test)]
pub(super) fn arp_request(from: Hardware, own: std::net::Ipv4Addr, wanted: std::net::Ipv4Addr) -> Vec<u8> {
    let head = [&[0xff; 6][..], &from, &TYPE_ARP, &[0, 1, 8, 0, 6, 4, 0, ARP_REQUEST], &from].concat();
    [&head[..], &own.octets(), &[0; 6], &wanted.octets()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HOST: Hardware = [2, 0x77, 0, 2, 0, 1];
    const OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 101);

    fn echo_request(to: Ipv4Addr) -> Vec<u8> {
        let mut icmp = vec![ICMP_ECHO, 0, 0, 0, 1, 2, 3, 4, b'h', b'i'];
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum);
        let mut header = vec![0x45, 0, 0, 30, 9, 9, 0x40, 0, 64, PROTOCOL_ICMP, 0, 0];
        header.extend(OWN.octets());
        header.extend(to.octets());
        [&GATEWAY_HARDWARE[..], &HOST, &TYPE_IPV4, &header, &icmp].concat()
    }

    #[test]
    fn the_gateway_says_who_it_is() {
        let answer = gateway_answer(&arp_request(HOST, OWN, GATEWAY_ADDRESS)).expect("an answer");
        assert_eq!(ends(&answer), Some((HOST, GATEWAY_HARDWARE)));
        assert_eq!(answer[20..22], [0, ARP_REPLY]);
        assert_eq!(answer[22..28], GATEWAY_HARDWARE);
        assert_eq!(answer[28..32], GATEWAY_ADDRESS.octets());
        assert_eq!(answer[32..38], HOST);
        assert_eq!(answer[38..42], OWN.octets());
        let other = Ipv4Addr::new(10, 77, 9, GATEWAY_LAST + 1);
        assert_eq!(gateway_answer(&arp_request(HOST, OWN, other)), None);
    }

    #[test]
    fn the_gateway_answers_an_echo_with_right_sums() {
        let answer = gateway_answer(&echo_request(GATEWAY_ADDRESS)).expect("an answer");
        let packet = &answer[HEADER_BYTES..];
        assert_eq!(checksum(&packet[..IP_HEADER_BYTES]), [0, 0]);
        assert_eq!(checksum(&packet[IP_HEADER_BYTES..]), [0, 0]);
        assert_eq!(packet[IP_HEADER_BYTES], ICMP_ECHO_REPLY);
        assert_eq!(packet[IP_HEADER_BYTES + 4..], [1, 2, 3, 4, b'h', b'i']);
        assert_eq!(packet[12..16], GATEWAY_ADDRESS.octets());
        assert_eq!(gateway_answer(&echo_request(Ipv4Addr::new(10, 77, 8, 1))), None);
    }

    #[test]
    fn no_garbage_is_answered_and_none_is_dangerous() {
        let whole = echo_request(GATEWAY_ADDRESS);
        for length in 0..whole.len() {
            assert_eq!(gateway_answer(&whole[..length]), None, "{length}");
        }
        for index in 0..whole.len() {
            for value in [0, 1, 0x0f, 0x45, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[index] = value;
                let _ = gateway_answer(&damaged);
            }
        }
    }
}
