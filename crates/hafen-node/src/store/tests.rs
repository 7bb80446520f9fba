//! The store on a disk that forgets what was not synced.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::testing::disk::SimulatedDisk;

/// A state whose XML is its list of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lines(String);

impl StoredState for Lines {
    fn parse(xml: &str) -> Result<Lines, String> {
        if xml.starts_with("lines") { Ok(Lines(xml.to_owned())) } else { Err("no lines".into()) }
    }
    fn to_xml(&self) -> String {
        self.0.clone()
    }
    fn digest(&self) -> String {
        format!("{}:{}", self.0.len(), self.0.rsplit(',').next().unwrap_or_default())
    }
    fn apply(&mut self, patchset: &str) -> Result<(), String> {
        self.0.push(',');
        self.0.push_str(patchset);
        Ok(())
    }
}

fn sequence(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    }
}

/// What a host has done since its store was recovered, and what it was told.
struct Host {
    disk: SimulatedDisk,
    store: Store,
    /// Everything that was ever given, oldest first: the ticket, the state and the promise after it. The first is
    /// what the last recovery found.
    given: Vec<(Ticket, Lines, u64)>,
    /// What must never be lost.
    durable: (Lines, u64),
    now: Now,
    counter: u64,
}

impl Host {
    fn new() -> Host {
        let disk = SimulatedDisk::new();
        let (store, recovered) = Store::recover::<Lines>(&disk.files(), "lines").expect("recovers");
        assert!(recovered.notes.is_empty() && !recovered.damaged);
        let given = vec![(store.last_ticket(), recovered.state.clone(), 0)];
        Host { disk, store, given, durable: (recovered.state, 0), now: Now::default(), counter: 0 }
    }

    fn last(&self) -> (Lines, u64) {
        self.given.last().map(|(_, state, promised)| (state.clone(), *promised)).expect("never empty")
    }

    fn change(&mut self) {
        let (before, promised) = self.last();
        self.counter += 1;
        let patchset = format!("change{}", self.counter);
        let mut after = before.clone();
        after.apply(&patchset).expect("applies");
        let change = ChangeRecord {
            lineage: Lineage { term: self.counter, host: 1 },
            patchset: Some(patchset),
            base_digest: before.digest(),
            hosts: None,
            result_digest: after.digest(),
        };
        let ticket = self.store.append_change(change, &after);
        self.given.push((ticket, after, promised));
    }

    fn promise(&mut self) {
        let (state, promised) = self.last();
        let ticket = self.store.append_promise(promised + 1, &state);
        self.given.push((ticket, state, promised + 1));
    }

    fn copy(&mut self) {
        let (_, promised) = self.last();
        self.counter += 1;
        let state = Lines(format!("lines of copy{}", self.counter));
        let lineage = Lineage { term: self.counter, host: 2 };
        let ticket = self.store.install_copy(&state, lineage, 0, &BTreeMap::new());
        self.given.push((ticket, state, promised));
    }

    fn carry_out_one(&mut self, fault: bool, random: &mut dyn FnMut() -> u64) -> bool {
        let Some((token, effect)) = self.store.poll_effect() else { return false };
        let result = if fault {
            self.disk.apply_partly(&effect, random);
            Err(StorageError::Full)
        } else {
            self.disk.apply(&effect)
        };
        let progress = self.store.completed(self.now, token, result);
        if let Some(Progress::Durable(through)) = progress {
            assert_eq!(through, self.store.durable_through());
            let reached = self.given.iter().rev().find(|(ticket, _, _)| *ticket <= through);
            let (_, state, promised) = reached.expect("a ticket that was given");
            self.durable = (state.clone(), *promised);
        }
        true
    }

    fn wait(&mut self) {
        self.now.monotonic_ms += 1_000;
        let (state, _) = self.last();
        self.store.handle_timeout(self.now, &state);
    }

    /// Recovers, and checks that nothing durable is gone and that what is there was given at some time. What it
    /// found is not durable before the store says so: the next crash may bring back what was before it.
    fn restart(&mut self) {
        let (store, recovered) = Store::recover::<Lines>(&self.disk.files(), "lines").expect("recovers");
        assert!(!recovered.damaged, "{:?}", recovered.notes);
        let durable = self
            .given
            .iter()
            .position(|(_, state, promised)| (state, promised) == (&self.durable.0, &self.durable.1));
        self.given.drain(..durable.expect("the durable state was given"));
        let found = self.given.iter().rposition(|(_, state, _)| *state == recovered.state);
        let Some(found) = found else {
            panic!("recovered {:?}, durable was {:?}", recovered.state, self.durable);
        };
        assert!(recovered.promised_term >= self.durable.1, "promise forgotten");
        self.store = store;
        self.given.truncate(found + 1);
        for (ticket, _, _) in &mut self.given {
            *ticket = Ticket::default();
        }
        self.given.push((self.store.last_ticket(), recovered.state, recovered.promised_term));
    }
}

