//! The command line of an old name: options from a table, in the order in which they were given, with the old texts.

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// Nothing.
    None,
    /// A value, with its name in the help.
    Required(&'static str),
    /// A value if the next word is none of the options.
    Optional(&'static str),
}

/// An option of an applet.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionSpec {
    /// The letter; applets know options by it.
    pub(super) letter: char,
    /// The long name.
    pub(super) name: &'static str,
    /// What follows it.
    pub(super) operand: Operand,
    /// Its meaning; empty for one that is only taken for the sake of old scripts.
    pub(super) help: &'static str,
}

/// An option without a value.
pub(super) const fn flag(letter: char, name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { letter, name, operand: Operand::None, help }
}

/// An option with a value.
pub(super) const fn valued(
    letter: char,
    name: &'static str,
    value: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec { letter, name, operand: Operand::Required(value), help }
}

/// An option that is only taken for the sake of old scripts.
pub(super) const fn old(letter: char, name: &'static str, operand: Operand) -> OptionSpec {
    OptionSpec { letter, name, operand, help: "" }
}

/// The letter of `--output-as`, which has none.
pub(super) const OUTPUT_AS: char = '\u{1}';
/// The letter of `--output-to`, which has none.
pub(super) const OUTPUT_TO: char = '\u{2}';
/// The letter of `--score`, which has none.
pub(super) const SCORE: char = '\u{3}';

/// The letter of `--tolerance`, which has none.
pub(super) const TOLERANCE: char = '\u{4}';

/// Options that every applet has.
const COMMON: [OptionSpec; 5] = [
    flag('h', "help", "This text"),
    flag('$', "version", "The version of Pacemaker that this stands in for"),
    flag('V', "verbose", "Accepted and ignored"),
    valued(OUTPUT_AS, "output-as", "FORMAT", "text (as it is without this option) or xml"),
    valued(OUTPUT_TO, "output-to", "FILE", "Write there instead of standard output (-)"),
];

/// An applet's command line.
pub(super) struct Spec {
    /// The applet's name.
    pub(super) name: &'static str,
    /// What it does, in a sentence.
    pub(super) about: &'static str,
    /// Its own options.
    pub(super) options: &'static [OptionSpec],
    /// What the help ends with.
    pub(super) examples: &'static str,
}

/// What was given, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Letters with their values.
    pub(super) options: Vec<(char, Option<String>)>,
    /// Words that belong to no option.
    pub(super) words: Vec<String>,
}

impl Given {
    /// Whether an option was given.
    pub(super) fn has(&self, letter: char) -> bool {
        self.options.iter().any(|(given, _)| *given == letter)
    }

    /// Whether the help is asked for: an applet may have a `-h` of its own, with a value.
    pub(super) fn asks_for_help(&self) -> bool {
        self.options.iter().any(|(given, value)| *given == 'h' && value.is_none())
    }

    /// The value that was given last for any of these options.
    pub(super) fn value(&self, letters: &[char]) -> Option<&str> {
        let found = self.options.iter().rev().find(|(given, _)| letters.contains(given));
        found.and_then(|(_, value)| value.as_deref())
    }

    /// The last one of these options that was given.
    pub(super) fn last(&self, letters: &[char]) -> Option<char> {
        self.options.iter().rev().map(|(given, _)| *given).find(|given| letters.contains(given))
    }
}

impl Spec {
    fn all(&self) -> impl Iterator<Item = &OptionSpec> {
        self.options.iter().chain(&COMMON)
    }

