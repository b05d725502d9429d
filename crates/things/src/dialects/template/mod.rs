//! Jinja templates in Home Assistant's words, as devices announce them.
//!
//! They come from strangers: what one may compute is bounded in steps by fuel and in memory by what
//! `guard` lets through. Nothing is known to them but the payload.

mod guard; // templates that could grow without bounds
mod moments; // moments and their texts
mod texts; // filters and methods of texts
mod words; // filters, tests and functions

use std::{fmt, io, sync::LazyLock};

use minijinja::{Environment, ErrorKind, Output, State, Value, context, value::Serde};
use serde_json::Value as Json;

/// Steps that rendering may take.
const FUEL: u64 = 10_000;
/// The longest payload that a template is given.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// The longest text that may come of it.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Its only name; not one that has HTML escaped.
const NAME: &str = "template";

/// A template that was found well-formed and harmless.
pub(super) struct Template {
    source: Box<str>,
    environment: Environment<'static>,
    payload_bytes_max: usize,
}

impl Template {
    /// Compiles a template, or says what is wrong with it.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        let payload_bytes_max = guard::check(source)?.min(PAYLOAD_BYTES_MAX);
        let mut environment = WORDS.clone();
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            source: source.into(),
            environment,
            payload_bytes_max,
        })
    }

    /// What a payload says; `None` if what the template is about is not in it.
    pub(super) fn read(&self, value: &str, json: Option<&Json>) -> Result<Option<String>, String> {
        if self.payload_bytes_max < value.len() {
            return Err("the payload is too long for it".to_owned());
        }
        let value_json = json.map_or(Value::UNDEFINED, |json| Serde(json).into());
        self.render(context! { value, value_json }, json)
    }

    /// The payload that says a value.
    pub(super) fn write(&self, value: &Json) -> Result<String, String> {
        let rendered = self.render(context! { value => Value::from(Serde(value)) }, None);
        rendered?.ok_or_else(|| "it says nothing".to_owned())
    }

    fn render(&self, context: Value, json: Option<&Json>) -> Result<Option<String>, String> {
        let template = self.environment.get_template(NAME);
        let template = template.map_err(|error| error.to_string())?;
        let mut written = Bounded(Vec::new());
        match template.render_captured_to(context, &mut written) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UndefinedError => return Ok(None),
            Err(_) if self.misses(json) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        let text = String::from_utf8(written.0).map_err(|error| error.to_string())?;
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// Whether the template is about a member that the payload does not have, so that computing
    /// with it had to fail.
    fn misses(&self, json: Option<&Json>) -> bool {
        let Ok(template) = self.environment.get_template(NAME) else {
            return false;
        };
        let variables = template.undeclared_variables(true);
        let mut members = variables.iter().filter_map(|variable| {
            let rest = variable.strip_prefix("value_json")?;
            (rest.is_empty() || rest.starts_with('.')).then_some(rest)
        });
        members.any(|member| {
            let steps = member.split('.').skip(1);
            let mut at = json;
            for step in steps {
                at = at.and_then(|at| at.get(step));
            }
            at.is_none_or(Json::is_null)
        })
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

static WORDS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.set_formatter(say);
    words::add(&mut environment);
    environment
});

/// As Python says it: `True`. What is nothing says nothing.
fn say(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(());
    }
    match bool::try_from(value.clone()) {
        Ok(true) => out.write_str("True")?,
        Ok(false) => out.write_str("False")?,
        Err(_) => write!(out, "{value}")?,
    }
    Ok(())
}

