//! Shell, for tests: whole clusters in one discrete-event world on virtual time, under faults drawn from a seed.

pub mod dice;
pub mod trace;
