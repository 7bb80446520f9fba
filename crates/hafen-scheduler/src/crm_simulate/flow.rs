//! From the command line to the exit status.

use hafen_cib::Cib;

use super::arguments::{Arguments, Format, Source};
use super::injections::{self, KnownAgents};
use super::out::Out;
use super::playing::{self, Settings};
use super::reading::{accept, read};
use super::{ReadError, Shell, exit, help};
use crate::date;
use crate::model::Cluster;
use crate::output::{self, status::StatusOptions};
use crate::plan::Plan;
use crate::run::{self, Options};

/// Runs the program; gives its exit status.
pub fn main<I: IntoIterator<Item = String>>(words: I, shell: &mut dyn Shell) -> u8 {
    let arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            shell.complain(&format!("crm_simulate: {error}"));
            return exit::USAGE;
        }
    };
    for remark in &arguments.remarks {
        shell.complain(remark);
    }
    if let Some(inquiry) = arguments.inquiry {
        shell.print(&help::answer(inquiry));
        return exit::OK;
    }
    let Some(format) = arguments.format() else {
        let name = arguments.output_as.as_deref().unwrap_or_default();
        shell.complain(&format!("Error creating output format {name}: Unknown output format"));
        return exit::NO_SUCH_OBJECT;
    };
    let target = arguments.output_to.as_deref().filter(|target| *target != "-");
    if let Some(target) = target
        && let Err(error) = shell.write(target, "")
    {
        let name = arguments.output_as.as_deref().unwrap_or("(null)");
        shell.complain(&format!("Error creating output format {name}: {error}"));
        return exit::NO_SUCH_OBJECT;
    }
    let mut out = Out::new(format, arguments.quiet, &arguments.request);
    let status = match &arguments.profile {
        Some(folder) => profile(&arguments, folder, shell, &mut out),
        None => simulate(&arguments, shell, &mut out),
    };
    let text = out.finish(status);
    match target {
        Some(target) => {
            if let Err(error) = shell.write(target, &text) {
                shell.complain(&format!("crm_simulate: Could not write '{target}': {error}"));
                return exit::IO_ERROR;
            }
        }
        None => shell.print(&text),
    }
    status
}

/// Times the planning for each CIB of a folder.
fn profile(arguments: &Arguments, folder: &str, shell: &mut dyn Shell, out: &mut Out) -> u8 {
    let files = shell.folder(folder);
    out.line(format_args!("Timings:"));
    out.start("timings", &[]);
    for file in files {
        let Ok(cib) = read(&Source::File(file.clone()), shell, &mut Vec::new()) else { continue };
        let now = now(arguments, &cib, shell.now());
        let start = shell.processor_seconds();
        for _ in 0..arguments.repeat.max(1) {
            let options = options(arguments);
            let _ = run::report(&cib, now, options);
        }
        let spent = format!("{:.2}", (shell.processor_seconds() - start).max(0.0));
        out.item(format_args!("Testing {file} ... {spent} secs"));
        out.element("timing", &[("file", &file), ("duration", &spent)]);
    }
    out.end();
    exit::OK
}

fn options(arguments: &Arguments) -> Options {
    Options {
        sanitized: true,
        scores: arguments.show_scores,
        utilization: arguments.show_utilization,
        ..Options::default()
    }
}

/// The time for which is planned.
fn now(arguments: &Arguments, cib: &Cib, clock: u64) -> u64 {
    let given = arguments.date.as_deref().map(|date| date::parse(date, seconds(clock)));
    let seconds = match given {
        Some(date) => date.and_then(|date| u64::try_from(date).ok()),
        None => cib.root().attribute("execution-date").and_then(|text| text.trim().parse().ok()),
    };
    seconds.unwrap_or(clock)
}

fn simulate(arguments: &Arguments, shell: &mut dyn Shell, out: &mut Out) -> u8 {
    let mut complaints = Vec::new();
    let read = read(&arguments.source, shell, &mut complaints);
    for complaint in complaints {
        shell.complain(&complaint);
    }
    let mut cib = match read {
        Ok(cib) => cib,
        Err(status) => return status,
    };
    let target = match &arguments.source {
        Source::File(file) if arguments.in_place => Some(file.as_str()),
        _ => arguments.save_output.as_deref(),
    };
    if let Some(target) = target
        && let Err(error) = shell.write(target, &cib.to_xml())
    {
        shell.complain(&format!("crm_simulate: Could not create '{target}': {error}"));
        return exit::NO_SUCH_OBJECT;
    }
    let status = Flow { arguments, shell, out }.run(&mut cib);
    if let Some(target) = target
        && let Err(error) = shell.write(target, &cib.to_xml())
    {
        shell.complain(&format!("crm_simulate: Could not create '{target}': {error}"));
        return exit::NO_SUCH_OBJECT;
    }
    status
}

