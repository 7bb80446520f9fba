//! The properties of the cluster.

use super::pairs::{NO_RULES, Pairs, RuleHolds};
use crate::cib::Cib;
use crate::options::{ALIASES, CLUSTER_OPTIONS, canonical_property, find};
use crate::values::{Score, parse_boolean, parse_duration_ms, parse_timeout_ms};

/// The set of properties that counts before all others.
const FIRST_SET: &str = "cib-bootstrap-options";

impl Cib {
    /// The value of a property as it is configured, under its name or an alias; sets with rules do
    /// not count.
    pub fn configured_property(&self, name: &str) -> Option<&str> {
        self.configured_property_with(name, NO_RULES)
    }

    /// The value of a property as it is configured, with rules judged by the caller.
    pub fn configured_property_with(&self, name: &str, rules: RuleHolds<'_>) -> Option<&str> {
        let pairs = Pairs::of(self.crm_config()?, "cluster_property_set", Some(FIRST_SET), rules);
        let canonical = canonical_property(name);
        let aliases = ALIASES.iter().filter(|(_, of)| *of == canonical).map(|(alias, _)| *alias);
        std::iter::once(canonical).chain(aliases).find_map(|name| pairs.get(name))
    }

    /// The value of a property: as configured, else Pacemaker's default.
    ///
    /// A configured value that does not fit the property counts as not configured.
    pub fn property(&self, name: &str) -> Option<&str> {
        let option = find(CLUSTER_OPTIONS, canonical_property(name));
        let fits = |value: &&str| option.is_none_or(|option| option.values.fault(value).is_none());
        self.configured_property(name).filter(fits).or_else(|| option?.default)
    }

    /// A property that is true or false; `false` if it has neither value nor default.
    pub fn property_boolean(&self, name: &str) -> bool {
        self.property(name).and_then(parse_boolean).unwrap_or(false)
    }

    /// A property that is a time, in milliseconds; 0 if it has neither value nor default. For
    /// properties that may be negative see [`Cib::property_timeout_ms`].
    pub fn property_duration_ms(&self, name: &str) -> u64 {
        self.property(name).and_then(parse_duration_ms).unwrap_or(0)
    }

    /// A property that is a time and may be negative, in milliseconds.
    pub fn property_timeout_ms(&self, name: &str) -> i64 {
        self.property(name).and_then(parse_timeout_ms).unwrap_or(0)
    }

    /// A property that is a score.
    pub fn property_score(&self, name: &str) -> Score {
        self.property(name).and_then(Score::parse).unwrap_or_default()
    }
}
