//! `hafen config`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use hafen_cib::Document;
use hafen_protocol::client::Edit;

use crate::arguments::{ConfigCommand, Connection};
use crate::exit::WrongInput;
use crate::target;

/// A configuration of more than this is none (64 MiB, the bound of the daemon's socket).
const FILE_BYTES_MAXIMUM: u64 = 60 << 20;

pub(super) fn run(command: ConfigCommand, connection: &Connection) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Show { status } => {
            let xml = target::connect(connection)?.cib(status)?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", xml.trim_end())?;
        }
        ConfigCommand::Load { file, without_quorum } => load(&file, without_quorum, connection)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn load(file: &Path, without_quorum: bool, connection: &Connection) -> anyhow::Result<()> {
    let xml = read(file)?;
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let document = Document::parse(&xml).map_err(|error| WrongInput(format!("{name}: {error}")))?;
    let root = document.root().name();
    if !["cib", "configuration"].contains(&root) {
        let text = format!("{name}: begins with <{root}>: a <cib> or a <configuration> is wanted");
        return Err(WrongInput(text).into());
    }
    let origin = target::origin(&format!("config load {name}"));
    let edits = vec![Edit::ReplaceAll { xml }];
    let note = target::connect(connection)?.change(edits, without_quorum, &origin)?;
    outln!("{}", note.unwrap_or_else(|| "the configuration is replaced".to_owned()));
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(FILE_BYTES_MAXIMUM + 1).read_to_end(&mut text).context("standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        let read = opened.take(FILE_BYTES_MAXIMUM + 1).read_to_end(&mut text);
        read.with_context(|| format!("cannot read {}", file.display()))?;
    }
    if text.len() as u64 > FILE_BYTES_MAXIMUM {
        return Err(
            WrongInput(format!("{}: is larger than {FILE_BYTES_MAXIMUM} bytes", file.display())).into()
        );
    }
    String::from_utf8(text).map_err(|_| WrongInput(format!("{}: is no text in UTF-8", file.display())).into())
}