    /// Takes a command line apart; `words` without the program's name. The error is what follows `NAME: `.
    pub(super) fn parse(&self, words: &[String]) -> Result<Given, String> {
        let mut given = Given::default();
        let mut rest = words.iter().peekable();
        while let Some(word) = rest.next() {
            if word == "--" {
                given.words.extend(rest.by_ref().cloned());
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, inline) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                if name.starts_with("help-") {
                    given.options.push(('h', None));
                    continue;
                }
                let spec = self.all().find(|option| option.name == name);
                let spec = spec.ok_or_else(|| format!("Unknown option --{name}"))?;
                let value = match (spec.operand, inline) {
                    (Operand::None, Some(_)) => return Err(format!("Unknown option {word}")),
                    (_, Some(value)) => Some(value),
                    (operand, None) => {
                        take(operand, &mut rest).ok_or_else(|| format!("Missing argument for --{name}"))?
                    }
                };
                given.options.push((spec.letter, value));
            } else if word.len() > 1 && word.starts_with('-') {
                self.parse_letters(&word[1..], &mut rest, &mut given)?;
            } else {
                given.words.push(word.clone());
            }
        }
        Ok(given)
    }

    fn parse_letters<'a>(
        &self,
        letters: &str,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a String>>,
        given: &mut Given,
    ) -> Result<(), String> {
        for (index, letter) in letters.char_indices() {
            let spec = self.all().find(|option| option.letter == letter);
            let spec = spec.ok_or_else(|| format!("Unknown option -{letter}"))?;
            let attached = &letters[index + letter.len_utf8()..];
            if spec.operand == Operand::None {
                given.options.push((letter, None));
                continue;
            }
            let value = match attached {
                "" => take(spec.operand, rest).ok_or_else(|| format!("Missing argument for -{letter}"))?,
                text => Some(text.strip_prefix('=').unwrap_or(text).to_owned()),
            };
            given.options.push((letter, value));
            return Ok(());
        }
        Ok(())
    }

    /// The text of `--help`.
    pub(super) fn help(&self) -> String {
        let mut text = format!("{}\n\nUsage: {} [OPTION]...\n\nOptions:\n", self.about, self.name);
        for option in self.all().filter(|option| !option.help.is_empty()) {
            let operand = match option.operand {
                Operand::None => String::new(),
                Operand::Required(name) => format!("={name}"),
                Operand::Optional(name) => format!("[={name}]"),
            };
            let letter = match option.letter {
                letter if letter.is_control() => "    ".to_owned(),
                letter => format!("-{letter}, "),
            };
            let head = format!("  {letter}--{}{operand}", option.name);
            text += &aligned(&head, option.help);
        }
        text + "\n" + self.examples + "\n"
    }
}

/// A value from the next word. `None` when one is needed and there is none.
fn take<'a>(
    operand: Operand,
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a String>>,
) -> Option<Option<String>> {
    match operand {
        Operand::None => Some(None),
        Operand::Required(_) => rest.next().cloned().map(Some),
        Operand::Optional(_) => Some(rest.next_if(|word| !word.starts_with('-')).cloned()),
    }
}

/// An option and its meaning in two columns within 80.
pub(super) fn aligned(head: &str, help: &str) -> String {
    const MARGIN: usize = 28;
    const COLUMNS: usize = 80;
    let mut lines = vec![format!("{head:<MARGIN$}")];
    if head.len() + 2 > MARGIN {
        lines.push(" ".repeat(MARGIN));
    }
    for word in help.split(' ') {
        let line = lines.last().map_or(0, String::len);
        if line + word.len() + 1 > COLUMNS {
            lines.push(" ".repeat(MARGIN));
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > MARGIN {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        name: "tool",
        about: "A tool",
        options: &[
            flag('Q', "query", "Ask"),
            valued('n', "name", "NAME", "Its name, told in so many words that they do not fit into one line"),
            OptionSpec { letter: 'p', name: "promotion", operand: Operand::Optional("RSC"), help: "Score" },
            old('S', "section", Operand::Required("SET")),
        ],
        examples: "Example:\n  tool -Q",
    };

    fn parse(line: &str) -> Result<Given, String> {
        SPEC.parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_come_in_all_old_forms() {
        let value = |text: &str| Some(text.to_owned());
        let cases = [
            ("-n x -Q", vec![('n', value("x")), ('Q', None)]),
            ("-nx", vec![('n', value("x"))]),
            ("-n=x", vec![('n', value("x"))]),
            ("-Qn x", vec![('Q', None), ('n', value("x"))]),
            ("--name=x --query", vec![('n', value("x")), ('Q', None)]),
            ("--name x", vec![('n', value("x"))]),
            ("-p -Q", vec![('p', None), ('Q', None)]),
            ("-p drbd -Q", vec![('p', value("drbd")), ('Q', None)]),
            ("--promotion=drbd", vec![('p', value("drbd"))]),
            ("-n -5", vec![('n', value("-5"))]),
            ("--help-all", vec![('h', None)]),
            ("-$", vec![('$', None)]),
            ("-VVV", vec![('V', None), ('V', None), ('V', None)]),
        ];
        for (line, options) in cases {
            assert_eq!(parse(line).map(|given| given.options), Ok(options), "{line}");
        }
        assert_eq!(parse("a -- -Q").map(|given| given.words), Ok(vec!["a".to_owned(), "-Q".to_owned()]));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_old_words() {
        for (line, text) in [
            ("--nonsense", "Unknown option --nonsense"),
            ("-z", "Unknown option -z"),
            ("-n", "Missing argument for -n"),
            ("--name", "Missing argument for --name"),
        ] {
            assert_eq!(parse(line), Err(text.to_owned()), "{line}");
        }
    }

    #[test]
    fn the_help_fits_into_80_columns_and_hides_what_is_old() {
        let help = SPEC.help();
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(help.contains("-n, --name=NAME") && !help.contains("--section"), "{help}");
    }
}
