use serde_json::{Map, Value, json};

use crate::{
    dialects::parts::{self, members},
    td::{Description, Interner, Problem, excerpt},
};

/// No enumeration has more values.
const VALUES_MAX: usize = 4096;

/// What values a property has, and how a payload has them [Homie 5.0.0, "Payload", "Formats"].
pub(super) fn read(
    said: &Value,
    field: &str,
) -> Result<(Map<String, Value>, &'static str), Problem> {
    let format = said["format"].as_str().filter(|format| !format.is_empty());
    let wrong = |member: &str, must: &str| {
        let said = excerpt(&said[member]);
        Err(Problem::new(
            format!("{field}.{member}"),
            format!("is {said}; must be {must}"),
        ))
    };
    let texts = || format.into_iter().flat_map(|format| format.split(','));
    let schema = match said["datatype"].as_str().unwrap_or_default() {
        kind @ ("integer" | "float") => match range(kind, format) {
            Some(schema) => schema,
            None => return wrong("format", "a range such as `0:100:5`, each part optional"),
        },
        "boolean" => json!({ "type": "boolean" }),
        "string" => json!({ "type": "string" }),
        "enum" => {
            let mut values: Vec<&str> = Vec::new();
            for value in texts() {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            if values.is_empty() || VALUES_MAX < values.len() {
                return wrong(
                    "format",
                    "the values with commas between, such as `low,high`",
                );
            }
            json!({ "type": "string", "enum": values })
        }
        "color" => {
            let known = ["rgb", "hsv", "xyz"];
            let spaces: Vec<&str> = known
                .into_iter()
                .filter(|space| texts().any(|said| said == *space))
                .collect();
            if spaces.is_empty() {
                return wrong("format", "one or more of `rgb`, `hsv` and `xyz`");
            }
            let pattern = format!("^({})(,[0-9.]+){{2,3}}$", spaces.join("|"));
            json!({ "type": "string", "pattern": pattern })
        }
        "datetime" => json!({ "type": "string", "format": "date-time" }),
        "duration" => json!({ "type": "string", "format": "duration" }),
        "json" => return Ok((own_schema(format), "application/json")),
        _ => {
            let must = "`integer`, `float`, `boolean`, `string`, `enum`, `color`, `datetime`, \
                `duration` or `json`";
            return wrong("datatype", must);
        }
    };
    Ok((members(schema), "text/plain"))
}

/// `min:max:step`. Steps are counted from the least value, or from 0.
fn range(kind: &str, format: Option<&str>) -> Option<Value> {
    let kind = if kind == "integer" { kind } else { "number" };
    let mut schema = json!({ "type": kind });
    let mut parts = format.unwrap_or_default().split(':');
    let mut limits = [None; 3];
    for limit in &mut limits {
        let part = parts.next().unwrap_or_default().trim();
        if !part.is_empty() {
            *limit = Some(part.parse::<f64>().ok().filter(|limit| limit.is_finite())?);
        }
    }
    let [min, max, step] = limits;
    if parts.next().is_some() || max < min && max.is_some() {
        return None;
    }
    let number = |number: f64| match number as i64 {
        whole if whole as f64 == number => Value::from(whole),
        _ => Value::from(number),
    };
    for (word, limit) in [("minimum", min), ("maximum", max)] {
        if let Some(limit) = limit {
            schema[word] = number(limit);
        }
    }
    if let Some(step) = step.filter(|step| 0.0 < *step && min.unwrap_or(0.0) % step == 0.0) {
        schema["multipleOf"] = number(step);
    }
    Some(schema)
}

/// A JSON schema as that of a description, as far as it can be one.
fn own_schema(format: Option<&str>) -> Map<String, Value> {
    let said: Value = serde_json::from_str(format.unwrap_or_default()).unwrap_or_default();
    let schema = members(said);
    let mut property = schema.clone();
    property.insert("forms".to_owned(), json!([{ "href": "x:" }]));
    let td = parts::complete(members(json!({ "properties": { "x": property } })), "x");
    match Description::parse(td.to_string(), &mut Interner::default()) {
        Ok(_) => schema,
        Err(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(datatype: &str, format: &str, expected: Option<Value>) {
        let said = json!({ "datatype": datatype, "format": format });
        let found = read(&said, "p")
            .ok()
            .map(|(schema, _)| Value::Object(schema));
        assert_eq!(found, expected, "{datatype} {format}");
    }

    #[test]
    fn a_format_limits_what_values_there_are() {
        check("integer", "", Some(json!({ "type": "integer" })));
        check(
            "integer",
            ":10",
            Some(json!({ "type": "integer", "maximum": 10 })),
        );
        check(
            "float",
            "0.5::0.25",
            Some(json!({ "type": "number", "minimum": 0.5, "multipleOf": 0.25 })),
        );
        check(
            "float",
            "1::2",
            Some(json!({ "type": "number", "minimum": 1 })),
        );
        check("float", "5:1", None);
        check("float", "1:2:3:4", None);
        check(
            "enum",
            "a,b,a",
            Some(json!({ "type": "string", "enum": ["a", "b"] })),
        );
        check(
            "color",
            "rgb,hsv",
            Some(json!({ "type": "string", "pattern": "^(rgb|hsv)(,[0-9.]+){2,3}$" })),
        );
        check("color", "cmyk", None);
        check(
            "duration",
            "",
            Some(json!({ "type": "string", "format": "duration" })),
        );
        check(
            "json",
            "{\"type\":\"array\"}",
            Some(json!({ "type": "array" })),
        );
        check("json", "{\"type\":5}", Some(json!({})));
        check("tensor", "", None);
    }
}
