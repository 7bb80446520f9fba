//! Digests of parameters: what changed since an operation ran.

use hafen_cib::xml::Element;
use md5::{Digest, Md5};

use crate::input::nvpairs::Values;
use crate::input::record::Record;
use crate::model::{Cluster, NodeIndex, ResourceId};

/// The digest of a set of parameters, as agents' histories record it.
#[must_use]
pub fn parameters_digest(parameters: &Values) -> String {
    let mut text = String::from(" <parameters");
    for (name, value) in parameters {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '"' => text.push_str("&quot;"),
                '\n' => text.push_str("&#10;"),
                '\t' => text.push_str("&#9;"),
                '\r' => text.push_str("&#13;"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text.push_str("/>\n");
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the comparison of an operation's digests with the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    /// Something has changed that only a restart takes in.
    Restart,
    Changed,
    /// History does not say with which parameters the operation ran.
    Unknown,
}

impl<'a> Cluster<'a> {
    /// Whether a failed operation ran with other parameters than are configured now.
    pub(crate) fn ran_with_other_parameters(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        record: &Record<'a>,
    ) -> bool {
        matches!(self.compare_digests(resource, node, record), Verdict::Restart | Verdict::Changed)
    }

    /// Compares what an operation ran with to what is configured.
    pub(crate) fn compare_digests(
        &self,
        resource: ResourceId,
        node: NodeIndex,
        record: &Record<'a>,
    ) -> Verdict {
        let mut parameters = self.parameters(resource, Some(node));
        parameters.retain(|name, _| !name.starts_with("CRM_meta_") && name != "crm_feature_set");
        let own = self.operation_parameters(resource, record.task, record.interval_ms, Some(node));
        // Another operation's parameters do not come in by a reload.
        let never_reloads = record.interval_ms == 0 && !own.is_empty();
        parameters.extend(own);
        let verdict = self.compare_parameters(resource, &mut parameters, record, never_reloads);
        let same_in_public = verdict != Verdict::Same
            && self.sanitized
            && self.only_secrets_differ(resource, parameters, record);
        if same_in_public { Verdict::Same } else { verdict }
    }

    fn compare_parameters(
        &self,
        resource: ResourceId,
        parameters: &mut Values,
        record: &Record<'a>,
        never_reloads: bool,
    ) -> Verdict {
        if let Some(restart) = record.element.attribute("op-restart-digest") {
            // Without a list every parameter needs a restart.
            let list = record.element.attribute("op-force-restart");
            let names: Option<Vec<&str>> = list.map(|list| list.split_whitespace().collect());
            let kept: Values = parameters
                .iter()
                .filter(|(name, _)| names.as_ref().is_none_or(|names| names.contains(&name.as_str())))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if parameters_digest(&kept) != restart {
                return Verdict::Restart;
            }
        }
        let Some(known) = record.element.attribute("op-digest") else { return Verdict::Unknown };
        if record.interval_ms > 0 {
            let timeout_ms = self.operation_timeout_ms(resource, record.task, record.interval_ms);
            parameters.insert("CRM_meta_timeout".into(), timeout_ms.to_string());
        }
        let same = parameters_digest(parameters) == known;
        parameters.remove("CRM_meta_timeout");
        match (same, never_reloads) {
            (true, _) => Verdict::Same,
            (false, true) => Verdict::Restart,
            (false, false) => Verdict::Changed,
        }
    }

    /// In CIBs that are passed around, secrets are blotted out; that is no change.
    fn only_secrets_differ(&self, resource: ResourceId, mut parameters: Values, record: &Record<'a>) -> bool {
        let attribute = |name: &str| record.element.attribute(name);
        let Some(digest) = attribute("op-secure-digest") else { return false };
        let names: Vec<&str> = attribute("op-secure-params").unwrap_or("").split_whitespace().collect();
        let fewer = hashed_fewer(record.element);
        let stonith = self.rsc(resource).class == "stonith";
        // Timeouts do not belong to it.
        parameters.retain(|name, _| {
            !(names.contains(&name.as_str()) || fewer && stonith && name.starts_with("pcmk_"))
        });
        parameters_digest(&parameters) == digest
    }
}

/// Whether who recorded something (`crm_feature_set` before 3.16) left out of its digest without secrets what the cluster
/// itself reads of a fence device's parameters.
pub(crate) fn hashed_fewer(element: Element<'_>) -> bool {
    let version = element.attribute("crm_feature_set").unwrap_or("");
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) < (3, 16)
}
