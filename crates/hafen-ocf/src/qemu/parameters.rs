//! The parameters of `ocf:hafen:qemu`: read from the environment, checked, described.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::{AgentError, OcfCode};

/// The default folder of the state of running virtual machines.
pub const STATE_DIR: &str = "/run/hafen/qemu";
/// The environment variable that overrides the folder of the state, for the receiver too.
pub const STATE_DIR_VARIABLE: &str = "HAFEN_QEMU_STATE_DIR";
/// The longest path of a Unix socket, in bytes, less the longest file name that is put behind the folder.
const STATE_DIR_BYTES_LIMIT: usize = 107 - "/control.sock".len();

/// One parameter as the metadata tells it.
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// `string`, `integer`, `time`.
    pub kind: &'static str,
    /// The default; none when it must be given or has no value.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// Its meaning in a few words.
    pub short: &'static str,
    /// Its meaning in full.
    pub long: &'static str,
}

macro_rules! parameter {
    ($name:literal, $kind:literal, $default:expr, $required:literal, $short:literal, $long:literal) => {
        Description {
            name: $name,
            kind: $kind,
            default: $default,
            required: $required,
            short: $short,
            long: $long,
        }
    };
}

/// All parameters, in the order of the metadata.
pub const DESCRIPTIONS: [Description; 21] = [
    parameter!(
        "name",
        "string",
        None,
        false,
        "name",
        "The virtual machine's name. Default: the resource's id. Letters, digits, '-', '_', '.' and ':'."
    ),
    parameter!("memory", "integer", Some("512"), false, "memory (MiB)", "The guest's memory in MiB."),
    parameter!("cpus", "integer", Some("1"), false, "processors", "The number of virtual processors."),
    parameter!(
        "kernel",
        "string",
        None,
        false,
        "kernel",
        "A Linux kernel to boot directly. Without it the guest boots from its first disk."
    ),
    parameter!("initrd", "string", None, false, "initramfs", "The initramfs that belongs to the kernel."),
    parameter!("append", "string", None, false, "kernel command line", "The command line for the kernel."),
    parameter!(
        "disk",
        "string",
        None,
        false,
        "disks",
        "Files or block devices, separated by blanks; the guest sees virtio disks in this order. They must be on storage \
         that every host reaches under the same path; QEMU locks them, so that a second start elsewhere fails."
    ),
    parameter!(
        "disk_format",
        "string",
        Some("raw"),
        false,
        "format of the disks",
        "The format of the disks: raw or qcow2."
    ),
    parameter!(
        "disk_cache",
        "string",
        Some("auto"),
        false,
        "cache of the disks",
        "QEMU's cache mode. auto takes none where the file system has direct I/O, else writethrough."
    ),
    parameter!(
        "serial",
        "string",
        None,
        false,
        "serial port",
        "Where the guest's serial port goes: a log file that is appended to, or a Unix socket when the path ends in .sock."
    ),
    parameter!(
        "machine",
        "string",
        Some("pc"),
        false,
        "machine type",
        "QEMU's machine type. Hosts with different versions of QEMU need a versioned one for live migration."
    ),
    parameter!(
        "cpu",
        "string",
        Some("auto"),
        false,
        "processor model",
        "QEMU's processor model. auto takes max under emulation and host under KVM; hosts that differ need a common model."
    ),
    parameter!(
        "accel",
        "string",
        Some("auto"),
        false,
        "acceleration",
        "kvm, tcg, or auto: KVM where a short boot proves that it works, else emulation."
    ),
    parameter!(
        "extra",
        "string",
        None,
        false,
        "more arguments",
        "More arguments for QEMU, separated by blanks. Devices added here must exist on every host."
    ),
    parameter!("binary", "string", Some("qemu-system-x86_64"), false, "program", "QEMU's program."),
    parameter!(
        "shutdown_timeout",
        "time",
        None,
        false,
        "time for the guest's own shutdown",
        "How long stop waits after the ACPI power button before it ends the guest by force. \
         Default: two thirds of the operation's timeout. 0 uses force at once."
    ),
    parameter!(
        "qmp_timeout",
        "time",
        None,
        false,
        "time for QEMU's answers",
        "How long monitor waits for QEMU's answer before it calls that an error. \
         Default: two thirds of the operation's timeout, at most 20 s."
    ),
    parameter!(
        "migrate_dir",
        "string",
        None,
        false,
        "folder of the receivers",
        "The shared folder where each host's receiver listens as NODE.sock. Without it there is no live migration. \
         Whoever can write there can start programs on the hosts: it must belong to root."
    ),
    parameter!(
        "migrate_downtime",
        "time",
        Some("300ms"),
        false,
        "longest pause in a live migration",
        "QEMU's limit for the pause at the end of a live migration."
    ),
    parameter!(
        "migrate_bandwidth",
        "integer",
        Some("0"),
        false,
        "speed of a live migration (MiB/s)",
        "The most that a live migration sends, in MiB a second; 0 for no limit."
    ),
    parameter!(
        "state_dir",
        "string",
        Some(STATE_DIR),
        false,
        "folder of the state",
        "Where sockets and records of running virtual machines are kept; local to the host, emptied by a boot."
    ),
];

