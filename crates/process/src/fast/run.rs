use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use quartet_model::{EventId, Time};
use serde_json::{Map, Value, json};

use super::{
    Act, Flow,
    act::Arguments,
    answers::{Answer, Answers},
};
use crate::{
    expr::{Failed, Fuel, Scope, described},
    fault::{Fault, Kind},
    language::{
        Does, Expr, NAMES, Next, Task, Template,
        call::{Call, Function},
        event::Emit,
        fault::{ErrorDefinition, Raise, Try},
        name,
        task::{Case, For, Fork, Shape},
        template::Uncomputed,
    },
};

/// A run takes no more steps.
pub const STEPS_MAX: usize = 10_000;
/// Nor does more: all of it is written down together.
const ACTS_MAX: usize = 400;
/// Functions call each other no deeper.
const CALLS_MAX: usize = 16;

/// What a run may look at, and what it may do.
pub trait Look {
    /// What a property is now.
    fn property(&self, key: &str, name: &str) -> Looked;
    /// Whether the flow may do this; the reason if not.
    fn may(&self, act: &Act) -> Result<(), String>;
    /// Whether the flow may read this property; the reason if not.
    fn may_read(&self, key: &str, name: &str) -> Result<(), String>;
}

/// What became of a look at a property.
#[derive(Clone, PartialEq, Debug)]
pub enum Looked {
    /// This is what it is.
    Is(Value),
    /// It was never said.
    Unknown,
    /// It must be asked for elsewhere first; the run is then begun anew.
    Elsewhere,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// With this output, and all that was done.
    Done {
        /// What it gave.
        output: Arc<Value>,
        /// What it did.
        acts: Vec<Act>,
    },
    /// It failed, and did nothing.
    Failed(Fault),
    /// It cannot go on before these properties (key, name) are known.
    Needs(BTreeSet<(String, String)>),
}

/// One step of a run, for those who ask why.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// A JSON pointer to the task.
    pub reference: Arc<str>,
    /// What became of it.
    pub gave: Result<Arc<Value>, Fault>,
    /// Whether its condition did not hold.
    pub is_skipped: bool,
}

/// Runs a flow with what starts it: `input` is a list of CloudEvents, or whatever else its
/// `schedule` gives. Says how it ended, and what it was answered: with the answers it can be [run
/// again](traced) for those who ask how it went.
pub fn run(
    flow: &Flow,
    id: EventId,
    input: Arc<Value>,
    now: Time,
    look: &dyn Look,
) -> (Outcome, Answers) {
    let mut run = Run::new(flow, id, &input, now, look);
    let outcome = run.outcome(input);
    run.answers.steps = run.fuel.spent();
    (outcome, run.answers)
}

/// Runs a flow, and tells each step.
pub fn traced(
    flow: &Flow,
    id: EventId,
    input: Arc<Value>,
    now: Time,
    look: &dyn Look,
) -> (Outcome, Vec<Step>) {
    let mut run = Run::new(flow, id, &input, now, look);
    run.trace = Some(Vec::new());
    let outcome = run.outcome(input);
    (outcome, run.trace.unwrap_or_default())
}

/// What names have as value that have none.
pub(crate) static NOTHING: LazyLock<Arc<Value>> = LazyLock::new(Arc::default);

struct Run<'r> {
    flow: &'r Flow,
    id: EventId,
    now: Time,
    look: &'r dyn Look,
    /// Of the names that expressions may use, in the order in which they came.
    values: Vec<Arc<Value>>,
    acts: Vec<Act>,
    needs: BTreeSet<(String, String)>,
    steps: usize,
    /// How much may still be computed.
    fuel: Fuel,
    calls: usize,
    /// How often it asked what it may do, or what something is.
    asked: u32,
    answers: Answers,
    /// The steps, where somebody asks for them.
    trace: Option<Vec<Step>>,
}

/// Why a run does not go on.
enum Stop {
    Failed(Fault),
    /// Something must be known first.
    Needs,
}

/// Where a list of steps was left.
enum Left {
    /// At its end, or by `exit`.
    Through,
    /// The run is over.
    End,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// What a step gives, and what is next if it says so.
type Taken<'r> = Result<(Arc<Value>, Option<&'r Next>), Stop>;

