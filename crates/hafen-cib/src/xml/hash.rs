//! Hashes of subtrees, kept from one question to the next.

use md5::{Digest, Md5};

use super::arena::{Kind, NONE};
use super::document::Document;
use super::element::Element;

/// The MD5 of a subtree's content.
pub(crate) type Hash = [u8; 16];

impl Document {
    /// Compute the hashes of all subtrees that changed, so that later questions are cheap.
    pub fn refresh_hashes(&mut self) {
        self.hashes.resize(self.nodes.len(), [0; 16]);
        let mut input = Vec::new();
        let mut node = self.root;
        // Down into what is not hashed, then hash on the way up.
        loop {
            let mut child = self.first_unhashed(self.node(node).first_child);
            while child != NONE {
                node = child;
                child = self.first_unhashed(self.node(node).first_child);
            }
            loop {
                if !self.node(node).hashed {
                    self.hashes[node as usize] =
                        self.hash_node(node, &mut input, |child| self.hashes[child as usize]);
                    self.nodes[node as usize].hashed = true;
                }
                if node == self.root {
                    return;
                }
                let next = self.first_unhashed(self.node(node).next);
                if next != NONE {
                    node = next;
                    break;
                }
                node = self.node(node).parent;
            }
        }
    }

    /// `from`, or its first later sibling without a hash.
    fn first_unhashed(&self, mut from: u32) -> u32 {
        while from != NONE && self.node(from).hashed {
            from = self.node(from).next;
        }
        from
    }

    /// The hash of a subtree; what is not kept is computed.
    pub(crate) fn hash(&self, top: u32) -> Hash {
        if self.node(top).hashed {
            return self.hashes[top as usize];
        }
        let mut input = Vec::new();
        // For each open node the hashes of the children that are done.
        let mut open: Vec<Vec<Hash>> = vec![Vec::new()];
        let mut node = top;
        loop {
            let child = if self.node(node).hashed { NONE } else { self.node(node).first_child };
            if child != NONE {
                open.push(Vec::new());
                node = child;
                continue;
            }
            loop {
                let hash = if self.node(node).hashed {
                    self.hashes[node as usize]
                } else if self.node(node).first_child == NONE {
                    self.hash_node(node, &mut input, |_| [0; 16])
                } else {
                    let mut children = open.pop().unwrap_or_default().into_iter();
                    self.hash_node(node, &mut input, |_| children.next().unwrap_or_default())
                };
                if node == top {
                    return hash;
                }
                if let Some(siblings) = open.last_mut() {
                    siblings.push(hash);
                }
                if self.node(node).next != NONE {
                    node = self.node(node).next;
                    break;
                }
                node = self.node(node).parent;
            }
        }
    }

    /// The hash of one node, given those of its children in order.
    ///
    /// Names and values are ended by a null byte, which XML allows in neither.
    fn hash_node(&self, node: u32, input: &mut Vec<u8>, mut child_hash: impl FnMut(u32) -> Hash) -> Hash {
        input.clear();
        let slot = self.node(node);
        input.push(match slot.kind {
            Kind::Element => b'e',
            Kind::Text => b't',
            Kind::CData => b'd',
            Kind::Comment => b'c',
            Kind::Instruction => b'i',
            Kind::Document | Kind::Declaration | Kind::Free => b'-',
        });
        if slot.kind != Kind::Element {
            input.extend_from_slice(self.span(slot.text).as_bytes());
            return Md5::digest(&input).into();
        }
        let element = Element { document: self, node };
        for text in std::iter::once(element.name())
            .chain(element.attributes().flat_map(|(name, value)| [name, value]))
        {
            input.extend_from_slice(text.as_bytes());
            input.push(0);
        }
        input.push(0);
        let mut child = slot.first_child;
        while child != NONE {
            input.extend_from_slice(&child_hash(child));
            child = self.node(child).next;
        }
        Md5::digest(&input).into()
    }
}
