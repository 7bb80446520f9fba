//! `acknowledged_changes_survive`: what a client was told to be done is in the configuration of every coordinator that
//! comes after, until a client changes it again.
//!
//! Not claimed in clusters whose clients override a missing quorum, and not where two hosts without fencing split: each
//! side takes the other for off there, as its operator said.

use hafen_cib::Cib;

use crate::clients::{Clients, Key, Value};

/// The value of a key in a configuration.
pub fn value_of(cib: &Cib, key: &Key) -> Value {
    match key {
        Key::Attribute { node, name } => {
            let nodes = cib.nodes()?;
            let node = nodes.children().find(|one| one.attribute("uname") == Some(node))?;
            let pairs = node.descendants().filter(|one| one.name() == "nvpair");
            let mut named = pairs.filter(|one| one.attribute("name") == Some(name));
            named.next()?.attribute("value").map(str::to_owned)
        }
        Key::Element { id, attribute } => {
            let element = cib.document().by_id(id)?;
            match attribute {
                Some(attribute) => element.attribute(attribute).map(str::to_owned),
                None => Some(String::new()),
            }
        }
        Key::Meta { resource, name } => {
            let resource = cib.document().by_id(resource)?;
            let metas = resource.children().filter(|one| one.name() == "meta_attributes");
            let mut pairs = metas.flat_map(|meta| meta.children());
            pairs.find(|one| one.attribute("name") == Some(name))?.attribute("value").map(str::to_owned)
        }
    }
}

/// Looks at a configuration that must hold everything that was acknowledged before a time. What is missing.
pub fn acknowledged_changes_survive(
    clients: &Clients,
    cib: &Cib,
    whose: &str,
    before_us: u64,
) -> Option<String> {
    for (key, known) in &clients.ledger {
        let Some((acknowledged, at_us)) = &known.acknowledged else { continue };
        if *at_us >= before_us
            || clients.is_void(key)
            || clients.pending().any(|(_, pending)| pending.key == *key)
        {
            continue;
        }
        let found = value_of(cib, key);
        if found != *acknowledged && !known.possible.contains(&found) {
            return Some(format!(
                "{key:?} is {found:?} in the configuration of {whose}, and {acknowledged:?} was acknowledged"
            ));
        }
    }
    None
}
