//! `crm_simulate`: what the scheduler would do with a CIB. Here only files are read and written, and the cluster asked.

use std::ffi::OsString;
use std::process::ExitCode;

use hafen_client::ClientError;
use hafen_scheduler::crm_simulate::{self, ReadError, Shell, Source};

use super::output;

/// Runs the applet.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let words = words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    ExitCode::from(crm_simulate::main(words, &mut World))
}

struct World;

impl Shell for World {
    fn read(&mut self, source: &Source) -> Result<Vec<u8>, ReadError> {
        let read = match source {
            Source::Live => return live(),
            Source::File(file) => output::input(file),
            Source::StandardInput => output::input(output::STANDARD_INPUT),
        };
        read.map_err(|error| ReadError::Unreadable(output::reason(&error)))
    }

    fn write(&mut self, file: &str, content: &str) -> Result<(), String> {
        std::fs::write(file, content).map_err(|error| error.to_string())
    }

    fn folder(&mut self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path().to_string_lossy().into_owned());
        let mut paths: Vec<String> = paths.filter(|path| path.ends_with(".xml")).collect();
        paths.sort();
        paths
    }

    fn print(&mut self, text: &str) {
        out!("{text}");
    }

    fn complain(&mut self, line: &str) {
        eprintln!("{line}");
    }

    fn now(&mut self) -> u64 {
        output::now()
    }

    fn processor_seconds(&mut self) -> f64 {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        std::time::Duration::try_from(spent).map_or(0.0, |spent| spent.as_secs_f64())
    }
}

/// The running cluster's CIB with its status.
fn live() -> Result<Vec<u8>, ReadError> {
    let disconnected = |error: ClientError| ReadError::Disconnected(error.to_string());
    let mut client = output::connect().map_err(disconnected)?;
    Ok(client.cib(true).map_err(disconnected)?.into_bytes())
}
