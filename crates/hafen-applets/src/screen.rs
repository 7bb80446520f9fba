//! The full screen on a daemon: what `crm_mon` and `hafen status --watch` show on a terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use hafen_cib::Cib;
use hafen_client::Client;
use hafen_protocol::client::FailedOperation;
use hafen_scheduler::explain::explain;
use hafen_scheduler::preview;
use hafen_screen::{Events, Feed, Picture, failure_words};

pub use hafen_screen::View;

use super::crm::commit;
use super::crm_resource;
use super::output::{self, Failed};
use super::source::Source;

/// What a terminal calls itself that can do nothing.
const DUMB: &str = "dumb";

/// Whether there is a terminal to show a screen on, and to read keys from.
pub fn is_possible() -> bool {
    let is_able = std::env::var("TERM").is_ok_and(|name| !name.is_empty() && name != DUMB);
    is_able && io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Shows the screen until somebody quits. `connect` reaches a daemon, and is asked again when that one goes away.
///
/// # Errors
/// The terminal cannot be used.
pub fn run(
    connect: impl Fn() -> Result<Client, String> + Send + 'static,
    view: View,
    interval: Duration,
) -> io::Result<()> {
    let feed = Daemon { connect: Box::new(connect), source: None, seen: None };
    let view = View { offset_seconds: jiff::Zoned::now().offset().seconds(), ..view };
    hafen_screen::run(Box::new(feed), view, interval)
}

/// A daemon to look at, and to ask.
struct Daemon {
    connect: Box<dyn Fn() -> Result<Client, String> + Send>,
    source: Option<Source>,
    /// What was seen last: questions are about what is on the screen.
    seen: Option<Seen>,
}

struct Seen {
    cib: Cib,
    failed: Vec<FailedOperation>,
}

impl Daemon {
    fn connected(&mut self) -> Result<&mut Source, String> {
        let source = match self.source.take() {
            Some(source) => source,
            None => Source::Daemon(Box::new((self.connect)()?)),
        };
        Ok(self.source.insert(source))
    }

    fn seen(&self) -> Result<&Seen, String> {
        self.seen.as_ref().ok_or_else(|| "nothing has been seen of the cluster yet".to_owned())
    }

    fn try_look(&mut self) -> Result<Picture, String> {
        let source = self.connected()?;
        let client = source.daemon().ok_or("there is no daemon")?;
        let status = client.status().map_err(|error| error.to_string())?;
        // Who may not read the history is shown all else.
        let fencings = match client.fence_history(None) {
            Err(error) if error.kind() == "permission" => Vec::new(),
            answered => answered.map_err(|error| error.to_string())?,
        };
        let mut cib = source.cib(true).map_err(told)?;
        hafen_cib::upgrade::upgrade(&mut cib);
        let failed = status.failed_operations.clone();
        let picture = Picture::of(status, &cib, fencings, output::now());
        self.seen = Some(Seen { cib, failed });
        Ok(picture)
    }
}

/// Why something failed, in lines.
fn told(failed: Failed) -> String {
    let mut lines = failed.notes;
    lines.extend(failed.text);
    if lines.is_empty() { failed.exit.message().to_owned() } else { lines.join("\n") }
}

/// What changes a CIB leads to, or that nothing does.
fn consequences(before: &Cib, after: &Cib, nothing: &str) -> Vec<String> {
    let preview = preview(before, after, output::now());
    if preview.is_empty() { vec![nothing.to_owned()] } else { commit::lines(&preview) }
}

impl Feed for Daemon {
    fn look(&mut self) -> Result<Picture, String> {
        let seen = self.try_look();
        if seen.is_err() {
            self.source = None;
        }
        seen
    }

    fn events(&mut self) -> Result<Events, String> {
        let events = (self.connect)()?.events(None, true).map_err(|error| error.to_string())?;
        Ok(Box::new(events.map(|event| event.map_err(|error| error.to_string()))))
    }

    fn explain(&mut self, resource: &str) -> Result<String, String> {
        let explanation = explain(&self.seen()?.cib, output::now(), resource, None);
        explanation.map(|explanation| explanation.to_text()).map_err(|unknown| unknown.to_string())
    }

    fn preview_move(&mut self, resource: &str, host: &str) -> Result<Vec<String>, String> {
        let before = &self.seen()?.cib;
        let after = crm_resource::moved_to(before, resource, host).map_err(told)?;
        let nothing = format!("Nothing comes of it: {resource} stays where it is (e tells why).");
        let mut lines = consequences(before, &after, &nothing);
        lines.push(String::new());
        lines.push(format!(
            "It leaves a constraint behind, cli-prefer-{resource}, which holds {resource} to {host}"
        ));
        lines.push(format!("until `crm resource clear {resource}` takes it away."));
        Ok(lines)
    }

    fn make_move(&mut self, resource: &str, host: &str) -> Result<String, String> {
        let printed = crm_resource::move_to(self.connected()?, resource, host).map_err(told)?;
        Ok(format!("{}\n`crm resource clear {resource}` takes its constraint away.", printed.text.trim()))
    }

    fn preview_clean_up(&mut self, resource: &str) -> Result<Vec<String>, String> {
        let seen = self.seen()?;
        let (histories, after) = crm_resource::cleaned_up(&seen.cib, resource).map_err(told)?;
        let its = seen.failed.iter().filter(|failure| histories.contains(&failure.resource));
        let mut lines: Vec<String> =
            its.map(|failure| format!("It forgets: {}", failure_words(failure))).collect();
        if lines.is_empty() {
            lines.push(format!("No failure of {resource} is on record."));
        }
        lines.push(String::new());
        lines.extend(consequences(&seen.cib, &after, "Nothing else comes of it,"));
        lines.push("if the fresh look finds what is known now.".to_owned());
        Ok(lines)
    }

    fn clean_up(&mut self, resource: &str) -> Result<String, String> {
        crm_resource::clean_up(self.connected()?, resource).map_err(told)?;
        Ok("It is looked at afresh.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `vm` likes host2 best, failed to start there, was stopped, and runs on host1.
    fn daemon() -> Daemon {
        let operation = |id: &str, task: &str, rc: u8, call: u8| {
            format!(
                r#"<lrm_rsc_op id="{id}" operation_key="vm_{task}_0" operation="{task}" call-id="{call}" rc-code="{rc}"
                op-status="0" interval="0" last-rc-change="1" transition-key="1:1:0:00000000-0000-0000-0000-000000000001"
                transition-magic="0:{rc};1:1:0:00000000-0000-0000-0000-000000000001"/>"#
            )
        };
        let state = |id: u8, attributes: &str, operations: &str| {
            format!(
                r#"<node_state id="{id}" uname="host{id}" in_ccm="true" crmd="online" join="member" expected="member">
                <transient_attributes id="{id}"><instance_attributes id="t{id}">{attributes}</instance_attributes>
                </transient_attributes><lrm id="{id}"><lrm_resources><lrm_resource id="vm" class="ocf"
                provider="pacemaker" type="Dummy">{operations}</lrm_resource></lrm_resources></lrm></node_state>"#
            )
        };
        let count = r#"<nvpair id="f2" name="fail-count-vm#start_0" value="INFINITY"/>"#;
        let failed = operation("vm_last_0", "stop", 0, 4) + &operation("vm_last_failure_0", "start", 1, 3);
        let xml = format!(
            r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1" dc-uuid="1">
            <configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/>
            </cluster_property_set></crm_config><nodes><node id="1" uname="host1"/><node id="2" uname="host2"/></nodes>
            <resources><primitive id="vm" class="ocf" provider="pacemaker" type="Dummy"/></resources>
            <constraints><rsc_location id="l" rsc="vm" node="host2" score="100"/></constraints></configuration>
            <status>{}{}</status></cib>"#,
            state(1, "", &operation("vm_last_0", "start", 0, 4)),
            state(2, count, &failed),
        );
        let failure = FailedOperation {
            resource: "vm".to_owned(),
            host: "host2".to_owned(),
            task: "start".to_owned(),
            rc: 1,
            ..FailedOperation::default()
        };
        let seen = Seen { cib: Cib::parse(&xml).expect("a CIB"), failed: vec![failure] };
        Daemon { connect: Box::new(|| Err("nobody".to_owned())), source: None, seen: Some(seen) }
    }

    #[test]
    fn what_forgetting_failures_leads_to_is_told_before() {
        let lines = daemon().preview_clean_up("vm").expect("a preview");
        let text = lines.join("\n");
        assert!(text.starts_with("It forgets: start of vm on host2"), "{text}");
        // The place that it likes best is free again.
        assert!(text.contains("! Move vm from host1 to host2"), "{text}");
    }

    #[test]
    fn what_a_move_leads_to_is_told_before() {
        let mut daemon = daemon();
        let lines = daemon.preview_move("vm", "host2").expect("a preview");
        assert!(
            lines[0].starts_with("Nothing comes of it: vm stays where it is"),
            "its failure keeps it away: {lines:?}"
        );
        assert!(lines.iter().any(|line| line.contains("crm resource clear vm")), "{lines:?}");
        let refused = daemon.preview_move("vm", "host1").expect_err("it is there");
        assert!(refused.contains("already exists"), "{refused}");
        let unknown = daemon.preview_move("vm", "host9").expect_err("there is none");
        assert!(unknown.contains("host9"), "{unknown}");
        assert!(daemon.look().is_err_and(|why| why == "nobody"), "and nothing was asked of a daemon");
    }

    #[test]
    fn why_is_answered_from_what_was_seen() {
        let text = daemon().explain("vm").expect("an answer");
        assert!(text.contains("vm runs on host1") && text.contains("Scores of vm:"), "{text}");
        assert!(daemon().explain("nothing").is_err());
    }
}