struct Flow<'a> {
    arguments: &'a Arguments,
    shell: &'a mut dyn Shell,
    out: &'a mut Out,
}

impl Flow<'_> {
    fn run(&mut self, cib: &mut Cib) -> u8 {
        match self.try_run(cib) {
            Ok(status) | Err(status) => status,
        }
    }

    /// Gives the exit status, as an error where the program ends early.
    fn try_run(&mut self, cib: &mut Cib) -> Result<u8, u8> {
        let clock = self.shell.now();
        let now = now(self.arguments, cib, clock);
        self.say_date(cib, now);
        let injecting = !self.arguments.injections.is_empty();
        let planned = {
            let cluster = run::unpack(cib, seconds(now), options(self.arguments));
            self.say_status(&cluster, false);
            if injecting {
                Err(KnownAgents::of(&self.arguments.injections, &cluster))
            } else {
                self.save_input(cib)?;
                Ok(self.plan(cluster, now)?)
            }
        };
        let planned = match planned {
            Ok(planned) => planned,
            Err(agents) => {
                self.inject(&agents, cib, clock)?;
                self.say_date(cib, now);
                let cluster = run::unpack(cib, seconds(now), options(self.arguments));
                self.save_input(cib)?;
                self.plan(cluster, now)?
            }
        };
        let Some((plan, names)) = planned.filter(|_| self.arguments.simulate) else { return Ok(exit::OK) };
        self.out.spacer();
        let settings = Settings { failing: &self.arguments.failing, names: &names, now: clock };
        let shell = &mut *self.shell;
        let played = playing::play(&plan, &settings, cib, self.out, &mut |line| shell.complain(line));
        drop(plan);
        if !self.is_silent() {
            self.say_date(cib, now);
            self.out.spacer();
            let cluster = run::unpack(cib, seconds(now), options(self.arguments));
            self.say_status(&cluster, true);
        }
        Ok(if played { exit::OK } else { exit::ERROR })
    }

    /// Whether only what was asked for is printed.
    fn is_silent(&self) -> bool {
        self.out.quiet || self.out.format == Format::None
    }

    fn say_date(&mut self, cib: &Cib, now: u64) {
        if self.is_silent() {
            return;
        }
        if let Some(date) = &self.arguments.date {
            self.out.line(format_args!("Setting effective cluster time: {date}"));
        } else if cib.root().attribute("execution-date").is_some() {
            let date = date::Fields::of(seconds(now));
            self.out.line(format_args!(
                "Using the original execution date of: {:04}-{:02}-{:02} {:02}:{:02}:{:02}Z",
                date.year, date.month, date.monthday, date.hour, date.minute, date.second
            ));
        }
    }

    fn say_status(&mut self, cluster: &Cluster<'_>, revised: bool) {
        let Some(format) = self.told_format() else { return };
        if !revised {
            self.out.raw(format_args!("{}", cluster.status_preface()));
        }
        let status = cluster.status(StatusOptions {
            format,
            revised,
            attributes: self.arguments.show_attributes,
            fail_counts: self.arguments.show_failcounts,
        });
        self.say_section(&status);
    }

    /// In which format state and summary are told, if they are.
    fn told_format(&self) -> Option<output::Format> {
        match self.out.format {
            _ if self.is_silent() => None,
            Format::Text => Some(output::Format::Text),
            Format::Xml => Some(output::Format::Xml),
            Format::None => None,
        }
    }

    fn say_section(&mut self, section: &str) {
        self.out.raw(format_args!("{section}"));
        self.out.elements(section);
    }

    fn save_input(&mut self, cib: &Cib) -> Result<(), u8> {
        let Some(file) = &self.arguments.save_input else { return Ok(()) };
        self.shell.write(file, &cib.to_xml()).map_err(|error| {
            self.shell.complain(&format!("crm_simulate: Could not create '{file}': {error}"));
            exit::NO_SUCH_OBJECT
        })
    }

    fn inject(&mut self, agents: &KnownAgents, cib: &mut Cib, clock: u64) -> Result<(), u8> {
        self.out.spacer();
        let (shell, injections) = (&mut *self.shell, &self.arguments.injections);
        let mut complain = |line: &str| shell.complain(line);
        let done = injections::inject(injections, agents, cib, clock, self.out, &mut complain);
        done.map_err(|refused| {
            self.shell.complain(&format!("crm_simulate: {}", refused.message));
            self.out.remember_error(&refused.message);
            refused.status
        })
    }

    /// Plans, where that is asked for, and tells about it.
    fn plan(
        &mut self,
        mut cluster: Cluster<'_>,
        now: u64,
    ) -> Result<Option<(Plan, std::collections::BTreeSet<String>)>, u8> {
        if !self.arguments.process {
            return Ok(None);
        }
        cluster.run_all();
        self.say_scores(&cluster);
        let plan = cluster.build_plan();
        if self.arguments.verbose > 0 {
            for warning in &plan.warnings {
                self.shell.complain(&format!("warning: {warning}"));
            }
        }
        let arguments = self.arguments;
        if let Some(file) = &arguments.save_graph {
            let recheck_by = plan.recheck_after.map(|after| now + after);
            self.write_or_fail(file, &plan.to_graph_xml(1, recheck_by))?;
        }
        if let Some(file) = &arguments.save_dot {
            let dot = cluster.to_dot(arguments.all_actions);
            self.write_or_fail(file, &dot)?;
        }
        if let Some(format) = self.told_format() {
            self.out.spacer();
            self.say_section(&cluster.transition_summary(format));
        }
        let names = if arguments.simulate { playing::known_names(&cluster) } else { Default::default() };
        Ok(Some((plan, names)))
    }

    fn say_scores(&mut self, cluster: &Cluster<'_>) {
        let (scores, utilization) = (self.arguments.show_scores, self.arguments.show_utilization);
        let (title, element) = match (scores, utilization) {
            (false, false) => return,
            (true, false) => ("Assignment Scores", "allocations"),
            (false, true) => ("Utilization Information", "utilizations"),
            (true, true) => ("Assignment Scores and Utilization Information", "allocations_utilizations"),
        };
        if !self.out.quiet {
            self.out.spacer();
            self.out.line(format_args!("{title}:"));
        }
        self.out.start(element, &[]);
        for row in &cluster.score_rows {
            if self.out.quiet {
                self.out.raw(format_args!("{row}\n"));
            } else {
                self.out.item(format_args!("{row}"));
            }
            self.out.elements(&row.to_xml());
        }
        self.out.end();
    }

    fn write_or_fail(&mut self, file: &str, content: &str) -> Result<(), u8> {
        self.shell.write(file, content).map_err(|error| {
            self.shell.complain(&format!("crm_simulate: Could not create '{file}': {error}"));
            exit::IO_ERROR
        })
    }
}

