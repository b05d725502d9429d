//! What is deployed, and why something did not happen: answers for people.

use serde_json::{Value, json};

use crate::{
    cloud,
    deployment::{self, State},
    language::{Filter, event::Match},
    names,
    policy::RunAs,
    state::{Entry, Flows},
    trigger::is_topic_of,
};

/// What there is around a flow that nothing ever started.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The keys of elements.
    pub elements: Vec<String>,
    /// Topics at which something was said.
    pub topics: Vec<String>,
    /// Types of events that others say: signals, and what flows emit.
    pub types: Vec<String>,
}

impl Around {
    /// What is most likely wrong with a filter that no event ever came near to.
    fn judge(&self, filter: &Filter, says: &mut Vec<String>) {
        let text = |name: &str| match filter.attribute(name) {
            Some(Match::Is(Value::String(text))) => Some((&**text, None)),
            Some(Match::Fits(text, pattern)) => Some((&**text, Some(pattern))),
            _ => None,
        };
        if let Some((kind, pattern)) = text("type") {
            let own = self.types.iter().map(String::as_str);
            let types = cloud::types().map(|kind| -> &str { kind });
            let known: Vec<&str> = types.chain(own).collect();
            let is_known = known
                .iter()
                .any(|known| *known == kind || pattern.is_some_and(|it| it.is_match(known)));
            if !is_known {
                let near = match names::nearest(kind, known.into_iter()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "it must come from outside, as a CloudEvent".to_owned(),
                };
                says.push(format!("Nothing here says events of type `{kind}`; {near}"));
            }
        }
        if let Some((wanted, _)) = text("topic") {
            let mut topics = self.topics.iter().map(String::as_str);
            if !topics.any(|topic| is_topic_of(wanted, topic)) {
                let topics = self.topics.iter().map(String::as_str);
                let near = names::nearest(wanted, topics);
                let near = near.map_or(String::new(), |near| {
                    format!("; at `{near}` something was, did you mean that?")
                });
                says.push(format!("Nothing was said at `{wanted}` yet{near}"));
            }
        }
        if let Some((wanted, pattern)) = text("subject")
            && text("type").is_none_or(|(kind, _)| kind != cloud::MESSAGE)
        {
            let known: Vec<String> = self
                .elements
                .iter()
                .map(|key| names::name_of(key))
                .collect();
            let is_there = known
                .iter()
                .any(|name| name == wanted || pattern.is_some_and(|it| it.is_match(name)));
            if !is_there {
                let near = names::nearest(wanted, known.iter().map(String::as_str));
                let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                says.push(match pattern {
                    Some(_) => format!("No element fits `{wanted}` yet{near}"),
                    None => format!("There is no element `{wanted}`{near}"),
                });
            }
        }
    }
}

impl Flows {
    /// What is to be said of each flow in a list.
    pub fn list(&self) -> Vec<Value> {
        self.all().map(|(key, entry)| entry.summary(key)).collect()
    }

    /// Why nothing ever started a flow, as far as what is around it tells.
    pub fn why_never(&self, key: &str, around: &Around) -> Vec<String> {
        let flow = self.get(key).and_then(|entry| entry.flow.as_ref().ok());
        let filters = flow.map(|flow| flow.triggers()).unwrap_or_default();
        let mut says = Vec::new();
        for filter in filters {
            around.judge(filter, &mut says);
        }
        says
    }

    /// The types of events that flows say.
    pub fn types(&self) -> Vec<String> {
        let flows = self.all().filter_map(|(_, entry)| entry.flow.as_ref().ok());
        let said = flows.flat_map(|flow| flow.says());
        said.map(str::to_owned).collect()
    }

    /// All that is known of one flow here: `runs` and `missed`, the last first, and counts.
    pub fn explain(&self, key: &str) -> Option<Value> {
        let entry = self.get(key)?;
        let mut told = entry.summary(key);
        match &entry.flow {
            Ok(flow) => {
                let of_runs = entry.told.to_json(flow);
                for part in ["runs", "missed"] {
                    told[part] = of_runs[part].clone();
                }
                told["waitsFor"] = flow.triggers().iter().map(told_of).collect();
            }
            Err(problems) => {
                let problems = problems.iter().map(|problem| problem.what.clone());
                told["problems"] = problems.collect();
            }
        }
        Some(told)
    }
}

impl Entry {
    fn summary(&self, key: &str) -> Value {
        let mut told = json!({
            "name": deployment::name_of(key),
            "key": key,
            "hash": self.deployment.hash(),
            "owner": self.deployment.owner,
            "by": self.deployment.by,
            "at": self.deployment.at,
            "state": self.deployment.state.name(),
            "counts": {
                "runs": self.told.runs, "failed": self.told.failed, "missed": self.told.missed,
            },
        });
        if let Some(because) = &self.deployment.because {
            told["because"] = because.as_str().into();
        }
        if let Some(at) = self.told.last_run() {
            told["lastRun"] = at.rfc3339().into();
        }
        match &self.flow {
            Ok(flow) => {
                let document = &flow.workflow.document;
                told["version"] = document.version.text.as_str().into();
                if let Some(title) = &document.title {
                    told["title"] = title.as_str().into();
                }
                told["run"] = match flow.policy.run {
                    RunAs::Fast => "fast",
                    RunAs::Durable => "durable",
                }
                .into();
            }
            Err(_) => told["state"] = "broken".into(),
        }
        told
    }

    /// Whether whatever is to start it does.
    pub fn is_on(&self) -> bool {
        self.flow.is_ok() && self.deployment.state == State::Enabled
    }
}

/// What a filter asks for, attribute by attribute.
fn told_of(filter: &Filter) -> Value {
    let with = filter.with.iter().map(|(name, wanted)| {
        let wanted = match wanted {
            Match::Is(value) => value.clone(),
            Match::Fits(text, _) => text.as_str().into(),
            Match::Expr(expr) => format!("${{ {} }}", expr.expression.text().trim()).into(),
        };
        (name.text.clone(), wanted)
    });
    with.collect::<serde_json::Map<_, _>>().into()
}
