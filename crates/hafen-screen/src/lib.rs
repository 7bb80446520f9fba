//! The full screen of the cluster: what is read at a glance, and keys to act on it.
