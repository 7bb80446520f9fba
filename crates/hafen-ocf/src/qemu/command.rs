//! QEMU's command line for a virtual machine. The receiver of a live migration builds the same from the same parameters.

use std::ffi::OsString;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::instance::Instance;
use super::parameters::Parameters;

/// How the guest comes to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// By booting.
    Boot,
    /// By live migration: QEMU waits for it, and does not run it before it is told to.
    Migration,
}

/// Text inside of an option's value: QEMU takes a doubled comma as one.
fn value(text: &str) -> String {
    text.replace(',', ",,")
}

fn path_value(path: &Path) -> String {
    value(&path.to_string_lossy())
}

/// The argument that tells this instance's QEMU from every other process that this host sees.
pub fn mark(instance: &Instance) -> String {
    format!("unix:{},server=on,wait=off", path_value(&instance.control_socket()))
}

/// The cache mode for a disk where none was chosen: past the host's cache if the file system can, else written through.
fn cache_mode<'a>(parameters: &'a Parameters, disk: &Path) -> &'a str {
    if parameters.disk_cache != "auto" {
        return &parameters.disk_cache;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, disk, flags, Mode::empty()) {
        Ok(_) => "none",
        Err(_) => "writethrough",
    }
}

fn push(arguments: &mut Vec<OsString>, words: &[&str]) {
    arguments.extend(words.iter().map(OsString::from));
}

/// The arguments of QEMU's program; `accel` is `kvm` or `tcg`.
pub fn arguments(
    instance: &Instance,
    parameters: &Parameters,
    accel: &str,
    arrival: Arrival,
) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let name = value(&parameters.name);
    push(&mut arguments, &["-name", &format!("guest={name},process=qemu:{name}")]);
    push(&mut arguments, &["-nodefaults", "-no-user-config", "-display", "none", "-nic", "none"]);
    push(&mut arguments, &["-msg", "timestamp=on", "-machine", &parameters.machine, "-accel", accel]);
    let cpu = match (parameters.cpu.as_str(), accel) {
        ("auto", "kvm") => "host",
        ("auto", _) => "max",
        (model, _) => model,
    };
    push(&mut arguments, &["-cpu", cpu, "-smp", &parameters.cpus.to_string()]);
    push(&mut arguments, &["-m", &format!("{}M", parameters.memory_mib)]);
    // One socket for whoever acts, one for whoever looks: QEMU serves one client on each at a time.
    push(&mut arguments, &["-qmp", &mark(instance)]);
    let monitor = path_value(&instance.monitor_socket());
    push(&mut arguments, &["-qmp", &format!("unix:{monitor},server=on,wait=off")]);
    let files = [("-kernel", &parameters.kernel), ("-initrd", &parameters.initrd)];
    for (option, path) in files.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?))) {
        arguments.extend([OsString::from(option), path.clone().into_os_string()]);
    }
    if let Some(append) = &parameters.append {
        push(&mut arguments, &["-append", append]);
    }
    for (number, disk) in parameters.disks.iter().enumerate() {
        let (format, cache) = (&parameters.disk_format, cache_mode(parameters, disk));
        let file = path_value(disk);
        // A lock that cannot be taken must fail the start: locking=on, not auto.
        let drive =
            format!("if=none,id=disk{number},file={file},format={format},cache={cache},file.locking=on");
        push(&mut arguments, &["-drive", &drive]);
        push(&mut arguments, &["-device", &format!("virtio-blk-pci,drive=disk{number}")]);
    }
    if let Some(serial) = &parameters.serial {
        let path = path_value(serial);
        let backend = match serial.extension().is_some_and(|extension| extension == "sock") {
            true => format!("socket,id=serial0,path={path},server=on,wait=off"),
            false => format!("file,id=serial0,path={path},append=on"),
        };
        push(&mut arguments, &["-chardev", &backend, "-serial", "chardev:serial0"]);
    }
    arguments.extend(parameters.extra.iter().map(OsString::from));
    if arrival == Arrival::Migration {
        push(&mut arguments, &["-incoming", "defer", "-S"]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_line(pairs: &[(&str, &str)], arrival: Arrival) -> String {
        let variable = |name: &str| {
            let found = pairs.iter().find(|(key, _)| name.strip_prefix("OCF_RESKEY_") == Some(key));
            found.map(|(_, value)| (*value).to_owned())
        };
        let parameters = Parameters::from_variables(variable).expect("sound");
        let instance = Instance::of(&parameters);
        let words = arguments(&instance, &parameters, "tcg", arrival);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_comma_in_a_path_stays_in_the_path() {
        let line = command_line(&[("name", "vm1"), ("disk", "/a,b/d.raw")], Arrival::Boot);
        assert!(line.contains("file=/a,,b/d.raw,format=raw"), "{line}");
        assert!(line.contains("file.locking=on"), "{line}");
    }

    #[test]
    fn only_what_arrives_by_migration_waits() {
        let boot = command_line(&[("name", "vm1")], Arrival::Boot);
        let migration = command_line(&[("name", "vm1")], Arrival::Migration);
        assert_eq!(migration, format!("{boot} -incoming defer -S"));
    }

    #[test]
    fn the_end_of_the_path_decides_where_the_serial_port_goes() {
        let line = command_line(&[("name", "vm1"), ("serial", "/x/vm1.log")], Arrival::Boot);
        assert!(line.contains("file,id=serial0,path=/x/vm1.log,append=on"), "{line}");
        let line = command_line(&[("name", "vm1"), ("serial", "/x/vm1.sock")], Arrival::Boot);
        assert!(line.contains("socket,id=serial0,path=/x/vm1.sock"), "{line}");
    }
}
