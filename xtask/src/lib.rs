//! Test: what holds for the workspace as a whole, in `tests/`: the direction of dependencies, and hygiene of the sources.
