//! The command line of `crm_simulate`.

use super::injections::Injections;

/// Where the CIB comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Standard input (`-p`, and when nothing is named).
    #[default]
    StandardInput,
    /// A file (`-x`).
    File(String),
    /// The running cluster (`-L`).
    Live,
}

/// The format of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs, after Pacemaker's schema `crm_simulate-2.29.rng`.
    Xml,
    /// Nothing at all.
    None,
}

/// What is asked instead of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// The help of a group of options; `None`: the short one.
    Help(Option<HelpGroup>),
    /// The version.
    Version,
}

/// A group of options that has its own help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpGroup {
    /// All of them.
    All,
    /// The format and the place of the output.
    Output,
    /// What to do.
    Operations,
    /// What to pretend.
    Synthetic,
    /// What to write into files.
    Artifact,
    /// Where the CIB comes from.
    Source,
}

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches of an existing tool")]
pub struct Arguments {
    /// Help or version, instead of all else.
    pub inquiry: Option<Inquiry>,
    /// The CIB to read.
    pub source: Source,
    /// Plan (`-R`, and implied by most others).
    pub process: bool,
    /// Play the plan out (`-S`).
    pub simulate: bool,
    /// Put the result into the input's place (`-X`).
    pub in_place: bool,
    /// Print nodes' attributes (`-A`).
    pub show_attributes: bool,
    /// Print failure counts (`-c`).
    pub show_failcounts: bool,
    /// Print scores (`-s`).
    pub show_scores: bool,
    /// Print utilization (`-U`).
    pub show_utilization: bool,
    /// Draw actions that are not part of the plan, too (`-a`).
    pub all_actions: bool,
    /// Print little (`-Q`).
    pub quiet: bool,
    /// How often `-V` was given.
    pub verbose: u32,
    /// A folder whose CIBs are timed (`-P`).
    pub profile: Option<String>,
    /// How often each of them (`-N`).
    pub repeat: u32,
    /// What is changed before planning.
    pub injections: Injections,
    /// Operations that fail while the plan is played out (`-F`).
    pub failing: Vec<String>,
    /// Pretend that it is this time (`-t`), as it was given.
    pub date: Option<String>,
    /// Where to write the CIB before planning (`-I`).
    pub save_input: Option<String>,
    /// Where to write the CIB after the plan was played out (`-O`).
    pub save_output: Option<String>,
    /// Where to write the graph (`-G`).
    pub save_graph: Option<String>,
    /// Where to write the graph for Graphviz (`-D`).
    pub save_dot: Option<String>,
    /// The name of the output's format.
    pub output_as: Option<String>,
    /// Where the output goes; `-` or nothing: standard output.
    pub output_to: Option<String>,
    /// The whole command line, as XML repeats it.
    pub request: String,
    /// Remarks on the command line for standard error.
    pub remarks: Vec<String>,
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

/// An option: its letter (a NUL where it has none), its name, and the name of its value where it takes one.
pub(super) struct Switch {
    pub(super) letter: char,
    pub(super) name: &'static str,
    pub(super) value: Option<&'static str>,
    pub(super) meaning: &'static str,
}

const fn flag(letter: char, name: &'static str, meaning: &'static str) -> Switch {
    Switch { letter, name, value: None, meaning }
}

const fn valued(letter: char, name: &'static str, value: &'static str, meaning: &'static str) -> Switch {
    Switch { letter, name, value: Some(value), meaning }
}

const NONE: char = '\0';

/// A group of options as help lists them.
pub(super) struct Group {
    pub(super) group: Option<HelpGroup>,
    pub(super) title: &'static str,
    pub(super) switches: &'static [Switch],
}

/// All options, in the order of the help.
pub(super) const GROUPS: [Group; 7] = [
    Group {
        group: None,
        title: "Help Options",
        switches: &[
            flag('h', "help", "Show this help"),
            flag(NONE, "help-all", "Show help on everything"),
            flag(NONE, "help-output", "Show help on the output's format"),
            flag(NONE, "help-operations", "Show help on what can be done"),
            flag(NONE, "help-synthetic", "Show help on what can be pretended"),
            flag(NONE, "help-artifact", "Show help on the files that can be written"),
            flag(NONE, "help-source", "Show help on where the CIB comes from"),
        ],
    },
    Group {
        group: Some(HelpGroup::Output),
        title: "Output Options",
        switches: &[
            valued(NONE, "output-as", "FORMAT", "Print as text (the default) or xml"),
            valued(NONE, "output-to", "DEST", "Print into this file (\"-\": standard output)"),
        ],
    },
    Group {
        group: Some(HelpGroup::Operations),
        title: "Operations",
        switches: &[
            flag('R', "run", "Plan, and show what the cluster would do"),
            flag('S', "simulate", "As --run; then play the plan out, and show where that leads"),
            flag('X', "in-place", "As --simulate; then put the result into the place of the input"),
            flag('A', "show-attrs", "Show the attributes of nodes"),
            flag('c', "show-failcounts", "Show the failure counts of resources"),
            flag('s', "show-scores", "Show the scores that decide where resources run"),
            flag('U', "show-utilization", "Show capacities, and what is used of them"),
            valued('P', "profile", "DIR", "Plan for every CIB of a folder, and show how long that takes"),
            valued('N', "repeat", "N", "With --profile: this many times each"),
        ],
    },
    Group {
        group: Some(HelpGroup::Synthetic),
        title: "Synthetic Cluster Events",
        switches: &[
            valued('u', "node-up", "NODE", "Pretend that a node comes online"),
            valued('d', "node-down", "NODE", "Pretend that a node goes offline in good order"),
            valued('f', "node-fail", "NODE", "Pretend that a node is lost"),
            valued(
                'i',
                "op-inject",
                "OPSPEC",
                "Pretend that an operation had a result (see Operation Specification)",
            ),
            valued(
                'F',
                "op-fail",
                "OPSPEC",
                "Let an operation fail, should the plan come to it; the plan ends there.\n\
                 --save-output keeps where that leads, --xml-file goes on from there.",
            ),
            valued('t', "set-datetime", "DATETIME", "Pretend that it is this time (ISO 8601)"),
            valued('q', "quorum", "QUORUM", "Pretend that there is quorum (1, true) or none (0, false)"),
            valued('w', "watchdog", "DEVICE", "Pretend that there is a watchdog (1, true) or none"),
            valued('g', "ticket-grant", "TICKET", "Pretend that a ticket is granted"),
            valued('r', "ticket-revoke", "TICKET", "Pretend that a ticket is revoked"),
            valued('b', "ticket-standby", "TICKET", "Pretend that a ticket is in standby"),
            valued('e', "ticket-activate", "TICKET", "Pretend that a ticket is in standby no more"),
        ],
    },
    Group {
        group: Some(HelpGroup::Artifact),
        title: "Artifact Options",
        switches: &[
            valued('I', "save-input", "FILE", "Write the CIB that is planned for, injections included"),
            valued('O', "save-output", "FILE", "Write the CIB that the plan leads to"),
            valued('G', "save-graph", "FILE", "Write the transition graph as XML"),
            valued('D', "save-dotfile", "FILE", "Write the transition graph for Graphviz"),
            flag('a', "all-actions", "With --save-dotfile: draw actions that are not in the plan, too"),
        ],
    },
    Group {
        group: Some(HelpGroup::Source),
        title: "Data Source",
        switches: &[
            flag('L', "live-check", "Take the running cluster's CIB"),
            valued('x', "xml-file", "FILE", "Take a CIB from a file"),
            flag('p', "xml-pipe", "Take a CIB from standard input"),
        ],
    },
    Group {
        group: None,
        title: "Application Options",
        switches: &[
            flag('$', "version", "Show the version"),
            flag('V', "verbose", "Say more (may be given several times)"),
            flag('Q', "quiet", "Show only what was asked for"),
        ],
    },
];

fn by_letter(letter: char) -> Option<&'static Switch> {
    let mut all = GROUPS.iter().flat_map(|group| group.switches);
    if letter == '?' {
        return by_letter('h');
    }
    all.find(|switch| switch.letter == letter && letter != NONE)
}

