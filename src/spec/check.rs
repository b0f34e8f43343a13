//! Holds a tree against the shape of its kind: unknown fields, wrong types, deprecated fields.
//!
//! What Argo's strict decoder refuses is an error. It is strict nearly everywhere: below the fields
//! of a step it takes names that it does not know and drops them (`ParallelSteps.UnmarshalJSON`),
//! so there an unknown field is a warning.

use base64::Engine as _;

use super::rules;
use super::schema::{Object, Scalar, Schemas, Shape, ShapeId};
use super::suggest;
use crate::base::quantity::is_quantity;
use crate::base::time::Timestamp;
use crate::source::{Complaints, Diagnostic, Entry, Fields, Severity, Sources, Span, Tree, Value};

/// Complains of what is wrong with an object. A value that its field cannot hold becomes null, so that
/// the rest can be decoded and checked further.
pub(super) fn check(root: &mut Tree, shape: ShapeId, sources: &Sources, complaints: &mut Complaints) {
    let mut checker = Checker { schemas: Schemas::get(), sources, complaints };
    checker.value(root, shape, Place { field: "the object", above: None, lenient: false });
}

struct Checker<'a> {
    schemas: &'static Schemas,
    sources: &'a Sources,
    complaints: &'a mut Complaints,
}

/// What the surroundings say of a value.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The field that holds it, or holds the list or map that it is in.
    field: &'a str,
    /// The object around it.
    above: Option<&'static Object>,
    /// Whether Argo drops unknown names here.
    lenient: bool,
}

impl Checker<'_> {
    /// The depth of the recursion is that of the tree, which reading bounds.
    fn value(&mut self, tree: &mut Tree, shape: ShapeId, place: Place<'_>) {
        let shape = self.schemas.shape(shape);
        let fits = match (shape, &mut tree.value) {
            (_, Value::Null) | (Shape::Any, _) => true,
            (Shape::Scalar(scalar), value) => fits(*scalar, value),
            (Shape::List(items), Value::Seq(values)) => {
                values.iter_mut().for_each(|item| self.item(item, *items, place));
                true
            }
            (Shape::Map { values, one_key }, Value::Map(map)) => {
                map.iter_mut().for_each(|(_, entry)| self.item(&mut entry.value, *values, place));
                !one_key || map.len() == 1
            }
            (Shape::Object(object), Value::Map(map)) => {
                let renamed = |(key, entry): (&str, &mut Entry)| {
                    let meant = self.field(object, key, entry, place)?;
                    Some((key.to_owned(), meant))
                };
                let renamed: Vec<(String, String)> = map.iter_mut().filter_map(renamed).collect();
                renamed.iter().for_each(|(key, meant)| self.read_as(object, map, key, meant, place));
                let is_missing = |field: &&&str| map.get(field).is_none_or(|entry| entry.value.value == Value::Null);
                let missing = object.required.iter().filter(is_missing);
                self.complaints.extend(missing.map(|field| missing_field(object, field, tree.span)));
                true
            }
            _ => false,
        };
        if !fits {
            if !self.complaints.is_full() {
                self.complaints.push(wrong_type(tree, shape, place.field, self.sources));
            }
            tree.value = meant(tree, shape, self.sources);
        }
    }

    /// Checks an item of a list or a value of a free map. Null there is what Go makes of it: empty.
    fn item(&mut self, tree: &mut Tree, shape: ShapeId, place: Place<'_>) {
        let shape_of_item = self.schemas.shape(shape);
        if tree.value == Value::Null && matches!(shape_of_item, Shape::Object(_)) {
            let message = format!("an item of `{}` is empty", place.field);
            self.complaints.push(Diagnostic::error(rules::WRONG_TYPE, tree.span, message).help("remove it"));
        }
        self.value(tree, shape, place);
        if tree.value == Value::Null {
            tree.value = empty(shape_of_item);
        }
    }

    /// Reads an unknown field as the one that was meant, where that is absent and can hold the value: one wrong
    /// letter is one complaint, and what depends on the field is still checked.
    fn read_as(&mut self, object: &'static Object, map: &mut Fields, key: &str, meant: &str, place: Place<'_>) {
        let Some(field) = object.fields.get(meant).filter(|_| map.get(meant).is_none()) else { return };
        let can_hold = |entry: &Entry| can_hold(self.schemas.shape(field.shape), &entry.value.value);
        if map.get(key).is_some_and(can_hold)
            && let Some(entry) = map.rename(key, meant)
        {
            self.value(
                &mut entry.value,
                field.shape,
                Place { field: meant, above: Some(object), lenient: place.lenient },
            );
        }
    }

    /// Checks a field; returns which one was probably meant when there is no such field.
    fn field(&mut self, object: &'static Object, key: &str, entry: &mut Entry, place: Place<'_>) -> Option<String> {
        let Some(field) = object.fields.get(key) else {
            return self.unknown_field(object, key, entry.key_span, place);
        };
        if let Some(instead) = &field.instead {
            self.complaints.push(deprecated(key, entry, instead, self.sources));
        }
        let lenient = place.lenient || object.name == "WorkflowStep";
        self.value(&mut entry.value, field.shape, Place { field: key, above: Some(object), lenient });
        None
    }

    fn unknown_field(&mut self, object: &'static Object, key: &str, span: Span, place: Place<'_>) -> Option<String> {
        if self.complaints.is_full() {
            return None;
        }
        let suggestion = suggest::field(self.schemas, object, place.above, key);
        // A name in other letters would be taken by Argo where it is lenient, and is not here.
        let severity = match place.lenient && suggestion.same_word.is_none() {
            true => Severity::Warning,
            false => Severity::Error,
        };
        let message = format!("`{}` has no field `{key}`", object.name);
        let mut fault = Diagnostic::new(rules::UNKNOWN_FIELD, severity, Some(span), message);
        fault.help = suggestion.help;
        let meant = suggestion.same_word.clone().or(suggestion.near.clone());
        fault = match (suggestion.same_word, suggestion.near) {
            (Some(name), _) => fault.fix(span, name),
            (None, Some(name)) => fault.guess(span, name),
            (None, None) => fault,
        };
        self.complaints.push(fault);
        // What Argo drops has no effect there, whatever was meant.
        meant.filter(|_| severity == Severity::Error)
    }
}

