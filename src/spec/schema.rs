//! The JSON schemas of the kinds, prepared for checking: names resolved, one table of shapes.
//!
//! The schemas are made from the types themselves, so that they cannot disagree with them, and
//! are prepared once per process.

use std::sync::OnceLock;

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{
    ClusterWorkflowTemplate, ConfigMap, CronWorkflow, Kind, Secret, Workflow, WorkflowEventBinding, WorkflowTemplate,
};

/// The place of a shape in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShapeId(usize);

/// What a value may be. Null is allowed everywhere, as Go's decoder allows it.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any JSON.
    Any,
    /// One of the scalar forms.
    Scalar(Scalar),
    /// A list of one shape.
    List(ShapeId),
    /// A map from any keys.
    Map { values: ShapeId, one_key: bool },
    /// A map with known fields.
    Object(Object),
}

/// The forms of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Bool,
    /// An integer between two bounds, both included.
    Int(i128, i128),
    Number,
    /// Argo's `AnyString`: every scalar.
    AnyText,
    /// Kubernetes' `IntOrString`.
    IntOrText,
    /// Kubernetes' `Quantity`.
    Quantity,
    /// RFC 3339.
    Time,
    /// Base64.
    Bytes,
}

/// A map with known fields.
#[derive(Debug)]
pub(super) struct Object {
    /// What messages call it.
    pub(super) name: String,
    /// Its fields, in the order of the type.
    pub(super) fields: IndexMap<String, Field>,
    /// The fields that Kubernetes needs. Of Argo's own objects those have some that
    /// are Kubernetes' by another name; what others need is for `plan` to say.
    pub(super) required: Vec<String>,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    /// What its value may be.
    pub(super) shape: ShapeId,
    /// What to use instead, when it is deprecated.
    pub(super) instead: Option<String>,
}

/// The shapes of all kinds.
#[derive(Debug)]
pub(super) struct Schemas {
    shapes: Vec<Shape>,
    roots: IndexMap<Kind, ShapeId>,
}

impl Schemas {
    /// Returns the shapes, which the first call prepares.
    pub(super) fn get() -> &'static Self {
        static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
        SCHEMAS.get_or_init(Self::prepare)
    }

    /// Returns the shape of a kind's objects.
    pub(super) fn root(&self, kind: Kind) -> ShapeId {
        self.roots[&kind]
    }

    /// Returns a shape.
    pub(super) fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// Returns the object that a shape is.
    pub(super) fn object(&self, id: ShapeId) -> Option<&Object> {
        match self.shape(id) {
            Shape::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the object that a shape is, or that its items or values are.
    pub(super) fn object_in(&self, id: ShapeId) -> Option<&Object> {
        match self.shape(id) {
            Shape::List(inner) | Shape::Map { values: inner, .. } => self.object(*inner),
            _ => self.object(id),
        }
    }

    fn prepare() -> Self {
        let mut generator = SchemaGenerator::default();
        let roots: Vec<(Kind, Value)> =
            Kind::ALL.into_iter().map(|kind| (kind, root_schema(kind, &mut generator))).collect();
        let definitions = generator.take_definitions(true);
        let mut preparer = Preparer { definitions: &definitions, shapes: Vec::new(), named: IndexMap::new() };
        let roots = roots.into_iter().map(|(kind, schema)| (kind, preparer.shape(&schema, ""))).collect();
        Self { shapes: preparer.shapes, roots }
    }
}

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

/// Turns schemas into shapes. It knows the few keywords that the generators use, and takes what
/// it does not know for any JSON, so that it never refuses too much.
struct Preparer<'a> {
    definitions: &'a Map<String, Value>,
    shapes: Vec<Shape>,
    /// The shapes of the definitions that were met.
    named: IndexMap<&'a str, ShapeId>,
}