impl<'r> Run<'r> {
    fn new(flow: &'r Flow, id: EventId, input: &Arc<Value>, now: Time, look: &'r dyn Look) -> Self {
        Self {
            flow,
            id,
            now,
            look,
            values: flow.values(id, input, now),
            acts: Vec::new(),
            needs: BTreeSet::new(),
            steps: 0,
            fuel: Fuel::default(),
            calls: 0,
            asked: 0,
            answers: Answers::default(),
            trace: None,
        }
    }

    fn outcome(&mut self, input: Arc<Value>) -> Outcome {
        let output = self.whole(input);
        let needs = std::mem::take(&mut self.needs);
        match output {
            _ if !needs.is_empty() => Outcome::Needs(needs),
            Ok(output) => Outcome::Done {
                output,
                acts: std::mem::take(&mut self.acts),
            },
            Err(Stop::Failed(fault)) => Outcome::Failed(fault),
            Err(Stop::Needs) => Outcome::Needs(needs),
        }
    }

    fn whole(&mut self, input: Arc<Value>) -> Result<Arc<Value>, Stop> {
        let workflow = &self.flow.workflow;
        let (takes, gives) = (&workflow.input, &workflow.output);
        self.fits(takes, &input, "/")?;
        self.knows(name::INPUT, &input);
        let input = self.made(takes, input, "/")?;
        self.knows(name::INPUT, &input);
        let (output, _) = self.list(&workflow.tasks, input)?;
        self.knows(name::OUTPUT, &output);
        let output = self.made(gives, output, "/")?;
        self.fits(gives, &output, "/")?;
        Ok(output)
    }

    /// Takes steps in order; gives what the last one gave.
    fn list(&mut self, tasks: &'r [Task], input: Arc<Value>) -> Result<(Arc<Value>, Left), Stop> {
        let mut data = input;
        let mut at = 0;
        while let Some(task) = tasks.get(at) {
            let (output, next) = self.task(task, data)?;
            data = output;
            match next {
                None | Some(Next::Continue) => at += 1,
                Some(Next::Exit) => break,
                Some(Next::End) => return Ok((data, Left::End)),
                Some(Next::Task(name)) => {
                    let place = tasks.iter().position(|task| task.name.text == name.text);
                    at = place.unwrap_or(tasks.len());
                }
            }
        }
        Ok((data, Left::Through))
    }

