//! `crm_mon`: the state of the cluster, once or again and again. How it looks is the scheduler's business.

mod html;
mod sections;

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use hafen_cib::Cib;
use hafen_protocol::client::{FenceOutcome, FenceRecord};
use hafen_scheduler::{MonitorView, Sections, leftovers_section};
use hafen_screen::View;

use super::crm_node::own_host;
use super::options::{Given, OUTPUT_AS, OUTPUT_TO, Operand, OptionSpec, Spec, flag, valued};
use super::output::{self, CrmExit, Failed, Printed};
use super::screen;
use super::source::{self, Source};
use super::stonith_admin::history;

/// Letters of options that have none.
pub(super) const NODE: char = '\u{10}';
pub(super) const RESOURCE: char = '\u{11}';
const DESCRIPTION: char = '\u{12}';
pub(super) const HTML_CGI: char = '\u{13}';
pub(super) const HTML_TITLE: char = '\u{14}';
pub(super) const HTML_STYLE: char = '\u{15}';
/// Set for the process that goes on in the background.
const IN_BACKGROUND: &str = "HAFEN_CRM_MON_IN_BACKGROUND";
/// How often the state is shown anew.
const INTERVAL_MS: u64 = 5000;

const SPEC: Spec = Spec {
    name: "crm_mon",
    about: "Shows the state of the cluster",
    options: &[
        flag('1', "one-shot", "Show it once"),
        valued('i', "interval", "TIME", "Show it every so often (5s)"),
        flag('n', "group-by-node", "Resources below their nodes"),
        flag('r', "inactive", "Resources that do not run, too"),
        flag('f', "failcounts", "Failure counts"),
        flag('o', "operations", "What agents did"),
        flag('t', "timing-details", "What agents did, when, and for how long"),
        flag('c', "tickets", "Tickets"),
        OptionSpec {
            letter: 'm',
            name: "fence-history",
            operand: Operand::Optional("LEVEL"),
            help: "Fencings: 0 none, 1 failed and pending, 2 successful too, 3 all",
        },
        OptionSpec {
            letter: 'L',
            name: "neg-locations",
            operand: Operand::Optional("PREFIX"),
            help: "Constraints that keep resources from nodes",
        },
        flag('A', "show-node-attributes", "Attributes of nodes"),
        flag('D', "hide-headers", "No summary"),
        flag('R', "show-detail", "More details"),
        flag(DESCRIPTION, "show-description", "Descriptions of resources"),
        flag('b', "brief", "Counts instead of names"),
        valued('I', "include", "SECTIONS", "Show these sections, too"),
        valued('U', "exclude", "SECTIONS", "Leave out these sections"),
        valued(NODE, "node", "NAME", "Only this node, or those with this tag"),
        valued(RESOURCE, "resource", "ID", "Only this resource, or those with this tag"),
        flag('d', "daemonize", "Go on in the background (needs --output-to)"),
        valued('p', "pid-file", "FILE", "Where the number of that process is written"),
        valued('E', "external-agent", "FILE", "A program that is told of events (not supported: use alerts)"),
        valued('e', "external-recipient", "TEXT", "What that program gets"),
        flag('W', "watch-fencing", "Fencings are events, too (not supported)"),
        flag('X', "as-xml", "The XML of old versions"),
        flag(HTML_CGI, "html-cgi", "Begin with the headers of an answer to a browser"),
        valued(HTML_STYLE, "html-stylesheet", "URI", "A stylesheet of one's own"),
        valued(HTML_TITLE, "html-title", "TITLE", "The page's title"),
        flag('Q', "quiet", "Say less"),
    ],
    examples: "Examples:\n  crm_mon -1\n  crm_mon -1 -n -r\n  crm_mon --output-as=xml",
};

/// In which form it is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Html,
    Xml,
    OldXml,
    None,
}

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    let given = match SPEC.parse(words) {
        Ok(given) => given,
        Err(text) => return complain(&Failed::usage(text)),
    };
    if given.asks_for_help() || given.has('$') {
        return output::run(&SPEC, words, |_| Ok(Printed::default()));
    }
    match watch(&given, words) {
        Ok(exit) => exit,
        Err(failed) => complain(&failed),
    }
}

fn complain(failed: &Failed) -> ExitCode {
    failed.complaints(SPEC.name).iter().for_each(|complaint| eprintln!("{complaint}"));
    ExitCode::from(failed.exit as u8)
}

fn form(given: &Given) -> Result<Form, Failed> {
    if given.has('X') {
        return Ok(Form::OldXml);
    }
    Ok(match given.value(&[OUTPUT_AS]).unwrap_or("console") {
        "text" | "console" => Form::Text,
        "html" => Form::Html,
        "xml" => Form::Xml,
        "none" => Form::None,
        other => {
            let text = format!("Error creating output format {other}: Unknown output format");
            return Err(Failed::new(CrmExit::Error, text));
        }
    })
}

fn interval(given: &Given) -> Result<u64, Failed> {
    let Some(text) = given.value(&['i']) else { return Ok(INTERVAL_MS) };
    hafen_cib::values::parse_duration_ms(text)
        .filter(|interval| *interval > 0)
        .ok_or_else(|| Failed::usage(format!("Invalid value for -i: {text}")))
}

