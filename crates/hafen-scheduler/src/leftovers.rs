//! Constraints that moves and bans left behind: what they do, until when, and how to take them away, in words.

use std::fmt::Write as _;

use hafen_cib::{Cib, Element};

use crate::date::{self, Seconds};

/// What a constraint of this kind does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftoverKind {
    /// `cli-prefer-…`: the resource goes there.
    Prefer,
    /// `cli-ban-…`: the resource stays away from there.
    Ban,
}

/// A constraint that a move or a ban left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The constraint's id.
    pub id: String,
    /// What it does.
    pub kind: LeftoverKind,
    /// The resource.
    pub resource: String,
    /// The host.
    pub host: String,
    /// The role that it is about, where that is not any.
    pub role: Option<String>,
    /// The score, as the CIB writes it.
    pub score: String,
    /// When it ends, as the CIB writes it.
    pub until: Option<String>,
}

impl Leftover {
    /// Whether it has ended at this time (seconds since the epoch). One without an end, or with one that cannot be read,
    /// has not.
    #[must_use]
    pub fn has_ended(&self, now: i64) -> bool {
        self.until.as_deref().and_then(|end| date::parse(end, now)).is_some_and(|end| end <= now)
    }

    /// The command that takes it away. `clear` knows only ids of its own making.
    #[must_use]
    pub fn remedy(&self) -> String {
        let (resource, host) = (&self.resource, &self.host);
        let own = match self.kind {
            LeftoverKind::Prefer => format!("cli-prefer-{resource}"),
            LeftoverKind::Ban => format!("cli-ban-{resource}-on-{host}"),
        };
        if self.id == own {
            format!("crm resource clear {resource}")
        } else {
            format!("crm configure delete {}", self.id)
        }
    }

    /// What it does, and until when.
    #[must_use]
    pub fn effect(&self, now: i64) -> String {
        let ended = self.has_ended(now);
        let verb = match (self.kind, ended) {
            (LeftoverKind::Prefer, false) => "prefers",
            (LeftoverKind::Prefer, true) => "preferred",
            (LeftoverKind::Ban, false) => "keeps off",
            (LeftoverKind::Ban, true) => "kept off",
        };
        let mut text = format!("{} {verb} {}", self.resource, self.host);
        if let Some(role) = &self.role {
            let _ = write!(text, " in role {role}");
        }
        let _ = write!(text, " ({})", self.score);
        match &self.until {
            Some(until) if ended => text + &format!(" until {until}, which is over"),
            Some(until) => text + &format!(" until {until}"),
            None => text,
        }
    }

    /// The whole of it: what it does, until when, and how to take it away.
    #[must_use]
    pub fn told(&self, now: i64) -> String {
        format!("{}: {}; `{}` takes it away", self.id, self.effect(now), self.remedy())
    }
}

/// All constraints that moves and bans left behind, in the configuration's order.
#[must_use]
pub fn leftovers(cib: &Cib) -> Vec<Leftover> {
    let constraints = cib.constraints().into_iter().flat_map(|all| all.children_named("rsc_location"));
    constraints.filter_map(leftover).collect()
}

fn leftover(constraint: Element<'_>) -> Option<Leftover> {
    let id = constraint.id()?;
    let kind = match id {
        _ if id.starts_with("cli-prefer-") => LeftoverKind::Prefer,
        _ if id.starts_with("cli-ban-") => LeftoverKind::Ban,
        _ => return None,
    };
    let rule = constraint.child("rule");
    let expressions = || rule.into_iter().flat_map(|rule| rule.children_named("expression"));
    let named_by_rule = || {
        let mut unames = expressions().filter(|one| one.attribute("attribute") == Some("#uname"));
        unames.next()?.attribute("value")
    };
    let until = rule.and_then(|rule| rule.child("date_expression")).and_then(|date| date.attribute("end"));
    let score = constraint.attribute("score").or_else(|| rule.and_then(|rule| rule.attribute("score")));
    let role = constraint.attribute("role").filter(|role| !role.eq_ignore_ascii_case("Started"));
    Some(Leftover {
        id: id.to_owned(),
        kind,
        resource: constraint.attribute("rsc")?.to_owned(),
        host: constraint.attribute("node").or_else(named_by_rule)?.to_owned(),
        role: role.map(str::to_owned),
        score: score.unwrap_or("0").to_owned(),
        until: until.map(str::to_owned),
    })
}

