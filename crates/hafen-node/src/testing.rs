//! Simulated hardware for tests of the node and for the simulation of whole clusters. Not part of the node.

pub mod disk;

pub use disk::SimulatedDisk;
