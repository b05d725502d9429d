use std::net::TcpStream;

use serde_json::json;

use crate::support::{Events, Hub, Raw, http};

/// A hub with a fridge that has reported.
fn with_fridge() -> (Hub, Raw<TcpStream>) {
    let hub = Hub::start(&["http://127.0.0.1:0", "mqtt://127.0.0.1:0"]);
    let forms = json!([{ "href": "coap://fridge.example/" }]);
    let fridge = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "id": "urn:quartet:things:fridge",
        "title": "Fridge", "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
        "properties": {
            "temperature": { "type": "number", "unit": "°C", "forms": forms },
            "shelves": { "type": "array", "unit": "Cel", "forms": forms },
            "door": { "type": "string", "unit": "Cel", "forms": forms },
            "power": { "type": "number", "unit": "W", "forms": forms },
            "starts": { "type": "integer", "forms": forms },
        },
    });
    let kind = ("content-type", "application/td+json");
    let request = "PUT /things/urn:quartet:things:fridge";
    let answer = http(hub.at("http://"), request, &[kind], &fridge.to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut fridge = Raw::tcp(hub.at("mqtt://"), 5, "fridge");
    for (name, value) in [
        ("temperature", "5"),
        ("shelves", "[0,100]"),
        ("door", "\"open\""),
        ("power", "90"),
        ("starts", "7"),
    ] {
        fridge.publish(
            &format!("things/fridge/properties/{name}"),
            value.as_bytes(),
        );
    }
    fridge.ping();
    (hub, fridge)
}

#[test]
fn a_value_is_told_in_the_unit_that_is_asked_for() {
    let (hub, mut fridge) = with_fridge();
    let at = hub.at("http://");
    let read = |path: &str| http(at, &format!("GET /api/things/fridge/{path}"), &[], "");
    for (path, expected) in [
        ("properties/temperature", json!(5)),
        ("properties/temperature?unit=%5BdegF%5D", json!(41.0)),
        ("properties/temperature?unit=K", json!(278.15)),
        ("properties/shelves?unit=fahrenheit", json!([32.0, 212.0])),
    ] {
        assert_eq!(read(path).json(), expected, "{path}");
    }
    for (path, why) in [
        ("properties/temperature?unit=smoot", "`smoot` is no unit"),
        ("properties/temperature?unit=m", "cannot be told in `m`"),
        ("properties/starts?unit=K", "no unit that this hub knows"),
        (
            "properties/door?unit=K",
            "only numbers and lists of numbers",
        ),
        (
            "properties/temperature/observe?unit=m",
            "cannot be told in `m`",
        ),
        ("twin?unit=smoot", "`smoot` is no unit"),
        ("properties/temperature?units=K", "unknown field"),
    ] {
        let answer = read(path);
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert!(answer.body.contains(why), "{path}: {answer:?}");
    }
    let twin = read("twin?unit=K").json();
    assert_eq!(twin["temperature"]["reported"]["value"], 278.15);
    assert_eq!(twin["temperature"]["unit"], "K");
    assert_eq!(twin["power"]["reported"]["value"], 90);
    assert_eq!(twin["door"]["unit"], "Cel", "it is no number");
    let path = "/api/things/fridge/properties/temperature/observe?unit=%5BdegF%5D";
    let mut values = Events::open(at, path, &[]);
    assert_eq!(values.next().data, 41.0);
    fridge.publish("things/fridge/properties/temperature", b"6");
    fridge.ping();
    assert_eq!(values.next().data, 42.8);
    assert_eq!(
        read("properties/temperature").json(),
        json!(6),
        "what is kept stays"
    );
}
