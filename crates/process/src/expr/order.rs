use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Which of two values is less, as jq orders them: null, false, true, numbers, texts, lists, objects.
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Array(one), Value::Array(other)) => {
            let mut pairs = one.iter().zip(other);
            let first = pairs.find_map(|(one, other)| unequal(compare(one, other)));
            first.unwrap_or_else(|| one.len().cmp(&other.len()))
        }
        (Value::Object(one), Value::Object(other)) => {
            // First the names as lists, then value by value.
            let keys = one.keys().cmp(other.keys());
            unequal(keys).unwrap_or_else(|| {
                let mut pairs = one.values().zip(other.values());
                let first = pairs.find_map(|(one, other)| unequal(compare(one, other)));
                first.unwrap_or(Ordering::Equal)
            })
        }
        _ => rank(one).cmp(&rank(other)),
    }
}

fn unequal(order: Ordering) -> Option<Ordering> {
    (order != Ordering::Equal).then_some(order)
}

fn numbers(one: &Number, other: &Number) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            float(one)
                .partial_cmp(&float(other))
                .unwrap_or(Ordering::Less)
        }
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
