//! The JSON Schema of the kinds, as editors read it: made from the same types that are decoded.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{
    ClusterWorkflowTemplate, ConfigMap, CronWorkflow, Kind, Secret, Workflow, WorkflowEventBinding, WorkflowTemplate,
};

/// Returns the schema of a kind, or one for all kinds that asks for the `kind` first.
pub fn json_schema(kind: Option<Kind>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    let roots: Vec<(Kind, Value)> = kinds.into_iter().map(|kind| (kind, root_schema(kind, &mut generator))).collect();
    let mut definitions = Value::Object(generator.take_definitions(true));
    tighten(&mut definitions);
    for kind in roots.iter().map(|(kind, _)| *kind) {
        identify(&mut definitions, kind);
    }
    for name in ["io.k8s.api.core.v1.Container", "ScriptTemplate"] {
        // Argo names the main container itself.
        if let Some(Value::Array(required)) = definitions.pointer_mut(&format!("/{name}/required")) {
            required.retain(|field| field != "name");
        }
    }
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    match roots.as_slice() {
        [(kind, root)] => {
            schema.insert("title".to_owned(), kind.name().into());
            schema.insert("$ref".to_owned(), root["$ref"].clone());
        }
        _ => {
            let cases = roots.into_iter().map(|(kind, root)| {
                json!({"if": {"properties": {"kind": {"const": kind.name()}}, "required": ["kind"]}, "then": root})
            });
            schema.insert("title".to_owned(), "Argo Workflows manifests".into());
            schema.insert("allOf".to_owned(), cases.collect());
        }
    }
    schema.insert("$defs".to_owned(), definitions);
    Value::Object(schema)
}

/// Returns the schema of a kind as its type has it; what it refers to is with the generator.
pub(super) fn root_schema(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
        generator.subschema_for::<T>().to_value()
    }
    match kind {
        Kind::Workflow => of::<Workflow>(generator),
        Kind::WorkflowTemplate => of::<WorkflowTemplate>(generator),
        Kind::ClusterWorkflowTemplate => of::<ClusterWorkflowTemplate>(generator),
        Kind::CronWorkflow => of::<CronWorkflow>(generator),
        Kind::WorkflowEventBinding => of::<WorkflowEventBinding>(generator),
        Kind::ConfigMap => of::<ConfigMap>(generator),
        Kind::Secret => of::<Secret>(generator),
    }
}

/// Refuses unknown fields wherever the fields are known, as decoding does, and lets every field be
/// null, which is as good as absent. Recursion is bounded by the depth of our own types.
fn tighten(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tighten),
        Value::Object(object) => {
            let is_object = object.get("type").is_some_and(|kind| *kind == "object" || kind[0] == "object");
            if is_object && object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                properties.values_mut().for_each(nullable);
            }
            object.values_mut().for_each(tighten);
        }
        _ => {}
    }
}

fn nullable(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    let is_reference = object.contains_key("$ref") || object.contains_key("x-kubernetes-int-or-string");
    match object.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&"null".into()) => types.push("null".into()),
        Some(one @ Value::String(_)) => *one = json!([one.clone(), "null"]),
        None if is_reference => {
            let description = object.remove("description");
            let own = std::mem::take(object);
            object.extend(description.map(|text| ("description".to_owned(), text)));
            object.insert("anyOf".to_owned(), json!([own, {"type": "null"}]));
        }
        _ => {}
    }
}

/// Says what `apiVersion` and `kind` a kind's objects have.
fn identify(definitions: &mut Value, kind: Kind) {
    let Some(object) = definitions.get_mut(kind.name()) else { return };
    object["properties"]["kind"] = json!({"const": kind.name()});
    object["properties"]["apiVersion"] = json!({"const": kind.api_version()});
    object["required"] = json!(["apiVersion", "kind"]);
}