/// How a virtual machine is run: what travels to the receiver of a live migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Its name.
    pub name: String,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// Its virtual processors.
    pub cpus: u32,
    /// A kernel to boot directly.
    pub kernel: Option<PathBuf>,
    /// The kernel's initramfs.
    pub initrd: Option<PathBuf>,
    /// The kernel's command line.
    pub append: Option<String>,
    /// Disks, in the guest's order.
    pub disks: Vec<PathBuf>,
    /// Their format.
    pub disk_format: String,
    /// Their cache mode.
    pub disk_cache: String,
    /// Where the serial port goes.
    pub serial: Option<PathBuf>,
    /// QEMU's machine type.
    pub machine: String,
    /// QEMU's processor model.
    pub cpu: String,
    /// `kvm`, `tcg` or `auto`.
    pub accel: String,
    /// More arguments.
    pub extra: Vec<String>,
    /// QEMU's program.
    pub binary: String,
    /// How long to wait after the power button; none for the default.
    pub shutdown_timeout: Option<Duration>,
    /// How long a monitor waits for QEMU; none for the default.
    pub qmp_timeout: Option<Duration>,
    /// The folder of the receivers.
    pub migrate_dir: Option<PathBuf>,
    /// The longest pause of a live migration.
    pub migrate_downtime: Duration,
    /// The most that a live migration sends, in MiB a second; 0 for no limit.
    pub migrate_bandwidth_mib: u64,
    /// The folder of the state.
    pub state_dir: PathBuf,
}

/// What the cluster manager says about the operation itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The time that it may take.
    pub timeout: Duration,
    /// The node that a `migrate_to` goes to.
    pub migrate_target: Option<String>,
    /// The node that a `migrate_from` comes from.
    pub migrate_source: Option<String>,
}

/// The time of an operation of which none was told.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);

impl Operation {
    /// Reads the operation from variables, by their full names.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value =
            |name: &str| variable(&format!("OCF_RESKEY_CRM_meta_{name}")).filter(|text| !text.is_empty());
        let timeout = value("timeout").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        Self {
            timeout: timeout.unwrap_or(OPERATION_TIMEOUT),
            migrate_target: value("migrate_target"),
            migrate_source: value("migrate_source"),
        }
    }

    /// The time after which the agent itself gives up, so that it can still say why: a tenth before the timeout.
    pub fn own_limit(&self) -> Duration {
        self.timeout.mul_f64(0.9)
    }

    /// Two thirds of the timeout.
    pub fn two_thirds(&self) -> Duration {
        self.timeout.mul_f64(2.0 / 3.0)
    }
}

