//! The levels and their commands, in one table each.

use super::shell::{Outcome, Shell};
use super::{
    cib, cluster, commit, configure, graph, history, moving, node, objects, preferences, ra, resource, trace,
    values,
};

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
    /// What else there is to know.
    pub(super) more: &'static str,
    /// Does it, with the words that follow.
    pub(super) act: fn(&mut Shell, &[String]) -> Outcome,
}

const fn command(
    words: &'static [&'static str],
    usage: &'static str,
    help: &'static str,
    act: fn(&mut Shell, &[String]) -> Outcome,
) -> Command {
    Command { words, usage, help, more: "", act }
}

impl Command {
    const fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }
}

/// Words that mean the same at every level, and are none that another one begins with.
pub(super) const EVERYWHERE: [&str; 12] =
    ["help", "?", "h", "ls", "up", "back", "end", "..", "cd", "quit", "bye", "exit"];

/// The shell itself.
pub(super) static ROOT: Level = Level {
    word: "",
    help: "the cluster's shell",
    commands: &[command(&["status"], "[OPTION]...", "What runs where (crm_mon -1)", node::status)],
    levels: &[&CONFIGURE, &RESOURCE, &NODE, &RA, &CIB, &HISTORY, &CLUSTER, &COROSYNC, &OPTIONS],
};

/// The configuration.
pub(super) static CONFIGURE: Level = Level {
    word: "configure",
    help: "the cluster's configuration",
    commands: &[
        command(
            &["show"],
            "[xml | json] [changed | FILTER]...",
            "Print the configuration, or some of it",
            configure::show,
        )
        .more(
            "A FILTER is an id, type:WORD, tag:ID, related:ID or obscure:PATTERN; `and`\n\
             stands between those that must all hold.\n\n\
             JSON is an object with `schema` and `objects`. Each object has `type` (the word\n\
             of its statement), `id`, and `text`, its statement: all texts, one a line, load\n\
             again. Where there is something, it also has `attributes` (of its element),\n\
             `values` (of a set of options), `params`, `meta` and `utilization` (lists of\n\
             sets, each with `values`; `params` of a node are its attributes), `operations`,\n\
             `members` (ids), and `parts` (all other elements, each with its `element`).",
        ),
        command(&["edit"], "[xml] [FILTER]...", "Change it in $EDITOR", configure::edit),
        command(
            &["load"],
            "[xml] {replace | update | push} FILE",
            "Take a file in (- is standard input)",
            configure::load,
        ),
        command(&["save"], "[xml | json] FILE [FILTER]...", "Write it to a file", configure::save),
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
        command(&["set"], "PATH VALUE", "Give another value to what is configured", values::set).more(
            "PATH is ID.NAME (a parameter, a meta attribute, utilization, an attribute of a\n\
             node, an option) or ID.OPERATION[.INTERVAL].NAME:\n\n\
             set vm1.target-role Stopped\nset vm1.monitor.10s.timeout 60s",
        ),
        command(
            &["get-property", "get_property", "show-property", "show_property"],
            "[-t] [NAME]",
            "The value of an option, or its default (-t: true or false)",
            values::get_property,
        ),
        command(
            &["default-timeouts", "default_timeouts"],
            "ID...",
            "Give operations at least the time that their agents advise",
            values::default_timeouts,
        )
        .more("What has more time keeps it. Which time is right, the agent cannot know: look at\nwhat it takes here."),
        command(
            &["validate-all", "validate_all"],
            "ID",
            "Ask a resource's agent whether its parameters are right",
            values::validate_all,
        ),
        command(
            &["graph"],
            "[dot] [FILE]",
            "The configuration as a graph, for graphviz",
            graph::graph,
        )
        .more(
            "Without a file it is printed. A file that ends in png, svg or pdf is drawn by\n\
             graphviz, if that is installed; any other one holds the words that `dot` reads.",
        ),
        command(&["schema"], "", "The schema that the configuration follows", values::schema),
        command(&["upgrade"], "[force]", "Bring the configuration to the newest schema", values::upgrade),
        command(&["simulate", "ptest"], "", "Tell what a commit would lead to", commit::simulate),
        command(&["commit"], "[force]", "Make the changes count", commit::commit),
        command(&["refresh"], "", "Forget all changes, and read the configuration anew", configure::refresh),
        command(&["erase"], "[nodes]", "Empty the configuration", configure::erase),
    ],
    levels: &[&RA, &CIB],
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
            "ID [HOST] [LIFETIME | --until TIME | --once [--timeout VALUE]] [force]",
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
        command(
            &["operations"],
            "[ID] [HOST]",
            "What agents did, as far as histories know",
            resource::operations,
        ),
        command(&["scores"], "", "The scores of all resources on all hosts", resource::scores),
        command(
            &["trace"],
            "ID [OPERATION] [INTERVAL] [FOLDER]",
            "Have an OCF agent write down each step that it takes",
            trace::trace,
        )
        .more(
            "Without an operation: start, stop and all that are configured. A probe is\n\
             `probe`, or the monitor of interval 0. The files are on the host where the\n\
             agent runs, in FOLDER (/var/lib/heartbeat/trace_ra without one), and many:\n\
             `untrace` ends it.",
        ),
        command(&["untrace"], "ID [OPERATION] [INTERVAL]", "End what `trace` began", trace::untrace),
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
        command(&["list", "server"], "[HOST]...", "The names of hosts, one a line", node::list),
    ],
    levels: &[],
};

