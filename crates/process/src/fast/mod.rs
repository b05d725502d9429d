//! Flows on the message path: what an event starts, at once and to its end.
//!
//! A run is a function of the event, the time and what can be looked at; what it does comes out
//! as [`Act`]s, all of them or none. Nothing here waits, and the number of steps is bounded.

mod act; // what a run does
mod answers; // what a run was answered
mod attempt; // what an event would do
mod draft; // the same before anybody deployed it
mod run; // a run, from its event to its end
mod schema; // what data must look like

use std::{collections::HashMap, sync::Arc};

use quartet_model::{EventId, Time};
use serde_json::{Value, json};

pub use act::{Act, Message};
pub use answers::Answers;
pub use attempt::{Attempt, attempt};
pub use draft::Draft;
pub(crate) use run::NOTHING;
pub use run::{Look, Looked, Outcome, STEPS_MAX, Step, run, traced};

use crate::{
    check::{self, Checked},
    language::{
        self, Consume, Definition, Does, Filter, Template, Workflow,
        call::Call,
        name,
        task::{SchemaSource, Shape},
    },
    policy::Policy,
    problem::{Place, Problem},
};
use schema::Schema;

/// A flow that is ready to run.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its key: `processes/{namespace}.{name}`.
    pub key: Arc<str>,
    /// What it says.
    pub workflow: Workflow,
    /// The same as it was written, in JSON, if any expression looks at it.
    written: Arc<Value>,
    /// How it runs.
    pub policy: Policy,
    /// Schemas by where they stand.
    schemas: HashMap<Place, Arc<Schema>>,
    /// Which names of the scope its expressions look at: only these get values.
    uses: [bool; language::NAMES.len()],
    reads: bool,
}

impl Flow {
    /// Makes a definition that was checked ready to run.
    ///
    /// # Errors
    ///
    /// Schemas that are none.
    pub fn new(checked: Checked) -> Result<Self, Vec<Problem>> {
        let Checked {
            definition, policy, ..
        } = checked;
        let Definition { workflow, node, .. } = definition;
        let mut uses = [false; language::NAMES.len()];
        let mut schemas = HashMap::new();
        let mut problems = Vec::new();
        let mut shapes = vec![&workflow.input, &workflow.output];
        let mut expressions = Vec::new();
        let mut reads = false;
        for task in check::steps(&workflow) {
            reads |=
                matches!(&task.does, Does::Call(Call::Function(call)) if call.name.text == "read");
            shapes.extend([&task.input, &task.output, &task.export]);
            expressions.extend(check::expressions(task));
        }
        for made in shapes.iter().filter_map(|shape| shape.made.as_ref()) {
            made.expressions(&mut expressions);
        }
        for expression in expressions.iter().map(|expr| &expr.expression) {
            for (name, uses) in uses.iter_mut().enumerate() {
                *uses |= expression.uses(name);
            }
        }
        for shape in shapes {
            compile_schema(shape, &mut schemas, &mut problems);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let written = match uses[name::WORKFLOW] || uses[name::WORKFLOW_DEFINITION] {
            true => Arc::new(node.to_json()),
            false => Arc::clone(&NOTHING),
        };
        let document = &workflow.document;
        Ok(Self {
            key: format!("processes/{}.{}", document.namespace, document.name).into(),
            workflow,
            written,
            policy,
            schemas,
            uses,
            reads,
        })
    }

    /// Whether it looks at properties.
    pub fn reads(&self) -> bool {
        self.reads
    }

    /// The types of events that it says, as far as they can be told without a run.
    pub fn says(&self) -> impl Iterator<Item = &str> {
        let steps = check::steps(&self.workflow).into_iter();
        steps.filter_map(|task| match &task.does {
            Does::Emit(emit) => emit.attribute("type").and_then(Template::fixed_text),
            _ => None,
        })
    }

    /// Which events start it.
    pub fn triggers(&self) -> &[Filter] {
        let schedule = self.workflow.schedule.as_ref();
        let on = schedule.and_then(|schedule| schedule.on.as_ref());
        on.map_or(&[], Consume::filters)
    }

    /// What the names of the scope are when a run begins.
    fn values(&self, id: EventId, input: &Arc<Value>, now: Time) -> Vec<Arc<Value>> {
        let mut values = vec![Arc::clone(&NOTHING); language::NAMES.len()];
        let uses = |name: usize| self.uses[name];
        if uses(name::WORKFLOW) {
            values[name::WORKFLOW] = Arc::new(json!({
                "id": id.to_string(),
                "definition": &*self.written,
                "input": &**input,
                "startedAt": now.rfc3339(),
            }));
        }
        if uses(name::WORKFLOW_ID) {
            values[name::WORKFLOW_ID] = Arc::new(id.to_string().into());
        }
        if uses(name::WORKFLOW_DEFINITION) {
            values[name::WORKFLOW_DEFINITION] = Arc::clone(&self.written);
        }
        if uses(name::WORKFLOW_INPUT) {
            values[name::WORKFLOW_INPUT] = Arc::clone(input);
        }
        if uses(name::WORKFLOW_STARTED_AT) {
            values[name::WORKFLOW_STARTED_AT] = Arc::new(now.rfc3339().into());
        }
        if uses(name::RUNTIME) {
            let runtime = json!({ "name": "quartet", "version": env!("CARGO_PKG_VERSION") });
            values[name::RUNTIME] = Arc::new(runtime);
        }
        values
    }
}

fn compile_schema(
    shape: &Shape,
    schemas: &mut HashMap<Place, Arc<Schema>>,
    problems: &mut Vec<Problem>,
) {
    let Some(schema) = &shape.schema else { return };
    match &schema.source {
        SchemaSource::Document(document) => match Schema::new(document) {
            Ok(read) => {
                schemas.insert(schema.place, Arc::new(read));
            }
            Err(what) => problems.push(Problem::error(schema.place, what)),
        },
        SchemaSource::Resource(_) => {
            let what = "a schema elsewhere is not fetched; write it here, in `document`";
            problems.push(Problem::error(schema.place, what));
        }
    }
}