impl Parameters {
    /// Reads the parameters from variables, by their full names (`OCF_RESKEY_memory`, `OCF_RESOURCE_INSTANCE`).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, AgentError> {
        let text = |name: &str| -> Option<String> {
            let given = variable(&format!("OCF_RESKEY_{name}")).filter(|value| !value.trim().is_empty());
            let default = || DESCRIPTIONS.iter().find(|one| one.name == name)?.default.map(str::to_owned);
            given.or_else(default)
        };
        let words = |name: &str| -> Vec<String> {
            text(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let string = |name: &str| text(name).unwrap_or_default().trim().to_owned();
        let time = |name: &str| text(name).map(|value| parse_time(name, &value)).transpose();
        let path = |name: &str| text(name).map(|value| PathBuf::from(value.trim()));
        let own_name = text("name").or_else(|| variable("OCF_RESOURCE_INSTANCE"));
        let state_dir = variable(STATE_DIR_VARIABLE).filter(|value| !value.is_empty());
        let parameters = Self {
            name: own_name.unwrap_or_default().trim().to_owned(),
            memory_mib: parse_number("memory", &string("memory"))?,
            cpus: parse_number("cpus", &string("cpus"))?,
            kernel: path("kernel"),
            initrd: path("initrd"),
            append: text("append"),
            disks: words("disk").into_iter().map(PathBuf::from).collect(),
            disk_format: string("disk_format"),
            disk_cache: string("disk_cache"),
            serial: path("serial"),
            machine: string("machine"),
            cpu: string("cpu"),
            accel: string("accel"),
            extra: words("extra"),
            binary: string("binary"),
            shutdown_timeout: time("shutdown_timeout")?,
            qmp_timeout: time("qmp_timeout")?,
            migrate_dir: path("migrate_dir"),
            migrate_downtime: time("migrate_downtime")?.unwrap_or_default(),
            migrate_bandwidth_mib: parse_number("migrate_bandwidth", &string("migrate_bandwidth"))?,
            state_dir: state_dir.map(PathBuf::from).or_else(|| path("state_dir")).unwrap_or_default(),
        };
        parameters.check()?;
        Ok(parameters)
    }

    /// What is wrong on every host, whatever its disks hold. Also applied to what a receiver is sent.
    pub fn check(&self) -> Result<(), AgentError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let name_is_sound =
            self.name.bytes().all(is_word) && !self.name.starts_with('.') && !self.name.is_empty();
        if !name_is_sound || self.name.len() > 64 {
            return Err(configured("name", &self.name, "1 to 64 letters, digits, '-', '_', '.', ':'"));
        }
        if !(1..=1 << 24).contains(&self.memory_mib) {
            return Err(configured("memory", &self.memory_mib.to_string(), "MiB from 1 to 16777216"));
        }
        if !(1..=1024).contains(&self.cpus) {
            return Err(configured("cpus", &self.cpus.to_string(), "a number from 1 to 1024"));
        }
        let choices: [(&str, &str, &[&str]); 3] = [
            ("accel", &self.accel, &["auto", "kvm", "tcg"]),
            ("disk_format", &self.disk_format, &["raw", "qcow2"]),
            ("disk_cache", &self.disk_cache, &["auto", "none", "writethrough", "writeback", "directsync"]),
        ];
        for (name, value, allowed) in choices {
            if !allowed.contains(&value) {
                return Err(configured(name, value, &format!("one of {}", allowed.join(", "))));
            }
        }
        if self.kernel.is_none() && (self.initrd.is_some() || self.append.is_some()) {
            return Err(AgentError::new(OcfCode::Configured, "initrd and append need the parameter kernel"));
        }
        let folder = self.instance_dir();
        if !folder.is_absolute() || folder.as_os_str().len() > STATE_DIR_BYTES_LIMIT {
            let wanted =
                format!("an absolute path of at most {STATE_DIR_BYTES_LIMIT} bytes with the name behind it");
            return Err(configured("state_dir", &self.state_dir.to_string_lossy(), &wanted));
        }
        Ok(())
    }

    /// What is wrong on this host: files that are missing.
    pub fn check_files(&self) -> Result<(), AgentError> {
        let files = [("kernel", &self.kernel), ("initrd", &self.initrd)];
        let files = files.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
        for (name, path) in files.chain(self.disks.iter().map(|path| ("disk", path))) {
            if let Err(error) = std::fs::metadata(path) {
                let reason =
                    format!("parameter {name}: {}: {error}: is the shared storage mounted?", path.display());
                return Err(AgentError::new(OcfCode::Arguments, reason));
            }
        }
        Ok(())
    }