/// The cluster as a whole.
pub(super) static CLUSTER: Level = Level {
    word: "cluster",
    help: "the cluster as a whole: hosts that come and go, health, files",
    commands: &[
        command(&["status"], "", "Hosts, resources, what went wrong (hafen status)", cluster::status),
        command(
            &["health", "check"],
            "",
            "Whether it bears what it is there for (hafen check)",
            cluster::health,
        ),
        command(&["init"], "[OPTION]...", "Begin a cluster on this host (hafen init)", cluster::init),
        command(&["join"], "HOST --token TOKEN", "Join another host's cluster (hafen join)", cluster::join),
        command(&["add"], "", "Print the line that brings a host in (hafen token)", cluster::add),
        command(&["leave"], "[--last]", "Take this host out (hafen leave)", cluster::leave),
        command(&["remove"], "HOST", "Take a host out that is off for good (hafen remove)", cluster::remove),
        command(&["start"], "", "How it is started", cluster::start),
        command(&["stop"], "", "How it is ended", cluster::stop),
        command(&["restart"], "", "How it is started anew", cluster::restart),
        command(&["enable", "disable"], "", "How a boot starts it, or not", cluster::enable),
        command(&["rename"], "", "How it gets its name", cluster::rename),
        command(&["run"], "", "How commands are run on other hosts", cluster::run),
        command(
            &["wait_for_startup", "wait-for-startup"],
            "[SECONDS]",
            "Wait until this host's daemon has a coordinator",
            cluster::wait_for_startup,
        ),
        command(&["files"], "", "Whether files are the same on all hosts (hafen files)", cluster::files),
        command(&["diff"], "[FILE]", "How files differ between hosts (hafen files diff)", cluster::diff),
        command(&["copy"], "FILE", "Bring a file to all hosts (hafen files push)", cluster::copy),
        command(
            &["maintenance"],
            "[on | off]",
            "Leave all resources alone (the option maintenance-mode)",
            cluster::maintenance,
        ),
    ],
    levels: &[],
};

/// The bus.
pub(super) static COROSYNC: Level = Level {
    word: "corosync",
    help: "Corosync, which the hosts talk over",
    commands: &[
        command(&["show"], "", "Print corosync.conf", cluster::corosync_show),
        command(&["get"], "PATH", "A value of corosync.conf", cluster::corosync_get)
            .more("PATH has dots, such as nodelist.node.ring0_addr: all values at it are printed."),
        command(
            &["status"],
            "[ring | quorum | qdevice | cpg]",
            "Votes (hafen quorum), or what Corosync's tools tell of this host",
            cluster::corosync_status,
        ),
        command(&["log"], "", "What it said, where it has a file for that", cluster::corosync_log),
        command(&["reload"], "", "Have all hosts read corosync.conf anew", cluster::corosync_reload),
        command(&["diff"], "", "How corosync.conf differs between hosts", cluster::corosync_diff),
        command(&["push"], "", "Bring corosync.conf to all hosts", cluster::corosync_push),
        command(&["pull"], "HOST", "Take another host's corosync.conf", cluster::corosync_pull),
        command(&["set", "edit", "link"], "", "How corosync.conf is changed", cluster::corosync_set),
        command(
            &["add-node", "add_node"],
            "",
            "Print the line that brings a host in (hafen token)",
            cluster::corosync_add_node,
        ),
        command(
            &["del-node", "del_node"],
            "HOST",
            "Take a host out that is off for good (hafen remove)",
            cluster::corosync_del_node,
        ),
    ],
    levels: &[],
};

/// What one prefers.
pub(super) static OPTIONS: Level = Level {
    word: "options",
    help: "what you prefer of this shell",
    commands: &[
        command(&["show"], "[all | NAME]", "What is set, or what one is", preferences::show),
        command(&["set"], "NAME VALUE", "Set one, and keep it", preferences::set),
        command(&["reset"], "[NAME]", "Go back to what holds without you", preferences::reset),
        command(&["save"], "", "Keep what is set (`set` does it at once)", preferences::save),
        command(&["editor"], "PROGRAM", "The editor of `edit`", preferences::editor),
        command(&["pager"], "PROGRAM", "What shows long texts; `none` for nothing", preferences::pager),
        command(
            &["output"],
            "{plain | color | color-always}",
            "Whether words have colours",
            preferences::output,
        ),
        command(&["wait"], "{yes | no}", "Wait after commands until the cluster settled", preferences::wait),
    ],
    levels: &[],
};

