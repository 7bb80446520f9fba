//! The loop's dealings with the executor: operations, acknowledgements, reports.

use super::*;
use crate::config::WatchdogSettings;

impl Shell {
    pub(super) fn executor_has_room(&self) -> bool {
        self.link.orders.capacity() > 0
    }

    /// Whether the request is on its way, or meant for a connection that is lost anyway.
    pub(super) fn ask_executor(&mut self, request: wire::Request) -> bool {
        let Some(connection) = self.connection else { return true };
        self.link.orders.try_send(executor::Order { connection, request }).is_ok()
    }

    pub(super) fn execute(&mut self, order: Execute) {
        if self.connection.is_none() {
            // The node offers it again when the executor is back.
            return;
        }
        match to_operation(&order) {
            Ok(operation) => {
                self.ordered.insert(order.transition_key.clone(), order);
                self.ask_executor(wire::Request::Execute(operation));
            }
            Err(detail) => {
                let subject = order.resource.clone();
                self.event(
                    "refused",
                    &subject,
                    format!("{} cannot be run: {detail}", order.operation_key),
                    "",
                );
            }
        }
    }

    pub(super) fn executor_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected { connection, accepted, mut results, recovered } => {
                self.connection = Some(connection);
                self.unacknowledged = results.iter().map(|result| result.sequence).collect();
                let orders = accepted.iter().map(|order| (order.transition_key.clone(), order.clone()));
                self.ordered = orders.collect();
                self.refused.clear();
                self.agents.forget_waiting();
                results.iter_mut().for_each(|result| self.agents.complete(result));
                self.feed(Input::ExecutorConnected { accepted, results, recovered });
                if let Some((engine, member)) = self.engine.take() {
                    match engine.open(member) {
                        Ok(bus) => self.bus = Some(bus),
                        Err(error) => self.exit = Some(format!("the bus cannot be opened: {error}")),
                    }
                }
                self.report();
            }
            LinkEvent::Lost { reason } => {
                self.connection = None;
                self.agents.forget_waiting();
                self.event("executor", "", "the executor is lost".to_owned(), &reason);
                self.feed(Input::ExecutorLost);
                self.fences_lost_executor();
            }
            LinkEvent::Ended(result) => {
                if result.order.interval_ms == 0 {
                    self.ordered.remove(&result.order.transition_key);
                }
                self.unacknowledged.push(result.sequence);
                self.operation_ended(*result);
            }
            LinkEvent::FenceEnded(result) => self.fence_step_ended(&result),
            LinkEvent::Described { request_id, metadata } => {
                if !self.resource_agent_described(request_id, &metadata) {
                    self.agent_described(request_id, &metadata);
                }
            }
            LinkEvent::Refused { id, transition_key, reason } => self.refused(&id, &transition_key, &reason),
        }
    }

    fn refused(&mut self, id: &str, transition_key: &str, reason: &str) {
        self.event("refused", id, "the executor did not accept an operation".to_owned(), reason);
        if let Some(order) = self.ordered.remove(transition_key) {
            self.refused.push((Instant::now() + REFUSED_PAUSE, order));
        }
        self.fence_step_refused(id, reason);
    }

    pub(super) fn acknowledge(&mut self, through: u64) {
        let (done, left) =
            std::mem::take(&mut self.unacknowledged).into_iter().partition(|one| *one <= through);
        self.unacknowledged = left;
        let done: Vec<u64> = done;
        for sequence in done {
            if !self.ask_executor(wire::Request::Acknowledge { sequence }) {
                // Asked again with the next acknowledgement: the executor keeps the result until then.
                self.unacknowledged.push(sequence);
            }
        }
    }

    /// The daemon ends for good: where nothing runs here any more, the host may live on without it.
    pub(super) async fn release_watchdog(&mut self) {
        let record = self.node.replica().hosts.get(&self.node.me().host);
        let runs_something =
            record.is_some_and(|record| record.status.resources.values().any(hafen_node::history::is_active));
        if runs_something || self.watchdog_timeout_ms.is_none_or(|timeout_ms| timeout_ms == 0) {
            return;
        }
        (self.watchdog_timeout_ms, self.feed_watchdog) = (Some(0), true);
        self.report();
        // Until the executor has heard it; where it does not, the host is reset, which harms nobody.
        tokio::time::sleep(RELEASE_PAUSE).await;
    }

    /// Tells the executor that this daemon lives, and whether its watchdog may be fed. A full queue means that it hears
    /// enough of this daemon anyway.
    pub(super) fn report(&mut self) {
        let allow_watchdog = self.feed_watchdog;
        let watchdog_timeout_ms = self.watchdog_timeout_ms;
        self.ask_executor(wire::Request::Report { allow_watchdog, watchdog_timeout_ms });
    }
}

/// How an executor is started. What it must know of the watchdog follows the configured words.
pub(super) fn executor_command(config: &DaemonConfig) -> Result<Vec<String>, DaemonError> {
    let text = |path: &std::path::Path| path.display().to_string();
    let mut command = config.executor_command.clone();
    if command.is_empty() {
        let program = std::env::current_exe().map_err(DaemonError::system("find", "this executable"))?;
        command.extend([text(&program), "executor".to_owned()]);
        command.extend(["--socket".to_owned(), text(&config.executor_socket())]);
        command.extend(["--journal".to_owned(), text(&config.run_dir.join("executor.journal"))]);
    }
    command.extend(["--daemon-restart-timeout".to_owned(), config.daemon_restart_timeout_ms.to_string()]);
    match &config.watchdog {
        Some(WatchdogSettings::Device(path)) => command.extend(["--watchdog-device".to_owned(), text(path)]),
        Some(WatchdogSettings::Socket(path)) => {
            command.extend(["--watchdog-socket".to_owned(), text(path)]);
            command.extend(["--watchdog-host".to_owned(), config.host.clone()]);
        }
        None => {}
    }
    Ok(command)
}

/// Who this run of the daemon is, and what it is told that is not in the CIB.
pub(super) fn identity_and_settings(config: &DaemonConfig) -> Result<(Identity, Settings), DaemonError> {
    let own = config.own_id().unwrap_or(HostId(0));
    let boot_id = match &config.boot_id_file {
        Some(path) => fs::read_to_string(path).map_err(DaemonError::system("read", path))?.trim().to_owned(),
        None => hafen_sys::boot_id().map_err(DaemonError::system("read", "the boot id"))?,
    };
    let initial_cib = match &config.initial_cib_file {
        Some(path) => fs::read_to_string(path).map_err(DaemonError::system("read", path))?,
        None => EMPTY_CIB.to_owned(),
    };
    let random = "/proc/sys/kernel/random/uuid";
    let transition_uuid = fs::read_to_string(random).map_err(DaemonError::system("read", random))?;
    let settings = Settings {
        cluster: config.cluster.clone(),
        hosts: config.hosts.iter().map(|host| (HostId(host.id), host.name.clone())).collect(),
        daemon_restart_timeout_ms: config.daemon_restart_timeout_ms,
        startup_wait_ms: config.startup_wait_ms,
        initial_cib,
        transition_uuid: transition_uuid.trim().to_owned(),
    };
    let incarnation = next_incarnation(&config.run_dir, &config.store_dir, clock::now());
    Ok((Identity { host: own, uname: config.host.clone(), incarnation, boot_id }, settings))
}

/// What a cluster begins with where nobody gave it anything.
const EMPTY_CIB: &str = "<cib crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-4.0\" admin_epoch=\"0\" epoch=\"0\" \
    num_updates=\"0\"><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>";