fn seconds(now: u64) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// What a run in memory prints and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status.
    pub status: u8,
    /// Standard output.
    pub text: String,
    /// Standard error.
    pub complaints: Vec<String>,
    /// The graph, as for `-G`.
    pub graph: String,
    /// The graph, as for `-D`.
    pub dot: String,
    /// The CIB that was planned for, as for `-I`.
    pub input: String,
    /// The CIB that the plan leads to, as for `-O`.
    pub output: String,
}

/// The names of the files of a run in memory.
const MEMORY_FILES: [&str; 4] = ["graph", "dot", "input", "output"];

struct Memory<'a> {
    outcome: &'a mut Outcome,
    now: u64,
}

impl Shell for Memory<'_> {
    fn read(&mut self, _: &Source) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::Unreadable("there are no files in memory".to_owned()))
    }

    fn write(&mut self, file: &str, content: &str) -> Result<(), String> {
        let target = match MEMORY_FILES.iter().position(|name| *name == file) {
            Some(0) => &mut self.outcome.graph,
            Some(1) => &mut self.outcome.dot,
            Some(2) => &mut self.outcome.input,
            Some(3) => &mut self.outcome.output,
            _ => return Err("there are no files in memory".to_owned()),
        };
        content.clone_into(target);
        Ok(())
    }

    fn folder(&mut self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn print(&mut self, text: &str) {
        self.outcome.text.push_str(text);
    }

    fn complain(&mut self, line: &str) {
        self.outcome.complaints.push(line.to_owned());
    }

    fn now(&mut self) -> u64 {
        self.now
    }

    fn processor_seconds(&mut self) -> f64 {
        0.0
    }
}

/// Runs on a CIB in memory, writing no files: all of them are in the outcome. `now` is in seconds since 1970.
#[must_use]
pub fn run(arguments: &Arguments, cib: &Cib, now: u64) -> Outcome {
    let [graph, dot, input, output] = MEMORY_FILES.map(|name| Some(name.to_owned()));
    let arguments = Arguments {
        save_graph: graph,
        save_dot: dot,
        save_input: input,
        save_output: output,
        process: true,
        ..arguments.clone()
    };
    let mut cib = cib.clone();
    let mut complaints = Vec::new();
    if let Err(status) = accept(&mut cib, &mut complaints) {
        return Outcome { status, complaints, ..Outcome::default() };
    }
    let mut out = Out::new(arguments.format().unwrap_or_default(), arguments.quiet, &arguments.request);
    let mut outcome = Outcome { complaints, ..Outcome::default() };
    let mut shell = Memory { outcome: &mut outcome, now };
    let status = Flow { arguments: &arguments, shell: &mut shell, out: &mut out }.run(&mut cib);
    outcome.status = status;
    outcome.text = out.finish(status);
    outcome.output = cib.to_xml();
    outcome
}
