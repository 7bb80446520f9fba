//! What an applet prints, as text or as Pacemaker's XML, and the exit statuses of Pacemaker's tools.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hafen_client::{CTIME, Client, ClientError, SOCKET_PATH, SOCKET_VARIABLE};

use super::options::{Given, OUTPUT_AS, OUTPUT_TO, Spec};
use hafen_lab::{Lab, Layout};

/// The name of the standard input on a command line.
pub(super) const STANDARD_INPUT: &str = "-";

/// The content of a file that is named on the command line; `-` is the standard input.
pub(super) fn input(file: &str) -> std::io::Result<Vec<u8>> {
    if file != STANDARD_INPUT {
        return std::fs::read(file);
    }
    let mut content = Vec::new();
    std::io::stdin().lock().read_to_end(&mut content)?;
    Ok(content)
}

/// The version of Pacemaker whose tools these stand in for.
pub(super) const VERSION: &str = "3.0.0";
/// The version of the XML that they print.
const API_VERSION: &str = "2.38";
/// How long a daemon may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Pacemaker's exit statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrmExit {
    Ok = 0,
    Error = 1,
    InvalidParameter = 2,
    Unimplemented = 3,
    NoPermission = 4,
    NotInstalled = 5,
    NotConfigured = 6,
    NotRunning = 7,
    Promoted = 8,
    PromotedFailed = 9,
    Usage = 64,
    DataError = 65,
    Software = 70,
    NoHost = 68,
    CannotCreate = 73,
    Temporary = 75,
    Protocol = 76,
    Configuration = 78,
    Disconnected = 102,
    Old = 103,
    NoSuchObject = 105,
    NoQuorum = 106,
    Unsafe = 107,
    Exists = 108,
    Multiple = 109,
    Expired = 110,
    NotYet = 111,
    NotNow = 113,
    Timeout = 124,
}

impl CrmExit {
    /// The status of an agent as a tool's.
    pub(super) fn of_agent(rc: u8) -> Self {
        let all = [
            Self::Ok,
            Self::InvalidParameter,
            Self::Unimplemented,
            Self::NoPermission,
            Self::NotInstalled,
            Self::NotConfigured,
            Self::NotRunning,
            Self::Promoted,
            Self::PromotedFailed,
        ];
        all.into_iter().find(|exit| *exit as u8 == rc).unwrap_or(Self::Error)
    }

    /// The words that Pacemaker's XML has for it.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::NotInstalled => "Not installed",
            Self::NotRunning => "Not running",
            Self::Promoted => "Promoted",
            Self::PromotedFailed => "Failed in promoted role",
            Self::NotNow => "Not applicable under current conditions",
            Self::Ok => "OK",
            Self::Error => "Error occurred",
            Self::Unimplemented => "Unimplemented",
            Self::NoPermission => "Insufficient privileges",
            Self::NotConfigured => "Not configured",
            Self::Usage => "Incorrect usage",
            Self::DataError => "Invalid data given",
            Self::Software => "Internal software bug",
            Self::NoHost => "Host does not exist",
            Self::CannotCreate => "Cannot create output file",
            Self::Temporary => "Temporary failure, try again",
            Self::Protocol => "Protocol violated",
            Self::Configuration => "Invalid configuration",
            Self::Disconnected => "Not connected",
            Self::Old => "Update was older than existing configuration",
            Self::NoSuchObject => "No such object",
            Self::NoQuorum => "Quorum required",
            Self::Unsafe => "Operation not safe",
            Self::Exists => "Requested item already exists",
            Self::Multiple => "Multiple items match request",
            Self::InvalidParameter => "Invalid parameter",
            Self::Expired => "Requested item has expired",
            Self::NotYet => "Requested item is not yet in effect",
            Self::Timeout => "Timeout occurred",
        }
    }
}

/// Why an applet failed: the text after `NAME: ` and the exit status. Without a text only the status says it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) text: Option<String>,
    pub(super) exit: CrmExit,
    /// What is said before, without `NAME: `.
    pub(super) notes: Vec<String>,
    /// What is printed all the same.
    pub(super) printed: Printed,
    /// Whose text it is, where an applet does its work by another one.
    pub(super) of: Option<&'static str>,
}

impl Failed {
    /// Only the exit status says it.
    pub(super) fn silent(exit: CrmExit) -> Self {
        Self { text: None, exit, notes: Vec::new(), printed: Printed::default(), of: None }
    }

    /// The same, said by another applet.
    pub(super) fn of(self, name: &'static str) -> Self {
        Self { of: Some(name), ..self }
    }