fn watch(given: &Given, words: &[String]) -> Result<ExitCode, Failed> {
    if given.has('E') {
        let text = "programs are told of events by alerts of the configuration, not by --external-agent";
        return Err(Failed::new(CrmExit::Unimplemented, text));
    }
    if given.has('W') || given.has('e') {
        let text =
            "-W and -e go with --external-agent, which is not supported: use alerts of the configuration";
        return Err(Failed::new(CrmExit::Unimplemented, text));
    }
    let form = form(given)?;
    let asked = asked(given, form).and_then(|asked| Ok((asked, interval(given)?)));
    let (asked, interval) = match asked {
        Ok(asked) => asked,
        Err(failed) if form == Form::Xml => {
            let exit = failed.exit;
            out!("{}", output::xml(SPEC.name, words, &Err(failed), exit));
            return Ok(ExitCode::from(exit as u8));
        }
        Err(failed) => return Err(failed),
    };
    let without_end = matches!(form, Form::Text | Form::Html) || given.has('d');
    let once = given.has('1') || source::file().is_some() || !without_end;
    if given.has('d') && !once && std::env::var_os(IN_BACKGROUND).is_none() {
        if given.value(&[OUTPUT_TO]).is_none_or(|file| file == output::STANDARD_INPUT) {
            return Err(Failed::usage(
                "--daemonize requires at least one of --output-to (with value not set to '-') and \
                 --external-agent",
            ));
        }
        return go_to_background(given, words);
    }
    if form == Form::Text && !once && shows_on_screen(given) {
        return on_screen(given, interval);
    }
    let mut seen = false;
    loop {
        let outcome = draw(form, &asked);
        seen |= outcome.is_ok();
        let exit = outcome.as_ref().map_or_else(|failed| failed.exit, |_| CrmExit::Ok);
        let text = match (form, outcome) {
            (Form::Xml, outcome) => output::xml(SPEC.name, words, &outcome, exit),
            (Form::OldXml, Ok(printed)) => {
                format!("<crm_mon version=\"{}\">\n{}</crm_mon>\n", output::VERSION, printed.xml)
            }
            (Form::Html, Ok(printed)) => html::page(&printed.text, given),
            (Form::Text, Ok(printed)) => printed.text,
            (Form::None, Ok(_)) => String::new(),
            (_, Err(failed)) if !seen => return Err(failed),
            // A cluster that was there may come back.
            (_, Err(failed)) => failed.complaints(SPEC.name).join("\n") + "\n",
        };
        let written = output::write(given, &text);
        if once || !seen || written.is_err() {
            return Ok(ExitCode::from(if written.is_err() { CrmExit::CannotCreate } else { exit } as u8));
        }
        std::thread::sleep(Duration::from_millis(interval));
    }
}

/// Whether the screen is what is asked for: there is a terminal, and no switch asks for what the screen does not have.
fn shows_on_screen(given: &Given) -> bool {
    const TEXT_ALONE: [char; 15] =
        ['d', 'f', 'o', 't', 'c', 'L', 'A', 'D', 'R', DESCRIPTION, 'b', 'I', 'U', 'Q', OUTPUT_TO];
    given.last(&TEXT_ALONE).is_none() && screen::is_possible()
}

