//! The story that the event logs of a lab must tell: kinds and subjects, in this order, others between them.

use hafen_protocol::client::Event;

/// The first part of the story that is missing, if any: its index.
pub(super) fn missing(story: &[(String, String)], events: &[Event]) -> Option<usize> {
    let mut told = 0;
    for event in events {
        let Some((kind, subject)) = story.get(told) else { break };
        if event.kind == *kind && (subject == "*" || event.subject == *subject) {
            told += 1;
        }
    }
    (told < story.len()).then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, subject: &str) -> Event {
        let word = |text: &str| text.to_owned();
        let (host, text, cause) = (word("host1"), word(""), word(""));
        Event { number: 0, wall_ms: 0, host, kind: word(kind), subject: word(subject), text, cause }
    }

    fn story(parts: &[(&str, &str)]) -> Vec<(String, String)> {
        parts.iter().map(|(kind, subject)| ((*kind).to_owned(), (*subject).to_owned())).collect()
    }

    #[test]
    fn the_order_matters_and_others_may_stand_between() {
        let events =
            [event("view", ""), event("plan", ""), event("fence-start", "host2"), event("settled", "")];
        assert_eq!(
            missing(&story(&[("view", "*"), ("fence-start", "host2"), ("settled", "*")]), &events),
            None
        );
        assert_eq!(missing(&story(&[("fence-start", "host2"), ("view", "*")]), &events), Some(1));
        assert_eq!(missing(&story(&[("fence-start", "host1")]), &events), Some(0));
    }
}
