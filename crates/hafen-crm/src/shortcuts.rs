//! Short words for the places of a configuration that rights are often given to.

/// The XPath that a shortcut stands for, such as `meta:vm1:target-role`.
pub(crate) fn xpath(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, ':');
    let head = parts.next()?;
    let one = parts.next();
    let two = parts.next();
    if [one, two].into_iter().flatten().any(|part| part.is_empty() || part.contains('\'')) {
        return None;
    }
    let set = |resource: &str, set: &str| {
        let name = two.map(|name| format!("/nvpair[@name='{name}']")).unwrap_or_default();
        format!("//primitive[@id='{resource}']/{set}{name}")
    };
    let named = |path: &str| match one {
        Some(name) => format!("{path}/nvpair[@name='{name}']"),
        None => path.to_string(),
    };
    let of_node = |path: &str| match one {
        Some(uname) => format!("{path}[@uname='{uname}']"),
        None => path.to_string(),
    };
    Some(match (head, one, two) {
        ("meta", Some(resource), _) => set(resource, "meta_attributes"),
        ("params", Some(resource), _) => set(resource, "instance_attributes"),
        ("utilization", Some(resource), None) => set(resource, "utilization"),
        ("location", Some(resource), None) => {
            format!("//rsc_location[@id='cli-prefer-{resource}' and @rsc='{resource}']")
        }
        ("property", _, None) => named("//crm_config/cluster_property_set"),
        ("node", _, None) => of_node("//nodes/node"),
        ("nodeattr", _, None) => named("//nodes/node/instance_attributes"),
        ("nodeutil", _, None) => of_node("//nodes/node/utilization"),
        ("status", None, None) => "/cib/status".to_string(),
        _ => return None,
    })
}

/// The shortcut that stands for an XPath.
pub(crate) fn shortcut(path: &str) -> Option<String> {
    let quoted: Vec<&str> = path.split('\'').skip(1).step_by(2).collect();
    let candidate = if path.starts_with("//primitive[") {
        let resource = quoted.first()?;
        let head = ["meta", "params", "utilization"].into_iter().zip([
            "/meta_attributes",
            "/instance_attributes",
            "/utilization",
        ]);
        let head = head.into_iter().find(|(_, set)| path.contains(&format!("]{set}")))?.0;
        match quoted.get(1) {
            Some(name) => format!("{head}:{resource}:{name}"),
            None => format!("{head}:{resource}"),
        }
    } else if path.starts_with("//rsc_location[") {
        format!("location:{}", quoted.get(1)?)
    } else {
        const HEADS: [(&str, &str); 5] = [
            ("//crm_config/cluster_property_set", "property"),
            ("//nodes/node/instance_attributes", "nodeattr"),
            ("//nodes/node/utilization", "nodeutil"),
            ("//nodes/node", "node"),
            ("/cib/status", "status"),
        ];
        let head = HEADS.iter().find(|(start, _)| path.starts_with(start))?.1;
        quoted.first().map_or(head.to_string(), |name| format!("{head}:{name}"))
    };
    (xpath(&candidate).as_deref() == Some(path)).then_some(candidate)
}
