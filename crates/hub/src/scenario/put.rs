//! A package, put into a hub: once or again, with the same in the end.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, bail};
use quartet_scenario::{Element, Package};
use serde_json::{Map, Value, json};

use super::{
    Made, TD, below,
    made::{MEMBER, there},
    remove::take,
    simulate::Login,
    thing,
};
use crate::client::{Asker, clock};

/// How long an invitation is good.
const INVITED_S: u64 = 3600;
/// How long is waited until what announces itself is known.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A package on its way into a hub.
pub(crate) struct Put<'p> {
    hub: &'p Asker,
    package: &'p Package,
}

/// A person who may come in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Invited {
    /// What it is called.
    pub(crate) title: String,
    /// What it is there for.
    pub(crate) description: String,
    /// Where it opens its account.
    pub(crate) link: String,
}

impl<'p> Put<'p> {
    /// Writes down what will be made, and makes what needs no simulation. Gives by what each client of the simulation comes
    /// in.
    pub(crate) fn begin(
        hub: &'p Asker,
        package: &'p Package,
    ) -> anyhow::Result<(Self, Vec<Login>)> {
        let put = Self { hub, package };
        let made = Made::of(package);
        let before = there(hub, &package.name)?.unwrap_or_default();
        put.must_be_free(&made, &before)?;
        put.write_down(made.clone().and(&before))?;
        // What an earlier version made, and this one does not.
        take(hub, &before.without(&made))?;
        for (name, role) in &package.roles {
            let path = format!("/api/roles/{name}");
            put.ask("PUT", &path, None, role.to_string())
                .with_context(|| format!("the role {name} was not made"))?;
        }
        let own = Package::key(&package.name);
        for element in &package.elements {
            if !element.announced && element.key != own {
                put.describe(&element.key, &element.td)?;
            }
            put.relate(element)?;
        }
        let logins = put.let_in()?;
        put.write_down(made)?;
        Ok((put, logins))
    }

    /// Makes the rest, once what announces itself is there. `meanwhile` lets what is simulated go on, and says why it is no use to wait.
    pub(crate) fn finish(
        &self,
        meanwhile: &mut dyn FnMut() -> Option<String>,
    ) -> anyhow::Result<()> {
        let begun = clock::now();
        for element in &self.package.elements {
            if !element.announced {
                continue;
            }
            loop {
                if self.add_to(element)? {
                    break;
                }
                if let Some(why) = meanwhile() {
                    bail!("{why}");
                }
                if PATIENCE < clock::now() - begun {
                    bail!(
                        "nobody announced `{}`: nothing in the simulation does, or the hub refused it (see /api/refused)",
                        element.key
                    );
                }
                clock::pause(LOOK_AGAIN);
            }
        }
        if let Some((text, _)) = &self.package.signals {
            self.ask("POST", "/api/signals", None, text.clone())
                .context("the signals were not made")?;
        }
        for flow in &self.package.flows {
            let path = format!("/api/flows/{}", flow.name);
            self.ask("PUT", &path, None, flow.text.clone())
                .with_context(|| format!("the flow {} was not deployed", flow.name))?;
        }
        Ok(())
    }