    pub(super) fn new(exit: CrmExit, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::silent(exit) }
    }

    /// All that is said, a text each.
    pub(super) fn complaints(&self, applet: &str) -> Vec<String> {
        let text = self.text.iter().map(|text| format!("{}: {text}", self.of.unwrap_or(applet)));
        self.notes.iter().cloned().chain(text).collect()
    }

    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(CrmExit::Usage, text)
    }
}

/// A request to the daemon failed. Nobody listening is told in Pacemaker's words, for `what` (`attribute manager`).
pub(super) fn failed_request(what: &str, error: &ClientError) -> Failed {
    let exit = match error.kind() {
        "no-daemon" => {
            let reason = match error {
                ClientError::Connect { source, .. }
                    if source.kind() == std::io::ErrorKind::PermissionDenied =>
                {
                    "Permission denied"
                }
                _ => "Connection refused",
            };
            return Failed::new(CrmExit::Disconnected, format!("Could not connect to {what}: {reason}"));
        }
        "permission" => CrmExit::NoPermission,
        "no-quorum" => CrmExit::NoQuorum,
        "timeout" => CrmExit::Timeout,
        "no-coordinator" | "unknown-outcome" => CrmExit::Temporary,
        "not-found" => CrmExit::NoSuchObject,
        "exists" => CrmExit::Exists,
        "invalid" => CrmExit::DataError,
        "version" => CrmExit::Protocol,
        _ => CrmExit::Error,
    };
    Failed::new(exit, error.to_string())
}

/// Connects to this host's daemon; where a user calls and none runs, to the first host of the lab that answers.
pub(super) fn connect() -> Result<Client, ClientError> {
    if let Some(path) = std::env::var_os(SOCKET_VARIABLE) {
        return Client::connect(path.as_ref(), TIMEOUT);
    }
    let own = Path::new(SOCKET_PATH);
    // An agent's cluster is always its host's own.
    let is_agent = std::env::var_os("OCF_RESOURCE_INSTANCE").is_some();
    if !own.exists()
        && !is_agent
        && let Some(client) = any_of_lab()
    {
        return Ok(client);
    }
    Client::connect(own, TIMEOUT)
}

/// Connects to the daemon whose socket that is.
pub(super) fn connect_at(socket: &Path) -> Result<Client, ClientError> {
    Client::connect(socket, TIMEOUT)
}

/// Connects to this host's daemon; where [`connect`] would take one of a lab, to all of the lab that answer.
pub(super) fn connect_all() -> Result<Vec<Client>, ClientError> {
    let first = connect()?;
    if std::env::var_os(SOCKET_VARIABLE).is_some() || first.path() == Path::new(SOCKET_PATH) {
        return Ok(vec![first]);
    }
    let layout = Layout::chosen(None);
    let lab = layout.spec().exists().then(|| Lab::open(&layout).ok()).flatten();
    let Some(lab) = lab else { return Ok(vec![first]) };
    Ok(lab.spec().hosts.iter().filter_map(|host| lab.client(&host.name, TIMEOUT).ok()).collect())
}

/// The first host of the lab that answers, if there is a lab.
fn any_of_lab() -> Option<Client> {
    let layout = Layout::chosen(None);
    if !layout.spec().exists() {
        return None;
    }
    Some(Lab::open(&layout).ok()?.any_client(TIMEOUT).ok()?.1)
}

/// What the system said, in its own words alone.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Who asks, for the record of changes.
pub(super) fn origin(applet: &str) -> String {
    match std::env::var("OCF_RESOURCE_INSTANCE") {
        Ok(resource) if !resource.is_empty() => format!("agent of {resource}: {applet}"),
        _ => {
            let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
            format!("{}: {applet}", user.unwrap_or_else(|_| "root".to_owned()))
        }
    }
}

/// What is printed: lines of text, and elements of XML for the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) xml: String,
}

impl Printed {
    /// Adds what another call prints.
    pub(super) fn append(&mut self, other: Printed) {
        self.text += &other.text;
        self.xml += &other.xml;
    }

    /// Adds a line and an element.
    pub(super) fn add(&mut self, text: &str, xml: &str) {
        self.text += text;
        self.text.push('\n');
        for line in xml.lines() {
            self.xml += &format!("  {line}\n");
        }
    }
}

/// Lines of XML in an element of their own.
pub(super) fn within(name: &str, xml: &str) -> String {
    let inner: String = xml.lines().map(|line| format!("  {line}\n")).collect();
    format!("<{name}>\n{inner}</{name}>")
}

