//! Which sections `crm_mon` shows: some by themselves, others where switches ask for them, from left to right.

use hafen_scheduler::Sections;

use crate::options::Given;
use crate::output::Failed;

/// What may be included and excluded.
const NAMES: &str = "all, attributes, bans[:PREFIX], counts, dc, default, failcounts, failures, fencing, fencing-failed, \
                     fencing-pending, fencing-succeeded, maint-mode, nodes, none, operations, options, resources, stack, \
                     summary, tickets, times";
const FENCING: Sections =
    Sections::FENCING_FAILED.with(Sections::FENCING_PENDING).with(Sections::FENCING_SUCCEEDED);
const SUMMARY: Sections = Sections::STACK
    .with(Sections::DC)
    .with(Sections::TIMES)
    .with(Sections::COUNTS)
    .with(Sections::MAINTENANCE);
const DEFAULT: Sections = SUMMARY
    .with(Sections::NODES)
    .with(Sections::RESOURCES)
    .with(Sections::FAILURES)
    .with(Sections::FENCING_FAILED)
    .with(Sections::FENCING_PENDING);

/// What was chosen.
pub(super) struct Chosen {
    pub(super) sections: Sections,
    pub(super) ban_prefix: String,
    /// Each fencing, also where a newer one was alike.
    pub(super) every_fencing: bool,
}

pub(super) fn chosen(given: &Given, in_xml: bool, in_html: bool) -> Result<Chosen, Failed> {
    let all = if in_xml || in_html { Sections::ALL } else { Sections::ALL.without(Sections::OPTIONS) };
    let default = if in_xml { Sections::ALL } else { DEFAULT };
    let mut chosen = Chosen { sections: default, ban_prefix: String::new(), every_fencing: in_xml };
    for (letter, value) in &given.options {
        let value = value.as_deref().unwrap_or_default();
        let add = match letter {
            'f' => Sections::FAIL_COUNTS,
            'o' | 't' => Sections::OPERATIONS,
            'c' => Sections::TICKETS,
            'A' => Sections::ATTRIBUTES,
            'L' => {
                value.clone_into(&mut chosen.ban_prefix);
                Sections::BANS
            }
            'm' => {
                chosen.sections = chosen.sections.without(FENCING);
                chosen.every_fencing = in_xml || value == "3";
                match value {
                    "0" => Sections::default(),
                    "1" => Sections::FENCING_FAILED.with(Sections::FENCING_PENDING),
                    "" | "2" | "3" => FENCING,
                    _ => return Err(Failed::usage("Fence history must be 0-3")),
                }
            }
            'D' => {
                chosen.sections = chosen.sections.without(SUMMARY);
                continue;
            }
            'Q' => {
                chosen.sections = chosen.sections.without(Sections::TIMES);
                continue;
            }
            'I' | 'U' => {
                for name in value.split(',') {
                    apply(&mut chosen, name, *letter == 'I', all, default)?;
                }
                continue;
            }
            _ => continue,
        };
        chosen.sections = chosen.sections.with(add);
    }
    Ok(chosen)
}

fn apply(
    chosen: &mut Chosen,
    name: &str,
    include: bool,
    all: Sections,
    default: Sections,
) -> Result<(), Failed> {
    let (name, prefix) = name.split_once(':').unwrap_or((name, ""));
    let sections = match name {
        "all" => all,
        "none" => Sections::ALL,
        "default" if include => default,
        "attributes" => Sections::ATTRIBUTES,
        "bans" => {
            prefix.clone_into(&mut chosen.ban_prefix);
            Sections::BANS
        }
        "counts" => Sections::COUNTS,
        "dc" => Sections::DC,
        "failcounts" => Sections::FAIL_COUNTS,
        "failures" => Sections::FAILURES,
        "fencing" => FENCING,
        "fencing-failed" => Sections::FENCING_FAILED,
        "fencing-pending" => Sections::FENCING_PENDING,
        "fencing-succeeded" => Sections::FENCING_SUCCEEDED,
        "maint-mode" => Sections::MAINTENANCE,
        "nodes" => Sections::NODES,
        "operations" => Sections::OPERATIONS,
        "options" => Sections::OPTIONS,
        "resources" => Sections::RESOURCES,
        "stack" => Sections::STACK,
        "summary" => SUMMARY,
        "tickets" => Sections::TICKETS,
        "times" => Sections::TIMES,
        _ => {
            let switch = if include { "include" } else { "exclude" };
            // Neither a prefix nor the default can be left out.
            let less = || NAMES.replace("[:PREFIX]", "").replace(" default,", "");
            let names = if include { NAMES.to_owned() } else { less() };
            return Err(Failed::usage(format!("--{switch} options: {names}")));
        }
    };
    chosen.sections = match (name, include) {
        ("none", true) | ("all", false) => Sections::default(),
        ("none", false) => all,
        ("default", true) => default,
        ("all", true) => all,
        (_, true) => chosen.sections.with(sections),
        (_, false) => chosen.sections.without(sections),
    };
    Ok(())
}
