//! What may be said when a scenario is run: numbers, texts and lengths of time. `$(name)` in any file but the README stands
//! for the value; of a length of time `$(name)` is ISO 8601 and `$(name.s)` seconds, and it goes as fast as the clock of the
//! scenario does, so that the story is the same at each speed.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use quartet_process::{language::duration::Span, names::nearest, problem::Place};
use serde::Deserialize;
use serde_json::Value;

use crate::{Files, Wrong};

/// What may be said, and what holds if nothing is.
#[derive(Clone, PartialEq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it is, for people.
    pub title: String,
    /// Its value: a number, a text, or a duration such as `PT2H`.
    pub default: Value,
}

/// What was said.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameters {
    /// How many times as fast as ours the clock of the scenario goes.
    pub speed: f64,
    /// By name, in place of what holds otherwise.
    pub said: BTreeMap<String, String>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            speed: 1.0,
            said: BTreeMap::new(),
        }
    }
}

impl Parameters {
    /// What `$(name)` stands for.
    pub(crate) fn values(
        &self,
        settings: &IndexMap<String, Setting>,
    ) -> Result<BTreeMap<String, String>, String> {
        for name in self.said.keys() {
            if !settings.contains_key(name) {
                let known = || settings.keys().map(String::as_str);
                let near = nearest(name, known());
                return Err(match (near, known().next()) {
                    (Some(near), _) => {
                        format!("there is no parameter `{name}`; did you mean `{near}`?")
                    }
                    (None, Some(_)) => {
                        let known: Vec<&str> = known().collect();
                        format!(
                            "there is no parameter `{name}`; there are {}",
                            known.join(", ")
                        )
                    }
                    (None, None) => "this scenario has no parameters".to_owned(),
                });
            }
        }
        let mut values = BTreeMap::new();
        for (name, setting) in settings {
            let default = crate::template::as_text(setting.default.clone());
            let said = self.said.get(name).unwrap_or(&default);
            if said.contains(['\n', '\r']) {
                return Err(format!("`{name}` is more than one line"));
            }
            let Some(_) = Span::parse(&default) else {
                if setting.default.is_number() && said.parse::<f64>().is_err() {
                    return Err(format!("`{name}` is a number; this is `{said}`"));
                }
                values.insert(name.clone(), said.clone());
                continue;
            };
            let Some(span) = Span::parse(said) else {
                return Err(format!(
                    "`{name}` is a duration such as PT10M (ISO 8601); this is `{said}`"
                ));
            };
            // A flow knows milliseconds.
            let s = (span.roughly().as_secs_f64() / self.speed * 1000.0).round() / 1000.0;
            let s = s.max(0.001);
            let text = match self.speed == 1.0 {
                true => said.clone(),
                false => format!("PT{s}S"),
            };
            values.insert(name.clone(), text);
            values.insert(format!("{name}.s"), s.to_string());
        }
        Ok(values)
    }
}

/// The files with values in place of `$(name)`.
pub(crate) fn put_in(files: &Files, values: &BTreeMap<String, String>) -> (Files, Vec<Wrong>) {
    let mut wrongs = Vec::new();
    let made = files.map(|path, text| match path.ends_with(".md") {
        true => text.to_owned(),
        false => filled(path, text, values, &mut wrongs),
    });
    (made, wrongs)
}

fn filled(
    path: &str,
    text: &str,
    values: &BTreeMap<String, String>,
    wrongs: &mut Vec<Wrong>,
) -> String {
    let mut made = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while let Some(start) = rest.find("$(") {
            let after = &rest[start + 2..];
            made += &rest[..start];
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let name = after.split_once(')').map(|(name, _)| name);
            // What is no name in parentheses is somebody else's.
            let Some(name) = name.filter(|name| name.chars().all(is_name)) else {
                made += "$(";
                rest = after;
                continue;
            };
            match values.get(name) {
                Some(value) => made += value,
                None => {
                    let column = line.len() - rest.len() + start;
                    let place = Place {
                        line: number as u32 + 1,
                        column: line[..column].chars().count() as u32 + 1,
                    };
                    let near = nearest(name, values.keys().map(String::as_str));
                    let near = near.map(|near| format!("; did you mean `{near}`?"));
                    let what = format!(
                        "there is no parameter `{name}` in scenario.yaml{}",
                        near.unwrap_or_default()
                    );
                    wrongs.push(Wrong::at(path, place, what));
                }
            }
            rest = &after[name.len() + 1..];
        }
        made += rest;
    }
    made
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> IndexMap<String, Setting> {
        let setting = |default| Setting {
            title: "it".into(),
            default,
        };
        [
            ("wait".to_owned(), setting(json!("PT2H"))),
            ("warm".to_owned(), setting(json!(21.5))),
        ]
        .into()
    }

    fn said(speed: f64, said: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
        let said = said.iter();
        let said = said.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let said = said.collect();
        Parameters { speed, said }.values(&settings())
    }

    #[test]
    fn lengths_of_time_go_with_the_speed() {
        let values = said(3600.0, &[]).expect("they are values");
        assert_eq!(values["wait"], "PT2S");
        assert_eq!(values["wait.s"], "2");
        assert_eq!(values["warm"], "21.5");
        let values = said(7200.0, &[("wait", "PT1H"), ("warm", "20")]).expect("they are values");
        assert_eq!(
            (&*values["wait"], &*values["wait.s"], &*values["warm"]),
            ("PT0.5S", "0.5", "20")
        );
    }

    #[test]
    fn what_is_said_wrongly_says_what_would_be_right() {
        let why = |name, value| said(1.0, &[(name, value)]).expect_err("it is wrong");
        assert!(why("wiat", "PT1H").contains("did you mean `wait`?"));
        assert!(why("wait", "2 hours").contains("PT10M"));
        assert!(why("warm", "hot").contains("is a number"));
        assert!(why("warm", "1\n2").contains("more than one line"));
    }

    #[test]
    fn names_are_put_in_and_what_is_unknown_is_named_at_its_place() {
        let files: Files = [
            ("a.yaml", "x: $(wait)\ny: é $(wati) $( 1 + 2 ) $(wait\n"),
            ("README.md", "$(wait)"),
        ]
        .into_iter()
        .collect();
        let values = said(1.0, &[]).expect("they are values");
        let (made, wrongs) = put_in(&files, &values);
        assert_eq!(
            made.text("a.yaml"),
            Some("x: PT2H\ny: é  $( 1 + 2 ) $(wait\n")
        );
        assert_eq!(made.text("README.md"), Some("$(wait)"));
        let told: Vec<String> = wrongs.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.yaml:2:6: error: there is no parameter `wati` in scenario.yaml; did you mean `wait`?"
            ]
        );
    }
}
