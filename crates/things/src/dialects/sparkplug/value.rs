//! Values as JSON, and JSON as values.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use prost::Message;
use quartet_model::Time;
use serde_json::{Map, Number, Value, json};

use super::{
    Unreadable,
    datatype::{DataType, Item},
    wire::{DataSet, METRICS_MAX, Metric, Row, Scalar, Template},
};

/// Templates within templates.
pub(super) const DEPTH_MAX: usize = 8;
/// The last millisecond of the year 9999, since 1970: RFC 3339 goes no further.
const DATE_MS_MAX: u64 = 253_402_300_799_999;

/// What a metric says of a value of this type; null if it says that it is unknown, or a number
/// that JSON does not have.
pub(super) fn of_metric(metric: Metric, datatype: DataType) -> Result<Value, Unreadable> {
    nested(metric, datatype, 0)
}

fn nested(metric: Metric, datatype: DataType, depth: usize) -> Result<Value, Unreadable> {
    match metric.value {
        Some(value) if metric.is_null != Some(true) => json_of(value, datatype, depth),
        _ => Ok(Value::Null),
    }
}

/// A value as JSON.
pub(super) fn json_of(said: Scalar, datatype: DataType, depth: usize) -> Result<Value, Unreadable> {
    let wrong = Unreadable::Value(datatype.name());
    Ok(match (datatype, said) {
        (DataType::Signed(bits), said) => signed(integer(said).ok_or(wrong)?, bits).into(),
        (DataType::Unsigned(bits), said) => unsigned(integer(said).ok_or(wrong)?, bits).into(),
        (DataType::DateTime, said) => date(integer(said).ok_or(wrong)?)?.into(),
        (DataType::Float | DataType::Double, Scalar::Float(value)) => float(value),
        (DataType::Float | DataType::Double, Scalar::Double(value)) => value.into(),
        (DataType::Boolean, Scalar::Boolean(value)) => value.into(),
        (DataType::String | DataType::Text | DataType::Uuid, Scalar::Text(value)) => value.into(),
        (DataType::Bytes | DataType::File, Scalar::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (DataType::DataSet, Scalar::DataSet(bytes)) => table(bytes)?,
        (DataType::Template, Scalar::Template(bytes)) => template(bytes, depth)?,
        (DataType::Array(item), Scalar::Bytes(bytes)) => array(&bytes, item).ok_or(wrong)?,
        _ => return Err(wrong),
    })
}

fn integer(said: Scalar) -> Option<u64> {
    match said {
        Scalar::Int(value) => Some(value.into()),
        Scalar::Long(value) => Some(value),
        _ => None,
    }
}

/// The lowest bits as a two's complement: some say an Int8 of -5 as 0xFB, others as 0xFFFFFFFB.
fn signed(bits_said: u64, bits: u8) -> i64 {
    let unused = 64 - bits;
    ((bits_said << unused) as i64) >> unused
}

fn unsigned(said: u64, bits: u8) -> u64 {
    said & u64::MAX >> (64 - bits)
}

/// A float as it was meant: 20.1, not 20.100000381469727.
fn float(value: f32) -> Value {
    let meant = value.to_string().parse().ok();
    meant
        .and_then(Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

fn date(ms: u64) -> Result<String, Unreadable> {
    if DATE_MS_MAX < ms {
        return Err(Unreadable::Value("DateTime"));
    }
    Ok(Time::from_micros(ms * 1000).rfc3339())
}

/// `{"columns": […], "rows": [[…]]}`: as long as what was said, also if names are long.
fn table(bytes: Bytes) -> Result<Value, Unreadable> {
    let said = DataSet::decode(bytes)?;
    if said.columns.len() != said.types.len() {
        return Err(Unreadable::Value("DataSet"));
    }
    let types = said.types.iter();
    let types = types.map(|number| DataType::of(*number).ok_or(Unreadable::Type(*number)));
    let types: Vec<DataType> = types.collect::<Result<_, _>>()?;
    let rows = said.rows.into_iter().map(|row| {
        let cells = Row::decode(row)?.cells;
        if cells.len() != types.len() {
            return Err(Unreadable::Value("DataSet"));
        }
        let cells = cells.into_iter().zip(&types).map(|(cell, datatype)| {
            let json = |value| json_of(Scalar::from(value), *datatype, DEPTH_MAX);
            cell.value.map_or(Ok(Value::Null), json)
        });
        cells.collect::<Result<Value, _>>()
    });
    let rows = rows.collect::<Result<Value, _>>()?;
    Ok(json!({ "columns": said.columns, "rows": rows }))
}

/// The values of its metrics, by name. What a definition has of parameters is left out.
fn template(bytes: Bytes, depth: usize) -> Result<Value, Unreadable> {
    if DEPTH_MAX <= depth {
        return Err(Unreadable::Nested);
    }
    let said = Template::decode(bytes)?;
    if METRICS_MAX < said.metrics.len() {
        return Err(Unreadable::Metrics(said.metrics.len()));
    }
    let members = said.metrics.into_iter().map(|metric| {
        let mut metric = Metric::decode(metric)?;
        let number = metric.datatype.unwrap_or_default();
        let datatype = DataType::of(number).ok_or(Unreadable::Type(number))?;
        let name = metric.name.take().unwrap_or_default();
        Ok((name, nested(metric, datatype, depth + 1)?))
    });
    Ok(Value::Object(
        members.collect::<Result<Map<_, _>, Unreadable>>()?,
    ))
}

/// Packed values, the lowest byte first.
fn array(bytes: &[u8], item: Item) -> Option<Value> {
    let each = |width: usize, value: &dyn Fn(u64) -> Option<Value>| {
        if !bytes.len().is_multiple_of(width) {
            return None;
        }
        let values = bytes.chunks_exact(width).map(|bytes| {
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(bytes);
            value(u64::from_le_bytes(wide))
        });
        values.collect()
    };
    match item {
        Item::Signed(bits) => each(usize::from(bits / 8), &|said| {
            Some(signed(said, bits).into())
        }),
        Item::Unsigned(bits) => each(usize::from(bits / 8), &|said| Some(said.into())),
        Item::Float => each(4, &|said| Some(float(f32::from_bits(said as u32)))),
        Item::Double => each(8, &|said| Some(f64::from_bits(said).into())),
        Item::DateTime => each(8, &|said| date(said).ok().map(Value::from)),
        Item::Boolean => booleans(bytes),
        Item::String if bytes.is_empty() => Some(json!([])),
        Item::String => {
            let texts = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
            let texts = texts.map(|text| str::from_utf8(text).ok().map(Value::from));
            texts.collect()
        }
    }
}

/// How many there are in four bytes, then a bit each, the highest first.
fn booleans(bytes: &[u8]) -> Option<Value> {
    let (count, packed) = bytes.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    if packed.len() != count.div_ceil(8) {
        return None;
    }
    let bits = packed
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    Some(bits.take(count).collect())
}

/// JSON as a value of this type; `None` if it is of another, or its type is not told.
pub(super) fn scalar(value: &Value, datatype: DataType) -> Option<Scalar> {
    Some(match datatype {
        DataType::Signed(64) => Scalar::Long(value.as_i64()? as u64),
        DataType::Signed(bits) => {
            let value = value.as_i64()?;
            // As the specification has it: the two's complement in 32 bits.
            (signed(value as u64, bits) == value).then_some(Scalar::Int(value as u32))?
        }
        DataType::Unsigned(64) => Scalar::Long(value.as_u64()?),
        DataType::Unsigned(bits) => {
            let value = value.as_u64()?;
            (unsigned(value, bits) == value).then_some(Scalar::Int(value as u32))?
        }
        DataType::Float => Scalar::Float(value.as_f64()? as f32),
        DataType::Double => Scalar::Double(value.as_f64()?),
        DataType::Boolean => Scalar::Boolean(value.as_bool()?),
        DataType::String | DataType::Text | DataType::Uuid => Scalar::Text(value.as_str()?.into()),
        DataType::DateTime => {
            let at = Time::of_rfc3339(value.as_str()?)?;
            Scalar::Long(at.as_micros() / 1000)
        }
        DataType::Bytes | DataType::File => {
            Scalar::Bytes(STANDARD.decode(value.as_str()?).ok()?.into())
        }
        DataType::DataSet | DataType::Template | DataType::Array(_) => return None,
    })
}
