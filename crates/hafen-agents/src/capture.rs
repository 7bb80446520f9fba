//! What is kept of an agent's output: bounded, however much it writes.

use std::collections::VecDeque;

/// The beginning and the end of a stream of bytes.
#[derive(Debug)]
pub(crate) struct Capture {
    head: Vec<u8>,
    head_limit: usize,
    tail: VecDeque<u8>,
    tail_limit: usize,
    left_out: u64,
}

impl Capture {
    pub(crate) fn new(head_limit: usize, tail_limit: usize) -> Self {
        Self { head: Vec::new(), head_limit, tail: VecDeque::new(), tail_limit, left_out: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.head_limit - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let skipped = rest.len().saturating_sub(self.tail_limit);
        let overflow = (self.tail.len() + rest.len() - skipped).saturating_sub(self.tail_limit);
        self.tail.drain(..overflow);
        self.tail.extend(&rest[skipped..]);
        self.left_out += (skipped + overflow) as u64;
    }

    pub(crate) fn is_truncated(&self) -> bool {
        self.left_out > 0
    }

    /// As text, with a remark where something was left out. Bytes that are no UTF-8 and control characters are replaced.
    pub(crate) fn into_text(self) -> String {
        let mut bytes = self.head;
        if self.left_out > 0 && self.tail_limit > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes left out]\n", self.left_out).as_bytes());
        }
        bytes.extend(self.tail);
        let text = String::from_utf8_lossy(&bytes);
        text.chars()
            .map(|letter| if is_harmless(letter) { letter } else { char::REPLACEMENT_CHARACTER })
            .collect()
    }
}

/// Whether XML and terminals take the character as it is.
fn is_harmless(letter: char) -> bool {
    !letter.is_control() && letter != '\u{fffe}' && letter != '\u{ffff}' || matches!(letter, '\n' | '\t')
}

/// The longest exit reason that is kept, in characters.
const EXIT_REASON_LIMIT_CHARS: usize = 500;

/// The prefix by which agents mark a line of their standard error as the reason for their exit code.
pub(crate) const EXIT_REASON_PREFIX: &str = "ocf-exit-reason:";

/// The last reason that an agent gave on its standard error.
pub(crate) fn exit_reason(stderr: &str) -> Option<String> {
    let reason = stderr.lines().rev().find_map(|line| line.trim_start().strip_prefix(EXIT_REASON_PREFIX))?;
    shortened(reason)
}

/// The last line that says anything, for agents that give no marked reason.
pub(crate) fn last_line(stderr: &str) -> Option<String> {
    stderr.lines().rev().find_map(shortened)
}

fn shortened(line: &str) -> Option<String> {
    let line = line.trim();
    (!line.is_empty()).then(|| line.chars().take(EXIT_REASON_LIMIT_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_output_is_kept_whole() {
        let mut capture = Capture::new(4, 4);
        for byte in b"abcdefgh" {
            capture.push(&[*byte]);
        }
        assert!(!capture.is_truncated());
        assert_eq!(capture.into_text(), "abcdefgh");
    }

    #[test]
    fn beginning_and_end_of_long_output_are_kept_whatever_the_pieces() {
        for piece in 1..40 {
            let mut capture = Capture::new(4, 6);
            for bytes in b"0123456789abcdefghijklmnopqrstuvwxyz".chunks(piece) {
                capture.push(bytes);
            }
            assert!(capture.is_truncated());
            assert_eq!(capture.into_text(), "0123\n[26 bytes left out]\nuvwxyz");
        }
    }

    #[test]
    fn what_terminals_and_xml_cannot_take_is_replaced() {
        let mut capture = Capture::new(100, 0);
        capture.push(b"a\x1b[2J\xff\0\tb\n");
        assert_eq!(capture.into_text(), "a\u{fffd}[2J\u{fffd}\u{fffd}\tb\n");
    }

    #[test]
    fn the_last_marked_reason_counts() {
        let stderr = "x\nocf-exit-reason:first\nocf-exit-reason: second \nnoise\n";
        assert_eq!(exit_reason(stderr).as_deref(), Some("second"));
        assert_eq!(exit_reason("noise\nocf-exit-reason:\n"), None);
        assert_eq!(last_line("noise\nmore\n\n").as_deref(), Some("more"));
    }
}
