//! `crm_ticket`: tickets of a cluster that shares resources with another one.

use std::process::ExitCode;

use hafen_cib::Cib;
use hafen_cib::values::parse_boolean;
use hafen_cib::xml::{Element, NodeId};
use hafen_scheduler::hash_order;

use super::options::{Given, Operand, OptionSpec, Spec, flag, old, valued};
use super::output::{self, CrmExit, Failed, Printed, escaped};
use super::source::Source;

const OPTIONS: &[OptionSpec] = &[
    flag('l', "info", "Show tickets"),
    flag('L', "details", "Show tickets with all their attributes"),
    flag('w', "raw", "Show the ids of tickets"),
    flag('q', "query-xml", "Show the state of tickets as XML"),
    flag('c', "constraints", "Show the constraints that need tickets"),
    flag('g', "grant", "Grant a ticket to this cluster (needs --force)"),
    flag('r', "revoke", "Revoke it from this cluster (needs --force)"),
    flag('s', "standby", "What needs the ticket stops in good order, without its loss-policy"),
    flag('a', "activate", "The end of standby"),
    valued('G', "get-attr", "NAME", "Show an attribute of a ticket"),
    valued('S', "set-attr", "NAME", "Set an attribute of a ticket (with -v)"),
    valued('D', "delete-attr", "NAME", "Delete an attribute of a ticket"),
    flag('C', "cleanup", "Forget a ticket's state (one that is granted needs --force)"),
    valued('v', "attr-value", "VALUE", "The value (with -S)"),
    valued('d', "default", "VALUE", "What -G shows when nothing is set"),
    flag('f', "force", "Do it although it may be unsafe"),
    valued('t', "ticket", "ID", "The ticket"),
    old('n', "set-name", Operand::Required("ID")),
    old('i', "nvpair", Operand::Required("ID")),
    old('Q', "quiet", Operand::None),
];

const SPEC: Spec = Spec {
    name: "crm_ticket",
    about: "Shows and changes tickets, by which one cluster of several may run a resource",
    options: OPTIONS,
    examples: "Examples:\n  crm_ticket -l\n  crm_ticket -t ticketA -g --force\n  crm_ticket -t ticketA -s",
};

/// Attributes of a state that only the cluster's tools read.
const GRANTED: &str = "granted";
const STANDBY: &str = "standby";
const LAST_GRANTED: &str = "last-granted";

/// Runs the applet.
pub(super) fn run(words: &[String]) -> ExitCode {
    output::run(&SPEC, words, act)
}

fn act(given: &Given) -> Result<Printed, Failed> {
    let ticket = given.value(&['t']);
    let command = given.last(&['l', 'L', 'w', 'q', 'c', 'G', 'C']);
    let changes = changes(given);
    if command.is_none() && changes.is_empty() {
        return Err(Failed::usage("Must supply a command"));
    }
    let needs_id = command.is_none() || command == Some('C');
    if ticket.is_none() && needs_id {
        return Err(Failed::usage("Must supply ticket ID with -t"));
    }
    if let (Some(name), None, None) = (given.value(&['S']), given.value(&['v']), command) {
        return Err(Failed::usage(format!("Must supply value with -v for -S {name}")));
    }
    let mut source = Source::open()?;
    if let Some(ticket) = ticket
        && !changes.is_empty()
    {
        modify(given, ticket, &changes, &mut source)?;
    }
    let id = || ticket.ok_or_else(|| Failed::new(CrmExit::NoSuchObject, "Must supply ticket ID with -t"));
    match command {
        None => Ok(Printed::default()),
        Some('C') => clean_up(given, id()?, &mut source),
        Some(command) => {
            let cib = source.cib(false)?;
            match command {
                'q' => states_as_xml(&cib, ticket),
                'c' => constraints(&cib, ticket),
                'G' => attribute(given, id()?, &cib),
                _ => list(command, &cib, ticket),
            }
        }
    }
}

