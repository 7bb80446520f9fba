//! The levels and their commands, in one table each.

use super::shell::{Outcome, Shell};
use super::{commit, configure, history, moving, node, objects, resource};

/// A level of the shell.
pub(super) struct Level {
    /// Its word.
    pub(super) word: &'static str,
    /// What one does there.
    pub(super) help: &'static str,
    /// Its commands.
    pub(super) commands: &'static [Command],
    /// The levels below it.
    pub(super) levels: &'static [&'static Level],
}

/// A command of a level.
pub(super) struct Command {
    /// Its word, and others that stand for it.
    pub(super) words: &'static [&'static str],
    /// What follows the word.
    pub(super) usage: &'static str,
    /// What it does.
    pub(super) help: &'static str,
    /// Does it, with the words that follow.
    pub(super) act: fn(&mut Shell, &[String]) -> Outcome,
}

const fn command(
    words: &'static [&'static str],
    usage: &'static str,
    help: &'static str,
    act: fn(&mut Shell, &[String]) -> Outcome,
) -> Command {
    Command { words, usage, help, act }
}

/// The shell itself.
pub(super) static ROOT: Level = Level {
    word: "",
    help: "the cluster's shell",
    commands: &[command(&["status"], "[OPTION]...", "What runs where (crm_mon -1)", node::status)],
    levels: &[&CONFIGURE, &RESOURCE, &NODE, &HISTORY],
};

/// The configuration.
pub(super) static CONFIGURE: Level = Level {
    word: "configure",
    help: "the cluster's configuration",
    commands: &[
        command(
            &["show"],
            "[xml] [changed | FILTER]...",
            "Print the configuration, or some of it",
            configure::show,
        ),
        command(&["edit"], "[xml] [FILTER]...", "Change it in $EDITOR", configure::edit),
        command(
            &["load"],
            "[xml] {replace | update | push} FILE",
            "Take a file in (- is standard input)",
            configure::load,
        ),
        command(&["save"], "[xml] FILE [FILTER]...", "Write it to a file", configure::save),
        command(&["verify"], "", "Look for mistakes", configure::verify),
        command(
            &["delete"],
            "[--force] ID...",
            "Take objects away, and what is nothing without them",
            objects::delete,
        ),
        command(&["rename"], "OLD NEW", "Give an object another id", objects::rename),
        command(
            &["modgroup"],
            "GROUP {add ID [{before | after} ID] | remove ID}",
            "Change a group's members",
            objects::modgroup,
        ),
        command(&["simulate", "ptest"], "", "Tell what a commit would lead to", commit::simulate),
        command(&["commit"], "[force]", "Make the changes count", commit::commit),
        command(&["refresh"], "", "Forget all changes, and read the configuration anew", configure::refresh),
        command(&["erase"], "[nodes]", "Empty the configuration", configure::erase),
    ],
    levels: &[],
};

/// What runs.
pub(super) static RESOURCE: Level = Level {
    word: "resource",
    help: "resources: starting, stopping, moving, cleaning up",
    commands: &[
        command(&["status", "show", "list"], "[ID]", "Where resources run", resource::status),
        command(&["start"], "ID...", "Let resources run", resource::start),
        command(&["stop"], "ID...", "Keep resources from running", resource::stop),
        command(&["restart"], "ID [HOST]", "Stop a resource and start it again", resource::restart),
        command(&["promote"], "ID", "Let a clone have promoted instances", resource::promote),
        command(&["demote"], "ID", "Keep a clone from having promoted instances", resource::demote),
        command(
            &["move", "migrate"],
            "ID [HOST] [LIFETIME] [--until LIFETIME] [--once [--timeout VALUE]] [force]",
            "Move a resource, by a constraint; --once takes that away when it is done",
            moving::move_,
        ),
        command(
            &["ban"],
            "ID [HOST] [LIFETIME] [--until LIFETIME]",
            "Keep a resource off a host, by a constraint",
            moving::ban,
        ),
        command(
            &["clear", "unmove", "unmigrate", "unban"],
            "ID [HOST]",
            "Take away what `move` and `ban` left behind",
            resource::clear,
        ),
        command(&["locate"], "ID...", "Where a resource runs, in a line", resource::locate),
        command(&["constraints"], "ID", "What constrains it", resource::constraints),
        command(&["cleanup"], "[ID] [HOST]", "Forget failures", resource::cleanup),
        command(&["refresh"], "[ID] [HOST]", "Forget all that is known, and look anew", resource::refresh),
        command(&["manage"], "ID", "Let the cluster manage a resource again", resource::manage),
        command(&["unmanage"], "ID", "Leave a resource alone", resource::unmanage),
        command(
            &["maintenance"],
            "ID [on | off]",
            "Leave a resource alone, and do not watch it",
            resource::maintenance,
        ),
        command(&["param"], "ID {set | show | delete} NAME [VALUE]", "A parameter", resource::param),
        command(&["meta"], "ID {set | show | delete} NAME [VALUE]", "A meta attribute", resource::meta),
        command(
            &["utilization"],
            "ID {set | show | delete} NAME [VALUE]",
            "How much of a capacity it takes",
            resource::utilization,
        ),
        command(
            &["failcount"],
            "ID {set | show | delete} HOST [VALUE]",
            "How often it failed",
            resource::failcount,
        ),
    ],
    levels: &[],
};

