//! The typed wrapper of a CIB's tree.

use std::fmt;

use crate::xml::{Document, Element, NodeId, ParseError};

/// The version of a CIB; compared field by field in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version {
    /// Changed by administrators only.
    pub admin_epoch: u64,
    /// Changes of the configuration.
    pub epoch: u64,
    /// Changes of the status.
    pub num_updates: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.admin_epoch, self.epoch, self.num_updates)
    }
}

/// Why a text is no CIB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CibError {
    /// It is not XML.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It is XML, but not a CIB.
    #[error("line {line}: {what}")]
    NotACib {
        /// The line of the element.
        line: u32,
        /// What is wrong.
        what: String,
    },
}

/// The sections of the configuration that every CIB has.
const SECTIONS: [&str; 4] = ["crm_config", "nodes", "resources", "constraints"];

/// A cluster information base.
#[derive(Debug, Clone)]
pub struct Cib {
    document: Document,
}

/// Who changed a CIB last: when, where, with what, and who.
const SIGNATURE: [&str; 4] = ["cib-last-written", "update-origin", "update-client", "update-user"];

impl Default for Cib {
    fn default() -> Self {
        Cib::new()
    }
}

impl Cib {
    /// An empty CIB at version 0.0.0 with all of its sections.
    pub fn new() -> Cib {
        let mut document = Document::new("cib");
        let root = document.root().node();
        for (name, value) in [
            ("crm_feature_set", FEATURE_SET),
            ("validate-with", SCHEMA),
            ("epoch", "0"),
            ("num_updates", "0"),
            ("admin_epoch", "0"),
        ] {
            document.set_attribute(root, name, value);
        }
        let configuration = document.append_element(root, "configuration");
        for section in SECTIONS {
            document.append_element(configuration, section);
        }
        document.append_element(root, "status");
        Cib { document }
    }

    /// Write who changed it last, when (as `ctime(3)` writes it where that was) and where: no digest counts that.
    pub fn sign(&mut self, written: &str, host: &str, client: &str, user: &str) {
        let root = self.document.root().node();
        for (name, value) in SIGNATURE.into_iter().zip([written, host, client, user]) {
            self.document.set_attribute(root, name, value);
        }
    }

    /// The same as another CIB says.
    pub fn sign_as(&mut self, other: &Cib) {
        let root = self.document.root().node();
        for name in SIGNATURE {
            match other.document.root().attribute(name) {
                Some(value) => self.document.set_attribute(root, name, value),
                None => drop(self.document.remove_attribute(root, name)),
            }
        }
    }

    /// Parse a CIB: the root is `<cib>`, it has a `<configuration>`, and its version is numeric.
    pub fn parse(source: &str) -> Result<Cib, CibError> {
        Cib::from_document(Document::parse(source)?)
    }

    /// Take a parsed tree as a CIB.
    pub fn from_document(document: Document) -> Result<Cib, CibError> {
        let root = document.root();
        let wrong =
            |element: Element<'_>, what: String| Err(CibError::NotACib { line: element.line(), what });
        if root.name() != "cib" {
            return wrong(root, format!("the root element is `<{}>`, expected `<cib>`", root.name()));
        }
        if root.child("configuration").is_none() {
            return wrong(root, "`<cib>` has no `<configuration>`".to_string());
        }
        for name in ["admin_epoch", "epoch", "num_updates"] {
            if let Some(value) = root.attribute(name)
                && value.parse::<u64>().is_err()
            {
                return wrong(root, format!("{name}=\"{value}\" is not a number from 0 up"));
            }
        }
        Ok(Cib { document })
    }

    /// The tree.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The tree, to edit. The version is the caller's concern ([`Cib::set_version`]).
    pub fn document_mut(&mut self) -> &mut Document {
        &mut self.document
    }

    /// The CIB as XML.
    pub fn to_xml(&self) -> String {
        self.document.to_xml()
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        self.document.root()
    }

    /// The version; a missing field is 0.
    pub fn version(&self) -> Version {
        Version::of(self.root())
    }

    /// Set the version.
    pub fn set_version(&mut self, version: Version) {
        let root = self.root().node();
        for (name, value) in version.fields() {
            self.document.set_attribute(root, name, &value.to_string());
        }
    }

    /// `<configuration>`.
    pub fn configuration(&self) -> Option<Element<'_>> {
        self.root().child("configuration")
    }

    /// A section of the configuration, such as `crm_config`, `nodes`, `resources`, `constraints`,
    /// `rsc_defaults`, `op_defaults`, `tags`, `acls`, `alerts`, `fencing-topology`.
    pub fn section(&self, name: &str) -> Option<Element<'_>> {
        self.configuration()?.child(name)
    }

    /// A section of the configuration, made if it is missing.
    pub fn section_or_new(&mut self, name: &str) -> NodeId {
        if let Some(section) = self.section(name) {
            return section.node();
        }
        let configuration = match self.configuration() {
            Some(configuration) => configuration.node(),
            None => {
                let root = self.root().node();
                self.document.insert_element(root, 0, "configuration")
            }
        };
        self.document.append_element(configuration, name)
    }

    /// `<crm_config>`.
    pub fn crm_config(&self) -> Option<Element<'_>> {
        self.section("crm_config")
    }

    /// `<nodes>`.
    pub fn nodes(&self) -> Option<Element<'_>> {
        self.section("nodes")
    }

    /// `<resources>`.
    pub fn resources(&self) -> Option<Element<'_>> {
        self.section("resources")
    }

    /// `<constraints>`.
    pub fn constraints(&self) -> Option<Element<'_>> {
        self.section("constraints")
    }

    /// `<status>`.
    pub fn status(&self) -> Option<Element<'_>> {
        self.root().child("status")
    }

    /// `<status>`, made if it is missing.
    pub fn status_or_new(&mut self) -> NodeId {
        match self.status() {
            Some(status) => status.node(),
            None => {
                let root = self.root().node();
                self.document.append_element(root, "status")
            }
        }
    }

    /// The `<node_state>` elements of the status.
    pub fn node_states(&self) -> impl Iterator<Item = Element<'_>> {
        self.status().into_iter().flat_map(|status| status.children_named("node_state"))
    }
}

/// The feature set that a new CIB carries: Pacemaker 3.0's.
pub const FEATURE_SET: &str = "3.20.0";

/// What `dc-version` says of a cluster of ours: the version of Pacemaker that it stands in for, and who does.
pub const DC_VERSION: &str = "3.0.0-hafen";

/// The schema that a new CIB names: Pacemaker 3.0's.
pub const SCHEMA: &str = "pacemaker-4.0";

impl Version {
    /// The version in an element's attributes; what is missing or not a number is 0.
    pub fn of(element: Element<'_>) -> Version {
        let field = |name| element.attribute(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Version {
            admin_epoch: field("admin_epoch"),
            epoch: field("epoch"),
            num_updates: field("num_updates"),
        }
    }

    /// The names and values of the fields, most significant first.
    pub fn fields(self) -> [(&'static str, u64); 3] {
        [("admin_epoch", self.admin_epoch), ("epoch", self.epoch), ("num_updates", self.num_updates)]
    }
}