    /// Takes one step: what goes in, what it does, what comes out, what is exported, what is next.
    fn task(&mut self, task: &'r Task, data: Arc<Value>) -> Taken<'r> {
        self.steps += 1;
        if STEPS_MAX < self.steps {
            let detail = format!("a run takes at most {STEPS_MAX} steps");
            return Err(
                Fault::new(Kind::Timeout, &task.reference, "too many steps", detail).into(),
            );
        }
        let at = self.trace.as_mut().map(|trace| {
            trace.push(Step {
                reference: Arc::clone(&task.reference),
                gave: Ok(Arc::clone(&NOTHING)),
                is_skipped: false,
            });
            trace.len() - 1
        });
        let before = Arc::clone(&self.values[name::TASK]);
        let done = self.performed(task, data, at);
        self.values[name::TASK] = before;
        if let Some(step) = self.step_at(at) {
            match &done {
                Ok((output, _)) => step.gave = Ok(Arc::clone(output)),
                Err(Stop::Failed(fault)) => step.gave = Err(fault.clone()),
                Err(Stop::Needs) => {}
            }
        }
        done
    }

    /// A step of the trace, if there is one.
    fn step_at(&mut self, at: Option<usize>) -> Option<&mut Step> {
        self.trace.as_mut()?.get_mut(at?)
    }

    fn performed(&mut self, task: &'r Task, data: Arc<Value>, at: Option<usize>) -> Taken<'r> {
        let reference = &*task.reference;
        self.fits(&task.input, &data, reference)?;
        let outer = Arc::clone(&self.values[name::INPUT]);
        self.knows(name::INPUT, &data);
        let data = self.made(&task.input, data, reference)?;
        self.knows(name::INPUT, &data);
        if let Some(condition) = &task.condition
            && !self.holds(condition, &data, reference)?
        {
            if let Some(step) = self.step_at(at) {
                step.is_skipped = true;
            }
            self.values[name::INPUT] = outer;
            return Ok((data, None));
        }
        if self.flow.uses[name::TASK] {
            let mut told = json!({
                "name": task.name.text,
                "reference": reference,
                "startedAt": self.now.rfc3339(),
            });
            told["input"] = self.copy(&data, reference)?;
            self.values[name::TASK] = Arc::new(told);
        }
        let input = Arc::clone(&self.values[name::INPUT]);
        let (output, next) = self.work(task, data)?;
        self.values[name::INPUT] = input;
        self.knows(name::OUTPUT, &output);
        let output = self.made(&task.output, output, reference)?;
        self.fits(&task.output, &output, reference)?;
        if task.export.made.is_some() {
            let exported = self.made(&task.export, Arc::clone(&output), reference)?;
            self.fits(&task.export, &exported, reference)?;
            self.values[name::CONTEXT] = exported;
        }
        self.values[name::INPUT] = outer;
        Ok((output, next.or(task.then.as_ref())))
    }

    /// What a step does with what it is given.
    fn work(&mut self, task: &'r Task, data: Arc<Value>) -> Taken<'r> {
        let reference = &*task.reference;
        let leave = |(data, left)| {
            let next: Option<&'r Next> = match left {
                Left::End => Some(&Next::End),
                Left::Through => None,
            };
            Ok((data, next))
        };
        match &task.does {
            Does::Set(template) => Ok((self.value(template, &data, reference)?, None)),
            Does::Do(tasks) => leave(self.list(tasks, data)?),
            Does::Switch(cases) => self.switch(cases, data, reference),
            Does::For(each) => leave(self.each(each, data, reference)?),
            Does::Fork(fork) => leave(self.branches(fork, &data, reference)?),
            Does::Emit(emit) => Ok((self.emit(emit, &data, reference)?, None)),
            Does::Raise(raise) => Err(self.raise(raise, &data, reference)?.into()),
            Does::Try(tried) => self.carefully(tried, data),
            Does::Call(Call::Function(function)) => self.call(function, &data, reference),
            other => {
                let detail = format!("`{}` is not for the message path", other.kind());
                let title = "this task takes time";
                Err(Fault::new(Kind::Configuration, reference, title, detail).into())
            }
        }
    }

    fn switch(&mut self, cases: &'r [Case], data: Arc<Value>, reference: &str) -> Taken<'r> {
        for case in cases {
            let holds = match &case.when {
                None => true,
                Some(when) => self.holds(when, &data, reference)?,
            };
            if holds {
                return Ok((data, Some(&case.then)));
            }
        }
        Ok((data, None))
    }

    /// Goes through branches. None of them takes time, so each is over before the next begins.
    fn branches(
        &mut self,
        fork: &'r Fork,
        data: &Arc<Value>,
        reference: &str,
    ) -> Result<(Arc<Value>, Left), Stop> {
        let depth = self.values.len();
        let mut gave = Vec::new();
        for branch in &fork.branches {
            let (output, _) = self.task(branch, Arc::clone(data))?;
            self.values.truncate(depth);
            if fork.is_race {
                return Ok((output, Left::Through));
            }
            gave.push(self.copy(&output, reference)?);
        }
        Ok((Arc::new(Value::Array(gave)), Left::Through))
    }

    fn each(
        &mut self,
        each: &'r For,
        data: Arc<Value>,
        reference: &str,
    ) -> Result<(Arc<Value>, Left), Stop> {
        let collection = self.value(&each.collection, &data, reference)?;
        let Value::Array(items) = &*collection else {
            let what = described(&collection);
            let detail = format!("`for` goes through a list; this is {what}");
            let title = "there is nothing to go through";
            return Err(Fault::new(Kind::Expression, reference, title, detail).into());
        };
        let mut data = data;
        let depth = self.values.len();
        let mut left = Left::Through;
        for (at, item) in items.iter().enumerate() {
            self.values.truncate(depth);
            self.values.push(Arc::new(self.copy(item, reference)?));
            self.values.push(Arc::new(at.into()));
            if let Some(condition) = &each.while_
                && !self.holds(condition, &data, reference)?
            {
                break;
            }
            (data, left) = self.list(&each.tasks, data)?;
            if let Left::End = left {
                break;
            }
        }
        self.values.truncate(depth);
        Ok((data, left))
    }

    fn emit(&mut self, emit: &Emit, data: &Value, reference: &str) -> Result<Arc<Value>, Stop> {
        let mut event = Map::new();
        for (name, template) in &emit.with {
            event.insert(
                name.text.clone(),
                self.plain_value(template, data, reference)?,
            );
        }
        let number = self.acts.len();
        let mut default = |name: &str, value: Value| {
            event.entry(name.to_owned()).or_insert(value);
        };
        default("specversion", "1.0".into());
        default("id", format!("{}-{number}", self.id).into());
        default("source", format!("/{}", self.flow.key).into());
        default("time", self.now.rfc3339().into());
        if event.contains_key("data") {
            let kind = event.entry("datacontenttype").or_insert(Value::Null);
            if kind.is_null() {
                *kind = "application/json".into();
            }
        }
        if !event.get("type").is_some_and(Value::is_string) {
            let detail = format!("`type` is text; this is {}", described(&event["type"]));
            let title = "an event has a type";
            return Err(Fault::new(Kind::Expression, reference, title, detail).into());
        }
        let event = Arc::new(Value::Object(event));
        let act = Act::Emit {
            event: Arc::clone(&event),
        };
        self.act(act, reference)?;
        Ok(event)
    }

    /// The fault that is raised.
    fn raise(&mut self, raise: &Raise, data: &Value, reference: &str) -> Result<Fault, Stop> {
        let flow = self.flow;
        let error: &ErrorDefinition = match raise {
            Raise::Error(error) => error,
            Raise::Use(name) => {
                let mut errors = flow.workflow.reuse.errors.iter();
                let found = errors.find(|(word, _)| word.text == name.text);
                match found {
                    Some((_, error)) => error,
                    None => {
                        let title = "an error without a definition";
                        return Err(
                            Fault::new(Kind::Configuration, reference, title, &*name.text).into(),
                        );
                    }
                }
            }
        };
        let text = |run: &mut Self, template: &Option<Template>| -> Result<Option<String>, Stop> {
            Ok(match template {
                None => None,
                Some(template) => Some(match run.plain_value(template, data, reference)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                }),
            })
        };
        let kind = match self.plain_value(&error.kind, data, reference)? {
            Value::String(kind) => kind,
            other => other.to_string(),
        };
        let title = text(self, &error.title)?;
        let detail = text(self, &error.detail)?;
        let instance = text(self, &error.instance)?;
        Ok(Fault {
            kind,
            status: error.status,
            instance: instance.unwrap_or_else(|| reference.to_owned()),
            title: title.unwrap_or_default(),
            detail,
        })
    }

    fn carefully(&mut self, tried: &'r Try, data: Arc<Value>) -> Taken<'r> {
        let (depth, acts) = (self.values.len(), self.acts.len());
        let fault = match self.list(&tried.tasks, Arc::clone(&data)) {
            Ok((data, Left::Through)) => return Ok((data, None)),
            Ok((data, Left::End)) => return Ok((data, Some(&Next::End))),
            Err(Stop::Needs) => return Err(Stop::Needs),
            Err(Stop::Failed(fault)) => fault,
        };
        self.values.truncate(depth);
        let catch = &tried.catch;
        if !fault.fits(&catch.with) {
            return Err(fault.into());
        }
        let reference = fault.instance.clone();
        self.values.push(Arc::new(fault.to_json()));
        let holds = |run: &mut Self, expr: &Option<Expr>, else_: bool| match expr {
            Some(expr) => run.holds(expr, &data, &reference),
            None => Ok(else_),
        };
        let is_caught = holds(self, &catch.when, true)? && !holds(self, &catch.except_when, false)?;
        if !is_caught {
            self.values.truncate(depth);
            return Err(fault.into());
        }
        // What was done before it failed is done.
        debug_assert!(acts <= self.acts.len(), "nothing is taken back");
        let caught = self.list(&catch.tasks, data);
        self.values.truncate(depth);
        let (data, left) = caught?;
        let next = match left {
            Left::End => Some(&Next::End),
            Left::Through => catch.then.as_ref(),
        };
        Ok((data, next))
    }

    fn call(&mut self, function: &'r Function, data: &Value, reference: &str) -> Taken<'r> {
        let mut with = Map::new();
        for (name, template) in &function.with {
            let value = self.plain_value(template, data, reference)?;
            with.insert(name.text.clone(), value);
        }
        let name = &*function.name.text;
        let flow = self.flow;
        let mut own = flow.workflow.reuse.functions.iter();
        if let Some((_, task)) = own.find(|(word, _)| word.text == name) {
            if CALLS_MAX <= self.calls {
                let detail = format!("functions call each other at most {CALLS_MAX} deep");
                let title = "too many calls";
                return Err(Fault::new(Kind::Runtime, reference, title, detail).into());
            }
            self.calls += 1;
            // A function sees what it is called with, and the context.
            let depth = self.values.split_off(NAMES.len());
            let done = self.task(task, Arc::new(Value::Object(with)));
            self.values.truncate(NAMES.len());
            self.values.extend(depth);
            self.calls -= 1;
            return done.map(|(output, _)| (output, None));
        }
        let arguments = Arguments(&with);
        let wrong = |detail: String| {
            let title = format!("`{name}` was called with something else");
            Stop::from(Fault::new(Kind::Expression, reference, &title, detail))
        };
        match name {
            "read" => {
                let read = self.read(&arguments, reference);
                read.map(|value| (Arc::new(value), None))
            }
            "write" => {
                let property = arguments.needed("property").map_err(wrong)?;
                let expires = arguments.expires().map_err(wrong)?;
                let value = &arguments.value("value");
                for key in arguments.things().map_err(wrong)? {
                    let act = Act::Write {
                        key,
                        property: property.to_owned(),
                        value: self.copy(value, reference)?,
                        expires,
                    };
                    self.act(act, reference)?;
                }
                Ok((Arc::clone(&NOTHING), None))
            }
            "invoke" => {
                let action = arguments.needed("action").map_err(wrong)?;
                let expires = arguments.expires().map_err(wrong)?;
                let input = &arguments.value("input");
                for key in arguments.things().map_err(wrong)? {
                    let act = Act::Invoke {
                        key,
                        action: action.to_owned(),
                        input: self.copy(input, reference)?,
                        expires,
                    };
                    self.act(act, reference)?;
                }
                Ok((Arc::clone(&NOTHING), None))
            }
            "notify" => {
                let recipients = arguments.recipients().map_err(wrong)?;
                let mut input = with.clone();
                input.remove("to");
                let input = Value::Object(input);
                for key in recipients {
                    let act = Act::Invoke {
                        key,
                        action: "notify".to_owned(),
                        input: self.copy(&input, reference)?,
                        expires: None,
                    };
                    self.act(act, reference)?;
                }
                Ok((Arc::clone(&NOTHING), None))
            }
            _ => {
                let title = format!("`{name}` is not for the message path");
                Err(Fault::new(Kind::Configuration, reference, &title, "").into())
            }
        }
    }

    /// What properties are now: one value for `property`, an object for `properties`. With `desired`
    /// what they are wanted to be, while that is on its way.
    fn read(&mut self, arguments: &Arguments<'_>, reference: &str) -> Result<Value, Stop> {
        let wrong = |detail: String| {
            let title = "`read` was called with something else";
            Stop::from(Fault::new(Kind::Expression, reference, title, detail))
        };
        let keys = arguments.things().map_err(wrong)?;
        let one = arguments.text("property").map_err(wrong)?;
        let names: Vec<String> = match (one, arguments.value("properties")) {
            (Some(one), _) => vec![one.to_owned()],
            (None, Value::Array(list)) => {
                let texts = list.iter().filter_map(Value::as_str);
                texts.map(str::to_owned).collect()
            }
            (None, _) => return Err(wrong("`property` or `properties` is missing".into())),
        };
        let desired = arguments.is("desired").map_err(wrong)?;
        let mut read = Vec::new();
        for key in &keys {
            let mut values = Map::new();
            for property in &names {
                let may = self.look.may_read(key, property);
                if let Err(why) = self.answered(may) {
                    let title = "the flow may not read this";
                    return Err(Fault::new(Kind::Authorization, reference, title, why).into());
                }
                let wish = match desired {
                    true => self.look(key, &format!("{property}/desired"), reference)?,
                    false => Value::Null,
                };
                let reported = self.look(key, property, reference)?;
                let value = match wish {
                    Value::Object(mut wish) if wish["status"] == "pending" => wish["value"].take(),
                    _ => reported,
                };
                values.insert(property.clone(), value);
            }
            read.push(match one {
                Some(one) => values.remove(one).unwrap_or_default(),
                None => Value::Object(values),
            });
        }
        if !self.needs.is_empty() {
            return Err(Stop::Needs);
        }
        let is_one = arguments.0.contains_key("thing");
        Ok(match (is_one, read.len()) {
            (true, 1) => read.remove(0),
            _ => Value::Array(read),
        })
    }

    /// What is at a property; null if nothing was ever said, or it must be asked for first.
    fn look(&mut self, key: &str, name: &str, reference: &str) -> Result<Value, Stop> {
        match self.look.property(key, name) {
            Looked::Is(value) => {
                self.asked += 1;
                let noted = self.copy(&value, reference)?;
                self.answers.note(self.asked, Answer::Is(noted));
                Ok(value)
            }
            Looked::Unknown => {
                self.asked += 1;
                Ok(Value::Null)
            }
            Looked::Elsewhere => {
                self.needs.insert((key.to_owned(), name.to_owned()));
                Ok(Value::Null)
            }
        }
    }

    /// Notes what is to be done, if the flow may.
    fn act(&mut self, act: Act, reference: &str) -> Result<(), Stop> {
        if ACTS_MAX <= self.acts.len() {
            let detail = format!("a run does at most {ACTS_MAX} things");
            return Err(Fault::new(Kind::Runtime, reference, "too much to do", detail).into());
        }
        let may = self.look.may(&act);
        if let Err(why) = self.answered(may) {
            let title = "the flow may not do this";
            let detail = format!("{}: {why}", act.told());
            return Err(Fault::new(Kind::Authorization, reference, title, detail).into());
        }
        self.acts.push(act);
        Ok(())
    }

    /// Notes what was said to whether it may.
    fn answered(&mut self, may: Result<(), String>) -> Result<(), String> {
        self.asked += 1;
        if let Err(why) = &may {
            self.answers.note(self.asked, Answer::Refused(why.clone()));
        }
        may
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            values: &self.values,
            now: self.now,
            fuel: &self.fuel,
        }
    }

    fn holds(&mut self, expr: &Expr, data: &Value, reference: &str) -> Result<bool, Stop> {
        let holds = expr.holds(&self.scope(), data);
        holds.map_err(|uncomputed| Fault::of(&uncomputed, reference).into())
    }

    fn plain_value(
        &mut self,
        template: &Template,
        data: &Value,
        reference: &str,
    ) -> Result<Value, Stop> {
        let value = template.made(&self.scope(), data);
        let value = value.map_err(|uncomputed: Uncomputed| Fault::of(&uncomputed, reference))?;
        self.within(self.fuel.check(&value), reference)?;
        Ok(value)
    }

    fn value(
        &mut self,
        template: &Template,
        data: &Value,
        reference: &str,
    ) -> Result<Arc<Value>, Stop> {
        let value = self.plain_value(template, data, reference)?;
        Ok(Arc::new(value))
    }

    /// A run does not compute without an end.
    fn within<T>(&self, done: Result<T, Failed>, reference: &str) -> Result<T, Stop> {
        done.map_err(|failed| {
            let title = "too much to compute";
            Fault::new(Kind::Runtime, reference, title, failed.what).into()
        })
    }

    /// A copy of a value.
    fn copy(&self, value: &Value, reference: &str) -> Result<Value, Stop> {
        self.within(self.fuel.copy(value), reference)
    }

    /// A name of the scope has this value from now on, if any expression asks.
    fn knows(&mut self, name: usize, value: &Arc<Value>) {
        if self.flow.uses[name] {
            self.values[name] = Arc::clone(value);
        }
    }

    /// What comes of data on its way in or out.
    fn made(
        &mut self,
        shape: &Shape,
        data: Arc<Value>,
        reference: &str,
    ) -> Result<Arc<Value>, Stop> {
        match &shape.made {
            None => Ok(data),
            Some(template) => self.value(template, &data, reference),
        }
    }

    /// Whether data have the shape that they should have.
    fn fits(&self, shape: &Shape, data: &Value, reference: &str) -> Result<(), Stop> {
        let Some(schema) = &shape.schema else {
            return Ok(());
        };
        let Some(schema) = self.flow.schemas.get(&schema.place) else {
            return Ok(());
        };
        match self.within(schema.judge(data, &self.fuel), reference)? {
            Ok(()) => Ok(()),
            Err(detail) => {
                let title = "data do not have the shape that the schema asks for";
                Err(Fault::new(Kind::Validation, reference, title, detail).into())
            }
        }
    }
}