/// Hosts.
pub(super) static NODE: Level = Level {
    word: "node",
    help: "hosts: standby, maintenance, attributes, fencing",
    commands: &[
        command(&["show"], "[HOST]", "Hosts and their attributes", node::show),
        command(&["standby"], "[HOST]", "Let nothing run on a host", node::standby),
        command(&["online"], "[HOST]", "Let resources run on a host again", node::online),
        command(&["maintenance"], "[HOST]", "Leave all resources on a host alone", node::maintenance),
        command(&["ready"], "[HOST]", "End a host's maintenance", node::ready),
        command(&["fence"], "HOST", "Fence a host: cut its power", node::fence),
        command(&["attribute"], "HOST {set | show | delete} NAME [VALUE]", "An attribute", node::attribute),
        command(&["utilization"], "HOST {set | show | delete} NAME [VALUE]", "A capacity", node::utilization),
        command(
            &["status-attr"],
            "HOST {set | show | delete} NAME [VALUE]",
            "A transient attribute",
            node::transient,
        ),
        command(&["clearstate"], "HOST", "Say that a host is off, and runs nothing", node::clearstate),
        command(&["delete"], "HOST", "Forget a host that is gone for good", node::delete),
    ],
    levels: &[],
};

/// What happened.
pub(super) static HISTORY: Level = Level {
    word: "history",
    help: "what happened: events, transitions, the cluster at a time",
    commands: &[
        command(&["info"], "", "What is on record, and of which hosts", history::info),
        command(&["events"], "[VALUE]", "Events, those that a pattern finds", history::events),
        command(&["resource"], "ID...", "Events about resources", history::resource),
        command(&["node"], "HOST...", "Events about hosts", history::node),
        command(&["transitions"], "", "What was planned, when, and why", history::transitions),
        command(
            &["transition"],
            "[VALUE | {show | log | save} [VALUE] [SHADOW] | diff VALUE [VALUE]]",
            "What a transition decided, what happened in it, and as a shadow copy",
            history::transition,
        ),
        command(
            &["show"],
            "[VALUE] [status]",
            "The configuration, or the state, of a transition",
            history::show,
        ),
        command(&["diff"], "VALUE VALUE", "What two transitions differ in (live: now)", history::diff),
        command(&["latest"], "", "What happened since the last transition began", history::latest),
        command(&["at"], "VALUE", "How the cluster was at a time", history::at),
        command(&["timeframe", "limit"], "[VALUE [VALUE]]", "Look at a time alone", history::timeframe),
        command(&["refresh"], "", "Read all of it anew", history::refresh),
    ],
    levels: &[],
};

impl Level {
    /// The command that a word means: its own, or one that only it begins with.
    pub(super) fn command(&self, word: &str) -> Option<&Command> {
        let exact = self.commands.iter().find(|command| command.words.contains(&word));
        exact.or_else(|| {
            let begins = |command: &&Command| command.words.iter().any(|full| full.starts_with(word));
            let mut found = self.commands.iter().filter(begins);
            found.next().filter(|_| {
                found.next().is_none() && !self.levels.iter().any(|level| level.word.starts_with(word))
            })
        })
    }

    /// The level below that a word means.
    pub(super) fn level(&self, word: &str) -> Option<&'static Level> {
        let exact = self.levels.iter().find(|level| level.word == word);
        let mut found = self.levels.iter().filter(|level| level.word.starts_with(word));
        exact.or_else(|| found.next().filter(|_| found.next().is_none())).copied()
    }

    /// All words of the level.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        let levels = self.levels.iter().map(|level| level.word);
        self.commands.iter().flat_map(|command| command.words.iter().copied()).chain(levels)
    }
}