/// A text that does not grow for ever.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if TEXT_BYTES_MAX < self.0.len() + bytes.len() {
            return Err(io::Error::other("the text grows too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(template: &str, payload: &str, expected: Option<&str>) {
        let json = serde_json::from_str(payload).ok();
        let template = Template::parse(template).unwrap();
        let read = template.read(payload, json.as_ref());
        assert_eq!(read, Ok(expected.map(str::to_owned)), "{template:?}");
    }

    #[test]
    fn templates_that_devices_announce_are_understood() {
        check(
            "{{ value_json.temperature }}",
            r#"{"temperature":21.5}"#,
            Some("21.5"),
        );
        check(
            "{{ value_json['contact'] == 'open' }}",
            r#"{"contact":"open"}"#,
            Some("True"),
        );
        check("{{ value | float / 10 }}", "215", Some("21.5"));
        check(
            "{{ (value_json.v * 0.1) | round(1) }}",
            r#"{"v":215}"#,
            Some("21.5"),
        );
        check(
            "{{ value_json.a | int(default=0) + 1 }}",
            r#"{"a":"x"}"#,
            Some("1"),
        );
        check(
            "{{ iif(value_json.on, 'ON', 'OFF') }}",
            r#"{"on":false}"#,
            Some("OFF"),
        );
        check(
            "{{ 'ON' if value_json.s else 'OFF' }}",
            r#"{"s":1}"#,
            Some("ON"),
        );
        check(
            "{{ value_json.l[0].x | default(3) }}",
            r#"{"l":[]}"#,
            Some("3"),
        );
        check("{{ value.split(',')[1] }}", "a,b", Some("b"));
        check("{{ (value | from_json).a }}", r#"{"a":5}"#, Some("5"));
        check(
            "{{ value_json | tojson }}",
            r#"{"a":[1]}"#,
            Some(r#"{"a":[1]}"#),
        );
        check(
            "{% if value == 'x' %}1{% else %}0{% endif %}",
            "x",
            Some("1"),
        );
        check(
            "{% set t = value_json.t %}{{ t | timestamp_utc }}",
            r#"{"t":0}"#,
            Some("1970-01-01T00:00:00+00:00"),
        );
        check("{{ {'a': 'one'}[value] }}", "a", Some("one"));
        check("{{ {'a': 'one'}.get(value, 'other') }}", "b", Some("other"));
        check(
            "{{ value | regex_replace('[^0-9]', '') }}",
            "4 mm",
            Some("4"),
        );
    }

    #[test]
    fn what_is_not_there_says_nothing() {
        check("{{ value_json.temperature }}", "{}", None);
        check("{{ value_json.a.b.c | round(1) }}", "{}", None);
        check("{{ value_json.a / 10 }}", "{}", None);
        check("{{ value_json.a | float * 10 }}", "{}", None);
        check("{{ value_json.a | is_defined }}", "{}", None);
        check("{{ value_json.a + 1 }}", r#"{"a":null}"#, None);
        check("{{ value_json.a }}", "no JSON", None);
        check("", "x", None);
    }

    #[test]
    fn what_fails_says_why() {
        let template = Template::parse("{{ states('x') }}").unwrap();
        assert!(template.read("1", None).unwrap_err().contains("states"));
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        let endless = Template::parse(endless).unwrap();
        assert!(endless.read("1", None).is_err());
        assert!(Template::parse("{{ value").is_err());
    }

    #[test]
    fn a_value_is_told() {
        let template = Template::parse(r#"{"brightness": {{ value * 100 }}}"#).unwrap();
        let told = template.write(&serde_json::json!(2));
        assert_eq!(told.as_deref(), Ok(r#"{"brightness": 200}"#));
    }

    proptest! {
        #[test]
        fn no_template_and_no_payload_makes_it_panic(
            source in r"\{\{ ?(value|value_json)(\.[a-c]|\[[0-9]\]| ?\| ?(float|int|round|length|first|lower|from_json|timestamp_custom\('%Y'\)|regex_replace\('a*','b'\))| ?[+*/~-] ?[0-9]{1,3}){0,5} ?\}\}|\PC{0,30}",
            payload in r"\PC{0,40}|[0-9.eE+-]{1,12}|\{.a.:[0-9]{1,20}\}",
        ) {
            if let Ok(template) = Template::parse(&source) {
                let json = serde_json::from_str(&payload).ok();
                let _ = template.read(&payload, json.as_ref());
            }
        }
    }
}
