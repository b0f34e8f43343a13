//! Writes `shapes.txt`: what checking needs of the JSON schemas of the types.

use std::path::Path;

use indexmap::IndexMap;
use k8s_openapi::api::core::v1 as core;
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use crate::spec::Kind;
use crate::spec::publish::root_schema;

#[test]
fn shapes_follow_the_types() {
    let (shapes, path) = (shapes(), Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec/shapes.txt"));
    if std::env::var_os("WF_UPDATE").is_some() {
        std::fs::write(&path, &shapes).expect("the text is ours");
    }
    let found = std::fs::read_to_string(&path).expect("a text of the package");
    assert!(found == shapes, "{} is stale: run with WF_UPDATE=1", path.display());
}

fn shapes() -> String {
    let mut generator = SchemaGenerator::default();
    let mut roots: Vec<Value> = Kind::ALL.into_iter().map(|kind| root_schema(kind, &mut generator)).collect();
    // What `podSpecPatch` is laid over.
    roots.push(generator.subschema_for::<core::PodSpec>().to_value());
    let definitions = generator.take_definitions(true);
    let mut writer = Writer { definitions: &definitions, objects: IndexMap::new() };
    roots.iter().for_each(|root| drop(writer.form(root, "")));
    let paragraphs = writer.objects.into_iter().map(|(name, fields)| format!("{}{fields}", short(name)));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Turns schemas into words. It knows the few keywords that the generators use, and takes what
/// it does not know for any JSON, so that checking never refuses too much.
struct Writer<'a> {
    definitions: &'a Map<String, Value>,
    /// The lines of the fields of each object that was met, by the name of its definition.
    objects: IndexMap<&'a str, String>,
}

impl<'a> Writer<'a> {
    /// Returns the word for a schema; `name` is that of its definition.
    fn form(&mut self, schema: &'a Value, name: &'a str) -> String {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            let (name, schema) = self.definitions.get_key_value(name).expect("a schema refers to what there is");
            return self.form(schema, name);
        }
        if schema.get("x-kubernetes-int-or-string").is_some() {
            return if name.ends_with("Quantity") { "quantity" } else { "int-or-text" }.to_owned();
        }
        if let Some(first) = schema.get("anyOf").and_then(|of| of.get(0)) {
            return self.form(first, name);
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        let word = match (&types(schema)[..], format) {
            (["string"], "date-time") => "time",
            (["string"], "byte") => "base64",
            (["string"], _) => "text",
            (["boolean"], _) => "bool",
            (["integer"], "int32" | "uint64") => format,
            (["integer"], _) => "int64",
            (["number"], _) => "number",
            (["string", "number", "boolean"], _) => "any-text",
            (["array"], _) => return format!("[{}]", self.part(schema, "items")),
            (["object"], _) => return self.object(schema, name),
            _ => "any",
        };
        word.to_owned()
    }

    fn object(&mut self, schema: &'a Value, name: &'a str) -> String {
        if schema.get("additionalProperties").is_some() {
            let values = self.part(schema, "additionalProperties");
            let one_key = schema.get("maxProperties").and_then(Value::as_u64) == Some(1);
            return if one_key { format!("<{values}>") } else { format!("{{{values}}}") };
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        // Kubernetes' objects without fields, such as `FieldsV1`, are free; Argo's are empty.
        if properties.is_none() && name.starts_with("io.k8s") {
            return "any".to_owned();
        }
        assert_ne!(name, "", "an object has a name: {schema}");
        // Reserving the place first lets an object contain itself.
        if self.objects.get(name).is_none() {
            self.objects.insert(name, String::new());
            let required = required(schema, name);
            let lines = properties.into_iter().flatten().map(|(field, schema)| {
                let mark = if required.contains(&field.as_str()) { "!" } else { "" };
                let instead = schema.get("x-instead").and_then(Value::as_str);
                let instead = instead.map_or_else(String::new, |instead| format!(" => {instead}"));
                format!("\n  {field}{mark} {}{instead}", self.form(schema, ""))
            });
            let lines = lines.collect();
            self.objects[name] = lines;
        }
        short(name).to_owned()
    }

    fn part(&mut self, schema: &'a Value, keyword: &str) -> String {
        schema.get(keyword).map_or_else(|| "any".to_owned(), |part| self.form(part, ""))
    }
}

/// Returns the name of a definition without what all of Kubernetes' have.
fn short(name: &str) -> &str {
    name.strip_prefix("io.k8s.api.").or(name.strip_prefix("io.k8s.apimachinery.pkg.")).unwrap_or(name)
}

/// Fields that Kubernetes' schemas call required, and that Argo fills in, that may be empty, or of which a rule
/// of `plan` tells in better words.
const NOT_REQUIRED: [(&str, &str); 6] = [
    ("Container", "name"),
    ("HTTPHeader", "value"),
    ("Sysctl", "value"),
    ("EnvVar", "name"),
    ("Volume", "name"),
    ("VolumeMount", "mountPath"),
];

fn required<'a>(schema: &'a Value, name: &str) -> Vec<&'a str> {
    if matches!(name, "ConfigMapKeySelector" | "SecretKeySelector") {
        return vec!["name", "key"];
    }
    let fields = schema.get("required").and_then(Value::as_array).filter(|_| name.starts_with("io.k8s"));
    let is_required = |field: &&str| {
        !NOT_REQUIRED.iter().any(|(object, other)| other == field && name.ends_with(&format!(".{object}")))
    };
    fields.into_iter().flatten().filter_map(Value::as_str).filter(is_required).collect()
}

/// Returns the types that a schema names, without null.
fn types(schema: &Value) -> Vec<&str> {
    let types = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    types.into_iter().filter(|name| *name != "null").collect()
}
