//! A package: all of its files, read, checked beside each other, and with its parameters put in.
//!
//! What a package makes is called after it, so that it takes nobody's place and can be taken back whole: elements, roles,
//! signals and flows begin with its name, but for what devices call themselves.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use quartet_people::{
    relation::{HUB, Sort},
    role::{self, Role},
};
use quartet_process::{
    check::{self, Known, Offer},
    deployment, names,
    problem::{Place, Problem},
    signals,
};
use quartet_things::identity;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Element, Files, Parameters, Setting, Wrong,
    element::Written,
    parameters,
    typed::{self, Typed, place},
    world::World,
};

/// What this version of the program reads.
const FORMAT: u64 = 1;
const SCENARIO: &str = "scenario.yaml";
const README: &str = "README.md";
const ROLES: &str = "roles.yaml";
const SIGNALS: &str = "signals.yaml";
/// The most elements, roles, flows and signals of each sort.
const EACH_MAX: usize = 500;

/// A scenario, ready to be put into a hub.
#[derive(Clone, Debug)]
pub struct Package {
    /// What it is called: what it makes begins so.
    pub name: String,
    /// For people.
    pub title: String,
    /// In a sentence or two.
    pub description: String,
    /// Its own version.
    pub version: String,
    /// The story.
    pub readme: String,
    /// What may be said when it is run.
    pub settings: IndexMap<String, Setting>,
    /// What is worth a look.
    pub look_at: Vec<LookAt>,
    /// What roles allow, by name.
    pub roles: IndexMap<String, Value>,
    /// All elements, places before what is in them.
    pub elements: Vec<Element>,
    /// Definitions of signals, and their names.
    pub signals: Option<(String, Vec<String>)>,
    /// Processes.
    pub flows: Vec<Flow>,
    /// What is simulated.
    pub world: Option<World>,
}

/// Something that is worth a look.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct LookAt {
    /// An element.
    pub element: String,
    /// What is to be seen there.
    pub says: String,
}

/// A process of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    /// `{namespace}.{name}`.
    pub name: String,
    /// Its definition.
    pub text: String,
}

/// `scenario.yaml`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Head {
    scenario: u64,
    name: String,
    title: String,
    description: String,
    version: String,
    #[serde(default)]
    parameters: IndexMap<String, Setting>,
    #[serde(default, rename = "lookAt")]
    look_at: Vec<LookAt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesFile {
    roles: IndexMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementsFile {
    elements: IndexMap<String, Written>,
}

impl Package {
    /// Reads a package and puts its parameters in.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by file and place.
    pub fn read(files: &Files, said: &Parameters) -> Result<Self, Vec<Wrong>> {
        let Some(text) = files.text(SCENARIO) else {
            let what = "a scenario is a folder with a scenario.yaml; there is none here";
            return Err(vec![Wrong::of(SCENARIO, what)]);
        };
        let head: Typed<Head> = typed::read(SCENARIO, text).map_err(|wrong| vec![wrong])?;
        let values = said.values(&head.value.parameters).map_err(|what| {
            vec![Wrong::at(
                SCENARIO,
                place(&head.node, &["parameters"]),
                what,
            )]
        })?;
        let (made, wrongs) = parameters::put_in(files, &values);
        if !wrongs.is_empty() {
            return Err(wrongs); // What is not there would be missed everywhere.
        }
        let mut reading = Reading {
            files: &made,
            head,
            wrongs,
            elements: IndexMap::new(),
            places: BTreeMap::new(),
            roles: IndexMap::new(),
            is_partial: false,
        };
        let package = reading.package();
        let mut wrongs = reading.wrongs;
        wrongs.sort_by(|a, b| (&a.file, a.problem.place).cmp(&(&b.file, b.problem.place)));
        match package {
            Some(package) if wrongs.is_empty() => Ok(package),
            _ => Err(wrongs),
        }
    }

    /// The element that stands for the scenario itself.
    pub fn key(name: &str) -> String {
        format!("processes/scenario-{name}")
    }
}

struct Reading<'f> {
    files: &'f Files,
    head: Typed<Head>,
    wrongs: Vec<Wrong>,
    elements: IndexMap<String, Element>,
    /// In which file each element is described, and where.
    places: BTreeMap<String, (String, Place)>,
    roles: IndexMap<String, Value>,
    /// Whether a file could not be read at all.
    is_partial: bool,
}

