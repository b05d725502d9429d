//! Files to a world.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{civil::DateTime, tz::TimeZone};
use quartet_fabric::topic::Filter;
use quartet_model::Time;
use quartet_process::{language::duration::Span, names::nearest, problem::Place, yaml::Node};
use serde_json::{Map, Value};

use super::{
    Client, Hearing, Message, PARTS_MAX, Part, Saying, World, check_topic, may_use,
    spec::{self, File},
};
use crate::{
    Wrong,
    template::{Computed, Known, Template, as_text, name},
    typed::{self, Typed, place},
};

/// A step takes at least this.
const TICK_MIN: Duration = Duration::from_millis(100);
const TICK_MAX: Duration = Duration::from_secs(3600);
const TICK: Duration = Duration::from_secs(10);

impl World {
    /// Reads the files of a simulation.
    ///
    /// # Errors
    ///
    /// All that is wrong with them, by file and place.
    pub fn read(files: &[(&str, &str)]) -> Result<Self, Vec<Wrong>> {
        let mut reading = Reading::default();
        for (path, text) in files {
            match typed::read::<File>(path, text) {
                Ok(file) => reading.files.push((path, file)),
                Err(wrong) => reading.wrongs.push(wrong),
            }
        }
        let world = reading.world();
        let mut wrongs = reading.wrongs;
        wrongs.sort_by(|a, b| (&a.file, a.problem.place).cmp(&(&b.file, b.problem.place)));
        match wrongs.is_empty() {
            true => Ok(world),
            false => Err(wrongs),
        }
    }
}

#[derive(Default)]
struct Reading<'f> {
    files: Vec<(&'f str, Typed<File>)>,
    wrongs: Vec<Wrong>,
}

/// Where something stands.
#[derive(Clone, Copy)]
struct Spot<'f> {
    file: &'f str,
    node: &'f Node,
}

impl Spot<'_> {
    fn wrong(&self, path: &[&str], what: impl Into<String>) -> Wrong {
        Wrong::at(self.file, place(self.node, path), what)
    }

    fn place(&self, path: &[&str]) -> Place {
        place(self.node, path)
    }
}

