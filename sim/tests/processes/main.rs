//! What follows from what: stories of a switch, a lamp and a plant.

mod circles; // flows that start each other, or too often
mod clock; // when the clock starts a flow
mod crashes; // the same when the hub dies
mod edges; // streams of readings made edges
mod permitted; // what a flow may
mod started; // what starts a flow, and what it does

use std::{collections::BTreeMap, time::Duration};

use quartet_fabric::mqtt::{Connect, Properties, Property, Publish};
use quartet_model::{Qos, Said};
use quartet_process::deployment::{self, Deployment};
use quartet_sim::{Client, Site, connect, on_every_site, publish, publish_at, subscribe};
use serde_json::{Value, json};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;

/// Somebody deploys a flow, for `owner` if there is one.
fn deploy_for(site: &Site, owner: Option<&str>, text: &str) {
    let checked = quartet_process::check::check(text, &quartet_process::check::Nothing);
    let checked = checked.unwrap_or_else(|problems| panic!("{problems:#?}"));
    let name = deployment::name(&checked);
    let owner = owner.map(str::to_owned);
    let deployed = Deployment::new(text.to_owned(), owner, "api".to_owned(), site.now());
    site.announce(Said::kept(deployment::topic_of(&name), deployed.to_text()));
}

fn deploy(site: &Site, text: &str) {
    deploy_for(site, None, text);
}

/// A fast flow `test.{name}`, with more metadata, what starts it, and what it does.
fn flow(name: &str, metadata: &str, on: &str, tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {{ run: fast{metadata} }} }}\n\
         schedule: {{ on: {on} }}\n\
         do:\n{tasks}"
    )
}

/// A flow that says `payload` at one topic when something is said at another.
fn passing_on(name: &str, metadata: &str, from: &str, to: &str) -> String {
    flow(
        name,
        metadata,
        &format!("{{ one: {{ with: {{ type: quartet.message, topic: {from} }} }} }}"),
        &format!(
            "  - say: {{ emit: {{ event: {{ with: {{ type: test.passed, topic: {to}, data: '${{ $workflow.input[0].data }}' }} }} }} }}\n"
        ),
    )
}

/// What each lane tells of a flow, taken together.
fn explained(site: &Site, name: &str) -> Value {
    let key = deployment::key_of(name);
    let mut all = site.look(|flow| flow.flows().explain(&key)).into_iter();
    let mut told = all.next().flatten().unwrap_or_default();
    for other in all.flatten() {
        for list in ["runs", "missed"] {
            let more = other[list].as_array().cloned().unwrap_or_default();
            if let Some(list) = told[list].as_array_mut() {
                list.extend(more);
            }
        }
        for count in ["runs", "failed", "missed"] {
            let sum = told["counts"][count].as_u64().unwrap_or_default()
                + other["counts"][count].as_u64().unwrap_or_default();
            told["counts"][count] = sum.into();
        }
    }
    told
}

/// Why an event did not start a flow, the last time.
fn why_not(site: &Site, name: &str) -> String {
    let told = explained(site, name);
    let why = told["missed"][0]["why"].as_str().map(str::to_owned);
    why.unwrap_or_else(|| panic!("nothing was missed: {told:#}"))
}

fn listener(site: &Site, filter: &str) -> Client {
    listener_as(site, "listener", filter)
}

fn listener_as(site: &Site, name: &str, filter: &str) -> Client {
    let client = site.connected(connect(name));
    client.send(subscribe(1, &[(filter, Q1)]));
    client.receive();
    client
}

fn lasting(client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        properties: Properties::none().with(Property::SessionExpiryInterval(86_400)),
        ..connect(client_id)
    }
}

fn text(message: &Publish) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

/// What somebody heard, as topic and payload.
fn heard(client: &Client) -> Vec<(String, String)> {
    let messages = client.messages();
    let pair = |message: &Publish| (message.topic.to_string(), text(message));
    messages.iter().map(pair).collect()
}

fn pair(topic: &str, payload: &str) -> (String, String) {
    (topic.to_owned(), payload.to_owned())
}

/// What is retained, by topic, for somebody who comes now.
fn found(site: &Site, filter: &str) -> BTreeMap<String, String> {
    let late = site.connected(connect("late"));
    late.send(subscribe(1, &[(filter, Q0)]));
    heard(&late).into_iter().collect()
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}
