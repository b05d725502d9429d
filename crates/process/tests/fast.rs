//! Fast flows, and those scenarios of the language's conformance kit that need no network and no
//! time: branch, data-flow, do, emit, flow, for, raise, set, switch, try.

use std::{collections::BTreeMap, sync::Arc};

use quartet_model::{EventId, Time};
use quartet_process::{
    check::{self, Nothing},
    fast::{Act, Attempt, Flow, Look, Looked, Outcome, Step, attempt, run, traced},
};
use serde_json::{Value, json};

/// What a test lets a flow see and do.
#[derive(Default)]
struct World {
    properties: BTreeMap<(String, String), Looked>,
    forbidden: Option<String>,
}

impl Look for World {
    fn property(&self, key: &str, name: &str) -> Looked {
        let wanted = (key.to_owned(), name.to_owned());
        self.properties
            .get(&wanted)
            .cloned()
            .unwrap_or(Looked::Unknown)
    }

    fn may(&self, act: &Act) -> Result<(), String> {
        match (&self.forbidden, act) {
            (Some(forbidden), Act::Write { key, .. } | Act::Invoke { key, .. })
                if key == forbidden =>
            {
                Err("it has no relation to it".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn may_read(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }
}

fn flow(text: &str) -> Flow {
    let checked = check::check(text, &Nothing).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", problems.join("\n"))
    });
    Flow::new(checked).expect("schemas are right")
}

fn ran(text: &str, input: Value, world: &World) -> (Outcome, Vec<Step>) {
    let id = EventId {
        at: Time::from_micros(1_000_000),
        serial: 7,
    };
    let (flow, input) = (flow(text), Arc::new(input));
    let (outcome, answers) = run(&flow, id, Arc::clone(&input), id.at, world);
    // Whoever asks how it went sees it run again.
    let (again, trace) = traced(&flow, id, Arc::clone(&input), id.at, &answers.again());
    if matches!(outcome, Outcome::Needs(_)) {
        let (again, _) = traced(&flow, id, input, id.at, world);
        assert_eq!(outcome, again);
    } else {
        assert_eq!(outcome, again);
    }
    (outcome, trace)
}

const HEAD: &str = "document: { dsl: '1.0.3', namespace: tests, name: one, version: '1.0.0', metadata: { run: fast } }\nschedule: { on: { one: { with: { type: a.b } } } }\n";

/// Runs the steps with this input, as the kit's scenarios do.
#[track_caller]
fn check_output(tasks: &str, input: Value, expected: Value) {
    let (outcome, trace) = ran(&format!("{HEAD}{tasks}"), input, &World::default());
    match outcome {
        Outcome::Done { output, .. } => assert_eq!(*output, expected, "{trace:#?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ctk_set_replaces_the_data() {
    check_output(
        "do:\n- setShape:\n    set: { shape: circle, size: '${ .configuration.size }', fill: '${ .configuration.fill }' }\n",
        json!({"configuration": {"size": {"width": 6}, "fill": {"red": 69}}}),
        json!({"shape": "circle", "size": {"width": 6}, "fill": {"red": 69}}),
    );
}

#[test]
fn ctk_do_runs_nested_tasks_in_order() {
    check_output(
        "do:\n- compositeExample:\n    do:\n    - setRed: { set: { colors: '${ .colors + [\"red\"] }' } }\n    - setGreen: { set: { colors: '${ .colors + [\"green\"] }' } }\n    - setBlue: { set: { colors: '${ .colors + [\"blue\"] }' } }\n",
        Value::Null,
        json!({"colors": ["red", "green", "blue"]}),
    );
}

#[test]
fn ctk_data_flow_input_from_selects_the_input_of_a_task() {
    check_output(
        "do:\n- setUsername:\n    input: { from: .user.claims.subject }\n    set: { playerId: '${ . }' }\n",
        json!({"user": {"claims": {"subject": "6AsnRgGEB0q2O7ux9JXFAw"}}}),
        json!({"playerId": "6AsnRgGEB0q2O7ux9JXFAw"}),
    );
    check_output(
        "do:\n- setUsername:\n    set: { id: 1 }\n    output: { as: .id }\n",
        Value::Null,
        json!(1),
    );
    check_output(
        "do:\n- setValue:\n    input: { from: .n }\n    set: { value: 3 }\n    output: { as: '.value + $input' }\n",
        json!({"n": 4}),
        json!(7),
    );
}

#[test]
fn ctk_emit_gives_the_cloud_event() {
    let (outcome, _) = ran(
        &format!(
            "{HEAD}do:\n- emitUserGreeted:\n    emit: {{ event: {{ with: {{ source: https://fake-source.com, type: com.fake-source.user.greeted.v1, data: {{ greetings: '${{ \"Hello \\(.user.firstName) \\(.user.lastName)!\" }}' }} }} }} }}\n"
        ),
        json!({"user": {"firstName": "John", "lastName": "Doe"}}),
        &World::default(),
    );
    let Outcome::Done { output, acts } = outcome else {
        panic!("{outcome:?}");
    };
    for name in ["id", "specversion", "time", "source", "type", "data"] {
        assert!(output.get(name).is_some(), "{name}: {output}");
    }
    assert_eq!(output["data"], json!({"greetings": "Hello John Doe!"}));
    assert_eq!(acts, [Act::Emit { event: output }]);
}

#[test]
fn ctk_flow_is_in_order_unless_it_is_directed() {
    let order = |tasks: &str| {
        let (_, trace) = ran(&format!("{HEAD}{tasks}"), Value::Null, &World::default());
        let names = trace
            .iter()
            .filter_map(|step| step.reference.rsplit('/').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let set = |name: &str, then: &str| format!("- {name}: {{ set: {{ x: 1 }}{then} }}\n");
    let all = format!(
        "do:\n{}{}{}",
        set("setRed", ""),
        set("setGreen", ""),
        set("setBlue", "")
    );
    assert_eq!(order(&all), ["setRed", "setGreen", "setBlue"]);
    let directed = format!(
        "do:\n{}{}{}",
        set("setRed", ", then: setBlue"),
        set("setGreen", ""),
        set("setBlue", ", then: end")
    );
    assert_eq!(order(&directed), ["setRed", "setBlue"]);
}

#[test]
fn ctk_for_gives_each_iteration_what_the_one_before_gave() {
    check_output(
        "do:\n- loop:\n    for: { each: color, in: .colors }\n    do:\n    - markProcessed:\n        set: { processed: '${ { colors: (.processed.colors + [ $color ]), indexes: (.processed.indexes + [ $index ]) } }' }\n",
        json!({"colors": ["red", "green", "blue"]}),
        json!({"processed": {"colors": ["red", "green", "blue"], "indexes": [0, 1, 2]}}),
    );
}

#[test]
fn ctk_branch_of_those_that_compete_one_wins() {
    let branches = |compete: bool| {
        format!(
            "do:\n- branch:\n    fork:\n      compete: {compete}\n      branches:\n      - setRed: {{ set: {{ colors: '${{ .colors + [\"red\"] }}' }} }}\n      - setGreen: {{ set: {{ colors: '${{ .colors + [\"green\"] }}' }} }}\n      - setBlue: {{ set: {{ colors: '${{ .colors + [\"blue\"] }}' }} }}\n"
        )
    };
    check_output(&branches(true), json!({}), json!({"colors": ["red"]}));
    // Each begins with what the fork was given.
    check_output(
        &branches(false),
        json!({"colors": ["white"]}),
        json!([
            {"colors": ["white", "red"]},
            {"colors": ["white", "green"]},
            {"colors": ["white", "blue"]},
        ]),
    );
}

#[test]
fn ctk_raise_faults_the_workflow() {
    let (outcome, _) = ran(
        &format!(
            "{HEAD}do:\n- raiseError:\n    raise: {{ error: {{ type: https://serverlessworkflow.io/errors/compliance, status: 400, title: Compliance Error }} }}\n"
        ),
        Value::Null,
        &World::default(),
    );
    let Outcome::Failed(fault) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (&*fault.kind, fault.status, &*fault.title, &*fault.instance),
        (
            "https://serverlessworkflow.io/errors/compliance",
            400,
            "Compliance Error",
            "/do/0/raiseError"
        )
    );
}

#[test]
fn ctk_switch_takes_the_first_that_holds() {
    let tasks = "do:\n- switchColor:\n    switch:\n    - red: { when: '.color == \"red\"', then: setRed }\n    - green: { when: '.color == \"green\"', then: setGreen }\n    then: end\n- setRed: { set: { colors: '${ .colors + [ \"red\" ] }' }, then: end }\n- setGreen: { set: { colors: '${ .colors + [ \"green\" ] }' }, then: end }\n";
    check_output(tasks, json!({"color": "red"}), json!({"colors": ["red"]}));
    check_output(
        tasks,
        json!({"color": "green"}),
        json!({"colors": ["green"]}),
    );
    check_output(
        tasks,
        json!({"color": "yellow"}),
        json!({"color": "yellow"}),
    );
    let default = "do:\n- switchColor:\n    switch:\n    - red: { when: '$input.color == \"red\"', then: setRed }\n    - anyOther: { then: setDefault }\n- setRed: { set: { color: red }, then: end }\n- setDefault: { set: { color: default }, then: end }\n";
    check_output(
        default,
        json!({"color": "blue"}),
        json!({"color": "default"}),
    );
    check_output(default, json!({"color": "red"}), json!({"color": "red"}));
}

#[test]
fn ctk_try_catches_what_its_filter_names_on_either_host() {
    // The kit asks a server that is not there; here a raised error stands for its answer.
    let tasks = |filter: &str| {
        format!(
            "do:\n- tryGetPet:\n    try:\n    - getPet:\n        raise: {{ error: {{ type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404 }} }}\n    catch:\n      errors: {{ with: {{ type: {filter}, status: 404 }} }}\n      as: err\n      do:\n      - setError: {{ set: {{ error: '${{ $err }}' }} }}\n"
        )
    };
    let caught = |filter: &str| {
        let (outcome, _) = ran(
            &format!("{HEAD}{}", tasks(filter)),
            Value::Null,
            &World::default(),
        );
        match outcome {
            Outcome::Done { output, .. } => Value::clone(&output),
            Outcome::Failed(fault) => fault.to_json(),
            other => panic!("{other:?}"),
        }
    };
    for filter in [
        "https://serverlessworkflow.io/dsl/errors/types/communication",
        "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
        "https://open-workflow-specification.org/spec/1.0.0/errors/.*",
    ] {
        let output = caught(filter);
        assert_eq!(output["error"]["status"], 404, "{output}");
        assert_eq!(
            output["error"]["instance"], "/do/0/tryGetPet/try/0/getPet",
            "{output}"
        );
    }
    let fault = caught("https://serverlessworkflow.io/spec/1.0.0/errors/timeout");
    assert_eq!(fault["instance"], "/do/0/tryGetPet/try/0/getPet");
}

#[test]
fn the_wall_switch_toggles_the_light_of_its_room() {
    let event = json!([{"type": "io.ioe.thing.event", "subject": "office/switch-1", "data": {"name": "pressed"}}]);
    let (outcome, _) = ran(
        include_str!("flows/1a-office-switch.yaml"),
        event.clone(),
        &World::default(),
    );
    let toggle = Act::Invoke {
        key: "things/office%2Flight-1".to_owned(),
        action: "toggle".to_owned(),
        input: Value::Null,
        expires: None,
    };
    let Outcome::Done { acts, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(acts, [toggle]);
    let world = World {
        forbidden: Some("things/office%2Flight-1".to_owned()),
        ..World::default()
    };
    let (outcome, trace) = ran(include_str!("flows/1a-office-switch.yaml"), event, &world);
    let Outcome::Failed(fault) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((fault.status, &*fault.instance), (403, "/do/0/toggle"));
    assert!(
        fault
            .detail
            .as_deref()
            .is_some_and(|why| why.contains("toggle of office/light-1"))
    );
    assert!(trace[0].gave.is_err());
}

#[test]
fn what_a_flow_reads_is_there_or_is_asked_for_first() {
    let tasks = format!(
        "{HEAD}do:\n- look: {{ call: read, with: {{ thing: office/room, properties: [temperature, set] }} }}\n- heat:\n    if: .temperature < .set\n    call: write\n    with: {{ thing: office/heater, property: level, value: '${{ .set - .temperature }}' }}\n"
    );
    let key = |name: &str| ("things/office%2Froom".to_owned(), name.to_owned());
    let mut world = World::default();
    world
        .properties
        .insert(key("temperature"), Looked::Is(json!(18)));
    world.properties.insert(key("set"), Looked::Elsewhere);
    let (outcome, _) = ran(&tasks, Value::Null, &world);
    assert_eq!(outcome, Outcome::Needs([key("set")].into()));
    world.properties.insert(key("set"), Looked::Is(json!(21)));
    let (outcome, _) = ran(&tasks, Value::Null, &world);
    let Outcome::Done { acts, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0].told(), "write level = 3 of office/heater");
}

#[test]
fn a_flow_may_count_what_is_wanted_as_what_is() {
    let tasks = format!(
        "{HEAD}do:\n- look: {{ call: read, with: {{ thing: lamp, property: on, desired: true }} }}\n"
    );
    let key = |name: &str| ("things/lamp".to_owned(), name.to_owned());
    let mut world = World::default();
    let outcome = |world: &World| ran(&tasks, Value::Null, world).0;
    let gives = |world: &World| match outcome(world) {
        Outcome::Done { output, .. } => output.as_ref().clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(gives(&world), Value::Null);
    world.properties.insert(key("on"), Looked::Is(json!(false)));
    assert_eq!(gives(&world), json!(false));
    for (status, counts) in [
        ("pending", true),
        ("confirmed", false),
        ("refused", false),
        ("expired", false),
    ] {
        let wish = json!({ "value": true, "status": status });
        world.properties.insert(key("on/desired"), Looked::Is(wish));
        assert_eq!(gives(&world), json!(counts), "{status}");
    }
    // Both are asked for at once.
    for name in ["on", "on/desired"] {
        world.properties.insert(key(name), Looked::Elsewhere);
    }
    let both = [key("on"), key("on/desired")];
    assert_eq!(outcome(&world), Outcome::Needs(both.into()));
    let wrong = tasks.replace("desired: true", "desired: on");
    let Outcome::Failed(fault) = ran(&wrong, Value::Null, &World::default()).0 else {
        panic!("it is no boolean");
    };
    let detail = fault.detail.unwrap_or_default();
    assert_eq!(detail, "`desired` is true or false; this is \"on\"");
}

#[test]
fn a_run_is_bounded() {
    let many = json!({"many": vec![1; 20_000]});
    let tasks = format!(
        "{HEAD}do:\n- each: {{ for: {{ in: .many }}, do: [ {{ a: {{ set: '${{ . }}' }} }} ] }}\n"
    );
    let (outcome, _) = ran(&tasks, many, &World::default());
    let Outcome::Failed(fault) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        fault
            .detail
            .as_deref()
            .is_some_and(|why| why.contains("2000000 steps that may be computed at once")),
        "{fault:?}"
    );
    // One bound for all that a run computes, whichever part of it asks.
    let each = "output: { as: '${ . as $x | .[0:2000] | map($x | length) | add }' }";
    let many = json!(vec![1; 20_000]);
    let steps = |count: usize| {
        let step = |at| {
            format!(
                "- s{at}: {{ set: '${{ $input }}', {each} }}\n- b{at}: {{ set: '${{ $workflow.input }}' }}\n"
            )
        };
        let steps: String = (0..count).map(step).collect();
        ran(
            &format!("{HEAD}do:\n{steps}"),
            many.clone(),
            &World::default(),
        )
        .0
    };
    assert!(matches!(steps(2), Outcome::Done { .. }), "{:?}", steps(2));
    assert!(matches!(steps(100), Outcome::Failed(_)), "{:?}", steps(100));
}

#[track_caller]
fn check_problem(text: &str, place: &str, part: &str) {
    let problems = match check::check(text, &Nothing) {
        Ok(checked) => checked.warnings,
        Err(problems) => problems,
    };
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let is_found = told
        .iter()
        .any(|told| told.starts_with(&format!("{place}:")) && told.contains(part));
    assert!(is_found, "{text}\n{}", told.join("\n"));
}

#[test]
fn who_says_what_starts_it_is_warned() {
    let flow = |on: &str, with: &str| {
        let tasks = format!("do:\n- say: {{ emit: {{ event: {{ with: {{ {with} }} }} }} }}\n");
        HEAD.replace("type: a.b", on) + &tasks
    };
    let is_warned = |on: &str, with: &str| {
        let checked = check::check(&flow(on, with), &Nothing);
        let warnings = checked.map(|checked| checked.warnings);
        let warnings = warnings.unwrap_or_else(|problems| panic!("{problems:#?}"));
        warnings
            .iter()
            .any(|one| one.what.contains("starts this flow again"))
    };
    for (on, with, expected) in [
        ("type: a.b", "type: a.b", true),
        ("type: a.c", "type: a.b", false),
        ("type: a.*", "type: a.b, topic: x", true),
        ("topic: x/+", "type: a.b, topic: x/y", true),
        ("topic: x/+", "type: a.b, topic: y/x", false),
        ("topic: x/+", "type: a.b", false),
        (
            "type: quartet.message, topic: x",
            "type: a.b, topic: x",
            true,
        ),
        (
            "type: quartet.message, subject: x",
            "type: a.b, topic: x",
            true,
        ),
        (
            "type: quartet.message, subject: x",
            "type: a.b, topic: y",
            false,
        ),
        ("type: a.b, topic: x", "type: a.b, topic: y", false),
    ] {
        assert_eq!(is_warned(on, with), expected, "{on} | {with}");
    }
}

#[test]
fn mistakes_are_pointed_at() {
    let with = |tasks: &str| format!("{HEAD}{tasks}");
    check_problem(
        &with("do:\n- a: { set: { x: 1 }, then: c }\n- b: { set: { x: 1 } }\n"),
        "4:29",
        "there is no task `c` here",
    );
    check_problem(
        &with("do:\n- a: { set: { x: 1 }, then: end }\n- b: { set: { x: 1 } }\n"),
        "5:3",
        "`b` is never taken",
    );
    check_problem(
        &with("do:\n- a: { swich: [] }\n"),
        "4:3",
        "did you mean `switch`?",
    );
    check_problem(
        &with("do:\n- a: { set: { x: '${ .a | lenght }' } }\n"),
        "4:27",
        "`length`",
    );
    check_problem(
        &with("do:\n- a: { call: rite, with: { thing: a, property: b, value: 1 } }\n"),
        "4:14",
        "did you mean `write`?",
    );
    check_problem(
        &with("do:\n- a: { call: write, with: { thing: a, propery: b, value: 1 } }\n"),
        "4:39",
        "did you mean `property`?",
    );
    check_problem(
        &with("do:\n- a: { wait: PT5S }\n"),
        "4:3",
        "`a` cannot run on the message path: it waits",
    );
    check_problem(
        &with("do:\n- a: { call: ask, with: { to: people/ana, title: x } }\n"),
        "4:3",
        "it calls `ask`",
    );
    check_problem(
        &with("do:\n- a: { set: { x: '${ [.[] | .b] }' } }\n"),
        "4:24",
        "known to end",
    );
    check_problem(
        &with("do:\n- a: { set: { x: 1 } }\n- b: { set: { x: 1 }, then: a }\n"),
        "5:29",
        "leads back",
    );
    check_problem(
        &with(
            "do:\n- a: { call: write, with: { thing: a, property: b, value: 1 } }\n- b: { set: { x: '${ .y }' } }\n",
        ),
        "4:3",
        "takes the place of the data",
    );
    check_problem(
        &with("do:\n- a: { call: notify, with: { to: nobody, text: x } }\n"),
        "4:30",
        "`nobody` is nobody",
    );
    check_problem(
        &with("do:\n- a: { emit: { event: { with: { type: a.b } } } }\n"),
        "4:3",
        "starts this flow again",
    );
    check_problem(
        "document: { dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: { run: fast, timezone: Europe/Brusels } }\ndo: [ { a: { set: { x: 1 } } } ]\n",
        "1:101",
        "`Europe/Brussels`",
    );
    check_problem(
        "document: { dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: { run: fast } }\nschedule: { cron: '0 25 * * *' }\ndo: [ { a: { set: { x: 1 } } } ]\n",
        "2:19",
        "no schedule",
    );
    check_problem(
        "document: { dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: { rum: fast } }\ndo: [ { a: { set: { x: 1 } } } ]\n",
        "1:80",
        "did you mean `run`?",
    );
    check_problem(
        "document: { dsl: 1.0, namespace: t, name: n, version: '1.0.0' }\ndo: [ { a: { set: { x: 1 } } } ]\n",
        "1:18",
        "put it in quotes",
    );
    check_problem(
        "document:\n  dsl: '1.0.3'\n   namespace: t\n",
        "3:4",
        "indent",
    );
}

#[test]
fn why_an_event_starts_nothing_is_told_with_the_values_that_it_had() {
    let flow = flow(include_str!("flows/1a-office-switch.yaml"));
    let id = EventId {
        at: Time::from_micros(1_000_000),
        serial: 7,
    };
    let shown = |event: Value| attempt(&flow, &event, id, id.at, &World::default());
    let pressed = json!({"type": "io.ioe.thing.event", "subject": "office/switch-1", "data": {"name": "pressed"}});
    assert!(matches!(
        shown(pressed),
        Attempt::Started(Outcome::Done { .. }, _)
    ));
    let missed = |event: Value| match shown(event) {
        Attempt::Missed(missed) => missed
            .iter()
            .flat_map(|miss| miss.told())
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let held = json!({"type": "io.ioe.thing.event", "subject": "office/switch-1", "data": {"name": "held"}});
    assert_eq!(
        missed(held),
        [
            "`data` is {\"name\":\"held\"}; wanted is .name == \"pressed\"",
            "  .name is \"held\"",
            "  .name == \"pressed\" is false"
        ]
    );
    let other = json!({"type": "io.ioe.thing.event", "subject": "office/lamp-1", "data": {}});
    assert_eq!(
        missed(other),
        ["`subject` is \"office/lamp-1\"; wanted is office/switch-.*"]
    );
}
