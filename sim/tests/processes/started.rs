use super::*;

const LAMP: &str = "things/office%2Flight-1";

fn lamp() -> Value {
    let forms = json!([{ "href": "coap://lamp.example/" }]);
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "title": "Lamp",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": { "on": { "type": "boolean", "forms": forms } },
        "actions": { "toggle": { "forms": forms } },
    })
}

const SWITCH: &str = "\
document:
  dsl: '1.0.3'
  namespace: office
  name: wall-switch
  version: '1.0.0'
  metadata: { run: fast }
schedule:
  on:
    one:
      with:
        type: io.ioe.thing.event
        subject: office/switch-.*
        data: ${ .name == \"pressed\" }
do:
  - toggle:
      call: invoke
      with:
        thing: ${ $workflow.input[0].subject | sub(\"switch\"; \"light\") }
        action: toggle
";

#[test]
fn a_switch_toggles_the_lamp_of_its_room_and_no_other_event_does() {
    on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        installer.send(publish_at(Q1, 1, LAMP, &lamp().to_string()));
        installer.messages();
        deploy(site, SWITCH);
        let device = listener(site, &format!("{LAMP}/actions/+"));
        installer.send(publish(
            "things/office%2Fswitch-1/events/pressed",
            "\"short\"",
        ));
        let asked = heard(&device);
        assert_eq!(asked, [pair(&format!("{LAMP}/actions/toggle"), "null")]);
        installer.send(publish("things/office%2Fswitch-1/events/held", "1"));
        installer.send(publish("things/office%2Fdial-1/events/pressed", "1"));
        assert_eq!(heard(&device), []);
        let told = explained(site, "office.wall-switch");
        assert_eq!(told["counts"]["runs"], 1);
        assert_eq!(told["runs"][0]["did"][0], "invoke toggle of office/light-1");
        assert_eq!(told["counts"]["missed"], 1, "{told:#}");
        let missed = &told["missed"][0];
        assert_eq!(missed["values"][0], ".name is \"held\"");
        // It is known who asked.
        let statuses = site.look(|flow| flow.figures().published);
        assert!(0 < statuses.iter().sum::<u64>());
        site.assert_sound();
    });
}

#[test]
fn what_is_said_at_a_topic_leads_to_something_at_another() {
    on_every_site(|site| {
        deploy(
            site,
            &flow(
                "hot",
                "",
                "{ one: { with: { type: quartet.message, topic: plant/+/temp, data: '${ .value > 50 }' } } }",
                "  - alarm: { emit: { event: { with: { type: test.alarm, topic: '${ $workflow.input[0].topic | sub(\"temp\"; \"alarm\") }', data: '${ $workflow.input[0].data.value }' } } } }\n",
            ),
        );
        let watch = listener(site, "plant/+/alarm");
        let sensor = site.connected(connect("sensor"));
        for (qos, id) in [(Q0, 0), (Q1, 5)] {
            sensor.send(publish_at(qos, id, "plant/7/temp", r#"{"value": 61.5}"#));
            sensor.send(publish_at(qos, id + 1, "plant/7/temp", r#"{"value": 20}"#));
            sensor.send(publish_at(qos, id + 2, "plant/7/temp", "no JSON"));
            let messages = watch.messages();
            assert_eq!(messages.len(), 1, "{qos:?}");
            let [alarm] = &messages[..] else { panic!() };
            assert_eq!((&*alarm.topic, &*text(alarm)), ("plant/7/alarm", "61.5"));
            assert_eq!(alarm.qos, qos);
            let properties = Properties::of_wire(&alarm.properties);
            let says = |name: &str| {
                properties.find(|property| match property {
                    Property::UserProperty(said, value) if **said == *name => {
                        Some(value.to_string())
                    }
                    _ => None,
                })
            };
            assert_eq!(says("type").as_deref(), Some("test.alarm"));
            assert_eq!(says("source").as_deref(), Some("/processes/test.hot"));
            assert_eq!(says("via").as_deref(), Some("processes/test.hot"));
        }
        site.assert_sound();
    });
}

#[test]
fn what_a_flow_says_of_itself_starts_others() {
    on_every_site(|site| {
        deploy(
            site,
            &flow(
                "first",
                "",
                "{ one: { with: { topic: a } } }",
                "  - say: { emit: { event: { with: { type: test.happened, subject: pump-1, data: { n: '${ $workflow.input[0].data }' } } } } }\n",
            ),
        );
        deploy(
            site,
            &flow(
                "second",
                "",
                "{ one: { with: { type: test.happened, subject: pump-1 } } }",
                "  - say: { emit: { event: { with: { type: test.passed, topic: b, data: '${ $workflow.input[0].data.n }' } } } }\n",
            ),
        );
        let watch = listener(site, "#");
        site.connected(connect("ana"))
            .send(publish_at(Q1, 1, "a", "4"));
        let mut messages = heard(&watch);
        messages.sort();
        assert_eq!(
            messages,
            [
                pair("a", "4"),
                pair("b", "4"),
                pair("processes/test.first/events/test.happened", "{\"n\":4}"),
            ]
        );
        site.assert_sound();
    });
}

#[test]
fn a_flow_reads_what_things_are_wherever_they_live() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        for room in 0..8 {
            ana.send(publish_at(
                Q1,
                1 + room,
                &format!("places/room-{room}/properties/occupancy"),
                &room.to_string(),
            ));
        }
        ana.messages();
        deploy(
            site,
            &flow(
                "sum",
                "",
                "{ one: { with: { topic: ask } } }",
                "  - all: { call: read, with: { things: '${ [\"places/room-0\", \"places/room-1\", \"places/room-2\", \"places/room-3\", \"places/room-4\", \"places/room-5\", \"places/room-6\", \"places/room-7\", \"places/nowhere\"] }', property: occupancy } }\n\
                 \x20 - say: { emit: { event: { with: { type: test.sum, topic: sum, data: '${ . }' } } } }\n",
            ),
        );
        let watch = listener(site, "sum");
        for qos in [Q0, Q1] {
            ana.send(publish_at(qos, 20, "ask", ""));
            let heard = heard(&watch);
            assert_eq!(heard, [pair("sum", "[0,1,2,3,4,5,6,7,null]")], "{qos:?}");
        }
        site.assert_sound();
    });
}

#[test]
fn a_flow_that_fails_does_nothing_and_says_why() {
    on_every_site(|site| {
        deploy(
            site,
            &flow(
                "half",
                "",
                "{ one: { with: { topic: a } } }",
                "  - say: { emit: { event: { with: { type: test.first, topic: b, data: 1 } } } }\n\
                 \x20 - fail: { set: '${ { n: (1 / $workflow.input[0].data) } }' }\n",
            ),
        );
        let watch = listener(site, "b");
        let ana = site.connected(connect("ana"));
        ana.send(publish("a", "0"));
        assert_eq!(heard(&watch), []);
        let told = explained(site, "test.half");
        assert_eq!(told["counts"]["failed"], 1);
        let failed = &told["runs"][0]["failed"];
        assert_eq!(failed["instance"], "/do/1/fail", "{told:#}");
        ana.send(publish("a", "2"));
        assert_eq!(heard(&watch).len(), 1);
        site.assert_sound();
    });
}

#[test]
fn a_flow_that_is_replaced_or_taken_back_does_what_it_says_now() {
    on_every_site(|site| {
        let watch = listener(site, "+");
        let ana = site.connected(connect("ana"));
        let say = |expected: &[&str]| {
            ana.send(publish("a", "1"));
            let topics: Vec<String> = heard(&watch).into_iter().map(|(topic, _)| topic).collect();
            assert_eq!(topics, expected);
        };
        deploy(site, &passing_on("one", "", "a", "b"));
        say(&["a", "b"]);
        for _ in 0..200 {
            deploy(site, &passing_on("one", "", "a", "c"));
            deploy(site, &passing_on("one", "", "a", "d"));
        }
        deploy(site, &passing_on("other", "", "a", "e"));
        say(&["a", "d", "e"]);
        site.announce(Said::kept(deployment::topic_of("test.one"), ""));
        say(&["a", "e"]);
        site.crash(2);
        let watch = listener(site, "+");
        let ana = site.connected(connect("ana"));
        ana.send(publish("a", "1"));
        assert_eq!(heard(&watch), [pair("a", "1"), pair("e", "1")]);
        site.assert_sound();
    });
}

#[test]
fn who_speaks_at_an_element_speaks_of_that_element() {
    on_every_site(|site| {
        deploy(
            site,
            &flow(
                "flow",
                "",
                "{ one: { with: { type: ward.no-flow, subject: drip-1 } } }",
                "  - say: { emit: { event: { with: { type: test.x, topic: b, data: 1 } } } }\n",
            ),
        );
        let watch = listener(site, "b");
        let ana = site.connected(connect("ana"));
        let says = |topic: &str, subject: &str| {
            let mut properties = Vec::new();
            Property::UserProperty("type".into(), "ward.no-flow".into()).write(&mut properties);
            Property::UserProperty("subject".into(), subject.into()).write(&mut properties);
            Publish {
                properties: properties.into(),
                ..publish(topic, "1")
            }
        };
        ana.send(says("things/other/events/x", "drip-1"));
        assert_eq!(heard(&watch), []);
        ana.send(says("things/drip-1/events/x", "something"));
        assert_eq!(heard(&watch).len(), 1);
        ana.send(says("gateway/events", "drip-1"));
        assert_eq!(heard(&watch).len(), 1);
        site.assert_sound();
    });
}

/// Of several flows one is replaced in the course of the event that starts them all.
#[test]
fn deployments_that_change_while_an_event_is_shown_to_flows_are_told_apart() {
    let site = Site::new(1, 1);
    for n in 0..100 {
        // So many are gone that what finds them is made anew.
        deploy(
            &site,
            &passing_on("gone", &format!(", key: '${{ \"{n}\" }}'"), "x", "y"),
        );
    }
    let storm = ", storm: { limit: 1, per: PT1H, then: suspend }";
    for name in ["a1", "a2", "a3"] {
        deploy(&site, &passing_on(name, storm, "a", &format!("b/{name}")));
    }
    let watch = listener(&site, "b/+");
    let ana = site.connected(connect("ana"));
    ana.send(publish("a", "1"));
    assert_eq!(heard(&watch).len(), 3);
    ana.send(publish("a", "2"));
    assert_eq!(heard(&watch), []);
    for name in ["test.a1", "test.a2", "test.a3"] {
        let told = explained(&site, name);
        assert_eq!(
            (&told["state"], &told["counts"]["runs"]),
            (&json!("suspended"), &json!(1))
        );
    }
    site.assert_sound();
}

#[test]
fn what_a_run_does_is_bounded_so_that_it_is_kept_together() {
    on_every_site(|site| {
        deploy(
            site,
            &flow(
                "much",
                "",
                "{ one: { with: { topic: a } } }",
                "  - each:\n      for: { each: n, in: '${ $workflow.input[0].data.n }' }\n      do:\n        - say: { emit: { event: { with: { type: test.x, topic: b, data: '${ [$n, $workflow.input[0].data.text] }' } } } }\n",
            ),
        );
        let watch = listener(site, "b");
        let ana = site.connected(connect("ana"));
        let says = |n: usize, text: usize| {
            let data = json!({ "n": vec![1; n], "text": "x".repeat(text) });
            ana.send(publish_at(Q1, 1, "a", &data.to_string()));
            ana.messages();
            let failed = explained(site, "test.much")["runs"][0]["failed"].to_string();
            (heard(&watch).len(), failed)
        };
        assert_eq!(says(400, 0).0, 400);
        let (count, failed) = says(401, 0);
        assert!(count == 0 && failed.contains("400 things"), "{failed}");
        let (count, _) = says(1, 900_000);
        assert_eq!(count, 1);
        let (count, failed) = says(6, 300_000);
        assert!(count == 0 && failed.contains("bytes"), "{failed}");
        site.assert_sound();
    });
}

#[test]
fn a_run_that_is_to_be_alone_is_not_begun_while_another_reads() {
    let site = Site::new(3, 1);
    let count = 9;
    for n in 0..count {
        // One of these rooms lives on another lane than the message that starts its flow.
        let tasks = format!(
            "  - look: {{ call: read, with: {{ thing: room-{n}, property: temperature }} }}\n  - say: {{ emit: {{ event: {{ with: {{ type: test.read, topic: read/{n}, data: '${{ . }}' }} }} }} }}\n"
        );
        let on = format!("{{ one: {{ with: {{ type: quartet.message, topic: look/{n} }} }} }}");
        deploy(
            &site,
            &flow(&format!("look-{n}"), ", mode: single", &on, &tasks),
        );
    }
    let sensor = site.connected(connect("sensor"));
    for n in 0..count {
        sensor.send(publish(
            &format!("things/room-{n}/properties/temperature"),
            "21",
        ));
    }
    site.settle();
    let listener = listener(&site, "read/+");
    for n in (0..count).flat_map(|n| [n, n]) {
        sensor.send(publish(&format!("look/{n}"), "1"));
    }
    let read = heard(&listener).len() as u64;
    let mut blocked = 0;
    for n in 0..count {
        let told = explained(&site, &format!("test.look-{n}"));
        let (runs, missed) = (&told["counts"]["runs"], &told["counts"]["missed"]);
        let (runs, missed) = (runs.as_u64(), missed.as_u64());
        assert_eq!(
            runs.zip(missed).map(|(runs, missed)| runs + missed),
            Some(2),
            "{told:#}"
        );
        if missed == Some(1) {
            blocked += 1;
            let why = told["missed"][0]["why"].as_str().unwrap_or_default();
            assert!(why.contains("its `mode` is single"), "{why}");
        }
    }
    assert!(0 < blocked && blocked < count, "{blocked} of {count}");
    assert_eq!(read + blocked, 2 * count);
    // Once the other is over it begins.
    for n in 0..count {
        sensor.send(publish(&format!("look/{n}"), "1"));
        assert_eq!(heard(&listener).len(), 1, "look-{n}");
    }
    site.assert_sound();
}
