//! The command line of `hafen`.

mod net;
mod safety;
mod setup;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use net::{NetCommand, NetShape, NetUp};
pub(crate) use safety::{
    BudgetArguments, CheckArguments, ExplainArguments, FenceAdd, FenceCommand, QuorumArguments,
    QuorumCommand, Vouch,
};
pub(crate) use setup::{FilesCommand, InitArguments, JoinArguments, TuneArguments};

/// Keeps virtual machines running when the hosts under them fail.
#[derive(Debug, Parser)]
#[command(name = "hafen", version, about, after_help = crate::exit::TABLE, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which daemon is meant, and how long it may take.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// Speak to this host of the lab (default: this host's daemon, else the first host of the lab that answers)
    #[arg(long, global = true, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// The lab's folder (default: HAFEN_LAB, else /var/tmp/hafen-lab)
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) lab: Option<PathBuf>,
    /// How long an answer may take, in seconds
    #[arg(long = "timeout", global = true, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) timeout_seconds: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(InitArguments),
    Join(JoinArguments),
    /// Make a token and print the line that brings another host in
    Token {
        /// How long it is good for: 30m, 2h, 1d, a week at most
        #[arg(long, value_name = "TIME", default_value = "1h")]
        lifetime: String,
    },
    /// Take this host out of its cluster: what runs here moves away first
    Leave {
        /// This is the last host: the cluster ends with it
        #[arg(long)]
        last: bool,
    },
    /// Take a host that is off for good out of the cluster
    Remove {
        /// Its name
        #[arg(value_name = "HOST")]
        target: String,
    },
    /// Files that are the same on all hosts: what differs, and bringing it together
    ///
    /// Keys, corosync.conf, /etc/xen/vm/* and what was added. Exit status 1: something differs.
    Files {
        #[command(subcommand)]
        command: Option<FilesCommand>,
    },
    /// The shell: what crmsh's `crm` does, by line, from a file, or as words (`hafen shell help`)
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  hafen shell\n  hafen shell configure show\n  hafen shell < cluster.crm"
    )]
    Shell {
        /// A level, a command and its words; without words, lines are read
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<OsString>,
    },
    /// The state of the cluster: hosts, virtual machines, resources, what went wrong
    #[command(after_help = "Examples:\n  hafen status\n  hafen status --watch\n  hafen status --json")]
    Status {
        /// Show it again whenever it changes, until Ctrl-C; on a terminal as a screen with keys
        #[arg(long)]
        watch: bool,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Virtual machines
    #[command(subcommand)]
    Vm(VmCommand),
    /// Hosts
    #[command(subcommand)]
    Node(NodeCommand),
    /// What happened and why, in order
    #[command(
        after_help = "Examples:\n  hafen events\n  hafen events --follow\n  hafen events --after 120 --json"
    )]
    Events {
        /// Go on with new events until Ctrl-C
        #[arg(long, short)]
        follow: bool,
        /// Only those after this number
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// A JSON object a line, for programs
        #[arg(long)]
        json: bool,
    },
    /// The configuration as a whole
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Fencing: its record, doing it, vouching for a host, trying the devices out, adding one
    #[command(subcommand)]
    Fence(FenceCommand),
    /// Votes: how many are here, how many are needed, who is missing
    #[command(
        after_help = "Examples:\n  hafen quorum\n  hafen quorum --json\n  hafen quorum proceed-without host3\n\n\
        Exit status 1: there is no quorum."
    )]
    Quorum(QuorumArguments),
    /// Whether the cluster bears what it is there for: names, clocks, ports, fencing, quorum, what it hangs on
    #[command(
        after_help = "Works before there is a cluster, and with hosts that are down. Each line says what mends it.\n\n\
        Examples:\n  hafen check\n  hafen check --quiet\n  hafen check --json\n\nExit status 1: there are errors."
    )]
    Check(CheckArguments),
    /// How long it takes until everything of a lost host runs again, and what takes longest
    #[command(after_help = "Examples:\n  hafen budget\n  hafen budget host2 --json")]
    Budget(BudgetArguments),
    /// Why a resource runs where it runs, or why it does not run; and what would change that
    #[command(after_help = "Each condition that is named was tried out on a copy of the cluster.\n\n\
        Examples:\n  hafen explain vm1\n  hafen explain vm1 --host host3\n  hafen explain vm1 --at 17\n  \
        hafen explain vm1 --file cib.xml --json")]
    Explain(ExplainArguments),
    /// A whole cluster on this machine, to try things out
    #[command(subcommand)]
    Lab(LabCommand),
    /// Hosts with networks of their own on this machine, on a switch that loses, delays and cuts
    #[command(subcommand)]
    Net(NetCommand),
    /// A host's daemon (started by the system or by a lab)
    Daemon {
        /// Its configuration, a JSON file
        #[arg(long, value_name = "FILE", default_value = "/etc/hafen/daemon.json")]
        config: PathBuf,
    },
    /// The process that runs a host's agents (started by the daemon)
    Executor(ExecutorOptions),
    /// Make links to hafen by the names of Pacemaker's tools (crm_mon, cibadmin, …)
    ///
    /// Each also runs as `hafen TOOL`.
    #[command(after_help = "Example:\n  hafen install-applets /usr/local/sbin")]
    InstallApplets {
        /// Where to; made if it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Make the link crm, too, where another shell of that name (crmsh's) is on the path
        #[arg(long)]
        with_crm: bool,
    },
    /// The agents that are part of hafen, by hand
    #[command(after_help = "Examples:\n  hafen ocf qemu meta-data\n  hafen ocf fence_hafen_lab metadata")]
    Ocf {
        /// The agent's name
        name: String,
        /// What it is to do
        action: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExecutorOptions {
    /// Where it listens for the daemon
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: PathBuf,
    /// Its journal: best on a file system that a boot empties
    #[arg(long, value_name = "PATH")]
    pub(crate) journal: PathBuf,
    /// Search OCF agents (PROVIDER/NAME) in this folder first; may be given several times
    #[arg(long, value_name = "FOLDER")]
    pub(crate) agents: Vec<PathBuf>,
    /// Search fence agents in this folder first; may be given several times
    #[arg(long, value_name = "FOLDER")]
    pub(crate) fence_agents: Vec<PathBuf>,
    /// The folder of links to the tools that agents call: made, and first in their PATH (default: tools, beside the socket)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) tools: Option<PathBuf>,
    /// The kernel's watchdog device
    #[arg(long, value_name = "PATH", conflicts_with = "watchdog_socket")]
    pub(crate) watchdog_device: Option<PathBuf>,
    /// A power switch's socket that stands for a watchdog
    #[arg(long, value_name = "PATH", requires = "watchdog_host")]
    pub(crate) watchdog_socket: Option<PathBuf>,
    /// This host's name at that switch
    #[arg(long, value_name = "NAME")]
    pub(crate) watchdog_host: Option<String>,
    /// How long the watchdog is fed without a word of the daemon, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20_000)]
    pub(crate) daemon_restart_timeout: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// Add a virtual machine to the cluster, which starts it
    #[command(after_help = "Examples:\n  hafen vm create web --memory 512 --disk /srv/vms/web.img\n  \
        hafen vm create vm5 --memory 96 --lab-guest")]
    Create(VmCreate),
    /// All virtual machines, and where they run
    List,
    /// Let a virtual machine run
    Start {
        /// Its name
        vm: String,
    },
    /// Stop a virtual machine and keep it stopped
    Stop {
        /// Its name
        vm: String,
    },
    /// Move a virtual machine to a host, live where its agent can
    ///
    /// Writes the constraint cli-prefer-VM, as `crm_resource --move` does: it holds the machine there until --clear, or
    /// until the date of --until.
    #[command(
        after_help = "Examples:\n  hafen vm migrate vm1 host2\n  hafen vm migrate vm1 host2 --until 2h\n  \
        hafen vm migrate vm1 host2 --until '2030-01-31 06:00'\n  hafen vm migrate vm1 --clear"
    )]
    Migrate {
        /// Its name
        vm: String,
        /// Where to
        #[arg(required_unless_present = "clear", conflicts_with = "clear")]
        to: Option<String>,
        /// Until a date (UTC) or for a time such as 30m, 2h, 1d: after that the cluster decides again
        #[arg(long, value_name = "DATE", conflicts_with = "clear")]
        until: Option<String>,
        /// Remove what an earlier migration left: the cluster decides again
        #[arg(long)]
        clear: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VmCreate {
    /// Its name: letters, digits, - and _
    pub(crate) name: String,
    /// Its memory in MiB
    #[arg(long, default_value_t = 512, value_name = "MIB")]
    pub(crate) memory: u32,
    /// Its virtual processors
    #[arg(long, default_value_t = 1)]
    pub(crate) cpus: u32,
    /// A disk (a file or device that all hosts reach); may be given several times
    #[arg(long = "disk", value_name = "PATH")]
    pub(crate) disks: Vec<PathBuf>,
    /// A kernel to boot directly
    #[arg(long, value_name = "PATH")]
    pub(crate) kernel: Option<PathBuf>,
    /// The initial file system that belongs to the kernel
    #[arg(long, value_name = "PATH", requires = "kernel")]
    pub(crate) initrd: Option<PathBuf>,
    /// The kernel's command line
    #[arg(long, value_name = "WORDS", requires = "kernel")]
    pub(crate) append: Option<String>,
    /// Where the serial port goes: a file, or a Unix socket when the path ends in .sock
    #[arg(long, value_name = "PATH")]
    pub(crate) serial: Option<PathBuf>,
    /// The shared folder of the hosts' receivers: without it the machine is stopped and started instead of migrated
    #[arg(long, value_name = "FOLDER")]
    pub(crate) migrate_dir: Option<PathBuf>,
    /// Take kernel, disk, serial port and receivers of the lab
    #[arg(long, conflicts_with_all = ["kernel", "disks", "serial", "migrate_dir"])]
    pub(crate) lab_guest: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Move everything away from a host and keep it free
    Standby {
        /// Its name
        node: String,
    },
    /// Let a host carry resources again
    Online {
        /// Its name
        node: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration as the XML of a CIB
    Show {
        /// With the status section
        #[arg(long)]
        status: bool,
    },
    /// Replace the whole configuration by that of a file
    #[command(after_help = "Example:\n  hafen config show > cib.xml; vi cib.xml; hafen config load cib.xml")]
    Load {
        /// A CIB or its <configuration> as XML; - for standard input
        file: PathBuf,
        /// Go on without quorum: only when you know that the other hosts are off
        #[arg(long)]
        without_quorum: bool,
    },
    /// Give agents, parameters and properties of old books their names of today, with a note for each
    #[command(
        after_help = "What behaves differently today is left as it is; its note says what to do by hand.\n\n\
        Examples:\n  hafen config translate --dry-run\n  hafen config translate cib.xml"
    )]
    Translate {
        /// A CIB in a file; - for standard input, to standard output (default: what `CIB_file` names in the environment,
        /// else the cluster's)
        file: Option<PathBuf>,
        /// Print the notes alone
        #[arg(long)]
        dry_run: bool,
        /// Go on without quorum: only when you know that the other hosts are off
        #[arg(long)]
        without_quorum: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Start a cluster on this machine
    #[command(after_help = "Example:\n  hafen lab up --hosts 3 --vms 4")]
    Up(LabUp),
    /// End the lab and remove everything of it
    Down,
    /// What is on, and where the lab's folder is
    Status,
    /// Cut a host's power
    Kill {
        /// Its name
        target: String,
    },
    /// Switch a host on
    Boot {
        /// Its name
        target: String,
    },
    /// Cut a host off the network of the cluster; it goes on running
    Cut {
        /// Its name
        target: String,
        /// Only from this host
        #[arg(long, value_name = "HOST")]
        from: Option<String>,
    },
    /// Mend the network
    Heal {
        /// Only the links of this host
        target: Option<String>,
    },
    /// Run a command in a host
    #[command(after_help = "Example:\n  hafen lab exec host2 -- ps ax")]
    Exec {
        /// Its name
        target: String,
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Set how long the power switch takes, or that it fails
    Power {
        /// Of this host only
        target: Option<String>,
        /// Milliseconds for each change of the power
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
        /// Every change of the power fails
        #[arg(long)]
        fail: bool,
    },
    /// A lab with a live status, until Ctrl-C; with --scenario unattended, with a report and exit status 0 or 1
    Demo(LabDemo),
    /// Play a scenario against the lab that is up
    #[command(after_help = "Example:\n  hafen lab up --vms 4; hafen lab scenario failover")]
    Scenario {
        /// Its name (failover, migrate, daemon-killed, power-cut), or the path of its folder
        name: String,
    },
    /// Measure the lab that is up
    Measure(LabMeasure),
    /// Fill the disk of a host, or free it again
    Fill {
        /// Its name
        target: String,
        /// Free it again
        #[arg(long)]
        free: bool,
    },
    /// The power switch's process
    #[command(hide = true)]
    PowerSwitch {
        /// End with whoever holds standard input
        #[arg(long)]
        lease: bool,
    },
    /// A host's first process
    #[command(hide = true)]
    Init,
    /// The hub's process
    #[command(hide = true)]
    Hub,
    /// The process of the switch that joins hosts with networks of their own
    #[command(hide = true)]
    Switch,
    /// The paths at which an installation has links to this executable
    #[command(hide = true)]
    Links,
    /// Start, stop or look at a service of the host that this runs in
    #[command(hide = true)]
    Service {
        /// start, stop, restart or status
        action: String,
        /// The service's name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LabUp {
    #[command(flatten)]
    pub(crate) options: LabOptions,
    /// How many virtual machines
    #[arg(long, default_value_t = 0)]
    pub(crate) vms: u32,
}

#[derive(Debug, Args)]
pub(crate) struct LabDemo {
    #[command(flatten)]
    pub(crate) options: LabOptions,
    /// How many virtual machines
    #[arg(long, default_value_t = 4)]
    pub(crate) vms: u32,
    /// Play this scenario, report, and end
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LabMeasure {
    /// What: failover (from the lost host to the last agent that begins elsewhere, fence agents' time taken off)
    #[arg(value_parser = ["failover"])]
    pub(crate) what: String,
    /// How many hosts are killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) kills: u32,
}

#[derive(Debug, Args)]
pub(crate) struct LabOptions {
    /// How many hosts
    #[arg(long, default_value_t = 3)]
    pub(crate) hosts: u32,
    /// The folder with the guests' kernel and initrd, as guest/build.sh makes it (default: HAFEN_GUEST, else target/guest)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) guest: Option<PathBuf>,
    /// The memory of each virtual machine in MiB
    #[arg(long, default_value_t = 96, value_name = "MIB")]
    pub(crate) memory: u32,
    /// The network does the worst that it may: delays, cut-off messages, flapping quorum
    #[arg(long)]
    pub(crate) worst: bool,
    /// From what the network draws
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long the power switch takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(crate) power_delay_ms: u64,
}
