use std::fs;

use proptest::{collection::vec, prelude::*, sample::Index};
use quartet_things::td::{Description, Document, Interner, Model};
use serde_json::Value;

use super::vectors;

/// Of any bytes something is said, and of anything that is read all questions can be asked.
fn look(text: &[u8]) {
    let Ok(document) = Document::parse(text) else {
        return;
    };
    let mut interner = Interner::default();
    if let Err(invalid) = Description::parse(text, &mut interner) {
        assert!(!invalid.0.is_empty() && !invalid.to_string().is_empty());
    }
    let description = Description::recall(text, &mut interner).expect("it can be read");
    description.warnings();
    drop((description.id(), description.title()));
    description.titles().count();
    description.types().count();
    for property in description.affordances().properties() {
        for value in [Value::Null, 1.into(), "a".into(), document.to_value()] {
            drop(property.schema.check(&value));
        }
    }
    if let Ok(model) = Model::new(document) {
        model.warnings();
        model.submodels().count();
        model.placeholders();
        drop(model.resolve(&|_| Some(model.document().clone())));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = vectors("")
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| fs::read(path).expect("a vector is there"))
        .collect();
    seeds.push(super::texts::LAMP.as_bytes().to_vec());
    seeds
}

/// The values in a tree, so that one of them can be replaced.
fn count(value: &Value) -> usize {
    let inside: usize = match value {
        Value::Object(members) => members.values().map(count).sum(),
        Value::Array(elements) => elements.iter().map(count).sum(),
        _ => 0,
    };
    inside + 1
}

fn replace(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Object(members) => members.values_mut().for_each(|v| replace(v, at, with)),
        Value::Array(elements) => elements.iter_mut().for_each(|v| replace(v, at, with)),
        _ => {}
    }
}

fn replacement() -> impl Strategy<Value = Value> {
    const TEXTS: [&str; 12] = [
        "",
        "nosec",
        "{{A}}",
        "tm:ThingModel",
        "#/properties/a",
        "/actions/toggle",
        "x:y",
        "é",
        "http://[",
        "{?a}",
        "^(",
        "readproperty",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!({"tm:ref": "#/properties"})),
        Just(serde_json::json!(["a", {"rel": "type"}, {"rel": "type"}, 1])),
        Just(serde_json::json!({"a": {"scheme": "combo", "oneOf": ["a", "b"]}})),
    ]
}

proptest! {
    #[test]
    fn whatever_stands_where_it_should_not_nothing_panics(
        seed: Index,
        changes in vec((any::<Index>(), replacement()), 1..4),
    ) {
        let seeds = seeds();
        let seed = seed.get(&seeds[..]);
        let mut tree: Value = serde_json::from_slice(seed).expect("a seed is JSON");
        for (at, with) in changes {
            let mut at = at.index(count(&tree));
            replace(&mut tree, &mut at, &with);
        }
        look(tree.to_string().as_bytes());
    }

    #[test]
    fn whatever_bytes_come_nothing_panics(
        seed: Index,
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let seeds = seeds();
        let mut bytes = seed.get(&seeds[..]).clone();
        for (at, with) in changes {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        look(&bytes);
    }
}
