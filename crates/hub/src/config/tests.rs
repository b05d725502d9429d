//! The reference and the pages of errors say what the code does.

use std::path::Path;

use super::*;
use crate::config::key::{Key, LISTENER_KEYS, PROVIDER_KEYS};

const REFERENCE: &str = include_str!("../../../../docs/configuration.md");

fn example() -> &'static str {
    let start = "```toml\n";
    let rest =
        &REFERENCE[REFERENCE.find(start).expect("the reference has an example") + start.len()..];
    &rest[..rest.find("```").expect("the example ends")]
}

/// The first cells of the reference's tables that are keys, with their whole rows.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    let below = REFERENCE
        .find("## General")
        .expect("the reference begins there");
    let (general, rest) = REFERENCE[below..]
        .split_once("| scheme |")
        .expect("a table of schemes");
    let rest = rest
        .split_once("\n\n")
        .expect("the table of schemes ends")
        .1;
    general.lines().chain(rest.lines()).filter_map(|row| {
        let name = row.strip_prefix("| `")?.split('`').next()?;
        Some((name, row))
    })
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(parse(example(), None), Ok(Config::default()));
}

#[test]
fn the_example_holds_every_key() {
    let bare = |line: &str| !line.starts_with("# ");
    let text = example()
        .lines()
        .filter(|line| bare(line))
        .map(|line| line.trim_start_matches('#'));
    let text = text.collect::<Vec<_>>().join("\n");
    // Domains ask for consent, and for a listener that is encrypted.
    let text = text.replace("agree = false", "agree = true");
    let text = text.replace("\"http://", "\"https://127.0.0.1:8443\", \"http://");
    let config = parse(&text, None).unwrap();
    assert_eq!(config.data, Path::new("/var/lib/quartet"));
    assert!(config.tls.client_ca.is_some());
    let table: toml::Table = text.parse().unwrap();
    for key in Key::all() {
        let mut value = Some(&toml::Value::Table(table.clone())).cloned();
        for part in key.name().split('.') {
            value = value.and_then(|value| value.get(part).cloned());
        }
        assert!(value.is_some(), "{} is not in the example", key.name());
    }
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let mut known: Vec<&str> = Key::all().map(Key::name).collect();
    known.extend(LISTENER_KEYS.into_iter().chain(PROVIDER_KEYS));
    let mut found: Vec<&str> = rows().map(|(name, _)| name).collect();
    known.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, known);
}

#[test]
fn the_reference_has_each_limit_with_its_unit_and_default_and_range() {
    let default = Limits::default();
    for limit in Limit::ALL {
        let unit = limit.unit;
        let zero = limit
            .zero
            .map(|means| format!(", 0 = {means}"))
            .unwrap_or_default();
        let expected = format!(
            "| `{}` | {} | {} | {} to {}{zero} | ",
            limit.key,
            unit.name(),
            unit.show(limit.get(&default)),
            unit.show(limit.min),
            unit.show(limit.max),
        );
        let row = rows()
            .find(|(name, _)| *name == limit.key)
            .map(|(_, row)| row);
        assert!(
            row.is_some_and(|row| row.starts_with(&expected)),
            "{expected}\n{row:?}"
        );
    }
}

#[test]
fn each_error_has_its_page_and_stands_in_the_reference() {
    let root = Path::new("../../docs/errors");
    for code in Code::ALL {
        let page = root.join(format!("{}.md", code.as_str()));
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(
            text.starts_with(&format!("# {}: ", code.as_str())),
            "{}",
            code.as_str()
        );
        assert!(
            REFERENCE.contains(&format!("errors/{}.md", code.as_str())),
            "{}",
            code.as_str()
        );
    }
}

#[test]
fn each_key_has_an_environment_variable() {
    for key in Key::all() {
        let name = key.variable();
        assert!(name.starts_with("QUARTET_"), "{name}");
        assert!(
            name.bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_uppercase()),
            "{name}"
        );
    }
    assert_eq!(
        Key::find("tls.client_ca").map(Key::variable).as_deref(),
        Some("QUARTET_TLS_CLIENT_CA")
    );
}

#[test]
fn a_provider_is_believed_over_https_or_on_this_machine_only() {
    let provider = |issuer: &str| {
        format!("[[providers]]\nname = \"work\"\nclient_id = \"hub\"\nissuer = \"{issuer}\"\n")
    };
    for issuer in ["https://login.example/realm", "http://127.0.0.1:9000"] {
        let config = parse(&provider(issuer), None).unwrap();
        assert_eq!(config.providers[0].title, "work");
    }
    for issuer in ["http://login.example", "login.example", "https://a/?b", ""] {
        let errors = parse(&provider(issuer), None).unwrap_err();
        assert!(errors[0].to_string().contains("an https URL"), "{errors:?}");
    }
    let twice = provider("https://a.example") + &provider("https://b.example");
    assert!(
        parse(&twice, None).unwrap_err()[0]
            .to_string()
            .contains("two providers")
    );
    for (wrong, says) in [
        ("[[providers]]\nname = \"work\"\n", "has no issuer"),
        ("[[providers]]\nnmae = \"work\"\n", "did you mean name?"),
        ("[[providers]]\nname = \"A b\"\n", "small letters"),
        ("providers = 1\n", "[[providers]]"),
    ] {
        let errors = parse(wrong, None).unwrap_err();
        let all = errors.iter().map(ToString::to_string).collect::<String>();
        assert!(all.contains(says), "{all}");
    }
}
