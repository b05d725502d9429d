use crate::{Files, Package, Parameters, built_in, shown};

/// A package of a yard with a gate.
fn yard() -> Vec<(&'static str, &'static str)> {
    vec![
        ("README.md", "A yard with a gate."),
        (
            "scenario.yaml",
            "scenario: 1\nname: yard\ntitle: Yard\ndescription: A yard.\nversion: 1.0.0\n\
             parameters:\n  wait: { title: How long, default: PT5M }\n\
             lookAt:\n  - { element: things/yard-gate, says: whether it is open }\n",
        ),
        (
            "roles.yaml",
            "roles:\n  yard.keeper: { rights: [{ may: [read, invoke], on: actions/open }] }\n",
        ),
        (
            "elements.yaml",
            "elements:\n  places/yard: { '@type': Site, title: Yard, plan: { width: 9, height: 9, areas: [{ of: 'urn:quartet:things:yard-gate', x: 1, y: 1 }] } }\n  things/yard-gate:\n    title: Gate\n    in: places/yard\n    \
             properties: { open: { type: boolean } }\n    actions: { open: { title: Open } }\n  people/yard-keeper:\n    title: Keeper\n    invited: true\n    \
             relations: [{ relation: yard.keeper, to: places/yard }]\n",
        ),
        (
            "signals.yaml",
            "signals:\n  yard.gate.open: { of: yard-gate, expr: .open == true, for: $(wait) }\n",
        ),
        (
            "flows/close.yaml",
            "document: { dsl: '1.0.3', namespace: yard, name: close, version: '1.0.0', metadata: { run: fast, grants: [{ role: yard.keeper, on: places/yard }] } }\n\
             schedule: { on: { one: { with: { type: yard.gate.open } } } }\n\
             do:\n  - close: { call: invoke, with: { thing: yard-gate, action: open } }\n",
        ),
    ]
}

fn files(changed: &str, from: &str, to: &str) -> Files {
    let files = yard();
    let made: Vec<(&str, String)> = files
        .iter()
        .map(|(path, text)| match *path == changed {
            true => {
                assert!(text.contains(from), "{from}");
                (*path, text.replace(from, to))
            }
            false => (*path, (*text).to_owned()),
        })
        .collect();
    made.iter().map(|(path, text)| (*path, &**text)).collect()
}

/// A seeded mistake is named, alone, at its place.
#[track_caller]
fn check(changed: &str, from: &str, to: &str, expected: &str) {
    let files = files(changed, from, to);
    let wrongs = Package::read(&files, &Parameters::default()).expect_err("it is wrong");
    let told = shown(&files, &wrongs);
    assert!(told.contains(expected), "{expected}:\n{told}");
    assert_eq!(wrongs.len(), 1, "{told}");
}

#[test]
fn a_package_that_is_right_says_what_it_makes() {
    let package = Package::read(&files("README.md", "A", "A"), &Parameters::default());
    let package = package.expect("it is right");
    let keys: Vec<&str> = package.elements.iter().map(|one| &*one.key).collect();
    assert_eq!(
        keys,
        ["people/yard-keeper", "places/yard", "things/yard-gate"]
    );
    let gate = &package.elements[2];
    assert_eq!(gate.td["id"], "urn:quartet:things:yard-gate");
    assert_eq!(gate.td["links"][0]["href"], "urn:quartet:places:yard");
    assert_eq!(
        gate.td["properties"]["open"]["forms"][0]["href"],
        "/api/things/yard-gate/properties/open"
    );
    assert_eq!(gate.relations[0].relation, "in");
    assert_eq!(package.flows[0].name, "yard.close");
    let signals = package.signals.expect("there is one");
    assert!(signals.0.contains("for: PT5M"), "{}", signals.0);
}

