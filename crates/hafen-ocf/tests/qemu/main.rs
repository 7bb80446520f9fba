//! `ocf:hafen:qemu` with real guests: QEMU under emulation, hosts are folders of states, all on one machine.
//!
//! Needs `qemu-system-x86_64` and the guest of `guest/build.sh` (built on the first run, or found where
//! `HAFEN_GUEST_DIR` says). Where QEMU is missing the tests say so and pass, except when `CI` is set.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod bench;
mod lifecycle;
mod migration;

/// Not a test: the agent's own process, when this program is started as one.
#[test]
fn agent_process() {
    if let Ok(call) = std::env::var(bench::CALL_VARIABLE) {
        let (agent, action) = call.split_once(' ').expect("an agent and an action");
        std::process::exit(hafen_ocf::main(agent, action));
    }
}