/// One step of a host's life, from a random number.
fn step(host: &mut Host, random: &mut dyn FnMut() -> u64) {
    match random() % 24 {
        0..8 => host.change(),
        8 => host.promise(),
        9 => host.copy(),
        10 => {
            host.store.keep_conflict("of host 3", "<cib/>");
        }
        11 => {
            host.carry_out_one(true, random);
        }
        12 => {
            host.disk.crash(random);
            host.restart();
        }
        13 => host.restart(),
        14 | 15 => host.wait(),
        _ => {
            for _ in 0..random() % 12 {
                host.carry_out_one(false, random);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_reported_durable_is_ever_lost(seed in any::<u64>(), steps in 1_usize..400) {
        let mut random = sequence(seed);
        let mut host = Host::new();
        for _ in 0..steps {
            step(&mut host, &mut random);
        }
        host.disk.crash(&mut random);
        host.restart();
    }

    #[test]
    fn a_disk_that_works_again_gets_everything(seed in any::<u64>(), steps in 1_usize..100) {
        let mut random = sequence(seed);
        let mut host = Host::new();
        for _ in 0..steps {
            step(&mut host, &mut random);
        }
        for _ in 0..40 {
            host.wait();
            for _ in 0..1_000 {
                if !host.carry_out_one(false, &mut random) {
                    break;
                }
            }
        }
        prop_assert!(host.store.is_durable());
        prop_assert_eq!(host.store.failure(), None);
        let left: Vec<String> =
            host.disk.files().into_keys().filter(|name| !name.starts_with("cib-conflict-")).collect();
        prop_assert!(left.len() <= 4, "two generations: {:?}", left);
        let expected = host.last();
        host.disk.crash(&mut random);
        let (_, recovered) = Store::recover::<Lines>(&host.disk.files(), "lines").expect("recovers");
        prop_assert_eq!((recovered.state, recovered.promised_term), expected);
    }

    #[test]
    fn garbage_is_never_taken_for_a_state(seed in any::<u64>()) {
        let mut random = sequence(seed);
        let mut host = Host::new();
        for _ in 0..200 {
            host.change();
            host.carry_out_one(false, &mut random);
        }
        let known: BTreeSet<String> = host.given.iter().map(|(_, state, _)| state.0.clone()).collect();
        let files = host.disk.files();
        for (name, bytes) in &files {
            let mut bytes = bytes.clone();
            if let Some(at) = usize::try_from(random()).ok().and_then(|at| at.checked_rem(bytes.len())) {
                bytes[at] ^= u8::try_from(random() % 255).unwrap_or_default() + 1;
            }
            host.disk.damage(name, &bytes);
        }
        let (_, recovered) = Store::recover::<Lines>(&host.disk.files(), "lines").expect("recovers");
        prop_assert!(known.contains(&recovered.state.0) || recovered.state.0 == "lines");
        prop_assert!(!recovered.notes.is_empty());
    }
}

fn drain(host: &mut Host) {
    let mut random = sequence(1);
    for _ in 0..10_000 {
        if !host.carry_out_one(false, &mut random) {
            return;
        }
    }
    panic!("the store does not come to rest");
}

#[test]
fn many_appends_share_one_sync() {
    let mut host = Host::new();
    drain(&mut host);
    for _ in 0..50 {
        host.change();
    }
    let mut effects = Vec::new();
    while let Some((token, effect)) = host.store.poll_effect() {
        host.disk.apply(&effect).expect("carried out");
        host.store.completed(host.now, token, Ok(()));
        effects.push(effect);
    }
    assert_eq!(effects.len(), 2, "an append and a sync: {effects:?}");
    assert!(host.store.is_durable());
}

#[test]
fn a_long_log_becomes_a_snapshot_and_old_generations_go() {
    let mut host = Host::new();
    for _ in 0..LOG_RECORDS_MAXIMUM * 5 {
        host.change();
        drain(&mut host);
    }
    let names: Vec<String> = host.disk.files().into_keys().collect();
    assert_eq!(names.len(), 4, "two generations: {names:?}");
    let (_, recovered) = Store::recover::<Lines>(&host.disk.files(), "lines").expect("recovers");
    assert_eq!(recovered.state, host.last().0);
}

#[test]
fn a_damaged_snapshot_is_replaced_by_the_generation_before_it_and_both_logs() {
    let mut host = Host::new();
    for _ in 0..LOG_RECORDS_MAXIMUM + 10 {
        host.change();
        drain(&mut host);
    }
    let newest = host.disk.files().into_keys().rfind(|name| name.ends_with(".snapshot")).expect("a snapshot");
    let mut bytes = host.disk.files()[&newest].clone();
    bytes.truncate(bytes.len() / 2);
    host.disk.damage(&newest, &bytes);
    let (_, recovered) = Store::recover::<Lines>(&host.disk.files(), "lines").expect("recovers");
    assert_eq!(recovered.state, host.last().0);
    assert!(recovered.damaged);
    assert!(recovered.notes[0].contains(&newest), "{:?}", recovered.notes);
}

#[test]
fn the_newest_conflicts_are_kept_and_the_oldest_go() {
    let mut host = Host::new();
    let mut last = None;
    for _ in 0..CONFLICTS_MAXIMUM + 5 {
        last = host.store.keep_conflict("../../etc", "<cib/>");
        drain(&mut host);
    }
    let conflicts: Vec<String> =
        host.disk.files().into_keys().filter(|name| name.starts_with("cib-conflict-")).collect();
    assert_eq!(conflicts.len(), CONFLICTS_MAXIMUM);
    assert_eq!(conflicts.last(), last.as_ref());
    assert_eq!(last.as_deref(), Some("cib-conflict-000021-etc.xml"));
}

#[test]
fn a_failed_disk_is_left_alone_and_tried_again() {
    let mut host = Host::new();
    drain(&mut host);
    host.change();
    let (append, _) = host.store.poll_effect().expect("an append");
    let (sync, _) = host.store.poll_effect().expect("a sync");
    let failed = host.store.completed(host.now, append, Err(StorageError::Full));
    assert_eq!(failed, Some(Progress::Failed("no space left on the disk".into())));
    assert_eq!(host.store.poll_timeout(), None, "not while effects are in flight");
    // Even a sync that claims to have succeeded proves nothing now.
    assert_eq!(host.store.completed(host.now, sync, Ok(())), None);
    assert!(!host.store.is_durable());
    host.change();
    assert_eq!(host.store.poll_effect(), None);
    host.now.monotonic_ms = host.store.poll_timeout().expect("a retry");
    let (state, _) = host.last();
    host.store.handle_timeout(host.now, &state);
    assert!(host.store.failure().is_some(), "until it has succeeded");
    drain(&mut host);
    assert_eq!(host.store.failure(), None);
    assert!(host.store.is_durable());
    let (_, recovered) = Store::recover::<Lines>(&host.disk.files(), "lines").expect("recovers");
    assert_eq!(recovered.state, state);
}

/// The same with the real state: patchsets of a CIB, recovered from the log alone.
#[test]
fn a_cib_comes_back_from_its_patchsets() {
    use hafen_cib::{Cib, Patchset};

    let mut disk = SimulatedDisk::new();
    let initial = "<cib admin_epoch=\"0\" epoch=\"0\" num_updates=\"0\"><configuration><crm_config/><nodes/>\
                   <resources/><constraints/></configuration><status/></cib>";
    let (mut store, recovered) = Store::recover::<Cib>(&disk.files(), initial).expect("recovers");
    let mut cib = recovered.state;
    let mut settle = |store: &mut Store| {
        while let Some((token, effect)) = store.poll_effect() {
            disk.apply(&effect).expect("carried out");
            store.completed(Now::default(), token, Ok(()));
        }
        disk.files()
    };
    settle(&mut store);
    for number in 1..=20_u64 {
        let mut after = cib.clone();
        let resources = after.section_or_new("resources");
        let primitive = after.document_mut().append_element(resources, "primitive");
        after.document_mut().set_attribute(primitive, "id", &format!("vm{number}"));
        let version = hafen_cib::Version { epoch: number, ..cib.version() };
        after.set_version(version);
        let change = ChangeRecord {
            lineage: Lineage { term: 3, host: 1 },
            patchset: Some(Patchset::diff(&cib, &after).to_xml()),
            base_digest: StoredState::digest(&cib),
            hosts: None,
            result_digest: StoredState::digest(&after),
        };
        store.append_change(change, &after);
        cib = after;
    }
    store.append_promise(4, &cib);
    let files = settle(&mut store);
    assert!(files.values().all(|bytes| !bytes.is_empty()));
    let (_, recovered) = Store::recover::<Cib>(&files, initial).expect("recovers");
    assert_eq!(recovered.notes, Vec::<String>::new());
    assert_eq!((recovered.lineage, recovered.promised_term), (Lineage { term: 3, host: 1 }, 4));
    assert_eq!(recovered.state.version().epoch, 20);
    assert_eq!(recovered.state.to_xml(), cib.to_xml());
}
