use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Events, Everywhere, Hub, Raw, http, over, tls, wait_for};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

#[test]
fn a_hub_that_is_well_says_so_also_over_tls() {
    let everywhere = Everywhere::start();
    let hub = &everywhere.hub;
    let plain = http(hub.at("http://"), "GET /healthz", &[], "");
    let at = hub.at("https://");
    let wire = TcpStream::connect(at).unwrap();
    let wire = tls(wire, everywhere.authority.trusted_by(None));
    let encrypted = over(wire, at, "GET /healthz", &[], "");
    for answer in [plain, encrypted] {
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"status": "ok"}))
        );
    }
}

#[test]
fn the_document_of_the_api_lists_every_route() {
    let hub = Hub::start(&LISTENERS);
    let document = http(hub.at("http://"), "GET /openapi.json", &[], "").json();
    let paths = document["paths"].as_object().unwrap();
    let mut listed: Vec<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    listed.sort();
    let expected = [
        "delete /api/account/passkeys/{passkey}",
        "delete /api/account/sessions",
        "delete /api/account/sessions/{session}",
        "delete /api/account/tokens/{token}",
        "delete /api/account/totp",
        "delete /api/flows/{name}",
        "delete /api/invitations/{invitation}",
        "delete /api/roles/{name}",
        "delete /api/rules/{name}",
        "delete /api/scenarios/{name}",
        "delete /api/session",
        "delete /api/signals/{name}",
        "delete /api/unmapped",
        "delete /api/{kind}/{id}/actions/{name}/{invocation}",
        "delete /api/{kind}/{id}/credentials",
        "delete /api/{kind}/{id}/credentials/{credential}",
        "delete /api/{kind}/{id}/plan",
        "delete /api/{kind}/{id}/relations",
        "delete /things/{id}",
        "get /.well-known/core",
        "get /.well-known/wot",
        "get /api/account",
        "get /api/audit",
        "get /api/audit/export",
        "get /api/elements",
        "get /api/elements/export",
        "get /api/flows",
        "get /api/flows/{name}",
        "get /api/flows/{name}/explain",
        "get /api/invitations",
        "get /api/journeys",
        "get /api/journeys/{event}",
        "get /api/may",
        "get /api/refused",
        "get /api/retained",
        "get /api/roles",
        "get /api/roles/{name}",
        "get /api/rules",
        "get /api/rules/{name}",
        "get /api/scenarios",
        "get /api/session",
        "get /api/session/providers",
        "get /api/sessions",
        "get /api/sessions/{client}",
        "get /api/signals",
        "get /api/signals/{name}",
        "get /api/subscribe",
        "get /api/trust",
        "get /api/unmapped",
        "get /api/ws",
        "get /api/{kind}/{id}",
        "get /api/{kind}/{id}/access",
        "get /api/{kind}/{id}/actions",
        "get /api/{kind}/{id}/actions/{name}/{invocation}",
        "get /api/{kind}/{id}/credentials",
        "get /api/{kind}/{id}/events/{name}",
        "get /api/{kind}/{id}/history",
        "get /api/{kind}/{id}/plan",
        "get /api/{kind}/{id}/properties",
        "get /api/{kind}/{id}/properties/{name}",
        "get /api/{kind}/{id}/properties/{name}/observe",
        "get /api/{kind}/{id}/properties/{name}/values",
        "get /api/{kind}/{id}/reach",
        "get /api/{kind}/{id}/relations",
        "get /api/{kind}/{id}/signals",
        "get /api/{kind}/{id}/twin",
        "get /ca.crt",
        "get /events",
        "get /events/{type}",
        "get /healthz",
        "get /metrics",
        "get /search/jsonpath",
        "get /sign-in/oidc/{provider}",
        "get /sign-in/oidc/{provider}/callback",
        "get /things",
        "get /things/{id}",
        "patch /api/{kind}/{id}/credentials",
        "patch /things/{id}",
        "post /api/account/claim",
        "post /api/account/claim/look",
        "post /api/account/claim/passkey",
        "post /api/account/passkeys",
        "post /api/account/passkeys/begin",
        "post /api/account/recovery",
        "post /api/account/tokens",
        "post /api/account/totp",
        "post /api/drafts/check",
        "post /api/drafts/try",
        "post /api/elements/import",
        "post /api/expressions",
        "post /api/flows",
        "post /api/invitations",
        "post /api/publish/{topic}",
        "post /api/relations",
        "post /api/rules/preview",
        "post /api/scenarios/{name}",
        "post /api/session",
        "post /api/session/passkey",
        "post /api/session/passkey/begin",
        "post /api/signals",
        "post /api/{kind}/{id}/actions/{name}",
        "post /api/{kind}/{id}/credentials",
        "post /api/{kind}/{id}/glass",
        "post /claim",
        "post /things",
        "put /api/account/password",
        "put /api/account/totp",
        "put /api/flows/{name}",
        "put /api/flows/{name}/state",
        "put /api/roles/{name}",
        "put /api/rules/{name}",
        "put /api/{kind}/{id}/plan",
        "put /api/{kind}/{id}/properties",
        "put /api/{kind}/{id}/properties/{name}",
        "put /api/{kind}/{id}/relations",
        "put /things/{id}",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn what_is_published_by_http_arrives_by_mqtt_and_as_events() {
    let hub = Hub::start(&LISTENERS);
    let at = hub.at("http://");
    let publish = |what: &str, body: &str| {
        let kind = [("content-type", "application/json")];
        let answer = http(at, &format!("POST /api/publish/{what}"), &kind, body);
        (answer.status, answer.json())
    };
    let (status, _) = publish("http/kept?retain=true&qos=1", "21.5");
    assert_eq!(status, 202);
    let mut events = Events::open(at, "/api/subscribe?filter=http/%23&filter=other", &[]);
    let kept = events.next().data;
    assert_eq!(
        (&kept["subject"], &kept["data"]),
        (&json!("http/kept"), &json!(21.5))
    );
    assert_eq!(kept["specversion"], "1.0");

    let mut client = Raw::tcp(hub.at("mqtt://"), 4, "client");
    client.subscribe("http/live/+", 0);
    let (status, answer) = publish("http/live/a", "[1, 2]");
    assert_eq!((status, answer), (202, json!({"receivers": true})));
    assert_eq!(client.payload(), b"[1, 2]");
    let live = events.next().data;
    assert_eq!(
        (&live["subject"], &live["data"]),
        (&json!("http/live/a"), &json!([1, 2]))
    );

    client.publish("other", b"by mqtt");
    assert_eq!(events.next().data["data"], "by mqtt");
}

#[test]
fn what_cannot_be_published_is_refused_with_a_reason() {
    let hub = Hub::start(&LISTENERS);
    for (request, status) in [
        ("POST /api/publish/a/%23", 400),
        ("POST /api/publish/a?qos=3", 400),
        ("POST /api/publish/%24SYS/broker/uptime", 403),
        (
            "POST /api/publish/things/this-computer/properties/memory",
            403,
        ),
        ("GET /api/subscribe", 400),
        ("GET /api/subscribe?filter=a/%23/b", 400),
        ("GET /api/nothing", 404),
        ("GET /api/things/nobody", 404),
    ] {
        let answer = http(hub.at("http://"), request, &[], "x");
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        let detail = answer.json()["detail"].as_str().map(str::len);
        assert!(10 < detail.unwrap(), "{request}: {answer:?}");
    }
}

#[test]
fn this_computer_is_a_thing_and_each_of_its_properties_is_reported() {
    let hub = Hub::start(&LISTENERS);
    let get = |path: &str| http(hub.at("http://"), &format!("GET {path}"), &[], "");
    let things = get("/things").json();
    let thing = get("/api/things/this-computer");
    assert_eq!(thing.headers["content-type"], "application/td+json");
    let is_it = |listed: &Value| listed["id"] == thing.json()["id"];
    assert!(things.as_array().unwrap().iter().any(is_it));
    let described = thing.json()["properties"].as_object().unwrap().clone();
    assert!(!described.is_empty());
    for name in described.keys() {
        let path = format!("/api/things/this-computer/properties/{name}");
        let property = wait_for("the first report", || {
            Some(get(&path)).filter(|answer| answer.status == 200)
        });
        assert!(!property.json().is_null(), "{name}: {property:?}");
        assert!(property.headers["last-reported"].ends_with('Z'));
        let mut client = Raw::tcp(hub.at("mqtt://"), 4, "reader");
        client.subscribe(&path["/api/".len()..], 0);
        serde_json::from_slice::<Value>(&client.payload()).unwrap();
    }
    let all = get("/api/things/this-computer/properties").json();
    assert_eq!(
        all.as_object().unwrap().keys().collect::<Vec<_>>(),
        described.keys().collect::<Vec<_>>()
    );
}

#[test]
fn pages_of_other_sites_and_other_names_of_this_machine_are_refused() {
    let hub = Hub::start(&LISTENERS);
    let at = hub.at("http://");
    let here = at.to_string();
    let same = format!("http://{here}");
    let localhost = format!("localhost:{}", at.port());
    let bent = format!("evil.example:{}", at.port());
    let bent_origin = format!("http://{bent}");
    for (status, host, origin) in [
        (202, &*here, None),
        (202, &*localhost, None),
        (202, &*here, Some(&*same)),
        (403, &*here, Some("http://evil.example")),
        (403, &*here, Some("null")),
        (403, &*bent, None),
        (403, &*bent, Some(&*bent_origin)),
        (403, "", None),
    ] {
        let mut headers = vec![("host", host)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let answer = http(at, "POST /api/publish/a", &headers, "x");
        assert_eq!(answer.status, status, "{host} {origin:?}");
    }
}
