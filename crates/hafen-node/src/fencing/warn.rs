//! What an operator is told about fence devices on every status.

use hafen_cib::Cib;

/// A line for each device that proves nothing, or that waits for a human.
#[must_use]
pub fn warnings(cib: &Cib) -> Vec<String> {
    let devices = cib.fencing_devices().filter(|device| device.is_enabled());
    devices.filter_map(|device| Some(format!("{}: {}", device.id(), about(device.agent())?))).collect()
}

fn about(agent: &str) -> Option<&'static str> {
    match agent {
        "null" | "external/null" => Some(
            "null fences nothing, it only says so: a host that still runs destroys shared data. \
             Use a device that cuts the power",
        ),
        "external/ssh" | "ssh" => Some(
            "ssh asks the host itself to go down, which a host that hangs or lost its network does not do: \
             for tests only, never for data that matters",
        ),
        "meatware" => Some(
            "meatware waits for a human: after each failure of a host everything stands still until somebody has made sure \
             that it is off, and run `meatclient -c HOST`",
        ),
        _ => None,
    }
}
