//! `crm_error`: what the numbers mean that Pacemaker's tools and functions return.

mod codes;

use std::process::ExitCode;

use super::options::{Given, Spec, flag};
use super::output::{self, Failed, Printed, escaped};
use codes::{Code, EXIT_CODES, LEGACY_CODES, RETURN_CODES, SYSTEM_ERRORS};

const SPEC: Spec = Spec {
    name: "crm_error",
    about: "Tells what a number means that Pacemaker's tools or functions return",
    options: &[
        flag('n', "name", "Tell its name, too"),
        flag('l', "list", "Tell all (so it is when no number is given)"),
        flag('X', "exit", "They are exit statuses"),
        flag('r', "rc", "They are what functions return today"),
    ],
    examples: "Examples:\n  crm_error -X 105\n  crm_error -l -r -n",
};

/// What the numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Exit,
    Return,
    Legacy,
}

const OK: Code = Code { number: 0, name: "pcmk_rc_ok", meaning: "OK" };

impl Scale {
    fn all(self) -> Vec<Code> {
        match self {
            Self::Exit => EXIT_CODES.to_vec(),
            Self::Return => [RETURN_CODES, &[OK], SYSTEM_ERRORS].concat(),
            Self::Legacy => [&[OK], SYSTEM_ERRORS, LEGACY_CODES].concat(),
        }
    }

    /// What a number is called and means.
    fn of(self, number: i64) -> (String, String) {
        // Old functions returned their errors negated.
        let positive = if self == Self::Legacy { number.abs() } else { number };
        let known = self.all().into_iter().find(|code| code.number == positive);
        if let Some(code) = known {
            return (code.name.to_owned(), code.meaning.to_owned());
        }
        match self {
            Self::Exit => ("CRM_EX_UNKNOWN".to_owned(), "Unknown exit status".to_owned()),
            // New ones may come below the known ones.
            _ if number == NO_NUMBER => ("Unknown".to_owned(), "Error".to_owned()),
            Self::Return if number < 0 => ("Unknown".to_owned(), "Error".to_owned()),
            Self::Return | Self::Legacy => ("Unknown".to_owned(), format!("Unknown error {positive}")),
        }
    }
}

pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

#[expect(clippy::unnecessary_wraps, reason = "as all applets")]
fn act(given: &Given) -> Result<Printed, Failed> {
    let scale = match (given.has('r'), given.has('X')) {
        (true, _) => Scale::Return,
        (_, true) => Scale::Exit,
        _ => Scale::Legacy,
    };
    let named = given.has('n');
    let mut printed = Printed::default();
    let element = |printed: &mut Printed, number: i64, name: &str, meaning: &str, text: String| {
        let name = if named { format!(" name=\"{}\"", escaped(name)) } else { String::new() };
        let xml = format!("<result-code code=\"{number}\"{name} description=\"{}\"/>", escaped(meaning));
        printed.add(&text, &xml);
    };
    if given.has('l') || given.words.is_empty() {
        let all = scale.all();
        let width = all.iter().map(|code| code.name.len()).max().unwrap_or(0);
        for code in all {
            let text = match named {
                true => format!("{:5}: {:width$}  {}", code.number, code.name, code.meaning),
                false => format!("{:5}: {}", code.number, code.meaning),
            };
            element(&mut printed, code.number, code.name, code.meaning, text);
        }
        return Ok(printed);
    }
    for word in &given.words {
        let number = number(word);
        let (name, meaning) = scale.of(number);
        let text = if named { format!("{name} - {meaning}") } else { meaning.clone() };
        element(&mut printed, number, &name, &meaning, text);
    }
    Ok(printed)
}

/// What stands for a word that is no number.
const NO_NUMBER: i64 = i32::MIN as i64;

/// The number that a word begins with.
fn number(word: &str) -> i64 {
    let word = word.trim_start();
    let sign = usize::from(word.starts_with(['-', '+']));
    let end = sign + word.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    word.get(..end).and_then(|digits| digits.parse::<i32>().ok()).map_or(NO_NUMBER, i64::from)
}
