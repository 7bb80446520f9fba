//! The configuration as the store keeps it.

use hafen_cib::{Cib, Patchset};

use crate::store::StoredState;

impl StoredState for Cib {
    fn parse(xml: &str) -> Result<Cib, String> {
        Cib::parse(xml).map_err(|error| error.to_string())
    }

    fn to_xml(&self) -> String {
        Cib::to_xml(self)
    }

    fn digest(&self) -> String {
        Cib::digest(self)
    }

    fn apply(&mut self, patchset: &str) -> Result<(), String> {
        let patchset = Patchset::from_xml(patchset).map_err(|error| error.to_string())?;
        patchset.apply(self).map_err(|error| error.to_string())
    }
}