/// A moment as the C library's `ctime` writes it, in local time.
pub(super) fn date(seconds: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::system());
    Some(moment.strftime(CTIME).to_string())
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A moment as Pacemaker's XML has it, in UTC.
pub(super) fn moment(seconds: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?;
    Some(moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// What becomes of work that waits for processes.
pub(super) fn waited<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let failed = |error| Failed::new(CrmExit::Error, reason(&error));
    Ok(runtime.map_err(failed)?.block_on(work))
}

/// This executable as `hafen`, whichever tool's name this process was started by.
pub(super) fn hafen() -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0("hafen");
    Ok(command)
}

/// Text for an element's content in XML and HTML.
pub(super) fn content(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text for an attribute's value in XML.
pub(super) fn escaped(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;")
}

/// Runs an applet: takes its command line apart, answers `--help` and `--version`, and prints what `act` returns.
pub(super) fn run(
    spec: &Spec,
    words: &[String],
    act: impl FnOnce(&Given) -> Result<Printed, Failed>,
) -> ExitCode {
    run_as(spec, CrmExit::Usage, words, act)
}

/// The same for an applet that exits with another status where its command line is wrong.
pub(super) fn run_as(
    spec: &Spec,
    usage: CrmExit,
    words: &[String],
    act: impl FnOnce(&Given) -> Result<Printed, Failed>,
) -> ExitCode {
    let given = match spec.parse(words) {
        Ok(given) => given,
        Err(text) => {
            eprintln!("{}: {text}", spec.name);
            return ExitCode::from(usage as u8);
        }
    };
    if given.asks_for_help() {
        out!("{}", spec.help());
        return ExitCode::SUCCESS;
    }
    if given.has('$') {
        outln!("Pacemaker {VERSION}\nHafen {} stands in for it", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let format = given.value(&[OUTPUT_AS]).unwrap_or("text");
    if !["text", "xml", "none"].contains(&format) {
        eprintln!("{}: Error creating output format {format}: Unknown output format", spec.name);
        return ExitCode::from(CrmExit::Error as u8);
    }
    let outcome = act(&given);
    let exit = outcome.as_ref().map_or_else(|failed| failed.exit, |_| CrmExit::Ok);
    let text = match (format, &outcome) {
        ("xml", _) => xml(spec.name, words, &outcome, exit),
        ("text", Ok(printed)) => printed.text.clone(),
        ("text", Err(failed)) => failed.printed.text.clone(),
        _ => String::new(),
    };
    if let (true, Err(failed)) = (format != "xml", &outcome) {
        failed.complaints(spec.name).iter().for_each(|complaint| eprintln!("{complaint}"));
    }
    match write(&given, &text) {
        Ok(()) => ExitCode::from(exit as u8),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(exit as u8),
        Err(error) => {
            let target = given.value(&[OUTPUT_TO]).unwrap_or("standard output");
            eprintln!("{}: cannot write to {target}: {error}", spec.name);
            ExitCode::from(CrmExit::CannotCreate as u8)
        }
    }
}

pub(super) fn write(given: &Given, text: &str) -> std::io::Result<()> {
    match given.value(&[OUTPUT_TO]) {
        Some(file) if file != "-" => std::fs::write(file, text),
        _ => std::io::stdout().lock().write_all(text.as_bytes()),
    }
}

pub(super) fn xml(name: &str, words: &[String], outcome: &Result<Printed, Failed>, exit: CrmExit) -> String {
    // As a shell would take them.
    let quoted = |word: &String| match word.contains(' ') {
        true => format!("'{word}'"),
        false => word.clone(),
    };
    let request = std::iter::once(name.to_owned()).chain(words.iter().map(quoted));
    let request = escaped(&request.collect::<Vec<_>>().join(" "));
    let mut xml = format!("<pacemaker-result api-version=\"{API_VERSION}\" request=\"{request}\">\n");
    let mut errors = String::new();
    match outcome {
        Ok(printed) => xml += &printed.xml,
        Err(failed) => {
            xml += &failed.printed.xml;
            for text in failed.complaints(name) {
                let text = text.replace('&', "&amp;").replace('<', "&lt;");
                errors += &format!("      <error>{text}</error>\n");
            }
        }
    }
    if !errors.is_empty() {
        errors = format!("    <errors>\n{errors}    </errors>\n");
    }
    let status = format!("  <status code=\"{}\" message=\"{}\"", exit as u8, exit.message());
    xml += &match errors.as_str() {
        "" => format!("{status}/>\n"),
        errors => format!("{status}>\n{errors}  </status>\n"),
    };
    xml + "</pacemaker-result>\n"
}
