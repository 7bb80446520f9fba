//! `hafen config`.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use hafen_cib::old_names::{Note, translate};
use hafen_cib::{Cib, Document, Patchset};
use hafen_protocol::client::Edit;
use hafen_setup::disk::write_whole;

use crate::arguments::{ConfigCommand, Connection};
use crate::exit::WrongInput;
use crate::target;

/// The environment's word for the CIB that Pacemaker's tools are to take.
const FILE_VARIABLE: &str = "CIB_file";

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
        ConfigCommand::Translate { file, dry_run, without_quorum } => {
            let named = || std::env::var_os(FILE_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from);
            match file.or_else(named) {
                Some(file) => translate_file(&file, dry_run)?,
                None => translate_cluster(dry_run, without_quorum, connection)?,
            }
        }
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

fn translate_file(file: &Path, dry_run: bool) -> anyhow::Result<()> {
    let before = parsed(&read(file)?, &file.display().to_string())?;
    let (mut after, notes) = translate(&before);
    if file == Path::new("-") {
        notes.iter().for_each(|note| eprintln!("{note}"));
        if !dry_run {
            outln!("{}", after.root().to_xml());
        }
        return Ok(());
    }
    tell(&notes, dry_run);
    if !dry_run && notes.iter().any(|note| note.done) {
        after.bump_epoch();
        let mode = std::fs::metadata(file).map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
        // A link stays one.
        let file = std::fs::canonicalize(file).with_context(|| file.display().to_string())?;
        write_whole(&file, (after.root().to_xml() + "\n").as_bytes(), mode)?;
    }
    Ok(())
}

fn translate_cluster(dry_run: bool, without_quorum: bool, connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    let before = parsed(&client.cib(false)?, "the cluster's configuration")?;
    let (after, notes) = translate(&before);
    if !dry_run && notes.iter().any(|note| note.done) {
        let xml = Patchset::diff(&before, &after).to_xml_compact();
        client.change(vec![Edit::Patch { xml }], without_quorum, &target::origin("config translate"))?;
    }
    tell(&notes, dry_run);
    Ok(())
}

fn parsed(xml: &str, name: &str) -> anyhow::Result<Cib> {
    Ok(Cib::parse(xml).map_err(|error| WrongInput(format!("{name}: {error}")))?)
}

fn tell(notes: &[Note], dry_run: bool) {
    notes.iter().for_each(|note| outln!("{note}"));
    let done = notes.iter().filter(|note| note.done).count();
    let changed = if dry_run { "would be translated" } else { "translated" };
    outln!("{done} {changed}, {} left to do by hand", notes.len() - done);
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
