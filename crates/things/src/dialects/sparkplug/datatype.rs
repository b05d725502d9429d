//! The types that values have [Sparkplug 3.0.0, chapter 6], and what they are in a data schema.

use serde_json::{Map, Value, json};

use crate::dialects::parts::members;

/// The type of a metric's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DataType {
    /// An integer of so many bits.
    Signed(u8),
    /// The same without a sign.
    Unsigned(u8),
    Float,
    Double,
    Boolean,
    String,
    Text,
    Uuid,
    /// Milliseconds since 1970; a text in RFC 3339 for us.
    DateTime,
    Bytes,
    File,
    DataSet,
    Template,
    Array(Item),
}

/// What is in an array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Item {
    Signed(u8),
    Unsigned(u8),
    Float,
    Double,
    Boolean,
    String,
    DateTime,
}

/// All, by their numbers and names.
#[rustfmt::skip]
const ALL: &[(u32, &str, DataType)] = &[
    (1, "Int8", DataType::Signed(8)), (2, "Int16", DataType::Signed(16)),
    (3, "Int32", DataType::Signed(32)), (4, "Int64", DataType::Signed(64)),
    (5, "UInt8", DataType::Unsigned(8)), (6, "UInt16", DataType::Unsigned(16)),
    (7, "UInt32", DataType::Unsigned(32)), (8, "UInt64", DataType::Unsigned(64)),
    (9, "Float", DataType::Float), (10, "Double", DataType::Double),
    (11, "Boolean", DataType::Boolean), (12, "String", DataType::String),
    (13, "DateTime", DataType::DateTime), (14, "Text", DataType::Text), (15, "UUID", DataType::Uuid),
    (16, "DataSet", DataType::DataSet), (17, "Bytes", DataType::Bytes), (18, "File", DataType::File),
    (19, "Template", DataType::Template),
    (22, "Int8Array", DataType::Array(Item::Signed(8))), (23, "Int16Array", DataType::Array(Item::Signed(16))),
    (24, "Int32Array", DataType::Array(Item::Signed(32))), (25, "Int64Array", DataType::Array(Item::Signed(64))),
    (26, "UInt8Array", DataType::Array(Item::Unsigned(8))), (27, "UInt16Array", DataType::Array(Item::Unsigned(16))),
    (28, "UInt32Array", DataType::Array(Item::Unsigned(32))), (29, "UInt64Array", DataType::Array(Item::Unsigned(64))),
    (30, "FloatArray", DataType::Array(Item::Float)), (31, "DoubleArray", DataType::Array(Item::Double)),
    (32, "BooleanArray", DataType::Array(Item::Boolean)), (33, "StringArray", DataType::Array(Item::String)),
    (34, "DateTimeArray", DataType::Array(Item::DateTime)),
];

impl DataType {
    /// The type of this number.
    pub(super) fn of(number: u32) -> Option<Self> {
        let found = ALL.iter().find(|(there, ..)| *there == number);
        found.map(|(.., datatype)| *datatype)
    }

    /// The type of this name: `Int32`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = ALL.iter().find(|(_, there, _)| *there == name);
        found.map(|(.., datatype)| *datatype)
    }

    fn entry(self) -> (u32, &'static str) {
        let mut all = ALL.iter();
        let found = all.find(|(.., datatype)| *datatype == self);
        let (number, name, _) = found.expect("each type is in the table");
        (*number, name)
    }

    /// Its number in a payload.
    pub(super) fn number(self) -> u32 {
        self.entry().0
    }

    /// What the specification calls it.
    pub(super) fn name(self) -> &'static str {
        self.entry().1
    }

    /// Whether a value can be told to a device: tables, templates and arrays are read only here.
    pub(super) fn is_told(self) -> bool {
        !matches!(self, Self::DataSet | Self::Template | Self::Array(_))
    }

    /// The data schema of its values.
    pub(super) fn schema(self) -> Map<String, Value> {
        members(match self {
            Self::Signed(bits) => {
                let max = i64::MAX >> (64 - bits);
                json!({ "type": "integer", "minimum": -max - 1, "maximum": max })
            }
            Self::Unsigned(bits) => {
                let max = u64::MAX >> (64 - bits);
                json!({ "type": "integer", "minimum": 0, "maximum": max })
            }
            Self::Float | Self::Double => json!({ "type": "number" }),
            Self::Boolean => json!({ "type": "boolean" }),
            Self::String | Self::Text => json!({ "type": "string" }),
            Self::Uuid => json!({ "type": "string", "format": "uuid" }),
            Self::DateTime => json!({ "type": "string", "format": "date-time" }),
            Self::Bytes | Self::File => json!({ "type": "string", "contentEncoding": "base64" }),
            Self::DataSet => json!({ "type": "object", "properties": {
                "columns": { "type": "array", "items": { "type": "string" } },
                "rows": { "type": "array", "items": { "type": "array" } },
            } }),
            Self::Template => json!({ "type": "object" }),
            Self::Array(item) => json!({ "type": "array", "items": item.datatype().schema() }),
        })
    }
}

impl Item {
    /// The type that one of them has by itself.
    pub(super) fn datatype(self) -> DataType {
        match self {
            Self::Signed(bits) => DataType::Signed(bits),
            Self::Unsigned(bits) => DataType::Unsigned(bits),
            Self::Float => DataType::Float,
            Self::Double => DataType::Double,
            Self::Boolean => DataType::Boolean,
            Self::String => DataType::String,
            Self::DateTime => DataType::DateTime,
        }
    }
}