/// Returns whether a field that was meant can hold a value that stands at another one.
fn can_hold(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Any, _) | (Shape::List(_), Value::Seq(_)) => true,
        (Shape::Map { .. } | Shape::Object(_), Value::Map(_)) => true,
        (Shape::Scalar(scalar), value) => fits(*scalar, value),
        _ => false,
    }
}

/// Returns what a value of the wrong type was probably meant to be, so that nothing else is complained about
/// because of it: the text that was written where a text is needed, and otherwise nothing.
fn meant(tree: &Tree, shape: &Shape, sources: &Sources) -> Value {
    match (shape, &tree.value) {
        (Shape::Scalar(Scalar::Text), Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_)) => {
            Value::Str(sources.slice(tree.span).into())
        }
        _ => Value::Null,
    }
}

/// Returns Go's zero value.
fn empty(shape: &Shape) -> Value {
    match shape {
        Shape::Any => Value::Null,
        Shape::List(_) => Value::Seq(Vec::new()),
        Shape::Map { .. } | Shape::Object(_) => Value::Map(Box::default()),
        Shape::Scalar(Scalar::Bool) => Value::Bool(false),
        Shape::Scalar(Scalar::Int(..) | Scalar::Number) => Value::Int(0),
        Shape::Scalar(_) => Value::Str(Box::default()),
    }
}

/// Returns whether a field of this form takes the value, as Go's decoder would.
fn fits(scalar: Scalar, value: &Value) -> bool {
    match (scalar, value) {
        (Scalar::Text | Scalar::AnyText | Scalar::IntOrText, Value::Str(_)) => true,
        (Scalar::Bool | Scalar::AnyText, Value::Bool(_)) => true,
        (Scalar::Number | Scalar::AnyText | Scalar::Quantity, Value::Int(_) | Value::UInt(_) | Value::Float(_)) => true,
        (Scalar::Int(least, most), value) => integer(value).is_some_and(|value| (least..=most).contains(&value)),
        (Scalar::IntOrText, value) => integer(value).is_some_and(|value| i32::try_from(value).is_ok()),
        (Scalar::Quantity, Value::Str(text)) => is_quantity(text),
        (Scalar::Time, Value::Str(text)) => Timestamp::parse_rfc3339(text).is_some(),
        (Scalar::Bytes, Value::Str(text)) => base64::engine::general_purpose::STANDARD.decode(&**text).is_ok(),
        _ => false,
    }
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(value) => Some((*value).into()),
        Value::UInt(value) => Some((*value).into()),
        // Go writes such a float without a fraction, and so reads an integer.
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e19 => Some(*value as i128),
        _ => None,
    }
}

fn missing_field(object: &Object, field: &str, span: Span) -> Diagnostic {
    let message = format!("`{}` has no `{field}`, which Kubernetes needs", object.name);
    Diagnostic::error(rules::MISSING_FIELD, span, message).help(format!("add `{field}`"))
}