impl Reading<'_> {
    fn wrong(&mut self, file: &str, place: Place, what: impl Into<String>) {
        self.wrongs.push(Wrong::at(file, place, what));
    }

    fn package(&mut self) -> Option<Package> {
        self.head();
        if !self.wrongs.is_empty() {
            return None; // Nothing else can be judged by a name that is none.
        }
        let mut flows = Vec::new();
        let mut signals_text = None;
        let mut simulated = Vec::new();
        for (path, text) in self.files.iter() {
            match path.split('/').collect::<Vec<_>>()[..] {
                [SCENARIO | README] => {}
                [ROLES] => self.roles(text),
                [SIGNALS] => signals_text = Some(text.to_owned()),
                ["elements.yaml"] | ["elements", _] if is_yaml(path) => {
                    self.elements_of(path, text);
                }
                ["flows", _] if is_yaml(path) => flows.push((path.to_owned(), text.to_owned())),
                ["simulation.yaml"] | ["simulation", _] if is_yaml(path) => simulated.push(path),
                _ => {
                    let what = "this is no file of a scenario: there are README.md, scenario.yaml, roles.yaml, signals.yaml, elements.yaml or elements/*.yaml, flows/*.yaml, simulation.yaml or simulation/*.yaml";
                    self.wrongs.push(Wrong::of(path, what));
                }
            }
        }
        if self
            .files
            .text(README)
            .is_none_or(|text| text.trim().is_empty())
        {
            let what = "a scenario tells its story to people in README.md; write what there is, who is in it, and what to try";
            self.wrongs.push(Wrong::of(README, what));
        }
        if self.is_partial {
            return None; // What could not be read would be missed everywhere.
        }
        let own = Package::key(&self.head.value.name);
        self.places
            .entry(own)
            .or_insert_with(|| (SCENARIO.to_owned(), Place { line: 1, column: 1 }));
        self.relations();
        let signals = signals_text.map(|text| self.signals(text));
        let flows: Vec<Flow> = flows
            .into_iter()
            .filter_map(|(path, text)| self.flow(&path, text))
            .collect();
        self.look_at();
        let world = self.world(&simulated);
        let head = &mut self.head.value;
        Some(Package {
            name: head.name.clone(),
            title: std::mem::take(&mut head.title),
            description: std::mem::take(&mut head.description),
            version: std::mem::take(&mut head.version),
            readme: self.files.text(README).unwrap_or_default().to_owned(),
            settings: std::mem::take(&mut head.parameters),
            look_at: std::mem::take(&mut head.look_at),
            roles: std::mem::take(&mut self.roles),
            elements: in_order(std::mem::take(&mut self.elements)),
            signals: signals.flatten(),
            flows,
            world,
        })
    }

    fn head(&mut self) {
        let head = &self.head.value;
        let at = |path: &[&str]| place(&self.head.node, path);
        let mut wrongs = Vec::new();
        if head.scenario != FORMAT {
            let what = format!(
                "this is format {}; this program reads format {FORMAT}",
                head.scenario
            );
            wrongs.push((at(&["scenario"]), what));
        }
        let is_right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(2..=32).contains(&head.name.len())
            || !head.name.chars().all(is_right)
            || !head.name.starts_with(|c: char| c.is_ascii_lowercase())
        {
            let what = format!(
                "`{}` is no name of a scenario: 2 to 32 lower-case letters, digits and `-`, a letter first",
                head.name
            );
            wrongs.push((at(&["name"]), what));
        }
        for (place, what) in wrongs {
            self.wrong(SCENARIO, place, what);
        }
    }

    /// Whether a name is the scenario's to give.
    fn is_own(&self, name: &str, separators: &str) -> bool {
        let rest = name.strip_prefix(&*self.head.value.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c| separators.contains(c)))
    }

    fn roles(&mut self, text: &str) {
        let file = match typed::read::<RolesFile>(ROLES, text) {
            Ok(file) => file,
            Err(wrong) => {
                self.is_partial = true;
                return self.wrongs.push(wrong);
            }
        };
        for (name, written) in file.value.roles {
            let place = place(&file.node, &["roles", &name]);
            let own = format!("{}.", self.head.value.name);
            if !name.starts_with(&own) || !role::is_name(&name) {
                let what = format!(
                    "`{name}` is no name for a role of this scenario: write `{own}…`, of letters, digits, `-`, `_` and `.`"
                );
                self.wrong(ROLES, place, what);
            }
            if let Err(why) = Role::read(written.to_string().as_bytes()) {
                self.wrong(ROLES, place, why.to_string());
            }
            self.roles.insert(name, written);
        }
        self.not_too_many(ROLES, self.roles.len());
    }

    fn not_too_many(&mut self, file: &str, count: usize) {
        if EACH_MAX < count {
            let what = format!("there are {count}; a scenario has at most {EACH_MAX} of each sort");
            self.wrongs.push(Wrong::of(file, what));
        }
    }

    fn elements_of(&mut self, path: &str, text: &str) {
        let file = match typed::read::<ElementsFile>(path, text) {
            Ok(file) => file,
            Err(wrong) => {
                self.is_partial = true;
                return self.wrongs.push(wrong);
            }
        };
        for (key, written) in file.value.elements {
            let at = place(&file.node, &["elements", &key]);
            if let Some((other, there)) = self.places.get(&key) {
                let what = format!("`{key}` is described in {other}:{there} already");
                self.wrong(path, at, what);
                continue;
            }
            let id = key.split_once('/').map_or("", |(_, id)| id);
            let is_own = key == Package::key(&self.head.value.name);
            if !written.announced && !is_own && !self.is_own(id, "-.") {
                let name = &self.head.value.name;
                let what = format!(
                    "`{key}` may be somebody else's: what a scenario makes is called after it, like {}/{name}-…; what devices say of themselves is `announced: true`",
                    key.split('/').next().unwrap_or_default()
                );
                self.wrong(path, at, what);
            }
            let place_of = |below: &[&str]| {
                let path: Vec<&str> = ["elements", &key].iter().chain(below).copied().collect();
                place(&file.node, &path)
            };
            let made = Element::new(path, &key, written, &place_of, &mut self.wrongs);
            self.places.insert(key.clone(), (path.to_owned(), at));
            if let Some(made) = made {
                self.elements.insert(key, made);
            }
        }
        self.not_too_many(path, self.elements.len());
    }

    /// Whether an element is known: one of the scenario's, or the hub.
    fn has(&self, key: &str) -> bool {
        key == HUB || self.places.contains_key(key)
    }

    fn unknown(&self, key: &str) -> String {
        let known = self.places.keys().map(String::as_str);
        let near = names::nearest(key, known).map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        format!("there is no element `{key}` in this scenario{near}")
    }

    /// What all are to each other, and whether there is what they name.
    fn relations(&mut self) {
        let mut wrongs = Vec::new();
        for element in self.elements.values() {
            let Some((file, place)) = self.places.get(&element.key) else {
                continue;
            };
            let mut wrong = |what| wrongs.push((file.clone(), *place, what));
            for relation in &element.relations {
                if !self.has(&relation.to) {
                    wrong(self.unknown(&relation.to));
                }
                let name = &relation.relation;
                if Sort::of(name) == Sort::Role && !self.has_role(name) {
                    wrong(self.no_role(name));
                }
            }
            for of in on_plan(element) {
                match identity::key_of(of) {
                    Ok(key) if self.has(&key) => {}
                    Ok(key) => wrong(format!("on the plan: {}", self.unknown(&key))),
                    Err(why) => wrong(format!("on the plan, `of` {}", why.description)),
                }
            }
            if self.goes_in_a_circle(element) {
                wrong(format!("`{}` is in itself", element.key));
            }
        }
        for (file, place, what) in wrongs {
            self.wrong(&file, place, what);
        }
    }

    fn goes_in_a_circle(&self, element: &Element) -> bool {
        let mut seen = BTreeSet::new();
        let mut at = element.place.as_deref();
        while let Some(place) = at {
            if place == element.key || !seen.insert(place) {
                return true;
            }
            at = self.elements.get(place).and_then(|it| it.place.as_deref());
        }
        false
    }

    fn has_role(&self, name: &str) -> bool {
        role::is_built_in(name) || self.roles.contains_key(name)
    }

    fn no_role(&self, name: &str) -> String {
        let known = self.roles.keys().map(String::as_str);
        let near = names::nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
        format!(
            "there is no role `{name}` in roles.yaml{}",
            near.unwrap_or_default()
        )
    }

    fn problems(&mut self, file: &str, problems: Vec<Problem>) {
        let wrongs = problems.into_iter().filter(Problem::is_error);
        self.wrongs.extend(wrongs.map(|problem| Wrong {
            file: file.to_owned(),
            problem,
        }));
    }

    fn signals(&mut self, text: String) -> Option<(String, Vec<String>)> {
        let all = match signals::read(&text) {
            Ok((all, _)) => all,
            Err(problems) => {
                self.problems(SIGNALS, problems);
                return None;
            }
        };
        let names: Vec<String> = all
            .iter()
            .map(|(signal, _)| signal.name().to_owned())
            .collect();
        for name in &names {
            if !self.is_own(name, ".") {
                let what = format!(
                    "`{name}` may be somebody else's: signals of this scenario are called `{}.…`",
                    self.head.value.name
                );
                self.wrongs.push(Wrong::of(SIGNALS, what));
            }
        }
        self.not_too_many(SIGNALS, names.len());
        Some((text, names))
    }

    fn flow(&mut self, path: &str, text: String) -> Option<Flow> {
        let checked = match check::check(&text, &Site(&self.elements)) {
            Ok(checked) => checked,
            Err(problems) => {
                self.problems(path, problems);
                return None;
            }
        };
        let document = &checked.definition.workflow.document;
        if document.namespace.text != self.head.value.name {
            let what = format!(
                "the namespace of a flow of this scenario is `{}`; this is `{}`",
                self.head.value.name, document.namespace.text
            );
            self.wrong(path, document.namespace.place, what);
        }
        // What is most likely not what was meant is not what a scenario shows.
        self.wrongs
            .extend(checked.warnings.iter().cloned().map(|problem| Wrong {
                file: path.to_owned(),
                problem,
            }));
        for grant in &checked.policy.grants {
            if !self.has_role(&grant.role) {
                let what = self.no_role(&grant.role);
                self.wrong(path, grant.place, what);
            }
            if !self.has(&grant.on) {
                let what = self.unknown(&grant.on);
                self.wrong(path, grant.place, what);
            }
        }
        let name = deployment::name(&checked);
        let place = document.namespace.place;
        let there = (path.to_owned(), place);
        if let Some((other, _)) = self.places.insert(deployment::key_of(&name), there) {
            let what = format!("`{name}` is defined in {other} already");
            self.wrong(path, place, what);
        }
        Some(Flow { name, text })
    }

    fn look_at(&mut self) {
        let looked_at = self.head.value.look_at.iter().enumerate();
        let unknown: Vec<_> = looked_at
            .filter(|(_, look)| !self.has(&look.element))
            .map(|(at, look)| (at.to_string(), self.unknown(&look.element)))
            .collect();
        for (at, what) in unknown {
            let place = place(&self.head.node, &["lookAt", &at, "element"]);
            self.wrong(SCENARIO, place, what);
        }
    }

    fn world(&mut self, files: &[&str]) -> Option<World> {
        if files.is_empty() {
            return None;
        }
        let texts: Vec<(&str, &str)> = files
            .iter()
            .filter_map(|path| Some((*path, self.files.text(path)?)))
            .collect();
        match World::read(&texts) {
            Ok(world) => {
                for client in world.clients() {
                    if !self.has(&client.element) {
                        let what = self.unknown(&client.element);
                        let (file, place) = &client.place;
                        self.wrongs.push(Wrong::at(file, *place, what));
                    }
                }
                Some(world)
            }
            Err(wrongs) => {
                self.wrongs.extend(wrongs);
                None
            }
        }
    }
}

