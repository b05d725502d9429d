//! Payloads as protobuf [Sparkplug 3.0.0, chapter 6], and nothing of what they mean.
//!
//! What is nested in a metric stays bytes until it is needed, so that a short payload never
//! becomes a large structure.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use prost::Message;

use super::Unreadable;

/// No payload is longer, nor what is packed in it.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// No payload has more metrics.
pub(super) const METRICS_MAX: usize = 4096;
/// How a payload says that another one is packed in its body.
const COMPRESSED: &str = "SPBV1.0_COMPRESSED";

/// A payload. What its metrics are is not looked at yet.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Payload {
    /// When it was sent, in milliseconds since 1970.
    #[prost(uint64, optional, tag = "1")]
    pub(super) timestamp: Option<u64>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    metrics: Vec<Bytes>,
    /// 0 to 255; a death of a node has none.
    #[prost(uint64, optional, tag = "3")]
    pub(super) seq: Option<u64>,
    #[prost(string, optional, tag = "4")]
    uuid: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    body: Option<Bytes>,
}

/// One value, and what it is of.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    /// A number that stands for the name, since the birth that had both.
    #[prost(uint64, optional, tag = "2")]
    pub(super) alias: Option<u64>,
    /// When it was so, in milliseconds since 1970.
    #[prost(uint64, optional, tag = "3")]
    pub(super) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "4")]
    pub(super) datatype: Option<u32>,
    /// It was so once, and says nothing of now.
    #[prost(bool, optional, tag = "5")]
    pub(super) is_historical: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(super) is_null: Option<bool>,
    /// A [`PropertySet`].
    #[prost(bytes = "bytes", optional, tag = "9")]
    pub(super) properties: Option<Bytes>,
    #[prost(oneof = "Scalar", tags = "10, 11, 12, 13, 14, 15, 16, 17, 18")]
    pub(super) value: Option<Scalar>,
}

/// A value as it is written. Integers are not yet of their types.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Scalar {
    #[prost(uint32, tag = "10")]
    Int(u32),
    #[prost(uint64, tag = "11")]
    Long(u64),
    #[prost(float, tag = "12")]
    Float(f32),
    #[prost(double, tag = "13")]
    Double(f64),
    #[prost(bool, tag = "14")]
    Boolean(bool),
    #[prost(string, tag = "15")]
    Text(String),
    #[prost(bytes = "bytes", tag = "16")]
    Bytes(Bytes),
    /// A [`DataSet`].
    #[prost(bytes = "bytes", tag = "17")]
    DataSet(Bytes),
    /// A [`Template`].
    #[prost(bytes = "bytes", tag = "18")]
    Template(Bytes),
}

/// What is said of a metric: the unit, the range.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PropertySet {
    #[prost(string, repeated, tag = "1")]
    pub(super) keys: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) values: Vec<PropertyValue>,
}

/// A value of a [`PropertySet`]. Sets within sets are passed over.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PropertyValue {
    #[prost(uint32, optional, tag = "1")]
    pub(super) datatype: Option<u32>,
    #[prost(oneof = "PropertyScalar", tags = "3, 4, 5, 6, 7, 8")]
    pub(super) value: Option<PropertyScalar>,
}

/// See [`Scalar`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum PropertyScalar {
    #[prost(uint32, tag = "3")]
    Int(u32),
    #[prost(uint64, tag = "4")]
    Long(u64),
    #[prost(float, tag = "5")]
    Float(f32),
    #[prost(double, tag = "6")]
    Double(f64),
    #[prost(bool, tag = "7")]
    Boolean(bool),
    #[prost(string, tag = "8")]
    Text(String),
}

impl From<PropertyScalar> for Scalar {
    fn from(said: PropertyScalar) -> Self {
        match said {
            PropertyScalar::Int(value) => Self::Int(value),
            PropertyScalar::Long(value) => Self::Long(value),
            PropertyScalar::Float(value) => Self::Float(value),
            PropertyScalar::Double(value) => Self::Double(value),
            PropertyScalar::Boolean(value) => Self::Boolean(value),
            PropertyScalar::Text(value) => Self::Text(value),
        }
    }
}

