//! `crm`: the shell. Levels of commands, one line each; the same typed, from a file, and as words of the command line.

mod catalogue;
mod cib;
mod cluster;
pub(super) mod commit;
mod completion;
mod configure;
mod graph;
mod help;
mod history;
mod interrupt;
mod levels;
mod moving;
mod node;
mod objects;
mod preferences;
mod ra;
mod ra_info;
mod resource;
mod script;
mod shell;
mod terminal;
mod trace;
mod usage;
mod values;

use std::io::IsTerminal;
use std::process::ExitCode;

use shell::{Mode, Settings, Shell};

use super::source::Chosen;

const USAGE: &str = "\
Usage: crm [OPTION]... [LEVEL [COMMAND [WORD]...]]
       crm [OPTION]... < FILE

The cluster's shell. Without words it reads commands, from the terminal or from
a file; `crm help` lists them.

Options:
  -f, --file=FILE    Read commands from there (- is standard input)
  -c, --cib=NAME     Work on that shadow copy
  -F, --force        Commit what crm_verify finds errors in, too
  -y, --yes          Do not ask
  -w, --wait         Wait after each command until the cluster has settled
  -h, --help         This text
      --version      The version

A script ends at its first mistake, and nothing of a configuration with one is
applied. What `configure` changes counts when it is committed: by `commit`, at
the end of a script or of a command line, or when you leave the level.

Examples:
  crm configure primitive vm1 ocf:heartbeat:Xen params xmfile=/etc/xen/vm1
  crm configure show vm1
  crm resource move vm1 host2
  crm < cluster.crm
";

pub(super) fn run(words: &[String]) -> ExitCode {
    let mut settings = Settings::default();
    let (mut file, mut shadow) = (None, None);
    let mut rest = words.iter();
    let mut command = Vec::new();
    while let Some(word) = rest.next() {
        let (name, inline) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let mut value = || inline.clone().or_else(|| rest.next().cloned());
        match name {
            "-f" | "--file" => file = value(),
            "-c" | "--cib" => shadow = value(),
            "-F" | "--force" => settings.force = true,
            "-y" | "--yes" => settings.yes = true,
            "-w" | "--wait" => settings.wait = true,
            // Switches of crmsh that change nothing here.
            "-d" | "--debug" | "-R" | "--regression-tests" => {}
            "-D" | "--display" => _ = value(),
            "-h" | "--help" => {
                out!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            "--version" => {
                outln!("crm of Hafen {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            _ if word.starts_with('-') && word.len() > 1 => {
                eprintln!("crm: there is no option {word}: `crm --help` lists them");
                return ExitCode::from(2);
            }
            _ => {
                command.push(word.clone());
                command.extend(rest.by_ref().cloned());
            }
        }
    }
    if let Some(name) = shadow {
        if !super::source::shadow_file(&name).exists() {
            eprintln!("crm: there is no shadow copy {name}: `crm cib new {name}` makes one");
            return ExitCode::FAILURE;
        }
        super::source::choose(Chosen::Shadow(name));
    }
    interrupt::listen();
    let outcome = match (file, command.is_empty()) {
        (Some(file), _) => script::run_file(&mut Shell::new(settings, Mode::Script), &file),
        (None, false) => Shell::new(settings, Mode::Once).run_words(&command),
        (None, true) if std::io::stdin().is_terminal() => {
            terminal::run(&mut Shell::new(settings, Mode::Terminal))
        }
        (None, true) => script::run_file(&mut Shell::new(settings, Mode::Script), "-"),
    };
    outcome.map_or_else(|exit| exit, |()| ExitCode::SUCCESS)
}
