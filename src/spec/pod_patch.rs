//! Holds a patch of a pod against the fields of pods.

use super::schema::Schemas;
use super::{check, rules};
use crate::source::{self, Complaints, Diagnostic, Sources, Tree, Value};

/// Returns the fields of a `podSpecPatch` that pods do not have or that cannot hold their values; the spans are
/// places in the text. What Kubernetes needs may be in what is patched, and is not asked for.
pub fn pod_patch_faults(patch: &str) -> Vec<Diagnostic> {
    let mut sources = Sources::new();
    let file = sources.add("patch", patch);
    let mut complaints = Complaints::default();
    for mut document in source::read(&sources, file).0 {
        take_directives(&mut document.root);
        check::check(&mut document.root, Schemas::get().pod_spec(), &sources, &mut complaints);
    }
    complaints.into_vec().into_iter().filter(|fault| fault.rule != rules::MISSING_FIELD).collect()
}

/// Takes away what tells how to patch: `$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`.
/// The depth of the recursion is that of the tree, which reading bounds.
fn take_directives(tree: &mut Tree) {
    match &mut tree.value {
        Value::Seq(items) => items.iter_mut().for_each(take_directives),
        Value::Map(fields) => {
            fields.retain(|name| !name.starts_with('$'));
            fields.iter_mut().for_each(|(_, entry)| take_directives(&mut entry.value));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_pods_are_known() {
        for (patch, expected) in [
            ("hostNetwork: true\ncontainers: [{name: main, resources: {limits: {memory: 1Gi}}}]", vec![]),
            (
                "{\"containers\": [{\"name\": \"main\", \"$patch\": \"replace\"}], \"$retainKeys\": [\"containers\"]}",
                vec![],
            ),
            ("volumes: [{emptyDir: {}}]\ncontainers: [{ports: [{}]}]", vec![]),
            ("hostNetworks: true", vec!["hostNetworks"]),
            ("containers:\n- name: main\n  resource: {}", vec!["resource"]),
            ("hostNetwork: often", vec!["often"]),
        ] {
            let faults = pod_patch_faults(patch);
            let parts: Vec<&str> = faults
                .iter()
                .filter_map(|fault| fault.span())
                .map(|span| &patch[span.start as usize..span.end as usize])
                .collect();
            assert_eq!(parts, expected, "{patch}");
        }
    }
}
