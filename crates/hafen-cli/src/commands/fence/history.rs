//! `hafen fence history`.

use hafen_protocol::client::{FenceOutcome, FenceRecord};
use hafen_protocol::message::ProofLevel;
use jiff::Timestamp;

use super::super::text::{span, wrapped};
use crate::arguments::Connection;
use crate::target;

pub(super) fn run(target: Option<String>, json: bool, connection: &Connection) -> anyhow::Result<()> {
    let mut client = target::connect(connection)?;
    let records = client.fence_history(target.as_deref())?;
    if json {
        outln!("{}", serde_json::to_string_pretty(&records)?);
    } else if records.is_empty() {
        outln!("No host was fenced.");
    } else {
        out!("{}", records.iter().map(render).collect::<String>());
    }
    Ok(())
}

/// How far a proof can be trusted, in a word.
fn proof(level: ProofLevel) -> &'static str {
    match level {
        ProofLevel::None => "nothing is proven",
        ProofLevel::Human => "by a human's word",
        ProofLevel::AgentReported => "the device said so",
        ProofLevel::OffVerified => "off, read back",
    }
}

/// A fencing: a line for what and how, then who, why, and what each device said.
pub(super) fn render(record: &FenceRecord) -> String {
    let milliseconds = i64::try_from(record.began_ms).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| "?".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let outcome = match record.outcome {
        FenceOutcome::Pending => "is under way",
        FenceOutcome::Succeeded => "succeeded",
        FenceOutcome::TooWeak => "proves too little",
        FenceOutcome::Failed => "FAILED",
        FenceOutcome::Unknown => "ended unknown",
    };
    let proof = record.proof.map(|level| format!(" ({})", proof(level))).unwrap_or_default();
    let took = record.ended_ms.map(|ended| format!(" after {}", span(ended.saturating_sub(record.began_ms))));
    let mut text = wrapped(
        &format!("{time}  "),
        &format!("{} {} {outcome}{proof}{}", record.action, record.target, took.unwrap_or_default()),
    );
    let who = record.origin.clone().unwrap_or_else(|| "the cluster".to_owned());
    text += &wrapped("  asked by  ", &who);
    text += &wrapped("  because   ", &record.cause);
    if let Some(by) = &record.by {
        text += &wrapped("  done by   ", by);
    }
    for one in &record.tried {
        let how = if one.succeeded { "ok" } else { "failed" };
        let said = match one.answer.trim() {
            "" => String::new(),
            answer => format!(": {answer}"),
        };
        let line = format!(
            "{} (level {}): {} {how} after {}{said}",
            one.device,
            one.level,
            one.action,
            span(one.took_ms)
        );
        text += &wrapped("  device    ", &line);
    }
    if let Some(error) = &record.error {
        text += &wrapped("  error     ", error);
    }
    if matches!(record.outcome, FenceOutcome::Failed | FenceOutcome::TooWeak | FenceOutcome::Unknown) {
        let target = &record.target;
        let mend = format!(
            "What it ran stays blocked. Mend the device and try `hafen fence now {target}`; or see to it that it has no \
             power, then `hafen fence confirm {target}`."
        );
        text += &wrapped("  mend      ", &mend);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafen_protocol::message::FenceTry;

    #[test]
    fn a_fencing_tells_who_why_which_device_its_answer_the_proof_and_how_long() {
        let one = |device: &str, succeeded: bool, answer: &str| FenceTry {
            device: device.into(),
            level: 1,
            action: "off".into(),
            succeeded,
            answer: answer.into(),
            took_ms: 1200,
        };
        let record = FenceRecord {
            id: "1".into(),
            target: "host2".into(),
            action: "reboot".into(),
            origin: None,
            cause: "lost from the view".into(),
            by: Some("host1".into()),
            tried: vec![one("ipmi2", false, "login failed"), one("pdu", true, "")],
            proof: Some(ProofLevel::OffVerified),
            began_ms: 1_795_365_898_042,
            ended_ms: Some(1_795_365_901_242),
            outcome: FenceOutcome::Succeeded,
            error: None,
        };
        let text = render(&record);
        for wanted in [
            "2026-11-22 16:44:58  reboot host2 succeeded (off, read back) after 3.2 s",
            "asked by  the cluster",
            "because   lost from the view",
            "done by   host1",
            "ipmi2 (level 1): off failed after 1.2 s: login failed",
            "pdu (level 1): off ok after 1.2 s",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
        assert!(!text.contains("mend"), "{text}");
        let failed = FenceRecord {
            outcome: FenceOutcome::Failed,
            proof: None,
            error: Some("all failed".into()),
            ..record
        };
        let text = render(&failed);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("FAILED") && words.contains("hafen fence confirm host2"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
