//! shell: `explain CIB RESOURCE [HOST]`, at the date that the CIB carries.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]

use hafen_cib::Cib;
use hafen_scheduler::explain::explain;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let source = std::fs::read_to_string(&words[1]).expect("a file");
    let cib = Cib::parse(&source).expect("a CIB");
    let date = cib.root().attribute("execution-date").and_then(|date| date.parse().ok());
    match explain(&cib, date.unwrap_or(1_700_000_000), &words[2], words.get(3).map(String::as_str)) {
        Ok(explanation) => {
            print!("{}", explanation.to_text());
            eprintln!("({} runs)", explanation.runs);
        }
        Err(unknown) => println!("{unknown}"),
    }
}