/// What is to be set (`Some`) or deleted, the last word on a name last.
fn changes(given: &Given) -> Vec<(String, Option<String>)> {
    let mut changes: Vec<(String, Option<String>)> = Vec::new();
    let mut values =
        given.options.iter().filter(|(letter, _)| *letter == 'v').map(|(_, value)| value.clone());
    for (letter, operand) in &given.options {
        let name = operand.clone().unwrap_or_default();
        let change = match letter {
            'g' => (GRANTED.to_owned(), Some("true".to_owned())),
            'r' => (GRANTED.to_owned(), Some("false".to_owned())),
            's' => (STANDBY.to_owned(), Some("true".to_owned())),
            'a' => (STANDBY.to_owned(), Some("false".to_owned())),
            'S' => (name, values.next().flatten()),
            'D' => (name, None),
            _ => continue,
        };
        changes.retain(|(known, _)| *known != change.0);
        changes.push(change);
    }
    changes
}

fn states(cib: &Cib) -> impl Iterator<Item = Element<'_>> {
    let tickets = cib.status().and_then(|status| status.child("tickets"));
    tickets.into_iter().flat_map(|tickets| tickets.children_named("ticket_state"))
}

fn state<'a>(cib: &'a Cib, ticket: &str) -> Option<Element<'a>> {
    states(cib).find(|state| state.id() == Some(ticket))
}

fn is_true(state: Option<Element<'_>>, name: &str) -> bool {
    state.and_then(|state| state.attribute(name)).and_then(parse_boolean).unwrap_or(false)
}

/// The constraints that need a ticket, or any ticket.
fn needs<'a>(cib: &'a Cib, ticket: Option<&'a str>) -> impl Iterator<Item = Element<'a>> {
    let all = cib.constraints().into_iter().flat_map(|all| all.children_named("rsc_ticket"));
    all.filter(move |needs| ticket.is_none_or(|ticket| needs.attribute("ticket") == Some(ticket)))
}

/// Why it is not done without `--force`.
fn unsafe_without_force(notes: Vec<String>) -> Failed {
    Failed { notes, ..Failed::new(CrmExit::Unsafe, "Ticket modification not allowed without --force") }
}

fn granting(ticket: &str) -> String {
    format!(
        "This command cannot help you verify whether '{ticket}' has been already granted elsewhere.\n\
         If you really want to grant '{ticket}' to this site now, and you know what you are doing,\n\
         please specify --force."
    )
}

fn revoking(ticket: &str) -> String {
    format!(
        "Revoking '{ticket}' can trigger the specified 'loss-policy'(s) relating to '{ticket}'.\n\n\
         You can check that with:\ncrm_ticket --ticket {ticket} --constraints\n\n\
         Otherwise before revoking '{ticket}', you may want to make '{ticket}'standby with:\n\
         crm_ticket --ticket {ticket} --standby\n\n\
         If you really want to revoke '{ticket}' from this site now, and you know what you are doing,\n\
         please specify --force."
    )
}

fn modify(
    given: &Given,
    ticket: &str,
    changes: &[(String, Option<String>)],
    source: &mut Source,
) -> Result<(), Failed> {
    if !given.has('f')
        && let Some((_, value)) = changes.iter().find(|(name, _)| name == GRANTED)
    {
        let grants = value.as_deref().and_then(parse_boolean).unwrap_or(false);
        return Err(unsafe_without_force(vec![if grants { granting(ticket) } else { revoking(ticket) }]));
    }
    let now = output::now();
    source.change(SPEC.name, |cib| {
        let was_granted = is_true(state(cib, ticket), GRANTED);
        let known = state(cib, ticket).map(|state| state.node());
        if known.is_none() && changes.iter().all(|(_, value)| value.is_none()) {
            return Err(Failed::new(
                CrmExit::NoSuchObject,
                "Could not modify ticket: No such device or address",
            ));
        }
        let node = known.unwrap_or_else(|| new_state(cib, ticket));
        let document = cib.document_mut();
        for (name, value) in changes {
            match value {
                Some(value) => document.set_attribute(node, name, value),
                None => drop(document.remove_attribute(node, name)),
            }
            let grants = value.as_deref().and_then(parse_boolean).unwrap_or(false);
            if name == GRANTED && grants && !was_granted {
                document.set_attribute(node, LAST_GRANTED, &now.to_string());
            }
        }
        Ok(())
    })
}

