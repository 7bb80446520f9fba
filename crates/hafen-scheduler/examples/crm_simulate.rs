//! shell: `crm_simulate` on its own, for comparing with Pacemaker's.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hafen_scheduler::crm_simulate::{Arguments, exit, run};

fn main() -> ExitCode {
    match try_main() {
        Ok(()) => ExitCode::SUCCESS,
        Err((message, status)) => {
            eprintln!("{message}");
            ExitCode::from(status)
        }
    }
}

fn try_main() -> Result<(), (String, u8)> {
    let arguments =
        Arguments::parse(std::env::args().skip(1)).map_err(|error| (error.to_string(), exit::USAGE))?;
    let Some(file) = &arguments.xml_file else {
        return Err(("crm_simulate: name a CIB with -x".to_owned(), exit::USAGE));
    };
    let source = std::fs::read_to_string(file)
        .map_err(|error| (format!("crm_simulate: {file}: {error}"), exit::NO_INPUT))?;
    let cib = hafen_cib::Cib::parse(&source)
        .map_err(|error| (format!("crm_simulate: {file}: {error}"), exit::CONFIG))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let outcome = run(&arguments, &cib, now);
    for (target, content) in [(&arguments.graph_file, &outcome.graph), (&arguments.dot_file, &outcome.dot)] {
        if let Some(target) = target {
            std::fs::write(target, content)
                .map_err(|error| (format!("crm_simulate: {target}: {error}"), exit::CANNOT_CREATE))?;
        }
    }
    print!("{}", outcome.text);
    Ok(())
}
