//! The watchdog of an executor's process, against a socket that stands for one. No test opens the machine's own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a shell")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Host, PATIENCE};
use hafen_executor::wire::{Event, Request};

#[test]
fn executor_process() {
    common::executor_process();
}

/// What the switch was asked, in order.
#[derive(Clone, Default)]
struct Switch(Arc<Mutex<Vec<String>>>);

impl Switch {
    /// Listens in the host's folder until the test ends. `refuse`: answers everything with an error.
    fn listen(host: &Host, refuse: bool) -> Self {
        let switch = Self::default();
        let listener = UnixListener::bind(host.path().join("switch")).expect("a socket");
        let asked = Arc::clone(&switch.0);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut line = String::new();
                if BufReader::new(&stream).read_line(&mut line).is_err() {
                    continue;
                }
                let request: serde_json::Value = serde_json::from_str(&line).expect("JSON");
                assert_eq!(request["host"], "host2");
                let word =
                    request["request"].as_str().expect("a word").trim_start_matches("watchdog-").to_owned();
                let timeout = request["timeout_ms"].as_u64().map(|ms| format!(" {ms}")).unwrap_or_default();
                asked.lock().expect("no panic").push(word + &timeout);
                let answer: &[u8] = if refuse {
                    b"{\"result\":\"error\",\"detail\":\"out of order\"}\n"
                } else {
                    b"{\"result\":\"ok\"}\n"
                };
                let _ = stream.write_all(answer);
            }
        });
        switch
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    fn count(&self, word: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == word).count()
    }

    /// Waits until it was asked this, more often than `before`.
    async fn until(&self, word: &str, before: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(word) <= before {
            assert!(Instant::now() < deadline, "not asked for {word}: {:?}", self.asked());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it is not fed any more for a while.
    async fn until_hungry(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.count("feed");
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            if self.count("feed") == before {
                return;
            }
            assert!(Instant::now() < deadline, "it is fed for ever: {:?}", self.asked());
        }
    }
}

fn report(allow_watchdog: bool, timeout_ms: Option<u64>) -> Request {
    Request::Report { allow_watchdog, watchdog_timeout_ms: timeout_ms }
}

#[tokio::test]
async fn it_is_armed_before_the_first_start_and_fed_while_the_daemon_allows_it() {
    let mut host = Host::new();
    let switch = Switch::listen(&host, false);
    host.start();
    let mut daemon = host.connect().await;
    daemon.send(report(true, None)).await;
    daemon.send(report(true, Some(1_000))).await;
    daemon.execute("r", "start", 0).await;
    let result = daemon.result().await;
    assert_eq!(switch.asked().first().map(String::as_str), Some("arm 1000"), "before the start has ended");
    assert_eq!(result.end.rc.0, 0);
    switch.until("feed", 0).await;
    daemon.send(report(false, Some(1_000))).await;
    switch.until_hungry().await;
    assert_eq!(switch.count("disarm"), 0, "it is left to expire");
    daemon.send(report(true, Some(1_000))).await;
    let fed = switch.count("feed");
    switch.until("feed", fed).await;
    daemon.send(report(true, Some(0))).await;
    switch.until("disarm", 0).await;
}

#[tokio::test]
async fn without_a_word_of_the_daemon_it_is_not_fed_for_long() {
    let mut host = Host::new();
    let switch = Switch::listen(&host, false);
    host.start();
    let mut daemon = host.connect().await;
    daemon.send(report(true, Some(1_000))).await;
    switch.until("feed", 0).await;
    drop(daemon);
    switch.until_hungry().await;
    assert_eq!((switch.count("disarm"), switch.count("arm 1000")), (0, 1));
}

#[tokio::test]
async fn an_executor_that_is_killed_leaves_it_armed_and_the_next_one_goes_on() {
    let mut host = Host::new();
    let switch = Switch::listen(&host, false);
    host.start();
    let mut daemon = host.connect().await;
    daemon.send(report(true, Some(1_000))).await;
    switch.until("feed", 0).await;
    host.kill();
    let fed = switch.count("feed");
    host.start();
    let mut daemon = host.connect().await;
    assert_eq!(
        (switch.count("arm 1000"), switch.count("disarm")),
        (2, 0),
        "it is opened again before the daemon speaks"
    );
    daemon.send(report(true, None)).await;
    switch.until("feed", fed).await;
}

#[tokio::test]
async fn where_it_cannot_be_armed_nothing_starts_and_everything_else_goes_on() {
    let mut host = Host::new();
    let switch = Switch::listen(&host, true);
    host.start();
    let mut daemon = host.connect().await;
    daemon.send(report(true, Some(1_000))).await;
    daemon.execute("r", "start", 0).await;
    let reason = loop {
        match daemon.event().await {
            Event::Refused { task, reason, .. } if task == "start" => break reason,
            Event::Result(result) => panic!("{result:?}"),
            _ => {}
        }
    };
    assert!(reason.contains("the watchdog is not armed") && reason.ends_with("out of order"), "{reason}");
    assert_eq!(switch.asked().first().map(String::as_str), Some("arm 1000"));
    daemon.execute("r", "stop", 0).await;
    assert_eq!(daemon.result().await.end.rc.0, 0);
    daemon.send(report(true, Some(0))).await;
    daemon.execute("r", "start", 0).await;
    assert_eq!(daemon.result().await.end.rc.0, 0, "nobody counts on it any more");
}