fn by_name(name: &str) -> Option<&'static Switch> {
    GROUPS.iter().flat_map(|group| group.switches).find(|switch| switch.name == name)
}

impl Arguments {
    /// Reads a command line without the program's name.
    ///
    /// # Errors
    ///
    /// An unknown switch, or one that lacks its value.
    pub fn parse<I: IntoIterator<Item = String>>(words: I) -> Result<Arguments, UsageError> {
        let words: Vec<String> = words.into_iter().collect();
        let mut arguments = Arguments { repeat: 1, ..Arguments::default() };
        arguments.request = std::iter::once("crm_simulate")
            .chain(words.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ");
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" || arguments.inquiry.is_some() {
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                arguments.long(long, &mut words)?;
            } else if let Some(letters) = word.strip_prefix('-') {
                arguments.short(letters, &mut words)?;
            }
            // Whatever else stands there is ignored, as Pacemaker does.
        }
        Ok(arguments)
    }

    /// The output's format; `None` when it is none that is known.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        match self.output_as.as_deref() {
            None | Some("text") => Some(Format::Text),
            Some("xml") => Some(Format::Xml),
            Some("none") => Some(Format::None),
            Some(_) => None,
        }
    }

    fn long(&mut self, long: &str, words: &mut impl Iterator<Item = String>) -> Result<(), UsageError> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let switch = by_name(name).ok_or_else(|| UsageError(format!("Unknown option --{name}")))?;
        let value = match switch.value {
            Some(_) => Some(value.or_else(|| words.next()).ok_or_else(|| missing(&format!("--{name}")))?),
            None => None,
        };
        self.take(switch, value.unwrap_or_default())
    }

    fn short(&mut self, letters: &str, words: &mut impl Iterator<Item = String>) -> Result<(), UsageError> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            let switch = by_letter(letter).ok_or_else(|| UsageError(format!("Unknown option -{letter}")))?;
            if switch.value.is_none() {
                self.take(switch, String::new())?;
                continue;
            }
            if rest.is_empty() {
                let value = words.next().ok_or_else(|| missing(&format!("-{letter}")))?;
                return self.take(switch, value);
            }
            self.remarks.push(format!(
                "Deprecated argument format '-{letter}{rest}' used.\nPlease use '-{letter} {rest}' instead.  \
                 Support will be removed in a future release."
            ));
            return self.take(switch, rest.to_owned());
        }
        Ok(())
    }

    fn take(&mut self, switch: &Switch, value: String) -> Result<(), UsageError> {
        match switch.name {
            "help" => self.inquiry = Some(Inquiry::Help(None)),
            "help-all" => self.inquiry = Some(Inquiry::Help(Some(HelpGroup::All))),
            "version" => self.inquiry = Some(Inquiry::Version),
            "output-as" => self.output_as = Some(value),
            "output-to" => self.output_to = Some(value),
            "live-check" => self.source = Source::Live,
            "xml-file" if value == "-" => self.source = Source::StandardInput,
            "xml-file" => self.source = Source::File(value),
            "xml-pipe" => self.source = Source::StandardInput,
            "verbose" => self.verbose += 1,
            "quiet" => self.quiet = true,
            "save-input" => self.save_input = Some(value),
            "save-output" => self.save_output = Some(value),
            name => match name.strip_prefix("help-") {
                Some(group) => self.inquiry = Some(Inquiry::Help(help_group(group))),
                None => return self.operation(name, value),
            },
        }
        Ok(())
    }

    fn operation(&mut self, name: &str, value: String) -> Result<(), UsageError> {
        self.process |= matches!(
            name,
            "run"
                | "simulate"
                | "in-place"
                | "show-scores"
                | "show-utilization"
                | "op-fail"
                | "save-graph"
                | "save-dotfile"
        );
        self.simulate |= matches!(name, "simulate" | "in-place" | "op-fail");
        match name {
            "in-place" => self.in_place = true,
            "show-attrs" => self.show_attributes = true,
            "show-failcounts" => self.show_failcounts = true,
            "show-scores" => self.show_scores = true,
            "show-utilization" => self.show_utilization = true,
            "all-actions" => self.all_actions = true,
            "profile" => self.profile = Some(value),
            "repeat" => self.repeat = number(&value)?,
            "set-datetime" => self.date = Some(value),
            "save-graph" => self.save_graph = Some(value),
            "save-dotfile" => self.save_dot = Some(value),
            "op-fail" => self.failing.push(value),
            "node-up" => self.injections.node_up.push(value),
            "node-down" => self.injections.node_down.push(value),
            "node-fail" => self.injections.node_fail.push(value),
            "op-inject" => self.injections.operations.push(value),
            "quorum" => self.injections.quorum = Some(value),
            "watchdog" => self.injections.watchdog = Some(value),
            "ticket-grant" => self.injections.ticket_grant.push(value),
            "ticket-revoke" => self.injections.ticket_revoke.push(value),
            "ticket-standby" => self.injections.ticket_standby.push(value),
            "ticket-activate" => self.injections.ticket_activate.push(value),
            _ => {}
        }
        Ok(())
    }
}