fn new_state(cib: &mut Cib, ticket: &str) -> NodeId {
    let status = cib.status_or_new();
    let tickets = cib.status().and_then(|status| status.child("tickets")).map(|tickets| tickets.node());
    let document = cib.document_mut();
    let tickets = tickets.unwrap_or_else(|| document.append_element(status, "tickets"));
    let state = document.append_element(tickets, "ticket_state");
    document.set_attribute(state, "id", ticket);
    state
}

fn clean_up(given: &Given, ticket: &str, source: &mut Source) -> Result<Printed, Failed> {
    source.change(SPEC.name, |cib| {
        let found = state(cib, ticket).ok_or_else(|| no_such(ticket))?;
        if is_true(Some(found), GRANTED) && !given.has('f') {
            return Err(Failed { notes: vec![revoking(ticket)], ..Failed::silent(CrmExit::NoPermission) });
        }
        let node = found.node();
        cib.document_mut().remove(node);
        Ok(())
    })?;
    let mut printed = Printed::default();
    printed.add(&format!("Cleaned up {ticket}"), "");
    Ok(printed)
}

fn no_such(ticket: &str) -> Failed {
    Failed::new(CrmExit::NoSuchObject, format!("No such ticket '{ticket}'"))
}

fn attribute(given: &Given, ticket: &str, cib: &Cib) -> Result<Printed, Failed> {
    let name = given.value(&['G']).unwrap_or_default();
    let value = state(cib, ticket).and_then(|state| state.attribute(name)).or(given.value(&['d']));
    let value = value.ok_or(Failed::silent(CrmExit::NoSuchObject))?;
    let mut printed = Printed::default();
    let (id, name, xml_value) = (escaped(ticket), escaped(name), escaped(value));
    let xml = format!("<attribute name=\"{name}\" value=\"{xml_value}\"/>");
    printed.add(value, &format!("<tickets>\n  <ticket id=\"{id}\">\n    {xml}\n  </ticket>\n</tickets>"));
    Ok(printed)
}

/// What is known of a ticket: its state as far as there is one.
struct Ticket<'a> {
    id: &'a str,
    state: Option<Element<'a>>,
}

impl<'a> Ticket<'a> {
    fn status(&self) -> &'static str {
        if is_true(self.state, GRANTED) { "granted" } else { "revoked" }
    }

    fn last_granted(&self) -> Option<String> {
        let seconds = self.state?.attribute(LAST_GRANTED)?.parse::<i64>().ok()?;
        output::date(seconds)
    }

    /// All attributes but the id and those that have words of their own.
    fn attributes(&self, left_out: &[&str]) -> Vec<(&'a str, String)> {
        let all: Vec<(&str, &str)> = self.state.map_or_else(Vec::new, |state| state.attributes().collect());
        let others: Vec<(&str, &str)> =
            all.into_iter().filter(|(name, _)| *name != "id" && !left_out.contains(name)).collect();
        let order = hash_order(others.iter().map(|(name, _)| *name));
        let of = |index: usize| {
            let (name, value) = others.get(index).copied().unwrap_or_default();
            let date = if name == LAST_GRANTED { self.last_granted() } else { None };
            (name, date.unwrap_or_else(|| value.to_owned()))
        };
        order.into_iter().map(of).collect()
    }

    fn text(&self, command: char) -> String {
        if command == 'w' {
            return self.id.to_owned();
        }
        let standby = if is_true(self.state, STANDBY) { " [standby]" } else { "" };
        let mut text = format!("{}\t{}{standby}", self.id, self.status());
        let details = self.attributes(&[]);
        if command == 'L' && !details.is_empty() {
            let gap = if standby.is_empty() { " " } else { "" };
            let pairs: Vec<String> = details.iter().map(|(name, value)| format!("{name}={value}")).collect();
            text += &format!("{gap}\t({})", pairs.join(", "));
        } else if let (true, Some(date)) = (command == 'l', self.last_granted()) {
            text += &format!(" last-granted=\"{date}\"");
        }
        text
    }

    fn xml(&self) -> String {
        let standby = is_true(self.state, STANDBY);
        let mut xml =
            format!("<ticket id=\"{}\" status=\"{}\" standby=\"{standby}\"", escaped(self.id), self.status());
        if let Some(date) = self.last_granted() {
            xml += &format!(" last-granted=\"{date}\"");
        }
        for (name, value) in self.attributes(&[LAST_GRANTED, STANDBY]) {
            xml += &format!(" {name}=\"{}\"", escaped(&value));
        }
        xml + "/>"
    }
}

