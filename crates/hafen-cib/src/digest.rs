//! Digests of a CIB: ours, which is quick after a change, and Pacemaker's.

use md5::{Digest, Md5};

use crate::cib::Cib;
use crate::xml::arena::{Kind, NONE};
use crate::xml::{Document, NodeId};

/// What Pacemaker leaves out of its digest: who changed the CIB, when and why.
const NOT_IN_V3: [&str; 5] =
    ["cib-last-written", "crm-debug-origin", "update-client", "update-origin", "update-user"];

impl Cib {
    /// The digest of everything in the CIB: 32 hexadecimal digits.
    ///
    /// It is the MD5 of the root, where an element's MD5 covers its name, its attributes in order,
    /// and its children's MD5 in order, comments and texts among them. The MD5 of subtrees is kept
    /// ([`Cib::refresh_digest`]), so that a change costs the hashing of its ancestors only.
    pub fn digest(&self) -> String {
        hexadecimal(self.document().hash(self.root().node().0))
    }

    /// Compute what changed since the last call, so that [`Cib::digest`] is cheap.
    pub fn refresh_digest(&mut self) -> String {
        self.document_mut().refresh_hashes();
        self.digest()
    }

    /// The digest as `cibadmin --md5-sum-versioned` prints it: the MD5 of the CIB as XML without
    /// layout, text and instructions, without the attributes that say who wrote it.
    pub fn digest_v3(&self) -> String {
        self.document().digest_v3()
    }
}

impl Document {
    /// [`Cib::digest_v3`] of XML that need not be a CIB.
    pub fn digest_v3(&self) -> String {
        let mut copy = self.clone();
        strip(&mut copy, &NOT_IN_V3);
        hexadecimal(Md5::digest(copy.root().to_xml_compact()).into())
    }

    /// The digest as `cibadmin --md5-sum` prints it, as it stands beside a CIB on disk: the MD5 of the XML without layout between
    /// a blank and a newline.
    pub fn digest_on_disk(&self) -> String {
        let mut copy = self.clone();
        strip(&mut copy, &[]);
        hexadecimal(Md5::digest(format!(" {}\n", copy.root().to_xml_compact())).into())
    }
}

fn strip(document: &mut Document, attributes: &[&str]) {
    let root = document.root().node().0;
    let mut node = Some(root);
    let mut dropped = Vec::new();
    while let Some(current) = node {
        match document.node(current).kind {
            Kind::Element => {
                for name in attributes {
                    document.remove_attribute(NodeId(current), name);
                }
            }
            Kind::Text | Kind::Instruction => dropped.push(current),
            _ => {}
        }
        node = document.following(current, root);
    }
    for node in dropped {
        debug_assert_ne!(document.node(node).parent, NONE);
        document.detach(node);
        document.discard(node);
    }
}

fn hexadecimal(hash: [u8; 16]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