fn missing(option: &str) -> UsageError {
    UsageError(format!("Missing argument for {option}"))
}

fn help_group(name: &str) -> Option<HelpGroup> {
    Some(match name {
        "output" => HelpGroup::Output,
        "operations" => HelpGroup::Operations,
        "synthetic" => HelpGroup::Synthetic,
        "artifact" => HelpGroup::Artifact,
        _ => HelpGroup::Source,
    })
}

/// How often a profile is repeated: what is below 1 counts as 1.
fn number(value: &str) -> Result<u32, UsageError> {
    match value.trim().parse::<i128>() {
        Ok(count) if i32::try_from(count).is_ok() => Ok(u32::try_from(count).unwrap_or(1).max(1)),
        Ok(_) => Err(UsageError(format!("Integer value “{value}” for -N out of range"))),
        Err(_) => Err(UsageError(format!("Cannot parse integer value “{value}” for -N"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split(' ').map(str::to_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn letters_and_names_mean_the_same() {
        let short = parse("-x f -SsQ -t 2024-01-01 -F a -F b -u n -N 3").expect("switches");
        let long = parse(
            "--xml-file=f --simulate --show-scores --quiet --set-datetime 2024-01-01 --op-fail=a \
             --op-fail b --node-up=n --repeat 3",
        )
        .expect("switches");
        assert_eq!(
            Arguments { request: String::new(), ..short },
            Arguments { request: String::new(), ..long }
        );
    }

    #[test]
    fn what_asks_for_a_plan() {
        for (line, process, simulate) in
            [("-x f", false, false), ("-s", true, false), ("-G g", true, false), ("-F x", true, true)]
        {
            let arguments = parse(line).expect("switches");
            assert_eq!((arguments.process, arguments.simulate), (process, simulate), "{line}");
        }
    }

    #[test]
    fn wrong_lines_are_refused() {
        for (line, message) in [
            ("--bogus", "Unknown option --bogus"),
            ("-Z", "Unknown option -Z"),
            ("--xml f", "Unknown option --xml"),
            ("-S -x", "Missing argument for -x"),
            ("-N x", "Cannot parse integer value “x” for -N"),
            ("-N 99999999999", "Integer value “99999999999” for -N out of range"),
        ] {
            assert_eq!(parse(line).map(|_| ()), Err(message.to_owned()), "{line}");
        }
        assert!(parse("-h -Z").expect("help comes first").inquiry.is_some());
        assert!(parse("-Z -h").is_err());
    }

    #[test]
    fn a_value_without_a_blank_is_remarked_on() {
        let arguments = parse("-xa.xml").expect("switches");
        assert_eq!(arguments.source, Source::File("a.xml".to_owned()));
        assert!(arguments.remarks[0].contains("'-x a.xml'"));
    }
}
