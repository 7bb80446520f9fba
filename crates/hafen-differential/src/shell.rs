//! Files and standard output for `crm_simulate` in this process.

use std::io::{Read as _, Write as _};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hafen_scheduler::crm_simulate::{self, ReadError, Shell, Source};

/// Runs `crm_simulate` with these words and says its exit status.
pub fn run(words: impl Iterator<Item = String>) -> u8 {
    crm_simulate::main(words, &mut Files { started: Instant::now() })
}

struct Files {
    started: Instant,
}

impl Shell for Files {
    fn read(&mut self, source: &Source) -> Result<Vec<u8>, ReadError> {
        let read = match source {
            Source::Live => return Err(ReadError::Disconnected("no cluster runs here".to_owned())),
            Source::File(file) => std::fs::read(file),
            Source::StandardInput => {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
            }
        };
        read.map_err(|error| ReadError::Unreadable(error.to_string()))
    }

    fn write(&mut self, file: &str, content: &str) -> Result<(), String> {
        std::fs::write(file, content).map_err(|error| error.to_string())
    }

    fn folder(&mut self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path().to_string_lossy().into_owned());
        paths.filter(|path| path.ends_with(".xml")).collect()
    }

    fn print(&mut self, text: &str) {
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    fn complain(&mut self, line: &str) {
        eprintln!("{line}");
    }

    fn now(&mut self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn processor_seconds(&mut self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
