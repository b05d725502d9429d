use std::{cmp::Ordering, convert::Infallible};

use serde_json::{Number, Value};

/// Which of two values is less, as jq orders them: null, false, true, numbers, texts, lists, objects.
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    let Ok(order) = compare_counted(one, other, &|_| Ok::<_, Infallible>(()));
    order
}

/// The same; `look` is told of each pair of values that is compared, and of how many bytes.
pub(super) fn compare_counted<E>(
    one: &Value,
    other: &Value,
    look: &impl Fn(usize) -> Result<(), E>,
) -> Result<Ordering, E> {
    look(0)?;
    Ok(match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other),
        (Value::String(one), Value::String(other)) => {
            look(one.len().min(other.len()))?;
            one.cmp(other)
        }
        (Value::Array(one), Value::Array(other)) => {
            for (one, other) in one.iter().zip(other) {
                let order = compare_counted(one, other, look)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            one.len().cmp(&other.len())
        }
        (Value::Object(one), Value::Object(other)) => {
            // First the names as lists, then value by value.
            for (one, other) in one.keys().zip(other.keys()) {
                look(one.len().min(other.len()))?;
                if one != other {
                    return Ok(one.cmp(other));
                }
            }
            if one.len() != other.len() {
                return Ok(one.len().cmp(&other.len()));
            }
            for (one, other) in one.values().zip(other.values()) {
                let order = compare_counted(one, other, look)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            Ordering::Equal
        }
        _ => rank(one).cmp(&rank(other)),
    })
}

/// As floats; what is the same as these, as the whole numbers that they are. So any three numbers
/// are in one order, which sorting relies on.
fn numbers(one: &Number, other: &Number) -> Ordering {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return one.cmp(&other);
    }
    let float = |number: &Number| number.as_f64().unwrap_or(0.0);
    let whole = |number: &Number| number.as_i128().unwrap_or(float(number) as i128);
    let order = float(one).partial_cmp(&float(other));
    match order.unwrap_or(Ordering::Equal) {
        Ordering::Equal => whole(one).cmp(&whole(other)),
        order => order,
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    }
}
