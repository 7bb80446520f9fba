//! cluster-glue's `external/*` plugins: the action and the host as arguments, the parameters in the environment.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::fence::FenceInvocation;
use crate::ocf::{TOOL_PATH, bare_command};

/// Where the plugins find their helpers (`ha_log.sh`).
const HELPERS: &str = "/usr/share/cluster-glue";
/// What a plugin is asked to describe itself, in the order of the answers.
const QUESTIONS: [&str; 6] = [
    "getinfo-devid",
    "getinfo-devname",
    "getinfo-devdescr",
    "getinfo-devurl",
    "getinfo-xml",
    "getconfignames",
];
/// Stands between two answers. No plugin writes it.
const SEPARATOR: &str = "--8<-- hafen --8<--";
/// Variables that a parameter must not change: they would run another program.
const OWN_VARIABLES: [&str; 6] = ["PATH", "HOME", "SHELL", "LC_ALL", "IFS", "ENV"];

/// Looks whether all parameters are there that the plugin needs (`$0` is the plugin), then asks it for its status.
const CHECKED: &str = r#"for name in $("$0" getconfignames); do
    if ! printenv "$name" > /dev/null; then
        echo "the parameter $name is not set" >&2
        exit 6
    fi
done
exec "$0" status"#;

/// A plugin's word for an action.
fn word(action: &str) -> &str {
    match action {
        "reboot" => "reset",
        "monitor" | "start" => "status",
        "list" => "gethosts",
        other => other,
    }
}

/// The command for an action.
///
/// # Errors
/// Host names and parameters that a command cannot carry.
pub(crate) fn command(executable: &Path, invocation: &FenceInvocation) -> io::Result<Command> {
    let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
    let action = invocation.word();
    let mut command = match (invocation.action.as_str(), action) {
        ("monitor" | "start", "monitor" | "start") => asked_by_shell(executable, CHECKED),
        ("metadata", "metadata") => asked_by_shell(executable, &questions()),
        (_, action) => {
            let mut command = bare_command(executable);
            command.arg(word(action));
            if let Some(target) = &invocation.target {
                let host = invocation.port.as_ref().filter(|port| !port.is_empty()).unwrap_or(target);
                if host.starts_with('-') {
                    return Err(invalid("a host's name cannot begin with '-'"));
                }
                command.arg(host);
            }
            command
        }
    };
    command.env("PATH", format!("{TOOL_PATH}:{HELPERS}"));
    for (name, value) in invocation.own_parameters() {
        let is_name = !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !OWN_VARIABLES.contains(&name)
            && !name.starts_with("LD_");
        if is_name && !value.contains('\0') {
            command.env(name, value);
        }
    }
    Ok(command)
}

fn asked_by_shell(executable: &Path, script: &str) -> Command {
    let mut command = bare_command(Path::new("/bin/sh"));
    command.arg("-c").arg(script).arg(executable);
    command
}

fn questions() -> String {
    let ask = |question: &&str| format!("\"$0\" {question} 2> /dev/null; printf %s '{SEPARATOR}'\n");
    let asked: String = QUESTIONS.iter().map(ask).collect();
    format!("{asked}exit 0")
}

/// The metadata that a plugin's answers make.
pub(crate) fn metadata(kind: &str, answers: &str) -> Result<String, String> {
    let answers: Vec<&str> = answers.split(SEPARATOR).map(str::trim).collect();
    let [id, name, description, url, parameters, names, _] = answers[..] else {
        return Err("it did not answer all questions about itself".to_owned());
    };
    if names.is_empty() && id.is_empty() && parameters.is_empty() {
        return Err("it says nothing about itself".to_owned());
    }
    let parameters = parameters.strip_prefix("<?xml version=\"1.0\"?>").unwrap_or(parameters).trim();
    let parameters = match parameters.starts_with("<parameters") {
        true => parameters.to_owned(),
        false if parameters.is_empty() => named(names),
        false => return Err("getinfo-xml does not begin with <parameters>".to_owned()),
    };
    let shown = if name.is_empty() { id } else { name };
    let long = format!("{description}\n{url}");
    Ok(wrapped(kind, shown, long.trim(), &parameters))
}

/// A document in the form of fence-agents' metadata.
pub(crate) fn wrapped(kind: &str, short: &str, long: &str, parameters: &str) -> String {
    let actions: String = ["on", "off", "reboot", "status", "monitor", "list", "metadata"]
        .map(|name| format!("<action name=\"{name}\" timeout=\"20s\"/>"))
        .concat();
    format!(
        "<?xml version=\"1.0\"?>\n<resource-agent name=\"{}\" shortdesc=\"{}\">\n<longdesc lang=\"en\">{}</longdesc>\n\
         {parameters}\n<actions>{actions}</actions>\n</resource-agent>\n",
        escaped(kind),
        escaped(short),
        escaped(long)
    )
}

fn named(names: &str) -> String {
    let parameter = |name: &str| {
        let name = escaped(name);
        format!("<parameter name=\"{name}\" required=\"1\"><content type=\"string\"/></parameter>")
    };
    format!("<parameters>{}</parameters>", names.split_whitespace().map(parameter).collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_metadata_or_say_what_is_wrong() {
        let answers = |parts: [&str; 6]| parts.map(|part| format!("{part}\n{SEPARATOR}")).concat();
        let good = answers(["id", "a <name>", "text", "http://x", "<parameters></parameters>", "hostlist"]);
        let document = metadata("external/x", &good).expect("metadata");
        assert!(
            document.contains("shortdesc=\"a &lt;name&gt;\"")
                && document.contains("<parameters></parameters>")
        );
        let bare = metadata("external/x", &answers(["id", "", "", "", "", "hostlist ip"])).expect("metadata");
        assert!(bare.contains("<parameter name=\"ip\" required=\"1\">"));
        assert!(
            metadata("external/x", &answers(["", "", "", "", "", ""]))
                .expect_err("nothing")
                .contains("nothing")
        );
        assert!(metadata("external/x", &answers(["id", "", "", "", "garbage", "a"])).is_err());
        assert!(metadata("external/x", "garbage").is_err());
    }
}