#[test]
fn each_of_many_mistakes_is_named_at_its_place() {
    let seeded = [
        (
            "scenario.yaml",
            "scenario: 1",
            "scenario: 2",
            "scenario.yaml:1:1: error: this is format 2",
        ),
        (
            "scenario.yaml",
            "name: yard",
            "name: Yard!",
            "scenario.yaml:2:1: error: `Yard!` is no name of a scenario",
        ),
        (
            "scenario.yaml",
            "title: Yard",
            "titel: Yard",
            "scenario.yaml:3:1: error: unknown field `titel`",
        ),
        (
            "scenario.yaml",
            "version: 1.0.0\n",
            "",
            "missing field `version`",
        ),
        (
            "scenario.yaml",
            "element: things/yard-gate",
            "element: things/yard-gat",
            "did you mean `things/yard-gate`?",
        ),
        (
            "scenario.yaml",
            "{ title: How long, default: PT5M }",
            "[]",
            "scenario.yaml:7:3",
        ),
        (
            "README.md",
            "A yard with a gate.",
            " ",
            "README.md:1:1: error: a scenario tells its story",
        ),
        ("roles.yaml", "may: [read, invoke]", "may: [reed]", "reed"),
        ("roles.yaml", "actions/open", "action/open", "action/open"),
        (
            "elements.yaml",
            "in: places/yard",
            "in: places/yrd",
            "elements.yaml:3:3: error: there is no element `places/yrd` in this scenario; did you mean `places/yard`?",
        ),
        (
            "elements.yaml",
            "relation: yard.keeper",
            "relation: yard.keper",
            "there is no role `yard.keper` in roles.yaml; did you mean `yard.keeper`?",
        ),
        (
            "elements.yaml",
            "type: boolean",
            "type: bool",
            "properties.open",
        ),
        (
            "elements.yaml",
            "invited: true",
            "invited: perhaps",
            "elements.yaml:10:5",
        ),
        ("elements.yaml", "title: Gate", "title: 7", "title"),
        (
            "signals.yaml",
            "expr: .open == true",
            "expr: .open = true",
            "signals.yaml:2:",
        ),
        (
            "signals.yaml",
            "yard.gate.open",
            "gate.open",
            "`gate.open` may be somebody else's",
        ),
        (
            "signals.yaml",
            "$(wait)",
            "$(wiat)",
            "signals.yaml:2:62: error: there is no parameter `wiat` in scenario.yaml; did you mean `wait`?",
        ),
        (
            "flows/close.yaml",
            "namespace: yard",
            "namespace: street",
            "the namespace of a flow of this scenario is `yard`",
        ),
        (
            "flows/close.yaml",
            "role: yard.keeper",
            "role: yard.keper",
            "did you mean `yard.keeper`?",
        ),
        (
            "flows/close.yaml",
            "on: places/yard",
            "on: places/yrd",
            "did you mean `places/yard`?",
        ),
        (
            "flows/close.yaml",
            "action: open",
            "action: opn",
            "did you mean `open`?",
        ),
        (
            "flows/close.yaml",
            "thing: yard-gate",
            "thing: yard-gat",
            "yard-gat",
        ),
        (
            "elements.yaml",
            "things:yard-gate'",
            "things:yard-gat'",
            "elements.yaml:2:3: error: on the plan: there is no element `things/yard-gat` in this scenario; did you mean `things/yard-gate`?",
        ),
        (
            "elements.yaml",
            "    title: Keeper",
            "    titel: Keeper",
            "elements.yaml:9:5: error: `titel` is no member of an element; others have a prefix, such as `quartet:labels`; did you mean `title`?",
        ),
        (
            "flows/close.yaml",
            "version: '1.0.0'",
            "version: one",
            "flows/close.yaml:1:",
        ),
    ];
    for (file, from, to, expected) in seeded {
        check(file, from, to, expected);
    }
}

#[test]
fn what_is_not_the_scenarios_is_not_made_by_it() {
    let wrongs = |files: &Files| {
        let wrongs = Package::read(files, &Parameters::default()).expect_err("it is wrong");
        shown(files, &wrongs)
    };
    let told = wrongs(&files("elements.yaml", "people/yard-keeper", "people/ana"));
    assert!(
        told.contains("`people/ana` may be somebody else's"),
        "{told}"
    );
    let told = wrongs(&files("roles.yaml", "yard.keeper", "keeper"));
    assert!(
        told.contains("`keeper` is no name for a role of this scenario"),
        "{told}"
    );
    let mut more = yard();
    more.push(("notes.txt", "x"));
    let told = wrongs(&more.into_iter().collect());
    assert!(
        told.contains("notes.txt:1:1: error: this is no file of a scenario"),
        "{told}"
    );
    let mut more = yard();
    more.push((
        "elements/more.yaml",
        "elements:\n  places/yard: { title: Again }\n",
    ));
    let told = wrongs(&more.into_iter().collect());
    assert!(
        told.contains("is described in elements.yaml:2:3 already"),
        "{told}"
    );
    let told = wrongs(&Files::default());
    assert!(told.contains("a folder with a scenario.yaml"), "{told}");
    let circle = files(
        "elements.yaml",
        "title: Yard,",
        "title: Yard, in: things/yard-gate,",
    );
    assert!(wrongs(&circle).contains("is in itself"));
}

/// Whatever is written, it is read or told, and nothing panics.
#[test]
fn files_that_are_cut_off_or_garbled_are_told() {
    let office = built_in::files("office").expect("it is built in");
    let yard: Files = yard().into_iter().collect();
    for files in [office, yard] {
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".yaml")) {
            let cuts = (0..text.len()).step_by(1 + text.len() / 12);
            for cut in cuts.filter(|cut| text.is_char_boundary(*cut)) {
                for odd in [&text[..cut], &text[cut..]] {
                    let changed: Files = files
                        .iter()
                        .map(|(known, text)| (known, if known == path { odd } else { text }))
                        .collect();
                    let _ = Package::read(&changed, &Parameters::default());
                }
            }
        }
    }
}
