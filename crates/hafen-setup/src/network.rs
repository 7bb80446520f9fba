//! This host's networks, and which of its addresses is meant.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SetupError;

/// An address of a network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// `eth0`
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// How many bits of it name the network.
    pub prefix: u8,
}

/// A network as the user or another host names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// `10.0.0.0/24`
    Range(IpAddr, u8),
    /// `10.0.0.1`: an address of this host, or of its network (`10.0.0.0`).
    Address(IpAddr),
    /// `eth0`
    Interface(String),
}

impl FromStr for Network {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Self, SetupError> {
        let wrong = || {
            SetupError::input(
                format!("'{text}' names no network"),
                "Write it as 10.0.0.0/24, as an address of this host, or as an interface such as eth0",
            )
        };
        if let Some((address, prefix)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| wrong())?;
            let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
            if prefix > bits(address) {
                return Err(wrong());
            }
            return Ok(Self::Range(address, prefix));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = |char: char| char.is_ascii_alphanumeric() || "-_.@".contains(char);
        if text.is_empty() || !text.chars().all(name) {
            return Err(wrong());
        }
        Ok(Self::Interface(text.to_owned()))
    }
}

impl InterfaceAddress {
    /// The network's first address.
    pub fn network(&self) -> IpAddr {
        masked(self.address, self.prefix)
    }

    /// `10.0.0.0/24`
    pub fn range(&self) -> String {
        format!("{}/{}", self.network(), self.prefix)
    }

    /// Whether another address is in the same network.
    pub fn reaches(&self, other: IpAddr) -> bool {
        bits(other) == bits(self.address) && masked(other, self.prefix) == self.network()
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::from((u32::from(address) & mask).to_be_bytes())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::from((u128::from(address) & mask).to_be_bytes())
        }
    }
}

/// The addresses of this host, without those that no other host can reach.
///
/// # Errors
/// When the system does not tell.
pub fn addresses() -> Result<Vec<InterfaceAddress>, SetupError> {
    let all = if_addrs::get_if_addrs().map_err(SetupError::system("list", "the network interfaces"))?;
    let mut found: Vec<InterfaceAddress> = all
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| {
            let prefix = match &interface.addr {
                if_addrs::IfAddr::V4(address) => address.prefixlen,
                if_addrs::IfAddr::V6(address) => address.prefixlen,
            };
            InterfaceAddress { address: interface.ip(), interface: interface.name, prefix }
        })
        .collect();
    found.sort_by(|one, other| (&one.interface, one.address).cmp(&(&other.interface, other.address)));
    Ok(found)
}

fn matches(network: &Network, own: &InterfaceAddress) -> bool {
    match network {
        Network::Range(address, prefix) => {
            bits(*address) == bits(own.address) && masked(*address, *prefix) == masked(own.address, *prefix)
        }
        Network::Address(address) => *address == own.address || *address == own.network(),
        Network::Interface(name) => *name == own.interface,
    }
}

fn listed(addresses: &[&InterfaceAddress]) -> String {
    let lines = addresses.iter().map(|own| format!("{} on {} ({})", own.address, own.interface, own.range()));
    lines.collect::<Vec<_>>().join(", ")
}

/// The one address of this host that is meant.
///
/// # Errors
/// When there is none, or more than one.
pub fn choose(text: &str, own: &[InterfaceAddress]) -> Result<InterfaceAddress, SetupError> {
    let network: Network = text.parse()?;
    let exact =
        own.iter().filter(|own| matches!(&network, Network::Address(address) if *address == own.address));
    let mut found: Vec<&InterfaceAddress> = exact.collect();
    if found.is_empty() {
        found = own.iter().filter(|own| matches(&network, own)).collect();
    }
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(SetupError::input(
            format!("this host has no address in the network '{text}'"),
            format!("Its addresses: {}", listed(&own.iter().collect::<Vec<_>>())),
        )),
        several => Err(SetupError::input(
            format!("this host has {} addresses in the network '{text}'", several.len()),
            format!("Say which one: {}", listed(several)),
        )),
    }
}

/// The address to use where the user named no network: the only one, or the only one of IPv4.
///
/// # Errors
/// When there is none, or several could be meant.
pub fn choose_default(own: &[InterfaceAddress]) -> Result<InterfaceAddress, SetupError> {
    let v4: Vec<&InterfaceAddress> = own.iter().filter(|own| own.address.is_ipv4()).collect();
    let candidates = if v4.is_empty() { own.iter().collect() } else { v4 };
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(SetupError::state("this host has no network address", "Give it one, then try again")),
        several => Err(SetupError::input(
            "this host is in several networks",
            format!("Say which one the hosts talk over with --bind NETWORK: {}", listed(several)),
        )),
    }
}

/// The address of this host in the network of another host's link.
///
/// # Errors
/// When there is none, or more than one.
pub fn choose_for_link(
    link: u8,
    network: IpAddr,
    prefix: u8,
    own: &[InterfaceAddress],
) -> Result<InterfaceAddress, SetupError> {
    choose(&format!("{network}/{prefix}"), own).map_err(|error| match error {
        SetupError::Refused { kind, what, mend } => SetupError::Refused {
            kind,
            what: format!("link {link} of the cluster: {what}"),
            mend: format!("{mend}; --address {link}=ADDRESS says which address this host has on a link"),
        },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<InterfaceAddress> {
        let address = |interface: &str, address: &str, prefix| InterfaceAddress {
            interface: interface.to_owned(),
            address: address.parse().unwrap(),
            prefix,
        };
        vec![
            address("eth0", "10.0.0.5", 24),
            address("eth0", "10.0.0.6", 24),
            address("eth1", "10.1.0.5", 16),
            address("eth1", "fd00::5", 64),
        ]
    }

    #[test]
    fn a_network_is_found_by_range_address_and_interface() {
        let own = own();
        for text in ["10.1.0.0/16", "10.1.0.5", "10.1.0.0", "10.1.0.5/16"] {
            assert_eq!(choose(text, &own).unwrap().address.to_string(), "10.1.0.5", "{text}");
        }
        assert_eq!(choose("10.0.0.6", &own).unwrap().address.to_string(), "10.0.0.6");
        assert_eq!(choose("fd00::/64", &own).unwrap().interface, "eth1");
    }

    #[test]
    fn none_and_several_are_told_apart() {
        let own = own();
        let none = choose("192.168.0.0/16", &own).unwrap_err().to_string();
        assert!(none.contains("no address in the network") && none.contains("10.1.0.5 on eth1"), "{none}");
        let several = choose("10.0.0.0/24", &own).unwrap_err().to_string();
        assert!(several.contains("2 addresses") && several.contains("10.0.0.6"), "{several}");
        assert!(choose_default(&own).unwrap_err().to_string().contains("--bind"));
        assert_eq!(choose_default(&own[2..]).unwrap().address.to_string(), "10.1.0.5");
        assert!(choose_default(&[]).is_err());
        for text in ["10.0.0.0/40", "", "10.0.0.0/x", "et h0", "x/24"] {
            assert!(choose(text, &own).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_of_all_sizes_are_masked() {
        assert_eq!(masked("10.9.8.7".parse().unwrap(), 0).to_string(), "0.0.0.0");
        assert_eq!(masked("10.9.8.7".parse().unwrap(), 32).to_string(), "10.9.8.7");
        assert_eq!(masked("fd00::1".parse().unwrap(), 0).to_string(), "::");
        assert!(own()[0].reaches("10.0.0.200".parse().unwrap()));
        assert!(!own()[0].reaches("fd00::1".parse().unwrap()));
    }
}
