//! What-if: copies of a CIB in which hosts are gone.

use hafen_cib::{Cib, NodeId};

/// How a host is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It is out of the membership, and nobody knows what it still does.
    Lost,
    /// It was lost, and is proven off: what it ran is forgotten.
    Fenced,
}

/// A copy of the CIB in which a host is gone. `None`: the CIB knows no host of that name.
pub(crate) fn without_host(cib: &Cib, uname: &str, gone: Gone) -> Option<Cib> {
    let node = cib.configured_nodes().find(|node| node.uname().eq_ignore_ascii_case(uname))?;
    let (id, uname) = (node.id().to_owned(), node.uname().to_owned());
    let mut changed = cib.clone();
    let found = changed.node_states().find(|state| state.id() == Some(id.as_str())).map(|state| state.node());
    let state = match found {
        Some(state) => state,
        None => {
            let status = changed.status_or_new();
            let state = changed.document_mut().append_element(status, "node_state");
            changed.document_mut().set_attribute(state, "id", &id);
            changed.document_mut().set_attribute(state, "uname", &uname);
            state
        }
    };
    let (join, expected) = match gone {
        Gone::Lost => ("member", "member"),
        Gone::Fenced => ("down", "down"),
    };
    for (name, value) in [("in_ccm", "false"), ("crmd", "offline"), ("join", join), ("expected", expected)] {
        changed.document_mut().set_attribute(state, name, value);
    }
    let parts: Vec<NodeId> = changed
        .node_states()
        .filter(|element| element.node() == state)
        .flat_map(|element| element.children().map(|child| (child.name() == "lrm", child.node())))
        .filter(|(is_history, _)| gone == Gone::Fenced || !is_history)
        .map(|(_, child)| child)
        .collect();
    for part in parts {
        changed.document_mut().remove(part);
    }
    Some(changed)
}