impl<'a> Preparer<'a> {
    fn shape(&mut self, schema: &Value, name: &str) -> ShapeId {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.named(reference.rsplit('/').next().unwrap_or(reference));
        }
        if let Some(first) = schema.get("anyOf").and_then(|of| of.get(0)).filter(|_| !is_int_or_string(schema)) {
            return self.shape(first, name);
        }
        // Reserving the place first lets a definition contain itself.
        let id = self.reserve();
        self.shapes[id.0] = self.read(schema, name);
        id
    }

    fn named(&mut self, name: &str) -> ShapeId {
        if let Some(id) = self.named.get(name) {
            return *id;
        }
        let id = self.reserve();
        if let Some((name, schema)) = self.definitions.get_key_value(name) {
            self.named.insert(name, id);
            self.shapes[id.0] = self.read(schema, name);
        }
        id
    }

    fn reserve(&mut self) -> ShapeId {
        self.shapes.push(Shape::Any);
        ShapeId(self.shapes.len() - 1)
    }

    /// Reads a schema that is no reference; `name` is that of its definition.
    fn read(&mut self, schema: &Value, name: &str) -> Shape {
        if is_int_or_string(schema) {
            let quantity = name.ends_with("Quantity");
            return Shape::Scalar(if quantity { Scalar::Quantity } else { Scalar::IntOrText });
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        match types(schema)[..] {
            ["string"] => Shape::Scalar(match format {
                "date-time" => Scalar::Time,
                "byte" => Scalar::Bytes,
                _ => Scalar::Text,
            }),
            ["boolean"] => Shape::Scalar(Scalar::Bool),
            ["integer"] => Shape::Scalar(match format {
                "int32" => Scalar::Int(i32::MIN.into(), i32::MAX.into()),
                "uint64" => Scalar::Int(0, u64::MAX.into()),
                _ => Scalar::Int(i64::MIN.into(), i64::MAX.into()),
            }),
            ["number"] => Shape::Scalar(Scalar::Number),
            ["string", "number", "boolean"] => Shape::Scalar(Scalar::AnyText),
            ["array"] => Shape::List(self.part(schema, "items")),
            ["object"] => self.object(schema, name),
            _ => Shape::Any,
        }
    }

    fn object(&mut self, schema: &Value, name: &str) -> Shape {
        if schema.get("additionalProperties").is_some() {
            let one_key = schema.get("maxProperties").and_then(Value::as_u64) == Some(1);
            return Shape::Map { values: self.part(schema, "additionalProperties"), one_key };
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        // Kubernetes' objects without fields, such as `FieldsV1`, are free; Argo's are empty.
        if properties.is_none() && name.starts_with("io.k8s") {
            return Shape::Any;
        }
        let fields = properties.into_iter().flatten().map(|(key, schema)| {
            let instead = schema.get("x-instead").and_then(Value::as_str).map(str::to_owned);
            (key.clone(), Field { shape: self.shape(schema, ""), instead })
        });
        let fields = fields.collect();
        let required = match name {
            "ConfigMapKeySelector" | "SecretKeySelector" => vec!["name".to_owned(), "key".to_owned()],
            _ if name.starts_with("io.k8s") => required(schema, name),
            _ => Vec::new(),
        };
        Shape::Object(Object { name: name.rsplit('.').next().unwrap_or(name).to_owned(), fields, required })
    }

    fn part(&mut self, schema: &Value, keyword: &str) -> ShapeId {
        self.shape(schema.get(keyword).unwrap_or(&Value::Bool(true)), "")
    }
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

fn required(schema: &Value, name: &str) -> Vec<String> {
    let fields = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let is_required = |field: &&str| {
        !NOT_REQUIRED.iter().any(|(object, other)| other == field && name.ends_with(&format!(".{object}")))
    };
    fields.filter(is_required).map(str::to_owned).collect()
}

fn is_int_or_string(schema: &Value) -> bool {
    schema.get("x-kubernetes-int-or-string").is_some()
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
