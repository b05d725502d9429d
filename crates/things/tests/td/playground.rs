use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command};

use quartet_things::td::{Description, Interner, Invalid, Model, Problem};
use serde::Deserialize;

use super::{files, is_model};

/// Where we judge otherwise, how both judge, and why.
const DIFFERENCES: [Difference; 0] = [];

struct Difference {
    name: &'static str,
    theirs: &'static str,
    ours: &'static str,
    #[expect(dead_code, reason = "for people")]
    why: &'static str,
}

/// A line of `playground.cjs`.
#[derive(Deserialize)]
struct Example {
    name: String,
    path: PathBuf,
    verdict: String,
    said: String,
}

#[test]
fn the_playground_and_we_judge_its_examples_alike() {
    let examples = judged();
    assert_eq!(examples.len(), 90, "examples of another version");
    let mut expected: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for Difference {
        name, theirs, ours, ..
    } in &DIFFERENCES
    {
        expected.insert(name, (theirs, ours));
    }
    let mut wrong = Vec::new();
    for example in &examples {
        let text = fs::read(&example.path).expect("an example is there");
        let (verdict, said) = ours(&text);
        let theirs = example.verdict.as_str();
        let expected = expected.remove(example.name.as_str());
        if (theirs, verdict) != expected.unwrap_or((theirs, theirs)) {
            wrong.push(format!(
                "{}: they say {theirs} ({}), we say {verdict} ({said})",
                example.name, example.said
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(expected.is_empty(), "no such examples: {expected:?}");
}

/// The files of the examples, and some beside them.
pub(super) fn examples() -> Vec<PathBuf> {
    let folder = node_modules().join("@thing-description-playground/core/examples");
    assert!(
        folder.is_dir(),
        "there is no {}; `cargo xtask test` makes it",
        folder.display()
    );
    files(&folder)
}

/// The examples, as the playground's validator judges them.
fn judged() -> Vec<Example> {
    let script = "tests/td/playground.cjs";
    let output = Command::new("node")
        .arg(script)
        .env("NODE_PATH", node_modules())
        .output()
        .expect("node is there; `cargo xtask test` installs it");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the playground's validator does not run; `cargo xtask test` installs it: {error}"
    );
    let lines = output.stdout.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("a line of the script is JSON"))
        .collect()
}

/// Where `cargo xtask test` put node's modules: it says so by a variable; without it, where it
/// usually does.
fn node_modules() -> PathBuf {
    let cache = || {
        env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".cache")))
            .expect("there is a home")
    };
    env::var_os("QUARTET_TEST_NODE_MODULES")
        .map_or_else(|| cache().join("quartet/node/node_modules"), PathBuf::from)
}

/// How we judge, in the playground's words, and what we say.
fn ours(text: &[u8]) -> (&'static str, String) {
    let warnings: Result<Vec<Problem>, Invalid> = if is_model(text) {
        Model::parse(text).map(|model| model.warnings())
    } else {
        Description::parse(text, &mut Interner::default()).map(|td| td.warnings())
    };
    match warnings {
        Err(invalid) => ("error", invalid.to_string()),
        Ok(warnings) if warnings.is_empty() => ("ok", String::new()),
        Ok(warnings) => ("warning", format!("{warnings:?}")),
    }
}
