//! Shows every text of a value with its place, without making a JSON value of it first: a graph of
//! 100,000 tasks has many times as many values, and few of them are texts with tags.

use serde::ser::{self, Serialize, Serializer};

use crate::source::Segment;

/// The way from the root of a value to one of its texts.
#[derive(Default)]
pub(super) struct Way(Vec<Step>);

enum Step {
    Field(&'static str),
    Key(String),
    Index(usize),
}

impl Step {
    fn is_one_of(&self, names: &[&str]) -> bool {
        match self {
            Self::Field(name) => names.contains(name),
            Self::Key(key) => names.contains(&key.as_str()),
            Self::Index(_) => false,
        }
    }
}

impl Way {
    /// Returns the way as keys and indices.
    pub fn segments(&self) -> Vec<Segment> {
        let segment = |step: &Step| match step {
            Step::Field(name) => Segment::Key((*name).into()),
            Step::Key(key) => Segment::Key(key.as_str().into()),
            Step::Index(index) => Segment::Index(*index),
        };
        self.0.iter().map(segment).collect()
    }
}

/// Calls `show` with every text of a value, in its order; the fields `without` of the value itself are left out.
pub(super) fn strings(value: &impl Serialize, without: &[&str], show: &mut dyn FnMut(&Way, &str)) {
    let mut walk = Walk { way: Way::default(), without, show };
    value.serialize(&mut walk).expect("manifest types are plain data with text keys");
}

struct Walk<'s> {
    way: Way,
    without: &'s [&'s str],
    show: &'s mut dyn FnMut(&Way, &str),
}

impl Walk<'_> {
    fn below(&mut self, step: Step, value: &(impl Serialize + ?Sized)) -> Result<(), Fault> {
        if self.way.0.is_empty() && step.is_one_of(self.without) {
            return Ok(());
        }
        self.way.0.push(step);
        value.serialize(&mut *self)?;
        self.way.0.pop();
        Ok(())
    }
}

/// What no manifest type asks for.
#[derive(Debug, thiserror::Error)]
#[error("a value that is no plain data")]
struct Fault;

impl ser::Error for Fault {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Writes the methods for values that hold no text.
macro_rules! ignore {
    ($($method:ident($type:ty)),+) => {
        $(fn $method(self, _: $type) -> Result<(), Fault> {
            Ok(())
        })+
    };
}

impl<'w, 's> Serializer for &'w mut Walk<'s> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Items<'w, 's>;
    type SerializeTuple = ser::Impossible<(), Fault>;
    type SerializeTupleStruct = ser::Impossible<(), Fault>;
    type SerializeTupleVariant = ser::Impossible<(), Fault>;
    type SerializeMap = Entries<'w, 's>;
    type SerializeStruct = Entries<'w, 's>;
    type SerializeStructVariant = ser::Impossible<(), Fault>;

    ignore! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_f32(f32),
        serialize_f64(f64), serialize_char(char), serialize_bytes(&[u8]), serialize_unit_struct(&'static str)
    }

    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        (self.show)(&self.way, text);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Fault> {
        Err(Fault)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'w, 's>, Fault> {
        Ok(Items { walk: self, index: 0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Fault> {
        Err(Fault)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Fault> {
        Err(Fault)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Fault> {
        Err(Fault)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'w, 's>, Fault> {
        Ok(Entries { walk: self, key: String::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries<'w, 's>, Fault> {
        Ok(Entries { walk: self, key: String::new() })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Fault> {
        Err(Fault)
    }
}

struct Items<'w, 's> {
    walk: &'w mut Walk<'s>,
    index: usize,
}

impl ser::SerializeSeq for Items<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.walk.below(Step::Index(self.index), value)?;
        self.index += 1;
        Ok(())
    }

    fn end(self) -> Result<(), Fault> {
        Ok(())
    }
}

/// The entries of a map, or the fields of a struct.
struct Entries<'w, 's> {
    walk: &'w mut Walk<'s>,
    /// The key of the value that comes next, in a map.
    key: String,
}

impl ser::SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        let mut text = String::new();
        strings(&key, &[], &mut |_, key| text.push_str(key));
        self.key = text;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.walk.below(Step::Key(std::mem::take(&mut self.key)), value)
    }

    fn end(self) -> Result<(), Fault> {
        Ok(())
    }
}

impl ser::SerializeStruct for Entries<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.walk.below(Step::Field(name), value)
    }

    fn end(self) -> Result<(), Fault> {
        Ok(())
    }
}
