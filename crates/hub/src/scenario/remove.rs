//! What a scenario made, taken back: nothing of it stays, but what the history and the audit tell.

use std::{collections::BTreeSet, time::Duration};

use anyhow::bail;
use quartet_model::Time;
use quartet_scenario::Package;

use super::{Made, below, made::there, put::uninvite, thing};
use crate::client::{Asker, clock};

/// How often is looked whether somebody who was lost has said a last word.
const LOOKS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long after they were lost somebody may say a last word, in seconds.
const LAST_WORDS_S: f64 = 0.2;

/// Takes back all that a scenario made. Says what that was; nothing if it is not there.
pub(crate) fn remove(hub: &Asker, name: &str) -> anyhow::Result<Option<Made>> {
    let Some(made) = there(hub, name)? else {
        return Ok(None);
    };
    take(hub, &made)?;
    // The last: until then, what is left can be taken back again.
    let own = Package::key(name);
    hub.remove(&thing(&own))?;
    forget(hub, &own)?;
    Ok(Some(made))
}

/// Takes back what is listed, but for the scenario's own element.
pub(super) fn take(hub: &Asker, made: &Made) -> anyhow::Result<()> {
    for name in &made.flows {
        hub.remove(&format!("/api/flows/{name}"))?;
    }
    for name in &made.signals {
        hub.remove(&format!("/api/signals/{name}"))?;
    }
    // Whoever simulates has to go before what it says is taken back.
    for key in &made.clients {
        hub.ask("DELETE", &below(key, "credentials"), None)?;
    }
    for key in &made.announced {
        hub.remove(&thing(key))?;
        forget(hub, key)?;
    }
    clear(hub, made)?;
    let mut own = made.elements.clone();
    own.remove(&Package::key(&made.name));
    uninvite(hub, &own)?;
    for key in own.iter().rev() {
        hub.remove(&thing(key))?;
        forget(hub, key)?;
    }
    for name in &made.roles {
        hub.remove(&format!("/api/roles/{name}"))?;
    }
    Ok(())
}

/// Relations and credentials of an element that is described no more, or never was.
fn forget(hub: &Asker, key: &str) -> anyhow::Result<()> {
    let path = below(key, "relations");
    let all = hub.ask("GET", &path, None)?.body;
    for one in all["relations"].as_array().into_iter().flatten() {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(["relation", "to"].map(|it| (it, one[it].as_str().unwrap_or_default())))
            .finish();
        hub.remove(&format!("{path}?{query}"))?;
    }
    let path = below(key, "credentials");
    let known = hub.ask("GET", &path, None)?.body;
    let has = |member: &str| known[member].as_array().is_some_and(|all| !all.is_empty());
    if has("topics") {
        hub.ask("PATCH", &path, Some(r#"{"topics":[]}"#.to_owned()))?;
    }
    if has("credentials") {
        hub.ask("DELETE", &path, None)?;
    }
    Ok(())
}

/// What was retained is taken back, until nothing comes any more: who was lost has a last word.
fn clear(hub: &Asker, made: &Made) -> anyhow::Result<()> {
    if made.retained.is_empty() && made.topics.is_empty() {
        return Ok(());
    }
    let mut left: Vec<String> = made.retained.iter().cloned().collect();
    let mut settled = None;
    for _ in 0..LOOKS {
        for topic in &left {
            let path = format!("/api/publish/{}?retain=true&qos=1", encoded(topic));
            hub.ask("POST", &path, Some(String::new()))?;
        }
        let (as_of, now, found) = retained(hub, &made.retained)?;
        let settled = *settled.get_or_insert(now + LAST_WORDS_S);
        left = found;
        if left.is_empty() && settled <= as_of {
            return forget_seen(hub, made);
        }
        clock::pause(LOOK_AGAIN);
    }
    bail!(
        "somebody says again what was taken back, at {}; is a simulation of it running elsewhere?",
        left.join(", ")
    );
}

/// At which of these topics something is retained; of which time that is, and what time it is, in
/// seconds.
fn retained(hub: &Asker, topics: &BTreeSet<String>) -> anyhow::Result<(f64, f64, Vec<String>)> {
    let mut left = Vec::new();
    let mut after = String::new();
    loop {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("limit", "1000"), ("after", &*after)])
            .finish();
        let page = hub.ask("GET", &format!("/api/retained?{query}"), None)?;
        let all = page.body["retained"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let here = all.iter().filter_map(|one| one["topic"].as_str());
        left.extend(here.filter(|it| topics.contains(*it)).map(str::to_owned));
        let Some(next) = page.body["next"].as_str() else {
            let as_of = &page.body["as_of"];
            let at = as_of["at"].as_str().and_then(Time::of_rfc3339);
            let at = at.unwrap_or_default().as_micros() as f64 / 1e6;
            let behind = as_of["behind_s"].as_f64().unwrap_or_default();
            return Ok((at, at + behind, left));
        };
        next.clone_into(&mut after);
    }
}

/// What was seen of the simulation while nobody had described its things yet.
fn forget_seen(hub: &Asker, made: &Made) -> anyhow::Result<()> {
    let filters = made.topics.iter().map(|filter| ("filter", filter));
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(filters)
        .finish();
    if !query.is_empty() {
        hub.ask("DELETE", &format!("/api/unmapped?{query}"), None)?;
    }
    Ok(())
}

/// A topic in a path.
fn encoded(topic: &str) -> String {
    let mut path = String::new();
    for byte in topic.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' => {
                path.push(byte as char);
            }
            other => path += &format!("%{other:02X}"),
        }
    }
    path
}
