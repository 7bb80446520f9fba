//! How busy the host is, as the kernel tells.

use std::fs;
use std::time::Duration;

use hafen_node::api::Input;

/// How often the daemon looks: a level counts when it was found twice.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// The load of the last minute; nothing where the kernel does not tell.
pub(super) fn look() -> Option<Input> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let cores = std::thread::available_parallelism().ok()?;
    Some(Input::Load {
        load_hundredths: hundredths(text.split_whitespace().next()?)?,
        cores: u32::try_from(cores.get()).ok()?,
    })
}

/// `1.25` is 125.
fn hundredths(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.')?;
    let part: u64 = part.get(..2)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!((hundredths("1.25"), hundredths("10.09")), (Some(125), Some(1009)));
        assert_eq!((hundredths("x"), hundredths("1.x"), hundredths("1.2")), (None, None, None));
        assert!(matches!(look(), Some(Input::Load { cores: 1.., .. })));
    }
}