fn wrong_type(tree: &Tree, shape: &Shape, field: &str, sources: &Sources) -> Diagnostic {
    let (found, expected) = (tree.value.kind(), expected(shape));
    let message = match (shape, &tree.value) {
        (Shape::Scalar(Scalar::Int(..) | Scalar::IntOrText), value) if integer(value).is_some() => {
            format!("`{field}` is too large or too small for {expected}")
        }
        (Shape::Scalar(Scalar::Quantity | Scalar::Time | Scalar::Bytes), Value::Str(text)) => {
            format!("`{text}` is not {expected}")
        }
        (Shape::Map { one_key: true, .. }, Value::Map(map)) => format!("`{field}` has {} keys", map.len()),
        _ => format!("`{field}` must be {expected}, but is {found}"),
    };
    let mut fault = Diagnostic::error(rules::WRONG_TYPE, tree.span, message).says(format!("expected {expected}"));
    if let Some(text) = rewritten(tree, shape, sources) {
        fault = fault.help(format!("write `{text}`")).fix(tree.span, text);
    } else {
        fault.help = type_help(tree, shape, field);
    }
    fault
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "anything",
        Shape::List(_) => "a list",
        Shape::Map { one_key: true, .. } => "a map with exactly one key",
        Shape::Map { .. } | Shape::Object(_) => "a map",
        Shape::Scalar(scalar) => match scalar {
            Scalar::Text => "a string",
            Scalar::Bool => "a boolean",
            Scalar::Int(..) => "an integer",
            Scalar::Number => "a number",
            Scalar::AnyText => "a string, number or boolean",
            Scalar::IntOrText => "an integer or a string",
            Scalar::Quantity => "a quantity such as `500m` or `1Gi`",
            Scalar::Time => "a time in RFC 3339",
            Scalar::Bytes => "base64",
        },
    }
}

/// Returns the value with quotes put on or taken off, when that mends it.
fn rewritten(tree: &Tree, shape: &Shape, sources: &Sources) -> Option<String> {
    let raw = sources.slice(tree.span);
    match (shape, &tree.value) {
        (Shape::Scalar(Scalar::Text), Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Float(_)) => {
            Some(format!("\"{raw}\"")).filter(|_| !raw.contains(['"', '\\', '\n']))
        }
        (Shape::Scalar(Scalar::Bool), Value::Str(text)) => {
            matches!(&**text, "true" | "false").then(|| text.to_string())
        }
        (Shape::Scalar(Scalar::Int(least, most)), Value::Str(text)) => {
            text.parse().is_ok_and(|number: i128| (least..=most).contains(&&number)).then(|| text.to_string())
        }
        _ => None,
    }
}

fn type_help(tree: &Tree, shape: &Shape, field: &str) -> Option<String> {
    let tagged = tree.as_str().is_some_and(|text| text.contains("{{"));
    match (shape, &tree.value) {
        (Shape::List(_), Value::Map(_)) if field == "steps" => {
            Some("a step belongs to a group of steps that run together: write `- - name: …`".to_owned())
        }
        (Shape::List(_), Value::Map(_)) => Some("begin each item with `- `".to_owned()),
        (Shape::Scalar(_), _) if tagged => {
            Some("tags are replaced in strings only; `podSpecPatch` can set this field from one".to_owned())
        }
        _ => None,
    }
}

/// Returns the complaint of a field of Argo 3, with what Argo 4 has instead.
fn deprecated(key: &str, entry: &Entry, instead: &str, sources: &Sources) -> Diagnostic {
    let message = format!("Argo 4 has no field `{key}`; it is read as Argo 3 did");
    let fault = Diagnostic::warning(rules::DEPRECATED_FIELD, entry.key_span, message);
    match (&entry.value.value, as_list(instead, entry, sources)) {
        (Value::Str(_), Some((span, text))) => fault.help(format!("write `{text}`")).fix(span, text),
        (Value::Map(_), Some((span, text))) => {
            fault.help(format!("use `{instead}`, a list of such maps")).fix(span, text)
        }
        (Value::Map(_), None) => fault.help(format!("use `{instead}`, a list of such maps")),
        _ => fault.help(format!("use `{instead}`")),
    }
}

/// Returns what to replace, and by what, so that the one value of `entry` becomes a list of one under the
/// key `instead`; none where the layout is not one of the usual ones.
fn as_list(instead: &str, entry: &Entry, sources: &Sources) -> Option<(Span, String)> {
    let (key, value) = (entry.key_span, &entry.value);
    if key.end > value.span.start {
        return None;
    }
    let raw = sources.slice(value.span);
    let whole = Span { end: value.span.end, ..key };
    match &value.value {
        Value::Str(_) if instead == "schedules" && !raw.contains('\n') => Some((whole, format!("{instead}: [{raw}]"))),
        Value::Map(_) if raw.starts_with('{') => Some((whole, format!("{instead}: [{raw}]"))),
        Value::Map(map) => {
            // The first of the map's keys takes the mark of the item before it, the others stay where they are.
            let first = map.first_key()?;
            let between = sources.slice(Span { start: key.end, end: first.start, ..key });
            let before = between.strip_suffix("  ").filter(|before| before.contains('\n'))?;
            let (at_key, at_first) = (sources.position(key.file, key.start), sources.position(key.file, first.start));
            let fits = at_first.column >= at_key.column + 2;
            fits.then(|| (Span { end: first.start, ..key }, format!("{instead}{before}- ")))
        }
        _ => None,
    }
}