/// Shadow copies.
pub(super) static CIB: Level = Level {
    word: "cib",
    help: "shadow copies of the configuration, to try changes on",
    commands: &[
        command(
            &["new", "create"],
            "NAME [empty] [withstatus] [force]",
            "Make a copy, and go on with it",
            cib::new,
        )
        .more(
            "A copy has the configuration and the status of the cluster, so that what a\n\
             change leads to can be seen; an empty one has neither. `force` overwrites a\n\
             copy of that name.",
        ),
        command(&["use"], "[SHADOW]", "Go on with a copy; without a name, with the cluster", cib::use_),
        command(&["list"], "", "The copies that there are", cib::list),
        command(&["diff"], "[SHADOW]", "How a copy differs from the cluster", cib::diff),
        command(
            &["reset"],
            "[SHADOW]",
            "Forget what was changed in a copy: take the cluster's state again",
            cib::reset,
        ),
        command(&["delete"], "SHADOW", "Delete a copy", cib::delete),
        command(&["commit"], "[SHADOW] [force]", "Make a copy the cluster's configuration", cib::commit)
            .more(
                "What that leads to is shown before. The copy's changes are made in the\n\
             configuration as it is by now; what was changed there too, and otherwise, is\n\
             refused. `force`, and a copy that was imported or began empty, overwrite it.",
            ),
        command(
            &["import"],
            "FILE [NAME] [force]",
            "Make a copy of a file, or of a transition's input by its number",
            cib::import,
        ),
    ],
    levels: &[],
};

/// Agents.
pub(super) static RA: Level = Level {
    word: "ra",
    help: "agents: which there are, and what they say of themselves",
    commands: &[
        command(&["classes"], "", "The classes of agents, and their providers", ra::classes),
        command(&["list"], "CLASS [PROVIDER]", "The agents of a class", ra::list),
        command(&["providers"], "TYPE [CLASS]", "Who provides an agent", ra::providers),
        command(&["info", "meta"], "AGENT", "What an agent says of itself", ra::info),
        command(
            &["validate"],
            "AGENT [NAME=VALUE]...",
            "Ask an agent whether parameters are right",
            ra::validate,
        ),
    ],
    levels: &[],
};

/// What happened.
pub(super) static HISTORY: Level = Level {
    word: "history",
    help: "what happened: events, transitions, the cluster at a time",
    commands: &[
        command(&["info"], "", "What is on record, and of which hosts", history::info),
        command(&["events"], "[PATTERN]", "Events, those that a pattern finds", history::events),
        command(&["resource"], "ID...", "Events about resources", history::resource),
        command(&["node"], "HOST...", "Events about hosts", history::node),
        command(&["transitions"], "", "What was planned, when, and why", history::transitions),
        command(
            &["transition"],
            "[NUMBER | {show | log} [NUMBER] | save [NUMBER] [SHADOW] | diff NUMBER [NUMBER]]",
            "What a transition decided, what happened in it, and as a shadow copy",
            history::transition,
        ),
        command(
            &["show"],
            "[NUMBER] [status]",
            "The configuration, or the state, of a transition",
            history::show,
        ),
        command(&["diff"], "NUMBER NUMBER", "What two transitions differ in (live: now)", history::diff),
        command(&["latest"], "", "What happened since the last transition began", history::latest),
        command(&["at"], "TIME", "How the cluster was at a time", history::at),
        command(&["timeframe", "limit"], "[TIME [TIME]]", "Look at a time alone", history::timeframe),
        command(&["refresh"], "", "Read all of it anew", history::refresh),
    ],
    levels: &[],
};

impl Level {
    /// The command that a word means: its own, or one that only it begins with; other words for it count after its first one.
    pub(super) fn command(&self, word: &str) -> Option<&Command> {
        let exact = self.commands.iter().find(|command| command.words.contains(&word));
        if exact.is_some() || EVERYWHERE.contains(&word) {
            return exact;
        }
        let by = |begins: &dyn Fn(&Command) -> bool| {
            let mut found = self.commands.iter().filter(|command| begins(command));
            found.next().filter(|_| {
                found.next().is_none() && !self.levels.iter().any(|level| level.word.starts_with(word))
            })
        };
        by(&|command| command.words.first().is_some_and(|first| first.starts_with(word)))
            .or_else(|| by(&|command| command.words.iter().any(|full| full.starts_with(word))))
    }

    /// The level below that a word means.
    pub(super) fn level(&self, word: &str) -> Option<&'static Level> {
        let exact = self.levels.iter().find(|level| level.word == word);
        let is_one = |level: &&&'static Level| level.word.starts_with(word) && !EVERYWHERE.contains(&word);
        let mut found = self.levels.iter().filter(is_one);
        exact.or_else(|| found.next().filter(|_| found.next().is_none())).copied()
    }

    /// All words of the level.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        let levels = self.levels.iter().map(|level| level.word);
        self.commands.iter().flat_map(|command| command.words.iter().copied()).chain(levels)
    }
}
