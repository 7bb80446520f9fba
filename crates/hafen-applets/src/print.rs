//! What a command says on standard output.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints, as `print!` does. Whoever reads (`hafen check | head`) may have read enough: the command goes on to its end,
/// and its exit status stays true.
#[macro_export]
macro_rules! out {
    ($($what:tt)*) => { $crate::print::out(format_args!($($what)*)) };
}

/// Prints a line, as `println!` does, and bears a reader who is gone as [`out`] does.
#[macro_export]
macro_rules! outln {
    () => { $crate::print::out(format_args!("\n")) };
    ($($what:tt)*) => { $crate::print::out(format_args!("{}\n", format_args!($($what)*))) };
}

/// An error within the program (`sysexits.h`).
const SOFTWARE: i32 = 70;

/// Writes to standard output; where that takes nothing for another reason than that nobody reads, the program ends.
pub fn out(what: Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_fmt(what).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            eprintln!("hafen: standard output takes nothing: {error}");
            std::process::exit(SOFTWARE);
        }
    }
}