/// A table.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DataSet {
    #[prost(string, repeated, tag = "2")]
    pub(super) columns: Vec<String>,
    /// Data types, one for each column.
    #[prost(uint32, repeated, packed = "false", tag = "3")]
    pub(super) types: Vec<u32>,
    /// Of each [`Row`].
    #[prost(bytes = "bytes", repeated, tag = "4")]
    pub(super) rows: Vec<Bytes>,
}

/// A row of a [`DataSet`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Row {
    #[prost(message, repeated, tag = "1")]
    pub(super) cells: Vec<Cell>,
}

/// A value of a [`Row`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Cell {
    #[prost(oneof = "CellScalar", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) value: Option<CellScalar>,
}

/// See [`Scalar`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum CellScalar {
    #[prost(uint32, tag = "1")]
    Int(u32),
    #[prost(uint64, tag = "2")]
    Long(u64),
    #[prost(float, tag = "3")]
    Float(f32),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(bool, tag = "5")]
    Boolean(bool),
    #[prost(string, tag = "6")]
    Text(String),
}

impl From<CellScalar> for Scalar {
    fn from(said: CellScalar) -> Self {
        match said {
            CellScalar::Int(value) => Self::Int(value),
            CellScalar::Long(value) => Self::Long(value),
            CellScalar::Float(value) => Self::Float(value),
            CellScalar::Double(value) => Self::Double(value),
            CellScalar::Boolean(value) => Self::Boolean(value),
            CellScalar::Text(value) => Self::Text(value),
        }
    }
}

/// Metrics that belong together.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Template {
    /// Of each [`Metric`].
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) metrics: Vec<Bytes>,
    /// It says what instances have, and is none.
    #[prost(bool, optional, tag = "5")]
    pub(super) is_definition: Option<bool>,
}

impl Payload {
    /// A payload of one metric, as commands are.
    pub(super) fn of(timestamp: u64, metric: &Metric) -> Self {
        Self {
            timestamp: Some(timestamp),
            metrics: vec![metric.encode_to_vec().into()],
            ..Self::default()
        }
    }

    /// Reads one, and unpacks it if it is compressed.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let said = Self::decoded(Bytes::copy_from_slice(bytes))?;
        if said.uuid.as_deref() != Some(COMPRESSED) {
            return Ok(said);
        }
        let algorithm = said.metrics()?.into_iter().find_map(|metric| {
            let is_it = metric.name.as_deref() == Some("algorithm");
            metric.value.filter(|_| is_it)
        });
        let body = said.body.unwrap_or_default();
        let unpacked = match algorithm {
            Some(Scalar::Text(name)) if name == "GZIP" => unpacked(GzDecoder::new(&*body)),
            None => unpacked(ZlibDecoder::new(&*body)),
            Some(Scalar::Text(name)) if name == "DEFLATE" => unpacked(ZlibDecoder::new(&*body)),
            Some(_) => Err(Unreadable::Algorithm),
        };
        Self::decoded(unpacked?.into())
    }

    fn decoded(bytes: Bytes) -> Result<Self, Unreadable> {
        if PAYLOAD_BYTES_MAX < bytes.len() {
            return Err(Unreadable::TooLong);
        }
        let said = Self::decode(bytes)?;
        if METRICS_MAX < said.metrics.len() {
            return Err(Unreadable::Metrics(said.metrics.len()));
        }
        Ok(said)
    }

    /// Its metrics, in their order.
    pub(super) fn metrics(&self) -> Result<Vec<Metric>, Unreadable> {
        let metrics = self.metrics.iter().cloned().map(Metric::decode);
        Ok(metrics.collect::<Result<_, _>>()?)
    }
}

fn unpacked(reader: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    let mut reader = reader.take(PAYLOAD_BYTES_MAX as u64 + 1);
    let read = reader.read_to_end(&mut bytes);
    read.map_err(|error| Unreadable::Packed(error.to_string()))?;
    Ok(bytes)
}
