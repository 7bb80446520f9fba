//! How the hosts of a simulated cluster are fenced: devices, levels, delays, where devices may be used.

use std::fmt::Write as _;

use super::uname;
use crate::device::{BOARD, OUTLET, SWITCH};
use crate::dice::Dice;

/// `stonith-watchdog-timeout` where watchdogs are counted on: more than `daemon-restart-timeout` and the device's own.
pub const WATCHDOG_FENCES_AFTER_S: u64 = 30;

/// How hosts are fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// Not at all.
    None,
    /// By one switch for all.
    Switch,
    /// By two switches, one for each of a host's two supplies, in one level.
    Outlets,
    /// By a board in each host, and by a switch where that fails.
    BoardsThenSwitch,
    /// By a board in each host alone.
    Boards,
    /// By the hosts' own watchdogs.
    Watchdogs,
}

/// Parts of a CIB.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Devices.
    pub resources: String,
    /// Where they may not be used.
    pub constraints: String,
    /// The contents of `fencing-topology`.
    pub topology: String,
}

impl Fencing {
    /// Draws how hosts are fenced, if they are.
    pub fn draw(enabled: bool, dice: &mut Dice) -> Fencing {
        let kinds = [
            (Fencing::Switch, 50),
            (Fencing::Outlets, 12),
            (Fencing::BoardsThenSwitch, 16),
            (Fencing::Boards, 8),
            (Fencing::Watchdogs, 14),
        ];
        if enabled { dice.pick_weighted(&kinds).unwrap_or(Fencing::Switch) } else { Fencing::None }
    }

    /// What it takes in the CIB of a cluster whose hosts have numbers up to that.
    pub fn parts(self, hosts: u32, dice: &mut Dice) -> Parts {
        let mut parts = Parts::default();
        match self {
            Fencing::None | Fencing::Watchdogs => {}
            Fencing::Switch => {
                parts.device("power", SWITCH, &[]);
                if dice.chance(300) {
                    // Where the device's resource does not mind which host it is on, its stickiness still settles it.
                    parts.constraints.push_str(
                        r#"<rsc_location id="power-not-1" rsc="power" node="host1" score="-100"/>"#,
                    );
                }
            }
            Fencing::Outlets => {
                parts.device("outlet-a", OUTLET, &[("supply", "a")]);
                parts.device("outlet-b", OUTLET, &[("supply", "b")]);
                for host in 1..=hosts {
                    parts.level(host, 1, "outlet-a,outlet-b");
                }
            }
            Fencing::BoardsThenSwitch | Fencing::Boards => {
                for host in 1..=hosts {
                    parts.board(host);
                }
                if self == Fencing::BoardsThenSwitch {
                    parts.device("power", SWITCH, &[]);
                    for host in 1..=hosts {
                        parts.level(host, 1, &format!("board-{}", uname(host)));
                        parts.level(host, 2, "power");
                    }
                }
            }
        }
        parts
    }
}

impl Parts {
    fn device(&mut self, id: &str, agent: &str, parameters: &[(&str, &str)]) {
        let mut attributes = String::new();
        for (name, value) in parameters {
            let _ = write!(attributes, r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#);
        }
        let _ = write!(
            self.resources,
            concat!(
                r#"<primitive id="{id}" class="stonith" type="{agent}">"#,
                r#"<instance_attributes id="{id}-params">{attributes}</instance_attributes><operations>"#,
                r#"<op id="{id}-monitor" name="monitor" interval="60s" timeout="20s"/></operations></primitive>"#
            ),
            id = id,
            agent = agent,
            attributes = attributes
        );
    }

    fn level(&mut self, host: u32, index: u32, devices: &str) {
        let name = uname(host);
        let _ = write!(
            self.topology,
            r#"<fencing-level id="level-{name}-{index}" target="{name}" index="{index}" devices="{devices}"/>"#
        );
    }

    /// A board in a host, which another host must use; the first host is shot last.
    fn board(&mut self, host: u32) {
        let name = uname(host);
        self.shooter(
            &format!("board-{name}"),
            BOARD,
            host,
            (host == 1).then_some(crate::double_shoot::DELAY_MS),
        );
    }

    /// A device that fences one host, and is used by others, after a delay.
    pub(super) fn shooter(&mut self, id: &str, agent: &str, host: u32, delay_ms: Option<u64>) {
        let name = uname(host);
        let delay = delay_ms.map(|ms| format!("{}s", ms.div_ceil(1_000)));
        let mut parameters = vec![("pcmk_host_list", name.as_str())];
        parameters.extend(delay.as_deref().map(|delay| ("pcmk_delay_base", delay)));
        self.device(id, agent, &parameters);
        let _ = write!(
            self.constraints,
            r#"<rsc_location id="{id}-elsewhere" rsc="{id}" node="{name}" score="-INFINITY"/>"#
        );
    }
}
