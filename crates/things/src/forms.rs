//! Forms: where and how each affordance of an element is reached on this hub, in every protocol.
//!
//! What makes the reference client work: the topic stands in the path of `href` as well as in
//! `mqv:topic` or `mqv:filter`; no wildcards; what can be read is retained; server-sent events have
//! no names; and what gives an output is not invoked over MQTT, where no form can say how it comes.

use std::iter;

use quartet_model::{Address, Aspect};
use serde_json::{Value, json};

use crate::{
    CONNECTIVITY, directory, places, presence,
    td::json::{self, Object},
    webthing::SUBPROTOCOL,
};

/// Where the hub is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bases {
    /// `http://host:port`, if there is such a listener.
    pub http: Option<String>,
    /// `mqtt://host:port`, if there is such a listener.
    pub mqtt: Option<String>,
    /// `coap://host:port`, if there is such a listener.
    pub coap: Option<String>,
}

const JSON: &str = "application/json";

/// A description with the hub's forms added to its own, and nothing of it lost. What a description
/// must have and this one has not is added, too. `None` if it is no description at all.
pub fn complete(description: &str, key: &str, bases: &Bases) -> Option<String> {
    let address = Address::read(key).ok()?;
    if !json::is_object(description) {
        return None;
    }
    let mut td = Object::of(description);
    if td.get("@context").is_none() {
        td.set("@context", json::encode(CONTEXT));
    }
    if td.get("security").is_none() {
        td.set("securityDefinitions", r#"{"nosec_sc":{"scheme":"nosec"}}"#);
        td.set("security", r#""nosec_sc""#);
    }
    if key == directory::KEY {
        // Its forms are the Recommendation's; relative to where the hub is.
        if let Some(base) = bases.http.as_ref().or(bases.coap.as_ref()) {
            td.set("base", json::encode(base));
        }
        return Some(td.print());
    }
    let presence = ("properties", CONNECTIVITY, presence::describe());
    for (kind, name, affordance) in iter::once(presence).chain(places::describe(description)) {
        let there = td.get(kind).unwrap_or("{}").to_owned();
        if json::member(&there, name).is_none() {
            let mut all = Object::of(&there);
            all.set(name, affordance.to_string());
            td.set(kind, all.print());
        }
    }
    let properties = td.get("properties").unwrap_or("{}").to_owned();
    let properties = each(&properties, |name, property| {
        let is = |flag: &str| property.get(flag) == Some("true");
        bases.of_property(address, name, !is("writeOnly"), !is("readOnly"))
    });
    td.set("properties", properties);
    if let Some(actions) = td.get("actions").map(str::to_owned) {
        let actions = each(&actions, |name, action| {
            bases.of_action(address, name, action.get("output").is_some())
        });
        td.set("actions", actions);
    }
    if let Some(events) = td.get("events").map(str::to_owned) {
        td.set(
            "events",
            each(&events, |name, _| bases.of_event(address, name)),
        );
    }
    let has_actions = td.get("actions").is_some_and(|actions| actions != "{}");
    let mut all = bases.of_all_properties(address);
    all.extend(has_actions.then(|| bases.of_all_actions(address)).flatten());
    all.extend(bases.socket(json!(OF_ALL)));
    add(&mut td, &all);
    Some(td.print())
}

/// What can be done with all of an element at once over a WebSocket.
const OF_ALL: [&str; 9] = [
    "readallproperties",
    "readmultipleproperties",
    "writeallproperties",
    "writemultipleproperties",
    "observeallproperties",
    "unobserveallproperties",
    "queryallactions",
    "subscribeallevents",
    "unsubscribeallevents",
];
const CONTEXT: &str = "https://www.w3.org/2022/wot/td/v1.1";

/// Adds forms to each affordance of an object of affordances.
fn each(affordances: &str, forms: impl Fn(&str, &Object<'_>) -> Vec<Value>) -> String {
    let mut all = Object::of(affordances);
    for (name, affordance) in json::members(affordances) {
        let Some(name) = json::decode(name).filter(|_| json::is_object(affordance)) else {
            continue;
        };
        let mut affordance = Object::of(affordance);
        let forms = forms(&name, &affordance);
        add(&mut affordance, &forms);
        all.set(&name, affordance.print());
    }
    all.print()
}

/// A description without what [`complete`] adds, so that one that was read here can be registered
/// again.
pub(crate) fn strip(description: &str) -> String {
    let mut td = Object::of(description);
    for kind in ["properties", "actions", "events"] {
        let Some(affordances) = td.get(kind).map(str::to_owned) else {
            continue;
        };
        let mut all = Object::of(&affordances);
        for (name, affordance) in json::members(&affordances) {
            let Some(name) = json::decode(name) else {
                continue;
            };
            if is_own(affordance) {
                all.remove(&name);
            } else if json::is_object(affordance) {
                let mut affordance = Object::of(affordance);
                strip_forms(&mut affordance);
                all.set(&name, affordance.print());
            }
        }
        let all = all.print();
        if all == "{}" && affordances != all {
            td.remove(kind);
        } else {
            td.set(kind, all);
        }
    }
    strip_forms(&mut td);
    if td.get("forms") == Some("[]") {
        td.remove("forms");
    }
    td.print()
}

/// Marks what the hub adds.
const OWN: &str = "quartet:by";

fn is_own(json: &str) -> bool {
    json::is_object(json) && json::member(json, OWN) == Some("\"hub\"")
}

fn strip_forms(of: &mut Object<'_>) {
    let Some(forms) = of.get("forms").filter(|forms| forms.contains(OWN)) else {
        return;
    };
    let own: Vec<&str> = json::elements(forms).filter(|form| !is_own(form)).collect();
    let own = format!("[{}]", own.join(","));
    of.set("forms", own);
}

/// Adds forms behind those that are there.
fn add(to: &mut Object<'_>, forms: &[Value]) {
    let there = to
        .get("forms")
        .map(|there| json::elements(there).map(str::to_owned));
    let all: Vec<String> = there
        .into_iter()
        .flatten()
        .chain(forms.iter().map(|form| {
            let mut form = form.clone();
            form[OWN] = "hub".into();
            form.to_string()
        }))
        .collect();
    to.set("forms", format!("[{}]", all.join(",")));
}

impl Bases {
    /// Where an address is, over HTTP.
    fn web(&self, address: Address<'_>) -> Option<String> {
        let base = self.http.as_ref()?;
        Some(format!("{base}/api/{}", path(&address.to_string())))
    }

    /// A form of the Web Thing Protocol: one place for all elements.
    fn socket(&self, op: Value) -> Option<Value> {
        let base = self.http.as_ref()?.strip_prefix("http")?;
        Some(json!({
            "href": format!("ws{base}/api/ws"), "contentType": JSON, "subprotocol": SUBPROTOCOL, "op": op,
        }))
    }

    fn of_property(
        &self,
        address: Address<'_>,
        name: &str,
        is_readable: bool,
        is_writable: bool,
    ) -> Vec<Value> {
        let here = address.with(Aspect::Property(name));
        let mut forms = Vec::new();
        if let Some(href) = self.web(here) {
            if is_readable {
                forms.push(json!({ "href": href, "contentType": JSON, "op": "readproperty" }));
                forms.push(json!({
                    "href": format!("{href}/observe"), "contentType": JSON, "subprotocol": "sse",
                    "op": ["observeproperty", "unobserveproperty"],
                }));
            }
            if is_writable {
                forms.push(json!({
                    "href": href, "contentType": JSON, "op": "writeproperty",
                    "htv:methodName": "PUT",
                }));
            }
        }
        if let Some(mqtt) = &self.mqtt {
            if is_readable {
                forms.push(json!({
                    "href": format!("{mqtt}/{}", path(&here.to_string())), "contentType": JSON,
                    "mqv:controlPacket": "subscribe", "mqv:filter": here.to_string(),
                    "mqv:retain": true,
                    "op": ["readproperty", "observeproperty", "unobserveproperty"],
                }));
            }
            if is_writable {
                let topic = address.with(Aspect::Write(name)).to_string();
                forms.push(json!({
                    "href": format!("{mqtt}/{}", path(&topic)), "contentType": JSON,
                    "mqv:controlPacket": "publish", "mqv:topic": topic, "mqv:qos": "1",
                    "op": "writeproperty",
                }));
            }
        }
        if is_readable {
            forms.extend(self.coap(here, "GET", json!("readproperty")));
            let op = json!(["observeproperty", "unobserveproperty"]);
            forms.extend(self.coap(here, "GET", op).map(observed));
        }
        if is_writable {
            forms.extend(self.coap(here, "PUT", json!("writeproperty")));
        }
        let read = ["readproperty", "observeproperty", "unobserveproperty"];
        let mut op = if is_readable {
            read.to_vec()
        } else {
            Vec::new()
        };
        op.extend(is_writable.then_some("writeproperty"));
        if !op.is_empty() {
            forms.extend(self.socket(json!(op)));
        }
        forms
    }

    fn of_action(&self, address: Address<'_>, name: &str, has_output: bool) -> Vec<Value> {
        let topic = address.with(Aspect::Action(name));
        let web = self.web(topic).map(|href| {
            json!({
                "href": href, "contentType": JSON, "op": "invokeaction",
                "htv:methodName": "POST",
            })
        });
        let mqtt = self.mqtt.as_ref().filter(|_| !has_output).map(|mqtt| {
            let topic = topic.to_string();
            json!({
                "href": format!("{mqtt}/{}", path(&topic)), "contentType": JSON,
                "mqv:controlPacket": "publish", "mqv:topic": topic, "mqv:qos": "1",
                "op": "invokeaction",
            })
        });
        let coap = self.coap(topic, "POST", json!("invokeaction"));
        let socket = self.socket(json!(["invokeaction", "queryaction", "cancelaction"]));
        [web, mqtt, coap, socket].into_iter().flatten().collect()
    }

    fn of_event(&self, address: Address<'_>, name: &str) -> Vec<Value> {
        let topic = address.with(Aspect::Event(name));
        let op = json!(["subscribeevent", "unsubscribeevent"]);
        let web = self.web(topic).map(
            |href| json!({ "href": href, "contentType": JSON, "subprotocol": "sse", "op": op }),
        );
        let mqtt = self.mqtt.as_ref().map(|mqtt| {
            let topic = topic.to_string();
            json!({
                "href": format!("{mqtt}/{}", path(&topic)), "contentType": JSON,
                "mqv:controlPacket": "subscribe", "mqv:filter": topic, "op": op,
            })
        });
        let coap = self.coap(topic, "GET", op.clone()).map(observed);
        let socket = self.socket(op);
        [web, mqtt, coap, socket].into_iter().flatten().collect()
    }

    /// A form of the CoAP binding (W3C WoT CoAP Binding, sections 4 and 5).
    fn coap(&self, address: Address<'_>, method: &str, op: Value) -> Option<Value> {
        let base = self.coap.as_ref()?;
        Some(json!({
            "href": format!("{base}/api/{}", path(&address.to_string())), "contentType": JSON,
            "cov:method": method, "cov:contentFormat": 50, "op": op,
        }))
    }

    fn of_all_properties(&self, address: Address<'_>) -> Vec<Value> {
        let Some(href) = self.web(address) else {
            return Vec::new();
        };
        let href = format!("{href}/properties");
        vec![
            json!({
                "href": href, "contentType": JSON,
                "op": ["readallproperties", "readmultipleproperties"], "htv:methodName": "GET",
            }),
            json!({
                "href": href, "contentType": JSON, "op": "writemultipleproperties",
                "htv:methodName": "PUT",
            }),
        ]
    }

    fn of_all_actions(&self, address: Address<'_>) -> Option<Value> {
        let href = format!("{}/actions", self.web(address)?);
        Some(json!({
            "href": href, "contentType": JSON, "op": "queryallactions", "htv:methodName": "GET",
        }))
    }
}

/// The same form for those who observe it.
fn observed(mut form: Value) -> Value {
    form["subprotocol"] = "cov:observe".into();
    form
}

/// A topic as the path of a URI.
pub(crate) fn path(topic: &str) -> String {
    let mut path = String::with_capacity(topic.len());
    for byte in topic.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'/'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'@' => {
                path.push(byte.into());
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::td::{Description, Interner};

    fn bases() -> Bases {
        Bases {
            http: Some("http://127.0.0.1:8080".to_owned()),
            mqtt: Some("mqtt://127.0.0.1:1883".to_owned()),
            coap: Some("coap://127.0.0.1:5683".to_owned()),
        }
    }

    #[test]
    fn what_the_hub_says_of_itself_is_a_valid_description() {
        for (key, description) in [
            crate::computer::describe("Reception"),
            crate::directory::describe("Reception"),
        ] {
            let complete = complete(&description.to_string(), key, &bases()).unwrap();
            let valid = Description::parse(complete, &mut Interner::default());
            assert!(valid.is_ok(), "{key}: {}", valid.unwrap_err());
        }
    }

    #[test]
    fn each_affordance_can_be_reached_and_keeps_its_own_forms() {
        let lamp = json!({
            "title": "Lamp",
            "properties": {
                "on": { "type": "boolean", "forms": [{ "href": "coap://lamp/on" }] },
                "level": { "type": "number", "readOnly": true },
            },
            "actions": { "fade": {} },
            "events": { "hot": {} },
        });
        let lamp = complete(&lamp.to_string(), "things/lamp", &bases()).unwrap();
        let valid = Description::parse(&lamp, &mut Interner::default());
        assert!(valid.is_ok(), "{}", valid.unwrap_err());
        let lamp: Value = serde_json::from_str(&lamp).unwrap();
        let hrefs = |place: &str| -> Vec<String> {
            let forms = lamp.pointer(place).unwrap().as_array().unwrap().iter();
            forms
                .map(|form| form["href"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            hrefs("/properties/on/forms"),
            [
                "coap://lamp/on",
                "http://127.0.0.1:8080/api/things/lamp/properties/on",
                "http://127.0.0.1:8080/api/things/lamp/properties/on/observe",
                "http://127.0.0.1:8080/api/things/lamp/properties/on",
                "mqtt://127.0.0.1:1883/things/lamp/properties/on",
                "mqtt://127.0.0.1:1883/things/lamp/properties/on/write",
                "coap://127.0.0.1:5683/api/things/lamp/properties/on",
                "coap://127.0.0.1:5683/api/things/lamp/properties/on",
                "coap://127.0.0.1:5683/api/things/lamp/properties/on",
                "ws://127.0.0.1:8080/api/ws",
            ]
        );
        assert_eq!(hrefs("/properties/level/forms").len(), 6);
        assert_eq!(hrefs("/actions/fade/forms").len(), 4);
        assert_eq!(hrefs("/events/hot/forms").len(), 4);
        assert_eq!(hrefs("/forms").len(), 4);
        let op = lamp.pointer("/properties/level/forms/5/op").unwrap();
        assert_eq!(
            *op,
            json!(["readproperty", "observeproperty", "unobserveproperty"])
        );
    }

    #[test]
    fn what_the_hub_adds_is_taken_off_again() {
        let lamp = r#"{"@context":"c","title":"Lamp","security":"n","properties":{"on":{"x:n":1.10,"forms":[{"href":"coap://a"}]}},"actions":{"go":{"forms":[{"href":"coap://b"}]}}}"#;
        let complete = complete(lamp, "things/lamp", &bases()).unwrap();
        assert_ne!(complete, lamp);
        assert_eq!(strip(&complete), lamp);
        assert_eq!(strip(lamp), lamp);
    }

    #[test]
    fn what_a_description_says_is_not_lost() {
        let lamp = r#"{"title":"Lamp","x:n":1.10,"properties":{"on":{"maximum":1e2,"forms":[]}},"x:z":12345678901234567890123}"#;
        let lamp = complete(lamp, "things/lamp", &bases()).unwrap();
        for kept in ["\"x:n\":1.10", "\"maximum\":1e2", "12345678901234567890123"] {
            assert!(lamp.contains(kept), "{lamp}");
        }
    }

    #[test]
    fn a_path_has_nothing_that_a_uri_has_not() {
        assert_eq!(
            path("things/urn:a%2Fb/properties/é ?"),
            "things/urn:a%252Fb/properties/%C3%A9%20%3F"
        );
    }
}