/// The section that `crm_mon` ends with: each of them in a line, or nothing at all. Where a resource is named, only its own.
#[must_use]
pub fn leftovers_section(cib: &Cib, now: u64, resource: Option<&str>) -> String {
    let now: Seconds = i64::try_from(now).unwrap_or(i64::MAX);
    let all = leftovers(cib);
    let shown = all.iter().filter(|one| resource.is_none_or(|resource| one.resource == resource));
    let lines: String = shown.map(|one| format!("  * {}\n", one.told(now))).collect();
    if lines.is_empty() { lines } else { format!("Left over from moves:\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 17:44:58 UTC
    const END: i64 = 1_795_369_498;

    fn with(constraints: &str) -> Cib {
        Cib::parse(&format!(
            r#"<cib admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/><nodes/><resources/>
            <constraints>{constraints}</constraints></configuration><status/></cib>"#
        ))
        .expect("a CIB")
    }

    fn told(constraints: &str, now: i64) -> Vec<String> {
        leftovers(&with(constraints)).iter().map(|one| one.told(now)).collect()
    }

    #[test]
    fn each_kind_is_told_with_what_takes_it_away() {
        let constraints = r#"<rsc_location id="mine" rsc="vm1" node="host1" score="5"/>
            <rsc_location id="cli-prefer-vm1" rsc="vm1" role="Started" node="host2" score="INFINITY"/>
            <rsc_location id="cli-ban-ms-on-host1" rsc="ms" role="Promoted" node="host1" score="-INFINITY"/>
            <rsc_location id="cli-ban-other" rsc="web" node="host1" score="-INFINITY"/>"#;
        assert_eq!(
            told(constraints, END),
            [
                "cli-prefer-vm1: vm1 prefers host2 (INFINITY); `crm resource clear vm1` takes it away",
                "cli-ban-ms-on-host1: ms keeps off host1 in role Promoted (-INFINITY); `crm resource clear ms` takes it away",
                "cli-ban-other: web keeps off host1 (-INFINITY); `crm configure delete cli-ban-other` takes it away",
            ]
        );
    }

    #[test]
    fn an_end_is_told_and_that_it_is_over() {
        let constraints = r##"<rsc_location id="cli-prefer-vm1" rsc="vm1" role="Started">
            <rule id="cli-prefer-rule-vm1" score="INFINITY" boolean-op="and">
            <expression id="cli-prefer-expr-vm1" attribute="#uname" operation="eq" value="host2" type="string"/>
            <date_expression id="cli-prefer-lifetime-end-vm1" operation="lt" end="2026-11-22 17:44:58Z"/></rule></rsc_location>"##;
        let until = "(INFINITY) until 2026-11-22 17:44:58Z";
        let remedy = "`crm resource clear vm1` takes it away";
        assert_eq!(
            told(constraints, END - 1),
            [format!("cli-prefer-vm1: vm1 prefers host2 {until}; {remedy}")]
        );
        assert_eq!(
            told(constraints, END),
            [format!("cli-prefer-vm1: vm1 preferred host2 {until}, which is over; {remedy}")]
        );
    }

    #[test]
    fn the_section_is_empty_where_nothing_is_left() {
        let cib = with(r#"<rsc_location id="cli-prefer-vm1" rsc="vm1" node="host2" score="INFINITY"/>"#);
        assert_eq!(leftovers_section(&with(""), 0, None), "");
        assert_eq!(leftovers_section(&cib, 0, Some("vm2")), "");
        assert_eq!(
            leftovers_section(&cib, 0, Some("vm1")),
            "Left over from moves:\n  * cli-prefer-vm1: vm1 prefers host2 (INFINITY); `crm resource clear vm1` takes it away\n"
        );
    }
}
