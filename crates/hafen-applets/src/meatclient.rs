//! `meatclient`: a human tells that a host that `meatware` waits for has been power-cycled.

use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;

use hafen_agents::{MEATWARE_DIR, meatclient_confirm};

/// Names another folder than [`MEATWARE_DIR`].
const FOLDER_VARIABLE: &str = "HAFEN_MEATWARE_DIR";
const USAGE: &str = "usage: meatclient -c node [-w]";
const BAD_USAGE: u8 = 3;
const REFUSED: u8 = 4;

/// Runs the applet. `-w`: without asking, for scripts.
pub(super) fn run(words: &[String]) -> ExitCode {
    let mut host = None;
    let mut asks = true;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-c" => host = rest.next().cloned(),
            "-w" => asks = false,
            "-h" | "--help" => {
                outln!(
                    "Tells the cluster that a host that it waits for (stonith:meatware) is off\n\n{USAGE}\n\n  \
                     -c node  the host, as it stands in the log\n  -w       do not ask (for scripts)\n\n\
                     Example:\n  meatclient -c host2"
                );
                return ExitCode::SUCCESS;
            }
            other => match other.strip_prefix("-c").filter(|name| !name.is_empty()) {
                Some(name) => host = Some(name.to_owned()),
                None => {
                    eprintln!("meatclient: '{other}' is not known\n{USAGE}");
                    return ExitCode::from(BAD_USAGE);
                }
            },
        }
    }
    let Some(host) = host else {
        eprintln!("{USAGE}");
        return ExitCode::from(BAD_USAGE);
    };
    if asks && !is_sure(&host) {
        outln!("Meatware: {host} is not confirmed; nothing was done");
        return ExitCode::from(REFUSED);
    }
    let folder = std::env::var_os(FOLDER_VARIABLE).unwrap_or_else(|| MEATWARE_DIR.into());
    match meatclient_confirm(Path::new(&folder), &host) {
        Ok(()) => {
            outln!("Meatware: {host} is confirmed as off");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("meatclient: {error}");
            ExitCode::from(REFUSED)
        }
    }
}

/// Asks, as the old program does: only a y is a yes.
fn is_sure(host: &str) -> bool {
    eprintln!(
        "\nWARNING!\n\nIf {host} has not been power-cycled by hand, or cut off from all shared disks and\nnetworks, \
         data on shared disks can be destroyed.\n"
    );
    eprint!("Is {host} really off? [yN] ");
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    read.is_ok() && matches!(typed.trim(), "y" | "Y")
}
