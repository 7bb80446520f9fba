//! The watchdog as the executor's loop holds it.

use std::io;

use tracing::{error, info, warn};

use crate::ExecutorConfig;
use crate::engine::Now;
use crate::watchdog::{Keeper, Memory, Order, Plan};

/// How often it is looked whether an order has ended, in milliseconds.
const LOOK_PAUSE_MS: u64 = 50;
/// Why a host without a watchdog starts nothing.
const NO_WATCHDOG: &str = "this host has none: name it in the daemon's configuration (\"watchdog\")";

pub(crate) struct Guard {
    plan: Plan,
    keeper: Option<Keeper>,
    memory: Memory,
    pub(crate) daemon_restart_timeout_ms: u64,
    /// What was told last: why nothing may be started.
    refusal: Option<String>,
    /// Whether the last feed failed: told once.
    is_hungry: bool,
}

impl Guard {
    /// Opens what an earlier executor of this boot left armed; it is not fed by that.
    pub(crate) fn start(config: &ExecutorConfig, boot_id: &str) -> io::Result<Self> {
        let memory = Memory::beside(&config.journal, boot_id);
        let mut keeper = config.watchdog.as_ref().map(|one| Keeper::start(one.watchdog())).transpose()?;
        let mut plan = Plan::default();
        if let (Some(keeper), Some(timeout_ms)) = (&mut keeper, memory.recall()) {
            match keeper.give(Order::Arm(timeout_ms)) {
                Some((_, Ok(()))) => plan = Plan::left_armed(timeout_ms),
                failed => {
                    error!(?failed, "the watchdog of a lost executor cannot be opened: the host may be reset")
                }
            }
        }
        let daemon_restart_timeout_ms = config.daemon_restart_timeout_ms;
        Ok(Self { plan, keeper, memory, daemon_restart_timeout_ms, refusal: None, is_hungry: false })
    }

    /// See [`Plan::want`].
    pub(crate) fn want(&mut self, timeout_ms: u64) {
        self.plan.want(timeout_ms);
    }

    /// When to tend it next.
    pub(crate) fn due_ms(&self, now: Now) -> Option<u64> {
        let is_busy = self.keeper.as_ref().is_some_and(|keeper| !keeper.is_free());
        let due_ms = self.plan.due_ms()?.max(now.monotonic_ms.saturating_add(LOOK_PAUSE_MS));
        Some(if is_busy { now.monotonic_ms.saturating_add(LOOK_PAUSE_MS) } else { due_ms })
    }

    /// Does what is due. Whether starts are refused, and why, where that has changed.
    pub(crate) fn tend(&mut self, now: Now, may_feed: bool) -> Option<Option<String>> {
        while let Some((order, result)) = self.keeper.as_mut().and_then(Keeper::ended) {
            self.done(order, result, now);
        }
        let is_free = self.keeper.as_ref().is_none_or(Keeper::is_free);
        while is_free && let Some(order) = self.plan.next(now.monotonic_ms, may_feed) {
            let ended = match &mut self.keeper {
                Some(keeper) => keeper.give(order),
                None => Some((order, Err(io::Error::other(NO_WATCHDOG)))),
            };
            match ended {
                Some((order, result)) => self.done(order, result, now),
                None => break,
            }
        }
        let refusal = self.plan.refusal();
        (refusal != self.refusal).then(|| {
            if let Some(reason) = &refusal {
                warn!(reason, "nothing is started on this host");
            }
            self.refusal.clone_from(&refusal);
            refusal
        })
    }

    fn done(&mut self, order: Order, result: io::Result<()>, now: Now) {
        match (order, &result) {
            (Order::Feed, Err(error)) if !self.is_hungry => error!(%error, "the watchdog cannot be fed"),
            (Order::Arm(timeout_ms), Ok(())) => info!(timeout_ms, "the watchdog is armed"),
            (Order::Disarm, Ok(())) => info!("the watchdog is disarmed"),
            (Order::Disarm, Err(error)) => {
                error!(%error, "the watchdog cannot be disarmed: the host may be reset")
            }
            _ => {}
        }
        self.is_hungry = order == Order::Feed && result.is_err();
        let armed_before_ms = self.plan.armed_ms();
        self.plan.done(order, result.map_err(|error| error.to_string()), now.monotonic_ms);
        if self.plan.armed_ms() != armed_before_ms
            && let Err(error) = self.memory.remember(self.plan.armed_ms())
        {
            warn!(%error, "it cannot be remembered whether the watchdog is armed");
        }
    }
}