impl Reading<'_> {
    fn world(&mut self) -> World {
        let files = std::mem::take(&mut self.files);
        let spots = files.iter().map(|(file, read)| {
            let node = &read.node;
            (Spot { file, node }, &read.value)
        });
        let spots: Vec<(Spot<'_>, &File)> = spots.collect();
        let (begins, tick) = self.times(&spots);
        let mut clients: Vec<Client> = Vec::new();
        let mut models: BTreeMap<&str, (Spot<'_>, &spec::Model)> = BTreeMap::new();
        for (spot, file) in &spots {
            for (name, model) in &file.models {
                if models.insert(name, (*spot, model)).is_some() {
                    let what = format!("there is a model `{name}` already");
                    self.wrongs.push(spot.wrong(&["models", name], what));
                }
            }
        }
        // What clients say at first may be of all parts.
        let mut listed: Vec<Value> = Vec::new();
        for (_, file) in &spots {
            for (name, settings) in &file.parts {
                let model = settings.get("model").and_then(Value::as_str);
                let is = model.and_then(|model| models.get(model));
                let mut all = settings.clone();
                all.insert("name".into(), name.clone().into());
                all.insert("is".into(), is.map_or(Value::Null, |(_, it)| it.is.clone()));
                listed.push(all.into());
            }
        }
        let listed = Arc::new(Value::Array(listed));
        for (spot, file) in &spots {
            for (name, client) in &file.clients {
                if clients.iter().any(|known| known.name == *name) {
                    let what = format!("there is a client `{name}` already");
                    self.wrongs.push(spot.wrong(&["clients", name], what));
                }
                let client = self.client(*spot, name, client, &listed);
                clients.push(client);
            }
        }
        let mut parts: Vec<Part> = Vec::new();
        for (spot, file) in &spots {
            for (name, settings) in &file.parts {
                if parts.iter().any(|known| known.name == *name) {
                    let what = format!("there is a part `{name}` already");
                    self.wrongs.push(spot.wrong(&["parts", name], what));
                }
                if parts.len() == PARTS_MAX {
                    let what = format!("a simulation has at most {PARTS_MAX} parts");
                    self.wrongs.push(spot.wrong(&["parts", name], what));
                    break;
                }
                parts.extend(self.part(*spot, name, settings, &models, &mut clients));
            }
        }
        World {
            begins,
            tick,
            at: begins,
            clients,
            parts,
            all: Arc::new(Value::Null),
            failed: None,
        }
    }

    fn times(&mut self, spots: &[(Spot<'_>, &File)]) -> (Time, Duration) {
        let mut begins = Time::ZERO;
        let mut tick = TICK;
        let mut is_said = false;
        for (spot, file) in spots {
            if let Some(text) = &file.begins {
                is_said = true;
                let civil: Result<DateTime, _> = text.parse();
                let at = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC));
                let us = at.map(|at| u64::try_from(at.timestamp().as_microsecond()));
                match us {
                    Ok(Ok(us)) => begins = Time::from_micros(us),
                    _ => {
                        let what = format!(
                            "`{text}` is no time since 1970; write something like 2026-01-19T07:40:00"
                        );
                        self.wrongs.push(spot.wrong(&["begins"], what));
                    }
                }
            }
            if let Some(text) = &file.tick {
                let said = Span::parse(text).map(Span::roughly);
                match said.filter(|said| (TICK_MIN..=TICK_MAX).contains(said)) {
                    Some(said) => tick = said,
                    None => {
                        let what =
                            format!("`{text}` must be a duration from PT0.1S to PT1H, like PT10S");
                        self.wrongs.push(spot.wrong(&["tick"], what));
                    }
                }
            }
        }
        if let (false, Some((spot, _))) = (is_said, spots.first()) {
            let what =
                "`begins` is missing: at which time the story begins, like 2026-01-19T07:40:00";
            self.wrongs.push(spot.wrong(&[], what));
        }
        (begins, tick)
    }

    fn client(
        &mut self,
        spot: Spot<'_>,
        name: &str,
        written: &spec::Client,
        parts: &Arc<Value>,
    ) -> Client {
        for (at, topic) in written.topics.iter().enumerate() {
            if topic.starts_with('$') || Filter::parse(topic).is_err() {
                let what = format!(
                    "`{topic}` is no filter of topics such as `zigbee2mqtt/#`, or the hub's own"
                );
                let at = at.to_string();
                self.wrongs
                    .push(spot.wrong(&["clients", name, "topics", &at], what));
            }
        }
        let known = known(&Arc::new(Value::Null), &Arc::new(Value::Null), parts);
        let mut client = Client {
            name: name.to_owned(),
            element: written.element.clone(),
            topics: written.topics.clone(),
            will: None,
            hears: Vec::new(),
            place: (spot.file.to_owned(), spot.place(&["clients", name, "as"])),
            begins: Vec::new(),
            ends: Vec::new(),
        };
        let lists = [("begins", &written.begins), ("ends", &written.ends)];
        for (list, all) in lists {
            for (at, saying) in all.iter().enumerate() {
                let at = at.to_string();
                let path = ["clients", name, list, &at];
                let Some(mut saying) = self.saying(spot, &path, saying, &known, &client) else {
                    continue;
                };
                // What it says does not change with the time.
                match saying.payload.eval(&known, &Value::Null) {
                    Ok(value) => saying.payload = Template::Fixed(value),
                    Err(why) => self.wrongs.push(spot.wrong(&path, why)),
                }
                match list {
                    "begins" => client.begins.push(saying),
                    _ => client.ends.push(saying),
                }
            }
        }
        if let Some(will) = &written.will {
            let path = ["clients", name, "will"];
            let saying = self.saying(spot, &path, will, &known, &client);
            client.will = saying.and_then(|saying| {
                let payload = saying.payload.eval(&known, &Value::Null).ok()?;
                Some(Message {
                    topic: saying.topic,
                    payload: as_text(payload).into_bytes(),
                    retain: saying.retain,
                })
            });
        }
        client
    }

    fn saying(
        &mut self,
        spot: Spot<'_>,
        path: &[&str],
        written: &spec::Saying,
        known: &Known,
        client: &Client,
    ) -> Option<Saying> {
        let below = |name: &str| spot.place(&[path, &[name]].concat());
        let mut wrongs = Vec::new();
        let topic = Template::of_text(&written.topic);
        let topic = topic.and_then(|topic| topic.text(known, &Value::Null));
        let topic = topic.and_then(|topic| check_topic(&topic).map(|()| topic));
        let topic = match topic {
            Ok(topic) if !may_use(client, &topic) => {
                let what = format!(
                    "`{topic}` is not below `{}`, and not among the topics of the client `{}`",
                    client.element, client.name
                );
                wrongs.push((below("topic"), what));
                None
            }
            Ok(topic) => Some(topic),
            Err(what) => {
                wrongs.push((below("topic"), what));
                None
            }
        };
        let payload = match Template::read(&written.payload) {
            Ok(payload) => Some(payload),
            Err(what) => {
                wrongs.push((below("payload"), what));
                None
            }
        };
        let every = written.every.as_ref().map(|text| (text, Span::parse(text)));
        let every = match every {
            Some((text, None)) => {
                let what = format!("`{text}` is no duration such as PT1M");
                wrongs.push((below("every"), what));
                None
            }
            Some((_, span)) => span.map(Span::roughly),
            None => None,
        };
        let wrongs = wrongs
            .into_iter()
            .map(|(place, what)| Wrong::at(spot.file, place, what));
        self.wrongs.extend(wrongs);
        Some(Saying {
            topic: topic?,
            payload: payload?,
            retain: written.retain,
            every,
            always: written.always,
            next: Time::ZERO,
            last: None,
        })
    }

    fn part(
        &mut self,
        spot: Spot<'_>,
        of: &str,
        settings: &Map<String, Value>,
        models: &BTreeMap<&str, (Spot<'_>, &spec::Model)>,
        clients: &mut [Client],
    ) -> Option<Part> {
        let path = ["parts", of];
        let Some(model) = settings.get("model").and_then(Value::as_str) else {
            let what = format!("`{of}` needs a `model`");
            self.wrongs.push(spot.wrong(&path, what));
            return None;
        };
        let Some((model_spot, written)) = models.get(model) else {
            let near = nearest(model, models.keys().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            let what = format!("there is no model `{model}`{}", near.unwrap_or_default());
            self.wrongs.push(spot.wrong(&["parts", of, "model"], what));
            return None;
        };
        let client = settings.get("client").map(as_name);
        let client = match client {
            None => None,
            Some(name) => {
                let found = clients.iter().position(|known| known.name == name);
                if found.is_none() {
                    let what = format!("there is no client `{name}`");
                    self.wrongs.push(spot.wrong(&["parts", of, "client"], what));
                }
                found
            }
        };
        if client.is_none() && !(written.hears.is_empty() && written.says.is_empty()) {
            let what =
                format!("`{of}` needs a `client`: the model `{model}` hears or says something");
            self.wrongs.push(spot.wrong(&path, what));
            return None;
        }
        let mut my = settings.clone();
        my.insert("name".into(), of.into());
        let my = Arc::new(Value::Object(my));
        let is = Arc::new(written.is.clone());
        let known = known(&my, &is, &Arc::new(Value::Null));
        let mut wrongs = Vec::new();
        let state = Template::read(&written.state);
        let state = state.and_then(|state| state.eval(&known, &Value::Null));
        let state = state.unwrap_or_else(|why| {
            wrongs
                .push(model_spot.wrong(&in_model(model, &["state"]), format!("of `{of}`: {why}")));
            Value::Null
        });
        let step = written.step.as_deref().map(Computed::read).transpose();
        let step = step.unwrap_or_else(|why| {
            wrongs.push(model_spot.wrong(&in_model(model, &["step"]), why));
            None
        });
        let mut part = Part {
            name: of.to_owned(),
            client,
            my: Arc::clone(&my),
            is,
            state,
            step,
            hears: Vec::new(),
            says: Vec::new(),
        };
        if let Some(client) = client.and_then(|client| clients.get_mut(client)) {
            for (at, hearing) in written.hears.iter().enumerate() {
                let at = at.to_string();
                let topic = Template::of_text(&hearing.topic);
                let filter = topic.and_then(|topic| topic.text(&known, &Value::Null));
                let filter = filter.and_then(|filter| match Filter::parse(&filter) {
                    Ok(_) if may_use(client, &filter) => Ok(filter),
                    Ok(_) => Err(format!(
                        "`{filter}` is not below `{}`, and not among the topics of the client `{}`",
                        client.element, client.name
                    )),
                    Err(_) => Err(format!("`{filter}` is no filter of topics")),
                });
                let state = Computed::read(&hearing.state);
                match (filter, state) {
                    (Ok(filter), Ok(state)) => {
                        if !client.hears.contains(&filter) {
                            client.hears.push(filter.clone());
                        }
                        part.hears.push(Hearing { filter, state });
                    }
                    (filter, state) => {
                        let why = [filter.err(), state.err()];
                        for why in why.into_iter().flatten() {
                            wrongs.push(model_spot.wrong(&in_model(model, &["hears", &at]), why));
                        }
                    }
                }
            }
            let client = client.clone();
            for (at, saying) in written.says.iter().enumerate() {
                let at = at.to_string();
                let path = in_model(model, &["says", &at]);
                let saying = self.saying(*model_spot, &path, saying, &known, &client);
                part.says.extend(saying);
            }
        }
        for wrong in wrongs {
            // Parts of a model have its mistakes alike.
            if !self.wrongs.contains(&wrong) {
                self.wrongs.push(wrong);
            }
        }
        Some(part)
    }
}

/// A place in a model.
fn in_model<'p>(model: &'p str, path: &[&'p str]) -> Vec<&'p str> {
    [&["models", model], path].concat()
}

fn as_name(value: &Value) -> String {
    as_text(value.clone())
}

/// What is known before anything happens.
fn known(my: &Arc<Value>, is: &Arc<Value>, all: &Arc<Value>) -> Known {
    let nothing = Arc::new(Value::Null);
    let mut values: [Arc<Value>; 7] = std::array::from_fn(|_| Arc::clone(&nothing));
    values[name::MY] = Arc::clone(my);
    values[name::IS] = Arc::clone(is);
    values[name::ALL] = Arc::clone(all);
    let now = Time::ZERO;
    Known { values, now }
}