fn on_screen(given: &Given, interval: u64) -> Result<ExitCode, Failed> {
    // Where no daemon answers at all, that is said as ever.
    drop(Source::open().map_err(unreachable)?);
    let view = View {
        by_node: given.has('n'),
        with_idle: given.has('r'),
        filter: given.value(&[RESOURCE, NODE]).unwrap_or_default().to_owned(),
        begins_with_fencings: given.has('m'),
        ..View::default()
    };
    screen::run(
        || output::connect().map_err(|error| error.to_string()),
        view,
        Duration::from_millis(interval),
    )
    .map_err(|error| Failed::new(CrmExit::Error, error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn unreachable(failed: Failed) -> Failed {
    match failed.exit {
        CrmExit::Disconnected => Failed::new(failed.exit, "Connection to cluster failed: Connection refused"),
        _ => failed,
    }
}

/// Starts the same once more, in the background.
fn go_to_background(given: &Given, words: &[String]) -> Result<ExitCode, Failed> {
    use std::os::unix::process::CommandExt as _;
    let failed = |error: std::io::Error| Failed::new(CrmExit::Error, error.to_string());
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg0(SPEC.name).args(words).env(IN_BACKGROUND, "1").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(failed)?;
    if let Some(file) = given.value(&['p']) {
        std::fs::write(file, format!("{:>10}\n", child.id())).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be drawn.
struct Asked {
    view: MonitorView,
    /// Each fencing, also where a newer one was alike.
    every_fencing: bool,
}

fn asked(given: &Given, form: Form) -> Result<Asked, Failed> {
    let in_xml = matches!(form, Form::Xml | Form::OldXml);
    let chosen = sections::chosen(given, in_xml, form == Form::Html)?;
    let view = MonitorView {
        sections: chosen.sections,
        by_node: given.has('n'),
        inactive: given.has('r'),
        brief: given.has('b'),
        detail: given.has('R'),
        description: given.has(DESCRIPTION),
        timing: given.has('t'),
        html: form == Form::Html,
        ban_prefix: chosen.ban_prefix,
        node: given.value(&[NODE]).map(str::to_owned),
        resource: given.value(&[RESOURCE]).map(str::to_owned),
        now_words: String::new(),
        host: None,
    };
    Ok(Asked { view, every_fencing: chosen.every_fencing })
}

fn draw(form: Form, asked: &Asked) -> Result<Printed, Failed> {
    let mut source = Source::open().map_err(unreachable)?;
    let mut cib = source.cib(true)?;
    hafen_cib::upgrade::upgrade(&mut cib);
    let now = output::now();
    let seconds = i64::try_from(now).unwrap_or(i64::MAX);
    let mut view = MonitorView { now_words: output::date(seconds).unwrap_or_default(), ..asked.view.clone() };
    let mut records = Vec::new();
    if let Some(client) = source.daemon() {
        view.host = Some(own_host(client)?.name);
        let fencing =
            Sections::FENCING_FAILED.with(Sections::FENCING_PENDING).with(Sections::FENCING_SUCCEEDED);
        if view.sections.has(fencing) {
            records = client.fence_history(None).map_err(|error| output::failed_request("fencer", &error))?;
        }
    }
    let mut printed = Printed::default();
    if matches!(form, Form::Xml | Form::OldXml) {
        let xml = view.xml(&cib, now, &fencing_xml(&records, &view));
        printed.xml = xml.lines().map(|line| format!("  {line}\n")).collect();
    } else {
        printed.text = view.text(&cib, now, &fencing_text(&records, &view, asked.every_fencing));
        printed.text += &reminder(form, &view, &cib, now);
    }
    Ok(printed)
}

/// The state of a cluster as a CIB of that time has it, as `crm_mon -1 -r` prints it.
pub(super) fn text_of(cib: &hafen_cib::Cib, time: u64) -> String {
    let seconds = i64::try_from(time).unwrap_or(i64::MAX);
    let given = SPEC.parse(&["-1".to_owned(), "-r".to_owned()]).map_err(Failed::usage);
    let asked = given.and_then(|given| asked(&given, Form::Text));
    let view =
        asked.map(|asked| MonitorView { now_words: output::date(seconds).unwrap_or_default(), ..asked.view });
    view.map(|view| view.text(cib, time, "") + &reminder(Form::Text, &view, cib, time)).unwrap_or_default()
}

/// What moves left behind: said below all that Pacemaker's tool says, to people alone.
fn reminder(form: Form, view: &MonitorView, cib: &Cib, now: u64) -> String {
    if form != Form::Text || !view.sections.has(Sections::RESOURCES) {
        return String::new();
    }
    let section = leftovers_section(cib, now, view.resource.as_deref());
    if section.is_empty() { section } else { format!("\n{section}") }
}

/// The fencings that are shown, the newest first.
fn fencings<'a>(records: &'a [FenceRecord], view: &MonitorView) -> Vec<&'a FenceRecord> {
    let shown = history::shown(records, true, true).into_iter();
    let wanted = |record: &&FenceRecord| {
        view.sections.has(match record.outcome {
            FenceOutcome::Pending => Sections::FENCING_PENDING,
            FenceOutcome::Succeeded => Sections::FENCING_SUCCEEDED,
            _ => Sections::FENCING_FAILED,
        })
    };
    shown.filter(wanted).collect()
}

fn fencing_text(records: &[FenceRecord], view: &MonitorView, all: bool) -> String {
    let mut shown = fencings(records, view);
    if !all {
        shown = history::newest_of_each(shown);
    }
    let title = |words: &str| if view.html { format!("<h3>{words}</h3>\n") } else { format!("{words}:\n") };
    let words = |record: &FenceRecord| {
        let text = history::text(record, all);
        if view.html { output::content(&text) } else { text }
    };
    let list = |name: &str, chosen: &dyn Fn(&FenceRecord) -> bool| {
        let lines = shown.iter().copied().filter(|record| chosen(record));
        let lines: String = lines.map(|record| format!("  * {}\n", words(record))).collect();
        if lines.is_empty() { lines } else { title(name) + &lines }
    };
    let lists = if view.sections.has(Sections::FENCING_SUCCEEDED) {
        vec![list("Fencing History", &|_| true)]
    } else {
        let is_pending = |record: &FenceRecord| record.outcome == FenceOutcome::Pending;
        vec![
            list("Failed Fencing Actions", &|record| !is_pending(record)),
            list("Pending Fencing Actions", &is_pending),
        ]
    };
    lists.into_iter().filter(|list| !list.is_empty()).collect::<Vec<_>>().join("\n")
}

fn fencing_xml(records: &[FenceRecord], view: &MonitorView) -> String {
    let events: String =
        fencings(records, view).into_iter().map(|record| format!("  {}\n", history::xml(record))).collect();
    if events.is_empty() {
        events
    } else {
        format!("<fence_history status=\"0\">\n{events}</fence_history>\n")
    }
}