    /// Invites the people of the scenario who have no account yet.
    pub(crate) fn invite(&self) -> anyhow::Result<Vec<Invited>> {
        let mut invited = Vec::new();
        uninvite(self.hub, &self.elements())?;
        for element in self.package.elements.iter().filter(|one| one.invited) {
            let wanted = json!({
                "element": element.key,
                "name": format!("scenario {}", self.package.name),
                "expiry_s": INVITED_S,
            });
            let answer = self.ask("POST", "/api/invitations", None, wanted.to_string())?;
            let code = answer["code"].as_str().unwrap_or_default();
            let link = self.hub.url().join(&format!("/start#{code}"))?.to_string();
            let text = |member: &str| {
                let text = element.td.get(member).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            invited.push(Invited {
                title: text("title"),
                description: text("description"),
                link,
            });
        }
        Ok(invited)
    }

    fn elements(&self) -> BTreeSet<String> {
        let all = self.package.elements.iter();
        all.map(|element| element.key.clone()).collect()
    }

    /// Asks; what is wrong with a document is an error here, too.
    fn ask(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: String,
    ) -> anyhow::Result<Value> {
        let answer = self.hub.ask_as(method, path, kind, Some(body))?;
        if !answer.status.is_success() {
            let detail = answer.body["detail"].as_str().unwrap_or("it was refused");
            bail!("{detail}");
        }
        Ok(answer.body)
    }

    /// Nothing of somebody else is replaced.
    fn must_be_free(&self, made: &Made, before: &Made) -> anyhow::Result<()> {
        let name = &self.package.name;
        let others = |what: &str| -> anyhow::Error {
            anyhow::anyhow!(
                "{what} is there already, and not by the scenario `{name}`: it would be changed; take it away first, or try the scenario at another hub"
            )
        };
        let new = made.clone().without(before);
        for key in new.elements.iter().chain(&new.announced) {
            if *key != Package::key(name) && self.hub.find(&thing(key))?.is_some() {
                return Err(others(&format!("`{key}`")));
            }
        }
        let lists = [
            ("the role", "roles", &new.roles),
            ("the signal", "signals", &new.signals),
            ("the flow", "flows", &new.flows),
        ];
        for (what, list, names) in lists {
            for name in names {
                if self.hub.find(&format!("/api/{list}/{name}"))?.is_some() {
                    return Err(others(&format!("{what} `{name}`")));
                }
            }
        }
        Ok(())
    }

    /// The scenario's own element, with what will be made.
    fn write_down(&self, made: Made) -> anyhow::Result<()> {
        let key = Package::key(&self.package.name);
        let mut elements = self.package.elements.iter();
        let own = elements.find(|element| element.key == key);
        let mut td = match own {
            Some(own) => own.td.clone(),
            None => own_description(&key, self.package),
        };
        td.insert(MEMBER.to_owned(), serde_json::to_value(made)?);
        self.describe(&key, &td)
    }

    /// Describes an element, unless that is known.
    fn describe(&self, key: &str, td: &Map<String, Value>) -> anyhow::Result<()> {
        let path = thing(key);
        if let Some(mut known) = self.hub.find(&path)?
            && let Some(known) = known.as_object_mut()
        {
            known.remove("registration");
            if holds(&Value::Object(known.clone()), &Value::Object(td.clone())) {
                return Ok(());
            }
        }
        let text = Value::Object(td.clone()).to_string();
        self.ask("PUT", &path, Some(TD), text)
            .with_context(|| format!("`{key}` was not described"))?;
        Ok(())
    }

    /// Adds to what announced itself. Says whether it is there.
    fn add_to(&self, element: &Element) -> anyhow::Result<bool> {
        let path = thing(&element.key);
        let Some(known) = self.hub.find(&path)? else {
            return Ok(false);
        };
        let mut patch = element.td.clone();
        if let Some(Value::Array(new)) = patch.get("links").cloned() {
            // A list is replaced by a patch as a whole.
            let mut links = known["links"].as_array().cloned().unwrap_or_default();
            let missing = new.into_iter().filter(|link| !links.contains(link));
            let missing: Vec<Value> = missing.collect();
            links.extend(missing);
            patch.insert("links".into(), links.into());
        }
        let patch = Value::Object(patch);
        if !holds(&known, &patch) {
            let kind = Some("application/merge-patch+json");
            self.ask("PATCH", &path, kind, patch.to_string())
                .with_context(|| format!("nothing was added to `{}`", element.key))?;
        }
        Ok(true)
    }

    fn relate(&self, element: &Element) -> anyhow::Result<()> {
        if element.relations.is_empty() {
            return Ok(());
        }
        let path = below(&element.key, "relations");
        let text = serde_json::to_string(&element.relations)?;
        self.ask("PUT", &path, None, text)
            .with_context(|| format!("`{}` was not related", element.key))?;
        Ok(())
    }

    /// A credential for each client, in place of what an earlier run had.
    fn let_in(&self) -> anyhow::Result<Vec<Login>> {
        let world = self.package.world.as_ref();
        let clients = world.map_or(&[][..], |world| world.clients());
        let mut logins = Vec::new();
        for client in clients {
            let path = below(&client.element, "credentials");
            let name = format!("scenario {}", self.package.name);
            let wanted = json!({ "name": name, "replaces": "all" });
            let issued = self
                .ask("POST", &path, None, wanted.to_string())
                .with_context(|| format!("`{}` cannot be let in", client.element))?;
            let topics = json!({ "topics": client.topics });
            self.ask("PATCH", &path, None, topics.to_string())
                .with_context(|| format!("`{}` was not granted its topics", client.element))?;
            let text = |member: &str| issued[member].as_str().unwrap_or_default().to_owned();
            logins.push(Login {
                user: text("user"),
                password: text("password"),
            });
        }
        Ok(logins)
    }
}

/// Takes back the invitations of people.
pub(super) fn uninvite(hub: &Asker, elements: &BTreeSet<String>) -> anyhow::Result<()> {
    let all = hub.ask("GET", "/api/invitations", None)?.body;
    let all = all["invitations"].as_array().cloned().unwrap_or_default();
    for one in all {
        let is_one = one["element"]
            .as_str()
            .is_some_and(|it| elements.contains(it));
        if let (true, Some(id)) = (is_one, one["id"].as_str()) {
            hub.remove(&format!("/api/invitations/{id}"))?;
        }
    }
    Ok(())
}

/// Whether a description has all that another one says: what the hub adds to it counts for nothing.
fn holds(known: &Value, wanted: &Value) -> bool {
    match (known, wanted) {
        (Value::Object(known), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| known.get(name).is_some_and(|known| holds(known, wanted))),
        (Value::Array(known), Value::Array(wanted)) => wanted
            .iter()
            .all(|wanted| known.iter().any(|known| holds(known, wanted))),
        (known, wanted) => known == wanted,
    }
}

fn own_description(key: &str, package: &Package) -> Map<String, Value> {
    let td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "@type": "Scenario",
        "id": quartet_things::identity::id_of(key),
        "title": package.title,
        "description": package.description,
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
    });
    td.as_object().cloned().unwrap_or_default()
}