/// The identifiers of what stands on the floor plan of a place.
fn on_plan(element: &Element) -> impl Iterator<Item = &str> {
    let areas = element.td.get("plan").and_then(|plan| plan.get("areas"));
    let areas = areas.and_then(Value::as_array).into_iter().flatten();
    areas.map(|area| area.get("of").and_then(Value::as_str).unwrap_or_default())
}

fn is_yaml(path: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// Places before what is in them.
fn in_order(mut elements: IndexMap<String, Element>) -> Vec<Element> {
    let mut ordered = Vec::with_capacity(elements.len());
    while !elements.is_empty() {
        let keys: BTreeSet<String> = elements.keys().cloned().collect();
        let is_free = |element: &Element| {
            element
                .place
                .as_ref()
                .is_none_or(|place| !keys.contains(place))
        };
        let before = ordered.len();
        elements.retain(|_, element| {
            let is_free = is_free(element);
            if is_free {
                ordered.push(element.clone());
            }
            !is_free
        });
        if ordered.len() == before {
            break; // They go in a circle, which is told.
        }
    }
    ordered
}

/// What a flow of the scenario can name.
struct Site<'e>(&'e IndexMap<String, Element>);

impl Known for Site<'_> {
    fn has_element(&self, key: &str) -> Option<bool> {
        Some(self.0.contains_key(key))
    }

    fn offers(&self, key: &str, what: Offer, name: &str) -> Option<Result<(), Vec<String>>> {
        let element = self.0.get(key)?;
        let kind = match what {
            Offer::Read | Offer::Write => "properties",
            Offer::Invoke => "actions",
        };
        match element.offers(kind).any(|known| known == name) {
            true => Some(Ok(())),
            // Who announces it knows more of it than this scenario.
            false if element.announced => None,
            false => Some(Err(element.offers(kind).map(str::to_owned).collect())),
        }
    }

    fn has_workflow(&self, _: &str, _: &str) -> Option<bool> {
        None
    }

    fn near(&self, key: &str) -> Vec<String> {
        let near = names::nearest(key, self.0.keys().map(String::as_str));
        near.map(names::name_of).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
