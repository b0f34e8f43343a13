//! The shapes of the kinds: what each of their fields may hold, Kubernetes' own included.
//!
//! They follow from the types themselves, by way of their JSON schemas; but to make those takes ten times
//! the memory and the time of checking a manifest. `shapes.txt` holds what checking needs of them, and a
//! test compares it with the types (`WF_UPDATE=1` writes it anew).

#[cfg(test)]
mod derive;

use std::sync::OnceLock;

use indexmap::IndexMap;

use super::Kind;

/// An object in each paragraph: its name, and below it its fields with their forms. A `!` says that Kubernetes
/// needs the field, `=> other` that the field is Argo 3's and what stands for it now.
const SHAPES: &str = include_str!("shapes.txt");

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
    pub(super) name: &'static str,
    /// Its fields, in the order of the type.
    pub(super) fields: IndexMap<&'static str, Field>,
    /// The fields that Kubernetes needs. Of Argo's own objects those have some that
    /// are Kubernetes' by another name; what others need is for `plan` to say.
    pub(super) required: Vec<&'static str>,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    /// What its value may be.
    pub(super) shape: ShapeId,
    /// What to use instead, when it is deprecated.
    pub(super) instead: Option<&'static str>,
}

/// The shapes of all kinds.
#[derive(Debug)]
pub(super) struct Schemas {
    shapes: Vec<Shape>,
    /// The shapes by the words for them.
    named: IndexMap<&'static str, ShapeId>,
}

impl Schemas {
    /// Returns the shapes, which the first call reads.
    pub(super) fn get() -> &'static Self {
        static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
        SCHEMAS.get_or_init(|| Self::read(SHAPES))
    }

    /// Returns the shape of a kind's objects.
    pub(super) fn root(&self, kind: Kind) -> ShapeId {
        self.named[kind.name()]
    }

    /// Returns the shape of what a pod is asked to be.
    pub(super) fn pod_spec(&self) -> ShapeId {
        self.named["core.v1.PodSpec"]
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

    fn read(text: &'static str) -> Self {
        let mut schemas = Self { shapes: Vec::new(), named: IndexMap::new() };
        for paragraph in text.split("\n\n") {
            let (name, fields) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
            let object = schemas.read_object(name, fields);
            let id = schemas.shape_of(name);
            schemas.shapes[id.0] = Shape::Object(object);
        }
        schemas
    }

    fn read_object(&mut self, name: &'static str, fields: &'static str) -> Object {
        let name = name.rsplit('.').next().unwrap_or(name);
        let mut object = Object { name, fields: IndexMap::new(), required: Vec::new() };
        for line in fields.lines() {
            let (line, instead) = line.split_once(" => ").map_or((line, None), |(line, other)| (line, Some(other)));
            let (field, form) = line.trim_start().split_once(' ').expect("a field of shapes.txt has a form");
            let needed = field.strip_suffix('!');
            object.required.extend(needed);
            let shape = self.shape_of(form);
            object.fields.insert(needed.unwrap_or(field), Field { shape, instead });
        }
        object
    }

    /// Returns the shape that a word means. An object may be meant before its paragraph is read.
    fn shape_of(&mut self, form: &'static str) -> ShapeId {
        if let Some(id) = self.named.get(form) {
            return *id;
        }
        let inner = |open, close| form.strip_prefix(open).and_then(|form: &str| form.strip_suffix(close));
        let shape = match (inner('[', ']'), inner('<', '>'), inner('{', '}')) {
            (Some(items), ..) => Shape::List(self.shape_of(items)),
            (_, Some(value), _) => Shape::Map { values: self.shape_of(value), one_key: true },
            (.., Some(values)) => Shape::Map { values: self.shape_of(values), one_key: false },
            _ => Scalar::from_word(form).map_or(Shape::Any, Shape::Scalar),
        };
        self.shapes.push(shape);
        let id = ShapeId(self.shapes.len() - 1);
        self.named.insert(form, id);
        id
    }
}

impl Scalar {
    /// Returns the form that a word of `shapes.txt` means.
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "text" => Self::Text,
            "bool" => Self::Bool,
            "int32" => Self::Int(i32::MIN.into(), i32::MAX.into()),
            "int64" => Self::Int(i64::MIN.into(), i64::MAX.into()),
            "uint64" => Self::Int(0, u64::MAX.into()),
            "number" => Self::Number,
            "any-text" => Self::AnyText,
            "int-or-text" => Self::IntOrText,
            "quantity" => Self::Quantity,
            "time" => Self::Time,
            "base64" => Self::Bytes,
            _ => return None,
        })
    }
}
