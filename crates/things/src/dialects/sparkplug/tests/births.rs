use serde_json::{Value, json};

use super::{super::*, named, payload, recorded};
use crate::dialects::{Announcement, parts::tests::assert_valid, sparkplug::wire::Scalar};
use quartet_model::Time;

fn announced(says: Vec<Say>) -> Vec<Announcement> {
    let announced = says.into_iter().filter_map(|say| match say {
        Say::Announce(announced) => Some(announced),
        _ => None,
    });
    announced.collect()
}

/// What the birth of the recorded node or device announces.
fn born(topic: &str) -> Announcement {
    let (_, bytes) = recorded().into_iter().find(|(at, _)| at == topic).unwrap();
    let mut all = announced(Host::default().hear(topic, &bytes, Time::ZERO));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn what_was_born_is_described() {
    let node = born("spBv1.0/plant/NBIRTH/press");
    assert_eq!(
        (&*node.key, &*node.part),
        ("things/plant_press", "sparkplug")
    );
    let td = node.description.unwrap();
    assert_valid(&td);
    assert_eq!(td["title"], "press");
    let temperature = &td["properties"]["Temperature"];
    assert_eq!(
        (&temperature["type"], &temperature["unit"]),
        (&json!("number"), &json!("Cel"))
    );
    let hardware = &td["properties"]["Properties_Hardware"];
    assert_eq!(
        (&hardware["title"], &hardware["readOnly"]),
        (&json!("Properties/Hardware"), &json!(true))
    );
    assert_eq!(td["properties"]["bdSeq"], Value::Null);
    assert_eq!(
        td["actions"]["Rebirth"]["forms"],
        json!([{
            "href": "mqtt:///spBv1.0/plant/NCMD/press", "op": "invokeaction", "mqv:topic": "spBv1.0/plant/NCMD/press",
            "contentType": CONTENT_TYPE, "quartet:metric": "Node Control/Rebirth", "quartet:dataType": "Boolean",
        }])
    );
}

#[test]
fn a_device_is_reached_through_its_node() {
    let device = born("spBv1.0/plant/DBIRTH/press/pump");
    assert_eq!(device.key, "things/plant_press_pump");
    let td = device.description.unwrap();
    assert_valid(&td);
    assert_eq!(
        td["links"],
        json!([{ "rel": "controlledBy", "href": "urn:quartet:things:plant_press" }])
    );
    assert_eq!(
        td["properties"]["Rate"],
        json!({
            "title": "Rate", "type": "number", "minimum": 0.0, "maximum": 100.0, "unit": "L/min", "observable": true,
            "forms": [
                {
                    "href": "mqtt:///spBv1.0/plant/DDATA/press/pump", "op": ["readproperty", "observeproperty"],
                    "mqv:filter": "spBv1.0/plant/DDATA/press/pump", "contentType": CONTENT_TYPE,
                    "quartet:metric": "Rate", "quartet:alias": 1, "quartet:dataType": "Double", "quartet:by": "host",
                },
                {
                    "href": "mqtt:///spBv1.0/plant/DCMD/press/pump", "op": "writeproperty",
                    "mqv:topic": "spBv1.0/plant/DCMD/press/pump", "contentType": CONTENT_TYPE,
                    "quartet:metric": "Rate", "quartet:alias": 1, "quartet:dataType": "Double",
                },
            ],
        })
    );
    let property = |name: &str| &td["properties"][name];
    assert_eq!(
        (
            &property("Offset")["minimum"],
            &property("Offset")["maximum"]
        ),
        (&json!(-128), &json!(127))
    );
    assert_eq!(property("Total")["maximum"], json!(u64::MAX));
    assert_eq!(property("Since")["format"], "date-time");
    assert_eq!(property("Samples")["readOnly"], true);
    assert_eq!(property("Setpoint")["readOnly"], Value::Null);
}

#[test]
fn names_that_look_alike_stay_apart() {
    let metrics = [
        named("Motor/Speed", 10, Scalar::Double(1.0)),
        named("Motor Speed", 10, Scalar::Double(2.0)),
        named("connectivity", 12, Scalar::Text("good".into())),
    ];
    let born = payload(Some(0), &metrics);
    let all = announced(Host::default().hear("spBv1.0/g/NBIRTH/n", &born, Time::ZERO));
    let td = all[0].description.clone().unwrap();
    assert_valid(&td);
    let properties = td["properties"].as_object().unwrap();
    assert_eq!(properties.len(), 3, "{td:#}");
    assert!(properties.contains_key("connectivity_reported"));
    let key = |topic: &str| Topic::read(topic).unwrap().key();
    assert_ne!(key("spBv1.0/a_b/NBIRTH/c"), key("spBv1.0/a/NBIRTH/b_c"));
    assert_ne!(key("spBv1.0/a/DBIRTH/b/c"), key("spBv1.0/a/NBIRTH/b_c"));
}

#[test]
fn topics_are_those_of_the_specification_alone() {
    for topic in [
        "spBv1.0/g/NBIRTH",
        "spBv1.0/g/NBIRTH/n/d",
        "spBv1.0/g/DBIRTH/n",
        "spBv1.0/g/DBIRTH/n/d/e",
        "spBv1.0/g/XBIRTH/n",
        "spBv1.0/g/NHELLO/n",
        "spBv1.0//NBIRTH/n",
        "spBv1.0/STATE/quartet",
        "spAv1.0/g/NBIRTH/n",
        "spBv1.0/g/ö/n",
        "",
    ] {
        assert_eq!(Topic::read(topic), None, "{topic}");
    }
    let topic = Topic::read("spBv1.0/g/DDATA/n/d").unwrap();
    assert_eq!(topic.with(Verb::Command), "spBv1.0/g/DCMD/n/d");
    assert_eq!(topic.of_node().with(Verb::Command), "spBv1.0/g/NCMD/n");
}