fn list(command: char, cib: &Cib, wanted: Option<&str>) -> Result<Printed, Failed> {
    let mut ids: Vec<&str> = states(cib).filter_map(|state| state.id()).collect();
    for id in needs(cib, None).filter_map(|needs| needs.attribute("ticket")) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let order = hash_order(ids.iter().copied());
    let listed = order.into_iter().filter_map(|index| ids.get(index).copied());
    let listed = listed.filter(|id| wanted.is_none_or(|wanted| wanted == *id));
    let tickets: Vec<Ticket<'_>> = listed.map(|id| Ticket { id, state: state(cib, id) }).collect();
    if let (Some(wanted), true) = (wanted, tickets.is_empty()) {
        return Err(no_such(wanted));
    }
    let mut printed = Printed::default();
    let lines: Vec<String> = tickets.iter().map(|ticket| ticket.text(command)).collect();
    let xml: String = tickets.iter().map(|ticket| format!("  {}\n", ticket.xml())).collect();
    if !tickets.is_empty() {
        printed.add(&lines.join("\n"), &format!("<tickets>\n{xml}</tickets>"));
    }
    Ok(printed)
}

fn states_as_xml(cib: &Cib, wanted: Option<&str>) -> Result<Printed, Failed> {
    let found = match wanted {
        Some(wanted) => state(cib, wanted),
        None => cib.status().and_then(|status| status.child("tickets")),
    };
    let missing =
        || Failed::new(CrmExit::NoSuchObject, "Could not query ticket XML: No such device or address");
    let found = found.ok_or_else(missing)?;
    let element = found.document().element(found.node()).to_xml();
    let xml = element.replace("ticket_state", "ticket");
    let xml = if wanted.is_some() { output::within("tickets", &xml) } else { xml };
    let mut printed = Printed::default();
    printed.add(&format!("State XML:\n\n{}", element.trim_end()), xml.trim_end());
    Ok(printed)
}

fn constraints(cib: &Cib, wanted: Option<&str>) -> Result<Printed, Failed> {
    let found: Vec<Element<'_>> = needs(cib, wanted).collect();
    if found.is_empty() {
        let text = "Could not show ticket constraints: No such device or address";
        return Err(Failed::new(CrmExit::NoSuchObject, text));
    }
    let mut text = "Constraints XML:\n\n".to_owned();
    let (mut tickets, mut resources) = (String::new(), String::new());
    for needs in &found {
        let xml = needs.to_xml();
        text += xml.trim_end();
        text.push('\n');
        let id = escaped(needs.attribute("ticket").unwrap_or_default());
        let inner = output::within("constraints", &xml);
        let inner: String = inner.lines().map(|line| format!("    {line}\n")).collect();
        tickets += &format!("  <ticket id=\"{id}\">\n{inner}  </ticket>\n");
        resources +=
            &format!("  <resource id=\"{}\"/>\n", escaped(needs.attribute("rsc").unwrap_or_default()));
    }
    let mut printed = Printed::default();
    let xml = format!("<tickets>\n{tickets}</tickets>\n<resources>\n{resources}</resources>");
    printed.add(text.trim_end(), &xml);
    Ok(printed)
}
