//! The command line of `hafen fence`, `hafen quorum`, `hafen check`, `hafen budget` and `hafen explain`.

use clap::{Args, Subcommand};

/// The word for scripts, where a person would be asked.
#[derive(Debug, Args)]
pub(crate) struct Vouch {
    /// For scripts: vouch for this host instead of typing its name
    #[arg(long, value_name = "HOST")]
    pub(crate) yes_host: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FenceCommand {
    /// Every fencing on record: who asked, why, which device, its answer, the proof, how long
    #[command(
        after_help = "Examples:\n  hafen fence history\n  hafen fence history host2\n  hafen fence history --json"
    )]
    History {
        /// Only of this host
        target: Option<String>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Fence a host now, whatever runs there (asks for its name)
    #[command(
        after_help = "Examples:\n  hafen fence now host2\n  hafen fence now host2 --off --yes-host host2"
    )]
    Now {
        /// Its name
        target: String,
        /// Leave it off instead of starting it again
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        vouch: Vouch,
    },
    /// Vouch that a host is off, when no device could prove it (asks twice)
    #[command(after_help = "Go and look first: pull its plugs, or see that it has no power.\n\n\
        Examples:\n  hafen fence confirm host2\n  hafen fence confirm host2 --yes-host host2")]
    Confirm {
        /// Its name
        target: String,
        #[command(flatten)]
        vouch: Vouch,
    },
    /// Look whether the fence devices would do their work, without harm; --real fences the host to see it
    #[command(
        after_help = "Examples:\n  hafen fence drill\n  hafen fence drill host2\n  hafen fence drill host2 --real\n\n\
        Exit status 1: a device failed."
    )]
    Drill {
        /// Only what fences this host
        target: Option<String>,
        /// Fence it: tells first what becomes of everything that runs there, then asks for its name
        #[arg(long, requires = "target")]
        real: bool,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        vouch: Vouch,
    },
    /// Add a fence device, with the rule that keeps it off the host that it fences and the delay that lets one of two win
    #[command(
        after_help = "Examples:\n  hafen fence add fence_ipmilan --target host1 ip=10.0.0.101 username=admin password=secret\n  \
        hafen fence add external/rackpdu --id pdu pduip=10.0.0.9 hostlist=AUTO\n  \
        hafen fence add meatware hostlist='host1 host2'"
    )]
    Add(FenceAdd),
}

#[derive(Debug, Args)]
pub(crate) struct FenceAdd {
    /// The agent: fence_ipmilan, external/rackpdu, meatware
    pub(crate) agent: String,
    /// Its parameters, name=value
    pub(crate) parameters: Vec<String>,
    /// A host that it fences; may be given several times (default: what its parameters say)
    #[arg(long = "target", value_name = "HOST")]
    pub(crate) targets: Vec<String>,
    /// The device's id (default: made of the agent and the host)
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// How long the shot at the host with the lowest number waits, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = hafen_setup::fencing::DELAY_SECONDS_DEFAULT)]
    pub(crate) delay: u32,
}

#[derive(Debug, Args)]
pub(crate) struct QuorumArguments {
    #[command(subcommand)]
    pub(crate) command: Option<QuorumCommand>,
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuorumCommand {
    /// Measure all links between the hosts, and propose timings that fit them
    #[command(after_help = "Examples:\n  hafen quorum tune\n  hafen quorum tune --detection 1500 --apply")]
    Tune(super::TuneArguments),
    /// Go on without a host that is off and stays off (asks for its name; recorded as a human's proof)
    ///
    /// For the morning when power is back and one host is not: the others wait for it, because it could be running
    /// somewhere out of their sight.
    #[command(after_help = "Examples:\n  hafen quorum proceed-without host3\n  \
        hafen quorum proceed-without host3 --yes-host host3")]
    ProceedWithout {
        /// Its name
        target: String,
        #[command(flatten)]
        vouch: Vouch,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not ask the fence devices
    #[arg(long)]
    pub(crate) no_fencing: bool,
    /// Only what is wrong
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The resource: a primitive, a group with its members, a clone with its instances
    pub(crate) resource: String,
    /// Why this host, or why not (the daemon is then this host's own, or the first of the lab that answers)
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// As it was decided in this transition, from the input that its coordinator saved
    #[arg(long, value_name = "TRANSITION", conflicts_with = "file")]
    pub(crate) at: Option<u64>,
    /// Of a CIB in a file, with its status; - for standard input (default: what `CIB_file` names in the environment)
    #[arg(long, short = 'x', value_name = "CIB")]
    pub(crate) file: Option<std::path::PathBuf>,
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BudgetArguments {
    /// The host that is lost (default: each in turn)
    pub(crate) target: Option<String>,
    /// As JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
}
