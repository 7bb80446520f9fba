//! Shell, for tests: whole clusters in one discrete-event world on virtual time, under faults drawn from a seed.
//!
//! `options` draws what a run is made of; `world` plays it: whole hosts around real nodes, a network that produces the
//! contract's worst, a fence device, clients. `invariants` look at the world from outside. `situations` counts the
//! awkward moments that runs must reach, `mutant` makes clusters wrong on purpose, `runner` plays many seeds.

pub mod agents;
pub mod clients;
pub mod configuration;
pub mod device;
pub mod dice;
pub mod double_shoot;
pub mod executor;
pub mod fault;
pub mod fencer;
pub mod host;
pub mod invariants;
pub mod mutant;
pub mod options;
pub mod runner;
pub mod situations;
pub mod trace;
pub mod votequorum;
pub mod watchdog;
pub mod world;
