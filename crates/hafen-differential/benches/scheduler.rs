//! bench: parsing a CIB, planning for it in memory, and writing the graph, each by itself.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell")]
#![allow(missing_docs, reason = "the macro's functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hafen_cib::Cib;
use hafen_differential::book::{State, cib};
use hafen_scheduler::{Options, report};

const NOW: u64 = 1_764_000_000;

fn scheduler(criterion: &mut Criterion) {
    for state in State::ALL {
        let text = cib(16, 200, state);
        let parsed = Cib::parse(&text).expect("a CIB");
        let plan = report(&parsed, NOW, Options::default()).plan;
        let mut group = criterion.benchmark_group(format!("16x200 {}", state.name()));
        group.bench_function("parse", |bench| bench.iter(|| Cib::parse(black_box(&text))));
        group.bench_function("plan", |bench| {
            bench.iter(|| report(black_box(&parsed), NOW, Options::default()));
        });
        group.bench_function("graph", |bench| bench.iter(|| black_box(&plan).to_graph_xml(1, None)));
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = scheduler
}
criterion_main!(benches);
