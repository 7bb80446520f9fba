//! `crm_simulate`: what the scheduler would do with a CIB. Here only files are read and written.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hafen_cib::Cib;
use hafen_scheduler::crm_simulate::{self, Arguments, exit};

/// Runs the applet.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    match try_run(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err((message, status)) => {
            eprintln!("crm_simulate: {message}");
            ExitCode::from(status)
        }
    }
}

fn try_run(words: Vec<OsString>) -> Result<(), (String, u8)> {
    let words = words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let arguments = Arguments::parse(words).map_err(|error| (error.to_string(), exit::USAGE))?;
    if arguments.help {
        out!("{}", crm_simulate::HELP);
        return Ok(());
    }
    let Some(file) = &arguments.xml_file else {
        return Err(("name a CIB with -x FILE".to_owned(), exit::USAGE));
    };
    let source =
        std::fs::read_to_string(file).map_err(|error| (format!("{file}: {error}"), exit::NO_INPUT))?;
    let cib = Cib::parse(&source).map_err(|error| (format!("{file}: {error}"), exit::CONFIG))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let outcome = crm_simulate::run(&arguments, &cib, now);
    for (target, content) in [(&arguments.graph_file, &outcome.graph), (&arguments.dot_file, &outcome.dot)] {
        if let Some(target) = target {
            std::fs::write(target, content)
                .map_err(|error| (format!("{target}: {error}"), exit::CANNOT_CREATE))?;
        }
    }
    out!("{}", outcome.text);
    Ok(())
}
