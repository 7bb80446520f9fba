//! Chores of the workspace (shell): what `./dev` calls when a chore needs more than a line of shell.

fn main() {
    eprintln!("xtask: no chore named");
    std::process::exit(2);
}