    /// Where this virtual machine's sockets and records are kept.
    pub fn instance_dir(&self) -> PathBuf {
        self.state_dir.join(&self.name)
    }

    /// The address of a node's receiver.
    pub fn receiver(&self, node: &str) -> Result<PathBuf, AgentError> {
        let Some(folder) = &self.migrate_dir else {
            let reason = "live migration needs the parameter migrate_dir";
            return Err(AgentError::new(OcfCode::Configured, reason));
        };
        if node.contains('/') || node.starts_with('.') || node.is_empty() {
            return Err(AgentError::new(OcfCode::Arguments, format!("'{node}' is no node's name")));
        }
        Ok(Path::new(folder).join(format!("{node}.sock")))
    }
}

fn configured(name: &str, value: &str, wanted: &str) -> AgentError {
    AgentError::new(OcfCode::Configured, format!("parameter {name}='{value}': must be {wanted}"))
}

fn parse_number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, AgentError> {
    value.parse().map_err(|_| configured(name, value, "a number"))
}

/// A time as the cluster's options write it: seconds, or with a unit (`ms`, `s`, `m`, `min`, `h`).
pub fn parse_time(name: &str, value: &str) -> Result<Duration, AgentError> {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let factor = match unit.trim() {
        "ms" | "msec" => 1,
        "" | "s" | "sec" => 1000,
        "m" | "min" => 60_000,
        "h" | "hr" => 3_600_000,
        _ => return Err(configured(name, value, "a time such as 30s")),
    };
    let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    let milliseconds = milliseconds.ok_or_else(|| configured(name, value, "a time such as 30s"))?;
    Ok(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(pairs: &[(&str, &str)]) -> Result<Parameters, AgentError> {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        variables.insert("OCF_RESOURCE_INSTANCE".into(), "vm1".into());
        for (name, value) in pairs {
            variables.insert(format!("OCF_RESKEY_{name}"), (*value).into());
        }
        Parameters::from_variables(|name| variables.get(name).cloned())
    }

    #[test]
    fn defaults_are_those_of_the_metadata() {
        let parameters = read(&[]).expect("all has defaults");
        assert_eq!(parameters.name, "vm1");
        assert_eq!((parameters.memory_mib, parameters.cpus), (512, 1));
        assert_eq!(parameters.instance_dir(), Path::new("/run/hafen/qemu/vm1"));
        assert_eq!(parameters.migrate_downtime, Duration::from_millis(300));
        assert_eq!(parameters.disks, Vec::<PathBuf>::new());
    }

    #[test]
    fn wrong_values_name_the_parameter() {
        let long = "x".repeat(200);
        let cases = [
            ("name", "a/b"),
            ("name", ".."),
            ("memory", "much"),
            ("memory", "0"),
            ("cpus", "-1"),
            ("accel", "xen"),
            ("disk_format", "vmdk"),
            ("disk_cache", "unsafe"),
            ("shutdown_timeout", "3 weeks"),
            ("state_dir", long.as_str()),
            ("state_dir", "relative"),
        ];
        for (name, value) in cases {
            let error = read(&[(name, value)]).expect_err(value);
            assert_eq!(error.code, OcfCode::Configured, "{name}={value}");
            assert!(error.reason.contains(name), "{error}");
        }
        assert!(read(&[("initrd", "/x")]).is_err(), "an initrd without a kernel");
    }

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in
            [("5", 5000), ("5s", 5000), ("250ms", 250), ("2m", 120_000), ("1 h", 3_600_000)]
        {
            assert_eq!(parse_time("x", text).expect(text), Duration::from_millis(milliseconds));
        }
    }

    #[test]
    fn a_receiver_is_a_file_in_the_folder_and_nowhere_else() {
        let parameters = read(&[("migrate_dir", "/shared/receivers")]).expect("sound");
        let receiver = parameters.receiver("host2").expect("sound");
        assert_eq!(receiver, Path::new("/shared/receivers/host2.sock"));
        for node in ["../host2", "", "a/b"] {
            assert!(parameters.receiver(node).is_err(), "{node}");
        }
        assert!(read(&[]).expect("sound").receiver("host2").is_err(), "no folder, no migration");
    }
}
