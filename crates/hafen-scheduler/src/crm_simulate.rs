//! The command line and texts of `crm_simulate`: everything but reading and writing files.

use hafen_cib::Cib;

use crate::date;
use crate::run::{self, Options};

/// Exit statuses, as Pacemaker's tools give them.
pub mod exit {
    /// The command line was wrong.
    pub const USAGE: u8 = 64;
    /// The CIB could not be read.
    pub const NO_INPUT: u8 = 66;
    /// A file could not be written.
    pub const CANNOT_CREATE: u8 = 73;
    /// The CIB is not well-formed or not a CIB.
    pub const CONFIG: u8 = 78;
}

/// What `--help` prints.
pub const HELP: &str = "\
crm_simulate: what the cluster would do with a CIB

  -x, --xml-file FILE       read the CIB from FILE
  -S, --simulate            plan, and print the actions in their order
  -R, --run                 plan
  -Q, --quiet               print less
  -s, --show-scores         print the scores that decide where resources run
  -G, --save-graph FILE     write the transition graph
  -D, --save-dotfile FILE   write the transition graph for Graphviz
  -t, --set-date DATE       plan as if it were this time
";

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches of an existing tool")]
pub struct Arguments {
    /// The CIB to read (`-x`).
    pub xml_file: Option<String>,
    /// Where to write the graph (`-G`).
    pub graph_file: Option<String>,
    /// Where to write the graph for Graphviz (`-D`).
    pub dot_file: Option<String>,
    /// Play the plan out (`-S`).
    pub simulate: bool,
    /// Plan (`-R`, and implied by others).
    pub run: bool,
    /// Print scores (`-s`).
    pub show_scores: bool,
    /// Print little (`-Q`).
    pub quiet: bool,
    /// Print utilization (`-U`).
    pub show_utilization: bool,
    /// Pretend that it is this time (`-t`), seconds since 1970.
    pub set_date: Option<i64>,
    /// Ask for help or version.
    pub help: bool,
}

/// What was wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl Arguments {
    /// Reads a command line without the program's name.
    ///
    /// # Errors
    ///
    /// An unknown switch, or one that lacks its value.
    pub fn parse<I: IntoIterator<Item = String>>(words: I) -> Result<Arguments, UsageError> {
        let mut arguments = Arguments::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let letter = long_name(name).ok_or_else(|| UsageError(format!("Unknown option --{name}")))?;
                arguments.take(letter, value, &mut words)?;
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                let mut rest = letters;
                while let Some(letter) = rest.chars().next() {
                    rest = &rest[letter.len_utf8()..];
                    let value = (takes_value(letter) && !rest.is_empty()).then(|| rest.to_owned());
                    let done = value.is_some();
                    arguments.take(letter, value, &mut words)?;
                    if done {
                        break;
                    }
                }
            } else {
                // What is left of a date with a blank in it.
                arguments.append_to_date(&word);
            }
        }
        Ok(arguments)
    }

    fn append_to_date(&mut self, word: &str) {
        if let Some(day) = self.set_date
            && let Some(moment) = date::parse(&format!("1970-01-01 {word}"))
        {
            self.set_date = Some(day - day.rem_euclid(86_400) + moment);
        }
    }

    fn take(
        &mut self,
        letter: char,
        value: Option<String>,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), UsageError> {
        let value = match (takes_value(letter), value) {
            (true, None) => {
                Some(words.next().ok_or_else(|| UsageError(format!("Missing argument for -{letter}")))?)
            }
            (_, value) => value,
        };
        match (letter, value) {
            ('x', value) => self.xml_file = value,
            ('G', value) => self.graph_file = value,
            ('D', value) => self.dot_file = value,
            ('S', _) => self.simulate = true,
            ('R', _) => self.run = true,
            ('s', _) => self.show_scores = true,
            ('Q', _) => self.quiet = true,
            ('U', _) => self.show_utilization = true,
            ('h' | '?', _) => self.help = true,
            ('t', Some(text)) => {
                let moment = date::parse(&text).or_else(|| text.parse().ok());
                self.set_date = Some(moment.ok_or_else(|| UsageError(format!("Invalid date: {text}")))?);
            }
            ('V', _) => {}
            (other, _) => return Err(UsageError(format!("-{other} is not known"))),
        }
        Ok(())
    }
}

fn takes_value(letter: char) -> bool {
    matches!(letter, 'x' | 'G' | 'D' | 't')
}

fn long_name(name: &str) -> Option<char> {
    Some(match name {
        "xml-file" => 'x',
        "save-graph" => 'G',
        "save-dotfile" => 'D',
        "simulate" => 'S',
        "run" => 'R',
        "show-scores" => 's',
        "quiet" => 'Q',
        "show-utilization" => 'U',
        "set-date" => 't',
        "help" => 'h',
        "verbose" => 'V',
        _ => return None,
    })
}

/// What a run of `crm_simulate` prints and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Standard output.
    pub text: String,
    /// The graph for `-G`.
    pub graph: String,
    /// The graph for `-D`.
    pub dot: String,
}

/// Runs on a CIB that was read. `now` is in seconds since 1970.
#[must_use]
pub fn run(arguments: &Arguments, cib: &Cib, now: u64) -> Outcome {
    let original = cib.root().attribute("execution-date").and_then(|text| text.parse::<u64>().ok());
    let now = arguments.set_date.and_then(|date| u64::try_from(date).ok()).or(original).unwrap_or(now);
    let report = run::report(cib, now, Options { sanitized: true, ..Options::default() });
    let mut text = String::new();
    if arguments.show_scores {
        for row in &report.scores {
            text.push_str(row);
            text.push('\n');
        }
    }
    let recheck_by = report.plan.recheck_after.map(|after| now + after);
    let graph = report.plan.to_graph_xml(1, recheck_by);
    if arguments.simulate && !arguments.quiet {
        for warning in &report.plan.warnings {
            text.push_str(&format!("warning: {warning}\n"));
        }
        text.push_str(&report.plan.to_text());
    }
    Outcome { text, graph, dot: report.plan.to_dot() }
}
