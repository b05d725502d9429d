use std::cmp::Ordering;

use serde_json::Number;

/// Which of two numbers is greater. Integers are compared exactly.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => float(a).total_cmp(&float(b)),
    }
}

/// Whether a number has no fraction: 1.0 has none [JSON Schema, section 6.1.1].
pub(super) fn is_integer(number: &Number) -> bool {
    number.as_i128().is_some() || float(number).fract() == 0.0
}

/// Whether `number` divided by `factor` has no fraction.
pub(super) fn is_multiple(number: &Number, factor: &Number) -> bool {
    // 0.3 is a multiple of 0.1, although both are rounded and so is their quotient.
    const ROUNDING: f64 = 1e-12;
    if let (Some(number), Some(factor)) = (number.as_i128(), factor.as_i128()) {
        return factor != 0 && number % factor == 0;
    }
    let quotient = float(number) / float(factor);
    let distance = (quotient - quotient.round()).abs();
    distance <= ROUNDING * quotient.abs().max(1.0)
}

fn float(number: &Number) -> f64 {
    // Without arbitrary precision, every number is one.
    number.as_f64().unwrap_or_default()
}
