//! The plan of names and addresses: everything follows from a host's number.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A network that all hosts are on, by the name of its interface in each host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// The cluster's first link: 10.77.0.ID.
    Eth0,
    /// The cluster's second link: 10.77.1.ID.
    Eth1,
    /// The network of the users, with a gateway: 10.77.9.100+ID.
    Lan0,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Eth0, Self::Eth1, Self::Lan0];

    /// The name of its interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eth0 => "eth0",
            Self::Eth1 => "eth1",
            Self::Lan0 => "lan0",
        }
    }

    /// The address of a host on it.
    pub fn address(self, id: u32) -> Ipv4Addr {
        let number = u8::try_from(id).unwrap_or(u8::MAX);
        match self {
            Self::Eth0 => Ipv4Addr::new(10, 77, 0, number),
            Self::Eth1 => Ipv4Addr::new(10, 77, 1, number),
            Self::Lan0 => Ipv4Addr::new(10, 77, 9, 100u8.saturating_add(number)),
        }
    }

    /// The hardware address of a host's interface on it.
    pub fn hardware_address(self, id: u32) -> [u8; 6] {
        [0x02, 0x77, 0x00, self as u8, 0x00, u8::try_from(id).unwrap_or(u8::MAX)]
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Link {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|link| link.name() == name);
        found.ok_or_else(|| format!("there is no link '{name}': there are eth0, eth1 and lan0"))
    }
}

/// The length of each network's prefix, in bits.
pub const PREFIX_BITS: u8 = 24;
/// The address that hosts have as their default gateway.
pub const GATEWAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 1);
/// The gateway answers for 10.77.9.1 up to this last number: several addresses that can be pinged.
pub const GATEWAY_LAST: u8 = 9;
/// The hardware address of the gateway.
pub const GATEWAY_HARDWARE: [u8; 6] = [0x02, 0x77, 0x00, 0xff, 0x00, 0x01];

/// The text of a hardware address.
pub fn hardware_text(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
