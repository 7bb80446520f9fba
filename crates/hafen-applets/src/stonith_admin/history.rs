//! Fencings on record, as Pacemaker prints them.

use hafen_protocol::client::{FenceOutcome, FenceRecord};
use jiff::Timestamp;

use super::super::output::escaped;

/// Those that are shown, the newest first: all, or the last one that succeeded; in XML also those that are under way, which
/// `ocf:pacemaker:controld` looks for.
pub(crate) fn shown(records: &[FenceRecord], all: bool, in_xml: bool) -> Vec<&FenceRecord> {
    let mut newest: Vec<&FenceRecord> = records.iter().collect();
    newest.sort_by_key(|record| std::cmp::Reverse(record.ended_ms.unwrap_or(record.began_ms)));
    if all {
        return newest;
    }
    let last = newest.iter().copied().find(|record| record.outcome == FenceOutcome::Succeeded);
    newest.retain(|record| in_xml && record.outcome == FenceOutcome::Pending);
    newest.extend(last);
    newest
}

/// Without those to which a newer one is alike; what is under way stays.
pub(crate) fn newest_of_each(mut newest_first: Vec<&FenceRecord>) -> Vec<&FenceRecord> {
    let mut known = Vec::new();
    newest_first.retain(|record| {
        let alike = (&record.target, &record.action, &record.by, &record.origin, record.outcome);
        let is_new = record.outcome == FenceOutcome::Pending || !known.contains(&alike);
        known.push(alike);
        is_new
    });
    newest_first
}

/// What was done, in the words of a sentence.
fn deed(action: &str) -> &str {
    match action {
        "on" => "unfencing",
        "off" => "turning off",
        other => other,
    }
}

fn ended(record: &FenceRecord) -> Option<String> {
    let milliseconds = i64::try_from(record.ended_ms?).ok()?;
    let moment = Timestamp::from_millisecond(milliseconds).ok()?;
    Some(moment.strftime("%Y-%m-%d %H:%M:%S.%6fZ").to_string())
}

fn client(record: &FenceRecord) -> String {
    record.origin.clone().unwrap_or_else(|| "hafen".to_owned())
}

/// Who carried it out: a host, or a human by his word.
fn delegate(record: &FenceRecord) -> Option<String> {
    match (&record.by, record.outcome) {
        (Some(host), _) => Some(host.clone()),
        (None, FenceOutcome::Succeeded) => Some("a human".to_owned()),
        (None, _) => None,
    }
}

/// A line for a fencing. `all`: among others, so that it is told when each ended.
pub(crate) fn text(record: &FenceRecord, all: bool) -> String {
    let (word, mark) = match record.outcome {
        FenceOutcome::Pending => ("pending", None),
        FenceOutcome::Succeeded => ("successful", Some(if all { "completed" } else { "last-successful" })),
        _ => ("failed", Some(if all { "completed" } else { "last-failed" })),
    };
    let reason = match (&record.error, record.outcome) {
        (Some(error), FenceOutcome::Failed | FenceOutcome::TooWeak | FenceOutcome::Unknown) => {
            format!(" ({error})")
        }
        _ => String::new(),
    };
    let mut parts = Vec::new();
    parts.extend(delegate(record).map(|host| format!("delegate={host}")));
    parts.push(format!("client={}", client(record)));
    parts.extend(record.by.as_ref().map(|host| format!("origin={host}")));
    parts.extend(mark.zip(ended(record)).map(|(mark, when)| format!("{mark}='{when}'")));
    format!("{} of {} {word}{reason}: {}", deed(&record.action), record.target, parts.join(", "))
}

/// The same in XML. What is under way has `extended-status`, by which `ocf:pacemaker:controld` knows it.
pub(crate) fn xml(record: &FenceRecord) -> String {
    let status = match record.outcome {
        FenceOutcome::Pending => "pending",
        FenceOutcome::Succeeded => "success",
        _ => "failed",
    };
    let mut xml = format!(
        "<fence_event action=\"{}\" target=\"{}\" client=\"{}\" origin=\"{}\" status=\"{status}\"",
        escaped(&record.action),
        escaped(&record.target),
        escaped(&client(record)),
        escaped(record.by.as_deref().unwrap_or_default())
    );
    if record.outcome == FenceOutcome::Pending {
        xml += " extended-status=\"pending\"";
    }
    if let Some(error) = &record.error {
        xml += &format!(" exit-reason=\"{}\"", escaped(error));
    }
    if let Some(host) = delegate(record) {
        xml += &format!(" delegate=\"{}\"", escaped(&host));
    }
    if let Some(when) = ended(record) {
        xml += &format!(" completed=\"{when}\"");
    }
    xml + "/>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_fencings_alike_the_newest_is_kept_and_all_that_are_under_way() {
        let record = |action: &str, began_ms: u64, outcome| FenceRecord {
            id: began_ms.to_string(),
            target: "host2".to_owned(),
            action: action.to_owned(),
            origin: None,
            cause: "lost".to_owned(),
            by: Some("host1".to_owned()),
            tried: Vec::new(),
            proof: None,
            began_ms,
            ended_ms: Some(began_ms),
            outcome,
            error: None,
        };
        let records = [
            record("off", 1, FenceOutcome::Succeeded),
            record("off", 2, FenceOutcome::Failed),
            record("off", 3, FenceOutcome::Succeeded),
            record("off", 4, FenceOutcome::Pending),
            record("reboot", 5, FenceOutcome::Succeeded),
            record("off", 6, FenceOutcome::Pending),
        ];
        let kept = newest_of_each(shown(&records, true, false));
        let kept: Vec<&str> = kept.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(kept, ["6", "5", "4", "3", "2"]);
    }
}
